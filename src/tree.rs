//! A tree of leaves: one structure for Desired, Observed and Applied.
//!
//! Paths are interned in a [`Paths`] table that all trees of a fabric share, so that comparing two trees compares numbers.
//! Leaves are kept sorted by that number in chunks which snapshots share: cloning a tree copies pointers, and writing after
//! a clone copies only the chunk written to. Every leaf knows where it came from and when it was received by our clock,
//! which is the only clock freshness is judged by (devices stamp first values with the time of their last change).
//!
//! A leaf takes 28 bytes, index included, and the heap of a text of more than 14 bytes.

mod chunk;
mod history;
mod leaf;
mod merge;
mod paths;
mod places;
mod reader;

use std::sync::Arc;

use self::chunk::Chunk;
use self::history::History;
pub use self::history::Mark;
use self::leaf::Stamp;
pub use self::leaf::{Leaf, Origin};
pub use self::paths::{PathId, Paths};
pub use self::reader::Reader;
use crate::path::Path;
use crate::value::Value;

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
    /// The first number of each chunk: finding a chunk touches nothing else.
    firsts: Vec<PathId>,
    chunks: Vec<Arc<Chunk>>,
    origins: Vec<Arc<Origin>>,
    len: usize,
    generation: u16,
    history: History,
}

impl Tree {
    /// An empty tree over `paths`.
    pub fn new(paths: Arc<Paths>) -> Self {
        Self { paths, firsts: Vec::new(), chunks: Vec::new(), origins: Vec::new(), len: 0, generation: 0, history: History::default() }
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
        self.history.version()
    }

    /// This point in the life of this tree, for [`Tree::moved_since`].
    pub fn mark(&self) -> Mark {
        self.history.mark()
    }

    /// Whether this is the tree of the mark and no value moved since.
    pub fn is_at(&self, mark: &Mark) -> bool {
        self.history.is_at(mark)
    }

    /// The leaves added, changed or removed since a mark, in order, possibly more than once; `None` when that is too long ago
    /// to know, or the mark is of another tree (a clone is another tree).
    pub fn moved_since<'a>(&'a self, mark: &Mark) -> Option<impl Iterator<Item = PathId> + use<'a>> {
        self.history.since(mark)
    }

    /// Sets a leaf received at `received` (ms since the epoch; 0 = made here).
    pub fn set(&mut self, path: &Path, value: Value, received: u64) -> Written {
        let id = self.paths.intern(path);
        self.set_interned(id, value, received)
    }

    /// Sets a desired leaf and says which object it came from.
    pub fn set_from(&mut self, path: &Path, value: Value, origin: &Arc<Origin>) -> Written {
        let id = self.paths.intern(path);
        self.set_interned_from(id, value, origin)
    }

    /// As [`Tree::set_from`], for a path that is interned already.
    pub fn set_interned_from(&mut self, id: PathId, value: Value, origin: &Arc<Origin>) -> Written {
        let stamp = Stamp::made_from(self.source(origin), self.generation);
        self.set_one(id, value, stamp)
    }

    /// Sets a leaf whose path is interned already.
    pub fn set_interned(&mut self, id: PathId, value: Value, received: u64) -> Written {
        self.set_one(id, value, Stamp::received_at(received, self.generation))
    }

    /// Sets many leaves and says what that did to each. Neighbours in the tree cost least one after the other, which is how
    /// devices send them.
    pub fn set_all(&mut self, leaves: impl Iterator<Item = (PathId, Value)>, received: u64, wrote: impl FnMut(PathId, Written)) {
        self.write(leaves, Stamp::received_at(received, self.generation), wrote);
    }

    fn set_one(&mut self, id: PathId, value: Value, stamp: Stamp) -> Written {
        let mut written = Written::Same;
        self.write(std::iter::once((id, value)), stamp, |_, what| written = what);
        written
    }

    fn source(&mut self, origin: &Arc<Origin>) -> usize {
        // Leaves of one object are set one after the other, so the last origins are the likely ones.
        let known = self.origins.iter().rposition(|have| Arc::ptr_eq(have, origin) || have == origin);
        known.unwrap_or_else(|| {
            self.origins.push(Arc::clone(origin));
            self.origins.len() - 1
        })
    }

    fn write(&mut self, mut leaves: impl Iterator<Item = (PathId, Value)>, stamp: Stamp, mut wrote: impl FnMut(PathId, Written)) {
        let mut next = leaves.next();
        while let Some((mut id, mut value)) = next {
            let at = self.chunk_of(id).unwrap_or_else(|| {
                self.firsts.push(id);
                self.chunks.push(Arc::default());
                0
            });
            let Self { firsts, chunks, history, len, .. } = self;
            let (start, end) = (if at == 0 { None } else { firsts.get(at).copied() }, firsts.get(at + 1).copied());
            let chunk = Arc::make_mut(&mut chunks[at]);
            let mut guess = 0;
            // As long as leaves fall into this chunk.
            next = loop {
                match chunk.find(id, guess) {
                    Ok(index) => {
                        guess = index + 1;
                        let leaf = chunk.leaf_mut(index);
                        leaf.stamp = stamp;
                        if leaf.value == value {
                            wrote(id, Written::Same);
                        } else {
                            leaf.value = value;
                            history.moved(id);
                            wrote(id, Written::Changed);
                        }
                    }
                    Err(index) if chunk.is_full() && index < chunk.ids().len() => {
                        let right = chunk.split();
                        firsts.insert(at + 1, right.ids()[0]);
                        chunks.insert(at + 1, Arc::new(right));
                        break Some((id, value));
                    }
                    Err(index) => {
                        let leaf = Leaf { value, stamp };
                        *len += 1;
                        history.moved(id);
                        wrote(id, Written::Added);
                        if chunk.is_full() {
                            // Appending is the common way to grow (first sync): the full chunk stays full.
                            firsts.insert(at + 1, id);
                            chunks.insert(at + 1, Arc::new(Chunk::behind(id, leaf)));
                            break leaves.next();
                        }
                        if index == 0 {
                            firsts[at] = id;
                        }
                        chunk.insert(index, id, leaf);
                        guess = index + 1;
                    }
                }
                match leaves.next() {
                    Some((later, to)) if start.is_none_or(|start| start <= later) && end.is_none_or(|end| later < end) => {
                        (id, value) = (later, to);
                    }
                    other => break other,
                }
            };
        }
    }

    /// The chunk that holds `id` or would: the last one starting at or before it.
    fn chunk_of(&self, id: PathId) -> Option<usize> {
        let after = self.firsts.partition_point(|first| *first <= id);
        (!self.firsts.is_empty()).then(|| after.saturating_sub(1))
    }

    /// One leaf.
    pub fn get(&self, path: &Path) -> Option<&Leaf> {
        self.get_id(self.paths.find(path)?)
    }

    /// One leaf by number.
    pub fn get_id(&self, id: PathId) -> Option<&Leaf> {
        self.chunks.get(self.chunk_of(id)?)?.get(id)
    }

    /// One leaf's value.
    pub fn value(&self, path: &Path) -> Option<&Value> {
        self.get(path).map(|leaf| &leaf.value)
    }

    /// The object a leaf came from.
    pub fn origin(&self, leaf: &Leaf) -> Option<&Arc<Origin>> {
        self.origins.get(leaf.stamp.origin()?)
    }

    /// Removes one leaf.
    pub fn remove(&mut self, path: &Path) -> Option<Leaf> {
        let id = self.paths.find(path)?;
        let at = self.chunk_of(id)?;
        let chunk = self.chunks.get_mut(at)?;
        let index = chunk.find(id, 0).ok()?;
        let chunk = Arc::make_mut(chunk);
        let leaf = chunk.remove(index);
        match chunk.ids().first() {
            Some(first) => self.firsts[at] = *first,
            None => {
                self.chunks.remove(at);
                self.firsts.remove(at);
            }
        }
        self.len -= 1;
        self.history.moved(id);
        Some(leaf)
    }

    /// Removes everything `pattern` covers (itself, and all below it); says how many leaves went.
    pub fn delete(&mut self, pattern: &Path) -> usize {
        let paths = Arc::clone(&self.paths);
        paths.with(|mut list| self.retain(|id, _| !list.get(id.index()).is_some_and(|path| pattern.covers(path))))
    }

    /// Keeps only leaves that `keep` wants; says how many went.
    pub fn retain(&mut self, mut keep: impl FnMut(PathId, &Leaf) -> bool) -> usize {
        let before = self.len;
        let mut gone = Vec::new();
        for chunk in &mut self.chunks {
            gone.clear();
            gone.extend(chunk.rows().enumerate().filter(|(_, (id, leaf))| !keep(*id, leaf)).map(|(index, _)| index));
            if gone.is_empty() {
                continue;
            }
            gone.iter().for_each(|index| self.history.moved(chunk.ids()[*index]));
            self.len -= gone.len();
            Arc::make_mut(chunk).remove_all(&gone);
        }
        if self.len < before {
            self.chunks.retain(|chunk| !chunk.ids().is_empty());
            self.firsts.clear();
            self.firsts.extend(self.chunks.iter().filter_map(|chunk| chunk.ids().first()));
        }
        before - self.len
    }

    /// Starts a mark-and-sweep: leaves set from now on are marked, [`Tree::sweep`] removes the others. Until then nothing is
    /// missing, so a resync never shows a hole.
    pub fn begin_sweep(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Removes what was not set since [`Tree::begin_sweep`] and `within` wants gone; says how many leaves went.
    pub fn sweep(&mut self, within: impl Fn(&Path) -> bool) -> usize {
        let (paths, generation) = (Arc::clone(&self.paths), self.generation);
        paths.with(|mut list| self.retain(|id, leaf| leaf.stamp.generation() == generation || !list.get(id.index()).is_some_and(&within)))
    }

    /// Gives back room kept for leaves that may come: after everything came, few do.
    pub fn fit(&mut self) {
        self.firsts.shrink_to_fit();
        self.chunks.shrink_to_fit();
        self.origins.shrink_to_fit();
        // After so much nobody wants to know what moved leaf by leaf.
        self.history.forget();
        self.chunks.iter_mut().filter(|chunk| chunk.has_room()).for_each(|chunk| Arc::make_mut(chunk).fit());
    }

    /// All leaves, by path number.
    pub fn iter(&self) -> impl Iterator<Item = (PathId, &Leaf)> {
        self.chunks.iter().flat_map(|chunk| chunk.rows())
    }

    /// All leaves with their paths, sorted by path: for people and for documents.
    pub fn sorted(&self) -> Vec<(Arc<Path>, &Leaf)> {
        let mut rows: Vec<_> =
            self.paths.with(|mut list| self.iter().filter_map(|(id, leaf)| Some((list.shared(id.index())?, leaf))).collect());
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }

    /// The leaves that `pattern` covers, sorted by path.
    pub fn below(&self, pattern: &Path) -> Vec<(Arc<Path>, &Leaf)> {
        let mut rows: Vec<_> = self.paths.with(|mut list| {
            self.iter()
                .filter_map(|(id, leaf)| {
                    list.get(id.index()).filter(|path| pattern.covers(path)).map(|path| (Arc::new(path.clone()), leaf))
                })
                .collect()
        });
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }

    /// Bytes of heap this tree takes, texts included; the table of paths and the origins, which trees share, are not: what the
    /// memory bench prints.
    pub fn heap_bytes(&self) -> usize {
        let counters = 2 * size_of::<usize>();
        self.chunks.iter().map(|chunk| size_of::<Chunk>() + counters + chunk.heap_bytes()).sum::<usize>()
            + self.chunks.capacity() * size_of::<usize>()
            + self.firsts.capacity() * size_of::<PathId>()
            + self.origins.capacity() * size_of::<usize>()
            + self.history.heap_bytes()
    }
}

impl Tree {
    /// Whether both hold the same leaves with the same times and origins. Costs little for snapshots of one tree.
    pub fn is_same(&self, other: &Self) -> bool {
        let mut same = Arc::ptr_eq(&self.paths, &other.paths) && self.len == other.len && self.origins == other.origins;
        if same {
            self.merge(other, |_, ours, theirs| same = same && ours == theirs);
        }
        same
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

#[cfg(test)]
mod tests;
