//! What a mirror does with telemetry: set these leaves, delete those subtrees, replace this one.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::budget::Charge;
use crate::path::Path;
use crate::tree::{PathId, Tree, Written};
use crate::value::Value;

/// One operation on a mirror. Operations of a batch apply in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A leaf has this value.
    Set(PathId, Value),
    /// Everything the path covers is gone; wildcards and missing keys stand for everything.
    Delete(Arc<Path>),
    /// Exactly these leaves are left of what the path covers: an atomic notification, or the answer of a periodic Get.
    Replace(Arc<Path>, Vec<(PathId, Value)>),
}

/// A leaf that could not be understood; the others of its message stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLeaf {
    /// Where.
    pub path: Path,
    /// What is wrong with it.
    pub reason: String,
}

/// How many [`BadLeaf`]s of one batch are described; all are counted.
pub const BAD_LEAVES_KEPT: usize = 16;

/// Decoded telemetry, in the order it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// What to do.
    pub ops: Vec<Op>,
    /// When the last of it was received, milliseconds since the Unix epoch by our clock. Freshness is judged by this.
    pub received: u64,
    /// The newest time the device put on it, as it said it (nanoseconds, where it keeps to the protocol). For display only.
    pub device_time: i64,
    /// Leaf updates in it.
    pub updates: u64,
    /// Values the device coalesced because we read too slowly, as it says.
    pub duplicates: u64,
    /// Leaves that could not be understood, all of them.
    pub bad: u64,
    /// The first of them, described.
    pub bad_leaves: Vec<BadLeaf>,
    /// What it is charged for while it waits.
    pub charge: Charge,
}

/// What applying a batch did to a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Leaves added or changed, in order, without doubles.
    pub changed: Vec<PathId>,
    /// Leaves that went.
    pub removed: Vec<PathId>,
}

impl Batch {
    /// Whether there is nothing to do and nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.bad == 0 && self.duplicates == 0
    }

    /// Leaves the operations carry: what bounds memory.
    pub fn weight(&self) -> usize {
        self.ops
            .iter()
            .map(|op| match op {
                Op::Set(..) | Op::Delete(_) => 1,
                Op::Replace(_, leaves) => leaves.len() + 1,
            })
            .sum()
    }

    /// Counts a leaf that could not be understood.
    pub fn spoil(&mut self, path: Path, reason: impl Into<String>) {
        self.bad += 1;
        if self.bad_leaves.len() < BAD_LEAVES_KEPT {
            self.bad_leaves.push(BadLeaf { path, reason: reason.into() });
        }
    }

    /// Puts `later` behind this one.
    pub fn append(&mut self, mut later: Self) {
        self.ops.append(&mut later.ops);
        self.received = self.received.max(later.received);
        self.device_time = self.device_time.max(later.device_time);
        self.updates += later.updates;
        self.duplicates += later.duplicates;
        self.bad += later.bad;
        let room = BAD_LEAVES_KEPT.saturating_sub(self.bad_leaves.len());
        self.bad_leaves.extend(later.bad_leaves.into_iter().take(room));
    }

    /// Keeps only the last value of each leaf; the tree it is applied to ends the same. Says how many operations went.
    pub fn coalesce(&mut self) -> usize {
        let before = self.ops.len();
        let mut later: FxHashSet<PathId> = FxHashSet::default();
        let mut kept: Vec<Op> = Vec::new();
        for op in std::mem::take(&mut self.ops).into_iter().rev() {
            match op {
                Op::Set(id, _) if !later.insert(id) => {}
                // A value set before a delete may be one it removes: leaves set later are told apart from here on.
                Op::Delete(_) | Op::Replace(..) => {
                    later.clear();
                    kept.push(op);
                }
                op @ Op::Set(..) => kept.push(op),
            }
        }
        kept.reverse();
        self.ops = kept;
        before - self.ops.len()
    }

    /// Does it to a tree over the same path table.
    pub fn apply(self, tree: &mut Tree) -> Applied {
        let (mut changed, mut removed) = (Vec::with_capacity(self.ops.len()), Vec::new());
        let received = self.received;
        let mut wrote = |id: PathId, what: Written| {
            if what != Written::Same {
                changed.push(id);
            }
        };
        let mut ops = self.ops.into_iter().peekable();
        loop {
            // The usual run of values in one go, and no other iterator around it: this is where telemetry spends its time.
            let run = std::iter::from_fn(|| match ops.next_if(|op| matches!(op, Op::Set(..))) {
                Some(Op::Set(id, value)) => Some((id, value)),
                _ => None,
            });
            tree.set_all(run, received, &mut wrote);
            let Some(op) = ops.next() else { break };
            match op {
                Op::Set(id, value) => tree.set_all(std::iter::once((id, value)), received, &mut wrote),
                Op::Delete(path) => {
                    let mut patterns = vec![path];
                    while let Some(Op::Delete(path)) = ops.next_if(|op| matches!(op, Op::Delete(_))) {
                        patterns.push(path);
                    }
                    delete(tree, &patterns, &FxHashSet::default(), &mut removed);
                }
                Op::Replace(path, leaves) => {
                    let keep: FxHashSet<PathId> = leaves.iter().map(|(id, _)| *id).collect();
                    delete(tree, &[path], &keep, &mut removed);
                    tree.set_all(leaves.into_iter(), received, &mut wrote);
                }
            }
        }
        for list in [&mut changed, &mut removed] {
            list.sort_unstable();
            list.dedup();
        }
        if !removed.is_empty() {
            // What went and came again counts as changed, what came and went again as removed.
            changed.retain(|id| tree.get_id(*id).is_some());
            removed.retain(|id| tree.get_id(*id).is_none());
        }
        Applied { changed, removed }
    }
}

fn delete(tree: &mut Tree, patterns: &[Arc<Path>], keep: &FxHashSet<PathId>, removed: &mut Vec<PathId>) {
    // Most deletes name a subtree that is gone already; looking costs less than writing.
    let paths = Arc::clone(tree.paths());
    let gone: FxHashSet<PathId> = paths.with(|mut list| {
        tree.iter()
            .map(|(id, _)| id)
            .filter(|id| !keep.contains(id))
            .filter(|id| list.get(id.index()).is_some_and(|path| patterns.iter().any(|pattern| pattern.covers(path))))
            .collect()
    });
    if !gone.is_empty() {
        tree.retain(|id, _| !gone.contains(&id));
        removed.extend(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Paths;
    use proptest::prelude::*;

    fn leaf(n: u16) -> Path {
        Path::root().entry("list", [("id", (n / 4).to_string())]).child(format!("leaf{}", n % 4))
    }

    fn list(n: u16) -> Arc<Path> {
        Arc::new(Path::root().entry("list", [("id", n.to_string())]))
    }

    #[test]
    fn replace_tells_only_what_moved() {
        let paths = Paths::new();
        let ids: Vec<_> = (0..4).map(|n| paths.intern(&leaf(n))).collect();
        let mut tree = Tree::new(Arc::clone(&paths));
        let fill = |leaves: Vec<(PathId, Value)>| Batch { ops: vec![Op::Replace(list(0), leaves)], received: 5, ..Batch::default() };
        let first = fill(ids.iter().map(|id| (*id, Value::Uint(1))).collect()).apply(&mut tree);
        assert_eq!((first.changed.len(), first.removed.len()), (4, 0));
        let version = tree.version();
        assert_eq!(fill(ids.iter().map(|id| (*id, Value::Uint(1))).collect()).apply(&mut tree), Applied::default());
        assert_eq!(tree.version(), version, "the same answer again moves nothing");
        let less = fill(vec![(ids[0], Value::Uint(2))]).apply(&mut tree);
        assert_eq!((less.changed, less.removed), (vec![ids[0]], ids[1..].to_vec()));
        let gone = Batch { ops: vec![Op::Delete(list(0)), Op::Set(ids[1], Value::Uint(7))], ..Batch::default() }.apply(&mut tree);
        assert_eq!((gone.changed, gone.removed), (vec![ids[1]], vec![ids[0]]));
    }

    fn any_ops() -> impl Strategy<Value = Vec<(u8, u16, u64)>> {
        proptest::collection::vec((0u8..10, 0u16..32, 0u64..3), 0..60)
    }

    proptest! {
        #[test]
        fn coalescing_changes_nothing_but_size(steps in any_ops(), cut in 0usize..60) {
            let paths = Paths::new();
            let ops: Vec<Op> = steps.iter().map(|(kind, n, value)| match kind {
                0 => Op::Delete(list(n / 4)),
                1 => Op::Replace(list(n / 4), vec![(paths.intern(&leaf(*n)), Value::Uint(*value))]),
                _ => Op::Set(paths.intern(&leaf(*n)), Value::Uint(*value)),
            }).collect();
            let whole = Batch { ops: ops.clone(), ..Batch::default() };
            let mut small = whole.clone();
            let gone = small.coalesce();
            prop_assert_eq!(small.ops.len() + gone, ops.len());
            let (left, right) = ops.split_at(cut.min(ops.len()));
            let mut parts = Batch { ops: left.to_vec(), ..Batch::default() };
            parts.append(Batch { ops: right.to_vec(), ..Batch::default() });
            let run = |batch: Batch| { let mut tree = Tree::new(Arc::clone(&paths)); batch.apply(&mut tree); tree };
            let expected = run(whole);
            prop_assert!(run(small) == expected);
            prop_assert!(run(parts) == expected);
        }
    }
}
