//! Edits: create, update and delete, one object or many in one request, with what a deletion takes along, and the log entries of all of it.

use serde_json::{Map, Value, json};

use super::changelog::{Action, Entry, Request, flat};
use super::hook::{self, Event};
use super::kind::{Gone, KindId};
use super::render::View;
use super::store::{Object, Ref, Store};
use super::write;

/// Why an edit was refused.
#[derive(Debug)]
pub enum Refusal {
    /// 409: these objects need the one to be deleted.
    Protected(Vec<String>),
    /// 404: no such object.
    Absent,
}

/// The objects and their log, under edit.
#[derive(Debug, Clone)]
pub struct Books {
    /// The objects.
    pub store: Store,
    /// The log, oldest first.
    pub log: Vec<Entry>,
    /// What the current request did, one for each object.
    pub events: Vec<Event>,
    /// The last number an entry of the log got, here or in another branch.
    pub number: u64,
}

impl Books {
    fn note(&mut self, request: &Request, action: Action, kind: KindId, id: u64, repr: &str, data: [Value; 2]) {
        self.number += 1;
        let number = self.number;
        Event::note(&mut self.events, &self.store, action, (kind, id), &data);
        self.log.push(Entry::new(number, request, action, kind, (id, repr), data));
    }

    fn flat(&self, kind: KindId, id: u64) -> (Value, String) {
        let view = View::new(&self.store, "");
        let data = self.store.get(kind, id).map_or(Value::Null, |object| flat(&view, kind, id, object));
        (data, view.display(kind, id))
    }

    /// Creates one object and returns its id.
    pub fn create(&mut self, kind: KindId, input: &Map<String, Value>, request: &Request) -> Result<u64, Map<String, Value>> {
        let mut object = write::clean(&self.store, kind, 0, None, input, false)?;
        let id = self.store.next_id(kind);
        for (name, value) in [("id", json!(id)), ("created", json!(request.time)), ("last_updated", json!(request.time))] {
            object.insert(name.to_owned(), value);
        }
        if kind.get().has("schema_id") {
            object.insert("schema_id".to_owned(), json!(request.id.get(..8).unwrap_or_default()));
        }
        self.store.put(kind, id, object);
        let (after, repr) = self.flat(kind, id);
        self.note(request, Action::Create, kind, id, &repr, [json!({}), after]);
        Ok(id)
    }

    /// Brings what a branch made of an object into this database: only what differs from `base`.
    pub fn bring(&mut self, kind: KindId, id: u64, base: Option<&Object>, modified: &Object, request: &Request) {
        let Some(mut object) = self.store.get(kind, id).cloned() else {
            self.store.put(kind, id, modified.clone());
            let (after, repr) = self.flat(kind, id);
            return self.note(request, Action::Create, kind, id, &repr, [json!({}), after]);
        };
        for (name, value) in modified.iter().filter(|(name, value)| base.is_none_or(|base| base.get(*name) != Some(*value))) {
            object.insert(name.clone(), value.clone());
        }
        self.store_update(kind, id, object, request);
    }

    /// Updates one object.
    pub fn update(
        &mut self,
        kind: KindId,
        id: u64,
        input: &Map<String, Value>,
        partial: bool,
        request: &Request,
    ) -> Result<(), Map<String, Value>> {
        let Some(old) = self.store.get(kind, id).cloned() else { return Ok(()) };
        let object = write::clean(&self.store, kind, id, Some(&old), input, partial)?;
        self.store_update(kind, id, object, request);
        Ok(())
    }

    fn store_update(&mut self, kind: KindId, id: u64, mut object: Object, request: &Request) {
        let (before, _) = self.flat(kind, id);
        object.insert("last_updated".to_owned(), json!(request.time));
        self.store.put(kind, id, object);
        let (after, repr) = self.flat(kind, id);
        // NetBox logs a save that changes nothing too, but only once it differs from what it was.
        if before != after {
            self.note(request, Action::Update, kind, id, &repr, [before, after]);
        }
    }

    /// Deletes one object with everything that cannot be without it.
    pub fn delete(&mut self, kind: KindId, id: u64, request: &Request) -> Result<(), Refusal> {
        if self.store.get(kind, id).is_none() {
            return Err(Refusal::Absent);
        }
        let doomed = self.doomed(kind, id);
        let view = View::new(&self.store, "");
        let mut protectors: Vec<(KindId, u64)> = Vec::new();
        for (kind, id) in &doomed {
            for found in self.store.refs(*kind, *id) {
                let outside = !doomed.contains(&(found.kind, found.id)) && !protectors.contains(&(found.kind, found.id));
                if outside && gone(found) == Gone::Protect {
                    protectors.push((found.kind, found.id));
                }
            }
        }
        if !protectors.is_empty() {
            let named = protectors.iter().map(|(kind, id)| format!("{} ({id})", view.display(*kind, *id)));
            return Err(Refusal::Protected(named.collect()));
        }
        // What a webhook says of them is how they were before any of them went.
        let forms: Vec<Value> = doomed.iter().map(|(kind, id)| hook::full(&self.store, *kind, *id, Action::Delete)).collect();
        for ((kind, id), form) in doomed.into_iter().zip(forms) {
            let (before, repr) = self.flat(kind, id);
            let refs: Vec<Ref> = self.store.refs(kind, id).to_vec();
            self.note(request, Action::Delete, kind, id, &repr, [before, json!({})]);
            Event::frozen(&mut self.events, (kind, id), form);
            self.store.remove(kind, id);
            let mut done: Vec<(KindId, u64)> = Vec::new();
            for found in &refs {
                let pair = (found.kind, found.id);
                if !done.contains(&pair) {
                    done.push(pair);
                    let fields = refs.iter().filter(|other| (other.kind, other.id) == pair).map(|other| other.field);
                    self.clear(pair, &fields.collect::<Vec<_>>(), id, request);
                }
            }
        }
        Ok(())
    }

    /// The object and what is deleted with it, in the order of the log: what is attached by type and id goes first, what belongs to it after.
    fn doomed(&self, kind: KindId, id: u64) -> Vec<(KindId, u64)> {
        let mut doomed = vec![(kind, id)];
        let attached = |found: &&Ref| gone(found) == Gone::Cascade && found.field.ends_with("object_id");
        let first: Vec<_> = self.store.refs(kind, id).iter().filter(attached).map(|found| (found.kind, found.id)).collect();
        let mut next = 0;
        while let Some((kind, id)) = doomed.get(next).copied() {
            next += 1;
            let found = self.store.refs(kind, id).iter().filter(|found| gone(found) == Gone::Cascade);
            let fresh: Vec<_> = found.map(|found| (found.kind, found.id)).filter(|pair| !doomed.contains(pair)).collect();
            doomed.extend(fresh);
        }
        doomed.sort_by_key(|pair| !first.contains(pair));
        doomed
    }

    /// Empties what pointed at an object that is gone; one log entry however many fields did.
    fn clear(&mut self, at: (KindId, u64), fields: &[&'static str], target: u64, request: &Request) {
        let (kind, id) = at;
        let Some(mut object) = self.store.get(kind, id).cloned() else { return };
        let mut note = false;
        for name in fields {
            match object.get_mut(*name) {
                Some(Value::Array(list)) => list.retain(|item| item.as_u64() != Some(target)),
                Some(value) => *value = Value::Null,
                None => continue,
            }
            let type_field = name.strip_suffix("_id").map(|base| format!("{base}_type"));
            if let Some(type_field) = type_field.filter(|name| object.contains_key(name)) {
                object.insert(type_field, Value::Null);
            }
            note |= gone(&Ref { kind, id, field: name }) != Gone::Cascade;
        }
        if note {
            self.store_update(kind, id, object, request);
        }
    }
}

fn gone(found: &Ref) -> Gone {
    found.kind.get().field(found.field).map_or(Gone::Clear, |field| field.gone)
}
