//! Which objects a filter like `device_id` or `site` means for each kind, also across other objects.

use serde_json::Value;

use super::super::kind::{KindId, Type};
use super::super::render::View;
use super::super::store::{Object, targets};
use super::{no_choice, not_valid};

/// A way from an object to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    to: KindId,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A field of its own.
    Field(&'static str),
    /// The device it belongs to, through an interface, a cable end or a parent.
    Device,
    /// What a field of that device points at.
    OfDevice(&'static str),
    /// The object its generic field names.
    Generic(&'static str),
    /// Untagged and tagged VLANs.
    Vlans,
    /// The cable on it.
    Cable,
    /// The L2VPN a termination puts it in.
    L2vpn,
    /// The manufacturer of its device type.
    Maker,
}

impl Relation {
    /// The relation a filter name means for a kind.
    pub fn of(kind: KindId, name: &str) -> Option<Self> {
        let to = |model: &str, way: Way| Some(Self { to: KindId::of_model(model)?, way });
        let model = kind.get().model;
        match (model, name) {
            ("ipam.ipaddress" | "dcim.cable" | "ipam.service" | "vpn.l2vpntermination" | "ipam.fhrpgroupassignment", "device") => {
                return to("dcim.device", Way::Device);
            }
            ("ipam.ipaddress", "fhrpgroup") => return to("ipam.fhrpgroup", Way::Generic("assigned_object_id")),
            ("dcim.interface" | "dcim.cable", "site") => return to("dcim.site", Way::OfDevice("site")),
            ("dcim.interface", "device_role") => return to("dcim.devicerole", Way::OfDevice("role")),
            ("dcim.interface", "device_type") => return to("dcim.devicetype", Way::OfDevice("device_type")),
            ("dcim.interface", "vlan") => return to("ipam.vlan", Way::Vlans),
            ("dcim.interface", "cable") => return to("dcim.cable", Way::Cable),
            ("dcim.interface" | "ipam.vlan", "l2vpn") => return to("vpn.l2vpn", Way::L2vpn),
            ("dcim.device", "manufacturer") => return to("dcim.manufacturer", Way::Maker),
            ("ipam.ipaddress" | "vpn.l2vpntermination", "interface") => return to("dcim.interface", Way::Generic("assigned_object_id")),
            ("vpn.l2vpntermination", "vlan") => return to("ipam.vlan", Way::Generic("assigned_object_id")),
            ("ipam.prefix" | "virtualization.cluster" | "ipam.vlangroup", "site") => return to("dcim.site", Way::Generic("scope_id")),
            ("ipam.vlangroup", "cluster") => return to("virtualization.cluster", Way::Generic("scope_id")),
            ("ipam.service", "ip_address") => return to("ipam.ipaddress", Way::Field("ipaddresses")),
            _ => {}
        }
        let many = format!("{name}s");
        let field = kind.get().field(name).or_else(|| kind.get().field(&many))?;
        match field.kind {
            Type::Link(model, _) | Type::Links(model, _) => to(model, Way::Field(field.name)),
            _ => None,
        }
    }

    /// The objects a filter's values name: ids, or slugs and names.
    pub fn wanted(&self, view: &View<'_>, from: KindId, values: &[&str], by_id: bool) -> Result<Vec<(KindId, u64)>, String> {
        let mut wanted = Vec::new();
        for value in values {
            if by_id {
                let wrong = |_| if self.lenient(from) { "Enter a whole number.".to_owned() } else { not_valid(value) };
                let id: u64 = value.parse().map_err(wrong)?;
                match (view.store.get(self.to, id), self.lenient(from)) {
                    (Some(_), _) => wanted.push((self.to, id)),
                    (None, true) => {}
                    (None, false) => return Err(no_choice(value)),
                }
                continue;
            }
            let key = self.key();
            let named = |object: &Object| match object.get(key) {
                Some(Value::String(text)) => text == value,
                Some(Value::Number(number)) => number.to_string() == *value,
                _ => false,
            };
            let before = wanted.len();
            wanted.extend(view.store.table(self.to).filter(|(_, object)| named(object)).map(|(id, _)| (self.to, id)));
            // Names of interfaces and addresses are plain text filters; the others are a choice among what exists.
            if wanted.len() == before && !self.lenient(from) && !matches!(key, "address") && self.to.get().model != "dcim.interface" {
                return Err(no_choice(value));
            }
        }
        Ok(wanted)
    }

    /// Devices of addresses, cables and services are looked up by a method of the filter: one that is gone matches nothing, and is no error.
    fn lenient(&self, from: KindId) -> bool {
        match from.get().model {
            "dcim.cable" => true,
            "ipam.ipaddress" | "ipam.service" | "ipam.fhrpgroupassignment" => self.way == Way::Device,
            _ => false,
        }
    }

    /// What the other kind is called by in a filter.
    fn key(&self) -> &'static str {
        match self.to.get().model {
            "ipam.vrf" => "rd",
            "ipam.asn" => "asn",
            "ipam.ipaddress" => "address",
            "ipam.vlan" => "vid",
            _ if self.to.get().has("slug") => "slug",
            _ => "name",
        }
    }

    /// What an object points at this way.
    pub fn targets(&self, view: &View<'_>, kind: KindId, id: u64, object: &Object) -> Vec<(KindId, u64)> {
        match self.way {
            Way::Field(name) | Way::Generic(name) => targets(kind, object, name),
            Way::Device => devices(view, kind, object),
            Way::OfDevice(name) => hop(view, devices(view, kind, object), name),
            Way::Maker => hop(view, targets(kind, object, "device_type"), "manufacturer"),
            Way::Vlans => {
                let mut vlans = targets(kind, object, "tagged_vlans");
                vlans.extend(targets(kind, object, "untagged_vlan"));
                vlans
            }
            Way::Cable => {
                let refs = view.store.refs(kind, id).iter();
                refs.filter(|found| found.field.ends_with("_terminations")).map(|found| (found.kind, found.id)).collect()
            }
            Way::L2vpn => {
                let refs = view.store.refs(kind, id).iter().filter(|found| found.field == "assigned_object_id");
                hop(view, refs.map(|found| (found.kind, found.id)).collect(), "l2vpn")
            }
        }
    }
}

fn hop(view: &View<'_>, from: Vec<(KindId, u64)>, name: &str) -> Vec<(KindId, u64)> {
    let each = from.into_iter().filter_map(|(kind, id)| Some(targets(kind, view.store.get(kind, id)?, name)));
    each.flatten().collect()
}

/// The devices an object belongs to.
fn devices(view: &View<'_>, kind: KindId, object: &Object) -> Vec<(KindId, u64)> {
    let direct = targets(kind, object, "device");
    if !direct.is_empty() {
        return direct;
    }
    let names = ["assigned_object_id", "parent_object_id", "interface_id", "a_terminations", "b_terminations"];
    let through: Vec<_> = names.iter().flat_map(|name| targets(kind, object, name)).collect();
    let device = KindId::of_model("dcim.device");
    let mut found: Vec<_> = through.iter().copied().filter(|(kind, _)| Some(*kind) == device).collect();
    found.extend(hop(view, through, "device"));
    found
}

/// VLAN ids of the VLANs an object is in.
pub fn vids(view: &View<'_>, kind: KindId, object: &Object) -> Vec<i64> {
    let names = ["untagged_vlan", "tagged_vlans", "vlan"];
    let vlans = names.iter().flat_map(|name| targets(kind, object, name));
    vlans.filter_map(|(kind, id)| view.store.get(kind, id)?.get("vid")?.as_i64()).collect()
}

/// Whether a device may use a VLAN: its group belongs to the device's cluster, site or site group, or to nobody; or it is a VLAN of the site.
pub fn available(view: &View<'_>, vlan: &Object, device: u64) -> bool {
    let kind = KindId::of_model("dcim.device");
    let Some((kind, device)) = kind.and_then(|kind| Some((kind, view.store.get(kind, device)?))) else { return false };
    let vlan_kind = KindId::of_model("ipam.vlan").unwrap_or(kind);
    let site = targets(kind, device, "site");
    if targets(vlan_kind, vlan, "site").iter().any(|own| site.contains(own)) {
        return true;
    }
    let mut places = targets(kind, device, "cluster");
    places.extend(hop(view, site.clone(), "group"));
    places.extend(site);
    match targets(vlan_kind, vlan, "group").first().and_then(|(kind, id)| Some((*kind, view.store.get(*kind, *id)?))) {
        None => vlan.get("site").is_none_or(Value::is_null),
        Some((kind, group)) => {
            let scope = targets(kind, group, "scope_id");
            scope.is_empty() || scope.iter().any(|scope| places.contains(scope))
        }
    }
}
