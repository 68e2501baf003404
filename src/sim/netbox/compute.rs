//! The fields NetBox works out: names, cables and their far ends, counters, families, utilisation.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::kind::{Calc, KindId, Shape};
use super::render::View;
use super::store::{Object, targets};

/// The name people read (`display`).
pub fn display(view: &View<'_>, kind: KindId, id: u64, object: &Object) -> String {
    let text = |name: &str| object.get(name).map_or_else(String::new, plain);
    let linked = |name: &str| targets(kind, object, name).first().map_or_else(String::new, |(kind, id)| view.display(*kind, *id));
    match kind.get().model {
        "ipam.vlan" => format!("{} ({})", text("name"), text("vid")),
        "vpn.l2vpn" if !text("identifier").is_empty() => format!("{} ({})", text("name"), text("identifier")),
        "vpn.l2vpntermination" => {
            let assigned = linked("assigned_object_id");
            format!("{} <> {}", if assigned.is_empty() { "None" } else { &assigned }, linked("l2vpn"))
        }
        "dcim.cable" if text("label").is_empty() => format!("#{id}"),
        "dcim.cable" => text("label"),
        "dcim.devicetype" => text("model"),
        "ipam.asn" => format!("AS{}", text("asn")),
        "ipam.ipaddress" => text("address"),
        "ipam.prefix" => text("prefix"),
        "ipam.fhrpgroup" => group(view, kind, id, object),
        "ipam.fhrpgroupassignment" => format!("{}: {} ({})", linked("interface_id"), linked("group"), text("priority")),
        "extras.customfield" if !text("label").is_empty() => text("label"),
        "extras.journalentry" => {
            let kind = text("kind");
            let mut letters = kind.chars();
            let label: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
            format!("{} ({label})", text("created").replace('T', " ").get(..16).unwrap_or_default())
        }
        "netbox_bgp.bgpsession" => format!("{}:{}", linked("device"), text("name")),
        "netbox_bgp.community" => text("value"),
        "netbox_bgp.prefixlistrule" => format!("{}: Rule {}", linked("prefix_list"), text("index")),
        "netbox_bgp.routingpolicyrule" => format!("{}: Rule {}", linked("routing_policy"), text("index")),
        "netbox_bgp.aspathlistrule" => format!("{}: {} {}", linked("aspath_list"), text("action"), text("pattern")),
        "netbox_bgp.communitylistrule" => {
            let community = linked("community");
            let community = if community.is_empty() { text("community_custom") } else { community };
            format!("{}: {} {community}", linked("community_list"), text("action"))
        }
        _ => text("name"),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `varp-34 Other: 34 (10.34.34.254/24)`
fn group(view: &View<'_>, kind: KindId, id: u64, object: &Object) -> String {
    const LABELS: [(&str, &str); 6] =
        [("vrrp2", "VRRPv2"), ("vrrp3", "VRRPv3"), ("carp", "CARP"), ("clusterxl", "ClusterXL"), ("hsrp", "HSRP"), ("glbp", "GLBP")];
    let text = |name: &str| object.get(name).map_or_else(String::new, plain);
    let protocol = text("protocol");
    let label = LABELS.iter().find(|(name, _)| *name == protocol).map_or("Other", |(_, label)| label);
    let name = text("name");
    let name = if name.is_empty() { String::new() } else { format!("{name} ") };
    let own = assigned(view, kind, id);
    let address = own.first().map(|(kind, id)| format!(" ({})", view.display(*kind, *id))).unwrap_or_default();
    format!("{name}{label}: {}{address}", text("group_id"))
}

/// The addresses assigned to an object, in their kind's order.
fn assigned(view: &View<'_>, kind: KindId, id: u64) -> Vec<(KindId, u64)> {
    let Some(address) = KindId::of_model("ipam.ipaddress") else { return Vec::new() };
    let mut ids: Vec<u64> = view.store.pointing((kind, id), "ipam.ipaddress", "assigned_object_id").collect();
    ids.sort_by_cached_key(|id| view.sort_key(address, *id, address.get().order));
    ids.into_iter().map(|id| (address, id)).collect()
}

/// A computed field that is not a link, counter or URL.
pub fn value(view: &View<'_>, kind: KindId, id: u64, object: &Object, name: &str, calc: Calc) -> Value {
    let store = view.store;
    let brief = |(kind, id): (KindId, u64)| view.nested(kind, id, Shape::Brief);
    match calc {
        Calc::Family => {
            let text = object.get("address").or_else(|| object.get("prefix")).and_then(Value::as_str).unwrap_or_default();
            if text.contains(':') { json!({"value": 6, "label": "IPv6"}) } else { json!({"value": 4, "label": "IPv4"}) }
        }
        Calc::Object => object_of(kind, object, name).map_or(Value::Null, brief),
        Calc::PrimaryIp => {
            let pick = |name: &str| targets(kind, object, name).first().map(|(kind, id)| view.nested(*kind, *id, Shape::Primary));
            pick("primary_ip4").or_else(|| pick("primary_ip6")).unwrap_or_default()
        }
        Calc::Cable => cable(view, kind, id).map_or(Value::Null, |(cable, _)| brief((cable_kind(), cable))),
        Calc::CableEnd => cable(view, kind, id).map_or(Value::Null, |(_, end)| json!(end)),
        Calc::Occupied => {
            json!(cable(view, kind, id).is_some() || object.get("mark_connected").and_then(Value::as_bool) == Some(true))
        }
        Calc::Peers => Value::Array(peers(view, kind, id).into_iter().map(brief).collect()),
        Calc::Endpoints => match peers(view, kind, id) {
            none if none.is_empty() => Value::Null,
            some => Value::Array(some.into_iter().map(brief).collect()),
        },
        Calc::PeersType => peers(view, kind, id).first().map_or(Value::Null, |(kind, _)| json!(kind.get().model)),
        Calc::Reachable => json!(!peers(view, kind, id).is_empty()),
        Calc::Termination => {
            let termination = store.pointing((kind, id), "vpn.l2vpntermination", "assigned_object_id").next();
            KindId::of_model("vpn.l2vpntermination").zip(termination).map_or(Value::Null, brief)
        }
        Calc::NatOutside => Value::Array(store.pointing((kind, id), "ipam.ipaddress", "nat_inside").map(|id| brief((kind, id))).collect()),
        Calc::Addresses => Value::Array(assigned(view, kind, id).into_iter().map(brief).collect()),
        Calc::Bridged => Value::Array(store.pointing((kind, id), "dcim.interface", "bridge").map(|id| brief((kind, id))).collect()),
        Calc::Depth if kind.get().model == "ipam.prefix" => json!(around(view, kind, id, object, true)),
        Calc::Depth => json!(depth(view, kind, object)),
        Calc::Children => json!(around(view, kind, id, object, false)),
        Calc::Protocol => {
            mappings(object).next().map_or(Value::Null, |(protocol, _)| json!({"value": protocol, "label": protocol.to_uppercase()}))
        }
        Calc::Ports => Value::Array(mappings(object).filter_map(|(_, port)| Some(json!(port.parse::<u32>().ok()?))).collect()),
        Calc::TotalVlanIds => json!(total_vlan_ids(object)),
        Calc::Utilization => {
            let used = store.pointing((kind, id), "ipam.vlan", "group").count();
            let share = used as f64 * 100.0 / (total_vlan_ids(object).max(1) as f64);
            json!(format!("{:?}", (share * 100.0).round() / 100.0))
        }
        Calc::Tagged => json!(store.refs(kind, id).iter().filter(|found| found.field == "tags").count()),
        Calc::TreeCount(model, field) => json!(tree_count(view, kind, id, model, field, 0)),
        Calc::AsnSites => {
            let sites = store.pointing((kind, id), "dcim.site", "asns");
            let show = |site: u64| {
                let mut site = brief((KindId::of_model("dcim.site")?, site));
                let slug = site.as_object_mut()?.shift_remove("slug")?;
                site.as_object_mut()?.insert("slug".to_owned(), slug);
                Some(site)
            };
            Value::Array(sites.filter_map(show).collect())
        }
        Calc::GroupPrefixes => {
            let own = store.pointing((kind, id), "ipam.prefix", "scope_id").count();
            let site = KindId::of_model("dcim.site");
            let sites = store.pointing((kind, id), "dcim.site", "group");
            let of_sites: usize = sites.filter_map(|id| Some(store.pointing((site?, id), "ipam.prefix", "scope_id").count())).sum();
            json!(own + of_sites)
        }
        _ => Value::Null,
    }
}

/// The object named by the type and id fields before a computed one.
fn object_of(kind: KindId, object: &Object, name: &str) -> Option<(KindId, u64)> {
    let with_suffix = format!("{name}_id");
    let field = if kind.get().has(&with_suffix) { with_suffix } else { format!("{name}_object_id") };
    targets(kind, object, &field).first().copied()
}

/// The kind of cables.
pub fn cable_kind() -> KindId {
    KindId::of_model("dcim.cable").unwrap_or(KindId(0))
}

/// The cable on an object and which end it is.
pub fn cable(view: &View<'_>, kind: KindId, id: u64) -> Option<(u64, &'static str)> {
    let ends = [("a_terminations", "A"), ("b_terminations", "B")];
    let mut refs = view.store.refs(kind, id).iter();
    refs.find_map(|found| ends.iter().find(|(field, _)| *field == found.field).map(|(_, end)| (found.id, *end)))
}

/// What is at the other end of the cable.
pub fn peers(view: &View<'_>, kind: KindId, id: u64) -> Vec<(KindId, u64)> {
    let Some((cable, end)) = cable(view, kind, id) else { return Vec::new() };
    let far = if end == "A" { "b_terminations" } else { "a_terminations" };
    view.store.get(cable_kind(), cable).map_or_else(Vec::new, |object| targets(cable_kind(), object, far))
}

fn depth(view: &View<'_>, kind: KindId, object: &Object) -> u32 {
    let mut levels = 0;
    let mut parent = targets(kind, object, "parent").first().copied();
    while let Some((kind, id)) = parent.filter(|_| levels < 64) {
        levels += 1;
        parent = view.store.get(kind, id).and_then(|object| targets(kind, object, "parent").first().copied());
    }
    levels
}

fn tree_count(view: &View<'_>, kind: KindId, id: u64, model: &str, field: &str, level: u32) -> usize {
    let own = view.store.pointing((kind, id), model, field).count();
    let children = view.store.pointing((kind, id), kind.get().model, "parent").filter(|_| level < 64);
    own + children.map(|child| tree_count(view, kind, child, model, field, level + 1)).sum::<usize>()
}

/// Prefixes of the same VRF around (`outside`) or inside this one.
fn around(view: &View<'_>, kind: KindId, id: u64, object: &Object, outside: bool) -> usize {
    let net = |object: &Object| object.get("prefix").and_then(Value::as_str).and_then(|text| text.parse::<IpNet>().ok());
    let Some(own) = net(object) else { return 0 };
    let same_vrf = |other: &Object| other.get("vrf") == object.get("vrf");
    let holds = |other: &Object| net(other).is_some_and(|other| if outside { other.contains(&own) } else { own.contains(&other) });
    view.store.table(kind).filter(|(other, object)| *other != id && same_vrf(object) && holds(object)).count()
}

fn mappings(object: &Object) -> impl Iterator<Item = (&str, &str)> {
    object.get("port_mappings").and_then(Value::as_array).into_iter().flatten().filter_map(|text| text.as_str()?.split_once('/'))
}

fn total_vlan_ids(object: &Object) -> i64 {
    let ranges = object.get("vid_ranges").and_then(Value::as_array).into_iter().flatten();
    ranges.filter_map(|range| Some(range.get(1)?.as_i64()? - range.get(0)?.as_i64()? + 1)).sum()
}

/// Address and mask length of `10.0.0.1/31`.
pub fn address(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, length))
}
