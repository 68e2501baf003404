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
use super::snapshot::{LogEntry, Reading};

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
/// Between two words on how far a read is.
const LOOK: Duration = Duration::from_millis(250);
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

/// Reads all of intent, and says how far that is, four times a second at most.
///
/// # Errors
/// When NetBox could not be read in any part.
pub async fn watched(client: &Client, mut tell: impl FnMut(Reading)) -> Result<netbox::Read, netbox::Error> {
    let mut progress = client.progress();
    let mut read = std::pin::pin!(client.read(|_| {}));
    let mut look = tokio::time::interval(LOOK);
    look.tick().await;
    loop {
        tokio::select! {
            read = &mut read => return read,
            _ = look.tick() => if progress.has_changed().unwrap_or(false) {
                tell(progress.borrow_and_update().kinds.iter().map(|kind| (kind.word, kind.got, kind.of)).collect());
            },
        }
    }
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
            let looked = async {
                // Main first: nothing that only the branch wants is told before it can be known for that.
                let main = match &main {
                    Some(main) => self.look(main, turn).await?,
                    None => None,
                };
                Ok((main, self.look(&client, turn).await?))
            };
            match (turn, looked.await) {
                (_, Ok((main, read))) => {
                    (turn, failures) = (Turn::Follow, 0);
                    if let Some(main) = main {
                        let _ = self.events.send(Event::Main(Box::new(main.fabric))).await;
                    }
                    if let Some(read) = read {
                        seldom = read.last_change_id.is_none();
                        if read.touched == Touched::All {
                            whole_due = Instant::now() + self.settings.resync;
                        }
                        self.tell(Ok(read)).await;
                    }
                }
                // The change log failing once says nothing; the whole read after it says what is wrong.
                (Turn::Follow, Err(error)) => {
                    tracing::warn!(%error, "change log");
                    turn = Turn::Whole;
                }
                (Turn::Whole, Err(error)) => {
                    failures += 1;
                    self.tell(Err(error)).await;
                }
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

    /// Everything, or what the change log tells of; `None` when that is nothing.
    async fn look(&self, client: &Client, turn: Turn) -> Result<Option<netbox::Read>, netbox::Error> {
        if turn == Turn::Whole {
            return self.read(client).await.map(Some);
        }
        let read = client.follow(|_| {}).await?;
        if let Some(read) = &read {
            self.log_calls(&read.calls).await;
        }
        Ok(read)
    }

    async fn read(&self, client: &Client) -> Result<netbox::Read, netbox::Error> {
        let begun = std::time::Instant::now();
        // How far it is, is told when there is room: the next one says more.
        let read = watched(client, |reading| _ = self.events.try_send(Event::Reading(reading))).await;
        match &read {
            Ok(read) => self.log_calls(&read.calls).await,
            Err(error) => {
                let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.log("GET", &self.settings.url, &error.to_string(), ms).await;
            }
        }
        read
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
