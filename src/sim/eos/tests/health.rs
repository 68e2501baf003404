//! Derived state: the healthy fabric, and that breaking one side shows on the other.

use super::*;
use serde_json::json;

fn established(fabric: &Fabric) -> usize {
    let pattern = path("/network-instances/network-instance/protocols/protocol/bgp/neighbors/neighbor/state/session-state");
    let up = |device: &Arc<Device>| {
        device.lock().state.iter().filter(|(path, leaf)| pattern.covers(path) && leaf.value == Value::str("ESTABLISHED")).count()
    };
    fabric.devices().map(up).sum()
}

#[test]
fn the_healthy_fabric_is_up() {
    let fabric = lab(Options::default());
    // 16 links and 4 pairs in the underlay, 16 EVPN sessions, each seen from both ends.
    assert_eq!(established(&fabric), 2 * (16 + 4 + 16));
    for (device, at, wanted) in [
        (
            "leaf8",
            "/network-instances/network-instance[name=gold]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors/neighbor[neighbor-address=10.90.90.1]/state/session-state",
            Value::str("ACTIVE"),
        ),
        ("leaf1", "/interfaces/interface[name=Port-Channel1]/state/oper-status", Value::str("UP")),
        ("leaf1", "/interfaces/interface[name=Vlan4091]/state/oper-status", Value::str("UP")),
        ("leaf1", "/interfaces/interface[name=Vxlan1]/state/oper-status", Value::str("UP")),
        ("leaf1", "/interfaces/interface[name=Ethernet11]/state/description", Value::str("spine1")),
        ("leaf1", "/lldp/interfaces/interface[name=Ethernet11]/neighbors/neighbor[id=1]/state/system-name", Value::str("spine1")),
        (
            "leaf1",
            "/lacp/interfaces/interface[name=Port-Channel999]/members/member[interface=Ethernet10]/state/synchronization",
            Value::str("IN_SYNC"),
        ),
    ] {
        assert_eq!(super::value(&fabric, device, at), Some(wanted), "{device} {at}");
    }
    let leaf1 = fabric.device("leaf1").unwrap().lock().derived.clone();
    assert!(leaf1.mlag.as_ref().is_some_and(|mlag| mlag.active && mlag.ports[&1].1 == "active-full"), "{:?}", leaf1.mlag);
    assert_eq!(leaf1.vteps.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.255.13"]);
    let leaf3 = fabric.device("leaf3").unwrap().lock().derived.clone();
    assert_eq!(leaf3.vteps.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.255.14"]);
}

/// Every leaf a device shows is one the schema can hold, in its one spelling.
#[test]
fn everything_shown_fits_the_schema() {
    let fabric = lab(Options::default());
    let schema = schema();
    for device in fabric.devices() {
        for (path, leaf) in &device.lock().state {
            let canonical = schema.canonical(path, leaf.value.clone());
            assert_eq!(canonical.as_ref(), Ok(&leaf.value), "{} {path}", device.name);
            schema.check_exact(path).unwrap();
        }
    }
}

#[test]
fn a_shut_port_shows_on_both_ends_and_heals() {
    let fabric = lab(Options::default());
    let all = established(&fabric);
    set(&fabric, "leaf4", &[update("/interfaces/interface[name=Ethernet12]/config/enabled", json!(false))]).unwrap();
    assert_eq!(super::value(&fabric, "spine2", "/interfaces/interface[name=Ethernet4]/state/oper-status"), Some(Value::str("DOWN")));
    assert_eq!(super::value(&fabric, "spine2", "/interfaces/interface[name=Ethernet4]/state/admin-status"), Some(Value::str("UP")));
    assert_eq!(session(&fabric, "leaf4", "10.0.2.6"), "ACTIVE");
    assert_eq!(session(&fabric, "spine2", "10.0.2.7"), "ACTIVE");
    assert_eq!(session(&fabric, "leaf4", "10.0.250.2"), "ESTABLISHED", "the loopback is reached over the pair");
    set(&fabric, "leaf4", &[update("/interfaces/interface[name=Ethernet12]/config/enabled", json!(true))]).unwrap();
    assert_eq!(established(&fabric), all);
    let transitions = format!("{BGP}/neighbors/neighbor[neighbor-address=10.0.2.6]/state/established-transitions");
    assert_eq!(super::value(&fabric, "leaf4", &transitions), Some(Value::Uint(2)));
}

#[test]
fn evpn_without_activation_on_a_spine_takes_the_overlay_down_only() {
    let fabric = lab(Options::default());
    let family = format!("{BGP}/peer-groups/peer-group[peer-group-name=evpn]/afi-safis/afi-safi[afi-safi-name=L2VPN_EVPN]");
    set(&fabric, "spine1", &[Op::Delete(path(&format!("{family}/config/enabled")))]).unwrap();
    assert_eq!(session(&fabric, "spine1", "10.0.250.11"), "ACTIVE");
    assert_eq!(session(&fabric, "leaf1", "10.0.250.1"), "ACTIVE");
    assert_eq!(session(&fabric, "leaf1", "10.0.1.0"), "ESTABLISHED");
    assert_eq!(session(&fabric, "leaf1", "10.0.250.2"), "ESTABLISHED");
    assert_eq!(fabric.device("leaf1").unwrap().lock().derived.vteps.len(), 1, "spine2 still carries the routes");
}

#[test]
fn a_vtep_nobody_advertises_is_gone_while_sessions_stay() {
    let fabric = lab(Options::default());
    let all = established(&fabric);
    for leaf in ["leaf3", "leaf4"] {
        set(&fabric, leaf, &[Op::Delete(path(&format!("{BGP}/global/networks/network[network=10.0.255.12/32]")))]).unwrap();
    }
    assert_eq!(established(&fabric), all);
    assert!(fabric.device("leaf7").unwrap().lock().derived.vteps.is_empty());
}

#[test]
fn a_route_target_of_its_own_cuts_a_leaf_from_the_vlan() {
    let fabric = lab(Options::default());
    let target = "/arista/eos/evpn/evpn-instances/evpn-instance[name=40]/route-target/config";
    let ops = ["import", "export"].map(|leaf| Op::Replace(path(&format!("{target}/{leaf}")), Payload::Json(json!(["40:110041"]))));
    set(&fabric, "leaf6", &ops).unwrap();
    assert!(fabric.device("leaf6").unwrap().lock().derived.vteps.is_empty());
    assert_eq!(fabric.device("leaf5").unwrap().lock().derived.vteps.len(), 1);
    // The trap: an update adds, the wrong target stays.
    set(&fabric, "leaf6", &[update(&format!("{target}/import"), json!(["40:110040"]))]).unwrap();
    assert_eq!(super::value(&fabric, "leaf6", &format!("{target}/import")), Some(Value::list(["40:110041", "40:110040"].map(Value::str))));
}

#[test]
fn a_lost_mlag_id_shows_as_configured_on_the_other_member() {
    let fabric = lab(Options::default());
    set(&fabric, "leaf6", &[Op::Delete(path("/interfaces/interface[name=Port-Channel1]/aggregation/config/mlag"))]).unwrap();
    let state = |name: &str| fabric.device(name).unwrap().lock().derived.mlag.clone().unwrap();
    assert_eq!(state("leaf5").ports[&1].1, "configured");
    assert!(state("leaf5").active && state("leaf6").ports.is_empty());
}

#[test]
fn power_and_reboot_are_seen_by_neighbors() {
    let fabric = lab(Options::default());
    fabric.power_off("spine1");
    assert_eq!(session(&fabric, "leaf1", "10.0.1.0"), "ACTIVE");
    assert_eq!(super::value(&fabric, "leaf1", "/interfaces/interface[name=Ethernet11]/state/oper-status"), Some(Value::str("DOWN")));
    let boot = super::value(&fabric, "spine1", "/system/state/boot-time");
    fabric.power_on("spine1", false);
    assert_eq!(session(&fabric, "leaf1", "10.0.1.0"), "ESTABLISHED");
    assert_ne!(super::value(&fabric, "spine1", "/system/state/boot-time"), boot);
}

/// The healthy state against documents of a real-looking one: `SIM_EOS_STATE=DIR` names a folder of `<device>.json`.
#[test]
#[ignore = "needs SIM_EOS_STATE"]
fn derived_state_agrees_with_given_documents() {
    let Ok(folder) = std::env::var("SIM_EOS_STATE") else { return };
    let fabric = lab(Options::default());
    let (mut compared, mut wrong) = (0, Vec::new());
    for device in fabric.devices() {
        let text = std::fs::read_to_string(std::path::Path::new(&folder).join(format!("{}.json", device.name))).unwrap();
        let (leaves, _) = schema().flatten_lossy(&Path::root(), &serde_json::from_str(&text).unwrap());
        let state = device.lock().state.clone();
        for (path, value) in leaves {
            let name = path.to_string();
            let moves = ["counters", "cpus", "memory", "time", "last-", "registration"].iter().any(|word| name.contains(word));
            if moves && !name.contains("lacp") {
                continue;
            }
            // Hosts' addresses are not in the topology.
            if name.contains("/neighbors/neighbor[ip=10.") && (name.contains(".10")) && !state.contains_key(&path) {
                continue;
            }
            compared += 1;
            match state.get(&path) {
                Some(leaf) if leaf.value == value => {}
                Some(leaf) if name.ends_with("/members/member") && sorted(&leaf.value) == sorted(&value) => {}
                other => wrong.push(format!("{} {path}: {:?} is not {value}", device.name, other.map(|leaf| leaf.value.to_string()))),
            }
        }
    }
    println!("{compared} compared, {} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(wrong.is_empty());
}

fn sorted(value: &Value) -> Vec<String> {
    let mut names: Vec<String> = match value {
        Value::Json(json) => json.as_array().unwrap().iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    names.sort();
    names
}

/// Every scenario of the lab can be done, and does what it says to the configuration of the devices it names.
#[test]
fn every_scenario_of_the_lab_happens() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/scenarios");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The others are scenarios of NetBox.
    names.retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('D')));
    names.sort();
    assert!(names.len() >= 13);
    for file in names {
        let scenario: Scenario = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert!(file.ends_with(format!("{}.json", scenario.id)), "{} is in {}", scenario.id, file.display());
        let fabric = lab(Options::default());
        let before: BTreeMap<String, Config> = fabric.devices().map(|device| (device.name.clone(), device.lock().config.clone())).collect();
        fabric.apply_scenario(&scenario).unwrap_or_else(|error| panic!("{}: {error}", scenario.id));
        let changed: Vec<&str> =
            fabric.devices().filter(|device| device.lock().config != before[&device.name]).map(|device| device.name.as_str()).collect();
        let mut named: Vec<&str> = scenario.event.iter().filter(|event| event.set.is_some()).map(|event| event.device.as_str()).collect();
        named.dedup();
        named.retain(|_| scenario.id != "D18"); // says the same again: nothing changes
        assert_eq!(changed, named, "{}", scenario.id);
        for name in changed {
            assert!(fabric.device(name).unwrap().lock().history.back().is_some_and(|entry| entry.user == "noc-kim" && entry.size > 0));
        }
        for device in fabric.devices() {
            let faulty = scenario.event.iter().any(|event| event.fault.is_some() && event.device == device.name);
            assert_eq!(device.faults() != Faults::default(), faulty, "{} {}", scenario.id, device.name);
        }
    }
}
