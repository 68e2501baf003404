//! List filters. As in NetBox an unknown name filters nothing, a bad value is a 400, and a filter NetBox has but the lab does not is
//! refused rather than ignored.

mod relation;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::compute::address;
use super::kind::{Field, KindId, Type};
use super::order::Key;
use super::render::View;
use super::store::{Object, targets};
use relation::Relation;

/// Query parameters in the order they came.
pub type Query = Vec<(String, String)>;

/// What a 400 answer says, by parameter.
pub type Refused = Map<String, Value>;

/// Parameters that are not filters.
const CONTROL: &[&str] = &["limit", "offset", "start", "ordering", "fields", "omit", "brief", "format", "exclude", "_branch", "background"];
/// Kinds of which the lab has none: NetBox then knows no value to choose.
const ABSENT: &[&str] = &[
    "region",
    "location",
    "rack",
    "tenant",
    "tenant_group",
    "contact",
    "contact_group",
    "contact_role",
    "module",
    "owner",
    "owner_group",
    "virtual_chassis",
    "virtual_machine",
    "virtualmachine",
    "cluster_group",
    "vdc",
    "wireless_lan",
    "config_template",
    "provider",
];
/// Filters NetBox has for some kind and the lab for none.
const NOT_SIMULATED: &[&str] = &[
    "available_at_site",
    "available_at_site_group",
    "available_on_virtualmachine",
    "related_to_site",
    "present_in_vrf",
    "present_in_vrf_id",
    "created_by_request",
    "modified_by_request",
    "updated_by_request",
    "contains_vid",
    "mac_address",
    "local_context_data",
    "unterminated",
    "kind",
    "vminterface",
    "vminterface_id",
    "nat_inside_id",
    "qinq_svlan_id",
    "qinq_svlan_vid",
    "port",
];

/// Ids of a kind that pass every filter, in the default or asked order.
pub fn select(view: &View<'_>, kind: KindId, query: &Query) -> Result<Vec<u64>, Refused> {
    let mut refused = Refused::new();
    let mut tests: Vec<Test> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in query {
        if seen.contains(&name.as_str()) || CONTROL.contains(&name.as_str()) {
            continue;
        }
        seen.push(name);
        let values: Vec<&str> = query.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
        if values.iter().all(|value| value.is_empty()) {
            continue; // an empty form field filters nothing
        }
        match Test::of(view, kind, name, &values) {
            Ok(Some(test)) => tests.push(test),
            Ok(None) => {}
            Err(message) => {
                refused.insert(name.clone(), json!([message]));
            }
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let table = view.store.table(kind);
    let mut ids: Vec<u64> =
        table.filter(|(id, object)| tests.iter().all(|test| test.passes(view, kind, *id, object))).map(|(id, _)| id).collect();
    sort(view, kind, query, &mut ids);
    Ok(ids)
}

fn sort(view: &View<'_>, kind: KindId, query: &Query, ids: &mut [u64]) {
    let asked = query.iter().find(|(name, _)| name == "ordering").map(|(_, value)| value.as_str()).unwrap_or_default();
    let names: Vec<&str> = asked.split(',').filter(|name| kind.get().has(name.trim_start_matches('-'))).collect();
    if names.is_empty() {
        return ids.sort_by_cached_key(|id| view.sort_key(kind, *id, kind.get().order));
    }
    for name in names.iter().rev() {
        ids.sort_by_cached_key(|id| view.sort_key(kind, *id, &[name.trim_start_matches('-')]));
        if name.starts_with('-') {
            ids.reverse();
        }
    }
}

enum Test {
    /// The id is one of these.
    Id(Vec<u64>),
    /// It points at one of these with a relation.
    Linked(Relation, Vec<(KindId, u64)>),
    /// It carries all of these tags.
    Tagged(Vec<u64>),
    /// A stored field compares so with one of these.
    Field(&'static Field, Lookup, Vec<String>),
    /// Some text of it contains this.
    Text(String),
    /// A number derived from it is one of these.
    Number(fn(&View<'_>, KindId, u64, &Object) -> Vec<i64>, Vec<i64>),
    /// A fact derived from it is true or false.
    Is(fn(&View<'_>, KindId, u64, &Object) -> bool, bool),
    /// Its address or prefix lies so to one of these.
    Net(Lies, Vec<IpNet>),
    /// Its address is one of these, with or without mask.
    Address(Vec<String>),
    /// A VLAN this device may use.
    AvailableOn(u64),
}

#[derive(Clone, Copy, PartialEq)]
enum Lies {
    Within,
    WithinOrEqual,
    Around,
    Equal,
}

#[derive(Clone, Copy, PartialEq)]
enum Lookup {
    Exact,
    Not,
    Contains,
    NotContains,
    Starts,
    Ends,
    Same,
    Empty,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

const LOOKUPS: &[(&str, Lookup)] = &[
    ("__n", Lookup::Not),
    ("__ic", Lookup::Contains),
    ("__nic", Lookup::NotContains),
    ("__isw", Lookup::Starts),
    ("__iew", Lookup::Ends),
    ("__ie", Lookup::Same),
    ("__empty", Lookup::Empty),
    ("__lt", Lookup::Less),
    ("__lte", Lookup::LessOrEqual),
    ("__gt", Lookup::Greater),
    ("__gte", Lookup::GreaterOrEqual),
];

impl Test {
    fn of(view: &View<'_>, kind: KindId, name: &str, values: &[&str]) -> Result<Option<Self>, String> {
        let owned = || values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let model = kind.get().model;
        match name {
            "id" => return whole(values).map(|ids| Some(Self::Id(ids))),
            "q" => return Ok(Some(Self::Text(values.concat().to_lowercase()))),
            "tag" | "tag_id" if kind.get().has("tags") => return tagged(view, name, values).map(|ids| Some(Self::Tagged(ids))),
            _ => {}
        }
        if let Some(test) = special(view, model, name, values)? {
            return Ok(Some(test));
        }
        let (base, by_id) = name.strip_suffix("_id").map_or((name, false), |base| (base, true));
        if let Some(relation) = Relation::of(kind, base) {
            // The BGP plugin's filters take ids under both names, but for devices, AS numbers and addresses.
            let named = base == "device" || base.ends_with("_as") || base.ends_with("_address");
            let plugin = model.starts_with("netbox_bgp.") && !named;
            return match relation.wanted(view, kind, values, by_id || plugin) {
                Err(_) if plugin && !by_id => Err(no_choice(values.first().copied().unwrap_or_default())),
                wanted => wanted.map(|wanted| Some(Self::Linked(relation, wanted))),
            };
        }
        let (field, lookup) = LOOKUPS
            .iter()
            .find_map(|(suffix, lookup)| name.strip_suffix(suffix).map(|field| (field, *lookup)))
            .unwrap_or((name, Lookup::Exact));
        if let Some(field) = kind.get().field(field).filter(|field| filterable(field)) {
            check(field, values)?;
            return Ok(Some(Self::Field(field, lookup, owned())));
        }
        if ABSENT.contains(&base) {
            return Err(no_choice(values.first().copied().unwrap_or_default()));
        }
        if NOT_SIMULATED.contains(&name) {
            return Err("The lab's NetBox does not simulate this filter.".to_owned());
        }
        Ok(None)
    }

    fn passes(&self, view: &View<'_>, kind: KindId, id: u64, object: &Object) -> bool {
        match self {
            Self::Id(ids) => ids.contains(&id),
            Self::Linked(relation, wanted) => relation.targets(view, kind, id, object).iter().any(|target| wanted.contains(target)),
            Self::Tagged(tags) => {
                let have = targets(kind, object, "tags");
                tags.iter().all(|tag| have.iter().any(|(_, id)| id == tag))
            }
            Self::Field(field, lookup, values) => compare(field, *lookup, object.get(field.name).unwrap_or(&Value::Null), values),
            Self::Text(part) => {
                let described = object.get("description").and_then(Value::as_str).unwrap_or_default();
                view.display(kind, id).to_lowercase().contains(part) || described.to_lowercase().contains(part)
            }
            Self::Number(derive, wanted) => derive(view, kind, id, object).iter().any(|number| wanted.contains(number)),
            Self::Is(derive, wanted) => derive(view, kind, id, object) == *wanted,
            Self::Net(lies, wanted) => net(object).is_some_and(|own| {
                wanted.iter().any(|other| match lies {
                    Lies::Within => other.contains(&own) && *other != own,
                    Lies::WithinOrEqual => other.contains(&own),
                    Lies::Around => own.contains(other),
                    Lies::Equal => own == *other,
                })
            }),
            Self::Address(wanted) => {
                let own = object.get("address").and_then(Value::as_str).unwrap_or_default();
                let host = own.split('/').next().unwrap_or_default();
                wanted.iter().any(|wanted| if wanted.contains('/') { wanted == own } else { wanted == host })
            }
            Self::AvailableOn(device) => relation::available(view, object, *device),
        }
    }
}

fn special(view: &View<'_>, model: &str, name: &str, values: &[&str]) -> Result<Option<Test>, String> {
    let flag = |derive| Ok(values.first().and_then(|value| boolean(value)).map(|wanted| Test::Is(derive, wanted)));
    let number = |derive| whole(values).map(|wanted: Vec<i64>| Some(Test::Number(derive, wanted)));
    match (model, name) {
        ("ipam.vlan", "available_on_device") => {
            let kind = KindId::of_model("dcim.device");
            let id = values.first().and_then(|value| value.parse().ok());
            match kind.zip(id).filter(|(kind, id)| view.store.get(*kind, *id).is_some()) {
                Some((_, id)) => Ok(Some(Test::AvailableOn(id))),
                None => Err("Select a valid choice. That choice is not one of the available choices.".to_owned()),
            }
        }
        ("ipam.ipaddress", "address") => Ok(Some(Test::Address(values.iter().map(|value| (*value).to_owned()).collect()))),
        ("ipam.ipaddress", "parent") => Ok(Some(Test::Net(Lies::WithinOrEqual, nets(values)))),
        ("ipam.prefix", "prefix") => Ok(Some(Test::Net(Lies::Equal, nets(values)))),
        ("ipam.prefix", "within") => Ok(Some(Test::Net(Lies::Within, nets(values)))),
        ("ipam.prefix", "within_include") => Ok(Some(Test::Net(Lies::WithinOrEqual, nets(values)))),
        ("ipam.prefix", "contains") => Ok(Some(Test::Net(Lies::Around, nets(values)))),
        ("ipam.prefix" | "ipam.ipaddress", "mask_length") => {
            number(|_, _, _, object| net(object).map(|net| i64::from(net.prefix_len())).into_iter().collect())
        }
        ("ipam.prefix" | "ipam.ipaddress", "family") => {
            number(|_, _, _, object| net(object).map(|net| if net.addr().is_ipv4() { 4 } else { 6 }).into_iter().collect())
        }
        ("ipam.ipaddress", "assigned" | "assigned_to_interface") => {
            flag(|_, _, _, object| object.get("assigned_object_id").is_some_and(|id| !id.is_null()))
        }
        ("dcim.device", "has_primary_ip") => {
            flag(|_, _, _, object| ["primary_ip4", "primary_ip6"].iter().any(|name| object.get(*name).is_some_and(|id| !id.is_null())))
        }
        ("dcim.interface", "cabled" | "occupied" | "connected") => {
            flag(|view, kind, id, _| view.store.refs(kind, id).iter().any(|found| found.field.ends_with("_terminations")))
        }
        ("dcim.interface", "vlan") => number(|view, kind, _, object| relation::vids(view, kind, object)),
        ("ipam.prefix", "vlan_vid") => number(|view, kind, _, object| relation::vids(view, kind, object)),
        _ => Ok(None),
    }
}

fn filterable(field: &Field) -> bool {
    !matches!(
        field.kind,
        Type::Calc(_)
            | Type::Json
            | Type::Nothing
            | Type::Links(..)
            | Type::Tags
            | Type::Custom
            | Type::Ends
            | Type::Ranges
            | Type::Mappings
            | Type::Link(..)
    )
}

fn check(field: &Field, values: &[&str]) -> Result<(), String> {
    match field.kind {
        Type::Choice(set) => {
            match values.iter().find(|value| !value.is_empty() && **value != "null" && !set.iter().any(|(name, _)| name == *value)) {
                Some(value) => Err(no_choice(value)),
                None => Ok(()),
            }
        }
        Type::Stamp => match values.iter().all(|value| value.is_empty() || moment(value)) {
            true => Ok(()),
            false => Err(NO_TIME.to_owned()),
        },
        Type::Int(..) | Type::Object if field.name != "scope_id" => whole::<i64>(values).map(|_| ()),
        _ => Ok(()),
    }
}

fn compare(field: &Field, lookup: Lookup, have: &Value, values: &[String]) -> bool {
    let text = match have {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let lower = text.to_lowercase();
    let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
    let equal = |value: &str| match field.kind {
        Type::Flag => boolean(value) == have.as_bool(),
        _ if value == "null" => have.is_null() || text.is_empty(),
        _ => text == value,
    };
    let key = |value: &str| if have.is_number() { value.parse().map_or(Key::Nothing, Key::Number) } else { Key::bytes(&stamp(value)) };
    let own = || if have.is_number() { Key::of(have) } else { Key::bytes(&stamp(&text)) };
    match lookup {
        Lookup::Exact => any(&equal),
        Lookup::Not => !any(&equal),
        Lookup::Contains => any(&|value| lower.contains(&value.to_lowercase())),
        Lookup::NotContains => !any(&|value| lower.contains(&value.to_lowercase())),
        Lookup::Starts => any(&|value| lower.starts_with(&value.to_lowercase())),
        Lookup::Ends => any(&|value| lower.ends_with(&value.to_lowercase())),
        Lookup::Same => any(&|value| lower == value.to_lowercase()),
        Lookup::Empty => values.first().and_then(|value| boolean(value)).is_none_or(|wanted| wanted == text.is_empty()),
        Lookup::Less => any(&|value| own() < key(value)),
        Lookup::LessOrEqual => any(&|value| own() <= key(value)),
        Lookup::Greater => any(&|value| own() > key(value)),
        Lookup::GreaterOrEqual => any(&|value| own() >= key(value)),
    }
}

/// A time so that texts compare as times: seconds, then six digits of fraction.
fn stamp(text: &str) -> String {
    let text = text.trim_end_matches('Z').replace(' ', "T");
    let (seconds, fraction) = text.split_once('.').unwrap_or((&text, ""));
    format!("{seconds}.{fraction:0<6}")
}

/// What a bad time is told.
pub(super) const NO_TIME: &str = "Enter a valid date/time.";

/// Whether a text is a time, or a day.
pub(super) fn moment(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok() || text.trim_end_matches('Z').parse::<jiff::civil::DateTime>().is_ok()
}

fn tagged(view: &View<'_>, name: &str, values: &[&str]) -> Result<Vec<u64>, String> {
    let Some(kind) = KindId::of_model("extras.tag") else { return Ok(Vec::new()) };
    let find = |value: &str| {
        view.store
            .table(kind)
            .find(|(id, tag)| if name == "tag" { tag.get("slug").and_then(Value::as_str) == Some(value) } else { value.parse() == Ok(*id) })
    };
    values.iter().map(|value| find(value).map(|(id, _)| id).ok_or_else(|| no_choice(value))).collect()
}

fn net(object: &Object) -> Option<IpNet> {
    let text = object.get("address").or_else(|| object.get("prefix"))?.as_str()?;
    let (address, length) = address(text)?;
    IpNet::new(address, length).ok()
}

/// What is no prefix selects nothing, as in NetBox.
fn nets(values: &[&str]) -> Vec<IpNet> {
    let one = |value: &&str| value.parse::<IpNet>().ok().or_else(|| value.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    values.iter().filter_map(one).map(|net| net.trunc()).collect()
}

fn whole<N: std::str::FromStr>(values: &[&str]) -> Result<Vec<N>, String> {
    values.iter().map(|value| value.parse().map_err(|_| "Enter a whole number.".to_owned())).collect()
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Some(true),
        "false" | "0" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// What a value that is none of the choices is told.
pub(super) fn no_choice(value: &str) -> String {
    format!("Select a valid choice. {value} is not one of the available choices.")
}

fn not_valid(value: &str) -> String {
    format!("\u{201c}{value}\u{201d} is not a valid value.")
}
