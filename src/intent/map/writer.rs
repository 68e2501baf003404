//! Writes leaves at a moving place, with the origin of the object being mapped. Knows no construct.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Desired;
use crate::intent::fabric::Device;
use crate::intent::finding::{Finding, Severity, about};
use crate::path::{Elem, Path};
use crate::tree::{Origin, PathId, Paths, Written};
use crate::value::Value;
use crate::yang::{NodeId, Schema};

pub(super) struct Writer<'a> {
    schema: &'a Schema,
    device: Arc<str>,
    path: Path,
    /// The node of each element of `path`; `None` from where names alone do not tell it.
    nodes: Vec<Option<NodeId>>,
    /// Elements of the places met so far: a device has few places and many leaves.
    places: FxHashMap<String, Vec<Elem>>,
    origin: Arc<Origin>,
    made: Desired,
}

impl<'a> Writer<'a> {
    pub(super) fn new(schema: &'a Schema, paths: &Arc<Paths>, device: &Device) -> Self {
        let made = Desired::nothing(paths);
        Self { schema, device: Arc::clone(&device.name), path: Path::root(), nodes: Vec::new(), places: FxHashMap::default(), origin: Arc::clone(&device.origin), made }
    }

    pub(super) fn finish(self) -> Desired {
        self.made
    }

    /// Everything `body` writes comes from `origin`.
    pub(super) fn from<R>(&mut self, origin: &Arc<Origin>, body: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.origin, Arc::clone(origin));
        let result = body(self);
        self.origin = before;
        result
    }

    /// Everything `body` writes lies below `place`, names divided by slashes.
    pub(super) fn within<R>(&mut self, place: &str, body: impl FnOnce(&mut Self) -> R) -> R {
        let depth = self.path.elems.len();
        if !self.places.contains_key(place) {
            self.places.insert(place.to_owned(), place.split('/').map(Elem::new).collect());
        }
        let mut at = self.nodes.last().copied().unwrap_or_else(|| Some(self.schema.root()));
        for elem in self.places.get(place).into_iter().flatten() {
            at = at.and_then(|node| self.schema.only_child(node, &elem.name));
            self.nodes.push(at);
            self.path.elems.push(elem.clone());
        }
        let result = body(self);
        self.path.elems.truncate(depth);
        self.nodes.truncate(depth);
        result
    }

    /// Everything `body` writes lies below the list entry `place` with these keys.
    pub(super) fn entry<R>(&mut self, place: &str, keys: &[(&str, &str)], body: impl FnOnce(&mut Self) -> R) -> R {
        self.within(place, |w| {
            if let Some(last) = w.path.elems.last_mut() {
                last.keys = keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
                last.keys.sort();
            }
            body(w)
        })
    }

    /// One leaf, in its canonical spelling. What the model cannot hold is a finding, and so is what two objects want
    /// differently: neither is better than the other.
    pub(super) fn leaf(&mut self, place: &str, value: impl Into<Value>) {
        let value = value.into();
        self.within(place, |w| {
            let Some((known, value)) = w.checked(value) else { return };
            let written = match known {
                Some(id) => w.made.tree.set_interned_from(id, value, &w.origin),
                None => w.made.tree.set_from(&w.path, value, &w.origin),
            };
            if written == Written::Changed {
                let message = format!("another object wants another value for {}", w.path);
                w.problem("conflict", Severity::Error, message, "keep one of the two objects");
            }
        });
    }

    /// The value as the model spells it, and the path's number if it has one.
    fn checked(&mut self, value: Value) -> Option<(Option<PathId>, Value)> {
        // A path that is known was checked when it was met first; keys are the dear part.
        let known = self.made.tree.paths().find(&self.path);
        let node = || self.nodes.last().copied().flatten().or_else(|| self.schema.find(&self.path));
        let checked = match known.and_then(|_| node()) {
            Some(node) => Ok(node),
            None => self.schema.check_exact(&self.path).map_err(|problem| problem.to_string()),
        };
        match checked.and_then(|node| self.schema.canonical_at(node, value).map_err(|problem| problem.to_string())) {
            Ok(value) => Some((known, value)),
            Err(message) => {
                self.problem("not-in-model", Severity::Error, message, "mend the object: EOS has no place for this value");
                None
            }
        }
    }

    /// One leaf, if there is a value.
    pub(super) fn maybe(&mut self, place: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.leaf(place, value);
        }
    }

    /// A leaf-list that is a set: sorted, each value once; nothing when it is empty.
    pub(super) fn set<V: Into<Value> + Ord>(&mut self, place: &str, values: impl IntoIterator<Item = V>) {
        let mut values: Vec<V> = values.into_iter().collect();
        values.sort();
        values.dedup();
        if !values.is_empty() {
            self.leaf(place, Value::list(values.into_iter().map(Into::into)));
        }
    }

    /// One line of the command line; the value is what follows the command, empty for a bare line.
    pub(super) fn line(&mut self, context: &str, command: &str, value: &str) {
        let path = super::cli::leaf(context, command);
        if self.made.tree.set_from(&path, Value::str(value), &self.origin) == Written::Changed {
            let message = format!("another object wants another value for {path}");
            self.problem("conflict", Severity::Error, message, "keep one of the two objects");
        }
    }

    /// Claims what the text stands for; see [`Desired::exhaustive`].
    pub(super) fn own(&mut self, pattern: Path) {
        self.made.exhaustive.push(pattern);
    }

    /// Claims places below the present one.
    pub(super) fn own_here(&mut self, places: &[&str]) {
        for place in places {
            let mut pattern = self.path.clone();
            pattern.elems.extend(place.split('/').map(Elem::new));
            self.made.exhaustive.push(pattern);
        }
    }

    /// Claims all entries of a list below the present place.
    pub(super) fn own_entries(&mut self, place: &str, keys: &[(&str, &str)]) {
        let pattern = self.entry(place, keys, |w| w.path.clone());
        self.made.exhaustive.push(pattern);
    }

    /// Nothing below the present place is repaired now.
    pub(super) fn hold(&mut self) {
        self.made.held.push(self.path.clone());
    }

    /// A finding about the object being mapped.
    pub(super) fn problem(&mut self, code: &str, severity: Severity, message: String, hint: &str) {
        let mut finding: Finding = about(code, severity, Some(&self.device), &self.origin, message, hint);
        if !self.path.is_empty() {
            finding.path = Some(self.path.clone());
        }
        self.made.findings.push(finding);
    }
}
