//! Documents: JSON and JSON_IETF to leaves, and leaves to JSON_IETF.
//!
//! A leaf's path has bare names, and bare canonical key values (`[identifier=BGP]`). The key leaf right inside a list entry
//! is said by the path already and is not a leaf of its own, unless nothing else is in the entry. A list without keys has no
//! paths for its entries: it is one leaf, its value the JSON array.

use rustc_hash::FxHashMap;
use serde_json::{Map, Value as Json};

use super::node::{NodeId, NodeKind};
use super::schema::{Schema, split_module};
use super::validate::{Issue, IssueKind};
use crate::path::{Elem, Path};
use crate::value::Value;

impl Schema {
    /// The leaves of a document standing at `root`, values canonical, keys bare. Module prefixes may be there or not.
    ///
    /// # Errors
    /// Every [`Issue`] met, if there is one at all; [`Schema::flatten_lossy`] keeps what it understood.
    pub fn flatten(&self, root: &Path, json: &Json) -> Result<Vec<(Path, Value)>, Vec<Issue>> {
        let (leaves, issues) = self.flatten_lossy(root, json);
        if issues.is_empty() { Ok(leaves) } else { Err(issues) }
    }

    /// As [`Schema::flatten`] for what a device says: what is not understood becomes an issue, the rest is kept.
    pub fn flatten_lossy(&self, root: &Path, json: &Json) -> (Vec<(Path, Value)>, Vec<Issue>) {
        let mut walk = Flatten { schema: self, at: strip_modules(root), leaves: Vec::new(), issues: Vec::new() };
        match self.find(root) {
            Some(id) => walk.start(id, json),
            None => walk.issue(IssueKind::UnknownNode, "no such node in the schema".to_owned()),
        }
        (walk.leaves, walk.issues)
    }

    /// One JSON_IETF document of the leaves below `at`; others are left out. The value stands for the node at `at`: an
    /// object for a container or list entry (keys filled in from the path), an array for a list, the value for a leaf. The
    /// first members carry their module, deeper ones where it changes. Leaves the schema does not know are written as they are.
    pub fn document(&self, at: &Path, leaves: &[(Path, Value)]) -> Json {
        let whole_list = at.elems.last().is_some_and(|last| {
            last.keys.is_empty() && self.find(at).is_some_and(|id| self.kind(id) == NodeKind::List && !self.node(id).keys.is_empty())
        });
        let depth = at.len() - usize::from(whole_list);
        let mut top = Branch::default();
        for (path, value) in leaves.iter().filter(|(path, _)| at.covers(path)) {
            top.insert(self, path, depth, value);
        }
        if let Some(value) = top.value {
            return top.id.map_or_else(|| value.to_json(), |id| self.json_ietf_at(id, value));
        }
        if whole_list {
            return match self.members(&top, None).into_iter().next() {
                Some((_, Json::Array(entries))) => Json::Array(entries),
                _ => Json::Array(Vec::new()),
            };
        }
        let mut map = Map::new();
        if let Some((id, elem)) = self.find(at).zip(at.elems.last()) {
            self.key_members(id, elem, None, &mut map);
        }
        map.extend(self.members(&top, None));
        Json::Object(map)
    }

    /// The members of an object; `above` is the module a bare name would mean, `None` to write it always.
    fn members(&self, branch: &Branch<'_>, above: Option<&str>) -> Map<String, Json> {
        let mut map = Map::new();
        for (elem, child) in &branch.children {
            let module = child.id.map(|id| self.node(id).module);
            let name = qualified(module, above, &elem.name);
            if let Some(value) = child.value {
                map.entry(name).or_insert_with(|| child.id.map_or_else(|| value.to_json(), |id| self.json_ietf_at(id, value)));
                continue;
            }
            if !is_entry(self, child.id, elem) {
                map.insert(name, Json::Object(self.members(child, module.or(above))));
                continue;
            }
            let mut entry = Map::new();
            if let Some(id) = child.id {
                self.key_members(id, elem, module, &mut entry);
            }
            for (name, value) in self.members(child, module.or(above)) {
                entry.entry(name).or_insert(value);
            }
            match map.entry(name).or_insert_with(|| Json::Array(Vec::new())) {
                Json::Array(entries) => entries.push(Json::Object(entry)),
                _ => continue,
            }
        }
        map
    }

    /// The key leaves of a list entry, out of its path.
    fn key_members(&self, list: NodeId, elem: &Elem, above: Option<&str>, into: &mut Map<String, Json>) {
        for key in self.node(list).keys.iter() {
            if let (Some(text), Some(leaf)) = (elem.key(key), self.child(list, key)) {
                into.insert(qualified(Some(self.node(leaf).module), above, key), self.json_ietf_at(leaf, &Value::str(text)));
            }
        }
    }

    /// The text of a key value as paths carry it: canonical, identities bare. `None` if it is no value of the leaf.
    pub fn key_text(&self, leaf: NodeId, json: &Json) -> Option<String> {
        self.canonical_at(leaf, Value::from_json(json)).ok().map(|value| value.to_string())
    }
}

fn qualified(module: Option<&str>, above: Option<&str>, name: &str) -> String {
    match module {
        Some(module) if above != Some(module) => format!("{module}:{name}"),
        _ => name.to_owned(),
    }
}

fn is_entry(schema: &Schema, id: Option<NodeId>, elem: &Elem) -> bool {
    !elem.keys.is_empty() || id.is_some_and(|id| schema.kind(id) == NodeKind::List)
}

fn strip_modules(path: &Path) -> Path {
    let mut path = path.clone();
    for elem in &mut path.elems {
        if let (Some(_), bare) = split_module(&elem.name) {
            elem.name = bare.to_owned();
        }
    }
    path
}

/// Leaves put back into a tree, in the order they came.
#[derive(Default)]
struct Branch<'a> {
    id: Option<NodeId>,
    value: Option<&'a Value>,
    children: Vec<(&'a Elem, Branch<'a>)>,
    index: FxHashMap<(&'a Elem, Option<NodeId>), usize>,
}

impl<'a> Branch<'a> {
    fn insert(&mut self, schema: &Schema, path: &'a Path, from: usize, value: &'a Value) {
        let mut chain: Vec<NodeId> = Vec::with_capacity(path.len() + 1);
        match schema.find(path) {
            Some(end) => {
                let mut at = Some(end);
                while let Some(id) = at {
                    chain.push(id);
                    at = schema.node(id).parent;
                }
                chain.reverse();
            }
            None => {
                chain.push(schema.root());
                for elem in &path.elems {
                    let next = chain.last().and_then(|at| schema.child(*at, &elem.name));
                    chain.extend(next);
                    if next.is_none() {
                        break;
                    }
                }
            }
        }
        let mut at = self;
        at.id = chain.get(from).copied();
        for (depth, elem) in path.elems.iter().enumerate().skip(from) {
            let id = chain.get(depth + 1).copied();
            let next = at.children.len();
            let slot = *at.index.entry((elem, id)).or_insert(next);
            if slot == next {
                at.children.push((elem, Branch { id, ..Branch::default() }));
            }
            let Some((_, branch)) = at.children.get_mut(slot) else { return };
            at = branch;
        }
        at.value = Some(value);
    }
}

struct Flatten<'a> {
    schema: &'a Schema,
    at: Path,
    leaves: Vec<(Path, Value)>,
    issues: Vec<Issue>,
}

impl Flatten<'_> {
    fn issue(&mut self, kind: IssueKind, message: String) {
        self.issues.push(Issue { path: self.at.clone(), kind, message });
    }

    /// The document may be wrapped once more in the node's own name, as EOS answers a Get of a list or container.
    fn start(&mut self, id: NodeId, json: &Json) {
        let node = self.schema.node(id);
        if let Json::Object(members) = json
            && let (1, Some((name, inner))) = (members.len(), members.iter().next())
            && split_module(name).1 == node.name
            && (node.kind.is_leaf() || self.schema.child(id, name).is_none())
        {
            return self.start(id, inner);
        }
        let keyed = self.at.elems.last().is_some_and(|last| !last.keys.is_empty());
        match (node.kind, json) {
            (NodeKind::List, Json::Object(members)) if keyed => self.inside(id, members),
            (NodeKind::List, Json::Array(entries)) if keyed => match (entries.as_slice(), entries.len()) {
                ([Json::Object(members)], 1) => self.inside(id, members),
                _ => self.issue(IssueKind::WrongShape, "one list entry is asked for, several or none are here".to_owned()),
            },
            (NodeKind::List, Json::Object(_)) => {
                self.at.elems.pop();
                self.entry(id, json);
            }
            (NodeKind::List, _) => {
                self.at.elems.pop();
                self.node(id, json);
            }
            (NodeKind::Container, Json::Object(members)) => self.inside(id, members),
            (NodeKind::Container, other) => self.issue(IssueKind::WrongShape, format!("an object is wanted, not {}", shape(other))),
            (NodeKind::Leaf | NodeKind::LeafList, _) => self.leaf(id, json),
        }
    }

    /// The members of the container or entry `id`, which `self.at` names.
    fn inside(&mut self, id: NodeId, members: &Map<String, Json>) {
        let schema = self.schema;
        let keys = schema.node(id).keys;
        for (name, value) in members {
            if name.starts_with('@') {
                continue; // metadata
            }
            let child = match split_module(name) {
                (Some(module), bare) => schema.child_in(id, module, bare).or_else(|| schema.child(id, bare)),
                (None, bare) => schema.child(id, bare),
            };
            match child {
                Some(child) if keys.contains(schema.node(child).name) => {}
                Some(child) => self.node(child, value),
                None => {
                    self.at.elems.push(Elem::new(split_module(name).1));
                    self.issue(IssueKind::UnknownNode, format!("no node `{name}` below {}", schema.node(id).path()));
                    self.at.elems.pop();
                }
            }
        }
    }

    /// The child `id` of what `self.at` names.
    fn node(&mut self, id: NodeId, json: &Json) {
        let node = self.schema.node(id);
        match (node.kind, json) {
            (NodeKind::List, Json::Array(_)) if node.keys.is_empty() => {
                self.at.elems.push(Elem::new(node.name));
                self.leaves.push((self.at.clone(), Value::Json(std::sync::Arc::new(json.clone()))));
                self.at.elems.pop();
            }
            (NodeKind::List, Json::Array(entries)) => entries.iter().for_each(|entry| self.entry(id, entry)),
            (kind, _) => {
                self.at.elems.push(Elem::new(node.name));
                match (kind, json) {
                    (NodeKind::Leaf | NodeKind::LeafList, _) => self.leaf(id, json),
                    (NodeKind::Container, Json::Object(members)) => self.inside(id, members),
                    (NodeKind::List, other) => self.issue(IssueKind::WrongShape, format!("an array is wanted, not {}", shape(other))),
                    (NodeKind::Container, other) => {
                        self.issue(IssueKind::WrongShape, format!("an object is wanted, not {}", shape(other)));
                    }
                }
                self.at.elems.pop();
            }
        }
    }

    fn entry(&mut self, id: NodeId, json: &Json) {
        let schema = self.schema;
        let node = schema.node(id);
        let Json::Object(members) = json else {
            self.at.elems.push(Elem::new(node.name));
            self.issue(IssueKind::WrongShape, format!("a list entry is an object, not {}", shape(json)));
            self.at.elems.pop();
            return;
        };
        let mut keys = Vec::with_capacity(node.keys.len());
        for key in node.keys.iter() {
            let given = members.get(key).or_else(|| members.iter().find(|(name, _)| split_module(name).1 == key).map(|(_, value)| value));
            let text = given.and_then(|value| schema.child(id, key).and_then(|leaf| schema.key_text(leaf, value)));
            let Some(text) = text else {
                self.at.elems.push(Elem::keyed(node.name, keys));
                match given {
                    None => self.issue(IssueKind::MissingKey, format!("an entry of {} has no key `{key}`", node.path())),
                    Some(value) => self.issue(IssueKind::WrongType, format!("key `{key}` cannot be {value}")),
                }
                self.at.elems.pop();
                return;
            };
            keys.push((key.to_owned(), text));
        }
        let before = self.leaves.len();
        self.at.elems.push(Elem::keyed(node.name, keys));
        self.inside(id, members);
        if self.leaves.len() == before {
            for leaf in node.keys.iter().filter_map(|key| schema.child(id, key)) {
                let name = schema.node(leaf).name;
                let text = self.at.elems.last().and_then(|elem| elem.key(name)).map(Value::str);
                if let Some(value) = text.and_then(|text| schema.canonical_at(leaf, text).ok()) {
                    self.leaves.push((self.at.clone().child(name), value));
                }
            }
        }
        self.at.elems.pop();
    }

    fn leaf(&mut self, id: NodeId, json: &Json) {
        if json.is_object() || json.is_null() {
            return self.issue(IssueKind::WrongShape, format!("a value is wanted, not {}", shape(json)));
        }
        let list = self.schema.kind(id) == NodeKind::LeafList;
        let value = match json {
            Json::Array(items) if list => Value::list(items.iter().map(Value::from_json)),
            other => Value::from_json(other),
        };
        match self.schema.canonical_at(id, value) {
            Ok(value) => self.leaves.push((self.at.clone(), value)),
            Err(problem) => self.issue(IssueKind::WrongType, problem.to_string()),
        }
    }
}

/// What a JSON value is, for messages.
pub(super) fn shape(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}
