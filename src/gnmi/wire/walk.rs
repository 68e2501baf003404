//! Telemetry straight from bytes to a [`Batch`].
//!
//! prost builds a string for every element name of every path of every update, which is nine tenths of the cost of reading
//! telemetry. A device sends the same few thousand paths again and again, so here the bytes of a path are looked up as they
//! stand and become a [`PathId`]; only bytes never seen are read. Values of the common kinds are read in place. Whatever is
//! unusual (unknown fields, doubled fields, the deprecated forms, broken lengths) goes to prost as a whole message, so the
//! two can differ in speed only; a property test holds them together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use prost::{DecodeError, Message as _};

use super::batch::{Batch, Op};
use super::canon::{Canon, Prepared};
use super::convert::{self, ValueError};
use super::fields::{Field, Fields, Raw, Update, update};
use super::proto::{self, subscribe_response};
use super::spelling::{Guess, Known, Spellings};
use crate::path::Path;
use crate::tree::{PathId, Paths};
use crate::value::Value;

/// What one SubscribeResponse was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A notification; its operations are in the batch.
    Notification,
    /// All first values were sent (`true`, as every server says it).
    Sync,
    /// The deprecated error message: code and text.
    Error(u32, String),
    /// Nothing that says anything.
    Nothing,
}

/// Turns messages into operations over one path table, which the sessions of a fabric share: they see the same paths.
pub struct Decoder {
    paths: Arc<Paths>,
    canon: Arc<dyn Canon>,
    tables: Arc<Tables>,
    allowed: Allowed,
}

#[derive(Default)]
struct Tables {
    spellings: RwLock<Spellings>,
    /// By path number.
    prepared: RwLock<Vec<Option<Prepared>>>,
}

/// Paths never heard of before that one stream may bring in: a device that makes up keys for ever must not fill the table.
struct Allowed {
    most: u64,
    new: AtomicU64,
    ignored: AtomicU64,
}

impl Allowed {
    fn new(most: u64) -> Self {
        Self { most, new: AtomicU64::new(0), ignored: AtomicU64::new(0) }
    }
}

/// What is said of a path that is not kept.
const TOO_MANY: &str = "more paths than this device may bring in: not kept";

/// A notification read by either way.
struct Head {
    timestamp: i64,
    atomic: bool,
    prefix: Arc<Path>,
    duplicates: u64,
}

/// What is kept from message to message; one a stream.
#[derive(Debug, Default)]
pub struct Scratch {
    guess: Guess,
}

/// A place in a batch to go back to.
struct Place {
    ops: usize,
    updates: u64,
    bad: u64,
    bad_leaves: usize,
}

impl Decoder {
    /// Over this path table, with these spellings.
    pub fn new(paths: Arc<Paths>, canon: Arc<dyn Canon>) -> Arc<Self> {
        Arc::new(Self { paths, canon, tables: Arc::default(), allowed: Allowed::new(u64::MAX) })
    }

    /// The same for one stream that may bring in `most` new paths. Leaves of others are bad ones, and counted.
    pub fn limited(&self, most: u64) -> Arc<Self> {
        let (paths, canon) = (Arc::clone(&self.paths), Arc::clone(&self.canon));
        Arc::new(Self { paths, canon, tables: Arc::clone(&self.tables), allowed: Allowed::new(most) })
    }

    /// Leaves that were not kept because of their paths.
    pub fn ignored(&self) -> u64 {
        self.allowed.ignored.load(Ordering::Relaxed)
    }

    /// It may bring in as many again.
    pub fn forgive(&self) {
        self.allowed.new.store(0, Ordering::Relaxed);
        self.allowed.ignored.store(0, Ordering::Relaxed);
    }

    /// The number of a path; `None` when it is one too many.
    fn intern(&self, path: &Path) -> Option<PathId> {
        if let Some(id) = self.paths.find(path) {
            return Some(id);
        }
        if self.allowed.new.load(Ordering::Relaxed) >= self.allowed.most {
            self.allowed.ignored.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.allowed.new.fetch_add(1, Ordering::Relaxed);
        Some(self.paths.intern(path))
    }

    /// The path table.
    pub fn paths(&self) -> &Arc<Paths> {
        &self.paths
    }

    /// Reads one SubscribeResponse and adds what it says to `batch`.
    ///
    /// # Errors
    /// When the bytes are no SubscribeResponse; nothing was added then.
    pub fn decode(&self, bytes: &[u8], scratch: &mut Scratch, batch: &mut Batch) -> Result<Received, DecodeError> {
        match self.decode_usual(bytes, scratch, batch) {
            Some(received) => Ok(received),
            None => self.decode_any(bytes, batch),
        }
    }

    /// The fast way; `None` when the message is not of the usual form, and nothing was added then.
    pub fn decode_usual(&self, bytes: &[u8], scratch: &mut Scratch, batch: &mut Batch) -> Option<Received> {
        let mut fields = Fields::new(bytes);
        match (fields.next()??, fields.is_empty()) {
            ((3, Field::Varint(1)), true) => Some(Received::Sync),
            ((1, Field::Bytes(notification)), true) => {
                let place = Place { ops: batch.ops.len(), updates: batch.updates, bad: batch.bad, bad_leaves: batch.bad_leaves.len() };
                let read = self.read(notification, scratch, batch, &place);
                if read.is_none() {
                    batch.ops.truncate(place.ops);
                    (batch.updates, batch.bad) = (place.updates, place.bad);
                    batch.bad_leaves.truncate(place.bad_leaves);
                }
                read
            }
            _ => None,
        }
    }

    /// A notification; `None` when it is not of the usual form, and its leaves must be taken back then.
    fn read(&self, bytes: &[u8], scratch: &mut Scratch, batch: &mut Batch, start: &Place) -> Option<Received> {
        let (mut timestamp, mut atomic, mut duplicates) = (0i64, false, 0u64);
        let mut prefix: Option<&[u8]> = None;
        let mut deletes: Vec<&[u8]> = Vec::new();
        let mut spellings = self.spellings();
        let mut below = None;
        let mut prefix_reads = false;
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (4, Field::Bytes(bytes)) => {
                    let Update { path, raw, duplicates: more } = update(bytes)?;
                    duplicates += u64::from(more);
                    let prefix = *prefix.get_or_insert(&[]);
                    if below.is_none() {
                        below = spellings.below(prefix, &mut scratch.guess);
                    }
                    let known = match below.and_then(|below| below.find(path, &mut scratch.guess)) {
                        Some(known) => known,
                        None => {
                            below = None;
                            drop(spellings);
                            let known = self.learn(prefix, Some(path))?.1?;
                            prefix_reads = true;
                            spellings = self.spellings();
                            match known {
                                Ok(known) => known,
                                Err(path) => {
                                    batch.updates += 1;
                                    batch.spoil(path, TOO_MANY);
                                    continue;
                                }
                            }
                        }
                    };
                    batch.updates += 1;
                    match raw {
                        Raw::Value(value) if known.prepared.keeps.has(&value) && !known.prepared.skip => {
                            batch.ops.push(Op::Set(known.id, value));
                        }
                        Raw::Value(value) => self.leaf(known, Ok(value), batch),
                        Raw::Json(bytes) => self.leaf(known, convert::json(bytes), batch),
                        Raw::Bad(error) => self.leaf(known, Err(error), batch),
                    }
                }
                #[allow(clippy::cast_possible_wrap)] // as prost reads an int64
                (1, Field::Varint(value)) => timestamp = value as i64,
                // A second one, or one behind an update, is prost's affair.
                (2, Field::Bytes(bytes)) if prefix.is_none() => prefix = Some(bytes),
                (5, Field::Bytes(bytes)) => deletes.push(bytes),
                (6, Field::Varint(value)) => atomic = value != 0,
                _ => return None,
            }
        }
        let known = below.or_else(|| spellings.below(prefix.unwrap_or_default(), &mut scratch.guess));
        if (known.is_some() || prefix_reads) && deletes.is_empty() && !atomic {
            // The usual end of a notification: its leaves are all it says.
            batch.device_time = batch.device_time.max(timestamp);
            batch.duplicates += duplicates;
            return Some(Received::Notification);
        }
        let prefix = match known.map(|below| Arc::clone(&below.prefix)) {
            Some(path) => path,
            None => {
                drop(spellings);
                self.learn(prefix.unwrap_or_default(), None)?.0
            }
        };
        let mut gone = Vec::new();
        for bytes in deletes {
            gone.push(convert::path_below(Some(&prefix), &proto::Path::decode(bytes).ok()?));
        }
        self.close(Head { timestamp, atomic, prefix, duplicates }, gone, start.ops, batch);
        Some(Received::Notification)
    }

    /// The way that reads everything prost reads.
    ///
    /// # Errors
    /// When the bytes are no SubscribeResponse; nothing was added then.
    pub fn decode_any(&self, bytes: &[u8], batch: &mut Batch) -> Result<Received, DecodeError> {
        #[allow(deprecated)]
        Ok(match proto::SubscribeResponse::decode(bytes)?.response {
            Some(subscribe_response::Response::Update(message)) => {
                self.notification(convert::notification(&message), batch);
                Received::Notification
            }
            Some(subscribe_response::Response::SyncResponse(true)) => Received::Sync,
            Some(subscribe_response::Response::SyncResponse(false)) | None => Received::Nothing,
            Some(subscribe_response::Response::Error(error)) => Received::Error(error.code, error.message),
        })
    }

    /// Adds a notification that was read already, from a Get for example.
    pub fn notification(&self, notification: convert::Notification, batch: &mut Batch) {
        let head = Head {
            timestamp: notification.timestamp,
            atomic: notification.atomic,
            prefix: Arc::new(notification.prefix),
            duplicates: notification.duplicates,
        };
        let start = batch.ops.len();
        for (path, value) in notification.updates {
            batch.updates += 1;
            match self.known(&path) {
                Some(known) => self.leaf(known, value, batch),
                None => batch.spoil(path, TOO_MANY),
            }
        }
        self.close(head, notification.deletes, start, batch);
    }

    /// The answer of a Get of `path` as one operation: exactly these leaves are below it now.
    pub fn replace(&self, path: Path, answer: Vec<convert::Notification>, batch: &mut Batch) {
        let mut part = Batch::default();
        for notification in answer {
            self.notification(convert::Notification { atomic: false, ..notification }, &mut part);
        }
        let leaves = std::mem::take(&mut part.ops)
            .into_iter()
            .filter_map(|op| match op {
                Op::Set(id, value) => Some((id, value)),
                Op::Delete(_) | Op::Replace(..) => None,
            })
            .collect();
        part.ops.push(Op::Replace(Arc::new(path), leaves));
        batch.append(part);
    }

    /// Makes one notification of the leaves that were added to `batch` since `start`.
    fn close(&self, head: Head, deletes: Vec<Path>, start: usize, batch: &mut Batch) {
        batch.device_time = batch.device_time.max(head.timestamp);
        batch.duplicates += head.duplicates;
        // Nobody replaces a whole device by a few leaves: an atomic notification without prefix is a plain one.
        if head.atomic && !head.prefix.is_empty() {
            let leaves = batch
                .ops
                .drain(start..)
                .filter_map(|op| match op {
                    Op::Set(id, value) => Some((id, value)),
                    Op::Delete(_) | Op::Replace(..) => None,
                })
                .collect();
            batch.ops.push(Op::Replace(head.prefix, leaves));
        }
        if !deletes.is_empty() {
            // They take effect first, wherever they stand.
            batch.ops.splice(start..start, deletes.into_iter().map(|path| Op::Delete(Arc::new(path))));
        }
    }

    fn leaf(&self, known: Known, value: Result<Value, ValueError>, batch: &mut Batch) {
        match value {
            Ok(_) if known.prepared.skip => {}
            Ok(Value::Json(json)) => {
                let path = self.paths.get(known.id);
                let (leaves, issues) = self.canon.flatten(&path, &json);
                for (path, value) in leaves {
                    match self.intern(&path) {
                        Some(id) => batch.ops.push(Op::Set(id, value)),
                        None => batch.spoil(path, TOO_MANY),
                    }
                }
                issues.into_iter().for_each(|(path, reason)| batch.spoil(path, reason));
            }
            Ok(value) if known.prepared.keeps.has(&value) => batch.ops.push(Op::Set(known.id, value)),
            Ok(value) => {
                let path = || self.paths.get(known.id);
                let value = match self.canon.canonical(known.prepared, &path, value.clone()) {
                    Ok(canonical) => canonical,
                    Err(reason) => {
                        batch.spoil((*path()).clone(), reason);
                        value
                    }
                };
                batch.ops.push(Op::Set(known.id, value));
            }
            Err(error) => batch.spoil((*self.paths.get(known.id)).clone(), error.to_string()),
        }
    }

    fn known(&self, path: &Path) -> Option<Known> {
        self.met(path).map(|(known, _)| known)
    }

    /// What is known of a path, and whether it was met before.
    fn met(&self, path: &Path) -> Option<(Known, bool)> {
        let id = self.intern(path)?;
        let have = self.tables.prepared.read().unwrap_or_else(PoisonError::into_inner).get(id.index()).copied().flatten();
        let prepared = have.unwrap_or_else(|| {
            let prepared = self.canon.prepare(path);
            let mut all = self.tables.prepared.write().unwrap_or_else(PoisonError::into_inner);
            if all.len() <= id.index() {
                all.resize(id.index() + 1, None);
            }
            if let Some(slot) = all.get_mut(id.index()) {
                *slot = Some(prepared);
            }
            prepared
        });
        Some((Known { id, prepared }, have.is_some()))
    }

    fn spellings(&self) -> RwLockReadGuard<'_, Spellings> {
        self.tables.spellings.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a prefix, and a path below it, and remembers how they were spelled; `None` when they are no paths. The path itself
    /// when it is one too many.
    ///
    /// A path met for the first time is not remembered: most configuration is said once, and the spellings of a thousand
    /// devices would take more room than their paths.
    #[allow(clippy::type_complexity)]
    fn learn(&self, prefix: &[u8], spelling: Option<&[u8]>) -> Option<(Arc<Path>, Option<Result<Known, Path>>)> {
        let above = convert::path(&proto::Path::decode(prefix).ok()?);
        let below = match spelling {
            Some(spelling) => {
                let path = convert::path_below(Some(&above), &proto::Path::decode(spelling).ok()?);
                match self.met(&path) {
                    Some((known, true)) => Some((spelling, known)),
                    Some((known, false)) => return Some((Arc::new(above), Some(Ok(known)))),
                    None => return Some((Arc::new(above), Some(Err(path)))),
                }
            }
            // Nothing is kept of it but in the table of spellings, which forgets: who makes up prefixes fills no other.
            None => None,
        };
        let above = Arc::new(if below.is_some() { self.paths.share(&above) } else { above });
        self.tables.spellings.write().unwrap_or_else(PoisonError::into_inner).learn(prefix, &above, below);
        Some((above, below.map(|(_, known)| Ok(known))))
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("paths", &self.paths.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod mutated;
#[cfg(test)]
mod tests;
