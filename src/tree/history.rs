//! Which leaves moved lately: what lets a reader look at those alone.

use std::collections::VecDeque;
use std::sync::Arc;

use super::paths::PathId;

/// Moves remembered. A reader that is further behind looks at the whole tree, which costs less than so many moves.
const KEPT: usize = 256;

/// A point in the life of one tree: see [`super::Tree::mark`].
#[derive(Clone, Debug)]
pub struct Mark {
    tree: Arc<()>,
    version: u64,
}

/// The version counts moved leaves one by one, and the last of them are remembered.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Tells this tree from its clones, which go their own way. Held by marks, so that no other tree gets the same.
    tree: Arc<()>,
    version: u64,
    moved: VecDeque<PathId>,
}

impl History {
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    #[inline]
    pub(super) fn moved(&mut self, id: PathId) {
        if self.moved.len() >= KEPT {
            self.moved.pop_front();
        }
        self.moved.push_back(id);
        self.version += 1;
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { tree: Arc::clone(&self.tree), version: self.version }
    }

    pub(super) fn is_at(&self, mark: &Mark) -> bool {
        self.version == mark.version && Arc::ptr_eq(&self.tree, &mark.tree)
    }

    pub(super) fn since<'a>(&'a self, mark: &Mark) -> Option<impl Iterator<Item = PathId> + use<'a>> {
        if !Arc::ptr_eq(&self.tree, &mark.tree) {
            return None;
        }
        let behind = usize::try_from(self.version.checked_sub(mark.version)?).ok()?;
        let skip = self.moved.len().checked_sub(behind)?;
        Some(self.moved.range(skip..).copied())
    }

    /// Forgets what moved: marks set before are too long ago.
    pub(super) fn forget(&mut self) {
        self.moved = VecDeque::new();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.moved.capacity() * size_of::<PathId>() + size_of::<[usize; 2]>()
    }
}

/// A clone starts a life of its own.
impl Clone for History {
    fn clone(&self) -> Self {
        Self { tree: Arc::default(), version: self.version, moved: VecDeque::new() }
    }
}
