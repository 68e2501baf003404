//! Intent that lost so much that taking it would be a disaster when it is a mistake: what is said of it, with the objects that are
//! gone, and under which name a person accepts it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::intent::Fabric;
use crate::plan::guard::{self, Counts, Limits, Loss};

/// The name under which shrunk intent is accepted.
pub const SHRANK: &str = "intent-shrank";
/// So many objects of a kind are named.
const NAMED: usize = 5;

/// What a device's cluster says: members of a pair are never changed at once.
const PAIRS: &str = "devices in pairs";
/// What a VLAN group's scope says.
const PAIRED: &str = "VLANs of clusters";
/// What an L2VPN termination says.
const STRETCHED: &str = "VLANs in L2VPNs";

/// Objects of one kind: its name, and each object's id and words.
type Kind<'a> = (&'static str, Vec<(u64, &'a str)>);

/// Every kind of which deletes could be made.
fn kinds(fabric: &Fabric) -> [Kind<'_>; 13] {
    macro_rules! of {
        ($list:ident) => {
            of!($list, |_| true)
        };
        ($list:ident, $which:expr) => {
            fabric.$list.iter().filter($which).map(|record| (record.id, record.origin.object.as_str())).collect()
        };
    }
    [
        ("devices", of!(devices)),
        (PAIRS, of!(devices, |device| device.pair.is_some())),
        ("interfaces", of!(interfaces)),
        ("addresses", of!(addresses)),
        ("VLANs", of!(vlans)),
        (PAIRED, of!(vlans, |vlan| vlan.cluster.is_some())),
        (STRETCHED, of!(vlans, |vlan| vlan.l2vpn.is_some())),
        ("VRFs", of!(vrfs)),
        ("L2VPNs", of!(l2vpns)),
        ("peer groups", of!(peer_groups)),
        ("BGP sessions", of!(sessions)),
        ("prefix lists", of!(prefix_lists)),
        ("routing policies", of!(policies)),
    ]
}

/// What begins the name of a count of custom fields that NetBox does not have; these are told of kinds of which there is an object.
const MISSING: &str = "missing custom fields of ";

/// How many objects of each kind intent holds, and how many of the kind's custom fields NetBox does not have.
pub(super) fn counts(fabric: &Fabric) -> Counts {
    let mut counts = Counts::new();
    for (kind, objects) in kinds(fabric).into_iter().filter(|(_, objects)| !objects.is_empty()) {
        counts.insert(format!("{MISSING}{kind}"), missing(fabric, kind).len());
        counts.insert(kind.to_owned(), objects.len());
    }
    counts
}

fn missing<'a>(fabric: &'a Fabric, kind: &str) -> BTreeSet<&'a str> {
    fabric.missing_fields.iter().filter(|(of, _)| *of == kind).map(|(_, name)| name.as_str()).collect()
}

/// However few they were: when none of what ties objects to each other is left, and everything it tied is still there, then the list
/// of the ties was not shown.
fn lost_ties(before: &Counts, after: &Counts) -> Vec<Loss> {
    let count = |of: &Counts, kind: &str| of.get(kind).copied().unwrap_or(0);
    let lost = |(tie, ends): &(&str, &[&str])| {
        count(before, tie) > 0 && count(after, tie) == 0 && ends.iter().all(|end| count(after, end) >= count(before, end))
    };
    let ties: [(&str, &[&str]); 3] = [(PAIRS, &["devices"]), (PAIRED, &["VLANs"]), (STRETCHED, &["VLANs", "L2VPNs"])];
    ties.into_iter().filter(lost).map(|(tie, _)| Loss { kind: Some(tie.to_owned()), had: count(before, tie), has: 0 }).collect()
}

/// Custom fields that were there and are not: renamed or deleted. What they said would be deleted from the devices.
fn lost_fields(before: &Counts, known: Option<&Fabric>, after: &Fabric) -> Vec<String> {
    let mut said = Vec::new();
    for (kind, _) in kinds(after) {
        // Of a kind of which there was no object, nobody knows what fields it had.
        let Some(had) = before.get(&format!("{MISSING}{kind}")) else { continue };
        let mut lost = missing(after, kind);
        let more = match known {
            Some(known) => {
                lost.retain(|name| !known.missing_fields.contains(&(kind, (*name).to_owned())));
                !lost.is_empty()
            }
            None => lost.len() > *had,
        };
        if more {
            let names: Vec<String> = lost.into_iter().map(|name| format!("`{name}`")).collect();
            said.push(format!("{kind} have no custom field {} any more", names.join(", ")));
        }
    }
    said
}

/// Why new intent may not replace the one before. `known` is the one before, when it was read by this process: then objects are
/// named, and not only counted.
pub(super) fn refusal(before: &Counts, known: Option<&Fabric>, after: &Fabric) -> Option<String> {
    let objects: Counts =
        before.iter().filter(|(kind, _)| !kind.starts_with(MISSING)).map(|(kind, count)| (kind.clone(), *count)).collect();
    let now = counts(after);
    let mut losses = guard::losses(&objects, &now, Limits::default());
    let ties = lost_ties(&objects, &now);
    losses.extend(ties.into_iter().filter(|tie| !losses.iter().any(|loss| loss.kind == tie.kind)).collect::<Vec<_>>());
    let mut said: Vec<String> = losses.iter().map(|loss| words(loss, known, after)).collect();
    said.extend(lost_fields(before, known, after));
    (!said.is_empty()).then(|| {
        format!(
            "intent shrank and is not taken, or it would become deletes: {}; check NetBox and the token's permissions; if it was meant, accept it by name: {SHRANK}",
            said.join(", ")
        )
    })
}

/// `122 interfaces became 61 (gone: interface leaf1 Ethernet3 #12, … and 56 more)`
fn words(Loss { kind, had, has }: &Loss, known: Option<&Fabric>, after: &Fabric) -> String {
    let mut text = format!("{had} {} became {has}", kind.as_deref().unwrap_or("objects"));
    let Some(known) = known else { return text };
    let mut gone = Vec::new();
    for ((name, had), (_, has)) in kinds(known).into_iter().zip(kinds(after)) {
        if kind.as_ref().is_none_or(|kind| kind == name) {
            let has: BTreeSet<u64> = has.into_iter().map(|(id, _)| id).collect();
            gone.extend(had.into_iter().filter(|(id, _)| !has.contains(id)).map(|(_, words)| words));
        }
    }
    let names: Vec<&str> = gone.iter().copied().take(NAMED).collect();
    if !names.is_empty() {
        let _ = write!(text, " (gone: {}", names.join(", "));
        let _ = match gone.len() - names.len() {
            0 => write!(text, ")"),
            more => write!(text, " and {more} more)"),
        };
    }
    text
}
