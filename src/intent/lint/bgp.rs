//! BGP sessions seen from both ends.

use std::net::IpAddr;
use std::str::FromStr;

use crate::intent::Fabric;
use crate::intent::fabric::Device;
use crate::intent::finding::{Finding, Severity, about};
use crate::intent::records::Session;

/// Every session of every device.
pub(super) fn lint(fabric: &Fabric, found: &mut Vec<Finding>) {
    for device in &fabric.devices {
        for session in fabric.sessions_of(device.id) {
            one(fabric, device, session, found);
        }
    }
}

fn one(fabric: &Fabric, device: &Device, session: &Session, found: &mut Vec<Finding>) {
    let (Some(remote), Some(vrf)) = (session.remote, fabric.vrf_of_session(session)) else { return };
    let vrf = vrf.map(|vrf| vrf.id);
    let mut report = |code: &str, severity, message: String, hint: &str| {
        found.push(about(code, severity, Some(&device.name), &session.origin, message, hint));
    };
    // Who has that address in that VRF; the two of a pair share some.
    let holders: Vec<&Device> = fabric
        .addresses
        .iter()
        .filter(|address| address.net.addr() == remote)
        .filter_map(|address| fabric.interface(address.interface))
        .filter(|interface| interface.vrf == vrf && interface.device != device.id)
        .filter_map(|interface| fabric.device_by_id(interface.device))
        .collect();
    if holders.is_empty() {
        let message = format!("neighbour {remote} is no address of a device of this fabric: nobody checks its end");
        return report("neighbour-unknown", Severity::Info, message, "right for a neighbour outside; else a leftover, or a wrong address");
    }
    let Some(own) = session.local_address.and_then(|id| fabric.address(id)).map(|address| address.net.addr()) else { return };
    let back = |peer: &Device| fabric.sessions_of(peer.id).find(|other| reaches(fabric, other, own, vrf));
    let Some((peer, other)) = holders.iter().find_map(|peer| Some((*peer, back(peer)?))) else {
        let names: Vec<&str> = holders.iter().map(|peer| &*peer.name).collect();
        let message = format!("session with {remote} has no other end: {} has none with {own}", names.join(" and "));
        return report("session-one-sided", Severity::Warning, message, "make the session on the other device, or take this one away");
    };
    let group_of = |session: &Session| session.peer_group.and_then(|id| fabric.peer_group(id));
    let theirs = other.local_as.or_else(|| group_of(other).and_then(|group| group.local_as)).or(peer.asn);
    let expected = group_of(session).and_then(|group| group.remote_as).or(session.remote_as);
    if let (Some(theirs), Some(expected)) = (theirs, expected)
        && theirs != expected
    {
        let message = format!("session with {remote} expects AS {expected}, {} is AS {theirs}", peer.name);
        report("remote-as-wrong", Severity::Warning, message, "the session will not come up: mend the AS on one end");
    }
}

/// Whether a session, or the range it listens on, is with this address in this VRF.
fn reaches(fabric: &Fabric, session: &Session, address: IpAddr, vrf: Option<u64>) -> bool {
    if fabric.vrf_of_session(session).is_none_or(|other| other.map(|other| other.id) != vrf) {
        return false;
    }
    let range = || session.remote_prefix.as_deref().and_then(|range| ipnet::IpNet::from_str(range).ok());
    session.remote == Some(address) || range().is_some_and(|range| range.contains(&address))
}
