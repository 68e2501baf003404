//! The loop: takes what the tasks tell and what front ends ask, keeps the fabric's state, and says what is known at most ten
//! times a second, and not at all while nothing moves. Level-based: what is worked out always starts from full state; an
//! event only says that it is time.
//!
//! ```text
//!  commands ─┐                        ┌─► snapshots (watch)
//!  sessions ─┼─► events ─► loop ──────┤
//!  NetBox   ─┤   (mpsc)   dirty? ≤10/s└─► tasks: session and poller a device, reader, commit runner
//!  commit   ─┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::diff::catalog::Catalog;
use crate::diff::change::{ChangeKey, Finding, Severity};
use crate::diff::compare::Differ;
use crate::diff::ownership::Rules;
use crate::gnmi::session::{How, State, Subscription};
use crate::gnmi::wire::budget::Budget;
use crate::gnmi::wire::walk::Decoder;
use crate::gnmi::{Control, SchemaCanon, SessionEvent};
use crate::intent;
use crate::netbox;
use crate::path::Path;
use crate::plan::model::{Plan, Step};
use crate::store::drift::Drift;
use crate::store::{Store, now};
use crate::tree::{Paths, Tree};
use crate::yang::Schema;

use super::class::Table;
use super::command::Command;
use super::commit::{self, Job};
use super::device::{Device, Link, Running};
use super::event::{Event, happening};
use super::heap::Heap;
use super::line::{self, Line};
use super::poller::{Poller, Wake};
use super::reader::{self, Reader};
use super::reconcile::PlanJob;
use super::rollback::Done;
use super::sight::Sight;
use super::snapshot::{CommitStep, CommitView, DeviceView, Happening, IntentView, LogEntry, Outcome, Phase, Rollback, Snapshot, Stream};
use super::subscriptions::{self, Follow};
use super::{Options, reconcile, shrunk, silence};

/// Between two snapshots in which only state moved.
const FRAME: Duration = Duration::from_millis(100);
/// What moved is compared this long after the first of it came.
const DEBOUNCE: Duration = Duration::from_millis(40);
/// The same two for what somebody waits for: a difference that came or went, the answer to a key.
const SOON: Duration = Duration::from_millis(15);
/// Log lines kept.
const LOG: usize = 2_000;
/// Happenings kept.
const EVENTS: usize = 500;
/// Events taken before the loop looks at the clock again.
const BURST: usize = 512;

/// Room of one device's stream: what devices may have sent and nobody read yet is bounded over all of them. On a busy machine all
/// of it fills while a fabric says its first values, and what the heap grew by then it keeps. The least is what HTTP/2 gives
/// every stream, and enough for the first values of a device in some ten round trips.
fn window(devices: usize) -> u32 {
    const ALL: usize = 64 << 20;
    u32::try_from((ALL / devices.max(1)).clamp(64 << 10, 2 << 20)).unwrap_or(2 << 20)
}

/// A plan that takes longer is made beside the loop.
const PATIENCE: Duration = Duration::from_millis(10);

/// What a comparison found.
#[derive(Default)]
struct News {
    /// Differences that came, for the journal.
    appeared: Vec<Drift>,
    /// Device and path of those that went.
    cleared: Vec<(String, String)>,
    /// Whether there is something to show at once.
    told: bool,
}

/// Everything the loop knows.
pub(super) struct Core {
    pub(super) settings: Arc<Settings>,
    options: Options,
    pub(super) schema: Arc<Schema>,
    pub(super) paths: Arc<Paths>,
    decoder: Arc<Decoder>,
    /// What every device is asked for, made once so that all share its words.
    subscriptions: Vec<Subscription>,
    hubs: line::Hubs,
    /// What all sessions share: connections under way, and what may wait.
    gate: Arc<Semaphore>,
    budget: Arc<Budget>,
    pub(super) catalog: Catalog,
    classes: Table,
    pub(super) store: Result<Arc<Store>, String>,
    events: mpsc::Sender<Event>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    stop: CancellationToken,
    reader_wake: Arc<reader::Wake>,
    pub(super) fabric: Option<Arc<intent::Fabric>>,
    /// What main says while `fabric` is a branch's.
    main: Option<intent::Fabric>,
    /// Intent that shrank was refused: the next one moves every device.
    held_back: bool,
    /// How long the last plan made by the loop itself took.
    plan_cost: Duration,
    /// A plan is being made aside.
    planning: bool,
    /// Which one: an older one that still comes is dropped.
    plan_round: u64,
    intent: IntentView,
    pub(super) devices: BTreeMap<Arc<str>, Box<Device>>,
    lives: u64,
    picked: BTreeSet<ChangeKey>,
    staged: Arc<BTreeSet<ChangeKey>>,
    pulled_in: Arc<BTreeMap<ChangeKey, ChangeKey>>,
    pub(super) overrides: BTreeSet<String>,
    pub(super) plan: Arc<Plan>,
    pub(super) staged_plan: Option<Arc<Plan>>,
    pub(super) rollback: Option<Arc<Rollback>>,
    /// The operation that is being taken back: its plan is the staged one.
    pub(super) taking_back: Option<Done>,
    pub(super) replan: bool,
    counts: Option<crate::plan::guard::Counts>,
    armed_until: Option<u64>,
    commit: Option<Arc<CommitView>>,
    abort: Option<CancellationToken>,
    outcomes: Arc<BTreeMap<String, u64>>,
    log: Arc<Vec<LogEntry>>,
    happenings: Arc<Vec<Happening>>,
    heap: Heap,
    version: u64,
    dirty_since: Option<Instant>,
    urgent_since: Option<Instant>,
    shown: Instant,
    quit: bool,
}

/// What the loop is started with.
pub(super) struct Start {
    pub settings: Arc<Settings>,
    pub options: Options,
    pub schema: Arc<Schema>,
    pub store: Result<Arc<Store>, String>,
    pub events: mpsc::Sender<Event>,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    pub stop: CancellationToken,
}

/// A snapshot in which nothing is known yet.
pub(super) fn blank(settings: &Settings) -> Snapshot {
    Snapshot {
        version: 0,
        now: now(),
        fabric: Arc::clone(&settings.fabric),
        environment: Arc::from(settings.environment.as_str()),
        armed_until: None,
        may_write: settings.may_write,
        intent: IntentView { url: settings.netbox.url.clone(), ..IntentView::default() },
        devices: Vec::new(),
        staged: Arc::default(),
        pulled_in: Arc::default(),
        staged_plan: None,
        rollback: None,
        plan: Arc::new(reconcile::empty(&settings.fabric)),
        commit: None,
        outcomes: Arc::default(),
        log: Arc::default(),
        events: Arc::default(),
    }
}

impl Core {
    pub(super) fn new(start: Start) -> Self {
        let Start { settings, options, schema, store, events, snapshots, stop } = start;
        let overrides = options.overrides.iter().cloned().collect();
        let paths = Paths::new();
        let canon = SchemaCanon::new(Arc::clone(&schema));
        let rules = Rules::default();
        let subscriptions = subscriptions::wanted(options.telemetry, options.follow, settings.timing.sample);
        Self {
            subscriptions: subscriptions
                .into_iter()
                .map(|wanted| match wanted.follow {
                    Follow::OnChange => Subscription::on_change(wanted.path),
                    Follow::Sample(every) => Subscription::sample(wanted.path, every),
                })
                .collect(),
            decoder: Decoder::new(Arc::clone(&paths), canon),
            catalog: Catalog::new(rules),
            classes: Table::default(),
            hubs: line::hubs(&settings),
            gate: Arc::new(Semaphore::new(settings.limits.connecting)),
            budget: Budget::new(settings.limits.waiting),
            plan: Arc::new(reconcile::empty(&settings.fabric)),
            intent: IntentView { url: settings.netbox.url.clone(), branch: options.branch.clone(), ..IntentView::default() },
            settings,
            options,
            schema,
            paths,
            store,
            events,
            snapshots,
            stop,
            reader_wake: Arc::default(),
            fabric: None,
            main: None,
            held_back: false,
            plan_cost: Duration::ZERO,
            planning: false,
            plan_round: 0,
            devices: BTreeMap::new(),
            lives: 0,
            picked: BTreeSet::new(),
            staged: Arc::default(),
            pulled_in: Arc::default(),
            overrides,
            staged_plan: None,
            rollback: None,
            taking_back: None,
            replan: true,
            counts: None,
            armed_until: None,
            commit: None,
            abort: None,
            outcomes: Arc::default(),
            log: Arc::default(),
            happenings: Arc::default(),
            heap: Heap::default(),
            version: 0,
            dirty_since: Some(Instant::now()),
            urgent_since: None,
            shown: Instant::now(),
            quit: false,
        }
    }

    /// Runs until told to quit or nobody holds the other end.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut events: mpsc::Receiver<Event>) {
        self.recover().await;
        let reader = Reader {
            settings: self.settings.netbox.clone(),
            branch: self.options.branch.clone(),
            wake: Arc::clone(&self.reader_wake),
            follow: self.options.follow,
            events: self.events.clone(),
            stop: self.stop.child_token(),
        };
        tokio::spawn(reader.run());
        while !self.quit {
            let due = self.due();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command).await,
                    None => break,
                },
                event = events.recv() => {
                    if let Some(event) = event {
                        self.event(event);
                    }
                    for _ in 0..BURST {
                        match events.try_recv() {
                            Ok(event) => self.event(event),
                            Err(_) => break,
                        }
                    }
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                () = self.stop.cancelled() => break,
            }
            self.disarm_in_time();
            if self.frame().is_some_and(|at| at <= Instant::now()) {
                let news = self.compare();
                if self.options.follow && news.told {
                    // Somebody waits for what drifted; the journal and the plan of a large fabric take their time.
                    self.show();
                }
                self.settle(news, self.options.follow).await;
                self.show();
                self.heap.settle(std::time::Instant::now());
            }
        }
        // Steps under way end by themselves: their journal says how far they came.
        if let Some(abort) = &self.abort {
            abort.cancel();
        }
        self.stop.cancel();
    }

    /// When the loop must wake although nothing comes.
    fn due(&self) -> Option<Instant> {
        let frame = self.frame();
        let armed = self.armed_until.map(|until| Instant::now() + Duration::from_millis(until.saturating_sub(now())));
        match (frame, armed) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// When what moved is compared and shown; `None` while nothing did.
    fn frame(&self) -> Option<Instant> {
        let calm = self.dirty_since.map(|since| (since + DEBOUNCE).max(self.shown + FRAME));
        let urgent = self.urgent_since.map(|since| (since + SOON).max(self.shown + SOON));
        match (calm, urgent) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn touch(&mut self) {
        self.dirty_since.get_or_insert_with(Instant::now);
    }

    /// As [`Core::touch`], and somebody waits for it.
    fn hurry(&mut self) {
        self.urgent_since.get_or_insert_with(Instant::now);
        self.touch();
    }

    pub(super) fn happen(&mut self, source: &str, severity: Severity, text: impl Into<String>) {
        self.push(happening(&Arc::from(source), severity, text));
    }

    fn push(&mut self, happening: Happening) {
        tracing::info!(source = %happening.source, severity = ?happening.severity, "{}", happening.text);
        let list = Arc::make_mut(&mut self.happenings);
        if list.len() >= EVENTS {
            list.drain(..EVENTS / 10);
        }
        list.push(happening);
        self.touch();
    }

    /// Says what an earlier run left behind.
    async fn recover(&mut self) {
        match self.store.clone() {
            Err(error) => self.happen("engine", Severity::Error, format!("{error}; nothing can be committed")),
            Ok(store) => {
                self.counts = store.intent_counts(&self.settings.fabric).ok().flatten();
                self.tally_outcomes();
                let fabric = Arc::clone(&self.settings.fabric);
                match commit::db(&store, move |store| store.recover(&fabric)).await {
                    Ok(left) => {
                        for row in left {
                            use crate::store::journal::Left;
                            let (severity, state) = match row.left {
                                Left::Done => (Severity::Warning, "done"),
                                Left::NotDone => (Severity::Warning, "not done"),
                                Left::Unknown => (Severity::Error, "unknown: what the device shows now decides"),
                            };
                            self.happen(
                                &row.device,
                                severity,
                                format!("operation {} by {} was interrupted: {state}", row.operation, row.user),
                            );
                        }
                    }
                    Err(error) => self.happen("engine", Severity::Error, error.to_string()),
                }
            }
        }
    }

    // ---- what the tasks tell ----

    fn event(&mut self, event: Event) {
        match event {
            Event::Stream(name, life, event) => self.stream(&name, life, *event),
            Event::Cli(name, life, read) => {
                let Some(device) = self.devices.get_mut(&name).filter(|device| device.life == life) else { return };
                let said = device.read(read);
                let dirty = device.dirty;
                if let Some(said) = said {
                    self.happen(&name, Severity::Warning, said);
                }
                if dirty.diff || dirty.health || dirty.view {
                    self.touch();
                }
            }
            Event::Got(name, leaves) => {
                if let Some(device) = self.devices.get_mut(&name) {
                    device.merge(leaves);
                    self.touch();
                }
            }
            Event::Intent(read) => {
                self.intent.reading = None;
                self.intent(*read);
            }
            Event::Main(fabric) => self.tell_apart(*fabric),
            Event::Reading(reading) => {
                self.intent.reading = Some(Arc::new(reading));
                self.touch();
            }
            Event::Called(entry) => {
                let log = Arc::make_mut(&mut self.log);
                if log.len() >= LOG {
                    log.drain(..LOG / 10);
                }
                log.push(entry);
                if self.options.telemetry {
                    self.touch();
                }
            }
            Event::Planned(round, plan) => {
                if round == self.plan_round {
                    (self.plan, self.planning) = (plan, false);
                    self.plan_staged();
                    self.touch();
                }
            }
            Event::Commit(view) => {
                self.commit = Some(Arc::new(*view));
                self.touch();
            }
            Event::CommitEnded => {
                self.abort = None;
                if let Some(view) = self.commit.clone() {
                    let bad = view.steps.iter().any(|step| !matches!(step.phase, Phase::Done(Outcome::Applied | Outcome::Unchanged)));
                    self.happen(
                        "engine",
                        if bad { Severity::Error } else { Severity::Info },
                        format!("commit {}: {}", view.id, view.status),
                    );
                }
                for device in self.devices.values() {
                    if let Some(link) = &device.link {
                        link.wake.all.notify_one();
                    }
                }
                self.recall();
            }
            Event::Happened(happening) => self.push(happening),
        }
    }

    fn stream(&mut self, name: &Arc<str>, life: u64, event: SessionEvent) {
        let Some(device) = self.devices.get_mut(name).filter(|device| device.life == life) else { return };
        let (mut said, mut pair) = (None, None);
        match event {
            SessionEvent::State { state, trouble, next_try, unsynced: _ } => {
                let stream = match state {
                    State::Connecting => Stream::Connecting,
                    State::Syncing => Stream::Syncing,
                    State::Live => Stream::Live,
                    State::Stale => Stream::Stale,
                    State::Refused => Stream::Refused,
                    State::AuthFailed => Stream::AuthFailed,
                };
                let words = trouble.as_ref().map(|error| format!("{error}; {}", error.hint())).unwrap_or_default();
                if device.stream != stream {
                    device.since = now();
                    said = match (stream, device.stream) {
                        (Stream::Live, _) => Some((Severity::Info, "live".to_owned())),
                        (Stream::Stale, _) => Some((Severity::Warning, format!("stale: {words}"))),
                        (Stream::Refused, _) => Some((Severity::Error, format!("refused: {words}"))),
                        (Stream::AuthFailed, _) => Some((Severity::Error, format!("auth failed: {words}"))),
                        _ => None,
                    };
                } else if stream == Stream::Connecting && device.trouble.is_empty() && !words.is_empty() {
                    said = Some((Severity::Warning, format!("unreachable: {words}")));
                }
                // While it tries again, what was wrong last is still what is wrong.
                if !(words.is_empty() && matches!(stream, Stream::Connecting) && !device.trouble.is_empty()) {
                    device.trouble = words;
                }
                (device.stream, device.next_try) = (stream, next_try);
                if let Some(link) = &device.link {
                    // While it syncs, the first values say that we are let in; see `SessionEvent::Batch`.
                    let up = stream == Stream::Live || (stream == Stream::Syncing && *link.up.borrow());
                    link.up.send_if_modified(|have| std::mem::replace(have, up) != up);
                }
                device.dirty.view = true;
                self.replan = true;
            }
            SessionEvent::SyncStart => device.observed.begin_sweep(),
            SessionEvent::Batch(batch) => {
                if let Some(link) = &device.link {
                    link.up.send_if_modified(|have| !std::mem::replace(have, true));
                }
                let told = device.take(batch, &mut self.classes);
                if told.configured
                    && let Some(link) = &device.link
                {
                    link.wake.all.notify_one();
                }
                if told.configured || told.health {
                    pair = device.record.pair.clone();
                }
            }
            SessionEvent::SyncDone(done) => {
                let gone = device.observed.sweep(|path| !line::is_cli(path) && done.sweeps(path));
                device.observed.fit();
                self.heap.took(device.observed.len(), std::time::Instant::now());
                tracing::debug!(device = %name, gone, leaves = device.observed.len(), "synced");
                device.synced(&done);
                self.replan = true;
            }
            SessionEvent::Flooding(floods) => {
                device.floods = floods;
                device.dirty.view = true;
                let most = self.settings.limits.updates_per_second;
                said = Some(match floods {
                    true => (Severity::Warning, format!("floods: more than {most} updates a second; read slower from now on")),
                    false => (Severity::Info, "no longer floods".to_owned()),
                });
            }
            SessionEvent::PathRefused { path, reason, now: how } => {
                device.lower(path, reason, how);
                said = device.refused.last().map(|(path, words)| (Severity::Warning, format!("path refused {path}: {words}")));
                self.replan = true;
            }
            SessionEvent::Dropped { updates } => {
                said = Some((Severity::Warning, format!("{updates} updates dropped: we were too slow; a resync follows")));
            }
            SessionEvent::Counters(counters) => {
                if counters.ignored > 0 && device.counters.ignored == 0 {
                    let most = self.settings.limits.new_paths;
                    said = Some((Severity::Error, format!("makes up paths: more than {most} of its own; others are not kept")));
                }
                let new = super::snapshot::StreamCounters {
                    ignored: counters.ignored,
                    updates: counters.updates,
                    dropped: counters.dropped,
                    duplicates: counters.duplicates,
                    resyncs: counters.resyncs,
                    ..device.counters
                };
                if device.counters == new {
                    return;
                }
                device.counters = new;
                device.dirty.view = true;
            }
        }
        let touched = device.dirty.diff || device.dirty.health || device.dirty.view || device.dirty.history;
        let drifts = device.dirty.diff && device.synced;
        if let Some(pair) = pair {
            // What one member does shows in the MLAG state of both.
            let members = self.devices.values().filter(|device| device.record.pair.as_ref() == Some(&pair));
            for link in members.filter_map(|device| device.link.as_ref()) {
                link.wake.mlag.notify_one();
            }
        }
        if let Some((severity, text)) = said {
            self.happen(name, severity, text);
        }
        if drifts {
            self.hurry();
        } else if touched {
            self.touch();
        }
    }

    fn intent(&mut self, read: Result<netbox::Read, netbox::Error>) {
        self.touch();
        match read {
            Err(error) => {
                let text = format!("{error}; {}", error.hint());
                if self.intent.error.as_ref() != Some(&text) {
                    self.happen("netbox", Severity::Error, text.clone());
                }
                self.intent.error = Some(text);
                self.intent.held_back = false;
                self.replan = true;
            }
            Ok(read) => {
                let accepted = self.overrides.contains(shrunk::SHRANK);
                let refusal = |before| shrunk::refusal(before, self.fabric.as_deref(), &read.fabric);
                if let Some(refusal) = self.counts.as_ref().filter(|_| !accepted).and_then(refusal) {
                    if self.intent.error.as_ref() != Some(&refusal) {
                        self.happen("netbox", Severity::Error, refusal.clone());
                    }
                    self.intent.error = Some(refusal);
                    self.intent.held_back = true;
                    self.replan = true;
                    // What was held back is part of the next read, whatever that says it touches.
                    self.held_back = true;
                    return;
                }
                // Accepted once is not accepted for good.
                self.overrides.remove(shrunk::SHRANK);
                self.count(&read.fabric);
                if self.intent.error.take().is_some() || self.intent.read.is_none() {
                    self.happen(
                        "netbox",
                        Severity::Info,
                        format!("intent read: {} objects, {} devices", read.objects, read.fabric.devices.len()),
                    );
                }
                self.intent.held_back = false;
                self.intent.read = Some(now());
                self.intent.objects = read.objects;
                if read.touched == netbox::Touched::All {
                    self.heap.took(read.objects, std::time::Instant::now());
                }
                let touched = if std::mem::take(&mut self.held_back) { netbox::Touched::All } else { read.touched };
                self.adopt(Arc::new(read.fabric), touched);
            }
        }
    }

    /// Remembers how much intent there is, in the journal too when it moved.
    fn count(&mut self, fabric: &intent::Fabric) {
        let counts = shrunk::counts(fabric);
        if self.counts.as_ref() == Some(&counts) {
            return;
        }
        if let Ok(store) = &self.store
            && let Err(error) = store.remember_intent(&self.settings.fabric, &counts)
        {
            self.happen("engine", Severity::Warning, error.to_string());
        }
        self.counts = Some(counts);
    }

    /// Takes new intent in force: starts, restarts and ends mirrors, maps every device it touches.
    fn adopt(&mut self, fabric: Arc<intent::Fabric>, touched: netbox::Touched) {
        let touched = reconcile::touched(self.fabric.as_deref(), &fabric, touched);
        let wanted: BTreeSet<Arc<str>> = fabric
            .devices
            .iter()
            .map(|device| Arc::clone(&device.name))
            .filter(|name| self.options.devices.is_empty() || self.options.devices.iter().any(|asked| **asked == **name))
            .collect();
        let gone: Vec<Arc<str>> = self.devices.keys().filter(|name| !wanted.contains(*name)).cloned().collect();
        for name in gone {
            self.devices.remove(&name);
            self.happen(&name, Severity::Warning, "is no longer in intent: not mirrored any more");
        }
        let mut management = BTreeSet::new();
        for record in fabric.devices.iter().filter(|record| wanted.contains(&record.name)) {
            let name = Arc::clone(&record.name);
            if !self.devices.contains_key(&name) {
                let mut device = Device::new(record.clone(), &self.paths);
                device.main = self.of_main(&name);
                self.load(&mut device);
                self.devices.insert(Arc::clone(&name), Box::new(device));
            }
            self.link(record.clone(), wanted.len());
            if !touched.holds(&name)
                && let Some(desired) = self.devices.get(&name).and_then(|device| device.desired.as_ref())
            {
                management.extend(desired.management_vrfs.iter().cloned());
                continue;
            }
            let desired = intent::map::desired(&fabric, &self.schema, &name, &self.paths);
            management.extend(desired.management_vrfs.iter().cloned());
            if let Some(device) = self.devices.get_mut(&name) {
                device.want(Some(desired));
            }
        }
        self.protect(&management);
        self.judge(&fabric);
        self.fabric = Some(fabric);
        self.replan = true;
    }

    /// For a branch: what main wants of each device, so that what only the branch wants is marked.
    fn tell_apart(&mut self, main: intent::Fabric) {
        self.main = Some(main);
        let mut devices = std::mem::take(&mut self.devices);
        for (name, device) in &mut devices {
            device.main = self.of_main(name);
            device.dirty.diff = true;
        }
        self.devices = devices;
        self.touch();
    }

    /// What main wants of a device. One that main does not know gets nothing from it: all of it is the branch's.
    fn of_main(&self, device: &str) -> Option<Tree> {
        self.main.as_ref().map(|main| intent::map::desired(main, &self.schema, device, &self.paths).tree)
    }

    /// What is wrong with intent, the worst first; what was silenced apart.
    fn judge(&mut self, fabric: &intent::Fabric) {
        let mapped = self.devices.values().flat_map(|device| device.desired.iter().flat_map(|desired| desired.findings.iter()));
        let (loud, quiet) = silence::judged(fabric.findings.iter().chain(mapped).cloned(), &self.settings.silence);
        self.intent.findings = Arc::new(loud);
        self.intent.silenced = Arc::new(quiet);
    }

    /// Protects the VRFs management runs in. Whose a path is may change with them, so every device is compared from scratch then.
    fn protect(&mut self, management: &BTreeSet<String>) {
        let rules = management.iter().fold(Rules::default(), |rules, vrf| rules.with_management_vrf(vrf));
        if *self.catalog.rules() == rules {
            return;
        }
        self.catalog = Catalog::new(rules);
        for device in self.devices.values_mut() {
            device.differ = Differ::new(Arc::clone(device.name()));
            device.dirty.diff = true;
        }
    }

    /// What the journal knows of a device.
    fn load(&self, device: &mut Device) {
        let Ok(store) = &self.store else { return };
        let name = Arc::clone(device.name());
        let fabric = &self.settings.fabric;
        match (store.applied(fabric, &name), store.not_retained(fabric, &name)) {
            (Ok(applied), Ok(not_retained)) => {
                let mut tree = Tree::new(Arc::clone(&self.paths));
                for (path, value) in applied {
                    tree.set(&path, value, 0);
                }
                if device.applied != tree {
                    device.applied = tree;
                }
                device.not_retained = not_retained;
            }
            (Err(error), _) | (_, Err(error)) => tracing::error!(device = %name, %error, "journal"),
        }
        device.observe_lines();
        device.dirty.diff = true;
        device.dirty.view = true;
    }

    /// Reads what the journal knows again, after a commit.
    fn recall(&mut self) {
        let mut devices = std::mem::take(&mut self.devices);
        for device in devices.values_mut() {
            self.load(device);
        }
        self.devices = devices;
        self.tally_outcomes();
        self.replan = true;
        self.touch();
    }

    /// Counts how the steps of all commits ended.
    fn tally_outcomes(&mut self) {
        if let Ok(store) = &self.store {
            match store.outcomes(&self.settings.fabric) {
                Ok(outcomes) => self.outcomes = Arc::new(outcomes),
                Err(error) => tracing::error!(%error, "journal"),
            }
        }
    }

    /// Starts or restarts the tasks of a device when where it is reached changed.
    fn link(&mut self, record: intent::fabric::Device, devices: usize) {
        let settings = Arc::clone(&self.settings);
        let target = settings.target(&record.name);
        let address = target.address.clone().or_else(|| {
            let host = record.management.as_ref()?;
            Some(format!(
                "{}:{}",
                if host.contains(':') { format!("[{host}]") } else { host.clone() },
                record.gnmi_port.unwrap_or(crate::gnmi::target::DEFAULT_PORT)
            ))
        });
        let Some(device) = self.devices.get_mut(&record.name) else { return };
        device.dirty.view |= device.record != record;
        device.record = record;
        let reached = matches!(device.record.status.as_str(), "active" | "failed");
        let (Some(address), true) = (address.clone(), reached) else {
            device.link = None;
            device.address = address.unwrap_or_default();
            device.transport = target.security.label().into();
            device.trouble = if reached {
                "no address: neither a management address in intent nor `address` in the settings".into()
            } else {
                format!("not onboarded: status {} in NetBox", device.record.status)
            };
            device.dirty.view = true;
            return;
        };
        if device.link.is_some() && device.address == address {
            return;
        }
        self.lives += 1;
        let (life, name) = (self.lives, Arc::clone(&device.record.name));
        device.life = life;
        device.address.clone_from(&address);
        device.transport = target.security.label().into();
        (device.stream, device.since, device.synced) = (Stream::Connecting, now(), false);
        device.running = Running::Unread;
        (device.sight, device.floods) = (Sight::default(), false);
        let mut gnmi = line::target(&name, &address, target, &settings.timing, &self.hubs);
        gnmi.gate = Some(Arc::clone(&self.gate));
        gnmi.max_message = settings.limits.message;
        gnmi.window = window(devices);
        let shared = crate::gnmi::Shared::default();
        let line =
            Arc::new(Line::new(Arc::clone(&name), gnmi.clone(), shared.clone(), target, Arc::clone(&self.decoder), self.events.clone()));
        let mut session = crate::gnmi::Settings::new(gnmi, self.subscriptions.clone());
        session.limits.silence = settings.timing.stale;
        session.shared = shared;
        (session.limits.backoff_first, session.limits.backoff_most) = (settings.timing.retry, settings.timing.retry_most);
        session.budget = Arc::clone(&self.budget);
        session.updates_per_second = settings.limits.updates_per_second;
        session.new_paths = settings.limits.new_paths;
        let (control, control_end) = mpsc::channel(16);
        let (told, mut heard) = mpsc::channel(64);
        let stop = self.stop.child_token();
        let (events, decoder) = (self.events.clone(), Arc::clone(&self.decoder));
        tokio::spawn({
            let stop = stop.clone();
            async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = crate::gnmi::session::run(session, decoder, told, control_end) => {}
                }
            }
        });
        tokio::spawn({
            let (name, events) = (Arc::clone(&name), events.clone());
            async move {
                while let Some(event) = heard.recv().await {
                    if events.send(Event::Stream(Arc::clone(&name), life, event)).await.is_err() {
                        return;
                    }
                }
            }
        });
        let (up, up_end) = watch::channel(false);
        let wake = Arc::new(Wake::default());
        let poller = Poller {
            line: Arc::clone(&line),
            life,
            up: up_end,
            wake: Arc::clone(&wake),
            paired: device.record.pair.is_some(),
            every: settings.timing.cli,
            events,
            stop: stop.clone(),
        };
        tokio::spawn(poller.run());
        device.link = Some(Link::new(line, control, wake, up, stop));
    }

    // ---- what front ends ask ----

    async fn command(&mut self, command: Command) {
        self.hurry();
        match command {
            Command::RefreshIntent => self.reader_wake.whole.notify_one(),
            Command::IntentHint => self.reader_wake.hint.notify_one(),
            Command::Resync(name) => {
                if let Some(link) = self.devices.get(&name).and_then(|device| device.link.as_ref()) {
                    let _ = link.control.try_send(Control::Resync);
                    link.wake.all.notify_one();
                }
                if let Some(device) = self.devices.get_mut(&name) {
                    // Somebody looked at it.
                    device.replaced = None;
                    device.dirty.view = true;
                }
            }
            Command::Stage(keys) => {
                self.keep_all();
                self.picked.extend(keys);
                self.replan = true;
            }
            Command::Unstage(keys) => {
                let every = reconcile::changes(self);
                reconcile::unstage(&every, &self.staged, &mut self.picked, keys);
                self.replan = true;
            }
            Command::UnstageAll => {
                self.keep_all();
                self.picked.clear();
                self.replan = true;
            }
            Command::Arm => self.arm().await,
            Command::Disarm => {
                self.armed_until = None;
                self.happen("engine", Severity::Info, "read-only again");
            }
            Command::Override(name) => {
                self.audit("override", &name).await;
                self.happen("engine", Severity::Warning, format!("block {name} overridden by {}", self.settings.user));
                if name == shrunk::SHRANK {
                    self.reader_wake.whole.notify_one();
                }
                self.overrides.insert(name);
                self.replan = true;
            }
            Command::Commit { hash } => {
                self.reconcile().await;
                match self.staged_plan.clone().filter(|plan| plan.hash == hash) {
                    Some(plan) => self.start(plan).await,
                    None => self.refuse(&hash, &[], "another plan is staged by now: review it again"),
                }
            }
            Command::CommitPlan(plan) => self.start(plan).await,
            Command::Rollback(operation) => self.roll_back(operation).await,
            Command::Abort => {
                if let Some(abort) = &self.abort {
                    abort.cancel();
                    self.happen("engine", Severity::Warning, "aborting: steps under way end, the others are not sent");
                }
            }
            Command::Get(name, path) => self.get(&name, path),
            Command::Subscribe(name, path) => {
                if let Some(link) = self.devices.get(&name).and_then(|device| device.link.as_ref()) {
                    let _ = link.control.try_send(Control::Add(Box::new(Subscription::on_change(path))));
                }
            }
            Command::SavePlan(file) => self.save(file),
            Command::Quit => self.quit = true,
        }
    }

    /// Nothing is taken back any more.
    fn keep_all(&mut self) {
        if let Some(done) = self.taking_back.take() {
            self.staged_plan = None;
            self.happen("engine", Severity::Info, format!("operation {} is not rolled back any more", done.number()));
        }
        self.rollback = None;
    }

    async fn arm(&mut self) {
        if !self.settings.may_write {
            self.happen("engine", Severity::Warning, "read-only: start with --write, or set `write = true` for the fabric");
            return;
        }
        let millis = u64::try_from(self.settings.timing.arm.as_millis()).unwrap_or(600_000);
        self.armed_until = Some(now() + millis);
        self.audit("armed", &format!("for {} s", millis / 1000)).await;
        self.happen("engine", Severity::Info, "armed: writes are allowed");
    }

    fn disarm_in_time(&mut self) {
        if self.armed_until.is_some_and(|until| until <= now()) {
            self.armed_until = None;
            self.happen("engine", Severity::Info, "arming time is over: read-only again");
        }
    }

    async fn audit(&mut self, what: &'static str, detail: &str) {
        let Ok(store) = self.store.clone() else { return };
        let (fabric, user, detail) = (Arc::clone(&self.settings.fabric), self.settings.user.clone(), detail.to_owned());
        if let Err(error) = commit::db(&store, move |store| store.audit(&fabric, &user, what, &detail)).await {
            self.happen("engine", Severity::Error, error.to_string());
        }
    }

    fn get(&self, name: &Arc<str>, path: Path) {
        let Some(link) = self.devices.get(name).and_then(|device| device.link.as_ref()) else { return };
        let (line, events, name) = (Arc::clone(&link.line), self.events.clone(), Arc::clone(name));
        tokio::spawn(async move {
            let told = match line.get(std::slice::from_ref(&path)).await {
                Ok(leaves) => Event::Got(name, leaves),
                Err(error) => Event::Happened(happening(&name, Severity::Warning, format!("Get {path}: {error}"))),
            };
            let _ = events.send(told).await;
        });
    }

    fn save(&self, file: String) {
        let plan = self.staged_plan.clone().unwrap_or_else(|| Arc::clone(&self.plan));
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || {
            let (severity, text) = match super::write_plan(&plan, std::path::Path::new(&file)) {
                Ok(()) => (Severity::Info, format!("plan written to {file}")),
                Err(error) => (Severity::Error, error.to_string()),
            };
            let _ = events.blocking_send(Event::Happened(happening(&Arc::from("engine"), severity, text)));
        });
    }

    /// A commit that does not start.
    fn refuse(&mut self, hash: &str, steps: &[Step], why: &str) {
        self.happen("engine", Severity::Error, format!("commit refused: {why}"));
        let time = now();
        let steps = steps
            .iter()
            .map(|step| CommitStep {
                id: step.id.clone(),
                device: Arc::clone(&step.device),
                wave: step.wave,
                phase: Phase::Done(Outcome::Refused),
                reason: why.to_owned(),
                ms: None,
            })
            .collect();
        self.commit = Some(Arc::new(CommitView {
            id: 0,
            hash: hash.to_owned(),
            user: self.settings.user.clone(),
            started: time,
            ended: Some(time),
            steps,
            status: format!("refused: {why}"),
        }));
        self.touch();
    }

    /// Starts a commit, if everything allows it.
    async fn start(&mut self, plan: Arc<Plan>) {
        let hash = plan.hash.clone();
        let store = match &self.store {
            Ok(store) => Arc::clone(store),
            Err(error) => {
                let why = error.clone();
                return self.refuse(&hash, &plan.steps, &why);
            }
        };
        let blocks: Vec<String> = plan
            .blocked
            .iter()
            .filter(|block| !self.overrides.contains(&block.name))
            .map(|block| format!("{} ({})", block.name, block.reason))
            .collect();
        let why = if self.abort.is_some() {
            Some("another commit is under way".to_owned())
        } else if self.armed_until.is_none_or(|until| until <= now()) {
            Some("not armed".to_owned())
        } else if *plan.fabric != *self.settings.fabric {
            Some(format!("the plan was made for fabric {}, this is {}", plan.fabric, self.settings.fabric))
        } else if let Some(branch) = &self.options.branch {
            Some(format!("intent is read from branch {branch}: merge it in NetBox, then plan from main"))
        } else if let Some(change) = plan.changes().map(|(_, change)| change).find(|change| change.unmerged) {
            // Saved by `plan --branch`: the one who reviews the branch has not let it in.
            let (device, path) = (&change.device, &change.path);
            Some(format!("only an unmerged branch wants {device} {path}: merge it in NetBox, then plan from main"))
        } else if !blocks.is_empty() {
            Some(format!("blocked: {}", blocks.join("; ")))
        } else {
            None
        };
        if let Some(why) = why {
            return self.refuse(&hash, &plan.steps, &why);
        }
        let lines =
            self.devices.iter().filter_map(|(name, device)| Some((Arc::clone(name), Arc::clone(&device.link.as_ref()?.line)))).collect();
        let abort = CancellationToken::new();
        let job = Job {
            plan,
            fabric: Arc::clone(&self.settings.fabric),
            user: self.settings.user.clone(),
            store,
            schema: Arc::clone(&self.schema),
            paths: Arc::clone(&self.paths),
            lines,
            snapshots: self.snapshots.subscribe(),
            events: self.events.clone(),
            abort: abort.clone(),
            timing: self.settings.timing.clone(),
        };
        match commit::begin(&job).await {
            Err(error) => self.refuse(&hash, &job.plan.steps, &error.to_string()),
            Ok(operation) => {
                self.abort = Some(abort);
                self.picked.clear();
                (self.taking_back, self.rollback) = (None, None);
                self.happen("engine", Severity::Info, format!("commit {operation} started by {}", self.settings.user));
                tokio::spawn(commit::run(job, operation));
            }
        }
    }

    // ---- what is worked out ----

    /// Brings differences, journal and plan up to date.
    pub(super) async fn reconcile(&mut self) {
        let news = self.compare();
        // What comes is older than what is made here.
        if std::mem::take(&mut self.planning) {
            (self.plan_round, self.replan) = (self.plan_round + 1, true);
        }
        self.settle(news, false).await;
    }

    /// Compares what moved, and says what that changed.
    fn compare(&mut self) -> News {
        let mut news = News::default();
        let mut said = Vec::new();
        self.catalog.learn(&self.schema, &self.paths);
        for device in self.devices.values_mut() {
            if device.dirty.diff {
                device.dirty.diff = false;
                let (before, unseen) = (device.changes.clone(), device.withheld);
                let moved = reconcile::compare(device, &self.catalog);
                self.replan |= before != device.changes || before.is_none() || unseen != device.withheld;
                // The first comparison finds what is there, not what came.
                if before.is_some() && self.abort.is_none() {
                    said.extend(reconcile::words(device.name(), &moved));
                    let by =
                        device.view.as_ref().and_then(|view| view.changed.as_ref()).map(|change| change.user.clone()).unwrap_or_default();
                    news.appeared.extend(moved.appeared.iter().map(|change| reconcile::event(change, &by)));
                }
                if device.comparable() {
                    said.extend(device.returned().map(|(severity, text)| (Arc::clone(device.name()), severity, text)));
                }
                news.cleared.extend(moved.cleared.iter().map(|key| (key.device.to_string(), key.path.to_string())));
            }
            device.derive();
        }
        news.told = !said.is_empty();
        for (name, severity, text) in said {
            self.happen(&name, severity, text);
        }
        news
    }

    /// Writes what drifted to the journal, and plans: `aside` when nobody waits for the plan.
    async fn settle(&mut self, news: News, aside: bool) {
        let News { appeared, cleared, .. } = news;
        if self.options.record
            && (!appeared.is_empty() || !cleared.is_empty())
            && let Ok(store) = self.store.clone()
        {
            let fabric = Arc::clone(&self.settings.fabric);
            if let Err(error) = commit::db(&store, move |store| store.drifted(&fabric, &appeared, &cleared)).await {
                tracing::error!(%error, "drift not recorded");
            }
        }
        if self.replan && aside && self.plan_cost > PATIENCE {
            // A large fabric: the loop goes on hearing devices while it is planned, one plan at a time.
            if !self.planning {
                (self.replan, self.planning) = (false, true);
                self.plan_aside();
            }
        } else if self.replan {
            self.replan = false;
            self.plan_anew();
        }
    }

    /// Plans every difference in a task of its own; what is staged is planned here when that one comes back.
    fn plan_aside(&mut self) {
        self.plan_round += 1;
        let (job, before, round, events) = (PlanJob::of(self, None), Arc::clone(&self.plan), self.plan_round, self.events.clone());
        tokio::task::spawn_blocking(move || {
            let plan = reconcile::keep(&before, job.run(before.made));
            let _ = events.blocking_send(Event::Planned(round, plan));
        });
    }

    fn plan_anew(&mut self) {
        let begun = Instant::now();
        let job = PlanJob::of(self, None);
        self.plan = reconcile::keep(&self.plan, job.run(self.plan.made));
        self.plan_cost = begun.elapsed();
        self.plan_staged();
    }

    /// What is staged follows what differs.
    fn plan_staged(&mut self) {
        let every = reconcile::changes(self);
        self.picked.retain(|key| every.iter().any(|change| change.device == key.device && change.path == key.path));
        let (staged, pulled_in) = reconcile::closure(&every, &self.picked);
        if *self.staged != staged {
            self.staged = Arc::new(staged);
        }
        if *self.pulled_in != pulled_in {
            self.pulled_in = Arc::new(pulled_in);
        }
        if self.taking_back.is_some() {
            if let Err(words) = self.plan_rollback() {
                self.keep_all();
                self.happen("engine", Severity::Warning, format!("the rollback is dropped: {words}"));
            }
            return;
        }
        self.staged_plan = (!self.staged.is_empty()).then(|| {
            let job = PlanJob::of(self, Some(Arc::clone(&self.staged)));
            match &self.staged_plan {
                Some(old) => reconcile::keep(old, job.run(old.made)),
                None => Arc::new(job.run(now())),
            }
        });
    }

    /// Findings of intent and of every device.
    pub(super) fn findings(&self) -> Vec<Finding> {
        // Advice on intent has a screen of its own; a plan tells what matters to it.
        let mut all: Vec<Finding> = self.intent.findings.iter().filter(|finding| finding.severity != Severity::Info).cloned().collect();
        for device in self.devices.values() {
            all.extend(device.findings.iter().cloned());
            all.extend(device.refused.iter().map(|(path, reason)| {
                let missing = device.lowered.get(path).is_none_or(|how| *how == How::GivenUp);
                Finding {
                    code: "path-refused".into(),
                    severity: if missing { Severity::Warning } else { Severity::Info },
                    device: Some(Arc::clone(device.name())),
                    path: Some(path.clone()),
                    origin: None,
                    message: format!("{} refuses {path}: {reason}", device.name()),
                    hint: if missing {
                        "what lies below it is not mirrored, so nothing is planned there".into()
                    } else {
                        "it is mirrored all the same, only later: drift there shows when it is read next".into()
                    },
                }
            }));
            all.extend(device.sight.notes(device.withheld).into_iter().map(|note| Finding {
                code: "not-seen".into(),
                severity: Severity::Warning,
                device: Some(Arc::clone(device.name())),
                path: None,
                origin: None,
                message: format!("{}: {note}", device.name()),
                hint: "let the device be read there: see its refused paths, or resync it".into(),
            }));
            if let Running::Failed(error) = &device.running {
                all.push(Finding {
                    code: "running-config-unreadable".into(),
                    severity: Severity::Warning,
                    device: Some(Arc::clone(device.name())),
                    path: None,
                    origin: None,
                    message: format!("{}: command lines are not compared: {error}", device.name()),
                    hint: "allow `show running-config` through origin cli".into(),
                });
            }
        }
        // Mapping repeats what reading found of the same object.
        let mut seen = BTreeSet::new();
        all.retain(|finding| seen.insert((finding.code.clone(), finding.device.clone(), finding.message.clone())));
        all
    }

    /// Says what is known, if anything moved.
    fn show(&mut self) {
        (self.dirty_since, self.urgent_since) = (None, None);
        self.shown = Instant::now();
        self.version += 1;
        let mut views: Vec<Arc<DeviceView>> = self.devices.values_mut().filter_map(|device| device.draw()).collect();
        views.sort_by(|a, b| (&a.role, &a.pair, &a.name).cmp(&(&b.role, &b.pair, &b.name)));
        let snapshot = Snapshot {
            version: self.version,
            now: now(),
            fabric: Arc::clone(&self.settings.fabric),
            environment: Arc::from(self.settings.environment.as_str()),
            armed_until: self.armed_until,
            may_write: self.settings.may_write,
            intent: self.intent.clone(),
            devices: views,
            staged: Arc::clone(&self.staged),
            pulled_in: Arc::clone(&self.pulled_in),
            staged_plan: self.staged_plan.clone(),
            rollback: self.rollback.clone(),
            plan: Arc::clone(&self.plan),
            commit: self.commit.clone(),
            outcomes: Arc::clone(&self.outcomes),
            log: Arc::clone(&self.log),
            events: Arc::clone(&self.happenings),
        };
        self.snapshots.send_replace(Arc::new(snapshot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fabric_of_any_size_has_room_to_send_and_not_more() {
        assert_eq!([1, 10, 32].map(window), [2 << 20; 3], "few devices send as much as they like");
        assert_eq!(window(1000) as usize, 67_108, "a thousand have 64 MiB together");
        assert_eq!(window(20_000), 64 << 10, "and each always what HTTP/2 gives anyway");
    }
}
