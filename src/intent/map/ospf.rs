//! OSPF out of the config context: as an underlay, or towards the outside.
//!
//! A process is called by its number. Areas and their interfaces have leaves; `network`, `passive-interface` and `max-lsa` have
//! none and go as lines.

use std::collections::BTreeMap;

use super::Scope;
use super::vrfs;
use super::writer::Writer;
use crate::intent::context::{Ospf, OspfPort};
use crate::intent::finding::Severity;
use crate::intent::records::{Interface, Kind};

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    for process in &scope.settings.context.ospf {
        let vrf = process.vrf.as_deref().unwrap_or("default");
        if vrf != "default" && !scope.fabric.vrfs_of(scope.device.id).iter().any(|known| &*known.name == vrf) {
            let message = format!("OSPF {} runs in VRF {vrf}, which no interface of {} is in", process.process, scope.device.name);
            w.problem("missing-vrf", Severity::Warning, message, "put an interface into the VRF, or take the process away");
            continue;
        }
        one(scope, process, vrf, w);
        lines(process, vrf, w);
    }
}

fn one(scope: &Scope<'_>, process: &Ospf, vrf: &str, w: &mut Writer<'_>) {
    let name = process.process.to_string();
    let router_id = match &process.router_id {
        Some(template) => vrfs::fill(scope, template, None, None, w),
        None => scope.device.router_id.clone(),
    };
    let ports = ports(scope, process, vrf, w);
    w.entry("network-instances/network-instance", &[("name", vrf)], |w| {
        w.entry("protocols/protocol", &[("identifier", "OSPF"), ("name", &name)], |w| {
            w.leaf("config/identifier", "OSPF");
            w.leaf("config/name", name.as_str());
            w.within("ospfv2", |w| {
                w.maybe("global/config/router-id", router_id);
                w.maybe("global/config/log-adjacency-changes", process.log_adjacency_changes);
                for (interface, port) in ports.values() {
                    w.from(&interface.origin, |w| {
                        w.entry("areas/area", &[("identifier", &port.area.0)], |w| {
                            w.leaf("config/identifier", port.area.0.as_str());
                            w.entry("interfaces/interface", &[("id", &*interface.name)], |w| running(interface, port, w));
                        });
                    });
                }
                w.entry("areas/area", &[("identifier", "*")], |w| w.own_entries("interfaces/interface", &[("id", "*")]));
            });
        });
    });
}

/// Below an interface of an area.
fn running(interface: &Interface, port: &OspfPort, w: &mut Writer<'_>) {
    w.leaf("config/id", &*interface.name);
    let passive = port.passive.or((interface.kind == Kind::Loopback).then_some(true));
    match port.network_type.as_deref().filter(|_| interface.kind != Kind::Loopback) {
        None => {}
        Some("point-to-point") => w.leaf("config/network-type", "POINT_TO_POINT_NETWORK"),
        Some("broadcast") => w.leaf("config/network-type", "BROADCAST_NETWORK"),
        Some(other) => {
            let message = format!("OSPF network type `{other}` of {} is not mapped", interface.name);
            w.problem("unmapped-value", Severity::Error, message, "point-to-point or broadcast");
        }
    }
    w.maybe("config/metric", port.metric);
    w.maybe("config/passive", passive);
    w.maybe("enable-bfd/config/enabled", port.bfd);
}

/// The interfaces that run the process, by name: those named, and with `links` every routed port and loopback of the VRF that
/// has an address.
fn ports<'a>(scope: &Scope<'a>, process: &'a Ospf, vrf: &str, w: &mut Writer<'_>) -> BTreeMap<&'a str, (&'a Interface, &'a OspfPort)> {
    let fabric = scope.fabric;
    let mut ports = BTreeMap::new();
    for port in &process.interfaces {
        match fabric.interfaces_of(scope.device.id).find(|interface| *interface.name == *port.name) {
            Some(interface) => _ = ports.insert(&*interface.name, (interface, port)),
            None => {
                let message = format!("OSPF {} names {}, which {} has not", process.process, port.name, scope.device.name);
                w.problem("missing-interface", Severity::Warning, message, "mend the name in the config context");
            }
        }
    }
    let Some(links) = &process.links else { return ports };
    for interface in fabric.interfaces_of(scope.device.id) {
        let routed = match interface.kind {
            Kind::Ethernet | Kind::PortChannel => interface.mode.is_none() && interface.lag.is_none(),
            Kind::Loopback | Kind::Subinterface => true,
            // SVIs are for hosts, but for the one between the members of a pair nobody can tell which: name it.
            _ => false,
        };
        let here = interface.vrf.and_then(|id| fabric.vrf(id)).map_or("default", |vrf| &*vrf.name) == vrf;
        if routed && here && !fabric.effective_addresses(interface).is_empty() {
            ports.entry(&*interface.name).or_insert((interface, links));
        }
    }
    ports
}

fn lines(process: &Ospf, vrf: &str, w: &mut Writer<'_>) {
    let context =
        if vrf == "default" { format!("router ospf {}", process.process) } else { format!("router ospf {} vrf {vrf}", process.process) };
    for network in &process.networks {
        w.line(&context, &format!("network {} area {}", network.prefix, network.area.0), "");
    }
    for name in &process.passive_interfaces {
        w.line(&context, &format!("passive-interface {name}"), "");
    }
    if let Some(most) = process.max_lsa {
        w.line(&context, "max-lsa", &most.to_string());
    }
}
