//! What sending a change can break, and the words for it.

use super::facts::{DEFAULT, EVPN, Facts};
use crate::diff::change::{Change, Kind, Risk};
use crate::diff::construct::{Construct, field};
use crate::diff::normalize::members;
use crate::path::Path;
use crate::value::Value;

/// Fills in risk and warning of one device's changes. `before` is the device as it is, `after` as it would be.
pub fn assess(changes: &mut [Change], before: &Facts, after: &Facts) {
    for change in changes {
        let (risk, warning) = of(change, before, after);
        (change.risk, change.warning) = (risk, warning);
    }
}

/// Leaves no packet notices.
const HARMLESS: &[&str] = &["description", "name", "hostname", "login-banner", "motd-banner", "domain-name", "log-neighbor-state-changes"];

/// Leaves of a neighbor or group that reset its sessions when they change.
const RESETS: &[&str] = &[
    "peer-as",
    "local-as",
    "local-address",
    "peer-group",
    "multihop-ttl",
    "auth-password",
    "hold-time",
    "keepalive-interval",
    "next-hop-unchanged",
    "next-hop-self",
    "neighbor-port",
    "passive-mode",
    "route-reflector-client",
];

/// Whether no packet notices, whatever the device is like.
pub fn is_harmless(change: &Change) -> bool {
    let path = &change.path;
    let is_entry = path.elems.last().is_some_and(|elem| !elem.keys.is_empty());
    let twin = matches!(path.elems.as_slice(), [.., entry, _, last] if entry.key(&last.name).is_some());
    change.construct != Construct::Management && !is_entry && !twin && HARMLESS.contains(&path.name())
}

fn of(change: &Change, before: &Facts, after: &Facts) -> (Risk, String) {
    let path = &change.path;
    let leaf = path.name();
    let quiet = |risk: Risk| (risk, String::new());
    if change.construct == Construct::Management {
        return (Risk::Outage, "can cut the session it is sent over".to_owned());
    }
    if is_harmless(change) {
        return quiet(Risk::None);
    }
    let is_entry = path.elems.last().is_some_and(|elem| !elem.keys.is_empty());
    match change.construct {
        Construct::Interface | Construct::Svi | Construct::Loopback | Construct::Lag => interface(change, before, after),
        Construct::Bgp => bgp(change, before),
        Construct::Evpn | Construct::Vxlan => overlay(change),
        Construct::Vrf => instance(change, before),
        Construct::Cli => match change.kind {
            Kind::Create => quiet(Risk::Low),
            _ if path.key("line", "command").is_some_and(|line| line.starts_with("ip virtual-router mac-address")) => {
                (Risk::Flap, "hosts learn their gateway's MAC address anew".to_owned())
            }
            _ => (Risk::Flap, "what this command line does is not modelled".to_owned()),
        },
        Construct::Mlag if change.kind == Kind::Create => quiet(Risk::Low),
        Construct::Mlag => match (change.kind, leaf) {
            (_, "domain-id" | "peer-address" | "local-intf" | "peer-link-intf") | (Kind::Delete, _) => {
                (Risk::Outage, "MLAG negotiates again".to_owned())
            }
            _ => quiet(Risk::Low),
        },
        Construct::Vlan if change.kind == Kind::Delete && is_entry => (Risk::Outage, format!("cuts {} on this device", change.entry)),
        Construct::Lldp => quiet(Risk::None),
        _ => match change.kind {
            Kind::Create => quiet(Risk::Low),
            Kind::Update => (Risk::Flap, format!("changes {} in use", words(change))),
            Kind::Delete => (Risk::Outage, format!("removes {}", change.entry)),
        },
    }
}

fn words(change: &Change) -> String {
    format!("{} of {}", field(&change.path), change.entry)
}

fn interface(change: &Change, before: &Facts, after: &Facts) -> (Risk, String) {
    let path = &change.path;
    let name = path.key("interface", "name").unwrap_or_default();
    let sessions = || {
        let mut over = before.neighbors_over(name);
        over.extend(after.neighbors_over(name));
        over.sort();
        over.dedup();
        over.join(", ")
    };
    let off = |value: &Option<Value>| value.as_ref().and_then(Value::as_bool) == Some(false);
    match (path.name(), change.kind) {
        (_, Kind::Delete) if path.len() == 2 => {
            let over = sessions();
            (Risk::Outage, if over.is_empty() { format!("removes {name}") } else { format!("drops {over}") })
        }
        ("enabled", _) if path.len() == 4 => match (change.kind, off(&change.observed), off(&change.desired)) {
            (Kind::Delete, ..) | (_, true, _) => (Risk::Low, String::new()),
            (_, _, true) => (Risk::Outage, format!("shuts {name}")),
            _ => (Risk::Low, String::new()),
        },
        ("mtu", Kind::Create | Kind::Update | Kind::Delete) => match sessions() {
            over if over.is_empty() => (Risk::Low, String::new()),
            over => (Risk::Flap, format!("flaps {over}")),
        },
        ("trunk-vlans", _) => {
            let set = |value: &Option<Value>| value.as_ref().and_then(Value::items).map(members).unwrap_or_default();
            let (had, wants) = (set(&change.observed), set(&change.desired));
            let cut: Vec<_> = had.difference(&wants).cloned().collect();
            if change.new_entry.is_some() {
                (Risk::Low, String::new())
            } else if had.is_empty() && change.kind == Kind::Create {
                // Without a list every VLAN passes; with one only its members do.
                (Risk::Flap, format!("only VLAN {} passes {name} from now on", wants.into_iter().collect::<Vec<_>>().join(", ")))
            } else if cut.is_empty() {
                (Risk::Low, String::new())
            } else {
                (Risk::Outage, format!("cuts VLAN {} on {name}", cut.join(", ")))
            }
        }
        ("interface-mode" | "access-vlan" | "native-vlan", Kind::Update | Kind::Delete) => {
            (Risk::Flap, format!("moves the VLANs of {name}"))
        }
        ("lag-type" | "aggregate-id" | "lacp-mode" | "min-links", Kind::Update | Kind::Delete) => {
            let lag = before.interfaces.get(name).and_then(|member| member.member_of.as_deref()).unwrap_or(name);
            (Risk::Flap, format!("flaps {lag}"))
        }
        ("mlag", Kind::Update | Kind::Delete) => (Risk::Flap, format!("{name} leaves its MLAG")),
        (_, Kind::Delete) if path.elems.iter().any(|elem| elem.name == "address") => match sessions() {
            over if over.is_empty() => (Risk::Outage, format!("removes an address of {name}")),
            over => (Risk::Outage, format!("drops {over}")),
        },
        (_, Kind::Update) if path.elems.iter().any(|elem| elem.name == "address") => {
            (Risk::Outage, format!("changes an address of {name}"))
        }
        (_, Kind::Create) => (Risk::Low, String::new()),
        (_, Kind::Update) => (Risk::Flap, format!("changes {}", words(change))),
        (_, Kind::Delete) => (Risk::Flap, format!("removes {}", words(change))),
    }
}

fn bgp(change: &Change, before: &Facts) -> (Risk, String) {
    let path = &change.path;
    let instance = path.key("network-instance", "name").unwrap_or(DEFAULT);
    let who = change.entry.as_str();
    let network = path.key("network", "network");
    if let Some(net) = network {
        return match change.kind {
            Kind::Delete => (Risk::Outage, format!("withdraws {net}")),
            _ => (Risk::Low, String::new()),
        };
    }
    let peer = path.key("neighbor", "neighbor-address").or_else(|| path.key("peer-group", "peer-group-name"));
    let Some(peer) = peer else {
        return match (path.name(), change.kind) {
            (_, Kind::Create) => (Risk::Low, String::new()),
            ("as", _) => (Risk::Outage, "every session of the device starts anew".to_owned()),
            ("router-id", _) => (Risk::Outage, "resets every session of the device".to_owned()),
            (_, Kind::Update) => (Risk::Low, String::new()),
            (_, Kind::Delete) => (Risk::Flap, format!("removes {}", words(change))),
        };
    };
    let is_entry = path.elems.last().is_some_and(|elem| !elem.keys.is_empty());
    if change.kind == Kind::Delete && is_entry && !path.elems.iter().any(|elem| elem.name == "afi-safi") {
        return (Risk::Outage, format!("drops {who}"));
    }
    if let Some(family) = path.key("afi-safi", "afi-safi-name") {
        let on = change.desired.as_ref().and_then(Value::as_bool);
        if change.kind == Kind::Delete || on == Some(false) {
            return (Risk::Outage, format!("{who} loses {}", family_words(family)));
        }
        // A session learns of a new family only when it starts again. One that runs no other family is down already.
        let bgp = before.bgp.get(instance);
        let (neighbors, groups) = (bgp.map(|bgp| &bgp.neighbors), before.bgp.get(DEFAULT).map(|bgp| &bgp.groups));
        let here = neighbors.and_then(|map| map.get(peer)).or_else(|| groups.and_then(|map| map.get(peer)));
        let busy = here.is_some_and(|known| known.families.iter().any(|(name, active)| *active && name != family));
        return if busy { (Risk::Flap, format!("resets {who}")) } else { (Risk::Low, String::new()) };
    }
    match change.kind {
        Kind::Create if !before.bgp.get(instance).is_some_and(|bgp| bgp.neighbors.contains_key(peer) || bgp.groups.contains_key(peer)) => {
            (Risk::Low, String::new())
        }
        _ if path.name() == "enabled" && change.desired.as_ref().and_then(Value::as_bool) == Some(false) => {
            (Risk::Outage, format!("shuts {who}"))
        }
        _ if RESETS.contains(&path.name()) => (Risk::Flap, format!("resets {who}")),
        Kind::Create => (Risk::Low, String::new()),
        Kind::Update => (Risk::Low, String::new()),
        Kind::Delete => (Risk::Flap, format!("removes {}", words(change))),
    }
}

fn family_words(family: &str) -> &str {
    if family == EVPN { "EVPN" } else { family }
}

fn overlay(change: &Change) -> (Risk, String) {
    let who = change.entry.as_str();
    match (change.path.name(), change.kind) {
        ("route-distinguisher", Kind::Update | Kind::Delete) => {
            (Risk::Outage, format!("withdraws and announces anew every route of {who}"))
        }
        ("import" | "export" | "import-target" | "export-target", Kind::Update | Kind::Delete) => {
            (Risk::Flap, format!("routes of {who} leave and come back"))
        }
        ("src-ip-intf" | "udp-port", Kind::Update | Kind::Delete) => (Risk::Outage, "every tunnel of the VTEP moves".to_owned()),
        ("vni", Kind::Update) => (Risk::Outage, format!("cuts {who}")),
        (_, Kind::Create) => (Risk::Low, String::new()),
        (_, Kind::Update) => (Risk::Flap, format!("changes {}", words(change))),
        (_, Kind::Delete) if is_list_entry(&change.path) => (Risk::Outage, format!("removes {who}")),
        (_, Kind::Delete) => (Risk::Flap, format!("removes {}", words(change))),
    }
}

fn is_list_entry(path: &Path) -> bool {
    path.elems.last().is_some_and(|elem| !elem.keys.is_empty())
}

fn instance(change: &Change, before: &Facts) -> (Risk, String) {
    let path = &change.path;
    let vrf = path.key("network-instance", "name").unwrap_or_default();
    let on = change.desired.as_ref().and_then(Value::as_bool);
    match (path.name(), change.kind) {
        ("ipv4-routing-enabled" | "ipv6-routing-enabled", _) => {
            if on == Some(true) {
                (Risk::Low, String::new())
            } else {
                (Risk::Outage, format!("nothing is routed in vrf {vrf} any more"))
            }
        }
        ("route-distinguisher", Kind::Update | Kind::Delete) => {
            (Risk::Outage, format!("withdraws and announces anew every route of vrf {vrf}"))
        }
        (_, Kind::Delete) if path.len() == 2 => (Risk::Outage, format!("removes vrf {vrf}")),
        _ => match path.key("interface", "id").filter(|_| path.elems.iter().any(|elem| elem.name == "interfaces")) {
            Some(id) if change.kind == Kind::Delete => (Risk::Outage, format!("{id} leaves vrf {vrf} and loses its addresses")),
            Some(id) if before.interfaces.get(id).is_some_and(|known| !known.addresses.is_empty()) => {
                (Risk::Outage, format!("moving {id} into vrf {vrf} drops its addresses; they are sent again"))
            }
            _ if change.kind == Kind::Create => (Risk::Low, String::new()),
            _ => (Risk::Flap, format!("changes {}", words(change))),
        },
    }
}
