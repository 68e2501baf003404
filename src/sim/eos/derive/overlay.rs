//! EVPN routes, VXLAN tunnels, MAC and ARP tables, MLAG.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::ports::Net;
use super::routes::{Edge, Outcome, exchange};
use super::sessions::routed;
use super::{Derived, Member, MlagState, Wiring, host_mac, system_mac};
use crate::sim::eos::topology::End;
use crate::sim::eos::view::{EVPN, network};

/// What an EVPN route says. The key tells routes apart, so it has the route distinguisher in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Route {
    /// Type 3: this VTEP wants flooded frames.
    Imet(Ipv4Addr),
    /// Type 2: this MAC address is here.
    Mac(String),
    /// Type 5: this prefix is here.
    Prefix(Ipv4Addr, u8),
}

/// Route targets and tunnel end of a route at its origin.
struct Attributes {
    targets: BTreeSet<String>,
    vtep: Option<Ipv4Addr>,
}

/// Originates and exchanges EVPN routes, counts them, and fills the tunnels they make.
pub fn exchange_evpn(members: &[Member], net: &Net, edges: &[Edge], all: &mut [Derived], count: impl FnOnce(&Outcome, &mut [Derived])) {
    let mut keys: Vec<(String, Route)> = Vec::new();
    let mut numbers: BTreeMap<(String, Route), u32> = BTreeMap::new();
    let mut attributes: BTreeMap<(usize, u32), Attributes> = BTreeMap::new();
    let mut own: Vec<Vec<u32>> = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let vtep = member.view.vxlan_source.as_ref().filter(|name| net.up[at].contains(*name));
        let vtep = vtep.and_then(|name| Some(member.view.interfaces.get(name)?.addresses.first()?.0));
        all[at].vtep = vtep;
        let mut mine = Vec::new();
        for (rd, route, targets) in originated(member, net, at) {
            let number = *numbers.entry((rd.clone(), route.clone())).or_insert_with(|| {
                keys.push((rd, route));
                u32::try_from(keys.len() - 1).unwrap_or(u32::MAX)
            });
            attributes.insert((at, number), Attributes { targets, vtep });
            mine.push(number);
        }
        mine.sort_unstable();
        mine.dedup();
        own.push(mine);
    }
    let limits: Vec<u64> = members
        .iter()
        .map(|member| member.view.vrfs.get("default").and_then(|vrf| vrf.bgp.as_ref()).map_or(1, |bgp| bgp.maximum_paths))
        .collect();
    let outcome = exchange(&own, edges, &limits);
    for (at, member) in members.iter().enumerate() {
        let Some(used) = outcome.used.get(at) else { continue };
        all[at].totals.insert(EVPN, used.len() as u64);
        let mut vteps = BTreeSet::new();
        let mut macs = BTreeMap::new();
        for (number, paths) in used {
            for path in paths.iter().filter_map(|edge| outcome.received.get(*edge)?.get(number)) {
                let Some(said) = attributes.get(&(path.origin, *number)).filter(|_| !path.bare && !path.rewritten) else { continue };
                let Some(far) = said.vtep.filter(|far| Some(*far) != all[at].vtep && routed(&all[at], *far)) else { continue };
                let Some((_, route)) = keys.get(*number as usize) else { continue };
                for vlan in imported(member, route, &said.targets) {
                    vteps.insert(far);
                    if let (Route::Mac(mac), Some(vlan)) = (route, vlan) {
                        macs.insert((vlan, mac.clone()), "Vxlan1".to_owned());
                    }
                }
            }
        }
        if all[at].vtep.is_none() {
            vteps.clear();
            macs.clear();
        }
        (all[at].vteps, all[at].macs) = (vteps, macs);
    }
    count(&outcome, all);
}

/// `(route distinguisher, route, route targets)` of everything a device tells others.
fn originated(member: &Member, net: &Net, at: usize) -> Vec<(String, Route, BTreeSet<String>)> {
    let view = &member.view;
    let mut routes = Vec::new();
    let vtep = view.vxlan_source.as_ref().filter(|name| net.up[at].contains(*name));
    let Some(vtep) = vtep.and_then(|name| Some(view.interfaces.get(name)?.addresses.first()?.0)) else { return routes };
    for evi in view.evis.values() {
        for vlan in evi.vlans.iter().filter(|vlan| view.vnis.contains_key(vlan) && view.vlans.contains_key(vlan)) {
            routes.push((evi.rd.clone(), Route::Imet(vtep), evi.export.clone()));
            if evi.redistribute_learned {
                routes.extend(
                    local_hosts(member, net, at, *vlan).into_keys().map(|mac| (evi.rd.clone(), Route::Mac(mac), evi.export.clone())),
                );
            }
        }
    }
    for (name, vrf) in view.vrfs.iter().filter(|(name, _)| view.l3_vnis.contains_key(*name)) {
        let (Some(rd), Some(bgp)) = (&vrf.rd, &vrf.bgp) else { continue };
        if !vrf.redistribute.contains("DIRECTLY_CONNECTED") {
            continue;
        }
        let subnets: BTreeSet<_> = view
            .interfaces
            .iter()
            .filter(|(port, entry)| entry.vrf == *name && net.up[at].contains(*port))
            .flat_map(|(_, entry)| entry.addresses.iter().chain(&entry.virtual_address).map(|address| network(*address)))
            .collect();
        routes.extend(subnets.into_iter().map(|(address, length)| (rd.clone(), Route::Prefix(address, length), bgp.export.clone())));
    }
    routes
}

/// Where a route goes: VLANs (type 2 and 3) or VRFs (type 5, no VLAN).
fn imported(member: &Member, route: &Route, targets: &BTreeSet<String>) -> Vec<Option<u16>> {
    let view = &member.view;
    match route {
        Route::Prefix(..) => view
            .vrfs
            .iter()
            .filter(|(name, vrf)| view.l3_vnis.contains_key(*name) && vrf.bgp.as_ref().is_some_and(|bgp| !bgp.import.is_disjoint(targets)))
            .map(|_| None)
            .collect(),
        _ => view
            .evis
            .values()
            .filter(|evi| !evi.import.is_disjoint(targets))
            .flat_map(|evi| evi.vlans.iter().filter(|vlan| view.vnis.contains_key(vlan)).map(|vlan| Some(*vlan)))
            .collect(),
    }
}

/// Hosts on ports of this device that carry `vlan`: MAC address to port. A host talks in the lowest VLAN its port carries.
fn local_hosts(member: &Member, net: &Net, at: usize, vlan: u16) -> BTreeMap<String, String> {
    net.hosts(at)
        .filter(|(port, _)| {
            let first = member.view.vlans.keys().find(|id| member.view.carries(port, **id));
            first == Some(&vlan)
        })
        .map(|(port, host)| (host_mac(host), port.to_owned()))
        .collect()
}

/// MAC entries of own hosts, ARP of own hosts, MLAG.
pub fn derive(members: &[Member], net: &Net, all: &mut [Derived]) {
    for (at, member) in members.iter().enumerate() {
        for vlan in member.view.vlans.keys() {
            for (mac, port) in local_hosts(member, net, at, *vlan) {
                all[at].macs.insert((*vlan, mac.clone()), port);
            }
        }
        all[at].mlag = mlag(members, net, at);
    }
    let pairs: Vec<_> = all.iter().map(|derived| derived.mlag.as_ref().map(|mlag| (mlag.active, mlag.peer.clone()))).collect();
    for (at, pair) in pairs.into_iter().enumerate() {
        let Some((active, peer)) = pair else { continue };
        let peer = members.iter().position(|member| Some(&member.name) == peer.as_ref()).filter(|_| active);
        let ports = mlag_ports(members, net, at, peer);
        if let Some(mlag) = all[at].mlag.as_mut() {
            mlag.ports = ports;
        }
        let shared = peer.and_then(|peer| members.get(peer)).map(|other| other.index.min(members[at].index));
        if let (Some(index), Some(mlag)) = (shared, all[at].mlag.as_mut()) {
            mlag.system_id = system_mac(index).replacen("00", "02", 1);
            mlag.primary = members[at].index == index;
        }
    }
}

/// The MLAG member at the other end of the peer link, and whether the pair talks.
fn mlag(members: &[Member], net: &Net, at: usize) -> Option<MlagState> {
    let member = members.get(at)?;
    let config = member.view.mlag.as_ref()?;
    let is_up = |at: usize, name: &Option<String>| name.as_ref().is_some_and(|name| net.up[at].contains(name));
    let mut state = MlagState {
        peer_link: is_up(at, &config.peer_link),
        local: is_up(at, &config.local_intf),
        system_id: "00:00:00:00:00:00".to_owned(),
        ..MlagState::default()
    };
    let own = |member: &Member| {
        let local = member.view.mlag.as_ref()?.local_intf.clone()?;
        Some(member.view.interfaces.get(&local)?.addresses.first()?.0)
    };
    let found = config.peer_address.and_then(|address| {
        net.owners(address, "default").find(|(to, name)| {
            let Some(other) = members.get(*to) else { return false };
            let Some(theirs) = other.view.mlag.as_ref() else { return false };
            *to != at
                && theirs.domain == config.domain
                && config.domain.is_some()
                && theirs.local_intf.as_deref() == Some(*name)
                && theirs.peer_address == own(member)
                && !theirs.disabled
                && is_up(*to, &theirs.peer_link)
                && config.local_intf.as_ref().is_some_and(|local| net.adjacent(members, (at, local), (*to, name)))
        })
    });
    if let Some(other) = found.and_then(|(to, _)| members.get(to)).filter(|_| state.peer_link && state.local && !config.disabled) {
        state.active = true;
        state.peer = Some(other.name.clone());
    }
    Some(state)
}

fn mlag_ports(members: &[Member], net: &Net, at: usize, peer: Option<usize>) -> BTreeMap<u64, (String, &'static str)> {
    let ids = |at: usize| -> BTreeMap<u64, String> {
        let Some(member) = members.get(at) else { return BTreeMap::new() };
        member.view.interfaces.iter().filter_map(|(name, entry)| Some((entry.mlag?, name.clone()))).collect()
    };
    let theirs = peer.map(ids).unwrap_or_default();
    let is_up = |at: usize, name: &str| net.up[at].contains(name);
    ids(at)
        .into_iter()
        .map(|(id, name)| {
            let here = is_up(at, &name);
            let state = match (theirs.get(&id), peer) {
                (Some(other), Some(peer)) => match (here, is_up(peer, other)) {
                    (true, true) => "active-full",
                    (false, false) => "inactive",
                    _ => "active-partial",
                },
                _ => "configured",
            };
            (id, (name, state))
        })
        .collect()
}

impl Net {
    /// Ports (or Port-Channels) of a device with a host behind them that are up, and the host's number.
    fn hosts(&self, at: usize) -> impl Iterator<Item = (&str, usize)> {
        self.hosts.get(at).into_iter().flatten().map(|(port, host)| (port.as_str(), *host))
    }
}

/// Fills the host ports of a [`Net`]; called once ports and LAGs are known.
pub fn host_ports(members: &[Member], wiring: &Wiring, net: &Net, all: &[Derived]) -> Vec<BTreeMap<String, usize>> {
    let host = |member: &Member, port: &str| {
        let far = wiring.ends.get(&End { device: member.name.clone(), interface: port.to_owned() })?;
        wiring.hosts.get(&far.device).copied()
    };
    let ports = |(at, member): (usize, &Member)| {
        let found = member.view.interfaces.iter().filter(|(port, _)| net.up[at].contains(*port)).filter_map(|(port, entry)| {
            let number = host(member, port)?;
            match &entry.aggregate {
                Some(lag) => (all[at].lags.get(lag)?.get(port)?.active && net.up[at].contains(lag)).then(|| (lag.clone(), number)),
                None => Some((port.clone(), number)),
            }
        });
        found.collect()
    };
    members.iter().enumerate().map(ports).collect()
}
