//! Writes: what NetBox accepts into a field, what it completes, and which combinations it refuses. Nothing is stored here.

mod rules;

use serde_json::{Map, Value, json};

use super::compute::address;
use super::kind::{Blank, Field, KindId, Type};
use super::render::View;
use super::store::{Object, Store};

/// Errors by field, as in a 400 answer.
pub type Problems = Map<String, Value>;

/// Where errors stand that belong to no single field.
pub const EVERYTHING: &str = "__all__";

/// Fields that are shown and never written: what a request says of them is overlooked.
const READ_ONLY: &[(&str, &str)] = &[
    ("netbox_branching.branch", "status"),
    ("netbox_branching.branch", "schema_id"),
    ("netbox_branching.branch", "last_sync"),
    ("netbox_branching.branch", "merged_time"),
    ("netbox_branching.branch", "merged_by"),
];

/// The object a write makes of an input, or why it is refused. `old` is the object before an update; `partial` is PATCH.
pub fn clean(
    store: &Store,
    kind: KindId,
    id: u64,
    old: Option<&Object>,
    input: &Map<String, Value>,
    partial: bool,
) -> Result<Object, Problems> {
    let mut object = Object::new();
    let mut problems = Problems::new();
    for field in kind.get().fields.iter().filter(|field| field.stored()) {
        let before = old.and_then(|old| old.get(field.name));
        let written = input.get(field.name).filter(|_| !READ_ONLY.contains(&(kind.get().model, field.name)));
        let value = match (field.kind, written) {
            (Type::Id, _) => Ok(json!(id)),
            (Type::Stamp, _) => Ok(before.cloned().unwrap_or_default()),
            (Type::Custom, written) => match custom(store, kind, before, written) {
                Ok(value) => Ok(value),
                Err(found) => {
                    problems.extend(found);
                    continue;
                }
            },
            (_, None) if !partial && field.needed => Err("This field is required.".to_owned()),
            (_, None) => Ok(before.cloned().unwrap_or_else(|| blank(field))),
            (_, Some(Value::Null)) if field.nullable => Ok(Value::Null),
            (_, Some(Value::Null)) => Err("This field may not be null.".to_owned()),
            (_, Some(written)) => parse(store, field, written),
        };
        match value {
            Ok(value) => {
                object.insert(field.name.to_owned(), value);
            }
            Err(message) => {
                problems.insert(field.name.to_owned(), json!([message]));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    rules::check(store, kind, id, &object)?;
    Ok(object)
}

fn blank(field: &Field) -> Value {
    match (field.kind, field.blank) {
        (Type::Ranges, _) => json!([[1, 4094]]),
        (Type::Number, Blank::Int(number)) => json!(number as f64),
        (_, Blank::Null) => Value::Null,
        (_, Blank::Text(text)) => json!(text),
        (_, Blank::Flag(flag)) => json!(flag),
        (_, Blank::Int(number)) => json!(number),
        (_, Blank::List) => json!([]),
        (_, Blank::Map) => json!({}),
    }
}

fn parse(store: &Store, field: &Field, written: &Value) -> Result<Value, String> {
    match field.kind {
        Type::Text(max) => text(field, written, max),
        Type::Int(low, high) => int(written, low, high),
        Type::Number => written.as_f64().map(|number| json!(number)).ok_or_else(|| "A valid number is required.".to_owned()),
        Type::Flag => match written {
            Value::Bool(_) => Ok(written.clone()),
            Value::String(text) if matches!(text.to_lowercase().as_str(), "true" | "1") => Ok(json!(true)),
            Value::String(text) if matches!(text.to_lowercase().as_str(), "false" | "0") => Ok(json!(false)),
            _ => Err("Must be a valid boolean.".to_owned()),
        },
        Type::Choice(set) => match written {
            Value::Object(_) | Value::Array(_) => {
                Err("Value must be passed directly (e.g. \"foo\": 123); do not use a dictionary or list.".to_owned())
            }
            Value::String(text) if text.is_empty() && field.nullable => Ok(Value::Null),
            Value::String(text) if text.is_empty() => Err("This field may not be blank.".to_owned()),
            Value::String(text) if set.iter().any(|(name, _)| name == text) => Ok(written.clone()),
            other => Err(format!("{} is not a valid choice.", bare(other))),
        },
        Type::Word(set) => match written.as_str() {
            Some(text) if set.contains(&text) => Ok(written.clone()),
            _ => Err(format!("\"{}\" is not a valid choice.", bare(written))),
        },
        Type::Link(model, _) => link(store, model, written),
        Type::Links(model, _) => many(written, |item| link(store, model, item)),
        Type::Tags => many(written, |item| link(store, "extras.tag", item)),
        Type::TagSlugs => many(written, |item| tag_slug(store, item)),
        Type::Words => many(written, |item| Ok(item.clone())),
        Type::Model => match written.as_str() {
            Some(name) if KindId::of_model(name).is_some() => Ok(written.clone()),
            _ => Err(format!("Invalid content type: {}", bare(written))),
        },
        Type::Object => int(written, 0, i64::MAX),
        Type::Ends => many(written, |end| cable_end(store, end)),
        Type::Address => ip(written),
        Type::Network => network(written),
        Type::Mappings => many(written, |item| match item.as_str().and_then(|text| text.split_once('/')) {
            Some(("tcp" | "udp" | "sctp", port)) if port.parse::<u16>().is_ok() => Ok(item.clone()),
            _ => Err(format!("\"{}\" is not a valid port mapping.", bare(item))),
        }),
        Type::Ranges => many(written, |range| match (range.get(0).and_then(Value::as_i64), range.get(1).and_then(Value::as_i64)) {
            (Some(low), Some(high)) if low >= 1 && low <= high && high <= 4094 => Ok(range.clone()),
            _ => Err("Ranges must be specified in the form (lower, upper).".to_owned()),
        }),
        Type::Nothing => match written {
            Value::String(text) if text.is_empty() => Ok(blank(field)),
            Value::Array(list) if list.is_empty() => Ok(blank(field)),
            Value::Number(id) => Err(format!("Related object not found using the provided numeric ID: {id}")),
            _ => Err("The lab's NetBox does not hold this field.".to_owned()),
        },
        Type::Json if matches!(field.name, "data" | "local_context_data") && !written.is_object() => {
            Err("JSON data must be in object form. Example: {\"foo\": 123}".to_owned())
        }
        Type::Json => Ok(written.clone()),
        Type::Id | Type::Stamp | Type::Custom | Type::Calc(_) => Ok(Value::Null),
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(field: &Field, written: &Value, max: usize) -> Result<Value, String> {
    let text = match written {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return Err("Not a valid string.".to_owned()),
    };
    if text.is_empty() && field.needed {
        return Err("This field may not be blank.".to_owned());
    }
    if text.chars().count() > max {
        return Err(format!("Ensure this field has no more than {max} characters."));
    }
    if field.name == "slug" && !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err("Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens.".to_owned());
    }
    Ok(json!(text))
}

fn int(written: &Value, low: i64, high: i64) -> Result<Value, String> {
    let number = written.as_i64().or_else(|| written.as_str()?.trim().parse().ok());
    match number {
        None => Err("A valid integer is required.".to_owned()),
        Some(number) if number > high => Err(format!("Ensure this value is less than or equal to {high}.")),
        Some(number) if number < low => Err(format!("Ensure this value is greater than or equal to {low}.")),
        Some(number) => Ok(json!(number)),
    }
}

fn many(written: &Value, each: impl Fn(&Value) -> Result<Value, String>) -> Result<Value, String> {
    let list = written.as_array().ok_or_else(|| "Expected a list of items.".to_owned())?;
    Ok(Value::Array(list.iter().map(each).collect::<Result<_, _>>()?))
}

/// An id, or attributes that name exactly one object.
fn link(store: &Store, model: &str, written: &Value) -> Result<Value, String> {
    let kind = KindId::of_model(model).ok_or_else(|| format!("unknown kind {model}"))?;
    if let Some(attributes) = written.as_object() {
        let fits = |object: &Object| attributes.iter().all(|(name, value)| object.get(name) == Some(value));
        let mut found = store.table(kind).filter(|(_, object)| fits(object));
        return match (found.next(), found.next()) {
            (Some((id, _)), None) => Ok(json!(id)),
            (Some(_), Some(_)) => Err(format!("Multiple objects match the provided attributes: {}", python(written))),
            (None, _) => Err(format!("Related object not found using the provided attributes: {}", python(written))),
        };
    }
    let id = written.as_u64().or_else(|| written.as_str()?.parse().ok());
    let Some(id) = id else {
        return Err(format!(
            "Related objects must be referenced by numeric ID or by dictionary of attributes. Received an unrecognized value: {}",
            bare(written)
        ));
    };
    store.get(kind, id).map(|_| json!(id)).ok_or_else(|| format!("Related object not found using the provided numeric ID: {id}"))
}

fn tag_slug(store: &Store, written: &Value) -> Result<Value, String> {
    let kind = KindId::of_model("extras.tag");
    let there = kind.is_some_and(|kind| store.table(kind).any(|(_, tag)| tag.get("slug") == Some(written)));
    if there { Ok(written.clone()) } else { Err(format!("Object with slug={} does not exist.", bare(written))) }
}

fn cable_end(store: &Store, end: &Value) -> Result<Value, String> {
    let model = end.get("object_type").and_then(Value::as_str).unwrap_or_default();
    let id = end.get("object_id").unwrap_or(&Value::Null);
    let id = link(store, if KindId::of_model(model).is_some() { model } else { return Err(format!("Invalid content type: {model}")) }, id)?;
    Ok(json!({"object_type": model, "object_id": id}))
}

fn network(written: &Value) -> Result<Value, String> {
    let parsed = ip(written)?.as_str().and_then(|text| text.parse::<ipnet::IpNet>().ok());
    let net = parsed.ok_or_else(|| format!("Invalid IP address format: {}", bare(written)))?;
    if net == net.trunc() {
        return Ok(json!(net.to_string()));
    }
    Err(format!("{} is not a valid prefix. Did you mean {}?", bare(written), net.trunc()))
}

/// As Python prints it, for the messages that quote a value.
fn python(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let members: Vec<String> = map.iter().map(|(key, value)| format!("'{key}': {}", python(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::String(text) => format!("'{text}'"),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        other => other.to_string(),
    }
}

fn ip(written: &Value) -> Result<Value, String> {
    let text = written.as_str().unwrap_or_default();
    if text.is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    let full = match text.parse::<std::net::IpAddr>() {
        Ok(host) => format!("{text}/{}", if host.is_ipv4() { 32 } else { 128 }),
        Err(_) => text.to_owned(),
    };
    address(&full).map(|_| json!(full)).ok_or_else(|| format!("Invalid IP address format: {}", bare(written)))
}

/// Custom fields are merged into what is there; the others keep their value.
fn custom(store: &Store, kind: KindId, before: Option<&Value>, written: Option<&Value>) -> Result<Value, Problems> {
    let mut map = before.and_then(Value::as_object).cloned().unwrap_or_default();
    if before.is_none() {
        // A new object has every field of its kind.
        map = View::new(store, "").custom_stored(kind.get(), &Value::Null).as_object().cloned().unwrap_or_default();
    }
    let fields = KindId::of_model("extras.customfield");
    let model = kind.get().model;
    let find = |name: &str| {
        let field =
            fields.and_then(|fields| store.table(fields).find(|(_, field)| field.get("name").and_then(Value::as_str) == Some(name)));
        let on = field.and_then(|(_, field)| field.get("object_types")?.as_array());
        field.filter(|_| on.is_some_and(|on| on.iter().any(|one| one.as_str() == Some(model)))).map(|(_, field)| field)
    };
    let empty = Map::new();
    let written = match written {
        None | Some(Value::Null) => &empty,
        Some(written) => written.as_object().ok_or_else(|| one("custom_fields", json!(["Expected a dictionary."])))?,
    };
    for (name, value) in written {
        let unknown = || one("custom_fields", json!({name: format!("Custom field '{name}' does not exist for this object type.")}));
        let field = find(name).ok_or_else(unknown)?;
        let value = custom_value(store, field, value).map_err(|problem| match problem.starts_with("Related object") {
            true => one("custom_fields", json!([problem])),
            false => one(EVERYTHING, json!([format!("Invalid value for custom field '{name}': {problem}")])),
        })?;
        map.insert(name.clone(), value);
    }
    Ok(Value::Object(map))
}

fn one(field: &str, message: Value) -> Problems {
    [(field.to_owned(), message)].into_iter().collect()
}

fn custom_value(store: &Store, field: &Object, written: &Value) -> Result<Value, String> {
    let text = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default();
    let bound = |name: &str| field.get(name).and_then(Value::as_f64);
    match (text("type"), written) {
        (_, Value::Null) => Ok(Value::Null),
        ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => {
            let number = number.as_f64().unwrap_or_default();
            match (bound("validation_minimum"), bound("validation_maximum")) {
                (Some(low), _) if number < low => Err(format!("Value must be at least {low:.4}")),
                (_, Some(high)) if number > high => Err(format!("Value must not exceed {high:.4}")),
                _ => Ok(written.clone()),
            }
        }
        ("integer", _) => Err("Value must be an integer.".to_owned()),
        ("boolean", Value::Bool(_)) | ("text" | "longtext" | "url" | "date" | "datetime" | "select", Value::String(_)) => {
            Ok(written.clone())
        }
        ("boolean", _) => Err("Value must be true or false.".to_owned()),
        ("text" | "longtext", _) => Err("Value must be a string.".to_owned()),
        ("object", value) => link(store, text("related_object_type"), value),
        ("multiobject", value) => many(value, |item| link(store, text("related_object_type"), item)),
        _ => Ok(written.clone()),
    }
}
