//! The lab's ten devices, booted and talked to over real gNMI.

mod faults;
mod health;
mod lines;
mod rpc;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::*;
use crate::path::Path;
use crate::value::Value;
use crate::yang::Schema;

pub(super) fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(Schema::eos().unwrap())))
}

pub(super) fn lab(options: Options) -> Arc<Fabric> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("lab");
    let topology: Topology = serde_json::from_slice(&std::fs::read(root.join("topology.json")).unwrap()).unwrap();
    let mut devices = BTreeMap::new();
    for node in &topology.devices {
        let read = |extension: &str| std::fs::read_to_string(root.join("devices").join(format!("{}.{extension}", node.name))).unwrap();
        devices.insert(node.name.clone(), (serde_json::from_str(&read("json")).unwrap(), read("cli")));
    }
    Fabric::boot(&devices, &topology, schema(), options).unwrap()
}

pub(super) fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

pub(super) const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";

pub(super) fn session(fabric: &Fabric, device: &str, neighbor: &str) -> String {
    let at = path(&format!("{BGP}/neighbors/neighbor[neighbor-address={neighbor}]/state/session-state"));
    fabric.device(device).unwrap().value(&at).map_or("none".into(), |value| value.to_string())
}

pub(super) fn set(fabric: &Fabric, device: &str, ops: &[Op]) -> Result<u64, Refusal> {
    fabric.commit(device, "tester", ops, None)
}

pub(super) fn update(at: &str, json: serde_json::Value) -> Op {
    Op::Update(path(at), Payload::Json(json))
}

pub(super) fn value(fabric: &Fabric, device: &str, at: &str) -> Option<Value> {
    fabric.device(device).unwrap().value(&path(at))
}
