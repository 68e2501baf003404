//! Objects that devices share (a VRF, a VLAN, a peer group, …) and of which a field did not read: what that field says would be
//! missing on every device that has the object, so none of these is planned until it is mended.

use super::Scope;
use crate::intent::finding::{Finding, Severity};
use crate::intent::records::{Session, Vlan};

/// The errors of shared objects this device has, as errors of the device.
pub(super) fn findings(scope: &Scope<'_>) -> Vec<Finding> {
    let shared = |finding: &&Finding| finding.device.is_none() && finding.severity == Severity::Error && finding.code == "bad-field";
    let found =
        scope.fabric.findings.iter().filter(shared).filter(|finding| finding.origin.as_ref().is_some_and(|origin| has(scope, &origin.url)));
    found.map(|finding| Finding { device: Some(scope.device.name.clone()), ..finding.clone() }).collect()
}

/// Whether the device has the object with this address, or may have it.
fn has(scope: &Scope<'_>, url: &str) -> bool {
    let (fabric, device) = (scope.fabric, scope.device.id);
    let of_vlan =
        |vlan: &Vlan| vlan.origin.url == url || vlan.l2vpn.and_then(|id| fabric.l2vpn(id)).is_some_and(|l2vpn| l2vpn.origin.url == url);
    let of_session =
        |session: &Session| session.peer_group.and_then(|id| fabric.peer_group(id)).is_some_and(|group| group.origin.url == url);
    fabric.vrfs_of(device).iter().any(|vrf| vrf.origin.url == url)
        || fabric.vlans_of(scope.settings).any(of_vlan)
        || fabric.sessions_of(device).any(of_session)
        // Which devices hold one of these is what its field says.
        || fabric.prefix_lists.iter().any(|list| list.origin.url == url)
        || fabric.policies.iter().any(|policy| policy.origin.url == url)
}
