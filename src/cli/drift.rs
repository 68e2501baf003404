//! `drift`: what differs from intent now, a row a device, or live, a line a difference.

use clap::{Args, Subcommand};
use serde_json::json;

use super::watch::{self, Moved};
use super::{CHANGES, CLEAN, Exit, Failure, Global, lab, out, plan};
use crate::engine::{Engine, Options};

/// `drift`
#[derive(Debug, Args)]
pub struct Drift {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A row a device
    Status {
        /// Only this device; again for more
        #[arg(long = "device", value_name = "NAME")]
        devices: Vec<String>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// A line for each difference that appears or goes, until interrupted
    Watch {
        /// Only this device; again for more
        #[arg(long = "device", value_name = "NAME")]
        devices: Vec<String>,
        /// One JSON document a line
        #[arg(long)]
        json: bool,
    },
}

impl Drift {
    /// Prints it.
    pub async fn run(self, global: &Global) -> Exit {
        match self.what {
            What::Status { devices, json } => status(global, devices, json).await,
            What::Watch { devices, json } => live(global, devices, json).await,
        }
    }
}

/// Prints what moves until a signal. What is there at the start comes first.
async fn live(global: &Global, devices: Vec<String>, json: bool) -> Exit {
    let mut settings = global.settings()?;
    settings.may_write = false;
    let handle = Engine::start(settings, Options { devices, record: false, ..Options::monitor() })?;
    let mut snapshots = handle.snapshots.clone();
    let (mut drift, mut said) = (watch::Drift::default(), watch::Said::default());
    let print = async {
        while snapshots.changed().await.is_ok() {
            let snapshot = snapshots.borrow_and_update().clone();
            for happening in said.fresh(&snapshot).iter().filter(|happening| !happening.text.starts_with("drift ")) {
                watch::talk(happening);
            }
            for moved in drift.step(&snapshot) {
                if json {
                    let document = match &moved {
                        Moved::Appeared(change) => json!({"format": FORMAT, "time": snapshot.now, "moved": "appeared", "change": change}),
                        Moved::Cleared(key) => {
                            json!({"format": FORMAT, "time": snapshot.now, "moved": "cleared", "device": key.device, "path": key.path})
                        }
                    };
                    out::json(&document, false)?;
                } else {
                    let text = |value: &Option<crate::value::Value>| value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
                    out::data(&match &moved {
                        Moved::Appeared(change) => format!(
                            "{} + {} {} {}: desired {}, observed {}",
                            out::time(snapshot.now),
                            change.device,
                            change.entry,
                            change.path,
                            text(&change.desired),
                            text(&change.observed)
                        ),
                        Moved::Cleared(key) => format!("{} - {} {}", out::time(snapshot.now), key.device, key.path),
                    });
                }
            }
        }
        Err(Failure::new("the engine ended by itself").hint("--log FILE says more"))
    };
    let ended = tokio::select! {
        ended = lab::signal() => ended,
        ended = print => ended,
    };
    handle.stop().await;
    ended.map(|()| CLEAN)
}

/// Shape and version of a line of `watch --json`.
const FORMAT: &str = "fabric-orch/drift-event/1";

/// A row a device.
async fn status(global: &Global, devices: Vec<String>, json: bool) -> Exit {
    let (handle, snapshot) = plan::observe(global.settings()?, devices, None, Vec::new()).await?;
    handle.stop().await;
    let state = |view: &crate::engine::snapshot::DeviceView| {
        let unknown = snapshot.plan.unknown.iter().find(|unknown| unknown.device == view.name);
        unknown.map_or_else(|| "live".to_owned(), |unknown| unknown.state.clone())
    };
    if json {
        let rows: Vec<_> = snapshot
            .devices
            .iter()
            .map(|view| {
                json!({
                    "device": view.name, "state": state(view), "trouble": view.trouble,
                    "drift": view.changes.as_ref().filter(|_| state(view) == "live").map(|changes| changes.len()),
                    "equal": view.tally.equal, "foreign": view.tally.foreign, "protected": view.tally.protected,
                    "changes": view.changes.as_deref(), "problems": view.health.problems,
                    "changed_by": view.changed.as_ref().map(|change| &change.user), "changed": view.changed.as_ref().map(|change| change.time),
                })
            })
            .collect();
        out::json(&json!({"format": "fabric-orch/drift/1", "fabric": &*snapshot.fabric, "devices": rows}), true)?;
    } else {
        let mut rows = vec![["DEVICE", "STATE", "DRIFT", "EQUAL", "FOREIGN", "HEALTH", "CHANGED BY"].map(str::to_owned).to_vec()];
        rows.extend(snapshot.devices.iter().map(|view| {
            let state = state(view);
            let drift =
                view.changes.as_ref().filter(|_| state == "live").map_or_else(|| "?".to_owned(), |changes| changes.len().to_string());
            let health = if view.health.problems.is_empty() { "ok".to_owned() } else { view.health.problems.join(", ") };
            let by = view.changed.as_ref().map_or_else(|| "-".to_owned(), |change| format!("{} {}", out::time(change.time), change.user));
            vec![view.name.to_string(), state, drift, view.tally.equal.to_string(), view.tally.foreign.to_string(), health, by]
        }));
        out::data(&out::table(&rows));
    }
    match plan::verdict(&snapshot.plan)? {
        0 => Ok(0),
        _ => Ok(CHANGES),
    }
}
