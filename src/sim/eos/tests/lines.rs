//! The command line: what it shows, and that its lines and the leaves are one configuration.

use super::*;
use serde_json::json;

fn running(fabric: &Fabric, device: &str) -> String {
    cli::render::running(&fabric.device(device).unwrap().lock().config)
}

#[test]
fn the_running_configuration_has_leaves_and_lines_in_one_block() {
    let fabric = lab(Options::default());
    let text = running(&fabric, "leaf1");
    for wanted in [
        "\nhostname leaf1\n",
        "\nip virtual-router mac-address c001.cafe.babe\n",
        "interface Vlan4090\n   description MLAG Peer-Link\n   ip address 10.0.199.254/31\n   no autostate\n",
        "   maximum-paths 4 ecmp 64\n",
        "   no bgp default ipv4-unicast\n",
        "   !\n   address-family evpn\n      neighbor evpn activate\n",
        "   !\n   vlan 40\n      rd 65001:110040\n      route-target both 40:110040\n      redistribute learned\n",
        "interface Port-Channel1\n",
        "   channel-group 1 mode active\n",
        "   vxlan vlan 40 vni 110040\n",
        "   provider eos-native\n",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
    assert!(!text.contains("maximum-paths 4\n"));
}

#[test]
fn commands_write_leaves_and_share_their_mode() {
    let fabric = lab(Options::default());
    let ops = ["interface Ethernet12", "description to spine2\n   shutdown", "exit", "ip virtual-router mac-address 0000.cafe.0001"]
        .map(|text| Op::Cli(text.to_owned()));
    set(&fabric, "leaf4", &ops).unwrap();
    assert_eq!(super::value(&fabric, "leaf4", "/interfaces/interface[name=Ethernet12]/config/description"), Some(Value::str("to spine2")));
    assert_eq!(super::value(&fabric, "spine2", "/interfaces/interface[name=Ethernet4]/state/oper-status"), Some(Value::str("DOWN")));
    let text = running(&fabric, "leaf4");
    assert_eq!(text.matches("ip virtual-router mac-address").count(), 1, "the new one replaces the old");
    assert!(text.contains("ip virtual-router mac-address 0000.cafe.0001"));
    set(&fabric, "leaf4", &[Op::Cli("interface Ethernet12\n   no shutdown\n   no description\n!\nrouter bgp 65002\n   bgp default ipv4-unicast\n   maximum-paths 8 ecmp 64\n".into())]).unwrap();
    let text = running(&fabric, "leaf4");
    assert!(!text.contains("bgp default ipv4-unicast") && text.contains("   maximum-paths 8 ecmp 64\n"), "{text}");
    assert_eq!(super::value(&fabric, "leaf4", &format!("{BGP}/global/use-multiple-paths/ebgp/config/maximum-paths")), Some(Value::Uint(8)));
    assert_eq!(super::value(&fabric, "leaf4", "/interfaces/interface[name=Ethernet12]/config/description"), None);
    assert_eq!(super::value(&fabric, "spine2", "/interfaces/interface[name=Ethernet4]/state/oper-status"), Some(Value::str("UP")));
}

#[test]
fn leaves_and_commands_are_one_transaction() {
    let fabric = lab(Options::default());
    let before = fabric.device("leaf1").unwrap().config();
    let ops = [update("/interfaces/interface[name=Ethernet1]/config/description", json!("x")), Op::Cli("frobnicate the fabric".into())];
    let refused = set(&fabric, "leaf1", &ops).unwrap_err();
    assert!(refused.message.contains("CLI command 1 of 1 'frobnicate the fabric' failed"), "{refused}");
    assert_eq!(fabric.device("leaf1").unwrap().config(), before);
}

#[test]
fn a_vlan_provisioned_by_commands_is_the_same_as_by_leaves() {
    let fabric = lab(Options::default());
    let text = "vlan 41\n   name guests\n!\ninterface Vxlan1\n   vxlan vlan 41 vni 110041\n!\nrouter bgp 65001\n   vlan 41\n      rd 65001:110041\n      route-target both 41:110041\n      redistribute learned\n!\ninterface Port-Channel1\n   switchport trunk allowed vlan add 41\n";
    set(&fabric, "leaf1", &[Op::Cli(text.into())]).unwrap();
    let evi = "/arista/eos/evpn/evpn-instances/evpn-instance[name=41]";
    for (at, wanted) in [
        ("/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=41]/config/name".to_owned(), Value::str("guests")),
        ("/interfaces/interface[name=Vxlan1]/arista-vxlan/vlan-to-vnis/vlan-to-vni[vlan=41]/config/vni".to_owned(), Value::Uint(110_041)),
        (format!("{evi}/config/route-distinguisher"), Value::str("65001:110041")),
        (format!("{evi}/route-target/config/import"), Value::list([Value::str("41:110041")])),
        (format!("{evi}/config/redistribute"), Value::list([Value::str("LEARNED")])),
        (
            "/interfaces/interface[name=Port-Channel1]/aggregation/switched-vlan/config/trunk-vlans".to_owned(),
            Value::list([Value::Uint(40), Value::Uint(41)]),
        ),
    ] {
        assert_eq!(super::value(&fabric, "leaf1", &at), Some(wanted), "{at}");
    }
    set(&fabric, "leaf1", &[Op::Cli("no vlan 41\nrouter bgp 65001\nno vlan 41\n".into())]).unwrap();
    assert!(!running(&fabric, "leaf1").contains("vlan 41\n"));
}

/// Every device's running text, done to it again, changes nothing.
#[test]
fn the_running_configuration_is_a_fixed_point() {
    let fabric = lab(Options::default());
    for name in ["leaf1", "leaf8", "spine1"] {
        let before = running(&fabric, name);
        let leaves = fabric.device(name).unwrap().config();
        let lines = |fabric: &Fabric| {
            fabric
                .device(name)
                .unwrap()
                .lock()
                .config
                .lines
                .iter()
                .map(|(block, line)| format!("{block}: {line}"))
                .collect::<std::collections::BTreeSet<_>>()
        };
        let had = lines(&fabric);
        set(&fabric, name, &[Op::Cli(before.clone())]).unwrap();
        assert_eq!(lines(&fabric), had, "{name}");
        let after = fabric.device(name).unwrap().config();
        let differ: Vec<_> = after.iter().filter(|(path, value)| leaves.get(*path) != Some(value)).collect();
        assert!(differ.is_empty(), "{name}: {differ:?}");
        assert_eq!(leaves.len(), after.len(), "{name}");
        let lost: Vec<_> = before
            .lines()
            .filter(|line| !running(&fabric, name).lines().any(|have| have == *line))
            .collect::<Vec<_>>()
            .into_iter()
            .map(str::to_owned)
            .collect();
        assert!(lost.is_empty(), "{name}: {lost:?}");
    }
}

/// What a Get of the configuration and `show running-config` give, written back, is the device again.
#[test]
fn a_document_and_the_running_text_restore_a_device() {
    let fabric = lab(Options::default());
    let device = fabric.device("leaf1").unwrap();
    let pair = |fabric: &Fabric| fabric.device("leaf2").unwrap().lock().derived.mlag.as_ref().is_some_and(|mlag| mlag.active);
    assert!(pair(&fabric));
    let before = device.lock().config.clone();
    let text = running(&fabric, "leaf1");
    let leaves: Vec<_> = device
        .lock()
        .state
        .iter()
        .filter(|(path, _)| fabric.nodes().is_config(path))
        .map(|(path, leaf)| ((**path).clone(), leaf.value.clone()))
        .collect();
    let document = fabric.nodes().document(&Path::root(), &leaves);
    set(&fabric, "leaf1", &[Op::Replace(Path::root(), Payload::Json(document))]).unwrap();
    set(&fabric, "leaf1", &[Op::Cli(text.clone())]).unwrap();
    let after = device.lock().config.clone();
    let lines =
        |config: &Config| config.lines.iter().map(|(block, line)| format!("{block}: {line}")).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(lines(&after), lines(&before));
    assert_eq!(running(&fabric, "leaf1"), text);
    assert!(device.lock().derived.mlag.as_ref().is_some_and(|mlag| mlag.active));
    assert!(pair(&fabric));
}
