//! The Fabric screen: every device by role and pair, what is wrong with the selected one, and what happened last.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::style::Style;
use serde::{Deserialize, Serialize};

use super::{Act, Screen, facts};
use crate::engine::snapshot::{DeviceView, Stream};
use crate::tui::app::{self, Effect, Model};
use crate::tui::draw::{Draw, pad};
use crate::tui::keys::{Context, Row as Key, row, stages};
use crate::tui::list::{List, Move};

const HERE: Context = Context::On(Screen::Fabric);

/// The keys of this screen.
pub static KEYS: &[Key] = &[
    row(HERE, &["enter"], "open device", app::Msg::Act(Act::Enter), "open the selected device"),
    stages(HERE, &["space"], "stage all", app::Msg::Act(Act::Stage), "stage every change of the selected device, or unstage them"),
    row(HERE, &["d"], "drift only", app::Msg::Fabric(Msg::DriftOnly), "only devices that differ, or that nothing is known of"),
    row(HERE, &["b"], "group", app::Msg::Fabric(Msg::Group), "group by pair, by role, not at all"),
    row(HERE, &["s"], "sort", app::Msg::Fabric(Msg::Sort), "sort by fabric order, name, drift, age; rows move only when asked"),
    row(HERE, &["R"], "resync", app::Msg::Resync, "drop the selected device's stream and read everything again"),
];

/// What only this screen understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Msg {
    /// Hide what is in sync, or show it.
    DriftOnly,
    /// Next grouping.
    Group,
    /// Next order.
    Sort,
}

/// How rows are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Group {
    /// Members of a pair together.
    #[default]
    Pair,
    /// By role.
    Role,
    /// Not at all.
    None,
}

/// How rows are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// As the engine lists them.
    #[default]
    Fabric,
    /// By name.
    Name,
    /// Most changes first.
    Drift,
    /// Oldest first.
    Age,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A heading.
    Head(String),
    /// A device, by its place in the snapshot.
    Device(usize),
}

/// The state of this screen.
#[derive(Default)]
pub struct State {
    /// Lines.
    pub rows: Vec<Line>,
    /// The selected device.
    pub list: List<Arc<str>>,
    /// Hide what is in sync.
    pub drift_only: bool,
    /// Grouping.
    pub group: Group,
    /// Order.
    pub sort: Sort,
    /// Names in the order last sorted: rows do not move by themselves.
    order: Vec<Arc<str>>,
    /// First of the columns that do not always fit.
    pub column: usize,
}

fn id_at(rows: &[Line], devices: &[Arc<DeviceView>], at: usize) -> Option<Arc<str>> {
    match rows.get(at)? {
        Line::Head(_) => None,
        Line::Device(index) => Some(Arc::clone(&devices.get(*index)?.name)),
    }
}

/// Makes the rows anew.
pub fn rebuild(model: &mut Model) {
    let shown = Arc::clone(&model.shown);
    let devices = &shown.devices;
    let filter = model.filters[Screen::Fabric as usize].clone();
    let state = &mut model.fabric;
    let mut wanted: Vec<usize> = (0..devices.len())
        .filter(|at| {
            devices.get(*at).is_some_and(|device| {
                let hidden = state.drift_only && device.changes.as_ref().is_some_and(|changes| changes.is_empty());
                !hidden && (filter.is_empty() || filter.shows(&words(device)))
            })
        })
        .collect();
    if state.sort != Sort::Fabric {
        // Known names keep their places, new ones come last, until the operator asks for another order.
        let places: std::collections::HashMap<&str, usize> = state.order.iter().enumerate().map(|(at, name)| (&**name, at)).collect();
        wanted.sort_by_key(|at| devices.get(*at).and_then(|device| places.get(&*device.name).copied()).unwrap_or(usize::MAX));
    }
    let group = if state.sort == Sort::Fabric { state.group } else { Group::None };
    let mut rows = Vec::with_capacity(wanted.len() + 8);
    let mut last: Option<String> = None;
    for at in wanted {
        let Some(device) = devices.get(at) else { continue };
        let head = match group {
            Group::None => None,
            Group::Role => Some(role(device).to_owned()),
            Group::Pair => device.pair.as_ref().map(|pair| match &device.vtep {
                Some(vtep) => format!("pair {pair} · VTEP {vtep}"),
                None => format!("pair {pair}"),
            }),
        };
        if head.is_some() && head != last {
            rows.extend(head.clone().map(Line::Head));
        }
        last = head;
        rows.push(Line::Device(at));
    }
    state.rows = rows;
    let state = &mut model.fabric;
    state.list.settle(state.rows.len(), |at| id_at(&state.rows, devices, at));
    if state.list.id.is_some() {
        model.device = state.list.id.clone();
    }
}

/// Keeps a device selected when another screen is shown, too.
pub fn settle(model: &mut Model) {
    let known = model.device.as_ref().is_some_and(|name| model.shown.devices.iter().any(|device| device.name == *name));
    if !known {
        model.device = model.shown.devices.first().map(|device| Arc::clone(&device.name));
    }
}

/// Moves the cursor to the device selected elsewhere.
pub fn follow(model: &mut Model) {
    model.fabric.list.id = model.device.clone();
}

fn role(device: &DeviceView) -> &str {
    device.role.word()
}

fn words(device: &DeviceView) -> String {
    let stream = format!("{:?}", device.stream);
    let drift = match &device.changes {
        None => "unknown",
        Some(changes) if changes.is_empty() => "in-sync",
        Some(_) => "drift",
    };
    let user = device.changed.as_ref().map_or("", |change| change.user.as_str());
    format!(
        "{} {} {} {stream} {drift} {user} {} {}",
        device.name,
        role(device),
        device.pair.as_deref().unwrap_or(""),
        device.trouble,
        device.vtep.as_deref().unwrap_or("")
    )
}

/// What only this screen understands.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::DriftOnly => model.fabric.drift_only = !model.fabric.drift_only,
        Msg::Group => {
            model.fabric.group = match model.fabric.group {
                Group::Pair => Group::Role,
                Group::Role => Group::None,
                Group::None => Group::Pair,
            };
        }
        Msg::Sort => {
            model.fabric.sort = match model.fabric.sort {
                Sort::Fabric => Sort::Name,
                Sort::Name => Sort::Drift,
                Sort::Drift => Sort::Age,
                Sort::Age => Sort::Fabric,
            };
            let mut devices: Vec<&Arc<DeviceView>> = model.shown.devices.iter().collect();
            match model.fabric.sort {
                Sort::Fabric => {}
                Sort::Name => devices.sort_by(|a, b| a.name.cmp(&b.name)),
                Sort::Drift => {
                    devices.sort_by_key(|device| std::cmp::Reverse(device.changes.as_ref().map_or(usize::MAX, |changes| changes.len())))
                }
                Sort::Age => devices.sort_by_key(|device| device.last_update.unwrap_or(0)),
            }
            model.fabric.order = devices.into_iter().map(|device| Arc::clone(&device.name)).collect();
        }
    }
    rebuild(model);
    Vec::new()
}

/// Leaves the drift-only view.
pub fn back(model: &mut Model) -> bool {
    let was = std::mem::take(&mut model.fabric.drift_only);
    if was {
        rebuild(model);
    }
    was
}

/// What every screen understands.
pub fn act(model: &mut Model, act: Act) -> Vec<Effect> {
    match act {
        Act::Move(Move::Left) => model.fabric.column = model.fabric.column.saturating_sub(1),
        Act::Move(Move::Right) => model.fabric.column = (model.fabric.column + 1).min(WANDERING.len() - 1),
        Act::Move(to) => {
            let page = model.page();
            let shown = Arc::clone(&model.shown);
            let state = &mut model.fabric;
            state.list.go(to, state.rows.len(), page, |at| id_at(&state.rows, &shown.devices, at));
            model.device = state.list.id.clone();
        }
        Act::Enter => model.go(Screen::Device),
        Act::Stage => {
            let changes = model.selected().and_then(|device| device.changes.clone()).unwrap_or_default();
            return app::toggle(model, changes.iter().map(crate::diff::change::Change::key).collect());
        }
        Act::Copy => return model.device.as_ref().map(|device| Effect::Copy(device.to_string())).into_iter().collect(),
        Act::NextPane | Act::PreviousPane => {}
    }
    Vec::new()
}

/// A column: title, width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Device,
    Role,
    As,
    Stream,
    Age,
    Bgp,
    Evpn,
    Mlag,
    Vtep,
    Drift,
    Staged,
    Changed,
}

/// All columns, in the order in which they stand.
const COLUMNS: [(Column, &str, u16); 12] = [
    (Column::Device, "DEVICE", 12),
    (Column::Role, "ROLE", 6),
    (Column::As, "AS", 6),
    (Column::Stream, "STREAM", 14),
    (Column::Age, "AGE", 5),
    (Column::Bgp, "BGP", 6),
    (Column::Evpn, "EVPN", 5),
    (Column::Mlag, "MLAG", 10),
    (Column::Vtep, "VTEP", 6),
    (Column::Drift, "DRIFT", 10),
    (Column::Staged, "STAGED", 7),
    (Column::Changed, "CHANGED ON DEVICE", 20),
];

/// Columns that are always there.
const FIXED: [Column; 3] = [Column::Device, Column::Stream, Column::Drift];
/// The others, the most important first: as many as fit, from the one the arrows moved to.
const WANDERING: [Column; 9] =
    [Column::Bgp, Column::Mlag, Column::Staged, Column::Evpn, Column::Age, Column::Vtep, Column::Changed, Column::Role, Column::As];

fn width(column: Column) -> u16 {
    COLUMNS.iter().find(|(have, ..)| *have == column).map_or(0, |(_, _, width)| *width + 1)
}

/// The columns that fit in `room`, and whether some lie to the left and right of them.
fn columns(room: u16, first: usize) -> (Vec<(Column, &'static str, u16)>, bool, bool) {
    let fixed: u16 = FIXED.iter().map(|column| width(*column)).sum();
    let all: u16 = COLUMNS.iter().map(|(_, _, width)| *width + 1).sum();
    // What fits when starting at `from`, and where it ends.
    let take = |from: usize| {
        let mut left = room.saturating_sub(fixed);
        let mut end = from;
        while let Some(column) = WANDERING.get(end).filter(|column| width(**column) <= left) {
            left -= width(*column);
            end += 1;
        }
        end
    };
    let (mut from, mut end) = (if room >= all { 0 } else { first }, 0);
    end = end.max(take(from));
    while from > 0 && take(from - 1) == WANDERING.len() {
        from -= 1;
        end = take(from);
    }
    let chosen = WANDERING.get(from..end).unwrap_or_default();
    let shown = COLUMNS.into_iter().filter(|(column, ..)| FIXED.contains(column) || chosen.contains(column)).collect();
    (shown, from > 0, end < WANDERING.len())
}

/// Draws the screen.
pub fn view(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let preview = if area.height >= 30 {
        (area.height / 3).min(14)
    } else if area.height >= 18 {
        7
    } else {
        0
    };
    let list = Rect { height: area.height - preview, ..area };
    let (shown, more_left, more_right) = columns(area.width.saturating_sub(1), model.fabric.column);
    let mut x = area.x + 1;
    for (_, title, width) in &shown {
        draw.put(x, list.y, *width, title, draw.theme.title);
        x += width + 1;
    }
    if more_left {
        draw.glyph(area.x, list.y, draw.glyphs.more.0, draw.theme.key);
    }
    if more_right {
        draw.glyph(area.right() - 1, list.y, draw.glyphs.more.1, draw.theme.key);
    }
    let body = Rect { y: list.y + 1, height: list.height.saturating_sub(1), ..list };
    let state = &model.fabric;
    if state.rows.is_empty() {
        let text = if model.shown.devices.is_empty() {
            empty_words(model)
        } else if state.drift_only {
            "No device differs. d shows all".to_owned()
        } else {
            format!("No device matches `{}`. Esc shows all", model.filter().text)
        };
        for (y, line) in (body.y + 1..body.bottom()).zip(wrapped(&text, usize::from(body.width.saturating_sub(2)))) {
            draw.put(body.x + 1, y, body.width.saturating_sub(2), &line, draw.theme.dim);
        }
    }
    for (line, at) in draw.scroll.window("fabric", state.list.cursor, state.rows.len(), body.height).enumerate() {
        let y = body.y + u16::try_from(line).unwrap_or(u16::MAX);
        match state.rows.get(at) {
            Some(Line::Head(text)) => {
                draw.put(body.x + 1, y, 3, draw.glyphs.line, draw.theme.dim);
                draw.put(body.x + 3, y, body.width.saturating_sub(4), text, draw.theme.dim);
            }
            Some(Line::Device(index)) => {
                if let Some(device) = model.shown.devices.get(*index) {
                    device_row(model, draw, Rect { y, height: 1, ..body }, &shown, device, state.list.cursor == at);
                }
            }
            None => {}
        }
    }
    if preview > 0 {
        preview_panes(model, draw, Rect { y: area.bottom() - preview, height: preview, ..area });
    }
}

/// A text in lines of at most `columns`, broken between words where there is room to, within a URL where there is not.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let (mut lines, mut line, mut width) = (Vec::new(), String::new(), 0);
    for word in text.split_whitespace() {
        if width > 0 && width + 1 + word.chars().count() > columns {
            lines.push(std::mem::take(&mut line));
            width = 0;
        }
        if width > 0 {
            line.push(' ');
            width += 1;
        }
        for c in word.chars() {
            if width == columns {
                lines.push(std::mem::take(&mut line));
                width = 0;
            }
            line.push(c);
            width += 1;
        }
    }
    lines.push(line);
    lines
}

fn empty_words(model: &Model) -> String {
    match (&model.shown.intent.error, model.shown.intent.read) {
        (Some(error), _) => format!("No intent: {error}"),
        (None, None) => "Reading intent from NetBox".to_owned(),
        (None, Some(_)) => "Intent names no device: is the tag set on the devices in NetBox?".to_owned(),
    }
}

fn device_row(
    model: &Model,
    draw: &mut Draw<'_>,
    area: Rect,
    columns: &[(Column, &'static str, u16)],
    device: &DeviceView,
    selected: bool,
) {
    draw.marker(area.x, area.y, selected);
    let mut x = area.x + 1;
    for (column, _, width) in columns {
        let (theme, glyphs) = (draw.theme, draw.glyphs);
        let (text, style): (String, Style) = match column {
            Column::Device => {
                let name = crate::tui::clean::clean(&device.name, glyphs.ascii);
                (pad(&name, usize::from(*width), glyphs.cut), if selected { theme.selected } else { theme.text })
            }
            Column::Role => (role(device).to_owned(), theme.text),
            Column::As => (device.asn.map_or_else(|| "-".to_owned(), |asn| asn.to_string()), theme.text),
            Column::Stream => {
                let (glyph, word, style) = facts::stream(device.stream, theme, glyphs);
                // A path the device refuses costs only that path: the stream is live, and says so.
                match device.refused_paths.len() {
                    0 if device.notes.is_empty() => (format!("{glyph} {word}"), style),
                    0 => (format!("{glyph} {word} !"), theme.warn),
                    refused => (format!("{glyph} {word} !{refused}"), theme.warn),
                }
            }
            Column::Age => (facts::age(device, draw), theme.text),
            Column::Bgp => facts::sessions(device.health.bgp, theme),
            Column::Evpn => facts::sessions(device.health.evpn, theme),
            Column::Mlag => facts::word(device.health.mlag.as_deref(), theme),
            Column::Vtep => facts::word(device.health.vtep.as_deref(), theme),
            Column::Drift => facts::drift(device, theme, glyphs),
            Column::Staged => {
                let many = staged(model, device);
                (if many == 0 { "-".to_owned() } else { format!("[x] {many}") }, if many == 0 { theme.dim } else { theme.staged })
            }
            Column::Changed if device.stream != Stream::Live && !device.trouble.is_empty() => (device.trouble.clone(), theme.bad),
            Column::Changed => match &device.changed {
                None => ("-".to_owned(), theme.dim),
                Some(change) => {
                    let time = crate::tui::age::minute(draw.now, change.time, draw.zone);
                    (format!("{time} {} {}", change.user, change.session).trim_end().to_owned(), theme.dim)
                }
            },
        };
        let room = if *column == Column::Changed { area.right().saturating_sub(x) } else { *width };
        draw.put(x, area.y, room, &text, style);
        x += width + 1;
    }
}

/// How many changes of a device are staged.
pub fn staged(model: &Model, device: &DeviceView) -> usize {
    if model.live.staged.is_empty() {
        return 0;
    }
    device.changes.as_ref().map_or(0, |changes| changes.iter().filter(|change| model.live.staged.contains(&change.key())).count())
}

fn preview_panes(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let wide = area.width >= 100;
    let left = Rect { width: if wide { area.width * 11 / 20 } else { area.width }, ..area };
    let name = model.device.clone().unwrap_or_default();
    let device = model.selected();
    let title = match device.map(|device| (&device.changes, &device.trouble)) {
        Some((Some(changes), _)) if changes.is_empty() => format!("{name}: in sync"),
        Some((Some(changes), _)) => format!("{name}: {}", app::counted(changes.len(), "change")),
        Some((None, _)) => format!("{name}: nothing can be said"),
        None => "no device".to_owned(),
    };
    let inner = draw.pane(left, &title, false);
    if let Some(device) = device {
        preview(draw, inner, device);
    }
    if wide {
        let right = Rect { x: left.right(), width: area.width - left.width, ..area };
        let inner = draw.pane(right, "events", false);
        super::history::lines(&model.shown.events, draw, inner);
    }
}

fn preview(draw: &mut Draw<'_>, area: Rect, device: &DeviceView) {
    let mut y = area.y;
    let theme = draw.theme;
    let mut say = |draw: &mut Draw<'_>, text: &str, style: Style| {
        if y < area.bottom() {
            draw.put(area.x + 1, y, area.width.saturating_sub(2), text, style);
            y += 1;
        }
    };
    if !device.trouble.is_empty() {
        let next =
            device.next_try.filter(|next| *next > draw.now).map(|next| format!(", next try in {}", draw.left(next))).unwrap_or_default();
        say(draw, &format!("{} {}{next}", draw.glyphs.wrong, device.trouble), theme.bad);
    }
    for note in device.notes.iter().take(3) {
        say(draw, &format!("! {note}"), theme.warn);
    }
    for problem in device.health.problems.iter().take(3) {
        say(draw, &format!("{} {problem}", draw.glyphs.wrong), theme.bad);
    }
    let Some(changes) = &device.changes else {
        return say(draw, "no drift is claimed until the device is synced and intent is read", theme.dim);
    };
    if changes.is_empty() {
        let tally = device.tally;
        return say(draw, &format!("{} leaves equal · {} foreign · {} protected", tally.equal, tally.foreign, tally.protected), theme.dim);
    }
    let room = usize::from(area.bottom().saturating_sub(y));
    let shown = if changes.len() > room { room.saturating_sub(1) } else { room };
    for change in changes.iter().take(shown) {
        let (sign, style) = facts::sign(change.kind, theme);
        let values =
            format!("{} {} {}", facts::value(change.observed.as_ref()), draw.glyphs.becomes, facts::value(change.desired.as_ref()));
        let warning = facts::warning(change);
        let x = draw.put(area.x + 1, y, 2, sign, style);
        let entry = pad(&crate::tui::clean::clean(&change.entry, draw.glyphs.ascii), 14, draw.glyphs.cut);
        let x = draw.put(x + 1, y, 14, &entry, theme.text);
        let label = pad(&crate::tui::clean::clean(&facts::label(change), draw.glyphs.ascii), 18, draw.glyphs.cut);
        let x = draw.put(x + 1, y, 18, &label, theme.text);
        let room = area.right().saturating_sub(x + 2);
        let x = draw.put(x + 1, y, room, &values, style);
        if !warning.is_empty() && x + 3 < area.right() {
            draw.put(x + 2, y, area.right() - x - 2, &format!("! {warning}"), facts::risk(change.risk, theme));
        }
        y += 1;
    }
    if changes.len() > shown && y < area.bottom() {
        draw.put(area.x + 1, y, area.width, &format!("and {} more: Enter shows them", changes.len() - shown), theme.dim);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_reasons_are_wrapped_and_nothing_is_lost() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a abcdefgh b", 4), ["a", "abcd", "efgh", "b"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("ab", 0), ["a", "b"]);
    }

    #[test]
    fn every_column_can_be_reached_at_80() {
        let mut seen: Vec<Column> = Vec::new();
        for first in 0..WANDERING.len() {
            let (shown, left, right) = columns(79, first);
            assert!(shown.iter().map(|(_, _, width)| width + 1).sum::<u16>() <= 79 || first == 0);
            assert!(FIXED.iter().all(|column| shown.iter().any(|(have, ..)| have == column)));
            assert_eq!(left, first > 0 && shown.len() < COLUMNS.len());
            seen.extend(shown.iter().map(|(column, ..)| *column));
            if !right {
                break;
            }
        }
        assert!(COLUMNS.iter().all(|(column, ..)| seen.contains(column)), "{seen:?}");
        assert_eq!(columns(120, 5).0.len(), COLUMNS.len());
    }
}
