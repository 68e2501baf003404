//! What a front end can ask of the engine. The engine refuses writes unless the fabric is armed: one `match`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diff::change::ChangeKey;
use crate::path::Path;
use crate::plan::model::Plan;

/// What a front end can ask of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Read intent again now.
    RefreshIntent,
    /// Somebody says that intent was edited (a webhook): look at NetBox's change log now.
    IntentHint,
    /// Drop a device's stream and read everything again.
    Resync(Arc<str>),
    /// Add changes to the staged set; what they depend on is pulled in.
    Stage(Vec<ChangeKey>),
    /// Take changes out of the staged set; what depends on them falls out.
    Unstage(Vec<ChangeKey>),
    /// Empty the staged set.
    UnstageAll,
    /// Allow writes until the engine's arming time is over.
    Arm,
    /// Read-only again.
    Disarm,
    /// Accept a block of the plan by name.
    Override(String),
    /// Commit the staged plan with this hash; refused when another one is staged by now, or when not armed.
    Commit {
        /// [`crate::plan::model::Plan::hash`] of the plan that was reviewed.
        hash: String,
    },
    /// Commit this very plan, as it was read from a file or shown whole; refused when not armed.
    CommitPlan(Arc<Plan>),
    /// Plan to take an operation back; what comes of it is in the next snapshots ([`super::snapshot::Snapshot::rollback`]), the plan
    /// is staged.
    Rollback(u64),
    /// Stop after the steps under way.
    Abort,
    /// Get a subtree of one device now; the answer is logged and merged into its tree.
    Get(Arc<str>, Path),
    /// Add a path to a device's subscription.
    Subscribe(Arc<str>, Path),
    /// Write the staged plan to a file.
    SavePlan(String),
    /// Stop everything; the engine ends.
    Quit,
}
