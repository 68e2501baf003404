//! Reads intent from NetBox: whole at the start, when asked and every so often; between, what the change log tells of, looked at
//! every second or so and at once when a webhook hints. A read that fails in any part is no intent at all; the one before stays in
//! force, and its age is shown.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::netbox::{self, Client, Touched};
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
    /// What makes it read before its time.
    pub wake: Arc<Wake>,
    /// Whether to follow the change log after the first read.
    pub follow: bool,
    /// Where to tell.
    pub events: mpsc::Sender<Event>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// What makes the reader read before its time.
#[derive(Debug, Default)]
pub struct Wake {
    /// Read everything now.
    pub whole: Notify,
    /// Look at the change log now.
    pub hint: Notify,
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Whole,
    Follow,
}

/// Webhooks of one edit come within that.
const DEBOUNCE: Duration = Duration::from_millis(100);
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
    own.sites.clone_from(&settings.sites);
    own.filter.clone_from(&settings.filter);
    own.roles.clone_from(&settings.roles);
    own.ca.clone_from(&settings.ca);
    own.graphql = match settings.graphql {
        config::GraphQl::Auto => netbox::GraphQl::Auto,
        config::GraphQl::Always => netbox::GraphQl::Always,
        config::GraphQl::Never => netbox::GraphQl::Never,
    };
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
        let made = client(&self.settings, self.branch.as_deref()).and_then(|client| {
            let main = self.branch.is_some().then(|| self::client(&self.settings, None)).transpose()?;
            Ok((client, main))
        });
        let (client, main) = match made {
            Ok(made) => made,
            Err(error) => {
                self.tell(Err(error)).await;
                return;
            }
        };
        let (mut turn, mut failures) = (Turn::Whole, 0u32);
        // Without a change log every look is a whole read: then seldom.
        let mut seldom = false;
        let mut whole_due = Instant::now();
        loop {
            let read = match turn {
                Turn::Whole => Some(self.read(&client).await),
                Turn::Follow => match client.follow(|_| {}).await {
                    Ok(read) => {
                        turn = Turn::Follow;
                        if let Some(read) = &read {
                            self.log_calls(&read.calls).await;
                        }
                        read.map(Ok)
                    }
                    // The change log failing once says nothing; the whole read after it says what is wrong.
                    Err(error) => {
                        tracing::warn!(%error, "change log");
                        turn = Turn::Whole;
                        None
                    }
                },
            };
            if let Some(read) = read {
                let read = match (&main, read) {
                    (Some(main), Ok(read)) => self.read(main).await.map(|main| netbox::Read { main: Some(main.fabric), ..read }),
                    (_, read) => read,
                };
                match &read {
                    Ok(read) => {
                        (failures, turn, seldom) = (0, Turn::Follow, read.last_change_id.is_none());
                        if read.touched == Touched::All {
                            whole_due = Instant::now() + self.settings.resync;
                        }
                    }
                    Err(_) => {
                        failures += 1;
                        turn = Turn::Whole;
                    }
                }
                self.tell(read).await;
            }
            if !self.follow {
                self.wake.whole.notified().await;
                turn = Turn::Whole;
                continue;
            }
            let wait = match failures {
                0 if seldom => self.settings.poll.max(MOST),
                0 => self.settings.poll,
                _ => self.settings.poll.saturating_mul(1 << failures.min(5)).min(MOST),
            };
            tokio::select! {
                () = self.wake.whole.notified() => turn = Turn::Whole,
                // One edit by a person is several webhooks: the last of them is waited for, not long.
                () = self.wake.hint.notified() => tokio::time::sleep(DEBOUNCE).await,
                () = tokio::time::sleep(wait) => {}
            }
            if Instant::now() >= whole_due {
                turn = Turn::Whole;
            }
        }
    }

    async fn read(&self, client: &Client) -> Result<netbox::Read, netbox::Error> {
        let begun = std::time::Instant::now();
        let read = self.watched(client).await;
        match &read {
            Ok(read) => self.log_calls(&read.calls).await,
            Err(error) => {
                let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.log("GET", &self.settings.url, &error.to_string(), ms).await;
            }
        }
        read
    }

    /// Reads, and says how far it is, ten times a second at most.
    async fn watched(&self, client: &Client) -> Result<netbox::Read, netbox::Error> {
        let mut progress = client.progress();
        let mut read = std::pin::pin!(client.read(|_| {}));
        let mut look = tokio::time::interval(Duration::from_millis(100));
        look.tick().await;
        loop {
            tokio::select! {
                read = &mut read => return read,
                _ = look.tick() => {
                    if progress.has_changed().unwrap_or(false) {
                        let now = progress.borrow_and_update().clone();
                        let _ = self.events.send(Event::Reading(now)).await;
                    }
                }
            }
        }
    }

    async fn log_calls(&self, calls: &[netbox::Call]) {
        for call in calls {
            self.log(&call.method, &call.url, &call.result, call.ms).await;
        }
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
