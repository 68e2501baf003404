//! Ports, Port-Channels with LACP, loopbacks, SVIs, subinterfaces.

use super::writer::Writer;
use super::{Scope, addresses, stp};
use crate::intent::finding::Severity;
use crate::intent::records::{Interface, Kind, Mode};

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    for interface in scope.fabric.interfaces_of(scope.device.id) {
        w.from(&interface.origin, |w| one(scope, interface, w));
    }
}

fn one(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    if interface.vrf.is_some_and(|id| scope.fabric.vrf(id).is_none()) {
        // Left out in silence it would land in the default VRF.
        let message = format!("the VRF of {} was not read", interface.name);
        w.problem("missing-vrf", Severity::Error, message, "may the token see VRFs?");
    }
    if interface.kind == Kind::Subinterface {
        return subinterface(scope, interface, w);
    }
    w.entry("interfaces/interface", &[("name", &*interface.name)], |w| {
        w.leaf("config/name", &*interface.name);
        w.leaf("config/type", if_type(interface.kind));
        w.leaf("config/enabled", interface.enabled);
        if !interface.description.is_empty() {
            w.leaf("config/description", interface.description.as_str());
        }
        if interface.maintenance {
            w.hold();
        }
        match interface.kind {
            Kind::Svi => svi(scope, interface, w),
            Kind::Management | Kind::Loopback => routed(scope, interface, w),
            Kind::PortChannel => port_channel(scope, interface, w),
            Kind::Ethernet => ethernet(scope, interface, w),
            Kind::Vxlan | Kind::Subinterface => {}
        }
    });
    match interface.kind {
        Kind::PortChannel => {
            lacp(scope, interface, w);
            stp::port(interface, w);
            // The leaf for trunk groups of a LAG is read-only, so they go as lines.
            for group in &interface.trunk_groups {
                w.line(&format!("interface {}", interface.name), &format!("switchport trunk group {group}"), "");
            }
        }
        Kind::Ethernet => stp::port(interface, w),
        Kind::Svi => {
            addresses::gateway(scope, interface, w);
            if interface.autostate == Some(false) {
                w.line(&format!("interface {}", interface.name), "no autostate", "");
            }
        }
        _ => {}
    }
}

fn if_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Loopback => "softwareLoopback",
        Kind::Svi => "l3ipvlan",
        Kind::PortChannel => "ieee8023adLag",
        Kind::Vxlan => "other",
        Kind::Management | Kind::Ethernet | Kind::Subinterface => "ethernetCsmacd",
    }
}

/// Subinterface 0 with its addresses: routed ports, loopbacks, management.
fn routed(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    w.entry("subinterfaces/subinterface", &[("index", "0")], |w| {
        w.leaf("config/index", 0u32);
        w.within("ipv4", |w| ipv4(scope, interface, w));
        addresses::ipv6(scope, interface, w);
    });
}

fn ipv4(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    w.leaf("config/enabled", true);
    w.maybe("config/mtu", interface.mtu);
    addresses::ipv4(scope, interface, w);
}

fn svi(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    let by_name = interface.name.strip_prefix("Vlan").and_then(|digits| digits.parse::<u16>().ok());
    let Some(vid) = interface.untagged.map(|vlan| vlan.vid).or(by_name) else {
        let message = format!("{} names no VLAN", interface.name);
        return w.problem("svi-without-vlan", Severity::Error, message, "set its untagged VLAN");
    };
    w.within("routed-vlan", |w| {
        w.leaf("config/vlan", vid);
        w.within("ipv4", |w| ipv4(scope, interface, w));
        addresses::ipv6(scope, interface, w);
    });
}

fn ethernet(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    if let Some(lag) = interface.lag {
        let Some(lag) = scope.fabric.interface(lag) else {
            let message = format!("{} is member of a LAG that was not read", interface.name);
            return w.problem("missing-lag", Severity::Error, message, "is the LAG on the same device?");
        };
        return w.leaf("ethernet/config/aggregate-id", &*lag.name);
    }
    if interface.mode.is_none() {
        return routed(scope, interface, w);
    }
    w.within("ethernet/switched-vlan/config", |w| {
        switchport(scope, interface, w);
        w.set("trunk-groups", interface.trunk_groups.iter().map(String::as_str));
    });
}

fn port_channel(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    let active = lacp_modes(scope, interface);
    w.within("aggregation", |w| {
        w.within("config", |w| {
            w.maybe("lag-type", active.first().map(|mode| if mode == "on" { "STATIC" } else { "LACP" }));
            w.maybe("mlag", interface.mlag_id);
            w.maybe("fallback", interface.lacp_fallback.as_deref());
            w.maybe("fallback-timeout", interface.lacp_fallback_timeout);
        });
        if interface.mode.is_some() {
            w.within("switched-vlan/config", |w| switchport(scope, interface, w));
        }
    });
    if interface.mode.is_none() && scope.fabric.addresses_of(interface.id).next().is_some() {
        routed(scope, interface, w);
    }
    if active.len() > 1 {
        let message = format!("members of {} say different LACP modes: {}", interface.name, active.join(", "));
        w.problem("lacp-mode-differs", Severity::Warning, message, "say the same mode on each member");
    }
}

/// The LACP modes of the members, each once; `active` when a member says none.
fn lacp_modes(scope: &Scope<'_>, interface: &Interface) -> Vec<String> {
    let mut modes: Vec<String> =
        scope.fabric.members_of(interface.id).map(|member| member.lacp_mode.clone().unwrap_or_else(|| "active".into())).collect();
    modes.sort();
    modes.dedup();
    modes
}

fn lacp(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    let modes = lacp_modes(scope, interface);
    let mode = match modes.first().map(String::as_str) {
        Some("active") => "ACTIVE",
        Some("passive") => "PASSIVE",
        Some("on") | None => return,
        Some(other) => {
            let message = format!("LACP mode `{other}` of a member of {} is none", interface.name);
            return w.problem("unmapped-value", Severity::Error, message, "active, passive or on");
        }
    };
    w.entry("lacp/interfaces/interface", &[("name", &*interface.name)], |w| {
        w.leaf("config/name", &*interface.name);
        w.leaf("config/lacp-mode", mode);
    });
}

/// Below `…/switched-vlan/config`.
fn switchport(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    for vlan in interface.tagged.iter().chain(&interface.untagged) {
        let known = scope.fabric.vlan(vlan.id).is_some_and(|known| known.cluster.is_some() && known.cluster == scope.settings.cluster);
        if !known {
            let message = format!("{} carries VLAN {}, which is in no VLAN group of {}", interface.name, vlan.vid, scope.device.name);
            w.problem("vlan-elsewhere", Severity::Warning, message, "name the VLAN of the device's own group");
        }
    }
    if interface.mtu.is_some() {
        let message = format!("the MTU of switchport {} is not mapped: EOS has no leaf for it", interface.name);
        w.problem("unmapped-mtu", Severity::Info, message, "leave the MTU of switchports empty");
    }
    match interface.mode {
        Some(Mode::Access) => {
            w.leaf("interface-mode", "ACCESS");
            w.maybe("access-vlan", interface.untagged.map(|vlan| vlan.vid));
        }
        Some(Mode::TaggedAll) => {
            w.leaf("interface-mode", "TRUNK");
            w.maybe("native-vlan", interface.untagged.map(|vlan| vlan.vid));
        }
        Some(Mode::Tagged) => {
            w.leaf("interface-mode", "TRUNK");
            w.maybe("native-vlan", interface.untagged.map(|vlan| vlan.vid));
            if interface.tagged.is_empty() {
                // An empty list would mean every VLAN on the device: the opposite of what the object says.
                let message = format!("trunk {} lists no VLAN", interface.name);
                w.problem("empty-trunk", Severity::Error, message, "list its VLANs, or set the mode to tagged (all) or access");
            }
            w.set("trunk-vlans", interface.tagged.iter().map(|vlan| vlan.vid));
        }
        Some(Mode::Other) => {
            let message = format!("the 802.1Q mode of {} is not mapped", interface.name);
            w.problem("unmapped-value", Severity::Error, message, "access, tagged or tagged (all)");
        }
        None => {}
    }
}

fn subinterface(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    let parent = interface.parent.and_then(|id| scope.fabric.interface(id));
    let index = interface.name.rsplit_once('.').map(|(_, index)| index).filter(|index| index.parse::<u32>().is_ok());
    let (Some(parent), Some(index)) = (parent, index) else {
        let message = format!("subinterface {} has no parent on this device, or no number after a dot", interface.name);
        return w.problem("bad-subinterface", Severity::Error, message, "call it after its parent: Ethernet1.100");
    };
    w.entry("interfaces/interface", &[("name", &*parent.name)], |w| {
        w.entry("subinterfaces/subinterface", &[("index", index)], |w| {
            w.leaf("config/index", index.parse::<u32>().unwrap_or_default());
            w.leaf("config/enabled", interface.enabled);
            if !interface.description.is_empty() {
                w.leaf("config/description", interface.description.as_str());
            }
            w.maybe("vlan/match/single-tagged/config/vlan-id", interface.dot1q);
            w.within("ipv4", |w| ipv4(scope, interface, w));
            addresses::ipv6(scope, interface, w);
            if interface.maintenance {
                w.hold();
            }
        });
    });
}
