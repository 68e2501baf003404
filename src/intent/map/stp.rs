//! Spanning tree: VLANs without it, and what the whole device says. Settings of a port are with its interface.

use std::sync::Arc;

use super::Scope;
use super::writer::Writer;
use crate::intent::finding::Severity;
use crate::intent::records::Interface;
use crate::value::Value;

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    let disabled: Vec<_> = scope.fabric.vlans_of(scope.settings).filter(|vlan| vlan.stp_disabled).collect();
    w.within("stp/global/config", |w| {
        if let Some(first) = disabled.first() {
            // One leaf for several VLANs: the first one stands for them all.
            w.from(&Arc::clone(&first.origin), |w| w.set("disabled-vlan", disabled.iter().map(|vlan| vlan.vid)));
        }
        let Some(tree) = &scope.settings.context.spanning_tree else { return };
        if let Some(mode) = tree.mode.as_deref() {
            match mode {
                "mstp" => w.leaf("enabled-protocol", Value::list([Value::str("MSTP")])),
                "rstp" => w.leaf("enabled-protocol", Value::list([Value::str("RSTP")])),
                "rapid-pvst" => w.leaf("enabled-protocol", Value::list([Value::str("RAPID_PVST")])),
                other => {
                    let message = format!("spanning-tree mode `{other}` has no YANG identity");
                    w.problem("unmapped-value", Severity::Error, message, "mstp, rstp or rapid-pvst");
                }
            }
        }
        w.maybe("bpdu-guard", tree.edge_port_bpduguard_default);
    });
}

/// The settings of one port.
pub(super) fn port(interface: &Interface, w: &mut Writer<'_>) {
    let link_type = match interface.stp_link_type.as_deref() {
        None => None,
        Some("point-to-point") => Some("P2P"),
        Some("shared") => Some("SHARED"),
        Some(other) => {
            let message = format!("spanning-tree link type `{other}` of {} is neither point-to-point nor shared", interface.name);
            w.problem("unmapped-value", Severity::Error, message, "mend the link type of the interface");
            None
        }
    };
    if link_type.is_none() && interface.stp_portfast.is_none() && interface.stp_bpduguard.is_none() {
        return;
    }
    w.entry("stp/interfaces/interface", &[("name", &*interface.name)], |w| {
        w.leaf("config/name", &*interface.name);
        w.maybe("config/link-type", link_type);
        w.maybe("config/edge-port", interface.stp_portfast.map(|edge| if edge { "EDGE_ENABLE" } else { "EDGE_DISABLE" }));
        w.maybe("config/bpdu-guard", interface.stp_bpduguard);
    });
}
