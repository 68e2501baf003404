//! Before and after a step: is what was read still there, and did the device keep what was sent.

use std::sync::Arc;

use super::model::Step;
use crate::diff::change::{Change, ChangeKey, Kind};
use crate::diff::construct::is_cli;
use crate::diff::judge::relative;
use crate::diff::normalize;
use crate::path::Path;
use crate::tree::Tree;
use crate::value::Value;
use crate::yang::{NodeKind, Schema};

/// The first leaf or entry that is not as it was when the plan was made; `None` when the step may be sent.
///
/// `observed` must have been read just now. Values compare as `diff` compares them, so another spelling is no move.
pub fn stale(step: &Step, observed: &Tree, schema: &Schema) -> Option<Path> {
    step.read_set.iter().find(|guard| !holds(&guard.path, guard.value.as_ref(), observed, schema)).map(|guard| guard.path.clone())
}

/// Whether one change was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retained {
    /// The change.
    pub key: ChangeKey,
    /// Whether the device shows it.
    pub retained: bool,
    /// What it shows instead.
    pub observed: Option<String>,
}

/// Reads back what a step asked for, one row a change in the order of the step. `observed` must have been read after the Set.
pub fn verify(step: &Step, observed: &Tree, schema: &Schema) -> Vec<Retained> {
    step.changes.iter().map(|change| kept(change, observed, schema)).collect()
}

/// Whether the device shows what one change asked for.
pub(super) fn kept(change: &Change, observed: &Tree, schema: &Schema) -> Retained {
    let (retained, seen) = match change.kind {
        Kind::Delete if is_list_entry(&change.path) => {
            let left = entry_value(&change.path, observed, schema);
            let gone = matches!(&left, Value::Json(json) if json.as_object().is_none_or(serde_json::Map::is_empty));
            (gone, (!gone).then(|| left.to_string()))
        }
        Kind::Delete => match observed.value(&change.path) {
            // A deleted leaf comes back at its default on a device that reports defaults.
            Some(value) => (is_default(&change.path, value, schema), Some(value.to_string())),
            None => (true, None),
        },
        Kind::Create | Kind::Update => {
            let kept = match (&change.desired, observed.value(&change.path)) {
                (Some(want), Some(have)) => same(&change.path, want, have, schema),
                // Absent and wanted at its default, or a key that is told by its entry alone.
                (Some(want), None) => is_default(&change.path, want, schema) || implied(&change.path, observed, schema),
                (None, _) => true,
            };
            (kept, observed.value(&change.path).map(ToString::to_string))
        }
    };
    Retained { key: change.key(), retained, observed: if retained { None } else { seen } }
}

pub(super) fn is_list_entry(path: &Path) -> bool {
    !is_cli(path) && path.elems.last().is_some_and(|elem| !elem.keys.is_empty())
}

/// Whether a leaf, or a list entry, is what it was; `None` is absent.
pub(super) fn holds(path: &Path, guard: Option<&Value>, observed: &Tree, schema: &Schema) -> bool {
    if is_list_entry(path) {
        let now = entry_value(path, observed, schema);
        let empty = matches!(&now, Value::Json(json) if json.as_object().is_none_or(serde_json::Map::is_empty));
        return match guard {
            Some(was) => was.to_json() == now.to_json(),
            None => empty,
        };
    }
    match (guard, observed.value(path)) {
        (Some(was), Some(now)) => same(path, was, now, schema),
        (None, None) => true,
        // A default that comes and goes with the way it is read.
        (Some(value), None) | (None, Some(value)) => is_default(path, value, schema),
    }
}

fn same(path: &Path, a: &Value, b: &Value, schema: &Schema) -> bool {
    let node = schema.find(path).map(|id| schema.node(id));
    let set = node.as_ref().is_some_and(|node| node.kind == NodeKind::LeafList);
    let text = node.as_ref().is_some_and(|node| node.type_name() == Some("string"));
    normalize::same(a, b, set, text)
}

fn is_default(path: &Path, value: &Value, schema: &Schema) -> bool {
    let default = schema.find(path).and_then(|id| schema.default_of(id));
    default.is_some_and(|default| normalize::same(value, &default, true, false)) && !crate::diff::catalog::is_explicit(path)
}

/// `config/<key>` of an entry that is there.
fn implied(path: &Path, observed: &Tree, schema: &Schema) -> bool {
    let [.., entry, config, leaf] = path.elems.as_slice() else { return false };
    config.name == "config"
        && entry.key(&leaf.name).is_some()
        && matches!(entry_value(&path.first(path.len() - 2), observed, schema), Value::Json(json) if json.as_object().is_some_and(|map| !map.is_empty()))
}

/// The configuration a device holds in an entry: `{"relative/path": value}`.
pub fn entry_value(entry: &Path, observed: &Tree, schema: &Schema) -> Value {
    let mut inside = serde_json::Map::new();
    for (path, leaf) in observed.below(entry) {
        if path.starts_with(entry) && schema.find(&path).is_some_and(|id| schema.node(id).writable()) {
            inside.insert(relative(entry, &path), leaf.value.to_json());
        }
    }
    Value::Json(Arc::new(inside.into()))
}
