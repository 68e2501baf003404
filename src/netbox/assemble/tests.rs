use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use super::*;
use crate::intent::map::{self, Desired};
use crate::path::Path;
use crate::tree::{Paths, Tree};
use crate::yang::Schema;

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::eos().unwrap());

fn lab(file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("lab").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const FILES: [(List, &str); 17] = [
    (List::Cables, "cables-all"),
    (List::Devices, "devices-all"),
    (List::Interfaces, "interfaces-all"),
    (List::Addresses, "ip-addresses-all"),
    (List::Services, "services"),
    (List::Vlans, "vlans"),
    (List::VlanGroups, "vlan-groups"),
    (List::Clusters, "clusters"),
    (List::Vrfs, "vrfs"),
    (List::L2vpns, "l2vpns"),
    (List::Terminations, "l2vpn-terminations"),
    (List::PeerGroups, "bgp-peer-group"),
    (List::Sessions, "bgp-session"),
    (List::PrefixLists, "bgp-prefix-list"),
    (List::PrefixRules, "bgp-prefix-list-rule"),
    (List::Policies, "bgp-routing-policy"),
    (List::PolicyRules, "bgp-routing-policy-rule"),
];

/// The recorded lists as JSON, to be edited.
fn recorded() -> BTreeMap<List, serde_json::Value> {
    static LISTS: LazyLock<BTreeMap<List, serde_json::Value>> = LazyLock::new(read_lists);
    LISTS.clone()
}

fn read_lists() -> BTreeMap<List, serde_json::Value> {
    FILES.iter().map(|(list, file)| (*list, serde_json::from_str(&lab(&format!("netbox/{file}.json"))).unwrap())).collect()
}

fn settings() -> Settings {
    Settings::new("http://127.0.0.1:8900/", "nbt_x.y".into())
}

fn fabric_of(lists: &BTreeMap<List, serde_json::Value>) -> Result<Assembled, Error> {
    let mut pages = Pages::default();
    for (list, json) in lists {
        pages.push(*list, "http://127.0.0.1:8900/", json.to_string()).unwrap();
    }
    assemble(&pages, &settings())
}

fn recorded_fabric() -> Fabric {
    fabric_of(&recorded()).unwrap().fabric
}

fn rows(lists: &mut BTreeMap<List, serde_json::Value>, list: List) -> &mut Vec<serde_json::Value> {
    lists.get_mut(&list).unwrap()["results"].as_array_mut().unwrap()
}

fn row(lists: &mut BTreeMap<List, serde_json::Value>, list: List, id: u64) -> &mut serde_json::Value {
    rows(lists, list).iter_mut().find(|row| row["id"] == id).unwrap()
}

fn mapped(fabric: &Fabric, device: &str) -> Desired {
    map::desired(fabric, &SCHEMA, device, &Paths::new())
}

fn texts(tree: &Tree) -> BTreeMap<String, String> {
    tree.sorted().into_iter().map(|(path, leaf)| (path.to_string(), format!("{:?}", leaf.value))).collect()
}

/// What the device of the lab holds: its document, and of its command lines those intent asks for.
fn device_leaves(name: &str) -> BTreeMap<String, String> {
    let json: serde_json::Value = serde_json::from_str(&lab(&format!("devices/{name}.json"))).unwrap();
    let leaves = SCHEMA.flatten(&Path::root(), &json).unwrap();
    let account = |path: &Path| path.to_string().starts_with("/system/aaa/");
    leaves.into_iter().filter(|(path, _)| !account(path)).map(|(path, value)| (path.to_string(), format!("{value:?}"))).collect()
}

const DEVICES: [&str; 10] = ["spine1", "spine2", "leaf1", "leaf2", "leaf3", "leaf4", "leaf5", "leaf6", "leaf7", "leaf8"];

#[test]
fn desired_is_what_the_devices_hold_leaf_for_leaf() {
    let fabric = recorded_fabric();
    assert_eq!(fabric.devices.len(), 10, "hosts have no tag");
    let mut compared = 0;
    for name in DEVICES {
        let desired = mapped(&fabric, name);
        assert!(!desired.is_incomplete(), "{name}: {:?}", desired.findings);
        let (yang, lines): (BTreeMap<_, _>, BTreeMap<_, _>) = texts(&desired.tree).into_iter().partition(|(path, _)| path.starts_with('/'));
        let device = device_leaves(name);
        compared += device.len();
        let wrong: Vec<_> = yang.iter().filter(|(path, value)| device.get(*path) != Some(value)).collect();
        assert!(wrong.is_empty(), "{name}, desired only: {wrong:#?}");
        let missing: Vec<_> = device.iter().filter(|(path, value)| yang.get(*path) != Some(value)).collect();
        assert!(missing.is_empty(), "{name}, on the device only: {missing:#?}");

        // Command lines: every one of the device is desired, accounts excepted.
        let running = lab(&format!("devices/{name}.cli"));
        let paths: Vec<_> = desired.tree.sorted().into_iter().filter(|(path, _)| path.origin.is_some()).collect();
        let held = map::cli::observe(&running, paths.iter().map(|(path, _)| &**path));
        let held: BTreeMap<_, _> = held.into_iter().map(|(path, value)| (path.to_string(), format!("{value:?}"))).collect();
        assert_eq!(held, lines, "{name}");
        let of_device = running.lines().filter(|line| !line.starts_with('!') && !line.starts_with("username"));
        let commands = of_device.filter(|line| line.starts_with(' ') || !running.contains(&format!("{line}\n   "))).count();
        assert_eq!(lines.len(), commands, "{name}: {lines:?}\n{running}");
    }
    assert!(compared > 1_800, "{compared} leaves compared");
}

/// What an edit of intent changes in the desired leaves of each device: `+path value`, `-path value`, sorted.
fn effect(edit: impl FnOnce(&mut BTreeMap<List, serde_json::Value>)) -> BTreeMap<String, Vec<String>> {
    let mut lists = recorded();
    let before = fabric_of(&lists).unwrap().fabric;
    edit(&mut lists);
    let after = fabric_of(&lists).unwrap().fabric;
    let values = |fabric: &Fabric, name: &str| -> BTreeMap<String, String> {
        mapped(fabric, name).tree.sorted().into_iter().map(|(path, leaf)| (path.to_string(), leaf.value.to_string())).collect()
    };
    let mut effects = BTreeMap::new();
    for name in DEVICES {
        let (old, new) = (values(&before, name), values(&after, name));
        let mut rows: Vec<String> =
            old.iter().filter(|(path, value)| new.get(*path) != Some(value)).map(|(p, v)| format!("-{p} {v}")).collect();
        rows.extend(new.iter().filter(|(path, value)| old.get(*path) != Some(value)).map(|(p, v)| format!("+{p} {v}")));
        if !rows.is_empty() {
            effects.insert(name.to_owned(), rows);
        }
    }
    effects
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";

#[test]
fn edit_add_stretched_vlan() {
    let effects = effect(|lists| {
        let target = json(r#"{"id":3,"name":"50:110050"}"#);
        let mut l2vpn = rows(lists, List::L2vpns)[0].clone();
        l2vpn["id"] = 2.into();
        l2vpn["name"] = "app-stretched".into();
        l2vpn["identifier"] = 110_050.into();
        l2vpn["import_targets"] = serde_json::Value::Array(vec![target.clone()]);
        l2vpn["export_targets"] = serde_json::Value::Array(vec![target]);
        rows(lists, List::L2vpns).push(l2vpn);
        for (vlan, group, old, ports) in [(14, 1, 1, [29, 38]), (15, 3, 7, [67, 76])] {
            let text = format!(
                r#"{{"id":{vlan},"vid":50,"name":"app-stretched","group":{{"id":{group}}},"status":{{"value":"active"}},"custom_fields":{{}}}}"#
            );
            rows(lists, List::Vlans).push(json(&text));
            rows(lists, List::Terminations).push(json(&format!(
                r#"{{"id":{vlan},"l2vpn":{{"id":2}},"assigned_object_type":"ipam.vlan","assigned_object_id":{vlan}}}"#
            )));
            for port in ports {
                // The order in which VLANs come says nothing.
                row(lists, List::Interfaces, port)["tagged_vlans"] =
                    json(&format!(r#"[{{"id":{vlan},"vid":50}},{{"id":{old},"vid":40}}]"#));
            }
        }
    });
    let expected = |asn: u32| {
        let evi = "/arista/eos/evpn/evpn-instances/evpn-instance[name=50]";
        let vlan = "/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=50]/config";
        let vni = "/interfaces/interface[name=Vxlan1]/arista-vxlan/vlan-to-vnis/vlan-to-vni[vlan=50]/config";
        vec![
            "-/interfaces/interface[name=Port-Channel1]/aggregation/switched-vlan/config/trunk-vlans [40]".to_owned(),
            format!("+{evi}/config/instance-type VLAN"),
            format!("+{evi}/config/name 50"),
            format!("+{evi}/config/redistribute [LEARNED]"),
            format!("+{evi}/config/route-distinguisher {asn}:110050"),
            format!("+{evi}/route-target/config/export [50:110050]"),
            format!("+{evi}/route-target/config/import [50:110050]"),
            format!("+{evi}/vlans/vlan[vlan-id=50]/config/vlan-id 50"),
            "+/interfaces/interface[name=Port-Channel1]/aggregation/switched-vlan/config/trunk-vlans [40, 50]".to_owned(),
            format!("+{vni}/vlan 50"),
            format!("+{vni}/vni 110050"),
            format!("+{vlan}/name app-stretched"),
            format!("+{vlan}/vlan-id 50"),
        ]
    };
    assert_eq!(effects.keys().collect::<Vec<_>>(), ["leaf1", "leaf2", "leaf5", "leaf6"]);
    assert_eq!(effects["leaf1"], expected(65001));
    assert_eq!(effects["leaf6"], expected(65003));
}

#[test]
fn edits_of_one_leaf() {
    let effects = effect(|lists| row(lists, List::Interfaces, 46)["description"] = "to spine1 Ethernet3".into());
    let leaf = "/interfaces/interface[name=Ethernet11]/config/description";
    assert_eq!(effects, BTreeMap::from([("leaf3".into(), vec![format!("-{leaf} spine1"), format!("+{leaf} to spine1 Ethernet3")])]));

    let effects = effect(|lists| [4, 36].into_iter().for_each(|id| row(lists, List::Interfaces, id)["mtu"] = 9000.into()));
    let mtu = |port: &str| {
        let leaf = format!("/interfaces/interface[name={port}]/subinterfaces/subinterface[index=0]/ipv4/config/mtu");
        vec![format!("-{leaf} 9214"), format!("+{leaf} 9000")]
    };
    assert_eq!(effects, BTreeMap::from([("spine1".into(), mtu("Ethernet2")), ("leaf2".into(), mtu("Ethernet11"))]));

    let effects = effect(|lists| row(lists, List::Sessions, 56)["max_prefixes"] = 20_000.into());
    let limit = format!("+{BGP}/neighbors/neighbor[neighbor-address=10.0.250.1]/prefix-limit/config/max-prefixes 20000");
    assert_eq!(effects, BTreeMap::from([("leaf5".into(), vec![limit])]));

    let effects = effect(|lists| row(lists, List::L2vpns, 1)["custom_fields"]["rd_template"] = "{router_id}:{vlan}".into());
    let rd = "/arista/eos/evpn/evpn-instances/evpn-instance[name=40]/config/route-distinguisher";
    let pair = |asn: u32, id: u8| vec![format!("-{rd} {asn}:110040"), format!("+{rd} 10.0.250.{id}:40")];
    let wanted = [("leaf1", pair(65001, 11)), ("leaf2", pair(65001, 12)), ("leaf5", pair(65003, 15)), ("leaf6", pair(65003, 16))];
    assert_eq!(effects, wanted.map(|(name, rows)| (name.to_owned(), rows)).into());

    let effects = effect(|lists| rows(lists, List::Addresses).retain(|row| row["id"] != 47));
    let address = "/interfaces/interface[name=Vlan34]/routed-vlan/ipv4/addresses/address[ip=10.34.34.3]/config";
    assert_eq!(
        effects,
        BTreeMap::from([("leaf4".into(), vec![format!("-{address}/ip 10.34.34.3"), format!("-{address}/prefix-length 24")])])
    );
}

#[test]
fn edit_retire_vlan_900() {
    let effects = effect(|lists| {
        for (list, ids) in
            [(List::Sessions, vec![68, 74]), (List::Addresses, vec![72, 82, 96]), (List::Interfaces, vec![81, 92]), (List::Vlans, vec![11])]
        {
            rows(lists, list).retain(|row| !ids.contains(&row["id"].as_u64().unwrap()));
        }
    });
    assert_eq!(effects.keys().collect::<Vec<_>>(), ["leaf7", "leaf8"]);
    let entries = ["vlan[vlan-id=900]", "interface[name=Vlan900]", "interface[id=Vlan900]", "neighbor[neighbor-address=10.90.90.1]"];
    for rows in effects.values() {
        assert!(rows.iter().all(|row| row.starts_with('-') && entries.iter().any(|entry| row.contains(entry))), "{rows:#?}");
        assert!(entries.iter().all(|entry| rows.iter().any(|row| row.contains(entry))));
    }
}

#[test]
fn edit_second_vrf() {
    let effects = effect(|lists| {
        let mut vrf = rows(lists, List::Vrfs)[0].clone();
        vrf["id"] = 2.into();
        vrf["name"] = "blue".into();
        for way in ["import_targets", "export_targets"] {
            vrf[way] = json(r#"[{"id":4,"name":"2:100002"}]"#);
        }
        vrf["custom_fields"] = json(r#"{"l3vni":100002,"rd_template":"{router_id}:2","redistribute":[{"source":"connected"}]}"#);
        rows(lists, List::Vrfs).push(vrf);
        rows(lists, List::Vlans)
            .push(json(r#"{"id":16,"vid":35,"name":"blue-subnet","group":{"id":2},"status":{"value":"active"},"custom_fields":{}}"#));
        for (device, svi, host, port) in [(5, 143, 2, 48), (6, 144, 3, 58)] {
            rows(lists, List::Interfaces).push(json(&format!(
                r#"{{"id":{svi},"device":{{"id":{device}}},"name":"Vlan35","enabled":true,"description":"blue","vrf":{{"id":2}},"mode":{{"value":"access"}},"untagged_vlan":{{"id":16,"vid":35}},"custom_fields":{{}}}}"#
            )));
            for (id, last, role) in [(svi + 100, host, "null"), (svi + 200, 1, r#""anycast""#)] {
                rows(lists, List::Addresses).push(json(&format!(
                    r#"{{"id":{id},"address":"10.35.35.{last}/24","vrf":{{"id":2}},"status":{{"value":"active"}},"role":{role},"assigned_object_type":"dcim.interface","assigned_object_id":{svi},"custom_fields":{{"virtual_ip":null}}}}"#
                )));
            }
            row(lists, List::Interfaces, port)["tagged_vlans"] = json(r#"[{"id":4,"vid":34},{"id":16,"vid":35}]"#);
        }
    });
    assert_eq!(effects.keys().collect::<Vec<_>>(), ["leaf3", "leaf4"]);
    let rows = &effects["leaf4"];
    let blue = "/network-instances/network-instance[name=blue]";
    for wanted in [
        format!("+{blue}/config/route-distinguisher 10.0.250.14:2"),
        format!("+{blue}/config/ipv4-routing-enabled true"),
        format!("+{blue}/protocols/protocol[identifier=BGP][name=BGP]/bgp/global/evpn/import-target [2:100002]"),
        format!("+{blue}/table-connections/table-connection[address-family=IPV4][dst-protocol=BGP][src-protocol=DIRECTLY_CONNECTED]/config/src-protocol DIRECTLY_CONNECTED"),
        format!("+{blue}/interfaces/interface[id=Vlan35]/config/interface Vlan35"),
        "+/interfaces/interface[name=Vxlan1]/arista-vxlan/vrf-to-vnis/vrf-to-vni[vrf=blue]/config/vni 100002".into(),
        "+/interfaces/interface[name=Vlan35]/routed-vlan/ipv4/addresses/address[ip=10.35.35.3]/config/prefix-length 24".into(),
        "+/arista/varp/config/varp-intf-config[intf-id=Vlan35]/virtual-ip-addr[virtual-ip-addr-key=10.35.35.1/32]/virtual-ip-addr-value true".into(),
        "+/interfaces/interface[name=Port-Channel1]/aggregation/switched-vlan/config/trunk-vlans [34, 35]".into(),
    ] {
        assert!(rows.contains(&wanted), "{wanted} not in {rows:#?}");
    }
    assert!(rows.iter().all(|row| !row.contains("gold")), "gold stays");
    assert_eq!(rows.iter().filter(|row| row.starts_with('-')).count(), 1, "only the trunk list changes");
}

#[test]
fn findings_of_the_recorded_fabric_are_its_known_inconsistencies() {
    let fabric = recorded_fabric();
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for finding in &fabric.findings {
        found.entry(&finding.code).or_default().push(finding.device.as_deref().unwrap_or("-"));
    }
    let leafs = ["leaf1", "leaf2", "leaf3", "leaf4", "leaf5", "leaf6", "leaf7", "leaf8"];
    let routing = ["leaf3", "leaf4", "leaf7", "leaf8"];
    let known: BTreeMap<&str, Vec<&str>> = [
        // MLAG heartbeats run in a VRF that does not exist.
        ("heartbeat-vrf-missing", leafs.to_vec()),
        // The EVI's RD is made of AS and VNI, alike on both members.
        ("rd-shared", vec!["leaf1", "leaf2", "leaf5", "leaf6"]),
        // 10.90.90.1 on VLAN 900 is nobody's, and no port carries the VLAN.
        ("neighbour-unknown", vec!["leaf7", "leaf8"]),
        ("vlan-on-no-port", vec!["leaf7", "leaf8"]),
        ("mlag-domain-reused", leafs.to_vec()),
        ("redistribute-unscoped", routing.to_vec()),
        // VLAN 34 and 78 have gateways and end at their pair.
        ("vlan-without-vni", routing.to_vec()),
        ("vrf-without-router-id", routing.to_vec()),
    ]
    .into();
    assert_eq!(found, known, "{:#?}", fabric.findings);
    assert!(fabric.findings.iter().all(|finding| finding.severity == Severity::Info));
    let vteps: Vec<_> = fabric.devices.iter().map(|device| device.vtep.clone().unwrap_or_default()).collect();
    assert_eq!(vteps[..3], ["10.0.255.11", "10.0.255.11", "10.0.255.12"]);
    let leaf1 = fabric.device("leaf1").unwrap();
    assert_eq!(
        (leaf1.management.as_deref(), leaf1.gnmi_port, leaf1.pair.as_deref()),
        (Some("172.16.0.25"), Some(6030), Some("leaf1+leaf2"))
    );
    assert_eq!(mapped(&fabric, "leaf1").management_vrfs, ["mgmt"]);
}

/// Codes of findings that `edit` brings.
fn found(edit: impl FnOnce(&mut BTreeMap<List, serde_json::Value>)) -> Vec<(String, Option<String>)> {
    let mut lists = recorded();
    edit(&mut lists);
    let fabric = fabric_of(&lists).unwrap().fabric;
    let mut all = fabric.findings.clone();
    for device in &fabric.devices {
        all.extend(mapped(&fabric, &device.name).findings.into_iter().filter(|finding| !fabric.findings.contains(finding)));
    }
    let known = recorded_fabric().findings;
    all.retain(|finding| !known.iter().any(|old| (&old.code, &old.message) == (&finding.code, &finding.message)));
    all.into_iter().map(|finding| (finding.code, finding.device.map(|name| name.to_string()))).collect()
}

#[test]
fn what_is_wrong_with_intent_is_said_with_its_device() {
    let has = |codes: &[(String, Option<String>)], code: &str, device: &str| {
        assert!(codes.iter().any(|(have, of)| have == code && of.as_deref() == Some(device)), "{code} on {device} not in {codes:?}");
    };
    let codes = found(|lists| rows(lists, List::Addresses).retain(|row| row["id"] != 47));
    has(&codes, "gateway-without-address", "leaf4");
    has(&codes, "pair-differs", "leaf4");
    let codes = found(|lists| row(lists, List::Addresses, 26)["address"] = "10.0.1.0/31".into());
    assert!(codes.iter().any(|(code, _)| code == "duplicate-address"), "{codes:?}");
    let codes = found(|lists| rows(lists, List::Addresses).retain(|row| row["id"] != 23));
    has(&codes, "session-without-address", "leaf1");
    let codes = found(|lists| rows(lists, List::Vlans).retain(|row| row["id"] != 2));
    has(&codes, "missing-vlan", "leaf1");
    let codes = found(|lists| rows(lists, List::Devices).retain(|row| row["name"] != "leaf2"));
    has(&codes, "pair-of-one", "leaf1");
    let codes = found(|lists| row(lists, List::Interfaces, 29)["tagged_vlans"] = json("[]"));
    has(&codes, "empty-trunk", "leaf1");
    has(&codes, "pair-differs", "leaf1");
    let codes = found(|lists| row(lists, List::Interfaces, 29)["custom_fields"]["mlag_id"] = "one".into());
    has(&codes, "bad-field", "leaf1");
    let codes = found(|lists| rows(lists, List::Vrfs).clear());
    has(&codes, "missing-vrf", "leaf3");
    has(&codes, "session-without-address", "leaf7");
    let codes = found(|lists| rows(lists, List::L2vpns).clear());
    has(&codes, "missing-l2vpn", "leaf5");
    let codes = found(|lists| row(lists, List::Interfaces, 36)["mtu"] = 65536.into());
    has(&codes, "not-in-model", "leaf2");
    let codes = found(|lists| row(lists, List::L2vpns, 1)["custom_fields"]["rd_template"] = "{loopback}:1".into());
    has(&codes, "bad-template", "leaf1");
    let codes = found(|lists| row(lists, List::PeerGroups, 4)["extra_attributes"]["timers"] = json("[1,3]"));
    has(&codes, "unmapped-attribute", "leaf1");
    let codes = found(|lists| row(lists, List::Sessions, 68)["extra_attributes"]["address_families"] = "ipv4".into());
    has(&codes, "bad-field", "leaf7");
}

#[test]
fn rules_between_two_ends_find_what_was_broken_and_nothing_else() {
    // What the edit adds to the findings of the untouched fabric.
    let fresh = |edit: &dyn Fn(&mut BTreeMap<List, serde_json::Value>)| -> Vec<(String, String)> {
        let known: Vec<_> = recorded_fabric().findings.iter().map(|finding| (finding.code.clone(), finding.message.clone())).collect();
        let mut lists = recorded();
        edit(&mut lists);
        let found = fabric_of(&lists).unwrap().fabric.findings.into_iter();
        found.map(|finding| (finding.code, finding.message)).filter(|finding| !known.contains(finding)).collect()
    };
    // (edit, rule, words). Cable 1 joins spine1 Ethernet1 (#3) and leaf1 Ethernet11 (#27).
    let only = |found: Vec<(String, String)>, code: &str, words: &str| {
        assert!(found.iter().any(|(have, message)| have == code && message.contains(words)), "{code} {words}: {found:#?}");
        assert!(found.iter().all(|(have, _)| have == code), "only {code} was broken: {found:#?}");
    };
    only(fresh(&|lists| row(lists, List::Interfaces, 27)["mtu"] = 1400.into()), "link-mtu-differs", "MTU");
    only(fresh(&|lists| row(lists, List::Interfaces, 27)["enabled"] = false.into()), "link-half-shut", "leaf1 Ethernet11 is shut");
    let found = fresh(&|lists| row(lists, List::Interfaces, 27)["mode"] = "access".into());
    assert!(found.iter().any(|(code, _)| code == "link-modes-differ"), "{found:#?}");
    let found = fresh(&|lists| {
        let address = rows(lists, List::Addresses).iter_mut().find(|row| row["assigned_object_id"] == 27).unwrap();
        address["address"] = "10.77.0.1/31".into();
    });
    assert!(found.iter().any(|(code, message)| code == "link-subnets-differ" && message.contains("10.77.0.0/31")), "{found:#?}");
    assert!(found.iter().any(|(code, message)| code == "neighbour-unknown" && message.contains("10.")), "{found:#?}");
    let found = fresh(&|lists| rows(lists, List::Addresses).retain(|row| row["assigned_object_id"] != 27));
    assert!(found.iter().any(|(code, _)| code == "link-one-address"), "{found:#?}");
    // One end of a session gone; another AS than the neighbour's.
    let spine_end = |row: &serde_json::Value| row["device"]["name"] == "spine1" && row["remote_as"]["asn"] == 65001;
    only(
        fresh(&|lists| {
            let list = rows(lists, List::Sessions);
            let gone = list.iter().position(spine_end).unwrap();
            list.remove(gone);
        }),
        "session-one-sided",
        "spine1 has none with",
    );
    let found = fresh(&|lists| {
        row(lists, List::Devices, 3)["custom_fields"]["asn"] = 65009.into();
        rows(lists, List::Sessions).iter_mut().for_each(|row| row["local_as"] = json("null"));
    });
    assert!(found.iter().any(|(code, message)| code == "remote-as-wrong" && message.contains("leaf1 is AS 65009")), "{found:#?}");
    // VNIs, VTEPs, route distinguishers.
    only(fresh(&|lists| row(lists, List::Vrfs, 1)["custom_fields"]["l3vni"] = 110_040.into()), "vni-reused", "VNI 110040 is used by");
    let found = fresh(&|lists| rows(lists, List::Terminations).truncate(1));
    assert!(found.iter().any(|(code, message)| code == "vlan-without-vni" && message.contains("VLAN 40")), "{found:#?}");
    only(
        fresh(&|lists| {
            for row in rows(lists, List::Addresses).iter_mut().filter(|row| row["address"] == "10.0.255.11/32") {
                row["tags"] = json("[]");
            }
        }),
        "vtep-not-announced",
        "10.0.255.11",
    );
    let found = fresh(&|lists| {
        for vpn in [List::L2vpns, List::Vrfs] {
            rows(lists, vpn).iter_mut().for_each(|row| row["custom_fields"]["rd_template"] = "{router_id}:7".into());
            rows(lists, List::Devices).iter_mut().for_each(|row| row["config_context"]["vrf_overrides"] = json("{}"));
        }
        row(lists, List::Interfaces, 22)["vrf"] = json(r#"{"id":1}"#);
    });
    assert!(found.iter().any(|(code, message)| code == "rd-reused" && message.contains("VRF gold")), "{found:#?}");
    // A trunk that carries another set of VLANs at its two ends: the peer link of the first pair.
    let found = fresh(&|lists| {
        for (port, vlans) in [(26, r#"[{"id":1,"vid":40}]"#), (35, r#"[{"id":1,"vid":40},{"id":2,"vid":4090}]"#)] {
            row(lists, List::Interfaces, port)["mode"] = "tagged".into();
            row(lists, List::Interfaces, port)["tagged_vlans"] = json(vlans);
        }
    });
    assert!(found.iter().any(|(code, words)| code == "link-vlans-differ" && words.contains("VLAN 4090 on leaf2")), "{found:#?}");
}

#[test]
fn maintenance_is_a_status_or_a_tag() {
    let mut lists = recorded();
    row(&mut lists, List::Devices, 3)["status"] = json(r#"{"value":"offline","label":"Offline"}"#);
    row(&mut lists, List::Devices, 4)["tags"].as_array_mut().unwrap().push(json(r#"{"slug":"maintenance"}"#));
    row(&mut lists, List::Interfaces, 46)["tags"] = json(r#"[{"slug":"maintenance"}]"#);
    let fabric = fabric_of(&lists).unwrap().fabric;
    assert_eq!(["leaf1", "leaf2", "leaf3"].map(|name| mapped(&fabric, name).maintenance), [true, true, false]);
    let held = mapped(&fabric, "leaf3").held;
    assert_eq!(held.iter().map(Path::to_string).collect::<Vec<_>>(), ["/interfaces/interface[name=Ethernet11]"]);
}

#[test]
fn said_twice_in_any_order_or_once_for_both_makes_no_difference() {
    // D18: a network said twice; another order of all lists.
    let effects = effect(|lists| {
        let mut twin = row(lists, List::Addresses, 25).clone();
        twin["id"] = 999.into();
        rows(lists, List::Addresses).push(twin);
        for list in lists.values_mut() {
            list["results"].as_array_mut().unwrap().reverse();
        }
    });
    assert_eq!(effects, BTreeMap::new());
    // D27: the VTEP address held once, on one member.
    let effects = effect(|lists| rows(lists, List::Addresses).retain(|row| row["id"] != 32));
    assert_eq!(effects, BTreeMap::new());
    let codes = found(|lists| rows(lists, List::Addresses).retain(|row| row["id"] != 32));
    assert_eq!(codes, [("shared-once".to_owned(), Some("leaf2".to_owned()))]);
    // Choices plain instead of {value, label}, MAC in colons, fields under other names.
    let effects = effect(|lists| {
        for row in rows(lists, List::Interfaces) {
            let plain = row["mode"]["value"].clone();
            row["mode"] = plain;
        }
        for row in rows(lists, List::Devices) {
            if row["custom_fields"]["mlag_virtual_mac"].is_string() {
                row["custom_fields"]["mlag_virtual_mac"] = "C0:01:ca:fe:ba:be".into();
            }
        }
    });
    assert_eq!(effects, BTreeMap::new());
}

#[test]
fn custom_fields_may_have_other_names() {
    let mut lists = recorded();
    for row in rows(&mut lists, List::Devices) {
        let fields = row["custom_fields"].as_object_mut().unwrap();
        let asn = fields.shift_remove("asn").unwrap();
        fields.insert("bgp_as".into(), asn);
    }
    let unknown = fabric_of(&lists).unwrap().fabric;
    assert!(unknown.findings.iter().any(|finding| finding.code == "missing-custom-field" && finding.message.contains("`asn`")));
    let mut pages = Pages::default();
    for (list, json) in &lists {
        pages.push(*list, "x", json.to_string()).unwrap();
    }
    let mut settings = settings();
    settings.fields = serde_json::from_str(r#"{"asn":"bgp_as"}"#).unwrap();
    let known = assemble(&pages, &settings).unwrap().fabric;
    assert_eq!(texts(&mapped(&known, "leaf1").tree), texts(&mapped(&recorded_fabric(), "leaf1").tree));
}

#[test]
fn every_leaf_knows_its_object() {
    let fabric = recorded_fabric();
    let desired = mapped(&fabric, "leaf7");
    for (path, leaf) in desired.tree.sorted() {
        let origin = desired.tree.origin(leaf).unwrap_or_else(|| panic!("{path} has no origin"));
        assert!(origin.object.contains(" #") && origin.url.starts_with("http://127.0.0.1:8900/"), "{path}: {origin:?}");
    }
    let origin = |text: &str| {
        let leaf = desired.tree.get(&Path::parse(text).unwrap()).unwrap_or_else(|| panic!("{text}"));
        desired.tree.origin(leaf).unwrap().object.clone()
    };
    assert_eq!(origin("/interfaces/interface[name=Ethernet11]/config/description"), "interface leaf7 Ethernet11 #85");
    assert_eq!(origin("/network-instances/network-instance[name=gold]/config/route-distinguisher"), "VRF gold #1");
    assert_eq!(origin("/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=900]/config/name"), "VLAN 900 bgp-border #11");
}

#[test]
fn exhaustive_patterns_are_in_the_model() {
    let fabric = recorded_fabric();
    for name in ["leaf1", "leaf7", "spine1"] {
        for pattern in &*mapped(&fabric, name).exhaustive {
            if pattern.origin.is_none() {
                let mut plain = Path::clone(pattern);
                // `Vlan*` is for matching; the model checks what it stands for.
                plain.elems.iter_mut().flat_map(|elem| &mut elem.keys).for_each(|(_, value)| {
                    if value.ends_with('*') {
                        *value = "*".into();
                    }
                });
                let node = SCHEMA.check_path(&plain).unwrap_or_else(|problem| panic!("{problem}"));
                assert!(SCHEMA.kind(node).is_leaf() || pattern.elems.last().is_some_and(|elem| !elem.keys.is_empty()), "{pattern}");
            }
        }
    }
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// Objects vanish in any combination: nothing panics, what is left is mapped, no device is invented.
        #[test]
        fn any_subset_of_objects_maps(keep in proptest::collection::vec(any::<u64>(), 16)) {
            let mut lists = recorded();
            for (list, seed) in lists.values_mut().zip(&keep) {
                let mut at = 0u32;
                list["results"].as_array_mut().unwrap().retain(|_| {
                    at += 1;
                    // Some lists whole, some empty, most with holes.
                    match seed % 8 {
                        0 => false,
                        1..=3 => true,
                        _ => seed.rotate_left(at * 7) % 4 != 0,
                    }
                });
            }
            let fabric = fabric_of(&lists).unwrap().fabric;
            for name in DEVICES {
                let desired = mapped(&fabric, name);
                prop_assert_eq!(fabric.device(name).is_none(), desired.findings.iter().any(|finding| finding.code == "unknown-device"));
                prop_assert!(fabric.device(name).is_some() || desired.tree.is_empty());
            }
        }

        /// A custom field of any kind of value is read, or a finding; never a panic, never a silent other meaning.
        #[test]
        fn any_value_of_a_field_is_read_or_found(field in "(mlag_id|lacp_fallback|trunk_groups|vxlan_source_interface|autostate|stp_link_type)", value in prop_oneof![
            Just(json("null")), Just(json("7")), Just(json("true")), Just(json("\"x\"")), Just(json("[]")), Just(json("{}")), Just(json("-1")), Just(json("1.5")),
        ]) {
            let mut lists = recorded();
            row(&mut lists, List::Interfaces, 29)["custom_fields"][&field] = value;
            let fabric = fabric_of(&lists).unwrap().fabric;
            let _ = mapped(&fabric, "leaf1");
        }
    }
}

#[test]
fn policies_are_mapped_where_they_apply_and_missing_ones_are_said() {
    let with_policy = |applies: &str| {
        let mut lists = recorded();
        for (list, file) in [
            (List::PrefixLists, "bgp-prefix-list"),
            (List::PrefixRules, "bgp-prefix-list-rule"),
            (List::Policies, "bgp-routing-policy"),
            (List::PolicyRules, "bgp-routing-policy-rule"),
        ] {
            let text = match file {
                "bgp-prefix-list" => format!(r#"{{"id":1,"name":"PL","family":"ipv4","custom_fields":{{"applies_to":{applies}}}}}"#),
                "bgp-prefix-list-rule" => r#"{"id":1,"prefix_list":{"id":1},"index":10,"action":"permit","prefix_custom":"10.0.250.0/24","ge":32,"le":32,"prefix":null}"#.into(),
                "bgp-routing-policy" => format!(r#"{{"id":1,"name":"RM","custom_fields":{{"applies_to":{applies}}}}}"#),
                _ => r#"{"id":1,"index":10,"action":"permit","routing_policy":{"id":1},"match_ip_address":[{"id":1,"name":"PL"}],"match_community":[],"set_actions":null}"#.into(),
            };
            rows(&mut lists, list).push(json(&text));
        }
        row(&mut lists, List::PeerGroups, 3)["export_policies"] = json(r#"[{"id":1,"name":"RM"}]"#);
        fabric_of(&lists).unwrap().fabric
    };
    let fabric = with_policy(r#"[{"id":3,"name":"leaf1"}]"#);
    let leaves = texts(&mapped(&fabric, "leaf1").tree);
    for wanted in [
        "/routing-policy/defined-sets/prefix-sets/prefix-set[name=PL]/prefixes/prefix[ip-prefix=10.0.250.0/24][masklength-range=32..32]/config/ip-prefix",
        "/routing-policy/policy-definitions/policy-definition[name=RM]/statements/statement[name=10]/conditions/match-prefix-set/config/prefix-set",
        &format!("{BGP}/peer-groups/peer-group[peer-group-name=underlay_ibgp]/apply-policy/config/export-policy"),
    ] {
        assert!(leaves.contains_key(wanted), "{wanted}");
    }
    assert!(!mapped(&fabric, "leaf1").is_incomplete());
    let other = mapped(&fabric, "leaf2");
    assert!(other.findings.iter().any(|finding| finding.code == "missing-policy"), "{:?}", other.findings);
    assert!(!mapped(&with_policy("null"), "leaf2").is_incomplete(), "a policy that is no device's own counts for all");
}
