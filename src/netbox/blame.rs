//! Who changed an object last, when the newest entries of the change log do not say: asked for by object, a few calls for many.
//!
//! A read takes the newest entries only, since a log holds months. Objects older than those are asked for when somebody wants to
//! know. NetBox forgets entries after a while (90 days by default): then nobody knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;

use super::client::{Call, Client, Session};
use super::error::Error;
use super::pages::{List, page};
use super::raw;
use super::read::IDS_A_CALL;
use crate::tree::Origin;

/// Most calls of one question: of what is left nobody knows.
const CALLS: usize = 20;

impl Client {
    /// Fills in who changed these objects last, when, and with which request; those that say it already are left alone. Returns
    /// how many stay unknown.
    ///
    /// # Errors
    /// See [`Error`]. What was filled in by then stays.
    pub async fn blame(&self, origins: &mut [Origin], on_call: impl Fn(&Call) + Send + Sync) -> Result<usize, Error> {
        let session = Session { client: self, on_call, calls: Mutex::default() };
        let mut wanted: BTreeMap<&'static str, BTreeSet<u64>> = BTreeMap::new();
        for (kind, id) in origins.iter().filter(|origin| origin.user.is_none()).filter_map(|origin| self.object(&origin.url)) {
            wanted.entry(kind).or_default().insert(id);
        }
        let mut known: BTreeMap<(&'static str, u64), Origin> = BTreeMap::new();
        let mut left = CALLS;
        for (kind, ids) in wanted {
            // Objects edited often fill the answer: those that are not in it are asked for again.
            let mut ids: Vec<u64> = ids.into_iter().collect();
            while !ids.is_empty() && left > 0 {
                left -= 1;
                let asked: Vec<u64> = ids.iter().copied().take(IDS_A_CALL).collect();
                let rows = session.last_changes(kind, &asked, &mut known).await?;
                let before = ids.len();
                ids.retain(|id| !asked.contains(id) || (rows.cut && !known.contains_key(&(kind, *id))));
                if ids.len() == before {
                    break;
                }
            }
        }
        let mut unknown = 0;
        for origin in origins.iter_mut().filter(|origin| origin.user.is_none()) {
            match self.object(&origin.url).and_then(|object| known.get(&object)) {
                Some(found) => {
                    origin.user.clone_from(&found.user);
                    origin.request.clone_from(&found.request);
                    origin.time = found.time.clone().or(origin.time.take());
                }
                None => unknown += 1,
            }
        }
        Ok(unknown)
    }

    /// Type and id of the object with this page.
    fn object(&self, url: &str) -> Option<(&'static str, u64)> {
        let (page, id) = url.strip_prefix(self.base())?.trim_end_matches('/').rsplit_once('/')?;
        let list = List::AFTER_DEVICES.into_iter().chain([List::Devices]).find(|list| list.facts().web.trim_end_matches('/') == page)?;
        Some((list.facts().kind, id.parse().ok()?))
    }
}

struct Rows {
    /// More entries than came.
    cut: bool,
}

impl<F: Fn(&Call) + Send + Sync> Session<'_, F> {
    /// The newest entries about these objects into `known`.
    async fn last_changes(
        &self,
        kind: &'static str,
        ids: &[u64],
        known: &mut BTreeMap<(&'static str, u64), Origin>,
    ) -> Result<Rows, Error> {
        let facts = List::Changes.facts();
        let size = self.client.settings().page_size;
        let mut url =
            format!("{}{}?limit={size}&ordering=-time&fields={}&changed_object_type={kind}", self.client.base(), facts.path, facts.fields);
        for id in ids {
            let _ = write!(url, "&changed_object_id={id}");
        }
        let body = self.get(&url).await?;
        let entries = page::<raw::Change<'_>>(List::Changes, &url, &body)?;
        let mut newest: BTreeMap<u64, u64> = BTreeMap::new();
        let cut = entries.next.is_some();
        for entry in entries.results {
            // A filter that NetBox does not know is overlooked: then this is somebody else's entry.
            let ours = entry.changed_object_type == kind && ids.contains(&entry.changed_object_id);
            if !ours || newest.get(&entry.changed_object_id).is_some_and(|have| *have > entry.id) {
                continue;
            }
            newest.insert(entry.changed_object_id, entry.id);
            let text = |text: Option<raw::Text<'_>>| text.map(|text| text.0.into_owned());
            let found =
                Origin { user: text(entry.user_name), time: text(entry.time), request: text(entry.request_id), ..Origin::default() };
            known.insert((kind, entry.changed_object_id), found);
        }
        Ok(Rows { cut })
    }
}
