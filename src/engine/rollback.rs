//! Taking back an operation of the journal: a plan like any other, through the same gates, from what its devices have now to what they
//! had before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diff::change::{Change, Finding, Severity};
use crate::diff::compare::apply;
use crate::plan::inverse::{inverse, overlap};
use crate::plan::model::Plan;
use crate::store::journal::Operation;
use crate::store::{Store, now};

use super::commit;
use super::core::Core;
use super::reconcile::{self, PlanJob};
use super::snapshot::Rollback;

/// What an operation did, as the journal has it.
#[derive(Debug)]
pub(super) struct Done {
    operation: Operation,
    /// What may be on each device.
    changes: BTreeMap<Arc<str>, Vec<Change>>,
}

impl Done {
    /// Reads it; or why it cannot be taken back, in words.
    fn read(store: &Store, fabric: &str, id: u64) -> Result<Self, String> {
        let words = |error: crate::store::Error| error.to_string();
        let mut operations = store.operations_from(fabric, id).map_err(words)?.into_iter();
        let operation = operations
            .next()
            .filter(|operation| operation.id == id)
            .ok_or_else(|| format!("operation {id} is not in the journal of {fabric}: `fabric-orch history` lists them"))?;
        if operation.ended.is_none() {
            return Err(format!("operation {id} by {} is under way", operation.user));
        }
        let changes = arrived(store, &operation)?;
        let ours: Vec<Change> = changes.values().flatten().cloned().collect();
        for later in operations {
            let theirs: Vec<Change> = arrived(store, &later)?.into_values().flatten().collect();
            if let Some(meets) = overlap(&ours, &theirs) {
                return Err(format!(
                    "operation {} by {} touched {} {} after operation {id}: roll that one back first",
                    later.id, later.user, meets.device, meets.path
                ));
            }
        }
        Ok(Self { operation, changes })
    }

    /// The operation's number.
    pub(super) fn number(&self) -> u64 {
        self.operation.id
    }

    /// The plan that takes it back, from what is known now.
    fn plan(&self, core: &Core, made: u64) -> Result<Plan, String> {
        let id = self.operation.id;
        let mut job = PlanJob::of(core, None);
        job.findings.clear();
        let (mut moved, mut found) = (Vec::new(), 0);
        for name in self.changes.keys() {
            if let Some(unknown) = job.unknown.iter().find(|unknown| unknown.device == *name) {
                return Err(format!("{name} is {}: {}; what it has now must be known first", unknown.state, unknown.reason));
            }
            if !job.parts.iter().any(|part| part.name == *name) {
                return Err(format!("{name} is not in intent any more, so nothing is sent to it"));
            }
        }
        for part in &mut job.parts {
            part.changes = Arc::default();
            let Some(done) = self.changes.get(&part.name) else { continue };
            let taken = inverse(done, &part.observed, &core.schema);
            moved.extend(taken.moved.iter().map(|row| {
                let now = row.observed.as_ref().map_or_else(|| "absent".to_owned(), |value| format!("{value} now"));
                format!("{} {} is {now}", row.key.device, row.key.path)
            }));
            for path in &taken.along {
                job.findings
                    .push(finding(&part.name, format!("{}: {path} goes with the entry, and operation {id} did not set it", part.name)));
            }
            found += taken.changes.len();
            part.wanted = part.observed.clone();
            apply(&taken.changes, &mut part.wanted);
            part.changes = Arc::new(taken.changes);
        }
        if let [first, others @ ..] = moved.as_slice() {
            let more = if others.is_empty() { String::new() } else { format!(", and {} more", others.len()) };
            return Err(format!(
                "not as operation {id} left it: {first}{more}; somebody changed it since, so nothing is taken back over it"
            ));
        }
        if found == 0 {
            return Err(format!("nothing of operation {id} is left to take back"));
        }
        let whose = self.changes.keys().next().cloned().unwrap_or_default();
        job.findings.push(finding(
            &whose,
            format!("takes back operation {id} by {}: what intent still wants of it is drift again afterwards", self.operation.user),
        ));
        Ok(job.run(made))
    }
}

fn finding(device: &Arc<str>, message: String) -> Finding {
    Finding {
        code: "rollback".into(),
        severity: Severity::Warning,
        device: Some(Arc::clone(device)),
        path: None,
        origin: None,
        message,
        hint: String::new(),
    }
}

/// What an operation may have left on each device.
fn arrived(store: &Store, operation: &Operation) -> Result<BTreeMap<Arc<str>, Vec<Change>>, String> {
    let text = store.plan_of(operation.id).map_err(|error| error.to_string())?.unwrap_or_default();
    let plan: Plan =
        serde_json::from_str(&text).map_err(|error| format!("the plan of operation {} cannot be read: {error}", operation.id))?;
    let mut by = BTreeMap::<Arc<str>, Vec<Change>>::new();
    for step in plan.steps {
        if operation.actions.iter().any(|action| action.step == step.id && action.may_have_arrived()) {
            by.entry(step.device).or_default().extend(step.changes);
        }
    }
    Ok(by)
}

impl Core {
    /// Plans to take an operation back; the plan is staged instead of what was picked, until it is committed or dropped.
    pub(super) async fn roll_back(&mut self, id: u64) {
        self.reconcile().await;
        let read = match self.store.clone() {
            Ok(store) => {
                let fabric = Arc::clone(&self.settings.fabric);
                match commit::db(&store, move |store| Ok(Done::read(store, &fabric, id))).await {
                    Ok(read) => read,
                    Err(error) => Err(error.to_string()),
                }
            }
            Err(error) => Err(error),
        };
        self.taking_back = None;
        let refused = match read {
            Ok(done) => {
                self.taking_back = Some(done);
                self.plan_rollback().err()
            }
            Err(words) => Some(words),
        };
        if let Some(words) = &refused {
            self.taking_back = None;
            self.happen("engine", Severity::Warning, format!("no rollback of operation {id}: {words}"));
        }
        self.rollback = Some(Arc::new(Rollback { operation: id, refused }));
        self.replan = true;
    }

    /// The rollback as it stands now, in place of the staged plan.
    pub(super) fn plan_rollback(&mut self) -> Result<(), String> {
        let Some(done) = &self.taking_back else { return Ok(()) };
        let plan = match &self.staged_plan {
            Some(before) => reconcile::keep(before, done.plan(self, before.made)?),
            None => Arc::new(done.plan(self, now())?),
        };
        self.staged_plan = Some(plan);
        Ok(())
    }
}
