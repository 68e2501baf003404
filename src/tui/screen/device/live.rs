//! The live tabs of the Device screen: interfaces with rates, BGP sessions, VNIs, MLAG, read from the observed tree. Rows are
//! made when the tree moved, not when a frame is drawn.

use std::collections::BTreeMap;
use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Tab;
use crate::engine::snapshot::{DeviceView, Rate};
use crate::path::Path;
use crate::tree::Tree;
use crate::tui::draw::{Draw, pad};
use crate::tui::filter::Filter;
use crate::tui::list::{List, Move};
use crate::tui::screen::facts;
use crate::tui::theme::Theme;
use crate::tui::widget::spark::{rate, spark};
use crate::value::Value;

/// One row: its name, its cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveRow {
    /// What is selected by.
    pub name: String,
    /// One a column.
    pub cells: Vec<String>,
}

/// The rows of a tab.
#[derive(Default)]
pub struct State {
    /// Rows.
    pub rows: Vec<LiveRow>,
    /// The selected row.
    pub list: List<String>,
    tab: Tab,
    made_of: Option<(Arc<Tree>, String)>,
}

const INTERFACES: &[(&str, u16)] = &[("INTERFACE", 16), ("ADMIN", 6), ("STATE", 14), ("MTU", 6), ("DESCRIPTION", 24), ("ERRORS", 7)];
const SESSIONS: &[(&str, u16)] = &[("VRF", 10), ("NEIGHBOR", 18), ("AS", 7), ("STATE", 12), ("FAMILIES", 40), ("GROUP", 14)];
const LEAVES: &[(&str, u16)] = &[("WHAT", 50), ("VALUE", 60)];

fn columns(tab: Tab) -> &'static [(&'static str, u16)] {
    match tab {
        Tab::Diff | Tab::Interfaces => INTERFACES,
        Tab::Bgp | Tab::Evpn => SESSIONS,
        Tab::Mlag => LEAVES,
    }
}

/// Makes the rows anew when the tree or the filter is another one.
pub fn rebuild(state: &mut State, tab: Tab, device: &DeviceView, filter: &Filter) {
    let fresh =
        state.tab == tab && state.made_of.as_ref().is_some_and(|(tree, text)| Arc::ptr_eq(tree, &device.observed) && *text == filter.text);
    if fresh {
        return;
    }
    state.tab = tab;
    state.made_of = Some((Arc::clone(&device.observed), filter.text.clone()));
    let mut rows = match tab {
        Tab::Diff | Tab::Interfaces => interfaces(&device.observed),
        Tab::Bgp => sessions(&device.observed, None),
        Tab::Evpn => {
            let mut rows = sessions(&device.observed, Some("L2VPN_EVPN"));
            rows.extend(vnis(&device.observed));
            rows
        }
        Tab::Mlag => mlag(device),
    };
    rows.retain(|row| filter.is_empty() || filter.shows(&row.cells.join(" ")));
    state.rows = rows;
    let State { rows, list, .. } = state;
    list.settle(rows.len(), |at| rows.get(at).map(|row| row.name.clone()));
}

impl State {
    /// Moves the cursor.
    pub fn go(&mut self, to: Move, page: usize) {
        let rows = &self.rows;
        self.list.go(to, rows.len(), page, |at| rows.get(at).map(|row| row.name.clone()));
    }

    /// The selected row as text.
    pub fn copy(&self) -> Option<String> {
        Some(self.rows.get(self.list.cursor)?.cells.join("  ").trim_end().to_owned())
    }
}

/// Leaves grouped by a key, each under its schema tail.
fn gather(tree: &Tree, key_of: impl Fn(&Path) -> Option<(String, String)>) -> BTreeMap<String, BTreeMap<String, Value>> {
    let mut out: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    tree.paths().with(|mut paths| {
        for (id, leaf) in tree.iter() {
            if let Some((key, tail)) = paths.get(id.index()).and_then(&key_of) {
                out.entry(key).or_default().insert(tail, leaf.value.clone());
            }
        }
    });
    out
}

fn tail(path: &Path, from: usize) -> String {
    path.elems.iter().skip(from).map(|elem| elem.name.as_str()).collect::<Vec<_>>().join("/")
}

/// Names with numbers in them in the order people expect: Ethernet2 before Ethernet10.
pub fn natural(text: &str) -> Vec<(String, u64)> {
    let mut out: Vec<(String, u64)> = vec![(String::new(), 0)];
    let mut digits = false;
    for c in text.chars() {
        if digits && !c.is_ascii_digit() {
            out.push((String::new(), 0));
        }
        digits = c.is_ascii_digit();
        if let Some((word, number)) = out.last_mut() {
            match c.to_digit(10) {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(u64::from(digit)),
                None => word.push(c),
            }
        }
    }
    out
}

fn interfaces(tree: &Tree) -> Vec<LiveRow> {
    let found = gather(tree, |path| {
        let name = path.key("interface", "name").filter(|_| path.elems.first().is_some_and(|elem| elem.name == "interfaces"))?;
        let tail = tail(path, 2);
        matches!(
            tail.as_str(),
            "state/admin-status"
                | "state/oper-status"
                | "state/mtu"
                | "state/description"
                | "config/description"
                | "config/mtu"
                | "state/counters/in-errors"
                | "state/counters/out-errors"
        )
        .then(|| (name.to_owned(), tail))
    });
    let mut rows: Vec<LiveRow> = found
        .into_iter()
        .map(|(name, leaves)| {
            // An MTU of 0 in the state means that the device does not say.
            let text = |tails: &[&str]| tails.iter().find_map(|tail| leaves.get(*tail)).map(ToString::to_string).unwrap_or_default();
            let errors: u64 =
                ["state/counters/in-errors", "state/counters/out-errors"].iter().filter_map(|tail| leaves.get(*tail)?.as_u64()).sum();
            let cells = vec![
                name.clone(),
                text(&["state/admin-status"]).to_lowercase(),
                text(&["state/oper-status"]).to_lowercase(),
                Some(text(&["state/mtu"])).filter(|mtu| mtu != "0" && !mtu.is_empty()).unwrap_or_else(|| text(&["config/mtu"])),
                text(&["state/description", "config/description"]),
                errors.to_string(),
            ];
            LiveRow { name, cells }
        })
        .collect();
    rows.sort_by_cached_key(|row| natural(&row.name));
    rows
}

fn sessions(tree: &Tree, family: Option<&str>) -> Vec<LiveRow> {
    let found = gather(tree, |path| {
        let neighbor = path.key("neighbor", "neighbor-address").filter(|_| path.elems.iter().any(|elem| elem.name == "bgp"))?;
        let vrf = path.key("network-instance", "name").unwrap_or("default");
        let at = path.elems.iter().position(|elem| elem.name == "neighbor")?;
        let tail = match path.key("afi-safi", "afi-safi-name") {
            Some(name) => format!("{name}/{}", tail(path, at + 3)),
            None => tail(path, at + 1),
        };
        Some((format!("{vrf} {neighbor}"), tail))
    });
    found
        .into_iter()
        .filter_map(|(name, leaves)| {
            let text = |tail: &str| leaves.get(tail).map(ToString::to_string);
            let state = text("state/session-state")?;
            let families: Vec<String> = leaves
                .iter()
                .filter_map(|(tail, value)| {
                    let family = tail.strip_suffix("/state/active").filter(|_| value.as_bool() == Some(true))?;
                    let received =
                        leaves.get(&format!("{family}/state/prefixes/received")).map(|value| format!(" {value}")).unwrap_or_default();
                    Some(format!("{family}{received}"))
                })
                .collect();
            let has = |wanted: &str| leaves.keys().any(|tail| tail.starts_with(wanted));
            if family.is_some_and(|family| !has(family)) {
                return None;
            }
            let (vrf, neighbor) = name.split_once(' ')?;
            let cells = vec![
                vrf.to_owned(),
                neighbor.to_owned(),
                text("state/peer-as").or_else(|| text("config/peer-as")).unwrap_or_default(),
                state.to_lowercase(),
                families.join(", "),
                text("state/peer-group").or_else(|| text("config/peer-group")).unwrap_or_default(),
            ];
            Some(LiveRow { name, cells })
        })
        .collect()
}

fn vnis(tree: &Tree) -> Vec<LiveRow> {
    let mut rows: Vec<LiveRow> = gather(tree, |path| {
        let list = path.elems.iter().find(|elem| matches!(elem.name.as_str(), "vlan-to-vni" | "vrf-to-vni"))?;
        let (kind, key) = (if list.name == "vlan-to-vni" { "VLAN" } else { "VRF" }, list.keys.first()?.1.clone());
        (path.name() == "vni").then(|| (format!("{kind} {key}"), "vni".to_owned()))
    })
    .into_iter()
    .map(|(name, leaves)| {
        let vni = leaves.get("vni").map(ToString::to_string).unwrap_or_default();
        LiveRow { cells: vec!["vxlan".to_owned(), name.clone(), String::new(), format!("VNI {vni}")], name }
    })
    .collect();
    rows.sort_by_cached_key(|row| natural(&row.name));
    rows
}

fn mlag(device: &DeviceView) -> Vec<LiveRow> {
    let plain = |name: &str, value: Option<String>| LiveRow {
        name: name.to_owned(),
        cells: vec![name.to_owned(), value.unwrap_or_else(|| "-".to_owned())],
    };
    let mut rows = vec![
        plain("state", device.health.mlag.clone()),
        plain("pair", device.pair.as_ref().map(ToString::to_string)),
        plain("shared VTEP", device.vtep.clone()),
    ];
    rows.extend(device.observed.paths().with(|mut paths| {
        device
            .observed
            .iter()
            .filter_map(|(id, leaf)| {
                let path = paths.get(id.index()).filter(|path| path.elems.iter().any(|elem| elem.name == "mlag"))?;
                Some(LiveRow { name: path.to_string(), cells: vec![path.to_string(), leaf.value.to_string()] })
            })
            .collect::<Vec<_>>()
    }));
    rows
}

fn cell_style(title: &str, text: &str, theme: &Theme) -> Style {
    match (title, text) {
        ("STATE", "up" | "established") => theme.good,
        ("STATE", "") | ("ERRORS", "0") => theme.dim,
        ("STATE", text) if text.starts_with("VNI") => theme.text,
        ("STATE" | "ERRORS", _) => theme.bad,
        ("ADMIN", "down") => theme.warn,
        ("DESCRIPTION" | "FAMILIES" | "GROUP", _) => theme.dim,
        _ => theme.text,
    }
}

/// Draws a tab.
pub fn view(state: &State, draw: &mut Draw<'_>, area: Rect, device: &DeviceView) {
    let columns = columns(state.tab);
    let mut x = area.x + 1;
    for (title, width) in columns {
        if x < area.right() {
            draw.put(x, area.y, area.right() - x, title, draw.theme.title);
        }
        x += width + 1;
    }
    let rates_at = x;
    let with_rates = state.tab == Tab::Interfaces && rates_at + 20 < area.right();
    if with_rates {
        draw.put(rates_at, area.y, area.right() - rates_at, "IN / OUT", draw.theme.title);
    }
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if state.rows.is_empty() {
        draw.put(body.x + 1, body.y, body.width, "Nothing of this was reported by the device", draw.theme.dim);
    }
    for (line, at) in draw.scroll.window("live", state.list.cursor, state.rows.len(), body.height).enumerate() {
        let Some(row) = state.rows.get(at) else { continue };
        let y = body.y + u16::try_from(line).unwrap_or(u16::MAX);
        let selected = at == state.list.cursor;
        draw.marker(body.x, y, selected);
        let mut x = body.x + 1;
        for (index, ((title, width), text)) in columns.iter().zip(&row.cells).enumerate() {
            if x >= area.right() {
                break;
            }
            let style = if index == 0 && selected { draw.theme.selected } else { cell_style(title, text, draw.theme) };
            let room = (*width).min(area.right() - x);
            if index == 0 {
                let name = crate::tui::clean::clean(text, draw.glyphs.ascii).into_owned();
                draw.put(x, y, room, &pad(&name, usize::from(room), draw.glyphs.cut), style);
            } else {
                draw.put(x, y, room, text, style);
            }
            x += width + 1;
        }
        if let Some(rates) = device.rates.get(&row.name).filter(|_| with_rates) {
            rates_line(draw, rates_at, y, area.right(), rates);
        }
    }
}

fn rates_line(draw: &mut Draw<'_>, x: u16, y: u16, right: u16, rates: &Rate) {
    let bars = usize::from(right.saturating_sub(x + 24) / 2).clamp(4, 16);
    let last = |samples: &[f64]| pad(&rate(samples.last().copied().unwrap_or(0.0)), 6, "");
    let text = format!(
        "in {} {}  out {} {}",
        last(&rates.in_bps),
        spark(&rates.in_bps, bars, &draw.glyphs.spark),
        last(&rates.out_bps),
        spark(&rates.out_bps, bars, &draw.glyphs.spark)
    );
    draw.put(x, y, right.saturating_sub(x), &text, draw.theme.text);
}

/// Draws the interfaces nearest to the selected entry: itself first, then the ones with traffic.
pub fn view_related(state: &State, draw: &mut Draw<'_>, area: Rect, device: &DeviceView, entry: Option<&str>) {
    let first = state.rows.iter().find(|row| Some(row.name.as_str()) == entry);
    let others = state.rows.iter().filter(|row| Some(row.name.as_str()) != entry && device.rates.contains_key(&row.name));
    let quiet = state.rows.iter().filter(|row| Some(row.name.as_str()) != entry && !device.rates.contains_key(&row.name));
    let mut y = area.y;
    for row in first.into_iter().chain(others).chain(quiet).take(usize::from(area.height)) {
        let cell = |at: usize| row.cells.get(at).map(String::as_str).unwrap_or_default();
        let name = crate::tui::clean::clean(&row.name, draw.glyphs.ascii).into_owned();
        let x = draw.put(area.x + 1, y, 16, &pad(&name, 16, draw.glyphs.cut), draw.theme.text);
        let x = draw.put(x + 1, y, 12, &pad(cell(2), 6, draw.glyphs.cut), cell_style("STATE", cell(2), draw.theme));
        let x = draw.put(x + 1, y, 6, &pad(cell(3), 6, draw.glyphs.cut), draw.theme.text);
        match device.rates.get(&row.name) {
            Some(rates) => rates_line(draw, x + 1, y, area.right(), rates),
            None => {
                draw.put(x + 1, y, area.right().saturating_sub(x + 1), cell(4), draw.theme.dim);
            }
        }
        y += 1;
    }
    for problem in device.health.problems.iter().take(usize::from(area.bottom().saturating_sub(y))) {
        draw.put(area.x + 1, y, area.width, &format!("{} {problem}", draw.glyphs.wrong), facts_bad(draw.theme, device));
        y += 1;
    }
}

fn facts_bad(theme: &Theme, device: &DeviceView) -> Style {
    if facts::well(&device.health) { theme.text } else { theme.bad }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count() {
        let mut names = vec!["Ethernet10", "Ethernet2", "Loopback0", "Ethernet1/1", "Ethernet1"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["Ethernet1", "Ethernet1/1", "Ethernet2", "Ethernet10", "Loopback0"]);
    }
}
