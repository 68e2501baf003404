//! What is a difference and what is none, on the devices of the lab.

use super::lab::{self, path, schema};
use super::*;
use crate::tree::Paths;

fn diff(desired: &Tree, exhaustive: &[&str], observed: &Tree, applied: Option<&Tree>) -> DeviceDiff {
    let exhaustive: Vec<Path> = exhaustive.iter().map(|text| path(text)).collect();
    let rules = Rules::default();
    device(&DeviceInput { name: Arc::from("leaf"), desired, exhaustive: &exhaustive, observed, applied, schema: schema(), rules: &rules })
}

fn lines(diff: &DeviceDiff) -> Vec<String> {
    let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    diff.changes.iter().map(|c| format!("{} {} {} -> {}", c.kind, c.path, text(&c.observed), text(&c.desired))).collect()
}

const VLANS: &str = "/network-instances/network-instance[name=default]/vlans/vlan";
const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";

#[test]
fn a_device_does_not_differ_from_itself() {
    let paths = Paths::new();
    for name in ["spine1", "leaf1", "leaf3", "leaf7"] {
        let tree = lab::device(name, &paths);
        let found = diff(&tree, &[VLANS, "/interfaces/interface"], &tree, Some(&tree));
        assert_eq!(lines(&found), Vec::<String>::new(), "{name}");
        assert!(found.findings.is_empty() && found.foreign.is_empty());
        assert_eq!(found.tally.equal + found.tally.protected, tree.len());
        assert!(found.tally.protected >= 10, "{:?}", found.tally);
    }
}

#[test]
fn spellings_defaults_twins_and_what_every_device_has_are_no_difference() {
    let paths = Paths::new();
    let desired = lab::device("leaf3", &paths);
    let mut observed = desired.clone();
    let mut set = |text: &str, value: Value| _ = observed.set(&path(text), value, 1);
    // State, implicit entries, injected defaults, order.
    set("/interfaces/interface[name=Ethernet1]/state/oper-status", "UP".into());
    set(&format!("{VLANS}[vlan-id=1]/config/vlan-id"), Value::Uint(1));
    set(&format!("{VLANS}[vlan-id=1]/config/name"), "default".into());
    set("/network-instances/network-instance[name=default]/interfaces/interface[id=Ethernet11]/config/id", "Ethernet11".into());
    set("/network-instances/network-instance[name=default]/tables/table[protocol=BGP][address-family=IPV4]/config/protocol", "BGP".into());
    set("/stp/global/config/disabled-vlan", Value::list([Value::Uint(4091), Value::Uint(4090), Value::Uint(4090)]));
    set("/interfaces/interface[name=Vlan34]/routed-vlan/ipv4/config/mtu", Value::Uint(1500));
    observed.set(&lab::cli_line("", "ip virtual-router mac-address"), "c0:01:ca:fe:ba:be".into(), 1);
    // Twins and defaults the device leaves out; EOS's own index.
    let next_hop = |index: &str| {
        format!(
            "/network-instances/network-instance[name=default]/protocols/protocol[identifier=STATIC][name=STATIC]/static-routes/\
             static[prefix=100.64.0.0/10]/next-hops/next-hop[index={index}]/config"
        )
    };
    let own = next_hop("AUTO_1_172-16-0-254");
    assert!(observed.remove(&path(&format!("{own}/index"))).is_some() && observed.remove(&path(&format!("{own}/next-hop"))).is_some());
    observed.set(&path(&format!("{}/next-hop", next_hop("7"))), "172.16.0.254".into(), 1);
    observed.set(&path(&format!("{}/index", next_hop("7"))), "7".into(), 1);
    assert!(observed.remove(&path("/lacp/interfaces/interface[name=Port-Channel1]/config/lacp-mode")).is_some());
    assert!(observed.remove(&path("/interfaces/interface[name=Ethernet1]/config/name")).is_some());
    assert!(
        observed
            .remove(&path("/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/config/name"))
            .is_some()
    );
    let found = diff(&desired, &[VLANS], &observed, None);
    assert_eq!(lines(&found), Vec::<String>::new());
    assert!(found.foreign.is_empty(), "{:?}", found.foreign);
    assert_eq!(found.tally.equal + found.tally.protected, desired.len());
}

#[test]
fn a_default_of_the_model_is_not_trusted_where_eos_does_otherwise() {
    let paths = Paths::new();
    let desired = lab::device("spine1", &paths);
    let mut observed = desired.clone();
    observed.remove(&path("/network-instances/network-instance[name=default]/config/ipv4-routing-enabled"));
    let found = diff(&desired, &[], &observed, None);
    assert_eq!(lines(&found), ["create /network-instances/network-instance[name=default]/config/ipv4-routing-enabled - -> true"]);
}

#[test]
fn only_what_was_ours_is_deleted_and_entries_go_whole() {
    let paths = Paths::new();
    let observed = lab::device("leaf7", &paths);
    let mut desired = observed.clone();
    for gone in [format!("{VLANS}[vlan-id=900]"), "/interfaces/interface[name=Vlan900]".into()] {
        assert!(desired.delete(&path(&gone)) > 0);
    }
    let nobody = diff(&desired, &[], &observed, None);
    assert_eq!(lines(&nobody), Vec::<String>::new());
    assert_eq!(nobody.tally.foreign, 2 + 6, "{:?}", nobody.foreign.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>());

    let claimed = diff(&desired, &[VLANS], &observed, None);
    assert_eq!(lines(&claimed), [format!("delete {VLANS}[vlan-id=900] {{\"config/name\":\"bgp-border\",\"config/vlan-id\":900}} -> -")]);
    assert_eq!(claimed.tally.foreign, 6);

    let committed = diff(&desired, &[], &observed, Some(&observed));
    assert_eq!(
        committed.changes.iter().map(|c| c.path.to_string()).collect::<Vec<_>>(),
        [format!("{VLANS}[vlan-id=900]"), "/interfaces/interface[name=Vlan900]".to_owned()]
    );
    assert_eq!(committed.changes[0].origin.as_ref().unwrap().object, "device leaf7");
}

#[test]
fn a_leaf_in_a_wanted_entry_goes_only_if_we_committed_it() {
    let paths = Paths::new();
    let desired = lab::device("leaf1", &paths);
    let mut observed = desired.clone();
    let leaf = path("/interfaces/interface[name=Vlan4091]/config/load-interval");
    let description = path("/interfaces/interface[name=Vxlan1]/config/description");
    observed.set(&description, "by hand".into(), 1);
    let found = diff(&desired, &["/interfaces/interface"], &observed, None);
    assert_eq!((found.changes.len(), found.tally.foreign), (0, 1), "{leaf} {:?}", lines(&found));
    let mut applied = desired.clone();
    applied.set(&description, "by us".into(), 0);
    let found = diff(&desired, &[], &observed, Some(&applied));
    assert_eq!(lines(&found), [format!("delete {description} by hand -> -")]);
    let found = diff(&desired, &["/interfaces/interface/config/description"], &observed, None);
    assert_eq!(lines(&found), [format!("delete {description} by hand -> -")]);
}

#[test]
fn protected_paths_are_findings_never_changes() {
    let paths = Paths::new();
    let observed = lab::device("leaf1", &paths);
    let mut desired = observed.clone();
    desired.set(&path("/interfaces/interface[name=Management0]/config/description"), "oob".into(), 0);
    desired.set(&path("/system/grpc-servers/grpc-server[name=default]/config/port"), Value::Uint(6031), 0);
    desired.delete(&path("/system/aaa"));
    desired.set(&path("/interfaces/interface[name=Ethernet1]/config/no-such-leaf"), Value::Uint(1), 0);
    desired.set(&path("/interfaces/interface[name=Ethernet1]/state/oper-status"), "UP".into(), 0);
    let found = diff(&desired, &["/system/aaa/authentication/users/user"], &observed, Some(&observed));
    assert_eq!(lines(&found), Vec::<String>::new());
    let codes: Vec<_> = found.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["unknown-path", "read-only-path", "protected-path", "protected-path"], "{:#?}", found.findings);
    assert!(found.findings[3].message.contains("6031") && found.findings[3].message.contains("6030"));
}

#[test]
fn a_static_route_is_told_by_its_next_hop() {
    let paths = Paths::new();
    let desired = lab::device("leaf1", &paths);
    let mut observed = desired.clone();
    let list = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=STATIC][name=STATIC]/static-routes/static[prefix=100.64.0.0/10]/next-hops";
    let ours = format!("{list}/next-hop[index=AUTO_1_172-16-0-254]/config");
    observed.delete(&path(&format!("{list}/next-hop")));
    observed.set(&path(&format!("{list}/next-hop[index=EOS]/config/next-hop")), "172.16.0.254".into(), 1);
    let mut wanted = desired.clone();
    wanted.set(&path(&format!("{ours}/metric")), Value::Uint(5), 0);
    let found = diff(&wanted, &[], &observed, None);
    assert_eq!(lines(&found), [format!("create {list}/next-hop[index=EOS]/config/metric - -> 5")]);
    observed.set(&path(&format!("{list}/next-hop[index=EOS]/config/next-hop")), "172.16.0.9".into(), 1);
    let found = diff(&desired, &[&format!("{list}/next-hop")], &observed, None);
    assert_eq!(found.changes.iter().map(|c| c.kind).collect::<Vec<_>>(), [Kind::Create, Kind::Delete], "{:?}", lines(&found));
}

#[test]
fn incremental_is_from_scratch() {
    let paths = Paths::new();
    let desired = lab::device("leaf7", &paths);
    let mut observed = desired.clone();
    let mut catalog = Catalog::new(Rules::default());
    let mut differ = Differ::new(Arc::from("leaf"));
    let exhaustive = Arc::from([Arc::new(path(VLANS))]);
    let steps: Vec<(String, Option<Value>)> = vec![
        (format!("{VLANS}[vlan-id=78]/config/name"), Some("x".into())),
        (format!("{VLANS}[vlan-id=79]/config/vlan-id"), Some(Value::Uint(79))),
        (format!("{VLANS}[vlan-id=79]/config/name"), Some("y".into())),
        (format!("{VLANS}[vlan-id=78]/config/name"), Some("vrf-gold-subnet".into())),
        (format!("{VLANS}[vlan-id=78]/config/vlan-id"), None),
        (format!("{VLANS}[vlan-id=78]/config/name"), None),
        (format!("{VLANS}[vlan-id=79]/config/vlan-id"), None),
        ("/interfaces/interface[name=Vxlan1]/config/description".into(), Some("z".into())),
        (format!("{VLANS}[vlan-id=79]/config/name"), None),
        (format!("{BGP}/global/networks/network[network=10.0.255.14/32]/config/network"), None),
        ("/stp/global/config/disabled-vlan".into(), Some(Value::list([Value::str("4090..4091")]))),
        ("/interfaces/interface[name=Vxlan1]/config/description".into(), None),
        ("/system/config/hostname".into(), Some("q".into())),
    ];
    for (text, value) in steps {
        match value {
            Some(value) => _ = observed.set(&path(&text), value, 1),
            None => assert!(observed.remove(&path(&text)).is_some(), "{text}"),
        }
        catalog.learn(schema(), &paths);
        let now = differ.update(&catalog, &Sides { desired: &desired, exhaustive: &exhaustive, observed: &observed, applied: None });
        let fresh = diff(&desired, &[VLANS], &observed, None);
        assert_eq!(now, &fresh, "after {text}");
    }
}
