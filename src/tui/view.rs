//! One frame: header, screen, footer, and what lies over them. The four questions are answered on every screen: where am I,
//! how fresh is this, what is staged, what will the next key do.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::app::Model;
use super::clean;
use super::draw::{Draw, Scroll, pad};
use super::keys::{self, Danger};
use super::overlay::{self, Kind, Overlay, Question};
use super::screen::{self, Screen};

/// Below this no screen is drawn.
pub const SMALLEST: (u16, u16) = (60, 15);

/// What a frame needs besides its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Milliseconds until something drawn reads differently; `None`: never by itself.
    pub wake: Option<u64>,
    /// Where the terminal's cursor stands; hidden when `None`.
    pub cursor: Option<Position>,
}

/// Draws one frame into an empty buffer.
pub fn view(model: &Model, scroll: &mut Scroll, buf: &mut Buffer) -> Shown {
    let area = buf.area;
    let mut draw =
        Draw { buf, theme: &model.theme, glyphs: &model.glyphs, now: model.now, zone: &model.zone, wake: None, cursor: None, scroll };
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        small(model, &mut draw, area);
        return Shown { wake: draw.wake, cursor: None };
    }
    header(model, &mut draw, Rect { height: 1, ..area });
    screen::view(model, &mut draw, Rect { y: area.y + 1, height: area.height - 2, ..area });
    let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
    match (&model.overlay, &model.toast) {
        (None, Some(toast)) => {
            let (glyph, word, _) = screen::facts::severity(toast.severity, draw.theme);
            let text = toast.text.replace('\n', " · ");
            draw.put(foot.x, foot.y, foot.width, &format!(" {glyph} {word}: {text} "), draw.theme.toast);
            draw.wake_in(Some(toast.until.saturating_sub(model.now).max(1)));
        }
        _ => footer(model, &mut draw, foot),
    }
    match &model.overlay {
        None => {}
        Some(Overlay::Help { input, offset }) => help(model, &mut draw, area, input.value(), *offset),
        Some(Overlay::Prompt { kind, input, pick, .. }) => prompt(model, &mut draw, area, *kind, input, *pick),
        Some(Overlay::Confirm { question, input }) => confirm(model, &mut draw, area, question, input),
    }
    Shown { wake: draw.wake, cursor: draw.cursor }
}

fn armed(model: &Model, draw: &mut Draw<'_>) -> (String, Style) {
    match model.live.armed_until.filter(|until| *until > model.now) {
        Some(until) => {
            let left = draw.left(until);
            (format!(" ARMED {} {left} ", model.live.environment.to_uppercase()), draw.theme.armed)
        }
        None => ("READ-ONLY".to_owned(), draw.theme.header),
    }
}

fn small(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let (banner, style) = armed(model, draw);
    let x = draw.put(area.x, area.y, area.width, &banner, style);
    let text = format!(" {} needs {}x{}, has {}x{}", model.live.fabric, SMALLEST.0, SMALLEST.1, area.width, area.height);
    draw.put(x, area.y, area.width.saturating_sub(x), &text, draw.theme.text);
}

fn header(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let theme = draw.theme;
    let dot = format!(" {} ", draw.glyphs.dot);
    let (banner, style) = armed(model, draw);
    let mut parts: Vec<(String, Style)> = vec![
        (format!(" {}", model.live.fabric), theme.header),
        (dot.clone(), theme.dim),
        (model.live.environment.to_string(), theme.header),
        (dot, theme.dim),
        (banner, style),
    ];
    if let Some(commit) = model.live.commit.as_ref().filter(|commit| commit.ended.is_none()) {
        parts.push((format!("  {}", screen::commit::banner(commit)), theme.warn));
    }
    if let Some(held) = model.frozen {
        parts.push((format!("  FROZEN {held} held"), theme.warn));
    }
    let s = &model.summary;
    // From the most to the least important; what does not fit is left out at the end, never in the middle.
    let wide = area.width >= 110;
    let gap = if wide { "   " } else { "  " };
    let mut devices = format!("{gap}{} live {} stale {} down", s.live, s.stale, s.down);
    if s.syncing > 0 {
        devices.push_str(&format!(" {} syncing", s.syncing));
    }
    let taken = model.live.rollback.as_ref().filter(|rollback| rollback.refused.is_none());
    let staged = match (taken, model.live.staged.len()) {
        (Some(rollback), _) => (format!("{gap}rollback of {}", rollback.operation), theme.staged),
        (None, 0) => (format!("{gap}staged 0"), theme.text),
        (None, count) => (format!("{gap}staged {count}"), theme.staged),
    };
    let drift = if s.drift > 0 {
        if wide {
            format!("{gap}drift {} on {}", s.drift, super::app::counted(s.drifted, "device"))
        } else {
            format!("{gap}drift {}", s.drift)
        }
    } else if s.unknown == model.live.devices.len() {
        format!("{gap}drift ?")
    } else {
        format!("{gap}drift 0")
    };
    let intent = match (&model.live.intent.error, model.live.intent.read) {
        (Some(_), Some(read)) if wide => (format!("{gap}intent FAILED, of {}", draw.clock(read)), theme.bad),
        (Some(_), _) => (format!("{gap}intent FAILED"), theme.bad),
        (None, Some(read)) => {
            let age = draw.rough_age(read);
            match &model.live.intent.branch {
                Some(branch) => (format!("{gap}BRANCH {branch} {age}"), theme.warn),
                None => (format!("{gap}intent {age}"), theme.text),
            }
        }
        (None, None) => {
            let objects = model.live.intent.reading.iter().flat_map(|kinds| kinds.iter()).map(|(_, got, _)| got).sum::<usize>();
            let words = if objects > 0 { format!("{gap}intent reading {objects}") } else { format!("{gap}intent reading") };
            (words, theme.warn)
        }
    };
    let bad = |count: usize| if count > 0 { theme.bad } else { theme.text };
    let (devices, drift) = ((devices, bad(s.stale + s.down)), (drift, bad(s.drift)));
    // Intent that is not followed any more must be seen on the narrowest screen.
    let optional = match model.live.intent.error {
        Some(_) => [intent, devices, drift, staged],
        None => [devices, drift, staged, intent],
    };
    let wide_of = |text: &str| clean::width(&clean::clean(text, draw.glyphs.ascii));
    let mut used: usize = parts.iter().map(|(text, _)| wide_of(text)).sum();
    for part in optional {
        used += wide_of(&part.0);
        if used <= usize::from(area.width) {
            parts.push(part);
        } else {
            break;
        }
    }
    let end = draw.parts(area.x, area.y, area.width, &parts);
    // No running clock: the time of the last news says the same and leaves a quiet screen quiet.
    if let Some(event) = model.live.events.last() {
        let text = format!("news {}", draw.clock(event.time));
        let columns = u16::try_from(text.len()).unwrap_or(0);
        if end + columns + 2 <= area.right() {
            draw.right(area.right() - 1, area.y, columns, &text, theme.dim);
        }
    }
}

fn footer(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let theme = draw.theme;
    let mut x = area.x + 1;
    let rows: Vec<&keys::Row> = match keys::context(model) {
        keys::Context::On(on) => {
            let last = |name: &str| keys::EVERYWHERE.iter().find(|row| row.name == name);
            screen::keys(on).iter().chain(["plan", "arm", "commit", "filter", "command", "help"].into_iter().filter_map(last)).collect()
        }
        context => keys::TYPING.iter().filter(|row| row.context == context).collect(),
    };
    let words = |row: &keys::Row| -> (String, String) {
        let key = row.keys.first().map_or_else(String::new, |key| keys::spell(key, draw.glyphs.ascii));
        let name = match row.name {
            "arm" if model.armed() => "disarm",
            name => name,
        };
        (key, name.to_owned())
    };
    // Help is always there, whatever had to go.
    let help = "? help";
    for row in rows {
        let (key, name) = words(row);
        let columns = u16::try_from(clean::width(&key) + 1 + clean::width(&name)).unwrap_or(u16::MAX);
        let reserve = if row.name == "help" || model.overlay.is_some() { 0 } else { u16::try_from(help.len() + 2).unwrap_or(0) };
        if x.saturating_add(columns + reserve) > area.right() {
            continue;
        }
        x = draw.put(x, area.y, area.right() - x, &key, theme.key);
        x = draw.put(
            x + 1,
            area.y,
            area.right().saturating_sub(x + 1),
            &name,
            if row.danger == Danger::Writes { theme.warn } else { theme.text },
        );
        x += 2;
    }
}

/// A box in the middle of the screen.
fn middle(draw: &mut Draw<'_>, area: Rect, width: u16, height: u16, title: &str) -> Rect {
    let (width, height) = (width.min(area.width.saturating_sub(2)), height.min(area.height.saturating_sub(2)));
    let rect = Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height);
    draw.blank(rect);
    draw.pane(rect, title, true)
}

fn help(model: &Model, draw: &mut Draw<'_>, area: Rect, typed: &str, offset: usize) {
    let wanted = typed.to_lowercase();
    let rows: Vec<&keys::Row> = keys::reachable(model.screen)
        .filter(|row| wanted.is_empty() || format!("{} {} {}", row.keys.join(" "), row.name, row.words).to_lowercase().contains(&wanted))
        .collect();
    let inner =
        middle(draw, area, 96, area.height.saturating_sub(4), &format!("keys of {} · type to filter · Esc closes", model.screen.title()));
    let theme = draw.theme;
    let x = draw.put(inner.x + 1, inner.y, inner.width, &format!("filter: {typed}"), theme.key);
    draw.cursor = Some(Position::new(x.min(inner.right().saturating_sub(1)), inner.y));
    let room = usize::from(inner.height.saturating_sub(1));
    let from = offset.min(rows.len().saturating_sub(room));
    for (y, row) in (inner.y + 1..inner.bottom()).zip(rows.iter().skip(from)) {
        let spelled: Vec<String> = row.keys.iter().map(|key| keys::spell(key, draw.glyphs.ascii)).collect();
        draw.put(inner.x + 1, y, 14, &spelled.join(" "), theme.key);
        draw.put(inner.x + 16, y, 16, row.name, theme.text);
        let words = if row.danger == Danger::Writes { format!("{} (write)", row.words) } else { row.words.to_owned() };
        draw.put(
            inner.x + 33,
            y,
            inner.width.saturating_sub(34),
            &words,
            if row.danger == Danger::Writes { theme.warn } else { theme.dim },
        );
    }
    if rows.is_empty() {
        draw.put(inner.x + 1, inner.y + 2, inner.width, "No key does that here", theme.dim);
    }
}

fn prompt(model: &Model, draw: &mut Draw<'_>, area: Rect, kind: Kind, input: &tui_input::Input, pick: Option<usize>) {
    let theme = draw.theme;
    let label = match kind {
        Kind::Palette => ":",
        Kind::Filter => "filter: ",
        Kind::Search => "find: ",
        Kind::SavePlan => "write plan to: ",
        Kind::Override => "accept block named: ",
        Kind::Rollback => "roll back operation number: ",
    };
    let y = area.bottom() - 2;
    let proposals = overlay::proposals(model);
    let shown = proposals.len().min(10).min(usize::from(area.height / 2));
    let from = pick.unwrap_or(0).saturating_sub(shown.saturating_sub(1));
    let top = y.saturating_sub(u16::try_from(shown).unwrap_or(0));
    draw.blank(Rect { y: top, height: y + 1 - top, ..area });
    for (line, (at, proposal)) in (top..y).zip(proposals.iter().enumerate().skip(from)) {
        let selected = pick == Some(at);
        draw.marker(area.x, line, selected);
        let name = clean::clean(&proposal.line, draw.glyphs.ascii).into_owned();
        draw.put(area.x + 1, line, 22, &pad(&name, 22, draw.glyphs.cut), if selected { theme.selected } else { theme.text });
        let key = proposal.key.map(|key| keys::spell(key, draw.glyphs.ascii)).unwrap_or_default();
        draw.put(area.x + 24, line, 8, &key, theme.key);
        draw.put(area.x + 33, line, area.width.saturating_sub(34), &proposal.words, theme.dim);
    }
    let x = draw.put(area.x, y, area.width, label, theme.key);
    let room = area.right().saturating_sub(x + 1);
    let skip = input.visual_scroll(usize::from(room));
    let value: String = input.value().chars().skip(skip).collect();
    draw.put(x, y, room, &value, theme.text);
    let at = u16::try_from(input.visual_cursor().saturating_sub(skip)).unwrap_or(0);
    draw.cursor = Some(Position::new((x + at).min(area.right() - 1), y));
}

fn confirm(model: &Model, draw: &mut Draw<'_>, area: Rect, question: &Question, input: &tui_input::Input) {
    let theme = draw.theme;
    match question {
        Question::Quit => {
            let inner = middle(draw, area, 64, 5, "quit?");
            draw.put(inner.x + 1, inner.y, inner.width, "A commit is under way. The engine stops after the steps under way", theme.warn);
            draw.put(inner.x + 1, inner.y + 2, inner.width, "y quits, Esc stays", theme.key);
        }
        Question::Commit { words, hash } => {
            let plan = model.live.staged_plan.as_ref();
            let risky: Vec<String> = plan
                .iter()
                .flat_map(|plan| plan.changes())
                .filter(|(_, change)| !screen::facts::warning(change).is_empty())
                .take(4)
                .map(|(step, change)| format!("! {} {}: {}", step.device, change.entry, screen::facts::warning(change)))
                .collect();
            let height = 7 + u16::try_from(risky.len()).unwrap_or(0);
            let inner = middle(draw, area, 72, height, "commit");
            draw.put(
                inner.x + 1,
                inner.y,
                inner.width,
                &format!("{words} of {} ({})", model.live.fabric, model.live.environment),
                theme.title,
            );
            draw.put(inner.x + 1, inner.y + 1, inner.width, &format!("plan {}", hash.get(..16).unwrap_or(hash)), theme.dim);
            let mut y = inner.y + 2;
            for line in &risky {
                draw.put(inner.x + 1, y, inner.width.saturating_sub(2), line, theme.warn);
                y += 1;
            }
            if model.strict() {
                let x = draw.put(inner.x + 1, y + 1, inner.width, &format!("type {} to commit: ", model.live.fabric), theme.key);
                let end = draw.put(x, y + 1, inner.right().saturating_sub(x + 1), input.value(), theme.text);
                draw.cursor = Some(Position::new(end.min(inner.right().saturating_sub(1)), y + 1));
            } else {
                draw.put(inner.x + 1, y + 1, inner.width, "y commits, Esc leaves", theme.key);
            }
        }
    }
}

/// The terminal's title: where I am, without the screen.
pub fn title(model: &Model) -> String {
    let state = if model.armed() { "ARMED" } else { "read-only" };
    let text = format!("{} {} {state} - fabric-orch", model.live.fabric, model.live.environment);
    clean::clean(&text, true).into_owned()
}

/// The screen as plain lines, for `--plain`, screen readers and dumb terminals.
pub fn plain(model: &Model, columns: u16, rows: u16) -> String {
    let mut buf = Buffer::empty(Rect::new(0, 0, columns, rows));
    view(model, &mut Scroll::default(), &mut buf);
    let line = |y: u16| (0..columns).filter_map(|x| buf.cell((x, y)).map(ratatui::buffer::Cell::symbol)).collect::<String>();
    (0..rows).map(|y| line(y).trim_end().to_owned()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The screens' titles with their digits, for the README.
pub fn screens() -> impl Iterator<Item = (usize, &'static str)> {
    Screen::ALL.into_iter().enumerate().map(|(at, screen)| (at + 1, screen.title()))
}
