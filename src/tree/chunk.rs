//! A run of sorted leaves, shared by snapshots until one of them writes to it.

use super::leaf::Leaf;
use super::paths::PathId;

/// A chunk with more leaves is split. What a write after a snapshot copies: 7 KiB at most.
pub(super) const CHUNK: usize = 256;

/// Room grows by so many leaves: doubling would leave half of it empty where leaves come in any order.
const ROOM: usize = 32;

/// Numbers and leaves stand apart: a search touches only numbers, and 28 bytes a leaf need no padding.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    ids: Vec<PathId>,
    leaves: Vec<Leaf>,
}

impl Chunk {
    #[inline]
    pub(super) fn ids(&self) -> &[PathId] {
        &self.ids
    }

    #[inline]
    pub(super) fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    #[inline]
    pub(super) fn rows(&self) -> impl Iterator<Item = (PathId, &Leaf)> {
        self.ids.iter().copied().zip(&self.leaves)
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.ids.len() >= CHUNK
    }

    /// Where `id` is, or where it belongs. `guess` is looked at first: telemetry comes in the order of the tree.
    #[inline]
    pub(super) fn find(&self, id: PathId, guess: usize) -> Result<usize, usize> {
        if self.ids.get(guess) == Some(&id) { Ok(guess) } else { self.ids.binary_search(&id) }
    }

    #[inline]
    pub(super) fn get(&self, id: PathId) -> Option<&Leaf> {
        self.leaves.get(self.ids.binary_search(&id).ok()?)
    }

    #[inline]
    pub(super) fn leaf_mut(&mut self, index: usize) -> &mut Leaf {
        &mut self.leaves[index]
    }

    /// A chunk behind a full one: telemetry comes in the order of the tree, so it will be full, too, and grows in no steps that
    /// leave holes in the heap.
    pub(super) fn behind(id: PathId, leaf: Leaf) -> Self {
        let mut chunk = Self { ids: Vec::with_capacity(CHUNK), leaves: Vec::with_capacity(CHUNK) };
        chunk.insert(0, id, leaf);
        chunk
    }

    pub(super) fn insert(&mut self, index: usize, id: PathId, leaf: Leaf) {
        if self.ids.len() == self.ids.capacity() {
            self.ids.reserve_exact(ROOM);
            self.leaves.reserve_exact(ROOM);
        }
        self.ids.insert(index, id);
        self.leaves.insert(index, leaf);
    }

    pub(super) fn remove(&mut self, index: usize) -> Leaf {
        self.ids.remove(index);
        self.leaves.remove(index)
    }

    /// Gives back room that was kept for more leaves.
    pub(super) fn fit(&mut self) {
        self.ids.shrink_to_fit();
        self.leaves.shrink_to_fit();
    }

    /// Whether there is room for more leaves.
    pub(super) fn has_room(&self) -> bool {
        self.leaves.capacity() > self.leaves.len()
    }

    /// Takes the right half out.
    pub(super) fn split(&mut self) -> Self {
        let half = self.ids.len() / 2;
        let right = Self { ids: self.ids.split_off(half), leaves: self.leaves.split_off(half) };
        self.ids.shrink_to(half + ROOM);
        self.leaves.shrink_to(half + ROOM);
        right
    }

    /// Removes the leaves at these places, which are sorted.
    pub(super) fn remove_all(&mut self, places: &[usize]) {
        let (mut at, mut next) = (0, places.iter().copied().peekable());
        let mut kept = || {
            let goes = next.next_if_eq(&at).is_some();
            at += 1;
            !goes
        };
        let marks: Vec<bool> = self.ids.iter().map(|_| kept()).collect();
        let mut mark = marks.iter();
        self.ids.retain(|_| mark.next().copied().unwrap_or(true));
        let mut mark = marks.iter();
        self.leaves.retain(|_| mark.next().copied().unwrap_or(true));
        if self.ids.len() * 4 < self.ids.capacity() {
            self.ids.shrink_to_fit();
            self.leaves.shrink_to_fit();
        }
    }

    /// Bytes of heap, what values hold included.
    pub(super) fn heap_bytes(&self) -> usize {
        self.ids.capacity() * size_of::<PathId>()
            + self.leaves.capacity() * size_of::<Leaf>()
            + self.leaves.iter().map(|leaf| leaf.value.heap_bytes()).sum::<usize>()
    }
}
