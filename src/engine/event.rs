//! What the engine's tasks tell its loop.

use std::sync::Arc;

use crate::diff::change::Severity;
use crate::path::Path;
use crate::plan::model::Plan;
use crate::value::Value;
use crate::{gnmi, intent, netbox};

use super::health::Mlag;
use super::snapshot::{CommitView, Happening, LogEntry, Reading};

/// Something a task tells. Device events carry the number of the device's life, so that what a stopped task still says is dropped.
#[derive(Debug)]
pub enum Event {
    /// A device's stream.
    Stream(Arc<str>, u64, Box<gnmi::SessionEvent>),
    /// What was read from a device's command line.
    Cli(Arc<str>, u64, CliRead),
    /// Leaves somebody asked for; they join the tree.
    Got(Arc<str>, Vec<(Path, Value)>),
    /// NetBox was read, or could not be.
    Intent(Box<Result<netbox::Read, netbox::Error>>),
    /// For a branch: what main wants.
    Main(Box<intent::Fabric>),
    /// NetBox is being read: so far it is.
    Reading(Reading),
    /// A call was made.
    Called(LogEntry),
    /// A plan that was made aside, by its number.
    Planned(u64, Arc<Plan>),
    /// How the commit goes.
    Commit(Box<CommitView>),
    /// The commit is over; leaves it put on devices or could not are in the journal.
    CommitEnded,
    /// Something for the feed.
    Happened(Happening),
}

/// What was read from a device's command line.
#[derive(Debug)]
pub enum CliRead {
    /// The running configuration.
    Running(Arc<str>),
    /// `show mlag`.
    Mlag(Mlag),
    /// A command failed.
    Failed(&'static str, gnmi::Error),
}

/// A happening, now.
pub fn happening(source: &Arc<str>, severity: Severity, text: impl Into<String>) -> Happening {
    Happening { time: crate::store::now(), source: Arc::clone(source), text: text.into(), severity }
}
