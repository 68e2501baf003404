//! What one read brought: every object as its own bytes, by list and id, so that one that changes is replaced alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::Error;
pub use super::list::List;
use super::raw::{Id, Page};

/// One object as NetBox sent it.
#[derive(Clone, Debug)]
struct Object {
    /// Its JSON, a part of the page it came with.
    body: Bytes,
    /// Where that page came from.
    url: Arc<str>,
}

/// The objects of one read. A clone is cheap: lists are shared until one of the two changes.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// A saved filter chose the devices: only NetBox can say of one whether it is among them.
    pub(super) filtered: bool,
    lists: FxHashMap<List, Arc<BTreeMap<u64, Object>>>,
}

impl Pages {
    /// Adds the objects of a page of `list` that came from `url`; an object that is there already is replaced.
    ///
    /// # Errors
    /// [`Error::BadObject`] when the page is none, or one of its objects has no id.
    pub fn push(&mut self, list: List, url: impl Into<String>, body: impl Into<Bytes>) -> Result<(), Error> {
        let (url, body) = (url.into(), body.into());
        let page = page::<&RawValue>(list, &url, &body)?;
        self.insert(list, &url, &body, page.results)
    }

    /// Marks a list as read, even when it is empty.
    pub(super) fn begin(&mut self, list: List) {
        self.lists.entry(list).or_default();
    }

    /// Takes the objects of another over, list by list.
    pub(super) fn join(&mut self, other: Self) {
        for (list, objects) in other.lists {
            let held = self.lists.entry(list).or_default();
            if held.is_empty() {
                *held = objects;
            } else {
                Arc::make_mut(held).extend(Arc::unwrap_or_clone(objects));
            }
        }
    }

    /// Adds objects that are parts of `body`.
    pub(super) fn insert(&mut self, list: List, url: &str, body: &Bytes, objects: Vec<&RawValue>) -> Result<(), Error> {
        let url: Arc<str> = Arc::from(url);
        let held = Arc::make_mut(self.lists.entry(list).or_default());
        for raw in objects {
            let id = serde_json::from_str::<Id>(raw.get()).map_err(|error| bad(list, &url, raw.get(), &error))?.id;
            held.insert(id, Object { body: body.slice_ref(raw.get().as_bytes()), url: Arc::clone(&url) });
        }
        Ok(())
    }

    /// The lists that were read.
    pub(super) fn lists(&self) -> impl Iterator<Item = List> {
        self.lists.keys().copied()
    }

    /// The objects of a list by id: id, bytes, where the page came from.
    pub(super) fn objects(&self, list: List) -> impl Iterator<Item = (u64, &Bytes, &str)> {
        let held = self.lists.get(&list).into_iter();
        held.flat_map(|held| held.iter()).map(|(id, object)| (*id, &object.body, &*object.url))
    }

    /// Adds an object that was read before.
    pub(super) fn put(&mut self, list: List, id: u64, body: Bytes, url: &Arc<str>) {
        Arc::make_mut(self.lists.entry(list).or_default()).insert(id, Object { body, url: Arc::clone(url) });
    }

    /// Takes a list out.
    pub(super) fn split(&mut self, list: List) -> Self {
        Self { filtered: self.filtered, lists: self.lists.remove_entry(&list).into_iter().collect() }
    }

    /// Takes an object over from another read.
    pub(super) fn copy(&mut self, from: &Self, list: List, id: u64) {
        if let Some(object) = from.lists.get(&list).and_then(|held| held.get(&id)) {
            Arc::make_mut(self.lists.entry(list).or_default()).insert(id, object.clone());
        }
    }

    /// Takes an object out; says whether it was there.
    pub(super) fn remove(&mut self, list: List, id: u64) -> bool {
        self.lists.get_mut(&list).is_some_and(|held| held.contains_key(&id) && Arc::make_mut(held).remove(&id).is_some())
    }

    /// Whether anything of `list` was read.
    pub fn has(&self, list: List) -> bool {
        self.lists.contains_key(&list)
    }

    /// How many objects of `list` there are.
    pub(super) fn count(&self, list: List) -> usize {
        self.lists.get(&list).map_or(0, |held| held.len())
    }

    /// Whether `list` holds this object.
    pub(super) fn holds(&self, list: List, id: u64) -> bool {
        self.lists.get(&list).is_some_and(|held| held.contains_key(&id))
    }

    /// The bytes of one object.
    pub(super) fn body(&self, list: List, id: u64) -> Option<&Bytes> {
        self.lists.get(&list)?.get(&id).map(|object| &object.body)
    }

    /// One object.
    pub(super) fn one<'a, T: Deserialize<'a>>(&'a self, list: List, id: u64) -> Option<T> {
        serde_json::from_slice(self.body(list, id)?).ok()
    }

    /// Every object of `list`, by id.
    pub(super) fn parse<'a, T: Deserialize<'a>>(&'a self, list: List) -> Result<Vec<T>, Error> {
        self.each(list).collect()
    }

    /// The objects of `list` one by one, by id: for the long lists, of which no two need to be held at once.
    pub(super) fn each<'a, T: Deserialize<'a>>(&'a self, list: List) -> impl Iterator<Item = Result<T, Error>> {
        let held = self.lists.get(&list).into_iter();
        held.flat_map(|held| held.values()).map(move |object| {
            serde_json::from_slice(&object.body).map_err(|error| bad(list, &object.url, &String::from_utf8_lossy(&object.body), &error))
        })
    }
}

/// One page.
pub(super) fn page<'a, T: Deserialize<'a>>(list: List, url: &str, body: &'a [u8]) -> Result<Page<T>, Error> {
    serde_json::from_slice::<Page<T>>(body).map_err(|error| Error::BadObject {
        object: format!("the list of {}s", list.facts().word),
        url: url.to_owned(),
        reason: error.to_string(),
    })
}

/// Names an object that does not read.
fn bad(list: List, url: &str, json: &str, error: &serde_json::Error) -> Error {
    // Only here, where something is wrong already, an object is read without a type.
    let glimpse: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let text = |key: &str| glimpse.get(key).and_then(serde_json::Value::as_str);
    let name = text("name").or_else(|| text("display")).map(|text| format!(" {text}")).unwrap_or_default();
    let id = glimpse.get("id").map(|id| format!(" #{id}")).unwrap_or_default();
    let object_url = text("url").unwrap_or(url).to_owned();
    Error::BadObject { object: format!("{}{name}{id}", list.facts().word), url: object_url, reason: error.to_string() }
}
