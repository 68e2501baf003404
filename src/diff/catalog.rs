//! What the schema and the rules say about each interned path, looked up once.
//!
//! Comparing two trees meets 5,000 leaves in some 50 µs: there is no time to walk a path. So every [`PathId`] has a row of flags
//! and the number of its list entry, in an array beside the table of paths that all devices of a fabric share.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::construct::is_cli;
use super::ownership::{Owner, Rules};
use crate::path::Path;
use crate::tree::{PathId, Paths, Tree};
use crate::value::Value;
use crate::yang::{NodeKind, Schema};

/// What is known about one path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fact {
    flags: u16,
    /// The innermost list entry it lies in; 0 for none.
    entry: u32,
    /// Number of its default + 1; 0 for none.
    default: u32,
}

/// A list entry, as a number in a [`Catalog`]; 0 is "no entry".
pub type EntryId = u32;

/// A configuration leaf that a Set may write.
pub const CONFIG: u16 = 1;
/// A leaf-list.
pub const LIST: u16 = 1 << 1;
/// A leaf-list whose order says nothing.
pub const SET: u16 = 1 << 2;
/// `config/<key>` of a list entry: implied by the entry itself.
pub const TWIN: u16 = 1 << 3;
/// Never written.
pub const PROTECTED: u16 = 1 << 4;
/// Ours to write.
pub const MANAGED: u16 = 1 << 5;
/// Made by the device itself.
pub const IMPLICIT: u16 = 1 << 6;
/// Sent even at its default: EOS and the model do not agree on it.
pub const EXPLICIT: u16 = 1 << 7;
/// Free text: compared to the letter.
pub const TEXT: u16 = 1 << 8;
/// In an entry whose key the device invents.
pub const INVENTED_KEY: u16 = 1 << 9;
/// Not in the schema.
pub const UNKNOWN: u16 = 1 << 10;

/// Lists whose key EOS invents: `(names, key, the leaf that tells entries apart)`. A static route's next hop is
/// `AUTO_1_172-16-0-254` on the device, whatever index intent would give it.
pub const INVENTED_KEYS: &[(&[&str], &str, &[&str])] =
    &[(&["static-routes", "static", "next-hops", "next-hop"], "index", &["config", "next-hop"])];

/// Leaf-lists where the order does count: policies are tried one after the other.
const ORDERED: &[&str] = &["import-policy", "export-policy"];

#[derive(Debug)]
struct Entry {
    path: Arc<Path>,
    parent: EntryId,
    /// Entries right inside it.
    children: Vec<EntryId>,
    /// Configuration leaves of which it is the innermost entry.
    members: Vec<PathId>,
}

/// Facts by [`PathId`], for one table of paths. [`Catalog::learn`] after paths were added; it costs nothing when none were.
#[derive(Debug)]
pub struct Catalog {
    facts: Vec<Fact>,
    entries: Vec<Entry>,
    ids: FxHashMap<Arc<Path>, EntryId>,
    defaults: Vec<Value>,
    default_of: FxHashMap<usize, u32>,
    rules: Rules,
}

impl Catalog {
    /// Knows nothing yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            facts: Vec::new(),
            entries: vec![Entry { path: Arc::default(), parent: 0, children: Vec::new(), members: Vec::new() }],
            ids: FxHashMap::default(),
            defaults: Vec::new(),
            default_of: FxHashMap::default(),
            rules,
        }
    }

    /// The rules it was made with.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Looks up the paths that came since the last time. Always the same `schema` and `paths`.
    pub fn learn(&mut self, schema: &Schema, paths: &Paths) {
        paths.with(|mut list| {
            while let Some(path) = list.get(self.facts.len()) {
                let fact = self.look_up(schema, path);
                if (fact.is(CONFIG) || fact.is(TWIN))
                    && fact.entry != 0
                    && let Some(entry) = self.entries.get_mut(fact.entry as usize)
                {
                    entry.members.push(PathId::from_index(self.facts.len()));
                }
                self.facts.push(fact);
            }
        });
    }

    /// What is known; nothing for a path that was not learned.
    pub fn fact(&self, id: PathId) -> Fact {
        self.facts.get(id.index()).copied().unwrap_or_default()
    }

    /// The default of a leaf.
    pub fn default(&self, fact: Fact) -> Option<&Value> {
        self.defaults.get(usize::try_from(fact.default.checked_sub(1)?).ok()?)
    }

    /// The entry above an entry; 0 at the top.
    pub fn parent(&self, entry: EntryId) -> EntryId {
        self.entries.get(entry as usize).map_or(0, |row| row.parent)
    }

    /// The entry's path.
    pub fn entry_path(&self, entry: EntryId) -> Option<&Path> {
        self.entries.get(entry as usize).filter(|_| entry != 0).map(|row| &*row.path)
    }

    /// How many entries there are, "no entry" counted.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// From the innermost entry outwards.
    pub fn chain(&self, from: EntryId) -> impl Iterator<Item = EntryId> {
        std::iter::successors((from != 0).then_some(from), |entry| Some(self.parent(*entry)).filter(|above| *above != 0))
    }

    /// Whether `tree` holds configuration in an entry. Ends at the first leaf it finds.
    pub fn holds(&self, tree: &Tree, entry: EntryId) -> bool {
        self.entries.get(entry as usize).is_some_and(|row| {
            row.members.iter().any(|id| tree.get_id(*id).is_some()) || row.children.iter().any(|child| self.holds(tree, *child))
        })
    }

    /// The number of an entry seen before.
    pub fn find_entry(&self, path: &Path) -> Option<EntryId> {
        self.ids.get(path).copied()
    }

    fn look_up(&mut self, schema: &Schema, path: &Path) -> Fact {
        let entry = self.entry_of(path);
        let mut flags = match self.rules.owner(path) {
            Owner::Managed => MANAGED,
            Owner::Protected => PROTECTED,
            Owner::Foreign => 0,
        };
        if self.rules.is_implicit(path) {
            flags |= IMPLICIT;
        }
        if is_cli(path) {
            return Fact { flags: flags | CONFIG | EXPLICIT, entry, default: 0 };
        }
        let Some(id) = schema.find(path) else {
            return Fact { flags: flags | UNKNOWN, entry, default: 0 };
        };
        let node = schema.node(id);
        if !node.kind.is_leaf() {
            return Fact { flags: flags | UNKNOWN, entry, default: 0 };
        }
        flags |= if node.writable() { CONFIG } else { 0 };
        if node.kind == NodeKind::LeafList {
            flags |= LIST | if ORDERED.contains(&node.name) { 0 } else { SET };
        }
        flags |= twin(path) | invented(path) | if is_explicit(path) { EXPLICIT } else { 0 };
        if node.type_name() == Some("string") {
            flags |= TEXT;
        }
        let default = *self.default_of.entry(id.index()).or_insert_with(|| {
            schema.default_of(id).map_or(0, |value| {
                self.defaults.push(value);
                u32::try_from(self.defaults.len()).unwrap_or(0)
            })
        });
        Fact { flags, entry, default }
    }

    fn entry_of(&mut self, path: &Path) -> EntryId {
        let mut above = 0;
        for (depth, elem) in path.elems.iter().enumerate() {
            if elem.keys.is_empty() {
                continue;
            }
            let prefix = Arc::new(path.first(depth + 1));
            above = match self.ids.get(&prefix) {
                Some(known) => *known,
                None => {
                    let id = u32::try_from(self.entries.len()).unwrap_or(0);
                    self.entries.push(Entry { path: Arc::clone(&prefix), parent: above, children: Vec::new(), members: Vec::new() });
                    if let Some(parent) = self.entries.get_mut(above as usize) {
                        parent.children.push(id);
                    }
                    self.ids.insert(prefix, id);
                    id
                }
            };
        }
        above
    }
}

impl Fact {
    /// Whether all of `flags` are set.
    pub fn is(self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    /// The innermost list entry; 0 for none.
    pub fn entry(self) -> EntryId {
        self.entry
    }
}

/// `…/list[key=…]/config/key`
fn twin(path: &Path) -> u16 {
    let [.., entry, config, leaf] = path.elems.as_slice() else { return 0 };
    if config.name == "config" && entry.key(&leaf.name).is_some() { TWIN } else { 0 }
}

/// Ends of leaves whose default in the model is not what EOS does when they are absent: a routed port is made by
/// `ipv4/config/enabled`, and without `ip routing` nothing is routed though the model says true. Always said, never assumed.
const EXPLICIT_LEAVES: &[&[&str]] = &[
    &["ipv4", "config", "enabled"],
    &["ipv6", "config", "enabled"],
    &["network-instance", "config", "ipv4-routing-enabled"],
    &["network-instance", "config", "ipv6-routing-enabled"],
];

/// Whether a leaf is said even at its default.
pub fn is_explicit(path: &Path) -> bool {
    let ends_with = |tail: &&&[&str]| {
        path.elems.len() >= tail.len() && path.elems.iter().rev().zip(tail.iter().rev()).all(|(elem, name)| elem.name == *name)
    };
    EXPLICIT_LEAVES.iter().any(|tail| ends_with(&tail))
}

fn invented(path: &Path) -> u16 {
    if INVENTED_KEYS.iter().any(|(names, _, _)| invented_at(path, names).is_some()) { INVENTED_KEY } else { 0 }
}

/// Where in `path` the entry of such a list ends.
pub fn invented_at(path: &Path, names: &[&str]) -> Option<usize> {
    let ends = (names.len()..=path.elems.len()).rev();
    ends.into_iter().find(|end| {
        path.elems.get(end - names.len()..*end).is_some_and(|part| part.iter().zip(names).all(|(elem, name)| elem.name == *name))
    })
}
