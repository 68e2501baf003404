//! Scenario scripts: events done to a fabric, as data.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::commit::Op;
use super::convert::Payload;
use super::fabric::Fabric;
use super::refusal::Refusal;
use crate::path::Path;

/// One scenario, `lab/scenarios/<id>.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// `D01`.
    pub id: String,
    /// In a line.
    pub title: String,
    /// State before, in words.
    #[serde(default)]
    pub start: String,
    /// What happens, in order.
    #[serde(default)]
    pub event: Vec<Event>,
    /// What a plan should then hold, in words.
    #[serde(default)]
    pub expected_plan: Vec<String>,
    /// What is easily got wrong.
    #[serde(default)]
    pub traps: Vec<String>,
    /// Everything else the file says.
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}

/// Something done to a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// To whom.
    pub device: String,
    /// By whom; `noc-kim` if nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A Set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Script>,
    /// Fields of [`super::faults::Faults`] that change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Json>,
    /// Milliseconds it is off for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot_ms: Option<u64>,
}

/// The parts of a Set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete: Vec<Path>,
    /// Paths with JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<Part>,
    /// Paths with JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub update: Vec<Part>,
    /// Command lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cli: String,
}

/// A path and its JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Where.
    pub path: Path,
    /// What.
    pub value: Json,
}

impl Script {
    /// The operations in the order a device does them.
    pub fn ops(&self) -> Vec<Op> {
        let part = |part: &Part| (part.path.clone(), Payload::Json(part.value.clone()));
        let mut ops: Vec<Op> = self.delete.iter().cloned().map(Op::Delete).collect();
        ops.extend(self.replace.iter().map(part).map(|(path, json)| Op::Replace(path, json)));
        ops.extend(self.update.iter().map(part).map(|(path, json)| Op::Update(path, json)));
        if !self.cli.is_empty() {
            ops.push(Op::Cli(self.cli.clone()));
        }
        ops
    }
}

/// Why a scenario could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It names a device this fabric does not have.
    #[error("scenario event: no device is called {0} in this fabric")]
    NoDevice(String),
    /// A device refused it.
    #[error("scenario event on {device}: {refusal}")]
    Refused {
        /// Who.
        device: String,
        /// Why.
        refusal: Refusal,
    },
    /// A fault that does not exist.
    #[error("scenario event on {device}: fault: {error}")]
    Fault {
        /// Who.
        device: String,
        /// What.
        error: serde_json::Error,
    },
    /// No scenario.
    #[error("scenario: {0}")]
    Json(#[from] serde_json::Error),
}

impl Fabric {
    /// Does one event.
    ///
    /// # Errors
    /// [`ScenarioError`] naming the device.
    pub fn apply_event(&self, event: &Event) -> Result<(), ScenarioError> {
        let device = self.device(&event.device).ok_or_else(|| ScenarioError::NoDevice(event.device.clone()))?;
        if let Some(change) = &event.fault {
            let denied = device.faults().deny_login;
            let merged = device.with_faults(|faults| faults.merge(change));
            merged.map_err(|error| ScenarioError::Fault { device: event.device.clone(), error })?;
            if !denied && device.faults().deny_login {
                device.cut(); // open connections end, so that the change shows
            }
        }
        if let Some(script) = &event.set {
            let user = event.user.as_deref().unwrap_or("noc-kim");
            let done = self.commit(&event.device, user, &script.ops(), None);
            done.map_err(|refusal| ScenarioError::Refused { device: event.device.clone(), refusal })?;
        }
        if let Some(down) = event.reboot_ms {
            self.reboot(&event.device, Duration::from_millis(down), false);
        }
        Ok(())
    }

    /// Does all events of a scenario.
    ///
    /// # Errors
    /// The first [`ScenarioError`]; events before it were done.
    pub fn apply_scenario(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        scenario.event.iter().try_for_each(|event| self.apply_event(event))
    }

    /// The same, out of the file's text.
    ///
    /// # Errors
    /// As [`Fabric::apply_scenario`], and [`ScenarioError::Json`] if the text is none.
    pub fn apply_scenario_json(&self, text: &str) -> Result<(), ScenarioError> {
        self.apply_scenario(&serde_json::from_str(text)?)
    }
}
