//! Reads intent from NetBox: at the start, when its change log moved, and when asked. A read that fails in any part is no
//! intent at all; the one before stays in force, and its age is shown.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::netbox::{self, Client};
use crate::store::now;

use super::copy;
use super::event::Event;
use super::snapshot::LogEntry;

/// What the reader needs.
#[derive(Debug)]
pub struct Reader {
    /// Where intent is.
    pub settings: config::NetBox,
    /// A branch to read instead of the main one.
    pub branch: Option<String>,
    /// Read now.
    pub wake: Arc<Notify>,
    /// Whether to follow the change log after the first read.
    pub follow: bool,
    /// Where to tell.
    pub events: mpsc::Sender<Event>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Longest wait between tries of a NetBox that fails.
const MOST: Duration = Duration::from_secs(60);

/// The settings as NetBox's client wants them.
pub fn client(settings: &config::NetBox, branch: Option<&str>) -> Result<Client, netbox::Error> {
    let token = settings.token.clone().unwrap_or_else(|| SecretString::from(String::new()));
    let mut own = netbox::Settings::new(settings.url.clone(), token);
    own.tag.clone_from(&settings.tag);
    own.timeout = settings.timeout;
    let fields = serde_json::to_value(&settings.fields).and_then(serde_json::from_value);
    own.fields = fields.map_err(|error| netbox::Error::Settings { reason: format!("fields: {error}") })?;
    own.branch = branch.map(str::to_owned);
    Client::new(own)
}

impl Reader {
    /// Runs until stopped.
    pub async fn run(self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.turns() => {}
        }
    }

    async fn turns(&self) {
        let mut failures = 0u32;
        let client = match client(&self.settings, self.branch.as_deref()) {
            Ok(client) => client,
            Err(error) => {
                self.tell(Err(error)).await;
                return;
            }
        };
        loop {
            let read = self.read(&client).await;
            let seen = read.as_ref().ok().map(|read| read.last_change_id);
            failures = if seen.is_some() { 0 } else { failures + 1 };
            self.tell(read).await;
            if !self.follow {
                self.wake.notified().await;
                continue;
            }
            match seen {
                Some(seen) => self.wait_for_change(&client, seen).await,
                None => {
                    let wait = self.settings.poll.saturating_mul(1 << failures.min(5)).min(MOST);
                    let _ = tokio::time::timeout(wait, self.wake.notified()).await;
                }
            }
        }
    }

    /// Returns when something changed in NetBox, when it cannot be asked, or when somebody wants a read.
    async fn wait_for_change(&self, client: &Client, seen: Option<u64>) {
        let mut deaf = 0u32;
        loop {
            if tokio::time::timeout(self.settings.poll, self.wake.notified()).await.is_ok() {
                return;
            }
            let asked = client.changed_since(seen).await;
            match asked {
                Ok(false) => deaf = 0,
                Ok(true) => return,
                // The change log failing once says nothing; failing on, a read says what is wrong.
                Err(error) => {
                    tracing::warn!(%error, "change log");
                    deaf += 1;
                    if deaf >= 2 {
                        return;
                    }
                }
            }
        }
    }

    async fn read(&self, client: &Client) -> Result<netbox::Read, netbox::Error> {
        let begun = std::time::Instant::now();
        let read = client.read(|_| {}).await;
        match &read {
            Ok(read) => {
                for call in &read.calls {
                    self.log(&call.method, &call.url, &call.result, call.ms).await;
                }
            }
            Err(error) => {
                let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.log("GET", &self.settings.url, &error.to_string(), ms).await;
            }
        }
        read
    }

    async fn log(&self, method: &str, url: &str, result: &str, ms: u64) {
        let entry = LogEntry {
            time: now(),
            target: Arc::from("netbox"),
            call: method.to_owned(),
            what: url.to_owned(),
            result: result.to_owned(),
            ms,
            copy: copy::curl(method, url),
        };
        let _ = self.events.send(Event::Called(entry)).await;
    }

    async fn tell(&self, read: Result<netbox::Read, netbox::Error>) {
        let _ = self.events.send(Event::Intent(Box::new(read))).await;
    }
}
