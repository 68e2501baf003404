//! Interfaces, the addresses on them, the cables between them.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::error::Error;
use super::super::pages::{List, Pages};
use super::super::raw::{self, Link};
use super::{Maker, text_of};
use crate::intent::Fabric;
use crate::intent::records::{Address, Cable, Interface, Kind, Mode, VlanRef};

impl Maker<'_> {
    pub(super) fn interfaces(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let f = &self.settings.fields;
        let count = pages.count(List::Interfaces);
        *objects += count;
        fabric.interfaces.reserve(count);
        for interface in pages.each::<raw::Interface<'_>>(List::Interfaces) {
            let interface = interface?;
            let Some(device) = self.names.get(&interface.device.id).cloned() else { continue };
            let origin = self.origin(List::Interfaces, interface.id, &format!("{device} {}", interface.name), interface.last_updated);
            let mode = match interface.mode.as_ref().map_or("", |mode| &*mode.0) {
                "" => None,
                "access" => Some(Mode::Access),
                "tagged" => Some(Mode::Tagged),
                "tagged-all" => Some(Mode::TaggedAll),
                _ => Some(Mode::Other),
            };
            let vlan = |vlan: raw::VlanBrief| VlanRef { id: vlan.id, vid: vlan.vid };
            let mut c = self.fields(List::Interfaces, &interface.custom_fields, &origin, Some(&device));
            let made = Interface {
                id: interface.id,
                device: interface.device.id,
                kind: Kind::of(&interface.name, interface.parent.is_some()),
                name: Arc::from(interface.name.as_ref()),
                enabled: interface.enabled,
                description: interface.description.into_owned(),
                mtu: interface.mtu,
                mode,
                untagged: interface.untagged_vlan.map(vlan),
                tagged: interface.tagged_vlans.into_iter().map(vlan).collect(),
                lag: interface.lag.map(|lag| lag.id),
                parent: interface.parent.map(|parent| parent.id),
                vrf: interface.vrf.map(|vrf| vrf.id),
                lacp_mode: c.text(&f.lacp_mode),
                lacp_fallback: c.text(&f.lacp_fallback),
                lacp_fallback_timeout: c.number(&f.lacp_fallback_timeout),
                mlag_id: c.number(&f.mlag_id),
                peer_link: c.flag(&f.mlag_peer_link).unwrap_or_default(),
                peer_svi: c.flag(&f.mlag_local_interface).unwrap_or_default(),
                autostate: c.flag(&f.autostate),
                dot1q: c.number(&f.dot1q_vlan),
                stp_link_type: c.text(&f.stp_link_type),
                stp_portfast: c.flag(&f.stp_portfast),
                stp_bpduguard: c.flag(&f.stp_bpduguard),
                trunk_groups: c.words(&f.trunk_groups),
                vxlan_source: c.reference(&f.vxlan_source_interface),
                vxlan_udp_port: c.number(&f.vxlan_udp_port),
                vxlan_learn: c.text(&f.vxlan_learn_restrict),
                maintenance: interface.tags.iter().any(|tag| tag.slug == self.settings.maintenance_tag),
                origin,
            };
            fabric.interfaces.push(made);
        }
        Ok(())
    }

    pub(super) fn addresses(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let list: Vec<raw::Address<'_>> = pages.parse(List::Addresses)?;
        *objects += list.len();
        let f = &self.settings.fields;
        let device_of: FxHashMap<u64, u64> = fabric.interfaces.iter().map(|interface| (interface.id, interface.device)).collect();
        for address in list {
            let on_interface = address.assigned_object_type.as_ref().is_some_and(|kind| kind.0 == "dcim.interface");
            let said = address.assigned_object_id.filter(|_| on_interface);
            let Some(interface) = said.or_else(|| Link::of(&address.assigned_object, "InterfaceType")) else { continue };
            let Some(device) = device_of.get(&interface).and_then(|device| self.names.get(device)).cloned() else { continue };
            let origin = self.origin(List::Addresses, address.id, &address.address, address.last_updated);
            let Some(net) = network(&address.address) else {
                return Err(Error::BadObject { object: origin.object.clone(), url: origin.url.clone(), reason: "it is no address".into() });
            };
            let role = text_of(address.role);
            let virtual_ip = self.fields(List::Addresses, &address.custom_fields, &origin, Some(&device)).flag(&f.virtual_ip) == Some(true);
            fabric.addresses.push(Address {
                id: address.id,
                interface,
                net,
                vrf: address.vrf.map(|vrf| vrf.id),
                shared: virtual_ip || role == "anycast",
                secondary: role == "secondary",
                announced: address.tags.iter().any(|tag| tag.slug == self.settings.network_tag),
                status: text_of(address.status),
                origin,
            });
        }
        vrf_by_address(fabric);
        Ok(())
    }

    pub(super) fn cables(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let list: Vec<raw::Cable<'_>> = pages.parse(List::Cables)?;
        *objects += list.len();
        let ours: FxHashSet<u64> = fabric.interfaces.iter().map(|interface| interface.id).collect();
        for cable in list {
            let origin = self.origin(List::Cables, cable.id, "", cable.last_updated);
            let ends = cable.a_terminations.iter().chain(&cable.b_terminations).filter(|end| end.object_type == "dcim.interface");
            let ends: Vec<u64> = ends.map(|end| end.object_id).filter(|id| ours.contains(id)).collect();
            fabric.cables.push(Cable { id: cable.id, ends, origin });
        }
        Ok(())
    }
}

/// With a mask, or as a host.
pub(super) fn network(text: &str) -> Option<IpNet> {
    IpNet::from_str(text).ok().or_else(|| IpAddr::from_str(text).ok().map(IpNet::from))
}

/// An interface without a VRF is in that of its addresses, when they all say the same one.
fn vrf_by_address(fabric: &mut Fabric) {
    let mut said: FxHashMap<u64, Option<u64>> = FxHashMap::default();
    for address in &fabric.addresses {
        let vrf = said.entry(address.interface).or_insert(address.vrf);
        if *vrf != address.vrf {
            *vrf = None;
        }
    }
    for interface in fabric.interfaces.iter_mut().filter(|interface| interface.vrf.is_none()) {
        interface.vrf = said.get(&interface.id).copied().flatten();
    }
}
