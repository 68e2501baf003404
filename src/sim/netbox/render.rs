//! Objects as NetBox shows them: full, brief and nested, with every computed field, URLs on the base the caller asked through.

use std::cell::OnceCell;

use serde_json::{Map, Value, json};

use super::compute;
use super::context::{self, Context};
use super::kind::{Calc, Field, Kind, KindId, Shape, Type};
use super::order::{Key, jsonb};
use super::store::{Object, Store};

/// A look at the database through one base URL. Caches what several objects of one answer share.
pub struct View<'a> {
    /// The objects.
    pub store: &'a Store,
    /// `http://host:port`, without a slash; empty for relative URLs.
    pub base: &'a str,
    contexts: OnceCell<Vec<Context>>,
    custom: OnceCell<Vec<CustomField>>,
}

struct CustomField {
    name: String,
    kind: String,
    on: Vec<String>,
    related: Option<KindId>,
}

/// Which fields an answer has.
#[derive(Debug, Clone, Default)]
pub struct Pick {
    /// `fields=`, empty for all.
    pub fields: Vec<String>,
    /// `omit=`.
    pub omit: Vec<String>,
    /// `brief=true`.
    pub brief: bool,
}

impl Pick {
    fn takes(&self, name: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|field| field == name);
        if self.fields.is_empty() { !named(&self.omit) } else { named(&self.fields) } // together, `omit` is overlooked
    }
}

impl<'a> View<'a> {
    /// A look at a database.
    pub fn new(store: &'a Store, base: &'a str) -> Self {
        Self { store, base, contexts: OnceCell::new(), custom: OnceCell::new() }
    }

    /// An object as a list or detail answer holds it.
    pub fn shown(&self, kind: KindId, id: u64, pick: &Pick) -> Value {
        let Some(object) = self.store.get(kind, id) else { return Value::Null };
        if pick.brief && pick.fields.is_empty() {
            let names: Vec<&str> = kind.get().brief.iter().map(|name| name.trim_end_matches("=0").trim_end_matches('+')).collect();
            return self.part(kind, id, object, &names, Shape::Brief);
        }
        let fields = kind.get().fields.iter().filter(|field| pick.takes(field.name));
        Value::Object(fields.map(|field| (field.name.to_owned(), self.field(kind, id, object, field))).collect())
    }

    /// An object inside another one's answer; null when it does not exist.
    pub fn nested(&self, kind: KindId, id: u64, shape: Shape) -> Value {
        const PRIMARY: &[&str] = &["id", "url", "display", "family", "address", "nat_inside", "nat_outside", "dns_name", "description"];
        let Some(object) = self.store.get(kind, id) else { return Value::Null };
        match shape {
            Shape::Brief => self.part(kind, id, object, kind.get().brief, shape),
            Shape::Nested => self.part(kind, id, object, kind.get().nested, shape),
            Shape::Primary => self.part(kind, id, object, PRIMARY, Shape::Brief),
            Shape::Full => self.shown(kind, id, &Pick::default()),
        }
    }

    fn part(&self, kind: KindId, id: u64, object: &Object, names: &[&str], shape: Shape) -> Value {
        let mut map = Map::new();
        for name in names {
            if let Some(name) = name.strip_suffix("=0") {
                map.insert(name.to_owned(), json!(0));
            } else if let Some(field) = kind.get().field(name) {
                // `name+` is no field, so it is left out here.
                let value = match field.kind {
                    Type::Link(model, _) => self.link(model, object.get(*name), shape),
                    Type::Calc(Calc::Cable) if shape == Shape::Nested => {
                        self.field(kind, id, object, field).get("id").cloned().unwrap_or_default()
                    }
                    _ => self.field(kind, id, object, field),
                };
                map.insert((*name).to_owned(), value);
            }
        }
        Value::Object(map)
    }

    fn field(&self, kind: KindId, id: u64, object: &Object, field: &Field) -> Value {
        let value = object.get(field.name).unwrap_or(&Value::Null);
        match field.kind {
            Type::Link(model, shape) => self.link(model, Some(value), shape),
            Type::Links(model, shape) => self.links(model, value, shape),
            Type::Tags => self.links("extras.tag", value, Shape::Nested),
            Type::Choice(set) => chosen(set, value),
            Type::Ends => self.ends(value),
            Type::Custom => self.custom(kind.get(), value),
            Type::Json => jsonb(value.clone()),
            Type::Calc(calc) => self.calc(kind, id, object, field, calc),
            _ => value.clone(),
        }
    }

    fn link(&self, model: &str, value: Option<&Value>, shape: Shape) -> Value {
        let target = KindId::of_model(model).zip(value.and_then(Value::as_u64));
        target.map_or(Value::Null, |(kind, id)| self.nested(kind, id, shape))
    }

    /// Many objects: in their kind's own order, as a query gives them.
    fn links(&self, model: &str, value: &Value, shape: Shape) -> Value {
        let Some(kind) = KindId::of_model(model) else { return json!([]) };
        let mut ids: Vec<u64> = value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        ids.retain(|id| self.store.get(kind, *id).is_some());
        ids.sort_by_cached_key(|id| self.sort_key(kind, *id, kind.get().order));
        Value::Array(ids.into_iter().map(|id| self.nested(kind, id, shape)).collect())
    }

    fn ends(&self, value: &Value) -> Value {
        let show = |end: &Value| {
            let mut end = end.as_object().cloned().unwrap_or_default();
            let kind = end.get("object_type").and_then(Value::as_str).and_then(KindId::of_model);
            let id = end.get("object_id").and_then(Value::as_u64);
            let object = kind.zip(id).map_or(Value::Null, |(kind, id)| self.nested(kind, id, Shape::Brief));
            end.insert("object".to_owned(), object);
            Value::Object(end)
        };
        Value::Array(value.as_array().into_iter().flatten().map(show).collect())
    }

    fn custom(&self, kind: &Kind, value: &Value) -> Value {
        let all = self.custom.get_or_init(|| custom_fields(self));
        let mut map = Map::new();
        for field in all.iter().filter(|field| field.on.iter().any(|model| model == kind.model)) {
            let value = value.get(&field.name).unwrap_or(&Value::Null);
            let object = |value: &Value| match (field.related, value.as_u64()) {
                (Some(kind), Some(id)) => self.nested(kind, id, Shape::Brief),
                _ => Value::Null,
            };
            let shown = match (field.kind.as_str(), value) {
                (_, Value::Null) => Value::Null,
                ("object", value) => object(value),
                ("multiobject", Value::Array(list)) => Value::Array(list.iter().map(object).collect()),
                ("select", value) => json!({"value": value, "label": value}),
                (_, value) => jsonb(value.clone()),
            };
            map.insert(field.name.clone(), shown);
        }
        Value::Object(map)
    }

    /// Custom fields as they are stored, one member for each field of the kind.
    pub fn custom_stored(&self, kind: &Kind, value: &Value) -> Value {
        let all = self.custom.get_or_init(|| custom_fields(self));
        let own = all.iter().filter(|field| field.on.iter().any(|model| model == kind.model));
        Value::Object(own.map(|field| (field.name.clone(), jsonb(value.get(&field.name).cloned().unwrap_or_default()))).collect())
    }

    /// One field as an answer holds it.
    pub fn shown_field(&self, kind: KindId, id: u64, object: &Object, field: &Field) -> Value {
        self.field(kind, id, object, field)
    }

    /// The name people read.
    pub fn display(&self, kind: KindId, id: u64) -> String {
        self.store.get(kind, id).map_or_else(String::new, |object| compute::display(self, kind, id, object))
    }

    /// The objects' address below the base, without it for an empty base.
    pub fn url(&self, kind: KindId, id: u64) -> String {
        format!("{}/api/{}/{id}/", self.base, kind.get().url)
    }

    fn calc(&self, kind: KindId, id: u64, object: &Object, field: &Field, calc: Calc) -> Value {
        match calc {
            Calc::Url => json!(self.url(kind, id)),
            Calc::DisplayUrl => json!(format!("{}/{}/{id}/", self.base, kind.get().path)),
            Calc::Display => json!(compute::display(self, kind, id, object)),
            Calc::ConfigContext => {
                let contexts = self.contexts.get_or_init(|| context::contexts(self.store));
                context::merged(self.store, contexts, object)
            }
            Calc::Count(model, name) => json!(self.store.pointing((kind, id), model, name).count()),
            Calc::Zero => json!(0),
            Calc::Yes => json!(true),
            Calc::User => json!({"id": 1, "url": format!("{}/api/users/users/1/", self.base), "display": "admin", "username": "admin"}),
            other => compute::value(self, kind, id, object, field.name, other),
        }
    }

    /// What an object sorts by.
    pub fn sort_key(&self, kind: KindId, id: u64, order: &[&str]) -> Vec<Key> {
        let Some(object) = self.store.get(kind, id) else { return Vec::new() };
        let mut keys: Vec<Key> = order.iter().map(|name| self.key(kind, id, object, name)).collect();
        keys.push(Key::Number(i64::try_from(id).unwrap_or(i64::MAX)));
        keys
    }

    fn key(&self, kind: KindId, id: u64, object: &Object, name: &str) -> Key {
        let Some(field) = kind.get().field(name) else { return Key::Nothing };
        let value = object.get(name).unwrap_or(&Value::Null);
        match field.kind {
            Type::Id => Key::Number(i64::try_from(id).unwrap_or(i64::MAX)),
            Type::Link(model, _) => match (KindId::of_model(model), value.as_u64()) {
                (Some(target), Some(id)) if self.store.get(target, id).is_some() => name_key(target, &self.display(target, id)),
                _ => Key::Nothing,
            },
            Type::Calc(_) => Key::of(&self.field(kind, id, object, field)),
            Type::Text(_) if name == "name" => name_key(kind, value.as_str().unwrap_or_default()),
            _ => Key::of(value),
        }
    }
}

fn name_key(kind: KindId, name: &str) -> Key {
    let counted = matches!(kind.get().model, "dcim.device" | "dcim.interface" | "dcim.site" | "virtualization.cluster");
    if counted { Key::text(name) } else { Key::bytes(name) }
}

fn chosen(set: &[(&str, &str)], value: &Value) -> Value {
    let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { return Value::Null };
    let label = set.iter().find(|(name, _)| *name == text).map_or(text, |(_, label)| label);
    json!({"value": text, "label": label})
}

fn custom_fields(view: &View<'_>) -> Vec<CustomField> {
    let Some(kind) = KindId::of_model("extras.customfield") else { return Vec::new() };
    let mut ids: Vec<u64> = view.store.table(kind).map(|(id, _)| id).collect();
    ids.sort_by_cached_key(|id| view.sort_key(kind, *id, kind.get().order));
    let text = |object: &Object, name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let show = |object: &Object| CustomField {
        name: text(object, "name"),
        kind: text(object, "type"),
        on: object
            .get("object_types")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        related: KindId::of_model(&text(object, "related_object_type")),
    };
    ids.into_iter().filter_map(|id| view.store.get(kind, id).map(show)).collect()
}
