//! The commit runner: wave after wave, per device lease → re-read → journal → Set → read back, and health between waves.
//!
//! A Set whose answer was lost is never sent again: the device is read and its write-set says what happened. One device's
//! failure does not stop the others of its wave; it stops the waves after. Every step is journaled before the wire, and
//! whatever cannot be journaled is not sent.
//!
//! ```text
//!  Waiting ─► Rereading ─► Journaling ─► Sending ─► Verifying ─► Settling ─► Done(outcome)
//!                │ stale: refused            │ answer lost: read and classify
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Timing;
use crate::diff::change::{Change, Kind};
use crate::gnmi;
use crate::intent::map::cli;
use crate::path::Path;
use crate::plan::model::{Plan, Step};
use crate::store::journal::Mark;
use crate::store::{self, Store, now};
use crate::tree::{Paths, Tree};
use crate::value::Value;
use crate::yang::Schema;

use super::event::Event;
use super::gate;
use super::line::{Line, is_cli};
use super::snapshot::{CommitStep, CommitView, Outcome, Phase, Snapshot};

/// A lease is renewed by the step that needs it; nothing takes longer than a Set may.
const LEASE_SPARE: Duration = Duration::from_secs(120);
/// Tries of a read-back: a device may need a moment to show what it committed.
const READ_BACK: [Duration; 4] = [Duration::ZERO, Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

/// A commit to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is committed.
    pub plan: Arc<Plan>,
    /// The fabric.
    pub fabric: Arc<str>,
    /// Who commits.
    pub user: String,
    /// The journal.
    pub store: Arc<Store>,
    /// The schema.
    pub schema: Arc<Schema>,
    /// The fabric's table of paths.
    pub paths: Arc<Paths>,
    /// The devices of the plan.
    pub lines: BTreeMap<Arc<str>, Arc<Line>>,
    /// Health, as the mirrors see it.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where progress is told.
    pub events: mpsc::Sender<Event>,
    /// Stops after the steps under way.
    pub abort: CancellationToken,
    /// How long things may take.
    pub timing: Timing,
}

/// How a step ended.
#[derive(Debug)]
struct Ended {
    outcome: Outcome,
    reason: String,
    ms: Option<u64>,
    kept: Vec<Change>,
    dropped: Vec<Change>,
}

impl Ended {
    fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into(), ms: None, kept: Vec::new(), dropped: Vec::new() }
    }
}

/// A commit under way.
#[derive(Debug)]
struct Run {
    job: Job,
    operation: u64,
    view: Mutex<CommitView>,
}

/// Journals the operation: its number, or why nothing may be sent.
///
/// # Errors
/// When the journal cannot be written.
pub async fn begin(job: &Job) -> Result<u64, store::Error> {
    let plan = Arc::clone(&job.plan);
    let (fabric, user) = (Arc::clone(&job.fabric), job.user.clone());
    db(&job.store, move |store| {
        let text = serde_json::to_string(&*plan).unwrap_or_default();
        let steps: Vec<_> = plan.steps.iter().map(|step| (step.id.as_str(), &*step.device, step.wave)).collect();
        store.begin(&fabric, &user, &plan.hash, &text, &steps)
    })
    .await
}

/// Runs a journaled commit to its end and tells how it went all along.
pub async fn run(job: Job, operation: u64) {
    let steps = job
        .plan
        .steps
        .iter()
        .map(|step| CommitStep {
            id: step.id.clone(),
            device: Arc::clone(&step.device),
            wave: step.wave,
            phase: Phase::Waiting,
            reason: String::new(),
            ms: None,
        })
        .collect();
    let view = CommitView {
        id: operation,
        hash: job.plan.hash.clone(),
        user: job.user.clone(),
        started: now(),
        ended: None,
        steps,
        status: "starting".into(),
    };
    let run = Arc::new(Run { job, operation, view: Mutex::new(view) });
    run.tell(|_| {}).await;
    let status = Arc::clone(&run).waves().await;
    let closed = db(&run.job.store, {
        let status = status.clone();
        move |store| store.end(operation, &status)
    })
    .await;
    let status = match closed {
        Ok(()) => status,
        Err(error) => format!("{status}; the journal could not be closed: {error}"),
    };
    run.tell(|view| {
        view.ended = Some(now());
        view.status = status;
    })
    .await;
    let _ = run.job.events.send(Event::CommitEnded).await;
}

impl Run {
    /// Changes the view and sends it.
    async fn tell(&self, change: impl FnOnce(&mut CommitView)) {
        let view = {
            let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut view);
            view.clone()
        };
        // The loop may be gone on the way out; the journal has it all.
        let _ = self.job.events.send(Event::Commit(Box::new(view))).await;
    }

    async fn phase(&self, index: usize, phase: Phase) {
        self.tell(|view| {
            if let Some(step) = view.steps.get_mut(index) {
                step.phase = phase;
            }
        })
        .await;
    }

    async fn end(&self, index: usize, outcome: Outcome, reason: String, ms: Option<u64>) {
        self.tell(|view| {
            if let Some(step) = view.steps.get_mut(index) {
                (step.phase, step.reason, step.ms) = (Phase::Done(outcome), reason, ms);
            }
        })
        .await;
    }

    /// All waves; says how it ended.
    async fn waves(self: Arc<Self>) -> String {
        let plan = Arc::clone(&self.job.plan);
        let last = plan.steps.iter().map(|step| step.wave).max().unwrap_or(0);
        let baseline = gate::Baseline::take(&self.job.snapshots.borrow());
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut stopped: Option<String> = None;
        for wave in 1..=last {
            let members: Vec<usize> = plan.steps.iter().enumerate().filter(|(_, step)| step.wave == wave).map(|(index, _)| index).collect();
            if stopped.is_none() && self.job.abort.is_cancelled() {
                stopped = Some("aborted".into());
            }
            if let Some(why) = &stopped {
                for index in members {
                    self.refuse(index, &format!("not sent: {why}")).await;
                    outcomes.push(Outcome::Refused);
                }
                continue;
            }
            self.tell(|view| view.status = format!("wave {wave} of {last}")).await;
            let mut tasks = JoinSet::new();
            for index in members {
                let run = Arc::clone(&self);
                tasks.spawn(async move { run.step(index).await });
            }
            let mut applied = false;
            while let Some(ended) = tasks.join_next().await {
                let outcome = ended.unwrap_or(Outcome::Unknown);
                applied |= matches!(outcome, Outcome::Applied | Outcome::NotRetained);
                if matches!(outcome, Outcome::Failed | Outcome::Unknown | Outcome::Refused) && stopped.is_none() {
                    stopped = Some(format!("wave {wave} failed"));
                }
                outcomes.push(outcome);
            }
            if wave < last && applied && stopped.is_none() {
                stopped = self.gate(wave, last, &baseline).await;
            }
        }
        summary(&outcomes, stopped.as_deref())
    }

    /// Waits until health is what it was; says why it never was.
    async fn gate(&self, wave: usize, last: usize, baseline: &gate::Baseline) -> Option<String> {
        let mut snapshots = self.job.snapshots.clone();
        let deadline = Instant::now() + self.job.timing.settle;
        // What the wave did must have had the time to arrive.
        tokio::time::sleep(Duration::from_millis(1_000).min(self.job.timing.settle)).await;
        loop {
            let lost = baseline.lost(&snapshots.borrow_and_update());
            if lost.is_empty() {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let said = lost.join("; ");
            if left.is_zero() || self.job.abort.is_cancelled() {
                return Some(format!("health did not come back after wave {wave}: {said}"));
            }
            self.tell(|view| view.status = format!("gate {wave} of {}: {said}; stops in {} s", last - 1, left.as_secs())).await;
            let _ = tokio::time::timeout(left.min(Duration::from_secs(1)), snapshots.changed()).await;
        }
    }

    /// Ends a step that was never sent.
    async fn refuse(&self, index: usize, reason: &str) {
        let ended = Ended::new(Outcome::Refused, reason);
        self.close(index, ended).await;
    }

    /// One step, journaled to its end.
    async fn step(&self, index: usize) -> Outcome {
        let Some(step) = self.job.plan.steps.get(index) else { return Outcome::Refused };
        let ended = match self.job.lines.get(&step.device) {
            Some(line) => self.attempt(index, step, line).await,
            None => Ended::new(Outcome::Refused, format!("{} is not a device of this fabric", step.device)),
        };
        self.close(index, ended).await
    }

    /// Journals and tells how a step ended.
    async fn close(&self, index: usize, ended: Ended) -> Outcome {
        let Some(step) = self.job.plan.steps.get(index) else { return Outcome::Refused };
        let (operation, fabric) = (self.operation, Arc::clone(&self.job.fabric));
        let (id, device) = (step.id.clone(), Arc::clone(&step.device));
        let Ended { outcome, mut reason, ms, kept, dropped } = ended;
        let journaled = db(&self.job.store, {
            let reason = reason.clone();
            move |store| {
                let set: Vec<_> = kept.iter().filter_map(|change| Some((change.path.clone(), change.desired.clone()?))).collect();
                let gone: Vec<_> = kept.iter().filter(|change| change.kind == Kind::Delete).map(|change| change.path.clone()).collect();
                if !set.is_empty() || !gone.is_empty() {
                    store.remember(&fabric, &device, operation, &set, &gone)?;
                }
                if !dropped.is_empty() {
                    let lost: Vec<_> =
                        dropped.iter().map(|change| (change.path.clone(), change.desired.clone().unwrap_or(Value::Empty))).collect();
                    store.remember_not_retained(&fabric, &device, operation, &lost)?;
                }
                store.finish(operation, &id, name(outcome), &reason, ms)
            }
        })
        .await;
        if let Err(error) = journaled {
            reason = format!("{reason}{}the journal could not be written: {error}", if reason.is_empty() { "" } else { "; " });
        }
        self.end(index, outcome, reason, ms).await;
        outcome
    }

    async fn attempt(&self, index: usize, step: &Step, line: &Line) -> Ended {
        self.phase(index, Phase::Rereading).await;
        let lease = self.job.timing.set + LEASE_SPARE;
        let leased = self
            .journal(step, move |store, run| {
                store.lease(&run.fabric, &run.device, &run.user, run.operation, u64::try_from(lease.as_millis()).unwrap_or(u64::MAX))?;
                store.mark(run.operation, &run.step, Mark::Rereading)
            })
            .await;
        if let Err(error) = leased {
            return Ended::new(Outcome::Refused, format!("not sent: {error}"));
        }
        let before = match self.observe(step, line, true).await {
            Ok(tree) => tree,
            Err(error) => return Ended::new(Outcome::Failed, format!("not sent: {error}")),
        };
        if self.missing(step, &before).is_empty() {
            return Ended::new(Outcome::Unchanged, "the device already is as desired");
        }
        if let Some(moved) = crate::plan::stale(step, &before, &self.job.schema) {
            return Ended::new(Outcome::Refused, format!("stale: {moved} is not as it was when the plan was made; plan again"));
        }
        if self.job.abort.is_cancelled() {
            return Ended::new(Outcome::Refused, "not sent: aborted");
        }
        self.phase(index, Phase::Journaling).await;
        if let Err(error) = self.journal(step, |store, run| store.mark(run.operation, &run.step, Mark::Sending)).await {
            return Ended::new(Outcome::Refused, format!("not sent: {error}"));
        }
        self.phase(index, Phase::Sending).await;
        let (ms, answer) = line.set(&step.set).await;
        let mut ended = match answer {
            Ok(()) => {
                // The device has it whether or not this is written; without it the next start says `unknown`, which is safe.
                let marked = self.journal(step, |store, run| store.mark(run.operation, &run.step, Mark::Verifying)).await;
                self.phase(index, Phase::Verifying).await;
                let mut ended = self.verify(step, line).await;
                if let Err(error) = marked {
                    ended.reason = format!("{} ({error})", ended.reason);
                }
                ended
            }
            Err(error @ gnmi::Error::Unknown { .. }) => {
                self.phase(index, Phase::Verifying).await;
                self.classify(step, line, &error).await
            }
            Err(error) => Ended::new(Outcome::Failed, error.to_string()),
        };
        ended.ms = Some(ms);
        ended
    }

    /// Reads the device until what was set is there, a few times.
    async fn verify(&self, step: &Step, line: &Line) -> Ended {
        let mut last = Err("never read".to_owned());
        for pause in READ_BACK {
            tokio::time::sleep(pause).await;
            last = match self.observe(step, line, false).await {
                Ok(tree) => Ok(self.missing(step, &tree)),
                Err(error) => Err(error.to_string()),
            };
            if matches!(&last, Ok(missing) if missing.is_empty()) {
                break;
            }
        }
        match last {
            Ok(missing) if missing.is_empty() => Ended { kept: step.changes.clone(), ..Ended::new(Outcome::Applied, "") },
            Ok(missing) => {
                let named: Vec<_> = missing.iter().map(|change| change.path.to_string()).collect();
                let kept = step.changes.iter().filter(|change| !missing.iter().any(|gone| gone.path == change.path)).cloned().collect();
                let reason = format!("accepted but not there when read back: {}", named.join(", "));
                Ended { kept, dropped: missing, ..Ended::new(Outcome::NotRetained, reason) }
            }
            Err(error) => Ended::new(Outcome::Unknown, format!("set answered ok, but it could not be read back: {error}")),
        }
    }

    /// The answer to a Set was lost: the device itself says what became of it. It is never sent again.
    async fn classify(&self, step: &Step, line: &Line, lost: &gnmi::Error) -> Ended {
        let mut found = Err("never read".to_owned());
        for pause in READ_BACK {
            tokio::time::sleep(pause).await;
            found = self.observe(step, line, false).await.map(|tree| self.missing(step, &tree)).map_err(|error| error.to_string());
            if matches!(&found, Ok(missing) if missing.is_empty()) {
                break;
            }
        }
        match found {
            Ok(missing) if missing.is_empty() => Ended {
                kept: step.changes.clone(),
                ..Ended::new(Outcome::Applied, "the answer was lost, but everything is there when read back")
            },
            // The device may still be at work on it (EOS can need minutes): not there now is not never.
            Ok(missing) if missing.len() == step.changes.len() => {
                Ended::new(Outcome::Unknown, format!("{lost}; nothing of it is there when read back: look again before you plan anew"))
            }
            Ok(missing) => Ended::new(
                Outcome::Unknown,
                format!("{lost}; {} of {} changes are there when read back", step.changes.len() - missing.len(), step.changes.len()),
            ),
            Err(error) => Ended::new(Outcome::Unknown, format!("{lost}; and it cannot be read: {error}")),
        }
    }

    /// The changes that are not on the device.
    fn missing(&self, step: &Step, observed: &Tree) -> Vec<Change> {
        crate::plan::verify(step, observed, &self.job.schema)
            .into_iter()
            .zip(&step.changes)
            .filter(|(row, _)| !row.retained)
            .map(|(_, change)| change.clone())
            .collect()
    }

    /// Reads what the step guards and touches into a small tree.
    async fn observe(&self, step: &Step, line: &Line, guards: bool) -> Result<Tree, gnmi::Error> {
        let mut wanted: Vec<Path> = step.changes.iter().map(|change| change.path.clone()).collect();
        if guards {
            wanted.extend(step.read_set.iter().map(|guard| guard.path.clone()));
        }
        wanted.sort();
        wanted.dedup();
        let (lines, leaves): (Vec<Path>, Vec<Path>) = wanted.into_iter().partition(is_cli);
        let mut tree = Tree::new(Arc::clone(&self.job.paths));
        let time = now();
        for (path, value) in line.read(&leaves).await? {
            tree.set(&path, value, time);
        }
        if !lines.is_empty() {
            let running = line.running().await?;
            for (path, value) in cli::observe(&running, lines.iter()) {
                tree.set(&path, value, time);
            }
        }
        Ok(tree)
    }

    async fn journal(
        &self,
        step: &Step,
        write: impl FnOnce(&Store, &Row) -> Result<(), store::Error> + Send + 'static,
    ) -> Result<(), store::Error> {
        let row = Row {
            fabric: Arc::clone(&self.job.fabric),
            device: Arc::clone(&step.device),
            user: self.job.user.clone(),
            operation: self.operation,
            step: step.id.clone(),
        };
        db(&self.job.store, move |store| write(store, &row)).await
    }
}

/// Which row of the journal.
struct Row {
    fabric: Arc<str>,
    device: Arc<str>,
    user: String,
    operation: u64,
    step: String,
}

/// Runs a call of the journal where it may block.
pub async fn db<R: Send + 'static>(
    store: &Arc<Store>,
    work: impl FnOnce(&Store) -> Result<R, store::Error> + Send + 'static,
) -> Result<R, store::Error> {
    let held = Arc::clone(store);
    match tokio::task::spawn_blocking(move || work(&held)).await {
        Ok(result) => result,
        Err(_) => Err(store::Error::Full(store.path().to_owned())),
    }
}

/// The outcome's name in journal and JSON.
pub fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Unchanged => "unchanged",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::Unknown => "unknown",
        Outcome::NotRetained => "not_retained",
        Outcome::RolledBack => "rolled_back",
    }
}

/// `2 applied, 1 refused; wave 1 failed`
fn summary(outcomes: &[Outcome], stopped: Option<&str>) -> String {
    let order = [Outcome::Applied, Outcome::Unchanged, Outcome::NotRetained, Outcome::Failed, Outcome::Unknown, Outcome::Refused];
    let mut parts: Vec<String> = order
        .into_iter()
        .filter_map(|outcome| {
            let count = outcomes.iter().filter(|have| **have == outcome).count();
            (count > 0).then(|| format!("{count} {}", name(outcome).replace('_', " ")))
        })
        .collect();
    if parts.is_empty() {
        parts.push("nothing to do".into());
    }
    match stopped {
        Some(why) => format!("{}; {why}", parts.join(", ")),
        None => parts.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_and_says_why_it_stopped() {
        assert_eq!(
            summary(&[Outcome::Applied, Outcome::Refused, Outcome::Applied], Some("wave 1 failed")),
            "2 applied, 1 refused; wave 1 failed"
        );
        assert_eq!(summary(&[], None), "nothing to do");
    }
}
