//! Two trees walked at once.

use std::sync::Arc;

use super::Tree;
use super::chunk::Chunk;
use super::leaf::Leaf;
use super::paths::PathId;

impl Tree {
    /// Walks both trees at once in path order: for each path that either holds, `visit(id, ours, theirs)`. Chunks the two
    /// trees share (snapshots of one tree) are skipped, which makes comparing two snapshots cost what moved between them.
    ///
    /// Both trees must be over the same [`super::Paths`].
    pub fn merge<'a>(&'a self, other: &'a Self, mut visit: impl FnMut(PathId, Option<&'a Leaf>, Option<&'a Leaf>)) {
        let (mut ours, mut theirs) = (Cursor::new(&self.chunks), Cursor::new(&other.chunks));
        loop {
            if ours.skip_shared(&mut theirs) {
                continue;
            }
            let ((ids, leaves), (other_ids, other_leaves)) = (ours.rest(), theirs.rest());
            let (Some(id), Some(other_id)) = (ids.first(), other_ids.first()) else {
                if ids.is_empty() && other_ids.is_empty() {
                    return;
                }
                ids.iter().zip(leaves).for_each(|(id, leaf)| visit(*id, Some(leaf), None));
                other_ids.iter().zip(other_leaves).for_each(|(id, leaf)| visit(*id, None, Some(leaf)));
                ours.step(ids.len());
                theirs.step(other_ids.len());
                continue;
            };
            if id == other_id {
                // Both sides mostly hold the same paths: runs of them need no comparing of what comes first.
                let alike = ids.iter().zip(other_ids).take_while(|(a, b)| a == b).count();
                let pairs = ids.iter().zip(leaves).zip(other_leaves).take(alike);
                pairs.for_each(|((id, leaf), other)| visit(*id, Some(leaf), Some(other)));
                ours.step(alike);
                theirs.step(alike);
            } else if id < other_id {
                let alone = ids.partition_point(|id| id < other_id);
                ids.iter().zip(leaves).take(alone).for_each(|(id, leaf)| visit(*id, Some(leaf), None));
                ours.step(alone);
            } else {
                let alone = other_ids.partition_point(|other| other < id);
                other_ids.iter().zip(other_leaves).take(alone).for_each(|(id, leaf)| visit(*id, None, Some(leaf)));
                theirs.step(alone);
            }
        }
    }
}

/// A place in a row of chunks.
struct Cursor<'a> {
    chunks: &'a [Arc<Chunk>],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(chunks: &'a [Arc<Chunk>]) -> Self {
        Self { chunks, at: 0 }
    }

    /// What is left of the chunk at hand.
    fn rest(&self) -> (&'a [PathId], &'a [Leaf]) {
        self.chunks
            .first()
            .map_or((&[], &[]), |chunk| (chunk.ids().get(self.at..).unwrap_or_default(), chunk.leaves().get(self.at..).unwrap_or_default()))
    }

    fn step(&mut self, by: usize) {
        self.at += by;
        if self.chunks.first().is_some_and(|chunk| self.at >= chunk.ids().len()) {
            *self = Self::new(self.chunks.get(1..).unwrap_or_default());
        }
    }

    /// Jumps over the chunk at hand if both sides stand at the start of the very same one.
    fn skip_shared(&mut self, other: &mut Self) -> bool {
        let (Some(a), Some(b)) = (self.chunks.first(), other.chunks.first()) else { return false };
        if self.at != 0 || other.at != 0 || !Arc::ptr_eq(a, b) {
            return false;
        }
        self.step(a.ids().len());
        other.step(b.ids().len());
        true
    }
}
