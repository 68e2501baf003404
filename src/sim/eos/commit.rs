//! What a Set does to a configuration: order, merge and replace, schema checks, and the habits of EOS.
//!
//! All or nothing: the operations are done to a copy, and the copy is the new configuration only if none was refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;
use tonic::Code;

use super::cli::{self, Lines};
use super::convert::Payload;
use super::nodes::Nodes;
use super::refusal::Refusal;
use super::store::{Leaves, below, remove_covered};
use crate::path::{Elem, Path};
use crate::value::Value;

/// A configuration: leaves, and the lines no leaf carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// By path.
    pub leaves: Leaves,
    /// Of the command line.
    pub lines: Lines,
}

/// One operation of a Set, in the order the device does them.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Remove what the path covers.
    Delete(Path),
    /// Make the node exactly this.
    Replace(Path, Payload),
    /// Merge this into the node.
    Update(Path, Payload),
    /// Command lines; several in one request share their mode.
    Cli(String),
}

/// Habits that may be switched off, because nobody saw them on every release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// An update of a leaf-list adds members.
    pub leaf_list_adds: bool,
    /// A new Port-Channel whose members come in another Update loses its lag-type.
    pub aggregate_needs_one_update: bool,
    /// Moving an interface to another VRF removes its addresses.
    pub vrf_clears_addresses: bool,
    /// Replacing a container erases command lines in the same block.
    pub replace_erases_lines: bool,
    /// Command-line updates are taken.
    pub cli: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self { leaf_list_adds: true, aggregate_needs_one_update: true, vrf_clears_addresses: true, replace_erases_lines: true, cli: true }
    }
}

/// Does all operations to a copy of `have`. Leaves that `discarded` covers keep their old value without a word.
///
/// # Errors
/// The first [`Refusal`]; nothing is applied then.
pub fn apply(nodes: &Nodes, habits: Habits, have: &Config, ops: &[Op], discarded: &[Path]) -> Result<Config, Refusal> {
    let mut next = have.clone();
    let mut aggregates = Aggregates::default();
    let mut mode = cli::parse::Mode::default();
    for (number, op) in ops.iter().enumerate() {
        let before = habits.vrf_clears_addresses.then(|| membership(&next.leaves));
        let written = match op {
            Op::Delete(path) => {
                delete(nodes, &mut next, path)?;
                Vec::new()
            }
            Op::Replace(path, payload) => replace(nodes, habits, &mut next, path, payload)?,
            Op::Update(path, payload) => update(nodes, habits, &mut next, path, payload)?,
            Op::Cli(_) if !habits.cli => {
                return Err(Refusal::new(Code::InvalidArgument, "update requests with an origin of \"cli\" are not supported"));
            }
            Op::Cli(text) => {
                cli::parse::apply(nodes, &mut next, &mut mode, text)?;
                Vec::new()
            }
        };
        if let (Some(before), false) = (before, matches!(op, Op::Cli(_))) {
            clear_moved(&mut next.leaves, &before, &written);
        }
        aggregates.note(number, &have.leaves, &written);
    }
    if habits.aggregate_needs_one_update {
        aggregates.drop_types(&mut next.leaves);
    }
    for pattern in discarded {
        remove_covered(&mut next.leaves, pattern);
        next.leaves
            .extend(have.leaves.iter().filter(|(path, _)| pattern.covers(path)).map(|(path, value)| (Arc::clone(path), value.clone())));
    }
    Ok(next)
}

fn delete(nodes: &Nodes, config: &mut Config, path: &Path) -> Result<(), Refusal> {
    nodes.check_write(path, false).map_err(|refusal| refusal.on("delete", path))?;
    let gone = remove_covered(&mut config.leaves, path);
    drop_lines(config, path);
    // A port is hardware: without configuration it is still there.
    let ports: BTreeSet<String> = gone
        .iter()
        .filter_map(|path| path.key("interface", "name"))
        .filter(|name| name.starts_with("Ethernet") || name.starts_with("Management"))
        .map(str::to_owned)
        .collect();
    for name in ports {
        let entry = super::emit::interface(&name).child("config");
        if !config.leaves.contains_key(&entry.clone().child("name")) && path.len() <= 2 {
            config.leaves.insert(Arc::new(entry.clone().child("name")), Value::str(&name));
            config.leaves.insert(Arc::new(entry.clone().child("type")), Value::str("ethernetCsmacd"));
            config.leaves.insert(Arc::new(entry.child("enabled")), Value::Bool(true));
        }
    }
    // The leaf that repeats a key lives as long as its entry.
    let keys: Vec<_> = gone
        .iter()
        .filter(|gone| below(&config.leaves, &entry_of(gone)).next().is_some())
        .flat_map(|path| nodes.key_leaves(path))
        .collect();
    for (leaf, value) in keys {
        if below(&config.leaves, &entry_of(&leaf)).next().is_some() {
            config.leaves.entry(Arc::new(leaf)).or_insert(value);
        }
    }
    Ok(())
}

/// The innermost list entry a leaf is in, or the root.
fn entry_of(path: &Path) -> Path {
    let depth = path.elems.iter().rposition(|elem| !elem.keys.is_empty()).map_or(0, |at| at + 1);
    path.first(depth)
}

/// Lines in blocks that stand for what was deleted or replaced.
fn drop_lines(config: &mut Config, path: &Path) {
    let gone = |block: &str| -> bool {
        let stands_for = if let Some(name) = block.strip_prefix("interface ") {
            super::emit::interface(name)
        } else if block.starts_with("router bgp") {
            super::emit::bgp_of("default")
        } else {
            return false;
        };
        path.covers(&stands_for)
    };
    config.lines.drop_blocks(gone);
}

fn replace(nodes: &Nodes, habits: Habits, config: &mut Config, path: &Path, payload: &Payload) -> Result<Vec<Arc<Path>>, Refusal> {
    let leaves = decode(nodes, path, payload).map_err(|refusal| refusal.on("replace", path))?;
    if leaves.is_empty() && path.elems.last().is_some_and(|elem| !elem.keys.is_empty()) {
        return Err(Refusal::new(Code::InvalidArgument, "replace of a list entry needs a value").on("replace", path));
    }
    remove_covered(&mut config.leaves, path);
    if habits.replace_erases_lines {
        drop_lines(config, path);
    }
    Ok(write(nodes, config, leaves, false))
}

fn update(nodes: &Nodes, habits: Habits, config: &mut Config, path: &Path, payload: &Payload) -> Result<Vec<Arc<Path>>, Refusal> {
    let leaves = decode(nodes, path, payload).map_err(|refusal| refusal.on("update", path))?;
    if leaves.is_empty() {
        // An empty entry is made by its keys alone.
        return Ok(write(nodes, config, nodes.key_leaves(path), false));
    }
    Ok(write(nodes, config, leaves, habits.leaf_list_adds))
}

fn decode(nodes: &Nodes, path: &Path, payload: &Payload) -> Result<Vec<(Path, Value)>, Refusal> {
    match payload {
        Payload::Json(json) => nodes.leaves(path, json, None),
        Payload::Scalar(value) => nodes.leaves(path, &Json::Null, Some(value)),
        Payload::Ascii(_) => Err(Refusal::new(Code::InvalidArgument, "ascii_val is only for the origin \"cli\"")),
    }
}

/// Writes leaves with the keys of their entries.
fn write(nodes: &Nodes, config: &mut Config, leaves: Vec<(Path, Value)>, adds: bool) -> Vec<Arc<Path>> {
    let mut written = Vec::with_capacity(leaves.len());
    for (path, value) in leaves {
        for (leaf, value) in nodes.key_leaves(&path) {
            config.leaves.entry(Arc::new(leaf)).or_insert(value);
        }
        let value = match (adds, config.leaves.get(&path).and_then(Value::items), value.items()) {
            (true, Some(have), Some(more)) => Value::list(have.iter().chain(more.iter().filter(|item| !have.contains(item))).cloned()),
            _ => value,
        };
        cli::parse::follow(&mut config.lines, &path, &value);
        let path = Arc::new(path);
        if value.items().is_some_and(<[_]>::is_empty) {
            config.leaves.remove(&path); // a leaf-list without members is none
        } else {
            config.leaves.insert(Arc::clone(&path), value);
        }
        written.push(path);
    }
    written
}

/// Writes JSON at a path, as a command of the command line does; `adds` merges leaf-lists.
///
/// # Errors
/// As a Set of the same.
pub fn put(nodes: &Nodes, config: &mut Config, path: &Path, json: &Json, adds: bool) -> Result<(), Refusal> {
    let leaves = nodes.leaves(path, json, None)?;
    write(nodes, config, leaves, adds);
    Ok(())
}

/// The VRF of each interface that is in one.
fn membership(leaves: &Leaves) -> BTreeMap<String, String> {
    let place = Path::root().child("network-instances");
    let mut found = BTreeMap::new();
    for (path, _) in below(leaves, &place) {
        if let [_, instance, group, interface, ..] = path.elems.as_slice()
            && let ("interfaces", Some(vrf), Some(id)) = (group.name.as_str(), instance.key("name"), interface.key("id"))
            && vrf != "default"
        {
            found.insert(id.to_owned(), vrf.to_owned());
        }
    }
    found
}

/// Removes the addresses of interfaces whose VRF changed, except those written together with the move.
fn clear_moved(leaves: &mut Leaves, before: &BTreeMap<String, String>, written: &[Arc<Path>]) {
    let after = membership(leaves);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).collect();
    for name in names {
        let place = super::emit::interface(name);
        let is_address = |elem: &Elem| matches!(elem.name.as_str(), "addresses" | "arista-varp");
        leaves.retain(|path, _| !(path.starts_with(&place) && path.elems.iter().any(is_address)) || written.contains(path));
        let gateways = Path::root().child("arista").child("varp").child("config").entry("varp-intf-config", [("intf-id", name)]);
        leaves.retain(|path, _| !path.starts_with(&gateways) || written.contains(path));
    }
}

/// Port-Channels made in a Set, and the Updates their members came in.
#[derive(Default)]
struct Aggregates {
    made: BTreeMap<String, usize>,
    members: Vec<(String, usize, Arc<Path>)>,
}

impl Aggregates {
    fn note(&mut self, number: usize, before: &Leaves, written: &[Arc<Path>]) {
        for path in written {
            let Some(name) = path.key("interface", "name") else { continue };
            match path.name() {
                "lag-type" if below(before, &super::emit::interface(name)).next().is_none() => {
                    _ = self.made.insert(name.to_owned(), number)
                }
                "aggregate-id" => self.members.push((name.to_owned(), number, Arc::clone(path))),
                _ => {}
            }
        }
    }

    fn drop_types(&self, leaves: &mut Leaves) {
        for (lag, number) in &self.made {
            let apart = self
                .members
                .iter()
                .any(|(_, other, path)| other != number && leaves.get(path).and_then(Value::as_str) == Some(lag.as_str()));
            if apart {
                leaves.remove(&super::emit::interface(lag).child("aggregation").child("config").child("lag-type"));
            }
        }
    }
}
