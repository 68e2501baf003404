//! BGP sessions out of both ends' configuration, and the underlay routes they exchange.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::ports::Net;
use super::routes::{Edge, Outcome, exchange};
use super::{Derived, Exchange, Member, Memory, Session};
use crate::sim::eos::view::{Bgp, IPV4, Peer, network};

/// One configured neighbor with everything needed to judge it.
struct Half<'a> {
    at: usize,
    vrf: &'a str,
    address: Ipv4Addr,
    peer: Peer,
    local_as: Option<u64>,
    families: BTreeSet<String>,
    /// Own address towards the neighbor.
    source: Option<Ipv4Addr>,
    /// The neighbor's interface is in one of our subnets: that interface.
    connected: Option<&'a str>,
}

/// A pair of halves that talk.
struct Pair {
    a: usize,
    b: usize,
    common: BTreeSet<String>,
}

/// Derives sessions of all devices, the IPv4 routes of the default instance, and the exchange counts of both.
pub fn derive(members: &[Member], net: &Net, memory: &mut Memory, (now, delay): (u64, u64), all: &mut [Derived]) {
    let halves = halves(members, net);
    let mut wake = None;
    // Sessions to loopbacks need the routes that sessions on the links carry: settle in turns.
    let mut pairs = Vec::new();
    for _ in 0..4 {
        let next = established(members, net, &halves, all, memory, (now, delay), &mut wake);
        let same = next.len() == pairs.len();
        pairs = next;
        let (edges, numbers) = edges(members, &halves, &pairs, IPV4);
        let (own, prefixes) = originate(members, net);
        let limits: Vec<u64> = members.iter().map(|member| default_bgp(member).map_or(1, |bgp| bgp.maximum_paths)).collect();
        let outcome = exchange(&own, &edges, &limits);
        for (derived, used) in all.iter_mut().zip(&outcome.used) {
            derived.rib = used.iter().filter_map(|(route, paths)| Some((*prefixes.get(*route as usize)?, paths.len()))).collect();
        }
        fill(members, &halves, &pairs, memory, now, all);
        count(&halves, IPV4, &edges, &numbers, &outcome, all);
        if same {
            break;
        }
    }
    for derived in all.iter_mut() {
        derived.wake = wake;
    }
    let evpn = overlay_edges(members, &halves, &pairs);
    super::overlay::exchange_evpn(members, net, &evpn.0, all, |outcome, all| {
        count(&halves, crate::sim::eos::view::EVPN, &evpn.0, &evpn.1, outcome, all);
    });
}

fn overlay_edges(members: &[Member], halves: &[Half<'_>], pairs: &[Pair]) -> (Vec<Edge>, Vec<(usize, usize)>) {
    edges(members, halves, pairs, crate::sim::eos::view::EVPN)
}

fn default_bgp(member: &Member) -> Option<&Bgp> {
    member.view.vrfs.get("default")?.bgp.as_ref()
}

fn halves<'a>(members: &'a [Member], net: &Net) -> Vec<Half<'a>> {
    let mut halves = Vec::new();
    for (at, member) in members.iter().enumerate() {
        for (vrf, instance) in &member.view.vrfs {
            let Some(bgp) = &instance.bgp else { continue };
            for (address, neighbor) in &bgp.neighbors {
                let peer = member.view.peer(bgp, neighbor);
                let connected = net.connected(member, vrf, *address);
                let named = peer
                    .source
                    .as_ref()
                    .and_then(|source| source.parse().ok().or_else(|| Some(member.view.interfaces.get(source)?.addresses.first()?.0)));
                let source = if peer.source.is_some() { named } else { connected.map(|(_, own)| own) };
                halves.push(Half {
                    at,
                    vrf,
                    address: *address,
                    local_as: peer.local_as.or(bgp.asn).or_else(|| member.view.asn()),
                    families: member.view.active_families(&peer),
                    peer,
                    source,
                    connected: connected.map(|(name, _)| name),
                });
            }
        }
    }
    halves
}

/// Whether `half`'s device has a way to its neighbor's address, and whether it lies one hop away.
fn reach(members: &[Member], net: &Net, half: &Half<'_>, to: usize, all: &[Derived]) -> Option<bool> {
    let interface = net.owners(half.address, half.vrf).find(|(at, _)| *at == to)?.1;
    if let Some(own) = half.connected {
        return net.adjacent(members, (half.at, own), (to, interface)).then_some(true);
    }
    (half.vrf == "default" && routed(all.get(half.at)?, half.address)).then_some(false)
}

/// Whether the routes of a device lead to `address`.
pub fn routed(derived: &Derived, address: Ipv4Addr) -> bool {
    (0..=32).rev().any(|length| derived.rib.contains_key(&network((address, length))))
}

fn runs(members: &[Member], half: &Half<'_>) -> bool {
    members.get(half.at).is_some_and(|member| {
        let routing = |vrf: &str| member.view.vrfs.get(vrf).is_some_and(|vrf| vrf.routing);
        member.powered && routing("default") && routing(half.vrf)
    })
}

fn compatible(members: &[Member], a: &Half<'_>, b: &Half<'_>) -> bool {
    let says = |half: &Half<'_>, other: &Half<'_>| {
        half.peer.enabled != Some(false) && half.peer.peer_as.is_some() && half.peer.peer_as == other.local_as && runs(members, half)
    };
    a.vrf == b.vrf
        && a.source == Some(b.address)
        && b.source == Some(a.address)
        && says(a, b)
        && says(b, a)
        && a.peer.password == b.peer.password
        && !(a.peer.passive && b.peer.passive)
}

fn established(
    members: &[Member],
    net: &Net,
    halves: &[Half<'_>],
    all: &[Derived],
    memory: &mut Memory,
    (now, delay): (u64, u64),
    wake: &mut Option<u64>,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (x, a) in halves.iter().enumerate() {
        let found = halves.iter().enumerate().skip(x + 1).find(|(_, b)| b.at != a.at && compatible(members, a, b));
        let Some((y, b)) = found else { continue };
        let common: BTreeSet<String> = a.families.intersection(&b.families).cloned().collect();
        let hops = reach(members, net, a, b.at, all).zip(reach(members, net, b, a.at, all));
        let external = a.local_as != b.local_as;
        let ttl = |half: &Half<'_>| !external || half.peer.multihop.is_some_and(|ttl| ttl >= 2);
        let near = hops.is_some_and(|(near, back)| (near && back) || (ttl(a) && ttl(b)));
        if common.is_empty() || hops.is_none() || !near {
            continue;
        }
        if comes_up(members, memory, (a, b), (now, delay), wake) {
            pairs.push(Pair { a: x, b: y, common });
        }
    }
    pairs
}

/// Nothing stands in the way: has the session had its time to come up?
fn comes_up(
    members: &[Member],
    memory: &mut Memory,
    (a, b): (&Half<'_>, &Half<'_>),
    (now, delay): (u64, u64),
    wake: &mut Option<u64>,
) -> bool {
    let name = |half: &Half<'_>| members.get(half.at).map(|member| member.name.clone()).unwrap_or_default();
    let record = memory.sessions.entry((name(a), a.vrf.to_owned(), a.address)).or_default();
    if record.up || delay == 0 {
        return true;
    }
    let since = *record.waiting.get_or_insert(now);
    memory.sessions.entry((name(b), b.vrf.to_owned(), b.address)).or_default().waiting = Some(since);
    let due = since + delay;
    if now < due {
        *wake = Some(wake.map_or(due, |other| other.min(due)));
    }
    now >= due
}

/// Directed edges of one family over established pairs, with the halves they start and end at.
fn edges(members: &[Member], halves: &[Half<'_>], pairs: &[Pair], family: &str) -> (Vec<Edge>, Vec<(usize, usize)>) {
    let (mut edges, mut numbers) = (Vec::new(), Vec::new());
    for pair in pairs.iter().filter(|pair| pair.common.contains(family)) {
        for (x, y) in [(pair.a, pair.b), (pair.b, pair.a)] {
            let (Some(from), Some(to)) = (halves.get(x), halves.get(y)) else { continue };
            if from.vrf != "default" {
                continue; // routes of VRFs are not exchanged: no session of the fabric's VRFs has two known ends
            }
            let id = members.get(from.at).and_then(|member| member.view.router_id()).map_or(0, u32::from);
            edges.push(Edge {
                from: from.at,
                to: to.at,
                external: from.local_as != to.local_as,
                from_as: from.local_as.unwrap_or(0),
                to_as: to.local_as.unwrap_or(0),
                from_id: id,
                extended: from.peer.send_extended == Some(true),
                unchanged: from.peer.next_hop_unchanged == Some(true),
            });
            numbers.push((x, y));
        }
    }
    (edges, numbers)
}

/// Network statements a device can serve: it has the prefix on an interface that is up, or redistributes it.
fn originate(members: &[Member], net: &Net) -> (Vec<Vec<u32>>, Vec<(Ipv4Addr, u8)>) {
    let mut prefixes: Vec<(Ipv4Addr, u8)> = Vec::new();
    let mut numbers: BTreeMap<(Ipv4Addr, u8), u32> = BTreeMap::new();
    let mut own = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let mut mine = Vec::new();
        let redistributes = member.view.vrfs.get("default").is_some_and(|vrf| vrf.redistribute.contains("DIRECTLY_CONNECTED"));
        let have: BTreeSet<_> = member
            .view
            .interfaces
            .iter()
            .filter(|(name, entry)| entry.vrf == "default" && net.up.get(at).is_some_and(|up| up.contains(*name)))
            .flat_map(|(_, entry)| entry.addresses.iter().map(|address| network(*address)))
            .collect();
        let wanted = default_bgp(member).map(|bgp| bgp.networks.clone()).unwrap_or_default();
        for prefix in have.iter().filter(|prefix| redistributes || wanted.contains(prefix)) {
            let number = *numbers.entry(*prefix).or_insert_with(|| {
                prefixes.push(*prefix);
                u32::try_from(prefixes.len() - 1).unwrap_or(u32::MAX)
            });
            mine.push(number);
        }
        own.push(mine);
    }
    (own, prefixes)
}

/// Session records of both ends.
fn fill(members: &[Member], halves: &[Half<'_>], pairs: &[Pair], memory: &mut Memory, now: u64, all: &mut [Derived]) {
    let mut partner: BTreeMap<usize, (usize, &Pair)> = BTreeMap::new();
    for pair in pairs {
        partner.insert(pair.a, (pair.b, pair));
        partner.insert(pair.b, (pair.a, pair));
    }
    for derived in all.iter_mut() {
        derived.sessions.clear();
    }
    for (number, half) in halves.iter().enumerate() {
        let Some(member) = members.get(half.at) else { continue };
        let found = partner.get(&number).and_then(|(other, pair)| Some((halves.get(*other)?, *pair)));
        let key = (member.name.clone(), half.vrf.to_owned(), half.address);
        let record = memory.sessions.entry(key).or_default();
        let up = found.is_some();
        if up && !record.up {
            // The first time is at boot: all came up a minute after it.
            let at_boot = record.transitions == 0 && now < member.boot + 120_000_000_000;
            let later = found.and_then(|(other, _)| members.get(other.at)).map_or(member.boot, |other| other.boot.max(member.boot));
            record.established = if at_boot || record.transitions == 0 && record.waiting.is_none() { later + 62_000_000_000 } else { now };
            record.transitions += 1;
            record.waiting = None;
        }
        record.up = up;
        let families = half.families.iter().map(|family| {
            let negotiated = found.is_some_and(|(_, pair)| pair.common.contains(family));
            (family.clone(), negotiated.then(Exchange::default))
        });
        let remote = found.and_then(|(other, _)| members.get(other.at));
        // The alphabetically later one calls; its port is made of the other's number.
        let tcp = remote.map_or((0, 0), |remote| {
            if member.name > remote.name { (40_000 + remote.index as u64, 179) } else { (179, 40_000 + member.index as u64) }
        });
        let session = Session {
            state: if up { "ESTABLISHED" } else { down_state(members, half, record.waiting.is_some()) },
            peer_as: half.peer.peer_as,
            local_as: half.local_as,
            group: half.peer.group.clone(),
            enabled: half.peer.enabled != Some(false),
            local: half.source.filter(|_| up),
            tcp,
            router_id: remote.and_then(|remote| remote.view.router_id()),
            transitions: record.transitions,
            established: (record.transitions > 0).then_some(record.established),
            families: families.collect(),
            timers: (half.peer.hold_time.unwrap_or(180), half.peer.keepalive.unwrap_or(60)),
        };
        if let Some(derived) = all.get_mut(half.at) {
            derived.sessions.insert((half.vrf.to_owned(), half.address), session);
        }
    }
}

/// A neighbor that is shut, of a process without routing or without an AS, or on an interface that is down stays IDLE; one
/// that could come up any moment is in CONNECT; everything else keeps trying.
fn down_state(members: &[Member], half: &Half<'_>, waiting: bool) -> &'static str {
    if half.peer.enabled == Some(false) || half.peer.peer_as.is_none() || half.local_as.is_none() || !runs(members, half) {
        return "IDLE";
    }
    if waiting { "CONNECT" } else { "ACTIVE" }
}

/// Prefix counts of one family into the session records.
fn count(halves: &[Half<'_>], family: &str, edges: &[Edge], numbers: &[(usize, usize)], outcome: &Outcome, all: &mut [Derived]) {
    let mut counts: BTreeMap<usize, Exchange> = BTreeMap::new();
    for (edge, (from, to)) in numbers.iter().enumerate() {
        let routes = outcome.received.get(edge).map_or(0, BTreeMap::len) as u64;
        counts.entry(*from).or_default().sent = routes;
        let entry = counts.entry(*to).or_default();
        entry.received = routes;
        let Some(used) = edges.get(edge).and_then(|edge| outcome.used.get(edge.to)) else { continue };
        for paths in used.values() {
            match paths.iter().position(|number| *number == edge) {
                Some(0) => entry.best += 1,
                Some(_) => entry.ecmp += 1,
                None => {}
            }
        }
    }
    for (number, exchange) in counts {
        let Some(half) = halves.get(number) else { continue };
        let session = all.get_mut(half.at).and_then(|derived| derived.sessions.get_mut(&(half.vrf.to_owned(), half.address)));
        if let Some(Some(have)) = session.and_then(|session| session.families.get_mut(family)) {
            *have = exchange;
        }
    }
}
