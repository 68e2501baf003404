//! Protobuf ↔ path and value, the simulator's own: a test partner must not share a decoding mistake with the client.

use serde_json::Value as Json;
use tonic::Code;

use super::nodes::Nodes;
use super::refusal::Refusal;
use crate::gnmi::wire::proto;
use crate::gnmi::wire::proto::typed_value::Value as Typed;
use crate::path::{Elem, Path};
use crate::value::{Decimal, Value};

/// What one Update of a Set carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// `json_val` or `json_ietf_val`.
    Json(Json),
    /// Any scalar or leaf-list.
    Scalar(Value),
    /// `ascii_val`: command lines.
    Ascii(String),
}

/// A request's path below its prefix. Module names in front of elements are dropped; for the command line the element is
/// the whole command and is kept.
#[allow(deprecated)]
pub fn path_in(path: Option<&proto::Path>, prefix: Option<&proto::Path>) -> Result<Path, Refusal> {
    let origin = [prefix, path].into_iter().flatten().map(|part| part.origin.as_str()).find(|name| !name.is_empty());
    // `openconfig` is the default origin; a path is the same with and without it.
    let origin = origin.filter(|name| *name != "openconfig").map(str::to_owned);
    let is_cli = origin.as_deref() == Some(crate::path::ORIGIN_CLI);
    let mut elems = Vec::new();
    for part in [prefix, path].into_iter().flatten() {
        for elem in &part.elem {
            elems.push(elem_in(elem, is_cli)?);
        }
        if part.elem.is_empty() {
            for text in &part.element {
                let parsed = Path::parse(text).map_err(|error| Refusal::new(Code::InvalidArgument, format!("path invalid: {error}")))?;
                elems.extend(parsed.elems);
            }
        }
    }
    Ok(Path { origin, elems })
}

fn elem_in(elem: &proto::PathElem, is_cli: bool) -> Result<Elem, Refusal> {
    let bare = |text: &str| if is_cli { text.to_owned() } else { text.rsplit_once(':').map_or(text, |(_, name)| name).to_owned() };
    if elem.name.is_empty() {
        return Err(Refusal::new(Code::InvalidArgument, "path invalid: an element has no name"));
    }
    if let Some((key, _)) = elem.key.iter().find(|(key, _)| key.is_empty()) {
        return Err(Refusal::new(
            Code::InvalidArgument,
            format!("path invalid: element \"{}\" has a key without a name: {key:?}", elem.name),
        ));
    }
    Ok(Elem::keyed(bare(&elem.name), elem.key.iter().map(|(key, value)| (bare(key), value.clone()))))
}

/// A path as an answer carries it.
pub fn path_out(path: &Path, target: &str) -> proto::Path {
    proto::Path {
        origin: path.origin.clone().unwrap_or_default(),
        elem: elems_out(&path.elems),
        target: target.to_owned(),
        ..proto::Path::default()
    }
}

/// The elements of a path, or of the part of one.
pub fn elems_out(elems: &[Elem]) -> Vec<proto::PathElem> {
    elems.iter().map(|elem| proto::PathElem { name: elem.name.clone(), key: elem.keys.iter().cloned().collect() }).collect()
}

/// What a client wants written.
#[allow(deprecated)]
pub fn payload_in(update: &proto::Update) -> Result<Payload, Refusal> {
    let bad = |text: String| Refusal::new(Code::InvalidArgument, text);
    let json =
        |bytes: &[u8]| serde_json::from_slice(bytes).map(Payload::Json).map_err(|error| bad(format!("failed to parse JSON: {error}")));
    match update.val.as_ref().and_then(|val| val.value.as_ref()) {
        None => match &update.value {
            Some(old) if old.r#type == proto::Encoding::Json as i32 || old.r#type == proto::Encoding::JsonIetf as i32 => json(&old.value),
            _ => Err(bad("update has no value".to_owned())),
        },
        Some(Typed::JsonVal(bytes) | Typed::JsonIetfVal(bytes)) => json(bytes),
        Some(Typed::AsciiVal(text)) => Ok(Payload::Ascii(text.clone())),
        Some(Typed::AnyVal(_) | Typed::ProtoBytes(_)) => Err(bad("unsupported encoding of a value: PROTO".to_owned())),
        Some(other) => scalar_in(other).map(Payload::Scalar),
    }
}

#[allow(deprecated)]
fn scalar_in(value: &Typed) -> Result<Value, Refusal> {
    Ok(match value {
        Typed::StringVal(text) => Value::str(text),
        Typed::IntVal(number) => Value::Int(*number),
        Typed::UintVal(number) => Value::Uint(*number),
        Typed::BoolVal(value) => Value::Bool(*value),
        Typed::BytesVal(bytes) => Value::bytes(bytes.as_ref()),
        Typed::FloatVal(number) => Value::Double(f64::from(*number)),
        Typed::DoubleVal(number) => Value::Double(*number),
        Typed::DecimalVal(number) => Value::Decimal(Decimal::new(number.digits, u8::try_from(number.precision).unwrap_or(u8::MAX).min(18))),
        Typed::LeaflistVal(items) => {
            let items: Result<Vec<_>, _> = items.element.iter().filter_map(|item| item.value.as_ref()).map(scalar_in).collect();
            Value::list(items?)
        }
        Typed::AnyVal(_) | Typed::JsonVal(_) | Typed::JsonIetfVal(_) | Typed::AsciiVal(_) | Typed::ProtoBytes(_) => {
            return Err(Refusal::new(Code::InvalidArgument, "a value inside a leaf-list is not a scalar"));
        }
    })
}

/// One leaf as EOS sends it: a typed scalar, identities with their module in front, decimals in the old `decimal_val`.
#[allow(deprecated)]
pub fn scalar_out(nodes: &Nodes, path: &Path, value: &Value) -> proto::TypedValue {
    let named = |value: &Value| match value {
        Value::Str(text) if nodes.is_identity(path) => nodes.qualified(path, value).unwrap_or_else(|| text.to_string()),
        other => other.to_string(),
    };
    let one = |value: &Value| match value {
        Value::Str(_) => Typed::StringVal(named(value)),
        Value::Bool(value) => Typed::BoolVal(*value),
        Value::Int(number) => Typed::IntVal(*number),
        Value::Uint(number) => Typed::UintVal(*number),
        #[allow(clippy::cast_possible_truncation)]
        Value::Double(number) => Typed::FloatVal(*number as f32),
        Value::Decimal(decimal) => {
            Typed::DecimalVal(proto::Decimal64 { digits: decimal.digits(), precision: u32::from(decimal.precision()) })
        }
        Value::Bytes(bytes) => Typed::BytesVal(bytes.to_vec().into()),
        Value::Json(json) => Typed::JsonIetfVal(json.to_string().into_bytes().into()),
        Value::Empty => Typed::JsonIetfVal(b"[null]".to_vec().into()),
        Value::List(_) => Typed::LeaflistVal(proto::ScalarArray::default()),
    };
    let typed = match value {
        Value::List(items) => Typed::LeaflistVal(proto::ScalarArray {
            element: items.iter().map(|item| proto::TypedValue { value: Some(one(item)) }).collect(),
        }),
        other => one(other),
    };
    proto::TypedValue { value: Some(typed) }
}

/// A document as an answer carries it.
pub fn json_out(json: &Json) -> proto::TypedValue {
    proto::TypedValue { value: Some(Typed::JsonIetfVal(json.to_string().into_bytes().into())) }
}

/// Text as an answer carries it.
pub fn ascii_out(text: String) -> proto::TypedValue {
    proto::TypedValue { value: Some(Typed::AsciiVal(text)) }
}

/// An Update of an answer.
pub fn update_out(path: proto::Path, val: proto::TypedValue) -> proto::Update {
    proto::Update { path: Some(path), val: Some(val), ..proto::Update::default() }
}
