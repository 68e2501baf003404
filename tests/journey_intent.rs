//! The eight edits of intent (`lab/netbox/changes.json`), each replayed on the lab's NetBox: exactly the expected changes, in the
//! expected order; committed; in sync.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "journey/process.rs"]
#[allow(dead_code)] // each journey takes what it needs of it
mod process;

use std::time::{Duration, Instant};

use process::Lab;
use serde_json::{Value, json};

/// `(device, kind, how many)` of a plan, in plan order.
fn tally(plan: &Value) -> Vec<(String, String, usize)> {
    let mut rows: Vec<(String, String, usize)> = Vec::new();
    for change in plan["changes"].as_array().unwrap() {
        let (device, kind) = (change["device"].as_str().unwrap().to_owned(), change["kind"].as_str().unwrap().to_owned());
        match rows.iter_mut().find(|row| row.0 == device && row.1 == kind) {
            Some(row) => row.2 += 1,
            None => rows.push((device, kind, 1)),
        }
    }
    rows
}

/// What the plan says, checked by `look`; then it is committed and nothing is left.
fn edited(id: &str, expected: &[(&str, &str, usize)], waves: &Value, look: impl Fn(&[Value])) {
    let lab = Lab::start(&[id]);
    let (code, plan) = lab.json(&["plan", "--json"]);
    let expected: Vec<_> = expected.iter().map(|(device, kind, count)| ((*device).to_owned(), (*kind).to_owned(), *count)).collect();
    assert_eq!((code, tally(&plan)), (2, expected), "{id}: {plan:#}");
    assert_eq!(plan["waves"], *waves, "{id}");
    let changes = plan["changes"].as_array().unwrap();
    assert!(
        changes
            .iter()
            .all(|change| change["kind"] == "delete" || change["origin"]["url"].as_str().is_some_and(|url| url.starts_with("http")))
    );
    look(changes);
    let (code, done) = lab.json(&["apply", "--yes", "--json"]);
    assert_eq!((code, &done["applied"], &done["in_sync"]), (0, &Value::Bool(true), &Value::Bool(true)), "{id}: {done:#}");
    let (code, plan) = lab.json(&["plan", "--json"]);
    assert_eq!((code, &plan["in_sync"]), (0, &Value::Bool(true)), "{id}: {plan:#}");
}

/// The place of the first change whose path holds `piece`.
fn place(changes: &[Value], device: &str, piece: &str) -> usize {
    let found = changes.iter().position(|change| change["device"] == device && change["path"].as_str().unwrap().contains(piece));
    found.unwrap_or_else(|| panic!("no change of {device} at …{piece}…: {changes:#?}"))
}

#[test]
fn a_stretched_vlan_is_added_on_two_pairs() {
    let each = |device| [(device, "create", 7), (device, "update", 1)];
    let expected: Vec<_> = ["leaf1", "leaf5", "leaf2", "leaf6"].into_iter().flat_map(each).collect();
    edited("add-stretched-vlan", &expected, &json!([["leaf1", "leaf5"], ["leaf2", "leaf6"]]), |changes| {
        let order = ["vlans/vlan[vlan-id=50]", "vlan-to-vni[vlan=50]", "evpn-instance[name=50]", "trunk-vlans"];
        let places: Vec<_> = order.iter().map(|piece| place(changes, "leaf1", piece)).collect();
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!(changes[places[3]]["desired"], json!([40, 50]));
    });
}

#[test]
fn small_edits_are_small_plans() {
    edited("rename-uplink", &[("leaf3", "update", 1)], &json!([["leaf3"]]), |changes| {
        assert_eq!((&changes[0]["observed"], &changes[0]["desired"]), (&json!("spine1"), &json!("to spine1 Ethernet3")));
        assert_eq!(changes[0]["risk"], "none");
    });
    edited("change-mtu", &[("leaf2", "update", 1), ("spine1", "update", 1)], &json!([["leaf2", "spine1"]]), |changes| {
        assert!(changes.iter().all(|change| change["desired"] == 9000));
    });
    edited("limit-session-prefixes", &[("leaf5", "create", 1)], &json!([["leaf5"]]), |changes| {
        place(changes, "leaf5", "neighbor[neighbor-address=10.0.250.1]/prefix-limit");
        assert_eq!(changes[0]["desired"], 20000);
    });
    edited("delete-address", &[("leaf4", "delete", 1)], &json!([["leaf4"]]), |changes| {
        place(changes, "leaf4", "interface[name=Vlan34]/routed-vlan/ipv4/addresses/address[ip=10.34.34.3]");
    });
}

#[test]
fn a_vlan_and_its_peer_are_retired_backwards() {
    edited("retire-vlan-900", &[("leaf7", "delete", 4), ("leaf8", "delete", 4)], &json!([["leaf7"], ["leaf8"]]), |changes| {
        let order = ["neighbor[neighbor-address=10.90.90.1]", "/interfaces/interface[name=Vlan900]", "vlans/vlan[vlan-id=900]"];
        let places: Vec<_> = order.iter().map(|piece| place(changes, "leaf7", piece)).collect();
        assert!(places.is_sorted(), "{places:?}");
    });
}

#[test]
fn distinguishers_are_never_moved_on_both_members_at_once() {
    let expected = [("leaf1", "update", 1), ("leaf5", "update", 1), ("leaf2", "update", 1), ("leaf6", "update", 1)];
    edited("realign-rds", &expected, &json!([["leaf1", "leaf5"], ["leaf2", "leaf6"]]), |changes| {
        let wanted: Vec<_> = changes.iter().map(|change| change["desired"].as_str().unwrap()).collect();
        assert_eq!(wanted, ["10.0.250.11:40", "10.0.250.15:40", "10.0.250.12:40", "10.0.250.16:40"]);
    });
}

#[test]
fn a_second_vrf_comes_in_the_order_it_needs() {
    let expected = [("leaf3", "create", 18), ("leaf3", "update", 1), ("leaf4", "create", 18), ("leaf4", "update", 1)];
    edited("second-vrf", &expected, &json!([["leaf3"], ["leaf4"]]), |changes| {
        let order = [
            "network-instance[name=blue]/config",
            "vlans/vlan[vlan-id=35]",
            "network-instance[name=blue]/interfaces",
            "address[ip=10.35.35.2]",
            "vrf-to-vni[vrf=blue]",
            "global/evpn/import-target",
            "virtual-ip-addr[virtual-ip-addr-key=10.35.35.1/32]",
            "trunk-vlans",
        ];
        let places: Vec<_> = order.iter().map(|piece| place(changes, "leaf3", piece)).collect();
        assert!(places.is_sorted(), "{places:?}");
    });
}

#[test]
fn what_only_a_branch_wants_is_marked_and_never_sent() {
    let lab = Lab::start(&[]);
    let (status, _) = lab.netbox("POST", "/api/plugins/branching/branches/", &[], r#"{"name": "CR 7"}"#);
    assert_eq!(status, 201);
    let branch = || lab.netbox("GET", "/api/plugins/branching/branches/", &[], "").1["results"][0].clone();
    let end = Instant::now() + Duration::from_secs(30);
    while branch()["status"]["value"] != "ready" {
        assert!(Instant::now() < end, "{:#}", branch());
        std::thread::sleep(Duration::from_millis(20));
    }
    let schema = branch()["schema_id"].as_str().unwrap().to_owned();
    let port = "/api/dcim/interfaces/46/";
    assert_eq!(lab.netbox("PATCH", port, &[("X-NetBox-Branch", &schema)], r#"{"mtu": 9000}"#).0, 200);
    assert_eq!(lab.netbox("PATCH", port, &[], r#"{"description": "on main"}"#).0, 200);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("branch.json");
    let file = file.to_str().unwrap();
    let (code, plan) = lab.json(&["plan", "--branch", "CR 7", "--out", file, "--json"]);
    let marks: Vec<_> = plan["changes"].as_array().unwrap().iter().map(|change| (&change["desired"], change["unmerged"] == true)).collect();
    assert_eq!((code, marks), (2, vec![(&json!(9000), true)]), "the branch was made before main's edit: {plan:#}");
    let (code, done) = lab.json(&["apply", file, "--yes", "--json"]);
    assert_eq!((code, &done["devices"][0]["outcome"]), (3, &json!("refused")), "{done:#}");
    assert!(done["devices"][0]["reason"].as_str().unwrap().contains("merge"), "{done:#}");
    // Nothing of it is on the device: only what main wants is left to do.
    let (_, plan) = lab.json(&["plan", "--json"]);
    assert_eq!((plan["changes"].as_array().unwrap().len(), &plan["changes"][0]["desired"]), (1, &json!("on main")), "{plan:#}");
}
