//! The HTTP side: GETs with a token, several at once, each checked; one consistent read of the whole fabric.
//!
//! Nothing is trusted that was seen to lie: an unknown filter is ignored by NetBox (so devices are checked again when the records
//! are made), `limit` is cut in silence (so rows are counted), `next` is built from the request's Host (so it is only a signal),
//! and a login page has status 200 (so the content type is checked).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use secrecy::ExposeSecret;
use serde::de::IgnoredAny;

use super::assemble::{Assembled, assemble};
use super::error::Error;
use super::pages::{List, Pages, page};
use super::raw;
use super::settings::Settings;
use crate::intent::Fabric;
use crate::intent::finding::{Finding, Severity};

/// Device ids in one URL: proxies cut long ones.
const IDS_A_CALL: usize = 100;
/// How often one GET is tried.
const TRIES: usize = 3;
/// How often the whole is read when edits come in between.
const READS: usize = 3;
/// Ids of the change log may be committed out of order: so many before the last known one are looked at again.
const OVERLAP: u64 = 50;

/// One call, for the log. Never holds the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `GET`.
    pub method: String,
    /// With its query.
    pub url: String,
    /// HTTP status; 0 when no answer came.
    pub status: u16,
    /// Milliseconds it took.
    pub ms: u64,
    /// `ok, 122 objects`, or the error.
    pub result: String,
}

/// A whole, consistent read.
#[derive(Clone, Debug)]
pub struct Read {
    /// The records. Findings of reading and lint are in it.
    pub fabric: Fabric,
    /// The same findings as `fabric.findings`, for the engine.
    pub findings: Vec<Finding>,
    /// Objects read.
    pub objects: usize,
    /// Calls made, in the order they ended.
    pub calls: Vec<Call>,
    /// The newest entry of the change log it holds; `None` when the log may not be read.
    pub last_change_id: Option<u64>,
}

/// A NetBox.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    base: String,
    http: reqwest::Client,
    /// Change log ids seen, the newest thousand or so.
    recent: Mutex<BTreeSet<u64>>,
}

/// One read under way.
struct Session<'a, F> {
    client: &'a Client,
    on_call: F,
    calls: Mutex<Vec<Call>>,
}

impl Client {
    /// Checks the settings; no call is made.
    ///
    /// # Errors
    /// [`Error::Settings`] for a URL or token that cannot work.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Settings { reason };
        let base = settings.url.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base).map_err(|error| wrong(format!("`{base}` is no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(format!("`{base}` is neither http nor https")));
        }
        let token = settings.token.expose_secret();
        if token.is_empty() {
            return Err(wrong("there is no token: give token_file, or FABRIC_ORCH_NETBOX_TOKEN".into()));
        }
        // The version of a token is told by its prefix.
        let keyword = if token.starts_with("nbt_") { "Bearer" } else { "Token" };
        let mut authorization =
            HeaderValue::from_str(&format!("{keyword} {token}")).map_err(|_| wrong("the token holds characters no token has".into()))?;
        authorization.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(branch) = &settings.branch {
            let branch = HeaderValue::from_str(branch).map_err(|_| wrong(format!("`{branch}` is no branch")))?;
            headers.insert("x-netbox-branch", branch);
        }
        // Whoever comes first installs it; the binary does so at its start.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(settings.timeout)
            .user_agent(concat!("fabric-orch/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the token to where nobody meant it to go.
            .redirect(reqwest::redirect::Policy::none())
            .tls_danger_accept_invalid_certs(settings.skip_verify);
        if url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]") {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| wrong(reason(&error)))?;
        Ok(Self { settings, base, http, recent: Mutex::default() })
    }

    /// Reads the whole fabric. Any page that fails rejects everything. When somebody edits the fabric meanwhile, it is read
    /// again. `on_call` hears of every call as it ends, also of those of a read that is rejected.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(&self, on_call: impl Fn(&Call) + Send + Sync) -> Result<Read, Error> {
        let session = Session { client: self, on_call, calls: Mutex::default() };
        for attempt in 1..=READS {
            let mut pages = Pages::default();
            let last = session.change_log(&mut pages).await?;
            let read = session.lists(&mut pages).await;
            // A device that went away between two calls makes its id a bad one.
            if attempt < READS && matches!(read, Err(Error::ServerError { status: 400, .. })) {
                continue;
            }
            read?;
            if let Some(last) = last {
                let (newest, changed) = session.changes(last).await?;
                if changed {
                    tracing::debug!(attempt, last, newest, "NetBox was edited during the read");
                    continue;
                }
            }
            let settings = self.settings.clone();
            let made = tokio::task::spawn_blocking(move || assemble(&pages, &settings)).await;
            let Assembled { mut fabric, objects } = made.map_err(|error| Error::Settings { reason: error.to_string() })??;
            if last.is_none() {
                fabric.findings.push(no_change_log());
            }
            if fabric.devices.is_empty() {
                fabric.findings.push(no_devices(&self.settings.tag));
            }
            let calls = session.calls.into_inner().unwrap_or_else(PoisonError::into_inner);
            return Ok(Read { findings: fabric.findings.clone(), fabric, objects, calls, last_change_id: last });
        }
        Err(Error::Unsettled { tries: READS })
    }

    /// Whether anything that can change intent was edited after `seen` ([`Read::last_change_id`]). `None` counts as changed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn changed_since(&self, seen: Option<u64>) -> Result<bool, Error> {
        match seen {
            Some(last) => Ok(self.poll(last).await?.1),
            None => Ok(true),
        }
    }

    /// The newest id of the change log, and whether anything after `last` can change intent.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn poll(&self, last: u64) -> Result<(u64, bool), Error> {
        Session { client: self, on_call: |_: &Call| {}, calls: Mutex::default() }.changes(last).await
    }

    fn remember(&self, ids: impl Iterator<Item = u64>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.extend(ids);
        while recent.len() > 2_000 {
            recent.pop_first();
        }
    }
}

impl<F: Fn(&Call) + Send + Sync> Session<'_, F> {
    /// The newest entries of the change log into `pages`: who changed what last. `None` when the token may not see them.
    async fn change_log(&self, pages: &mut Pages) -> Result<Option<u64>, Error> {
        let facts = List::Changes.facts();
        let size = self.client.settings.page_size;
        let url = format!("{}{}?limit={size}&ordering=-time&fields={}", self.client.base, facts.path, facts.fields);
        let body = match self.get(&url).await {
            Ok(body) => body,
            Err(Error::Denied { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let ids: Vec<u64> = page::<raw::Id>(List::Changes, &url, &body)?.results.into_iter().map(|entry| entry.id).collect();
        let last = ids.iter().copied().max().unwrap_or(0);
        self.client.remember(ids.into_iter());
        pages.push(List::Changes, url, body);
        Ok(Some(last))
    }

    /// The newest id, and whether anything unseen can change intent.
    async fn changes(&self, last: u64) -> Result<(u64, bool), Error> {
        let facts = List::Changes.facts();
        let known = self.client.recent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Without memory of what was seen, older ids say nothing.
        let from = if known.is_empty() { last + 1 } else { (last + 1).saturating_sub(OVERLAP) };
        let (mut newest, mut changed, mut start) = (last, false, from);
        loop {
            let size = self.client.settings.page_size;
            let url = format!("{}{}?start={start}&limit={size}&fields={}", self.client.base, facts.path, facts.fields);
            let body = self.get(&url).await?;
            let entries = page::<raw::Change<'_>>(List::Changes, &url, &body)?;
            let fresh: Vec<_> = entries.results.iter().filter(|entry| entry.id >= from && !known.contains(&entry.id)).collect();
            changed |= fresh.iter().any(|entry| List::relevant(&entry.changed_object_type));
            let top = entries.results.iter().map(|entry| entry.id).max().unwrap_or(0);
            newest = newest.max(top);
            self.client.remember(entries.results.iter().map(|entry| entry.id));
            // A server without cursors ignores `start` and says a count: its first page holds the newest.
            if entries.next.is_none() || entries.count.is_some() || changed || top < start {
                return Ok((newest, changed));
            }
            start = top + 1;
        }
    }

    /// Devices, then everything else.
    async fn lists(&self, pages: &mut Pages) -> Result<(), Error> {
        let client = self.client;
        let facts = List::Devices.facts();
        let tag = &client.settings.tag;
        self.list(vec![(List::Devices, format!("{}{}?tag={}&fields={}", client.base, facts.path, escaped(tag), facts.fields))], pages)
            .await?;
        let mut ids: Vec<u64> = pages.parse::<raw::Id>(List::Devices)?.into_iter().map(|device| device.id).collect();
        ids.sort_unstable();
        let mut jobs = Vec::new();
        for list in List::REST {
            let facts = list.facts();
            if !facts.per_device {
                jobs.push((list, format!("{}{}?fields={}", client.base, facts.path, facts.fields)));
                continue;
            }
            for chunk in ids.chunks(IDS_A_CALL) {
                let mut url = format!("{}{}?fields={}", client.base, facts.path, facts.fields);
                for id in chunk {
                    let _ = write!(url, "&device_id={id}");
                }
                jobs.push((list, url));
            }
        }
        self.list(jobs, pages).await
    }

    /// All pages of several lists: the first page of each, then what is left of them.
    async fn list(&self, jobs: Vec<(List, String)>, pages: &mut Pages) -> Result<(), Error> {
        let (size, parallel) = (self.client.settings.page_size.max(1), self.client.settings.parallel.max(1));
        let fetch = |(job, list, url, offset): (usize, List, String, usize)| async move {
            let url = format!("{url}&limit={size}&offset={offset}");
            let body = self.get(&url).await?;
            let read = page::<IgnoredAny>(list, &url, &body)?;
            Ok::<_, Error>((job, list, url, body, read.count, read.results.len(), read.next.is_some()))
        };
        let first = jobs.iter().enumerate().map(|(job, (list, url))| (job, *list, url.clone(), 0));
        let first: Vec<_> = stream::iter(first.collect::<Vec<_>>()).map(&fetch).buffer_unordered(parallel).try_collect().await?;
        let (mut counts, mut got, mut more) = (vec![0; jobs.len()], vec![0; jobs.len()], Vec::new());
        for (job, list, url, body, count, rows, next) in first {
            let count = count.unwrap_or(rows);
            counts[job] = count;
            got[job] = rows;
            if next && rows > 0 {
                let base = jobs.get(job).map(|(_, url)| url.clone()).unwrap_or_default();
                more.extend((rows..count).step_by(rows).map(|offset| (job, list, base.clone(), offset)));
            }
            pages.push(list, url, body);
        }
        let rest: Vec<_> = stream::iter(more).map(&fetch).buffer_unordered(parallel).try_collect().await?;
        for (job, list, url, body, _, rows, _) in rest {
            got[job] += rows;
            pages.push(list, url, body);
        }
        for ((got, count), (_, url)) in got.into_iter().zip(counts).zip(&jobs) {
            if got != count {
                return Err(Error::Truncated { url: url.clone(), got, count });
            }
        }
        Ok(())
    }

    /// One GET; what breaks for a moment is tried again. Reading twice changes nothing.
    async fn get(&self, url: &str) -> Result<Bytes, Error> {
        let mut tried = 0;
        loop {
            tried += 1;
            let begun = Instant::now();
            let answer = self.client.once(url).await;
            let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let (status, result) = match &answer {
                Ok(body) => (200, format!("ok, {} bytes", body.len())),
                Err((error, _)) => (status_of(error), error.to_string()),
            };
            let call = Call { method: "GET".into(), url: url.to_owned(), status, ms, result };
            (self.on_call)(&call);
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            match answer {
                Ok(body) => return Ok(body),
                Err((_, true)) if tried < TRIES => tokio::time::sleep(Duration::from_millis(100 * (1 << (2 * (tried - 1))))).await,
                Err((error, _)) => return Err(error),
            }
        }
    }
}

impl Client {
    /// One GET, once. The flag says whether another try can help.
    async fn once(&self, url: &str) -> Result<Bytes, (Error, bool)> {
        let lost = |error: reqwest::Error| {
            if error.is_timeout() {
                return (Error::Timeout { url: url.to_owned(), seconds: self.settings.timeout.as_secs() }, false);
            }
            (Error::Unreachable { url: self.base.clone(), reason: reason(&error) }, true)
        };
        let answer = self.http.get(url).send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let header = |name| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default().to_owned();
        let (content_type, location) = (header(CONTENT_TYPE), header(LOCATION));
        let body = answer.bytes().await.map_err(lost)?;
        let json = content_type.split(';').next().unwrap_or_default().trim().ends_with("json");
        let url = url.to_owned();
        match status {
            200 if json => Ok(body),
            200 | 404 if !json => Err((Error::NotJson { url, status, content_type }, false)),
            401 | 403 => Err((Error::Denied { url, text: said(&body, json) }, false)),
            300..=399 => Err((Error::ServerError { url, status, text: format!("it redirects to {location}") }, false)),
            429 | 502 | 503 | 504 => Err((Error::ServerError { url, status, text: said(&body, json) }, true)),
            _ => Err((Error::ServerError { url, status, text: said(&body, json) }, false)),
        }
    }
}

/// What an error answer says, in short: its `detail`, or the text of the page.
fn said(body: &[u8], json: bool) -> String {
    #[derive(serde::Deserialize)]
    struct Detail {
        detail: String,
    }
    let text = match serde_json::from_slice::<Detail>(body) {
        Ok(detail) if json => detail.detail,
        _ => String::from_utf8_lossy(body.get(..2_000).unwrap_or(body)).into_owned(),
    };
    let mut plain = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' if !json => in_tag = true,
            '>' if in_tag => in_tag = false,
            _ if !in_tag => plain.push(if c.is_whitespace() { ' ' } else { c }),
            _ => {}
        }
    }
    let short: String = plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    if short.is_empty() { "(empty answer)".into() } else { short }
}

fn status_of(error: &Error) -> u16 {
    match error {
        Error::ServerError { status, .. } | Error::NotJson { status, .. } => *status,
        Error::Denied { .. } => 403,
        _ => 0,
    }
}

/// The innermost reason: `Connection refused`, not `error sending request`.
fn reason(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// A query value.
fn escaped(text: &str) -> String {
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

#[cfg(test)]
mod tests;
