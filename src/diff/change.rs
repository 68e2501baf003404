//! One difference between desired and observed, as data.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::construct::Construct;
use crate::path::Path;
use crate::tree::Origin;
use crate::value::Value;

/// What has to be done to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Desired, not observed.
    Create,
    /// Desired with another value.
    Update,
    /// Observed, ours, not desired.
    Delete,
}

/// How bad sending this change can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Descriptions, names: no packet notices.
    #[default]
    None,
    /// Adds something, or repairs what is down already.
    Low,
    /// Can flap a session or a link.
    Flap,
    /// Can drop traffic: deletes of what carries it.
    Outage,
}

/// One leaf, or one list entry that goes as a whole, that differs on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The device's name.
    pub device: Arc<str>,
    /// The leaf, or for [`Kind::Delete`] possibly the list entry, that differs.
    pub path: Path,
    /// What has to be done.
    pub kind: Kind,
    /// What intent wants; `None` for deletes.
    pub desired: Option<Value>,
    /// What the device has; `None` for creates. For a deleted entry its leaves as JSON (`{"relative/path": value}`).
    pub observed: Option<Value>,
    /// The group it is shown in and ordered by.
    pub construct: Construct,
    /// The list entry it belongs to, in words: `Ethernet11`, `VLAN 40`, `neighbor 10.0.1.0`.
    pub entry: String,
    /// For creates: the outermost list entry around it that the device has nothing of yet. Its leaves go together.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new_entry: Option<Path>,
    /// Who wanted it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub origin: Option<Arc<Origin>>,
    /// What sending it can break.
    pub risk: Risk,
    /// Why, in words for the operator: `flaps 10.0.3.1`. Empty when there is nothing to say.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub warning: String,
    /// Only the NetBox branch that is read wants it; main does not, yet.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unmerged: bool,
}

/// A change's name: what staging, plans and screens select by, never by row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangeKey {
    /// The device's name.
    pub device: Arc<str>,
    /// The leaf or entry.
    pub path: Path,
}

impl Change {
    /// Its name.
    pub fn key(&self) -> ChangeKey {
        ChangeKey { device: Arc::clone(&self.device), path: self.path.clone() }
    }
}

/// Something intent cannot say or a device cannot hold: a row for the operator, never a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A short stable name: `missing-vlan`, `not-retained`.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// The device, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<Arc<str>>,
    /// The path, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<Path>,
    /// The NetBox object it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub origin: Option<Arc<Origin>>,
    /// What is wrong, one line, without a full stop.
    pub message: String,
    /// The next step, one line. May be empty.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub hint: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something is left out because of it.
    Warning,
    /// No plan for the device, or for the fabric, until it is mended.
    Error,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}
