//! The YANG screen: the schema as a tree that opens branch by branch, with what the device reports and what intent wants at
//! every leaf; fuzzy search over all nodes; Get, Subscribe and a comparison of all devices at one path.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde::{Deserialize, Serialize};
use tui_tree_widget::{Tree as TreeWidget, TreeItem};

use super::{Act, Screen};
use crate::diff::change::Severity;
use crate::engine::command::Command;
use crate::path::{Elem, Path};
use crate::tree::Tree;
use crate::tui::app::{self, Effect, Model, SharedSchema, counted};
use crate::tui::clean::clean;
use crate::tui::draw::{Draw, pad};
use crate::tui::keys::{Context, Row as Key, row};
use crate::tui::list::{List, Move};
use crate::tui::overlay::{Kind as Prompt, Overlay};
use crate::tui::theme::{Glyphs, Theme};
use crate::yang::{Access, NodeId, NodeKind};

const HERE: Context = Context::On(Screen::Yang);

/// Entries of one list that are drawn; search and filter reach the others.
const MOST_ENTRIES: usize = 500;
/// What a search finds at most.
const MOST_FOUND: usize = 200;

/// The keys of this screen.
pub static KEYS: &[Key] = &[
    row(HERE, &["/"], "find", app::Msg::Yang(Msg::Find), "find in all nodes of the schema: words of names and paths, fuzzy"),
    row(HERE, &["n"], "next found", app::Msg::Yang(Msg::NextFound), "next node that was found"),
    row(HERE, &["N"], "previous found", app::Msg::Yang(Msg::PreviousFound), "previous node that was found"),
    row(HERE, &["c"], "compare", app::Msg::Yang(Msg::Compare), "values of every device at this path, or details again"),
    row(HERE, &["S"], "subscribe", app::Msg::Yang(Msg::Subscribe), "add this path to the device's subscription"),
    row(HERE, &["G"], "get", app::Msg::Yang(Msg::Get), "Get this subtree from the device now"),
    row(HERE, &["y"], "copy path", app::Msg::Act(Act::Copy), "copy the path"),
    row(HERE, &["]"], "next device", app::Msg::Device(super::device::Msg::Next), "next device"),
    row(HERE, &["["], "previous device", app::Msg::Device(super::device::Msg::Previous), "previous device"),
];

/// What only this screen understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Msg {
    /// Ask what to find.
    Find,
    /// Next hit.
    NextFound,
    /// Hit before.
    PreviousFound,
    /// All devices, or details.
    Compare,
    /// Subscribe here.
    Subscribe,
    /// Get here.
    Get,
}

/// A visible node.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it is; a list without keys stands for all its entries.
    pub path: Path,
    /// Its node.
    pub node: NodeId,
    /// Whether something can be opened below it.
    pub branch: bool,
    /// Its name for the tree widget, from the top down.
    ids: Vec<u64>,
}

/// The state of this screen.
#[derive(Default)]
pub struct State {
    /// What is open.
    pub opened: HashSet<Path>,
    /// Visible nodes.
    pub rows: Vec<Row>,
    /// The selected node.
    pub list: List<Path>,
    /// What was found, best first.
    pub found: Vec<NodeId>,
    /// Which hit is selected.
    pub hit: usize,
    /// Whether the hits are drawn instead of the tree.
    pub finding: bool,
    /// Whether the values of all devices are drawn.
    pub compare: bool,
    items: Vec<TreeItem<'static, u64>>,
}

struct Builder<'a> {
    schema: &'a SharedSchema,
    opened: &'a HashSet<Path>,
    observed: &'a Tree,
    desired: &'a Tree,
    theme: &'a Theme,
    glyphs: &'a Glyphs,
    rows: Vec<Row>,
}

/// A name for the tree widget. Two modules may have a node of the same name at the top, so the node belongs to it.
fn id(path: &Path, node: NodeId) -> u64 {
    let mut hasher = DefaultHasher::new();
    (path, node).hash(&mut hasher);
    hasher.finish()
}

/// Keys of the entries of list `name` below `above`, in either tree.
fn entries(trees: [&Tree; 2], above: &Path, name: &str) -> Vec<Elem> {
    let depth = above.len();
    let mut found: HashSet<Elem> = HashSet::new();
    for tree in trees {
        tree.paths().with(|mut paths| {
            for (id, _) in tree.iter() {
                let Some(path) = paths.get(id.index()) else { continue };
                if let Some(elem) = path.elems.get(depth).filter(|elem| elem.name == name && !elem.keys.is_empty())
                    && path.origin.is_none()
                    && !found.contains(elem)
                    && path.starts_with(above)
                {
                    found.insert(elem.clone());
                }
            }
        });
    }
    let mut found: Vec<Elem> = found.into_iter().collect();
    found.sort_by_cached_key(|elem| elem.keys.iter().map(|(_, value)| super::device::live::natural(value)).collect::<Vec<_>>());
    found
}

impl Builder<'_> {
    /// The children of a node: entries of a list that is not entered yet, nodes of the schema otherwise.
    fn children(&mut self, path: &Path, node: NodeId, above: &[u64]) -> Vec<TreeItem<'static, u64>> {
        let list_without_keys = self.schema.kind(node) == NodeKind::List && path.elems.last().is_some_and(|elem| elem.keys.is_empty());
        if list_without_keys {
            let parent = path.parent().unwrap_or_default();
            let found = entries([self.observed, self.desired], &parent, path.name());
            if !found.is_empty() {
                return found
                    .into_iter()
                    .take(MOST_ENTRIES)
                    .map(|elem| {
                        let mut entry = parent.clone();
                        entry.elems.push(elem);
                        self.item(entry, node, above)
                    })
                    .collect();
            }
        }
        let schema = Arc::clone(self.schema);
        schema.children(node).map(|child| self.item(path.clone().child(schema.node(child).name), child, above)).collect()
    }

    fn item(&mut self, path: Path, node: NodeId, above: &[u64]) -> TreeItem<'static, u64> {
        let branch = !self.schema.kind(node).is_leaf();
        let open = branch && self.opened.contains(&path);
        let id = id(&path, node);
        let mut ids = above.to_vec();
        ids.push(id);
        let text = self.text(&path, node, above.len());
        self.rows.push(Row { path: path.clone(), node, branch, ids: ids.clone() });
        let children = if open {
            self.children(&path, node, &ids)
        } else if branch {
            // The widget draws a branch where there are children; the real ones are made when it opens.
            vec![TreeItem::new_leaf(0, "")]
        } else {
            Vec::new()
        };
        TreeItem::new(id, text.clone(), children).unwrap_or_else(|_| TreeItem::new_leaf(id, text))
    }

    fn text(&self, path: &Path, node: NodeId, depth: usize) -> Line<'static> {
        let (schema, theme, glyphs) = (self.schema, self.theme, self.glyphs);
        let node = schema.node(node);
        let last = path.elems.last();
        let entry = last.is_some_and(|elem| !elem.keys.is_empty());
        let name = match last.filter(|_| entry) {
            Some(elem) => elem.keys.iter().map(|(_, value)| format!("[{value}]")).collect::<String>(),
            None => node.name.to_owned(),
        };
        let columns = 44usize.saturating_sub(depth * 2).max(16);
        let unsupported = node.access == Access::NotSupported;
        let base = if unsupported { theme.dim } else { theme.text };
        let mut spans = vec![Span::styled(pad(&clean(&name, glyphs.ascii), columns, glyphs.cut), base)];
        let mode = if unsupported {
            "not supported"
        } else if node.kind == NodeKind::List && !entry {
            "list"
        } else if node.config {
            "rw"
        } else {
            "ro"
        };
        spans.push(Span::styled(format!(" {mode} "), theme.dim));
        if node.kind.is_leaf() {
            let (have, want) = (self.observed.value(path), self.desired.value(path));
            if let Some(have) = have {
                spans.push(Span::styled(clean(&have.to_string(), glyphs.ascii).into_owned(), theme.text));
            }
            match (have, want) {
                (_, None) => {}
                (Some(have), Some(want)) if have == want => spans.push(Span::styled(format!(" {}", glyphs.right), theme.good)),
                (_, Some(want)) => {
                    let want = clean(&want.to_string(), glyphs.ascii).into_owned();
                    spans.push(Span::styled(format!(" {} desired {want}", glyphs.wrong), theme.bad));
                }
            }
        } else if node.kind == NodeKind::List && !entry {
            let keys = node.keys.iter().collect::<Vec<_>>().join(" ");
            spans.push(Span::styled(format!("key {keys}"), theme.dim));
        }
        Line::from(spans)
    }
}

/// Makes the visible nodes anew.
pub fn rebuild(model: &mut Model) {
    let Some(device) = model.selected().cloned() else {
        model.yang.rows.clear();
        model.yang.items.clear();
        return;
    };
    let mut builder = Builder {
        schema: &model.schema,
        opened: &model.yang.opened,
        observed: &device.observed,
        desired: &device.desired,
        theme: &model.theme,
        glyphs: &model.glyphs,
        rows: Vec::new(),
    };
    let items = builder.children(&Path::root(), model.schema.root(), &[]);
    let rows = builder.rows;
    let state = &mut model.yang;
    (state.items, state.rows) = (items, rows);
    let State { rows, list, .. } = state;
    list.settle(rows.len(), |at| rows.get(at).map(|row| row.path.clone()));
}

/// What only this screen understands.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let here = model.yang.list.id.clone();
    match msg {
        Msg::Find => {
            model.yang.finding = true;
            model.overlay = Some(Overlay::prompt(Prompt::Search, ""));
        }
        Msg::NextFound | Msg::PreviousFound => {
            let state = &mut model.yang;
            if state.found.is_empty() {
                model.say(Severity::Info, "nothing was found yet: / finds");
                return Vec::new();
            }
            let last = state.found.len() - 1;
            state.hit = match msg {
                Msg::NextFound if state.hit == last => 0,
                Msg::NextFound => state.hit + 1,
                _ if state.hit == 0 => last,
                _ => state.hit - 1,
            };
            jump(model);
        }
        Msg::Compare => model.yang.compare = !model.yang.compare,
        Msg::Subscribe | Msg::Get => {
            let (Some(device), Some(path)) = (model.device.clone(), here) else { return Vec::new() };
            let (word, command) = match msg {
                Msg::Get => ("Get", Command::Get(Arc::clone(&device), path.clone())),
                _ => ("Subscribe", Command::Subscribe(Arc::clone(&device), path.clone())),
            };
            model.say(Severity::Info, format!("{word} {path} on {device}: 6 shows the answer"));
            return vec![Effect::Send(command)];
        }
    }
    Vec::new()
}

/// Leaves the hits, or the comparison.
pub fn back(model: &mut Model) -> bool {
    std::mem::take(&mut model.yang.finding) || std::mem::take(&mut model.yang.compare)
}

/// What every screen understands.
pub fn act(model: &mut Model, act: Act) -> Vec<Effect> {
    let page = model.page();
    let state = &mut model.yang;
    let here = state.rows.get(state.list.cursor).cloned();
    match act {
        Act::Move(Move::Right) | Act::Enter => {
            let Some(row) = here else { return Vec::new() };
            if !row.branch {
                return Vec::new();
            }
            if state.opened.insert(row.path.clone()) {
                rebuild(model);
            } else if act == Act::Enter {
                state.opened.remove(&row.path);
                rebuild(model);
            } else {
                go(state, Move::Down, page);
            }
        }
        Act::Move(Move::Left) => {
            let Some(row) = here else { return Vec::new() };
            if state.opened.remove(&row.path) {
                rebuild(model);
            } else if let Some(above) = row.ids.len().checked_sub(2).and_then(|depth| row.ids.get(depth)) {
                let found = state.rows.iter().find(|row| row.ids.last() == Some(above)).map(|row| row.path.clone());
                if let Some(path) = found {
                    let State { rows, list, .. } = state;
                    list.select(path, rows.len(), |at| rows.get(at).map(|row| row.path.clone()));
                }
            }
        }
        Act::Move(to) => go(state, to, page),
        Act::Copy => return here.map(|row| Effect::Copy(row.path.to_string())).into_iter().collect(),
        Act::NextPane | Act::PreviousPane => state.compare = !state.compare,
        Act::Stage => {}
    }
    Vec::new()
}

fn go(state: &mut State, to: Move, page: usize) {
    let State { rows, list, .. } = state;
    list.go(to, rows.len(), page, |at| rows.get(at).map(|row| row.path.clone()));
}

/// Opens everything above a path and selects it.
pub fn show(model: &mut Model, path: &Path) {
    let state = &mut model.yang;
    state.finding = false;
    let mut opened = HashSet::new();
    for depth in 1..path.len() {
        let above = path.first(depth);
        if let Some(elem) = above.elems.last().filter(|elem| !elem.keys.is_empty()) {
            // The list stands above its entry.
            opened.insert(path.first(depth - 1).child(elem.name.clone()));
        }
        opened.insert(above);
    }
    if let Some(elem) = path.elems.last().filter(|elem| !elem.keys.is_empty()) {
        opened.insert(path.first(path.len() - 1).child(elem.name.clone()));
    }
    state.opened.extend(opened);
    state.list.id = Some(path.clone());
    rebuild(model);
    let State { rows, list, .. } = &mut model.yang;
    list.select(path.clone(), rows.len(), |at| rows.get(at).map(|row| row.path.clone()));
}

/// Searches while it is typed.
pub fn search(model: &mut Model, text: &str) {
    model.yang.found = model.schema.search(text, MOST_FOUND);
    model.yang.hit = 0;
}

/// The hit before or after, while it is typed.
pub fn travel(model: &mut Model, down: bool) {
    let last = model.yang.found.len().saturating_sub(1);
    model.yang.hit = if down { (model.yang.hit + 1).min(last) } else { model.yang.hit.saturating_sub(1) };
}

/// Goes to what was found.
pub fn search_done(model: &mut Model) {
    model.yang.finding = false;
    if model.yang.found.is_empty() {
        model.say(Severity::Info, "no node has such a name");
    } else {
        jump(model);
    }
}

/// Shows the selected hit, inside the first entry the device has of each list above it.
fn jump(model: &mut Model) {
    let Some(node) = model.yang.found.get(model.yang.hit).copied() else { return };
    let Some(device) = model.selected().cloned() else { return };
    let schema = Arc::clone(&model.schema);
    let mut nodes = Vec::new();
    let mut at = Some(node).filter(|id| *id != schema.root());
    while let Some(id) = at {
        nodes.push(id);
        at = schema.node(id).parent.filter(|id| *id != schema.root());
    }
    let mut path = Path::root();
    for id in nodes.into_iter().rev() {
        let name = schema.node(id).name;
        let entry = if schema.kind(id) == NodeKind::List && id != node {
            entries([&device.observed, &device.desired], &path, name).into_iter().next()
        } else {
            None
        };
        path.elems.push(entry.unwrap_or_else(|| Elem::new(name)));
    }
    show(model, &path);
}

/// Draws the screen.
pub fn view(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let state = &model.yang;
    let name = model.device.clone().unwrap_or_default();
    let wide = area.width >= 100;
    // Low and narrow screens have the tree on top and the details below it.
    let (left, right) = if wide {
        let width = area.width * 3 / 5;
        (Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area })
    } else {
        let height = area.height - 9.min(area.height / 2);
        (Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area })
    };
    let title = if state.finding {
        format!("{} of {} nodes", counted(state.found.len(), "hit"), model.schema.len())
    } else {
        format!("{name} {} {}", draw.glyphs.dot, state.list.id.as_ref().map(ToString::to_string).unwrap_or_default())
    };
    let inner = draw.pane(left, &title, true);
    if state.finding {
        hits(model, draw, inner);
    } else {
        tree(model, draw, inner);
    }
    let node = if state.finding { state.found.get(state.hit).copied() } else { state.rows.get(state.list.cursor).map(|row| row.node) };
    let path = if state.finding { None } else { state.rows.get(state.list.cursor).map(|row| &row.path) };
    let title = if state.compare { "every device" } else { "node" };
    let inner = draw.pane(right, title, false);
    if let (true, Some(path)) = (state.compare, path) {
        compare(model, draw, inner, path);
    } else if let Some(node) = node {
        details(model, draw, inner, node, path);
    }
}

fn tree(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let state = &model.yang;
    if area.width == 0 || area.height == 0 || state.items.is_empty() {
        return;
    }
    let widget_state = &mut draw.scroll.tree;
    widget_state.close_all();
    for row in state.rows.iter().filter(|row| row.branch && state.opened.contains(&row.path)) {
        widget_state.open(row.ids.clone());
    }
    if let Some(row) = state.rows.get(state.list.cursor) {
        widget_state.select(row.ids.clone());
        widget_state.scroll_selected_into_view();
    }
    if let Ok(widget) = TreeWidget::new(&state.items) {
        let widget = widget
            .highlight_style(draw.theme.selected)
            .highlight_symbol(draw.glyphs.marker)
            .node_closed_symbol(draw.glyphs.branch.0)
            .node_open_symbol(draw.glyphs.branch.1)
            .node_no_children_symbol("  ");
        ratatui::widgets::StatefulWidget::render(widget, area, draw.buf, widget_state);
    }
}

fn hits(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    let state = &model.yang;
    for (line, at) in draw.scroll.window("found", state.hit, state.found.len(), area.height).enumerate() {
        let Some(node) = state.found.get(at).map(|id| model.schema.node(*id)) else { continue };
        let y = area.y + u16::try_from(line).unwrap_or(u16::MAX);
        let selected = at == state.hit;
        draw.marker(area.x, y, selected);
        let style = if selected {
            draw.theme.selected
        } else if node.access == Access::NotSupported {
            draw.theme.dim
        } else {
            draw.theme.text
        };
        let note = if node.access == Access::NotSupported { " (not supported)" } else { "" };
        draw.put(area.x + 1, y, area.width.saturating_sub(1), &format!("{}{note}", node.path()), style);
    }
}

fn details(model: &Model, draw: &mut Draw<'_>, area: Rect, node: NodeId, path: Option<&Path>) {
    let theme = draw.theme;
    let node = model.schema.node(node);
    let mut lines: Vec<(String, Style)> = vec![(node.path(), theme.title)];
    let dot = format!(" {} ", draw.glyphs.dot);
    let access = node.access.text();
    let config = if node.config { "config" } else { "state" };
    let style = if node.access == Access::NotSupported { theme.warn } else { theme.text };
    lines.push(([node.kind.keyword(), config, access].join(&dot), style));
    lines.push((format!("module {}", node.module), theme.dim));
    if let Some(text) = node.describe() {
        lines.push((text, theme.text));
    }
    let keys = node.keys.iter().collect::<Vec<_>>().join(" ");
    if !keys.is_empty() {
        lines.push((format!("key {keys}"), theme.text));
    }
    if let Some(default) = node.default {
        lines.push((format!("default {default}"), theme.dim));
    }
    if let Some(units) = node.units {
        lines.push((format!("units {units}"), theme.dim));
    }
    if let (Some(path), Some(device), true) = (path, model.selected(), node.kind.is_leaf()) {
        let observed = match device.observed.get(path) {
            Some(leaf) => {
                let age = draw.rough_age(leaf.received());
                (format!("observed  {}   {age} old", leaf.value), theme.text)
            }
            None => ("observed  -".to_owned(), theme.dim),
        };
        lines.push(observed);
        match device.desired.get(path) {
            Some(leaf) => {
                let same = device.observed.value(path) == Some(&leaf.value);
                lines.push((format!("desired   {}", leaf.value), if same { theme.good } else { theme.bad }));
                if let Some(origin) = device.desired.origin(leaf) {
                    lines.push((format!("from      NetBox {}", origin.object), theme.dim));
                }
            }
            None => lines.push(("desired   -".to_owned(), theme.dim)),
        }
        lines.push((spread(model, path), theme.text));
        if let Some((_, reason)) = device.refused_paths.iter().find(|(refused, _)| refused.covers(path)) {
            lines.push((format!("not streamed: {reason}"), theme.warn));
        }
    }
    let width = usize::from(area.width.saturating_sub(2)).max(1);
    let mut y = area.y;
    for (text, style) in lines {
        // Long paths and types go on in the next line.
        let text = clean(&text, draw.glyphs.ascii).into_owned();
        let chars: Vec<char> = text.chars().collect();
        for part in chars.chunks(width).take(3) {
            if y < area.bottom() {
                draw.put(area.x + 1, y, area.width.saturating_sub(2), &part.iter().collect::<String>(), style);
                y += 1;
            }
        }
    }
}

/// Values at a path with the devices that have them, the most frequent first.
fn values(model: &Model, path: &Path) -> Vec<(Option<String>, Vec<Arc<str>>)> {
    let mut found: BTreeMap<Option<String>, Vec<Arc<str>>> = BTreeMap::new();
    for device in &model.shown.devices {
        found.entry(device.observed.value(path).map(ToString::to_string)).or_default().push(Arc::clone(&device.name));
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(value, devices)| (value.is_none(), std::cmp::Reverse(devices.len())));
    found
}

fn spread(model: &Model, path: &Path) -> String {
    let parts: Vec<String> = values(model, path)
        .into_iter()
        .filter_map(|(value, devices)| {
            let names = if devices.len() <= 2 { format!(" ({})", devices.join(", ")) } else { String::new() };
            Some(format!("{} {}{names}", devices.len(), value?))
        })
        .take(5)
        .collect();
    format!(
        "on {}: {}",
        counted(model.shown.devices.len(), "device"),
        if parts.is_empty() { "nowhere".to_owned() } else { parts.join(" · ") }
    )
}

fn compare(model: &Model, draw: &mut Draw<'_>, area: Rect, path: &Path) {
    let theme = draw.theme;
    let groups = values(model, path);
    let usual = groups.first().and_then(|(value, _)| value.clone());
    draw.put(area.x + 1, area.y, area.width.saturating_sub(2), &path.to_string(), theme.title);
    let lines = groups.iter().flat_map(|(value, devices)| devices.iter().map(move |device| (device, value)));
    for (y, (device, value)) in (area.y + 1..area.bottom()).zip(lines) {
        let name = pad(&clean(device, draw.glyphs.ascii), 14, draw.glyphs.cut);
        let x = draw.put(area.x + 1, y, 14, &name, theme.text);
        let style = if value.is_none() {
            theme.dim
        } else if *value == usual {
            theme.text
        } else {
            theme.changed
        };
        draw.put(x + 1, y, area.right().saturating_sub(x + 2), value.as_deref().unwrap_or("-"), style);
    }
}
