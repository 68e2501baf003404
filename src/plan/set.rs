//! The Set of one step: leaf or list-entry updates, never a container replace.
//!
//! EOS can erase command-line-only configuration under a container that is replaced, so nothing above a list entry is ever
//! sent, with one exception it asks for itself: a Port-Channel and its members go in one Update at `/interfaces`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value as Json;

use super::model::{Guard, SetRequest, SetUpdate};
use super::order::rank;
use crate::diff::change::{Change, Kind};
use crate::diff::construct::is_cli;
use crate::path::{ORIGIN_CLI, Path};
use crate::tree::Tree;
use crate::value::Value;
use crate::yang::{Access, NodeKind, Schema};

/// What a Set is made from.
#[derive(Clone, Copy, Debug)]
pub struct SetInput<'a> {
    /// What is sent, in order.
    pub changes: &'a [Change],
    /// Every leaf that differs on the device and is not sent now: it must not slip in with an entry.
    pub held_back: &'a HashSet<Path>,
    /// What intent wants.
    pub desired: &'a Tree,
    /// What the device has.
    pub observed: &'a Tree,
    /// The model.
    pub schema: &'a Schema,
}

struct Builder<'a> {
    input: SetInput<'a>,
    /// Whether the device holds configuration in an entry.
    known: HashMap<Path, bool>,
    out: SetRequest,
    /// Updates with the place of what they carry.
    updates: Vec<(u16, SetUpdate)>,
    /// Changes carried by a bigger update.
    carried: BTreeSet<usize>,
}

/// Makes the Set.
pub fn request(input: SetInput<'_>) -> SetRequest {
    let mut builder = Builder { input, known: HashMap::new(), out: SetRequest::default(), updates: Vec::new(), carried: BTreeSet::new() };
    builder.lags();
    builder.entries();
    builder.leaves();
    builder.addresses_after_moves();
    builder.command_lines();
    builder.updates.sort_by_key(|(place, _)| *place);
    builder.out.update = builder.updates.into_iter().map(|(_, update)| update).collect();
    builder.out
}

impl Builder<'_> {
    fn has(&mut self, entry: &Path) -> bool {
        if let Some(known) = self.known.get(entry) {
            return *known;
        }
        let (observed, schema) = (self.input.observed, self.input.schema);
        let has = observed.paths().with(|mut list| {
            observed.iter().any(|(id, _)| {
                list.get(id.index()).is_some_and(|path| {
                    path.len() > entry.len() && path.starts_with(entry) && schema.find(path).is_some_and(|node| schema.node(node).config)
                })
            })
        });
        self.known.insert(entry.clone(), has);
        has
    }

    /// The outermost entry around `path` that the device has nothing of and that may be sent whole.
    fn new_entry(&mut self, path: &Path) -> Option<Path> {
        let ends: Vec<usize> = path.elems.iter().enumerate().filter(|(_, elem)| !elem.keys.is_empty()).map(|(at, _)| at + 1).collect();
        for end in ends {
            let entry = path.first(end);
            if self.has(&entry) {
                continue;
            }
            // EOS makes some entries itself and reads their keys only: there the leaf is sent.
            let readable_only = self.input.schema.find(&entry).is_some_and(|list| {
                let node = self.input.schema.node(list);
                node.keys.iter().any(|key| {
                    self.input
                        .schema
                        .child(list, key)
                        .is_some_and(|leaf| matches!(self.input.schema.node(leaf).access, Access::Read | Access::NotSupported))
                })
            });
            return (!readable_only).then_some(entry);
        }
        None
    }

    /// Leaves of intent below `above` that are sent with it: all but those held back.
    fn wanted(&self, above: &Path) -> Vec<(Path, Value)> {
        let schema = self.input.schema;
        let writable = |path: &Path| schema.find(path).is_some_and(|id| schema.node(id).writable());
        let rows = self.input.desired.below(above);
        rows.into_iter()
            .filter(|(path, _)| writable(path) && !self.input.held_back.contains(&**path) && !self.is_key_of_held(path))
            .map(|(path, leaf)| ((*path).clone(), leaf.value.clone()))
            .collect()
    }

    /// The key of an entry inside, all of which is held back.
    fn is_key_of_held(&self, path: &Path) -> bool {
        let [.., entry, config, leaf] = path.elems.as_slice() else { return false };
        if config.name != "config" || entry.key(&leaf.name).is_none() {
            return false;
        }
        let entry = path.first(path.len() - 2);
        self.input.held_back.iter().any(|held| held.starts_with(&entry))
            && !self.input.changes.iter().any(|change| change.path.starts_with(&entry))
    }

    /// Port-Channels that are made, change their type or their members: with their members, in one Update at `/interfaces`.
    fn lags(&mut self) {
        let mut lags: BTreeMap<String, bool> = BTreeMap::new();
        let changes = self.input.changes;
        for change in changes.iter().filter(|change| change.kind != Kind::Delete && change.path.origin.is_none()) {
            let Some(name) =
                change.path.key("interface", "name").filter(|_| change.path.elems.first().is_some_and(|top| top.name == "interfaces"))
            else {
                continue;
            };
            match (change.path.name(), &change.desired) {
                ("lag-type", _) => {
                    _ = lags
                        .entry(name.to_owned())
                        .and_modify(|flip| *flip |= change.kind == Kind::Update)
                        .or_insert(change.kind == Kind::Update)
                }
                ("aggregate-id", Some(Value::Str(lag))) => _ = lags.entry(lag.to_string()).or_insert(false),
                _ => {}
            }
        }
        if lags.is_empty() {
            return;
        }
        let root = Path::root().child("interfaces");
        let mut leaves: BTreeMap<Path, Value> = BTreeMap::new();
        let mut wholes = Vec::new();
        for (lag, flips) in &lags {
            let entry = root.clone().entry_of("interface", lag);
            if !self.has(&entry) {
                leaves.extend(self.wanted(&entry));
                wholes.push(entry.clone());
            } else {
                for tail in ["config/name", "config/type", "aggregation/config/lag-type"] {
                    let leaf = tail.split('/').fold(entry.clone(), |path, name| path.child(name));
                    self.take(&leaf, &mut leaves);
                }
            }
            for (path, leaf) in
                self.input.desired.below(&root.clone().child("interface").child("ethernet").child("config").child("aggregate-id"))
            {
                if leaf.value.as_str() != Some(lag.as_str()) || self.input.held_back.contains(&*path) {
                    continue;
                }
                let member = path.first(2);
                leaves.insert((*path).clone(), leaf.value.clone());
                self.take(&member.clone().child("config").child("name"), &mut leaves);
                // The command line refuses to change the mode of a group that has members: they leave and come back in one transaction.
                if *flips && self.input.observed.get(&path).is_some() {
                    self.out.delete.push((*path).clone());
                }
            }
        }
        for (at, change) in changes.iter().enumerate() {
            if change.kind != Kind::Delete
                && (leaves.contains_key(&change.path) || wholes.iter().any(|entry| change.path.starts_with(entry)))
            {
                self.carried.insert(at);
            }
        }
        let rows: Vec<_> = leaves.into_iter().collect();
        let value = self.input.schema.document(&root, &rows);
        self.updates.push((30, SetUpdate { path: root, value }));
    }

    fn take(&self, path: &Path, leaves: &mut BTreeMap<Path, Value>) {
        if let Some(value) = self.input.desired.value(path).filter(|_| !self.input.held_back.contains(path)) {
            leaves.insert(path.clone(), value.clone());
        }
    }

    /// New list entries, whole.
    fn entries(&mut self) {
        let mut groups: BTreeMap<Path, Vec<usize>> = BTreeMap::new();
        let changes = self.input.changes;
        for (at, change) in changes.iter().enumerate() {
            if change.kind != Kind::Create || self.carried.contains(&at) || is_cli(&change.path) {
                continue;
            }
            if let Some(entry) = self.new_entry(&change.path) {
                groups.entry(entry).or_default().push(at);
            }
        }
        for (entry, members) in groups {
            let mut leaves: BTreeMap<Path, Value> = self.wanted(&entry).into_iter().collect();
            for at in &members {
                if let Some((change, value)) = changes.get(*at).and_then(|change| Some((change, change.desired.clone()?))) {
                    leaves.insert(change.path.clone(), value);
                }
            }
            let rows: Vec<_> = leaves.into_iter().collect();
            let place = members.iter().filter_map(|at| changes.get(*at)).map(|change| rank(&change.path)).min().unwrap_or(0);
            let value = self.input.schema.document(&entry, &rows);
            self.updates.push((place, SetUpdate { path: entry, value }));
            self.carried.extend(members);
        }
    }

    /// Everything else, leaf by leaf; leaf-lists by replace, since an update adds without removing.
    fn leaves(&mut self) {
        let schema = self.input.schema;
        for (at, change) in self.input.changes.iter().enumerate() {
            if self.carried.contains(&at) || is_cli(&change.path) {
                continue;
            }
            match (&change.desired, change.kind) {
                (_, Kind::Delete) | (None, _) => self.out.delete.push(change.path.clone()),
                (Some(value), _) => {
                    let update = SetUpdate { path: change.path.clone(), value: schema.json_ietf(&change.path, value) };
                    if schema.find(&change.path).is_some_and(|id| schema.kind(id) == NodeKind::LeafList) {
                        self.out.replace.push(update);
                    } else {
                        self.updates.push((rank(&change.path), update));
                    }
                }
            }
        }
    }

    /// An interface that changes its VRF loses its addresses on EOS: they are sent again behind the move.
    fn addresses_after_moves(&mut self) {
        let members = Path::root().child("network-instances").child("network-instance").child("interfaces").child("interface");
        let moved: BTreeSet<String> = self
            .input
            .changes
            .iter()
            .filter(|change| members.covers(&change.path) && change.path.key("network-instance", "name") != Some("default"))
            .filter_map(|change| {
                let at = change.path.elems.get(3)?;
                at.key("id").map(str::to_owned)
            })
            .collect();
        for name in moved {
            let interface = Path::root().child("interfaces").entry_of("interface", &name);
            if !self.has(&interface) {
                continue; // It goes whole, addresses included.
            }
            let mut entries: BTreeMap<Path, Vec<(Path, Value)>> = BTreeMap::new();
            for (path, value) in self.wanted(&interface) {
                let Some(end) = path.elems.iter().position(|elem| elem.name == "address" && !elem.keys.is_empty()) else { continue };
                entries.entry(path.first(end + 1)).or_default().push((path, value));
            }
            for (entry, rows) in entries {
                if !self.updates.iter().any(|(_, update)| entry.starts_with(&update.path)) {
                    let value = self.input.schema.document(&entry, &rows);
                    self.updates.push((43, SetUpdate { path: entry, value }));
                }
            }
        }
    }

    fn command_lines(&mut self) {
        for (place, first) in [(0, true), (125, false)] {
            let lines = self.input.changes.iter().filter(|change| is_cli(&change.path) && (rank(&change.path) == 0) == first);
            let text = render_lines(lines);
            if !text.is_empty() {
                let path = Path::root().with_origin(ORIGIN_CLI);
                self.updates.push((place, SetUpdate { path, value: Json::String(text) }));
            }
        }
    }
}

/// Command lines as they are typed: a context once, its lines three spaces in.
fn render_lines<'c>(changes: impl Iterator<Item = &'c Change>) -> String {
    let mut contexts: Vec<(&str, Vec<String>)> = Vec::new();
    for change in changes {
        let command = change.path.key("line", "command").unwrap_or_default();
        let context = change.path.key("line", "context").unwrap_or_default();
        let line = match (&change.desired, change.kind) {
            (Some(value), Kind::Create | Kind::Update) => {
                let value = value.to_string();
                if value.is_empty() { command.to_owned() } else { format!("{command} {value}") }
            }
            _ => command.strip_prefix("no ").map_or_else(|| format!("no {command}"), str::to_owned),
        };
        match contexts.iter_mut().find(|(known, _)| *known == context) {
            Some((_, lines)) => lines.push(line),
            None => contexts.push((context, vec![line])),
        }
    }
    let mut text = String::new();
    for (context, lines) in contexts {
        let indent = if context.is_empty() { "" } else { "   " };
        if !context.is_empty() {
            text.push_str(context);
            text.push('\n');
        }
        for line in lines {
            text.push_str(indent);
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// What the device must still hold when the step is sent: the leaves that are touched, entries that go, and that entries which are
/// made are not there.
pub fn guards(changes: &[Change], observed: &Tree, schema: &Schema) -> Vec<Guard> {
    let mut guards: BTreeMap<Path, Option<Value>> = BTreeMap::new();
    for change in changes {
        let is_entry = change.path.elems.last().is_some_and(|elem| !elem.keys.is_empty()) && !is_cli(&change.path);
        if let Some(entry) = &change.new_entry {
            guards.insert(entry.clone(), None);
        } else if is_entry && change.kind == Kind::Delete {
            guards.insert(change.path.clone(), Some(super::check::entry_value(&change.path, observed, schema)));
        } else {
            guards.insert(change.path.clone(), observed.value(&change.path).cloned());
        }
    }
    guards.into_iter().map(|(path, value)| Guard { path, value }).collect()
}

/// Interfaces have one key, and it is everywhere.
trait EntryOf {
    fn entry_of(self, list: &str, name: &str) -> Path;
}

impl EntryOf for Path {
    fn entry_of(self, list: &str, name: &str) -> Path {
        self.entry(list, [("name", name)])
    }
}
