//! What the engine reports: one immutable snapshot at a time, cheap to make and to keep. Front ends draw it and nothing else.

#[cfg(test)]
pub(crate) mod fixture;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diff::change::{Change, ChangeKey, Finding};
use crate::intent::fabric::Role;
use crate::path::Path;
use crate::plan::model::Plan;
use crate::tree::Tree;

use super::silence::Silenced;

/// The fabric now. All times are milliseconds since the Unix epoch by our clock.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Moves with every snapshot.
    pub version: u64,
    /// When it was made.
    pub now: u64,
    /// The fabric's name in the settings.
    pub fabric: Arc<str>,
    /// `lab`, `staging`, `production`: production wants the name typed.
    pub environment: Arc<str>,
    /// Armed until then; `None` is read-only.
    pub armed_until: Option<u64>,
    /// Whether arming is allowed at all (`--write`, or `write = true`).
    pub may_write: bool,
    /// What is known of intent.
    pub intent: IntentView,
    /// Sorted: spines first, then pairs, each by name.
    pub devices: Vec<Arc<DeviceView>>,
    /// Picked for the next commit, with what was pulled in.
    pub staged: Arc<BTreeSet<ChangeKey>>,
    /// Those of `staged` that nobody picked, and for whom they came along.
    pub pulled_in: Arc<BTreeMap<ChangeKey, ChangeKey>>,
    /// The plan of what is staged; `None` when nothing is.
    pub staged_plan: Option<Arc<Plan>>,
    /// The rollback that was asked for last. While it is not refused, `staged_plan` is its plan.
    pub rollback: Option<Arc<Rollback>>,
    /// The plan of every difference there is.
    pub plan: Arc<Plan>,
    /// The commit under way, or the last one.
    pub commit: Option<Arc<CommitView>>,
    /// Steps of commits in the journal of this machine, by the name of their outcome.
    pub outcomes: Arc<BTreeMap<String, u64>>,
    /// The newest calls, oldest first, at most 2,000.
    pub log: Arc<Vec<LogEntry>>,
    /// The newest happenings, oldest first, at most 500.
    pub events: Arc<Vec<Happening>>,
}

/// A rollback somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// The operation to take back.
    pub operation: u64,
    /// Why there is no plan for it, in words.
    pub refused: Option<String>,
}

/// How far a read is: kind of object in words, read so far, of how many if known.
pub type Reading = Vec<(&'static str, usize, Option<usize>)>;

/// What is known of intent.
#[derive(Clone, Debug, Default)]
pub struct IntentView {
    /// Where it is read from.
    pub url: String,
    /// When the intent in force was read; `None` before the first time.
    pub read: Option<u64>,
    /// Why the last read failed; the intent in force is the one before. `None` when it did not.
    pub error: Option<String>,
    /// Whether the last read is held back because it shrank, until somebody accepts it: [`super::SHRANK`].
    pub held_back: bool,
    /// Objects read.
    pub objects: usize,
    /// While all of it is being read: how far that is.
    pub reading: Option<Arc<Reading>>,
    /// The branch that is read instead of main.
    pub branch: Option<String>,
    /// What is wrong with it, the worst first: found while reading, between objects, and while mapping.
    pub findings: Arc<Vec<Finding>>,
    /// What is wrong and was silenced in the settings.
    pub silenced: Arc<Vec<Silenced>>,
}

/// A stream's state: the words drawn in the device row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// No connection yet.
    Connecting,
    /// Connected, first values are coming.
    Syncing,
    /// Synced and current.
    Live,
    /// Nothing came for too long, or the stream broke: values are old.
    Stale,
    /// The device refused the subscription.
    Refused,
    /// Wrong user or password, or no permission.
    AuthFailed,
}

/// One device, now.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// Its name.
    pub name: Arc<str>,
    /// Its role.
    pub role: Role,
    /// Its AS number.
    pub asn: Option<u32>,
    /// Its pair, when in one.
    pub pair: Option<Arc<str>>,
    /// Its VTEP address.
    pub vtep: Option<String>,
    /// host:port.
    pub address: String,
    /// `TLS`, `PLAINTEXT`, `TLS NOT VERIFIED`: the last two are drawn in red wherever the address is.
    pub transport: String,
    /// EOS version, once seen.
    pub software: Option<String>,
    /// When it booted, once seen.
    pub booted: Option<u64>,
    /// The stream.
    pub stream: Stream,
    /// In this state since then.
    pub since: u64,
    /// When the last message came.
    pub last_update: Option<u64>,
    /// What is wrong, in words; empty when nothing is.
    pub trouble: String,
    /// What is odd about it although nothing is wrong with the stream, one line each: it floods, was replaced, came up without its
    /// configuration, is not seen in part.
    pub notes: Vec<String>,
    /// When the next try is due.
    pub next_try: Option<u64>,
    /// Paths the device does not give as we asked, with its reason and how they are had instead; the others stream on change.
    /// How many of them are had in which way is in `counters`.
    pub refused_paths: Vec<(Path, String)>,
    /// Counters of the stream.
    pub counters: StreamCounters,
    /// Every leaf it reported.
    pub observed: Arc<Tree>,
    /// Every leaf it should have.
    pub desired: Arc<Tree>,
    /// What differs; `None` while nothing can be said (never synced, or no intent): no drift is claimed then.
    pub changes: Option<Arc<Vec<Change>>>,
    /// Leaves equal, foreign, protected.
    pub tally: Tally,
    /// Leaves of others on this device: shown, never touched. Path and value as text.
    pub foreign: Arc<Vec<(Arc<Path>, String)>>,
    /// How it is doing.
    pub health: Health,
    /// Who changed its configuration last.
    pub changed: Option<ConfigChange>,
    /// Octet rates of each interface.
    pub rates: Arc<BTreeMap<String, Rate>>,
}

/// Counters of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamCounters {
    /// Leaf updates received.
    pub updates: u64,
    /// Updates thrown away because we were too slow; a resync follows.
    pub dropped: u64,
    /// Values the device coalesced.
    pub duplicates: u64,
    /// Times the stream was set up again.
    pub resyncs: u64,
    /// Paths sampled because the device does not tell changes of them.
    pub sampled: u64,
    /// Paths read by Get every so often because the device does not stream them.
    pub polled: u64,
    /// Paths the device gives in no way at all.
    pub missing: u64,
    /// Updates of paths beyond what one device may bring in: not kept.
    pub ignored: u64,
}

/// How the leaves of a device divide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Desired and observed alike.
    pub equal: usize,
    /// Somebody else's.
    pub foreign: usize,
    /// Never written even if intent asks.
    pub protected: usize,
}

/// How a device is doing: facts of state, never mixed with drift.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// BGP sessions established and expected, all families, all VRFs.
    pub bgp: Option<(usize, usize)>,
    /// EVPN sessions established and expected.
    pub evpn: Option<(usize, usize)>,
    /// `active`, `inactive`, `peer down`, …; `None` for a device without MLAG.
    pub mlag: Option<String>,
    /// `up`, `down`; `None` for a device that is no VTEP.
    pub vtep: Option<String>,
    /// What is not well, one line each: `EVPN 10.0.250.1 ACTIVE`.
    pub problems: Vec<String>,
}

/// Who changed a device's configuration, when, through which session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigChange {
    /// User name.
    pub user: String,
    /// Session id or name, as the device calls it.
    pub session: String,
    /// Milliseconds since the epoch.
    pub time: u64,
}

/// Octet rates of one interface.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rate {
    /// Bits per second received, oldest first, at most 60 samples.
    pub in_bps: Vec<f64>,
    /// Bits per second sent, oldest first, at most 60 samples.
    pub out_bps: Vec<f64>,
}

/// How a step of a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Sent, read back, as desired.
    Applied,
    /// Nothing had to be sent.
    Unchanged,
    /// Not sent: stale, blocked, not armed, or the device said no before anything changed.
    Refused,
    /// The device answered with an error; nothing changed on it.
    Failed,
    /// The answer was lost: nobody knows yet.
    Unknown,
    /// Accepted, but not there when read back; not sent again.
    NotRetained,
    /// Undone.
    RolledBack,
}

/// Where a step of a commit is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its wave has not come.
    Waiting,
    /// Reading the device again.
    Rereading,
    /// Writing the journal.
    Journaling,
    /// The Set is on its way.
    Sending,
    /// Reading back what was set.
    Verifying,
    /// Watching health.
    Settling,
    /// Ended.
    Done(Outcome),
}

/// A commit under way, or ended.
#[derive(Clone, Debug, Serialize)]
pub struct CommitView {
    /// Number of the operation in the journal.
    pub id: u64,
    /// Hash of its plan.
    pub hash: String,
    /// Who.
    pub user: String,
    /// When it began.
    pub started: u64,
    /// When it ended.
    pub ended: Option<u64>,
    /// One a step, in plan order.
    pub steps: Vec<CommitStep>,
    /// What it is waiting for, or how it ended, one line.
    pub status: String,
}

/// One step of a commit.
#[derive(Clone, Debug, Serialize)]
pub struct CommitStep {
    /// [`crate::plan::model::Step::id`].
    pub id: String,
    /// The device.
    pub device: Arc<str>,
    /// Counted from 1.
    pub wave: usize,
    /// Where it is.
    pub phase: Phase,
    /// Why it ended so, in words, naming the path.
    pub reason: String,
    /// Milliseconds the Set took.
    pub ms: Option<u64>,
}

/// One call to a device or to NetBox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// When it was made.
    pub time: u64,
    /// The device, or `netbox`.
    pub target: Arc<str>,
    /// `Get`, `Set`, `Subscribe`, `GET`, …
    pub call: String,
    /// Paths or URL, never a secret.
    pub what: String,
    /// `ok`, or the error as the server worded it.
    pub result: String,
    /// Milliseconds it took.
    pub ms: u64,
    /// The same as a gnmic or curl line; empty when there is none.
    pub copy: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Happening {
    /// When.
    pub time: u64,
    /// The device, or `netbox`, or `engine`.
    pub source: Arc<str>,
    /// One line: `drift +1 Ethernet11 description`.
    pub text: String,
    /// How much it matters.
    pub severity: crate::diff::change::Severity,
}
