//! JSON_IETF documents below a node of the schema: leaves and complaints, bounded by the document, whose values are spelled for good.
#![no_main]

use std::sync::OnceLock;

use fabric_orchestrator_fuzz::gnmi::SchemaCanon;
use fabric_orchestrator_fuzz::gnmi::wire::canon::Canon as _;
use fabric_orchestrator_fuzz::gnmi::wire::convert;
use fabric_orchestrator_fuzz::path::Path;
use fabric_orchestrator_fuzz::value::Value;
use fabric_orchestrator_fuzz::{schema, seeds};
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;

/// What is asked for with Get or Subscribe, and nodes of every kind: an input's first byte chooses.
const NODES: [&str; 14] = [
    "/",
    "/interfaces",
    "/interfaces/interface[name=Ethernet1]",
    "/interfaces/interface[name=Ethernet1]/config/mtu",
    "/interfaces/interface[name=Ethernet1]/ethernet/switched-vlan/config/trunk-vlans",
    "/network-instances",
    "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]",
    "/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=34]",
    "/lacp",
    "/stp",
    "/routing-policy",
    "/arista/eos",
    "/system",
    "/nowhere/at[all=x]",
];

fn canon() -> &'static SchemaCanon {
    static CANON: OnceLock<std::sync::Arc<SchemaCanon>> = OnceLock::new();
    CANON.get_or_init(|| SchemaCanon::new(std::sync::Arc::clone(schema())))
}

fn documents(_: &str, document: &Json) -> Vec<Vec<u8>> {
    let mut seeds = vec![];
    for (path, json) in seeds::parts(document) {
        let node = NODES.iter().position(|node| Path::parse(node).as_ref() == Ok(&path)).unwrap_or(0);
        let text = if node == 0 { serde_json::json!({ path.name(): json }).to_string() } else { json.to_string() };
        if text.len() < 4_000 {
            seeds.push([&[node as u8], text.as_bytes()].concat());
        }
        // One entry of each list.
        for (name, list) in json.as_object().into_iter().flatten() {
            if let Some(first) = list.as_array().and_then(|list| list.first()) {
                seeds.push([&[node as u8], serde_json::json!({ name: [first] }).to_string().as_bytes()].concat());
            }
        }
    }
    seeds
}

fuzz_target!(init: seeds::write(documents), |data: &[u8]| {
    let [node, text @ ..] = data else { return };
    let Ok(path) = Path::parse(NODES[usize::from(*node) % NODES.len()]) else { unreachable!() };
    let Ok(value) = convert::json(text) else { return };
    let (_, size) = (value.to_json(), value.heap_bytes());
    assert!(size <= 64 * text.len() + 64, "{size} bytes of {}", text.len());
    let leaves = match &value {
        Value::Json(json) => {
            let (leaves, issues) = canon().flatten(&path, json);
            assert!(leaves.len() + issues.len() <= text.len() + 1, "{} leaves and {} issues of {} bytes", leaves.len(), issues.len(), text.len());
            assert!(leaves.iter().all(|(leaf, _)| path.covers(leaf)), "{path}: {leaves:?}");
            leaves
        }
        _ => vec![(path, value)],
    };
    for (path, value) in leaves {
        let prepared = canon().prepare(&path);
        let spell = |value: Value| canon().canonical(prepared, &|| std::sync::Arc::new(path.clone()), value);
        if let Ok(once) = spell(value) {
            assert_eq!(spell(once.clone()).as_ref(), Ok(&once), "{path}");
        }
    }
});
