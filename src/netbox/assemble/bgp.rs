//! BGP: peer groups, sessions, prefix lists, routing policies.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::super::error::Error;
use super::super::pages::{List, Pages};
use super::super::raw;
use super::{Maker, bare, owned, text_of};
use crate::intent::Fabric;
use crate::intent::finding::Severity;
use crate::intent::records::{Attached, Attributes, PeerGroup, Policy, PolicyRule, PrefixList, PrefixRule, Session};
use crate::tree::Origin;

impl Maker<'_> {
    fn attributes(&mut self, raw: Option<&RawValue>, device: Option<&Arc<str>>, origin: &Arc<Origin>) -> Attributes {
        let text = raw.map_or("null", RawValue::get);
        match serde_json::from_str::<Option<Attributes>>(text) {
            Ok(attributes) => attributes.unwrap_or_default(),
            Err(error) => {
                let message = format!("extra_attributes of {} do not read: {error}", origin.object);
                self.report("bad-field", Severity::Error, device, origin, message, "mend extra_attributes of the object");
                Attributes::default()
            }
        }
    }

    pub(super) fn bgp(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let groups: Vec<raw::PeerGroup<'_>> = pages.parse(List::PeerGroups)?;
        let sessions: Vec<raw::Session<'_>> = pages.parse(List::Sessions)?;
        *objects += groups.len() + sessions.len();
        let names = |list: Vec<raw::Named<'_>>| list.into_iter().map(|item| item.name.into_owned()).collect::<Vec<String>>();
        for group in groups {
            let origin = self.origin(List::PeerGroups, group.id, &group.name, group.last_updated);
            let attributes = self.attributes(group.extra_attributes, None, &origin);
            fabric.peer_groups.push(PeerGroup {
                id: group.id,
                name: Arc::from(group.name.as_ref()),
                remote_as: group.remote_as.map(|number| number.asn),
                local_as: group.local_as.map(|number| number.asn),
                attributes,
                import_policies: names(group.import_policies),
                export_policies: names(group.export_policies),
                prefix_lists: attached(group.prefix_list_in, group.prefix_list_out),
                origin,
            });
        }
        for session in sessions {
            let Some(device) = session.device.map(|device| device.id) else { continue };
            let Some(owner) = self.names.get(&device).cloned() else { continue };
            let name = session.name.map(owned).unwrap_or_default();
            let origin = self.origin(List::Sessions, session.id, &name, session.last_updated);
            let attributes = self.attributes(session.extra_attributes, Some(&owner), &origin);
            fabric.sessions.push(Session {
                id: session.id,
                name,
                description: session.description.into_owned(),
                device,
                local_address: session.local_address.map(|address| address.id),
                remote: session.remote_address.and_then(|address| IpAddr::from_str(bare(&address.address)).ok()),
                remote_prefix: session.remote_prefix.map(|range| range.prefix.into_owned()),
                local_as: session.local_as.map(|number| number.asn),
                remote_as: session.remote_as.map(|number| number.asn),
                peer_group: session.peer_group.map(|group| group.id),
                status: text_of(session.status),
                max_prefixes: session.max_prefixes,
                attributes,
                import_policies: names(session.import_policies),
                export_policies: names(session.export_policies),
                prefix_lists: attached(session.prefix_list_in, session.prefix_list_out),
                origin,
            });
        }
        Ok(())
    }

    pub(super) fn policies(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let lists: Vec<raw::Rules<'_>> = pages.parse(List::PrefixLists)?;
        let prefix_rules: Vec<raw::PrefixRule<'_>> = pages.parse(List::PrefixRules)?;
        let policies: Vec<raw::Rules<'_>> = pages.parse(List::Policies)?;
        let policy_rules: Vec<raw::PolicyRule<'_>> = pages.parse(List::PolicyRules)?;
        *objects += lists.len() + prefix_rules.len() + policies.len() + policy_rules.len();
        let f = &self.settings.fields;
        for list in lists {
            let origin = self.origin(List::PrefixLists, list.id, &list.name, list.last_updated);
            let devices =
                self.fields(List::PrefixLists, &list.custom_fields, &origin, None).get::<Vec<raw::Id>>(&f.applies_to, "a list of devices");
            let of_list = prefix_rules.iter().filter(|rule| rule.prefix_list.id == list.id);
            let mut rules: Vec<PrefixRule> = of_list
                .map(|rule| PrefixRule {
                    index: rule.index,
                    permit: rule.action.0 == "permit",
                    prefix: rule
                        .prefix
                        .as_ref()
                        .map(|prefix| prefix.prefix.to_string())
                        .or_else(|| rule.prefix_custom.as_ref().map(|text| text.0.to_string()))
                        .unwrap_or_default(),
                    ge: rule.ge,
                    le: rule.le,
                })
                .collect();
            rules.sort_by_key(|rule| rule.index);
            fabric.prefix_lists.push(PrefixList {
                id: list.id,
                name: list.name.into_owned(),
                devices: devices.unwrap_or_default().into_iter().map(|device| device.id).collect(),
                family: text_of(list.family),
                rules,
                origin,
            });
        }
        for policy in policies {
            let origin = self.origin(List::Policies, policy.id, &policy.name, policy.last_updated);
            let devices =
                self.fields(List::Policies, &policy.custom_fields, &origin, None).get::<Vec<raw::Id>>(&f.applies_to, "a list of devices");
            let of_policy = policy_rules.iter().filter(|rule| rule.routing_policy.id == policy.id);
            let mut rules: Vec<PolicyRule> = of_policy
                .map(|rule| PolicyRule {
                    index: rule.index,
                    permit: rule.action.0 == "permit",
                    match_prefix_lists: rule
                        .match_ip_address
                        .iter()
                        .chain(&rule.match_ipv6_address)
                        .map(|list| list.name.to_string())
                        .collect(),
                    next: rule.continue_entry,
                    set: rule.set_actions.clone().unwrap_or_default(),
                    unmapped: unmapped(rule),
                })
                .collect();
            rules.sort_by_key(|rule| rule.index);
            fabric.policies.push(Policy {
                id: policy.id,
                name: policy.name.into_owned(),
                devices: devices.unwrap_or_default().into_iter().map(|device| device.id).collect(),
                rules,
                origin,
            });
        }
        Ok(())
    }
}

fn attached(import: Option<raw::Named<'_>>, export: Option<raw::Named<'_>>) -> Attached {
    let name = |list: Option<raw::Named<'_>>| list.map(|list| list.name.into_owned());
    Attached { import: name(import), export: name(export) }
}

/// What a rule says that is not mapped.
fn unmapped(rule: &raw::PolicyRule<'_>) -> Vec<String> {
    const KEYS: [&str; 4] = ["match_community", "match_community_list", "match_aspath_list", "match_custom"];
    let says = |value: &serde_json::Value| match value {
        serde_json::Value::Null => false,
        serde_json::Value::Array(items) => !items.is_empty(),
        serde_json::Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    KEYS.iter().filter(|key| rule.rest.get(**key).is_some_and(says)).map(|key| (*key).to_owned()).collect()
}
