//! What a device's configuration amounts to: addresses, sessions, the VTEP. Read out of a tree of leaves, before and after a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::path::{Elem, Path};
use crate::tree::Tree;
use crate::value::Value;

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// `None` when not said: it is up.
    pub enabled: Option<bool>,
    /// IP MTU; `None` when not said.
    pub mtu: Option<u64>,
    /// Its own addresses with their prefixes.
    pub addresses: BTreeMap<String, u8>,
    /// Port-Channel it is a member of.
    pub member_of: Option<String>,
    /// `ACCESS`, `TRUNK`.
    pub mode: Option<String>,
}

/// A neighbor or a peer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Remote AS.
    pub peer_as: Option<u64>,
    /// Its group.
    pub group: Option<String>,
    /// Whether each family is active.
    pub families: BTreeMap<String, bool>,
    /// `false` is shut.
    pub enabled: Option<bool>,
}

/// BGP of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bgp {
    /// Own AS; only the default instance says it.
    pub asn: Option<u64>,
    /// Network statements.
    pub networks: BTreeSet<String>,
    /// By address.
    pub neighbors: BTreeMap<String, Peer>,
    /// By name; those of the default instance serve all.
    pub groups: BTreeMap<String, Peer>,
    /// Whether connected routes are redistributed.
    pub connected: bool,
}

/// One device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// By name.
    pub interfaces: BTreeMap<String, Interface>,
    /// The instance of each interface that is in another one than `default`.
    pub vrf_of: BTreeMap<String, String>,
    /// Whether an instance routes IPv4.
    pub routing: BTreeMap<String, bool>,
    /// By instance.
    pub bgp: BTreeMap<String, Bgp>,
    /// Vxlan1's source interface.
    pub vtep_source: Option<String>,
    /// The MLAG peer link.
    pub peer_link: Option<String>,
    /// MLAG's own SVI.
    pub mlag_svi: Option<String>,
    /// The MLAG peer's address.
    pub mlag_peer: Option<String>,
    /// `session-state` by instance and neighbor, as last reported.
    pub sessions: BTreeMap<(String, String), String>,
}

/// The family EVPN runs in.
pub const EVPN: &str = "L2VPN_EVPN";
/// The default instance.
pub const DEFAULT: &str = "default";

/// Reads trees over one table of paths, looking at each path once whatever the number of devices.
#[derive(Debug, Default)]
pub struct Reader {
    /// By number of the path: 0 not looked at yet, 1 of no use, 2 of use.
    seen: Vec<u8>,
}

impl Reader {
    /// Reads one tree.
    pub fn read(&mut self, tree: &Tree) -> Facts {
        let mut facts = Facts::default();
        tree.paths().with(|mut list| {
            self.seen.resize(list.len().max(self.seen.len()), 0);
            for (id, leaf) in tree.iter() {
                let Some(mark) = self.seen.get_mut(id.index()) else { continue };
                if *mark == 1 {
                    continue;
                }
                let Some(path) = list.get(id.index()) else { continue };
                if *mark == 0 {
                    *mark = if of_use(path) { 2 } else { 1 };
                }
                if *mark == 2 {
                    facts.take(path, &leaf.value);
                }
            }
        });
        facts
    }
}

/// Leaves that say something about an interface, an instance or a session.
const OF_USE: &[&str] = &[
    "enabled",
    "mtu",
    "prefix-length",
    "aggregate-id",
    "interface-mode",
    "src-ip-intf",
    "ipv4-routing-enabled",
    "id",
    "interface",
    "as",
    "network",
    "peer-as",
    "peer-group",
    "session-state",
    "peer-link-intf",
    "local-intf",
    "peer-address",
    "neighbor-address",
    "peer-group-name",
    "dst-protocol",
];

fn of_use(path: &Path) -> bool {
    let top = path.elems.first().map_or("", |elem| elem.name.as_str());
    path.origin.is_none()
        && matches!(top, "interfaces" | "network-instances" | "arista")
        && OF_USE.contains(&path.name())
        && (path.name() == "session-state" || !path.elems.iter().any(|elem| elem.name == "state"))
}

impl Facts {
    /// Reads one tree; [`Reader`] is for many.
    pub fn of(tree: &Tree) -> Self {
        Reader::default().read(tree)
    }

    fn take(&mut self, path: &Path, value: &Value) {
        let [top, entry, rest @ ..] = path.elems.as_slice() else { return };
        match (top.name.as_str(), entry.name.as_str()) {
            ("interfaces", "interface") => {
                if let Some(name) = entry.key("name") {
                    self.interface(name, rest, value);
                }
            }
            ("network-instances", "network-instance") => {
                if let Some(name) = entry.key("name") {
                    self.instance(name, rest, value);
                }
            }
            ("arista", "eos") => {
                if let [mlag, config, leaf] = rest
                    && (mlag.name.as_str(), config.name.as_str()) == ("mlag", "config")
                {
                    let text = value.as_str().map(str::to_owned);
                    match leaf.name.as_str() {
                        "peer-link-intf" => self.peer_link = text,
                        "local-intf" => self.mlag_svi = text,
                        "peer-address" => self.mlag_peer = text,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn interface(&mut self, name: &str, rest: &[Elem], value: &Value) {
        let (Some(leaf), Some(config)) = (rest.last(), rest.len().checked_sub(2).and_then(|at| rest.get(at))) else { return };
        if config.name != "config" {
            return;
        }
        let above = rest.len().checked_sub(3).and_then(|at| rest.get(at));
        if leaf.name == "src-ip-intf" {
            self.vtep_source = value.as_str().map(str::to_owned);
        }
        let interface = match self.interfaces.get_mut(name) {
            Some(known) => known,
            None => self.interfaces.entry(name.to_owned()).or_default(),
        };
        match (above.map(|elem| elem.name.as_str()), leaf.name.as_str()) {
            (None, "enabled") => interface.enabled = value.as_bool(),
            (Some("ipv4"), "mtu") => interface.mtu = value.as_u64(),
            (Some("address"), "prefix-length") => {
                if let (Some(ip), Some(length)) = (above.and_then(|elem| elem.key("ip")), value.as_u64()) {
                    interface.addresses.insert(ip.to_owned(), u8::try_from(length).unwrap_or(0));
                }
            }
            (_, "aggregate-id") => interface.member_of = value.as_str().map(str::to_owned),
            (_, "interface-mode") => interface.mode = value.as_str().map(str::to_owned),
            _ => {}
        }
    }

    fn instance(&mut self, name: &str, rest: &[Elem], value: &Value) {
        match rest {
            [config, leaf] if config.name == "config" && leaf.name == "ipv4-routing-enabled" => {
                self.routing.insert(name.to_owned(), value.as_bool().unwrap_or(false));
            }
            [list, member, config, _] if list.name == "interfaces" && config.name == "config" && name != DEFAULT => {
                if let Some(id) = member.key("id") {
                    self.vrf_of.insert(id.to_owned(), name.to_owned());
                }
            }
            [list, connection, config, _]
                if list.name == "table-connections"
                    && config.name == "config"
                    && connection.key("src-protocol") == Some("DIRECTLY_CONNECTED")
                    && connection.key("dst-protocol") == Some("BGP") =>
            {
                self.bgp.entry(name.to_owned()).or_default().connected = true;
            }
            [list, _, bgp, below @ ..] if list.name == "protocols" && bgp.name == "bgp" => self.bgp(name, below, value),
            _ => {}
        }
    }

    fn bgp(&mut self, instance: &str, below: &[Elem], value: &Value) {
        if let [_, neighbor, state, leaf] = below
            && state.name == "state"
        {
            if let (Some(address), "session-state") = (neighbor.key("neighbor-address"), leaf.name.as_str()) {
                self.sessions.insert((instance.to_owned(), address.to_owned()), value.to_string());
            }
            return;
        }
        if !below.iter().any(|elem| elem.name == "config") {
            return;
        }
        let bgp = match self.bgp.get_mut(instance) {
            Some(known) => known,
            None => self.bgp.entry(instance.to_owned()).or_default(),
        };
        match below {
            [global, config, leaf] if global.name == "global" && config.name == "config" && leaf.name == "as" => bgp.asn = value.as_u64(),
            [_, networks, network, ..] if networks.name == "networks" => bgp.networks.extend(network.key("network").map(str::to_owned)),
            [list, entry, tail @ ..] if list.name == "neighbors" || list.name == "peer-groups" => {
                let (map, key) =
                    if list.name == "neighbors" { (&mut bgp.neighbors, "neighbor-address") } else { (&mut bgp.groups, "peer-group-name") };
                let Some(name) = entry.key(key) else { return };
                let peer = match map.get_mut(name) {
                    Some(known) => known,
                    None => map.entry(name.to_owned()).or_default(),
                };
                match tail {
                    [config, leaf] if config.name == "config" => match leaf.name.as_str() {
                        "peer-as" => peer.peer_as = value.as_u64(),
                        "peer-group" => peer.group = value.as_str().map(str::to_owned),
                        "enabled" => peer.enabled = value.as_bool(),
                        _ => {}
                    },
                    [_, family, config, leaf] if config.name == "config" && leaf.name == "enabled" => {
                        if let Some(family) = family.key("afi-safi-name") {
                            peer.families.insert(family.to_owned(), value.as_bool().unwrap_or(false));
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Whether a family is active for a neighbor, its group asked when it says nothing itself.
    pub fn active(&self, instance: &str, neighbor: &str, family: &str) -> bool {
        let Some(peer) = self.bgp.get(instance).and_then(|bgp| bgp.neighbors.get(neighbor)) else { return false };
        if peer.enabled == Some(false) {
            return false;
        }
        match peer.families.get(family) {
            Some(said) => *said,
            None => self.group(peer).and_then(|group| group.families.get(family)).copied().unwrap_or(false),
        }
    }

    /// The group of a neighbor; groups live in the default instance.
    pub fn group(&self, peer: &Peer) -> Option<&Peer> {
        self.bgp.get(DEFAULT)?.groups.get(peer.group.as_deref()?)
    }

    /// The AS a neighbor must have: its own, or its group's.
    pub fn peer_as(&self, instance: &str, neighbor: &str) -> Option<u64> {
        let peer = self.bgp.get(instance)?.neighbors.get(neighbor)?;
        peer.peer_as.or_else(|| self.group(peer)?.peer_as)
    }

    /// Neighbors of the default instance with EVPN active.
    pub fn evpn_neighbors(&self) -> impl Iterator<Item = &str> {
        let bgp = self.bgp.get(DEFAULT);
        bgp.into_iter().flat_map(|bgp| bgp.neighbors.keys()).map(String::as_str).filter(|address| self.active(DEFAULT, address, EVPN))
    }

    /// The addresses of Vxlan1's source interface.
    pub fn vtep_addresses(&self) -> impl Iterator<Item = &str> {
        let source = self.vtep_source.as_ref().and_then(|name| self.interfaces.get(name));
        source.into_iter().flat_map(|interface| interface.addresses.keys()).map(String::as_str)
    }

    /// Whether an address is announced: by a network statement, or with all connected routes.
    pub fn announces(&self, address: &str) -> bool {
        let bgp = self.bgp.get(DEFAULT);
        bgp.is_some_and(|bgp| bgp.connected || bgp.networks.iter().any(|net| is_host_route(net, address)))
    }

    /// Neighbors in the networks of an interface: whose sessions run over it.
    pub fn neighbors_over(&self, interface: &str) -> Vec<String> {
        let Some(known) = self.interfaces.get(interface) else { return Vec::new() };
        let instance = self.vrf_of.get(interface).map_or(DEFAULT, String::as_str);
        let Some(bgp) = self.bgp.get(instance) else { return Vec::new() };
        let nets: Vec<IpNet> = known.nets().map(|(_, net)| net).collect();
        let near = |address: &&String| address.parse::<IpAddr>().is_ok_and(|ip| nets.iter().any(|net| net.contains(&ip)));
        bgp.neighbors.keys().filter(near).cloned().collect()
    }
}

impl Interface {
    /// Address and network of each of its addresses.
    pub fn nets(&self) -> impl Iterator<Item = (IpAddr, IpNet)> {
        self.addresses.iter().filter_map(|(ip, length)| {
            let ip = ip.parse().ok()?;
            Some((ip, IpNet::new(ip, *length).ok()?.trunc()))
        })
    }
}

fn is_host_route(net: &str, address: &str) -> bool {
    match (net.parse::<IpNet>(), address.parse::<IpAddr>()) {
        (Ok(net), Ok(ip)) => net.addr() == ip && net.prefix_len() == net.max_prefix_len(),
        _ => false,
    }
}
