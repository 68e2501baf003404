//! BGP: process, networks, peer groups, neighbours with their families, in the default instance and in VRFs.
//!
//! Peer groups live in the default instance, for VRFs too. A device has the groups its sessions name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::writer::Writer;
use super::{Scope, addresses, policy};
use crate::intent::finding::Severity;
use crate::intent::records::{Attached, Attributes, PeerGroup, Session};

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    let Some(asn) = scope.device.asn else {
        if let Some(session) = scope.fabric.sessions_of(scope.device.id).next() {
            let message = format!("{} has BGP sessions but no AS number", scope.device.name);
            w.from(&session.origin, |w| w.problem("missing-asn", Severity::Error, message, "set its AS number"));
        }
        return;
    };
    instance("default", w, |w| {
        w.leaf("config/identifier", "BGP");
        w.leaf("config/name", "BGP");
        w.within("bgp/global", |w| process(scope, asn, w));
        let mut groups: Vec<&PeerGroup> =
            scope.fabric.sessions_of(scope.device.id).filter_map(|s| scope.fabric.peer_group(s.peer_group?)).collect();
        groups.sort_by_key(|group| group.id);
        groups.dedup_by_key(|group| group.id);
        for group in groups {
            w.from(&group.origin, |w| {
                peer_group(group, w);
                attached(scope, &group.prefix_lists, &group.name, asn, "default", w);
            });
        }
    });
    lines(scope, asn, w);
    networks(scope, w);
    for session in scope.fabric.sessions_of(scope.device.id) {
        w.from(&session.origin, |w| neighbor(scope, session, asn, w));
    }
}

fn instance(name: &str, w: &mut Writer<'_>, body: impl FnOnce(&mut Writer<'_>)) {
    w.entry("network-instances/network-instance", &[("name", name)], |w| {
        w.entry("protocols/protocol", &[("identifier", "BGP"), ("name", "BGP")], body);
    });
}

/// Below `bgp/global` of the default instance.
fn process(scope: &Scope<'_>, asn: u32, w: &mut Writer<'_>) {
    w.leaf("config/as", asn);
    w.maybe("config/router-id", scope.device.router_id.as_deref());
    let Some(bgp) = &scope.settings.context.bgp else { return };
    w.maybe("logging-options/config/log-neighbor-state-changes", bgp.log_neighbor_changes);
    if let Some(distance) = &bgp.distance {
        w.within("default-route-distance/config", |w| {
            w.maybe("external-route-distance", distance.external);
            w.maybe("internal-route-distance", distance.internal);
            w.maybe("local-route-distance", distance.local);
        });
    }
    w.maybe("use-multiple-paths/ebgp/config/maximum-paths", bgp.maximum_paths.as_ref().and_then(|paths| paths.paths));
}

/// What has no leaf: the width of ECMP, and that IPv4 is not active by itself.
fn lines(scope: &Scope<'_>, asn: u32, w: &mut Writer<'_>) {
    let Some(bgp) = &scope.settings.context.bgp else { return };
    let context = format!("router bgp {asn}");
    if bgp.default_ipv4_unicast == Some(false) {
        w.line(&context, "no bgp default ipv4-unicast", "");
    }
    if let Some((paths, ecmp)) = bgp.maximum_paths.as_ref().and_then(|paths| Some((paths.paths?, paths.ecmp?))) {
        w.line(&context, "maximum-paths", &format!("{paths} ecmp {ecmp}"));
    }
}

/// Network statements: a set, so an address said twice makes one.
fn networks(scope: &Scope<'_>, w: &mut Writer<'_>) {
    let mut wanted = BTreeMap::new();
    for interface in scope.fabric.interfaces_of(scope.device.id) {
        for address in scope.fabric.effective_addresses(interface) {
            if address.announced && !addresses::is_gateway(interface, address) {
                let vrf = interface.vrf.and_then(|id| scope.fabric.vrf(id)).map_or("default", |vrf| &*vrf.name);
                wanted.entry((vrf, address.net.trunc())).or_insert(address);
            }
        }
    }
    for ((vrf, net), address) in wanted {
        w.from(&address.origin, |w| {
            instance(vrf, w, |w| {
                let text = net.to_string();
                w.entry("bgp/global/networks/network", &[("network", &text)], |w| w.leaf("config/network", text.as_str()));
            });
        });
    }
}

fn peer_group(group: &PeerGroup, w: &mut Writer<'_>) {
    w.entry("bgp/peer-groups/peer-group", &[("peer-group-name", &*group.name)], |w| {
        w.leaf("config/peer-group-name", &*group.name);
        w.maybe("config/peer-as", group.remote_as);
        w.maybe("config/local-as", group.local_as);
        attributes(&group.attributes, None, w);
        policies(&group.import_policies, &group.export_policies, w);
    });
}

fn neighbor(scope: &Scope<'_>, session: &Session, asn: u32, w: &mut Writer<'_>) {
    let Some(vrf) = scope.fabric.vrf_of_session(session) else {
        let message = format!("the local address of session {} is on no interface of {} with a known VRF", session.name, scope.device.name);
        return w.problem("session-without-address", Severity::Error, message, "assign its local address to an interface of the device");
    };
    let group = session.peer_group.and_then(|id| scope.fabric.peer_group(id));
    if session.peer_group.is_some() && group.is_none() {
        let message = format!("the peer group of session {} was not read", session.name);
        return w.problem("missing-peer-group", Severity::Error, message, "may the token see peer groups?");
    }
    let vrf = vrf.map_or("default", |vrf| &*vrf.name);
    let Some(remote) = session.remote.map(canonical) else { return listen(session, group, vrf, w) };
    instance(vrf, w, |w| {
        w.entry("bgp/neighbors/neighbor", &[("neighbor-address", &remote)], |w| {
            w.leaf("config/neighbor-address", remote.as_str());
            w.maybe("config/peer-group", group.map(|group| &*group.name));
            if group.is_none_or(|group| group.remote_as.is_none()) {
                match session.remote_as {
                    Some(remote_as) => w.leaf("config/peer-as", remote_as),
                    None => {
                        let message = format!("neither session {} nor its group says the neighbour's AS", session.name);
                        w.problem("missing-asn", Severity::Error, message, "set the remote AS");
                    }
                }
            }
            w.maybe("config/local-as", session.local_as.filter(|local| *local != asn));
            if !session.description.is_empty() {
                w.leaf("config/description", session.description.as_str());
            }
            if session.status == "offline" {
                w.leaf("config/enabled", false);
            }
            attributes(&session.attributes, session.max_prefixes, w);
            policies(&session.import_policies, &session.export_policies, w);
        });
    });
    attached(scope, &session.prefix_lists, &remote, asn, vrf, w);
}

/// `bgp listen range`: what its neighbours are like the group says.
fn listen(session: &Session, group: Option<&PeerGroup>, vrf: &str, w: &mut Writer<'_>) {
    let Some(prefix) = session.remote_prefix.as_deref() else {
        let message = format!("session {} has no remote address", session.name);
        return w.problem("session-without-address", Severity::Error, message, "give it the neighbour's address, or a range to listen on");
    };
    let Some(group) = group else {
        let message = format!("session {} listens on {prefix} and has no peer group", session.name);
        return w.problem("missing-peer-group", Severity::Error, message, "give it the group its neighbours are to be in");
    };
    if session.status == "offline" {
        return;
    }
    instance(vrf, w, |w| {
        w.entry("bgp/global/dynamic-neighbor-prefixes/dynamic-neighbor-prefix", &[("prefix", prefix)], |w| {
            w.leaf("config/prefix", prefix);
            w.leaf("config/peer-group", &*group.name);
            w.maybe("config/remote-as", session.remote_as.or(group.remote_as));
        });
    });
    let own = Attributes { rest: session.attributes.rest.clone(), ..Attributes::default() };
    if session.attributes != own
        || session.max_prefixes.is_some()
        || !session.import_policies.is_empty()
        || !session.export_policies.is_empty()
    {
        let message = format!("session {} listens on a range: what it says of its neighbours is not mapped", session.name);
        w.problem("unmapped-attribute", Severity::Warning, message, "say it in the peer group");
    }
}

/// Prefix lists right on a neighbour or group: EOS has no leaf for them, so they go as lines of their address family.
fn attached(scope: &Scope<'_>, lists: &Attached, peer: &str, asn: u32, vrf: &str, w: &mut Writer<'_>) {
    for (name, way) in [(&lists.import, "in"), (&lists.export, "out")] {
        let Some(name) = name else { continue };
        let family = policy::family_of(scope, name).unwrap_or("ipv4");
        let inside = if vrf == "default" { String::new() } else { format!(" / vrf {vrf}") };
        w.line(&format!("router bgp {asn}{inside} / address-family {family}"), &format!("neighbor {peer} prefix-list {name} {way}"), "");
    }
}

fn canonical(address: IpAddr) -> String {
    address.to_string()
}

/// Below a peer group or neighbour.
fn attributes(of: &Attributes, limit: Option<u64>, w: &mut Writer<'_>) {
    w.maybe("config/next-hop-self", of.next_hop_self.filter(|on| *on));
    w.maybe("config/next-hop-unchanged", of.next_hop_unchanged.filter(|on| *on));
    let communities = of.send_community.iter().flatten().map(|name| name.to_ascii_uppercase());
    w.set("config/send-community-type", communities);
    w.maybe("transport/config/local-address", of.update_source.as_deref());
    w.maybe("ebgp-multihop/config/multihop-ttl", of.ebgp_multihop);
    w.maybe("route-reflector/config/route-reflector-client", of.route_reflector_client.filter(|on| *on));
    w.maybe("enable-bfd/config/enabled", of.bfd.filter(|on| *on));
    w.maybe("as-path-options/config/allow-own-as", of.allowas_in);
    w.maybe("prefix-limit/config/max-prefixes", limit.or(of.maximum_routes));
    w.maybe("prefix-limit/config/prevent-teardown", of.maximum_routes_warning_only.filter(|only| *only));
    for family in &of.address_families {
        let name = match family.as_str() {
            "ipv4-unicast" => "IPV4_UNICAST",
            "ipv6-unicast" => "IPV6_UNICAST",
            "l2vpn-evpn" => "L2VPN_EVPN",
            other => {
                w.problem(
                    "unmapped-value",
                    Severity::Error,
                    format!("address family `{other}` is not mapped"),
                    "ipv4-unicast, ipv6-unicast or l2vpn-evpn",
                );
                continue;
            }
        };
        w.entry("afi-safis/afi-safi", &[("afi-safi-name", name)], |w| {
            w.leaf("config/afi-safi-name", name);
            w.leaf("config/enabled", true);
        });
    }
    for key in of.rest.keys() {
        w.problem(
            "unmapped-attribute",
            Severity::Warning,
            format!("attribute `{key}` is not mapped"),
            "take it out of extra_attributes, or ask for it",
        );
    }
}

/// EOS takes one policy a direction.
fn policies(import: &[String], export: &[String], w: &mut Writer<'_>) {
    for (names, leaf, way) in [(import, "import-policy", "in"), (export, "export-policy", "out")] {
        if names.len() > 1 {
            w.problem(
                "several-policies",
                Severity::Error,
                format!("EOS takes one route map {way}, not {}", names.join(", ")),
                "keep one policy",
            );
        } else {
            w.within("apply-policy/config", |w| w.set(leaf, names.iter().map(String::as_str)));
        }
    }
}
