//! What the schema says about paths, in the words the simulated device asks in, with answers remembered by schema path.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value as Json;
use tonic::Code;

use super::refusal::Refusal;
use super::store::Leaves;
use crate::path::{ANY, ANY_DEPTH, Path};
use crate::value::Value;
use crate::yang::{Access, NodeId, NodeKind, PathProblem, Schema};

/// What is remembered of a schema path.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// A leaf a device shows.
    shown: bool,
    /// `config true`.
    config: bool,
    /// It has a twin below `state`, or is one.
    twin: bool,
    /// Its values are identities.
    identity: bool,
}

/// The schema with a memory.
#[derive(Debug)]
pub struct Nodes {
    schema: Arc<Schema>,
    known: RwLock<FxHashMap<String, Known>>,
    shared: Mutex<FxHashSet<Arc<Path>>>,
}

impl Nodes {
    /// Over a schema.
    pub fn new(schema: Arc<Schema>) -> Self {
        Self { schema, known: RwLock::default(), shared: Mutex::default() }
    }

    /// The schema itself.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The one copy of a path that all devices keep.
    pub fn share(&self, path: Arc<Path>) -> Arc<Path> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(have) = shared.get(&path) {
            return Arc::clone(have);
        }
        shared.insert(Arc::clone(&path));
        path
    }

    fn known(&self, path: &Path) -> Known {
        let name = path.schema_path();
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return *known;
        }
        let node = self.schema.find(path).map(|id| self.schema.node(id));
        let known = Known {
            shown: node.is_some_and(|node| node.kind.is_leaf() && node.access != Access::NotSupported),
            config: node.is_some_and(|node| node.config),
            twin: swapped(path).is_some_and(|twin| {
                let twin = self.schema.find(&twin).map(|id| self.schema.node(id));
                twin.is_some_and(|node| node.kind.is_leaf() && node.access != Access::NotSupported)
            }),
            identity: node.is_some_and(|node| node.base_type() == Some("identityref")),
        };
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(name, known);
        known
    }

    /// Whether this is a leaf a device of this release reports.
    pub fn shown(&self, path: &Path) -> bool {
        self.known(path).shown
    }

    /// Whether the leaf is configuration.
    pub fn is_config(&self, path: &Path) -> bool {
        self.known(path).config
    }

    /// State that mirrors no configuration.
    pub fn is_operational(&self, path: &Path) -> bool {
        let known = self.known(path);
        !known.config && !known.twin
    }

    /// Whether the leaf holds an identity.
    pub fn is_identity(&self, path: &Path) -> bool {
        self.known(path).identity
    }

    /// A text value with its module in front, as JSON_IETF has it.
    pub fn qualified(&self, path: &Path, value: &Value) -> Option<String> {
        match self.schema.json_ietf(path, value) {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The leaf below `state` that mirrors a configuration leaf.
    pub fn twin(&self, path: &Path) -> Option<Path> {
        let known = self.known(path);
        if known.config && known.twin { swapped(path) } else { None }
    }

    /// Defaults of the configuration leaves in a container.
    pub fn defaults_in(&self, container: &Path) -> Vec<(String, Value)> {
        let Some(at) = self.schema.find(container) else { return Vec::new() };
        let leaves = self.schema.children(at).map(|id| (id, self.schema.node(id)));
        leaves
            .filter(|(_, node)| node.kind.is_leaf() && node.config && node.access == Access::ReadWrite)
            .filter_map(|(id, node)| Some((node.name.to_owned(), self.schema.default_of(id)?)))
            .collect()
    }

    /// Checks a path somebody wants to read. Wildcards and missing keys are fine.
    pub fn check_read(&self, path: &Path) -> Result<(), Refusal> {
        if path.elems.iter().any(|elem| elem.name == ANY || elem.name == ANY_DEPTH) {
            return Ok(());
        }
        let id = self.schema.check_path(path).map_err(|problem| refusal(path, &problem))?;
        if self.schema.node(id).access == Access::NotSupported {
            return Err(Refusal::no_node(path, path.len().saturating_sub(1)));
        }
        // A list without keys cannot be streamed leaf by leaf (EOS refuses VLAN members).
        Ok(())
    }

    /// Checks a path somebody wants to stream: as reading, and no list without keys on the way.
    pub fn check_stream(&self, path: &Path) -> Result<(), Refusal> {
        self.check_read(path)?;
        for depth in 1..=path.len() {
            let part = path.first(depth);
            let Some(id) = self.schema.find(&part) else { continue };
            if self.schema.kind(id) == NodeKind::List && self.schema.node(id).keys.is_empty() {
                return Err(Refusal::no_node(path, depth - 1));
            }
        }
        Ok(())
    }

    /// What a path of a Set leads to; every list entry must have its keys, except in a delete.
    pub fn check_write(&self, path: &Path, exact: bool) -> Result<NodeId, Refusal> {
        let problem = |problem| refusal(path, &problem);
        let id = if exact { self.schema.check_exact(path).map_err(problem)? } else { self.schema.check_path(path).map_err(problem)? };
        let node = self.schema.node(id);
        if node.access == Access::NotSupported {
            return Err(Refusal::no_node(path, path.len().saturating_sub(1)));
        }
        if !node.config && !path.is_empty() {
            return Err(read_only(path));
        }
        Ok(id)
    }

    /// The leaves an Update writes: `(path, canonical value)`, schema-checked, each writable.
    pub fn leaves(&self, path: &Path, json: &Json, scalar: Option<&Value>) -> Result<Vec<(Path, Value)>, Refusal> {
        let id = self.check_write(path, true)?;
        let node = self.schema.node(id);
        let leaves = if node.kind.is_leaf() {
            let value = scalar.cloned().unwrap_or_else(|| Value::from_json(json));
            let value = if node.kind == NodeKind::LeafList && value.items().is_none() { Value::list([value]) } else { value };
            let value = self.schema.canonical_at(id, value);
            vec![(path.clone(), value.map_err(|problem| bad_value(path, &problem.to_string()))?)]
        } else {
            if scalar.is_some() || !json.is_object() {
                return Err(bad_value(path, "a container or list entry needs a JSON object"));
            }
            self.schema.flatten(path, json).map_err(|issues| {
                let first = issues.first().map(|issue| (issue.path.clone(), issue.message.clone())).unwrap_or_default();
                bad_value(&first.0, &first.1)
            })?
        };
        for (path, value) in &leaves {
            self.check_leaf(path, value)?;
        }
        Ok(leaves)
    }

    fn check_leaf(&self, path: &Path, value: &Value) -> Result<(), Refusal> {
        let id = self.check_write(path, true)?;
        let node = self.schema.node(id);
        // Keys are listed as readable only: the device makes the entry and its key by itself. Saying it again is fine.
        let key = path.elems.len().checked_sub(3).and_then(|at| path.elems.get(at)).and_then(|entry| entry.key(node.name));
        let above = path.elems.len().checked_sub(2).and_then(|at| path.elems.get(at)).map_or("", |elem| elem.name.as_str());
        if let Some(key) = key.filter(|_| above == "config" || above == "state") {
            return if key == value.to_string() {
                Ok(())
            } else {
                Err(bad_value(path, &format!("value \"{value}\" is not the key \"{key}\" of its entry")))
            };
        }
        if node.is_key() || node.writable() { Ok(()) } else { Err(read_only(path)) }
    }

    /// For an entry that exists: the `config/<key>` leaves its list has.
    pub fn key_leaves(&self, path: &Path) -> Vec<(Path, Value)> {
        let mut found = Vec::new();
        for (index, elem) in path.elems.iter().enumerate() {
            let entry = path.first(index + 1);
            for (key, value) in &elem.keys {
                let leaf = entry.clone().child("config").child(key.as_str());
                if self.known(&leaf).shown
                    && self.known(&leaf).config
                    && let Ok(value) = self.schema.canonical(&leaf, Value::str(value))
                {
                    found.push((leaf, value));
                }
            }
        }
        found
    }

    /// A JSON_IETF document of leaves at a path.
    pub fn document(&self, at: &Path, leaves: &[(Path, Value)]) -> Json {
        self.schema.document(at, leaves)
    }

    /// Reads a whole configuration document.
    pub fn boot(&self, json: &Json) -> Result<Leaves, String> {
        let leaves = self.schema.flatten(&Path::root(), json);
        let leaves = leaves.map_err(|issues| issues.first().map(ToString::to_string).unwrap_or_default())?;
        Ok(leaves.into_iter().map(|(path, value)| (Arc::new(path), value)).collect())
    }
}

/// `config` ↔ `state` in the container right above the leaf's group: the last one in the path.
fn swapped(path: &Path) -> Option<Path> {
    let at = path.elems.iter().rposition(|elem| elem.name == "config" || elem.name == "state")?;
    let mut twin = path.clone();
    let elem = twin.elems.get_mut(at)?;
    elem.name = if elem.name == "config" { "state" } else { "config" }.to_owned();
    Some(twin)
}

fn read_only(path: &Path) -> Refusal {
    Refusal::new(Code::InvalidArgument, format!("path {path} is read-only"))
}

fn bad_value(path: &Path, text: &str) -> Refusal {
    Refusal::new(Code::InvalidArgument, format!("failed to unmarshal value of {path}: {text}"))
}

fn refusal(path: &Path, problem: &PathProblem) -> Refusal {
    match problem {
        PathProblem::UnknownNode { name, .. } => {
            let depth = path.elems.iter().position(|elem| elem.name == *name).unwrap_or(0);
            Refusal::no_node(path, depth)
        }
        other => Refusal::new(Code::InvalidArgument, format!("path invalid: {other}")),
    }
}
