//! Interned paths: one number for one path, in all trees of a fabric.

use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::{FxHashSet, FxHasher};

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
    paths: Vec<Arc<Path>>,
    /// Where the paths are found: the number of a path + 1, at the place its hash says or after it; 0 is nobody. Four bytes a
    /// place, because a fabric of a thousand devices has some 300,000 paths.
    places: Vec<u32>,
    /// One of each element there is: paths differ in few.
    elems: FxHashSet<Elem>,
    patterns: FxHashSet<Arc<Path>>,
}

fn hash(path: &Path) -> u64 {
    let mut hasher = FxHasher::default();
    path.hash(&mut hasher);
    hasher.finish()
}

impl Interned {
    /// The places a path may be at, in order; there always is an empty one among them.
    fn probe(&self, path: &Path) -> impl Iterator<Item = usize> + use<> {
        let mask = self.places.len().saturating_sub(1);
        // The high bits of this hash are the good ones.
        #[allow(clippy::cast_possible_truncation)]
        let first = (hash(path) >> 32) as usize;
        (0..self.places.len()).map(move |step| first.wrapping_add(step) & mask)
    }

    fn find(&self, path: &Path) -> Option<PathId> {
        for place in self.probe(path) {
            let number = self.places.get(place)?.checked_sub(1)?;
            if self.paths.get(number as usize).is_some_and(|have| **have == *path) {
                return Some(PathId(number));
            }
        }
        None
    }

    /// Adds a path that is not there.
    fn add(&mut self, path: Arc<Path>) -> PathId {
        let id = PathId(u32::try_from(self.paths.len()).unwrap_or(u32::MAX));
        self.paths.push(path);
        // At most three quarters full.
        if self.paths.len() * 4 > self.places.len() * 3 {
            self.places = vec![0; (self.places.len() * 2).max(64)];
            (0..self.paths.len()).for_each(|index| self.place(PathId::from_index(index)));
        } else {
            self.place(id);
        }
        id
    }

    fn place(&mut self, id: PathId) {
        let Some(path) = self.paths.get(id.index()).cloned() else { return };
        let free = self.probe(&path).find(|place| self.places.get(*place) == Some(&0));
        if let Some(slot) = free.and_then(|place| self.places.get_mut(place)) {
            *slot = id.0.saturating_add(1);
        }
    }

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
        if let Some(id) = inner.find(path) {
            return id;
        }
        let path = Arc::new(inner.shared(path));
        inner.add(path)
    }

    /// The same pattern, one for all who have it: devices of one make are ours in the same places.
    pub fn pattern(&self, pattern: &Path) -> Arc<Path> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(have) = inner.patterns.get(pattern) {
            return Arc::clone(have);
        }
        let pattern = Arc::new(inner.shared(pattern));
        inner.patterns.insert(Arc::clone(&pattern));
        pattern
    }

    /// The same path, of elements that all paths here share; it gets no number.
    pub fn share(&self, path: &Path) -> Path {
        self.inner.write().unwrap_or_else(PoisonError::into_inner).shared(path)
    }

    /// The number of `path` if it has one.
    pub fn find(&self, path: &Path) -> Option<PathId> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).find(path)
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
        for (index, path) in paths.with(<[_]>::to_vec).iter().enumerate() {
            assert_eq!(paths.find(path), Some(PathId::from_index(index)));
            assert_eq!(paths.intern(path), PathId::from_index(index));
        }
        assert_eq!(paths.find(&Path::root()), None);
        assert_eq!(Paths::new().find(&Path::root()), None);
        let inner = paths.inner.read().unwrap();
        assert_eq!(inner.elems.len(), 50 + 6, "the neighbors, and bgp, neighbors, state and the three leaves");
    }
}
