//! One consistent read of the whole fabric over REST.
//!
//! Nothing is trusted that was seen to lie: an unknown filter is ignored by NetBox (so devices are checked again when the records
//! are made), `limit` is cut in silence (so rows are counted), `next` is built from the request's Host (so it is only a signal).

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::IgnoredAny;

use super::assemble::{Assembled, assemble};
use super::client::{Call, Client, Read, Session, Touched};
use super::error::Error;
use super::feed::{Held, Kept};
use super::pages::{List, Pages, page};
use super::progress::Progress;
use super::raw;
use super::saved::Saved;
use super::settings::Settings;
use crate::intent::finding::{Finding, Severity};

/// Device ids in one URL: proxies cut long ones.
pub(super) const IDS_A_CALL: usize = 100;
/// How often the whole is read when edits come in between.
pub(super) const READS: usize = 3;

impl Client {
    /// Reads the whole fabric. Any page that fails rejects everything. When somebody edits the fabric meanwhile, it is read
    /// again. `on_call` hears of every call as it ends, also of those of a read that is rejected.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(&self, on_call: impl Fn(&Call) + Send + Sync) -> Result<Read, Error> {
        let session = Session { client: self, on_call, calls: Mutex::default() };
        self.hold(None);
        session.find_branch().await?;
        let mut moved = None;
        for attempt in 1..=READS {
            let mut pages = Pages::default();
            self.progress.send_replace(Progress::default());
            let last = session.change_log(&mut pages).await?;
            match session.lists(&mut pages).await {
                Ok(()) => {}
                // A device that went away between two calls makes its id a bad one, and rows that moved between two pages are
                // counted wrong. Who edits says so in the change log; reading again is right in any case.
                Err(error @ (Error::ServerError { status: 400, .. } | Error::Truncated { .. })) if attempt < READS => {
                    moved = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            }
            if let Some(last) = last {
                let fresh = session.entries(last, false, &mut pages).await?;
                self.remember(fresh.iter().map(|entry| entry.id));
                if fresh.iter().any(|entry| List::relevant(&entry.kind)) {
                    tracing::debug!(attempt, last, "NetBox was edited during the read");
                    moved = None;
                    continue;
                }
            }
            let held = Held { pages: Kept::Open(pages), last, moved: Instant::now() };
            let (held, read) = held.assemble(self.settings(), Touched::All).await?;
            self.hold(Some(held));
            return Ok(Read { calls: session.calls.into_inner().unwrap_or_else(PoisonError::into_inner), ..read });
        }
        Err(moved.unwrap_or(Error::Unsettled { tries: READS }))
    }
}

impl Held {
    /// The fabric it holds, and itself packed until it is needed again. The calls are left for who made them.
    pub(super) async fn assemble(mut self, settings: &Settings, touched: Touched) -> Result<(Self, Read), Error> {
        let owned = settings.clone();
        let made = tokio::task::spawn_blocking(move || {
            let assembled = assemble(
                self.pages.open().ok_or_else(|| Error::Settings { reason: "what was read cannot be unpacked".to_owned() })?,
                &owned,
            )?;
            self.pages = self.pages.close();
            Ok::<_, Error>((self, assembled))
        });
        let (held, Assembled { mut fabric, objects }) = made.await.map_err(|error| Error::Settings { reason: error.to_string() })??;
        let last = held.last;
        if last.is_none() {
            fabric.findings.push(no_change_log());
        }
        if fabric.devices.is_empty() {
            fabric.findings.push(no_devices(&settings.tag));
        }
        let findings = fabric.findings.clone();
        Ok((held, Read { findings, fabric, objects, calls: Vec::new(), last_change_id: last, touched }))
    }
}

impl<F: Fn(&Call) + Send + Sync> Session<'_, F> {
    /// Devices, then everything else.
    pub(super) async fn lists(&self, pages: &mut Pages) -> Result<(), Error> {
        let base = self.client.base();
        let saved = self.saved_filter().await?;
        pages.filtered = saved.is_some();
        self.graphql(pages).await?;
        if !pages.has(List::Devices) {
            self.list(vec![(List::Devices, devices_url(self.client.settings(), base, saved.as_ref()))], pages).await?;
        }
        if let Some(saved) = &saved {
            let devices = pages.parse::<raw::Device<'_>>(List::Devices)?;
            let others: Vec<u64> = devices.iter().filter(|device| !saved.fits(device)).map(|device| device.id).collect();
            others.into_iter().for_each(|id| _ = pages.remove(List::Devices, id));
        }
        let ids: Vec<u64> = pages.parse::<raw::Id>(List::Devices)?.into_iter().map(|device| device.id).collect();
        let mut jobs = Vec::new();
        for list in List::AFTER_DEVICES.into_iter().filter(|list| !pages.has(*list)) {
            let facts = list.facts();
            if !facts.per_device {
                jobs.push((list, format!("{}{}?fields={}", base, facts.path, facts.fields)));
                continue;
            }
            for chunk in ids.chunks(IDS_A_CALL) {
                let mut url = format!("{}{}?fields={}", base, facts.path, facts.fields);
                for id in chunk {
                    let _ = write!(url, "&device_id={id}");
                }
                jobs.push((list, url));
            }
        }
        self.list(jobs, pages).await
    }

    /// Says that rows came.
    pub(super) fn tell(&self, list: List, rows: usize, of: Option<usize>) {
        self.client.progress.send_modify(|progress| progress.add(list.facts().word, rows, of));
    }

    /// All pages of several lists: the first page of each, then what is left of them.
    pub(super) async fn list(&self, jobs: Vec<(List, String)>, pages: &mut Pages) -> Result<(), Error> {
        let (size, parallel) = (self.client.settings().page_size.max(1), self.client.settings().parallel.max(1));
        let fetch = |(job, list, url, offset): (usize, List, String, usize)| async move {
            let url = format!("{url}&limit={size}&offset={offset}");
            let body = self.get(&url).await?;
            let read = page::<IgnoredAny>(list, &url, &body)?;
            if offset > 0 {
                self.tell(list, read.results.len(), None);
            }
            Ok::<_, Error>((job, list, url, body, read.count, read.results.len(), read.next.is_some()))
        };
        let first = jobs.iter().enumerate().map(|(job, (list, url))| (job, *list, url.clone(), 0));
        let first: Vec<_> = stream::iter(first.collect::<Vec<_>>()).map(&fetch).buffer_unordered(parallel).try_collect().await?;
        let (mut counts, mut got, mut more) = (vec![0; jobs.len()], vec![0; jobs.len()], Vec::new());
        for (job, list, url, body, count, rows, next) in first {
            let count = count.unwrap_or(rows);
            self.tell(list, rows, Some(count));
            counts[job] = count;
            got[job] = rows;
            if next && rows > 0 {
                let base = jobs.get(job).map(|(_, url)| url.clone()).unwrap_or_default();
                more.extend((rows..count).step_by(rows).map(|offset| (job, list, base.clone(), offset)));
            }
            pages.push(list, url, body)?;
        }
        let rest: Vec<_> = stream::iter(more).map(&fetch).buffer_unordered(parallel).try_collect().await?;
        for (job, list, url, body, _, rows, _) in rest {
            got[job] += rows;
            pages.push(list, url, body)?;
        }
        for ((got, count), (_, url)) in got.iter().zip(&counts).zip(&jobs) {
            if got != count {
                return Err(Error::Truncated { url: url.clone(), got: *got, count: *count });
            }
        }
        // Pages that moved while they were read hold an object twice and miss another: the rows add up, the objects do not.
        for (list, url) in &jobs {
            let rows: usize = jobs.iter().zip(&got).filter(|((of, _), _)| of == list).map(|(_, got)| got).sum();
            if pages.count(*list) != rows {
                return Err(Error::Truncated { url: url.clone(), got: pages.count(*list), count: rows });
            }
        }
        Ok(())
    }
}

/// The managed devices: those with the tag, and of the sites, when some are named.
fn devices_url(settings: &Settings, base: &str, saved: Option<&Saved>) -> String {
    let facts = List::Devices.facts();
    let mut url = format!("{base}{}?fields={}", facts.path, facts.fields);
    if !settings.tag.is_empty() {
        let _ = write!(url, "&tag={}", escaped(&settings.tag));
    }
    // Two of one name would be any of both; ours are looked at again when the records are made.
    for site in settings.sites.iter().filter(|_| saved.is_none_or(|saved| !saved.says("site"))) {
        let _ = write!(url, "&site={}", escaped(site));
    }
    url.extend(saved.map(Saved::query));
    url
}

/// A query value.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn no_change_log() -> Finding {
    Finding {
        code: "no-change-log".into(),
        severity: Severity::Info,
        device: None,
        path: None,
        origin: None,
        message: "the token may not read NetBox's change log: authors are unknown, and edits during a read go unseen".into(),
        hint: "give its user the permission core.view_objectchange".into(),
    }
}

fn no_devices(tag: &str) -> Finding {
    Finding {
        code: "no-devices".into(),
        severity: Severity::Error,
        device: None,
        path: None,
        origin: None,
        message: format!("NetBox shows no device with the tag {tag}"),
        hint: "is the tag's slug right, and may the token's user view the devices?".into(),
    }
}
