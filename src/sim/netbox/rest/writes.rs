//! Writes: one object or many, and how their refusals are worded.

use serde_json::{Map, Value, json};

use super::super::changelog::Request;
use super::super::edit::Refusal;
use super::super::kind::KindId;
use super::super::page;
use super::super::render::View;
use super::{Call, NetBox, Reply, absent, pick};

impl NetBox {
    pub(super) fn write_one(&mut self, call: &Call<'_>, kind: KindId, id: u64, body: &Value, request: &Request) -> Reply {
        if self.books.store.get(kind, id).is_none() {
            return absent(kind);
        }
        let pick = pick(&page::parse(call.query));
        let etag = self.etag(kind, id);
        if call.if_match.is_some_and(|wanted| wanted != "*" && wanted != etag) {
            return Reply { etag: Some(etag), ..Reply::detail(412, "Precondition failed.") };
        }
        if call.method == "DELETE" {
            return match self.books.delete(kind, id, request) {
                Ok(()) => Reply::new(204, Value::Null),
                Err(refusal) => refused(kind, refusal),
            };
        }
        let Some(input) = body.as_object() else { return Reply::new(400, invalid(body)) };
        match self.books.update(kind, id, input, call.method == "PATCH", request) {
            Ok(()) => self.one(&View::new(&self.books.store, call.base), kind, id, 200, &pick),
            Err(problems) => Reply::new(400, Value::Object(problems)),
        }
    }

    pub(super) fn write_list(&mut self, call: &Call<'_>, kind: KindId, body: &Value, request: &Request) -> Reply {
        let pick = pick(&page::parse(call.query));
        if let (Some(input), "POST") = (body.as_object(), call.method) {
            return match self.books.create(kind, input, request) {
                Ok(id) => self.one(&View::new(&self.books.store, call.base), kind, id, 201, &pick),
                Err(problems) => Reply::new(400, Value::Object(problems)),
            };
        }
        let items = match (body.as_array(), call.method) {
            (Some(items), "POST") => return self.create_many(call, kind, items, request),
            (None, "POST") => return Reply::new(400, invalid(body)),
            (None, _) => return Reply::detail(400, &format!("Expected a list of objects, but got {}.", python_type(body))),
            (Some(items), _) => items,
        };
        let mut inputs: Vec<(u64, &Map<String, Value>)> = Vec::new();
        let mut errors = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item.as_object().and_then(|map| Some((map.get("id")?.as_u64()?, map))) {
                Some(input) => inputs.push(input),
                None => errors.push(json!({"index": index, "errors": {"id": ["This field is required."]}})),
            }
        }
        if !errors.is_empty() {
            return several(400, errors, items.len(), "failed validation");
        }
        let absent = inputs.iter().filter(|(id, _)| self.books.store.get(kind, *id).is_none());
        errors.extend(absent.map(|(id, _)| json!({"id": id, "errors": {"id": [format!("Object with ID {id} does not exist")]}})));
        if !errors.is_empty() {
            return several(400, errors, items.len(), "could not be found");
        }
        let view = View::new(&self.books.store, "");
        inputs.sort_by_cached_key(|(id, _)| view.sort_key(kind, *id, kind.get().order));
        for (id, input) in &inputs {
            if call.method == "DELETE" {
                if let Err(Refusal::Protected(protectors)) = self.books.delete(kind, *id, request) {
                    let text = format!("Unable to delete: {} dependent object(s) prevent deletion.", protectors.len());
                    errors.push(json!({"id": id, "errors": {"__all__": [text]}}));
                }
            } else if let Err(problems) = self.books.update(kind, *id, input, call.method == "PATCH", request) {
                errors.push(json!({"id": id, "errors": problems}));
            }
        }
        match (errors.is_empty(), call.method) {
            (true, "DELETE") => return Reply::new(204, Value::Null),
            (true, _) => {}
            (false, "DELETE") => return several(409, errors, items.len(), "could not be deleted"),
            (false, _) => return several(400, errors, items.len(), "could not be updated"),
        }
        let view = View::new(&self.books.store, call.base);
        Reply::new(200, Value::Array(inputs.iter().map(|(id, _)| view.shown(kind, *id, &pick)).collect()))
    }

    pub(super) fn create_many(&mut self, call: &Call<'_>, kind: KindId, items: &[Value], request: &Request) -> Reply {
        let pick = pick(&page::parse(call.query));
        let mut made = Vec::new();
        let mut errors = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let created = match item.as_object() {
                Some(input) => self.books.create(kind, input, request),
                None => Err(invalid(item).as_object().cloned().unwrap_or_default()),
            };
            match created {
                Ok(id) => made.push(id),
                Err(problems) => errors.push(json!({"index": index, "errors": problems})),
            }
        }
        if !errors.is_empty() {
            return several(400, errors, items.len(), "could not be created");
        }
        let view = View::new(&self.books.store, call.base);
        Reply::new(201, Value::Array(made.into_iter().map(|id| view.shown(kind, id, &pick)).collect()))
    }
}

fn refused(kind: KindId, refusal: Refusal) -> Reply {
    match refusal {
        Refusal::Protected(names) => {
            let (count, names) = (names.len(), names.join(", "));
            Reply::detail(409, &format!("Unable to delete object. {count} dependent objects were found: {names}"))
        }
        Refusal::Absent => absent(kind),
    }
}

fn several(status: u16, errors: Vec<Value>, of: usize, what: &str) -> Reply {
    Reply::new(status, json!({"detail": format!("{} of {of} objects {what}.", errors.len()), "errors": errors}))
}

fn invalid(body: &Value) -> Value {
    json!({"__all__": [format!("Invalid data. Expected a dictionary, but got {}.", python_type(body))]})
}

fn python_type(body: &Value) -> &'static str {
    match body {
        Value::Object(_) => "dict",
        Value::Array(_) => "list",
        Value::String(_) => "str",
        Value::Bool(_) => "bool",
        Value::Number(_) => "int",
        Value::Null => "NoneType",
    }
}
