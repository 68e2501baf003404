//! The change log: one entry for each object a request created, updated or deleted, with the object before and after.

use serde_json::{Map, Value, json};

use super::filter::{NO_TIME, Query, moment, no_choice};
use super::kind::{KindId, Shape, Type};
use super::order::jsonb;
use super::render::View;
use super::store::Object;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Create,
    /// It differs.
    Update,
    /// It is gone.
    Delete,
}

impl Action {
    /// Value and label.
    pub fn value(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("create", "Created"),
            Self::Update => ("update", "Updated"),
            Self::Delete => ("delete", "Deleted"),
        }
    }
}

/// Who asked and when.
#[derive(Debug, Clone)]
pub struct Request {
    /// `X-Request-ID` of the answer.
    pub id: String,
    /// User of the token.
    pub user: String,
    /// ISO time with microseconds.
    pub time: String,
    /// `changelog_message` of the body.
    pub message: String,
}

/// An entry as recorded or made here; URLs relative, the changed object looked up when shown.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub id: u64,
    /// Type and id of the object.
    pub object: (String, u64),
    shown: Map<String, Value>,
}

impl Entry {
    /// An entry for a change that happens now.
    pub fn new(id: u64, request: &Request, action: Action, kind: KindId, object: (u64, &str), data: [Value; 2]) -> Self {
        let (value, label) = action.value();
        let (app, verbose) = kind.get().label;
        let (object_id, repr) = object;
        let [before, after] = data;
        let user = &request.user;
        let shown = json!({
            "id": id,
            "url": format!("/api/core/object-changes/{id}/"),
            "display_url": format!("/core/changelog/{id}/"),
            "display": format!("{app} | {verbose} {repr} {}d by {user}", value),
            "time": request.time,
            "user": {"id": 1, "url": "/api/users/users/1/", "display": user, "username": user},
            "user_name": user,
            "request_id": request.id,
            "action": {"value": value, "label": label},
            "changed_object_type": kind.get().model,
            "changed_object_id": object_id,
            "changed_object": null,
            "object_repr": repr,
            "message": request.message,
            "prechange_data": jsonb(before),
            "postchange_data": jsonb(after),
        });
        Self { id, object: (kind.get().model.to_owned(), object_id), shown: shown.as_object().cloned().unwrap_or_default() }
    }

    /// A recorded entry.
    pub fn recorded(mut shown: Value, base: &str) -> Option<Self> {
        relative(&mut shown, base);
        let object = (shown.get("changed_object_type")?.as_str()?.to_owned(), shown.get("changed_object_id")?.as_u64()?);
        Some(Self { id: shown.get("id")?.as_u64()?, object, shown: shown.as_object().cloned()? })
    }

    /// A member of the entry.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.shown.get(name)
    }

    /// The entry as an answer holds it.
    pub fn shown(&self, view: &View<'_>, fields: &[String]) -> Value {
        let mut map = Map::new();
        for (name, value) in &self.shown {
            if !fields.is_empty() && !fields.contains(name) {
                continue;
            }
            let mut value = if name == "changed_object" {
                KindId::of_model(&self.object.0).map_or_else(|| value.clone(), |kind| view.nested(kind, self.object.1, Shape::Brief))
            } else {
                value.clone()
            };
            absolute(&mut value, view.base, name);
            map.insert(name.clone(), value);
        }
        Value::Object(map)
    }
}

/// Numbers of the entries a query selects, newest first unless asked otherwise; the body of a 400.
pub fn select(log: &[Entry], query: &Query) -> Result<Vec<u64>, Value> {
    let refused = |name: &str, text: String| Err(json!({name: [text]}));
    for (name, value) in query {
        let (plain, number) = (name.split("__").next().unwrap_or_default(), value.parse::<u64>());
        match plain {
            "id" | "changed_object_id" if number.is_err() => return refused(name, "Enter a whole number.".to_owned()),
            "action" if !["create", "update", "delete"].contains(&value.as_str()) => return refused(name, no_choice(value)),
            "user_id" if number != Ok(1) => return refused(name, no_choice(value)),
            "user" if value != "admin" => return refused(name, no_choice(value)),
            "request_id" if value.len() != 36 || value.matches('-').count() != 4 => return refused(name, "Enter a valid UUID.".to_owned()),
            "time_after" | "time_before" if !moment(value) => return refused("time", NO_TIME.to_owned()),
            "time" if !moment(value) => return refused(name, NO_TIME.to_owned()),
            _ => {}
        }
    }
    let word = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(map)) => map.get("value").and_then(Value::as_str).unwrap_or_default().to_owned(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let passes = |entry: &Entry| {
        query.iter().all(|(name, value)| {
            let any = |own: String| query.iter().filter(|(other, _)| other == name).any(|(_, value)| *value == own);
            let number = || value.parse::<u64>().unwrap_or_default();
            match name.as_str() {
                "id" | "changed_object_type" | "changed_object_id" | "request_id" | "user_name" | "object_repr" => {
                    any(word(entry.get(name)))
                }
                "id__gt" => entry.id > number(),
                "id__gte" => entry.id >= number(),
                "id__lt" => entry.id < number(),
                "id__lte" => entry.id <= number(),
                // One choice: of several the last one counts.
                "action" => {
                    query.iter().rfind(|(other, _)| other == "action").is_some_and(|(_, value)| *value == word(entry.get("action")))
                }
                "time_after" | "time__gte" => word(entry.get("time")) >= *value,
                "time_before" | "time__lte" => word(entry.get("time")) <= *value,
                "q" => word(entry.get("object_repr")).to_lowercase().contains(&value.to_lowercase()),
                _ => true,
            }
        })
    };
    let mut ids: Vec<u64> = log.iter().filter(|entry| passes(entry)).map(|entry| entry.id).collect();
    let oldest_first = query.iter().any(|(name, value)| name == "ordering" && matches!(value.as_str(), "time" | "id"));
    if !oldest_first {
        ids.reverse();
    }
    Ok(ids)
}

/// An object as the log keeps it: ids for objects, values for choices, `""` for an empty choice.
pub fn flat(view: &View<'_>, kind: KindId, id: u64, object: &Object) -> Value {
    let mut map = Map::new();
    for field in kind.get().fields.iter().filter(|field| field.stored()) {
        let value = object.get(field.name).unwrap_or(&Value::Null);
        let value = match field.kind {
            Type::Id | Type::Stamp | Type::Ends => continue,
            Type::Choice(_) if value.is_null() && field.name != "qinq_role" => json!(""),
            Type::Tags => names(view, value),
            Type::TagSlugs => slugs(view, value),
            Type::Model => value.as_str().and_then(KindId::of_model).map_or(Value::Null, |kind| json!(kind.get().type_id)),
            _ => value.clone(),
        };
        map.insert(field.name.to_owned(), value);
    }
    if kind.get().model == "dcim.interface" {
        let shown = view.shown(kind, id, &super::render::Pick { fields: vec!["cable".into(), "cable_end".into()], ..Default::default() });
        map.retain(|name, _| !name.starts_with("mac_address"));
        map.extend([("cable_connector".to_owned(), Value::Null), ("cable_positions".to_owned(), Value::Null)]);
        map.insert("cable".to_owned(), shown.pointer("/cable/id").cloned().unwrap_or_default());
        map.insert("cable_end".to_owned(), shown.get("cable_end").cloned().filter(|end| !end.is_null()).unwrap_or_else(|| json!("")));
    }
    Value::Object(map)
}

fn names(view: &View<'_>, value: &Value) -> Value {
    let tag = KindId::of_model("extras.tag");
    let name = |id: &Value| Some(view.display(tag?, id.as_u64()?));
    let mut names: Vec<String> = value.as_array().into_iter().flatten().filter_map(name).collect();
    names.sort();
    json!(names)
}

fn slugs(view: &View<'_>, value: &Value) -> Value {
    let Some(kind) = KindId::of_model("extras.tag") else { return json!([]) };
    let id = |slug: &Value| view.store.table(kind).find(|(_, tag)| tag.get("slug") == Some(slug)).map(|(id, _)| id);
    json!(value.as_array().into_iter().flatten().filter_map(id).collect::<Vec<_>>())
}

/// Takes a base out of every URL.
pub fn relative(value: &mut Value, base: &str) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix(base).filter(|rest| rest.starts_with('/')) {
                *text = rest.to_owned();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| relative(item, base)),
        Value::Object(map) => map.values_mut().for_each(|item| relative(item, base)),
        _ => {}
    }
}

/// Puts a base before every relative URL.
pub fn absolute(value: &mut Value, base: &str, name: &str) {
    match value {
        Value::String(text) if matches!(name, "url" | "display_url") && text.starts_with('/') => *text = format!("{base}{text}"),
        Value::Array(list) => list.iter_mut().for_each(|item| absolute(item, base, name)),
        Value::Object(map) => {
            for (name, item) in map.iter_mut() {
                absolute(item, base, name);
            }
        }
        _ => {}
    }
}
