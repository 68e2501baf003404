//! What NetBox checks across fields and objects: uniqueness, duplicate addresses, what belongs to which device.

use serde_json::{Value, json};

use super::super::compute::address;
use super::super::kind::KindId;
use super::super::store::{Object, Store, targets};
use super::{EVERYTHING, Problems};

/// Roles that allow the same address several times.
const SHARED: &[&str] = &["anycast", "vip", "vrrp", "hsrp", "glbp", "carp"];

/// Refuses what NetBox refuses.
pub fn check(store: &Store, kind: KindId, id: u64, object: &Object) -> Result<(), Problems> {
    unique(store, kind, id, object)?;
    generic(store, kind, object)?;
    match kind.get().model {
        "ipam.ipaddress" => ip_address(store, kind, id, object),
        "ipam.prefix" => prefix(store, kind, id, object),
        "dcim.interface" => interface(store, kind, object),
        "dcim.device" => device(store, kind, id, object),
        _ => Ok(()),
    }
}

fn problem(field: &str, message: String) -> Result<(), Problems> {
    Err([(field.to_owned(), json!([message]))].into_iter().collect())
}

fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn unique(store: &Store, kind: KindId, id: u64, object: &Object) -> Result<(), Problems> {
    for set in kind.get().unique {
        // SQL: null equals nothing, so a set with a null in it is never a duplicate.
        if set.iter().any(|name| object.get(*name).is_none_or(Value::is_null)) {
            continue;
        }
        let same = |other: &Object| set.iter().all(|name| other.get(*name) == object.get(*name));
        if store.table(kind).any(|(other, there)| other != id && same(there)) {
            return match set {
                [one] => {
                    let name = if *one == "asn" { "ASN".to_owned() } else { verbose(one).to_lowercase() };
                    problem(one, format!("{} with this {name} already exists.", kind.get().label.1))
                }
                several => {
                    let names: Vec<String> = several.iter().map(|name| verbose(name)).collect();
                    problem(EVERYTHING, format!("{} with this {} already exists.", capital(kind.get().label.1), names.join(" and ")))
                }
            };
        }
    }
    Ok(())
}

/// A field's name in a message.
fn verbose(name: &str) -> String {
    match name {
        "vid" => "VLAN ID".to_owned(),
        other => capital(&other.replace('_', " ")),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// An object named by type and id must exist, but NetBox does not look for the one of a termination.
fn generic(store: &Store, kind: KindId, object: &Object) -> Result<(), Problems> {
    for id_field in ["assigned_object_id", "scope_id", "parent_object_id", "interface_id"] {
        let Some(id) = object.get(id_field).and_then(Value::as_u64) else { continue };
        if kind.get().model == "vpn.l2vpntermination" {
            continue;
        }
        let there = targets(kind, object, id_field).first().is_some_and(|(kind, id)| store.get(*kind, *id).is_some());
        if !there {
            return problem(id_field, format!("Related object not found using the provided value: {id}."));
        }
    }
    Ok(())
}

fn table_name(store: &Store, kind: KindId, object: &Object) -> String {
    targets(kind, object, "vrf")
        .first()
        .and_then(|(kind, id)| store.get(*kind, *id))
        .map_or_else(|| "global table".to_owned(), |vrf| format!("VRF {}", text(vrf, "name")))
}

/// Duplicates matter in the global table and in VRFs that say so.
fn enforced(store: &Store, kind: KindId, object: &Object) -> bool {
    let vrf = targets(kind, object, "vrf");
    let vrf = vrf.first().and_then(|(kind, id)| store.get(*kind, *id));
    vrf.is_none_or(|vrf| vrf.get("enforce_unique").and_then(Value::as_bool) != Some(false))
}

fn ip_address(store: &Store, kind: KindId, id: u64, object: &Object) -> Result<(), Problems> {
    let Some((host, length)) = address(text(object, "address")) else { return Ok(()) };
    let assigned = object.get("assigned_object_id").is_some_and(|id| !id.is_null());
    if let Ok(net) = ipnet::IpNet::new(host, length)
        && assigned
        && host.is_ipv4()
        && length < 31
    {
        for (edge, what) in [(net.network(), "network ID"), (net.broadcast(), "broadcast address")] {
            if host == edge {
                return problem(EVERYTHING, format!("{host} is a {what}, which may not be assigned to an interface."));
            }
        }
    }
    if !enforced(store, kind, object) {
        return Ok(());
    }
    let shared = |object: &Object| SHARED.contains(&text(object, "role"));
    let same =
        |other: &Object| address(text(other, "address")).is_some_and(|(other, _)| other == host) && other.get("vrf") == object.get("vrf");
    match store.table(kind).find(|(other, there)| *other != id && same(there) && !(shared(object) && shared(there))) {
        Some((_, there)) => {
            problem("address", format!("Duplicate IP address found in {}: {}", table_name(store, kind, object), text(there, "address")))
        }
        None => Ok(()),
    }
}

fn prefix(store: &Store, kind: KindId, id: u64, object: &Object) -> Result<(), Problems> {
    let same = |other: &Object| other.get("prefix") == object.get("prefix") && other.get("vrf") == object.get("vrf");
    if enforced(store, kind, object) && store.table(kind).any(|(other, there)| other != id && same(there)) {
        let table = table_name(store, kind, object);
        return problem("prefix", format!("Duplicate prefix found in {table}: {}", text(object, "prefix")));
    }
    Ok(())
}

fn interface(store: &Store, kind: KindId, object: &Object) -> Result<(), Problems> {
    let mode = text(object, "mode");
    let tagged = object.get("tagged_vlans").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    if tagged && mode != "tagged" {
        return problem("tagged_vlans", "Interface mode does not support tagged vlans".to_owned());
    }
    if mode.is_empty() && object.get("untagged_vlan").is_some_and(|vlan| !vlan.is_null()) {
        return problem("untagged_vlan", "Interface mode does not support untagged vlan".to_owned());
    }
    for name in ["lag", "parent", "bridge"] {
        let Some((target, id)) = targets(kind, object, name).first().copied() else { continue };
        let Some(other) = store.get(target, id) else { continue };
        if other.get("device") != object.get("device") {
            let owner = targets(target, other, "device").first().and_then(|(kind, id)| store.get(*kind, *id));
            let owner = owner.map_or("", |device| text(device, "name"));
            let word = if name == "lag" { "LAG" } else { name };
            return problem(
                name,
                format!("The selected {word} interface ({}) belongs to a different device ({owner}).", text(other, "name")),
            );
        }
    }
    Ok(())
}

fn device(store: &Store, kind: KindId, id: u64, object: &Object) -> Result<(), Problems> {
    for name in ["primary_ip4", "primary_ip6", "oob_ip"] {
        let Some((ip_kind, ip)) = targets(kind, object, name).first().copied() else { continue };
        let Some(ip) = store.get(ip_kind, ip) else { continue };
        let owner = targets(ip_kind, ip, "assigned_object_id");
        let owner = owner.first().and_then(|(kind, id)| store.get(*kind, *id)?.get("device")?.as_u64());
        if owner != Some(id) {
            return problem(name, format!("The specified IP address ({}) is not assigned to this device.", text(ip, "address")));
        }
    }
    Ok(())
}
