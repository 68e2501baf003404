//! One field or message at a time, both ways. Nothing here panics on anything a device sends; a value that cannot be
//! understood is the error of that leaf alone.
//!
//! Tolerated, because servers that do it exist (facts from running them): module prefixes in element and key names, the
//! deprecated `element` strings, the deprecated `value` field, an origin only in the prefix or only in the path, keys in any
//! order, float and decimal where the model says decimal64, JSON in typed streams.

use std::fmt;

use bytes::Bytes;
use serde_json::Value as Json;

use super::proto::{self, typed_value};
use crate::path::{Elem, ORIGIN_CLI, Path};
use crate::value::{Decimal, Value};

/// The default origin spelled out; a path carries `None` for it.
pub const ORIGIN_OPENCONFIG: &str = "openconfig";

/// Why a value could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// An update without a value.
    #[error("the update carries no value")]
    Missing,
    /// JSON that is none, invalid UTF-8 included.
    #[error("its JSON cannot be read: {0}")]
    Json(String),
    /// Text that is no UTF-8.
    #[error("its text is no UTF-8")]
    Utf8,
    /// More fraction digits than a decimal64 has.
    #[error("a decimal with {0} fraction digits")]
    Precision(u32),
    /// An encoding number gNMI does not know.
    #[error("unknown encoding {0}")]
    Encoding(i32),
}

/// A notification with every path made whole (prefix joined) and values as they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notification {
    /// As the device said it: nanoseconds since the epoch, where it keeps to the protocol. For display only.
    pub timestamp: i64,
    /// `prefix.target`, empty when not echoed.
    pub target: String,
    /// The prefix; what an atomic notification replaces.
    pub prefix: Path,
    /// Replaces everything below the prefix.
    pub atomic: bool,
    /// Deletes take effect before updates.
    pub deletes: Vec<Path>,
    /// Leaves, or containers as [`Value::Json`].
    pub updates: Vec<(Path, Result<Value, ValueError>)>,
    /// Sum of the `duplicates` fields.
    pub duplicates: u64,
}

/// Whether names of this origin are YANG names, which may come with a module in front.
fn yang_names(origin: Option<&str>) -> bool {
    origin.is_none_or(|origin| origin == ORIGIN_OPENCONFIG)
}

/// `openconfig-interfaces:interfaces` → `interfaces`; left alone when what stands in front is no module name.
pub fn bare_name(name: &str) -> &str {
    match name.split_once(':') {
        Some((module, bare))
            if !bare.is_empty()
                && module.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && module.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) =>
        {
            bare
        }
        _ => name,
    }
}

fn origin(text: &str) -> Option<String> {
    (!text.is_empty() && text != ORIGIN_OPENCONFIG).then(|| text.to_owned())
}

/// A path as it came. `openconfig` is the default origin and becomes `None`.
pub fn path(message: &proto::Path) -> Path {
    path_below(None, message)
}

/// A path below a prefix: joined, with the prefix's origin unless only the path has one.
pub fn path_below(prefix: Option<&Path>, message: &proto::Path) -> Path {
    let own = origin(&message.origin);
    let origin = prefix.and_then(|prefix| prefix.origin.clone()).or(own);
    let strip = yang_names(origin.as_deref());
    let mut elems = prefix.map(|prefix| prefix.elems.clone()).unwrap_or_default();
    let bare = |name: &str| if strip { bare_name(name).to_owned() } else { name.to_owned() };
    if message.elem.is_empty() {
        #[allow(deprecated)]
        elems.extend(message.element.iter().map(|text| old_element(text, strip)));
    } else {
        elems.extend(message.elem.iter().map(|elem| {
            if elem.key.is_empty() {
                Elem::new(bare(&elem.name))
            } else {
                Elem::keyed(bare(&elem.name), elem.key.iter().map(|(key, value)| (bare(key), value.clone())))
            }
        }));
    }
    Path { origin, elems }
}

/// `interface[name=Ethernet1]`, one string an element, as before gNMI 0.4; anything else is a name.
fn old_element(text: &str, strip: bool) -> Elem {
    let mut elem = match Path::parse(text) {
        Ok(parsed) if parsed.origin.is_none() && parsed.elems.len() == 1 => parsed.elems.into_iter().next().unwrap_or_default(),
        _ => Elem::new(text),
    };
    if strip {
        elem.name = bare_name(&elem.name).to_owned();
    }
    elem
}

/// The message of a path, without target.
pub fn path_message(path: &Path) -> proto::Path {
    proto::Path {
        origin: path.origin.clone().unwrap_or_default(),
        elem: path.elems.iter().map(|elem| proto::PathElem { name: elem.name.clone(), key: elem.keys.iter().cloned().collect() }).collect(),
        ..proto::Path::default()
    }
}

/// A value as it came. JSON scalars and leaf-lists become plain values, JSON objects and lists [`Value::Json`].
pub fn value(message: &proto::TypedValue) -> Result<Value, ValueError> {
    #[allow(deprecated)]
    match message.value.as_ref().ok_or(ValueError::Missing)? {
        typed_value::Value::StringVal(text) | typed_value::Value::AsciiVal(text) => Ok(Value::str(text)),
        typed_value::Value::IntVal(number) => Ok(Value::Int(*number)),
        typed_value::Value::UintVal(number) => Ok(Value::Uint(*number)),
        typed_value::Value::BoolVal(value) => Ok(Value::Bool(*value)),
        typed_value::Value::BytesVal(bytes) | typed_value::Value::ProtoBytes(bytes) => Ok(Value::bytes(bytes.as_ref())),
        typed_value::Value::FloatVal(number) => Ok(float(*number)),
        typed_value::Value::DoubleVal(number) => Ok(Value::Double(*number)),
        typed_value::Value::DecimalVal(decimal) => decimal_value(decimal.digits, decimal.precision),
        typed_value::Value::LeaflistVal(list) => list.element.iter().map(value).collect::<Result<Vec<_>, _>>().map(Value::list),
        typed_value::Value::AnyVal(any) => Ok(Value::bytes(any.value.as_slice())),
        typed_value::Value::JsonVal(bytes) | typed_value::Value::JsonIetfVal(bytes) => json(bytes),
    }
}

/// A 32-bit float by its shortest decimal text, so that 0.1 does not become 0.10000000149011612.
pub fn float(number: f32) -> Value {
    Value::Double(number.to_string().parse().unwrap_or_else(|_| f64::from(number)))
}

/// A decimal64 of the wire.
pub fn decimal_value(digits: i64, precision: u32) -> Result<Value, ValueError> {
    let fits = u8::try_from(precision).ok().filter(|precision| *precision <= 18);
    fits.map(|precision| Value::Decimal(Decimal::new(digits, precision))).ok_or(ValueError::Precision(precision))
}

/// JSON bytes as a value.
pub fn json(bytes: &[u8]) -> Result<Value, ValueError> {
    serde_json::from_slice::<Json>(bytes).map(|json| Value::from_json(&json)).map_err(|error| ValueError::Json(error.to_string()))
}

/// The value of an update: `val`, or the deprecated `value`.
pub fn update_value(update: &proto::Update) -> Result<Value, ValueError> {
    #[allow(deprecated)]
    match (&update.val, &update.value) {
        (Some(typed), _) => value(typed),
        (None, Some(old)) => old_value(old),
        (None, None) => Err(ValueError::Missing),
    }
}

#[allow(deprecated)]
fn old_value(old: &proto::Value) -> Result<Value, ValueError> {
    match proto::Encoding::try_from(old.r#type) {
        Ok(proto::Encoding::Json | proto::Encoding::JsonIetf) => json(&old.value),
        Ok(proto::Encoding::Ascii) => std::str::from_utf8(&old.value).map(Value::str).map_err(|_| ValueError::Utf8),
        Ok(proto::Encoding::Bytes | proto::Encoding::Proto) => Ok(Value::bytes(old.value.as_slice())),
        Err(_) => Err(ValueError::Encoding(old.r#type)),
    }
}

/// The typed message of a value: scalars as scalars, as EOS streams them; JSON and `empty` as JSON_IETF.
pub fn value_message(value: &Value) -> proto::TypedValue {
    let json = |json: &Json| typed_value::Value::JsonIetfVal(Bytes::from(json.to_string()));
    #[allow(deprecated)]
    let kind = match value {
        Value::Str(text) => typed_value::Value::StringVal(text.to_string()),
        Value::Bool(value) => typed_value::Value::BoolVal(*value),
        Value::Int(number) => typed_value::Value::IntVal(*number),
        Value::Uint(number) => typed_value::Value::UintVal(*number),
        Value::Double(number) => typed_value::Value::DoubleVal(*number),
        Value::Decimal(decimal) => {
            typed_value::Value::DecimalVal(proto::Decimal64 { digits: decimal.digits(), precision: u32::from(decimal.precision()) })
        }
        Value::Bytes(bytes) => typed_value::Value::BytesVal(Bytes::copy_from_slice(bytes)),
        Value::List(items) => typed_value::Value::LeaflistVal(proto::ScalarArray { element: items.iter().map(value_message).collect() }),
        Value::Json(value) => json(value),
        Value::Empty => json(&Value::Empty.to_json()),
    };
    proto::TypedValue { value: Some(kind) }
}

/// A JSON_IETF value message.
pub fn json_ietf_message(json: &Json) -> proto::TypedValue {
    proto::TypedValue { value: Some(typed_value::Value::JsonIetfVal(Bytes::from(json.to_string()))) }
}

/// What a Set update of this path carries: text for origin `cli`, JSON_IETF for everything else.
pub fn set_value_message(path: &Path, json: &Json) -> proto::TypedValue {
    match json {
        Json::String(lines) if path.origin.as_deref() == Some(ORIGIN_CLI) => {
            proto::TypedValue { value: Some(typed_value::Value::AsciiVal(lines.clone())) }
        }
        other => json_ietf_message(other),
    }
}

/// A notification made whole.
pub fn notification(message: &proto::Notification) -> Notification {
    let prefix = message.prefix.as_ref().map(path);
    let whole = |below: Option<&proto::Path>| match below {
        Some(below) => path_below(prefix.as_ref(), below),
        None => prefix.clone().unwrap_or_default(),
    };
    Notification {
        timestamp: message.timestamp,
        target: message.prefix.as_ref().map(|prefix| prefix.target.clone()).unwrap_or_default(),
        atomic: message.atomic,
        deletes: message.delete.iter().map(|below| whole(Some(below))).collect(),
        updates: message.update.iter().map(|update| (whole(update.path.as_ref()), update_value(update))).collect(),
        duplicates: message.update.iter().map(|update| u64::from(update.duplicates)).sum(),
        prefix: prefix.unwrap_or_default(),
    }
}

/// The message of a notification: full paths, no prefix unless it is atomic or names a target. Values that are errors are
/// left out.
pub fn notification_message(notification: &Notification) -> proto::Notification {
    let with_prefix = notification.atomic || !notification.target.is_empty();
    let below = |path: &Path| {
        let mut message = path_message(path);
        if with_prefix && path.starts_with(&notification.prefix) {
            message.elem.drain(..notification.prefix.len().min(message.elem.len()));
            message.origin.clear();
        }
        message
    };
    proto::Notification {
        timestamp: notification.timestamp,
        prefix: with_prefix.then(|| proto::Path { target: notification.target.clone(), ..path_message(&notification.prefix) }),
        atomic: notification.atomic,
        delete: notification.deletes.iter().map(below).collect(),
        update: notification
            .updates
            .iter()
            .filter_map(|(path, value)| {
                let val = Some(value_message(value.as_ref().ok()?));
                Some(proto::Update { path: Some(below(path)), val, ..proto::Update::default() })
            })
            .collect(),
    }
}

impl fmt::Display for proto::Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn elem(name: &str, keys: &[(&str, &str)]) -> proto::PathElem {
        proto::PathElem { name: name.into(), key: keys.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect() }
    }

    #[test]
    fn prefixes_modules_and_old_elements() {
        let message = proto::Path {
            origin: "openconfig".into(),
            elem: vec![elem("openconfig-interfaces:interfaces", &[]), elem("interface", &[("openconfig-interfaces:name", "a:b]c")])],
            ..proto::Path::default()
        };
        assert_eq!(path(&message).to_string(), r"/interfaces/interface[name=a:b\]c]");
        #[allow(deprecated)]
        let old = proto::Path {
            element: vec!["interfaces".into(), "interface[name=Ethernet1/1]".into(), "Ethernet1/1".into()],
            ..proto::Path::default()
        };
        let read = path(&old);
        assert_eq!((read.len(), read.key("interface", "name"), read.name()), (3, Some("Ethernet1/1"), "Ethernet1/1"));
        let cli = proto::Path { origin: "cli".into(), elem: vec![elem("show a:b", &[])], ..proto::Path::default() };
        assert_eq!(path(&cli).name(), "show a:b");
        assert_eq!(bare_name("2001:db8::1"), "2001:db8::1");
    }

    #[test]
    fn every_kind_of_value_and_every_broken_one() {
        use typed_value::Value as V;
        let read = |kind: V| value(&proto::TypedValue { value: Some(kind) });
        #[allow(deprecated)]
        let rows = vec![
            (V::FloatVal(0.1), Ok(Value::Double(0.1))),
            (V::DecimalVal(proto::Decimal64 { digits: -15, precision: 1 }), Ok(Value::Decimal(Decimal::new(-15, 1)))),
            (V::DecimalVal(proto::Decimal64 { digits: 1, precision: 300 }), Err(ValueError::Precision(300))),
            (V::ProtoBytes(Bytes::from_static(b"\xff")), Ok(Value::bytes(&b"\xff"[..]))),
            (V::AnyVal(prost_types::Any { type_url: "x".into(), value: vec![1] }), Ok(Value::bytes([1u8]))),
            (V::JsonIetfVal(Bytes::from_static(b"\"12\"")), Ok(Value::str("12"))),
            (V::JsonVal(Bytes::from_static(b"[1,2]")), Ok(Value::list([Value::Uint(1), Value::Uint(2)]))),
            (V::AsciiVal("x".into()), Ok(Value::str("x"))),
        ];
        for (kind, expected) in rows {
            assert_eq!(read(kind), expected);
        }
        assert!(matches!(read(V::JsonVal(Bytes::from_static(b"{\"a\": \"\xff\"}"))), Err(ValueError::Json(_))));
        assert!(matches!(read(V::JsonVal(Bytes::new())), Err(ValueError::Json(_))));
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert!(
            matches!(read(V::JsonIetfVal(deep.into())), Err(ValueError::Json(_))),
            "depth is an error of the leaf, not a stack overflow"
        );
        #[allow(deprecated)]
        let old = |value: &[u8], kind: i32| {
            update_value(&proto::Update { value: Some(proto::Value { value: value.to_vec(), r#type: kind }), ..proto::Update::default() })
        };
        assert_eq!(old(b"7", 0), Ok(Value::Uint(7)));
        assert_eq!(old(b"x", 3), Ok(Value::str("x")));
        assert_eq!(old(b"\xff", 3), Err(ValueError::Utf8));
        assert_eq!(old(b"", 99), Err(ValueError::Encoding(99)));
        assert_eq!(update_value(&proto::Update::default()), Err(ValueError::Missing));
    }

    fn any_path() -> impl Strategy<Value = Path> {
        let elem =
            ("[a-z-]{1,6}", proptest::collection::vec(("[a-z]{1,4}", ".{0,6}"), 0..3)).prop_map(|(name, keys)| Elem::keyed(name, keys));
        (proptest::option::of("[a-z_]{1,5}"), proptest::collection::vec(elem, 0..5))
            .prop_map(|(origin, elems)| Path { origin: origin.filter(|o| o != ORIGIN_OPENCONFIG), elems })
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            ".{0,8}".prop_map(Value::from),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<u64>().prop_map(Value::Uint),
            any::<f64>().prop_map(Value::Double),
            (any::<i64>(), 0u8..=18).prop_map(|(digits, precision)| Value::Decimal(Decimal::new(digits, precision))),
            proptest::collection::vec(any::<u8>(), 0..5).prop_map(Value::bytes),
            Just(Value::Empty),
        ];
        prop_oneof![scalar.clone(), proptest::collection::vec(scalar, 0..4).prop_map(Value::list)]
    }

    proptest! {
        #[test]
        fn paths_and_values_there_and_back(p in any_path(), v in any_value()) {
            prop_assert_eq!(path(&path_message(&p)), p);
            prop_assert_eq!(value(&value_message(&v)), Ok(v));
        }

        #[test]
        fn notifications_there_and_back(prefix in any_path(), tails in proptest::collection::vec((any_path(), any_value()), 0..4), atomic: bool) {
            let n = Notification {
                timestamp: 1, atomic, target: String::new(),
                deletes: tails.iter().map(|(p, _)| prefix.clone().join(p)).collect(),
                updates: tails.iter().map(|(p, v)| (prefix.clone().join(p), Ok(v.clone()))).collect(),
                prefix: if atomic { prefix.clone() } else { Path::root() }, duplicates: 0,
            };
            // An atomic prefix without origin and a tail with one cannot be told apart from a prefix with it.
            prop_assume!(!atomic || prefix.origin.is_some() || tails.iter().all(|(p, _)| p.origin.is_none()));
            prop_assert_eq!(notification(&notification_message(&n)), n);
        }
    }
}
