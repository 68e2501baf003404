//! Reads a device's command line now and then: the running configuration for lines that no YANG path carries, `show mlag` for
//! state that EOS has no YANG for. Only while the stream says the device is there: a wrong password is tried by the stream
//! alone, or the account would be locked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::gnmi::{CliAnswer, Encoding};

use super::event::{CliRead, Event};
use super::health::Mlag;
use super::line::Line;

/// What the poller of one device needs.
#[derive(Debug)]
pub struct Poller {
    /// The calls.
    pub line: Arc<Line>,
    /// The device's life.
    pub life: u64,
    /// Whether the device is there.
    pub up: watch::Receiver<bool>,
    /// Read now.
    pub wake: Arc<Wake>,
    /// Whether to ask for MLAG.
    pub paired: bool,
    /// Between two reads.
    pub every: Duration,
    /// Where to tell.
    pub events: mpsc::Sender<Event>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Reasons to read before it is time. What the stream tells wakes the poller, so reading on a timer is only for what no
/// stream tells, and can be rare: an idle console costs next to nothing.
#[derive(Debug, Default)]
pub struct Wake {
    /// The configuration moved, or somebody asks: everything is read.
    pub all: Notify,
    /// State moved that MLAG depends on (a port, the other member of the pair): MLAG is read.
    pub mlag: Notify,
}

/// A little time after a wake, so that a burst of changes is read once.
const SETTLE: Duration = Duration::from_millis(150);
/// MLAG is state: it is read more often than configuration.
const MLAG_EVERY: Duration = Duration::from_secs(30);

impl Poller {
    /// Runs until stopped.
    pub async fn run(mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.turns() => {}
        }
    }

    async fn turns(&mut self) {
        let (mut config_due, mut mlag_due) = (Instant::now(), Instant::now());
        loop {
            if self.up.wait_for(|up| *up).await.is_err() {
                return;
            }
            let now = Instant::now();
            if config_due <= now {
                // Boxed, as the other one: a poller waits nearly always, and a thousand of them should not hold room for a call.
                let told = match Box::pin(self.line.running()).await {
                    Ok(text) => CliRead::Running(text),
                    Err(error) => CliRead::Failed("show running-config", error),
                };
                self.tell(told).await;
                config_due = Instant::now() + self.every;
            }
            if self.paired && mlag_due <= now {
                let told = match Box::pin(self.line.cli("show mlag", Encoding::Json)).await {
                    Ok(CliAnswer::Json(json)) => CliRead::Mlag(Mlag::from_json(&json)),
                    Ok(CliAnswer::Text(text)) => CliRead::Mlag(Mlag::from_text(&text)),
                    Err(error) => CliRead::Failed("show mlag", error),
                };
                self.tell(told).await;
                mlag_due = Instant::now() + MLAG_EVERY.min(self.every);
            }
            let next = if self.paired { config_due.min(mlag_due) } else { config_due };
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.wake.all.notified() => {
                    tokio::time::sleep(SETTLE).await;
                    (config_due, mlag_due) = (Instant::now(), Instant::now());
                }
                () = self.wake.mlag.notified(), if self.paired => {
                    tokio::time::sleep(SETTLE).await;
                    mlag_due = Instant::now();
                }
                changed = self.up.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // Back after it was gone: everything may be different.
                    (config_due, mlag_due) = (Instant::now(), Instant::now());
                }
            }
        }
    }

    async fn tell(&self, read: CliRead) {
        let _ = self.events.send(Event::Cli(Arc::clone(&self.line.name), self.life, read)).await;
    }
}
