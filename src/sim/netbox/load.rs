//! From recorded answers to a database: every list and detail answer of the index becomes objects, the same object from several answers once.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Error;
use super::kind::{KindId, Type};
use super::store::{Object, Store};

/// Recorded bodies by file name, `index.json` and `changes.json` among them.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What the recordings hold.
#[derive(Debug, Default, Clone)]
pub struct Loaded {
    /// Objects of known kinds.
    pub store: Store,
    /// Answers of other paths, by path below `/api/`, served as they are.
    pub raw: BTreeMap<String, Value>,
    /// The change log as far as it was recorded, oldest first.
    pub changes: Vec<Value>,
    /// `/api/status/`.
    pub status: Value,
    /// Scheme, host and port the recordings name in their URLs.
    pub base: String,
}

/// Reads the recordings.
pub fn load(files: &Files) -> Result<Loaded, Error> {
    let index = json(files, "index.json")?;
    let mut loaded = Loaded::default();
    for entry in index.as_array().ok_or_else(|| Error::data("index.json", "is not a list of requests"))? {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let usable = text("method") == "GET" && entry.get("status").and_then(Value::as_u64) == Some(200) && !text("file").is_empty();
        if !usable || entry.get("needs_write").and_then(Value::as_bool) == Some(true) {
            continue;
        }
        let (path, query) = text("path").split_once('?').unwrap_or((text("path"), ""));
        let partial = ["fields=", "omit=", "brief=", "nonsense="].iter().any(|part| query.contains(part));
        let Some(path) = path.strip_prefix("/api/") else { continue };
        if partial {
            continue;
        }
        let body = json(files, text("file"))?;
        loaded.take(path.trim_end_matches('/'), body, text("file"))?;
    }
    if loaded.base.is_empty() {
        return Err(Error::data("index.json", "names no recorded object"));
    }
    loaded.changes.sort_by_key(|change| change.get("id").and_then(Value::as_u64));
    Ok(loaded)
}

impl Loaded {
    fn take(&mut self, path: &str, body: Value, file: &str) -> Result<(), Error> {
        if path == "status" {
            self.status = body;
            return Ok(());
        }
        let list = body.get("results").and_then(Value::as_array);
        if path == "core/object-changes" {
            self.changes.extend(list.into_iter().flatten().cloned());
            return Ok(());
        }
        let parent = path.rsplit_once('/').map_or(path, |(parent, _)| parent);
        let Some(kind) = KindId::of_path(path).or_else(|| KindId::of_path(parent)) else {
            self.raw.insert(path.to_owned(), body);
            return Ok(());
        };
        for item in list.map_or_else(|| vec![&body], |list| list.iter().collect()) {
            let item = item.as_object().ok_or_else(|| Error::data(file, "holds something that is not an object"))?;
            let id = item.get("id").and_then(Value::as_u64).ok_or_else(|| Error::data(file, "holds an object without id"))?;
            if let Some((base, _)) = item.get("url").and_then(Value::as_str).and_then(|url| url.split_once("/api/"))
                && self.base.is_empty()
            {
                base.clone_into(&mut self.base);
            }
            self.store.put(kind, id, stored(kind, item));
        }
        Ok(())
    }
}

/// The stored form of an object as it is shown.
pub fn stored(kind: KindId, shown: &Map<String, Value>) -> Object {
    let fields = kind.get().fields.iter().filter(|field| field.stored());
    fields.map(|field| (field.name.to_owned(), plain(field.kind, shown.get(field.name).unwrap_or(&Value::Null)))).collect()
}

fn plain(kind: Type, value: &Value) -> Value {
    let member = |value: &Value, name: &str| value.get(name).cloned().unwrap_or_else(|| value.clone());
    let list = |each: &dyn Fn(&Value) -> Value| value.as_array().into_iter().flatten().map(each).collect::<Vec<_>>();
    match kind {
        Type::Link(..) => member(value, "id"),
        Type::Choice(_) => member(value, "value"),
        Type::Links(..) | Type::Tags => Value::Array(list(&|item| member(item, "id"))),
        Type::Ends => Value::Array(list(&|end| {
            let mut end = end.as_object().cloned().unwrap_or_default();
            end.shift_remove("object");
            Value::Object(end)
        })),
        Type::Custom => {
            let map = value.as_object().into_iter().flatten();
            Value::Object(map.map(|(name, value)| (name.clone(), plain_custom(value))).collect())
        }
        _ => value.clone(),
    }
}

/// A custom field's value: objects as ids, selections as plain values, JSON as it is.
fn plain_custom(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("id") && map.contains_key("url") => map.get("id").cloned().unwrap_or_default(),
        Value::Object(map) if map.len() == 2 && map.contains_key("value") && map.contains_key("label") => {
            map.get("value").cloned().unwrap_or_default()
        }
        Value::Array(list) => Value::Array(list.iter().map(plain_custom).collect()),
        other => other.clone(),
    }
}

/// A file of the recordings as JSON.
pub fn json(files: &Files, name: &str) -> Result<Value, Error> {
    let bytes = files.get(name).ok_or_else(|| Error::data(name, "is missing"))?;
    serde_json::from_slice(bytes).map_err(|problem| Error::data(name, &format!("is not JSON: {problem}")))
}
