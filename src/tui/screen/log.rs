//! The Log screen: every call to a device or to NetBox with its result and how long it took.

use std::sync::Arc;

use ratatui::layout::Rect;
use serde::{Deserialize, Serialize};

use super::{Act, Screen};
use crate::diff::change::Severity;
use crate::engine::snapshot::LogEntry;
use crate::tui::app::{self, Effect, Model};
use crate::tui::clean::clean;
use crate::tui::draw::{Draw, pad};
use crate::tui::keys::{Context, Row as Key, row};
use crate::tui::list::{List, Move};

const HERE: Context = Context::On(Screen::Log);

/// The keys of this screen.
pub static KEYS: &[Key] = &[
    row(HERE, &["y"], "copy gnmic", app::Msg::Act(Act::Copy), "copy the call as a gnmic or curl line"),
    row(HERE, &["e"], "errors", app::Msg::Log(Msg::Errors), "only calls that failed"),
    row(HERE, &["f"], "follow", app::Msg::Log(Msg::Follow), "go to the newest call and follow"),
];

/// What only this screen understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Msg {
    /// Only failures.
    Errors,
    /// To the newest.
    Follow,
}

/// A call's name: nothing else tells two calls apart.
type Id = (u64, Arc<str>, String, String);

/// The state of this screen.
#[derive(Default)]
pub struct State {
    /// Places of the calls that are shown.
    pub rows: Vec<usize>,
    /// The selected call.
    pub list: List<Id>,
    /// Only failures.
    pub errors: bool,
    /// Whether the cursor has left the newest call.
    pub held: bool,
}

fn id_at(rows: &[usize], log: &[LogEntry], at: usize) -> Option<Id> {
    let entry = log.get(*rows.get(at)?)?;
    Some((entry.time, Arc::clone(&entry.target), entry.call.clone(), entry.what.clone()))
}

/// Makes the rows anew.
pub fn rebuild(model: &mut Model) {
    let log = Arc::clone(&model.shown.log);
    let filter = &model.filters[Screen::Log as usize];
    let state = &mut model.log;
    state.rows = log
        .iter()
        .enumerate()
        .filter(|(_, entry)| !state.errors || entry.result != "ok")
        .filter(|(_, entry)| filter.is_empty() || filter.shows(&format!("{} {} {} {}", entry.target, entry.call, entry.what, entry.result)))
        .map(|(at, _)| at)
        .collect();
    let State { rows, list, held, .. } = state;
    if *held {
        list.settle(rows.len(), |at| id_at(rows, &log, at));
    } else {
        list.go(Move::Bottom, rows.len(), 1, |at| id_at(rows, &log, at));
        list.settle(rows.len(), |at| id_at(rows, &log, at));
    }
}

/// What only this screen understands.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Errors => model.log.errors = !model.log.errors,
        Msg::Follow => model.log.held = false,
    }
    rebuild(model);
    Vec::new()
}

/// What every screen understands.
pub fn act(model: &mut Model, act: Act) -> Vec<Effect> {
    let page = model.page();
    let log = Arc::clone(&model.shown.log);
    let state = &mut model.log;
    match act {
        Act::Move(to) => {
            let State { rows, list, held, .. } = state;
            list.go(to, rows.len(), page, |at| id_at(rows, &log, at));
            *held = list.cursor + 1 < rows.len();
        }
        Act::Copy => {
            let entry = state.rows.get(state.list.cursor).and_then(|at| log.get(*at));
            return match entry {
                Some(entry) if entry.copy.is_empty() => {
                    model.say(Severity::Info, "this call has no gnmic line");
                    Vec::new()
                }
                Some(entry) => vec![Effect::Copy(entry.copy.clone())],
                None => Vec::new(),
            };
        }
        Act::Enter | Act::NextPane | Act::PreviousPane | Act::Stage => {}
    }
    Vec::new()
}

/// Draws the screen.
pub fn view(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let theme = draw.theme;
    let state = &model.log;
    draw.put(
        area.x + 1,
        area.y,
        area.width,
        &format!("{} {} {} {:>6} ", pad("TIME", 12, ""), pad("TARGET", 12, ""), pad("CALL", 10, ""), "MS"),
        theme.title,
    );
    draw.put(area.x + 45, area.y, area.width.saturating_sub(45), "RESULT · WHAT", theme.title);
    let detail = if area.height > 12 { 3 } else { 0 };
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + detail), ..area };
    if state.rows.is_empty() {
        draw.put(body.x + 1, body.y, body.width, if state.errors { "No call failed" } else { "No call yet" }, theme.dim);
    }
    for (line, at) in draw.scroll.window("log", state.list.cursor, state.rows.len(), body.height).enumerate() {
        let Some(entry) = state.rows.get(at).and_then(|at| model.shown.log.get(*at)) else { continue };
        let y = body.y + u16::try_from(line).unwrap_or(u16::MAX);
        let selected = at == state.list.cursor;
        draw.marker(body.x, y, selected);
        let cell = |text: &str, columns: usize| pad(&clean(text, draw.glyphs.ascii), columns, draw.glyphs.cut);
        let time = cell(&draw.clock(entry.time), 12);
        let (target, call) = (cell(&entry.target, 12), cell(&entry.call, 10));
        draw.put(body.x + 1, y, 12, &time, theme.dim);
        draw.put(body.x + 14, y, 12, &target, if selected { theme.selected } else { theme.text });
        draw.put(body.x + 27, y, 10, &call, theme.text);
        draw.right(body.x + 44, y, 6, &entry.ms.to_string(), theme.dim);
        let ok = entry.result == "ok";
        let result = if ok { draw.glyphs.right.to_owned() } else { format!("{} {}", draw.glyphs.wrong, entry.result) };
        let x = draw.put(body.x + 45, y, body.width.saturating_sub(45), &result, if ok { theme.good } else { theme.bad });
        draw.put(x + 1, y, body.right().saturating_sub(x + 1), &entry.what, theme.dim);
    }
    if detail > 0
        && let Some(entry) = state.rows.get(state.list.cursor).and_then(|at| model.shown.log.get(*at))
    {
        for x in area.x..area.right() {
            draw.glyph(x, body.bottom(), draw.glyphs.line, theme.border);
        }
        draw.put(area.x + 1, body.bottom() + 1, area.width.saturating_sub(2), &format!("{}: {}", entry.what, entry.result), theme.text);
        let copy = if entry.copy.is_empty() { "no gnmic line".to_owned() } else { format!("y copies: {}", entry.copy) };
        draw.put(area.x + 1, body.bottom() + 2, area.width.saturating_sub(2), &copy, theme.dim);
    }
}
