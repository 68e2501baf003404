//! `rollback`: takes a past operation back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{CHANGES, Exit, Failure, Global, REFUSED, apply, out, plan};
use crate::engine::command::Command;
use crate::engine::{self, Handle};
use crate::plan::{json, model, text};

/// `rollback`
#[derive(Debug, Args)]
pub struct Rollback {
    /// Its number in `history`
    #[arg(value_name = "OPERATION")]
    operation: u64,
    /// Only write the plan to a file, for `apply`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    options: apply::Options,
}

impl Rollback {
    /// Plans it; commits it unless it goes to a file.
    pub async fn run(self, global: &Global) -> Exit {
        let settings = global.settings()?;
        if !settings.may_write && self.out.is_none() {
            let hint = "give --write, or set `write = true` for the fabric; with --out FILE the plan is only written";
            return Err(Failure::new("read-only").hint(hint).code(REFUSED));
        }
        let context = apply::Context::of(&settings, false);
        let (mut handle, _) = match plan::observe(settings, Vec::new(), None, self.options.overrides.clone()).await {
            Ok(pair) => pair,
            Err(failure) => return Err(self.options.failed(failure)?),
        };
        let made = match made(&mut handle, self.operation).await {
            Ok(made) => made,
            Err(failure) => {
                handle.stop().await;
                return Err(self.options.failed(failure)?);
            }
        };
        let Some(file) = &self.out else { return apply::commit(handle, made, &self.options, &context).await };
        handle.stop().await;
        engine::write_plan(&made, file)?;
        if self.options.json {
            out::json(&json::document(&made), true)?;
        } else {
            out::data(&text::render(&made));
        }
        Ok(CHANGES)
    }
}

/// The plan that takes an operation back.
async fn made(handle: &mut Handle, operation: u64) -> Result<Arc<model::Plan>, Failure> {
    handle.send(Command::Rollback(operation)).await?;
    let asked = |rollback: &engine::snapshot::Rollback| rollback.operation == operation;
    let snapshot = handle.until(Duration::from_secs(60), |snapshot| snapshot.rollback.as_deref().is_some_and(asked)).await?;
    let refused = snapshot.rollback.as_ref().and_then(|rollback| rollback.refused.clone());
    match (refused, &snapshot.staged_plan) {
        (None, Some(plan)) => Ok(Arc::clone(plan)),
        (words, _) => {
            let words = words.unwrap_or_else(|| "the engine did not answer in time".into());
            Err(Failure::new(format!("no rollback of operation {operation}: {words}")).hint("nothing was sent").code(REFUSED))
        }
    }
}
