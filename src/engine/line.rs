//! The calls to one device, over the connection of its stream or, while that has none, one of their own; logged, answers made canonical. Shared by the command-line reader, the
//! commit runner and whoever asks for a Get. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use secrecy::SecretString;
use tokio::sync::{Mutex, mpsc};

use crate::config;
use crate::gnmi::wire::batch::{Batch, Op};
use crate::gnmi::wire::walk::Decoder;
use crate::gnmi::{self, CliAnswer, Client, DataType, Encoding, SetParts};
use crate::path::{ORIGIN_CLI, Path};
use crate::plan::model::SetRequest;
use crate::store::now;
use crate::value::Value;

use super::copy::Whom;
use super::event::Event;
use super::snapshot::LogEntry;

/// One device's calls.
pub struct Line {
    /// The device.
    pub name: Arc<str>,
    target: gnmi::Target,
    whom: Whom,
    session: gnmi::Shared,
    /// One of our own, for as long as the session has none that works.
    client: Mutex<Option<Client>>,
    decoder: Arc<Decoder>,
    events: mpsc::Sender<Event>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("name", &self.name).field("target", &self.target).finish_non_exhaustive()
    }
}

/// The collectors of a fabric by name, each with the one connection its devices share.
pub type Hubs = BTreeMap<String, Arc<gnmi::Hub>>;

/// The collectors of the settings; nothing is connected yet.
pub fn hubs(settings: &config::Settings) -> Hubs {
    let hub = |(name, collector): (&String, &config::Target)| {
        let address = collector.address.clone().unwrap_or_default();
        (name.clone(), gnmi::Hub::new(target(name, &address, collector, &settings.timing, &Hubs::new())))
    };
    settings.collectors.iter().map(hub).collect()
}

/// The settings of a target as gNMI wants them.
pub fn target(name: &str, address: &str, settings: &config::Target, timing: &config::Timing, hubs: &Hubs) -> gnmi::Target {
    let mut target = gnmi::Target::new(name, address);
    target.credentials = settings.credentials.as_ref().map(|credentials| gnmi::Credentials {
        username: credentials.username.clone(),
        password: SecretString::clone(&credentials.password),
    });
    target.security = match &settings.security {
        config::Security::Plaintext => gnmi::Security::Plaintext,
        config::Security::Tls { ca, identity, skip_verify, server_name } => gnmi::Security::Tls(gnmi::Tls {
            ca: ca.clone(),
            cert: identity.as_ref().map(|(cert, _)| cert.clone()),
            key: identity.as_ref().map(|(_, key)| key.clone()),
            skip_verify: *skip_verify,
            server_name: server_name.clone(),
        }),
    };
    target.set_timeout = timing.set;
    (target.keepalive, target.keepalive_answer) = (timing.keepalive, timing.keepalive_answer);
    target.through = settings.through.as_ref().and_then(|through| {
        let hub = Arc::clone(hubs.get(&through.collector)?);
        Some(gnmi::Through { hub, name: through.name.clone().unwrap_or_else(|| name.to_owned()) })
    });
    target
}

impl Line {
    /// Calls to `target`, whose session lends its connection to `session`; nothing is connected yet.
    pub fn new(
        name: Arc<str>,
        target: gnmi::Target,
        session: gnmi::Shared,
        settings: &config::Target,
        decoder: Arc<Decoder>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let whom = Whom {
            address: target.address.clone(),
            username: settings.credentials.as_ref().map(|credentials| credentials.username.clone()),
            security: settings.security.clone(),
            target: target.through.as_ref().map(|through| through.name.clone()),
        };
        Self { name, target, whom, session, client: Mutex::new(None), decoder, events }
    }

    async fn client(&self) -> Result<Client, gnmi::Error> {
        let mut slot = self.client.lock().await;
        if let Some(client) = self.session.client() {
            *slot = None;
            return Ok(client);
        }
        if let Some(client) = slot.as_ref().filter(|client| client.alive()) {
            return Ok(client.clone());
        }
        let client = Client::connect(&self.target).await?;
        *slot = Some(client.clone());
        Ok(client)
    }

    /// A connection that failed is not used again.
    async fn after<T>(&self, result: Result<T, gnmi::Error>) -> Result<T, gnmi::Error> {
        if matches!(
            result,
            Err(gnmi::Error::Unreachable { .. } | gnmi::Error::Broken { .. } | gnmi::Error::Timeout { .. } | gnmi::Error::Unknown { .. })
        ) {
            // While there is one of our own, it is the one that was used.
            if self.client.lock().await.take().is_none() {
                self.session.doubt();
            }
        }
        result
    }

    fn log<T>(&self, call: &str, what: String, copy: String, begun: Instant, result: &Result<T, gnmi::Error>) {
        let entry = LogEntry {
            time: now(),
            target: Arc::clone(&self.name),
            call: call.to_owned(),
            what,
            result: result.as_ref().err().map_or_else(|| "ok".to_owned(), ToString::to_string),
            ms: millis(begun),
            copy,
        };
        // A full queue loses a line of the log, never the call.
        let _ = self.events.try_send(Event::Called(entry));
    }

    /// A Get of configuration and state, flattened and canonical.
    ///
    /// # Errors
    /// As the device answered.
    pub async fn get(&self, paths: &[Path]) -> Result<Vec<(Path, Value)>, gnmi::Error> {
        let begun = Instant::now();
        let answer = match self.client().await {
            Ok(client) => client.get(paths, DataType::All, Encoding::JsonIetf).await,
            Err(error) => Err(error),
        };
        self.log("Get", first_of(paths), self.whom.get(paths), begun, &answer);
        let answer = self.after(answer).await?;
        let mut batch = Batch::default();
        for notification in answer {
            self.decoder.notification(notification, &mut batch);
        }
        for bad in &batch.bad_leaves {
            tracing::warn!(device = &*self.name, path = %bad.path, reason = bad.reason, "a value could not be understood");
        }
        let paths = self.decoder.paths();
        let leaves = batch
            .ops
            .into_iter()
            .flat_map(|op| match op {
                Op::Set(id, value) => vec![(id, value)],
                Op::Replace(_, leaves) => leaves,
                Op::Delete(_) => Vec::new(),
            })
            .map(|(id, value)| ((*paths.get(id)).clone(), value))
            .collect();
        Ok(leaves)
    }

    /// A Get in which a path that is not there is an answer: nothing below it.
    ///
    /// # Errors
    /// As the device answered, but for paths it does not have.
    pub async fn read(&self, paths: &[Path]) -> Result<Vec<(Path, Value)>, gnmi::Error> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        match self.get(paths).await {
            Err(error) if is_absence(&error) && paths.len() > 1 => {
                let mut leaves = Vec::new();
                for path in paths {
                    match self.get(std::slice::from_ref(path)).await {
                        Err(error) if is_absence(&error) => {}
                        other => leaves.extend(other?),
                    }
                }
                Ok(leaves)
            }
            Err(error) if is_absence(&error) => Ok(Vec::new()),
            other => other,
        }
    }

    /// The running configuration.
    ///
    /// # Errors
    /// As the device answered.
    pub async fn running(&self) -> Result<Arc<str>, gnmi::Error> {
        let answer = self.cli("show running-config", Encoding::Ascii).await?;
        answer.text().map(Arc::from).ok_or_else(|| gnmi::Error::Broken {
            device: self.name.to_string(),
            reason: "`show running-config` was answered with something else than text".into(),
        })
    }

    /// A show command.
    ///
    /// # Errors
    /// As the device answered.
    pub async fn cli(&self, command: &str, encoding: Encoding) -> Result<CliAnswer, gnmi::Error> {
        let begun = Instant::now();
        let answer = match self.client().await {
            Ok(client) => client.cli(command, encoding).await,
            Err(error) => Err(error),
        };
        self.log("Get", format!("cli:/{command}"), self.whom.cli(command), begun, &answer);
        self.after(answer).await
    }

    /// A Set, exactly as planned. Gives the milliseconds it took.
    ///
    /// # Errors
    /// As the device answered; [`gnmi::Error::Unknown`] when its answer was lost.
    pub async fn set(&self, set: &SetRequest) -> (u64, Result<(), gnmi::Error>) {
        let update = |update: &crate::plan::model::SetUpdate| (update.path.clone(), update.value.clone());
        let parts = SetParts {
            delete: set.delete.clone(),
            replace: set.replace.iter().map(update).collect(),
            update: set.update.iter().map(update).collect(),
        };
        let begun = Instant::now();
        let answer = match self.client().await {
            Ok(client) => client.set(&parts).await,
            Err(error) => Err(error),
        };
        let what = format!("{} deletes, {} replaces, {} updates", set.delete.len(), set.replace.len(), set.update.len());
        self.log("Set", what, self.whom.set(set), begun, &answer);
        (millis(begun), self.after(answer).await.map(drop))
    }
}

/// Whether the device says that there is nothing at a path.
fn is_absence(error: &gnmi::Error) -> bool {
    matches!(error, gnmi::Error::Rejected { code, .. } if code == "NotFound")
}

/// Whether a path stands for lines of the command line.
pub fn is_cli(path: &Path) -> bool {
    path.origin.as_deref() == Some(ORIGIN_CLI)
}

fn first_of(paths: &[Path]) -> String {
    match paths {
        [] => String::new(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}
