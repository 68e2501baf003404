//! What two ends of a cable must agree on.

use std::collections::BTreeSet;

use crate::intent::Fabric;
use crate::intent::finding::{Finding, Severity, about};
use crate::intent::records::{Cable, Interface, Kind, Mode};

/// What a routed EOS port has when nobody says otherwise.
const DEFAULT_MTU: u32 = 1500;

/// Every cable between two ports of managed devices.
pub(super) fn lint(fabric: &Fabric, found: &mut Vec<Finding>) {
    for cable in &fabric.cables {
        if let [a, b] = cable.ends.as_slice()
            && let (Some(a), Some(b)) = (fabric.interface(*a), fabric.interface(*b))
        {
            ends(fabric, cable, a, b, found);
        }
    }
}

fn ends(fabric: &Fabric, cable: &Cable, a: &Interface, b: &Interface, found: &mut Vec<Finding>) {
    let name = |port: &Interface| format!("{} {}", fabric.device_by_id(port.device).map_or("?", |device| &device.name), port.name);
    let device = fabric.device_by_id(a.device).map(|device| &device.name);
    let mut report = |code: &str, severity, message: String, hint: &str| {
        found.push(about(code, severity, device, &cable.origin, message, hint));
    };
    let (left, right) = (name(a), name(b));
    if a.enabled != b.enabled {
        let (shut, open) = if a.enabled { (&right, &left) } else { (&left, &right) };
        report("link-half-shut", Severity::Info, format!("{shut} is shut, {open} at the other end is not"), "shut both, or none");
    }
    if a.lag.is_some() != b.lag.is_some() {
        let (member, single) = if a.lag.is_some() { (&left, &right) } else { (&right, &left) };
        let message = format!("{member} is a member of a Port-Channel, {single} at the other end is not");
        return report("link-lag-differs", Severity::Warning, message, "LACP will not come up: bundle both ends");
    }
    // A member carries what its Port-Channel says.
    let (x, y) = (bundle(fabric, a).unwrap_or(a), bundle(fabric, b).unwrap_or(b));
    let routed = |port: &Interface| port.mode.is_none() && matches!(port.kind, Kind::Ethernet | Kind::PortChannel);
    match (routed(x), routed(y)) {
        (true, true) => {
            let nets = |port: &Interface| -> BTreeSet<_> { fabric.addresses_of(port.id).map(|address| address.net.trunc()).collect() };
            let (ours, theirs) = (nets(x), nets(y));
            if !ours.is_empty() && !theirs.is_empty() && ours.is_disjoint(&theirs) {
                let words = |nets: &BTreeSet<ipnet::IpNet>| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let message = format!("{left} is in {}, {right} at the other end in {}", words(&ours), words(&theirs));
                report("link-subnets-differ", Severity::Warning, message, "both ends of a link are in one subnet");
            }
            if ours.is_empty() != theirs.is_empty() {
                let (without, with) = if ours.is_empty() { (&left, &right) } else { (&right, &left) };
                report(
                    "link-one-address",
                    Severity::Warning,
                    format!("{with} has an address, {without} at the other end has none"),
                    "give both ends one of the subnet",
                );
            }
            let (ours, theirs) = (x.mtu.unwrap_or(DEFAULT_MTU), y.mtu.unwrap_or(DEFAULT_MTU));
            if ours != theirs {
                let message = format!("MTU {ours} on {left}, {theirs} on {right} at the other end");
                report("link-mtu-differs", Severity::Warning, message, "large packets are lost one way: one MTU a link");
            }
        }
        (false, false) => vlans(fabric, cable, (x, &left), (y, &right), found),
        (one, _) => {
            let (port, switched) = if one { (&left, &right) } else { (&right, &left) };
            report(
                "link-modes-differ",
                Severity::Warning,
                format!("{port} is routed, {switched} at the other end is a switchport"),
                "make both ends alike",
            );
        }
    }
}

/// The Port-Channel a port is a member of.
fn bundle<'a>(fabric: &'a Fabric, port: &Interface) -> Option<&'a Interface> {
    fabric.interface(port.lag?)
}

fn vlans(fabric: &Fabric, cable: &Cable, (x, left): (&Interface, &str), (y, right): (&Interface, &str), found: &mut Vec<Finding>) {
    let device = fabric.device_by_id(x.device).map(|device| &device.name);
    let all = |port: &Interface| matches!(port.mode, Some(Mode::TaggedAll | Mode::Other));
    if all(x) || all(y) {
        return;
    }
    let tagged = |port: &Interface| -> BTreeSet<u16> { port.tagged.iter().map(|vlan| vlan.vid).collect() };
    let (ours, theirs) = (tagged(x), tagged(y));
    if ours != theirs {
        let only = |a: &BTreeSet<u16>, b: &BTreeSet<u16>| a.difference(b).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let sides = [(only(&ours, &theirs), left), (only(&theirs, &ours), right)];
        let words: Vec<String> =
            sides.iter().filter(|(vlans, _)| !vlans.is_empty()).map(|(vlans, side)| format!("VLAN {vlans} on {side} only")).collect();
        let message = format!("the trunk between {left} and {right} carries other VLANs at its ends: {}", words.join(", "));
        found.push(about("link-vlans-differ", Severity::Warning, device, &cable.origin, message, "allow the same VLANs on both ends"));
    }
    let native = |port: &Interface| port.untagged.map(|vlan| vlan.vid);
    if native(x) != native(y) {
        let word = |vlan: Option<u16>| vlan.map_or_else(|| "none".to_owned(), |vlan| vlan.to_string());
        let message = format!("untagged VLAN {} on {left}, {} on {right}", word(native(x)), word(native(y)));
        found.push(about(
            "link-native-differs",
            Severity::Warning,
            device,
            &cable.origin,
            message,
            "untagged frames change their VLAN: make both ends alike",
        ));
    }
}
