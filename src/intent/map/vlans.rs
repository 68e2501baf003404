//! VLANs with their trunk groups. They live in the default instance.

use super::Scope;
use super::writer::Writer;
use crate::intent::finding::Severity;

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    w.entry("network-instances/network-instance", &[("name", "default")], |w| {
        for vlan in scope.fabric.vlans_of(scope.settings) {
            w.from(&vlan.origin, |w| {
                if !(1..=4094).contains(&vlan.vid) {
                    w.problem("bad-vlan", Severity::Error, format!("VLAN id {} is none", vlan.vid), "1 to 4094");
                    return;
                }
                if vlan.l2vpn.is_some_and(|id| scope.fabric.l2vpn(id).is_none()) {
                    let message = format!("the L2VPN of VLAN {} was not read", vlan.vid);
                    w.problem("missing-l2vpn", Severity::Error, message, "may the token see L2VPNs?");
                }
                w.entry("vlans/vlan", &[("vlan-id", &vlan.vid.to_string())], |w| {
                    w.leaf("config/vlan-id", vlan.vid);
                    if !vlan.name.is_empty() {
                        w.leaf("config/name", vlan.name.as_str());
                    }
                    w.set("config/trunk-groups", vlan.trunk_groups.iter().map(String::as_str));
                });
            });
        }
    });
}
