//! Interned paths: one number for one path, in all trees of a fabric.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::path::{Elem, Path};

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
    /// One of each element there is: paths differ in few.
    elems: FxHashSet<Elem>,
}

impl Interned {
    /// The same path of shared elements, as small as it gets.
    fn shared(&mut self, path: &Path) -> Path {
        let elems = path.elems.iter().map(|elem| match self.elems.get(elem) {
            Some(have) => have.clone(),
            None => {
                self.elems.insert(elem.clone());
                elem.clone()
            }
        });
        Path { elems: elems.collect(), origin: path.origin.clone() }
    }
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
        let path = Arc::new(inner.shared(path));
        inner.paths.push(Arc::clone(&path));
        inner.ids.insert(path, id);
        id
    }

    /// The same path, of elements that all paths here share; it gets no number.
    pub fn share(&self, path: &Path) -> Path {
        self.inner.write().unwrap_or_else(PoisonError::into_inner).shared(path)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_share_the_elements_they_have_in_common() {
        let paths = Paths::new();
        for neighbor in 0..50 {
            for leaf in ["session-state", "peer-as", "local-as"] {
                paths.intern(&Path::parse(&format!("/bgp/neighbors/neighbor[neighbor-address=10.0.0.{neighbor}]/state/{leaf}")).unwrap());
            }
        }
        assert_eq!(paths.len(), 150);
        let inner = paths.inner.read().unwrap();
        assert_eq!(inner.elems.len(), 50 + 6, "the neighbors, and bgp, neighbors, state and the three leaves");
    }
}
