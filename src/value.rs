//! A typed leaf value: every kind a gNMI TypedValue can carry, and JSON both ways.
//!
//! The same leaf arrives as a number in a Subscribe and as a string of digits in a Get (RFC 7951 writes 64-bit integers
//! and decimals as strings), with or without a module in front of an identity. This module keeps what was said; making
//! two spellings of one leaf equal needs its type, and is `yang`'s part (`Schema::canonical`).

mod decimal;
mod text;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

pub use self::decimal::Decimal;
pub use self::text::Text;

/// A leaf value, 16 bytes. Cloning is cheap: long texts and lists are shared, short texts and numbers lie in it.
#[derive(Clone, Debug)]
pub enum Value {
    /// string, enumeration, identityref, leafref to one of them, address, …
    Str(Text),
    /// boolean
    Bool(bool),
    /// int8 to int64
    Int(i64),
    /// uint8 to uint64
    Uint(u64),
    /// decimal64: `digits / 10^precision`
    Decimal(Decimal),
    /// float and double; EOS sends ieeefloat32 rates so
    Double(f64),
    /// binary
    Bytes(Arc<Box<[u8]>>),
    /// leaf-list, in the order said
    List(Arc<Box<[Value]>>),
    /// a container or list as one JSON document (JSON or JSON_IETF)
    Json(Arc<Json>),
    /// the type `empty`, JSON `[null]`
    Empty,
}

impl Value {
    /// A text value.
    pub fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Text::from(text.as_ref()))
    }

    /// A leaf-list.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(Arc::new(items.into_iter().collect()))
    }

    /// Bytes.
    pub fn bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self::Bytes(Arc::new(bytes.into()))
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A number that is not negative, also out of a string of digits.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Uint(number) => Some(*number),
            Self::Int(number) => u64::try_from(*number).ok(),
            Self::Str(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Any number as floating point: for rates and sparklines, not for comparing.
    #[allow(clippy::cast_precision_loss)]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Uint(number) => Some(*number as f64),
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            Self::Decimal(decimal) => Some(decimal.digits() as f64 / 10f64.powi(i32::from(decimal.precision()))),
            Self::Str(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The members of a leaf-list.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// A decimal from its text (`-1.50`); `None` if it is none or does not fit.
    pub fn decimal(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let bare = whole.strip_prefix(['-', '+']).unwrap_or(whole);
        let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if bare.is_empty() || !digits_only(bare) || !digits_only(fraction) || (text.contains('.') && fraction.is_empty()) {
            return None;
        }
        let precision = u8::try_from(fraction.len()).ok().filter(|n| *n <= 18)?;
        let digits = format!("{}{fraction}", whole.strip_prefix('+').unwrap_or(whole)).parse().ok()?;
        Some(Self::Decimal(Decimal::new(digits, precision)))
    }

    /// Reads JSON without knowing the type: numbers become `Uint`, `Int` or `Double`, `[null]` `Empty`, an array of scalars
    /// a leaf-list, anything else stays JSON.
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Bool(value) => Self::Bool(*value),
            Json::String(text) => Self::str(text),
            Json::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => Self::Uint(value),
                (None, Some(value)) => Self::Int(value),
                (None, None) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::Array(items) if items.len() == 1 && items[0].is_null() => Self::Empty,
            Json::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array() && !item.is_null()) => {
                Self::list(items.iter().map(Self::from_json))
            }
            other => Self::Json(Arc::new(other.clone())),
        }
    }

    /// Bytes of heap behind the value, about; what it shares is counted for each sharer.
    pub fn heap_bytes(&self) -> usize {
        /// Two counters, and where the rest is.
        const COUNTERS: usize = 4 * size_of::<usize>();
        match self {
            Self::Str(text) => text.heap_bytes(),
            Self::Bytes(bytes) => bytes.len() + COUNTERS,
            Self::List(items) => items.iter().map(|item| size_of::<Self>() + item.heap_bytes()).sum::<usize>() + COUNTERS,
            Self::Json(json) => json.to_string().len() + COUNTERS,
            Self::Bool(_) | Self::Int(_) | Self::Uint(_) | Self::Decimal(_) | Self::Double(_) | Self::Empty => 0,
        }
    }

    /// Writes JSON as RFC 7951 wants it when no schema is at hand: decimals as strings, integers as numbers. The 64-bit
    /// rule and identity prefixes need the type: `yang::json_ietf`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Str(text) => Json::String(text.to_string()),
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(number) => Json::from(*number),
            Self::Uint(number) => Json::from(*number),
            Self::Double(number) => serde_json::Number::from_f64(*number).map_or_else(|| Json::String(number.to_string()), Json::Number),
            Self::Decimal(_) => Json::String(self.to_string()),
            Self::Bytes(_) => Json::String(self.to_string()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Json(json) => (**json).clone(),
            Self::Empty => Json::Array(vec![Json::Null]),
        }
    }
}

/// Equality of what was said; floats compare by bits so that a NaN does not differ from itself for ever.
impl PartialEq for Value {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Uint(a), Self::Uint(b)) => a == b,
            (Self::Int(a), Self::Uint(b)) | (Self::Uint(b), Self::Int(a)) => u64::try_from(*a).is_ok_and(|a| a == *b),
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits() || a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Json(a), Self::Json(b)) => a == b,
            (Self::Empty, Self::Empty) => true,
            _ => false,
        }
    }
}

impl Eq for Value {}

/// As an operator reads it: texts bare, lists in brackets.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => f.write_str(text),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Uint(number) => write!(f, "{number}"),
            Self::Double(number) => write!(f, "{number}"),
            Self::Decimal(decimal) => write!(f, "{decimal}"),
            Self::Bytes(bytes) => {
                use base64::Engine as _;
                f.write_str(&base64::engine::general_purpose::STANDARD.encode(&***bytes))
            }
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Json(json) => write!(f, "{json}"),
            Self::Empty => f.write_str("(empty)"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::str(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::str(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Uint(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Uint(number.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Uint(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// As JSON, for plans, journals and `--json`.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer).map(|json| Self::from_json(&json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_print_and_compare_by_number() {
        for (text, printed) in [("10.0", "10.0"), ("-1.50", "-1.50"), ("0.05", "0.05"), ("+3", "3")] {
            assert_eq!(Value::decimal(text).unwrap().to_string(), printed);
        }
        assert_eq!(Value::decimal("10.0"), Value::decimal("10"));
        assert_ne!(Value::decimal("10.0"), Value::decimal("1.0"));
        for bad in ["", ".", "1.", "x", "1.2.3", "1e3", "-"] {
            assert!(Value::decimal(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn json_kinds_are_told_apart() {
        let read = |text: &str| Value::from_json(&serde_json::from_str(text).unwrap());
        assert_eq!(read("[null]"), Value::Empty);
        assert_eq!(read("[1,\"2..9\"]"), Value::list([Value::Uint(1), Value::str("2..9")]));
        assert_eq!(read("-3"), Value::Int(-3));
        assert!(matches!(read("{\"a\":[]}"), Value::Json(_)));
        assert_eq!(read("18446744073709551615"), Value::Uint(u64::MAX));
        assert_eq!(Value::Int(4), Value::Uint(4));
        assert_ne!(Value::Int(-1), Value::Uint(u64::MAX));
        assert_eq!(Value::Double(f64::NAN), Value::Double(f64::NAN));
    }

    #[test]
    fn a_value_is_two_words() {
        assert_eq!(size_of::<Value>(), 16);
    }

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            ".{0,8}".prop_map(Value::from),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<u64>().prop_map(Value::Uint),
        ]
    }

    proptest! {
        #[test]
        fn json_there_and_back(value in prop_oneof![scalar(), proptest::collection::vec(scalar(), 0..4).prop_map(Value::list)]) {
            prop_assert_eq!(Value::from_json(&value.to_json()), value);
        }

        #[test]
        fn decimal_text_there_and_back(digits in any::<i64>(), precision in 0u8..=18) {
            let value = Value::Decimal(Decimal::new(digits, precision));
            prop_assert_eq!(Value::decimal(&value.to_string()).unwrap(), value);
        }
    }
}
