//! How far an edit reaches: which objects NetBox shows it in, and which devices it can move. Pure; when in doubt, everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::client::Touched;
use super::feed::Entry;
use super::pages::{List, Pages};
use super::raw;
use super::settings::Settings;

/// The objects to read again for these entries; `None` is the whole.
pub(super) fn parts(pages: &Pages, entries: &[&Entry]) -> Option<BTreeMap<List, BTreeSet<u64>>> {
    let mut parts: BTreeMap<List, BTreeSet<u64>> = BTreeMap::new();
    let mut vlans = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for entry in entries {
        if entry.kind == "extras.savedfilter" && !pages.filtered {
            continue;
        }
        let list = List::of_kind(&entry.kind)?;
        match list {
            List::Devices if pages.filtered => return None,
            // A device may bring everything that is on it; what hangs on one that goes is told by entries of its own, or not at all.
            List::Devices if !entry.deleted => {}
            List::Interfaces if entry.deleted && !pages.holds(list, entry.object) => continue,
            List::Interfaces | List::Vlans if !entry.deleted => {}
            List::Addresses
            | List::Sessions
            | List::Services
            | List::Cables
            | List::Terminations
            | List::FhrpAssignments
            | List::PrefixRules
            | List::PolicyRules => {}
            List::VlanGroups | List::Vrfs | List::L2vpns | List::PeerGroups | List::FhrpGroups if !entry.deleted => {}
            // Their names are in other objects, or what they leave behind is.
            _ => return None,
        }
        match list {
            List::Vlans => _ = vlans.insert(entry.object),
            List::Addresses => _ = addresses.insert(entry.object),
            List::Interfaces => {
                // Another interface of the device may name it in a custom field (the source of Vxlan1).
                if let Some(interface) = pages.one::<Port<'_>>(list, entry.object)
                    && let Some(name) = interface.name
                {
                    let refer = |port: &Port<'_>| port.device.id == interface.device.id && port.refers_to(&name);
                    let ports = pages.parse::<Port<'_>>(List::Interfaces).ok()?;
                    parts.entry(list).or_default().extend(ports.iter().filter(|port| refer(port)).map(|port| port.id));
                }
            }
            _ => {}
        }
        parts.entry(list).or_default().insert(entry.object);
    }
    if !vlans.is_empty() {
        let ports = pages.parse::<Port<'_>>(List::Interfaces).ok()?;
        let carries = |port: &&Port<'_>| port.tagged_vlans.iter().chain(&port.untagged_vlan).any(|vlan| vlans.contains(&vlan.id));
        parts.entry(List::Interfaces).or_default().extend(ports.iter().filter(carries).map(|port| port.id));
    }
    if !addresses.is_empty() {
        let holds = |id: &Option<raw::Id>| id.is_some_and(|id| addresses.contains(&id.id));
        let devices = pages.parse::<Primary>(List::Devices).ok()?;
        let reached = devices.iter().filter(|device| holds(&device.primary_ip4) || holds(&device.primary_ip6));
        parts.entry(List::Devices).or_default().extend(reached.map(|device| device.id));
        let sessions = pages.parse::<Ends>(List::Sessions).ok()?;
        let ends = sessions.iter().filter(|session| holds(&session.local_address) || holds(&session.remote_address));
        parts.entry(List::Sessions).or_default().extend(ends.map(|session| session.id));
        // Which group an address was given to only the group says.
        let groups = pages.parse::<raw::Id>(List::FhrpGroups).ok()?;
        parts.entry(List::FhrpGroups).or_default().extend(groups.into_iter().map(|group| group.id));
    }
    parts.retain(|_, ids| !ids.is_empty());
    Some(parts)
}

/// Whether a device came under or left our management, or moved to another cluster: then the whole is read.
pub(super) fn membership_moved(settings: &Settings, old: Option<&[u8]>, new: Option<&[u8]>) -> bool {
    let read = |bytes: Option<&[u8]>| {
        let device: raw::Device<'_> = serde_json::from_slice(bytes?).ok()?;
        let managed = settings.tag.is_empty() || device.tags.iter().any(|tag| tag.slug == settings.tag);
        managed.then(|| (device.cluster.map(|cluster| cluster.id), device.site.map(|site| site.slug.into_owned())))
    };
    read(old) != read(new)
}

/// Whether an object of a list that is read by device is on a device of ours. Others were never read.
pub(super) fn is_ours(pages: &Pages, list: List, body: &[u8]) -> bool {
    if !list.facts().per_device && list != List::Devices {
        return true;
    }
    let Ok(owner) = serde_json::from_slice::<raw::Owner<'_>>(body) else { return true };
    let device = |id: Option<raw::Id>| id.is_some_and(|id| pages.holds(List::Devices, id.id));
    let typed = |kind: &Option<raw::Text<'_>>, wanted: &str| kind.as_ref().is_none_or(|kind| kind.0 == wanted);
    match list {
        // Whether a device is ours was judged before: see `membership_moved`.
        List::Devices => serde_json::from_slice::<raw::Id>(body).is_ok_and(|id| pages.holds(List::Devices, id.id)),
        List::Addresses => {
            typed(&owner.assigned_object_type, "dcim.interface")
                && owner.assigned_object_id.is_some_and(|id| pages.holds(List::Interfaces, id))
        }
        // A cable between devices of others would be no harm; it is read only when it was edited.
        List::Cables => true,
        List::Services => {
            let parent = owner.parent_object_id.map(|id| raw::Id { id }).filter(|_| typed(&owner.parent_object_type, "dcim.device"));
            device(parent.or(owner.device))
        }
        _ => device(owner.device),
    }
}

/// The devices whose mapping these objects can have moved. The other member of a pair counts: a shared VTEP address may be held
/// by one of the two.
pub(super) fn devices(before: &Pages, after: &Pages, objects: &BTreeSet<(List, u64)>) -> Touched {
    let mut ids = BTreeSet::new();
    for (list, id) in objects {
        for pages in [before, after] {
            let Some(body) = pages.body(*list, *id) else { continue };
            if matches!(list, List::FhrpGroups | List::FhrpAssignments) {
                match members(pages, *list, *id) {
                    Some(devices) => ids.extend(devices),
                    None => return Touched::All,
                }
                continue;
            }
            // What a device says there of VNIs counts for others, too.
            if *list == List::Devices && body.windows(13).any(|part| part == b"\"evpn_fabric\"") {
                return Touched::All;
            }
            let owner: Option<raw::Owner<'_>> = serde_json::from_slice(body).ok();
            let device = match list {
                List::Devices => Some(*id),
                List::Interfaces | List::Sessions => owner.and_then(|owner| owner.device).map(|device| device.id),
                List::Addresses => {
                    let interface =
                        owner.and_then(|owner| owner.assigned_object_id.or_else(|| raw::Link::of(&owner.assigned_object, "InterfaceType")));
                    interface.and_then(|interface| pages.one::<Port<'_>>(List::Interfaces, interface)).map(|port| port.device.id)
                }
                // Nothing is mapped from cables; what is wrong with them is compared by itself.
                List::Cables => continue,
                _ => None,
            };
            match device {
                Some(device) => _ = ids.insert(device),
                None => return Touched::All,
            }
        }
    }
    let mut clusters = BTreeMap::new();
    for pages in [before, after] {
        let Ok(devices) = pages.parse::<Member>(List::Devices) else { return Touched::All };
        clusters.extend(devices.into_iter().filter_map(|device| Some((device.id, device.cluster?.id))));
    }
    let touched: BTreeSet<u64> = ids.iter().filter_map(|id| clusters.get(id).copied()).collect();
    ids.extend(clusters.iter().filter(|(_, cluster)| touched.contains(cluster)).map(|(device, _)| *device));
    let (old, new) = (names(before), names(after));
    let named: BTreeSet<Arc<str>> = ids.iter().flat_map(|id| [old.get(id), new.get(id)]).flatten().cloned().collect();
    Touched::Only(named)
}

/// The devices with an interface in an FHRP group, or in that of an assignment.
fn members(pages: &Pages, list: List, id: u64) -> Option<Vec<u64>> {
    let of = |assignment: &raw::FhrpAssignment<'_>| Some(pages.one::<Port<'_>>(List::Interfaces, assignment.port()?)?.device.id);
    if list == List::FhrpAssignments {
        return Some(of(&pages.one(list, id)?).into_iter().collect());
    }
    let all = pages.parse::<raw::FhrpAssignment<'_>>(List::FhrpAssignments).ok()?;
    Some(all.iter().filter(|assignment| assignment.group.id == id).filter_map(of).collect())
}

/// What of an interface other objects show, and what of others it shows.
#[derive(Deserialize)]
struct Port<'a> {
    #[serde(deserialize_with = "raw::number")]
    id: u64,
    device: raw::Id,
    #[serde(borrow, default)]
    name: Option<raw::Text<'a>>,
    #[serde(default)]
    untagged_vlan: Option<raw::Id>,
    #[serde(default)]
    tagged_vlans: Vec<raw::Id>,
    #[serde(borrow, default)]
    custom_fields: Option<&'a serde_json::value::RawValue>,
}

impl Port<'_> {
    /// Whether a custom field of it may name `interface`.
    fn refers_to(&self, interface: &raw::Text<'_>) -> bool {
        self.custom_fields.is_some_and(|fields| fields.get().contains(&format!("\"{}\"", interface.0)))
    }
}

#[derive(Deserialize)]
struct Primary {
    #[serde(deserialize_with = "raw::number")]
    id: u64,
    #[serde(default)]
    primary_ip4: Option<raw::Id>,
    #[serde(default)]
    primary_ip6: Option<raw::Id>,
}

#[derive(Deserialize)]
struct Ends {
    #[serde(deserialize_with = "raw::number")]
    id: u64,
    #[serde(default)]
    local_address: Option<raw::Id>,
    #[serde(default)]
    remote_address: Option<raw::Id>,
}

#[derive(Deserialize)]
struct Member {
    #[serde(deserialize_with = "raw::number")]
    id: u64,
    #[serde(default)]
    cluster: Option<raw::Id>,
}
/// Names of devices by id.
fn names(pages: &Pages) -> BTreeMap<u64, Arc<str>> {
    let devices = pages.parse::<raw::Named<'_>>(List::Devices).unwrap_or_default();
    devices.into_iter().map(|device| (device.id, Arc::from(&*device.name))).collect()
}
