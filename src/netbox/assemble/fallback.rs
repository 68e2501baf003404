//! What a device's config context says under `evpn_fabric`, where no native object says the same: the shape intent had first.
//!
//! The context knows no route targets, distinguishers or peer groups. They are made as the fabric it was written for has them: RD
//! `router id:VLAN`, targets `VLAN:VNI`, groups `underlay` and `evpn`. Interfaces and their addresses are always native.

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Maker;
use crate::intent::Fabric;
use crate::intent::context::EvpnFabric;
use crate::intent::fabric::Device;
use crate::intent::finding::Severity;
use crate::intent::records::{Attributes, Kind, L2vpn, Mlag, PeerGroup, Redistribute, Session, Vlan};
use crate::tree::Origin;

/// Ids of what is made here: far from those of NetBox.
struct Ids(u64);

impl Ids {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

impl Maker<'_> {
    /// Adds to the records of every device that has such a context.
    pub(super) fn fallback(&mut self, fabric: &mut Fabric) {
        let mut ids = Ids(u64::MAX / 2);
        let mut mac_vrfs: FxHashMap<u32, u64> = fabric.l2vpns.iter().filter_map(|l2vpn| Some((l2vpn.vni?, l2vpn.id))).collect();
        for at in 0..fabric.devices.len() {
            let Some(settings) = fabric.devices.get(at).and_then(|device| fabric.settings.iter().position(|own| own.device == device.id))
            else {
                continue;
            };
            let Some(context) = fabric.settings.get(settings).and_then(|own| own.context.evpn_fabric.clone()) else { continue };
            let mut taken = Vec::new();
            let Some(device) = fabric.devices.get_mut(at) else { continue };
            numbers(device, &context, &mut taken);
            let device = device.clone();
            mlag(fabric, &device, settings, &context, &mut taken);
            self.vtep(fabric, &device, &context, &mut taken);
            vlans(fabric, &device, settings, &context, &mut ids, &mut mac_vrfs, &mut taken);
            self.l3vnis(fabric, &device, &context, &mut taken);
            sessions(fabric, &device, &context, &mut ids, &mut taken);
            if !taken.is_empty() {
                let message = format!("{} of {} come from `evpn_fabric` in its config context", taken.join(", "), device.name);
                let hint = "native objects say it better, and count before it";
                self.report("config-context-fallback", Severity::Info, Some(&device.name), &device.origin, message, hint);
            }
        }
    }

    fn incomplete(&mut self, device: &Device, message: String, hint: &str) {
        self.report("config-context-incomplete", Severity::Warning, Some(&device.name), &device.origin, message, hint);
    }

    /// The loopback that has the address becomes the source of the native Vxlan1.
    fn vtep(&mut self, fabric: &mut Fabric, device: &Device, context: &EvpnFabric, taken: &mut Vec<&'static str>) {
        let Some(ip) = context.overlay.as_ref().and_then(|overlay| overlay.vtep_ip) else { return };
        if fabric.interfaces.iter().any(|port| port.device == device.id && port.vxlan_source.is_some()) {
            return;
        }
        let source = holder(fabric, device, ip).map(|(name, _)| name);
        let tunnel = fabric.interfaces.iter_mut().find(|port| port.device == device.id && port.kind == Kind::Vxlan);
        match (source, tunnel) {
            (Some(source), Some(tunnel)) => {
                tunnel.vxlan_source = Some(source.to_string());
                taken.push("the VTEP address");
            }
            (None, _) => {
                self.incomplete(device, format!("the VTEP address {ip} is on no interface of {}", device.name), "put it on a loopback")
            }
            (_, None) => self.incomplete(device, format!("{} has a VTEP address and no Vxlan1", device.name), "add the interface Vxlan1"),
        }
    }

    fn l3vnis(&mut self, fabric: &mut Fabric, device: &Device, context: &EvpnFabric, taken: &mut Vec<&'static str>) {
        for said in &context.vrfs {
            let Some(vrf) = fabric.vrfs.iter_mut().find(|vrf| *vrf.name == *said.name) else {
                let message = format!("VRF {} of {} is none in NetBox, so no interface is in it", said.name, device.name);
                self.incomplete(device, message, "make the VRF, and put interfaces into it");
                continue;
            };
            if vrf.l3vni.is_none() && said.vni.is_some() {
                vrf.l3vni = said.vni;
                taken.push("VNIs of VRFs");
            }
        }
        taken.dedup();
    }
}

fn numbers(device: &mut Device, context: &EvpnFabric, taken: &mut Vec<&'static str>) {
    let Some(underlay) = &context.underlay else { return };
    if device.asn.is_none() && underlay.asn.is_some() {
        device.asn = underlay.asn;
        taken.push("the AS number");
    }
    if device.router_id.is_none() && underlay.router_id.is_some() {
        device.router_id.clone_from(&underlay.router_id);
        taken.push("the router id");
    }
}

/// The interface of a device that has an address, and that address.
fn holder(fabric: &Fabric, device: &Device, ip: IpAddr) -> Option<(Arc<str>, u64)> {
    let port = |id: u64| fabric.interfaces.iter().find(|port| port.id == id && port.device == device.id);
    let held = fabric.addresses.iter().filter(|address| address.net.addr() == ip);
    held.filter_map(|address| Some((Arc::clone(&port(address.interface)?.name), address.id))).next()
}

fn mlag(fabric: &mut Fabric, device: &Device, settings: usize, context: &EvpnFabric, taken: &mut Vec<&'static str>) {
    let Some(said) = context.mlag.as_ref().filter(|mlag| mlag.enabled) else { return };
    let Some(domain) = said.domain_id.clone() else { return };
    let peering = said.local_ip.and_then(|ip| holder(fabric, device, ip)).map(|(name, _)| name);
    let Some(own) = fabric.settings.get_mut(settings).filter(|own| own.mlag.is_none()) else { return };
    let text = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string());
    own.mlag = Some(Mlag { domain, local_address: text(said.local_ip), peer_address: text(said.peer_ip), ..Mlag::default() });
    taken.push("MLAG");
    if !fabric.interfaces.iter().any(|port| port.device == device.id && port.peer_svi) {
        let svi = fabric.interfaces.iter_mut().find(|port| port.device == device.id && peering.as_ref() == Some(&port.name));
        svi.into_iter().for_each(|svi| svi.peer_svi = true);
    }
}

/// Only for a device that has no VLAN of its own.
fn vlans(
    fabric: &mut Fabric,
    device: &Device,
    settings: usize,
    context: &EvpnFabric,
    ids: &mut Ids,
    mac_vrfs: &mut FxHashMap<u32, u64>,
    taken: &mut Vec<&'static str>,
) {
    let cluster = fabric.settings.get(settings).and_then(|own| own.cluster);
    if context.vlans.is_empty() || (cluster.is_some() && fabric.vlans.iter().any(|vlan| vlan.cluster == cluster)) {
        return;
    }
    let own = ids.next();
    if let Some(settings) = fabric.settings.get_mut(settings) {
        settings.cluster = Some(own);
    }
    for said in &context.vlans {
        let l2vpn = said.vni.map(|vni| *mac_vrfs.entry(vni).or_insert_with(|| mac_vrf(fabric, said.id, vni, ids.next(), &device.origin)));
        fabric.vlans.push(Vlan {
            id: ids.next(),
            vid: said.id,
            name: said.name.clone(),
            cluster: Some(own),
            status: "active".into(),
            trunk_groups: Vec::new(),
            stp_disabled: false,
            l2vpn,
            origin: Arc::clone(&device.origin),
        });
    }
    taken.push("VLANs");
}

fn mac_vrf(fabric: &mut Fabric, vlan: u16, vni: u32, id: u64, origin: &Arc<Origin>) -> u64 {
    let target = vec![format!("{vlan}:{vni}")];
    fabric.l2vpns.push(L2vpn {
        id,
        name: format!("vlan-{vlan}"),
        vni: Some(vni),
        kind: "vxlan-evpn".into(),
        status: "active".into(),
        import: target.clone(),
        export: target,
        rd_template: Some("{router_id}:{vlan}".into()),
        redistribute: vec![Redistribute { source: "learned".into(), route_map: None }],
        origin: Arc::clone(origin),
    });
    id
}

/// Only for a device that has no session of its own.
fn sessions(fabric: &mut Fabric, device: &Device, context: &EvpnFabric, ids: &mut Ids, taken: &mut Vec<&'static str>) {
    if fabric.sessions.iter().any(|session| session.device == device.id) {
        return;
    }
    let spines = context.underlay.as_ref().map(|underlay| underlay.spine_peers.as_slice()).unwrap_or_default();
    let servers = context.overlay.as_ref().map(|overlay| overlay.evpn_peers.as_slice()).unwrap_or_default();
    let link = |fabric: &Fabric, ip: IpAddr| {
        let ours = |id: u64| fabric.interfaces.iter().any(|port| port.id == id && port.device == device.id);
        fabric.addresses.iter().find(|own| own.net.contains(&ip) && ours(own.interface)).map(|own| own.id)
    };
    if !spines.is_empty() {
        let group =
            group(fabric, ids, "underlay", Attributes { address_families: vec!["ipv4-unicast".into()], ..Attributes::default() }, device);
        for peer in spines {
            let local = link(fabric, peer.ip);
            fabric.sessions.push(session(ids.next(), device, peer.ip, peer.asn, group, local));
        }
    }
    if !servers.is_empty() {
        let source = device.router_id.as_deref().and_then(|id| id.parse().ok()).and_then(|ip| holder(fabric, device, ip));
        let attributes = Attributes {
            address_families: vec!["l2vpn-evpn".into()],
            update_source: source.as_ref().map(|(name, _)| name.to_string()),
            ebgp_multihop: Some(3),
            send_community: Some(vec!["extended".into()]),
            ..Attributes::default()
        };
        let group = group(fabric, ids, "evpn", attributes, device);
        // All route servers are spines, and spines are of one AS.
        let asn = spines.iter().find_map(|peer| peer.asn);
        for ip in servers {
            fabric.sessions.push(session(ids.next(), device, *ip, asn, group, source.as_ref().map(|(_, id)| *id)));
        }
    }
    if !spines.is_empty() || !servers.is_empty() {
        taken.push("BGP sessions");
    }
}

fn group(fabric: &mut Fabric, ids: &mut Ids, name: &str, attributes: Attributes, device: &Device) -> u64 {
    let id = ids.next();
    fabric.peer_groups.push(PeerGroup {
        id,
        name: Arc::from(name),
        remote_as: None,
        local_as: None,
        attributes,
        import_policies: Vec::new(),
        export_policies: Vec::new(),
        prefix_lists: Default::default(),
        origin: Arc::clone(&device.origin),
    });
    id
}

fn session(id: u64, device: &Device, remote: IpAddr, remote_as: Option<u32>, group: u64, local_address: Option<u64>) -> Session {
    Session {
        id,
        name: format!("{}-{remote}", device.name),
        description: String::new(),
        device: device.id,
        local_address,
        remote: Some(remote),
        remote_prefix: None,
        local_as: None,
        remote_as,
        peer_group: Some(group),
        status: "active".into(),
        max_prefixes: None,
        attributes: Attributes::default(),
        import_policies: Vec::new(),
        export_policies: Vec::new(),
        prefix_lists: Default::default(),
        origin: Arc::clone(&device.origin),
    }
}
