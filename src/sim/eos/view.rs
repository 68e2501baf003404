//! A device's configuration as the rest of the simulator reads it: typed records out of leaves and command lines.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::cli::Lines;
use super::store::Leaves;
use crate::path::{Elem, Path};
use crate::value::Value;

/// The IPv4 unicast family.
pub const IPV4: &str = "IPV4_UNICAST";
/// The EVPN family.
pub const EVPN: &str = "L2VPN_EVPN";

/// An interface as configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interface {
    /// Not shut. An interface without the leaf is up.
    pub enabled: bool,
    /// Its description.
    pub description: Option<String>,
    /// `ethernetCsmacd`, `l3ipvlan`, …
    pub kind: Option<String>,
    /// Address and prefix length, by interface (subinterface 0) or routed VLAN.
    pub addresses: Vec<(Ipv4Addr, u8)>,
    /// `ip address virtual`.
    pub virtual_address: Option<(Ipv4Addr, u8)>,
    /// Port: the Port-Channel it is a member of.
    pub aggregate: Option<String>,
    /// Port-Channel: `LACP` or `STATIC`.
    pub lag_type: Option<String>,
    /// Port-Channel: at least this many members.
    pub min_links: u64,
    /// Port-Channel: MLAG id.
    pub mlag: Option<u64>,
    /// Port-Channel: fallback mode other than none.
    pub fallback: bool,
    /// `ACCESS` or `TRUNK`.
    pub mode: Option<String>,
    /// VLAN of an access port.
    pub access_vlan: u16,
    /// VLANs of a trunk; empty carries all.
    pub trunk_vlans: BTreeSet<u16>,
    /// Trunk groups the port is in, from leaves and command lines.
    pub trunk_groups: BTreeSet<String>,
    /// Has routed IPv4 without addresses of its own.
    pub routed: bool,
    /// The instance it is in.
    pub vrf: String,
    /// `no autostate`.
    pub no_autostate: bool,
    /// Has IP MTU.
    pub mtu: Option<u64>,
}

/// One VLAN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vlan {
    /// Trunk groups.
    pub trunk_groups: BTreeSet<String>,
    /// `SUSPENDED` when shut.
    pub suspended: bool,
}

/// A neighbor or peer-group: what was said about it. Absent means inherit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peer {
    /// Group it inherits from.
    pub group: Option<String>,
    /// `enabled`; absent is true.
    pub enabled: Option<bool>,
    /// Remote AS.
    pub peer_as: Option<u64>,
    /// Local AS other than the instance's.
    pub local_as: Option<u64>,
    /// Address or interface sessions start from.
    pub source: Option<String>,
    /// TTL of an eBGP session over several hops.
    pub multihop: Option<u64>,
    /// Families and whether they are active.
    pub families: BTreeMap<String, bool>,
    /// Route targets and other extended communities are sent along.
    pub send_extended: Option<bool>,
    /// The next hop of passed-on routes stays what it was.
    pub next_hop_unchanged: Option<bool>,
    /// Waits for the other side.
    pub passive: bool,
    /// Password, if any; both ends must agree.
    pub password: Option<String>,
    /// Hold time in seconds.
    pub hold_time: Option<u64>,
    /// Keepalive in seconds.
    pub keepalive: Option<u64>,
}

/// BGP of one instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bgp {
    /// Local AS; VRFs inherit it from the default instance.
    pub asn: Option<u64>,
    /// Router id as set.
    pub router_id: Option<Ipv4Addr>,
    /// Network statements.
    pub networks: BTreeSet<(Ipv4Addr, u8)>,
    /// Paths used at once.
    pub maximum_paths: u64,
    /// Families enabled for the whole process.
    pub families: BTreeMap<String, bool>,
    /// Groups by name; used from the default instance.
    pub groups: BTreeMap<String, Peer>,
    /// Neighbors by address.
    pub neighbors: BTreeMap<Ipv4Addr, Peer>,
    /// EVPN route targets of a VRF: import.
    pub import: BTreeSet<String>,
    /// EVPN route targets of a VRF: export.
    pub export: BTreeSet<String>,
}

/// One network instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vrf {
    /// `ip routing` (`vrf X`).
    pub routing: bool,
    /// Route distinguisher.
    pub rd: Option<String>,
    /// Its BGP, if there is one.
    pub bgp: Option<Bgp>,
    /// Protocols redistributed into BGP.
    pub redistribute: BTreeSet<String>,
}

/// A MAC-VRF of one VLAN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evi {
    /// Route distinguisher.
    pub rd: String,
    /// Import targets.
    pub import: BTreeSet<String>,
    /// Export targets.
    pub export: BTreeSet<String>,
    /// Its VLANs.
    pub vlans: BTreeSet<u16>,
    /// Learned addresses are told to others.
    pub redistribute_learned: bool,
}

/// The MLAG block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mlag {
    /// Domain.
    pub domain: Option<String>,
    /// SVI the pair talks over.
    pub local_intf: Option<String>,
    /// The other's address on it.
    pub peer_address: Option<Ipv4Addr>,
    /// Port-Channel between them.
    pub peer_link: Option<String>,
    /// Shut.
    pub disabled: bool,
    /// Heartbeat address.
    pub heartbeat: Option<String>,
    /// Heartbeat VRF.
    pub heartbeat_vrf: Option<String>,
}

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// By name.
    pub interfaces: BTreeMap<String, Interface>,
    /// VLAN database.
    pub vlans: BTreeMap<u16, Vlan>,
    /// Instances; `default` always exists.
    pub vrfs: BTreeMap<String, Vrf>,
    /// MAC-VRFs by name.
    pub evis: BTreeMap<String, Evi>,
    /// MLAG, if configured.
    pub mlag: Option<Mlag>,
    /// Source interface of Vxlan1.
    pub vxlan_source: Option<String>,
    /// UDP port of VXLAN.
    pub vxlan_port: Option<u64>,
    /// VLAN to VNI.
    pub vnis: BTreeMap<u16, u32>,
    /// VRF to VNI.
    pub l3_vnis: BTreeMap<String, u32>,
    /// LACP mode of Port-Channels (`ACTIVE`, `PASSIVE`).
    pub lacp: BTreeMap<String, String>,
    /// LACP interval of Port-Channels that have one.
    pub lacp_interval: BTreeMap<String, String>,
    /// Gateway addresses by interface (`ip virtual-router address`).
    pub varp: BTreeMap<String, BTreeSet<String>>,
    /// `service routing protocols model multi-agent` is on: EVPN needs it.
    pub multi_agent: bool,
    /// `no bgp default ipv4-unicast`: IPv4 has to be activated.
    pub no_default_ipv4: bool,
    /// Virtual router MAC.
    pub virtual_mac: Option<String>,
    /// What the device calls itself.
    pub hostname: String,
    /// LLDP is not switched off.
    pub lldp: bool,
}

impl View {
    /// Reads a configuration.
    pub fn of(leaves: &Leaves, lines: &Lines) -> Self {
        let mut view = Self { lldp: true, ..Self::default() };
        view.vrfs.entry("default".to_owned()).or_default();
        let mut members = Vec::new();
        for (path, value) in leaves {
            let names: Vec<&str> = path.elems.iter().map(|elem| elem.name.as_str()).collect();
            view.read(path, &names, value, &mut members);
        }
        for (vrf, interface) in members {
            if let Some(entry) = view.interfaces.get_mut(&interface) {
                entry.vrf = vrf;
            }
        }
        view.read_lines(lines);
        view
    }

    fn read(&mut self, path: &Path, names: &[&str], value: &Value, members: &mut Vec<(String, String)>) {
        match names {
            ["system", "config", "hostname"] => self.hostname = text(value),
            ["lldp", "config", "enabled"] => self.lldp = value.as_bool().unwrap_or(true),
            ["interfaces", "interface", rest @ ..] => {
                let Some(name) = key(&path.elems, 1, "name") else { return };
                if name.starts_with("Vxlan") {
                    self.read_vxlan(path, rest, value);
                }
                let entry = self.interfaces.entry(name.to_owned()).or_insert_with(|| Interface {
                    enabled: true,
                    access_vlan: 1,
                    vrf: "default".to_owned(),
                    ..Interface::default()
                });
                read_interface(entry, path, rest, value);
            }
            ["lacp", "interfaces", "interface", "config", leaf] => {
                let Some(name) = key(&path.elems, 2, "name") else { return };
                match *leaf {
                    "lacp-mode" => _ = self.lacp.insert(name.to_owned(), text(value)),
                    "interval" => _ = self.lacp_interval.insert(name.to_owned(), text(value)),
                    _ => {}
                }
            }
            ["network-instances", "network-instance", rest @ ..] => {
                let Some(name) = key(&path.elems, 1, "name") else { return };
                match rest {
                    ["vlans", "vlan", "config", leaf] => {
                        let Some(id) = key(&path.elems, 3, "vlan-id").and_then(|id| id.parse().ok()) else { return };
                        let vlan = self.vlans.entry(id).or_default();
                        match *leaf {
                            "trunk-groups" => vlan.trunk_groups = texts(value),
                            "status" => vlan.suspended = value.as_str() == Some("SUSPENDED"),
                            _ => {}
                        }
                    }
                    ["interfaces", "interface", "config", "interface"] => members.push((name.to_owned(), text(value))),
                    ["interfaces", "interface", ..] => {
                        if let Some(id) = key(&path.elems, 3, "id") {
                            members.push((name.to_owned(), id.to_owned()));
                        }
                    }
                    _ => read_vrf(self.vrfs.entry(name.to_owned()).or_default(), path, rest, value),
                }
            }
            ["arista", "varp", "config", "varp-intf-config", "virtual-ip-addr", "virtual-ip-addr-value"] => {
                if let (Some(name), Some(address), Some(true)) =
                    (key(&path.elems, 3, "intf-id"), key(&path.elems, 4, "virtual-ip-addr-key"), value.as_bool())
                {
                    self.varp.entry(name.to_owned()).or_default().insert(address.to_owned());
                }
            }
            ["arista", "eos", "mlag", "config", rest @ ..] => read_mlag(self.mlag.get_or_insert_default(), rest, value),
            ["arista", "eos", "evpn", "evpn-instances", "evpn-instance", rest @ ..] => {
                let Some(name) = key(&path.elems, 4, "name") else { return };
                let evi = self.evis.entry(name.to_owned()).or_default();
                match rest {
                    ["config", "route-distinguisher"] => evi.rd = text(value),
                    ["config", "redistribute"] => evi.redistribute_learned = texts(value).contains("LEARNED"),
                    ["route-target", "config", "import"] => evi.import = texts(value),
                    ["route-target", "config", "export"] => evi.export = texts(value),
                    ["vlans", "vlan", "config", "vlan-id"] => evi.vlans.extend(value.as_u64().and_then(|id| u16::try_from(id).ok())),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn read_vxlan(&mut self, path: &Path, rest: &[&str], value: &Value) {
        let number = || value.as_u64().and_then(|number| u32::try_from(number).ok());
        match rest {
            ["arista-vxlan", "config", "src-ip-intf"] => self.vxlan_source = Some(text(value)),
            ["arista-vxlan", "config", "udp-port"] => self.vxlan_port = value.as_u64(),
            ["arista-vxlan", "vlan-to-vnis", "vlan-to-vni", "config", "vni"] => {
                let vlan = key(&path.elems, 4, "vlan").and_then(|id| id.parse().ok());
                self.vnis.extend(vlan.zip(number()));
            }
            ["arista-vxlan", "vrf-to-vnis", "vrf-to-vni", "config", "vni"] => {
                let vrf = key(&path.elems, 4, "vrf").map(str::to_owned);
                self.l3_vnis.extend(vrf.zip(number()));
            }
            _ => {}
        }
    }

    fn read_lines(&mut self, lines: &Lines) {
        for (context, line) in lines.iter() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Some(entry) = context.strip_prefix("interface ").and_then(|name| self.interfaces.get_mut(name)) {
                match words.as_slice() {
                    ["switchport", "trunk", "group", group] => _ = entry.trunk_groups.insert((*group).to_owned()),
                    ["no", "autostate"] => entry.no_autostate = true,
                    _ => {}
                }
            }
            match words.as_slice() {
                ["service", "routing", "protocols", "model", model] => self.multi_agent = *model == "multi-agent",
                ["no", "bgp", "default", "ipv4-unicast"] => self.no_default_ipv4 = true,
                ["ip", "virtual-router", "mac-address", mac] => self.virtual_mac = Some((*mac).to_owned()),
                _ => {}
            }
        }
    }

    /// Whether `port` carries `vlan`.
    pub fn carries(&self, port: &str, vlan: u16) -> bool {
        let (Some(entry), Some(record)) = (self.interfaces.get(port), self.vlans.get(&vlan)) else { return false };
        if record.suspended || entry.aggregate.is_some() {
            return false;
        }
        let in_group = !record.trunk_groups.is_disjoint(&entry.trunk_groups);
        match entry.mode.as_deref() {
            Some("ACCESS") => entry.access_vlan == vlan && record.trunk_groups.is_empty(),
            Some("TRUNK") => {
                in_group || (record.trunk_groups.is_empty() && (entry.trunk_vlans.is_empty() || entry.trunk_vlans.contains(&vlan)))
            }
            _ => false,
        }
    }

    /// The settings of a neighbor with its group's underneath.
    pub fn peer(&self, bgp: &Bgp, neighbor: &Peer) -> Peer {
        let groups = self.vrfs.get("default").and_then(|vrf| vrf.bgp.as_ref()).map(|bgp| &bgp.groups);
        let group = neighbor.group.as_ref().and_then(|name| bgp.groups.get(name).or_else(|| groups?.get(name)));
        let Some(group) = group else { return neighbor.clone() };
        let mut families = group.families.clone();
        families.extend(neighbor.families.iter().map(|(family, on)| (family.clone(), *on)));
        Peer {
            group: neighbor.group.clone(),
            enabled: neighbor.enabled.or(group.enabled),
            peer_as: neighbor.peer_as.or(group.peer_as),
            local_as: neighbor.local_as.or(group.local_as),
            source: neighbor.source.clone().or_else(|| group.source.clone()),
            multihop: neighbor.multihop.or(group.multihop),
            families,
            send_extended: neighbor.send_extended.or(group.send_extended),
            next_hop_unchanged: neighbor.next_hop_unchanged.or(group.next_hop_unchanged),
            passive: neighbor.passive || group.passive,
            password: neighbor.password.clone().or_else(|| group.password.clone()),
            hold_time: neighbor.hold_time.or(group.hold_time),
            keepalive: neighbor.keepalive.or(group.keepalive),
        }
    }

    /// Families a neighbor is active in, settings of its group already underneath.
    pub fn active_families(&self, peer: &Peer) -> BTreeSet<String> {
        let mut active: BTreeSet<_> = peer.families.iter().filter(|(_, on)| **on).map(|(family, _)| family.clone()).collect();
        if !self.no_default_ipv4 && !peer.families.contains_key(IPV4) {
            active.insert(IPV4.to_owned());
        }
        active
    }

    /// The AS of the process.
    pub fn asn(&self) -> Option<u64> {
        self.vrfs.get("default")?.bgp.as_ref()?.asn
    }

    /// The process' router id: as set, else the highest loopback address, else the highest address.
    pub fn router_id(&self) -> Option<Ipv4Addr> {
        let set = self.vrfs.get("default").and_then(|vrf| vrf.bgp.as_ref()).and_then(|bgp| bgp.router_id);
        let highest = |loopback: bool| {
            self.interfaces
                .iter()
                .filter(|(name, entry)| name.starts_with("Loopback") == loopback && entry.vrf == "default")
                .flat_map(|(_, entry)| entry.addresses.iter().map(|(address, _)| *address))
                .max()
        };
        set.or_else(|| highest(true)).or_else(|| highest(false))
    }
}

fn read_interface(entry: &mut Interface, path: &Path, rest: &[&str], value: &Value) {
    let short = || value.as_u64().and_then(|number| u16::try_from(number).ok());
    match rest {
        ["config", "enabled"] => entry.enabled = value.as_bool().unwrap_or(true),
        ["config", "description"] => entry.description = Some(text(value)),
        ["config", "type"] => entry.kind = Some(text(value)),
        ["subinterfaces", "subinterface", "ipv4", tail @ ..] => read_ipv4(entry, key(&path.elems, 6, "ip"), tail, value),
        ["routed-vlan", "ipv4", tail @ ..] => read_ipv4(entry, key(&path.elems, 5, "ip"), tail, value),
        ["ethernet", "config", "aggregate-id"] => entry.aggregate = Some(text(value)),
        ["aggregation", "config", leaf] => match *leaf {
            "lag-type" => entry.lag_type = Some(text(value)),
            "min-links" => entry.min_links = value.as_u64().unwrap_or(0),
            "mlag" => entry.mlag = value.as_u64(),
            "fallback" => entry.fallback = value.as_str().is_some_and(|mode| mode != "none"),
            _ => {}
        },
        ["ethernet" | "aggregation", "switched-vlan", "config", leaf] => match *leaf {
            "interface-mode" => entry.mode = Some(text(value)),
            "access-vlan" => entry.access_vlan = short().unwrap_or(1),
            "trunk-vlans" => entry.trunk_vlans = vlan_set(value),
            "trunk-groups" => entry.trunk_groups.extend(texts(value)),
            _ => {}
        },
        ["arista-varp", "virtual-address", "config", leaf] => {
            let (ip, length) = entry.virtual_address.unwrap_or((Ipv4Addr::UNSPECIFIED, 32));
            entry.virtual_address = match *leaf {
                "ip" => text(value).parse().ok().map(|ip| (ip, length)),
                "prefix-length" => Some((ip, value.as_u64().and_then(|n| u8::try_from(n).ok()).unwrap_or(32))),
                _ => return,
            };
        }
        _ => {}
    }
}

fn read_ipv4(entry: &mut Interface, address: Option<&str>, tail: &[&str], value: &Value) {
    match tail {
        ["config", "enabled"] => entry.routed = value.as_bool().unwrap_or(false),
        ["config", "mtu"] => entry.mtu = value.as_u64(),
        ["addresses", "address", "config", "prefix-length"] => {
            let length = value.as_u64().and_then(|n| u8::try_from(n).ok());
            entry.addresses.extend(address.and_then(|ip| ip.parse().ok()).zip(length));
        }
        _ => {}
    }
}

fn read_vrf(vrf: &mut Vrf, path: &Path, rest: &[&str], value: &Value) {
    match rest {
        ["config", "ipv4-routing-enabled"] => vrf.routing = value.as_bool().unwrap_or(false),
        ["config", "route-distinguisher"] => vrf.rd = Some(text(value)),
        ["protocols", "protocol", "bgp", tail @ ..] => {
            let bgp = vrf.bgp.get_or_insert_with(|| Bgp { maximum_paths: 1, ..Bgp::default() });
            read_bgp(bgp, path, tail, value);
        }
        ["table-connections", "table-connection", "config", "src-protocol"] => {
            let into = path.elems.get(3).and_then(|elem| elem.key("dst-protocol"));
            if into == Some("BGP") {
                vrf.redistribute.insert(text(value));
            }
        }
        _ => {}
    }
}

fn read_bgp(bgp: &mut Bgp, path: &Path, tail: &[&str], value: &Value) {
    match tail {
        ["global", "config", "as"] => bgp.asn = value.as_u64(),
        ["global", "config", "router-id"] => bgp.router_id = text(value).parse().ok(),
        ["global", "networks", "network", "config", "network"] => bgp.networks.extend(prefix(&text(value))),
        ["global", "use-multiple-paths", "ebgp", "config", "maximum-paths"] => bgp.maximum_paths = value.as_u64().unwrap_or(1),
        ["global", "afi-safis", "afi-safi", "config", "enabled"] => {
            let family = key(&path.elems, 7, "afi-safi-name").map(str::to_owned);
            bgp.families.extend(family.zip(value.as_bool()));
        }
        ["global", "evpn", "import-target"] => bgp.import = texts(value),
        ["global", "evpn", "export-target"] => bgp.export = texts(value),
        ["peer-groups", "peer-group", rest @ ..] => {
            if let Some(name) = key(&path.elems, 6, "peer-group-name") {
                read_peer(bgp.groups.entry(name.to_owned()).or_default(), path, rest, value);
            }
        }
        ["neighbors", "neighbor", rest @ ..] => {
            if let Some(address) = key(&path.elems, 6, "neighbor-address").and_then(|address| address.parse().ok()) {
                read_peer(bgp.neighbors.entry(address).or_default(), path, rest, value);
            }
        }
        _ => {}
    }
}

fn read_peer(peer: &mut Peer, path: &Path, rest: &[&str], value: &Value) {
    match rest {
        ["config", leaf] => match *leaf {
            "peer-group" => peer.group = Some(text(value)),
            "enabled" => peer.enabled = value.as_bool(),
            "peer-as" => peer.peer_as = value.as_u64(),
            "local-as" => peer.local_as = value.as_u64(),
            "auth-password" => peer.password = Some(text(value)),
            "send-community-type" => peer.send_extended = Some(texts(value).contains("EXTENDED")),
            "send-community" => peer.send_extended = Some(matches!(value.as_str(), Some("EXTENDED" | "BOTH"))),
            "next-hop-unchanged" => peer.next_hop_unchanged = value.as_bool(),
            _ => {}
        },
        ["transport", "config", "local-address"] => peer.source = Some(text(value)),
        ["transport", "config", "passive-mode"] => peer.passive = value.as_bool().unwrap_or(false),
        ["ebgp-multihop", "config", "multihop-ttl"] => peer.multihop = value.as_u64(),
        ["timers", "config", "hold-time"] => peer.hold_time = seconds(value),
        ["timers", "config", "keepalive-interval"] => peer.keepalive = seconds(value),
        ["afi-safis", "afi-safi", "config", "enabled"] => {
            let family = key(&path.elems, 8, "afi-safi-name").map(str::to_owned);
            peer.families.extend(family.zip(value.as_bool()));
        }
        _ => {}
    }
}

fn read_mlag(mlag: &mut Mlag, rest: &[&str], value: &Value) {
    match rest {
        ["domain-id"] => mlag.domain = Some(text(value)),
        ["local-intf"] => mlag.local_intf = Some(text(value)),
        ["peer-address"] => mlag.peer_address = text(value).parse().ok(),
        ["peer-link-intf"] => mlag.peer_link = Some(text(value)),
        ["enabled"] => mlag.disabled = value.as_bool() == Some(false),
        ["heartbeat-peer-address", "address"] => mlag.heartbeat = Some(text(value)),
        ["heartbeat-peer-address", "vrf"] => mlag.heartbeat_vrf = Some(text(value)),
        _ => {}
    }
}

fn key<'a>(elems: &'a [Elem], index: usize, name: &str) -> Option<&'a str> {
    elems.get(index)?.key(name)
}

fn text(value: &Value) -> String {
    value.to_string()
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.items().unwrap_or_default().iter().map(text).collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().map(|number| number.max(0.0) as u64))
}

/// `10.0.0.1/32`.
pub fn prefix(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, length) = text.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok().filter(|length| *length <= 32)?))
}

/// Members of a VLAN list: numbers and `"20..29"`.
pub fn vlan_set(value: &Value) -> BTreeSet<u16> {
    let mut set = BTreeSet::new();
    for item in value.items().unwrap_or_default() {
        let item = text(item);
        match item.split_once("..") {
            Some((from, to)) => {
                if let (Ok(from), Ok(to)) = (from.parse::<u16>(), to.parse::<u16>()) {
                    set.extend(from..=to.min(4094));
                }
            }
            None => set.extend(item.parse::<u16>().ok()),
        }
    }
    set
}

/// Whether `address` is in the subnet of `of`.
pub fn same_subnet(of: (Ipv4Addr, u8), address: Ipv4Addr) -> bool {
    network(of) == network((address, of.1))
}

/// The network an address is in.
pub fn network((address, length): (Ipv4Addr, u8)) -> (Ipv4Addr, u8) {
    let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
    (Ipv4Addr::from(u32::from(address) & mask), length)
}
