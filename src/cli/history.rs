//! `history`: past operations and what became of each device.

use clap::Args;
use serde_json::json;

use super::{CLEAN, ERROR, Exit, Global, out};
use crate::engine::history as past;

/// `history`
#[derive(Debug, Args)]
pub struct History {
    /// How many, newest first
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Show drift events instead of operations
    #[arg(long)]
    drift: bool,
    /// Check the hash chain of the audit trail
    #[arg(long)]
    verify: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl History {
    /// Prints it.
    pub fn run(self, global: &Global) -> Exit {
        let settings = global.settings()?;
        if self.verify {
            let (rows, broken) = past::verify(&settings)?;
            if self.json {
                out::json(&json!({"format": "fabric-orch/audit/1", "rows": rows, "broken_at": broken}), true)?;
            } else if let Some(row) = broken {
                out::data(&format!("audit trail broken at row {row}: it was changed, or a row is missing"));
            } else {
                out::data(&format!("audit trail holds: {rows} rows"));
            }
            return Ok(if broken.is_some() { ERROR } else { CLEAN });
        }
        if self.drift {
            let events = past::drift(&settings, self.limit)?;
            if self.json {
                out::json(&json!({"format": "fabric-orch/drift-history/1", "fabric": &*settings.fabric, "events": events}), true)?;
                return Ok(CLEAN);
            }
            let mut rows = vec![["SEEN", "GONE", "DEVICE", "PATH", "DESIRED", "OBSERVED", "BY"].map(str::to_owned).to_vec()];
            rows.extend(events.into_iter().map(|event| {
                vec![
                    out::time(event.appeared),
                    event.cleared.map_or_else(|| "-".into(), out::time),
                    event.device,
                    event.path,
                    event.desired.unwrap_or_else(|| "-".into()),
                    event.observed.unwrap_or_else(|| "-".into()),
                    event.changed_by,
                ]
            }));
            out::data(&out::table(&rows));
            return Ok(CLEAN);
        }
        let operations = past::operations(&settings, self.limit)?;
        if self.json {
            out::json(&json!({"format": "fabric-orch/history/1", "fabric": &*settings.fabric, "operations": operations}), true)?;
            return Ok(CLEAN);
        }
        if operations.is_empty() {
            out::talk("no operations yet");
        }
        for operation in operations {
            out::data(&format!(
                "{} {} by {} on {}  plan {}  {}",
                operation.id,
                out::time(operation.started),
                operation.user,
                operation.host,
                operation.plan.get(..12).unwrap_or(&operation.plan),
                operation.status
            ));
            let rows: Vec<_> = operation
                .actions
                .into_iter()
                .map(|action| {
                    vec![
                        format!("  wave {}", action.wave),
                        action.device,
                        action.outcome.unwrap_or(action.phase),
                        action.ms.map_or_else(|| "-".into(), |ms| format!("{ms} ms")),
                        action.reason,
                    ]
                })
                .collect();
            out::data(&out::table(&rows));
        }
        Ok(CLEAN)
    }
}
