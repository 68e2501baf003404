//! Prefix lists and route maps of the device: those whose `applies_to` names it, and those something on it uses.
//!
//! A name may stand for other content on another device, so a name that is used is looked up among the objects of this device
//! first; one that is no device's own counts for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::writer::Writer;
use super::{Scope, vrfs};
use crate::intent::finding::Severity;
use crate::intent::records::{Policy, PolicyRule, PrefixList};
use crate::tree::Origin;

/// The key of a rule's communities: their leaf is not in the models the console knows.
const COMMUNITY: &str = "community";

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    let device = scope.device.id;
    let (all_maps, all_lists) = (&scope.fabric.policies, &scope.fabric.prefix_lists);
    let mut maps: BTreeMap<&str, &Policy> =
        all_maps.iter().filter(|policy| policy.devices.contains(&device)).map(|policy| (&*policy.name, policy)).collect();
    for name in used(scope) {
        if maps.contains_key(name.as_str()) {
            continue;
        }
        match all_maps.iter().find(|policy| policy.name == name && policy.devices.is_empty()) {
            Some(policy) => _ = maps.insert(&policy.name, policy),
            None => missing("route map", &name, w),
        }
    }
    let mut lists: BTreeMap<&str, &PrefixList> =
        all_lists.iter().filter(|list| list.devices.contains(&device)).map(|list| (&*list.name, list)).collect();
    let matched =
        maps.values().flat_map(|policy| policy.rules.iter().flat_map(|rule| &rule.match_prefix_lists).map(|name| (&policy.origin, name)));
    for (origin, name) in matched.chain(attached(scope)) {
        if lists.contains_key(name.as_str()) {
            continue;
        }
        match all_lists.iter().find(|list| list.name == *name && list.devices.is_empty()) {
            Some(list) => _ = lists.insert(&list.name, list),
            None => w.from(origin, |w| missing("prefix list", name, w)),
        }
    }
    for list in lists.values() {
        w.from(&list.origin, |w| prefix_list(list, w));
    }
    for policy in maps.values() {
        w.from(&policy.origin, |w| route_map(policy, w));
    }
}

fn missing(what: &str, name: &str, w: &mut Writer<'_>) {
    let message = format!("{what} {name} is used here, but no object of that name is for this device");
    w.problem("missing-policy", Severity::Error, message, "add the device to its applies_to");
}

/// Names of route maps that sessions, their groups and redistribution of this device name.
fn used(scope: &Scope<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for session in scope.fabric.sessions_of(scope.device.id) {
        names.extend(session.import_policies.iter().chain(&session.export_policies).cloned());
        if let Some(group) = session.peer_group.and_then(|id| scope.fabric.peer_group(id)) {
            names.extend(group.import_policies.iter().chain(&group.export_policies).cloned());
        }
    }
    if scope.device.asn.is_some() {
        for vrf in scope.fabric.vrfs_of(scope.device.id) {
            names.extend(vrfs::redistributed(scope.settings, vrf).iter().filter_map(|entry| entry.route_map.clone()));
        }
    }
    names
}

/// Prefix lists right on the device's sessions and their groups, with who says so.
fn attached<'a>(scope: &Scope<'a>) -> impl Iterator<Item = (&'a Arc<Origin>, &'a String)> {
    let fabric = scope.fabric;
    fabric.sessions_of(scope.device.id).flat_map(move |session| {
        let group = session.peer_group.and_then(|id| fabric.peer_group(id)).map(|group| (&group.origin, &group.prefix_lists));
        let all = [Some((&session.origin, &session.prefix_lists)), group];
        all.into_iter().flatten().flat_map(|(origin, lists)| lists.import.iter().chain(&lists.export).map(move |name| (origin, name)))
    })
}

/// `ipv4` or `ipv6`, when a list of that name is for this device.
pub(super) fn family_of<'a>(scope: &Scope<'a>, name: &str) -> Option<&'a str> {
    let named = || scope.fabric.prefix_lists.iter().filter(|list| list.name == name);
    let own = named().find(|list| list.devices.contains(&scope.device.id));
    own.or_else(|| named().find(|list| list.devices.is_empty())).map(|list| &*list.family)
}

/// A prefix set has no rules that deny: a list with one goes as lines, whole, so that its order holds.
fn prefix_list(list: &PrefixList, w: &mut Writer<'_>) {
    if list.rules.iter().any(|rule| !rule.permit) {
        return lines(list, w);
    }
    w.entry("routing-policy/defined-sets/prefix-sets/prefix-set", &[("name", &list.name)], |w| {
        w.leaf("config/name", list.name.as_str());
        w.leaf("config/mode", if list.family == "ipv6" { "IPV6" } else { "IPV4" });
        for rule in &list.rules {
            let length = rule.prefix.rsplit_once('/').and_then(|(_, length)| length.parse::<u8>().ok()).unwrap_or_default();
            let longest = if list.family == "ipv6" { 128 } else { 32 };
            let range = match (rule.ge, rule.le) {
                (None, None) => "exact".to_owned(),
                (ge, le) => format!("{}..{}", ge.unwrap_or(length), le.unwrap_or(longest)),
            };
            w.entry("prefixes/prefix", &[("ip-prefix", &rule.prefix), ("masklength-range", &range)], |w| {
                w.leaf("config/ip-prefix", rule.prefix.as_str());
                w.leaf("config/masklength-range", range.as_str());
            });
        }
    });
}

fn lines(list: &PrefixList, w: &mut Writer<'_>) {
    let family = if list.family == "ipv6" { "ipv6" } else { "ip" };
    for rule in &list.rules {
        let mut text = format!("{} {}", if rule.permit { "permit" } else { "deny" }, rule.prefix);
        match (rule.ge, rule.le) {
            (Some(ge), Some(le)) if ge == le => text.push_str(&format!(" eq {ge}")),
            (ge, le) => {
                text.extend(ge.map(|ge| format!(" ge {ge}")));
                text.extend(le.map(|le| format!(" le {le}")));
            }
        }
        w.line(&format!("{family} prefix-list {}", list.name), &format!("seq {}", rule.index), &text);
    }
}

fn route_map(policy: &Policy, w: &mut Writer<'_>) {
    w.entry("routing-policy/policy-definitions/policy-definition", &[("name", &policy.name)], |w| {
        w.leaf("config/name", policy.name.as_str());
        for rule in &policy.rules {
            let index = rule.index.to_string();
            w.entry("statements/statement", &[("name", &index)], |w| {
                w.leaf("config/name", index.as_str());
                w.leaf("actions/config/policy-result", if rule.permit { "ACCEPT_ROUTE" } else { "REJECT_ROUTE" });
                match rule.match_prefix_lists.as_slice() {
                    [] => {}
                    [list] => w.within("conditions/match-prefix-set/config", |w| {
                        w.leaf("prefix-set", list.as_str());
                        w.leaf("match-set-options", "ANY");
                    }),
                    several => {
                        let message =
                            format!("rule {index} of policy {} matches {} prefix lists, EOS takes one", policy.name, several.len());
                        w.problem("unmapped-value", Severity::Error, message, "one prefix list a rule");
                    }
                }
            });
            w.entry("statements/statement", &[("name", &index)], |w| w.within("actions/bgp-actions", |w| actions(policy, rule, w)));
            line(policy, rule, w);
            for what in &rule.unmapped {
                let message = format!("`{what}` in rule {index} of policy {} is not mapped", policy.name);
                w.problem("unmapped-policy", Severity::Error, message, "a policy mapped in part would let the wrong routes pass");
            }
        }
    });
}

/// What of a rule has no leaf and goes as lines of its block.
fn line(policy: &Policy, rule: &PolicyRule, w: &mut Writer<'_>) {
    let block = format!("route-map {} {} {}", policy.name, if rule.permit { "permit" } else { "deny" }, rule.index);
    if let Some(communities) = rule.set.get(COMMUNITY).map(words).filter(|words| !words.is_empty()) {
        w.line(&block, "set community", &communities.join(" "));
    }
    if let Some(next) = rule.next {
        w.line(&block, "continue", &next.to_string());
    }
}

/// What a rule sets. The plugin keeps it as free JSON: names are those of the command line, with dashes or underscores.
fn actions(policy: &Policy, rule: &PolicyRule, w: &mut Writer<'_>) {
    for (key, value) in rule.set.iter().filter(|(key, _)| *key != COMMUNITY) {
        let known = match (key.replace('_', "-").as_str(), words(value).as_slice()) {
            ("local-preference" | "local-pref", [one]) => one.parse::<u32>().map(|one| w.leaf("config/set-local-pref", one)).ok(),
            ("metric" | "med", [one]) => one.parse::<u32>().map(|one| w.leaf("config/set-med", one)).ok(),
            ("next-hop" | "ip next-hop", [one]) => {
                one.parse::<std::net::IpAddr>().map(|one| w.leaf("config/set-next-hop", one.to_string())).ok()
            }
            ("origin", [one]) => {
                let name = one.to_ascii_uppercase();
                ["IGP", "EGP", "INCOMPLETE"].contains(&name.as_str()).then(|| w.leaf("config/set-route-origin", name))
            }
            ("as-path-prepend" | "as-path prepend", [first, rest @ ..]) if rest.iter().all(|other| other == first) => {
                first.parse::<u32>().ok().zip(u8::try_from(rest.len() + 1).ok()).map(|(asn, times)| {
                    w.within("set-as-path-prepend/config", |w| {
                        w.leaf("asn", asn);
                        w.leaf("repeat-n", u32::from(times));
                    });
                })
            }
            _ => None,
        };
        if known.is_none() {
            let message = format!("`set {key}` in rule {} of policy {} is not mapped: {value}", rule.index, policy.name);
            w.problem(
                "unmapped-policy",
                Severity::Error,
                message,
                "local-preference, metric, next-hop, origin, community or as-path-prepend",
            );
        }
    }
}

/// A value as words: a text is divided at blanks.
fn words(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        serde_json::Value::Array(items) => items.iter().flat_map(words).collect(),
        serde_json::Value::Number(number) => vec![number.to_string()],
        _ => Vec::new(),
    }
}
