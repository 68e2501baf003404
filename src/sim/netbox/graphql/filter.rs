//! Filters of a list. As in the database below a real NetBox, an object is found once for each row that matches: a filter over a relation to
//! many (tags, interfaces) gives duplicates unless `DISTINCT: true` is among the filters.

use serde_json::{Map, Value};

use super::super::compute::address;
use super::super::kind::{KindId, Type};
use super::super::render::View;
use super::relation::reach;
use super::run::number;

type Filter = Map<String, Value>;

/// How many times an object is found; an error for a filter the lab does not simulate.
pub(super) fn matches(view: &View<'_>, kind: KindId, id: u64, filter: &Filter) -> Result<usize, String> {
    let mut times = 1;
    for (name, wanted) in filter.iter().filter(|(name, _)| !matches!(name.as_str(), "AND" | "OR" | "NOT" | "DISTINCT")) {
        if !wanted.is_null() {
            times *= one(view, kind, id, name, wanted)?;
        }
    }
    let sub = |name: &str| filter.get(name).and_then(Value::as_object).map(|filter| matches(view, kind, id, filter)).transpose();
    if let Some(also) = sub("AND")? {
        times *= also;
    }
    if let Some(or) = sub("OR")? {
        times = times.max(or);
    }
    if sub("NOT")?.is_some_and(|not| not > 0) {
        times = 0;
    }
    let distinct = filter.get("DISTINCT").and_then(Value::as_bool) == Some(true);
    Ok(if distinct { times.min(1) } else { times })
}

fn one(view: &View<'_>, kind: KindId, id: u64, name: &str, wanted: &Value) -> Result<usize, String> {
    let Some(object) = view.store.get(kind, id) else { return Ok(0) };
    let model = kind.get().model;
    let yes = |found: bool| Ok(usize::from(found));
    let texts = || wanted.as_array().into_iter().flatten().filter_map(Value::as_str);
    match (model, name) {
        (_, "id") => return lookup(&Value::from(id), Compare::Number, wanted, name).map(usize::from),
        (_, "custom_field_data") => return json(object.get("custom_fields"), wanted, name).map(usize::from),
        (_, "local_context_data") => return json(object.get(name), wanted, name).map(usize::from),
        ("dcim.interface", "cabled" | "connected") => {
            return yes(wanted.as_bool() == Some(!reach(view, kind, id, "cable").unwrap_or_default().is_empty()));
        }
        ("ipam.ipaddress", "assigned") => {
            return yes(wanted.as_bool() == Some(object.get("assigned_object_id").is_some_and(|id| !id.is_null())));
        }
        ("ipam.ipaddress", "parent") => {
            let own = object.get("address").and_then(Value::as_str).and_then(address);
            let inside = |net: &str| own.is_some_and(|(own, _)| net.parse::<ipnet::IpNet>().is_ok_and(|net| net.contains(&own)));
            return yes(texts().any(inside));
        }
        ("ipam.prefix", "contains") => {
            let own = object.get("prefix").and_then(Value::as_str).and_then(|own| own.parse::<ipnet::IpNet>().ok());
            let inside = |host: &str| {
                let host = host.split('/').next().unwrap_or_default().parse::<std::net::IpAddr>();
                own.zip(host.ok()).is_some_and(|(own, host)| own.contains(&host))
            };
            return yes(texts().any(inside));
        }
        ("ipam.ipaddress" | "ipam.prefix", "family") => {
            let six =
                ["address", "prefix"].iter().any(|name| object.get(*name).and_then(Value::as_str).is_some_and(|text| text.contains(':')));
            return yes(wanted.as_str() == Some(if six { "FAMILY_6" } else { "FAMILY_4" }));
        }
        _ => {}
    }
    let unknown = || format!("The lab's NetBox does not simulate the filter '{name}'.");
    if let Some(base) = name.strip_suffix("_id").filter(|_| !wanted.is_object()) {
        let wanted = number(wanted);
        if let Some(stored) = kind.get().field(name) {
            return yes(object.get(stored.name).and_then(Value::as_u64) == wanted);
        }
        let found = reach(view, kind, id, base).ok_or_else(unknown)?;
        return yes(found.iter().any(|(_, id)| Some(*id) == wanted));
    }
    if (model, name) == ("ipam.service", "ip_addresses") {
        return Err("Cannot resolve keyword 'ip_addresses' into field.".to_owned()); // the schema names a filter the database does not have
    }
    let relation = reach(view, kind, id, name);
    if let (Some(found), Some(filter)) = (relation, wanted.as_object()) {
        if found.is_empty() && nothing(wanted) {
            return Ok(1); // an outer join: what is not there has no name either
        }
        let mut times = 0;
        for (kind, id) in found {
            times += matches(view, kind, id, filter)?;
        }
        return Ok(times);
    }
    let field = kind.get().field(name).ok_or_else(unknown)?;
    let stored = object.get(name).unwrap_or(&Value::Null);
    match field.kind {
        Type::Choice(set) => {
            let stored = Value::from(stored.as_str().unwrap_or_default());
            for value in choices(wanted) {
                if !set.iter().any(|(name, _)| means(value, name)) {
                    return Err(format!("The lab's NetBox does not know the choice '{value}' of the filter '{name}'."));
                }
            }
            if wanted.is_string() {
                return yes(wanted.as_str().zip(stored.as_str()).is_some_and(|(wanted, stored)| means(wanted, stored)));
            }
            lookup(&stored, Compare::Choice, wanted, name).map(usize::from)
        }
        Type::Word(_) => yes(wanted.as_str().zip(stored.as_str()).is_some_and(|(wanted, stored)| means(wanted, stored))),
        Type::Int(..) | Type::Id => lookup(stored, Compare::Number, wanted, name).map(usize::from),
        Type::Stamp => lookup(stored, Compare::Time, wanted, name).map(usize::from),
        Type::Text(_) | Type::Flag | Type::Address | Type::Network => lookup(stored, Compare::Text, wanted, name).map(usize::from),
        Type::Nothing => yes(false),
        _ => Err(unknown()),
    }
}

/// Whether a filter asks only for emptiness.
fn nothing(wanted: &Value) -> bool {
    wanted.as_object().is_some_and(|map| {
        !map.is_empty() && map.iter().all(|(name, value)| if name == "is_null" { value.as_bool() == Some(true) } else { nothing(value) })
    })
}

/// The choices a filter names.
fn choices(wanted: &Value) -> Vec<&str> {
    let of = |name: &str| wanted.get(name);
    let list = of("in_list").and_then(Value::as_array).into_iter().flatten();
    wanted.as_str().into_iter().chain(of("exact").and_then(Value::as_str)).chain(list.filter_map(Value::as_str)).collect()
}

/// Whether `STATUS_ACTIVE` is `active`.
fn means(name: &str, value: &str) -> bool {
    let value = value.replace('-', "_").to_uppercase();
    !value.is_empty() && (name == value || name.strip_suffix(&value).is_some_and(|rest| rest.ends_with('_')))
}

#[derive(Clone, Copy, PartialEq)]
enum Compare {
    Text,
    Number,
    Time,
    Choice,
}

/// A value and the lookups it must pass all of.
fn lookup(stored: &Value, how: Compare, wanted: &Value, name: &str) -> Result<bool, String> {
    let Some(lookups) = wanted.as_object() else { return Ok(same(stored, how, wanted)) };
    for (lookup_name, wanted) in lookups.iter().filter(|(_, wanted)| !wanted.is_null()) {
        let text = || bare(stored);
        let part = || bare(wanted);
        let order = || order(stored, how, wanted);
        let passes = match lookup_name.as_str() {
            // Numbers nest their lookups by sort.
            "filter_lookup"
            | "comparison_lookup"
            | "int_comparison_lookup"
            | "string_lookup"
            | "boolean_lookup"
            | "float_comparison_lookup" => lookup(stored, how, wanted, name)?,
            "exact" => same(stored, how, wanted),
            "i_exact" => text().to_lowercase() == part().to_lowercase(),
            "in_list" | "in_" => wanted.as_array().into_iter().flatten().any(|wanted| same(stored, how, wanted)),
            "is_null" | "isnull" => wanted.as_bool() == Some(stored.is_null()),
            "contains" => text().contains(&part()),
            "i_contains" => text().to_lowercase().contains(&part().to_lowercase()),
            "starts_with" => text().starts_with(&part()),
            "i_starts_with" => text().to_lowercase().starts_with(&part().to_lowercase()),
            "ends_with" => text().ends_with(&part()),
            "i_ends_with" => text().to_lowercase().ends_with(&part().to_lowercase()),
            "gt" => order() == Some(std::cmp::Ordering::Greater),
            "gte" => order().is_some_and(std::cmp::Ordering::is_ge),
            "lt" => order() == Some(std::cmp::Ordering::Less),
            "lte" => order().is_some_and(std::cmp::Ordering::is_le),
            "range" | "range_lookup" => {
                let end = |name: &str| wanted.get(name).filter(|end| !end.is_null());
                let low = end("start").is_none_or(|low| order_of(stored, how, low).is_some_and(std::cmp::Ordering::is_ge));
                low && end("end").is_none_or(|high| order_of(stored, how, high).is_some_and(std::cmp::Ordering::is_le))
            }
            other => return Err(format!("The lab's NetBox does not simulate the lookup '{other}' of the filter '{name}'.")),
        };
        if !passes {
            return Ok(false);
        }
    }
    Ok(true)
}

fn order_of(stored: &Value, how: Compare, wanted: &Value) -> Option<std::cmp::Ordering> {
    order(stored, how, wanted)
}

fn order(stored: &Value, how: Compare, wanted: &Value) -> Option<std::cmp::Ordering> {
    match how {
        _ if stored.is_null() => None,
        Compare::Number => Some(stored.as_i64()?.cmp(&wanted.as_i64().or_else(|| wanted.as_str()?.parse().ok())?)),
        Compare::Time => {
            let time = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
            Some(time(stored)?.cmp(&time(wanted)?))
        }
        _ => Some(bare(stored).cmp(&bare(wanted))),
    }
}

fn same(stored: &Value, how: Compare, wanted: &Value) -> bool {
    match how {
        Compare::Choice => wanted.as_str().zip(stored.as_str()).is_some_and(|(wanted, stored)| means(wanted, stored)),
        Compare::Number | Compare::Time => order(stored, how, wanted) == Some(std::cmp::Ordering::Equal),
        Compare::Text => !stored.is_null() && bare(stored) == bare(wanted),
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

/// `{path: "gnmi__tls", lookup: {boolean_lookup: {exact: true}}}`
fn json(data: Option<&Value>, wanted: &Value, name: &str) -> Result<bool, String> {
    let path = wanted.get("path").and_then(Value::as_str).unwrap_or_default();
    let found = path.split("__").try_fold(data.unwrap_or(&Value::Null), |at, part| at.get(part)).unwrap_or(&Value::Null);
    let how = if found.is_number() { Compare::Number } else { Compare::Text };
    lookup(found, how, wanted.get("lookup").unwrap_or(&Value::Null), name)
}
