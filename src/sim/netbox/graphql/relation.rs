//! Ways between objects under the names GraphQL has for them: a field of its own, objects that point here, or a longer way.

use serde_json::Value;

use super::super::compute;
use super::super::kind::{KindId, Type};
use super::super::render::View;
use super::super::store::targets;

/// `model, name → model that points here, with which field`.
const REVERSE: &[(&str, &str, &str, &str)] = &[
    ("dcim.device", "interfaces", "dcim.interface", "device"),
    ("dcim.device", "services", "ipam.service", "parent_object_id"),
    ("dcim.interface", "ip_addresses", "ipam.ipaddress", "assigned_object_id"),
    ("dcim.interface", "member_interfaces", "dcim.interface", "lag"),
    ("dcim.interface", "child_interfaces", "dcim.interface", "parent"),
    ("dcim.interface", "bridge_interfaces", "dcim.interface", "bridge"),
    ("dcim.interface", "l2vpn_termination", "vpn.l2vpntermination", "assigned_object_id"),
    ("dcim.site", "devices", "dcim.device", "site"),
    ("dcim.site", "vlans", "ipam.vlan", "site"),
    ("dcim.site", "prefixes", "ipam.prefix", "scope_id"),
    ("dcim.site", "vlan_groups", "ipam.vlangroup", "scope_id"),
    ("dcim.site", "clusters", "virtualization.cluster", "scope_id"),
    ("dcim.sitegroup", "sites", "dcim.site", "group"),
    ("dcim.sitegroup", "children", "dcim.sitegroup", "parent"),
    ("dcim.sitegroup", "prefixes", "ipam.prefix", "scope_id"),
    ("dcim.sitegroup", "vlan_groups", "ipam.vlangroup", "scope_id"),
    ("dcim.sitegroup", "clusters", "virtualization.cluster", "scope_id"),
    ("dcim.devicerole", "devices", "dcim.device", "role"),
    ("dcim.devicerole", "children", "dcim.devicerole", "parent"),
    ("dcim.platform", "devices", "dcim.device", "platform"),
    ("dcim.platform", "children", "dcim.platform", "parent"),
    ("dcim.devicetype", "instances", "dcim.device", "device_type"),
    ("dcim.manufacturer", "device_types", "dcim.devicetype", "manufacturer"),
    ("dcim.manufacturer", "platforms", "dcim.platform", "manufacturer"),
    ("ipam.vlan", "prefixes", "ipam.prefix", "vlan"),
    ("ipam.vlan", "interfaces_as_untagged", "dcim.interface", "untagged_vlan"),
    ("ipam.vlan", "interfaces_as_tagged", "dcim.interface", "tagged_vlans"),
    ("ipam.vlangroup", "vlans", "ipam.vlan", "group"),
    ("ipam.vrf", "interfaces", "dcim.interface", "vrf"),
    ("ipam.vrf", "ip_addresses", "ipam.ipaddress", "vrf"),
    ("ipam.vrf", "prefixes", "ipam.prefix", "vrf"),
    ("ipam.routetarget", "importing_vrfs", "ipam.vrf", "import_targets"),
    ("ipam.routetarget", "exporting_vrfs", "ipam.vrf", "export_targets"),
    ("ipam.routetarget", "importing_l2vpns", "vpn.l2vpn", "import_targets"),
    ("ipam.routetarget", "exporting_l2vpns", "vpn.l2vpn", "export_targets"),
    ("ipam.ipaddress", "nat_outside", "ipam.ipaddress", "nat_inside"),
    ("ipam.ipaddress", "services", "ipam.service", "ipaddresses"),
    ("ipam.fhrpgroup", "ip_addresses", "ipam.ipaddress", "assigned_object_id"),
    ("ipam.fhrpgroup", "fhrpgroupassignment_set", "ipam.fhrpgroupassignment", "group"),
    ("dcim.interface", "fhrp_group_assignments", "ipam.fhrpgroupassignment", "interface_id"),
    ("ipam.asn", "sites", "dcim.site", "asns"),
    ("ipam.rir", "asns", "ipam.asn", "rir"),
    ("ipam.role", "prefixes", "ipam.prefix", "role"),
    ("ipam.role", "vlans", "ipam.vlan", "role"),
    ("virtualization.cluster", "devices", "dcim.device", "cluster"),
    ("virtualization.cluster", "vlan_groups", "ipam.vlangroup", "scope_id"),
    ("virtualization.clustertype", "clusters", "virtualization.cluster", "type"),
    ("vpn.l2vpn", "terminations", "vpn.l2vpntermination", "l2vpn"),
    ("netbox_bgp.routingpolicy", "rules", "netbox_bgp.routingpolicyrule", "routing_policy"),
    ("netbox_bgp.prefixlist", "prefrules", "netbox_bgp.prefixlistrule", "prefix_list"),
    ("netbox_bgp.communitylist", "commlistrules", "netbox_bgp.communitylistrule", "community_list"),
    ("netbox_bgp.aspathlist", "aspathlistrules", "netbox_bgp.aspathlistrule", "aspath_list"),
];

/// What an object reaches by a name; `None` when the lab knows no such way. Lists come in their kind's own order.
pub(super) fn reach(view: &View<'_>, kind: KindId, id: u64, name: &str) -> Option<Vec<(KindId, u64)>> {
    let model = kind.get().model;
    let store = view.store;
    let object = store.get(kind, id)?;
    if name == "journal_entries" {
        let entries = KindId::of_model("extras.journalentry")?;
        return Some(store.pointing((kind, id), "extras.journalentry", "assigned_object_id").map(|id| (entries, id)).collect());
    }
    if let Some((_, _, from, field)) = REVERSE.iter().find(|(on, way, ..)| *on == model && *way == name) {
        let from_kind = KindId::of_model(from)?;
        return Some(sorted(view, store.pointing((kind, id), from, field).map(|id| (from_kind, id)).collect()));
    }
    match (model, name) {
        ("dcim.interface", "cable") => {
            return Some(compute::cable(view, kind, id).map(|(id, _)| (compute::cable_kind(), id)).into_iter().collect());
        }
        ("dcim.interface", "link_peers" | "connected_endpoints") => return Some(compute::peers(view, kind, id)),
        ("dcim.interface", "site") => {
            return Some(devices(view, kind, id).into_iter().flat_map(|(kind, id)| over(view, kind, id, "site")).collect());
        }
        ("ipam.prefix" | "ipam.vlangroup" | "virtualization.cluster", "scope" | "site" | "site_group" | "cluster") => {
            let wanted = match name {
                "scope" => None,
                "site" => KindId::of_model("dcim.site"),
                "site_group" => KindId::of_model("dcim.sitegroup"),
                _ => KindId::of_model("virtualization.cluster"),
            };
            let found = targets(kind, object, "scope_id");
            return Some(found.into_iter().filter(|(kind, _)| wanted.is_none_or(|wanted| wanted == *kind)).collect());
        }
        ("ipam.vlan", "l2vpn_terminations") | ("dcim.interface", "l2vpn_terminations") => {
            let ends = store.pointing((kind, id), "vpn.l2vpntermination", "assigned_object_id");
            let end = KindId::of_model("vpn.l2vpntermination")?;
            return Some(ends.flat_map(|id| over(view, end, id, "l2vpn")).collect());
        }
        (_, "tags") if kind.get().field("tags").is_some_and(|field| field.kind == Type::TagSlugs) => {
            let tag = KindId::of_model("extras.tag")?;
            let slugs = object.get("tags").and_then(Value::as_array)?;
            let found = store.table(tag).filter(|(_, tag)| tag.get("slug").is_some_and(|slug| slugs.contains(slug)));
            return Some(found.map(|(id, _)| (tag, id)).collect());
        }
        _ => {}
    }
    let field = match (model, name) {
        (_, "assigned_object") => "assigned_object_id",
        ("ipam.fhrpgroupassignment", "interface") => "interface_id",
        ("ipam.service", "parent") => "parent_object_id",
        _ => name,
    };
    let found = kind.get().field(field)?;
    match found.kind {
        Type::Link(..) | Type::Object => Some(targets(kind, object, field)),
        Type::Links(..) | Type::Tags => Some(sorted(view, targets(kind, object, field))),
        Type::Ends => Some(targets(kind, object, field)),
        _ => None,
    }
}

/// A field of an object followed.
fn over(view: &View<'_>, kind: KindId, id: u64, name: &str) -> Vec<(KindId, u64)> {
    view.store.get(kind, id).map_or_else(Vec::new, |object| targets(kind, object, name))
}

fn devices(view: &View<'_>, kind: KindId, id: u64) -> Vec<(KindId, u64)> {
    over(view, kind, id, "device")
}

/// In the order of their kind, as a query without paging gives them.
pub(super) fn sorted(view: &View<'_>, mut found: Vec<(KindId, u64)>) -> Vec<(KindId, u64)> {
    found.retain(|(kind, id)| view.store.get(*kind, *id).is_some());
    found.sort_by_cached_key(|(kind, id)| view.sort_key(*kind, *id, kind.get().order));
    found
}
