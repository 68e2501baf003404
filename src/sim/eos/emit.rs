//! The tree a device shows: its configuration, the state twin of each leaf that has one, implicit entries, and the derived
//! state as leaves.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::derive::{Derived, Member, Session, port_mac, port_number, system_mac};
use super::nodes::Nodes;
use super::store::Leaves;
use crate::path::Path;
use crate::value::Value;

/// Facts of a device that are neither configuration nor derived.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Software version it claims.
    pub version: String,
    /// When the configuration changed last, nanoseconds.
    pub last_configuration: u64,
    /// Show VLAN 1, members of `default` and tables nobody configured.
    pub implicit: bool,
    /// Show leaves at their default next to those that were set.
    pub defaults: bool,
}

/// Leaves being collected below a base path.
struct Sink<'a> {
    nodes: &'a Nodes,
    out: Leaves,
}

impl Sink<'_> {
    fn put(&mut self, base: &Path, tail: &str, value: impl Into<Value>) {
        let path = tail.split('/').fold(base.clone(), |path, name| path.child(name));
        if self.nodes.shown(&path) {
            self.out.insert(Arc::new(path), value.into());
        }
    }

    /// The same for a leaf that may already be there by configuration.
    fn fill(&mut self, base: &Path, tail: &str, value: impl Into<Value>) {
        let path = tail.split('/').fold(base.clone(), |path, name| path.child(name));
        if self.nodes.shown(&path) {
            self.out.entry(Arc::new(path)).or_insert_with(|| value.into());
        }
    }
}

/// Everything `member` shows except counters and gauges.
pub fn tree(nodes: &Nodes, member: &Member, config: &Leaves, derived: &Derived, facts: &Facts) -> Leaves {
    let mut sink = Sink { nodes, out: config.clone() };
    if facts.implicit {
        implicit(&mut sink, member);
    }
    if facts.defaults {
        defaults(&mut sink);
    }
    let twins: Vec<_> = sink.out.iter().filter_map(|(path, value)| Some((nodes.twin(path)?, value.clone()))).collect();
    sink.out.extend(twins.into_iter().map(|(path, value)| (Arc::new(path), value)));
    system(&mut sink, member, facts);
    interfaces(&mut sink, member, derived);
    lacp(&mut sink, member, derived);
    lldp(&mut sink, member, derived);
    vlans(&mut sink, member, derived);
    bgp(&mut sink, member, derived);
    varp(&mut sink, member);
    sink.out
}

fn root(text: &str) -> Path {
    text.split('/').fold(Path::root(), |path, name| path.child(name))
}

/// An interface's path.
pub fn interface(name: &str) -> Path {
    root("interfaces").entry("interface", [("name", name)])
}

/// A network instance's path.
pub fn instance(name: &str) -> Path {
    root("network-instances").entry("network-instance", [("name", name)])
}

/// BGP of an instance.
pub fn bgp_of(name: &str) -> Path {
    instance(name).child("protocols").entry("protocol", [("identifier", "BGP"), ("name", "BGP")]).child("bgp")
}

/// Entries a real device lists although nobody configured them.
fn implicit(sink: &mut Sink<'_>, member: &Member) {
    let default = instance("default");
    let vlan = default.clone().child("vlans").entry("vlan", [("vlan-id", "1")]);
    sink.fill(&vlan, "config/vlan-id", Value::Uint(1));
    sink.fill(&vlan, "config/name", "default");
    for (name, entry) in member.view.interfaces.iter().filter(|(_, entry)| entry.vrf == "default" && !entry.addresses.is_empty()) {
        let place = default.clone().child("interfaces").entry("interface", [("id", name)]);
        sink.fill(&place, "config/id", name.as_str());
        sink.fill(&place, "config/interface", name.as_str());
        if !entry.addresses.is_empty() && !name.starts_with("Vlan") {
            sink.fill(&place, "config/subinterface", Value::Uint(0));
        }
    }
    for protocol in ["BGP", "DIRECTLY_CONNECTED", "STATIC"] {
        let table = default.clone().child("tables").entry("table", [("protocol", protocol), ("address-family", "IPV4")]);
        sink.fill(&table, "config/protocol", protocol);
        sink.fill(&table, "config/address-family", "IPV4");
    }
}

/// Leaves at their default, in containers that exist.
fn defaults(sink: &mut Sink<'_>) {
    let mut containers: Vec<Path> = sink.out.keys().filter_map(|path| path.parent()).filter(|path| path.name() == "config").collect();
    containers.dedup();
    for container in containers {
        for (name, value) in sink.nodes.defaults_in(&container) {
            sink.fill(&container, &name, value);
        }
    }
}

fn system(sink: &mut Sink<'_>, member: &Member, facts: &Facts) {
    let state = root("system/state");
    sink.fill(&state, "hostname", member.name.as_str());
    sink.put(&state, "software-version", facts.version.as_str());
    sink.put(&state, "boot-time", member.boot);
    sink.put(&state, "last-configuration-timestamp", facts.last_configuration);
}

fn interfaces(sink: &mut Sink<'_>, member: &Member, derived: &Derived) {
    for (name, entry) in &member.view.interfaces {
        let place = interface(name);
        let state = place.clone().child("state");
        let number = port_number(name);
        let up = derived.ports.get(name);
        sink.fill(&state, "name", name.as_str());
        sink.fill(&state, "enabled", entry.enabled);
        sink.put(&state, "admin-status", if entry.enabled { "UP" } else { "DOWN" });
        sink.put(&state, "oper-status", if up.is_some_and(|port| port.up) { "UP" } else { "DOWN" });
        if let Some(port) = up {
            sink.put(&state, "last-change", port.since);
        }
        let physical = name.starts_with("Ethernet") || name.starts_with("Management");
        let index = match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "Management" => Some(999_000 + number),
            "Vlan" => Some(2_000_000 + number),
            "Loopback" => Some(5_000_000 + number),
            "Port-Channel" => Some(1_000_000 + number),
            "Ethernet" => Some(number),
            _ => None,
        };
        if let Some(index) = index {
            sink.put(&state, "ifindex", index);
        }
        if physical || name.starts_with("Port-Channel") {
            sink.put(&state, "mtu", Value::Uint(0));
        }
        if physical {
            sink.put(&state, "inactive", false);
            ethernet(sink, member, name, entry.aggregate.is_none() && !entry.addresses.is_empty(), number);
        }
        addresses(sink, member, &place, name, derived);
        if name.starts_with("Port-Channel") {
            let aggregation = place.clone().child("aggregation").child("state");
            let members = derived.lags.get(name);
            let active = members.map_or(0, |ports| ports.values().filter(|port| port.active).count() as u64);
            sink.fill(&aggregation, "min-links", entry.min_links);
            sink.put(&aggregation, "lag-speed", active * 1000);
            let fallback = if entry.fallback { "fallbackStateInitialized" } else { "fallbackStateUnconfigured" };
            sink.put(&aggregation, "fallback-state", fallback);
            if entry.lag_type.as_deref() != Some("LACP") {
                let active = members.into_iter().flatten().filter(|(_, port)| port.active);
                let names: Vec<Value> = active.map(|(name, _)| Value::str(name)).collect();
                if !names.is_empty() {
                    sink.put(&aggregation, "member", Value::list(names));
                }
            }
        }
    }
}

fn ethernet(sink: &mut Sink<'_>, member: &Member, name: &str, routed: bool, number: u64) {
    let ethernet = interface(name).child("ethernet").child("state");
    let own = port_mac(member.index, number + 1);
    sink.put(&ethernet, "mac-address", if routed { system_mac(member.index) } else { own.clone() });
    sink.put(&ethernet, "hw-mac-address", own);
    sink.put(&ethernet, "auto-negotiate", false);
    sink.put(&ethernet, "port-speed", "SPEED_1GB");
    sink.put(&ethernet, "duplex-mode", "FULL");
}

fn addresses(sink: &mut Sink<'_>, member: &Member, place: &Path, name: &str, derived: &Derived) {
    let Some(entry) = member.view.interfaces.get(name) else { return };
    let ipv4 = if name.starts_with("Vlan") {
        place.clone().child("routed-vlan").child("ipv4")
    } else {
        place.clone().child("subinterfaces").entry("subinterface", [("index", "0")]).child("ipv4")
    };
    for (address, _) in &entry.addresses {
        let state = ipv4.clone().child("addresses").entry("address", [("ip", address.to_string())]).child("state");
        sink.put(&state, "origin", "STATIC");
        sink.fill(&state, "type", "PRIMARY");
    }
    for ((port, address), mac) in derived.arps.range((name.to_owned(), Ipv4Addr::UNSPECIFIED)..).take_while(|((port, _), _)| port == name) {
        debug_assert_eq!(port, name);
        let state = ipv4.clone().child("neighbors").entry("neighbor", [("ip", address.to_string())]).child("state");
        sink.put(&state, "ip", address.to_string());
        sink.put(&state, "link-layer-address", mac.as_str());
        sink.put(&state, "origin", "DYNAMIC");
    }
}

fn lacp(sink: &mut Sink<'_>, member: &Member, derived: &Derived) {
    sink.fill(&root("lacp/state"), "system-priority", Value::Uint(32768));
    let shared = derived.mlag.as_ref().filter(|mlag| mlag.active).map(|mlag| mlag.system_id.clone());
    let second = derived.mlag.as_ref().is_some_and(|mlag| mlag.active && !mlag.primary);
    for (lag, ports) in &derived.lags {
        let Some(entry) = member.view.interfaces.get(lag).filter(|entry| entry.lag_type.as_deref() == Some("LACP")) else { continue };
        let place = root("lacp/interfaces").entry("interface", [("name", lag)]);
        sink.fill(&place, "state/name", lag.as_str());
        sink.fill(&place, "state/interval", "SLOW");
        for (port, lag_member) in ports {
            let state = place.clone().child("members").entry("member", [("interface", port)]).child("state");
            let active = member.view.lacp.get(lag).is_none_or(|mode| mode == "ACTIVE");
            let number = port_number(port);
            let pair = entry.mlag.zip(shared.as_ref());
            sink.put(&state, "interface", port.as_str());
            sink.put(&state, "activity", if active { "ACTIVE" } else { "PASSIVE" });
            sink.put(
                &state,
                "timeout",
                if member.view.lacp_interval.get(lag).is_some_and(|mode| mode == "FAST") { "SHORT" } else { "LONG" },
            );
            sink.put(&state, "synchronization", if lag_member.active { "IN_SYNC" } else { "OUT_SYNC" });
            sink.put(&state, "aggregatable", true);
            sink.put(&state, "collecting", lag_member.active);
            sink.put(&state, "distributing", lag_member.active);
            sink.put(&state, "system-id", pair.map_or_else(|| system_mac(member.index), |(_, id)| id.clone()));
            sink.put(&state, "oper-key", pair.map_or_else(|| port_number(lag), |(id, _)| 32768 + id));
            sink.put(&state, "port-num", if pair.is_some() && second { 32768 + number } else { number });
            sink.put(&state, "selected", if lag_member.active { "selected" } else { "unselected" });
            if let Some(partner) = &lag_member.partner {
                sink.put(&state, "partner-id", partner.as_str());
                sink.put(&state, "partner-key", lag_member.partner_key);
                sink.put(&state, "partner-port-num", lag_member.partner_port);
            }
        }
    }
}

fn lldp(sink: &mut Sink<'_>, member: &Member, derived: &Derived) {
    let state = root("lldp/state");
    let hostname = if member.view.hostname.is_empty() { &member.name } else { &member.view.hostname };
    sink.fill(&state, "enabled", member.view.lldp);
    sink.fill(&state, "system-name", hostname.as_str());
    sink.put(&state, "chassis-id", system_mac(member.index));
    sink.put(&state, "chassis-id-type", "MAC_ADDRESS");
    sink.fill(&state, "hello-timer", Value::Uint(30));
    for name in member.view.interfaces.keys().filter(|name| name.starts_with("Ethernet")) {
        let place = root("lldp/interfaces").entry("interface", [("name", name)]);
        sink.fill(&place, "state/name", name.as_str());
        sink.fill(&place, "state/enabled", member.view.lldp);
        let Some(far) = derived.lldp.get(name) else { continue };
        let state = place.child("neighbors").entry("neighbor", [("id", "1")]).child("state");
        sink.put(&state, "id", "1");
        sink.put(&state, "chassis-id", far.chassis.as_str());
        sink.put(&state, "chassis-id-type", "MAC_ADDRESS");
        sink.put(&state, "port-id", far.port.as_str());
        sink.put(&state, "port-id-type", "INTERFACE_NAME");
        sink.put(&state, "system-name", far.system.as_str());
        sink.put(&state, "system-description", "Arista Networks EOS version 4.35.0F running on an Arista cEOSLab");
        sink.put(&state, "management-address", far.address.as_str());
        sink.put(&state, "registration-time", far.since);
        if let Some(text) = &far.description {
            sink.put(&state, "port-description", text.as_str());
        }
    }
}

fn vlans(sink: &mut Sink<'_>, member: &Member, derived: &Derived) {
    for id in member.view.vlans.keys() {
        let state = instance("default").child("vlans").entry("vlan", [("vlan-id", id.to_string())]).child("state");
        sink.fill(&state, "status", "ACTIVE");
        sink.fill(&state, "mac-learning", true);
        // A list without keys: it is one document, which a Get can answer and a stream cannot.
        let carried = derived.ports.iter().filter(|(name, port)| port.up && member.view.carries(name, *id)).map(|(name, _)| name.as_str());
        let tunnel = (member.view.vnis.contains_key(id) && derived.vtep.is_some()).then_some("Vxlan1");
        let members: Vec<_> = carried.chain(tunnel).map(|name| serde_json::json!({"state": {"interface": name}})).collect();
        if let (false, Some(place)) = (members.is_empty(), state.parent()) {
            let path = place.child("members").child("member");
            sink.out.insert(Arc::new(path), Value::Json(Arc::new(serde_json::Value::Array(members))));
        }
    }
    for ((vlan, mac), port) in &derived.macs {
        let entry = instance("default").child("fdb").child("mac-table").child("entries");
        let entry = entry.entry("entry", [("mac-address", mac.clone()), ("vlan", vlan.to_string())]);
        sink.put(&entry, "state/mac-address", mac.as_str());
        sink.put(&entry, "state/vlan", u64::from(*vlan));
        sink.put(&entry, "state/entry-type", "DYNAMIC");
        sink.put(&entry, "interface/interface-ref/state/interface", port.as_str());
    }
}

fn bgp(sink: &mut Sink<'_>, member: &Member, derived: &Derived) {
    if let Some(bgp) = member.view.vrfs.get("default").and_then(|vrf| vrf.bgp.as_ref()) {
        let global = bgp_of("default").child("global");
        if let (Some(id), Some(_)) = (member.view.router_id(), bgp.asn) {
            sink.put(&global, "state/router-id", id.to_string());
        }
        sink.put(&global, "state/total-prefixes", derived.totals.values().sum::<u64>());
        for (family, total) in &derived.totals {
            let place = global.clone().child("afi-safis").entry("afi-safi", [("afi-safi-name", *family)]);
            sink.put(&place, "state/afi-safi-name", *family);
            sink.put(&place, "state/total-prefixes", *total);
        }
    }
    for ((vrf, address), session) in &derived.sessions {
        neighbor(sink, &bgp_of(vrf).child("neighbors").entry("neighbor", [("neighbor-address", address.to_string())]), *address, session);
    }
}

fn neighbor(sink: &mut Sink<'_>, place: &Path, address: Ipv4Addr, session: &Session) {
    let state = place.clone().child("state");
    let up = session.state == "ESTABLISHED";
    sink.fill(&state, "neighbor-address", address.to_string());
    sink.put(&state, "enabled", session.enabled);
    if let Some(asn) = session.peer_as {
        sink.put(&state, "peer-as", asn);
        sink.put(&state, "peer-type", if Some(asn) == session.local_as { "INTERNAL" } else { "EXTERNAL" });
    }
    if let Some(asn) = session.local_as {
        sink.put(&state, "local-as", asn);
    }
    sink.put(&state, "session-state", session.state);
    sink.put(&state, "established-transitions", session.transitions);
    sink.put(&state, "dynamically-configured", false);
    if let Some(at) = session.established {
        sink.put(&state, "last-established", at);
    }
    for (family, exchange) in &session.families {
        let counts = exchange.unwrap_or_default();
        let family_state = place.clone().child("afi-safis").entry("afi-safi", [("afi-safi-name", family)]).child("state");
        sink.put(&family_state, "afi-safi-name", family.as_str());
        sink.put(&family_state, "enabled", true);
        sink.put(&family_state, "active", exchange.is_some());
        sink.put(&family_state, "prefixes/received-pre-policy", counts.received);
        sink.put(&family_state, "prefixes/received", counts.received);
        sink.put(&family_state, "prefixes/installed", counts.best + counts.ecmp);
        sink.put(&family_state, "prefixes/sent", counts.sent);
        sink.put(&family_state, "prefixes/best-paths", counts.best);
        sink.put(&family_state, "prefixes/best-ecmp-paths", counts.ecmp);
    }
    let Some(local) = session.local.filter(|_| up) else { return };
    if let Some(id) = session.router_id {
        sink.put(&state, "neighbor-router-id", id.to_string());
    }
    let updates = |count: fn(&super::derive::Exchange) -> u64| session.families.values().flatten().map(count).sum::<u64>() + 1;
    sink.put(&state, "supported-capabilities", Value::list(["MPBGP", "ROUTE_REFRESH", "ASN32"].map(Value::str)));
    sink.put(&state, "messages/received/UPDATE", updates(|counts| counts.received));
    sink.put(&state, "messages/received/NOTIFICATION", Value::Uint(0));
    sink.put(&state, "messages/sent/UPDATE", updates(|counts| counts.sent));
    sink.put(&state, "messages/sent/NOTIFICATION", Value::Uint(0));
    sink.put(&state, "queues/input", Value::Uint(0));
    sink.put(&state, "queues/output", Value::Uint(0));
    let transport = place.clone().child("transport").child("state");
    sink.put(&transport, "local-address", local.to_string());
    sink.put(&transport, "local-port", session.tcp.0);
    sink.put(&transport, "remote-address", address.to_string());
    sink.put(&transport, "remote-port", session.tcp.1);
    let timers = place.clone().child("timers").child("state");
    sink.put(&timers, "hold-time", session.timers.0);
    sink.put(&timers, "keepalive-interval", session.timers.1);
    sink.put(&timers, "negotiated-hold-time", session.timers.0);
}

/// Gateways the device answers for. The list has its key as only leaf.
fn varp(sink: &mut Sink<'_>, member: &Member) {
    let status = root("arista/varp/status");
    for (name, addresses) in &member.view.varp {
        for address in addresses {
            let address = address.split('/').next().unwrap_or(address);
            let entry = status
                .clone()
                .entry("varp-intf-status-v4", [("intf-id", name)])
                .entry("virtual-ip-addr", [("virtual-ip-addr-key", address)]);
            sink.put(&entry, "virtual-ip-addr-key", address);
        }
    }
}
