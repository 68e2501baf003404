//! The change log: what was edited since the last read, and only that read again.
//!
//! NetBox tells of every edit, with ids that grow; they may be committed out of order, so a few before the newest are looked at
//! again. What an edit touches is more than its object: NetBox puts parts of one object into others (the id of a VLAN into its
//! ports, an address into its device), so these are read again, too. Where that cannot be told, the whole is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client::{Call, Client, Read, Session};
use super::error::Error;
use super::packed::Packed;
use super::pages::{List, Pages, page};
use super::raw;
use super::read::{IDS_A_CALL, READS};
use super::touch;

/// Ids of the change log may be committed out of order: so many before the last known one are looked at again.
const OVERLAP: u64 = 50;
/// After that long without a new entry, nothing older is still being committed.
const SETTLED: Duration = Duration::from_secs(120);
/// More objects than that are read faster as a whole.
const MOST: usize = 500;

/// The last good read, as it came.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Every object.
    pub(super) pages: Kept,
    /// The newest entry of the change log in it; `None` when the log may not be read.
    pub(super) last: Option<u64>,
    /// When its newest entry was seen.
    pub(super) moved: Instant,
}

/// Objects that may be packed. The change log is not: most looks at it add to it, and to nothing else.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// To be worked with.
    Open(Pages),
    /// Everything but the change log, and that.
    Packed(Packed, Pages),
}

impl Kept {
    /// Packs it, which takes a moment: not for a thread that others wait for.
    pub(super) fn close(self) -> Self {
        let Self::Open(mut pages) = self else { return self };
        let log = pages.split(List::Changes);
        match Packed::of(&pages) {
            Some(packed) => Self::Packed(packed, log),
            None => {
                pages.join(log);
                Self::Open(pages)
            }
        }
    }

    /// To be worked with from now on; `None` when it is broken, which it is not.
    pub(super) fn open(&mut self) -> Option<&mut Pages> {
        if let Self::Packed(packed, log) = self {
            let mut pages = packed.open()?;
            pages.join(std::mem::take(log));
            *self = Self::Open(pages);
        }
        match self {
            Self::Open(pages) => Some(pages),
            Self::Packed(..) => None,
        }
    }

    /// Adds entries of the change log.
    fn learn(&mut self, entries: Pages) {
        let (Self::Open(pages) | Self::Packed(_, pages)) = self;
        pages.join(entries);
    }
}

/// An entry of the change log, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: u64,
    /// `dcim.interface`
    pub(super) kind: String,
    pub(super) object: u64,
    pub(super) deleted: bool,
}

impl Client {
    /// What changed since the last good read, and nothing else, is read again. `None` when nothing did that matters. Without a
    /// last good read, or when the change log cannot be read, this is [`Client::read`].
    ///
    /// # Errors
    /// See [`Error`]. After one the next call reads the whole.
    pub async fn follow(&self, on_call: impl Fn(&Call) + Send + Sync) -> Result<Option<Read>, Error> {
        // Taken: whoever is interrupted here leaves nothing half done, the next one reads the whole.
        let Some(mut held) = self.held.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return self.read(on_call).await.map(Some);
        };
        let Some(mut last) = held.last else { return self.read(on_call).await.map(Some) };
        let session = Session { client: self, on_call, calls: Mutex::default() };
        session.find_branch().await?;
        let mut before = None;
        let (mut seen, mut moved) = (Vec::new(), BTreeSet::new());
        for _ in 0..READS {
            let settled = held.moved.elapsed() > SETTLED && seen.is_empty();
            let mut entries = Pages::default();
            let fresh = session.entries(last, settled, &mut entries).await?;
            held.pages.learn(entries);
            let fresh: Vec<Entry> = fresh.into_iter().filter(|entry| !seen.contains(&entry.id)).collect();
            seen.extend(fresh.iter().map(|entry| entry.id));
            if !fresh.is_empty() {
                held.moved = Instant::now();
            }
            last = fresh.iter().map(|entry| entry.id).fold(last, u64::max);
            let relevant: Vec<&Entry> = fresh.iter().filter(|entry| List::relevant(&entry.kind)).collect();
            if relevant.is_empty() {
                held.last = Some(last);
                self.remember(seen.iter().copied());
                let (Some(before), Kept::Open(now)) = (&before, &held.pages) else {
                    self.hold(Some(held));
                    return Ok(None);
                };
                if moved.is_empty() {
                    let closed = tokio::task::spawn_blocking(move || Held { pages: held.pages.close(), ..held }).await;
                    self.hold(closed.ok());
                    return Ok(None);
                }
                let touched = touch::devices(before, now, &moved);
                let (held, read) = held.assemble(self.settings(), touched).await?;
                self.hold(Some(held));
                return Ok(Some(Read { calls: session.calls.into_inner().unwrap_or_else(PoisonError::into_inner), ..read }));
            }
            let Some(pages) = held.pages.open() else { return self.read(session.on_call).await.map(Some) };
            before.get_or_insert_with(|| pages.clone());
            let Some(parts) = touch::parts(pages, &relevant).filter(|parts| parts.values().map(BTreeSet::len).sum::<usize>() <= MOST)
            else {
                return self.read(session.on_call).await.map(Some);
            };
            if !session.parts(pages, parts, &mut moved).await? {
                return self.read(session.on_call).await.map(Some);
            }
        }
        // Somebody edits without end: the whole read says so if it stays like that.
        self.read(session.on_call).await.map(Some)
    }

    pub(super) fn hold(&self, held: Option<Held>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    pub(super) fn remember(&self, ids: impl Iterator<Item = u64>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.extend(ids);
        while recent.len() > 2_000 {
            recent.pop_first();
        }
    }
}

impl<F: Fn(&Call) + Send + Sync> Session<'_, F> {
    /// The newest entries of the change log into `pages`: who changed what last. `None` when the token may not see them.
    pub(super) async fn change_log(&self, pages: &mut Pages) -> Result<Option<u64>, Error> {
        let facts = List::Changes.facts();
        let size = self.client.settings().page_size;
        let url = format!("{}{}?limit={size}&ordering=-time&fields={}", self.client.base(), facts.path, facts.fields);
        let body = match self.get(&url).await {
            Ok(body) => body,
            Err(Error::Denied { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let ids: Vec<u64> = page::<raw::Id>(List::Changes, &url, &body)?.results.into_iter().map(|entry| entry.id).collect();
        let last = ids.iter().copied().max().unwrap_or(0);
        self.client.remember(ids.into_iter());
        pages.push(List::Changes, url, body)?;
        Ok(Some(last))
    }

    /// Entries nobody has seen, those shortly before `last` among them unless `settled`. They go into `pages`, too: they name authors.
    pub(super) async fn entries(&self, last: u64, settled: bool, pages: &mut Pages) -> Result<Vec<Entry>, Error> {
        let facts = List::Changes.facts();
        // Without memory of what was seen, older ids say nothing.
        let blank = self.client.recent.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        let from = if blank || settled { last + 1 } else { (last + 1).saturating_sub(OVERLAP) };
        let (mut found, mut start) = (Vec::new(), from);
        loop {
            let size = self.client.settings().page_size;
            let url = format!("{}{}?start={start}&limit={size}&fields={}", self.client.base(), facts.path, facts.fields);
            let body = self.get(&url).await?;
            let page_body = body.clone();
            let entries = page::<raw::Change<'_>>(List::Changes, &url, &page_body)?;
            let known = found.len();
            {
                let recent = self.client.recent.lock().unwrap_or_else(PoisonError::into_inner);
                let fresh = entries.results.iter().filter(|entry| entry.id >= from && !recent.contains(&entry.id));
                found.extend(fresh.map(|entry| Entry {
                    id: entry.id,
                    kind: entry.changed_object_type.to_string(),
                    object: entry.changed_object_id,
                    deleted: entry.action.as_ref().is_some_and(|action| action.0 == "delete"),
                }));
            }
            let top = entries.results.iter().map(|entry| entry.id).max().unwrap_or(0);
            // A server without cursors ignores `start` and says a count: its first page holds the newest.
            let end = entries.next.is_none() || entries.count.is_some() || top < start;
            // Nearly every look finds nothing new: then nothing is kept of it.
            if found.len() > known {
                pages.push(List::Changes, url, body)?;
            }
            if end {
                return Ok(found);
            }
            start = top + 1;
        }
    }

    /// Reads single objects again. `false` when that showed that the whole is to be read.
    async fn parts(
        &self,
        pages: &mut Pages,
        parts: BTreeMap<List, BTreeSet<u64>>,
        moved: &mut BTreeSet<(List, u64)>,
    ) -> Result<bool, Error> {
        let mut jobs = Vec::new();
        for (list, ids) in &parts {
            let facts = list.facts();
            for chunk in ids.iter().collect::<Vec<_>>().chunks(IDS_A_CALL) {
                let mut url = format!("{}{}?fields={}", self.client.base(), facts.path, facts.fields);
                for id in chunk {
                    let _ = write!(url, "&id={id}");
                }
                jobs.push((*list, url));
            }
        }
        let mut fetched = Pages::default();
        self.list(jobs, &mut fetched).await?;
        for (list, ids) in parts {
            for id in ids {
                let (old, new) = (pages.body(list, id).cloned(), fetched.body(list, id).cloned());
                if list == List::Devices && touch::membership_moved(self.client.settings(), old.as_deref(), new.as_deref()) {
                    return Ok(false);
                }
                match new {
                    Some(new) if touch::is_ours(pages, list, &new) => {
                        if old.as_ref() != Some(&new) {
                            pages.copy(&fetched, list, id);
                            moved.insert((list, id));
                        }
                    }
                    _ => {
                        if pages.remove(list, id) {
                            moved.insert((list, id));
                        }
                    }
                }
            }
        }
        Ok(true)
    }
}
