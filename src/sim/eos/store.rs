//! The leaves of one simulated device: configuration, and the whole visible tree with the time each leaf changed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::Arc;

use crate::path::Path;
use crate::value::Value;

/// Configuration, or what a tree should be: leaves by path.
pub type Leaves = BTreeMap<Arc<Path>, Value>;

/// A leaf a client can read.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// Its value, in the schema's one spelling.
    pub value: Value,
    /// When it changed last, nanoseconds since the Unix epoch by the device's clock.
    pub changed: u64,
}

/// Everything a device shows.
pub type State = BTreeMap<Arc<Path>, Leaf>;

/// What one commit or event made of a device's visible tree. Streams carry it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Leaves with their new value.
    pub updates: Vec<(Arc<Path>, Leaf)>,
    /// Leaves that are gone.
    pub deletes: Vec<Arc<Path>>,
    /// When, by the device's clock, in nanoseconds.
    pub at: u64,
    /// Counters and gauges moving by themselves, not an event.
    pub moving: bool,
}

impl Change {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.updates.is_empty() && self.deletes.is_empty()
    }
}

/// Leaves at or below exactly `root` (no wildcards), in path order.
pub fn below<'a, V>(map: &'a BTreeMap<Arc<Path>, V>, root: &'a Path) -> impl Iterator<Item = (&'a Arc<Path>, &'a V)> {
    map.range::<Path, _>((Bound::Included(root), Bound::Unbounded)).take_while(move |(path, _)| path.starts_with(root))
}

/// Removes everything `pattern` covers; says what went.
pub fn remove_covered(leaves: &mut Leaves, pattern: &Path) -> Vec<Arc<Path>> {
    let gone: Vec<_> = leaves.keys().filter(|path| pattern.covers(path)).cloned().collect();
    for path in &gone {
        leaves.remove(path);
    }
    gone
}

/// Brings `state` to `wanted` and says what moved. Leaves that keep their value keep their time.
pub fn settle(state: &mut State, wanted: Leaves, now: u64) -> Change {
    let mut change = Change { at: now, ..Change::default() };
    change.deletes = state.keys().filter(|path| !wanted.contains_key(*path)).cloned().collect();
    for path in &change.deletes {
        state.remove(path);
    }
    for (path, value) in wanted {
        match state.entry(path) {
            Entry::Occupied(mut have) if have.get().value != value => {
                let leaf = Leaf { value, changed: now };
                change.updates.push((Arc::clone(have.key()), leaf.clone()));
                have.insert(leaf);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(slot) => {
                let leaf = Leaf { value, changed: now };
                change.updates.push((Arc::clone(slot.key()), leaf.clone()));
                slot.insert(leaf);
            }
        }
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(pairs: &[(&str, u64)]) -> Leaves {
        pairs.iter().map(|(path, value)| (Arc::new(Path::parse(path).unwrap()), Value::Uint(*value))).collect()
    }

    #[test]
    fn settling_names_what_moved_and_keeps_old_times() {
        let mut state = State::new();
        settle(&mut state, leaves(&[("/a/b", 1), ("/a/c", 2), ("/d", 3)]), 10);
        let change = settle(&mut state, leaves(&[("/a/b", 1), ("/a/c", 5), ("/e", 3)]), 20);
        assert_eq!(change.deletes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/d"]);
        assert_eq!(change.updates.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>(), ["/a/c", "/e"]);
        assert_eq!(state[&Path::parse("/a/b").unwrap()].changed, 10);
        assert!(settle(&mut state, leaves(&[("/a/b", 1), ("/a/c", 5), ("/e", 3)]), 30).is_empty());
    }

    #[test]
    fn below_stops_at_the_entry() {
        let map = leaves(&[("/l[k=1]/a", 1), ("/l[k=1]/b/c", 2), ("/l[k=10]/a", 3), ("/l[k=2]/a", 4)]);
        let root = Path::parse("/l[k=1]").unwrap();
        assert_eq!(below(&map, &root).count(), 2);
    }
}
