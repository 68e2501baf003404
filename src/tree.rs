//! A tree of leaves: one structure for Desired, Observed and Applied.
//!
//! Paths are interned in a [`Paths`] table that all trees of a fabric share, so that comparing two trees compares numbers.
//! Leaves are kept sorted by that number in chunks which snapshots share: cloning a tree copies pointers, and writing after
//! a clone copies only the chunk written to. Every leaf knows where it came from and when it was received by our clock,
//! which is the only clock freshness is judged by (devices stamp first values with the time of their last change).

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::path::Path;
use crate::value::Value;

/// A path's number in a [`Paths`] table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(u32);

impl PathId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The number of the path at `index` of the slice [`Paths::with`] shows.
    pub(crate) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// The interned paths of one fabric. Only grows: 10 devices hold about 30,000 paths, one device some 3,000.
#[derive(Debug, Default)]
pub struct Paths {
    inner: RwLock<Interned>,
}

#[derive(Debug, Default)]
struct Interned {
    ids: FxHashMap<Arc<Path>, PathId>,
    paths: Vec<Arc<Path>>,
}

impl Paths {
    /// An empty table.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The number of `path`, given now if it has none.
    pub fn intern(&self, path: &Path) -> PathId {
        if let Some(id) = self.find(path) {
            return id;
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = inner.ids.get(path) {
            return *id;
        }
        let id = PathId(u32::try_from(inner.paths.len()).unwrap_or(u32::MAX));
        let path = Arc::new(path.clone());
        inner.paths.push(Arc::clone(&path));
        inner.ids.insert(path, id);
        id
    }

    /// The number of `path` if it has one.
    pub fn find(&self, path: &Path) -> Option<PathId> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).ids.get(path).copied()
    }

    /// The path of a number that this table gave.
    pub fn get(&self, id: PathId) -> Arc<Path> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).paths.get(id.index()).cloned().unwrap_or_default()
    }

    /// Many at once under one lock: `visit` gets each id's path.
    pub fn with<R>(&self, visit: impl FnOnce(&[Arc<Path>]) -> R) -> R {
        visit(&self.inner.read().unwrap_or_else(PoisonError::into_inner).paths)
    }

    /// How many paths.
    pub fn len(&self) -> usize {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).paths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Who says so: the object of the source of intent a desired leaf was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// In words: `interface leaf1 Ethernet11 #412`.
    pub object: String,
    /// Where a person sees it: the NetBox page. Empty when there is none.
    pub url: String,
    /// Who changed the object last, if known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// When it was changed last, RFC 3339, if known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<String>,
}

/// One leaf.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What it holds.
    pub value: Value,
    /// When we received it, milliseconds since the Unix epoch by our clock; 0 for leaves that were made, not received.
    pub received: u64,
    /// The sweep this leaf was last seen in; see [`Tree::begin_sweep`].
    pub generation: u32,
    /// Index into the tree's origins + 1; 0 is none.
    source: u32,
}

/// Leaves of one chunk are split in two when there are more.
const CHUNK: usize = 256;

#[derive(Clone, Debug, Default)]
struct Chunk {
    leaves: Vec<(PathId, Leaf)>,
}

/// What [`Tree::set`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The leaf is new.
    Added,
    /// It had another value.
    Changed,
    /// It had this value already; only its time moved.
    Same,
}

/// Sorted leaves over a shared table of paths.
#[derive(Clone, Debug)]
pub struct Tree {
    paths: Arc<Paths>,
    chunks: Vec<Arc<Chunk>>,
    origins: Vec<Arc<Origin>>,
    len: usize,
    version: u64,
    generation: u32,
}

impl Tree {
    /// An empty tree over `paths`.
    pub fn new(paths: Arc<Paths>) -> Self {
        Self { paths, chunks: Vec::new(), origins: Vec::new(), len: 0, version: 0, generation: 0 }
    }

    /// The table its paths are interned in.
    pub fn paths(&self) -> &Arc<Paths> {
        &self.paths
    }

    /// How many leaves.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Moves with every change of a value, not with times.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Sets a leaf received at `received` (ms since the epoch; 0 = made here).
    pub fn set(&mut self, path: &Path, value: Value, received: u64) -> Written {
        let id = self.paths.intern(path);
        self.set_id(id, value, received, 0)
    }

    /// Sets a desired leaf and says which object it came from.
    pub fn set_from(&mut self, path: &Path, value: Value, origin: &Arc<Origin>) -> Written {
        let source = self.source(origin);
        let id = self.paths.intern(path);
        self.set_id(id, value, 0, source)
    }

    /// Sets a leaf whose path is interned already.
    pub fn set_interned(&mut self, id: PathId, value: Value, received: u64) -> Written {
        self.set_id(id, value, received, 0)
    }

    fn source(&mut self, origin: &Arc<Origin>) -> u32 {
        // Leaves of one object are set one after the other, so the last origins are the likely ones.
        let known = self.origins.iter().rposition(|have| Arc::ptr_eq(have, origin) || have == origin);
        let index = known.unwrap_or_else(|| {
            self.origins.push(Arc::clone(origin));
            self.origins.len() - 1
        });
        u32::try_from(index + 1).unwrap_or(0)
    }

    fn set_id(&mut self, id: PathId, value: Value, received: u64, source: u32) -> Written {
        let generation = self.generation;
        let leaf = Leaf { value, received, generation, source };
        let Some(at) = self.chunk_of(id) else {
            self.chunks.push(Arc::new(Chunk { leaves: vec![(id, leaf)] }));
            return self.added();
        };
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        match chunk.leaves.binary_search_by_key(&id, |(have, _)| *have) {
            Ok(index) => {
                let old = &mut chunk.leaves[index].1;
                let same = old.value == leaf.value;
                *old = leaf;
                if same {
                    return Written::Same;
                }
                self.version += 1;
                Written::Changed
            }
            Err(index) => {
                chunk.leaves.insert(index, (id, leaf));
                if chunk.leaves.len() > CHUNK {
                    // Appending is the common way to grow (first sync), so the right half starts small.
                    let cut = if index == CHUNK { CHUNK } else { CHUNK / 2 };
                    let right = chunk.leaves.split_off(cut);
                    self.chunks.insert(at + 1, Arc::new(Chunk { leaves: right }));
                }
                self.added()
            }
        }
    }

    fn added(&mut self) -> Written {
        self.len += 1;
        self.version += 1;
        Written::Added
    }

    /// The chunk that holds `id` or would: the last one starting at or before it.
    fn chunk_of(&self, id: PathId) -> Option<usize> {
        if self.chunks.is_empty() {
            return None;
        }
        let after = self.chunks.partition_point(|chunk| chunk.leaves.first().is_some_and(|(first, _)| *first <= id));
        Some(after.saturating_sub(1))
    }

    /// One leaf.
    pub fn get(&self, path: &Path) -> Option<&Leaf> {
        self.get_id(self.paths.find(path)?)
    }

    /// One leaf by number.
    pub fn get_id(&self, id: PathId) -> Option<&Leaf> {
        let chunk = self.chunks.get(self.chunk_of(id)?)?;
        let index = chunk.leaves.binary_search_by_key(&id, |(have, _)| *have).ok()?;
        Some(&chunk.leaves[index].1)
    }

    /// One leaf's value.
    pub fn value(&self, path: &Path) -> Option<&Value> {
        self.get(path).map(|leaf| &leaf.value)
    }

    /// The object a leaf came from.
    pub fn origin(&self, leaf: &Leaf) -> Option<&Arc<Origin>> {
        self.origins.get(usize::try_from(leaf.source.checked_sub(1)?).ok()?)
    }

    /// Removes one leaf.
    pub fn remove(&mut self, path: &Path) -> Option<Leaf> {
        let id = self.paths.find(path)?;
        self.get_id(id)?;
        let at = self.chunk_of(id)?;
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        let index = chunk.leaves.binary_search_by_key(&id, |(have, _)| *have).ok()?;
        let (_, leaf) = chunk.leaves.remove(index);
        if chunk.leaves.is_empty() {
            self.chunks.remove(at);
        }
        self.len -= 1;
        self.version += 1;
        Some(leaf)
    }

    /// Removes everything `pattern` covers (itself, and all below it); says how many leaves went.
    pub fn delete(&mut self, pattern: &Path) -> usize {
        let paths = Arc::clone(&self.paths);
        paths.with(|list| self.retain(|id, _| !list.get(id.index()).is_some_and(|path| pattern.covers(path))))
    }

    /// Keeps only leaves that `keep` wants; says how many went.
    pub fn retain(&mut self, mut keep: impl FnMut(PathId, &Leaf) -> bool) -> usize {
        let before = self.len;
        for chunk in &mut self.chunks {
            if chunk.leaves.iter().any(|(id, leaf)| !keep(*id, leaf)) {
                Arc::make_mut(chunk).leaves.retain(|(id, leaf)| keep(*id, leaf));
            }
        }
        self.chunks.retain(|chunk| !chunk.leaves.is_empty());
        self.len = self.chunks.iter().map(|chunk| chunk.leaves.len()).sum();
        let gone = before - self.len;
        if gone > 0 {
            self.version += 1;
        }
        gone
    }

    /// Starts a mark-and-sweep: leaves set from now on are marked, [`Tree::sweep`] removes the others. Until then nothing is
    /// missing, so a resync never shows a hole.
    pub fn begin_sweep(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Removes what was not set since [`Tree::begin_sweep`] and `within` wants gone; says how many leaves went.
    pub fn sweep(&mut self, within: impl Fn(&Path) -> bool) -> usize {
        let (paths, generation) = (Arc::clone(&self.paths), self.generation);
        paths.with(|list| self.retain(|id, leaf| leaf.generation == generation || !list.get(id.index()).is_some_and(|path| within(path))))
    }

    /// All leaves, by path number.
    pub fn iter(&self) -> impl Iterator<Item = (PathId, &Leaf)> {
        self.chunks.iter().flat_map(|chunk| chunk.leaves.iter().map(|(id, leaf)| (*id, leaf)))
    }

    /// All leaves with their paths, sorted by path: for people and for documents.
    pub fn sorted(&self) -> Vec<(Arc<Path>, &Leaf)> {
        let mut rows: Vec<_> =
            self.paths.with(|list| self.iter().filter_map(|(id, leaf)| Some((Arc::clone(list.get(id.index())?), leaf))).collect());
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }

    /// The leaves that `pattern` covers, sorted by path.
    pub fn below(&self, pattern: &Path) -> Vec<(Arc<Path>, &Leaf)> {
        let mut rows: Vec<_> = self.paths.with(|list| {
            self.iter()
                .filter_map(|(id, leaf)| list.get(id.index()).filter(|path| pattern.covers(path)).map(|path| (Arc::clone(path), leaf)))
                .collect()
        });
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }

    /// Walks both trees at once in path order: for each path that either holds, `visit(id, ours, theirs)`. Chunks the two
    /// trees share (snapshots of one tree) are skipped, which makes comparing two snapshots cost what moved between them.
    ///
    /// Both trees must be over the same [`Paths`].
    pub fn merge<'a>(&'a self, other: &'a Self, mut visit: impl FnMut(PathId, Option<&'a Leaf>, Option<&'a Leaf>)) {
        let (mut ours, mut theirs) = (Cursor::new(&self.chunks), Cursor::new(&other.chunks));
        loop {
            if ours.skip_shared(&mut theirs) {
                continue;
            }
            match (ours.peek(), theirs.peek()) {
                (None, None) => return,
                (Some((id, leaf)), None) => {
                    visit(*id, Some(leaf), None);
                    ours.step();
                }
                (None, Some((id, leaf))) => {
                    visit(*id, None, Some(leaf));
                    theirs.step();
                }
                (Some((a, left)), Some((b, right))) => {
                    let (take_left, take_right) = (a <= b, b <= a);
                    visit(*a.min(b), take_left.then_some(left), take_right.then_some(right));
                    if take_left {
                        ours.step();
                    }
                    if take_right {
                        theirs.step();
                    }
                }
            }
        }
    }

    /// Bytes of heap the leaves take, texts not counted: what the memory bench prints.
    pub fn heap_bytes(&self) -> usize {
        let per_leaf = size_of::<(PathId, Leaf)>();
        self.chunks.iter().map(|chunk| size_of::<Chunk>() + 16 + chunk.leaves.capacity() * per_leaf).sum::<usize>()
            + self.chunks.capacity() * size_of::<usize>()
    }
}

/// Equal when they hold the same values at the same paths, whatever their times and origins.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        if !Arc::ptr_eq(&self.paths, &other.paths) {
            let plain = |tree: &Self| tree.sorted().into_iter().map(|(path, leaf)| (path, leaf.value.clone())).collect::<Vec<_>>();
            return self.len == other.len && plain(self) == plain(other);
        }
        let mut equal = self.len == other.len;
        self.merge(other, |_, a, b| equal = equal && a.map(|leaf| &leaf.value) == b.map(|leaf| &leaf.value));
        equal
    }
}

/// A place in a row of chunks.
struct Cursor<'a> {
    chunks: &'a [Arc<Chunk>],
    left: Range<usize>,
}

impl<'a> Cursor<'a> {
    fn new(chunks: &'a [Arc<Chunk>]) -> Self {
        let left = 0..chunks.first().map_or(0, |chunk| chunk.leaves.len());
        Self { chunks, left }
    }

    fn peek(&self) -> Option<&'a (PathId, Leaf)> {
        self.chunks.first()?.leaves.get(self.left.start)
    }

    fn step(&mut self) {
        self.left.start += 1;
        if self.left.is_empty() {
            self.chunks = self.chunks.get(1..).unwrap_or_default();
            *self = Self::new(self.chunks);
        }
    }

    /// Jumps over the chunk at hand if both sides stand at the start of the very same one.
    fn skip_shared(&mut self, other: &mut Self) -> bool {
        let (Some(a), Some(b)) = (self.chunks.first(), other.chunks.first()) else { return false };
        if self.left.start != 0 || other.left.start != 0 || !Arc::ptr_eq(a, b) {
            return false;
        }
        *self = Self::new(&self.chunks[1..]);
        *other = Self::new(&other.chunks[1..]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn path(n: u16) -> Path {
        Path::root().entry("list", [("id", (n / 4).to_string())]).child(format!("leaf{}", n % 4))
    }

    #[test]
    fn a_clone_is_a_snapshot() {
        let mut tree = Tree::new(Paths::new());
        for n in 0..2000 {
            tree.set(&path(n), Value::Uint(n.into()), 1);
        }
        let before = tree.clone();
        assert_eq!(tree.set(&path(7), Value::Uint(0), 2), Written::Changed);
        assert_eq!(before.value(&path(7)), Some(&Value::Uint(7)));
        let mut seen = 0;
        before.merge(&tree, |_, _, _| seen += 1);
        assert!(seen <= CHUNK, "only the written chunk is compared, not {seen} leaves");
        assert_eq!(tree.set(&path(7), Value::Uint(0), 3), Written::Same);
        assert_eq!(tree.get(&path(7)).unwrap().received, 3);
    }

    #[test]
    fn sweep_removes_what_a_resync_did_not_name() {
        let mut tree = Tree::new(Paths::new());
        (0..8).for_each(|n| _ = tree.set(&path(n), Value::Uint(1), 1));
        tree.begin_sweep();
        tree.set(&path(0), Value::Uint(1), 2);
        assert_eq!(tree.len(), 8);
        let below_first = Path::parse("/list[id=0]").unwrap();
        assert_eq!(tree.sweep(|path| below_first.covers(path)), 3);
        assert_eq!(tree.len(), 5);
    }

    #[test]
    fn origins_are_kept_apart() {
        let mut tree = Tree::new(Paths::new());
        let origin = Arc::new(Origin { object: "interface leaf1 Ethernet1 #4".into(), ..Origin::default() });
        tree.set_from(&path(1), Value::Uint(1), &origin);
        tree.set(&path(2), Value::Uint(1), 0);
        assert_eq!(tree.get(&path(1)).and_then(|leaf| tree.origin(leaf)), Some(&origin));
        assert_eq!(tree.get(&path(2)).and_then(|leaf| tree.origin(leaf)), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(u16, u64),
        Remove(u16),
        Delete(u16),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (0u16..900, 0u64..4).prop_map(|(n, v)| Step::Set(n, v)),
            2 => (0u16..900).prop_map(Step::Remove),
            1 => (0u16..225).prop_map(Step::Delete),
        ];
        proptest::collection::vec(step, 0..1200)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn behaves_like_a_map(steps in steps()) {
            let mut tree = Tree::new(Paths::new());
            let mut map = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Set(n, v) => {
                        tree.set(&path(n), Value::Uint(v), 1);
                        map.insert(path(n), Value::Uint(v));
                    }
                    Step::Remove(n) => prop_assert_eq!(tree.remove(&path(n)).map(|leaf| leaf.value), map.remove(&path(n))),
                    Step::Delete(n) => {
                        let list = Path::root().entry("list", [("id", n.to_string())]);
                        let before = map.len();
                        map.retain(|path, _| !list.covers(path));
                        prop_assert_eq!(tree.delete(&list), before - map.len());
                    }
                }
            }
            prop_assert_eq!(tree.len(), map.len());
            let ids: Vec<_> = tree.iter().map(|(id, _)| id).collect();
            prop_assert!(ids.is_sorted());
            let rows: Vec<_> = tree.sorted().into_iter().map(|(path, leaf)| ((*path).clone(), leaf.value.clone())).collect();
            prop_assert_eq!(rows, map.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn merge_meets_every_path_once(a in proptest::collection::btree_set(0u16..700, 0..600), b in proptest::collection::btree_set(0u16..700, 0..600)) {
            let paths = Paths::new();
            let fill = |set: &std::collections::BTreeSet<u16>| {
                let mut tree = Tree::new(Arc::clone(&paths));
                for n in set { tree.set(&path(*n), Value::Uint(u64::from(*n)), 0); }
                tree
            };
            let (left, right) = (fill(&a), fill(&b));
            let mut met = BTreeMap::new();
            left.merge(&right, |id, x, y| assert!(met.insert((*paths.get(id)).clone(), (x.is_some(), y.is_some())).is_none()));
            for n in a.union(&b) {
                prop_assert_eq!(met.remove(&path(*n)), Some((a.contains(n), b.contains(n))));
            }
            prop_assert!(met.is_empty());
            prop_assert_eq!(left == right, a == b);
        }
    }
}
