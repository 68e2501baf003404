//! Interned paths: one number for one path, in all trees of a fabric.
//!
//! Kept as what they have in common: a path is one more element below another path, and each element is there once. A leaf next
//! to others takes some thirty bytes with all that finds it, where a [`Path`] of its own takes two hundred: a fabric of a
//! thousand devices has some 300,000 of them that only one device says.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashSet;

use super::places::{Places, hash};
use super::reader::Reader;
use crate::path::{Elem, Path};

/// A path's number in a [`Paths`] table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(u32);

impl PathId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The number of the path at `index` of what [`Paths::with`] shows.
    pub(crate) fn from_index(index: usize) -> Self {
        Self(number(index))
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The interned paths of one fabric. Only grows: 10 devices hold about 30,000 paths, one device some 3,000.
#[derive(Debug, Default)]
pub struct Paths {
    inner: RwLock<Interned>,
}

/// Above a root there is nobody.
pub(super) const NOBODY: u32 = u32::MAX;

/// An interned path, or one above such a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// The path it is below; [`NOBODY`] for the root of an origin.
    pub(super) above: u32,
    /// Its last element; of a root, the origin.
    pub(super) elem: u32,
    /// Its number as an interned path, + 1; 0 when it has none.
    path: u32,
}

#[derive(Debug, Default)]
pub(super) struct Interned {
    pub(super) nodes: Vec<Node>,
    below: Places,
    /// The node of each path, by the path's number.
    pub(super) paths: Vec<u32>,
    /// One of each element there is: paths differ in few.
    pub(super) elems: Vec<Elem>,
    elem_places: Places,
    pub(super) origins: Vec<Option<String>>,
    origin_places: Places,
    patterns: FxHashSet<Arc<Path>>,
}

impl Interned {
    fn find_below(&self, above: u32, elem: u32) -> Option<u32> {
        self.below.find(hash(&(above, elem)), |at| self.nodes.get(at as usize).is_some_and(|node| (node.above, node.elem) == (above, elem)))
    }

    fn find_elem(&self, elem: &Elem) -> Option<u32> {
        self.elem_places.find(hash(elem), |at| self.elems.get(at as usize) == Some(elem))
    }

    fn find_origin(&self, origin: Option<&String>) -> Option<u32> {
        self.origin_places.find(hash(&origin), |at| self.origins.get(at as usize).is_some_and(|have| have.as_ref() == origin))
    }

    fn node(&self, path: &Path) -> Option<Node> {
        let mut at = self.find_below(NOBODY, self.find_origin(path.origin.as_ref())?)?;
        for elem in &path.elems {
            at = self.find_below(at, self.find_elem(elem)?)?;
        }
        self.nodes.get(at as usize).copied()
    }

    fn find(&self, path: &Path) -> Option<PathId> {
        self.node(path)?.path.checked_sub(1).map(PathId)
    }

    fn below(&mut self, above: u32, elem: u32) -> u32 {
        if let Some(known) = self.find_below(above, elem) {
            return known;
        }
        let at = number(self.nodes.len());
        self.nodes.push(Node { above, elem, path: 0 });
        let nodes = &self.nodes;
        self.below.add(at, |at| nodes.get(at as usize).map_or(0, |node| hash(&(node.above, node.elem))));
        at
    }

    fn elem(&mut self, elem: &Elem) -> u32 {
        if let Some(known) = self.find_elem(elem) {
            return known;
        }
        let at = number(self.elems.len());
        self.elems.push(elem.clone());
        let elems = &self.elems;
        self.elem_places.add(at, |at| elems.get(at as usize).map_or(0, hash));
        at
    }

    fn root(&mut self, origin: Option<&String>) -> u32 {
        let origin = self.find_origin(origin).unwrap_or_else(|| {
            let at = number(self.origins.len());
            self.origins.push(origin.cloned());
            let origins = &self.origins;
            self.origin_places.add(at, |at| origins.get(at as usize).map_or(0, |origin| hash(&origin.as_ref())));
            at
        });
        self.below(NOBODY, origin)
    }

    fn intern(&mut self, path: &Path) -> PathId {
        let mut at = self.root(path.origin.as_ref());
        for elem in &path.elems {
            let elem = self.elem(elem);
            at = self.below(at, elem);
        }
        let id = PathId::from_index(self.paths.len());
        match self.nodes.get_mut(at as usize) {
            Some(Node { path: known, .. }) if *known > 0 => return PathId(*known - 1),
            Some(node) => node.path = id.0.saturating_add(1),
            None => {}
        }
        self.paths.push(at);
        id
    }

    /// The same path of shared elements, as small as it gets.
    fn shared(&mut self, path: &Path) -> Path {
        let elems = path.elems.iter().map(|elem| {
            let at = self.elem(elem);
            self.elems.get(at as usize).unwrap_or(elem).clone()
        });
        Path { elems: elems.collect(), origin: path.origin.clone() }
    }

    fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.paths.capacity() * size_of::<u32>()
            + self.elems.capacity() * size_of::<Elem>()
            + [&self.below, &self.elem_places, &self.origin_places].map(Places::heap_bytes).iter().sum::<usize>()
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
        self.inner.write().unwrap_or_else(PoisonError::into_inner).intern(path)
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
        self.with(|mut list| list.get(id.index()).cloned()).map(Arc::new).unwrap_or_default()
    }

    /// Many at once under one lock: `visit` gets what says each id's path.
    pub fn with<R>(&self, visit: impl FnOnce(Reader<'_>) -> R) -> R {
        visit(Reader::new(&self.inner.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// How many paths.
    pub fn len(&self) -> usize {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).paths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of heap it takes, but for what the elements themselves hold, which patterns and whoever asked for a path share.
    pub fn heap_bytes(&self) -> usize {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_share_what_they_have_in_common() {
        let paths = Paths::new();
        for neighbor in 0..50 {
            for leaf in ["session-state", "peer-as", "local-as"] {
                paths.intern(&Path::parse(&format!("/bgp/neighbors/neighbor[neighbor-address=10.0.0.{neighbor}]/state/{leaf}")).unwrap());
            }
        }
        assert_eq!(paths.len(), 150);
        for index in 0..150 {
            let id = PathId::from_index(index);
            assert_eq!(paths.find(&paths.get(id)), Some(id));
            assert_eq!(paths.intern(&paths.get(id)), id);
        }
        assert_eq!(paths.find(&Path::root()), None);
        assert_eq!(paths.find(&Path::parse("/bgp/neighbors").unwrap()), None, "above others, but not one of them");
        assert_eq!(Paths::new().find(&Path::root()), None);
        let inner = paths.inner.read().unwrap();
        assert_eq!(inner.elems.len(), 50 + 6, "the neighbors, and bgp, neighbors, state and the three leaves");
        assert_eq!(inner.nodes.len(), 3 + 50 + 50 + 150, "the root, bgp, neighbors; each neighbor, its state, its leaves");
    }

    /// What a thousand devices have of their own is some 220 paths each: ports, sessions, command lines.
    #[test]
    fn a_path_takes_a_few_words() {
        let paths = Paths::new();
        for entry in 0..10_000 {
            let entry = Path::parse(&format!("/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors/neighbor[neighbor-address={entry}]")).unwrap();
            for leaf in ["peer-as", "peer-group", "description", "enabled"] {
                paths.intern(&entry.clone().child("config").child(leaf));
            }
        }
        let each = paths.heap_bytes() / paths.len();
        assert!(each <= 48, "{each} bytes a path");
    }

    fn any_path() -> impl Strategy<Value = Path> {
        let elem = ("[ab]", proptest::option::of("[xy]")).prop_map(|(name, key)| Elem::keyed(name, key.map(|value| ("k", value))));
        (proptest::option::weighted(0.2, "(cli|a)"), proptest::collection::vec(elem, 0..5))
            .prop_map(|(origin, elems)| Path { origin, elems })
    }

    proptest! {
        /// Whatever is interned in whatever order: as many numbers as paths, given in order, and each reads back as its path.
        #[test]
        fn a_number_is_a_path(said in proptest::collection::vec(any_path(), 0..60), order in proptest::collection::vec(any::<prop::sample::Index>(), 0..60)) {
            let paths = Paths::new();
            let mut met: Vec<Path> = Vec::new();
            for path in &said {
                let known = met.iter().position(|have| have == path);
                prop_assert_eq!(paths.find(path).map(PathId::index), known);
                prop_assert_eq!(paths.intern(path).index(), known.unwrap_or(met.len()));
                if known.is_none() {
                    met.push(path.clone());
                }
            }
            prop_assert_eq!(paths.len(), met.len());
            paths.with(|mut list| {
                for index in order.iter().filter(|_| !met.is_empty()).map(|index| index.index(met.len())) {
                    prop_assert_eq!(list.get(index), Some(&met[index]));
                    prop_assert_eq!(list.name(index), Some(met[index].name()));
                }
                prop_assert_eq!(list.get(met.len()), None);
                Ok(())
            })?;
        }
    }
}
