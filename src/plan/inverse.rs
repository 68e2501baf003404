//! Taking back what was committed: from the changes of a step and what the device holds now to the changes that bring back what it
//! held before. Nothing is taken back over what somebody changed since.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{self, Retained};
use crate::diff::change::{Change, ChangeKey, Kind, Risk};
use crate::diff::construct::{self, Construct, is_cli};
use crate::diff::normalize;
use crate::path::Path;
use crate::tree::Tree;
use crate::value::Value;
use crate::yang::Schema;

/// What can be taken back, and what cannot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inverse {
    /// They lead back to what was before.
    pub changes: Vec<Change>,
    /// Neither as the step left it nor as it was before: somebody changed it since.
    pub moved: Vec<Retained>,
    /// What goes with a list entry that the step made and that nobody of us put there.
    pub along: Vec<Path>,
}

/// Takes the changes of one step back. `observed` is what the device has now. What is as it was before the step is left alone: it
/// was never sent, or somebody took it back already.
pub fn inverse(done: &[Change], observed: &Tree, schema: &Schema) -> Inverse {
    let mut out = Inverse::default();
    let mut removed = BTreeSet::new();
    for change in done {
        // The leaves of a new entry were before when the entry was not.
        let before = match (&change.kind, &change.new_entry) {
            (Kind::Create, Some(entry)) => check::holds(entry, None, observed, schema),
            _ => check::holds(&change.path, change.observed.as_ref(), observed, schema),
        };
        if before {
            continue;
        }
        let row = check::kept(change, observed, schema);
        if !row.retained {
            out.moved.push(row);
            continue;
        }
        match (change.kind, &change.new_entry) {
            (Kind::Update, _) => {
                let had = observed.value(&change.path).cloned().or_else(|| change.desired.clone());
                out.changes.push(back(change, change.path.clone(), Kind::Update, change.observed.clone(), had));
            }
            (Kind::Create, None) => {
                let had = observed.value(&change.path).cloned();
                out.changes.push(back(change, change.path.clone(), Kind::Delete, None, had));
            }
            (Kind::Create, Some(entry)) => {
                if removed.insert(entry.clone()) {
                    out.along.extend(along(entry, done, observed, schema));
                    let had = check::entry_value(entry, observed, schema);
                    out.changes.push(back(change, entry.clone(), Kind::Delete, None, Some(had)));
                }
            }
            (Kind::Delete, _) => out.changes.extend(restored(change, observed, schema)),
        }
    }
    // What is deleted as a whole is not deleted leaf by leaf, too.
    let whole: Vec<Path> = removed.into_iter().collect();
    out.changes.retain(|change| !whole.iter().any(|entry| change.path.len() > entry.len() && change.path.starts_with(entry)));
    out
}

/// A change the other way. Whose wish it was is not said of it: nobody's in NetBox.
fn back(of: &Change, path: Path, kind: Kind, desired: Option<Value>, observed: Option<Value>) -> Change {
    Change {
        device: Arc::clone(&of.device),
        construct: Construct::of(&path),
        entry: construct::entry(&path),
        path,
        kind,
        desired,
        observed,
        new_entry: None,
        origin: None,
        risk: Risk::None,
        warning: String::new(),
        unmerged: false,
    }
}

/// The leaves of something that was deleted.
fn restored(change: &Change, observed: &Tree, schema: &Schema) -> Vec<Change> {
    let leaves = match &change.observed {
        Some(Value::Json(json)) if check::is_list_entry(&change.path) => {
            let inside = json.as_object().into_iter().flatten();
            let leaf = |(tail, value): (&String, &serde_json::Value)| {
                Some((change.path.clone().join(&Path::parse(&format!("/{tail}")).ok()?), Value::from_json(value)))
            };
            inside.filter_map(leaf).collect()
        }
        Some(value) => vec![(change.path.clone(), value.clone())],
        None => Vec::new(),
    };
    let create = |(path, value): (Path, Value)| {
        let new_entry = outermost(&path, observed, schema);
        Change { new_entry, ..back(change, path, Kind::Create, Some(value), None) }
    };
    leaves.into_iter().map(create).collect()
}

/// The outermost list entry around a leaf that the device has nothing of.
fn outermost(path: &Path, observed: &Tree, schema: &Schema) -> Option<Path> {
    if is_cli(path) {
        return None;
    }
    let entries = path.elems.iter().enumerate().filter(|(_, elem)| !elem.keys.is_empty()).map(|(at, _)| path.first(at + 1));
    entries.into_iter().find(|entry| check::holds(entry, None, observed, schema))
}

/// Configuration in an entry that is neither the step's nor a default.
fn along(entry: &Path, done: &[Change], observed: &Tree, schema: &Schema) -> Vec<Path> {
    let ours = |path: &Path| done.iter().any(|change| change.kind != Kind::Delete && change.path == *path);
    let key = |path: &Path| matches!(path.elems.as_slice(), [.., entry, _, leaf] if entry.key(&leaf.name).is_some());
    let default = |path: &Path, value: &Value| {
        schema.find(path).and_then(|id| schema.default_of(id)).is_some_and(|default| normalize::same(value, &default, true, false))
    };
    let below = observed.below(entry).into_iter();
    let config = below.filter(|(path, _)| schema.find(path).is_some_and(|id| schema.node(id).writable()));
    config.filter(|(path, leaf)| !ours(path) && !key(path) && !default(path, &leaf.value)).map(|(path, _)| (*path).clone()).collect()
}

/// A change of `later` that touches the same leaves as one of `done`, on the same device.
pub fn overlap<'a>(done: &[Change], later: &'a [Change]) -> Option<&'a Change> {
    let whole = |change: &Change| change.new_entry.clone().unwrap_or_else(|| change.path.clone());
    let ours: Vec<ChangeKey> = done.iter().map(|change| ChangeKey { device: Arc::clone(&change.device), path: whole(change) }).collect();
    later.iter().find(|change| {
        let theirs = whole(change);
        ours.iter().any(|key| key.device == change.device && (key.path.starts_with(&theirs) || theirs.starts_with(&key.path)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::diff::compare::lab::{self, schema};
    use crate::diff::compare::{DeviceInput, apply, device};
    use crate::diff::laws::{bent, tree};
    use crate::diff::ownership::Rules;
    use crate::tree::Paths;

    fn diff(desired: &Tree, observed: &Tree) -> Vec<Change> {
        let rules = Rules::default();
        let exhaustive = ["/network-instances/network-instance[name=default]/vlans/vlan", "/interfaces/interface[name=Vlan*]"]
            .map(|path| Path::parse(path).unwrap());
        let input = DeviceInput {
            name: Arc::from("leaf7"),
            desired,
            exhaustive: &exhaustive,
            observed,
            applied: None,
            schema: schema(),
            rules: &rules,
        };
        device(&input).changes
    }

    fn configuration(tree: &Tree) -> Vec<(String, Value)> {
        let writable = |path: &Path| is_cli(path) || schema().find(path).is_some_and(|id| schema().node(id).writable());
        tree.sorted().into_iter().filter(|(path, _)| writable(path)).map(|(path, leaf)| (path.to_string(), leaf.value.clone())).collect()
    }

    #[test]
    fn a_vlan_that_was_made_goes_and_one_that_was_deleted_comes_back() {
        let paths = Paths::new();
        let before = lab::device("leaf7", &paths);
        let vlan = |id: u32| Path::parse(&format!("/network-instances/network-instance[name=default]/vlans/vlan[vlan-id={id}]")).unwrap();
        let mut desired = before.clone();
        desired.delete(&vlan(78));
        desired.set(&vlan(61).child("config").child("vlan-id"), Value::Uint(61), 0);
        desired.set(&vlan(61).child("config").child("name"), Value::str("made"), 0);
        let done = diff(&desired, &before);
        let mut after = before.clone();
        apply(&done, &mut after);
        assert_ne!(configuration(&after), configuration(&before));
        // Somebody gave the new VLAN a status since: it goes with it, and that is said.
        after.set(&vlan(61).child("config").child("status"), Value::str("SUSPENDED"), 0);
        let taken = inverse(&done, &after, schema());
        assert_eq!(taken.moved, []);
        assert_eq!(taken.along, [vlan(61).child("config").child("status")]);
        let gone: Vec<_> = taken.changes.iter().filter(|change| change.kind == Kind::Delete).map(|change| &change.path).collect();
        assert_eq!(gone, [&vlan(61)]);
        let back = taken.changes.iter().find(|change| change.path == vlan(78).child("config").child("name")).unwrap();
        assert_eq!((back.kind, &back.new_entry), (Kind::Create, &Some(vlan(78))));
        apply(&taken.changes, &mut after);
        assert_eq!(configuration(&after), configuration(&before));
        // Once taken back there is nothing left to take back.
        assert_eq!(inverse(&done, &after, schema()), Inverse::default());
    }

    #[test]
    fn what_somebody_changed_since_is_not_taken_back() {
        let paths = Paths::new();
        let before = lab::device("leaf7", &paths);
        let leaf = Path::parse("/interfaces/interface[name=Ethernet11]/config/description").unwrap();
        let mut desired = before.clone();
        desired.set(&leaf, Value::str("ours"), 0);
        let done = diff(&desired, &before);
        let mut after = before.clone();
        apply(&done, &mut after);
        after.set(&leaf, Value::str("theirs"), 0);
        let taken = inverse(&done, &after, schema());
        assert_eq!(taken.changes, []);
        assert_eq!(taken.moved.iter().map(|row| (&row.key.path, row.observed.as_deref())).collect::<Vec<_>>(), [(&leaf, Some("theirs"))]);
    }

    #[test]
    fn operations_that_meet_are_told() {
        let change = |path: &str| {
            let of = Path::parse(path).unwrap();
            let leaf = lab::device("leaf7", &Paths::new());
            let mut desired = leaf.clone();
            desired.set(&Path::parse("/interfaces/interface[name=Ethernet11]/config/description").unwrap(), Value::str("x"), 0);
            Change { path: of, ..diff(&desired, &leaf).remove(0) }
        };
        let one = [change("/interfaces/interface[name=Ethernet11]/config/mtu")];
        assert!(overlap(&one, &[change("/interfaces/interface[name=Ethernet11]/config/mtu")]).is_some());
        assert!(overlap(&one, &[change("/interfaces/interface[name=Ethernet11]")]).is_some());
        assert!(overlap(&one, &[change("/interfaces/interface[name=Ethernet12]/config/mtu")]).is_none());
        let elsewhere = Change { device: Arc::from("leaf8"), ..change("/interfaces/interface[name=Ethernet11]/config/mtu") };
        assert!(overlap(&one, &[elsewhere]).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever was committed over whatever was there: taking it back gives what was there.
        #[test]
        fn taking_back_is_the_way_back(a in bent(), b in bent()) {
            let paths = Paths::new();
            let (desired, before) = (tree(&a, &paths), tree(&b, &paths));
            let done = diff(&desired, &before);
            let mut after = before.clone();
            apply(&done, &mut after);
            let taken = inverse(&done, &after, schema());
            prop_assert_eq!(&taken.moved, &[]);
            apply(&taken.changes, &mut after);
            prop_assert_eq!(configuration(&after), configuration(&before));
        }
    }
}
