//! Get: which leaves a path names, and the shape EOS answers them in.

use std::collections::BTreeMap;
use std::sync::Arc;

use tonic::Code;

use super::convert::{json_out, path_out, scalar_out, update_out};
use super::fabric::Options;
use super::nodes::Nodes;
use super::refusal::Refusal;
use super::store::{Leaf, State};
use crate::gnmi::wire::proto;
use crate::gnmi::wire::proto::get_request::DataType;
use crate::path::Path;
use crate::value::Value;

/// The notification that answers one path.
///
/// # Errors
/// NOT_FOUND when the schema has the node but the device no value, unless a wildcard was asked.
pub fn answer(
    nodes: &Nodes,
    options: &Options,
    state: &State,
    path: &Path,
    kind: DataType,
    target: &str,
) -> Result<proto::Notification, Refusal> {
    let wanted = |leaf: &Path| match kind {
        DataType::All => true,
        DataType::Config => nodes.is_config(leaf),
        DataType::State => !nodes.is_config(leaf),
        DataType::Operational => nodes.is_operational(leaf),
    };
    let mut groups: BTreeMap<Path, Vec<(&Arc<Path>, &Leaf)>> = BTreeMap::new();
    for (leaf_path, leaf) in state.iter().filter(|(leaf, _)| path.covers(leaf) && wanted(leaf)) {
        groups.entry(place(path, leaf_path)).or_default().push((leaf_path, leaf));
    }
    if groups.is_empty() && options.missing_is_not_found && !open(nodes, path) {
        return Err(Refusal::new(Code::NotFound, format!("path {path} not found")));
    }
    let mut update = Vec::new();
    let mut newest = 0;
    for (at, leaves) in groups {
        newest = leaves.iter().map(|(_, leaf)| leaf.changed).max().unwrap_or(0).max(newest);
        let val = match leaves.as_slice() {
            [(path, leaf)] if path.len() == at.len() => scalar_out(nodes, path, &leaf.value),
            _ => {
                let leaves: Vec<(Path, Value)> = leaves.iter().map(|(path, leaf)| ((***path).clone(), leaf.value.clone())).collect();
                json_out(&nodes.document(&at, &leaves))
            }
        };
        update.push(update_out(path_out(&at, ""), val));
    }
    let subtree =
        update.iter().any(|update| !matches!(update.val.as_ref().and_then(|val| val.value.as_ref()), Some(value) if !is_json(value)));
    let timestamp = if subtree && options.zero_timestamps { 0 } else { i64::try_from(newest).unwrap_or(i64::MAX) };
    let prefix = (!target.is_empty()).then(|| proto::Path { target: target.to_owned(), ..proto::Path::default() });
    Ok(proto::Notification { timestamp, prefix, update, ..proto::Notification::default() })
}

fn is_json(value: &proto::typed_value::Value) -> bool {
    matches!(value, proto::typed_value::Value::JsonIetfVal(_) | proto::typed_value::Value::JsonVal(_))
}

/// The node a leaf is answered under: the shortest beginning of its path that the pattern names.
fn place(pattern: &Path, leaf: &Path) -> Path {
    (0..=leaf.len()).map(|depth| leaf.first(depth)).find(|at| pattern.matches(at)).unwrap_or_else(|| leaf.clone())
}

/// Whether nothing is a fine answer: a wildcard, a list entry without keys, or a list.
fn open(nodes: &Nodes, path: &Path) -> bool {
    path.is_empty() || path.has_wildcard() || nodes.schema().check_exact(path).is_err()
}
