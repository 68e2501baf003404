//! Telemetry straight from bytes to a [`Batch`].
//!
//! prost builds a string for every element name of every path of every update, which is nine tenths of the cost of reading
//! telemetry. A device sends the same few thousand paths again and again, so here the bytes of a path are looked up as they
//! stand and become a [`PathId`]; only bytes never seen are read. Values of the common kinds are read in place. Whatever is
//! unusual (unknown fields, doubled fields, the deprecated forms, broken lengths) goes to prost as a whole message, so the
//! two can differ in speed only; a property test holds them together.

use std::sync::{Arc, PoisonError, RwLock};

use prost::{DecodeError, Message as _};
use rustc_hash::FxHashMap;

use super::batch::{Batch, Op};
use super::canon::{Canon, Prepared};
use super::convert::{self, ValueError};
use super::outline::{Found, Outline, Raw, outline};
use super::proto::{self, subscribe_response};
use crate::path::Path;
use crate::tree::{PathId, Paths};
use crate::value::Value;

/// Spellings of paths remembered before the memory of them starts anew: far more than 1,000 devices have.
const SPELLINGS_KEPT: usize = 4_000_000;

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

/// Turns messages into operations over one path table. Shared by the sessions of a fabric: they see the same paths.
pub struct Decoder {
    paths: Arc<Paths>,
    canon: Arc<dyn Canon>,
    cache: RwLock<Cache>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Known {
    id: PathId,
    prepared: Prepared,
}

#[derive(Default)]
struct Cache {
    /// Bytes of a prefix message → index into `below`. No prefix at all is the empty one.
    prefixes: FxHashMap<Box<[u8]>, usize>,
    below: Vec<Below>,
    /// By path number.
    prepared: Vec<Option<Prepared>>,
    spellings: usize,
}

struct Below {
    prefix: Arc<Path>,
    known: FxHashMap<Box<[u8]>, Known>,
}

/// A notification read by either way.
struct Head {
    timestamp: i64,
    atomic: bool,
    prefix: Arc<Path>,
    duplicates: u64,
}

/// Memory reused from message to message; one a stream.
#[derive(Default)]
pub struct Scratch {
    found: Found,
    known: Vec<Known>,
}

impl Decoder {
    /// Over this path table, with these spellings.
    pub fn new(paths: Arc<Paths>, canon: Arc<dyn Canon>) -> Arc<Self> {
        Arc::new(Self { paths, canon, cache: RwLock::default() })
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
        match outline(bytes, &mut scratch.found)? {
            Outline::Sync => Some(Received::Sync),
            Outline::Notification { timestamp, atomic, prefix, duplicates } => {
                let prefix_bytes = bytes.get(prefix)?;
                let prefix = self.resolve(bytes, prefix_bytes, scratch)?;
                let mut deletes = Vec::with_capacity(scratch.found.deletes.len());
                for range in &scratch.found.deletes {
                    let message = proto::Path::decode(bytes.get(range.clone())?).ok()?;
                    deletes.push(convert::path_below(Some(&prefix), &message));
                }
                let head = Head { timestamp, atomic, prefix, duplicates };
                let known = std::mem::take(&mut scratch.known);
                let updates = known.iter().copied().zip(scratch.found.updates.drain(..)).map(|(known, (_, raw))| {
                    let value = match raw {
                        Raw::Value(value) => Ok(value),
                        Raw::Json(range) => convert::json(bytes.get(range).unwrap_or_default()),
                        Raw::Bad(error) => Err(error),
                    };
                    (known, value)
                });
                self.emit(head, deletes, updates, batch);
                scratch.known = known;
                Some(Received::Notification)
            }
        }
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
        let updates: Vec<_> = notification.updates.into_iter().map(|(path, value)| (self.known(&path), value)).collect();
        self.emit(head, notification.deletes, updates.into_iter(), batch);
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

    fn emit(&self, head: Head, deletes: Vec<Path>, updates: impl Iterator<Item = (Known, Result<Value, ValueError>)>, batch: &mut Batch) {
        batch.device_time = batch.device_time.max(head.timestamp);
        batch.duplicates += head.duplicates;
        batch.ops.extend(deletes.into_iter().map(|path| Op::Delete(Arc::new(path))));
        // Nobody replaces a whole device by a few leaves: an atomic notification without prefix is a plain one.
        let atomic = head.atomic && !head.prefix.is_empty();
        let start = batch.ops.len();
        for (known, value) in updates {
            batch.updates += 1;
            self.leaf(known, value, batch);
        }
        if atomic {
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
    }

    fn leaf(&self, known: Known, value: Result<Value, ValueError>, batch: &mut Batch) {
        match value {
            Ok(_) if known.prepared.skip => {}
            Ok(Value::Json(json)) => {
                let path = self.paths.get(known.id);
                let (leaves, issues) = self.canon.flatten(&path, &json);
                batch.ops.extend(leaves.into_iter().map(|(path, value)| Op::Set(self.paths.intern(&path), value)));
                issues.into_iter().for_each(|(path, reason)| batch.spoil(path, reason));
            }
            Ok(value) if known.prepared.keeps.has(&value) => batch.ops.push(Op::Set(known.id, value)),
            Ok(value) => {
                let path = self.paths.get(known.id);
                let value = match self.canon.canonical(known.prepared, &path, value.clone()) {
                    Ok(canonical) => canonical,
                    Err(reason) => {
                        batch.spoil((*path).clone(), reason);
                        value
                    }
                };
                batch.ops.push(Op::Set(known.id, value));
            }
            Err(error) => batch.spoil((*self.paths.get(known.id)).clone(), error.to_string()),
        }
    }

    fn known(&self, path: &Path) -> Known {
        let id = self.paths.intern(path);
        let have = self.cache.read().unwrap_or_else(PoisonError::into_inner).prepared.get(id.index()).copied().flatten();
        let prepared = have.unwrap_or_else(|| {
            let prepared = self.canon.prepare(path);
            let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
            if cache.prepared.len() <= id.index() {
                cache.prepared.resize(id.index() + 1, None);
            }
            if let Some(slot) = cache.prepared.get_mut(id.index()) {
                *slot = Some(prepared);
            }
            prepared
        });
        Known { id, prepared }
    }

    /// Fills `scratch.known`, one for each update; `None` when some path cannot be read.
    fn resolve(&self, bytes: &[u8], prefix: &[u8], scratch: &mut Scratch) -> Option<Arc<Path>> {
        scratch.known.clear();
        let mut next = 0;
        loop {
            let missing = {
                let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
                let below = cache.prefixes.get(prefix).and_then(|index| cache.below.get(*index));
                let mut missing = None;
                if let Some(below) = below {
                    for (range, _) in scratch.found.updates.get(next..)? {
                        let spelling = bytes.get(range.clone())?;
                        match below.known.get(spelling) {
                            Some(known) => scratch.known.push(*known),
                            None => {
                                missing = Some(spelling);
                                break;
                            }
                        }
                        next += 1;
                    }
                    if missing.is_none() {
                        return Some(Arc::clone(&below.prefix));
                    }
                }
                missing
            };
            self.learn(prefix, missing)?;
        }
    }

    /// Remembers a spelling of a prefix, and of a path below it.
    fn learn(&self, prefix: &[u8], spelling: Option<&[u8]>) -> Option<()> {
        let above = convert::path(&proto::Path::decode(prefix).ok()?);
        let known = match spelling {
            Some(spelling) => Some(self.known(&convert::path_below(Some(&above), &proto::Path::decode(spelling).ok()?))),
            None => None,
        };
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.spellings >= SPELLINGS_KEPT {
            cache.prefixes.clear();
            cache.below.clear();
            cache.spellings = 0;
        }
        let index = match cache.prefixes.get(prefix) {
            Some(index) => *index,
            None => {
                let index = cache.below.len();
                cache.below.push(Below { prefix: Arc::new(above), known: FxHashMap::default() });
                cache.prefixes.insert(prefix.into(), index);
                cache.spellings += 1;
                index
            }
        };
        if let (Some(spelling), Some(known)) = (spelling, known) {
            cache.below.get_mut(index)?.known.insert(spelling.into(), known);
            cache.spellings += 1;
        }
        Some(())
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("paths", &self.paths.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
