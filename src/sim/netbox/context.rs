//! Config contexts: which apply to a device, and what they merge to.

use serde_json::{Map, Value};

use super::kind::KindId;
use super::order::{Key, jsonb};
use super::store::{Object, Store};

/// One config context, ready to apply.
#[derive(Debug, Clone)]
pub struct Context {
    order: (i64, Key),
    fields: Object,
}

/// Active contexts in the order they are applied: by weight, then by name.
pub fn contexts(store: &Store) -> Vec<Context> {
    let Some(kind) = KindId::of_model("extras.configcontext") else { return Vec::new() };
    let mut found: Vec<Context> = store
        .table(kind)
        .filter(|(_, object)| object.get("is_active").and_then(Value::as_bool).unwrap_or(true))
        .map(|(_, object)| Context {
            order: (object.get("weight").and_then(Value::as_i64).unwrap_or(1000), Key::of(object.get("name").unwrap_or(&Value::Null))),
            fields: object.clone(),
        })
        .collect();
    found.sort_by(|a, b| a.order.cmp(&b.order));
    found
}

/// The merged context of a device, its own local context last.
pub fn merged(store: &Store, contexts: &[Context], device: &Object) -> Value {
    let mut data = Map::new();
    let facts = Facts::of(store, device);
    for context in contexts.iter().filter(|context| facts.meets(&context.fields)) {
        merge(&mut data, context.fields.get("data").unwrap_or(&Value::Null));
    }
    merge(&mut data, device.get("local_context_data").unwrap_or(&Value::Null));
    jsonb(Value::Object(data))
}

/// Later data wins; objects are merged, everything else is replaced.
fn merge(into: &mut Map<String, Value>, from: &Value) {
    for (key, value) in from.as_object().into_iter().flatten() {
        match (into.get_mut(key), value) {
            (Some(Value::Object(there)), Value::Object(_)) => merge(there, value),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// What contexts ask about a device. A list of ids: the object and its parents count.
struct Facts {
    links: Vec<(&'static str, Vec<u64>)>,
    tags: Vec<String>,
}

impl Facts {
    fn of(store: &Store, device: &Object) -> Self {
        let id = |object: &Object, name: &str| object.get(name).and_then(Value::as_u64);
        let get = |model: &str, id: Option<u64>| store.get(KindId::of_model(model)?, id?);
        let tree = |model: &str, start: Option<u64>| {
            let mut chain = Vec::new();
            let mut next = start;
            while let Some(found) = next.filter(|found| !chain.contains(found)) {
                chain.push(found);
                next = get(model, Some(found)).and_then(|object| id(object, "parent"));
            }
            chain
        };
        let one = |id: Option<u64>| id.into_iter().collect::<Vec<_>>();
        let site = id(device, "site");
        let cluster = id(device, "cluster");
        let group = get("dcim.site", site).and_then(|site| id(site, "group"));
        let cluster_type = get("virtualization.cluster", cluster).and_then(|cluster| id(cluster, "type"));
        let links = vec![
            ("sites", one(site)),
            ("site_groups", tree("dcim.sitegroup", group)),
            ("roles", tree("dcim.devicerole", id(device, "role"))),
            ("platforms", tree("dcim.platform", id(device, "platform"))),
            ("device_types", one(id(device, "device_type"))),
            ("clusters", one(cluster)),
            ("cluster_types", one(cluster_type)),
        ];
        let tags = device
            .get("tags")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|tag| get("extras.tag", tag.as_u64())?.get("slug")?.as_str().map(str::to_owned))
            .collect();
        Self { links, tags }
    }

    fn meets(&self, context: &Object) -> bool {
        let asked = |name: &str| context.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
        let linked = self.links.iter().all(|(name, have)| {
            asked(name).is_none_or(|wanted| wanted.iter().filter_map(Value::as_u64).any(|wanted| have.contains(&wanted)))
        });
        linked
            && asked("tags")
                .is_none_or(|wanted| wanted.iter().filter_map(Value::as_str).any(|wanted| self.tags.iter().any(|tag| tag == wanted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn later_contexts_win_member_by_member() {
        let mut data = Map::new();
        merge(&mut data, &json!({"bgp": {"paths": 4, "distance": 20}, "list": [1, 2]}));
        merge(&mut data, &json!({"bgp": {"paths": 8}, "list": [3]}));
        assert_eq!(Value::Object(data), json!({"bgp": {"paths": 8, "distance": 20}, "list": [3]}));
    }
}
