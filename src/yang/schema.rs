//! The loaded schema: finding nodes by path, checking paths, defaults.

use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;

use super::canonical::TypeProblem;
use super::node::{Node, NodeId, NodeKind};
use super::pattern::Pattern;
use super::table::{Base, Broken, Rec, Table, TypeId, TypeRec, kind};
use crate::path::{ANY, ANY_DEPTH, Path};
use crate::value::Value;

/// The table of the release the product is made for.
static EOS_4_35_0F: &[u8] = include_bytes!("eos-4.35.0F.table.gz");

/// What can go wrong around the schema as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are no table: a broken build, or a file that is none.
    #[error("{0}; rebuild the program, or make the table again with `fabric-orch yang compile`")]
    Table(#[from] Broken),
    /// A file of the YANG set cannot be read.
    #[error("{path}: {reason}; `yang compile` wants the folder that holds modules/ and the module list")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// The YANG set cannot be compiled.
    #[error("the YANG set cannot be compiled: {0}")]
    Compile(String),
}

/// Why a path is none of this schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// The path is of an origin the schema does not describe.
    #[error("{path}: origin `{origin}` is not described by the schema")]
    Origin {
        /// The whole path.
        path: String,
        /// Its origin.
        origin: String,
    },
    /// An element names no node.
    #[error("{path}: no node `{name}` below {above}{}", near_text(.near))]
    UnknownNode {
        /// The whole path.
        path: String,
        /// The element's name.
        name: String,
        /// Schema path of the node above.
        above: String,
        /// Names that look like it, best first.
        near: Vec<String>,
    },
    /// A key the list does not have.
    #[error("{path}: {node} has no key `{key}`{}", near_text(.near))]
    UnknownKey {
        /// The whole path.
        path: String,
        /// Schema path of the node.
        node: String,
        /// The key's name.
        key: String,
        /// The keys it has.
        near: Vec<String>,
    },
    /// A list entry without one of its keys.
    #[error("{path}: {node} needs its key `{key}`")]
    MissingKey {
        /// The whole path.
        path: String,
        /// Schema path of the list.
        node: String,
        /// The key's name.
        key: String,
    },
    /// A key value its type does not allow.
    #[error("{path}: key `{key}`: {problem}")]
    BadKeyValue {
        /// The whole path.
        path: String,
        /// The key's name.
        key: String,
        /// What is wrong with it.
        problem: TypeProblem,
    },
}

fn near_text(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(" (near: {})", near.join(", ")) }
}

/// Every node of one release. Load once, share by reference.
#[derive(Debug)]
pub struct Schema {
    table: Table,
    /// Open-addressed: where a node is by its parent and name; `u32::MAX` is free. Of siblings with one name the first.
    index: Vec<u32>,
    /// For each type the first one behind a chain of leafrefs.
    real: Vec<TypeId>,
    /// Compiled when first needed; `None` where the expression is not understood.
    pub(super) patterns: Vec<OnceLock<Option<Pattern>>>,
    pub(super) patterns_skipped: AtomicUsize,
}

impl Schema {
    /// The embedded table of EOS 4.35.0F; takes a few milliseconds.
    ///
    /// # Errors
    /// [`Error::Table`] only if the build is broken.
    pub fn eos() -> Result<Self, Error> {
        Self::from_bytes(EOS_4_35_0F)
    }

    /// A table made by `yang compile`.
    ///
    /// # Errors
    /// [`Error::Table`] if the bytes are none.
    pub fn from_bytes(packed: &[u8]) -> Result<Self, Error> {
        let table = Table::decode(packed)?;
        let mut real: Vec<TypeId> = Vec::with_capacity(table.types.len());
        for (id, rec) in (0..).zip(&table.types) {
            let end = match rec.base {
                Base::Leafref { target, .. } => real.get(target as usize).copied().unwrap_or(target),
                _ => id,
            };
            real.push(end);
        }
        let patterns = table.patterns.iter().map(|_| OnceLock::new()).collect();
        let index = index(&table);
        Ok(Self { table, index, real, patterns, patterns_skipped: AtomicUsize::new(0) })
    }

    /// What the table calls the release: `EOS 4.35.0F`.
    pub fn release(&self) -> &str {
        &self.table.release
    }

    /// `(name, revision)` of every module, sorted by name; the revision may be empty.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.table
            .modules
            .iter()
            .map(|(name, revision)| (self.table.text(*name), self.table.text(*revision)))
            .filter(|(name, _)| !name.is_empty())
    }

    /// How many nodes, the root not counted.
    pub fn len(&self) -> usize {
        self.table.nodes.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root; its children are the top-level containers.
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// A node by its number; a number of another schema gives the root.
    pub fn node(&self, id: NodeId) -> Node<'_> {
        let id = if id.index() < self.table.nodes.len() { id } else { self.root() };
        Node::new(self, id)
    }

    /// The children of a node, sorted by name.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + use<> {
        let rec = self.rec(id);
        (rec.first..rec.first + rec.count).map(NodeId)
    }

    /// All nodes but the root, top-level ones first.
    pub fn all(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..u32::try_from(self.table.nodes.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    /// The node a path leads to; keys are ignored, module prefixes in names tolerated. Allocates nothing.
    pub fn find(&self, path: &Path) -> Option<NodeId> {
        if !describes(path) {
            return None;
        }
        self.walk(self.root(), &mut path.elems.iter().map(|elem| elem.name.as_str()))
    }

    /// The node of a schema path, `/interfaces/interface/config/mtu`.
    pub fn find_schema(&self, schema_path: &str) -> Option<NodeId> {
        self.walk(self.root(), &mut schema_path.split('/').filter(|name| !name.is_empty()))
    }

    /// The child of this name, when there is exactly one: siblings of two modules may share a name, and then only the whole path
    /// tells which is meant.
    pub fn only_child(&self, at: NodeId, name: &str) -> Option<NodeId> {
        let (first, last) = self.twins(at, name);
        (first == last && first != u32::MAX).then_some(NodeId(first))
    }

    /// Follows names; where siblings of two modules share a name, the first that leads to the end.
    fn walk<'n>(&self, from: NodeId, names: &mut (impl Iterator<Item = &'n str> + Clone)) -> Option<NodeId> {
        let mut at = from;
        while let Some(name) = names.next() {
            let (first, last) = self.twins(at, name);
            if first == last {
                at = NodeId(first);
                continue;
            }
            return (first..=last).find_map(|twin| self.walk(NodeId(twin), &mut names.clone()));
        }
        (at.0 != u32::MAX).then_some(at)
    }

    /// First and last child called `name` (with or without module); `u32::MAX` twice if there is none.
    fn twins(&self, at: NodeId, name: &str) -> (u32, u32) {
        const NONE: (u32, u32) = (u32::MAX, u32::MAX);
        let (module, low) = match self.first_child(at, name) {
            Some(low) => (None, low),
            None => match split_module(name) {
                (Some(module), bare) => match self.first_child(at, bare) {
                    Some(low) => (Some(module), low),
                    None => return NONE,
                },
                (None, _) => return NONE,
            },
        };
        let name_of = |id: u32| self.table.nodes.get(id as usize).map(|rec| (rec.parent, rec.name));
        let mut high = low;
        while name_of(high + 1) == name_of(low) {
            high += 1;
        }
        if low < high
            && let Some(module) = module
            && let Some(exact) = (low..=high).find(|id| self.table.module(self.rec(NodeId(*id)).module) == module)
        {
            return (exact, exact);
        }
        (low, high)
    }

    fn first_child(&self, at: NodeId, bare: &str) -> Option<u32> {
        let mask = self.index.len() - 1;
        let mut slot = slot(at.0, bare) & mask;
        loop {
            let id = *self.index.get(slot)?;
            let rec = self.table.nodes.get(id as usize)?; // the free mark is no node
            if rec.parent == at.0 && self.table.bytes(rec.name) == bare.as_bytes() {
                return Some(id);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The child called `name`, with or without its module in front. A module that is not the child's is tolerated.
    pub fn child(&self, at: NodeId, name: &str) -> Option<NodeId> {
        let (first, _) = self.twins(at, name);
        (first != u32::MAX).then_some(NodeId(first))
    }

    /// The child called `name` in exactly `module`.
    pub(super) fn child_in(&self, at: NodeId, module: &str, name: &str) -> Option<NodeId> {
        let (first, last) = self.twins(at, name);
        (first..=last).take_while(|id| *id != u32::MAX).map(NodeId).find(|id| self.table.module(self.rec(*id).module) == module)
    }

    /// Checks every element, key name and key value of a path. Keys may be left out, `*` stands for any key value, `*` and
    /// `...` as names end the check (what lies below cannot be told).
    ///
    /// # Errors
    /// The first [`PathProblem`] from the root down.
    pub fn check_path(&self, path: &Path) -> Result<NodeId, PathProblem> {
        self.check(path, false)
    }

    /// As [`Schema::check_path`], and every list entry must have all its keys, without `*`: what a Set or a leaf needs.
    ///
    /// # Errors
    /// The first [`PathProblem`] from the root down.
    pub fn check_exact(&self, path: &Path) -> Result<NodeId, PathProblem> {
        self.check(path, true)
    }

    fn check(&self, path: &Path, exact: bool) -> Result<NodeId, PathProblem> {
        if !describes(path) {
            let origin = path.origin.clone().unwrap_or_default();
            return Err(PathProblem::Origin { path: path.to_string(), origin });
        }
        let full = self.find(path);
        let mut at = self.root();
        for (index, elem) in path.elems.iter().enumerate() {
            if !exact && (elem.name == ANY || elem.name == ANY_DEPTH) {
                return Ok(at);
            }
            // Along the way to the end where a name has two nodes, else the first.
            let next = full.and_then(|end| self.ancestor(end, path.len() - index - 1)).or_else(|| self.child(at, &elem.name));
            let Some(next) = next else {
                let (_, bare) = split_module(&elem.name);
                let above = self.node(at).path();
                return Err(PathProblem::UnknownNode { path: path.to_string(), name: elem.name.clone(), above, near: self.near(at, bare) });
            };
            at = next;
            let node = self.node(at);
            for (key, value) in &elem.keys {
                if !node.keys.contains(key) {
                    let near = node.keys.iter().map(str::to_owned).collect();
                    return Err(PathProblem::UnknownKey { path: path.to_string(), node: node.path(), key: key.clone(), near });
                }
                if (value != ANY || exact)
                    && let Some(problem) = self.child(at, key).and_then(|leaf| self.check_text(leaf, value).err())
                {
                    return Err(PathProblem::BadKeyValue { path: path.to_string(), key: key.clone(), problem });
                }
            }
            if exact && let Some(key) = node.keys.iter().find(|key| elem.key(key).is_none()) {
                return Err(PathProblem::MissingKey { path: path.to_string(), node: node.path(), key: key.to_owned() });
            }
        }
        Ok(at)
    }

    fn ancestor(&self, of: NodeId, steps: usize) -> Option<NodeId> {
        (0..steps).try_fold(of, |at, _| self.node(at).parent)
    }

    /// Children of `at` whose names look like `name`: at most three, best first.
    fn near(&self, at: NodeId, name: &str) -> Vec<String> {
        let mut scored: Vec<(usize, &str)> = self
            .children(at)
            .map(|id| self.node(id).name)
            .map(|have| (if !name.is_empty() && (have.contains(name) || name.contains(have)) { 1 } else { distance(name, have) }, have))
            .filter(|(far, have)| *far <= 2.max(have.len() / 3))
            .collect();
        scored.sort_unstable();
        scored.dedup();
        scored.into_iter().take(3).map(|(_, have)| have.to_owned()).collect()
    }

    /// The canonical default, if the model gives one.
    pub fn default_of(&self, id: NodeId) -> Option<Value> {
        let text = self.node(id).default?;
        self.canonical_at(id, Value::str(text)).ok()
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn rec(&self, id: NodeId) -> &Rec {
        static NOTHING: Rec =
            Rec { parent: 0, first: 0, count: 0, name: 0, type_id: 0, default: 0, units: 0, keys: 0, module: 0, key_count: 0, flags: 0 };
        self.table.nodes.get(id.index()).unwrap_or(&NOTHING)
    }

    /// What a node is, without making a [`Node`].
    pub fn kind(&self, id: NodeId) -> NodeKind {
        match self.rec(id).flags & 3 {
            kind::LIST => NodeKind::List,
            kind::LEAF => NodeKind::Leaf,
            kind::LEAF_LIST => NodeKind::LeafList,
            _ => NodeKind::Container,
        }
    }

    pub(super) fn type_rec(&self, id: TypeId) -> &TypeRec {
        static NOTHING: TypeRec = TypeRec { name: 0, base: Base::Instance };
        self.table.types.get(id as usize).unwrap_or(&NOTHING)
    }

    /// The type at the end of the leafrefs.
    pub(super) fn resolved(&self, id: TypeId) -> &TypeRec {
        self.type_rec(self.real.get(id as usize).copied().unwrap_or(id))
    }
}

fn slot(parent: u32, name: &str) -> usize {
    use std::hash::Hasher as _;
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write_u32(parent);
    hasher.write(name.as_bytes());
    usize::try_from(hasher.finish() >> 16).unwrap_or(0)
}

/// At most half full, so that a search ends soon.
fn index(table: &Table) -> Vec<u32> {
    let size = (table.nodes.len() * 2).next_power_of_two();
    let mut index = vec![u32::MAX; size];
    let mut before = None;
    for (id, rec) in (0u32..).zip(&table.nodes).skip(1) {
        if before.replace((rec.parent, rec.name)) == Some((rec.parent, rec.name)) {
            continue;
        }
        let mut slot = slot(rec.parent, table.text(rec.name)) & (size - 1);
        while index.get(slot).is_some_and(|taken| *taken != u32::MAX) {
            slot = (slot + 1) & (size - 1);
        }
        if let Some(free) = index.get_mut(slot) {
            *free = id;
        }
    }
    index
}

fn describes(path: &Path) -> bool {
    matches!(path.origin.as_deref(), None | Some("" | "openconfig"))
}

/// `module:name` apart; `name` alone has no module.
pub(super) fn split_module(name: &str) -> (Option<&str>, &str) {
    match name.split_once(':') {
        Some((module, bare)) => (Some(module), bare),
        None => (None, name),
    }
}

/// How many letters must change, come or go.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.bytes().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
