//! The History screen: what happened, newest last; the last commit with its outcomes on top.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::{Act, Screen, facts};
use crate::engine::snapshot::{Happening, Phase};
use crate::tui::app::{self, Effect, Model};
use crate::tui::draw::Draw;
use crate::tui::keys::{Context, Row as Key, row, stages};
use crate::tui::list::{List, Move};

const HERE: Context = Context::On(Screen::History);

/// The keys of this screen.
pub static KEYS: &[Key] = &[
    row(HERE, &["enter"], "open device", app::Msg::Act(Act::Enter), "open the device it happened to"),
    stages(HERE, &["B"], "roll back", app::Msg::Rollback, "plan to take an operation back, by its number; the plan is staged"),
];

type Id = (u64, Arc<str>, String);

/// The state of this screen.
#[derive(Default)]
pub struct State {
    /// Places of the happenings that are shown.
    pub rows: Vec<usize>,
    /// The selected one.
    pub list: List<Id>,
    /// Whether the cursor has left the newest one.
    pub held: bool,
}

fn id_at(rows: &[usize], events: &[Happening], at: usize) -> Option<Id> {
    let event = events.get(*rows.get(at)?)?;
    Some((event.time, Arc::clone(&event.source), event.text.clone()))
}

/// Makes the rows anew.
pub fn rebuild(model: &mut Model) {
    let events = Arc::clone(&model.shown.events);
    let filter = &model.filters[Screen::History as usize];
    let state = &mut model.events;
    state.rows = (0..events.len())
        .filter(|at| filter.is_empty() || events.get(*at).is_some_and(|event| filter.shows(&format!("{} {}", event.source, event.text))))
        .collect();
    let State { rows, list, held } = state;
    if !*held {
        list.go(Move::Bottom, rows.len(), 1, |at| id_at(rows, &events, at));
    }
    list.settle(rows.len(), |at| id_at(rows, &events, at));
}

/// What every screen understands.
pub fn act(model: &mut Model, act: Act) -> Vec<Effect> {
    let page = model.page();
    let events = Arc::clone(&model.shown.events);
    let State { rows, list, held } = &mut model.events;
    let event = rows.get(list.cursor).and_then(|at| events.get(*at));
    match act {
        Act::Move(to) => {
            list.go(to, rows.len(), page, |at| id_at(rows, &events, at));
            *held = list.cursor + 1 < rows.len();
        }
        Act::Enter => {
            if let Some(event) = event.filter(|event| model.shown.devices.iter().any(|device| device.name == event.source)) {
                return app::update(model, app::Msg::Open(Arc::clone(&event.source)));
            }
        }
        Act::Copy => return event.map(|event| Effect::Copy(format!("{} {}", event.source, event.text))).into_iter().collect(),
        Act::NextPane | Act::PreviousPane | Act::Stage => {}
    }
    Vec::new()
}

/// The newest happenings, newest first: the pane of the Fabric screen.
pub fn lines(events: &[Happening], draw: &mut Draw<'_>, area: Rect) {
    for (y, event) in (area.y..area.bottom()).zip(events.iter().rev()) {
        line(draw, Rect { y, height: 1, ..area }, event, false);
    }
}

fn line(draw: &mut Draw<'_>, row: Rect, event: &Happening, selected: bool) {
    let theme = draw.theme;
    let (_, _, style) = facts::severity(event.severity, theme);
    let time = draw.clock(event.time);
    let x = draw.put(row.x + 1, row.y, 12, &time, theme.dim);
    let x = draw.put(x + 1, row.y, row.right().saturating_sub(x + 2), &event.source, if selected { theme.selected } else { theme.text });
    draw.put(x + 1, row.y, row.right().saturating_sub(x + 1), &event.text, style);
}

/// Draws the screen.
pub fn view(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let theme = draw.theme;
    let mut body = area;
    if let Some(commit) = &model.shown.commit {
        let outcomes: Vec<String> = commit
            .steps
            .iter()
            .map(|step| {
                format!(
                    "{} {}",
                    step.device,
                    if let Phase::Done(outcome) = step.phase { format!("{outcome:?}").to_lowercase() } else { "under way".to_owned() }
                )
            })
            .collect();
        let text = format!("last commit {} by {} at {}: {}", commit.id, commit.user, draw.clock(commit.started), outcomes.join(", "));
        draw.put(area.x + 1, area.y, area.width.saturating_sub(2), &text, theme.text);
        body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    }
    let inner = draw.pane(body, "events", true);
    let state = &model.events;
    if state.rows.is_empty() {
        draw.put(inner.x + 1, inner.y, inner.width, "Nothing happened yet", theme.dim);
    }
    for (offset, at) in draw.scroll.window("history", state.list.cursor, state.rows.len(), inner.height).enumerate() {
        let Some(event) = state.rows.get(at).and_then(|at| model.shown.events.get(*at)) else { continue };
        let row = Rect { y: inner.y + u16::try_from(offset).unwrap_or(u16::MAX), height: 1, ..inner };
        draw.marker(row.x, row.y, at == state.list.cursor);
        line(draw, row, event, at == state.list.cursor);
    }
}
