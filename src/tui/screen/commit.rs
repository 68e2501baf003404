//! The Commit screen: where each step is, how it ended and why, and how the fabric does meanwhile.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Act, Screen, facts};
use crate::engine::snapshot::{CommitStep, CommitView, Outcome, Phase};
use crate::tui::app::{self, Effect, Model, counted};
use crate::tui::draw::Draw;
use crate::tui::keys::{Context, Row as Key, row, writes};
use crate::tui::list::List;
use crate::tui::theme::{Glyphs, Theme};

const HERE: Context = Context::On(Screen::Commit);

/// The keys of this screen.
pub static KEYS: &[Key] = &[
    writes(HERE, &["X"], "abort", app::Msg::Abort, "stop after the steps under way"),
    row(HERE, &["enter"], "open device", app::Msg::Act(Act::Enter), "open the device of the step under the cursor"),
];

/// The state of this screen.
#[derive(Default)]
pub struct State {
    /// The selected step.
    pub list: List<String>,
}

fn id_at(commit: Option<&Arc<CommitView>>, at: usize) -> Option<String> {
    Some(commit?.steps.get(at)?.id.clone())
}

/// Keeps the selection on its step.
pub fn rebuild(model: &mut Model) {
    let commit = model.shown.commit.clone();
    model.commit.list.settle(commit.as_ref().map_or(0, |commit| commit.steps.len()), |at| id_at(commit.as_ref(), at));
}

/// What every screen understands.
pub fn act(model: &mut Model, act: Act) -> Vec<Effect> {
    let page = model.page();
    let Some(commit) = model.shown.commit.clone() else { return Vec::new() };
    let step = commit.steps.get(model.commit.list.cursor);
    match act {
        Act::Move(to) => model.commit.list.go(to, commit.steps.len(), page, |at| id_at(Some(&commit), at)),
        Act::Enter => {
            if let Some(step) = step {
                return app::update(model, app::Msg::Open(Arc::clone(&step.device)));
            }
        }
        Act::Copy => {
            return step
                .map(|step| Effect::Copy(format!("{} {} {}", step.device, words(&step.phase).0, step.reason)))
                .into_iter()
                .collect();
        }
        Act::NextPane | Act::PreviousPane | Act::Stage => {}
    }
    Vec::new()
}

/// What a phase is called, and whether it is the last.
fn words(phase: &Phase) -> (&'static str, bool) {
    match phase {
        Phase::Waiting => ("waiting for its wave", false),
        Phase::Rereading => ("re-reading", false),
        Phase::Journaling => ("writing the journal", false),
        Phase::Sending => ("sending the Set", false),
        Phase::Verifying => ("reading back", false),
        Phase::Settling => ("watching health", false),
        Phase::Done(outcome) => (outcome_word(*outcome), true),
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied, verified",
        Outcome::Unchanged => "unchanged",
        Outcome::Refused => "refused, not sent",
        Outcome::Failed => "failed, nothing changed",
        Outcome::Unknown => "UNKNOWN: the answer was lost",
        Outcome::NotRetained => "not retained by the device",
        Outcome::RolledBack => "rolled back",
    }
}

fn look(phase: &Phase, theme: &Theme, glyphs: &Glyphs) -> (&'static str, Style) {
    match phase {
        Phase::Waiting => (glyphs.idle, theme.dim),
        Phase::Rereading | Phase::Journaling | Phase::Sending | Phase::Verifying | Phase::Settling => (glyphs.busy, theme.warn),
        Phase::Done(Outcome::Applied | Outcome::Unchanged) => (glyphs.right, theme.good),
        Phase::Done(Outcome::Unknown) => (glyphs.unknown, theme.bad),
        Phase::Done(_) => (glyphs.wrong, theme.bad),
    }
}

/// The stages a step has behind it, as ticks.
fn ticks(step: &CommitStep, glyphs: &Glyphs) -> String {
    let done = match step.phase {
        Phase::Waiting => 0,
        Phase::Rereading => 1,
        Phase::Journaling => 2,
        Phase::Sending => 3,
        Phase::Verifying => 4,
        Phase::Settling => 5,
        Phase::Done(Outcome::Applied) => 6,
        Phase::Done(_) => return String::new(),
    };
    let set = step.ms.map_or_else(|| "set".to_owned(), |ms| format!("set {ms} ms"));
    let mut out = String::new();
    for (at, name) in ["re-read", "journal", &set, "read back", "health"].into_iter().enumerate() {
        if at + 1 < done {
            out.push_str(&format!("{} {name} ", glyphs.right));
        } else if at + 1 == done {
            out.push_str(&format!("{} {name} ", glyphs.busy));
        }
    }
    out
}

/// One line on the commit for the header of every screen.
pub fn banner(commit: &CommitView) -> String {
    let done = commit.steps.iter().filter(|step| matches!(step.phase, Phase::Done(_))).count();
    format!("COMMIT {} {done}/{}", commit.id, commit.steps.len())
}

/// Draws the screen.
pub fn view(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let (theme, glyphs) = (draw.theme, draw.glyphs);
    let Some(commit) = &model.shown.commit else {
        let staged = model.live.staged.len();
        let next = if staged == 0 {
            "Space stages what is under the cursor, p shows the plan".to_owned()
        } else {
            format!("{} staged: C commits", counted(staged, "change"))
        };
        draw.put(area.x + 1, area.y + 1, area.width, "No commit yet", theme.dim);
        draw.put(area.x + 1, area.y + 2, area.width, &next, theme.dim);
        return;
    };
    let dot = format!(" {} ", glyphs.dot);
    let mut parts: Vec<(String, Style)> =
        vec![(format!("commit {}", commit.id), theme.title), (format!(" by {}", commit.user), theme.text), (dot.clone(), theme.dim)];
    let began = draw.clock(commit.started);
    match commit.ended {
        Some(ended) => parts.push((format!("{began} to {}", draw.clock(ended)), theme.dim)),
        None => parts.push((format!("running since {began}"), theme.warn)),
    }
    parts.push((dot.clone(), theme.dim));
    parts.push((format!("plan {}", commit.hash.get(..8).unwrap_or(&commit.hash)), theme.dim));
    draw.parts(area.x + 1, area.y, area.width.saturating_sub(1), &parts);
    draw.put(area.x + 1, area.y + 1, area.width.saturating_sub(1), &commit.status, theme.text);
    let health = 4.min(area.height.saturating_sub(6));
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(2 + health), ..area };
    let inner = draw.pane(body, "steps", true);
    let state = &model.commit;
    for (line, at) in draw.scroll.window("commit", state.list.cursor, commit.steps.len(), inner.height).enumerate() {
        let Some(step) = commit.steps.get(at) else { continue };
        let y = inner.y + u16::try_from(line).unwrap_or(u16::MAX);
        let selected = at == state.list.cursor;
        draw.marker(inner.x, y, selected);
        let first = at.checked_sub(1).and_then(|before| commit.steps.get(before)).is_none_or(|before| before.wave != step.wave);
        if first {
            draw.put(inner.x + 1, y, 8, &format!("wave {}", step.wave), theme.title);
        }
        draw.put(inner.x + 9, y, 14, &step.device, if selected { theme.selected } else { theme.text });
        let (glyph, style) = look(&step.phase, theme, glyphs);
        let x = draw.put(inner.x + 24, y, inner.right().saturating_sub(inner.x + 24), &format!("{glyph} {}", words(&step.phase).0), style);
        let ticks = ticks(step, glyphs);
        let x = if ticks.is_empty() { x } else { draw.put(x + 2, y, inner.right().saturating_sub(x + 2), &ticks, theme.dim) };
        if !step.reason.is_empty() {
            draw.put(x + 2, y, inner.right().saturating_sub(x + 2), &step.reason, if words(&step.phase).1 { style } else { theme.dim });
        }
    }
    if health >= 3 {
        health_pane(model, draw, Rect { y: body.bottom(), height: health, ..area });
    }
}

fn health_pane(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let theme = draw.theme;
    let inner = draw.pane(area, "health", false);
    let sum = |count: fn(&crate::engine::snapshot::Health) -> Option<(usize, usize)>| {
        model.shown.devices.iter().filter_map(|device| count(&device.health)).fold((0, 0), |(up, all), (u, a)| (up + u, all + a))
    };
    let word = |wanted: &str, of: fn(&crate::engine::snapshot::Health) -> Option<&str>| {
        model
            .shown
            .devices
            .iter()
            .filter_map(|device| of(&device.health))
            .fold((0, 0), |(good, all), word| (good + usize::from(word == wanted), all + 1))
    };
    let counts = [
        ("BGP", sum(|health| health.bgp)),
        ("EVPN", sum(|health| health.evpn)),
        ("MLAG", word("active", |health| health.mlag.as_deref())),
        ("VTEP", word("up", |health| health.vtep.as_deref())),
    ];
    let mut parts: Vec<(String, Style)> = Vec::new();
    for (name, (up, all)) in counts {
        let (glyph, style) = if up == all { (draw.glyphs.right, theme.good) } else { (draw.glyphs.wrong, theme.bad) };
        parts.push((format!("{name} {up}/{all} {glyph}   "), style));
    }
    draw.parts(inner.x + 1, inner.y, inner.width.saturating_sub(1), &parts);
    let problems = model
        .shown
        .devices
        .iter()
        .flat_map(|device| device.health.problems.iter().map(move |problem| format!("{} {problem}", device.name)));
    let text = problems.take(4).collect::<Vec<_>>().join(&format!(" {} ", draw.glyphs.dot));
    let style = if model.shown.devices.iter().all(|device| facts::well(&device.health)) { theme.dim } else { theme.bad };
    draw.put(inner.x + 1, inner.y + 1, inner.width.saturating_sub(1), &text, style);
}
