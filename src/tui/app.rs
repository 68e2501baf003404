//! The state of the console and the one function that changes it. It must not draw, wait, or touch anything outside: what
//! has to happen outside comes back as an [`Effect`].

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::keys::{self, Key};
use super::overlay::{self, Overlay};
use super::screen::{self, Act, Screen};
use super::theme::{Depth, Glyphs, Theme};
use crate::diff::change::{ChangeKey, Severity};
use crate::engine::command::Command;
use crate::engine::snapshot::{DeviceView, Phase, Snapshot, Stream};

/// What can happen. Everything but a snapshot can be written down and played again; of a snapshot only that it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Msg {
    /// The engine reports.
    #[serde(skip)]
    Snapshot(Arc<Snapshot>),
    /// The time, milliseconds since the epoch.
    Now(u64),
    /// The terminal's size.
    Resize(u16, u16),
    /// A key.
    Press(Key),
    /// Pasted text.
    Paste(String),
    /// Something outside went well, or not: shown as a message.
    Note(Severity, String),
    /// To the screen.
    Act(Act),
    /// Show a screen.
    Go(Screen),
    /// Show the Device screen of this device.
    Open(Arc<str>),
    /// One level out.
    Back,
    /// One level out; quit on the outermost.
    BackOrQuit,
    /// Quit, unless a commit runs.
    Quit,
    /// Quit now.
    QuitNow,
    /// To the shell.
    Suspend,
    /// Draw everything again.
    Repaint,
    /// Open help.
    Help,
    /// Open the palette.
    Palette,
    /// Ask for a filter.
    Filter,
    /// To the overlay.
    Prompt(overlay::Msg),
    /// Hold the picture, or let go.
    Freeze,
    /// Read intent again.
    RefreshIntent,
    /// Read the selected device again.
    Resync,
    /// Take back what was staged last.
    UnstageLast,
    /// Empty the staged set.
    UnstageAll,
    /// Allow writes, or not any more.
    Arm,
    /// Ask whether to commit.
    Commit,
    /// Stop after the steps under way.
    Abort,
    /// Ask for the name of a block.
    Override,
    /// Ask for the number of an operation to take back.
    Rollback,
    /// Ask for a file name.
    SavePlan,
    /// Another built-in theme.
    Theme(String),
    /// To the Fabric screen.
    Fabric(screen::fabric::Msg),
    /// To the Device screen.
    Device(screen::device::Msg),
    /// To the YANG screen.
    Yang(screen::yang::Msg),
    /// To the Plan screen.
    Plan(screen::plan::Msg),
    /// To the Log screen.
    Log(screen::log::Msg),
    /// To the Intent screen.
    Intent(screen::intent::Msg),
}

/// What has to happen outside. The only door to a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// To the engine.
    Send(Command),
    /// To the clipboard.
    Copy(String),
    /// To the shell, until `fg`.
    Suspend,
    /// Forget what the terminal shows.
    Repaint,
    /// End.
    Quit,
}

/// Where the schema comes from: the console works without one, its YANG screen does not.
pub type SharedSchema = Arc<crate::yang::Schema>;

/// Numbers of the header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Streams that are current.
    pub live: usize,
    /// Streams whose first values are coming.
    pub syncing: usize,
    /// Streams that broke.
    pub stale: usize,
    /// Devices that could not be reached or refused us.
    pub down: usize,
    /// Changes there are.
    pub drift: usize,
    /// Devices with changes.
    pub drifted: usize,
    /// Devices nothing can be said about.
    pub unknown: usize,
}

/// A message that goes away by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// How much it matters.
    pub severity: Severity,
    /// What.
    pub text: String,
    /// Until then.
    pub until: u64,
}

/// How long a message stays.
const TOAST_MS: u64 = 6_000;

/// The whole state of the console.
pub struct Model {
    /// The newest snapshot.
    pub live: Arc<Snapshot>,
    /// The one that is drawn: `live`, unless frozen.
    pub shown: Arc<Snapshot>,
    /// Snapshots held back while frozen.
    pub frozen: Option<usize>,
    /// Numbers of the header, of `live`.
    pub summary: Summary,
    /// Now.
    pub now: u64,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Where the operator sits.
    pub zone: TimeZone,
    /// How it looks.
    pub theme: Theme,
    /// How many colours there are.
    pub depth: Depth,
    /// With which glyphs.
    pub glyphs: Glyphs,
    /// The screen.
    pub screen: Screen,
    /// Where `Esc` leads.
    pub back: Vec<Screen>,
    /// What lies over the screen.
    pub overlay: Option<Overlay>,
    /// A message.
    pub toast: Option<Toast>,
    /// The filter of each screen.
    pub filters: [Filter; Screen::COUNT],
    /// What was typed in the palette, oldest first.
    pub history: Vec<String>,
    /// What was staged, in which portions.
    pub portions: Vec<Vec<ChangeKey>>,
    /// The selected device, on every screen.
    pub device: Option<Arc<str>>,
    /// The schema.
    pub schema: SharedSchema,
    /// Screens.
    pub fabric: screen::fabric::State,
    /// Screens.
    pub detail: screen::device::State,
    /// Screens.
    pub yang: screen::yang::State,
    /// Screens.
    pub plan: screen::plan::State,
    /// Screens.
    pub commit: screen::commit::State,
    /// Screens.
    pub log: screen::log::State,
    /// Screens.
    pub events: screen::history::State,
    /// Screens.
    pub intent: screen::intent::State,
    /// Whether something drawn may have changed.
    pub dirty: bool,
    /// Whether the console is over.
    pub over: bool,
}

impl Model {
    /// The console at its start.
    pub fn new(snapshot: Arc<Snapshot>, schema: SharedSchema, theme: Theme, depth: Depth, glyphs: Glyphs, zone: TimeZone) -> Self {
        let mut model = Self {
            now: snapshot.now,
            live: Arc::clone(&snapshot),
            shown: snapshot,
            frozen: None,
            summary: Summary::default(),
            size: (80, 24),
            zone,
            theme: theme.reduced(depth),
            depth,
            glyphs,
            screen: Screen::Fabric,
            back: Vec::new(),
            overlay: None,
            toast: None,
            filters: Default::default(),
            history: Vec::new(),
            portions: Vec::new(),
            device: None,
            schema,
            fabric: Default::default(),
            detail: Default::default(),
            yang: Default::default(),
            plan: Default::default(),
            commit: Default::default(),
            log: Default::default(),
            events: Default::default(),
            intent: screen::intent::State::default(),
            dirty: true,
            over: false,
        };
        model.summary = summary(&model.live);
        screen::rebuild(&mut model);
        model
    }

    /// The selected device, as drawn.
    pub fn selected(&self) -> Option<&Arc<DeviceView>> {
        let name = self.device.as_ref()?;
        self.shown.devices.iter().find(|device| device.name == *name)
    }

    /// A device, as drawn.
    pub fn device(&self, name: &str) -> Option<&Arc<DeviceView>> {
        self.shown.devices.iter().find(|device| *device.name == *name)
    }

    /// The filter of the screen.
    pub fn filter(&self) -> &Filter {
        &self.filters[self.screen as usize]
    }

    /// Whether writes are allowed now.
    pub fn armed(&self) -> bool {
        self.live.armed_until.is_some_and(|until| until > self.now)
    }

    /// Whether a commit is under way.
    pub fn committing(&self) -> bool {
        self.live.commit.as_ref().is_some_and(|commit| commit.ended.is_none())
    }

    /// Whether the fabric's name has to be typed before a commit.
    pub fn strict(&self) -> bool {
        *self.live.environment != *"lab"
    }

    /// Lines the body of a screen has.
    pub fn page(&self) -> usize {
        usize::from(self.size.1.saturating_sub(4)).max(1)
    }

    /// Shows a message.
    pub fn say(&mut self, severity: Severity, text: impl Into<String>) {
        self.toast = Some(Toast { severity, text: text.into(), until: self.now + TOAST_MS });
        self.dirty = true;
    }

    /// Goes to a screen; `Esc` comes back.
    pub fn go(&mut self, screen: Screen) {
        if screen != self.screen {
            self.back.push(self.screen);
            if self.back.len() > 16 {
                self.back.remove(0);
            }
            self.screen = screen;
        }
        screen::rebuild(self);
    }
}

/// Changes the model; says what has to happen outside.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let effects = step(model, msg);
    effects
        .into_iter()
        .filter(|effect| match permit(model, effect) {
            Ok(()) => true,
            Err(reason) => {
                model.say(Severity::Warning, reason);
                false
            }
        })
        .collect()
}

/// Read-only mode, in one place: what the engine may be asked now. The engine refuses the same again.
fn permit(model: &Model, effect: &Effect) -> Result<(), String> {
    let Effect::Send(command) = effect else { return Ok(()) };
    match command {
        Command::Commit { .. } | Command::CommitPlan(_) | Command::Override(_) if !model.armed() => {
            Err("read-only: A arms the fabric first".to_owned())
        }
        Command::Arm if !model.live.may_write => {
            Err("this console may not write\nhint: start with --write, or set write = true for this fabric".to_owned())
        }
        Command::Commit { .. } | Command::CommitPlan(_) | Command::Override(_) | Command::Arm => Ok(()),
        Command::RefreshIntent
        | Command::IntentHint
        | Command::Resync(_)
        | Command::Stage(_)
        | Command::Unstage(_)
        | Command::UnstageAll
        | Command::Disarm
        | Command::Abort
        | Command::Get(..)
        | Command::Subscribe(..)
        | Command::Rollback(_)
        | Command::SavePlan(_)
        | Command::Quit => Ok(()),
    }
}

fn step(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Snapshot(snapshot) => {
            receive(model, snapshot);
            return Vec::new();
        }
        Msg::Now(now) => {
            model.now = model.now.max(now);
            if model.toast.as_ref().is_some_and(|toast| toast.until <= model.now) {
                model.toast = None;
                model.dirty = true;
            }
            return Vec::new();
        }
        _ => model.dirty = true,
    }
    match msg {
        Msg::Snapshot(_) | Msg::Now(_) => {}
        Msg::Resize(columns, rows) => model.size = (columns, rows),
        Msg::Press(key) => return press(model, &key),
        Msg::Paste(text) => overlay::paste(model, &text),
        Msg::Note(severity, text) => model.say(severity, text),
        Msg::Act(act) => return screen::act(model, act),
        Msg::Go(screen) => model.go(screen),
        Msg::Open(device) => {
            screen::choose(model, device);
            model.go(Screen::Device);
        }
        Msg::Back => back(model),
        Msg::BackOrQuit => {
            if model.screen == Screen::Fabric && model.filter().text.is_empty() {
                return step(model, Msg::Quit);
            }
            back(model);
        }
        Msg::Quit if model.committing() => model.overlay = Some(Overlay::confirm(overlay::Question::Quit)),
        Msg::Quit | Msg::QuitNow => {
            model.over = true;
            return vec![Effect::Send(Command::Quit), Effect::Quit];
        }
        Msg::Suspend => return vec![Effect::Suspend],
        Msg::Repaint => return vec![Effect::Repaint],
        Msg::Help => model.overlay = Some(Overlay::help()),
        Msg::Palette => model.overlay = Some(Overlay::prompt(overlay::Kind::Palette, "")),
        Msg::Filter => {
            let text = model.filter().text.clone();
            model.overlay = Some(Overlay::prompt(overlay::Kind::Filter, &text));
        }
        Msg::Prompt(msg) => return overlay::update(model, msg),
        Msg::Freeze => freeze(model),
        Msg::RefreshIntent => {
            model.say(Severity::Info, "reading intent from NetBox");
            return vec![Effect::Send(Command::RefreshIntent)];
        }
        Msg::Resync => {
            let Some(device) = model.device.clone() else { return Vec::new() };
            model.say(Severity::Info, format!("{device}: reading everything again"));
            return vec![Effect::Send(Command::Resync(device))];
        }
        Msg::UnstageLast => {
            let staged = Arc::clone(&model.live.staged);
            while let Some(portion) = model.portions.pop() {
                let portion: Vec<ChangeKey> = portion.into_iter().filter(|key| staged.contains(key)).collect();
                if !portion.is_empty() {
                    model.say(Severity::Info, format!("unstaged {}", counted(portion.len(), "change")));
                    return vec![Effect::Send(Command::Unstage(portion))];
                }
            }
            model.say(Severity::Info, "nothing was staged here");
        }
        Msg::UnstageAll => {
            model.portions.clear();
            return vec![Effect::Send(Command::UnstageAll)];
        }
        Msg::Arm => return vec![Effect::Send(if model.armed() { Command::Disarm } else { Command::Arm })],
        Msg::Commit => overlay::ask_commit(model),
        Msg::Abort if model.committing() => {
            model.say(Severity::Warning, "stopping after the steps under way");
            return vec![Effect::Send(Command::Abort)];
        }
        Msg::Abort => model.say(Severity::Info, "no commit is under way"),
        Msg::Override => match model.live.staged_plan.as_ref().and_then(|plan| plan.blocked.first()) {
            Some(_) => model.overlay = Some(Overlay::prompt(overlay::Kind::Override, "")),
            None => model.say(Severity::Info, "the staged plan is not blocked"),
        },
        Msg::Rollback => {
            let last = model.live.commit.as_ref().filter(|commit| commit.id != 0).map(|commit| commit.id.to_string());
            model.overlay = Some(Overlay::prompt(overlay::Kind::Rollback, &last.unwrap_or_default()));
        }
        Msg::SavePlan => {
            if model.live.staged_plan.is_none() {
                model.say(Severity::Info, "nothing is staged, so there is no plan to write");
            } else {
                let name = format!("{}.plan.json", model.live.fabric);
                model.overlay = Some(Overlay::prompt(overlay::Kind::SavePlan, &name));
            }
        }
        Msg::Theme(name) => {
            match super::theme::BUILT_IN.iter().find(|(have, _)| *have == name).map(|(have, text)| Theme::parse(have, text)) {
                Some(Ok(theme)) => {
                    model.theme = theme.reduced(model.depth);
                    screen::rebuild(model);
                }
                Some(Err(error)) => model.say(Severity::Error, error.to_string()),
                None => model.say(Severity::Warning, format!("no theme `{name}`")),
            }
        }
        Msg::Fabric(msg) => return screen::fabric::update(model, msg),
        Msg::Device(msg) => return screen::device::update(model, msg),
        Msg::Yang(msg) => return screen::yang::update(model, msg),
        Msg::Plan(msg) => return screen::plan::update(model, msg),
        Msg::Log(msg) => return screen::log::update(model, msg),
        Msg::Intent(msg) => return screen::intent::update(model, msg),
    }
    Vec::new()
}

fn press(model: &mut Model, key: &Key) -> Vec<Effect> {
    model.toast = None;
    match keys::find(model, key) {
        Some(row) => step(model, row.msg.clone()),
        None if model.overlay.is_some() => overlay::typed(model, key),
        None => Vec::new(),
    }
}

fn back(model: &mut Model) {
    let index = model.screen as usize;
    if !model.filters[index].text.is_empty() {
        model.filters[index] = Filter::default();
        screen::rebuild(model);
    } else if !screen::back(model) {
        match model.back.pop() {
            Some(screen) => {
                model.screen = screen;
                screen::rebuild(model);
            }
            None if model.screen != Screen::Fabric => {
                model.screen = Screen::Fabric;
                screen::rebuild(model);
            }
            None => model.say(Severity::Info, "q quits"),
        }
    }
}

fn freeze(model: &mut Model) {
    if model.frozen.take().is_some() {
        model.shown = Arc::clone(&model.live);
        screen::rebuild(model);
        model.say(Severity::Info, "live again");
    } else {
        model.frozen = Some(0);
        model.say(Severity::Info, "frozen: F goes on");
    }
}

fn receive(model: &mut Model, snapshot: Arc<Snapshot>) {
    model.now = model.now.max(snapshot.now);
    let before = std::mem::replace(&mut model.live, snapshot);
    let numbers = summary(&model.live);
    let header = numbers != model.summary
        || before.armed_until != model.live.armed_until
        || before.intent.read != model.live.intent.read
        || before.intent.error != model.live.intent.error
        || !Arc::ptr_eq(&before.staged, &model.live.staged)
        || !same(before.commit.as_ref(), model.live.commit.as_ref())
        || !same(before.rollback.as_ref(), model.live.rollback.as_ref())
        || before.fabric != model.live.fabric
        || before.environment != model.live.environment;
    model.summary = numbers;
    model.dirty |= header;
    report_commit(model, &before);
    report_rollback(model, &before);
    overlay::check(model);
    if let Some(held) = &mut model.frozen {
        *held += 1;
        model.dirty = true;
        return;
    }
    let old = std::mem::replace(&mut model.shown, Arc::clone(&model.live));
    model.dirty |= screen::touched(model, &old);
    screen::rebuild(model);
}

/// Says how a commit ended, on whatever screen the operator is.
fn report_commit(model: &mut Model, before: &Snapshot) {
    let Some(now) = model.live.commit.clone() else { return };
    let ended_before = before.commit.as_ref().is_some_and(|old| old.id == now.id && old.ended.is_some());
    if now.ended.is_none() || ended_before {
        return;
    }
    let good = now.steps.iter().all(|step| {
        matches!(step.phase, Phase::Done(crate::engine::snapshot::Outcome::Applied | crate::engine::snapshot::Outcome::Unchanged))
    });
    let severity = if good { Severity::Info } else { Severity::Error };
    model.portions.clear();
    model.say(severity, format!("commit {}: {}", now.id, now.status));
}

/// Says what came of asking for a rollback.
fn report_rollback(model: &mut Model, before: &Snapshot) {
    let Some(now) = model.live.rollback.clone().filter(|now| !same(before.rollback.as_ref(), Some(now))) else { return };
    match &now.refused {
        Some(words) => model.say(Severity::Warning, format!("no rollback of operation {}: {words}", now.operation)),
        None => {
            model.plan.everything = false;
            model.say(Severity::Info, format!("rollback of operation {} is staged: review it, C commits", now.operation));
        }
    }
}

/// Whether two shared things are the same thing.
pub fn same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// `1 change`, `2 changes`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn summary(snapshot: &Snapshot) -> Summary {
    let mut out = Summary::default();
    for device in &snapshot.devices {
        match device.stream {
            Stream::Live => out.live += 1,
            Stream::Syncing => out.syncing += 1,
            Stream::Stale => out.stale += 1,
            Stream::Connecting | Stream::Refused | Stream::AuthFailed => out.down += 1,
        }
        match &device.changes {
            None => out.unknown += 1,
            Some(changes) => {
                out.drift += changes.len();
                out.drifted += usize::from(!changes.is_empty());
            }
        }
    }
    out
}

/// Stages what is not staged; when everything is, takes it out.
pub fn toggle(model: &mut Model, keys: Vec<ChangeKey>) -> Vec<Effect> {
    if keys.is_empty() {
        model.say(Severity::Info, "nothing here differs, so there is nothing to stage");
        return Vec::new();
    }
    let staged: &BTreeSet<ChangeKey> = &model.live.staged;
    let missing: Vec<ChangeKey> = keys.iter().filter(|key| !staged.contains(key)).cloned().collect();
    if missing.is_empty() {
        return vec![Effect::Send(Command::Unstage(keys))];
    }
    model.portions.push(missing.clone());
    vec![Effect::Send(Command::Stage(missing))]
}
