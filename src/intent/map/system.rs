//! Hostname, gNMI server, LLDP, and the routing switches of the whole device.

use super::Scope;
use super::writer::Writer;
use crate::value::Value;

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    let context = &scope.settings.context;
    w.leaf("system/config/hostname", &*scope.device.name);
    if let Some(gnmi) = &context.gnmi {
        let transport = gnmi.transport.as_deref().unwrap_or("default");
        w.entry("system/grpc-servers/grpc-server", &[("name", transport)], |w| {
            w.leaf("config/name", transport);
            w.leaf("config/enable", true);
            w.maybe("config/transport-security", gnmi.tls);
            w.leaf("config/network-instance", gnmi.vrf.as_deref().unwrap_or("default"));
            let origin = scope.settings.gnmi_origin.as_ref().unwrap_or(&scope.device.origin);
            w.from(origin, |w| w.maybe("config/port", scope.device.gnmi_port));
        });
        if let Some(provider) = &gnmi.provider {
            w.line("management api gnmi", "provider", provider);
        }
    }
    if let Some(name) = context.lldp.as_ref().and_then(|lldp| lldp.management_interface.as_deref()) {
        w.leaf("lldp/config/management-address/interface", name);
    }
    let routing = context.routing.as_ref();
    if let Some(model) = routing.and_then(|routing| routing.model.as_deref()) {
        w.line("", "service routing protocols model", model);
    }
    w.entry("network-instances/network-instance", &[("name", "default")], |w| {
        w.leaf("config/name", "default");
        w.leaf("config/type", "DEFAULT_INSTANCE");
        w.maybe("config/ipv4-routing-enabled", routing.and_then(|routing| routing.ip_routing).map(Value::from));
    });
    if let Some(mac) = &scope.settings.virtual_mac {
        w.line("", "ip virtual-router mac-address", mac);
    }
}
