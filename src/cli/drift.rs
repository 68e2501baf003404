//! `drift status`: what differs from intent now, a row a device.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CHANGES, Exit, Global, out, plan};

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
}

impl Drift {
    /// Prints it.
    pub async fn run(self, global: &Global) -> Exit {
        let What::Status { devices, json } = self.what;
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
                let by =
                    view.changed.as_ref().map_or_else(|| "-".to_owned(), |change| format!("{} {}", out::time(change.time), change.user));
                vec![view.name.to_string(), state, drift, view.tally.equal.to_string(), view.tally.foreign.to_string(), health, by]
            }));
            out::data(&out::table(&rows));
        }
        match plan::verdict(&snapshot.plan)? {
            0 => Ok(0),
            _ => Ok(CHANGES),
        }
    }
}
