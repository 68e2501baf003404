//! The Intent screen: what is wrong with intent, the worst first, and the NetBox object to open. What was silenced in the
//! settings can be shown, with the reason somebody gave.

use std::sync::Arc;

use ratatui::layout::Rect;
use serde::{Deserialize, Serialize};

use super::fabric::wrapped;
use super::{Act, Screen, facts};
use crate::diff::change::{Finding, Severity};
use crate::engine::SHRANK;
use crate::engine::command::Command;
use crate::engine::snapshot::IntentView;
use crate::tui::app::{self, Effect, Model};
use crate::tui::draw::{Draw, pad};
use crate::tui::keys::{Context, Row as Key, row, writes};
use crate::tui::list::List;

const HERE: Context = Context::On(Screen::Intent);

/// The keys of this screen.
pub static KEYS: &[Key] = &[
    row(HERE, &["o"], "netbox url", app::Msg::Intent(Msg::CopyUrl), "copy the URL of the NetBox object it is about"),
    row(HERE, &["z"], "silenced", app::Msg::Intent(Msg::Silenced), "show what the settings silence, and why, or hide it"),
    writes(
        HERE,
        &["O"],
        "take what shrank",
        app::Msg::Intent(Msg::TakeShrunk),
        "take intent that shrank in force, after looking at what is gone",
    ),
    row(HERE, &["enter"], "open device", app::Msg::Act(Act::Enter), "open the device it is about"),
];

/// What only this screen understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Msg {
    /// Copy the URL of the object.
    CopyUrl,
    /// Show silenced ones.
    Silenced,
    /// Take intent that is held back because it shrank.
    TakeShrunk,
}

/// A finding's name: rule, device, sentence.
type Id = (String, Option<Arc<str>>, String);

/// The state of this screen.
#[derive(Default)]
pub struct State {
    /// Places of the findings that are shown: those of [`IntentView::findings`], then the silenced ones.
    pub rows: Vec<usize>,
    /// The selected one.
    pub list: List<Id>,
    /// Whether silenced ones are shown.
    pub silenced: bool,
}

/// A finding, and why it was silenced.
fn at(intent: &IntentView, place: usize) -> Option<(&Finding, Option<&str>)> {
    match intent.findings.get(place) {
        Some(finding) => Some((finding, None)),
        None => intent.silenced.get(place - intent.findings.len()).map(|silenced| (&silenced.finding, Some(silenced.reason.as_str()))),
    }
}

fn id_at(rows: &[usize], intent: &IntentView, row: usize) -> Option<Id> {
    let (finding, _) = at(intent, *rows.get(row)?)?;
    Some((finding.code.clone(), finding.device.clone(), finding.message.clone()))
}

/// Makes the rows anew.
pub fn rebuild(model: &mut Model) {
    let shown = Arc::clone(&model.shown);
    let filter = &model.filters[Screen::Intent as usize];
    let state = &mut model.intent;
    let all = shown.intent.findings.len() + if state.silenced { shown.intent.silenced.len() } else { 0 };
    let shows = |finding: &Finding| {
        let object = finding.origin.as_ref().map_or("", |origin| origin.object.as_str());
        filter.shows(&format!("{} {} {} {object}", finding.code, finding.device.as_deref().unwrap_or_default(), finding.message))
    };
    state.rows =
        (0..all).filter(|place| filter.is_empty() || at(&shown.intent, *place).is_some_and(|(finding, _)| shows(finding))).collect();
    let State { rows, list, .. } = state;
    list.settle(rows.len(), |row| id_at(rows, &shown.intent, row));
}

fn selected(model: &Model) -> Option<(&Finding, Option<&str>)> {
    at(&model.shown.intent, *model.intent.rows.get(model.intent.list.cursor)?)
}

/// What only this screen understands.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::CopyUrl => {
            let url = selected(model).and_then(|(finding, _)| finding.origin.as_ref()).map(|origin| origin.url.clone());
            match url.filter(|url| !url.is_empty()) {
                Some(url) => return vec![Effect::Copy(url)],
                None => model.say(Severity::Info, "this finding is about no single object".to_owned()),
            }
        }
        Msg::Silenced => {
            model.intent.silenced = !model.intent.silenced;
            rebuild(model);
        }
        // Held back or not is decided by what is, not by a picture that may be frozen.
        Msg::TakeShrunk if model.live.intent.held_back => {
            model.say(Severity::Warning, "intent is read again and taken as it is".to_owned());
            return vec![Effect::Send(Command::Override(SHRANK.to_owned()))];
        }
        Msg::TakeShrunk => model.say(Severity::Info, "no intent is held back".to_owned()),
    }
    Vec::new()
}

/// What every screen understands.
pub fn act(model: &mut Model, act: Act) -> Vec<Effect> {
    let page = model.page();
    let shown = Arc::clone(&model.shown);
    match act {
        Act::Move(to) => {
            let State { rows, list, .. } = &mut model.intent;
            list.go(to, rows.len(), page, |row| id_at(rows, &shown.intent, row));
        }
        Act::Enter => {
            let device = selected(model).and_then(|(finding, _)| finding.device.clone());
            if let Some(device) = device.filter(|device| shown.devices.iter().any(|view| view.name == *device)) {
                return app::update(model, app::Msg::Open(device));
            }
        }
        Act::Copy => {
            let line = |(finding, _): (&Finding, _)| {
                let url = finding.origin.as_ref().map_or("", |origin| origin.url.as_str());
                format!("{} {}: {} {url}", finding.device.as_deref().unwrap_or("-"), finding.code, finding.message)
            };
            return selected(model).map(|row| Effect::Copy(line(row).trim_end().to_owned())).into_iter().collect();
        }
        Act::NextPane | Act::PreviousPane | Act::Stage => {}
    }
    Vec::new()
}

/// Columns of the device and of the rule.
const DEVICE: usize = 10;
const RULE: usize = 22;
/// Columns of a progress bar.
const BAR: usize = 20;
/// Most lines of what the last read failed with.
const ERROR: usize = 5;
/// Lines of the pane that tells of the selected one.
const DETAIL: u16 = 6;

/// Draws the screen.
pub fn view(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let (theme, intent) = (draw.theme, &model.shown.intent);
    let branch = intent.branch.as_ref().map(|branch| format!(", branch {branch}")).unwrap_or_default();
    let age = intent.read.map_or_else(|| "not read yet".to_owned(), |read| format!("read {} ago", draw.rough_age(read)));
    let head = format!("{}{branch}: {} objects, {age}", intent.url, intent.objects);
    draw.put(area.x + 1, area.y, area.width.saturating_sub(2), &head, theme.text);
    let mut top = area.y + 1;
    if let Some(error) = &intent.error {
        let width = area.width.saturating_sub(2);
        let words = if intent.held_back { format!("held back (O takes it): {error}") } else { format!("the last read failed: {error}") };
        for line in wrapped(&words, usize::from(width)).iter().take(ERROR) {
            draw.put(area.x + 1, top, width, line, theme.bad);
            top += 1;
        }
    }
    for (kind, got, of) in intent.reading.iter().flat_map(|kinds| kinds.iter()).take(usize::from(area.height / 2)) {
        let full = of.map_or(0, |of| if of == 0 { BAR } else { got * BAR / of.max(*got) });
        let (fill, rest) = if draw.glyphs.ascii { ("#", ".") } else { ("█", "░") };
        let bar = if of.is_some() { format!("{}{}", fill.repeat(full), rest.repeat(BAR - full)) } else { " ".repeat(BAR) };
        let of = of.map_or_else(|| "…".to_owned(), |of| of.to_string());
        draw.put(area.x + 1, top, area.width.saturating_sub(2), &format!("{kind:<20} {bar} {got} of {of}"), theme.dim);
        top += 1;
    }
    let detail = DETAIL.min(area.height.saturating_sub(6));
    let body = Rect { y: top, height: area.bottom().saturating_sub(top + detail), ..area };
    let hidden =
        if model.intent.silenced || intent.silenced.is_empty() { String::new() } else { format!(", {} silenced", intent.silenced.len()) };
    let inner = draw.pane(body, &format!("findings {}{hidden}", intent.findings.len()), true);
    let state = &model.intent;
    if state.rows.is_empty() {
        let text = if intent.findings.is_empty() { "Nothing is wrong with intent" } else { "No finding has these words" };
        draw.put(inner.x + 1, inner.y, inner.width, text, theme.dim);
    }
    for (offset, row) in draw.scroll.window("intent", state.list.cursor, state.rows.len(), inner.height).enumerate() {
        let Some((finding, reason)) = state.rows.get(row).and_then(|place| at(intent, *place)) else { continue };
        let y = inner.y + u16::try_from(offset).unwrap_or(u16::MAX);
        let chosen = row == state.list.cursor;
        draw.marker(inner.x, y, chosen);
        let (glyph, _, style) = facts::severity(finding.severity, theme);
        let style = if reason.is_some() { theme.dim } else { style };
        let cut = draw.glyphs.cut;
        let text = if chosen { theme.selected } else { theme.text };
        let device = pad(finding.device.as_deref().unwrap_or("-"), DEVICE, cut);
        let rule = pad(&finding.code, RULE, cut);
        let parts = [
            (glyph, style),
            (" ", style),
            (device.as_str(), text),
            (" ", text),
            (rule.as_str(), style),
            (" ", text),
            (finding.message.as_str(), text),
        ];
        draw.parts(inner.x + 1, y, inner.width.saturating_sub(1), &parts);
    }
    let lower = draw.pane(Rect { y: body.bottom(), height: detail, ..area }, "what to do", false);
    let Some((finding, reason)) = selected(model) else { return };
    let mut lines = vec![(finding.message.clone(), theme.text), (finding.hint.clone(), theme.text)];
    if let Some(origin) = &finding.origin {
        let by = [&origin.user, &origin.time].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · ");
        lines.push((format!("{} {by}", origin.object), theme.dim));
        lines.push((origin.url.clone(), theme.dim));
    }
    if let Some(reason) = reason {
        lines.insert(1, (format!("silenced: {reason}"), theme.warn));
    }
    for (y, (text, style)) in (lower.y..lower.bottom()).zip(lines.iter().filter(|(text, _)| !text.is_empty())) {
        draw.put(lower.x + 1, y, lower.width.saturating_sub(2), text, *style);
    }
}
