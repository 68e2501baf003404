//! In which order things are made on one device. Deletes run backwards.
//!
//! Source: the ordering rules of the day-2 scenarios; each step there is a ten here.

use crate::diff::change::{Change, Kind};
use crate::diff::construct::{Construct, is_cli};
use crate::path::Path;

/// Command lines that other items depend on: they go in front of everything.
const FIRST_LINES: &[&str] = &["service routing protocols model", "ip virtual-router mac-address", "ip routing", "vrf instance"];

/// Ends of leaves with a place of their own, before the place of their construct is asked for.
static LEAVES: &[(&[&str], u16)] = &[
    // What carries a segment to hosts, when the segment is there.
    (&["switched-vlan", "config", "trunk-vlans"], 110),
    (&["switched-vlan", "config", "access-vlan"], 110),
    (&["switched-vlan", "config", "native-vlan"], 110),
    (&["arista-vxlan", "config", "src-ip-intf"], 79),
];

/// Parts of paths with a place of their own.
static PARTS: &[(&[&str], u16)] = &[
    (&["network-instance", "interfaces", "interface"], 40),
    (&["ipv4", "addresses"], 43),
    (&["ipv6", "addresses"], 43),
    (&["bgp", "global", "networks"], 75),
    (&["bgp", "global", "evpn"], 91),
    (&["bgp", "global"], 70),
    (&["bgp", "peer-groups", "peer-group", "afi-safis"], 72),
    (&["bgp", "peer-groups"], 71),
    (&["bgp", "neighbors", "neighbor", "afi-safis"], 74),
    (&["bgp", "neighbors"], 73),
    (&["vlan-to-vnis"], 81),
    (&["vrf-to-vnis"], 82),
    (&["defined-sets"], 60),
    (&["policy-definitions"], 61),
    (&["table-connections"], 94),
    (&["tables"], 93),
    (&["network-instance", "config"], 11),
];

/// The place of a path in the order of creation.
pub fn rank(path: &Path) -> u16 {
    if is_cli(path) {
        let command = path.key("line", "command").unwrap_or_default();
        return if FIRST_LINES.iter().any(|line| command.starts_with(line)) { 0 } else { 125 };
    }
    let names: Vec<&str> = path.elems.iter().map(|elem| elem.name.as_str()).collect();
    if let Some((_, place)) = LEAVES.iter().find(|(tail, _)| names.ends_with(tail)) {
        return *place;
    }
    let construct = Construct::of(path);
    if construct == Construct::Management {
        return 200;
    }
    if let Some((_, place)) = PARTS.iter().find(|(part, _)| names.windows(part.len()).any(|window| window == *part)) {
        return *place;
    }
    match construct {
        Construct::System => 10,
        Construct::Vrf => 12,
        Construct::Vlan => 20,
        Construct::Stp => 25,
        Construct::Lag => 30,
        Construct::Interface => 32,
        Construct::Loopback => 41,
        Construct::Svi => 42,
        Construct::Mlag => 50,
        Construct::Policy => 62,
        Construct::Ospf => 66,
        Construct::Bgp => 70,
        Construct::StaticRoute => 76,
        Construct::Vxlan => 80,
        Construct::Evpn => 90,
        Construct::Redistribution => 92,
        Construct::AnycastGateway => 100,
        Construct::Lldp => 120,
        Construct::Cli => 125,
        Construct::Other => 130,
        Construct::Management => 200,
    }
}

/// Puts the changes of one device into the order in which they take effect: deletes backwards, then the rest forwards.
pub fn sort(changes: &mut [Change]) {
    changes.sort_by_cached_key(|change| {
        let place = rank(&change.path);
        let delete = change.kind == Kind::Delete;
        // Of two deletes of one place the deeper one goes first.
        let depth = if delete { usize::MAX - change.path.len() } else { 0 };
        (!delete, if delete { u16::MAX - place } else { place }, depth, change.path.clone())
    });
}

/// `leaf2` before `leaf10`.
pub fn natural(name: &str) -> (String, u64, String) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name.get(stem.len()..).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    (stem.to_owned(), number, name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prerequisites_come_before_what_needs_them() {
        let ni = "/network-instances/network-instance[name=default]";
        let gold = "/network-instances/network-instance[name=gold]";
        let bgp = "protocols/protocol[identifier=BGP][name=BGP]/bgp";
        let order = [
            "cli:/running-config/line[command=ip virtual-router mac-address][context=]".to_owned(),
            "/system/config/hostname".into(),
            format!("{ni}/config/ipv4-routing-enabled"),
            format!("{ni}/vlans/vlan[vlan-id=40]/config/name"),
            "/interfaces/interface[name=Port-Channel1]/aggregation/config/lag-type".into(),
            "/interfaces/interface[name=Ethernet1]/config/description".into(),
            format!("{gold}/interfaces/interface[id=Vlan78]/config/id"),
            "/interfaces/interface[name=Vlan78]/routed-vlan/ipv4/addresses/address[ip=10.0.0.1]/config/ip".into(),
            "/arista/eos/mlag/config/domain-id".into(),
            "/routing-policy/defined-sets/prefix-sets/prefix-set[name=x]/config/name".into(),
            "/routing-policy/policy-definitions/policy-definition[name=x]/config/name".into(),
            format!("{ni}/{bgp}/global/config/as"),
            format!("{ni}/{bgp}/peer-groups/peer-group[peer-group-name=evpn]/config/peer-as"),
            format!("{ni}/{bgp}/neighbors/neighbor[neighbor-address=10.0.1.0]/config/peer-as"),
            format!("{ni}/{bgp}/neighbors/neighbor[neighbor-address=10.0.1.0]/afi-safis/afi-safi[afi-safi-name=X]/config/enabled"),
            format!("{ni}/{bgp}/global/networks/network[network=10.0.0.1/32]/config/network"),
            "/interfaces/interface[name=Vxlan1]/arista-vxlan/config/src-ip-intf".into(),
            "/interfaces/interface[name=Vxlan1]/arista-vxlan/vlan-to-vnis/vlan-to-vni[vlan=40]/config/vni".into(),
            "/arista/eos/evpn/evpn-instances/evpn-instance[name=40]/config/route-distinguisher".into(),
            "/arista/varp/config/varp-intf-config[intf-id=Vlan78]/virtual-ip-addr[virtual-ip-addr-key=10.0.0.1/32]/virtual-ip-addr-value"
                .into(),
            "/interfaces/interface[name=Port-Channel1]/aggregation/switched-vlan/config/trunk-vlans".into(),
            "cli:/running-config/line[command=maximum-paths][context=router bgp 65001]".into(),
            "/interfaces/interface[name=Management0]/config/enabled".into(),
        ];
        let ranks: Vec<u16> = order.iter().map(|text| rank(&Path::parse(text).unwrap())).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
    }

    #[test]
    fn names_sort_by_number() {
        let mut names = ["leaf10", "leaf2", "spine1", "leaf1"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["leaf1", "leaf2", "leaf10", "spine1"]);
    }
}
