//! The settings file as written: TOML, every key known, nothing resolved yet.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Asked, Environment, Error, Limits, Security, Timing};

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The fabric taken when none is asked for.
    pub default: Option<String>,
    /// Folder of the journal, relative to the file. The lab keeps its journal beside its settings so.
    pub state: Option<PathBuf>,
    /// Every fabric by name.
    #[serde(default)]
    pub fabric: BTreeMap<String, Fabric>,
}

/// `[fabric.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fabric {
    /// `lab`, `staging`, `production` (the default).
    #[serde(default)]
    pub environment: Environment,
    /// Whether writes may be armed without `--write`.
    #[serde(default)]
    pub write: bool,
    /// host:port where the console and `serve` answer webhooks, /healthz and /metrics.
    pub listen: Option<SocketAddr>,
    /// Findings on intent that are known and may stay.
    #[serde(default)]
    pub silence: Vec<Silence>,
    /// Where intent is read.
    #[serde(default)]
    pub netbox: NetBox,
    /// What all targets share.
    #[serde(default)]
    pub gnmi: Gnmi,
    /// What single targets have of their own.
    #[serde(default)]
    pub targets: BTreeMap<String, Target>,
    /// The collector all targets are reached through that have no address and no collector of their own.
    pub collector: Option<Target>,
    /// More collectors, by the name targets give in `collector`.
    #[serde(default)]
    pub collectors: BTreeMap<String, Target>,
    /// Times.
    #[serde(default)]
    pub timing: Times,
    /// Amounts.
    #[serde(default)]
    pub limits: Amounts,
}

/// When intent is read through GraphQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GraphQl {
    /// When NetBox has it and it answers whole; REST otherwise.
    #[default]
    Auto,
    /// Or the read fails.
    Always,
    /// REST only.
    Never,
}

/// `[[fabric.NAME.silence]]`: a finding on intent that is known and may stay.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// The finding's rule: `mlag-domain-reused`.
    pub rule: String,
    /// Only on this device.
    pub device: Option<String>,
    /// Only when its sentence holds these words.
    pub about: Option<String>,
    /// Why it may stay: for whoever reads the list next year.
    pub reason: String,
}

/// `[fabric.NAME.netbox]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetBox {
    /// Base URL.
    pub url: String,
    /// API token.
    pub token: Option<SecretString>,
    /// File with the API token, mode 0600.
    pub token_file: Option<PathBuf>,
    /// Secret of the webhooks NetBox sends us; without one none is heeded.
    pub webhook_secret: Option<SecretString>,
    /// File with that secret, mode 0600.
    pub webhook_secret_file: Option<PathBuf>,
    /// Slug of the tag on our devices; empty is every device.
    pub tag: Option<String>,
    /// Slugs of the sites our devices are in; empty is any.
    #[serde(default)]
    pub sites: Vec<String>,
    /// Name or slug of a saved filter on devices in NetBox: only what it lets through is ours.
    pub filter: Option<String>,
    /// What device roles are: slug = `leaf`, `spine`, `border`, `core`.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// `auto`, `always`, `never`.
    #[serde(default)]
    pub graphql: GraphQl,
    /// PEM file of the authority.
    pub ca: Option<PathBuf>,
    /// Seconds between looks at the change log.
    pub poll_seconds: Option<u64>,
    /// Minutes between whole reads, should the change log have missed something.
    pub resync_minutes: Option<u64>,
    /// Seconds one request may take.
    pub timeout_seconds: Option<u64>,
    /// Custom fields of other names: ours = "theirs".
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// `[fabric.NAME.gnmi]`, and the same keys in a target's table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gnmi {
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<SecretString>,
    /// File with the password, mode 0600.
    pub password_file: Option<PathBuf>,
    /// Plaintext.
    pub insecure: Option<bool>,
    /// TLS with any certificate.
    pub skip_verify: Option<bool>,
    /// PEM file of the authority.
    pub ca: Option<PathBuf>,
    /// PEM file of our certificate.
    pub cert: Option<PathBuf>,
    /// PEM file of our key.
    pub key: Option<PathBuf>,
    /// The name the certificate must hold.
    pub server_name: Option<String>,
}

/// `[fabric.NAME.targets.DEVICE]`, `[fabric.NAME.collector]`, `[fabric.NAME.collectors.NAME]`. Spelled out because `flatten` and `deny_unknown_fields` do not go together.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// `host:port`.
    pub address: Option<String>,
    /// The collector it is reached through. Not of a collector.
    pub collector: Option<String>,
    /// Its name there, when that is not the device's. Not of a collector.
    pub collector_target: Option<String>,
    /// Its own keys of [`Gnmi`].
    pub gnmi: Gnmi,
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Flat {
            address: Option<String>,
            collector: Option<String>,
            collector_target: Option<String>,
            username: Option<String>,
            password: Option<SecretString>,
            password_file: Option<PathBuf>,
            insecure: Option<bool>,
            skip_verify: Option<bool>,
            ca: Option<PathBuf>,
            cert: Option<PathBuf>,
            key: Option<PathBuf>,
            server_name: Option<String>,
        }
        let flat = Flat::deserialize(deserializer)?;
        Ok(Self {
            address: flat.address,
            collector: flat.collector,
            collector_target: flat.collector_target,
            gnmi: Gnmi {
                username: flat.username,
                password: flat.password,
                password_file: flat.password_file,
                insecure: flat.insecure,
                skip_verify: flat.skip_verify,
                ca: flat.ca,
                cert: flat.cert,
                key: flat.key,
                server_name: flat.server_name,
            },
        })
    }
}

impl Gnmi {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                username: None,
                password: None,
                password_file: None,
                insecure: None,
                skip_verify: None,
                ca: None,
                cert: None,
                key: None,
                server_name: None,
            }
        )
    }
}

/// `[fabric.NAME.timing]`, all in seconds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// Headless: a device that is not synced by then is planned without.
    pub sync: Option<u64>,
    /// Silence that makes a stream stale.
    pub stale: Option<u64>,
    /// Between reads of the running configuration.
    pub cli: Option<u64>,
    /// Between counters.
    pub sample: Option<u64>,
    /// For a Set.
    pub set: Option<u64>,
    /// For health to come back after a wave.
    pub settle: Option<u64>,
    /// Writes stay allowed.
    pub arm: Option<u64>,
    /// A silent connection is asked whether the device lives.
    pub keepalive: Option<u64>,
    /// And may take so long to answer.
    pub keepalive_answer: Option<u64>,
    /// First wait before the next try.
    pub retry: Option<u64>,
    /// Longest wait before the next try.
    pub retry_most: Option<u64>,
}

impl Times {
    /// With the defaults filled in; nothing is shorter than a second.
    pub fn resolve(&self) -> Timing {
        let or = |asked: Option<u64>, default: Duration| asked.map_or(default, |seconds| Duration::from_secs(seconds.max(1)));
        let default = Timing::default();
        Timing {
            sync: or(self.sync, default.sync),
            stale: or(self.stale, default.stale),
            cli: or(self.cli, default.cli),
            sample: or(self.sample, default.sample),
            set: or(self.set, default.set),
            settle: or(self.settle, default.settle),
            arm: or(self.arm, default.arm),
            keepalive: or(self.keepalive, default.keepalive),
            keepalive_answer: or(self.keepalive_answer, default.keepalive_answer),
            retry: or(self.retry, default.retry),
            retry_most: or(self.retry_most, default.retry_most),
        }
    }
}

/// `[fabric.NAME.limits]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amounts {
    /// Connections being made at the same time.
    pub connecting: Option<usize>,
    /// Updates of all devices that may wait.
    pub waiting: Option<usize>,
    /// Updates a second of one device; 0 is no limit.
    pub updates_per_second: Option<u32>,
    /// Paths of its own one device may bring in.
    pub new_paths: Option<u64>,
    /// Longest answer, MiB.
    pub message_mib: Option<usize>,
}

/// No answer may be longer, MiB: it would be read whole before anybody could look at it.
const MESSAGE_MOST: usize = 1024;

impl Amounts {
    /// With the defaults filled in.
    pub fn resolve(&self) -> Limits {
        let default = Limits::default();
        Limits {
            connecting: self.connecting.unwrap_or(default.connecting).max(1),
            waiting: self.waiting.unwrap_or(default.waiting).max(10_000),
            updates_per_second: self.updates_per_second.unwrap_or(default.updates_per_second),
            new_paths: self.new_paths.unwrap_or(default.new_paths).max(1_000),
            message: self.message_mib.map_or(default.message, |mib| mib.clamp(1, MESSAGE_MOST) << 20),
        }
    }
}

/// Reads and parses the file; errors name the line and never quote a secret.
pub fn read(path: &Path) -> Result<File, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Missing(path.to_owned()),
        _ => Error::Unreadable { path: path.to_owned(), source },
    })?;
    parse(&text, path)
}

/// Parses the text of the file at `path`.
pub fn parse(text: &str, path: &Path) -> Result<File, Error> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let quoted = text.lines().nth(line - 1).unwrap_or_default();
        // toml's messages quote the value that does not fit: the line of a secret gets a message of its own.
        let key = quoted.split('=').next().unwrap_or_default().trim();
        let message = if ["password", "token"].contains(&key) {
            format!("`{key}` must be a text in quotes")
        } else {
            error.message().trim().replace('\n', "; ")
        };
        Error::Invalid { path: path.to_owned(), line, message }
    })
}

/// What a target's keys over the fabric's keys over the flags mean.
pub fn security(own: &Gnmi, shared: &Gnmi, asked: &Asked, here: &Path) -> Result<Security, String> {
    let plaintext = asked.insecure || own.insecure.or(shared.insecure).unwrap_or(false);
    let skip_verify = asked.skip_verify || own.skip_verify.or(shared.skip_verify).unwrap_or(false);
    let pick = |mine: &Option<PathBuf>, theirs: &Option<PathBuf>| mine.as_ref().or(theirs.as_ref()).map(|file| here.join(file));
    let (ca, cert, key) = (pick(&own.ca, &shared.ca), pick(&own.cert, &shared.cert), pick(&own.key, &shared.key));
    if plaintext && !asked.insecure && (skip_verify || ca.is_some() || cert.is_some() || key.is_some()) {
        return Err("`insecure` is plaintext: it goes with none of `skip_verify`, `ca`, `cert`, `key`".into());
    }
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return Err("`cert` and `key` go together".into()),
    };
    if plaintext {
        return Ok(Security::Plaintext);
    }
    Ok(Security::Tls { ca, identity, skip_verify, server_name: own.server_name.clone().or_else(|| shared.server_name.clone()) })
}
