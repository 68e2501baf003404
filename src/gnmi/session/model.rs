//! The words of a session: how a path is wanted and had, what happens, what is done.

use std::time::Duration;

use crate::gnmi::error::Error;
use crate::path::Path;

/// How a path is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// When it changes.
    OnChange,
    /// Every interval.
    Sample,
    /// As the device thinks best.
    TargetDefined,
}

/// One path of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// What to watch; wildcards and missing keys stand for everything.
    pub path: Path,
    /// How.
    pub mode: Mode,
    /// For SAMPLE, and for the periodic Get when it comes to that.
    pub interval: Duration,
    /// For ON_CHANGE: say it again this often even if nothing moved. Zero: never.
    pub heartbeat: Duration,
}

impl Subscription {
    /// On change, without heartbeat.
    pub fn on_change(path: Path) -> Self {
        Self { path, mode: Mode::OnChange, interval: Duration::from_secs(30), heartbeat: Duration::ZERO }
    }

    /// Every `interval`.
    pub fn sample(path: Path, interval: Duration) -> Self {
        Self { path, mode: Mode::Sample, interval, heartbeat: Duration::ZERO }
    }
}

/// How a path is had by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// Streamed on change.
    OnChange,
    /// Streamed every interval.
    Sample,
    /// Streamed as the device thinks best.
    TargetDefined,
    /// Read by Get every interval.
    Get,
    /// Not at all.
    GivenUp,
}

impl How {
    pub(super) fn streams(self) -> bool {
        matches!(self, Self::OnChange | Self::Sample | Self::TargetDefined)
    }
}

/// The words of the device row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No stream yet.
    Connecting,
    /// First values are coming.
    Syncing,
    /// Synced and current.
    Live,
    /// Values are old: the stream broke, or nothing came for too long.
    Stale,
    /// The device refuses every path.
    Refused,
    /// Wrong user or password, or no permission.
    AuthFailed,
}

/// What a device row says about the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The state.
    pub state: State,
    /// What is wrong; `None` when nothing is.
    pub trouble: Option<Error>,
    /// When the next try is due, on the machine's clock.
    pub next_try: Option<u64>,
    /// Live, although the device never said that it sent everything.
    pub unsynced: bool,
}

/// The machine's patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// First wait after a failure; doubles.
    pub backoff_first: Duration,
    /// Longest wait, and the only one after wrong credentials and certificates.
    pub backoff_most: Duration,
    /// How long everything refused stays refused.
    pub refused: Duration,
    /// A stream that was live this long is healthy: waits start from the first again.
    pub healthy: Duration,
    /// No sync and nothing more: it will not come. Long, because a device under load pauses for seconds in the middle of its
    /// first values, and half of them would look like drift.
    pub no_sync_quiet: Duration,
    /// No sync although values keep coming: it will not come.
    pub no_sync_most: Duration,
    /// On the first sync: quiet that must follow it before it is believed, ten times that at most.
    pub settle_first: Duration,
    /// On a resync, and after a sync before any value: quiet that must follow a sync before it is believed.
    pub settle: Duration,
    /// It is believed after this in any case.
    pub settle_most: Duration,
    /// Silence of a stream with samples or heartbeats that makes it stale (at least three of their intervals). After twice
    /// this it is set up again.
    pub silence: Duration,
    /// A trial of part of the list that is not refused for so long is accepted.
    pub trial: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            backoff_first: Duration::from_secs(1),
            backoff_most: Duration::from_secs(60),
            refused: Duration::from_secs(300),
            healthy: Duration::from_secs(30),
            no_sync_quiet: Duration::from_secs(20),
            no_sync_most: Duration::from_secs(60),
            settle_first: Duration::from_millis(100),
            settle: Duration::from_millis(500),
            settle_most: Duration::from_secs(5),
            silence: Duration::from_secs(30),
            trial: Duration::from_secs(2),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The connection stands.
    Connected,
    /// It could not be made.
    ConnectFailed(Error),
    /// A message with this many leaf updates or deletes came.
    Message(usize),
    /// The device says that it sent everything.
    Sync,
    /// The stream ended, with an error or without.
    StreamFailed(Error),
    /// The answer of an [`Action::Get`].
    Got(usize, Option<Error>),
    /// Time passed.
    Tick,
    /// We were too slow and threw updates away.
    Overflow(u64),
    /// Everything must be said again. `forget`: try refused paths again too.
    Resync {
        /// Whether decisions about refused paths are forgotten.
        forget: bool,
    },
    /// One more path.
    Add(Subscription),
    /// A path is no longer wanted.
    Remove(Path),
}

/// What to do. Numbers are those of the machine's subscriptions.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Drop what there is and connect.
    Connect,
    /// Drop the stream there is and open one with these, on the connection there is.
    Open(Vec<usize>),
    /// Drop the stream; keep the connection.
    CloseStream,
    /// Drop the stream and the connection.
    Close,
    /// Read this path now.
    Get(usize),
    /// Everything comes again from here on: begin to mark.
    SyncStart,
    /// Everything came: sweep what is not marked, if not `unsynced`.
    SyncDone {
        /// The device never said so: nothing may be swept.
        unsynced: bool,
    },
    /// The device refused a path; this is how it is had from now on.
    PathRefused {
        /// Which.
        index: usize,
        /// The device's words.
        reason: String,
        /// What is tried now.
        now: How,
    },
    /// Tell the receiver.
    Report(Report),
}

impl From<Mode> for How {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::OnChange => Self::OnChange,
            Mode::Sample => Self::Sample,
            Mode::TargetDefined => Self::TargetDefined,
        }
    }
}
