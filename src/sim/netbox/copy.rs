//! Copies of the fabric's objects, so that a NetBox intends many fabrics: everything that belongs to a device or a pair is there
//! again, with ids, names and addresses of its own; what fabrics share (types, roles, VRFs, AS numbers, peer groups) is not.

use std::collections::BTreeSet;

use serde_json::Value;

use super::kind::{KindId, Type};
use super::store::{Object, Store};

/// Kinds that belong to one fabric.
const OWN: [&str; 11] = [
    "dcim.device",
    "dcim.interface",
    "dcim.cable",
    "ipam.ipaddress",
    "ipam.prefix",
    "ipam.service",
    "ipam.vlan",
    "ipam.vlangroup",
    "virtualization.cluster",
    "vpn.l2vpntermination",
    "netbox_bgp.bgpsession",
];

/// Puts copies 2 to `copies` into the store. `text` gives a copy's form of a text, or nothing when it stays.
pub fn copies(store: &mut Store, copies: usize, text: impl Fn(usize, &str) -> Option<String>) {
    let own: Vec<KindId> = OWN.iter().filter_map(|model| KindId::of_model(model)).collect();
    let first: Vec<(KindId, Vec<(u64, Object)>)> =
        own.iter().map(|kind| (*kind, store.table(*kind).map(|(id, object)| (id, object.clone())).collect())).collect();
    let stride = |kind: KindId| first.iter().find(|(have, _)| *have == kind).and_then(|(_, table)| table.iter().map(|(id, _)| *id).max());
    let strides: Vec<(KindId, u64)> = own.iter().filter_map(|kind| Some((*kind, stride(*kind)?))).collect();
    for copy in 2..=copies {
        let number = u64::try_from(copy - 1).unwrap_or(0);
        let moved = |kind: Option<KindId>, id: u64| {
            let stride = strides.iter().find(|(have, _)| Some(*have) == kind).map_or(0, |(_, stride)| *stride);
            id + stride * number
        };
        for (kind, table) in &first {
            for (id, object) in table {
                let mut object = object.clone();
                for field in kind.get().fields.iter().filter(|field| field.stored()) {
                    let model = object.get(&field.name.replace("_id", "_type")).and_then(Value::as_str).and_then(KindId::of_model);
                    if let Some(value) = object.get_mut(field.name) {
                        shift(value, field.kind, *kind, model, &moved, &|name| text(copy, name));
                    }
                }
                store.put(*kind, moved(Some(*kind), *id), object);
            }
        }
    }
}

/// Takes the tags from devices.
pub fn untag(store: &mut Store, devices: &BTreeSet<String>) {
    let Some(kind) = KindId::of_model("dcim.device") else { return };
    let spare: Vec<(u64, Object)> = store
        .table(kind)
        .filter(|(_, object)| object.get("name").and_then(Value::as_str).is_some_and(|name| devices.contains(name)))
        .map(|(id, object)| (id, object.clone()))
        .collect();
    for (id, mut object) in spare {
        object.insert("tags".to_owned(), Value::Array(Vec::new()));
        store.put(kind, id, object);
    }
}

fn shift(
    value: &mut Value,
    field: Type,
    own: KindId,
    beside: Option<KindId>,
    moved: &dyn Fn(Option<KindId>, u64) -> u64,
    text: &dyn Fn(&str) -> Option<String>,
) {
    let number = |value: &mut Value, kind: Option<KindId>| {
        if let Some(id) = value.as_u64() {
            *value = moved(kind, id).into();
        }
    };
    match field {
        Type::Id => number(value, Some(own)),
        Type::Link(model, _) => number(value, KindId::of_model(model)),
        Type::Links(model, _) => value.as_array_mut().into_iter().flatten().for_each(|one| number(one, KindId::of_model(model))),
        Type::Object => number(value, beside),
        Type::Ends => {
            for end in value.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
                let kind = end.get("object_type").and_then(Value::as_str).and_then(KindId::of_model);
                if let Some(id) = end.get_mut("object_id") {
                    number(id, kind);
                }
            }
        }
        Type::Custom => {
            for (name, value) in value.as_object_mut().into_iter().flatten() {
                // The one custom field of the lab that points at an object of a fabric.
                if name == "vxlan_source_interface" {
                    number(value, KindId::of_model("dcim.interface"));
                } else {
                    texts(value, text);
                }
            }
        }
        Type::Text(_) | Type::Address | Type::Network | Type::Json => texts(value, text),
        _ => {}
    }
}

fn texts(value: &mut Value, text: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(have) => {
            if let Some(new) = text(have) {
                *have = new;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|one| texts(one, text)),
        Value::Object(map) => map.iter_mut().for_each(|(_, one)| texts(one, text)),
        _ => {}
    }
}
