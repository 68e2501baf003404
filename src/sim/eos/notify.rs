//! Notifications in the shapes EOS sends: one to nine leaves of one container, some below a prefix and some with full
//! paths, stamped with the time of the last change.

use std::sync::Arc;

use super::convert::{elems_out, path_out, scalar_out, update_out};
use super::nodes::Nodes;
use super::store::Leaf;
use crate::gnmi::wire::proto;
use crate::path::Path;
use crate::value::Value;

/// How notifications look.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Echoed in the prefix.
    pub target: String,
    /// Time stamp, instead of that of the leaves.
    pub at: Option<u64>,
    /// Stamps in seconds.
    pub seconds: bool,
    /// Module names in front of element names.
    pub module_names: bool,
    /// Paths as deprecated strings.
    pub old_paths: bool,
    /// Appended to every description and name a person typed.
    pub taint: Option<String>,
}

/// Most leaves in one notification.
const BATCH: usize = 9;

/// Notifications for leaves (in path order) and deletes; deletes come first.
pub fn notifications(nodes: &Nodes, rows: &[(Arc<Path>, Leaf)], deletes: &[Path], shape: &Shape) -> Vec<proto::Notification> {
    let mut list = Vec::new();
    let stamp = |time: u64| i64::try_from(if shape.seconds { time / 1_000_000_000 } else { time }).unwrap_or(i64::MAX);
    for chunk in deletes.chunks(BATCH) {
        list.push(proto::Notification {
            timestamp: stamp(shape.at.unwrap_or(0)),
            prefix: target_only(&shape.target),
            delete: chunk.iter().map(|path| path_out(path, "")).collect(),
            ..proto::Notification::default()
        });
    }
    let mut rest = rows;
    while let Some((first, _)) = rest.first() {
        let depth = first.len().saturating_sub(1);
        let same =
            |row: &(Arc<Path>, Leaf)| row.0.len() == depth + 1 && row.0.elems.iter().zip(&first.elems).take(depth).all(|(a, b)| a == b);
        let length = rest.iter().take(BATCH).take_while(|row| same(row)).count().max(1);
        let (batch, tail) = rest.split_at(length);
        rest = tail;
        let time = shape.at.unwrap_or_else(|| batch.iter().map(|(_, leaf)| leaf.changed).max().unwrap_or(0));
        // Both forms are met on one stream: here a batch has a prefix, a single leaf has none.
        let below = if length > 1 { depth } else { 0 };
        let update = |(path, leaf): &(Arc<Path>, Leaf)| {
            let relative = proto::Path { elem: elems_out(path.elems.get(below..).unwrap_or_default()), ..proto::Path::default() };
            update_out(relative, scalar_out(nodes, path, &tainted(path, &leaf.value, shape)))
        };
        let prefix = if below > 0 {
            Some(proto::Path {
                elem: elems_out(first.elems.get(..below).unwrap_or_default()),
                target: shape.target.clone(),
                ..proto::Path::default()
            })
        } else {
            target_only(&shape.target)
        };
        list.push(proto::Notification {
            timestamp: stamp(time),
            prefix,
            update: batch.iter().map(update).collect(),
            ..proto::Notification::default()
        });
    }
    if shape.module_names || shape.old_paths {
        list.iter_mut().for_each(|notification| disguise(nodes, notification, shape));
    }
    list
}

fn target_only(target: &str) -> Option<proto::Path> {
    (!target.is_empty()).then(|| proto::Path { target: target.to_owned(), ..proto::Path::default() })
}

fn tainted(path: &Path, value: &Value, shape: &Shape) -> Value {
    match (&shape.taint, value) {
        (Some(taint), Value::Str(text)) if path.name() == "description" => Value::str(format!("{text}{taint}")),
        _ => value.clone(),
    }
}

/// Rewrites paths as foreign servers write them.
#[allow(deprecated)]
fn disguise(nodes: &Nodes, notification: &mut proto::Notification, shape: &Shape) {
    let prefix = notification.prefix.as_ref().map(|prefix| prefix.elem.clone()).unwrap_or_default();
    let paths = notification.update.iter_mut().filter_map(|update| update.path.as_mut()).chain(notification.delete.iter_mut());
    for path in paths {
        let mut full = prefix.clone();
        for elem in &mut path.elem {
            full.push(elem.clone());
            if shape.module_names
                && let Some(module) = module_of(nodes, &full)
            {
                elem.name = format!("{module}:{}", elem.name);
            }
        }
        if shape.old_paths {
            path.element = path.elem.drain(..).map(|elem| text_of(&elem)).collect();
        }
    }
    if let (true, Some(prefix)) = (shape.old_paths, notification.prefix.as_mut()) {
        prefix.element = prefix.elem.drain(..).map(|elem| text_of(&elem)).collect();
    }
}

fn module_of(nodes: &Nodes, elems: &[proto::PathElem]) -> Option<String> {
    let path = elems.iter().fold(Path::root(), |path, elem| path.child(elem.name.rsplit(':').next().unwrap_or_default()));
    let id = nodes.schema().find(&path)?;
    Some(nodes.schema().node(id).module.to_owned())
}

fn text_of(elem: &proto::PathElem) -> String {
    let path = Path::root().entry(elem.name.clone(), elem.key.iter().map(|(key, value)| (key.clone(), value.clone())));
    path.to_string().trim_start_matches('/').to_owned()
}
