//! `plan`: what would change.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::{CHANGES, CLEAN, ERROR, Exit, Failure, Global, out};
use crate::engine::snapshot::Snapshot;
use crate::engine::{self, Engine, Handle, Options};
use crate::plan::{json as document, model, text};

/// `plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Only this device; again for more
    #[arg(long = "device", value_name = "NAME")]
    devices: Vec<String>,
    /// Read intent from this NetBox branch
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Accept a block of the plan, or intent that shrank (`intent-shrank`), by its name; again for more
    #[arg(long = "override", value_name = "NAME")]
    overrides: Vec<String>,
    /// Write the plan to this file, for `apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Plan {
    /// Prints it.
    pub async fn run(self, global: &Global) -> Exit {
        let settings = global.settings()?;
        let (handle, snapshot) = match observe(settings.clone(), self.devices, self.branch, self.overrides).await {
            Ok(pair) => pair,
            Err(failure) => {
                if self.json {
                    out::json(&json!({"format": model::FORMAT, "error": failure.message, "hint": failure.hint}), true)?;
                }
                return Err(failure);
            }
        };
        handle.stop().await;
        let mut plan = model::Plan::clone(&snapshot.plan);
        match engine::blame::complete(&settings, &mut plan).await {
            Ok(0) => {}
            Ok(unknown) => {
                out::talk(&format!("who changed {unknown} of the objects last is unknown: NetBox's change log does not go back that far"))
            }
            Err(reason) => out::talk(&format!("who changed some of the objects last is unknown: {reason}")),
        }
        let plan = &plan;
        if let Some(file) = &self.out {
            engine::write_plan(plan, file)?;
            out::talk(&format!("plan written to {}", file.display()));
        }
        if self.json {
            out::json(&document::document(plan), true)?;
        } else {
            out::data(&text::render(plan));
        }
        verdict(plan)
    }
}

/// What a plan means as an exit code. A device nothing is known about is not in sync.
pub fn verdict(plan: &model::Plan) -> Exit {
    let lost: Vec<String> = plan
        .unknown
        .iter()
        .filter(|unknown| unknown.state != "pending")
        .map(|unknown| format!("{} ({})", unknown.device, unknown.state))
        .collect();
    match (plan.steps.is_empty(), lost.is_empty()) {
        (false, _) => Ok(CHANGES),
        (true, true) => Ok(CLEAN),
        (true, false) => {
            Err(Failure::new(format!("nothing is known about {}", lost.join(", "))).hint("the other devices are in sync").code(ERROR))
        }
    }
}

/// Starts an engine and waits until everything is known. Fails when intent is not, or when a device that was named is not in it.
pub async fn observe(
    settings: crate::config::Settings,
    devices: Vec<String>,
    branch: Option<String>,
    overrides: Vec<String>,
) -> Result<(Handle, Arc<Snapshot>), Failure> {
    let limit = settings.timing.sync + settings.netbox.timeout;
    let mut handle = Engine::start(settings, Options::once(devices.clone(), branch, overrides))?;
    let snapshot = handle.settled(limit).await?;
    if snapshot.intent.read.is_none() {
        let error = snapshot.intent.error.clone().unwrap_or_else(|| "no answer from NetBox in time".into());
        handle.stop().await;
        let (message, hint) = error.rsplit_once("; ").unwrap_or((&error, ""));
        return Err(Failure::new(format!("intent could not be read, so nothing is planned: {message}")).hint(hint));
    }
    if let Some(missing) = devices.iter().find(|name| !snapshot.devices.iter().any(|view| *view.name == ***name)) {
        handle.stop().await;
        return Err(Failure::new(format!("{missing} is not in intent")).hint("`fabric-orch intent show` lists the devices"));
    }
    if snapshot.devices.is_empty() {
        handle.stop().await;
        return Err(Failure::new("intent holds no device").hint("check the tag in [fabric.NAME.netbox] and the permissions of the token"));
    }
    Ok((handle, snapshot))
}
