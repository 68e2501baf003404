//! VRF instances: routing, distinguisher, members, route targets, redistribution.

use super::Scope;
use super::writer::Writer;
use crate::intent::context::VpnOverride;
use crate::intent::fabric::Device;
use crate::intent::finding::Severity;
use crate::intent::records::{Kind, Redistribute, Settings, Vrf};

/// What a device does in a VRF: the VRF's own settings under its overrides.
pub(super) struct Effective<'a> {
    pub(super) rd: Option<String>,
    pub(super) import: &'a [String],
    pub(super) export: &'a [String],
    pub(super) redistribute: &'a [Redistribute],
    pub(super) router_id: Option<String>,
    pub(super) routes: bool,
}

pub(super) fn effective<'a>(scope: &Scope<'a>, vrf: &'a Vrf, w: &mut Writer<'_>) -> Effective<'a> {
    let other = overrides(scope.settings, vrf);
    let rd = match rd_template(scope.settings, vrf) {
        Some(template) => fill(scope, template, vrf.l3vni, None, w),
        None => vrf.rd.clone(),
    };
    Effective {
        rd,
        import: other.and_then(|other| other.import_targets.as_deref()).unwrap_or(&vrf.import),
        export: other.and_then(|other| other.export_targets.as_deref()).unwrap_or(&vrf.export),
        redistribute: redistributed(scope.settings, vrf),
        router_id: other.and_then(|other| other.router_id.as_deref()).and_then(|template| fill(scope, template, vrf.l3vni, None, w)),
        routes: other.and_then(|other| other.ip_routing).unwrap_or(true),
    }
}

/// What the device does differently in a VRF.
pub(crate) fn overrides<'a>(settings: &'a Settings, vrf: &Vrf) -> Option<&'a VpnOverride> {
    settings.context.vrf_overrides.get(&*vrf.name)
}

/// The template of a VRF's route distinguisher on the device; without one the VRF's own `rd` counts.
pub(crate) fn rd_template<'a>(settings: &'a Settings, vrf: &'a Vrf) -> Option<&'a str> {
    overrides(settings, vrf).and_then(|other| other.rd_template.as_deref()).or(vrf.rd_template.as_deref())
}

/// What the device redistributes into BGP in a VRF.
pub(crate) fn redistributed<'a>(settings: &'a Settings, vrf: &'a Vrf) -> &'a [Redistribute] {
    overrides(settings, vrf).and_then(|other| other.redistribute.as_deref()).unwrap_or(&vrf.redistribute)
}

/// Fills a template; a finding when it names something unknown or that the device has not.
pub(super) fn fill(scope: &Scope<'_>, template: &str, vni: Option<u32>, vlan: Option<u16>, w: &mut Writer<'_>) -> Option<String> {
    match filled(scope.device, template, vni, vlan) {
        Ok(text) => Some(text),
        Err(name) => {
            let message = format!("template `{template}` names `{name}`, which {} has not", scope.device.name);
            w.problem("bad-template", Severity::Error, message, "router_id, asn, vni and vlan can be named");
            None
        }
    }
}

/// A template with the device's own values in it.
///
/// # Errors
/// The name that is unknown, or that the device has no value for.
pub(crate) fn filled<'t>(device: &Device, template: &'t str, vni: Option<u32>, vlan: Option<u16>) -> Result<String, &'t str> {
    let mut text = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = match name {
            "router_id" => device.router_id.clone(),
            "asn" => device.asn.map(|asn| asn.to_string()),
            "vni" => vni.map(|vni| vni.to_string()),
            "vlan" => vlan.map(|vlan| vlan.to_string()),
            _ => None,
        };
        text.push_str(&value.ok_or(name)?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    for vrf in scope.fabric.vrfs_of(scope.device.id) {
        w.from(&vrf.origin, |w| one(scope, vrf, w));
    }
}

fn one(scope: &Scope<'_>, vrf: &Vrf, w: &mut Writer<'_>) {
    let here = effective(scope, vrf, w);
    w.entry("network-instances/network-instance", &[("name", &*vrf.name)], |w| {
        w.leaf("config/name", &*vrf.name);
        w.leaf("config/type", "L3VRF");
        if here.routes {
            w.leaf("config/ipv4-routing-enabled", true);
        }
        for member in scope.fabric.interfaces_of(scope.device.id).filter(|interface| interface.vrf == Some(vrf.id)) {
            w.from(&member.origin, |w| {
                w.entry("interfaces/interface", &[("id", &*member.name)], |w| {
                    w.leaf("config/id", &*member.name);
                    let index = member.name.rsplit_once('.').filter(|_| member.kind == Kind::Subinterface);
                    w.leaf("config/interface", index.map_or(&*member.name, |(parent, _)| parent));
                    w.maybe("config/subinterface", index.and_then(|(_, index)| index.parse::<u32>().ok()));
                });
            });
        }
        if scope.device.asn.is_none() {
            return;
        }
        w.maybe("config/route-distinguisher", here.rd.as_deref());
        w.entry("protocols/protocol", &[("identifier", "BGP"), ("name", "BGP")], |w| {
            w.leaf("config/identifier", "BGP");
            w.leaf("config/name", "BGP");
            w.maybe("bgp/global/config/router-id", here.router_id.as_deref());
            w.set("bgp/global/evpn/import-target", here.import.iter().map(String::as_str));
            w.set("bgp/global/evpn/export-target", here.export.iter().map(String::as_str));
        });
        for entry in here.redistribute {
            redistribute(entry, w);
        }
    });
}

/// Below the instance: a table connection, and the tables and protocol entries its references need.
fn redistribute(entry: &Redistribute, w: &mut Writer<'_>) {
    let source = match entry.source.as_str() {
        "connected" => "DIRECTLY_CONNECTED",
        "static" => "STATIC",
        "ospf" => "OSPF",
        "isis" => "ISIS",
        other => {
            let message = format!("`redistribute {other}` in a VRF has no YANG protocol");
            return w.problem("unmapped-value", Severity::Warning, message, "connected, static, ospf or isis");
        }
    };
    w.entry("protocols/protocol", &[("identifier", source), ("name", source)], |w| {
        w.leaf("config/identifier", source);
        w.leaf("config/name", source);
    });
    for protocol in [source, "BGP"] {
        w.entry("tables/table", &[("protocol", protocol), ("address-family", "IPV4")], |w| {
            w.leaf("config/protocol", protocol);
            w.leaf("config/address-family", "IPV4");
        });
    }
    let keys = [("src-protocol", source), ("dst-protocol", "BGP"), ("address-family", "IPV4")];
    w.entry("table-connections/table-connection", &keys, |w| {
        w.leaf("config/src-protocol", source);
        w.leaf("config/dst-protocol", "BGP");
        w.leaf("config/address-family", "IPV4");
        w.set("config/import-policy", entry.route_map.as_deref());
    });
}
