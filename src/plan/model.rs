//! A plan as data: what a person reviews, what is saved, hashed and committed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diff::change::{Change, ChangeKey, Finding};
use crate::path::Path;
use crate::value::Value;

/// The versioned name of the JSON shape.
pub const FORMAT: &str = "fabric-orch/plan/1";

/// Ordered waves plus the guards that make them safe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: String,
    /// SHA-256 over everything else, hex. A plan file with another hash is refused.
    pub hash: String,
    /// The fabric it was made for.
    pub fabric: String,
    /// Milliseconds since the Unix epoch.
    pub made: u64,
    /// Nothing to do on any device that could be read.
    pub in_sync: bool,
    /// One a device and wave, in the order they are sent.
    pub steps: Vec<Step>,
    /// Names of the devices of each wave.
    pub waves: Vec<Vec<Arc<str>>>,
    /// Why the plan may not be committed as it is. Empty when it may.
    pub blocked: Vec<Block>,
    /// Devices no plan could be made for, and why: unreachable, wrong password, not onboarded.
    pub unknown: Vec<UnknownDevice>,
    /// What intent cannot say or devices cannot hold.
    pub findings: Vec<Finding>,
}

/// The changes of one device sent in one Set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the plan: `1-leaf1`.
    pub id: String,
    /// The device's name.
    pub device: Arc<str>,
    /// Counted from 1.
    pub wave: usize,
    /// In the order in which they take effect.
    pub changes: Vec<Change>,
    /// Exactly what is sent.
    pub set: SetRequest,
    /// What was read when the plan was made: a moved leaf makes the step stale. `None` = absent.
    pub read_set: Vec<Guard>,
    /// Why it stands in this wave: `never both members of pair leaf1+leaf2 in one wave`.
    pub why: String,
}

/// A leaf as it was when the plan was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// The leaf, or a list entry that must still hold exactly these leaves.
    pub path: Path,
    /// Its value; `None` = absent.
    pub value: Option<Value>,
}

/// A gNMI Set in the order of its fields: deletes, replaces, updates. Values are JSON_IETF.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetRequest {
    /// Leaves and list entries.
    pub delete: Vec<Path>,
    /// Leaf-lists only: an update of a leaf-list may add without removing.
    pub replace: Vec<SetUpdate>,
    /// Leaves and list entries; origin `cli` entries carry command lines as text.
    pub update: Vec<SetUpdate>,
}

/// One update of a Set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetUpdate {
    /// Where.
    pub path: Path,
    /// JSON_IETF, or for origin `cli` a JSON string of command lines, sent as ascii_val.
    pub value: serde_json::Value,
}

/// An invariant the plan breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The name it is overridden by: `vtep-source-advertised`.
    pub name: String,
    /// The device it is about.
    pub device: Arc<str>,
    /// What would break, one line.
    pub reason: String,
    /// The changes that break it.
    pub changes: Vec<ChangeKey>,
}

/// A device nothing is claimed about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownDevice {
    /// Its name.
    pub device: Arc<str>,
    /// `auth-failed`, `unreachable`, `syncing`, `refused`, `pending`.
    pub state: String,
    /// In words, with the next step.
    pub reason: String,
}

impl Plan {
    /// All changes in the order they are sent.
    pub fn changes(&self) -> impl Iterator<Item = (&Step, &Change)> {
        self.steps.iter().flat_map(|step| step.changes.iter().map(move |change| (step, change)))
    }
}
