//! The one spelling of a leaf value that everything compares, and what JSON_IETF writes for it.
//!
//! The same leaf comes as a number in a Subscribe and as digits in a Get, with or without a module in front of an identity,
//! as `10` or `10.0`. Here each gets one form: identities bare, signed types `Int`, unsigned ones `Uint`, decimals with as
//! few digits behind the point as they need but one at least, `ieeefloat32` as `Double`, leaf-lists always `List`.
//! Only what a value *is* is settled here; ranges, lengths and patterns are [`super::validate`]'s part, because a device
//! may well report what its own model forbids.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::node::{NodeId, NodeKind};
use super::schema::{Schema, split_module};
use super::table::{Base, Ranges, TypeId};
use crate::path::Path;
use crate::value::{Decimal, Value};

/// A value its leaf cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{node}: `{value}` is not {expected}")]
pub struct TypeProblem {
    /// Schema path of the leaf, or the path asked for if there is no such leaf.
    pub node: String,
    /// What was given.
    pub value: String,
    /// What the leaf wants, in one line.
    pub expected: String,
}

impl Schema {
    /// The one spelling of a leaf value. A JSON scalar or array is taken for any type; `Value::Json` below a container or
    /// list stays as it is. A canonical value comes back without a copy.
    ///
    /// # Errors
    /// [`TypeProblem`] naming the node and what it wants; also if the path leads to no node.
    pub fn canonical(&self, path: &Path, value: Value) -> Result<Value, TypeProblem> {
        match self.find(path) {
            Some(id) => self.canonical_at(id, value),
            None => Err(TypeProblem { node: path.to_string(), value: value.to_string(), expected: "a leaf of the schema".into() }),
        }
    }

    /// As [`Schema::canonical`], for a node already found.
    ///
    /// # Errors
    /// As [`Schema::canonical`].
    pub fn canonical_at(&self, id: NodeId, value: Value) -> Result<Value, TypeProblem> {
        let Some(type_id) = self.rec(id).type_id.checked_sub(1) else {
            return match value {
                Value::Json(_) => Ok(value),
                other => Err(self.problem(id, &other)),
            };
        };
        let value = match &value {
            Value::Json(json) => match Value::from_json(json) {
                Value::Json(json) if json.is_null() => Value::Empty,
                plain => plain,
            },
            _ => value,
        };
        match (self.kind(id), value) {
            (NodeKind::LeafList, Value::List(items)) => self.canonical_items(type_id, items).map_err(|bad| self.problem(id, &bad)),
            // RFC 7951 has one spelling for `empty` and for a list of nothing known.
            (NodeKind::LeafList, one) => self.coerce(type_id, one).map(|one| Value::list([one])).map_err(|bad| self.problem(id, &bad)),
            (_, one) => self.coerce(type_id, one).map_err(|bad| self.problem(id, &bad)),
        }
    }

    fn canonical_items(&self, type_id: TypeId, items: std::sync::Arc<Box<[Value]>>) -> Result<Value, Value> {
        if items.iter().all(|item| self.is_canonical(type_id, item)) {
            return Ok(Value::List(items));
        }
        items.iter().map(|item| self.coerce(type_id, item.clone())).collect::<Result<Vec<_>, _>>().map(Value::list)
    }

    /// A quick yes for what most leaf-lists hold; a no means "look closer".
    fn is_canonical(&self, type_id: TypeId, value: &Value) -> bool {
        matches!((&self.resolved(type_id).base, value), (Base::Str { .. }, Value::Str(_)))
    }

    fn problem(&self, id: NodeId, value: &Value) -> TypeProblem {
        let node = self.node(id);
        let expected = node.describe().unwrap_or_else(|| format!("a JSON document of this {}", node.kind.keyword()));
        TypeProblem { node: node.path(), value: value.to_string(), expected }
    }

    /// Whether `text`, as a path key writes it, is a value of `leaf`, ranges and patterns included.
    pub(super) fn check_text(&self, leaf: NodeId, text: &str) -> Result<(), TypeProblem> {
        let value = self.canonical_at(leaf, Value::str(text))?;
        self.admits_at(leaf, &value).map_err(|expected| TypeProblem { node: self.node(leaf).path(), value: text.to_owned(), expected })
    }

    /// The canonical form for a type; gives the value back if it does not fit.
    pub(super) fn coerce(&self, type_id: TypeId, value: Value) -> Result<Value, Value> {
        let rec = self.resolved(type_id);
        match &rec.base {
            Base::Int { bits, signed, .. } => match whole(&value) {
                Some(number) if fits(number, *bits, *signed) => Ok(integer(number, *signed)),
                _ => Err(value),
            },
            Base::Decimal { digits, .. } => match decimal(&value, *digits) {
                Some((digits, precision)) => Ok(Value::Decimal(Decimal::new(digits, precision))),
                None => Err(value),
            },
            Base::Bool => match &value {
                Value::Bool(_) => Ok(value),
                Value::Str(text) if &**text == "true" => Ok(Value::Bool(true)),
                Value::Str(text) if &**text == "false" => Ok(Value::Bool(false)),
                _ => Err(value),
            },
            Base::Empty => match &value {
                Value::Empty | Value::Bool(true) => Ok(Value::Empty),
                Value::Str(text) if text.is_empty() => Ok(Value::Empty),
                _ => Err(value),
            },
            Base::Enum(names) => match &value {
                Value::Str(text) if names.iter().any(|name| self.table().text(*name) == &**text) => Ok(value),
                _ => Err(value),
            },
            Base::Bits(names) => self.bits(names, value),
            Base::Identity(list) => match &value {
                Value::Str(text) => {
                    let (module, bare) = split_module(text);
                    match self.identity(list, bare) {
                        Some(_) if module.is_some() => Ok(Value::str(bare)),
                        Some(_) => Ok(value),
                        None => Err(value),
                    }
                }
                _ => Err(value),
            },
            Base::Str { .. } | Base::Instance => match &value {
                Value::Str(_) => Ok(value),
                Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Decimal(_) => {
                    Ok(Value::Str(value.to_string().into()))
                }
                _ => Err(value),
            },
            Base::Binary { .. } => binary(self.table().text(rec.name) == "ieeefloat32", value),
            Base::Union(members) => match self.member(members, &value) {
                // Where a union takes bytes and texts, base64 in a document could be either: texts have it.
                Some(member) => match (&self.resolved(member).base, &value) {
                    (Base::Str { .. }, Value::Bytes(_)) => Ok(Value::Str(value.to_string().into())),
                    _ => self.coerce(member, value),
                },
                None => Err(value),
            },
            Base::Leafref { .. } => Err(value),
        }
    }

    /// The module of an identity, by its bare name.
    fn identity(&self, list: &[(u32, u16)], bare: &str) -> Option<&str> {
        let at = list.binary_search_by(|(name, _)| self.table().text(*name).cmp(bare)).ok()?;
        list.get(at).map(|(_, module)| self.table().module(*module))
    }

    fn bits(&self, names: &[u32], value: Value) -> Result<Value, Value> {
        let text = match &value {
            Value::Str(text) => text.to_string(),
            Value::List(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            _ => return Err(value),
        };
        let given: Vec<&str> = text.split_ascii_whitespace().collect();
        let known: Vec<&str> = names.iter().map(|name| self.table().text(*name)).collect();
        if given.iter().any(|bit| !known.contains(bit)) {
            return Err(value);
        }
        let sorted = known.into_iter().filter(|bit| given.contains(bit)).collect::<Vec<_>>().join(" ");
        if value.as_str() == Some(&sorted) { Ok(value) } else { Ok(Value::from(sorted)) }
    }

    /// The member of a union that takes a value: the first that is no text, within its ranges; then the first text; then the
    /// first that takes it at all. Inner unions count as their members.
    pub(super) fn member(&self, members: &[TypeId], value: &Value) -> Option<TypeId> {
        let plain = |base: &Base| !is_text(base) && !matches!(base, Base::Binary { .. });
        let whole =
            || matches!(value, Value::Decimal(_) | Value::Double(_)).then(|| whole(value).and_then(|n| i64::try_from(n).ok())).flatten();
        self.first_member(members, &|base| plain(base) && self.takes(base, value, true))
            .or_else(|| {
                whole().and_then(|number| self.first_member(members, &|base| plain(base) && self.takes(base, &Value::Int(number), true)))
            })
            .or_else(|| self.first_member(members, &|base| is_text(base) && matches!(value, Value::Str(_) | Value::Bytes(_))))
            .or_else(|| self.first_member(members, &|base| self.takes(base, value, false)))
    }

    fn first_member(&self, members: &[TypeId], wanted: &dyn Fn(&Base) -> bool) -> Option<TypeId> {
        members.iter().find_map(|member| match &self.resolved(*member).base {
            Base::Union(inner) => self.first_member(inner, wanted),
            base => wanted(base).then_some(*member),
        })
    }

    /// Whether a member of a union would take the value. Strict where another member might fit better: a decimal is no
    /// integer here, a number no boolean.
    fn takes(&self, base: &Base, value: &Value, ranges_count: bool) -> bool {
        let within = |ranges: &Ranges, number: i128| !ranges_count || inside(ranges, number);
        match (base, value) {
            (Base::Int { .. }, Value::Decimal(_) | Value::Double(_)) if ranges_count => false,
            (Base::Int { bits, signed, ranges }, _) => {
                whole(value).is_some_and(|number| fits(number, *bits, *signed) && within(ranges, number))
            }
            (Base::Decimal { digits, ranges }, _) => {
                decimal(value, *digits).is_some_and(|given| scaled(given, *digits).is_some_and(|number| within(ranges, number)))
            }
            (Base::Bool, Value::Bool(_)) | (Base::Empty, Value::Empty) => true,
            (Base::Bool, Value::Str(text)) => matches!(&**text, "true" | "false"),
            (Base::Enum(names), Value::Str(text)) => names.iter().any(|name| self.table().text(*name) == &**text),
            (Base::Identity(list), Value::Str(text)) => self.identity(list, split_module(text).1).is_some(),
            (Base::Bits(names), Value::Str(text)) => {
                !text.is_empty() && text.split_ascii_whitespace().all(|bit| names.iter().any(|name| self.table().text(*name) == bit))
            }
            (Base::Binary { .. }, Value::Bytes(_)) => true,
            (Base::Binary { .. }, Value::Str(text)) => STANDARD.decode(text.as_bytes()).is_ok(),
            (Base::Str { .. } | Base::Instance, Value::List(_) | Value::Json(_) | Value::Bytes(_) | Value::Empty) => false,
            (Base::Str { .. } | Base::Instance, _) => true,
            _ => false,
        }
    }

    /// One leaf's JSON_IETF: 64-bit integers and decimals as strings, identities with their module. A value that is not
    /// canonical is made so first; what does not fit, or has no node, is written as it is.
    pub fn json_ietf(&self, path: &Path, value: &Value) -> Json {
        self.find(path).map_or_else(|| value.to_json(), |id| self.json_ietf_at(id, value))
    }

    /// As [`Schema::json_ietf`], for a node already found.
    pub fn json_ietf_at(&self, id: NodeId, value: &Value) -> Json {
        let Some(type_id) = self.rec(id).type_id.checked_sub(1) else { return value.to_json() };
        let Ok(value) = self.canonical_at(id, value.clone()) else { return value.to_json() };
        match &value {
            Value::List(items) => Json::Array(items.iter().map(|item| self.scalar_json(type_id, item)).collect()),
            one => self.scalar_json(type_id, one),
        }
    }

    fn scalar_json(&self, type_id: TypeId, value: &Value) -> Json {
        match (&self.resolved(type_id).base, value) {
            (Base::Int { bits: 64, .. }, Value::Int(_) | Value::Uint(_)) => Json::String(value.to_string()),
            (Base::Identity(list), Value::Str(bare)) => match self.identity(list, bare) {
                Some(module) => Json::String(format!("{module}:{bare}")),
                None => value.to_json(),
            },
            #[allow(clippy::cast_possible_truncation)] // it came from these four bytes
            (Base::Binary { .. }, Value::Double(number)) => Json::String(STANDARD.encode((*number as f32).to_be_bytes())),
            (Base::Union(members), _) => match self.member(members, value) {
                Some(member) => self.scalar_json(member, value),
                None => value.to_json(),
            },
            _ => value.to_json(),
        }
    }
}

fn is_text(base: &Base) -> bool {
    matches!(base, Base::Str { .. } | Base::Instance)
}

/// Whether a number lies in one of the ranges; no ranges means no bounds.
pub(super) fn inside(ranges: &Ranges, number: i128) -> bool {
    ranges.is_empty() || ranges.iter().any(|(low, high)| (*low..=*high).contains(&number))
}

/// A whole number out of anything that is one.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Uint(number) => Some((*number).into()),
        Value::Int(number) => Some((*number).into()),
        Value::Str(text) => {
            text.bytes().next().filter(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+')).and_then(|_| text.parse().ok())
        }
        Value::Decimal(decimal) => {
            let (digits, precision) = (&decimal.digits(), &decimal.precision());
            let unit = 10i64.checked_pow((*precision).into())?;
            (digits % unit == 0).then_some((digits / unit).into())
        }
        #[allow(clippy::cast_possible_truncation)] // checked to be whole and small
        Value::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some((*number as i64).into()),
        _ => None,
    }
}

fn fits(number: i128, bits: u8, signed: bool) -> bool {
    let (low, high) = limits(bits, signed);
    (low..=high).contains(&number)
}

/// What the bits allow.
pub(super) fn limits(bits: u8, signed: bool) -> (i128, i128) {
    let bits = u32::from(bits).clamp(8, 64);
    if signed { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) }
}

fn integer(number: i128, signed: bool) -> Value {
    if signed { Value::Int(i64::try_from(number).unwrap_or(i64::MAX)) } else { Value::Uint(u64::try_from(number).unwrap_or(u64::MAX)) }
}

/// `(digits, precision)` with one digit behind the point at least and no zero at the end beyond it; `None` if the value is no
/// number or has more than `most` digits behind the point.
fn decimal(value: &Value, most: u8) -> Option<(i64, u8)> {
    let (mut digits, mut precision) = match value {
        Value::Decimal(decimal) => (decimal.digits(), decimal.precision()),
        Value::Uint(number) => (i64::try_from(*number).ok()?, 0),
        Value::Int(number) => (*number, 0),
        Value::Str(text) => match Value::decimal(text)? {
            Value::Decimal(decimal) => (decimal.digits(), decimal.precision()),
            _ => return None,
        },
        Value::Double(number) if number.is_finite() => match Value::decimal(&format!("{number:.*}", usize::from(most)))? {
            Value::Decimal(decimal) => (decimal.digits(), decimal.precision()),
            _ => return None,
        },
        _ => return None,
    };
    while precision > 1 && digits % 10 == 0 {
        (digits, precision) = (digits / 10, precision - 1);
    }
    if precision == 0 {
        (digits, precision) = (digits.checked_mul(10)?, 1);
    }
    (precision <= most.max(1)).then_some((digits, precision))
}

/// A decimal in units of its last possible digit, as ranges are kept.
pub(super) fn scaled((digits, precision): (i64, u8), most: u8) -> Option<i128> {
    Some(i128::from(digits) * 10i128.checked_pow(most.checked_sub(precision)?.into())?)
}

fn binary(is_float: bool, value: Value) -> Result<Value, Value> {
    let float = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(|bytes| Value::Double(f32::from_be_bytes(bytes).into()));
    match &value {
        Value::Bytes(bytes) if is_float => float(bytes).ok_or(value),
        Value::Str(text) => match STANDARD.decode(text.as_bytes()) {
            Ok(bytes) if is_float => float(&bytes).or_else(|| text.parse().ok().map(Value::Double)).ok_or(value),
            Ok(bytes) => Ok(Value::bytes(bytes)),
            Err(_) if is_float => text.parse().map(Value::Double).map_err(|_| value),
            Err(_) => Err(value),
        },
        #[allow(clippy::cast_possible_truncation)] // the leaf has four bytes
        Value::Double(number) if is_float => {
            let narrow = f64::from(*number as f32);
            Ok(if narrow.to_bits() == number.to_bits() { value } else { Value::Double(narrow) })
        }
        Value::Uint(_) | Value::Int(_) | Value::Decimal(_) if is_float => {
            value.as_f64().map_or(Err(value), |number| binary(true, Value::Double(number)))
        }
        Value::Bytes(_) => Ok(value),
        _ => Err(value),
    }
}
