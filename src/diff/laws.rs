//! What holds for the difference of any two trees.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::catalog::{CONFIG, Catalog, PROTECTED, UNKNOWN};
use super::compare::lab::{device as lab_device, schema};
use super::compare::{DeviceDiff, DeviceInput, Differ, Sides, apply, device};
use super::ownership::Rules;
use crate::path::Path;
use crate::tree::{Paths, Tree};
use crate::value::Value;

/// All leaves of a leaf with a bit of everything.
static BASE: LazyLock<Vec<(Path, Value)>> = LazyLock::new(|| {
    lab_device("leaf7", &Paths::new()).sorted().into_iter().map(|(path, leaf)| ((*path).clone(), leaf.value.clone())).collect()
});

/// A device of the lab with some leaves gone and some changed.
pub(crate) fn bent() -> impl Strategy<Value = Vec<(Path, Value)>> {
    proptest::collection::vec((0..BASE.len(), 0u8..4), 0..40).prop_map(|bends| {
        let mut leaves = BASE.clone();
        for (at, how) in bends {
            let (path, value) = &mut leaves[at];
            // A key said again cannot say another key.
            let how = if is_twin(path) { 0 } else { how };
            match (how, &*value) {
                // Gone, and with it its entry when it is drawn often enough.
                (0 | 1, _) => *value = Value::Empty,
                (2, Value::Uint(number)) => *value = Value::Uint(number + 1),
                (2, Value::Bool(on)) => *value = Value::Bool(!on),
                (2, Value::Str(text)) => *value = Value::from(format!("{text}x")),
                (3, Value::List(items)) => *value = Value::list(items.iter().rev().chain(items.iter()).cloned()),
                _ => {}
            }
        }
        leaves.retain(|(_, value)| *value != Value::Empty);
        leaves
    })
}

fn is_twin(path: &Path) -> bool {
    matches!(path.elems.as_slice(), [.., entry, _, leaf] if entry.key(&leaf.name).is_some())
}

pub(crate) fn tree(leaves: &[(Path, Value)], paths: &Arc<Paths>) -> Tree {
    let mut tree = Tree::new(Arc::clone(paths));
    for (path, value) in leaves {
        tree.set(path, value.clone(), 0);
    }
    tree
}

fn diff(desired: &Tree, observed: &Tree, applied: Option<&Tree>) -> DeviceDiff {
    let rules = Rules::default();
    device(&DeviceInput { name: Arc::from("leaf"), desired, exhaustive: &[], observed, applied, schema: schema(), rules: &rules })
}

/// Without what the interning order may move: nothing of it is left in a change.
fn plain(diff: &DeviceDiff) -> Vec<String> {
    diff.changes.iter().map(|change| format!("{change:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_differs_from_itself(leaves in bent()) {
        let paths = Paths::new();
        // Two trees that share nothing but the values.
        let (desired, observed) = (tree(&leaves, &paths), tree(&leaves, &paths));
        let found = diff(&desired, &observed, None);
        prop_assert!(found.changes.is_empty() && found.findings.is_empty() && found.foreign.is_empty());
        prop_assert_eq!(found.tally.equal + found.tally.protected, leaves.len());
    }

    #[test]
    fn applying_the_difference_leaves_none(a in bent(), b in bent()) {
        let paths = Paths::new();
        let (desired, observed) = (tree(&a, &paths), tree(&b, &paths));
        // Everything was ours once.
        let mut applied = desired.clone();
        for (path, value) in &b {
            applied.set(path, value.clone(), 0);
        }
        let found = diff(&desired, &observed, Some(&applied));
        let mut after = observed.clone();
        apply(&found.changes, &mut after);
        let rest = diff(&desired, &after, Some(&applied));
        // An entry of which only the key is left and only the key is wanted: a tree cannot hold it without its leaf, a device can.
        let only_keys = rest.changes.iter().all(|change| change.new_entry.is_some() && is_twin(&change.path));
        prop_assert!(only_keys, "{:?} after {:?}", plain(&rest), plain(&found));
        // Every leaf that is managed is as desired now.
        let mut catalog = Catalog::new(Rules::default());
        catalog.learn(schema(), &paths);
        let mut wrong = Vec::new();
        desired.merge(&after, |id, want, have| {
            let fact = catalog.fact(id);
            if fact.is(CONFIG) && !fact.is(PROTECTED) && !fact.is(UNKNOWN) && (want.is_none() || have.is_none()) {
                let value = want.or(have).map(|leaf| leaf.value.clone()).unwrap();
                let default = catalog.default(fact).is_some_and(|default| *default == value);
                let twin = fact.is(super::catalog::TWIN);
                let implicit = fact.is(super::catalog::IMPLICIT);
                if !default && !twin && !implicit && !fact.is(super::catalog::INVENTED_KEY) {
                    wrong.push((paths.get(id).to_string(), value));
                }
            }
        });
        prop_assert!(wrong.is_empty(), "{wrong:?}");
        // Protected leaves are never touched.
        prop_assert!(found.changes.iter().all(|change| Rules::default().owner(&change.path) != super::ownership::Owner::Protected));
    }

    #[test]
    fn the_order_in_which_paths_were_met_does_not_count(a in bent(), b in bent(), turn in 0usize..200) {
        let straight = Paths::new();
        let turned = Paths::new();
        let mut order: Vec<&Path> = BASE.iter().map(|(path, _)| path).collect();
        let by = turn % order.len();
        order.rotate_left(by);
        order.reverse();
        for path in order {
            turned.intern(path);
        }
        let one = diff(&tree(&a, &straight), &tree(&b, &straight), None);
        let other = diff(&tree(&a, &turned), &tree(&b, &turned), None);
        prop_assert_eq!(plain(&one), plain(&other));
        prop_assert_eq!(one.tally, other.tally);
        prop_assert_eq!(one.foreign, other.foreign);
    }

    #[test]
    fn step_by_step_is_at_once(a in bent(), steps in proptest::collection::vec(bent(), 1..4), mine in any::<bool>()) {
        let paths = Paths::new();
        let desired = tree(&a, &paths);
        let applied = mine.then(|| tree(&BASE, &paths));
        let mut catalog = Catalog::new(Rules::default());
        let mut differ = Differ::new(Arc::from("leaf"));
        let mut observed = tree(&BASE, &paths);
        for next in steps {
            let next = tree(&next, &paths);
            // Moves leaf by leaf, as a stream does.
            let mut moves = Vec::new();
            observed.merge(&next, |id, before, now| {
                if before.map(|leaf| &leaf.value) != now.map(|leaf| &leaf.value) {
                    moves.push((paths.get(id), now.map(|leaf| leaf.value.clone())));
                }
            });
            for (path, value) in moves {
                match value {
                    Some(value) => _ = observed.set(&path, value, 1),
                    None => _ = observed.remove(&path),
                }
            }
            catalog.learn(schema(), &paths);
            let sides = Sides { desired: &desired, exhaustive: &Arc::default(), observed: &observed, applied: applied.as_ref() };
            prop_assert_eq!(differ.update(&catalog, &sides), &diff(&desired, &observed, applied.as_ref()));
        }
    }
}
