//! Vxlan1: source, VLAN to VNI, VRF to VNI.

use super::Scope;
use super::writer::Writer;
use crate::intent::finding::Severity;
use crate::intent::records::Kind;

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    let vteps = scope.fabric.interfaces_of(scope.device.id).filter(|interface| interface.kind == Kind::Vxlan);
    for interface in vteps {
        let Some(source) = interface.vxlan_source.as_deref() else { continue };
        w.from(&interface.origin, |w| {
            w.entry("interfaces/interface", &[("name", &*interface.name)], |w| {
                w.within("arista-vxlan", |w| {
                    w.leaf("config/src-ip-intf", source);
                    w.maybe("config/udp-port", interface.vxlan_udp_port);
                    match interface.vxlan_learn.as_deref() {
                        None => {}
                        Some("any") => w.leaf("config/mac-learn-mode", "LEARN_FROM_ANY"),
                        Some("flood") => w.leaf("config/mac-learn-mode", "LEARN_FROM_FLOOD_LIST"),
                        Some("list") => w.leaf("config/mac-learn-mode", "LEARN_FROM_LIST"),
                        Some(other) => {
                            let message = format!("vxlan learn-restrict `{other}` has no YANG value");
                            w.problem("unmapped-value", Severity::Error, message, "any, flood or list");
                        }
                    }
                    vnis(scope, w);
                });
            });
        });
    }
}

fn vnis(scope: &Scope<'_>, w: &mut Writer<'_>) {
    for vlan in scope.fabric.vlans_of(scope.settings) {
        let Some(l2vpn) = scope.fabric.l2vpn_of(vlan) else { continue };
        w.from(&l2vpn.origin, |w| {
            let Some(vni) = l2vpn.vni else {
                let message = format!("L2VPN {} has no identifier, so VLAN {} has no VNI", l2vpn.name, vlan.vid);
                return w.problem("missing-vni", Severity::Error, message, "set its identifier to the VNI");
            };
            w.entry("vlan-to-vnis/vlan-to-vni", &[("vlan", &vlan.vid.to_string())], |w| {
                w.leaf("config/vlan", vlan.vid);
                w.leaf("config/vni", vni);
            });
        });
    }
    for vrf in scope.fabric.vrfs_of(scope.device.id) {
        let Some(vni) = vrf.l3vni else { continue };
        w.from(&vrf.origin, |w| {
            w.entry("vrf-to-vnis/vrf-to-vni", &[("vrf", &*vrf.name)], |w| {
                w.leaf("config/vrf", &*vrf.name);
                w.leaf("config/vni", vni);
            });
        });
    }
}
