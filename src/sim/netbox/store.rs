//! The database: objects by kind and id, and who points at whom. Knows nothing of HTTP or of how objects are shown.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::kind::{KindId, Type};

/// An object as stored: field name to value, links as ids, choices as plain values.
pub type Object = Map<String, Value>;

/// One object pointing at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ref {
    /// Kind of the one that points.
    pub kind: KindId,
    /// Its id.
    pub id: u64,
    /// The field it points with.
    pub field: &'static str,
}

type Refs = FxHashMap<(KindId, u64), Vec<Ref>>;

/// All objects.
#[derive(Debug, Default, Clone)]
pub struct Store {
    tables: BTreeMap<KindId, BTreeMap<u64, Object>>,
    used: BTreeMap<KindId, u64>,
    refs: OnceCell<Refs>,
}

impl Store {
    /// Objects of a kind by id.
    pub fn table(&self, kind: KindId) -> impl Iterator<Item = (u64, &Object)> {
        self.tables.get(&kind).into_iter().flatten().map(|(id, object)| (*id, object))
    }

    /// One object.
    pub fn get(&self, kind: KindId, id: u64) -> Option<&Object> {
        self.tables.get(&kind)?.get(&id)
    }

    /// How many objects of a kind there are.
    pub fn len(&self, kind: KindId) -> usize {
        self.tables.get(&kind).map_or(0, BTreeMap::len)
    }

    /// The next id of a kind; like a database sequence it never gives one twice.
    pub fn next_id(&mut self, kind: KindId) -> u64 {
        let used = self.used.entry(kind).or_default();
        *used += 1;
        *used
    }

    /// Gives out no id from now on that another database of the same server gave out.
    pub fn lift(&mut self, other: &Self) {
        for (kind, used) in &other.used {
            let own = self.used.entry(*kind).or_default();
            *own = (*own).max(*used);
        }
    }

    /// Stores an object under its id, replacing what was there.
    pub fn put(&mut self, kind: KindId, id: u64, object: Object) {
        let used = self.used.entry(kind).or_default();
        *used = id.max(*used);
        self.tables.entry(kind).or_default().insert(id, object);
        self.refs = OnceCell::new();
    }

    /// Takes an object out.
    pub fn remove(&mut self, kind: KindId, id: u64) -> Option<Object> {
        self.refs = OnceCell::new();
        self.tables.get_mut(&kind)?.remove(&id)
    }

    /// Everything that points at an object.
    pub fn refs(&self, kind: KindId, id: u64) -> &[Ref] {
        self.refs.get_or_init(|| self.index()).get(&(kind, id)).map_or(&[], Vec::as_slice)
    }

    /// Ids of the objects of `from` that point at an object with `field`, ascending.
    pub fn pointing(&self, at: (KindId, u64), from: &str, field: &str) -> impl Iterator<Item = u64> {
        self.refs(at.0, at.1).iter().filter(move |found| found.kind.get().model == from && found.field == field).map(|found| found.id)
    }

    fn index(&self) -> Refs {
        let mut refs = Refs::default();
        for (kind, table) in &self.tables {
            for (id, object) in table {
                for field in kind.get().fields {
                    for target in targets(*kind, object, field.name) {
                        refs.entry(target).or_default().push(Ref { kind: *kind, id: *id, field: field.name });
                    }
                }
            }
        }
        refs
    }
}

/// What a field of an object points at.
pub fn targets(kind: KindId, object: &Object, name: &str) -> Vec<(KindId, u64)> {
    let Some(field) = kind.get().field(name) else { return Vec::new() };
    let value = object.get(name).unwrap_or(&Value::Null);
    let ids = |model: &str| {
        let target = KindId::of_model(model);
        let one = value.as_u64().into_iter();
        let many = value.as_array().into_iter().flatten().filter_map(Value::as_u64);
        one.chain(many).filter_map(move |id| Some((target?, id))).collect()
    };
    match field.kind {
        Type::Link(model, _) | Type::Links(model, _) => ids(model),
        Type::Tags => ids("extras.tag"),
        Type::Object => object
            .get(&name.replace("_id", "_type"))
            .and_then(Value::as_str)
            .and_then(KindId::of_model)
            .and_then(|target| Some((target, value.as_u64()?)))
            .into_iter()
            .collect(),
        Type::Ends => value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|end| Some((KindId::of_model(end.get("object_type")?.as_str()?)?, end.get("object_id")?.as_u64()?)))
            .collect(),
        _ => Vec::new(),
    }
}
