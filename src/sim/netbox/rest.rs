//! The REST interface: who may ask, which path and method means what, and how answers and errors are worded. Pure: bytes in, bytes out.

mod writes;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::branch::{self, Active, Asked, Branches, Refused};
use super::changelog::{self, Entry, Request, absolute, relative};
use super::edit::Books;
use super::endpoint::{Endpoint, HTML, html, page_of, root};
use super::filter::{self, Query};
use super::graphql;
use super::hook::{self, Post};
use super::kind::KindId;
use super::load::Loaded;
use super::page;
use super::render::{Pick, View};

/// One call.
#[derive(Debug, Clone, Default)]
pub struct Call<'a> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// Path, from `/`.
    pub path: &'a str,
    /// What follows `?`.
    pub query: &'a str,
    /// `Authorization` header.
    pub authorization: Option<&'a str>,
    /// `If-Match` header.
    pub if_match: Option<&'a str>,
    /// `X-NetBox-Branch` header.
    pub branch: Option<&'a str>,
    /// `http://host:port` the caller used.
    pub base: &'a str,
    /// `Content-Type` header.
    pub content_type: Option<&'a str>,
    /// `Accept` header.
    pub accept: Option<&'a str>,
    /// Body.
    pub body: &'a [u8],
    /// Now, in microseconds since 1970.
    pub now: i64,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers other than `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// A token and what it may do.
#[derive(Debug, Clone)]
pub struct Token {
    /// `nbt_<key>.<secret>` (version 2) or 40 hexadecimal digits (version 1).
    pub text: String,
    /// Whether it may write.
    pub write: bool,
    /// Whose it is.
    pub user: String,
}

/// The server's state.
#[derive(Debug, Clone)]
pub struct NetBox {
    books: Books,
    raw: std::collections::BTreeMap<String, Value>,
    status: Value,
    tokens: Vec<Token>,
    last: i64,
    requests: u64,
    outbox: Vec<Post>,
    branches: Branches,
    /// The current write, until its webhooks are made.
    written: Option<Request>,
}

const NOBODY: &str = "Authentication credentials were not provided.";
const JSON: &str = "application/json";

struct Reply {
    status: u16,
    body: Value,
    etag: Option<String>,
}

impl Reply {
    fn new(status: u16, body: Value) -> Self {
        Self { status, body, etag: None }
    }
    fn detail(status: u16, text: &str) -> Self {
        Self::new(status, json!({"detail": text}))
    }
}

impl NetBox {
    /// A server over loaded recordings.
    pub fn new(loaded: Loaded, tokens: Vec<Token>) -> Self {
        let log: Vec<Entry> = loaded.changes.into_iter().filter_map(|entry| Entry::recorded(entry, &loaded.base)).collect();
        let mut raw = loaded.raw;
        for value in raw.values_mut() {
            relative(value, &loaded.base);
        }
        Self {
            books: Books { store: loaded.store, number: last_number(&log), log, events: Vec::new() },
            raw,
            status: loaded.status,
            tokens,
            last: 0,
            requests: 0,
            outbox: Vec::new(),
            branches: Branches::default(),
            written: None,
        }
    }

    /// How many objects it holds.
    pub fn len(&self) -> usize {
        KindId::all().map(|kind| self.books.store.len(kind)).sum()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The webhooks' posts since the last call of this, oldest first.
    pub fn posts(&mut self) -> Vec<Post> {
        std::mem::take(&mut self.outbox)
    }

    /// Answers one call.
    pub fn answer(&mut self, call: &Call<'_>) -> Answer {
        self.requests += 1;
        self.last = call.now.max(self.last + 1);
        let request_id = uuid(self.requests, self.last);
        self.settle();
        let parameter = page::parse(call.query).into_iter().find(|(name, _)| name == "_branch").map(|(_, value)| value);
        let active = match self.branches.active(&self.books.store, call.branch, parameter.as_deref()) {
            Active::Refused(text) if call.path != "/api/status/" => {
                return html(400, text.to_owned(), &request_id, call.path.starts_with("/api/"));
            }
            Active::Branch(id) => Some(id),
            _ => None,
        };
        if graphql::here(call.path) {
            return match self.user(call.authorization) {
                Err(NOBODY) => graphql::stranger(call, &request_id),
                Err(text) => html(403, text.to_owned(), &request_id, false),
                Ok(_) => {
                    let store = active.and_then(|id| self.branches.get(id)).map_or(&self.books.store, |copy| &copy.books.store);
                    graphql::answer(call, &View::new(store, call.base), &request_id)
                }
            };
        }
        if call.path == "/login/" {
            return graphql::login(&request_id);
        }
        let Some(end) = self.endpoint(call.path) else { return self.missing(call, &request_id) };
        let reply = match self.user(call.authorization) {
            Err(text) => Reply::detail(403, text),
            Ok(token) => {
                let inside = active.filter(|_| end.branched());
                self.exchange(inside);
                let reply = self.route(call, &end, &token, &request_id);
                self.exchange(inside);
                self.post(call, inside);
                reply
            }
        };
        // Where NetBox answers with a plain text, so does the lab.
        let plain = reply.body.as_str().map(str::to_owned);
        let mut headers = vec![
            ("Content-Type", if plain.is_some() { HTML } else { JSON }.to_owned()),
            ("API-Version", "4.7".to_owned()),
            ("Allow", end.allow()),
            ("Vary", "HX-Request, Accept-Language, Cookie, origin".to_owned()),
            ("X-Request-ID", request_id),
        ];
        headers.extend(reply.etag.map(|etag| ("ETag", etag)));
        let body = if reply.status == 204 || call.method == "HEAD" {
            Vec::new()
        } else {
            plain.unwrap_or_else(|| reply.body.to_string()).into_bytes()
        };
        Answer { status: reply.status, headers, body }
    }

    /// Puts a branch's objects in the place of main's, and back. Ids and numbers of the log are given out once on a server.
    fn exchange(&mut self, branch: Option<u64>) {
        let Some(copy) = branch.and_then(|id| self.branches.open(id)) else { return };
        copy.books.store.lift(&self.books.store);
        copy.books.number = copy.books.number.max(self.books.number);
        std::mem::swap(&mut copy.books, &mut self.books);
    }

    /// Makes the webhooks of what was written, wherever it was.
    fn post(&mut self, call: &Call<'_>, branch: Option<u64>) {
        let Some(request) = self.written.take() else { return };
        let (events, store) = match branch.and_then(|id| self.branches.open(id)) {
            Some(copy) => (std::mem::take(&mut copy.books.events), &copy.books.store),
            None => (std::mem::take(&mut self.books.events), &self.books.store),
        };
        let posts = hook::posts(store, &self.books.store, events, call, &request);
        self.outbox.extend(posts);
    }

    /// Does what branches have to do by now.
    fn settle(&mut self) {
        self.branches.settle(&mut self.books, self.last);
        if !self.books.events.is_empty() {
            let request = Request { id: uuid(0, self.last), user: "admin".to_owned(), time: iso(self.last), message: String::new() };
            self.written = Some(request);
            self.post(&Call { method: "POST", path: "/plugins/branching/branches/merge/", now: self.last, ..Call::default() }, None);
        }
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        Endpoint::of(path, |path| self.raw.contains_key(path))
    }

    fn missing(&self, call: &Call<'_>, request_id: &str) -> Answer {
        if !call.path.ends_with('/') && self.endpoint(&format!("{}/", call.path)).is_some() {
            let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
            let mut answer = html(301, String::new(), request_id, false);
            answer.headers.push(("Location", format!("{}/{query}", call.path)));
            return answer;
        }
        html(404, page_of("Page Not Found", "The requested page does not exist"), request_id, false)
    }

    fn user(&self, header: Option<&str>) -> Result<Token, &'static str> {
        let text = header.and_then(|header| header.split_once(' ')).filter(|(word, _)| matches!(*word, "Token" | "Bearer"));
        let Some((_, text)) = text else { return Err(NOBODY) };
        let text = text.trim();
        let wrong = if text.starts_with("nbt_") { "Invalid v2 token" } else { "Invalid v1 token" };
        self.tokens.iter().find(|token| token.text == text).cloned().ok_or(wrong)
    }

    fn route(&mut self, call: &Call<'_>, end: &Endpoint, token: &Token, request_id: &str) -> Reply {
        let reading = matches!(call.method, "GET" | "HEAD" | "OPTIONS");
        if !reading && !token.write && end.writable() {
            return Reply::detail(403, "You do not have permission to perform this action.");
        }
        if !end.allow().split(", ").any(|method| method == call.method) {
            return Reply::detail(405, &format!("Method \"{}\" not allowed.", call.method));
        }
        if reading {
            return self.read(call, end);
        }
        let body: Value = match serde_json::from_slice(call.body) {
            Ok(body) => body,
            Err(_) if call.body.is_empty() => json!({}),
            Err(problem) => return Reply::detail(400, &format!("JSON parse error - {problem}")),
        };
        let message = body.get("changelog_message").and_then(Value::as_str).unwrap_or_default().to_owned();
        let request = Request { id: request_id.to_owned(), user: token.user.clone(), time: iso(self.last), message };
        match *end {
            Endpoint::Archive(id) => {
                return match self.branches.archive(&mut self.books, id) {
                    Ok(()) => self.one(&View::new(&self.books.store, call.base), branch::kind(), id, 200, &Pick::default()),
                    Err(text) => Reply::new(400, json!(text)),
                };
            }
            Endpoint::Work(_, id) if self.books.store.get(branch::kind(), id).is_none() => return absent(branch::kind()),
            Endpoint::Work(work, branch) => {
                let asked = Asked { work, branch, body: &body, user: &token.user, now: self.last };
                return match self.branches.ask(&asked, &self.books, call.base) {
                    Ok(job) => Reply::new(200, job),
                    Err(Refused::Text(text)) => Reply::new(400, json!(text)),
                    Err(Refused::Conflicts(body)) => Reply::new(409, body),
                };
            }
            _ => {}
        }
        let before = self.books.clone();
        let reply = match *end {
            Endpoint::List(kind) => self.write_list(call, kind, &body, &request),
            Endpoint::Detail(kind, id) => self.write_one(call, kind, id, &body, &request),
            _ => Reply::detail(405, &format!("Method \"{}\" not allowed.", call.method)),
        };
        if reply.status >= 400 {
            self.books = before; // one request is one transaction
        }
        self.written = Some(request);
        reply
    }

    fn read(&self, call: &Call<'_>, end: &Endpoint) -> Reply {
        let query = page::parse(call.query);
        let view = View::new(&self.books.store, call.base);
        if call.method == "OPTIONS" {
            return Reply::new(200, json!({"renders": [JSON], "parses": [JSON]}));
        }
        match end {
            Endpoint::Root(app) => Reply::new(200, root(app, call.base)),
            Endpoint::Status => Reply::new(200, self.status.clone()),
            Endpoint::Raw(path) => {
                let mut body = self.raw.get(path).cloned().unwrap_or_default();
                absolute(&mut body, call.base, "");
                Reply::new(200, body)
            }
            Endpoint::Changes => match changelog::select(&self.books.log, &query) {
                Ok(ids) => {
                    let fields = pick(&query).fields;
                    let entry = |id: u64| self.books.log.iter().find(|entry| entry.id == id);
                    rows(call, &query, ids, |id| entry(id).map_or(Value::Null, |entry| entry.shown(&view, &fields)))
                }
                Err(refused) => Reply::new(400, refused),
            },
            Endpoint::Change(id) => match self.books.log.iter().find(|entry| entry.id == *id) {
                Some(entry) => Reply::new(200, entry.shown(&view, &[])),
                None => Reply::detail(404, "No ObjectChange matches the given query."),
            },
            Endpoint::Differences => {
                let wanted: Vec<&str> = query.iter().filter(|(name, _)| name == "branch_id").map(|(_, value)| value.as_str()).collect();
                let there = |id: &str| id.parse().is_ok_and(|id| self.books.store.get(branch::kind(), id).is_some());
                if let Some(gone) = wanted.iter().find(|id| !there(id)) {
                    return Reply::new(400, json!({"branch_id": [filter::no_choice(gone)]}));
                }
                let mut all = self.branches.changes(&self.books.store, call.base);
                all.retain(|(branch, _)| wanted.is_empty() || wanted.contains(&branch.to_string().as_str()));
                let numbered =
                    |at: u64| usize::try_from(at).ok().and_then(|at| all.get(at)).map_or(Value::Null, |(_, shown)| shown.clone());
                rows(call, &query, (0..all.len() as u64).collect(), numbered)
            }
            Endpoint::Job(id) => match self.branches.job(&self.books.store, *id, call.base) {
                Some(job) => Reply::new(200, job),
                None => Reply::detail(404, "No Job matches the given query."),
            },
            Endpoint::Work(..) | Endpoint::Archive(_) => Reply::detail(405, "Method \"GET\" not allowed."),
            Endpoint::List(kind) => {
                let ids = match filter::select(&view, *kind, &query) {
                    Ok(ids) => ids,
                    Err(refused) => return Reply::new(400, Value::Object(refused)),
                };
                // The branching plugin's own lists know no `fields=`.
                let pick = if *kind == branch::kind() { Pick::default() } else { pick(&query) };
                rows(call, &query, ids, |id| view.shown(*kind, id, &pick))
            }
            Endpoint::Detail(kind, id) => self.one(&view, *kind, *id, 200, &pick(&query)),
        }
    }

    fn one(&self, view: &View<'_>, kind: KindId, id: u64, status: u16, pick: &Pick) -> Reply {
        match view.store.get(kind, id) {
            None => absent(kind),
            Some(_) => Reply { status, body: view.shown(kind, id, pick), etag: Some(self.etag(kind, id)) },
        }
    }

    fn etag(&self, kind: KindId, id: u64) -> String {
        let updated = self.books.store.get(kind, id).and_then(|object| object.get("last_updated")?.as_str()).unwrap_or_default();
        format!("W/\"{}\"", updated.replace('Z', "+00:00"))
    }
}

fn last_number(log: &[Entry]) -> u64 {
    log.iter().map(|entry| entry.id).max().unwrap_or(0)
}

fn rows(call: &Call<'_>, query: &Query, ids: Vec<u64>, show: impl Fn(u64) -> Value) -> Reply {
    let page = match page::cut(ids, query) {
        Ok(page) => page,
        Err(body) => return Reply::new(400, body),
    };
    let address = |query: Option<String>| query.map(|query| format!("{}{}?{query}", call.base, call.path));
    let results: Vec<Value> = page.ids.into_iter().map(show).collect();
    Reply::new(200, json!({"count": page.count, "next": address(page.next), "previous": address(page.previous), "results": results}))
}

fn pick(query: &Query) -> Pick {
    let words = |name: &str| {
        let values = query.iter().filter(|(key, _)| key == name);
        values.flat_map(|(_, value)| value.split(',')).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let brief = query.iter().any(|(name, value)| name == "brief" && matches!(value.to_lowercase().as_str(), "true" | "1" | "yes"));
    Pick { fields: words("fields"), omit: words("omit"), brief }
}

fn absent(kind: KindId) -> Reply {
    Reply::detail(404, &format!("No {} matches the given query.", kind.get().class))
}

/// ISO time with six digits.
pub fn iso(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

fn uuid(requests: u64, micros: i64) -> String {
    let digest = Sha256::digest(format!("{requests} {micros}"));
    let mut hex: Vec<char> = digest.iter().take(16).flat_map(|byte| format!("{byte:02x}").chars().collect::<Vec<_>>()).collect();
    for (at, mark) in [(12, '4'), (16, 'a')] {
        if let Some(place) = hex.get_mut(at) {
            *place = mark;
        }
    }
    let text: String = hex.into_iter().collect();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
