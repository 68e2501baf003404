//! Which construct of the fabric a path belongs to, and what the operator calls the entry.

use serde::{Deserialize, Serialize};

use crate::path::{ORIGIN_CLI, Path};

/// The constructs of an EVPN-VXLAN fabric, in the order in which they are created on a device (deletes run backwards).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Construct {
    /// Hostname and other settings of the system; routing switches and command lines a device needs first.
    System,
    /// `ip routing`, VRF instances with their members.
    Vrf,
    /// VLANs and trunk groups.
    Vlan,
    /// Spanning tree.
    Stp,
    /// Port-Channels, their members and LACP.
    Lag,
    /// Ethernet ports, routed or switched.
    Interface,
    /// Loopbacks.
    Loopback,
    /// SVIs with their addresses.
    Svi,
    /// MLAG.
    Mlag,
    /// Prefix lists and route maps.
    Policy,
    /// OSPF processes with their areas and interfaces.
    Ospf,
    /// BGP process, peer groups, neighbors, families, networks.
    Bgp,
    /// Static routes.
    StaticRoute,
    /// Vxlan1: source, VLAN and VRF to VNI.
    Vxlan,
    /// MAC-VRFs: RD, route targets, redistribution.
    Evpn,
    /// Redistribution into BGP.
    Redistribution,
    /// Shared gateway addresses.
    AnycastGateway,
    /// LLDP.
    Lldp,
    /// Lines that no YANG path carries.
    Cli,
    /// Management0, its VRF, the gNMI server: last and alone.
    Management,
    /// Anything else.
    Other,
}

impl Construct {
    /// The construct a path belongs to.
    pub fn of(path: &Path) -> Self {
        row(path).map_or(Self::Other, |row| row.construct)
    }

    /// What the operator calls it: `SVIs`.
    pub fn title(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Vrf => "VRFs",
            Self::Vlan => "VLANs",
            Self::Stp => "spanning tree",
            Self::Lag => "Port-Channels",
            Self::Interface => "interfaces",
            Self::Loopback => "loopbacks",
            Self::Svi => "SVIs",
            Self::Mlag => "MLAG",
            Self::Policy => "policies",
            Self::Ospf => "OSPF",
            Self::Bgp => "BGP",
            Self::StaticRoute => "static routes",
            Self::Vxlan => "VXLAN",
            Self::Evpn => "EVPN",
            Self::Redistribution => "redistribution",
            Self::AnycastGateway => "anycast gateways",
            Self::Lldp => "LLDP",
            Self::Cli => "command lines",
            Self::Management => "management",
            Self::Other => "other",
        }
    }
}

/// The list entry a path belongs to, in words: `Ethernet11`, `VLAN 40`, `neighbor 10.0.1.0`, `neighbor 10.90.90.1 (vrf gold)`.
pub fn entry(path: &Path) -> String {
    match row(path) {
        Some(row) => fill(row.words, path, if row.names.is_empty() { path.elems.len() } else { row.names.len() }),
        None => path.elems.iter().rev().find(|elem| !elem.keys.is_empty()).map_or_else(
            || path.elems.first().map_or_else(|| "/".to_owned(), |elem| elem.name.clone()),
            |elem| {
                let keys: Vec<_> = elem.keys.iter().map(|(_, value)| value.as_str()).collect();
                format!("{} {}", elem.name, keys.join(" "))
            },
        ),
    }
}

/// What the operator calls a leaf: `description`, `ip mtu`, `RD`. For a list entry the name of its list.
pub fn field(path: &Path) -> String {
    if is_cli(path) {
        return path.key(CLI_LINE, "command").unwrap_or_default().to_owned();
    }
    let names: Vec<&str> = path.elems.iter().map(|elem| elem.name.as_str()).collect();
    FIELDS
        .iter()
        .find(|(tail, _)| names.len() >= tail.len() && names.get(names.len() - tail.len()..).is_some_and(|end| end == *tail))
        .map_or_else(|| path.name().to_owned(), |(_, words)| fill(words, path, path.elems.len()))
}

/// Whether the path is a command line.
pub fn is_cli(path: &Path) -> bool {
    path.origin.as_deref() == Some(ORIGIN_CLI)
}

/// The list that holds command lines: `cli:/running-config/line[command=…][context=…]`.
const CLI_LINE: &str = "line";

/// One row of the table below: which paths, which construct, which words.
struct Row {
    /// Element names from the root; what lies below belongs to the row too.
    names: &'static [&'static str],
    /// A key that must start with this text: `("name", "Ethernet")`.
    key: Option<(&'static str, &'static str)>,
    construct: Construct,
    /// `{key}` is the value of that key, `{vrf}` is ` (vrf NAME)` outside the default instance, `{of}` the same as ` of vrf NAME`.
    words: &'static str,
}

const fn row_of(names: &'static [&'static str], construct: Construct, words: &'static str) -> Row {
    Row { names, key: None, construct, words }
}

const fn keyed(names: &'static [&'static str], key: (&'static str, &'static str), construct: Construct, words: &'static str) -> Row {
    Row { names, key: Some(key), construct, words }
}

const IF: &[&str] = &["interfaces", "interface"];
const PROTOCOL: &[&str] = &["network-instances", "network-instance", "protocols", "protocol"];

/// The first row that fits counts.
static ROWS: &[Row] = &[
    keyed(IF, ("name", "Management"), Construct::Management, "{name}"),
    row_of(&["interfaces", "interface", "arista-vxlan", "vlan-to-vnis", "vlan-to-vni"], Construct::Vxlan, "VNI of VLAN {vlan}"),
    row_of(&["interfaces", "interface", "arista-vxlan", "vrf-to-vnis", "vrf-to-vni"], Construct::Vxlan, "VNI of VRF {vrf}"),
    keyed(IF, ("name", "Vxlan"), Construct::Vxlan, "{name}"),
    keyed(IF, ("name", "Loopback"), Construct::Loopback, "{name}"),
    row_of(&["interfaces", "interface", "arista-varp"], Construct::AnycastGateway, "gateway of {name}"),
    keyed(IF, ("name", "Vlan"), Construct::Svi, "{name}"),
    keyed(IF, ("name", "Port-Channel"), Construct::Lag, "{name}"),
    row_of(&["interfaces", "interface", "ethernet", "config", "aggregate-id"], Construct::Lag, "{name}"),
    row_of(IF, Construct::Interface, "{name}"),
    row_of(&["lacp", "interfaces", "interface"], Construct::Lag, "{name}"),
    row_of(&["lacp"], Construct::Lag, "LACP"),
    row_of(&["system", "grpc-servers", "grpc-server"], Construct::Management, "gNMI server {name}"),
    row_of(&["system", "aaa", "authentication", "users", "user"], Construct::Management, "user {username}"),
    row_of(&["system", "aaa"], Construct::Management, "AAA"),
    row_of(&["system", "ssh-server"], Construct::Management, "SSH server"),
    row_of(&["system"], Construct::System, "system"),
    row_of(&["lldp", "interfaces", "interface"], Construct::Lldp, "{name}"),
    row_of(&["lldp"], Construct::Lldp, "LLDP"),
    row_of(&["stp", "interfaces", "interface"], Construct::Stp, "{name}"),
    row_of(&["stp", "mstp", "mst-instances", "mst-instance"], Construct::Stp, "MST instance {mst-id}"),
    row_of(&["stp"], Construct::Stp, "spanning tree"),
    row_of(
        &["arista", "varp", "config", "varp-intf-config", "virtual-ip-addr"],
        Construct::AnycastGateway,
        "gateway {virtual-ip-addr-key} of {intf-id}",
    ),
    row_of(
        &["arista", "varp", "config", "varp-intf-config", "virtual-ip6-addr"],
        Construct::AnycastGateway,
        "gateway {virtual-ip6-addr-key} of {intf-id}",
    ),
    row_of(&["arista", "varp", "config", "varp-intf-config"], Construct::AnycastGateway, "gateway of {intf-id}"),
    row_of(&["arista", "varp"], Construct::AnycastGateway, "VARP"),
    row_of(&["arista", "eos", "mlag"], Construct::Mlag, "MLAG"),
    row_of(&["arista", "eos", "evpn", "evpn-instances", "evpn-instance"], Construct::Evpn, "MAC-VRF {name}"),
    row_of(&["arista", "eos", "evpn"], Construct::Evpn, "EVPN"),
    row_of(&["routing-policy", "defined-sets", "prefix-sets", "prefix-set"], Construct::Policy, "prefix list {name}"),
    row_of(&["routing-policy", "policy-definitions", "policy-definition"], Construct::Policy, "route map {name}"),
    row_of(&["routing-policy"], Construct::Policy, "routing policy"),
    row_of(&["bfd", "interfaces", "interface"], Construct::Interface, "{id}"),
    row_of(&["network-instances", "network-instance", "vlans", "vlan"], Construct::Vlan, "VLAN {vlan-id}"),
    keyed(&["network-instances", "network-instance", "interfaces", "interface"], ("id", "Management"), Construct::Management, "{id}{vrf}"),
    row_of(&["network-instances", "network-instance", "interfaces", "interface"], Construct::Vrf, "{id}{vrf}"),
    row_of(
        &["network-instances", "network-instance", "protocols", "protocol", "bgp", "neighbors", "neighbor"],
        Construct::Bgp,
        "neighbor {neighbor-address}{vrf}",
    ),
    row_of(
        &["network-instances", "network-instance", "protocols", "protocol", "bgp", "peer-groups", "peer-group"],
        Construct::Bgp,
        "peer group {peer-group-name}{vrf}",
    ),
    row_of(
        &[
            "network-instances",
            "network-instance",
            "protocols",
            "protocol",
            "bgp",
            "global",
            "dynamic-neighbor-prefixes",
            "dynamic-neighbor-prefix",
        ],
        Construct::Bgp,
        "listen range {prefix}{vrf}",
    ),
    keyed(PROTOCOL, ("identifier", "OSPF"), Construct::Ospf, "OSPF {name}{vrf}"),
    row_of(
        &["network-instances", "network-instance", "protocols", "protocol", "bgp", "global", "networks", "network"],
        Construct::Bgp,
        "network {network}{vrf}",
    ),
    row_of(
        &["network-instances", "network-instance", "protocols", "protocol", "bgp", "global", "evpn"],
        Construct::Evpn,
        "route targets{of}",
    ),
    row_of(
        &["network-instances", "network-instance", "protocols", "protocol", "static-routes", "static"],
        Construct::StaticRoute,
        "static route {prefix}{vrf}",
    ),
    keyed(PROTOCOL, ("identifier", "BGP"), Construct::Bgp, "BGP{vrf}"),
    keyed(PROTOCOL, ("identifier", "STATIC"), Construct::StaticRoute, "static routes{vrf}"),
    keyed(PROTOCOL, ("identifier", "DIRECTLY_CONNECTED"), Construct::Redistribution, "connected routes{vrf}"),
    row_of(PROTOCOL, Construct::Other, "{identifier} {name}{vrf}"),
    row_of(
        &["network-instances", "network-instance", "tables", "table"],
        Construct::Redistribution,
        "table {protocol} {address-family}{vrf}",
    ),
    row_of(
        &["network-instances", "network-instance", "table-connections", "table-connection"],
        Construct::Redistribution,
        "redistribute {src-protocol} into {dst-protocol}{vrf}",
    ),
    keyed(&["network-instances", "network-instance"], ("name", "default"), Construct::Vrf, "default instance"),
    row_of(&["network-instances", "network-instance"], Construct::Vrf, "vrf {name}"),
];

/// Ends of leaf paths and what operators call them; the first that fits counts, the node's own name is the fallback.
static FIELDS: &[(&[&str], &str)] = &[
    (&["ipv4", "config", "mtu"], "ip mtu"),
    (&["ipv6", "config", "mtu"], "ipv6 mtu"),
    (&["ipv4", "config", "enabled"], "ip enabled"),
    (&["address", "config", "ip"], "address"),
    (&["address", "config", "prefix-length"], "prefix length of {ip}"),
    (&["config", "route-distinguisher"], "RD"),
    (&["route-target", "config", "import"], "import RT"),
    (&["route-target", "config", "export"], "export RT"),
    (&["evpn", "import-target"], "import RT"),
    (&["evpn", "export-target"], "export RT"),
    (&["config", "trunk-vlans"], "trunk VLANs"),
    (&["config", "access-vlan"], "access VLAN"),
    (&["config", "native-vlan"], "native VLAN"),
    (&["config", "interface-mode"], "switchport mode"),
    (&["config", "trunk-groups"], "trunk groups"),
    (&["config", "aggregate-id"], "member of"),
    (&["config", "lag-type"], "LAG type"),
    (&["config", "mlag"], "mlag id"),
    (&["config", "lacp-mode"], "LACP mode"),
    (&["config", "ipv4-routing-enabled"], "ip routing"),
    (&["config", "ipv6-routing-enabled"], "ipv6 routing"),
    (&["config", "src-ip-intf"], "source interface"),
    (&["config", "udp-port"], "UDP port"),
    (&["config", "vni"], "VNI"),
    (&["config", "peer-as"], "remote AS"),
    (&["config", "local-as"], "local AS"),
    (&["global", "config", "as"], "AS"),
    (&["config", "router-id"], "router id"),
    (&["config", "local-address"], "update source"),
    (&["config", "multihop-ttl"], "multihop TTL"),
    (&["prefix-limit", "config", "max-prefixes"], "prefix limit"),
    (&["prefix-limit", "config", "prevent-teardown"], "prefix limit warning only"),
    (&["afi-safi", "config", "enabled"], "{afi-safi-name} active"),
    (&["ebgp", "config", "maximum-paths"], "maximum paths"),
    (&["config", "disabled-vlan"], "disabled VLANs"),
    (&["virtual-ip-addr", "virtual-ip-addr-value"], "virtual address"),
];

fn row(path: &Path) -> Option<&'static Row> {
    if is_cli(path) {
        return Some(&CLI_ROW);
    }
    if path.origin.is_some() {
        return None;
    }
    ROWS.iter().find(|row| {
        path.elems.len() >= row.names.len()
            && path.elems.iter().zip(row.names).all(|(elem, name)| elem.name == *name)
            && row.key.is_none_or(|(key, start)| {
                path.elems.get(row.names.len() - 1).and_then(|elem| elem.key(key)).is_some_and(|value| value.starts_with(start))
            })
    })
}

static CLI_ROW: Row = Row { names: &[], key: None, construct: Construct::Cli, words: "{context}" };

/// Keys below the first `own` elements are not meant: `name` of a route map, not of its statement.
fn fill(words: &str, path: &Path, own: usize) -> String {
    let mut text = String::with_capacity(words.len() + 24);
    let mut rest = words;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, tail)) = after.split_once('}') else { break };
        rest = tail;
        let instance = path.key("network-instance", "name").filter(|name| *name != "default");
        let key = path.elems.iter().take(own).rev().find_map(|elem| elem.key(name));
        match (name, key) {
            ("vrf", None) => text.extend(instance.map(|name| format!(" (vrf {name})"))),
            ("of", _) => text.extend(instance.map(|name| format!(" of vrf {name}"))),
            ("context", Some("") | None) => text.push_str("global"),
            (_, Some(value)) => text.push_str(value),
            (_, None) => text.push('*'),
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn the_words_of_the_screens() {
        let ni = "/network-instances/network-instance[name=default]";
        let gold = "/network-instances/network-instance[name=gold]";
        let bgp = "protocols/protocol[identifier=BGP][name=BGP]/bgp";
        let vxlan = "/interfaces/interface[name=Vxlan1]/arista-vxlan";
        for (text, construct, words, field_words) in [
            ("/interfaces/interface[name=Ethernet11]/config/description".to_owned(), Construct::Interface, "Ethernet11", "description"),
            ("/interfaces/interface[name=Ethernet1]/ethernet/config/aggregate-id".to_owned(), Construct::Lag, "Ethernet1", "member of"),
            ("/interfaces/interface[name=Vlan4091]/routed-vlan/ipv4/config/mtu".to_owned(), Construct::Svi, "Vlan4091", "ip mtu"),
            ("/interfaces/interface[name=Management0]/config/enabled".to_owned(), Construct::Management, "Management0", "enabled"),
            (format!("{ni}/vlans/vlan[vlan-id=40]/config/name"), Construct::Vlan, "VLAN 40", "name"),
            (
                format!("{ni}/{bgp}/neighbors/neighbor[neighbor-address=10.0.1.0]/config/peer-as"),
                Construct::Bgp,
                "neighbor 10.0.1.0",
                "remote AS",
            ),
            (
                format!("{gold}/{bgp}/neighbors/neighbor[neighbor-address=10.90.90.1]"),
                Construct::Bgp,
                "neighbor 10.90.90.1 (vrf gold)",
                "neighbor",
            ),
            (
                format!("{ni}/{bgp}/global/networks/network[network=10.0.255.12/32]/config/network"),
                Construct::Bgp,
                "network 10.0.255.12/32",
                "network",
            ),
            (format!("{gold}/{bgp}/global/evpn/import-target"), Construct::Evpn, "route targets of vrf gold", "import RT"),
            (
                "/arista/eos/evpn/evpn-instances/evpn-instance[name=40]/config/route-distinguisher".to_owned(),
                Construct::Evpn,
                "MAC-VRF 40",
                "RD",
            ),
            (format!("{vxlan}/vlan-to-vnis/vlan-to-vni[vlan=40]/config/vni"), Construct::Vxlan, "VNI of VLAN 40", "VNI"),
            (format!("{vxlan}/vrf-to-vnis/vrf-to-vni[vrf=gold]/config/vni"), Construct::Vxlan, "VNI of VRF gold", "VNI"),
            (format!("{vxlan}/config/src-ip-intf"), Construct::Vxlan, "Vxlan1", "source interface"),
            (format!("{ni}/config/ipv4-routing-enabled"), Construct::Vrf, "default instance", "ip routing"),
            (format!("{gold}/config/route-distinguisher"), Construct::Vrf, "vrf gold", "RD"),
            (format!("{gold}/interfaces/interface[id=Vlan78]/config/interface"), Construct::Vrf, "Vlan78 (vrf gold)", "interface"),
            (
                "cli:/running-config/line[command=maximum-paths][context=router bgp 65001]".to_owned(),
                Construct::Cli,
                "router bgp 65001",
                "maximum-paths",
            ),
            (
                "cli:/running-config/line[command=ip virtual-router mac-address][context=]".to_owned(),
                Construct::Cli,
                "global",
                "ip virtual-router mac-address",
            ),
        ] {
            let p = path(&text);
            assert_eq!((Construct::of(&p), entry(&p).as_str(), field(&p).as_str()), (construct, words, field_words), "{text}");
        }
    }

    #[test]
    fn an_unknown_path_still_has_words() {
        assert_eq!(Construct::of(&path("/acl/acl-sets/acl-set[name=x][type=y]/config/name")), Construct::Other);
        assert_eq!(entry(&path("/acl/acl-sets/acl-set[name=x][type=y]/config/name")), "acl-set x y");
        assert_eq!(entry(&path("/acl/state/counter")), "acl");
        assert_eq!(entry(&Path::root()), "/");
    }
}
