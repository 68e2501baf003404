//! Laws of a tree, held against a map of the standard library.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn path(n: u16) -> Path {
    Path::root().entry("list", [("id", (n / 4).to_string())]).child(format!("leaf{}", n % 4))
}

#[test]
fn a_clone_is_a_snapshot() {
    let mut tree = Tree::new(Paths::new());
    for n in 0..2000 {
        tree.set(&path(n), Value::Uint(n.into()), 1);
    }
    let before = tree.clone();
    assert_eq!(tree.set(&path(7), Value::Uint(0), 2), Written::Changed);
    assert_eq!(before.value(&path(7)), Some(&Value::Uint(7)));
    let mut seen = 0;
    before.merge(&tree, |_, _, _| seen += 1);
    assert!(seen <= chunk::CHUNK, "only the written chunk is compared, not {seen} leaves");
    assert_eq!(tree.set(&path(7), Value::Uint(0), 3), Written::Same);
    assert_eq!(tree.get(&path(7)).unwrap().received(), 3);
}

#[test]
fn sweep_removes_what_a_resync_did_not_name() {
    let mut tree = Tree::new(Paths::new());
    (0..8).for_each(|n| _ = tree.set(&path(n), Value::Uint(1), 1));
    tree.begin_sweep();
    tree.set(&path(0), Value::Uint(1), 2);
    assert_eq!(tree.len(), 8);
    let below_first = Path::parse("/list[id=0]").unwrap();
    assert_eq!(tree.sweep(|path| below_first.covers(path)), 3);
    assert_eq!(tree.len(), 5);
}

#[test]
fn origins_are_kept_apart() {
    let mut tree = Tree::new(Paths::new());
    let origin = Arc::new(Origin { object: "interface leaf1 Ethernet1 #4".into(), ..Origin::default() });
    tree.set_from(&path(1), Value::Uint(1), &origin);
    tree.set(&path(2), Value::Uint(1), 0);
    assert_eq!(tree.get(&path(1)).and_then(|leaf| tree.origin(leaf)), Some(&origin));
    assert_eq!(tree.get(&path(2)).and_then(|leaf| tree.origin(leaf)), None);
}

#[test]
fn a_tree_tells_what_moved_since_a_mark_and_a_clone_does_not_know() {
    let mut tree = Tree::new(Paths::new());
    (0..8).for_each(|n| _ = tree.set(&path(n), Value::Uint(1), 1));
    let mark = tree.mark();
    assert!(tree.is_at(&mark));
    let id = |tree: &Tree, n: u16| tree.paths().find(&path(n)).unwrap();
    tree.set(&path(3), Value::Uint(1), 2);
    assert!(tree.is_at(&mark), "a time is no move");
    tree.set(&path(3), Value::Uint(2), 2);
    tree.remove(&path(0));
    tree.delete(&Path::parse("/list[id=1]").unwrap());
    let moved: Vec<_> = tree.moved_since(&mark).unwrap().collect();
    assert_eq!(moved, [3, 0, 4, 5, 6, 7].map(|n| id(&tree, n)));
    let clone = tree.clone();
    assert!(clone.version() == tree.version() && clone.moved_since(&mark).is_none() && !clone.is_at(&tree.mark()));
    for round in 0..2_000 {
        tree.set(&path(1), Value::Uint(round + 10), 2);
    }
    assert!(tree.moved_since(&mark).is_none(), "too long ago");
}

#[derive(Clone, Debug)]
enum Step {
    Set(u16, u64),
    Remove(u16),
    Delete(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0u16..900, 0u64..4).prop_map(|(n, v)| Step::Set(n, v)),
        2 => (0u16..900).prop_map(Step::Remove),
        1 => (0u16..225).prop_map(Step::Delete),
    ];
    proptest::collection::vec(step, 0..1200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn behaves_like_a_map(steps in steps()) {
        let mut tree = Tree::new(Paths::new());
        let mut map = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set(n, v) => {
                    tree.set(&path(n), Value::Uint(v), 1);
                    map.insert(path(n), Value::Uint(v));
                }
                Step::Remove(n) => prop_assert_eq!(tree.remove(&path(n)).map(|leaf| leaf.value), map.remove(&path(n))),
                Step::Delete(n) => {
                    let list = Path::root().entry("list", [("id", n.to_string())]);
                    let before = map.len();
                    map.retain(|path, _| !list.covers(path));
                    prop_assert_eq!(tree.delete(&list), before - map.len());
                }
            }
        }
        prop_assert_eq!(tree.len(), map.len());
        let ids: Vec<_> = tree.iter().map(|(id, _)| id).collect();
        prop_assert!(ids.is_sorted());
        let rows: Vec<_> = tree.sorted().into_iter().map(|(path, leaf)| ((*path).clone(), leaf.value.clone())).collect();
        prop_assert_eq!(rows, map.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn merge_meets_every_path_once(a in proptest::collection::btree_set(0u16..700, 0..600), b in proptest::collection::btree_set(0u16..700, 0..600)) {
        let paths = Paths::new();
        let fill = |set: &std::collections::BTreeSet<u16>| {
            let mut tree = Tree::new(Arc::clone(&paths));
            for n in set { tree.set(&path(*n), Value::Uint(u64::from(*n)), 0); }
            tree
        };
        let (left, right) = (fill(&a), fill(&b));
        let mut met = BTreeMap::new();
        left.merge(&right, |id, x, y| assert!(met.insert((*paths.get(id)).clone(), (x.is_some(), y.is_some())).is_none()));
        for n in a.union(&b) {
            prop_assert_eq!(met.remove(&path(*n)), Some((a.contains(n), b.contains(n))));
        }
        prop_assert!(met.is_empty());
        prop_assert_eq!(left == right, a == b);
    }
}
