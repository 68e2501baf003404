//! MLAG: domain, peering, heartbeat, dual primary detection. Configuration only: EOS has no state leaves for it.

use super::Scope;
use super::writer::Writer;
use crate::intent::finding::Severity;
use crate::value::Value;

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    let Some(mlag) = &scope.settings.mlag else { return };
    let interfaces = || scope.fabric.interfaces_of(scope.device.id);
    w.within("arista/eos/mlag/config", |w| {
        w.leaf("domain-id", mlag.domain.as_str());
        match interfaces().find(|interface| interface.peer_svi) {
            Some(svi) => w.from(&svi.origin, |w| w.leaf("local-intf", &*svi.name)),
            None => {
                w.problem("mlag-incomplete", Severity::Error, "no interface is marked as the MLAG peering SVI".into(), "mark it on the SVI")
            }
        }
        match interfaces().find(|interface| interface.peer_link) {
            Some(link) => w.from(&link.origin, |w| w.leaf("peer-link-intf", &*link.name)),
            None => w.problem(
                "mlag-incomplete",
                Severity::Error,
                "no interface is marked as the MLAG peer link".into(),
                "mark the Port-Channel",
            ),
        }
        match &mlag.peer_address {
            Some(address) => w.leaf("peer-address", address.as_str()),
            None => w.problem("mlag-incomplete", Severity::Error, "no MLAG peer address".into(), "set it on the device"),
        }
        w.maybe("heartbeat-peer-address/address", mlag.heartbeat_address.as_deref());
        w.maybe("heartbeat-peer-address/vrf", mlag.heartbeat_vrf.as_deref());
        if let Some(dual) = scope.settings.context.mlag.as_ref().and_then(|mlag| mlag.dual_primary.as_ref()) {
            if let Some(delay) = &dual.delay_s {
                match Value::decimal(&delay.to_string()) {
                    Some(delay) => w.leaf("dual-primary-detection-delay", delay),
                    None => w.problem(
                        "unmapped-value",
                        Severity::Error,
                        format!("dual primary delay {delay} is no decimal"),
                        "seconds, 1 to 1000",
                    ),
                }
            }
            match (dual.action.as_deref(), dual.scope.as_deref()) {
                (None, _) => {}
                (Some("errdisable"), None | Some("all-interfaces")) => w.leaf("dual-primary-action", "errdisable-all-interfaces"),
                (Some("none"), _) => w.leaf("dual-primary-action", "action-none"),
                (Some(action), scope) => {
                    let message = format!("dual primary action `{action}` {} is not mapped", scope.unwrap_or_default());
                    w.problem("unmapped-value", Severity::Error, message, "errdisable all-interfaces, or none");
                }
            }
        }
    });
}
