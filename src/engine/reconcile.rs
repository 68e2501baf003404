//! From what is observed and wanted to differences, stage and plan: the glue between the loop and the pure core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diff::catalog::Catalog;
use crate::diff::change::{Change, ChangeKey, Finding, Severity};
use crate::diff::compare::Sides;
use crate::intent::Fabric;
use crate::intent::map::Desired;
use crate::netbox::Touched;
use crate::plan::model::{FORMAT, Plan, UnknownDevice};
use crate::plan::{self, DevicePart, PlanInput, stage};
use crate::store::drift::Drift;
use crate::store::now;
use crate::tree::Tree;
use crate::yang::Schema;

use super::core::Core;
use super::device::{Device, Moved};
use super::snapshot::Tally;

/// The plan before anything is known.
pub(super) fn empty(fabric: &str) -> Plan {
    let mut plan = Plan {
        format: FORMAT.into(),
        hash: String::new(),
        fabric: fabric.to_owned(),
        made: 0,
        in_sync: false,
        steps: Vec::new(),
        waves: Vec::new(),
        blocked: Vec::new(),
        unknown: Vec::new(),
        findings: Vec::new(),
    };
    plan.hash = plan::json::hash(&plan);
    plan
}

/// Compares one device; says what moved since the last time.
pub(super) fn compare(device: &mut Device, catalog: &Catalog) -> Moved {
    let Some(desired) = device.desired.clone().filter(|_| device.comparable()) else {
        if device.changes.take().is_some() {
            device.dirty.view = true;
        }
        device.findings.clear();
        return Moved::default();
    };
    let sides =
        Sides { desired: &desired.tree, exhaustive: &desired.exhaustive, observed: &device.observed, applied: Some(&device.applied) };
    let diff = device.differ.update(catalog, &sides);
    let tally = Tally { equal: diff.tally.equal, foreign: diff.tally.foreign, protected: diff.tally.protected };
    let mut found = diff.changes.clone();
    let withheld = device.sight.believe(&mut found);
    if device.withheld != withheld {
        device.withheld = withheld;
        device.dirty.view = true;
    }
    if let Some(main) = &device.main {
        found.iter_mut().for_each(|change| change.unmerged = unmerged(change, main));
    }
    if device.foreign.len() != diff.foreign.len()
        || device.foreign.iter().zip(&diff.foreign).any(|(have, new)| have.0 != new.0 || have.1 != new.1.to_string())
    {
        device.foreign = Arc::new(diff.foreign.iter().map(|(path, value)| (Arc::clone(path), value.to_string())).collect());
        device.dirty.view = true;
    }
    device.findings = diff.findings.clone();
    if device.tally != tally {
        device.tally = tally;
        device.dirty.view = true;
    }
    device.settle(&found)
}

/// Whether main does not want this change: it wants another value there, or still wants what would be deleted.
fn unmerged(change: &Change, main: &Tree) -> bool {
    match &change.desired {
        Some(wanted) => main.value(&change.path) != Some(wanted),
        None => main.value(&change.path).is_some() || !main.below(&change.path).is_empty(),
    }
}

/// What moved, in a line a device.
pub(super) fn words(device: &Arc<str>, moved: &Moved) -> Vec<(Arc<str>, Severity, String)> {
    let mut said = Vec::new();
    match moved.appeared.as_slice() {
        [] => {}
        [only] => said.push((Arc::clone(device), Severity::Warning, format!("drift +1 {} {}", only.entry, only.path.name()))),
        [first, ..] => {
            said.push((
                Arc::clone(device),
                Severity::Warning,
                format!("drift +{} {} {} and more", moved.appeared.len(), first.entry, first.path.name()),
            ));
        }
    }
    if !moved.cleared.is_empty() {
        said.push((Arc::clone(device), Severity::Info, format!("drift -{}", moved.cleared.len())));
    }
    said
}

/// A difference as the journal keeps it.
pub(super) fn event(change: &Change, by: &str) -> Drift {
    Drift {
        device: change.device.to_string(),
        path: change.path.to_string(),
        kind: change.kind.to_string(),
        desired: change.desired.as_ref().map(ToString::to_string),
        observed: change.observed.as_ref().map(ToString::to_string),
        changed_by: by.to_owned(),
        appeared: now(),
        cleared: None,
    }
}

/// Every difference there is, of devices that can be spoken of.
pub(super) fn changes(core: &Core) -> Vec<Change> {
    core.devices
        .values()
        .filter(|device| device.unknown().is_none())
        .flat_map(|device| device.changes.iter().flat_map(|changes| changes.iter().cloned()))
        .collect()
}

/// What is picked and what that needs.
pub(super) fn closure(every: &[Change], picked: &BTreeSet<ChangeKey>) -> (BTreeSet<ChangeKey>, BTreeMap<ChangeKey, ChangeKey>) {
    let closed = stage::closure(every, picked);
    (closed.staged, closed.pulled_in)
}

/// Takes changes, and what needs them, out of what is picked.
pub(super) fn unstage(every: &[Change], staged: &BTreeSet<ChangeKey>, picked: &mut BTreeSet<ChangeKey>, keys: Vec<ChangeKey>) {
    let left = stage::without(every, staged, &keys.into_iter().collect());
    picked.retain(|key| left.contains(key));
}

/// Everything a plan is made from, as it is now: cheap to take, whatever the fabric's size, and no business of the loop's.
pub(super) struct PlanJob {
    name: Arc<str>,
    fabric: Option<Arc<Fabric>>,
    pub(super) parts: Vec<Part>,
    pub(super) unknown: Vec<UnknownDevice>,
    pub(super) findings: Vec<Finding>,
    schema: Arc<Schema>,
    staged: Option<Arc<BTreeSet<ChangeKey>>>,
    overrides: BTreeSet<String>,
}

/// One device of a [`PlanJob`].
pub(super) struct Part {
    pub(super) name: Arc<str>,
    pub(super) changes: Arc<Vec<Change>>,
    /// What it should hold: intent, or what it held before.
    pub(super) wanted: Tree,
    pub(super) observed: Tree,
    desired: Arc<Desired>,
    mlag_down: Option<bool>,
}

impl Part {
    fn lent(&self) -> DevicePart<'_> {
        DevicePart {
            name: Arc::clone(&self.name),
            changes: &self.changes,
            desired: &self.wanted,
            observed: &self.observed,
            mlag_down: self.mlag_down,
            maintenance: self.desired.maintenance,
            held: &self.desired.held,
        }
    }
}

impl PlanJob {
    /// Of all differences, or of what is staged.
    pub(super) fn of(core: &Core, staged: Option<Arc<BTreeSet<ChangeKey>>>) -> Self {
        let known = |device: &&Device| device.unknown().is_none();
        let part = |device: &Device| {
            let desired = Arc::clone(device.desired.as_ref()?);
            Some(Part {
                name: Arc::clone(device.name()),
                changes: Arc::clone(device.changes.as_ref()?),
                wanted: desired.tree.clone(),
                desired,
                observed: device.observed.clone(),
                mlag_down: device.mlag.as_ref().map(|mlag| mlag.words() != "active"),
            })
        };
        Self {
            name: Arc::clone(&core.settings.fabric),
            fabric: core.fabric.clone(),
            parts: core.devices.values().map(AsRef::as_ref).filter(known).filter_map(part).collect(),
            unknown: core.devices.values().filter_map(|device| device.unknown()).collect(),
            findings: core.findings(),
            schema: Arc::clone(&core.schema),
            staged,
            overrides: core.overrides.clone(),
        }
    }

    /// Makes the plan.
    pub(super) fn run(&self, made: u64) -> Plan {
        let Some(fabric) = &self.fabric else { return empty(&self.name) };
        let parts: Vec<DevicePart<'_>> = self.parts.iter().map(Part::lent).collect();
        plan::build(&PlanInput {
            fabric: &self.name,
            made,
            devices: &fabric.devices,
            parts: &parts,
            unknown: &self.unknown,
            findings: &self.findings,
            schema: &self.schema,
            staged: self.staged.as_deref(),
            overrides: &self.overrides,
        })
    }
}

/// A plan that says what the one before says keeps its hash, so that what was reviewed can be committed. `plan` was made as if at the
/// time of the one before.
pub(super) fn keep(before: &Arc<Plan>, mut plan: Plan) -> Arc<Plan> {
    if plan.hash == before.hash {
        return Arc::clone(before);
    }
    plan.made = now();
    plan.hash = plan::json::hash(&plan);
    Arc::new(plan)
}

/// The devices to map again: those an edit reaches, and those of which something else is wrong with intent by now.
pub(super) fn touched(before: Option<&Fabric>, after: &Fabric, touched: Touched) -> Touched {
    let (Some(before), Touched::Only(mut names)) = (before, touched) else { return Touched::All };
    let (old, new) = (findings(before), findings(after));
    let moved = old.keys().chain(new.keys()).filter(|device| old.get(*device) != new.get(*device));
    names.extend(moved.map(|device| Arc::clone(device)));
    Touched::Only(names)
}

/// What is wrong with intent, by device.
fn findings(fabric: &Fabric) -> BTreeMap<&Arc<str>, Vec<&Finding>> {
    let mut by = BTreeMap::<_, Vec<_>>::new();
    for finding in &fabric.findings {
        if let Some(device) = &finding.device {
            by.entry(device).or_default().push(finding);
        }
    }
    by
}
