//! Settings: file, environment, platform folders; secrets held apart and never printed.
//!
//! One TOML file describes every fabric. Precedence of credentials: a target's own, then `FABRIC_ORCH_USERNAME` and
//! `FABRIC_ORCH_PASSWORD`, then the fabric's. Nothing here talks to a network, and no secret is ever written or shown: they are
//! [`SecretString`]s, and the error of a line that holds one does not quote it.

pub mod file;
pub mod secret;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

pub use secret::Env;

pub use file::{GraphQl, Silence};

/// How careful to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A toy: nothing depends on it.
    Lab,
    /// A rehearsal.
    Staging,
    /// The real thing; commits want the fabric's name typed. What a fabric is unless its settings say otherwise.
    #[default]
    Production,
}

impl Environment {
    /// `lab`, `staging`, `production`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// User name and password of one target.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretString,
}

/// How a target is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// No TLS: an explicit choice.
    Plaintext,
    /// TLS, verified unless `skip_verify`.
    Tls {
        /// PEM file of the authority; `None` is the system's.
        ca: Option<PathBuf>,
        /// PEM files of our certificate and key, for mutual TLS.
        identity: Option<(PathBuf, PathBuf)>,
        /// Accept any certificate: for labs.
        skip_verify: bool,
        /// The name the certificate must hold, when it is not the host of the address.
        server_name: Option<String>,
    },
}

impl Security {
    /// What the screens call it: `TLS`, `PLAINTEXT`, `TLS NOT VERIFIED`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Tls { skip_verify: true, .. } => "TLS NOT VERIFIED",
            Self::Tls { .. } => "TLS",
        }
    }
}

/// How one device is reached.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port` from the settings; `None` is the management address and gNMI port of intent.
    pub address: Option<String>,
    /// Who we are; `None` when nothing was given.
    pub credentials: Option<Credentials>,
    /// TLS or not.
    pub security: Security,
    /// Through which collector; address, credentials and TLS are then the collector's.
    pub through: Option<Through>,
}

/// Behind which collector a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Through {
    /// The collector's name in [`Settings::collectors`].
    pub collector: String,
    /// The device's name there; `None` is its own.
    pub name: Option<String>,
}

/// The name of `[fabric.NAME.collector]` among the collectors.
pub const COLLECTOR: &str = "collector";

/// Where intent is read.
#[derive(Clone, Debug)]
pub struct NetBox {
    /// Base URL, without `/api`.
    pub url: String,
    /// API token.
    pub token: Option<SecretString>,
    /// Secret of the webhooks NetBox sends us; without one none is heeded.
    pub webhook_secret: Option<SecretString>,
    /// Devices with this tag are ours; empty is every device.
    pub tag: String,
    /// PEM file of the authority; `None` is the system's.
    pub ca: Option<PathBuf>,
    /// Slugs of the sites our devices are in; empty is any.
    pub sites: Vec<String>,
    /// Name or slug of a saved filter on devices in NetBox: only what it lets through is ours.
    pub filter: Option<String>,
    /// What device roles are, by slug: `leaf`, `spine`, `border`, `core`.
    pub roles: BTreeMap<String, String>,
    /// Whether GraphQL is used.
    pub graphql: GraphQl,
    /// How often the change log is asked.
    pub poll: Duration,
    /// How often everything is read, whatever the change log says.
    pub resync: Duration,
    /// One request may take as long.
    pub timeout: Duration,
    /// Other names of custom fields: ours → theirs.
    pub fields: BTreeMap<String, String>,
}

/// How long things may take. All have defaults an operator rarely needs to touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A device that neither connected nor synced by then is planned without (headless).
    pub sync: Duration,
    /// Nothing heard for so long: the stream is stale.
    pub stale: Duration,
    /// Time between reads of the running configuration and of command-line state.
    pub cli: Duration,
    /// Interval of counters.
    pub sample: Duration,
    /// A Set may take as long: EOS can need minutes under load.
    pub set: Duration,
    /// Health must come back within that after a wave.
    pub settle: Duration,
    /// How long writes stay allowed once armed.
    pub arm: Duration,
    /// A connection that is silent for so long is asked whether the device still lives. Minutes: servers end connections that
    /// ask more often than they allow (`too_many_pings`; one in 5 minutes is usual).
    pub keepalive: Duration,
    /// And so long it may take to answer.
    pub keepalive_answer: Duration,
    /// First wait before a device that failed is tried again; doubles, and a quarter of it is by chance, so that a fabric does
    /// not come back in step.
    pub retry: Duration,
    /// Longest such wait, and the only one after a wrong password or certificate.
    pub retry_most: Duration,
}

/// How much a fabric may take of this machine, and a device of the fabric. All have defaults an operator rarely needs to touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections being made at the same time, over all devices.
    pub connecting: usize,
    /// Leaf updates that may wait for the console, over all devices; who holds more than his share is not read until they are taken.
    pub waiting: usize,
    /// Updates a second that are read of one live device, over some seconds; one that sends more is read slower, and flagged.
    pub updates_per_second: u32,
    /// Paths no other device has that one may bring in; leaves beyond are not kept, and it is flagged.
    pub new_paths: u64,
    /// Longest answer accepted, bytes.
    pub message: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connecting: 32, waiting: 300_000, updates_per_second: 50_000, new_paths: 500_000, message: 64 << 20 }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            sync: Duration::from_secs(30),
            stale: Duration::from_secs(60),
            cli: Duration::from_secs(60),
            sample: Duration::from_secs(10),
            set: Duration::from_secs(600),
            settle: Duration::from_secs(60),
            arm: Duration::from_secs(600),
            keepalive: Duration::from_secs(310),
            keepalive_answer: Duration::from_secs(20),
            retry: Duration::from_secs(1),
            retry_most: Duration::from_secs(60),
        }
    }
}

/// Everything about one fabric, resolved: what the engine starts from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The fabric's name.
    pub fabric: Arc<str>,
    /// How careful to be.
    pub environment: Environment,
    /// Whether writes may be armed at all: `--write`, or `write = true`.
    pub may_write: bool,
    /// Where the console and `serve` answer webhooks, /healthz and /metrics; `None` is nowhere for the console.
    pub listen: Option<SocketAddr>,
    /// Findings on intent that are known and may stay.
    pub silence: Vec<Silence>,
    /// Where intent is read.
    pub netbox: NetBox,
    /// What targets without settings of their own use.
    pub target: Target,
    /// Targets with settings of their own, by device name.
    pub targets: BTreeMap<String, Target>,
    /// Collectors by name; each has an address.
    pub collectors: BTreeMap<String, Target>,
    /// What a bare address is spoken to with.
    pub direct: Target,
    /// Where the journal lives.
    pub state: PathBuf,
    /// Who works here: the name written to the journal.
    pub user: String,
    /// How long things may take.
    pub timing: Timing,
    /// How much things may take.
    pub limits: Limits,
}

impl Settings {
    /// How a device is reached.
    pub fn target(&self, device: &str) -> &Target {
        self.targets.get(device).unwrap_or(&self.target)
    }
}

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--fabric`.
    pub fabric: Option<String>,
    /// `--write`.
    pub write: bool,
    /// `--insecure`: plaintext for every target.
    pub insecure: bool,
    /// `--skip-verify`: any certificate for every target.
    pub skip_verify: bool,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No file at all.
    #[error("no settings: {} does not exist", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("settings {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML, or has an unknown key or a wrong type.
    #[error("settings {}, line {line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, without any value of a secret.
        message: String,
    },
    /// Keys contradict each other or one is missing.
    #[error("settings {}: {message}", path.display())]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// What is wrong, naming the keys.
        message: String,
    },
    /// No fabric of that name.
    #[error("no fabric `{asked}` in the settings; there are: {}", .known.join(", "))]
    NoFabric {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Several fabrics and none chosen.
    #[error("several fabrics in the settings and none chosen: {}", .0.join(", "))]
    Ambiguous(Vec<String>),
    /// A file with a secret that others may read.
    #[error("secret file {} can be read by others (mode {mode:03o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file with a secret cannot be read.
    #[error("secret file {} of `{key}` cannot be read: {source}", path.display())]
    Secret {
        /// The key that names it.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The platform has no folders for us.
    #[error("this platform has no home folder to keep settings and the journal in")]
    NoHome,
}

impl Error {
    /// The next step, one line.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing(_) => "write one (README: configuration), give --config FILE, or try `fabric-orch lab`".into(),
            Self::Unreadable { path, .. } | Self::Invalid { path, .. } | Self::Contradiction { path, .. } => {
                format!("edit {}", path.display())
            }
            Self::NoFabric { .. } | Self::Ambiguous(_) => "choose with --fabric NAME, or set `default`".into(),
            Self::Exposed { path, .. } => format!("chmod 600 {}", path.display()),
            Self::Secret { .. } => "check the file's name and permissions".into(),
            Self::NoHome => "give --config FILE and set FABRIC_ORCH_STATE to a folder".into(),
        }
    }
}

/// The platform's folders.
fn folders() -> Result<directories::ProjectDirs, Error> {
    directories::ProjectDirs::from("", "", "fabric-orch").ok_or(Error::NoHome)
}

/// Where the settings are unless `--config` says otherwise.
pub fn default_path() -> Result<PathBuf, Error> {
    Ok(folders()?.config_dir().join("config.toml"))
}

/// Where the journal is: `FABRIC_ORCH_STATE`, else the platform's data folder.
pub fn state_folder(env: &Env) -> Result<PathBuf, Error> {
    match env.get("FABRIC_ORCH_STATE") {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(folders()?.data_dir().to_owned()),
    }
}

/// Reads the settings of the fabric that was asked for.
///
/// # Errors
/// Every way in which they can be missing, unreadable, wrong or exposed; see [`Error`].
pub fn load(asked: &Asked, env: &Env) -> Result<Settings, Error> {
    let path = match &asked.config {
        Some(path) => path.clone(),
        None => default_path()?,
    };
    let file = file::read(&path)?;
    resolve(&file, &path, asked, env)
}

/// Settings for `discover` against bare addresses when there is no file: nothing but the environment and flags.
pub fn without_file(asked: &Asked, env: &Env) -> Result<Settings, Error> {
    let file = file::File::default();
    resolve_fabric("-", &file::Fabric::default(), &file, Path::new("-"), asked, env)
}

fn resolve(file: &file::File, path: &Path, asked: &Asked, env: &Env) -> Result<Settings, Error> {
    let known = || file.fabric.keys().cloned().collect::<Vec<_>>();
    let name = match asked.fabric.as_ref().or(file.default.as_ref()) {
        Some(name) => name.clone(),
        None => match file.fabric.keys().collect::<Vec<_>>().as_slice() {
            [] => return Err(Error::Contradiction { path: path.to_owned(), message: "no [fabric.NAME] table".into() }),
            [only] => (*only).clone(),
            _ => return Err(Error::Ambiguous(known())),
        },
    };
    let Some(fabric) = file.fabric.get(&name) else {
        return Err(Error::NoFabric { asked: name, known: known() });
    };
    resolve_fabric(&name, fabric, file, path, asked, env)
}

fn resolve_fabric(name: &str, fabric: &file::Fabric, file: &file::File, path: &Path, asked: &Asked, env: &Env) -> Result<Settings, Error> {
    let wrong = |message: String| Error::Contradiction { path: path.to_owned(), message };
    let here = path.parent().unwrap_or_else(|| Path::new("."));
    let netbox = &fabric.netbox;
    let token = match env.get("FABRIC_ORCH_NETBOX_TOKEN") {
        Some(token) => Some(SecretString::from(token.to_owned())),
        None => secret::one_of("netbox.token", netbox.token.as_ref(), netbox.token_file.as_deref(), here)
            .map_err(|error| error.unwrap_or_else(|| wrong(format!("fabric.{name}.netbox: give `token` or `token_file`, not both"))))?,
    };
    let (inline, file_of) = (netbox.webhook_secret.as_ref(), netbox.webhook_secret_file.as_deref());
    let webhook_secret = secret::one_of("netbox.webhook_secret", inline, file_of, here).map_err(|error| {
        error.unwrap_or_else(|| wrong(format!("fabric.{name}.netbox: give `webhook_secret` or `webhook_secret_file`, not both")))
    })?;
    if webhook_secret.as_ref().is_some_and(|secret| secret.expose_secret().is_empty()) {
        return Err(wrong(format!("fabric.{name}.netbox: the webhook secret is empty: anybody could sign with it")));
    }
    let base = &fabric.gnmi;
    let shared =
        file::Gnmi { username: env.get("FABRIC_ORCH_USERNAME").map(str::to_owned).or_else(|| base.username.clone()), ..base.clone() };
    let env_password = env.get("FABRIC_ORCH_PASSWORD").map(|text| SecretString::from(text.to_owned()));
    let make = |label: &str, own: Option<&file::Target>| -> Result<Target, Error> {
        let empty = file::Gnmi::default();
        let mine = own.map_or(&empty, |target| &target.gnmi);
        let problem =
            |error: Option<Error>| error.unwrap_or_else(|| wrong(format!("{label}: give `password` or `password_file`, not both")));
        let password = match secret::one_of("password", mine.password.as_ref(), mine.password_file.as_deref(), here).map_err(problem)? {
            Some(password) => Some(password),
            None => match &env_password {
                Some(password) => Some(password.clone()),
                None => secret::one_of("password", shared.password.as_ref(), shared.password_file.as_deref(), here).map_err(problem)?,
            },
        };
        let username = mine.username.clone().or_else(|| shared.username.clone());
        let credentials = match (username, password) {
            (Some(username), Some(password)) => Some(Credentials { username, password }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(wrong(format!("{label}: `username` without a password; set password_file or FABRIC_ORCH_PASSWORD")));
            }
            (None, Some(_)) => return Err(wrong(format!("{label}: a password without `username`; set it or FABRIC_ORCH_USERNAME"))),
        };
        let security = file::security(mine, &shared, asked, here).map_err(|message| wrong(format!("{label}: {message}")))?;
        Ok(Target { address: own.and_then(|target| target.address.clone()), credentials, security, through: None })
    };
    let direct = make(&format!("fabric.{name}.gnmi"), None)?;
    let collectors = collectors(name, fabric, &make, &wrong)?;
    let through = |collector: &str, there: Option<&String>| {
        let made = collectors.get(collector)?;
        Some(Target { through: Some(Through { collector: collector.to_owned(), name: there.cloned() }), ..made.clone() })
    };
    let target = through(COLLECTOR, None).unwrap_or_else(|| direct.clone());
    let behind = |device: &String, own: &file::Target| -> Result<Target, Error> {
        let label = format!("fabric.{name}.targets.{device}");
        let collector = match (&own.address, &own.collector) {
            (Some(_), Some(_)) => return Err(wrong(format!("{label}: give `address` or `collector`, not both"))),
            (Some(_), None) => None,
            (None, Some(named)) => Some(named.as_str()),
            (None, None) => fabric.collector.as_ref().map(|_| COLLECTOR),
        };
        match collector {
            None if own.collector_target.is_some() => Err(wrong(format!("{label}: `collector_target` without a collector"))),
            None => make(&label, Some(own)),
            Some(_) if !own.gnmi.is_empty() => {
                Err(wrong(format!("{label}: user, password and TLS behind a collector are the collector's; set them there")))
            }
            Some(collector) => through(collector, own.collector_target.as_ref()).ok_or_else(|| {
                let known: Vec<_> = collectors.keys().map(String::as_str).collect();
                wrong(format!("{label}: no collector `{collector}`; there are: {}", known.join(", ")))
            }),
        }
    };
    let targets = fabric.targets.iter().map(|(device, own)| Ok((device.clone(), behind(device, own)?))).collect::<Result<_, Error>>()?;
    let state = match (env.get("FABRIC_ORCH_STATE"), &file.state) {
        (None, Some(folder)) => here.join(folder),
        _ => state_folder(env)?,
    };
    let user = ["FABRIC_ORCH_USER", "USER", "LOGNAME", "USERNAME"].iter().find_map(|key| env.get(key));
    // A container has no USER; the number still says who, and is what its log would say.
    let user = user.map_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()), str::to_owned);
    Ok(Settings {
        fabric: Arc::from(name),
        environment: fabric.environment,
        may_write: fabric.write || asked.write,
        listen: fabric.listen,
        silence: fabric.silence.clone(),
        netbox: NetBox {
            url: netbox.url.trim_end_matches('/').to_owned(),
            token,
            webhook_secret,
            tag: netbox.tag.clone().unwrap_or_else(|| "evpn-fabric".into()),
            sites: netbox.sites.clone(),
            filter: netbox.filter.clone().filter(|filter| !filter.is_empty()),
            roles: netbox.roles.clone(),
            graphql: netbox.graphql,
            ca: netbox.ca.as_ref().map(|ca| here.join(ca)),
            poll: Duration::from_secs(netbox.poll_seconds.unwrap_or(1).max(1)),
            resync: Duration::from_secs(60 * netbox.resync_minutes.unwrap_or(15).max(1)),
            timeout: Duration::from_secs(netbox.timeout_seconds.unwrap_or(60).max(1)),
            fields: netbox.fields.clone(),
        },
        target,
        targets,
        collectors,
        direct,
        state,
        user,
        timing: fabric.timing.resolve(),
        limits: fabric.limits.resolve(),
    })
}

/// Resolves one target's table, named in errors by the first.
type Make<'a> = dyn Fn(&str, Option<&file::Target>) -> Result<Target, Error> + 'a;

/// The collectors of a fabric.
fn collectors(
    name: &str,
    fabric: &file::Fabric,
    make: &Make<'_>,
    wrong: &dyn Fn(String) -> Error,
) -> Result<BTreeMap<String, Target>, Error> {
    if fabric.collector.is_some() && fabric.collectors.contains_key(COLLECTOR) {
        return Err(wrong(format!("fabric.{name}: `collector` and `collectors.{COLLECTOR}` have one name; rename the second")));
    }
    let only = fabric.collector.iter().map(|own| (COLLECTOR.to_owned(), format!("fabric.{name}.{COLLECTOR}"), own));
    let named = fabric.collectors.iter().map(|(key, own)| (key.clone(), format!("fabric.{name}.collectors.{key}"), own));
    let one = |(key, label, own): (String, String, &file::Target)| {
        if own.address.is_none() || own.collector.is_some() || own.collector_target.is_some() {
            return Err(wrong(format!("{label}: a collector has an `address`, and no collector of its own")));
        }
        Ok((key, make(&label, Some(own))?))
    };
    only.chain(named).map(one).collect()
}

#[cfg(test)]
mod tests;
