//! From the differences of all devices to a plan.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::facts::{DEFAULT, Facts, Reader};
use super::model::{FORMAT, Plan, Step, UnknownDevice};
use super::waves::{Item, place};
use super::{invariant, json, order, risk, set};
use crate::diff::change::{Change, ChangeKey, Finding, Kind, Severity};
use crate::diff::compare::apply;
use crate::diff::ownership::covers;
use crate::intent::fabric::Device;
use crate::path::Path;
use crate::tree::Tree;
use crate::yang::Schema;

/// One device whose difference is known.
#[derive(Clone, Debug)]
pub struct DevicePart<'a> {
    /// Its name.
    pub name: Arc<str>,
    /// All that differs, staged or not.
    pub changes: &'a [Change],
    /// What intent wants.
    pub desired: &'a Tree,
    /// What the device has.
    pub observed: &'a Tree,
    /// Whether MLAG was seen down; `None` when nobody knows.
    pub mlag_down: Option<bool>,
    /// Under maintenance: its changes are shown and held back.
    pub maintenance: bool,
    /// Below these paths nothing is repaired now.
    pub held: &'a [Path],
}

/// What a plan is made from.
#[derive(Clone, Debug)]
pub struct PlanInput<'a> {
    /// The fabric's name in the settings.
    pub fabric: &'a str,
    /// Milliseconds since the Unix epoch.
    pub made: u64,
    /// All devices of the fabric.
    pub devices: &'a [Device],
    /// Those that could be compared, in any order; also those without a difference, which invariants look at.
    pub parts: &'a [DevicePart<'a>],
    /// Devices nothing is claimed about.
    pub unknown: &'a [UnknownDevice],
    /// What is known to be wrong already: of intent and of the comparison.
    pub findings: &'a [Finding],
    /// The model.
    pub schema: &'a Schema,
    /// Only these changes; `None` is all.
    pub staged: Option<&'a BTreeSet<ChangeKey>>,
    /// Names of invariants the operator accepted to break.
    pub overrides: &'a BTreeSet<String>,
}

/// Makes the plan.
pub fn build(input: &PlanInput<'_>) -> Plan {
    let mut findings = input.findings.to_vec();
    let mut items = Vec::new();
    let mut views = Vec::new();
    let mut different = 0;
    let mut chosen_of = Vec::new();
    let records: HashMap<&str, &Device> = input.devices.iter().map(|device| (&*device.name, device)).collect();
    for part in input.parts {
        let Some(device) = records.get(&*part.name).copied() else {
            findings.push(held(
                &part.name,
                "not-in-intent",
                "it is not in the fabric that intent describes; nothing is planned for it".to_owned(),
            ));
            continue;
        };
        different += part.changes.len();
        let (chosen, held_back): (Vec<&Change>, Vec<&Change>) = part
            .changes
            .iter()
            .partition(|change| !is_held(part, change) && input.staged.is_none_or(|staged| staged.contains(&change.key())));
        let held_now = part.changes.iter().filter(|change| is_held(part, change)).count();
        if held_now > 0 {
            let what = if held_now == 1 { "1 change is".to_owned() } else { format!("{held_now} changes are") };
            let whose = if part.maintenance { "the device" } else { "an interface" };
            findings.push(held(&part.name, "maintenance", format!("{what} held back: {whose} is under maintenance")));
        }
        chosen_of.push((
            part,
            device,
            chosen.into_iter().cloned().collect::<Vec<_>>(),
            held_back.into_iter().map(|c| c.path.clone()).collect::<HashSet<_>>(),
        ));
    }
    // What the other end of a session or a link has matters only when something is done to one.
    let whole_fabric = chosen_of.iter().any(|(_, _, chosen, _)| chosen.iter().any(touches_others));
    let mut reader = Reader::default();
    for (part, device, chosen, _) in &mut chosen_of {
        let needed = whole_fabric || chosen.iter().any(|change| !risk::is_harmless(change));
        let before = if needed { reader.read(part.observed) } else { Facts::default() };
        let after = (needed && !chosen.is_empty()).then(|| {
            let mut tree = part.observed.clone();
            apply(chosen.iter(), &mut tree);
            reader.read(&tree)
        });
        if !chosen.is_empty() {
            risk::assess(chosen, &before, after.as_ref().unwrap_or(&before));
            order::sort(chosen);
            items.push(Item {
                device: Arc::clone(&part.name),
                spine: device.role.is_transit(),
                pair: device.pair.clone(),
                part: super::waves::Part::Main,
                changes: chosen.clone(),
                cause: cause(chosen, &before, part.mlag_down),
            });
        }
        if needed {
            views.push((*device, before, after, Arc::clone(&part.name)));
        }
    }
    let by_name: HashMap<Arc<str>, usize> = chosen_of.iter().enumerate().map(|(at, (part, ..))| (Arc::clone(&part.name), at)).collect();
    let views: Vec<invariant::View<'_>> = views
        .into_iter()
        .map(|(device, before, after, name)| {
            let changes =
                by_name.get(&name).and_then(|at| chosen_of.get(*at)).map_or_else(Vec::new, |(_, _, chosen, _)| chosen.iter().collect());
            invariant::View::new(device, before, after, changes)
        })
        .collect();
    let mut blocked = invariant::check(&views);
    findings.extend(invariant::mtu_ends(&views));
    let spines = input.devices.iter().filter(|device| device.role.is_transit()).count();
    let steps: Vec<Step> = place(items, spines)
        .into_iter()
        .filter_map(|placed| {
            let (part, _, chosen, held_back) = by_name.get(&placed.item.device).and_then(|at| chosen_of.get(*at))?;
            // Of a device that goes in several steps the others are held back too.
            let mut held_back = held_back.clone();
            held_back.extend(chosen.iter().map(|change| change.path.clone()));
            for change in &placed.item.changes {
                held_back.remove(&change.path);
            }
            let changes = placed.item.changes;
            let set = set::request(set::SetInput {
                changes: &changes,
                held_back: &held_back,
                desired: part.desired,
                observed: part.observed,
                schema: input.schema,
            });
            let read_set = set::guards(&changes, part.observed, input.schema);
            let id = format!("{}-{}", placed.wave, part.name);
            Some(Step { id, device: Arc::clone(&part.name), wave: placed.wave, changes, set, read_set, why: placed.why })
        })
        .collect();
    blocked.extend(invariant::check_order(&steps, input.devices));
    for block in blocked.iter().filter(|block| input.overrides.contains(&block.name)) {
        findings.push(Finding {
            code: "overridden".to_owned(),
            severity: Severity::Warning,
            device: Some(Arc::clone(&block.device)),
            path: None,
            origin: None,
            message: format!("{} is overridden: {}", block.name, block.reason),
            hint: String::new(),
        });
    }
    blocked.retain(|block| !input.overrides.contains(&block.name));
    let mut waves: Vec<Vec<Arc<str>>> = Vec::new();
    for step in &steps {
        while waves.len() < step.wave {
            waves.push(Vec::new());
        }
        if let Some(wave) = waves.get_mut(step.wave.saturating_sub(1)) {
            wave.push(Arc::clone(&step.device));
        }
    }
    let mut plan = Plan {
        format: FORMAT.to_owned(),
        hash: String::new(),
        fabric: input.fabric.to_owned(),
        made: input.made,
        in_sync: different == 0,
        steps,
        waves,
        blocked,
        unknown: input.unknown.to_vec(),
        findings,
    };
    plan.hash = json::hash(&plan);
    plan
}

/// Whether a change can matter to another device: what its sessions, addresses and links are made of.
fn touches_others(change: &Change) -> bool {
    use crate::diff::construct::Construct::{Bgp, Interface, Lag, Loopback, Svi, Vrf, Vxlan};
    matches!(change.construct, Bgp | Interface | Lag | Loopback | Svi | Vrf | Vxlan) && !risk::is_harmless(change)
}

fn is_held(part: &DevicePart<'_>, change: &Change) -> bool {
    part.maintenance || part.held.iter().any(|above| covers(above, &change.path))
}

fn held(device: &Arc<str>, code: &str, message: String) -> Finding {
    Finding {
        code: code.to_owned(),
        severity: Severity::Info,
        device: Some(Arc::clone(device)),
        path: None,
        origin: None,
        message: format!("{device}: {message}"),
        hint: String::new(),
    }
}

/// What a device is down for as a member of a pair or as a spine, when its own changes tell: devices with equal causes are broken the
/// same way, and repairing them together takes nothing down that is not down already.
fn cause(changes: &[Change], before: &Facts, mlag_down: Option<bool>) -> Option<String> {
    let mut causes: Vec<String> = Vec::new();
    for change in changes {
        let leaf = change.path.name();
        let observed = change.observed.as_ref().map_or_else(|| "absent".to_owned(), ToString::to_string);
        if leaf == "ipv4-routing-enabled" && change.path.key("network-instance", "name") == Some(DEFAULT) && change.kind != Kind::Delete {
            causes.push(format!("ip routing is {observed}"));
            continue;
        }
        let interface = change.path.key("interface", "name").filter(|_| on_interface(&change.path));
        let carries_mlag = interface.is_some() && (interface == before.peer_link.as_deref() || interface == before.mlag_svi.as_deref());
        let broken =
            carries_mlag && change.kind != Kind::Delete && matches!(leaf, "interface-mode" | "enabled") && change.observed.is_some();
        // The session to the peer over the peer link tells whether it is really down, where it is reported.
        let peer_up =
            before.sessions.iter().any(|((_, address), state)| state == "ESTABLISHED" && before.mlag_peer.as_ref() == Some(address));
        if broken && mlag_down != Some(false) && !peer_up {
            causes.push(format!("{} {} is {observed}", interface.unwrap_or_default(), crate::diff::construct::field(&change.path)));
        }
    }
    causes.sort();
    (!causes.is_empty()).then(|| causes.join(", "))
}

fn on_interface(path: &Path) -> bool {
    path.elems.first().is_some_and(|elem| elem.name == "interfaces")
}
