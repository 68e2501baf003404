//! `apply`: commits a saved plan or a fresh one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{CLEAN, ERROR, Exit, Failure, Global, REFUSED, UNKNOWN, out, plan};
use crate::config::{Environment, Settings, Timing};
use crate::engine::command::Command;
use crate::engine::snapshot::{CommitView, Outcome, Phase, Snapshot};
use crate::engine::{self, Handle, outcome_name};
use crate::plan::{model, text};

/// `apply`
#[derive(Debug, Args)]
pub struct Apply {
    /// A plan written by `plan --out`; without it a fresh plan is made
    #[arg(value_name = "PLAN")]
    plan: Option<PathBuf>,
    /// Only this device; again for more
    #[arg(long = "device", value_name = "NAME", conflicts_with = "plan")]
    devices: Vec<String>,
    #[command(flatten)]
    options: Options,
}

impl Apply {
    /// Commits.
    pub async fn run(self, global: &Global) -> Exit {
        let settings = global.settings()?;
        if !settings.may_write {
            return Err(Failure::new("read-only").hint("give --write, or set `write = true` for the fabric").code(REFUSED));
        }
        let saved = self.plan.as_deref().map(engine::read_plan).transpose()?;
        if let Some(plan) = saved.as_ref().filter(|plan| *plan.fabric != *settings.fabric) {
            return Err(Failure::new(format!("the plan was made for fabric {}, this is {}", plan.fabric, settings.fabric)).code(REFUSED));
        }
        let devices = match &saved {
            Some(plan) => plan.steps.iter().map(|step| step.device.to_string()).collect(),
            None => self.devices.clone(),
        };
        let context = Context::of(&settings, true);
        let (handle, snapshot) = match plan::observe(settings, devices, None, self.options.overrides.clone()).await {
            Ok(pair) => pair,
            Err(failure) => return Err(self.options.failed(failure)?),
        };
        let chosen = saved.map_or_else(|| Arc::clone(&snapshot.plan), Arc::new);
        commit(handle, chosen, &self.options, &context).await
    }
}

/// How a commit is asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Accept a block of the plan by its name; again for more
    #[arg(long = "override", value_name = "BLOCK")]
    pub overrides: Vec<String>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// A failure before anything was sent, as the document that was asked for, too.
    pub fn failed(&self, failure: Failure) -> Result<Failure, Failure> {
        if self.json {
            out::json(&json!({"format": "fabric-orch/apply/1", "error": failure.message, "hint": failure.hint}), true)?;
        }
        Ok(failure)
    }
}

/// Where something is committed.
#[derive(Debug)]
pub struct Context {
    /// Whether intent wants it: then all is in sync soon afterwards.
    wanted: bool,
    environment: Environment,
    fabric: Arc<str>,
    timing: Timing,
}

impl Context {
    /// What the settings say of it; `wanted` when intent is what is committed.
    pub fn of(settings: &Settings, wanted: bool) -> Self {
        Self { wanted, environment: settings.environment, fabric: Arc::clone(&settings.fabric), timing: settings.timing.clone() }
    }
}

/// Shows a plan, asks, commits it and tells how it goes.
pub async fn commit(mut handle: Handle, chosen: Arc<model::Plan>, options: &Options, context: &Context) -> Exit {
    if chosen.steps.is_empty() {
        handle.stop().await;
        let verdict = plan::verdict(&chosen);
        if options.json {
            out::json(&document(&[], verdict.is_ok(), false), true)?;
        } else {
            out::talk("nothing to do");
        }
        return verdict;
    }
    if !options.json || !options.yes {
        out::talk(&text::render(&chosen));
    }
    let blocked: Vec<_> = chosen.blocked.iter().filter(|block| !options.overrides.contains(&block.name)).collect();
    if let Some(block) = blocked.first() {
        handle.stop().await;
        if options.json {
            out::json(&refused(&chosen, &format!("blocked: {}", block.reason)), true)?;
        }
        return Err(Failure::new(format!("blocked by {}: {} ({})", block.name, block.reason, block.device))
            .hint(format!("mend intent, or accept it with --override {}", block.name))
            .code(REFUSED));
    }
    if !options.yes {
        confirm(context.environment, &context.fabric, &chosen)?;
    }
    for name in &options.overrides {
        handle.send(Command::Override(name.clone())).await?;
    }
    handle.send(Command::Arm).await?;
    handle.send(Command::CommitPlan(Arc::clone(&chosen))).await?;
    let waves = u32::try_from(chosen.waves.len().max(1)).unwrap_or(u32::MAX);
    let patience = (context.timing.set + context.timing.settle + Duration::from_secs(60)).saturating_mul(waves);
    let (snapshot, view) = watch(&mut handle, &chosen.hash, patience).await?;
    let in_sync = match ended_well(&view) {
        true => {
            handle
                .until(Duration::from_secs(15), |snapshot| snapshot.settled() && (snapshot.plan.in_sync || !context.wanted))
                .await?
                .plan
                .in_sync
        }
        false => snapshot.plan.in_sync,
    };
    handle.stop().await;
    report(&view, in_sync, options.json)
}

/// Asks a person; anything but the word is a no.
fn confirm(environment: Environment, fabric: &str, plan: &model::Plan) -> Result<(), Failure> {
    if !out::can_ask() {
        return Err(Failure::new("nobody to ask").hint("give --yes to commit without being asked").code(REFUSED));
    }
    let word = if environment == Environment::Production { fabric } else { "yes" };
    let count = plan.changes().count();
    let answer = out::ask(&format!(
        "commit {count} changes on {} devices of {fabric} ({}). Type {word} to go on:",
        plan.steps.len(),
        environment.as_str()
    ));
    if answer == word { Ok(()) } else { Err(Failure::new("not confirmed: nothing was sent").code(REFUSED)) }
}

/// Tells how the commit goes until it ended. Ctrl-C stops after the steps under way.
async fn watch(handle: &mut Handle, hash: &str, patience: Duration) -> Result<(Arc<Snapshot>, Arc<CommitView>), Failure> {
    let mut told = String::new();
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let snapshot = Arc::clone(&handle.snapshots.borrow_and_update());
        if let Some(view) = snapshot.commit.clone().filter(|view| view.hash == hash) {
            if view.ended.is_some() {
                return Ok((snapshot, view));
            }
            if view.status != told {
                told.clone_from(&view.status);
                out::talk(&told);
            }
        }
        tokio::select! {
            changed = handle.snapshots.changed() => if changed.is_err() {
                return Err(Failure::new("the engine ended before the commit did").hint("`fabric-orch history` says what became of each device").code(UNKNOWN));
            },
            _ = tokio::signal::ctrl_c() => {
                out::talk("stopping after the steps under way");
                handle.send(Command::Abort).await?;
            }
            () = tokio::time::sleep_until(deadline) => {
                return Err(Failure::new("the commit did not end in time").hint("`fabric-orch history` says what became of each device").code(UNKNOWN));
            }
        }
    }
}

/// The outcome of a step.
fn outcome(phase: &Phase) -> Outcome {
    match phase {
        Phase::Done(outcome) => *outcome,
        _ => Outcome::Unknown,
    }
}

fn ended_well(view: &CommitView) -> bool {
    view.id != 0
        && view.steps.iter().all(|step| matches!(outcome(&step.phase), Outcome::Applied | Outcome::Unchanged | Outcome::NotRetained))
}

fn document(rows: &[serde_json::Value], in_sync: bool, applied: bool) -> serde_json::Value {
    json!({"format": "fabric-orch/apply/1", "applied": applied, "in_sync": in_sync, "devices": rows})
}

/// Every step refused before anything was journaled.
fn refused(plan: &model::Plan, why: &str) -> serde_json::Value {
    let rows: Vec<_> =
        plan.steps.iter().map(|step| json!({"device": step.device, "outcome": "refused", "reason": why, "ms": null})).collect();
    document(&rows, false, false)
}

/// Prints the outcomes; the worst of them is the exit code.
fn report(view: &CommitView, in_sync: bool, as_json: bool) -> Exit {
    let outcomes: Vec<Outcome> = view.steps.iter().map(|step| outcome(&step.phase)).collect();
    let has = |wanted: Outcome| outcomes.contains(&wanted);
    if as_json {
        let rows: Vec<_> = view
            .steps
            .iter()
            .map(|step| json!({"device": step.device, "wave": step.wave, "outcome": outcome_name(outcome(&step.phase)), "reason": step.reason, "ms": step.ms}))
            .collect();
        let applied = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Applied | Outcome::Unchanged)) && view.id != 0;
        let mut document = document(&rows, in_sync, applied);
        if let Some(members) = document.as_object_mut() {
            members.insert("operation".into(), json!(view.id));
            members.insert("status".into(), json!(view.status));
        }
        out::json(&document, true)?;
    } else {
        let mut rows = vec![["DEVICE", "WAVE", "OUTCOME", "MS", "REASON"].map(str::to_owned).to_vec()];
        rows.extend(view.steps.iter().map(|step| {
            vec![
                step.device.to_string(),
                step.wave.to_string(),
                outcome_name(outcome(&step.phase)).replace('_', " "),
                step.ms.map_or_else(|| "-".into(), |ms| ms.to_string()),
                step.reason.clone(),
            ]
        }));
        out::data(&out::table(&rows));
        out::talk(&view.status);
    }
    let history = "`fabric-orch history` keeps this; `fabric-orch plan` shows what is left";
    if has(Outcome::Unknown) {
        return Err(Failure::new("an outcome is not known").hint(history).code(UNKNOWN));
    }
    if has(Outcome::Failed) || has(Outcome::NotRetained) {
        let what = if has(Outcome::Failed) { "a device did not take its changes" } else { "a device did not keep its changes" };
        return Err(Failure::new(what).hint(history).code(ERROR));
    }
    if view.id == 0 || has(Outcome::Refused) {
        return Err(Failure::new(view.status.clone()).hint("plan again").code(REFUSED));
    }
    Ok(CLEAN)
}
