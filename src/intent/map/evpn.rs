//! MAC-VRFs: one EVPN instance a VLAN with a VNI, called by the VLAN id.

use super::writer::Writer;
use super::{Scope, vrfs};
use crate::intent::finding::Severity;
use crate::intent::records::{L2vpn, Settings, Vlan};

/// The template of a MAC-VRF's route distinguisher on the device.
pub(crate) fn rd_template<'a>(settings: &'a Settings, l2vpn: &'a L2vpn) -> Option<&'a str> {
    let other = settings.context.l2vpn_overrides.get(&l2vpn.name);
    other.and_then(|other| other.rd_template.as_deref()).or(l2vpn.rd_template.as_deref())
}

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    if !scope.is_vtep || scope.device.asn.is_none() {
        return;
    }
    for vlan in scope.fabric.vlans_of(scope.settings) {
        if let Some(l2vpn) = scope.fabric.l2vpn_of(vlan) {
            w.from(&l2vpn.origin, |w| one(scope, vlan, l2vpn, w));
        }
    }
}

fn one(scope: &Scope<'_>, vlan: &Vlan, l2vpn: &L2vpn, w: &mut Writer<'_>) {
    let other = scope.settings.context.l2vpn_overrides.get(&l2vpn.name);
    let rd = rd_template(scope.settings, l2vpn).and_then(|template| vrfs::fill(scope, template, l2vpn.vni, Some(vlan.vid), w));
    let import = other.and_then(|other| other.import_targets.as_deref()).unwrap_or(&l2vpn.import);
    let export = other.and_then(|other| other.export_targets.as_deref()).unwrap_or(&l2vpn.export);
    let sources = other.and_then(|other| other.redistribute.as_deref()).unwrap_or(&l2vpn.redistribute);
    let vid = vlan.vid.to_string();
    w.entry("arista/eos/evpn/evpn-instances/evpn-instance", &[("name", &vid)], |w| {
        w.leaf("config/name", vid.as_str());
        w.leaf("config/instance-type", "VLAN");
        w.maybe("config/route-distinguisher", rd);
        w.set("config/redistribute", sources.iter().map(|source| source.source.to_ascii_uppercase().replace('-', "_")));
        w.set("route-target/config/import", import.iter().map(String::as_str));
        w.set("route-target/config/export", export.iter().map(String::as_str));
        w.from(&vlan.origin, |w| w.entry("vlans/vlan", &[("vlan-id", &vid)], |w| w.leaf("config/vlan-id", vlan.vid)));
        if import.is_empty() || export.is_empty() {
            let message = format!("L2VPN {} has no route targets to import or export", l2vpn.name);
            w.problem("missing-targets", Severity::Warning, message, "without them the MAC-VRF exchanges nothing");
        }
    });
}
