//! What is wrong with intent as a whole: contradictions between objects that each read well. Findings only, no mapping.

mod bgp;
mod links;
mod vpn;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Fabric;
use super::fabric::Device;
use super::finding::{Finding, Severity, about};
use super::map::{is_gateway, is_virtual};
use super::records::{Interface, Kind, Settings};

/// Everything that is wrong with `fabric`, findings made while it was read not among them.
pub fn lint(fabric: &Fabric) -> Vec<Finding> {
    let mut found = Vec::new();
    duplicate_addresses(fabric, &mut found);
    duplicate_devices(fabric, &mut found);
    links::lint(fabric, &mut found);
    bgp::lint(fabric, &mut found);
    vpn::lint(fabric, &mut found);
    for device in &fabric.devices {
        let Some(settings) = fabric.settings_of(device.id) else { continue };
        interfaces(fabric, device, &mut found);
        pair(fabric, device, settings, &mut found);
        sessions(fabric, device, &mut found);
        vxlan(fabric, device, settings, &mut found);
    }
    found.sort_by(|a, b| (&a.device, &a.code, &a.message).cmp(&(&b.device, &b.code, &b.message)));
    found
}

/// One address, one VRF, two interfaces: allowed only for addresses a pair shares.
fn duplicate_addresses(fabric: &Fabric, found: &mut Vec<Finding>) {
    let mut seen: BTreeMap<(Option<u64>, IpAddr), Vec<usize>> = BTreeMap::new();
    for (at, address) in fabric.addresses.iter().enumerate() {
        seen.entry((address.vrf, address.net.addr())).or_default().push(at);
    }
    for places in seen.values().filter(|places| places.len() > 1) {
        let holders: Vec<_> = places.iter().filter_map(|at| fabric.addresses.get(*at)).collect();
        let device_of = |interface: u64| fabric.interface(interface).and_then(|i| fabric.device_by_id(i.device));
        let pairs: Vec<_> = holders.iter().map(|address| device_of(address.interface).and_then(|device| device.pair.clone())).collect();
        let one_pair = pairs.iter().all(|pair| pair.is_some() && *pair == pairs[0]);
        let twice_on_one = {
            let mut devices: Vec<u64> = holders.iter().filter_map(|address| device_of(address.interface)).map(|device| device.id).collect();
            devices.sort_unstable();
            devices.windows(2).any(|two| two[0] == two[1])
        };
        let Some(first) = holders.first() else { continue };
        let all_shared = holders.iter().all(|address| address.shared);
        if all_shared && !twice_on_one {
            continue;
        }
        let names: Vec<&str> = holders.iter().map(|address| address.origin.object.as_str()).collect();
        let hint = if one_pair { "give both the role anycast if the pair shares it" } else { "give one of the two another address" };
        let message = format!("{} is held twice: {}", first.net.addr(), names.join(", "));
        let device = device_of(first.interface).map(|device| &device.name);
        found.push(about("duplicate-address", Severity::Warning, device, &first.origin, message, hint));
    }
}

fn duplicate_devices(fabric: &Fabric, found: &mut Vec<Finding>) {
    for two in fabric.devices.windows(2) {
        if let [a, b] = two
            && a.name == b.name
        {
            let message = format!("two devices are called {}", a.name);
            found.push(about("duplicate-device", Severity::Error, Some(&a.name), &b.origin, message, "rename one, or take the tag off it"));
        }
    }
}

fn interfaces(fabric: &Fabric, device: &Device, found: &mut Vec<Finding>) {
    for interface in fabric.interfaces_of(device.id) {
        let addresses = || fabric.addresses_of(interface.id);
        for address in addresses().filter(|address| address.vrf != interface.vrf) {
            let message = format!("{} is in another VRF than {}", address.net, interface.name);
            found.push(about("vrf-differs", Severity::Warning, Some(&device.name), &address.origin, message, "the interface's VRF counts"));
        }
        if interface.kind == Kind::Svi {
            svi(fabric, device, interface, found);
        }
        if interface.kind == Kind::Subinterface {
            subinterface(fabric, device, interface, found);
        }
        if interface.kind == Kind::PortChannel && fabric.members_of(interface.id).next().is_none() {
            let message = format!("{} has no members", interface.name);
            found.push(about(
                "lag-without-members",
                Severity::Info,
                Some(&device.name),
                &interface.origin,
                message,
                "set the LAG of its ports",
            ));
        }
    }
}

/// A subinterface takes the frames of one tag, which no other on its port takes, and the port itself has to be routed.
fn subinterface(fabric: &Fabric, device: &Device, interface: &Interface, found: &mut Vec<Finding>) {
    let mut report = |code: &str, message: String, hint: &str| {
        found.push(about(code, Severity::Warning, Some(&device.name), &interface.origin, message, hint));
    };
    let Some(tag) = interface.dot1q else {
        return report(
            "subinterface-without-tag",
            format!("{} has no 802.1Q tag: it takes no frames", interface.name),
            "set its dot1q_vlan",
        );
    };
    let siblings = fabric.interfaces_of(device.id).filter(|other| other.parent == interface.parent && other.id < interface.id);
    if let Some(other) = siblings.into_iter().find(|other| other.dot1q == Some(tag)) {
        report(
            "subinterface-tag-reused",
            format!("{} and {} take the same tag {tag}", other.name, interface.name),
            "one tag a subinterface",
        );
    }
    if let Some(parent) =
        interface.parent.and_then(|id| fabric.interface(id)).filter(|parent| parent.mode.is_some() || parent.lag.is_some())
    {
        report(
            "subinterface-on-switchport",
            format!("{} is on {}, which is no routed port", interface.name, parent.name),
            "clear the 802.1Q mode and the LAG of the port",
        );
    }
}

fn svi(fabric: &Fabric, device: &Device, interface: &Interface, found: &mut Vec<Finding>) {
    let shared = fabric.addresses_of(interface.id).find(|address| is_gateway(interface, address));
    let own = fabric.addresses_of(interface.id).any(|address| !is_gateway(interface, address));
    // Where nobody has an address of its own the gateway stands alone, and is meant to.
    if let Some(shared) = shared.filter(|_| !own && !is_virtual(fabric, interface)) {
        let message = format!("{} has the shared gateway {} but no address of its own", interface.name, shared.net.addr());
        let hint = "give the SVI its own address, as the other member has: EOS answers for a shared one only beside it";
        found.push(about("gateway-without-address", Severity::Warning, Some(&device.name), &interface.origin, message, hint));
    }
    let Some(named) = interface.untagged else { return };
    let settings = fabric.settings_of(device.id);
    let has = settings.is_some_and(|settings| fabric.vlans_of(settings).any(|vlan| vlan.id == named.id));
    if !has {
        let message = format!("{} names VLAN {}, which {} has not", interface.name, named.vid, device.name);
        found.push(about(
            "missing-vlan",
            Severity::Warning,
            Some(&device.name),
            &interface.origin,
            message,
            "put the VLAN in the group of its pair",
        ));
    }
}

fn pair(fabric: &Fabric, device: &Device, settings: &Settings, found: &mut Vec<Finding>) {
    let Some(mlag) = &settings.mlag else { return };
    let mut report = |code: &str, severity, message: String, hint: &str| {
        found.push(about(code, severity, Some(&device.name), &device.origin, message, hint));
    };
    let peers: Vec<&Device> = fabric.peers(device).collect();
    let peer = match peers.as_slice() {
        [peer] => *peer,
        [] => {
            return report(
                "pair-of-one",
                Severity::Warning,
                format!("{} is alone in its pair", device.name),
                "put its peer in the same cluster",
            );
        }
        _ => {
            return report(
                "pair-of-many",
                Severity::Error,
                format!("{} has {} peers in its pair", device.name, peers.len()),
                "two devices a pair",
            );
        }
    };
    let theirs = fabric.settings_of(peer.id).and_then(|settings| settings.mlag.as_ref());
    if let Some(theirs) = theirs {
        if theirs.domain != mlag.domain {
            report(
                "pair-differs",
                Severity::Warning,
                format!("MLAG domain {} here, {} on {}", mlag.domain, theirs.domain, peer.name),
                "one domain a pair",
            );
        }
        if mlag.peer_address.is_some() && theirs.local_address.is_some() && mlag.peer_address != theirs.local_address {
            report(
                "pair-differs",
                Severity::Warning,
                format!("the MLAG peer address is not the local address of {}", peer.name),
                "mend one of the two",
            );
        }
    }
    if let Some(vrf) = mlag.heartbeat_vrf.as_deref().filter(|vrf| *vrf != "default")
        && !fabric.vrfs_of(device.id).iter().any(|known| &*known.name == vrf)
    {
        report(
            "heartbeat-vrf-missing",
            Severity::Info,
            format!("the MLAG heartbeat runs in VRF {vrf}, which no interface of {} is in", device.name),
            "dual primary detection does not work until it does",
        );
    }
    // Once a pair is enough: told on the first of the two.
    if device.name < peer.name {
        pair_members(fabric, device, peer, found);
    }
}

/// Members of a pair must serve the same VLANs, gateways and ports.
fn pair_members(fabric: &Fabric, device: &Device, peer: &Device, found: &mut Vec<Finding>) {
    let gateways = |of: &Device| -> BTreeMap<String, (Arc<crate::tree::Origin>, bool, Vec<IpAddr>)> {
        fabric
            .interfaces_of(of.id)
            .filter(|interface| interface.kind == Kind::Svi && !interface.peer_svi)
            .map(|interface| {
                let own = fabric.addresses_of(interface.id).any(|address| !is_gateway(interface, address));
                let shared =
                    fabric.addresses_of(interface.id).filter(|address| is_gateway(interface, address)).map(|address| address.net.addr());
                (interface.name.to_string(), (Arc::clone(&interface.origin), own, shared.collect()))
            })
            .collect()
    };
    let (ours, theirs) = (gateways(device), gateways(peer));
    for (name, (origin, own, shared)) in &ours {
        match theirs.get(name) {
            None => {
                let message = format!("{name} is on {} but not on {}", device.name, peer.name);
                found.push(about("pair-differs", Severity::Warning, Some(&device.name), origin, message, "give both members the SVI"));
            }
            Some((other, their_own, their_shared)) => {
                if own != their_own {
                    let (without, origin) = if *own { (&peer.name, other) } else { (&device.name, origin) };
                    let message = format!("{name} has an own address on one member of the pair, none on {without}");
                    found.push(about("pair-differs", Severity::Warning, Some(without), origin, message, "give both members an address"));
                }
                if shared != their_shared {
                    let message = format!("the shared gateway of {name} differs between {} and {}", device.name, peer.name);
                    found.push(about("pair-differs", Severity::Warning, Some(&device.name), origin, message, "one gateway a VLAN"));
                }
            }
        }
    }
    for (name, (origin, ..)) in theirs.iter().filter(|(name, _)| !ours.contains_key(*name)) {
        let message = format!("{name} is on {} but not on {}", peer.name, device.name);
        found.push(about("pair-differs", Severity::Warning, Some(&peer.name), origin, message, "give both members the SVI"));
    }
    let ports = |of: &Device| -> BTreeMap<u64, (Arc<crate::tree::Origin>, Vec<u16>)> {
        let lags = fabric.interfaces_of(of.id).filter_map(|interface| Some((interface.mlag_id?, interface)));
        lags.map(|(id, interface)| {
            let mut vlans: Vec<u16> = interface.tagged.iter().chain(&interface.untagged).map(|vlan| vlan.vid).collect();
            vlans.sort_unstable();
            (id, (Arc::clone(&interface.origin), vlans))
        })
        .collect()
    };
    let (ours, theirs) = (ports(device), ports(peer));
    for (id, (origin, vlans)) in &ours {
        let message = match theirs.get(id) {
            None => format!("mlag {id} is on {} only", device.name),
            Some((_, their_vlans)) if their_vlans != vlans => {
                format!("mlag {id} carries other VLANs on {} than on {}", device.name, peer.name)
            }
            Some(_) => continue,
        };
        found.push(about("pair-differs", Severity::Warning, Some(&device.name), origin, message, "make both members alike"));
    }
    for (id, (origin, _)) in theirs.iter().filter(|(id, _)| !ours.contains_key(*id)) {
        let message = format!("mlag {id} is on {} only", peer.name);
        found.push(about("pair-differs", Severity::Warning, Some(&peer.name), origin, message, "make both members alike"));
    }
}

fn sessions(fabric: &Fabric, device: &Device, found: &mut Vec<Finding>) {
    for session in fabric.sessions_of(device.id) {
        if session.local_as.is_some() && device.asn.is_some() && session.local_as != device.asn {
            let message = format!("session {} says another local AS than {}", session.name, device.name);
            found.push(about(
                "local-as-differs",
                Severity::Info,
                Some(&device.name),
                &session.origin,
                message,
                "it becomes `local-as` of the neighbour",
            ));
        }
        let group = session.peer_group.and_then(|id| fabric.peer_group(id));
        if let Some((group_as, remote_as)) = group.and_then(|group| group.remote_as).zip(session.remote_as)
            && group_as != remote_as
        {
            let message = format!("session {} says remote AS {remote_as}, its group {group_as}", session.name);
            found.push(about("remote-as-differs", Severity::Warning, Some(&device.name), &session.origin, message, "the group's counts"));
        }
        let silent =
            session.attributes.address_families.is_empty() && group.is_none_or(|group| group.attributes.address_families.is_empty());
        let default_on = fabric.settings_of(device.id).and_then(|s| s.context.bgp.as_ref()).and_then(|bgp| bgp.default_ipv4_unicast);
        if silent && default_on == Some(false) {
            let message = format!("session {} has no address family: it will exchange nothing", session.name);
            found.push(about(
                "session-without-family",
                Severity::Warning,
                Some(&device.name),
                &session.origin,
                message,
                "set address_families on it or its group",
            ));
        }
    }
}

fn vxlan(fabric: &Fabric, device: &Device, settings: &Settings, found: &mut Vec<Finding>) {
    let Some(vtep) = fabric.interfaces_of(device.id).find(|interface| interface.vxlan_source.is_some()) else {
        for vlan in fabric.vlans_of(settings).filter(|vlan| vlan.l2vpn.is_some()) {
            let message = format!("VLAN {} has a VNI, but {} is no VTEP", vlan.vid, device.name);
            found.push(about("no-vtep", Severity::Warning, Some(&device.name), &vlan.origin, message, "give it Vxlan1 with a source"));
        }
        return;
    };
    match fabric.vtep_source(device.id) {
        None => {
            let message = format!("the source of {} is no interface of {}", vtep.name, device.name);
            found.push(about(
                "vtep-source-missing",
                Severity::Error,
                Some(&device.name),
                &vtep.origin,
                message,
                "name a loopback of the device",
            ));
        }
        Some(source) => {
            if fabric.effective_addresses(source).is_empty() {
                let message = format!("{}, the source of {}, has no address", source.name, vtep.name);
                found.push(about(
                    "vtep-source-missing",
                    Severity::Error,
                    Some(&device.name),
                    &source.origin,
                    message,
                    "give it the pair's address",
                ));
            } else if fabric.addresses_of(source.id).next().is_none() {
                let message = format!("the VTEP address of {} is held by its peer only; it counts for both", device.name);
                found.push(about("shared-once", Severity::Info, Some(&device.name), &source.origin, message, "hold it on both members"));
            }
        }
    }
    for vrf in fabric.vrfs_of(device.id).into_iter().filter(|vrf| vrf.l3vni.is_none()) {
        let message = format!("VRF {} has no L3 VNI: it stays local to {}", vrf.name, device.name);
        found.push(about("missing-vni", Severity::Info, Some(&device.name), &vrf.origin, message, "set its L3 VNI to stretch it"));
    }
}
