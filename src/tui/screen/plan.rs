//! The Plan screen: waves and steps in the order they are sent, why they stand there, what they can break, and exactly what
//! is sent.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::style::Style;
use serde::{Deserialize, Serialize};

use super::{Act, Screen, facts};
use crate::diff::change::{Change, ChangeKey, Risk, Severity};
use crate::plan::model::{Plan, Step};
use crate::tui::app::{self, Effect, Model, counted};
use crate::tui::clean::clean;
use crate::tui::draw::{Draw, pad};
use crate::tui::keys::{Context, Row as Key, row, stages, writes};
use crate::tui::list::{List, Move};

const HERE: Context = Context::On(Screen::Plan);

/// The keys of this screen.
pub static KEYS: &[Key] = &[
    stages(HERE, &["space"], "unstage", app::Msg::Act(Act::Stage), "stage or unstage the change or step under the cursor"),
    row(HERE, &["x"], "what if", app::Msg::Plan(Msg::WhatIf), "the plan of every difference, or of what is staged"),
    row(HERE, &["J"], "json", app::Msg::Plan(Msg::CopyJson), "copy the plan as JSON"),
    row(HERE, &["w"], "write file", app::Msg::SavePlan, "write the staged plan to a file"),
    writes(HERE, &["E"], "accept block", app::Msg::Override, "accept a block of the staged plan by typing its name"),
];

/// What only this screen understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Msg {
    /// Everything, or what is staged.
    WhatIf,
    /// Copy as JSON.
    CopyJson,
}

/// A line of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A block: its place.
    Block(usize),
    /// A device nothing can be planned for: its place.
    Unknown(usize),
    /// A step: its place.
    Step(usize),
    /// A change: places of its step and itself.
    Change(usize, usize),
    /// A finding: its place.
    Finding(usize),
}

/// What a line is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// A block.
    Block(String, Arc<str>),
    /// A device.
    Unknown(Arc<str>),
    /// A step.
    Step(String),
    /// A change.
    Change(ChangeKey),
    /// A finding.
    Finding(String),
}

/// The state of this screen.
#[derive(Default)]
pub struct State {
    /// Whether the plan of everything is shown although something is staged.
    pub everything: bool,
    /// Lines.
    pub rows: Vec<Line>,
    /// The selected line.
    pub list: List<Id>,
    /// The Set request of the selected step, as lines.
    pub request: Vec<String>,
    /// Whether the request has the keys.
    pub in_request: bool,
    /// First line of the request that is shown.
    pub offset: usize,
    made_of: Option<(Arc<Plan>, usize)>,
}

/// The plan that is shown, and whether it is the staged one.
pub fn shown(model: &Model) -> (&Arc<Plan>, bool) {
    match &model.shown.staged_plan {
        Some(plan) if !model.plan.everything => (plan, true),
        _ => (&model.shown.plan, false),
    }
}

fn id_at(plan: &Plan, rows: &[Line], at: usize) -> Option<Id> {
    Some(match rows.get(at)? {
        Line::Block(index) => {
            let block = plan.blocked.get(*index)?;
            Id::Block(block.name.clone(), Arc::clone(&block.device))
        }
        Line::Unknown(index) => Id::Unknown(Arc::clone(&plan.unknown.get(*index)?.device)),
        Line::Step(index) => Id::Step(plan.steps.get(*index)?.id.clone()),
        Line::Change(step, index) => Id::Change(plan.steps.get(*step)?.changes.get(*index)?.key()),
        Line::Finding(index) => {
            let finding = plan.findings.get(*index)?;
            Id::Finding(format!("{} {}", finding.code, finding.message))
        }
    })
}

/// Makes the rows anew.
pub fn rebuild(model: &mut Model) {
    let (plan, _) = shown(model);
    let plan = Arc::clone(plan);
    let filter = model.filters[Screen::Plan as usize].clone();
    let state = &mut model.plan;
    let mut rows: Vec<Line> = (0..plan.blocked.len()).map(Line::Block).collect();
    for (at, step) in plan.steps.iter().enumerate() {
        let changes: Vec<Line> = step
            .changes
            .iter()
            .enumerate()
            .filter(|(_, change)| {
                filter.is_empty() || filter.shows(&format!("{} {} {} {}", step.device, change.entry, change.path, facts::warning(change)))
            })
            .map(|(index, _)| Line::Change(at, index))
            .collect();
        if !changes.is_empty() || filter.is_empty() {
            rows.push(Line::Step(at));
            rows.extend(changes);
        }
    }
    rows.extend((0..plan.unknown.len()).map(Line::Unknown));
    rows.extend((0..plan.findings.len()).map(Line::Finding));
    state.rows = rows;
    let State { rows, list, .. } = state;
    list.settle(rows.len(), |at| id_at(&plan, rows, at));
    request(state, &plan);
}

/// The step under the cursor.
fn step_at(state: &State, at: usize) -> Option<usize> {
    match state.rows.get(at)? {
        Line::Step(step) | Line::Change(step, _) => Some(*step),
        _ => None,
    }
}

/// Writes out the request of the selected step, once.
fn request(state: &mut State, plan: &Arc<Plan>) {
    let Some(at) = step_at(state, state.list.cursor) else {
        state.request.clear();
        state.made_of = None;
        return;
    };
    if state.made_of.as_ref().is_some_and(|(made, step)| Arc::ptr_eq(made, plan) && *step == at) {
        return;
    }
    state.made_of = Some((Arc::clone(plan), at));
    state.request = plan.steps.get(at).map(lines).unwrap_or_default();
    state.offset = 0;
}

/// Exactly what is sent, a line each: the operation with its path, then its JSON_IETF.
fn lines(step: &Step) -> Vec<String> {
    let set = &step.set;
    let mut out: Vec<String> = set.delete.iter().map(|path| format!("delete  {path}")).collect();
    for (word, updates) in [("replace", &set.replace), ("update ", &set.update)] {
        for update in updates {
            if let Some(text) = update.value.as_str().filter(|_| update.path.origin.as_deref() == Some(crate::path::ORIGIN_CLI)) {
                out.push(format!("{word} {}", update.path));
                out.extend(text.lines().map(|line| format!("        {line}")));
            } else if update.value.is_object() || update.value.is_array() {
                out.push(format!("{word} {}", update.path));
                let json = serde_json::to_string_pretty(&update.value).unwrap_or_default();
                out.extend(json.lines().map(|line| format!("        {line}")));
            } else {
                out.push(format!("{word} {} = {}", update.path, update.value));
            }
        }
    }
    out
}

/// What only this screen understands.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::WhatIf => {
            model.plan.everything = !model.plan.everything;
            rebuild(model);
            Vec::new()
        }
        Msg::CopyJson => match serde_json::to_string_pretty(&**shown(model).0) {
            Ok(json) => vec![Effect::Copy(json)],
            Err(error) => {
                model.say(Severity::Error, format!("the plan cannot be written as JSON: {error}"));
                Vec::new()
            }
        },
    }
}

/// Leaves the request.
pub fn back(model: &mut Model) -> bool {
    std::mem::take(&mut model.plan.in_request)
}

/// What every screen understands.
pub fn act(model: &mut Model, act: Act) -> Vec<Effect> {
    let page = model.page();
    let plan = Arc::clone(shown(model).0);
    let state = &mut model.plan;
    match act {
        Act::NextPane | Act::PreviousPane => state.in_request = !state.in_request && !state.request.is_empty(),
        Act::Move(Move::Right) | Act::Enter => state.in_request = !state.request.is_empty(),
        Act::Move(Move::Left) => state.in_request = false,
        Act::Move(to) if state.in_request => {
            let last = state.request.len().saturating_sub(1);
            state.offset = match to {
                Move::Up => state.offset.saturating_sub(1),
                Move::Down => (state.offset + 1).min(last),
                Move::HalfUp => state.offset.saturating_sub(page / 2),
                Move::HalfDown => (state.offset + page / 2).min(last),
                Move::Top => 0,
                Move::Bottom => last,
                Move::Left | Move::Right => state.offset,
            };
        }
        Act::Move(to) => {
            let State { rows, list, .. } = state;
            list.go(to, rows.len(), page, |at| id_at(&plan, rows, at));
            request(state, &plan);
        }
        Act::Stage => {
            let keys: Vec<ChangeKey> = match state.rows.get(state.list.cursor) {
                Some(Line::Step(step)) => {
                    plan.steps.get(*step).map(|step| step.changes.iter().map(Change::key).collect()).unwrap_or_default()
                }
                Some(Line::Change(step, index)) => {
                    plan.steps.get(*step).and_then(|step| step.changes.get(*index)).map(Change::key).into_iter().collect()
                }
                _ => Vec::new(),
            };
            return app::toggle(model, keys);
        }
        Act::Copy => {
            let text = match state.rows.get(state.list.cursor) {
                Some(Line::Change(step, index)) if !state.in_request => {
                    plan.steps.get(*step).and_then(|step| step.changes.get(*index)).map(|change| change.path.to_string())
                }
                Some(Line::Block(index)) => {
                    plan.blocked.get(*index).map(|block| format!("{} {}: {}", block.name, block.device, block.reason))
                }
                Some(Line::Unknown(index)) => plan.unknown.get(*index).map(|unknown| format!("{}: {}", unknown.device, unknown.reason)),
                Some(Line::Finding(index)) => plan.findings.get(*index).map(|finding| finding.message.clone()),
                _ => Some(state.request.join("\n")),
            };
            return text.map(Effect::Copy).into_iter().collect();
        }
    }
    Vec::new()
}

/// Draws the screen.
pub fn view(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let (plan, staged) = shown(model);
    let state = &model.plan;
    let theme = draw.theme;
    headline(model, draw, Rect { height: 1, ..area }, plan, staged);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    // One pane at a time on a low screen.
    let both = body.height >= 24;
    let list = if both { Rect { height: body.height / 2, ..body } } else { body };
    if both || !state.in_request {
        let title = if staged { "staged plan" } else { "plan of every difference" };
        let inner = draw.pane(list, title, !state.in_request);
        if state.rows.is_empty() {
            draw.put(inner.x + 1, inner.y, inner.width, "In sync: nothing to do", theme.good);
        }
        for (line, at) in draw.scroll.window("plan", state.list.cursor, state.rows.len(), inner.height).enumerate() {
            let row = Rect { y: inner.y + u16::try_from(line).unwrap_or(u16::MAX), height: 1, ..inner };
            let selected = at == state.list.cursor;
            draw.marker(row.x, row.y, selected);
            if let Some(line) = state.rows.get(at) {
                plan_line(model, draw, row, plan, line, selected);
            }
        }
    }
    let rest = if both { Rect { y: list.bottom(), height: body.height - list.height, ..body } } else { body };
    if both || state.in_request {
        let step = step_at(state, state.list.cursor).and_then(|at| plan.steps.get(at));
        let title = step.map_or_else(
            || "SetRequest".to_owned(),
            |step| format!("SetRequest {}, exactly as sent · {}", step.device, counted(step.read_set.len(), "guard")),
        );
        let inner = draw.pane(rest, &title, state.in_request);
        let from = state.offset.min(state.request.len().saturating_sub(usize::from(inner.height)));
        for (y, text) in (inner.y..inner.bottom()).zip(state.request.iter().skip(from)) {
            let style = match text.split_once(' ') {
                Some(("delete", _)) => theme.removed,
                Some(("update" | "replace", _)) => theme.text,
                _ => theme.dim,
            };
            draw.put(inner.x + 1, y, inner.width.saturating_sub(2), text, style);
        }
    }
}

fn headline(model: &Model, draw: &mut Draw<'_>, area: Rect, plan: &Plan, staged: bool) {
    let theme = draw.theme;
    let flaps = plan.changes().filter(|(_, change)| change.risk == Risk::Flap).count();
    let drops = plan.changes().filter(|(_, change)| change.risk == Risk::Outage).count();
    let dot = format!(" {} ", draw.glyphs.dot);
    let mut parts: Vec<(String, Style)> = vec![(
        [counted(plan.changes().count(), "change"), counted(plan.steps.len(), "device"), counted(plan.waves.len(), "wave")].join(&dot),
        theme.title,
    )];
    let mut add = |text: String, style: Style| parts.extend([(dot.clone(), theme.dim), (text, style)]);
    if flaps > 0 {
        add(format!("{flaps} can flap"), theme.warn);
    }
    if drops > 0 {
        add(format!("{drops} can drop traffic"), theme.bad);
    }
    if !plan.blocked.is_empty() {
        add(format!("{} BLOCKED", draw.glyphs.wrong), theme.bad);
    }
    if !plan.unknown.is_empty() {
        add(format!("{} unknown", counted(plan.unknown.len(), "device")), theme.warn);
    }
    if !staged {
        add(if model.live.staged.is_empty() { "nothing staged".to_owned() } else { "not what is staged (x)".to_owned() }, theme.dim);
    }
    add(format!("plan {}", plan.hash.get(..8).unwrap_or(&plan.hash)), theme.dim);
    draw.parts(area.x + 1, area.y, area.width.saturating_sub(1), &parts);
}

fn plan_line(model: &Model, draw: &mut Draw<'_>, row: Rect, plan: &Plan, line: &Line, selected: bool) {
    let (theme, glyphs) = (draw.theme, draw.glyphs);
    let name = if selected { theme.selected } else { theme.text };
    let room = |x: u16| row.right().saturating_sub(x);
    match line {
        Line::Block(index) => {
            let Some(block) = plan.blocked.get(*index) else { return };
            let x = draw.put(row.x + 1, row.y, 10, "BLOCKED", theme.bad);
            let x = draw.put(x + 1, row.y, room(x + 1), &format!("{} on {}", block.name, block.device), name);
            draw.put(x + 2, row.y, room(x + 2), &block.reason, theme.bad);
        }
        Line::Unknown(index) => {
            let Some(unknown) = plan.unknown.get(*index) else { return };
            let x = draw.put(row.x + 1, row.y, 10, &format!("{} unknown", glyphs.unknown), theme.warn);
            let x = draw.put(x + 1, row.y, room(x + 1), &unknown.device, name);
            draw.put(x + 2, row.y, room(x + 2), &format!("{}: {}", unknown.state, unknown.reason), theme.warn);
        }
        Line::Finding(index) => {
            let Some(finding) = plan.findings.get(*index) else { return };
            let (glyph, word, style) = facts::severity(finding.severity, theme);
            let x = draw.put(row.x + 1, row.y, 10, &format!("{glyph} {word}"), style);
            let device = finding.device.as_ref().map(|device| format!("{device} ")).unwrap_or_default();
            draw.put(x + 1, row.y, room(x + 1), &format!("{device}{}", finding.message), name);
        }
        Line::Step(index) => {
            let Some(step) = plan.steps.get(*index) else { return };
            let first = index.checked_sub(1).and_then(|before| plan.steps.get(before)).is_none_or(|before| before.wave != step.wave);
            if first {
                draw.put(row.x + 1, row.y, 8, &format!("wave {}", step.wave), theme.title);
            }
            let x = draw.put(row.x + 9, row.y, 16, &step.device, name);
            let x = draw.put(x + 2, row.y, room(x + 2), &counted(step.changes.len(), "change"), theme.text);
            if !step.why.is_empty() {
                draw.put(x + 2, row.y, room(x + 2), &format!("{} {}", glyphs.dot, step.why), theme.dim);
            }
        }
        Line::Change(step, index) => {
            let Some(change) = plan.steps.get(*step).and_then(|step| step.changes.get(*index)) else { return };
            let key = change.key();
            let staged = model.live.staged.contains(&key);
            draw.put(row.x + 11, row.y, 3, if staged { "[x]" } else { "[ ]" }, if staged { theme.staged } else { theme.dim });
            let (sign, style) = facts::sign(change.kind, theme);
            draw.put(row.x + 15, row.y, 1, sign, style);
            let text = clean(&format!("{} {}", change.entry, facts::label(change)), glyphs.ascii).into_owned();
            let columns = if row.width > 110 { 44 } else { 30 };
            let x = draw.put(row.x + 17, row.y, room(row.x + 17).min(columns), &pad(&text, usize::from(columns), glyphs.cut), name);
            let warning = facts::warning(change);
            let x = if warning.is_empty() {
                x
            } else {
                draw.put(x + 1, row.y, room(x + 1), &format!("! {warning}"), facts::risk(change.risk, theme))
            };
            if let Some(by) = model.shown.pulled_in.get(&key) {
                draw.put(x + 1, row.y, room(x + 1), &format!("pulled in by {} {}", by.device, facts::leaf_label(&by.path)), theme.info);
            }
        }
    }
}
