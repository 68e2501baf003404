//! The HTTP side: GETs with a token, each checked, and tried again when another try can help.
//!
//! A login page has status 200, so the content type is checked; a redirect would carry the token elsewhere, so none is followed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use secrecy::ExposeSecret;
use tokio::sync::{OnceCell, watch};

use super::branch::Branch;
use super::error::Error;
use super::feed::Held;
use super::progress::Progress;
use super::settings::Settings;
use crate::intent::Fabric;
use crate::intent::finding::Finding;

/// How often one GET is tried.
pub(super) const TRIES: usize = 3;
/// The longest a proxy's `Retry-After` is heeded: a read that waits longer is better given up and named.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// What it can have moved since the read before.
    pub touched: Touched,
}

/// The devices a read can have moved since the read before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Any.
    All,
    /// These and no other, by name.
    Only(BTreeSet<Arc<str>>),
}

impl Touched {
    /// Whether a device of this name is among them.
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// A NetBox.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    base: String,
    http: reqwest::Client,
    /// Change log ids seen, the newest thousand or so.
    pub(super) recent: Mutex<BTreeSet<u64>>,
    /// The last good read, to be brought up to date by the change log.
    pub(super) held: Mutex<Option<Held>>,
    /// The branch that is read instead of main, once it was found.
    branch: OnceCell<Branch>,
    /// Why GraphQL was given up, when it was.
    pub(super) graphql_off: OnceLock<String>,
    /// How far the read under way is.
    pub(super) progress: watch::Sender<Progress>,
}

/// One read under way.
pub(super) struct Session<'a, F> {
    pub(super) client: &'a Client,
    pub(super) on_call: F,
    pub(super) calls: Mutex<Vec<Call>>,
}

/// The header that names a branch by its schema id (netbox-branching).
const BRANCH: HeaderName = HeaderName::from_static("x-netbox-branch");

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
        // Whoever comes first installs it; the binary does so at its start.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(settings.timeout)
            .user_agent(concat!("fabric-orch/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the token to where nobody meant it to go.
            .redirect(reqwest::redirect::Policy::none())
            .tls_danger_accept_invalid_certs(settings.skip_verify);
        if let Some(file) = &settings.ca {
            let pem = std::fs::read(file).map_err(|error| wrong(format!("ca {}: {error}", file.display())))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(format!("ca {}: {}", file.display(), reason(&error))))?;
            if certificates.is_empty() {
                return Err(wrong(format!("ca {} holds no certificate", file.display())));
            }
            builder = builder.tls_certs_only(certificates);
        }
        if url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]") {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| wrong(reason(&error)))?;
        Ok(Self {
            settings,
            base,
            http,
            recent: Mutex::default(),
            held: Mutex::default(),
            branch: OnceCell::new(),
            graphql_off: OnceLock::new(),
            progress: watch::Sender::default(),
        })
    }

    /// How far the read under way is, or the last one came.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// What it was made with.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The base URL, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Where the branch is kept once it was found.
    pub(super) fn branch_cell(&self) -> &OnceCell<Branch> {
        &self.branch
    }
}

impl<F: Fn(&Call) + Send + Sync> Session<'_, F> {
    /// One GET; what breaks for a moment is tried again. Reading twice changes nothing.
    pub(super) async fn get(&self, url: &str) -> Result<Bytes, Error> {
        self.ask(url, None).await
    }

    /// One GraphQL query, which reads and nothing else.
    pub(super) async fn post(&self, url: &str, query: &str) -> Result<Bytes, Error> {
        self.ask(url, Some(query)).await
    }

    async fn ask(&self, url: &str, query: Option<&str>) -> Result<Bytes, Error> {
        let mut tried = 0;
        loop {
            tried += 1;
            let begun = Instant::now();
            let answer = self.client.once(url, query).await;
            let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let (status, result) = match &answer {
                Ok(body) => (200, format!("ok, {} bytes", body.len())),
                Err((error, _)) => (status_of(error), error.to_string()),
            };
            let call = Call { method: if query.is_some() { "POST" } else { "GET" }.into(), url: url.to_owned(), status, ms, result };
            (self.on_call)(&call);
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            match answer {
                Ok(body) => return Ok(body),
                Err((_, Again::After(wait))) if tried < TRIES => tokio::time::sleep(wait.unwrap_or_else(|| backoff(tried))).await,
                Err((error, _)) => return Err(error),
            }
        }
    }
}

impl Client {
    /// One GET, once.
    async fn once(&self, url: &str, query: Option<&str>) -> Result<Bytes, (Error, Again)> {
        let lost = |error: reqwest::Error| {
            if error.is_timeout() {
                return (Error::Timeout { url: url.to_owned(), seconds: self.settings.timeout.as_secs() }, Again::No);
            }
            (Error::Unreachable { url: self.base.clone(), reason: reason(&error) }, Again::After(None))
        };
        let mut request = match query {
            None => self.http.get(url),
            Some(query) => self.http.post(url).header(CONTENT_TYPE, "application/json").body(query.to_owned()),
        };
        if let Some(branch) = self.branch.get() {
            request = request.header(BRANCH, branch.header.clone());
        }
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let header = |name| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default().to_owned();
        let (content_type, location) = (header(CONTENT_TYPE), header(LOCATION));
        // Seconds; the other form, a date, is not what proxies send.
        let after = header(RETRY_AFTER).parse().ok().map(|seconds| Duration::from_secs(seconds).min(PATIENCE));
        let body = answer.bytes().await.map_err(lost)?;
        let json = content_type.split(';').next().unwrap_or_default().trim().ends_with("json");
        let url = url.to_owned();
        match status {
            200 if json => Ok(body),
            200 | 404 if !json => Err((Error::NotJson { url, status, content_type }, Again::No)),
            401 | 403 => Err((Error::Denied { url, text: said(&body, json) }, Again::No)),
            300..=399 => Err((Error::ServerError { url, status, text: format!("it redirects to {location}") }, Again::No)),
            429 | 502 | 503 | 504 => Err((Error::ServerError { url, status, text: said(&body, json) }, Again::After(after))),
            _ => Err((Error::ServerError { url, status, text: said(&body, json) }, Again::No)),
        }
    }
}

/// Whether another try can help.
#[derive(Clone, Copy, Debug)]
enum Again {
    /// The same would come.
    No,
    /// After the time the server names, else after our own.
    After(Option<Duration>),
}

/// 100 ms, 400 ms, …, each up to half as much longer: many consoles that lost the same NetBox do not come back together.
fn backoff(tried: usize) -> Duration {
    let base = Duration::from_millis(100 * (1 << (2 * (tried.max(1) - 1))));
    base + base.mul_f64(fastrand::f64() / 2.0)
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
            '>' if in_tag => {
                in_tag = false;
                plain.push(' ');
            }
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

#[cfg(test)]
mod tests;
