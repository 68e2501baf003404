//! One device as the engine's loop knows it: its mirror, what it should be, and what is told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::diff::change::{Change, ChangeKey, Finding, Kind, Severity};
use crate::diff::compare::Differ;
use crate::gnmi;
use crate::gnmi::session::How;
use crate::intent;
use crate::intent::map::{self, Desired};
use crate::path::Path;
use crate::plan::model::UnknownDevice;
use crate::store::now;
use crate::tree::{Paths, Tree};
use crate::value::Value;

use super::class::{Class, Table};
use super::event::CliRead;
use super::feed;
use super::health::{self, Facts, Mlag};
use super::identity::{Came, Identity};
use super::line::{Line, is_cli};
use super::poller::Wake;
use super::rates::{Rates, Way};
use super::sight::Sight;
use super::snapshot::{DeviceView, Health, Stream, StreamCounters, Tally};

/// What has to be worked out again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Configuration, intent or journal moved: compare.
    pub diff: bool,
    /// Sessions or ports moved.
    pub health: bool,
    /// Who changed what.
    pub history: bool,
    /// Anything that is drawn.
    pub view: bool,
}

/// The running configuration, as far as it is known.
#[derive(Clone, Debug, Default)]
pub enum Running {
    /// Not read yet.
    #[default]
    Unread,
    /// The text.
    Read(Arc<str>),
    /// The device does not give it.
    Failed(String),
}

/// The tasks of a device that is mirrored. Dropped, they end.
#[derive(Debug)]
pub struct Link {
    /// The calls.
    pub line: Arc<Line>,
    /// Steers the session.
    pub control: tokio::sync::mpsc::Sender<gnmi::Control>,
    /// Reads the command line now.
    pub wake: Arc<Wake>,
    /// Tells the poller whether the device is there.
    pub up: watch::Sender<bool>,
    _ends: DropGuard,
}

/// What a batch of telemetry told besides its leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The configuration was changed on the device.
    pub configured: bool,
    /// State that makes health moved.
    pub health: bool,
}

impl Link {
    /// A link whose tasks end with `stop`.
    pub fn new(
        line: Arc<Line>,
        control: tokio::sync::mpsc::Sender<gnmi::Control>,
        wake: Arc<Wake>,
        up: watch::Sender<bool>,
        stop: CancellationToken,
    ) -> Self {
        Self { line, control, wake, up, _ends: stop.drop_guard() }
    }
}

/// One device.
#[derive(Debug)]
pub struct Device {
    /// What intent says of it.
    pub record: intent::fabric::Device,
    /// Its tasks; `None` when it is not mirrored.
    pub link: Option<Link>,
    /// Which of its lives this is: what the tasks of an earlier one say is not heard.
    pub life: u64,
    /// host:port.
    pub address: String,
    /// `TLS`, …
    pub transport: String,
    /// The stream.
    pub stream: Stream,
    /// In this state since then.
    pub since: u64,
    /// When the last message came.
    pub last_update: Option<u64>,
    /// What is wrong.
    pub trouble: String,
    /// When the next try is due.
    pub next_try: Option<u64>,
    /// What the device refuses.
    pub refused: Vec<(Path, String)>,
    /// How each of those is had instead.
    pub lowered: BTreeMap<Path, How>,
    /// Counters of the stream.
    pub counters: StreamCounters,
    /// Whether everything came once.
    pub synced: bool,
    /// Where it is not seen.
    pub sight: Sight,
    /// Wanted leaves that are not compared because of that.
    pub withheld: usize,
    /// Who it was when it was seen last.
    pub identity: Identity,
    /// How it came back, not told yet.
    pub came: Option<Came>,
    /// The chassis now and before, since it was replaced.
    pub replaced: Option<(String, String)>,
    /// Wanted leaves that were missing after a boot, of how many: most of them.
    pub lost: Option<(usize, usize)>,
    /// It sends more than is read.
    pub floods: bool,
    /// What it reports.
    pub observed: Tree,
    /// The running configuration.
    pub running: Running,
    /// `show mlag`.
    pub mlag: Option<Mlag>,
    /// What it should be; `None` without intent.
    pub desired: Option<Arc<Desired>>,
    /// When intent is read from a branch: what main wants.
    pub main: Option<Tree>,
    /// The leaves of `desired`, as drawn.
    pub wanted: Arc<Tree>,
    /// What we committed.
    pub applied: Tree,
    /// What it did not keep.
    pub not_retained: Vec<(Path, Value)>,
    /// Compares.
    pub differ: Differ,
    /// What differs and may be sent; `None` while nothing can be said.
    pub changes: Option<Arc<Vec<Change>>>,
    /// What was found on the way.
    pub findings: Vec<Finding>,
    /// Leaves equal, foreign, protected.
    pub tally: Tally,
    /// Of others.
    pub foreign: Arc<Vec<(Arc<Path>, String)>>,
    /// How it is doing.
    pub health: Health,
    /// Rates.
    pub rates: Rates,
    /// What has to be worked out again.
    pub dirty: Dirty,
    /// As drawn last.
    pub view: Option<Arc<DeviceView>>,
}

/// What a device's drift did.
#[derive(Debug, Default)]
pub struct Moved {
    /// New differences.
    pub appeared: Vec<Change>,
    /// Differences that are gone.
    pub cleared: Vec<ChangeKey>,
}

impl Device {
    /// A device nothing is known of.
    pub fn new(record: intent::fabric::Device, paths: &Arc<Paths>) -> Self {
        let name = Arc::clone(&record.name);
        Self {
            record,
            link: None,
            life: 0,
            address: String::new(),
            transport: String::new(),
            stream: Stream::Connecting,
            since: now(),
            last_update: None,
            trouble: String::new(),
            next_try: None,
            refused: Vec::new(),
            lowered: BTreeMap::new(),
            counters: StreamCounters::default(),
            synced: false,
            sight: Sight::default(),
            withheld: 0,
            identity: Identity::default(),
            came: None,
            replaced: None,
            lost: None,
            floods: false,
            observed: Tree::new(Arc::clone(paths)),
            running: Running::Unread,
            mlag: None,
            desired: None,
            main: None,
            wanted: Arc::new(Tree::new(Arc::clone(paths))),
            applied: Tree::new(Arc::clone(paths)),
            not_retained: Vec::new(),
            differ: Differ::new(name),
            changes: None,
            findings: Vec::new(),
            tally: Tally::default(),
            foreign: Arc::default(),
            health: Health::default(),
            rates: Rates::default(),
            dirty: Dirty { view: true, diff: true, health: true, history: true },
            view: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.record.name
    }

    /// Whether it has a session of two, for MLAG.
    pub fn paired(&self) -> bool {
        self.record.pair.is_some()
    }

    /// Takes a batch of telemetry; says what else has to be read because of it.
    pub fn take(&mut self, batch: gnmi::wire::batch::Batch, classes: &mut Table) -> Told {
        let received = batch.received;
        self.last_update = Some(received);
        self.dirty.view = true;
        let ops_have_octets = batch.ops.len();
        let applied = batch.apply(&mut self.observed);
        let mut told = Told::default();
        let paths = Arc::clone(self.observed.paths());
        let mut octets = Vec::new();
        paths.with(|mut list| {
            for (id, gone) in applied.changed.iter().map(|id| (*id, false)).chain(applied.removed.iter().map(|id| (*id, true))) {
                let class = classes.known(id).or_else(|| Some(classes.class(id, list.get(id.index())?)));
                match class.unwrap_or(Class::Other) {
                    Class::Config => {
                        self.dirty.diff = true;
                        self.dirty.health = true;
                    }
                    Class::Health => {
                        self.dirty.health = true;
                        told.health = true;
                    }
                    Class::History => {
                        self.dirty.history = true;
                        told.configured = true;
                    }
                    Class::Octets if !gone => octets.extend(list.get(id.index()).map(|path| (id, path.clone()))),
                    Class::System | Class::Octets | Class::Other => {}
                }
            }
        });
        tracing::trace!(device = %self.record.name, ops = ops_have_octets, changed = applied.changed.len(), "batch");
        for (id, path) in octets {
            let Some(value) = self.observed.get_id(id).and_then(|leaf| leaf.value.as_u64()) else { continue };
            let way = if path.name() == "in-octets" { Way::In } else { Way::Out };
            if let Some(interface) = path.key("interface", "name") {
                self.rates.octets(interface, way, value, received);
            }
        }
        told
    }

    /// Takes leaves somebody asked for.
    pub fn merge(&mut self, leaves: Vec<(Path, Value)>) {
        let time = now();
        for (path, value) in leaves {
            self.observed.set(&path, value, time);
        }
        self.dirty = Dirty { diff: true, health: true, history: true, view: true };
    }

    /// Takes how a path is had, other than asked for.
    pub fn lower(&mut self, path: Path, reason: String, how: How) {
        let words = match how {
            How::OnChange => format!("{reason} (now on change)"),
            How::Sample => format!("{reason} (now sampled)"),
            How::TargetDefined => format!("{reason} (now as the device thinks best)"),
            How::Get => format!("{reason} (now read by Get)"),
            How::GivenUp => reason,
        };
        self.refused.retain(|(have, _)| *have != path);
        self.refused.push((path.clone(), words));
        self.lowered.insert(path, how);
        self.tell_lowered();
    }

    /// After a sync the session says what is left of that: a device that was upgraded may have stopped refusing.
    pub fn still_lowered(&mut self, left: &[(Path, How)]) {
        self.lowered = left.iter().cloned().collect();
        self.refused.retain(|(path, _)| left.iter().any(|(still, _)| still == path));
        self.tell_lowered();
    }

    fn tell_lowered(&mut self) {
        let count = |wanted: How| self.lowered.values().filter(|how| **how == wanted).count() as u64;
        let (sampled, polled, missing) = (count(How::Sample), count(How::Get), count(How::GivenUp));
        self.counters = StreamCounters { sampled, polled, missing, ..self.counters };
        self.sight.missing(self.lowered.iter().filter(|(_, how)| **how == How::GivenUp).map(|(path, _)| path.clone()));
        self.dirty.view = true;
        self.dirty.diff = true;
    }

    /// Takes what the command line said.
    pub fn read(&mut self, read: CliRead) -> Option<String> {
        match read {
            CliRead::Running(text) => {
                self.sight.lines(false);
                let same = matches!(&self.running, Running::Read(have) if *have == text);
                self.running = Running::Read(text);
                if !same {
                    self.observe_lines();
                }
                None
            }
            CliRead::Mlag(mlag) => {
                if self.mlag.as_ref() != Some(&mlag) {
                    self.mlag = Some(mlag);
                    self.dirty.health = true;
                    self.dirty.view = true;
                }
                None
            }
            CliRead::Failed("show running-config", error) => {
                // What was read before stays: a failure is no news about the configuration.
                if !matches!(self.running, Running::Read(_)) {
                    let first = matches!(self.running, Running::Unread);
                    self.running = Running::Failed(error.to_string());
                    self.sight.lines(true);
                    self.dirty.diff = true;
                    self.dirty.view = true;
                    return first.then(|| format!("running configuration not readable: {error}"));
                }
                None
            }
            CliRead::Failed(_, error) => {
                // State that was read once grows old without a word; state that never was is said to be so.
                let first = self.mlag.is_none();
                if first {
                    self.mlag = Some(Mlag { state: "not readable".into(), ..Mlag::default() });
                    self.dirty.health = true;
                    self.dirty.view = true;
                }
                first.then(|| format!("MLAG state not readable: {error}"))
            }
        }
    }

    /// Puts the lines of the running configuration that intent or journal know of into the mirror.
    pub fn observe_lines(&mut self) {
        let Running::Read(text) = &self.running else { return };
        let mut wanted: BTreeSet<Arc<Path>> = BTreeSet::new();
        let trees = self.desired.iter().map(|desired| &desired.tree).chain(std::iter::once(&self.applied));
        for tree in trees {
            tree.paths().with(|mut paths| {
                let lines = tree.iter().filter_map(|(id, _)| paths.get(id.index()).filter(|path| is_cli(path)).cloned());
                wanted.extend(lines.map(Arc::new));
            });
        }
        let found = map::cli::observe(text, wanted.iter().map(|path| &**path));
        let version = self.observed.version();
        let time = now();
        let there: BTreeSet<&Path> = found.iter().map(|(path, _)| path).collect();
        let gone: Vec<Path> = self
            .observed
            .below(&Path::root().with_origin(crate::path::ORIGIN_CLI))
            .into_iter()
            .map(|(path, _)| (*path).clone())
            .filter(|path| !there.contains(path))
            .collect();
        for path in gone {
            self.observed.remove(&path);
        }
        for (path, value) in &found {
            self.observed.set(path, value.clone(), time);
        }
        if self.observed.version() != version || self.changes.is_none() {
            self.dirty.diff = true;
            self.dirty.view = true;
        }
    }

    /// Takes what it should be.
    pub fn want(&mut self, desired: Option<Desired>) {
        let same = match (&self.desired, &desired) {
            (Some(old), Some(new)) => {
                old.tree == new.tree
                    && old.exhaustive == new.exhaustive
                    && old.findings == new.findings
                    && old.maintenance == new.maintenance
                    && old.held == new.held
            }
            (None, None) => true,
            _ => false,
        };
        if same {
            return; // origins may have moved (somebody saved an object unchanged); nobody needs to be woken for that
        }
        self.wanted = desired
            .as_ref()
            .map_or_else(|| Arc::new(Tree::new(Arc::clone(self.observed.paths()))), |desired| Arc::new(desired.tree.clone()));
        self.desired = desired.map(Arc::new);
        self.observe_lines();
        self.dirty = Dirty { diff: true, health: true, view: true, ..self.dirty };
    }

    /// Whether intent wants lines of the command line here.
    fn wants_lines(&self) -> bool {
        self.desired.as_ref().is_some_and(|desired| {
            desired.tree.paths().with(|mut paths| desired.tree.iter().any(|(id, _)| paths.get(id.index()).is_some_and(is_cli)))
        })
    }

    /// Whether enough is known to say what differs.
    pub fn comparable(&self) -> bool {
        self.desired.is_some() && self.synced && !(matches!(self.running, Running::Unread) && self.wants_lines())
    }

    /// Why nothing is planned for it, if so.
    pub fn unknown(&self) -> Option<UnknownDevice> {
        let say = |state: &str, reason: String| Some(UnknownDevice { device: Arc::clone(self.name()), state: state.into(), reason });
        if self.link.is_none() {
            return say(if self.record.status == "active" { "unreachable" } else { "pending" }, self.trouble.clone());
        }
        let trouble = |default: &str| if self.trouble.is_empty() { default.to_owned() } else { self.trouble.clone() };
        match self.stream {
            Stream::AuthFailed => say("auth-failed", trouble("user or password not accepted")),
            Stream::Refused => say("refused", trouble("the device refuses every path")),
            Stream::Connecting => say("unreachable", trouble("no connection yet")),
            Stream::Stale => say("unreachable", trouble("the stream broke: values are old")),
            Stream::Syncing => say("syncing", trouble("first values are still coming")),
            Stream::Live if !self.comparable() => say("syncing", "the running configuration was not read yet".into()),
            Stream::Live => self
                .desired
                .as_ref()
                .and_then(|desired| desired.findings.iter().find(|finding| finding.severity == Severity::Error))
                .and_then(|finding| say("refused", format!("intent: {}", finding.message))),
        }
    }

    /// Works out health and the change feed where needed.
    pub fn derive(&mut self) {
        if self.dirty.health {
            self.dirty.health = false;
            let health = if self.synced {
                health::derive(Facts {
                    observed: &self.observed,
                    desired: &self.wanted,
                    paired: self.paired(),
                    mlag: self.mlag.as_ref(),
                    vtep: self.record.vtep.is_some(),
                })
            } else {
                Health::default()
            };
            if health != self.health {
                self.health = health;
                self.dirty.view = true;
            }
        }
    }

    /// Everything came, as far as it comes.
    pub fn synced(&mut self, done: &gnmi::session::SyncDone) {
        self.synced = true;
        self.sight.synced(done.unsynced, done.unread.clone());
        self.still_lowered(&done.lowered);
        if let Some(came) = self.identity.look(&self.observed) {
            if let Came::Replaced { was, is } = &came {
                self.replaced = Some((is.clone(), was.clone()));
            }
            self.came = Some(came);
        }
        self.dirty = Dirty { diff: true, health: true, history: true, view: true };
    }

    /// What is to be said of a device that came back, once it is compared.
    pub fn returned(&mut self) -> Option<(Severity, String)> {
        let wanted = self.wanted.len();
        let missing = self.changes.iter().flat_map(|changes| changes.iter()).filter(|change| change.observed.is_none()).count();
        let lost = missing * 2 > wanted && wanted > 0;
        if !lost && self.lost.take().is_some() {
            self.dirty.view = true;
        }
        let came = self.came.take()?;
        if lost {
            self.lost = Some((missing, wanted));
        }
        self.dirty.view = true;
        let without =
            if lost { format!(", without its configuration: {missing} of {wanted} wanted leaves are missing") } else { String::new() };
        Some(match came {
            Came::Replaced { was, is } => (Severity::Error, format!("replaced: this is chassis {is}, it was {was}{without}")),
            Came::Rebooted if lost => (Severity::Error, format!("rebooted{without}")),
            Came::Rebooted => (Severity::Warning, "rebooted".to_owned()),
        })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((is, was)) = &self.replaced {
            notes.push(format!("other hardware: chassis {is}, it was {was}"));
        }
        if let Some((missing, wanted)) = self.lost {
            notes.push(format!("came up without its configuration: {missing} of {wanted} wanted leaves are missing"));
        }
        if self.floods {
            notes.push("floods: it sends more than is read of it, and is read slower".to_owned());
        }
        if self.counters.ignored > 0 {
            let count = self.counters.ignored;
            notes.push(format!("makes up paths: {count} updates of paths beyond its limit were not kept; resync to begin anew"));
        }
        notes.extend(self.sight.notes(self.withheld));
        notes
    }

    /// Draws it anew if anything moved.
    pub fn draw(&mut self) -> Option<Arc<DeviceView>> {
        if !self.dirty.view {
            return self.view.clone();
        }
        self.dirty.view = false;
        let text = |path: &str| Path::parse(path).ok().and_then(|path| self.observed.value(&path).cloned());
        let old = self.view.as_ref();
        let observed = match old {
            Some(view) if view.observed.version() == self.observed.version() && view.last_update == self.last_update => {
                Arc::clone(&view.observed)
            }
            _ => Arc::new(self.observed.clone()),
        };
        let changed = if self.dirty.history { feed::last_change(&self.observed) } else { old.and_then(|view| view.changed.clone()) };
        self.dirty.history = false;
        let view = Arc::new(DeviceView {
            name: Arc::clone(&self.record.name),
            role: self.record.role.clone(),
            asn: self.record.asn,
            pair: self.record.pair.clone(),
            vtep: self.record.vtep.clone(),
            address: self.address.clone(),
            transport: self.transport.clone(),
            software: text("/system/state/software-version").map(|value| value.to_string()),
            booted: text("/system/state/boot-time").and_then(|value| value.as_u64()).map(feed::millis),
            stream: self.stream,
            since: self.since,
            last_update: self.last_update,
            trouble: self.trouble.clone(),
            notes: self.notes(),
            next_try: self.next_try,
            refused_paths: self.refused.clone(),
            counters: self.counters,
            observed,
            desired: Arc::clone(&self.wanted),
            changes: self.changes.clone(),
            tally: self.tally,
            foreign: Arc::clone(&self.foreign),
            health: self.health.clone(),
            changed,
            rates: self.rates.rates(),
        });
        self.view = Some(Arc::clone(&view));
        Some(view)
    }

    /// Splits what differs into what may be sent and what the device did not keep before, and remembers what appeared and cleared.
    pub fn settle(&mut self, found: &[Change]) -> Moved {
        let forgiven = |change: &Change| {
            self.not_retained.iter().any(|(path, value)| *path == change.path && *value == change.desired.clone().unwrap_or(Value::Empty))
        };
        let (dropped, changes): (Vec<Change>, Vec<Change>) = found.iter().cloned().partition(|change| forgiven(change));
        self.findings.extend(dropped.into_iter().map(|change| Finding {
            code: "not-retained".into(),
            severity: Severity::Warning,
            device: Some(Arc::clone(&change.device)),
            message: format!("{} does not keep {}: it is not sent again", change.device, described(&change)),
            hint: "change intent, or the device's software; a new value is tried again".into(),
            path: Some(change.path),
            origin: change.origin,
        }));
        let mut moved = Moved::default();
        if let Some(before) = &self.changes {
            let keys = |list: &[Change]| {
                list.iter().map(|change| (change.path.clone(), change.observed.as_ref().map(ToString::to_string))).collect::<BTreeSet<_>>()
            };
            let (old, new) = (keys(before), keys(&changes));
            moved.appeared = changes
                .iter()
                .filter(|change| !old.contains(&(change.path.clone(), change.observed.as_ref().map(ToString::to_string))))
                .cloned()
                .collect();
            let paths: BTreeSet<&Path> = new.iter().map(|(path, _)| path).collect();
            moved.cleared = before.iter().filter(|change| !paths.contains(&change.path)).map(Change::key).collect();
        }
        if self.changes.as_deref() != Some(&changes) {
            self.changes = Some(Arc::new(changes));
            self.dirty.view = true;
        }
        moved
    }
}

/// `delete of …`, `… = …`
fn described(change: &Change) -> String {
    match (&change.kind, &change.desired) {
        (Kind::Delete, _) | (_, None) => format!("the delete of {}", change.path),
        (_, Some(value)) => format!("{} = {value}", change.path),
    }
}
