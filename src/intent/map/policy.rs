//! Prefix lists and route maps of the device: those whose `applies_to` names it, and those something on it uses.
//!
//! A name may stand for other content on another device, so a name that is used is looked up among the objects of this device
//! first; one that is no device's own counts for all.

use std::collections::{BTreeMap, BTreeSet};

use super::writer::Writer;
use super::{Scope, vrfs};
use crate::intent::finding::Severity;
use crate::intent::records::{Policy, PrefixList};

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
    for policy in maps.values() {
        for name in policy.rules.iter().flat_map(|rule| &rule.match_prefix_lists) {
            if lists.contains_key(name.as_str()) {
                continue;
            }
            match all_lists.iter().find(|list| list.name == *name && list.devices.is_empty()) {
                Some(list) => _ = lists.insert(&list.name, list),
                None => w.from(&policy.origin, |w| missing("prefix list", name, w)),
            }
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

fn prefix_list(list: &PrefixList, w: &mut Writer<'_>) {
    w.entry("routing-policy/defined-sets/prefix-sets/prefix-set", &[("name", &list.name)], |w| {
        w.leaf("config/name", list.name.as_str());
        w.leaf("config/mode", if list.family == "ipv6" { "IPV6" } else { "IPV4" });
        for rule in &list.rules {
            if !rule.permit {
                let message = format!("rule {} of prefix list {} denies, which a prefix set cannot say", rule.index, list.name);
                w.problem("unmapped-value", Severity::Error, message, "deny in the routing policy instead");
                continue;
            }
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
            for what in &rule.unmapped {
                let message = format!("`{what}` in rule {index} of policy {} is not mapped", policy.name);
                w.problem("unmapped-policy", Severity::Error, message, "a policy mapped in part would let the wrong routes pass");
            }
        }
    });
}
