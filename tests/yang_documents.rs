//! The schema against whole documents: the lab's devices and one document per construct.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "yang/documents.rs"]
mod documents;

use std::collections::BTreeMap;

use documents::documents;
use fabric_orchestrator::path::Path;
use fabric_orchestrator::value::{Decimal, Value};
use fabric_orchestrator::yang::{Access, IssueKind, NodeKind, PathProblem, Schema};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value as Json, json};

fn sorted(leaves: Vec<(Path, Value)>) -> BTreeMap<String, Value> {
    leaves.into_iter().map(|(path, value)| (path.to_string(), value)).collect()
}

/// What is between two documents, object members in any order.
fn difference(at: &str, a: &Json, b: &Json, out: &mut Vec<String>) {
    match (a, b) {
        (Json::Object(x), Json::Object(y)) => {
            for key in x.keys().chain(y.keys().filter(|key| !x.contains_key(*key))) {
                match (x.get(key), y.get(key)) {
                    (Some(v), Some(w)) => difference(&format!("{at}/{key}"), v, w, out),
                    (v, w) => out.push(format!("{at}/{key}: {v:?} | {w:?}")),
                }
            }
        }
        (Json::Array(x), Json::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).enumerate().for_each(|(i, (v, w))| difference(&format!("{at}[{i}]"), v, w, out));
        }
        _ if a == b => {}
        // 300 and 300.0 are one decimal; the canonical form has one digit behind the point.
        (Json::String(x), Json::String(y)) if Value::decimal(x).is_some() && Value::decimal(x) == Value::decimal(y) => {}
        _ => out.push(format!("{at}: {a} | {b}")),
    }
}

#[test]
fn flatten_and_document_are_inverse() {
    let schema = Schema::eos().unwrap();
    for (name, json) in documents("lab/devices").into_iter().chain(documents("tests/data/yang")) {
        let root = Path::root();
        let leaves = schema.flatten(&root, &json).unwrap_or_else(|issues| panic!("{name}: {}", issues[0]));
        assert!(!leaves.is_empty(), "{name}");
        let back = schema.document(&root, &leaves);
        let again = schema.flatten(&root, &back).unwrap();
        assert_eq!(sorted(leaves.clone()), sorted(again), "{name}");
        let mut differences = Vec::new();
        difference("", &json, &back, &mut differences);
        assert!(differences.is_empty(), "{name}: {differences:#?}");
    }
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]";

#[test]
fn nodes_say_what_they_are() {
    let schema = Schema::eos().unwrap();
    assert_eq!(schema.release(), "EOS 4.35.0F");
    assert_eq!(schema.len(), 16_632);
    assert!(schema.modules().any(|(name, revision)| name == "openconfig-interfaces" && !revision.is_empty()));
    let mtu = schema
        .node(schema.find(&path("/interfaces/interface[name=Ethernet1]/subinterfaces/subinterface[index=0]/ipv4/config/mtu")).unwrap());
    assert_eq!(
        (mtu.name, mtu.module, mtu.kind, mtu.config, mtu.access),
        ("mtu", "openconfig-if-ip", NodeKind::Leaf, true, Access::ReadWrite)
    );
    assert_eq!((mtu.units, mtu.describe().as_deref()), (Some("octets"), Some("uint16 68..65535")));
    let neighbor =
        schema.node(schema.find_schema("/network-instances/network-instance/protocols/protocol/bgp/neighbors/neighbor").unwrap());
    assert_eq!((neighbor.kind, neighbor.keys.iter().collect::<Vec<_>>()), (NodeKind::List, vec!["neighbor-address"]));
    let lag = schema.node(schema.find_schema("/interfaces/interface/ethernet/config/aggregate-id").unwrap());
    assert_eq!(
        (lag.module, lag.base_type(), lag.leafref().map(|(_, target)| target)),
        ("openconfig-if-aggregate", Some("string"), Some("string"))
    );
    let mode = schema.node(schema.find_schema("/interfaces/interface/ethernet/switched-vlan/config/interface-mode").unwrap());
    assert_eq!(mode.choices(), ["ACCESS", "TRUNK", "DOT1Q-TUNNEL"]);
    let enabled = schema.find_schema("/interfaces/interface/config/enabled").unwrap();
    assert_eq!(schema.default_of(enabled), Some(Value::Bool(true)));
    assert_eq!(
        schema.find(&path("/openconfig-interfaces:interfaces/interface/openconfig-if-ethernet:ethernet")),
        schema.find_schema("interfaces/interface/ethernet")
    );
    assert_eq!(schema.find(&path("cli:/interfaces")), None);
    assert_eq!(schema.find(&path("/interfaces/no-such")), None);
    for id in schema.all() {
        let node = schema.node(id);
        assert!(schema.children(node.parent.unwrap()).any(|child| child == id), "{}", node.path());
        assert_eq!(node.type_name().is_some(), node.kind.is_leaf(), "{}", node.path());
        assert!(node.default.is_none() || schema.default_of(id).is_some(), "{}: default {:?}", node.path(), node.default);
        assert!(node.keys.iter().all(|key| schema.child(id, key).is_some()), "{}", node.path());
    }
}

#[test]
fn paths_are_checked_element_by_element() {
    let schema = Schema::eos().unwrap();
    let problem = |text: &str| schema.check_exact(&path(text)).unwrap_err();
    assert!(
        matches!(problem("/interfaces/interfaec"), PathProblem::UnknownNode { name, near, .. } if name == "interfaec" && near == ["interface"])
    );
    assert!(matches!(problem("/interfaces/interface[nam=x]"), PathProblem::UnknownKey { key, .. } if key == "nam"));
    assert!(matches!(problem("/interfaces/interface/config"), PathProblem::MissingKey { key, .. } if key == "name"));
    assert!(
        matches!(problem("/interfaces/interface[name=x]/subinterfaces/subinterface[index=abc]"), PathProblem::BadKeyValue { key, .. } if key == "index")
    );
    assert!(matches!(problem("eos_native:/Sysdb"), PathProblem::Origin { .. }));
    assert_eq!(
        problem("/interfaces/interface[nam=x]").to_string(),
        "/interfaces/interface[nam=x]: /interfaces/interface has no key `nam` (near: name)"
    );
    for good in ["/interfaces/interface/config", "/interfaces/interface[name=*]/state", "/interfaces/.../mtu", "/", "/interfaces/*/state"] {
        assert!(schema.check_path(&path(good)).is_ok(), "{good}");
    }
    assert!(schema.check_exact(&path(&format!("{BGP}/bgp/neighbors/neighbor[neighbor-address=10.0.0.1]/config/peer-as"))).is_ok());
}

#[test]
fn spellings_of_one_value_are_equal() {
    let schema = Schema::eos().unwrap();
    let same = |at: &str, spellings: &[Value], json: Json| {
        let at = path(at);
        let first = schema.canonical(&at, spellings[0].clone()).unwrap();
        for spelling in spellings {
            let value = schema.canonical(&at, spelling.clone()).unwrap();
            assert_eq!(value, first, "{at}: {spelling:?}");
            assert_eq!(std::mem::discriminant(&value), std::mem::discriminant(&first), "{at}: {spelling:?}");
            assert_eq!(schema.json_ietf(&at, spelling), json, "{at}: {spelling:?}");
        }
    };
    let port = "/interfaces/interface[name=Ethernet1]";
    let text = Value::str;
    same(
        &format!("{port}/state/counters/in-octets"),
        &[text("42"), Value::Uint(42), Value::Int(42), Value::Json(json!("42").into())],
        json!("42"),
    );
    same(&format!("{port}/config/mtu"), &[Value::Uint(1500), text("1500"), Value::Json(json!(1500).into())], json!(1500));
    same(
        &format!("{port}/config/type"),
        &[text("ethernetCsmacd"), text("iana-if-type:ethernetCsmacd"), text("x:ethernetCsmacd")],
        json!("iana-if-type:ethernetCsmacd"),
    );
    same(&format!("{port}/config/enabled"), &[Value::Bool(true), text("true")], json!(true));
    same(&format!("{BGP}/config/identifier"), &[text("BGP"), text("openconfig-policy-types:BGP")], json!("openconfig-policy-types:BGP"));
    same(
        "/arista/eos/mlag/config/dual-primary-detection-delay",
        &[text("10.0"), text("10"), Value::Decimal(Decimal::new(100, 1)), Value::Decimal(Decimal::new(10, 0)), Value::Uint(10)],
        json!("10.0"),
    );
    let trunk = format!("{port}/ethernet/switched-vlan/config/trunk-vlans");
    same(
        &trunk,
        &[
            Value::list([Value::Uint(10), text("20..29")]),
            Value::list([text("10"), text("20..29")]),
            Value::Json(json!([10, "20..29"]).into()),
        ],
        json!([10, "20..29"]),
    );
    same(&trunk, &[Value::Uint(7), Value::list([text("7")])], json!([7]));
    same(&format!("{port}/ethernet/config/aggregate-id"), &[text("Port-Channel7")], json!("Port-Channel7"));
    let rate = "/arista/interfaces/interface[name=Ethernet1]/rates/state/in-bits-rate";
    let bytes = 1.5f32.to_be_bytes();
    same(rate, &[Value::Double(1.5), Value::bytes(&bytes[..]), text("P8AAAA=="), Value::Decimal(Decimal::new(15, 1))], json!("P8AAAA=="));
    let local = format!("{BGP}/bgp/neighbors/neighbor[neighbor-address=10.0.0.1]/transport/config/local-address");
    same(&local, &[text("Loopback0")], json!("Loopback0"));
    let next_hop = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=STATIC][name=STATIC]/static-routes/static[prefix=0.0.0.0/0]/next-hops/next-hop[index=AUTO_1_172-16-0-254]";
    same(&format!("{next_hop}/config/index"), &[text("AUTO_1_172-16-0-254")], json!("AUTO_1_172-16-0-254"));

    let refuse = |at: &str, value: Value| schema.canonical(&path(at), value).unwrap_err().to_string();
    assert_eq!(refuse(&format!("{port}/config/mtu"), text("x")), "/interfaces/interface/config/mtu: `x` is not uint16");
    assert_eq!(refuse(&format!("{port}/config/enabled"), Value::Uint(1)), "/interfaces/interface/config/enabled: `1` is not boolean");
    assert!(
        refuse(&format!("{port}/config/type"), text("NOPE")).starts_with("/interfaces/interface/config/type: `NOPE` is not identityref")
    );
    assert!(refuse("/no/such", text("x")).starts_with("/no/such: "));
}

#[test]
fn answers_of_eos_are_unwrapped() {
    let schema = Schema::eos().unwrap();
    let vlans = path("/network-instances/network-instance[name=default]/vlans/vlan");
    let plain = json!([{"vlan-id": 10, "config": {"vlan-id": 10, "name": "ten"}}]);
    let expected = schema.flatten(&vlans, &plain).unwrap();
    assert_eq!(
        sorted(expected.clone()).keys().collect::<Vec<_>>(),
        [
            "/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=10]/config/name",
            "/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=10]/config/vlan-id"
        ]
    );
    assert_eq!(schema.flatten(&vlans, &json!({"openconfig-network-instance:vlan": plain})).unwrap(), expected);
    let global = path(&format!("{BGP}/bgp/global"));
    let members = json!({"openconfig-network-instance:config": {"as": 65001}});
    let inner = schema.flatten(&global, &members).unwrap();
    assert_eq!(inner, [(global.clone().child("config").child("as"), Value::Uint(65001))]);
    assert_eq!(schema.flatten(&global, &json!({"openconfig-network-instance:global": members})).unwrap(), inner);
    // A leaf by itself, an entry by itself, and the documents for them.
    let mtu = path("/interfaces/interface[name=Ethernet1]/config/mtu");
    assert_eq!(schema.flatten(&mtu, &json!(9214)).unwrap(), [(mtu.clone(), Value::Uint(9214))]);
    let leaves = [(mtu.clone(), Value::Uint(9214))];
    assert_eq!(schema.document(&mtu, &leaves), json!(9214));
    assert_eq!(
        schema.document(&path("/interfaces/interface[name=Ethernet1]"), &leaves),
        json!({"openconfig-interfaces:name": "Ethernet1", "openconfig-interfaces:config": {"mtu": 9214}})
    );
    assert_eq!(schema.document(&path("/interfaces/interface"), &leaves), json!([{"name": "Ethernet1", "config": {"mtu": 9214}}]));
    assert_eq!(schema.document(&path("/system"), &leaves), json!({}));
    // What is not understood is said, the rest kept.
    let (kept, issues) = schema
        .flatten_lossy(&path("/interfaces/interface[name=Ethernet1]"), &json!({"config": {"mtu": "x", "no-such": 1, "enabled": true}}));
    assert_eq!(kept, [(path("/interfaces/interface[name=Ethernet1]/config/enabled"), Value::Bool(true))]);
    assert_eq!(
        issues.iter().map(|issue| (issue.kind, issue.path.name())).collect::<Vec<_>>(),
        [(IssueKind::WrongType, "mtu"), (IssueKind::UnknownNode, "no-such")]
    );
}

#[test]
fn lists_without_keys_are_one_value() {
    let schema = Schema::eos().unwrap();
    let vlan = path("/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=10]");
    let members = json!({"members": {"member": [{"state": {"interface": "Ethernet1"}}, {"state": {"interface": "Ethernet2"}}]}});
    let leaves = schema.flatten(&vlan, &members).unwrap();
    assert_eq!(leaves.len(), 1);
    assert_eq!(leaves[0].0, vlan.clone().child("members").child("member"));
    assert_eq!(schema.document(&vlan, &leaves)["openconfig-network-instance:members"], members["members"]);
}

#[test]
fn twins_are_told_apart_by_module() {
    let schema = Schema::eos().unwrap();
    let root = Path::root();
    let both = json!({
        "openconfig-system:system": {"config": {"hostname": "leaf1"}},
        "arista-open-config-lib-open-config-system-session-config:system": {},
    });
    assert_eq!(schema.flatten(&root, &both).unwrap().len(), 1);
    assert_eq!(schema.node(schema.find_schema("/system").unwrap()).module, "openconfig-system");
    assert_eq!(schema.node(schema.find_schema("/interfaces").unwrap()).module, "openconfig-interfaces");
    assert_eq!(schema.node(schema.find_schema("/components").unwrap()).module, "openconfig-platform");
    // Every node is found by its path, or shares it with one of another module.
    for id in schema.all() {
        let found = schema.find_schema(&schema.node(id).path()).unwrap();
        assert!(found == id || schema.node(found).path() == schema.node(id).path());
    }
    // A node that only the second of two twins has.
    let session = schema.all().find(|id| schema.node(*id).path().starts_with("/system/session/")).unwrap();
    assert_eq!(schema.find_schema(&schema.node(session).path()), Some(session));
}

#[test]
fn what_has_no_path() {
    let schema = Schema::eos().unwrap();
    assert!(schema.all().all(|id| !schema.node(id).name.contains("virtual-router-mac")));
    assert!(schema.modules().all(|(name, _)| name != "arista-exp-eos-varp-net-inst"));
}

/// Any JSON, with names the schema knows here and there.
fn any_json() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,6}".prop_map(Json::from),
        "(BGP|openconfig-policy-types:BGP|10|1.5|Ethernet1)".prop_map(Json::from),
    ];
    let name = prop_oneof![
        "(openconfig-interfaces:)?(interfaces|interface|name|config|mtu|enabled|type|subinterfaces|subinterface|index|state|counters)",
        "(openconfig-system:)?(system|hostname|ntp|servers|server|address)",
        "(openconfig-network-instance:)?(network-instances|network-instance|protocols|protocol|identifier|bgp|vlans|vlan|vlan-id|members|member)",
        "@?.{0,5}",
    ];
    scalar.prop_recursive(7, 48, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            proptest::collection::vec((name.clone(), inner), 0..5).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        "[0-9.+-]{0,5}".prop_map(Value::from),
        "(true|false|BGP|ACCESS|1.0|10.0.0.1|20..29|AUTO|)".prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (0u64..70000).prop_map(Value::Uint),
        any::<u64>().prop_map(Value::Uint),
        (any::<i64>(), 0u8..=18).prop_map(|(digits, precision)| Value::Decimal(Decimal::new(digits, precision))),
        any::<f64>().prop_map(Value::Double),
        proptest::collection::vec(any::<u8>(), 0..6).prop_map(Value::bytes),
        Just(Value::Empty),
        prop_oneof![
            Just(json!("10")),
            Just(json!(10)),
            Just(json!([1, "2"])),
            Just(json!([null])),
            Just(json!(null)),
            Just(json!({"a": 1}))
        ]
        .prop_map(|json| Value::Json(json.into())),
    ];
    prop_oneof![4 => scalar.clone(), 1 => proptest::collection::vec(scalar, 0..4).prop_map(Value::list)]
}

/// What `Value` calls equal and prints the same: one form, not two equal ones.
fn form(value: &Value) -> (std::mem::Discriminant<Value>, String) {
    (std::mem::discriminant(value), value.to_string())
}

#[test]
fn canonical_is_idempotent_and_survives_json() {
    let schema = Schema::eos().unwrap();
    // One leaf of each type is enough.
    let mut seen = std::collections::HashSet::new();
    let leaves: Vec<_> =
        schema.all().filter(|id| schema.kind(*id).is_leaf() && seen.insert((schema.kind(*id), schema.node(*id).describe()))).collect();
    assert!(leaves.len() > 300, "{}", leaves.len());
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut taken, strategy) = (0, any_value());
    for id in leaves {
        let choices = schema.node(id).choices().into_iter().map(Value::str).collect::<Vec<_>>();
        let values = (0..16).map(|_| strategy.new_tree(&mut runner).unwrap().current()).chain(choices).chain(schema.default_of(id));
        for value in values.collect::<Vec<_>>() {
            let Ok(canonical) = schema.canonical_at(id, value.clone()) else { continue };
            taken += 1;
            let node = schema.node(id);
            let again = schema.canonical_at(id, canonical.clone()).unwrap();
            assert_eq!(form(&again), form(&canonical), "{} {}: {value:?}", node.path(), node.describe().unwrap());
            let json = schema.json_ietf_at(id, &canonical);
            let back = schema.canonical_at(id, Value::from_json(&json)).unwrap_or_else(|problem| panic!("{problem}"));
            assert_eq!(form(&back), form(&canonical), "{} {}: {value:?} by {json}", node.path(), node.describe().unwrap());
        }
    }
    assert!(taken > 3000, "{taken}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn no_json_makes_it_panic(json in any_json(), root in prop_oneof![Just("/"), Just("/interfaces"), Just("/interfaces/interface[name=x]"), Just("/interfaces/interface"), Just("/system/config/hostname"), Just("/no/such")]) {
        thread_local!(static SCHEMA: Schema = Schema::eos().unwrap());
        SCHEMA.with(|schema| {
            let root = path(root);
            let (leaves, _) = schema.flatten_lossy(&root, &json);
            _ = schema.validate(&root, &json, fabric_orchestrator::yang::Mode::Config);
            _ = schema.validate(&root, &json, fabric_orchestrator::yang::Mode::Data);
            // What was understood comes back the same.
            let document = schema.document(&root, &leaves);
            let (again, issues) = schema.flatten_lossy(&root, &document);
            prop_assert!(leaves.is_empty() || issues.is_empty(), "{:?} of {}", issues, document);
            prop_assert_eq!(sorted(again), sorted(leaves));
            Ok(())
        })?;
    }

    #[test]
    fn no_path_makes_it_panic(text in ".{0,40}", value in any_value()) {
        thread_local!(static SCHEMA: Schema = Schema::eos().unwrap());
        SCHEMA.with(|schema| {
            if let Ok(path) = Path::parse(&text) {
                _ = schema.check_path(&path);
                _ = schema.canonical(&path, value.clone());
                _ = schema.json_ietf(&path, &value);
                _ = schema.document(&path, &[(path.clone(), value)]);
            }
            _ = schema.search(&text, 3);
        });
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), flips in proptest::collection::vec((0usize..1_000_000, any::<u8>()), 1..4)) {
        prop_assert!(Schema::from_bytes(&bytes).is_err());
        // The real table with some bytes changed: whatever is read must be safe to walk.
        let mut table = std::io::Read::bytes(flate2::read::GzDecoder::new(&include_bytes!("../src/yang/eos-4.35.0F.table.gz")[..])).collect::<Result<Vec<u8>, _>>().unwrap();
        let size = table.len();
        for (at, byte) in flips { table[at % size] = byte; }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        std::io::Write::write_all(&mut packed, &table).unwrap();
        if let Ok(schema) = Schema::from_bytes(&packed.finish().unwrap()) {
            for id in schema.all().take(400) {
                let node = schema.node(id);
                _ = (node.path(), node.describe(), node.choices(), schema.default_of(id), schema.canonical_at(id, Value::str("1")));
            }
        }
    }
}
