//! What a device really supports, path by path: asked, not believed.
//!
//! Servers announce more than they do and do more than they announce, so each way of having a path is tried once and the
//! answer kept in the device's words. Nothing is written.

use std::time::Duration;

use super::client::{Capabilities, Client, DataType, Encoding};
use super::error::Error;
use super::session::model::{Mode, Subscription};
use super::subscribe::{Incoming, ListMode, Telemetry, once};
use super::wire::convert::Notification;
use crate::path::Path;
use crate::value::Value;

/// How one way of having a path went.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It works, and this came: leaves, containers counting as one.
    Works {
        /// Values received.
        values: usize,
        /// A container came as JSON.
        json: bool,
    },
    /// It is accepted, and there is nothing there.
    Empty,
    /// The device refuses, in its words.
    Refused(String),
    /// It was accepted, and nothing at all came within the patience.
    Silent,
    /// It could not be found out: the connection or the device failed.
    Failed(Error),
}

impl Verdict {
    /// Whether the way can be used.
    pub fn works(&self) -> bool {
        matches!(self, Self::Works { .. } | Self::Empty)
    }

    /// One word: `yes`, `empty`, `no`, `silent`, `failed`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Works { .. } => "yes",
            Self::Empty => "empty",
            Self::Refused(_) => "no",
            Self::Silent => "silent",
            Self::Failed(_) => "failed",
        }
    }

    fn of(error: Error) -> Self {
        match error {
            Error::Rejected { reason, .. } | Error::Unimplemented { reason, .. } | Error::Denied { known: true, reason, .. } => {
                Self::Refused(reason)
            }
            Error::Timeout { .. } => Self::Silent,
            other => Self::Failed(other),
        }
    }

    fn values(notifications: &[Notification]) -> Self {
        let values = notifications.iter().map(|notification| notification.updates.len()).sum();
        let json = notifications.iter().flat_map(|n| &n.updates).any(|(_, value)| matches!(value, Ok(Value::Json(_))));
        if values == 0 { Self::Empty } else { Self::Works { values, json } }
    }
}

/// Every way of having one path.
#[derive(Clone, Debug, PartialEq)]
pub struct PathProbe {
    /// The path.
    pub path: Path,
    /// Get, JSON_IETF.
    pub get: Verdict,
    /// Subscribe ONCE.
    pub once: Verdict,
    /// Subscribe STREAM, ON_CHANGE.
    pub on_change: Verdict,
    /// Subscribe STREAM, SAMPLE.
    pub sample: Verdict,
    /// Subscribe STREAM, TARGET_DEFINED.
    pub target_defined: Verdict,
    /// Whether the ON_CHANGE stream (or, refused that, the SAMPLE one) told when it had sent everything.
    pub syncs: bool,
}

/// What a device says about itself, and what is so.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceProbe {
    /// Its Capabilities, or why there are none: some servers do not implement them.
    pub capabilities: Result<Capabilities, Error>,
    /// One a path asked about.
    pub paths: Vec<PathProbe>,
}

/// Probes a device. `patience`: how long an accepted stream may stay silent.
pub async fn probe(client: &Client, paths: &[Path], patience: Duration) -> DeviceProbe {
    let capabilities = client.capabilities().await;
    let mut probes = Vec::with_capacity(paths.len());
    for path in paths {
        probes.push(probe_path(client, path, patience).await);
    }
    DeviceProbe { capabilities, paths: probes }
}

async fn probe_path(client: &Client, path: &Path, patience: Duration) -> PathProbe {
    let get = match client.get(std::slice::from_ref(path), DataType::All, Encoding::JsonIetf).await {
        Ok(notifications) => Verdict::values(&notifications),
        Err(error) => Verdict::of(error),
    };
    let wanted = |mode: Mode| Subscription { mode, ..Subscription::sample(path.clone(), Duration::from_secs(10)) };
    let once = match once(client, &[wanted(Mode::TargetDefined)], Encoding::JsonIetf).await {
        Ok(notifications) => Verdict::values(&notifications),
        Err(error) => Verdict::of(error),
    };
    let (on_change, on_change_syncs) = stream(client, wanted(Mode::OnChange), patience).await;
    let (sample, sample_syncs) = stream(client, wanted(Mode::Sample), patience).await;
    let (target_defined, _) = stream(client, wanted(Mode::TargetDefined), patience).await;
    let syncs = if on_change.works() { on_change_syncs } else { sample_syncs };
    PathProbe { path: path.clone(), get, once, on_change, sample, target_defined, syncs }
}

/// Reads a stream up to its sync, or as long as patience lasts.
async fn stream(client: &Client, subscription: Subscription, patience: Duration) -> (Verdict, bool) {
    let mut notifications = Vec::new();
    let mut synced = false;
    let read = async {
        let mut telemetry = Telemetry::open(client, ListMode::Stream, &[subscription], Encoding::JsonIetf, false).await?;
        loop {
            match telemetry.next().await? {
                Some(Incoming::Notification(notification)) => notifications.push(notification),
                Some(Incoming::Sync) => {
                    synced = true;
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    };
    match tokio::time::timeout(patience, read).await {
        Ok(Ok(())) => (Verdict::values(&notifications), synced),
        Ok(Err(error)) => (Verdict::of(error), false),
        Err(_) if notifications.is_empty() => (Verdict::Silent, false),
        Err(_) => (Verdict::values(&notifications), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gnmi::testing::{Knobs, Running, SyncStyle};

    #[tokio::test]
    async fn says_what_is_so() {
        let path = |text: &str| Path::parse(text).unwrap();
        let leaf = |text: &str| (path(text), Value::Uint(1));
        let server = Running::start(Knobs {
            leaves: vec![leaf("/a/b"), leaf("/a/c"), leaf("/quiet/b")],
            refused: vec![path("/refused")],
            no_on_change: vec![path("/quiet")],
            ..Knobs::default()
        })
        .await;
        let client = Client::connect(&server.target()).await.unwrap();
        let paths = [path("/a"), path("/refused"), path("/quiet"), path("/nothing")];
        let found = probe(&client, &paths, Duration::from_millis(200)).await;
        assert_eq!(found.capabilities.unwrap().gnmi_version, "0.7.0");
        let words = |probe: &PathProbe| {
            [&probe.get, &probe.once, &probe.on_change, &probe.sample, &probe.target_defined].map(Verdict::word).join(" ")
                + if probe.syncs { " sync" } else { "" }
        };
        let told: Vec<_> = found.paths.iter().map(words).collect();
        assert_eq!(told, ["yes yes yes yes yes sync", "no no no no no", "yes yes no yes yes sync", "empty empty empty empty empty sync"]);
        assert!(matches!(&found.paths[2].on_change, Verdict::Refused(reason) if reason.contains("ON_CHANGE")));
        server.knobs(|knobs| knobs.sync = SyncStyle::Never);
        let again = probe(&client, &paths[..1], Duration::from_millis(200)).await;
        assert_eq!((again.paths[0].on_change.works(), again.paths[0].syncs), (true, false));
        server.knobs(|knobs| knobs.leaves.clear());
        let silent = probe(&client, &paths[..1], Duration::from_millis(100)).await;
        assert_eq!(silent.paths[0].on_change, Verdict::Silent);
    }
}
