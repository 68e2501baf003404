//! The Device screen: what intent wants against what the device has, grouped by construct, with boxes to stage; and the
//! device's live state in tabs.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Act, Screen, facts};
use crate::diff::change::{Change, ChangeKey, Finding, Kind};
use crate::diff::construct::Construct;
use crate::engine::snapshot::DeviceView;
use crate::path::Path;
use crate::tree::Tree;
use crate::tui::app::{self, Effect, Model};
use crate::tui::keys::{Context, Row as Key, row, stages};
use crate::tui::list::{List, Move};

pub mod live;
mod paint;

pub use paint::view;

const HERE: Context = Context::On(Screen::Device);

/// The keys of this screen.
pub static KEYS: &[Key] = &[
    stages(HERE, &["space"], "stage", app::Msg::Act(Act::Stage), "stage or unstage the line, entry or construct under the cursor"),
    stages(HERE, &["a"], "stage all", app::Msg::Device(Msg::StageAll), "stage every change that is shown, or unstage them"),
    row(HERE, &["d"], "side by side", app::Msg::Device(Msg::SideBySide), "diff side by side, or unified"),
    row(HERE, &["z"], "equal", app::Msg::Device(Msg::Equal), "show leaves that are equal, or hide them"),
    row(HERE, &["f"], "foreign", app::Msg::Device(Msg::Foreign), "show leaves of others, which are never touched, or hide them"),
    row(HERE, &["t"], "tab", app::Msg::Device(Msg::NextTab), "next tab: diff, interfaces, BGP, EVPN, MLAG"),
    row(HERE, &["v"], "range", app::Msg::Device(Msg::Range), "begin a range: Space stages all of it"),
    row(HERE, &["o"], "netbox url", app::Msg::Device(Msg::CopyUrl), "copy the URL of the NetBox object the line comes from"),
    row(HERE, &["]"], "next device", app::Msg::Device(Msg::Next), "next device"),
    row(HERE, &["["], "previous device", app::Msg::Device(Msg::Previous), "previous device"),
    row(HERE, &["R"], "resync", app::Msg::Resync, "drop this device's stream and read everything again"),
];

/// What only this screen understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Msg {
    /// Stage everything shown.
    StageAll,
    /// Unified or side by side.
    SideBySide,
    /// Equal leaves.
    Equal,
    /// Foreign leaves.
    Foreign,
    /// Next tab.
    NextTab,
    /// Begin or end a range.
    Range,
    /// Copy the URL of the origin.
    CopyUrl,
    /// Next device.
    Next,
    /// Previous device.
    Previous,
}

/// Which pane has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// Constructs.
    Groups,
    /// Diff, or the tab's list.
    #[default]
    Main,
}

/// What the main pane shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Intent against state.
    #[default]
    Diff,
    /// Interfaces with rates.
    Interfaces,
    /// BGP sessions.
    Bgp,
    /// VNIs and EVPN sessions.
    Evpn,
    /// MLAG.
    Mlag,
}

impl Tab {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Diff, Self::Interfaces, Self::Bgp, Self::Evpn, Self::Mlag];

    /// What the operator calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Diff => "diff",
            Self::Interfaces => "interfaces",
            Self::Bgp => "bgp",
            Self::Evpn => "evpn",
            Self::Mlag => "mlag",
        }
    }
}

/// A row of the left pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Everything.
    All,
    /// One construct.
    Of(Construct),
    /// Leaves of others.
    Foreign,
    /// What is wrong with intent, or refused by the device.
    Findings,
}

/// A construct with how many of its leaves differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// Which.
    pub group: Group,
    /// Changes.
    pub changes: usize,
    /// Leaves desired.
    pub leaves: usize,
}

/// A line of the diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An entry: the first of its changes, and how many.
    Entry(usize, usize),
    /// A change, by its place.
    Change(usize),
    /// A leaf that is equal, with its value.
    Equal(Arc<Path>, String),
    /// A leaf of others, by its place.
    Foreign(usize),
    /// A finding, by its place.
    Finding(usize),
}

/// What a line is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// An entry of a construct.
    Entry(Construct, String),
    /// A leaf.
    Leaf(Path),
    /// A finding.
    Finding(String),
}

/// A tree, and how many of its leaves belong to each construct.
type Totals = (Arc<Tree>, Vec<(Construct, usize)>);

/// The state of this screen.
#[derive(Default)]
pub struct State {
    /// Which pane has the keys.
    pub pane: Pane,
    /// What the main pane shows.
    pub tab: Tab,
    /// Side by side, or unified.
    pub side_by_side: bool,
    /// Show equal leaves.
    pub equal: bool,
    /// Show foreign leaves.
    pub foreign: bool,
    /// Constructs.
    pub groups: Vec<GroupRow>,
    /// The selected construct.
    pub group: List<Group>,
    /// Lines of the diff.
    pub rows: Vec<Line>,
    /// The selected line.
    pub list: List<Id>,
    /// Where a range began.
    pub range: Option<Id>,
    /// Changes sorted by construct and entry, as the lines number them.
    pub changes: Vec<Change>,
    /// Findings of this device.
    pub findings: Vec<Finding>,
    /// The live tab.
    pub live: live::State,
    /// Leaves desired of each construct, of this tree.
    totals: Option<Totals>,
    /// What `changes` was made of.
    made_of: Option<(Arc<str>, Arc<Vec<Change>>)>,
}

/// Whether rates or other live values are drawn.
pub fn draws_live(model: &Model) -> bool {
    model.detail.tab != Tab::Diff || model.size.1 >= 30
}

fn id_at(state: &State, device: &DeviceView, at: usize) -> Option<Id> {
    Some(match state.rows.get(at)? {
        Line::Entry(first, _) => {
            let change = state.changes.get(*first)?;
            Id::Entry(change.construct, change.entry.clone())
        }
        Line::Change(index) => Id::Leaf(state.changes.get(*index)?.path.clone()),
        Line::Equal(path, _) => Id::Leaf((**path).clone()),
        Line::Foreign(index) => Id::Leaf((*device.foreign.get(*index)?.0).clone()),
        Line::Finding(index) => {
            let finding = state.findings.get(*index)?;
            Id::Finding(format!("{} {}", finding.code, finding.message))
        }
    })
}

/// Makes the rows anew.
pub fn rebuild(model: &mut Model) {
    let Some(device) = model.selected().cloned() else {
        model.detail = State { pane: model.detail.pane, tab: model.detail.tab, ..State::default() };
        return;
    };
    let filter = model.filters[Screen::Device as usize].clone();
    let shown = Arc::clone(&model.shown);
    let state = &mut model.detail;
    let none = Arc::default();
    let changes = device.changes.as_ref().unwrap_or(&none);
    if state.made_of.as_ref().is_none_or(|(name, made)| *name != device.name || !Arc::ptr_eq(made, changes)) {
        if state.made_of.as_ref().is_some_and(|(name, _)| *name != device.name) {
            state.range = None;
            state.list = List::default();
        }
        state.changes = changes.to_vec();
        state.changes.sort_by(|a, b| (a.construct, &a.entry, &a.path).cmp(&(b.construct, &b.entry, &b.path)));
        state.made_of = Some((Arc::clone(&device.name), Arc::clone(changes)));
    }
    state.findings = shown
        .intent
        .findings
        .iter()
        .chain(&shown.plan.findings)
        .filter(|finding| finding.device.as_ref() == Some(&device.name))
        .cloned()
        .collect();
    groups(state, &device);
    if state.tab != Tab::Diff {
        live::rebuild(&mut state.live, state.tab, &device, &filter);
        return;
    }
    lines(state, &device, &filter);
    let len = state.rows.len();
    let mut list = std::mem::take(&mut state.list);
    list.settle(len, |at| id_at(state, &device, at));
    state.list = list;
    live::rebuild(&mut state.live, Tab::Interfaces, &device, &crate::tui::filter::Filter::default());
}

fn groups(state: &mut State, device: &DeviceView) {
    if state.totals.as_ref().is_none_or(|(tree, _)| !Arc::ptr_eq(tree, &device.desired)) {
        let mut totals: std::collections::BTreeMap<Construct, usize> = std::collections::BTreeMap::new();
        device.desired.paths().with(|mut paths| {
            for (id, _) in device.desired.iter() {
                if let Some(path) = paths.get(id.index()) {
                    *totals.entry(Construct::of(path)).or_default() += 1;
                }
            }
        });
        state.totals = Some((Arc::clone(&device.desired), totals.into_iter().collect()));
    }
    let mut rows: std::collections::BTreeMap<Construct, (usize, usize)> = std::collections::BTreeMap::new();
    for (construct, leaves) in state.totals.iter().flat_map(|(_, totals)| totals) {
        rows.entry(*construct).or_default().1 = *leaves;
    }
    for change in &state.changes {
        rows.entry(change.construct).or_default().0 += 1;
    }
    let mut out = vec![GroupRow { group: Group::All, changes: state.changes.len(), leaves: device.desired.len() }];
    out.extend(rows.into_iter().map(|(construct, (changes, leaves))| GroupRow { group: Group::Of(construct), changes, leaves }));
    if !device.foreign.is_empty() {
        out.push(GroupRow { group: Group::Foreign, changes: 0, leaves: device.foreign.len() });
    }
    let findings = state.findings.len() + device.refused_paths.len();
    if findings > 0 {
        out.push(GroupRow { group: Group::Findings, changes: 0, leaves: findings });
    }
    state.groups = out;
    state.group.settle(state.groups.len(), |at| state.groups.get(at).map(|row| row.group));
}

fn lines(state: &mut State, device: &DeviceView, filter: &crate::tui::filter::Filter) {
    let group = state.group.id.unwrap_or(Group::All);
    let mut rows = Vec::new();
    let mut entry: Option<usize> = None;
    for (index, change) in state.changes.iter().enumerate() {
        let inside = match group {
            Group::All => true,
            Group::Of(construct) => change.construct == construct,
            Group::Foreign | Group::Findings => false,
        };
        if !inside || !filter.is_empty() && !filter.shows(&words(change)) {
            continue;
        }
        let same_entry = entry
            .and_then(|at| rows.get(at))
            .and_then(|line| if let Line::Entry(first, _) = line { state.changes.get(*first) } else { None })
            .is_some_and(|first| first.construct == change.construct && first.entry == change.entry);
        if !same_entry {
            entry = Some(rows.len());
            rows.push(Line::Entry(index, 0));
        }
        if let Some(Line::Entry(_, many)) = entry.and_then(|at| rows.get_mut(at)) {
            *many += 1;
        }
        rows.push(Line::Change(index));
    }
    if state.equal && !matches!(group, Group::Foreign | Group::Findings) {
        let differing: HashSet<&Path> = state.changes.iter().map(|change| &change.path).collect();
        rows.extend(device.desired.sorted().into_iter().filter(|(path, _)| !differing.contains(&**path)).filter_map(|(path, leaf)| {
            let inside = group == Group::All || group == Group::Of(Construct::of(&path));
            let value = leaf.value.to_string();
            (inside && (filter.is_empty() || filter.shows(&format!("{path} {value}")))).then_some(Line::Equal(path, value))
        }));
    }
    if group == Group::Foreign || state.foreign && group == Group::All {
        let shown = |(path, value): &(Arc<Path>, String)| filter.is_empty() || filter.shows(&format!("{path} {value}"));
        rows.extend(device.foreign.iter().enumerate().filter(|(_, leaf)| shown(leaf)).map(|(index, _)| Line::Foreign(index)));
    }
    if group == Group::Findings {
        rows.extend((0..state.findings.len()).map(Line::Finding));
    }
    state.rows = rows;
}

fn words(change: &Change) -> String {
    format!(
        "{} {} {} {} {} {} {}",
        change.construct.title(),
        change.entry,
        change.path,
        facts::value(change.desired.as_ref()),
        facts::value(change.observed.as_ref()),
        change.kind,
        facts::warning(change)
    )
}

fn keys_at(state: &State, at: usize) -> Vec<ChangeKey> {
    match state.rows.get(at) {
        Some(Line::Entry(first, many)) => {
            // The filter may hide some changes of the entry: only what is shown is staged.
            state
                .rows
                .iter()
                .skip(at + 1)
                .take(*many)
                .filter_map(|line| if let Line::Change(index) = line { state.changes.get(*index) } else { None })
                .map(Change::key)
                .collect::<Vec<_>>()
                .into_iter()
                .chain(state.changes.get(*first).filter(|_| *many == 0).map(Change::key))
                .collect()
        }
        Some(Line::Change(index)) => state.changes.get(*index).map(Change::key).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The changes a range or the cursor holds.
fn picked(state: &State, device: &DeviceView) -> Vec<ChangeKey> {
    if state.pane == Pane::Groups {
        let group = state.group.id.unwrap_or(Group::All);
        return state
            .changes
            .iter()
            .filter(|change| group == Group::All || group == Group::Of(change.construct))
            .map(Change::key)
            .collect();
    }
    let from = state.range.as_ref().and_then(|id| (0..state.rows.len()).find(|at| id_at(state, device, *at).as_ref() == Some(id)));
    match from {
        None => keys_at(state, state.list.cursor),
        Some(from) => {
            let (low, high) = (from.min(state.list.cursor), from.max(state.list.cursor));
            let mut seen = HashSet::new();
            (low..=high).flat_map(|at| keys_at(state, at)).filter(|key| seen.insert(key.clone())).collect()
        }
    }
}

/// The change under the cursor.
pub fn current(state: &State) -> Option<&Change> {
    match state.rows.get(state.list.cursor)? {
        Line::Entry(index, _) | Line::Change(index) => state.changes.get(*index),
        _ => None,
    }
}

/// What only this screen understands.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let state = &mut model.detail;
    match msg {
        Msg::StageAll => {
            let keys = state
                .rows
                .iter()
                .filter_map(|line| if let Line::Change(index) = line { state.changes.get(*index) } else { None })
                .map(Change::key)
                .collect();
            return app::toggle(model, keys);
        }
        Msg::SideBySide => state.side_by_side = !state.side_by_side,
        Msg::Equal => state.equal = !state.equal,
        Msg::Foreign => state.foreign = !state.foreign,
        Msg::NextTab => {
            let at = Tab::ALL.iter().position(|tab| *tab == state.tab).unwrap_or(0);
            state.tab = Tab::ALL.get((at + 1) % Tab::ALL.len()).copied().unwrap_or_default();
            state.live = live::State::default();
        }
        Msg::Range => state.range = if state.range.is_some() { None } else { state.list.id.clone() },
        Msg::CopyUrl => {
            let url =
                current(state).and_then(|change| change.origin.as_ref()).map(|origin| origin.url.clone()).filter(|url| !url.is_empty());
            return match url {
                Some(url) => vec![Effect::Copy(url)],
                None => {
                    model.say(crate::diff::change::Severity::Info, "this line comes from no NetBox object");
                    Vec::new()
                }
            };
        }
        Msg::Next | Msg::Previous => {
            let devices = &model.shown.devices;
            let at = devices.iter().position(|device| Some(&device.name) == model.device.as_ref()).unwrap_or(0);
            let to = if msg == Msg::Next { (at + 1).min(devices.len().saturating_sub(1)) } else { at.saturating_sub(1) };
            if let Some(name) = devices.get(to).map(|device| Arc::clone(&device.name)) {
                super::choose(model, name);
            }
            super::rebuild(model);
            return Vec::new();
        }
    }
    rebuild(model);
    Vec::new()
}

/// Ends a range, or leaves a live tab.
pub fn back(model: &mut Model) -> bool {
    let state = &mut model.detail;
    if state.range.take().is_some() {
        return true;
    }
    if state.tab != Tab::Diff {
        state.tab = Tab::Diff;
        rebuild(model);
        return true;
    }
    if state.pane == Pane::Groups {
        state.pane = Pane::Main;
        return true;
    }
    if state.group.id.is_some_and(|group| group != Group::All) {
        state.group = List::default();
        rebuild(model);
        return true;
    }
    false
}

/// What every screen understands.
pub fn act(model: &mut Model, act: Act) -> Vec<Effect> {
    let page = model.page();
    let Some(device) = model.selected().cloned() else { return Vec::new() };
    let state = &mut model.detail;
    match act {
        Act::NextPane | Act::PreviousPane => state.pane = if state.pane == Pane::Groups { Pane::Main } else { Pane::Groups },
        Act::Move(Move::Left) => state.pane = Pane::Groups,
        Act::Move(Move::Right) => state.pane = Pane::Main,
        Act::Move(to) if state.pane == Pane::Groups && state.tab == Tab::Diff => {
            let groups = std::mem::take(&mut state.groups);
            state.group.go(to, groups.len(), page, |at| groups.get(at).map(|row| row.group));
            state.groups = groups;
            rebuild(model);
        }
        Act::Move(to) if state.tab == Tab::Diff => {
            let mut list = std::mem::take(&mut state.list);
            list.go(to, state.rows.len(), page, |at| id_at(state, &device, at));
            state.list = list;
        }
        Act::Move(to) => state.live.go(to, page),
        Act::Enter if state.pane == Pane::Groups => state.pane = Pane::Main,
        Act::Enter => {
            let path = match state.rows.get(state.list.cursor) {
                Some(Line::Equal(path, _)) => Some((**path).clone()),
                Some(Line::Foreign(index)) => device.foreign.get(*index).map(|(path, _)| (**path).clone()),
                _ => current(state).map(|change| change.path.clone()),
            };
            if let Some(path) = path.filter(|path| path.origin.is_none() && state.tab == Tab::Diff) {
                super::yang::show(model, &path);
                model.go(Screen::Yang);
            }
        }
        Act::Stage if state.tab == Tab::Diff => {
            let keys = picked(state, &device);
            state.range = None;
            return app::toggle(model, keys);
        }
        Act::Stage => {}
        Act::Copy if state.tab != Tab::Diff => return state.live.copy().map(Effect::Copy).into_iter().collect(),
        Act::Copy => {
            let text = match state.rows.get(state.list.cursor) {
                Some(Line::Equal(path, value)) => Some(format!("{path} {value}")),
                Some(Line::Foreign(index)) => device.foreign.get(*index).map(|(path, value)| format!("{path} {value}")),
                Some(Line::Finding(index)) => state.findings.get(*index).map(|finding| finding.message.clone()),
                Some(Line::Entry(..) | Line::Change(_)) => current(state).map(sentence),
                None => None,
            };
            return text.map(Effect::Copy).into_iter().collect();
        }
    }
    Vec::new()
}

fn sentence(change: &Change) -> String {
    let (desired, observed) = (facts::value(change.desired.as_ref()), facts::value(change.observed.as_ref()));
    match change.kind {
        Kind::Delete => format!("{} delete {} (observed {observed})", change.device, change.path),
        Kind::Create | Kind::Update => format!("{} {} {} desired {desired} observed {observed}", change.device, change.kind, change.path),
    }
}
