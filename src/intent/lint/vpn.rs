//! VNIs, route distinguishers, VTEPs and what VRFs let out.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::intent::Fabric;
use crate::intent::fabric::Device;
use crate::intent::finding::{Finding, Severity, about};
use crate::intent::map::{filled, is_gateway, l2vpn_rd_template, overrides, rd_template, redistributed};
use crate::intent::records::{Interface, Kind, Mode, Settings, Vlan};
use crate::tree::Origin;

/// The whole fabric.
pub(super) fn lint(fabric: &Fabric, found: &mut Vec<Finding>) {
    vnis(fabric, found);
    stretched(fabric, found);
    domains(fabric, found);
    distinguishers(fabric, found);
    for device in &fabric.devices {
        let Some(settings) = fabric.settings_of(device.id) else { continue };
        vlans(fabric, device, settings, found);
        vtep(fabric, device, found);
        vrfs(fabric, device, settings, found);
    }
}

/// One VNI, one network.
fn vnis(fabric: &Fabric, found: &mut Vec<Finding>) {
    let mut users: BTreeMap<u32, Vec<(String, &Arc<Origin>)>> = BTreeMap::new();
    for l2vpn in fabric.l2vpns.iter().filter(|l2vpn| l2vpn.kind == "vxlan-evpn") {
        if let Some(vni) = l2vpn.vni {
            users.entry(vni).or_default().push((format!("L2VPN {}", l2vpn.name), &l2vpn.origin));
        }
    }
    for vrf in &fabric.vrfs {
        if let Some(vni) = vrf.l3vni {
            users.entry(vni).or_default().push((format!("VRF {}", vrf.name), &vrf.origin));
        }
    }
    for (vni, users) in users.iter().filter(|(_, users)| users.len() > 1) {
        let names: Vec<&str> = users.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("VNI {vni} is used by {}", names.join(" and "));
        if let Some((_, origin)) = users.first() {
            found.push(about("vni-reused", Severity::Warning, None, origin, message, "their traffic would mix: one VNI a network"));
        }
    }
}

/// VLANs of one number and name on several pairs are one network: all of them have the VNI, or none.
fn stretched(fabric: &Fabric, found: &mut Vec<Finding>) {
    let mut same: BTreeMap<(u16, &str), Vec<&Vlan>> = BTreeMap::new();
    for vlan in fabric.vlans.iter().filter(|vlan| vlan.cluster.is_some() && vlan.status != "reserved") {
        same.entry((vlan.vid, &vlan.name)).or_default().push(vlan);
    }
    for ((vid, name), vlans) in same {
        if vlans.iter().any(|vlan| vlan.l2vpn.is_some()) {
            for vlan in vlans.iter().filter(|vlan| vlan.l2vpn.is_none()) {
                let message = format!("VLAN {vid} {name} has a VNI elsewhere and none here");
                found.push(about(
                    "vlan-without-vni",
                    Severity::Warning,
                    None,
                    &vlan.origin,
                    message,
                    "terminate the L2VPN on it, too, or name it differently",
                ));
            }
        }
    }
}

/// An MLAG domain is a pair's own.
fn domains(fabric: &Fabric, found: &mut Vec<Finding>) {
    let mut domains: BTreeMap<&str, Vec<&Device>> = BTreeMap::new();
    for device in fabric.devices.iter().filter(|device| device.pair.is_some()) {
        if let Some(mlag) = fabric.settings_of(device.id).and_then(|settings| settings.mlag.as_ref()) {
            domains.entry(&mlag.domain).or_default().push(device);
        }
    }
    for (domain, devices) in domains {
        for device in &devices {
            let others: Vec<&str> = devices.iter().filter(|other| other.pair != device.pair).map(|other| &*other.name).collect();
            if !others.is_empty() {
                let message = format!("MLAG domain {domain} is also that of {}", others.join(", "));
                found.push(about(
                    "mlag-domain-reused",
                    Severity::Info,
                    Some(&device.name),
                    &device.origin,
                    message,
                    "harmless until two pairs are cabled together by mistake: a domain a pair",
                ));
            }
        }
    }
}

/// Who has a route distinguisher: the device, the VRF or MAC-VRF in words, its object.
type Holder<'a> = (&'a Device, String, &'a Arc<Origin>);

/// A route distinguisher is of one VRF or MAC-VRF on one device.
fn distinguishers(fabric: &Fabric, found: &mut Vec<Finding>) {
    let mut holders: BTreeMap<String, Vec<Holder<'_>>> = BTreeMap::new();
    for device in &fabric.devices {
        let Some(settings) = fabric.settings_of(device.id).filter(|_| fabric.vtep_source(device.id).is_some()) else { continue };
        for vlan in fabric.vlans_of(settings) {
            let Some(l2vpn) = fabric.l2vpn_of(vlan) else { continue };
            let template = l2vpn_rd_template(settings, l2vpn);
            if let Some(Ok(rd)) = template.map(|template| filled(device, template, l2vpn.vni, Some(vlan.vid))) {
                holders.entry(rd).or_default().push((device, format!("L2VPN {}", l2vpn.name), &l2vpn.origin));
            }
        }
        for vrf in fabric.vrfs_of(device.id) {
            let rd = match rd_template(settings, vrf) {
                Some(template) => filled(device, template, vrf.l3vni, None).ok(),
                None => vrf.rd.clone(),
            };
            if let Some(rd) = rd {
                holders.entry(rd).or_default().push((device, format!("VRF {}", vrf.name), &vrf.origin));
            }
        }
    }
    for (rd, holders) in holders.iter().filter(|(_, holders)| holders.len() > 1) {
        for (device, what, origin) in holders {
            let here: Vec<&str> =
                holders.iter().filter(|(other, name, _)| other.id == device.id && name != what).map(|(_, name, _)| name.as_str()).collect();
            if !here.is_empty() {
                let message = format!("route distinguisher {rd} of {what} is also that of {}", here.join(", "));
                found.push(about(
                    "rd-reused",
                    Severity::Warning,
                    Some(&device.name),
                    origin,
                    message,
                    "their routes overwrite each other: one RD each",
                ));
            }
            let there: Vec<&str> = holders.iter().filter(|(other, ..)| other.id != device.id).map(|(other, ..)| &*other.name).collect();
            if !there.is_empty() {
                let message = format!("route distinguisher {rd} of {what} is the same on {}", there.join(", "));
                found.push(about(
                    "rd-shared",
                    Severity::Info,
                    Some(&device.name),
                    origin,
                    message,
                    "a spine keeps one of their routes: put {router_id} into the template",
                ));
            }
        }
    }
}

fn vlans(fabric: &Fabric, device: &Device, settings: &Settings, found: &mut Vec<Finding>) {
    let vtep = fabric.vtep_source(device.id).is_some();
    let carries = |port: &Interface, vlan: u64, vid: u16| {
        port.tagged.iter().chain(&port.untagged).any(|carried| carried.id == vlan)
            || (port.mode == Some(Mode::TaggedAll) && !port.peer_link && vid > 1)
    };
    for vlan in fabric.vlans_of(settings) {
        let svi =
            fabric.interfaces_of(device.id).find(|svi| svi.kind == Kind::Svi && svi.untagged.is_some_and(|named| named.id == vlan.id));
        let Some(svi) = svi.filter(|svi| !svi.peer_svi) else { continue };
        let gateway = fabric.addresses_of(svi.id).any(|address| is_gateway(svi, address));
        if vtep && gateway && fabric.l2vpn_of(vlan).is_none() {
            let message = format!("VLAN {} has a shared gateway and no VNI: it ends at this pair", vlan.vid);
            found.push(about(
                "vlan-without-vni",
                Severity::Info,
                Some(&device.name),
                &vlan.origin,
                message,
                "right for a VLAN of one pair; else give it an L2VPN",
            ));
        }
        // A VLAN in a trunk group is for the switches themselves.
        let ports = || fabric.interfaces_of(device.id).filter(|port| port.kind != Kind::Svi && !port.peer_link);
        if vlan.trunk_groups.is_empty()
            && vlan.l2vpn.is_none()
            && svi.autostate != Some(false)
            && !ports().any(|port| carries(port, vlan.id, vlan.vid))
        {
            let message = format!("{} is up for VLAN {}, which no port but the peer link carries", svi.name, vlan.vid);
            found.push(about(
                "vlan-on-no-port",
                Severity::Info,
                Some(&device.name),
                &svi.origin,
                message,
                "a leftover? carry the VLAN somewhere, or retire it",
            ));
        }
    }
}

/// Other VTEPs reach it only when the underlay hears of its address.
fn vtep(fabric: &Fabric, device: &Device, found: &mut Vec<Finding>) {
    let Some(source) = fabric.vtep_source(device.id) else { return };
    let addresses = fabric.effective_addresses(source);
    if !addresses.is_empty() && !addresses.iter().any(|address| address.announced) {
        let message =
            format!("no network statement announces {}, the VTEP address on {}", device.vtep.as_deref().unwrap_or("?"), source.name);
        found.push(about(
            "vtep-not-announced",
            Severity::Warning,
            Some(&device.name),
            &source.origin,
            message,
            "tag the address bgp-network, or no other VTEP reaches it",
        ));
    }
}

fn vrfs(fabric: &Fabric, device: &Device, settings: &Settings, found: &mut Vec<Finding>) {
    if device.asn.is_none() {
        return;
    }
    for vrf in fabric.vrfs_of(device.id).into_iter().filter(|vrf| vrf.l3vni.is_some()) {
        for entry in redistributed(settings, vrf).iter().filter(|entry| entry.route_map.is_none()) {
            let message =
                format!("VRF {} redistributes {} without a route map: every prefix becomes a type 5 route", vrf.name, entry.source);
            found.push(about(
                "redistribute-unscoped",
                Severity::Info,
                Some(&device.name),
                &vrf.origin,
                message,
                "name a route_map in `redistribute`",
            ));
        }
        if overrides(settings, vrf).is_none_or(|other| other.router_id.is_none()) {
            let message = format!("VRF {} has no router id: the device derives one", vrf.name);
            found.push(about(
                "vrf-without-router-id",
                Severity::Info,
                Some(&device.name),
                &vrf.origin,
                message,
                "set vrf_overrides router_id in a config context",
            ));
        }
    }
}
