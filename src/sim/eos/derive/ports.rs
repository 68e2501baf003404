//! Ports, LAGs and SVIs: who has carrier, who forwards, and which addresses can talk to each other directly.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::{Derived, LagMember, Lldp, Member, Memory, Port, Wiring, host_mac, port_number, system_mac};
use crate::sim::eos::topology::End;
use crate::sim::eos::view::{Interface, same_subnet};

/// Layer 2 and the addresses on it.
#[derive(Debug, Default)]
pub struct Net {
    /// Up, by device and interface.
    pub up: Vec<BTreeSet<String>>,
    /// Bridged neighbors: device and port (or Port-Channel) to the other device and its port (or Port-Channel).
    bridges: Vec<BTreeMap<String, (usize, String)>>,
    /// Routed cables: device and port to the other end.
    cables: Vec<BTreeMap<String, (usize, String)>>,
    /// Ports or Port-Channels with a host behind them: the host's number.
    pub hosts: Vec<BTreeMap<String, usize>>,
    /// Who owns an address: device, interface, instance.
    owners: BTreeMap<Ipv4Addr, Vec<(usize, String, String)>>,
}

impl Net {
    /// Devices that own `address` in `vrf` on an interface that is up.
    pub fn owners<'a>(&'a self, address: Ipv4Addr, vrf: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        self.owners
            .get(&address)
            .into_iter()
            .flatten()
            .filter(move |(_, _, instance)| instance == vrf)
            .map(|(at, name, _)| (*at, name.as_str()))
    }

    /// The interface of `device` in `vrf` whose subnet holds `address`, whether or not it is up.
    pub fn connected<'a>(&self, member: &'a Member, vrf: &str, address: Ipv4Addr) -> Option<(&'a str, Ipv4Addr)> {
        member.view.interfaces.iter().filter(|(_, entry)| entry.vrf == vrf).find_map(|(name, entry)| {
            let own = entry.addresses.iter().find(|own| same_subnet(**own, address))?;
            Some((name.as_str(), own.0))
        })
    }

    /// Whether interface `a` of device `from` reaches interface `b` of device `to` without a router between.
    pub fn adjacent(&self, members: &[Member], (from, a): (usize, &str), (to, b): (usize, &str)) -> bool {
        let up = |at: usize, name: &str| self.up.get(at).is_some_and(|set| set.contains(name));
        if !up(from, a) || !up(to, b) {
            return false;
        }
        if self.cables.get(from).and_then(|cables| cables.get(a)).is_some_and(|(at, name)| *at == to && name == b) {
            return true;
        }
        let vlan = |name: &str| name.strip_prefix("Vlan").and_then(|id| id.parse::<u16>().ok());
        match (vlan(a), vlan(b)) {
            (Some(x), Some(y)) if x == y => {
                self.bridged(members, x).get(from).zip(self.bridged(members, x).get(to)).is_some_and(|(p, q)| p == q)
            }
            _ => false,
        }
    }

    /// For each device a number; devices with the same number share the VLAN.
    fn bridged(&self, members: &[Member], vlan: u16) -> Vec<usize> {
        let mut domain: Vec<usize> = (0..members.len()).collect();
        for (at, bridges) in self.bridges.iter().enumerate() {
            for (port, (to, other)) in bridges {
                let carries = |index: usize, name: &str| members.get(index).is_some_and(|member| member.view.carries(name, vlan));
                if carries(at, port) && carries(*to, other) {
                    let (Some(&keep), Some(&gone)) = (domain.get(at), domain.get(*to)) else { continue };
                    domain.iter_mut().filter(|number| **number == gone).for_each(|number| *number = keep);
                }
            }
        }
        domain
    }
}

/// Fills ports, LAGs, LLDP and ARP of every device.
pub fn derive(members: &[Member], wiring: &Wiring, memory: &mut Memory, now: u64, all: &mut [Derived]) -> Net {
    let index: BTreeMap<&str, usize> = members.iter().enumerate().map(|(at, member)| (member.name.as_str(), at)).collect();
    let mut net = Net { up: vec![BTreeSet::new(); members.len()], ..Net::default() };
    net.bridges = vec![BTreeMap::new(); members.len()];
    net.cables = vec![BTreeMap::new(); members.len()];
    let end = |member: &Member, port: &str| wiring.ends.get(&End { device: member.name.clone(), interface: port.to_owned() });
    let shut = |member: &Member, port: &str| member.view.interfaces.get(port).is_some_and(|entry| !entry.enabled);

    for (at, member) in members.iter().enumerate().filter(|(_, member)| member.powered) {
        for (name, entry) in &member.view.interfaces {
            let carrier = if name.starts_with("Ethernet") {
                end(member, name).is_some_and(|far| match index.get(far.device.as_str()).and_then(|at| members.get(*at)) {
                    Some(other) => other.powered && !shut(other, &far.interface),
                    None => wiring.hosts.contains_key(&far.device),
                })
            } else {
                name.starts_with("Management") || name.starts_with("Loopback")
            };
            if carrier && entry.enabled {
                net.up[at].insert(name.clone());
            }
        }
    }
    lags(members, wiring, &index, &mut net, all);
    net.hosts = super::overlay::host_ports(members, wiring, &net, all);
    for (at, member) in members.iter().enumerate() {
        for (port, entry) in &member.view.interfaces {
            let far = end(member, port).and_then(|far| Some((*index.get(far.device.as_str())?, far.interface.clone())));
            let Some((to, other)) = far.filter(|_| net.up[at].contains(port)) else { continue };
            net.cables[at].insert(port.clone(), (to, other.clone()));
            let bundle = |device: usize, port: &str, entry: Option<&Interface>| match entry.and_then(|entry| entry.aggregate.clone()) {
                Some(lag) => all.get(device)?.lags.get(&lag)?.get(port)?.active.then_some(lag),
                None => Some(port.to_owned()),
            };
            let far_entry = members.get(to).and_then(|member| member.view.interfaces.get(&other));
            if let (Some(here), Some(there)) = (bundle(at, port, Some(entry)), bundle(to, &other, far_entry))
                && net.up[at].contains(&here)
                && net.up[to].contains(&there)
            {
                net.bridges[at].insert(here, (to, there));
            }
        }
    }
    for (at, member) in members.iter().enumerate().filter(|(_, member)| member.powered) {
        let view = &member.view;
        for (name, entry) in view.interfaces.iter().filter(|(_, entry)| entry.enabled) {
            let up = if let Some(id) = name.strip_prefix("Vlan").and_then(|id| id.parse::<u16>().ok()) {
                let carried =
                    || net.up[at].iter().any(|port| view.carries(port, id)) || (view.vnis.contains_key(&id) && view.vxlan_source.is_some());
                view.vlans.get(&id).is_some_and(|vlan| !vlan.suspended) && (entry.no_autostate || carried())
            } else if name.starts_with("Vxlan") {
                view.vxlan_source.as_ref().is_some_and(|source| net.up[at].contains(source))
            } else {
                continue;
            };
            if up {
                net.up[at].insert(name.clone());
            }
        }
        for name in &net.up[at] {
            let Some(entry) = view.interfaces.get(name) else { continue };
            for (address, _) in &entry.addresses {
                net.owners.entry(*address).or_default().push((at, name.clone(), entry.vrf.clone()));
            }
        }
    }
    for (at, member) in members.iter().enumerate() {
        remember(member, &net.up[at], memory, now, &mut all[at]);
        all[at].lldp = lldp(members, member, &net.cables[at]);
    }
    for (at, derived) in all.iter_mut().enumerate() {
        derived.arps = arps(members, &net, at);
    }
    net
}

/// Which members of each Port-Channel forward, and from that which Port-Channels are up.
fn lags(members: &[Member], wiring: &Wiring, index: &BTreeMap<&str, usize>, net: &mut Net, all: &mut [Derived]) {
    let lag_of = |member: &Member, port: &str| -> Option<(String, String)> {
        let lag = member.view.interfaces.get(port)?.aggregate.clone()?;
        let kind = member.view.interfaces.get(&lag)?.lag_type.clone().unwrap_or_else(|| "STATIC".to_owned());
        Some((lag, kind))
    };
    let active_mode = |member: &Member, lag: &str| member.view.lacp.get(lag).is_none_or(|mode| mode == "ACTIVE");
    for (at, member) in members.iter().enumerate() {
        for port in member.view.interfaces.keys() {
            let Some((lag, kind)) = lag_of(member, port) else { continue };
            let far = wiring.ends.get(&End { device: member.name.clone(), interface: port.clone() });
            let peer = far.and_then(|far| Some((members.get(*index.get(far.device.as_str())?)?, far.interface.as_str())));
            let host = far.and_then(|far| Some((*wiring.hosts.get(&far.device)?, port_number(&far.interface))));
            let mut entry = LagMember { active: false, partner: None, partner_port: 0, partner_key: 0 };
            let up = net.up[at].contains(port);
            if kind == "LACP" {
                if let Some((other, other_port)) = peer {
                    if let Some((other_lag, other_kind)) = lag_of(other, other_port) {
                        entry.active = up && other_kind == "LACP" && (active_mode(member, &lag) || active_mode(other, &other_lag));
                        entry.partner = entry.active.then(|| system_mac(other.index));
                        (entry.partner_port, entry.partner_key) = (port_number(other_port), port_number(&other_lag));
                    }
                } else if let Some((host, number)) = host {
                    entry.active = up;
                    entry.partner = up.then(|| host_mac(host));
                    (entry.partner_port, entry.partner_key) = (number, 9);
                }
            } else {
                entry.active = up;
            }
            all[at].lags.entry(lag).or_default().insert(port.clone(), entry);
        }
        for (lag, ports) in &all[at].lags {
            let working = ports.values().filter(|port| port.active).count();
            let enough = member.view.interfaces.get(lag).is_some_and(|entry| entry.enabled && working as u64 >= entry.min_links.max(1));
            if enough && member.powered {
                net.up[at].insert(lag.clone());
            }
        }
    }
}

/// Port records with the time of their last change.
fn remember(member: &Member, up: &BTreeSet<String>, memory: &mut Memory, now: u64, derived: &mut Derived) {
    const SECOND: u64 = 1_000_000_000;
    for name in member.view.interfaces.keys() {
        let is_up = up.contains(name);
        let physical = name.starts_with("Ethernet") || name.starts_with("Management");
        let first = (is_up, member.boot + if physical { 42 } else { 48 } * SECOND, 2);
        let record = memory.ports.entry((member.name.clone(), name.clone())).or_insert(first);
        if record.0 != is_up {
            *record = (is_up, now, record.2 + 1);
        }
        derived.ports.insert(name.clone(), Port { up: record.0, since: record.1, transitions: record.2 });
    }
}

fn lldp(members: &[Member], member: &Member, cables: &BTreeMap<String, (usize, String)>) -> BTreeMap<String, Lldp> {
    let mut found = BTreeMap::new();
    for (port, (to, other)) in cables {
        let Some(far) = members.get(*to).filter(|far| far.view.lldp && member.view.lldp) else { continue };
        let neighbor = Lldp {
            system: if far.view.hostname.is_empty() { far.name.clone() } else { far.view.hostname.clone() },
            chassis: system_mac(far.index),
            port: other.clone(),
            description: far.view.interfaces.get(other).and_then(|entry| entry.description.clone()),
            address: far.address.clone(),
            since: (far.boot / 1_000_000_000) + 50,
        };
        found.insert(port.clone(), neighbor);
    }
    found
}

/// What each routed interface has learned: the other ends of its subnet.
fn arps(members: &[Member], net: &Net, at: usize) -> BTreeMap<(String, Ipv4Addr), String> {
    let mut found = BTreeMap::new();
    let Some(member) = members.get(at) else { return found };
    for (name, entry) in &member.view.interfaces {
        let talks = net.up[at].contains(name) && !name.starts_with("Management") && !name.starts_with("Loopback");
        for own in entry.addresses.iter().filter(|_| talks) {
            for (address, owners) in &net.owners {
                if *address == own.0 || !same_subnet(*own, *address) {
                    continue;
                }
                for (to, other, _) in owners.iter().filter(|(to, _, _)| *to != at) {
                    if let Some(far) = members.get(*to).filter(|_| net.adjacent(members, (at, name), (*to, other))) {
                        found.insert((name.clone(), *address), system_mac(far.index));
                    }
                }
            }
        }
    }
    found
}
