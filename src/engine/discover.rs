//! The gNMI tool for front ends: single calls to one target, by name out of the settings or by address.

use std::time::Duration;

use crate::config::Settings;
use crate::gnmi::subscribe::{Incoming, Telemetry};
use crate::gnmi::wire::convert::Notification;
use crate::path::Path;
use crate::store::now;
use crate::value::Value;

pub use crate::gnmi::client::{Capabilities, Model};
pub use crate::gnmi::session::Subscription;
pub use crate::gnmi::subscribe::ListMode;
pub use crate::gnmi::{Client, DataType, Encoding, SetParts};

use super::{Error, line};

/// One value, as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The target.
    pub target: String,
    /// When it was received, by our clock.
    pub received: u64,
    /// What the device put on it, as it said it.
    pub stamp: i64,
    /// Where.
    pub path: Path,
    /// `None`: deleted. What could not be read is told as text.
    pub value: Option<Value>,
}

/// Connects. A name that the settings do not know and that looks like an address is one.
///
/// # Errors
/// When there is no such target, or it cannot be reached.
pub async fn connect(settings: &Settings, target: &str) -> Result<Client, Error> {
    let bare = !settings.targets.contains_key(target) && target.contains([':', '.']);
    let own = if bare { &settings.direct } else { settings.target(target) };
    let address = match &own.address {
        Some(address) => address.clone(),
        None if !bare => {
            return Err(Error::Asked(format!(
                "target {target} has no address: set fabric.{}.targets.{target}.address, or give host:port",
                settings.fabric
            )));
        }
        None => target.to_owned(),
    };
    Ok(Client::connect(&line::target(target, &address, own, &settings.timing, &line::hubs(settings))).await?)
}

/// The values of an answer.
pub fn rows(target: &str, notifications: impl IntoIterator<Item = Notification>) -> Vec<Row> {
    let received = now();
    let mut rows = Vec::new();
    for notification in notifications {
        let row =
            |path: Path, value: Option<Value>| Row { target: target.to_owned(), received, stamp: notification.timestamp, path, value };
        rows.extend(notification.deletes.iter().map(|path| row(path.clone(), None)));
        rows.extend(notification.updates.iter().map(|(path, value)| {
            let value = value.as_ref().map_or_else(|error| Value::str(format!("({error})")), Clone::clone);
            row(path.clone(), Some(value))
        }));
    }
    rows
}

/// A Get.
///
/// # Errors
/// As the device answered.
pub async fn get(client: &Client, paths: &[Path], kind: DataType, encoding: Encoding) -> Result<Vec<Row>, Error> {
    let answer = client.get(paths, kind, encoding).await?;
    Ok(rows(&client.target().name, answer))
}

/// A subscription: `tell` gets the rows of each message, and an empty list for a sync. Ends when the device ends it, after
/// `limit`, or when `tell` says `false`. `poll` asks again so often.
///
/// # Errors
/// As the device answered.
pub async fn subscribe(
    client: &Client,
    mode: ListMode,
    subscriptions: &[Subscription],
    encoding: Encoding,
    poll: Option<Duration>,
    mut tell: impl FnMut(Vec<Row>) -> bool,
) -> Result<(), Error> {
    let mut telemetry = Telemetry::open(client, mode, subscriptions, encoding, false).await?;
    while let Some(incoming) = telemetry.next().await? {
        let (rows, sync) = match incoming {
            Incoming::Notification(notification) => (rows(&client.target().name, [notification]), false),
            Incoming::Sync => (Vec::new(), true),
        };
        if !tell(rows) {
            return Ok(());
        }
        if let (true, Some(every)) = (sync, poll) {
            tokio::time::sleep(every).await;
            telemetry.poll().await?;
        }
    }
    Ok(())
}

/// As the device thinks best.
pub fn target_defined(path: Path) -> Subscription {
    Subscription { mode: crate::gnmi::session::Mode::TargetDefined, ..Subscription::on_change(path) }
}

/// What a device does with one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The path.
    pub path: Path,
    /// `get ok 412`, `on-change refused: …`, one a way.
    pub verdicts: Vec<String>,
}

/// How long a stream may take to say its first values.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a device really supports, path by path: Get, ON_CHANGE, SAMPLE, each tried alone. Without paths, those we mirror.
///
/// # Errors
/// Never for what the device refuses: that is the answer.
pub async fn probe(client: &Client, paths: Vec<Path>) -> Result<Vec<Probed>, Error> {
    let paths = if paths.is_empty() {
        super::subscriptions::wanted(true, true, Duration::from_secs(10)).into_iter().map(|wanted| wanted.path).collect()
    } else {
        paths
    };
    let mut probed = Vec::new();
    for path in paths {
        let got = client.get(std::slice::from_ref(&path), DataType::All, Encoding::JsonIetf).await;
        let mut verdicts = vec![match got {
            Ok(answer) => format!("get ok {}", answer.iter().map(|notification| notification.updates.len()).sum::<usize>()),
            Err(error) => format!("get refused: {error}"),
        }];
        let ways =
            [("on-change", Subscription::on_change(path.clone())), ("sample", Subscription::sample(path.clone(), Duration::from_secs(1)))];
        for (way, subscription) in ways {
            let mut leaves = 0;
            let first = subscribe(client, ListMode::Stream, std::slice::from_ref(&subscription), Encoding::JsonIetf, None, |rows| {
                leaves += rows.len();
                !rows.is_empty() // an empty list is the sync: everything was said
            });
            let ended = tokio::time::timeout(PATIENCE, first).await;
            verdicts.push(match ended {
                Ok(Ok(())) => format!("{way} ok {leaves}"),
                Ok(Err(error)) => format!("{way} refused: {error}"),
                Err(_) => format!("{way} no sync within {} s, {leaves} values", PATIENCE.as_secs()),
            });
        }
        probed.push(Probed { path, verdicts });
    }
    Ok(probed)
}
