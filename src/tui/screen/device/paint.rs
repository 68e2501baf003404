//! Draws the Device screen.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Group, Id, Line, Pane, State, Tab, current, live};
use crate::diff::change::{Change, ChangeKey, Kind};
use crate::engine::snapshot::DeviceView;
use crate::tui::app::{Model, counted};
use crate::tui::clean::clean;
use crate::tui::draw::{Draw, pad};
use crate::tui::screen::facts;
use crate::tui::widget::words::marks;

/// Draws the screen.
pub fn view(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let Some(device) = model.selected() else {
        draw.put(area.x + 1, area.y + 1, area.width, "No device is selected: 1 lists them", draw.theme.dim);
        return;
    };
    headline(draw, Rect { height: 1, ..area }, device);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let state = &model.detail;
    if state.tab != Tab::Diff {
        let title = tabs(state.tab, "");
        let inner = draw.pane(body, &title, true);
        live::view(&state.live, draw, inner, device);
        return;
    }
    // One pane at a time where two would be too narrow; Tab and the arrows change panes.
    let narrow = body.width < 100;
    let left = if narrow { if state.pane == Pane::Groups { body.width } else { 0 } } else { 27 };
    if left > 0 {
        groups(draw, Rect { width: left, ..body }, state);
    }
    if left == body.width {
        return;
    }
    let main = Rect { x: body.x + left, width: body.width - left, ..body };
    let live_height = if main.height >= 26 { 8 } else { 0 };
    diff(model, draw, Rect { height: main.height - live_height, ..main }, device);
    if live_height > 0 {
        let area = Rect { y: main.bottom() - live_height, height: live_height, ..main };
        let inner = draw.pane(area, "live", false);
        live::view_related(&state.live, draw, inner, device, current(state).map(|change| change.entry.as_str()));
    }
}

fn tabs(open: Tab, rest: &str) -> String {
    let names: Vec<String> =
        Tab::ALL.iter().map(|tab| if *tab == open { format!("[{}]", tab.title()) } else { tab.title().to_owned() }).collect();
    format!("{}{rest}", names.join(" "))
}

fn headline(draw: &mut Draw<'_>, area: Rect, device: &DeviceView) {
    let (theme, glyphs) = (draw.theme, draw.glyphs);
    let (glyph, word, style) = facts::stream(device.stream, theme, glyphs);
    let age = facts::age(device, draw);
    let dot = (format!(" {} ", glyphs.dot), theme.dim);
    let mut parts: Vec<(String, Style)> =
        vec![(device.name.to_string(), theme.title), dot.clone(), (format!("{glyph} {word} {age}"), style)];
    let mut add = |text: String, style: Style| parts.extend([dot.clone(), (text, style)]);
    if !device.trouble.is_empty() {
        add(device.trouble.clone(), theme.bad);
    }
    for note in &device.notes {
        add(note.clone(), theme.warn);
    }
    add(device.address.clone(), theme.text);
    // What is not protected is said in reverse wherever the address is.
    let transport = if device.transport == "TLS" { theme.dim } else { theme.armed };
    add(device.transport.clone(), transport);
    if let Some(software) = &device.software {
        add(format!("EOS {software}"), theme.dim);
    }
    if let Some(booted) = device.booted {
        let age = draw.rough_age(booted);
        add(format!("up {age}"), theme.dim);
    }
    if let Some(change) = &device.changed {
        add(format!("changed {} by {} {}", draw.clock(change.time), change.user, change.session).trim_end().to_owned(), theme.dim);
    }
    if device.counters.dropped > 0 {
        add(format!("{} updates dropped", device.counters.dropped), theme.warn);
    }
    draw.parts(area.x + 1, area.y, area.width.saturating_sub(1), &parts);
}

fn groups(draw: &mut Draw<'_>, area: Rect, state: &State) {
    let focus = state.pane == Pane::Groups;
    let inner = draw.pane(area, "constructs", focus);
    let (theme, glyphs) = (draw.theme, draw.glyphs);
    for (line, at) in draw.scroll.window("groups", state.group.cursor, state.groups.len(), inner.height).enumerate() {
        let Some(row) = state.groups.get(at) else { continue };
        let y = inner.y + u16::try_from(line).unwrap_or(u16::MAX);
        let selected = at == state.group.cursor;
        draw.marker(inner.x, y, selected);
        let (glyph, name, style) = match row.group {
            Group::All => {
                (if row.changes > 0 { glyphs.wrong } else { glyphs.right }, "all", if row.changes > 0 { theme.bad } else { theme.good })
            }
            Group::Of(construct) if row.changes > 0 => (glyphs.wrong, construct.title(), theme.bad),
            Group::Of(construct) => (glyphs.right, construct.title(), theme.good),
            Group::Foreign => (glyphs.dot, "foreign", theme.dim),
            Group::Findings => ("!", "findings", theme.warn),
        };
        draw.put(inner.x + 1, y, 1, glyph, style);
        draw.put(inner.x + 3, y, inner.width.saturating_sub(11), name, if selected { theme.selected } else { theme.text });
        let count = if row.changes > 0 { format!("{}/{}", row.changes, row.leaves) } else { row.leaves.to_string() };
        draw.right(inner.right(), y, 8, &count, theme.dim);
    }
}

/// The box of one change.
fn mark(model: &Model, key: &ChangeKey) -> &'static str {
    if model.live.staged.contains(key) { "[x]" } else { "[ ]" }
}

/// The box of several: `[~]` when only some are staged.
fn mark_all<'a>(model: &Model, changes: impl Iterator<Item = &'a Change>) -> &'static str {
    let (mut staged, mut all) = (0, 0);
    for change in changes {
        all += 1;
        staged += usize::from(model.live.staged.contains(&change.key()));
    }
    if staged == 0 {
        "[ ]"
    } else if staged == all {
        "[x]"
    } else {
        "[~]"
    }
}

fn diff(model: &Model, draw: &mut Draw<'_>, area: Rect, device: &DeviceView) {
    let state = &model.detail;
    let theme = draw.theme;
    let mode = if state.side_by_side { "side by side" } else { "unified" };
    let title = tabs(
        Tab::Diff,
        &format!(
            "  desired (NetBox) {} observed ({}) · {} of {} leaves · {mode}",
            draw.glyphs.against,
            device.name,
            state.changes.len(),
            device.desired.len()
        ),
    );
    let inner = draw.pane(area, &title, state.pane == Pane::Main);
    if inner.height < 4 {
        return;
    }
    let foot = 3;
    let list = Rect { height: inner.height - foot, ..inner };
    if state.rows.is_empty() {
        let text = match &device.changes {
            None => "Nothing can be said: the device is not synced, or intent was not read",
            Some(changes) if changes.is_empty() => "In sync: every desired leaf is there",
            Some(_) if model.filter().is_empty() => "Nothing differs in this construct",
            Some(_) => "No line matches the filter. Esc shows all",
        };
        draw.put(list.x + 1, list.y, list.width, text, theme.dim);
    }
    let range = state.range.as_ref().and_then(|id| (0..state.rows.len()).find(|at| super::id_at(state, device, *at).as_ref() == Some(id)));
    for (line, at) in draw.scroll.window("diff", state.list.cursor, state.rows.len(), list.height).enumerate() {
        let row = Rect { y: list.y + u16::try_from(line).unwrap_or(u16::MAX), height: 1, ..list };
        let selected = at == state.list.cursor;
        draw.marker(row.x, row.y, selected);
        let ranged = range.is_some_and(|from| (from.min(state.list.cursor)..=from.max(state.list.cursor)).contains(&at));
        let name = if selected || ranged { theme.selected } else { theme.text };
        match state.rows.get(at) {
            Some(Line::Entry(first, many)) => {
                entry_line(model, draw, row, *first, *many, at, if selected { theme.selected } else { theme.title })
            }
            Some(Line::Change(index)) => {
                if let Some(change) = state.changes.get(*index) {
                    change_line(model, draw, row, change, name);
                }
            }
            Some(Line::Equal(path, value)) => {
                let x = draw.put(row.x + 5, row.y, 2, "=", theme.dim);
                draw.put(
                    x + 1,
                    row.y,
                    row.right().saturating_sub(x + 1),
                    &format!("{path}  {value}"),
                    if selected { theme.selected } else { theme.dim },
                );
            }
            Some(Line::Foreign(index)) => {
                if let Some((path, value)) = device.foreign.get(*index) {
                    let x = draw.put(row.x + 5, row.y, 2, draw.glyphs.dot, theme.dim);
                    draw.put(
                        x + 1,
                        row.y,
                        row.right().saturating_sub(x + 1),
                        &format!("{path}  {value}"),
                        if selected { theme.selected } else { theme.dim },
                    );
                }
            }
            Some(Line::Finding(index)) => {
                if let Some(finding) = state.findings.get(*index) {
                    let (glyph, word, style) = facts::severity(finding.severity, theme);
                    let x = draw.put(row.x + 2, row.y, 12, &format!("{glyph} {word}"), style);
                    let hint = if finding.hint.is_empty() { String::new() } else { format!(" (hint: {})", finding.hint) };
                    draw.put(
                        x + 1,
                        row.y,
                        row.right().saturating_sub(x + 1),
                        &format!("{}: {}{hint}", finding.code, finding.message),
                        name,
                    );
                }
            }
            None => {}
        }
    }
    footnotes(model, draw, Rect { y: inner.bottom() - foot, height: foot, ..inner }, device);
}

fn entry_line(model: &Model, draw: &mut Draw<'_>, row: Rect, first: usize, many: usize, at: usize, style: Style) {
    let state = &model.detail;
    let Some(change) = state.changes.get(first) else { return };
    let inside = state
        .rows
        .iter()
        .skip(at + 1)
        .take(many)
        .filter_map(|line| if let Line::Change(index) = line { state.changes.get(*index) } else { None });
    let staged = mark_all(model, inside);
    draw.put(row.x + 1, row.y, 3, staged, if staged == "[ ]" { draw.theme.dim } else { draw.theme.staged });
    let x = draw.put(row.x + 5, row.y, 20, change.construct.title(), draw.theme.dim);
    draw.put(x + 1, row.y, row.right().saturating_sub(x + 1), &change.entry, style);
}

fn change_line(model: &Model, draw: &mut Draw<'_>, row: Rect, change: &Change, name: Style) {
    let (theme, glyphs) = (draw.theme, draw.glyphs);
    let key = change.key();
    let staged = mark(model, &key);
    draw.put(row.x + 3, row.y, 3, staged, if staged == "[ ]" { theme.dim } else { theme.staged });
    let (sign, style) = facts::sign(change.kind, theme);
    draw.put(row.x + 7, row.y, 1, sign, style);
    let columns: u16 = if row.width >= 110 { 30 } else { 20 };
    let label = clean(&facts::label(change), glyphs.ascii).into_owned();
    draw.put(row.x + 9, row.y, columns, &pad(&label, usize::from(columns), glyphs.cut), name);
    let x = row.x + 9 + columns + 1;
    let room = row.right().saturating_sub(x);
    let desired = clean(&facts::value(change.desired.as_ref()), glyphs.ascii).into_owned();
    let observed = clean(&facts::value(change.observed.as_ref()), glyphs.ascii).into_owned();
    let (wanted, had) = marks(&desired, &observed);
    let paint = |pieces: &[(&str, bool)], base: Style| -> Vec<(String, Style)> {
        // A value that is not there at all needs no marks inside.
        let whole = change.kind != Kind::Update;
        pieces.iter().map(|(text, differs)| ((*text).to_owned(), if *differs && !whole { base.patch(theme.mark) } else { base })).collect()
    };
    let absent = |there: bool, style: Style| if there { style } else { theme.dim };
    let (left, right) = (absent(change.desired.is_some(), theme.added), absent(change.observed.is_some(), theme.removed));
    let warning = facts::warning(change);
    if model.detail.side_by_side {
        let half = room.saturating_sub(3) / 2;
        draw.parts(x, row.y, half, &paint(&wanted, left));
        draw.put(x + half + 1, row.y, 1, glyphs.bar, theme.border);
        draw.parts(x + half + 3, row.y, room.saturating_sub(half + 3), &paint(&had, right));
        return;
    }
    let warned = if warning.is_empty() { 0 } else { u16::try_from(crate::tui::clean::width(&warning) + 4).unwrap_or(0) };
    let values = if warned + 20 < room { room - warned } else { room };
    let each = values.saturating_sub(4);
    let needed = u16::try_from(crate::tui::clean::width(&desired)).unwrap_or(u16::MAX);
    let aligned = 18.min(each / 2);
    let first =
        needed.clamp(aligned, (each / 2).max(each.saturating_sub(u16::try_from(crate::tui::clean::width(&observed)).unwrap_or(u16::MAX))));
    draw.parts(x, row.y, first, &paint(&wanted, left));
    let at = draw.put(x + first + 1, row.y, 2, glyphs.against, theme.dim);
    let end = draw.parts(at + 1, row.y, (x + values).saturating_sub(at + 1), &paint(&had, right));
    if !warning.is_empty() {
        draw.put(end + 2, row.y, row.right().saturating_sub(end + 2), &format!("! {warning}"), facts::risk(change.risk, theme));
    }
}

fn footnotes(model: &Model, draw: &mut Draw<'_>, area: Rect, device: &DeviceView) {
    let state = &model.detail;
    let theme = draw.theme;
    for x in area.x..area.right() {
        draw.glyph(x, area.y, draw.glyphs.line, theme.border);
    }
    let width = area.width.saturating_sub(2);
    if let Some(change) = current(state) {
        let mut from = facts::origin(change);
        if let Some(changed) = &device.changed {
            from.push_str(&format!("   device: {} {}", changed.user, draw.clock(changed.time)));
        }
        let key = change.key();
        let text = match model.live.pulled_in.get(&key) {
            Some(by) => format!("pulled in by {} {}   {from}", by.device, facts::leaf_label(&by.path)),
            None => from,
        };
        let path = if matches!(state.list.id, Some(Id::Entry(..))) { String::new() } else { change.path.to_string() };
        let warning = facts::warning(change);
        let first = if path.is_empty() && !warning.is_empty() { format!("! {warning}") } else { path };
        draw.put(area.x + 1, area.y + 1, width, if first.is_empty() { &text } else { &first }, theme.info);
        if !first.is_empty() {
            draw.put(area.x + 1, area.y + 2, width, &text, theme.dim);
        }
        return;
    }
    let tally = device.tally;
    let hidden = if state.equal { "z hides" } else { "z shows" };
    let foreign = if state.foreign { "f hides" } else { "f shows" };
    let text = format!(
        "{} equal ({hidden})   foreign {} ({foreign})   protected {}",
        counted(tally.equal, "leaf").replace("leafs", "leaves"),
        tally.foreign,
        tally.protected
    );
    draw.put(area.x + 1, area.y + 1, width, &text, theme.dim);
    if let Some((path, reason)) = device.refused_paths.first() {
        let more = if device.refused_paths.len() > 1 { format!(" and {} more", device.refused_paths.len() - 1) } else { String::new() };
        draw.put(area.x + 1, area.y + 2, width, &format!("! not streamed: {path}: {reason}{more}"), theme.warn);
    }
}
