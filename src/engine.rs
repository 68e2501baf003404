//! The only place that spawns: commands in, snapshots out; device sessions, reconcile loop, commit runner.
//!
//! A front end starts an [`Engine`], sends [`command::Command`]s and draws [`snapshot::Snapshot`]s. Headless commands use the
//! same engine: they wait until everything that can be known is known ([`Handle::settled`]), and read the plan off it.

pub mod blame;
pub mod class;
pub mod command;
mod commit;
pub mod copy;
mod core;
mod device;
pub mod discover;
mod error;
mod event;
pub mod feed;
mod gate;
pub mod health;
pub mod heap;
pub mod history;
mod identity;
pub mod intent;
mod line;
mod poller;
pub mod rates;
mod reader;
mod reconcile;
mod rollback;
mod shrunk;
mod sight;
pub mod silence;
pub mod snapshot;
pub mod subscriptions;
pub mod webhook;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::plan::model::Plan;
use crate::store::Store;
use crate::yang::Schema;

use self::command::Command;
pub use self::commit::name as outcome_name;
pub use self::error::Error;
pub use self::shrunk::SHRANK;
use self::snapshot::{Snapshot, Stream};
pub use crate::store::now;

/// How the engine is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sample counters: for a console.
    pub telemetry: bool,
    /// Follow NetBox's change log after the first read.
    pub follow: bool,
    /// Write drift to the journal.
    pub record: bool,
    /// Only these devices; empty is all.
    pub devices: Vec<String>,
    /// A NetBox branch to read instead of the main one.
    pub branch: Option<String>,
    /// Blocks accepted by name from the start.
    pub overrides: Vec<String>,
}

impl Options {
    /// For a console: everything, for as long as it runs.
    pub fn console() -> Self {
        Self { telemetry: true, follow: true, record: true, devices: Vec::new(), branch: None, overrides: Vec::new() }
    }

    /// For a monitor without a screen: everything but counters.
    pub fn monitor() -> Self {
        Self { telemetry: false, ..Self::console() }
    }

    /// For one plan.
    pub fn once(devices: Vec<String>, branch: Option<String>, overrides: Vec<String>) -> Self {
        Self { telemetry: false, follow: false, record: false, devices, branch, overrides }
    }
}

/// The engine.
#[derive(Debug)]
pub struct Engine;

/// The two ends a front end holds. Dropping it ends the engine.
#[derive(Debug)]
pub struct Handle {
    /// What a front end asks.
    pub commands: mpsc::Sender<Command>,
    /// What is known.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Ends when the engine has.
    pub join: JoinHandle<()>,
    /// The schema, for front ends that browse it.
    pub schema: Arc<Schema>,
}

impl Engine {
    /// Starts it on the current runtime. A journal that cannot be opened does not keep it from mirroring, only from committing.
    ///
    /// # Errors
    /// When the schema compiled in cannot be read.
    pub fn start(settings: Settings, options: Options) -> Result<Handle, Error> {
        let schema = Arc::new(Schema::eos()?);
        let store = Store::open(&settings.state).map(Arc::new).map_err(|error| format!("{error}; {}", error.hint()));
        let settings = Arc::new(settings);
        let (commands, asked) = mpsc::channel(64);
        let (events, told) = mpsc::channel(1024);
        let (snapshots, seen) = watch::channel(Arc::new(core::blank(&settings)));
        let start =
            core::Start { settings, options, schema: Arc::clone(&schema), store, events, snapshots, stop: CancellationToken::new() };
        let join = tokio::spawn(core::Core::new(start).run(asked, told));
        Ok(Handle { commands, snapshots: seen, join, schema })
    }
}

impl Handle {
    /// Sends a command.
    ///
    /// # Errors
    /// When the engine has ended.
    pub async fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| Error::Ended)
    }

    /// Waits for a snapshot that `wanted` accepts, at most `limit`; then gives the last one anyway.
    ///
    /// # Errors
    /// When the engine has ended.
    pub async fn until(&mut self, limit: Duration, mut wanted: impl FnMut(&Snapshot) -> bool) -> Result<Arc<Snapshot>, Error> {
        let waited = match tokio::time::timeout(limit, self.snapshots.wait_for(|snapshot| wanted(snapshot))).await {
            Ok(Ok(snapshot)) => Some(Arc::clone(&snapshot)),
            Ok(Err(_)) => return Err(Error::Ended),
            Err(_) => None,
        };
        Ok(waited.unwrap_or_else(|| Arc::clone(&self.snapshots.borrow())))
    }

    /// Waits until everything that can be known is known, at most `limit`.
    ///
    /// # Errors
    /// When the engine has ended.
    pub async fn settled(&mut self, limit: Duration) -> Result<Arc<Snapshot>, Error> {
        self.until(limit, Snapshot::settled).await
    }

    /// Ends the engine and waits for it.
    pub async fn stop(self) {
        let _ = self.commands.send(Command::Quit).await;
        let _ = tokio::time::timeout(Duration::from_secs(5), self.join).await;
    }
}

impl Snapshot {
    /// Whether everything that can be known is known: intent was read or could not be, and each device is compared, refuses
    /// us, or cannot be reached.
    pub fn settled(&self) -> bool {
        let known = |view: &snapshot::DeviceView| match view.stream {
            Stream::Live => view.changes.is_some() && (view.pair.is_none() || view.health.mlag.as_deref() != Some("unknown")),
            Stream::Syncing => false,
            Stream::Connecting => !view.trouble.is_empty(),
            Stream::Stale | Stream::Refused | Stream::AuthFailed => true,
        };
        (self.intent.error.is_some() || self.intent.read.is_some()) && self.devices.iter().all(|view| known(view))
    }
}

/// Writes a plan to a file, whole, so that `apply FILE` can commit it.
///
/// # Errors
/// When the file cannot be written.
pub fn write_plan(plan: &Plan, file: &Path) -> Result<(), Error> {
    let failed = |reason: String| Error::File { file: file.display().to_string(), reason };
    let text = serde_json::to_string_pretty(&crate::plan::json::document(plan)).map_err(|error| failed(error.to_string()))?;
    std::fs::write(file, text + "\n").map_err(|error| failed(error.to_string()))
}

/// Reads a plan from a file and checks that nobody touched it.
///
/// # Errors
/// When it cannot be read, is no plan of this version, or does not have the hash it says.
pub fn read_plan(file: &Path) -> Result<Plan, Error> {
    let failed = |reason: String| Error::File { file: file.display().to_string(), reason };
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    crate::plan::json::parse(&text).map_err(|error| failed(error.to_string()))
}
