//! Which endpoint a path names, what may be done there, and the pages NetBox answers with where it does not answer JSON.

use serde_json::{Value, json};

use super::branch::{self, Work};
use super::kind::KindId;
use super::rest::Answer;

const LIST: &str = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS";
const DETAIL: &str = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS";
const READ: &str = "GET, HEAD, OPTIONS";
/// Pages, and plain texts too.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The list of apps, or of an app's endpoints.
    Root(String),
    /// `/api/status/`.
    Status,
    /// An answer kept as recorded.
    Raw(String),
    /// The change log.
    Changes,
    /// One entry of it.
    Change(u64),
    /// What branches changed.
    Differences,
    /// Merge, sync or revert of a branch.
    Work(Work, u64),
    /// The end of a merged branch.
    Archive(u64),
    /// A job.
    Job(u64),
    /// Objects of a kind.
    List(KindId),
    /// One object.
    Detail(KindId, u64),
}

const APPS: &[&str] =
    &["circuits", "core", "dcim", "extras", "ipam", "plugins", "status", "tenancy", "users", "virtualization", "vpn", "wireless"];

impl Endpoint {
    pub(super) fn of(path: &str, raw: impl Fn(&str) -> bool) -> Option<Self> {
        let path = path.strip_prefix("/api/")?;
        if path.is_empty() {
            return Some(Self::Root(String::new()));
        }
        let path = path.strip_suffix('/')?;
        if path == "status" {
            return Some(Self::Status);
        }
        if APPS.contains(&path) || matches!(path, "plugins/bgp" | "plugins/branching") {
            return Some(Self::Root(path.to_owned()));
        }
        if path == "core/object-changes" {
            return Some(Self::Changes);
        }
        if path == "plugins/branching/changes" {
            return Some(Self::Differences);
        }
        if let Some((id, action)) = path.strip_prefix("plugins/branching/branches/").and_then(|rest| rest.split_once('/')) {
            return match action {
                "merge" => id.parse().ok().map(|id| Self::Work(Work::Merge, id)),
                "sync" => id.parse().ok().map(|id| Self::Work(Work::Sync, id)),
                "revert" => id.parse().ok().map(|id| Self::Work(Work::Revert, id)),
                "archive" => id.parse().ok().map(Self::Archive),
                _ => None,
            };
        }
        if let Some(kind) = KindId::of_path(path) {
            return Some(Self::List(kind));
        }
        if raw(path) {
            return Some(Self::Raw(path.to_owned()));
        }
        let (parent, id) = path.rsplit_once('/')?;
        let id: u64 = id.parse().ok()?;
        match KindId::of_path(parent) {
            Some(kind) => Some(Self::Detail(kind, id)),
            None if parent == "core/object-changes" => Some(Self::Change(id)),
            None if parent == "core/jobs" => Some(Self::Job(id)),
            None => None,
        }
    }

    /// Whether a branch has its own answer.
    pub(super) fn branched(&self) -> bool {
        match self {
            Self::List(kind) | Self::Detail(kind, _) => branch::branched(*kind),
            Self::Changes | Self::Change(_) => true,
            _ => false,
        }
    }

    pub(super) fn writable(&self) -> bool {
        matches!(self, Self::List(_) | Self::Detail(..) | Self::Work(..) | Self::Archive(_))
    }

    pub(super) fn allow(&self) -> String {
        let (base, trace) = match self {
            Self::Work(..) | Self::Archive(_) => ("POST, OPTIONS", false),
            Self::List(kind) if *kind == branch::kind() => ("GET, POST, HEAD, OPTIONS", false),
            Self::List(kind) => (LIST, kind.get().trace),
            Self::Detail(kind, _) => (DETAIL, kind.get().trace),
            _ => (READ, false),
        };
        if trace { format!("{base}, TRACE") } else { base.to_owned() }
    }
}

/// The list of what is below an app.
pub(super) fn root(app: &str, base: &str) -> Value {
    let entry = |name: &str, path: &str| (name.to_owned(), json!(format!("{base}/api/{path}/")));
    if app.is_empty() {
        return Value::Object(APPS.iter().map(|app| entry(app, app)).collect());
    }
    if app == "plugins/branching" {
        let names = ["branch-events", "branchable-models", "branches", "changes"];
        return Value::Object(names.iter().map(|name| entry(name, &format!("{app}/{name}"))).collect());
    }
    let prefix = format!("{app}/");
    let kinds = KindId::all().filter_map(|kind| kind.get().path.strip_prefix(&prefix)).filter(|name| !name.contains('/'));
    Value::Object(kinds.map(|name| entry(name, &format!("{prefix}{name}"))).collect())
}

/// A small HTML page, for what NetBox answers with a page.
pub(super) fn page_of(title: &str, text: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\" data-netbox-version=\"4.7.3\">\n<head><meta charset=\"UTF-8\"><title>{title} | NetBox</title></head>\n<body><h1>{title}</h1><p>{text}</p></body>\n</html>\n"
    )
}

/// An answer that is a page or plain text.
pub(super) fn html(status: u16, body: String, request_id: &str, api: bool) -> Answer {
    let mut headers = vec![("Content-Type", HTML.to_owned()), ("X-Request-ID", request_id.to_owned())];
    if api {
        headers.push(("API-Version", "4.7".to_owned()));
    }
    Answer { status, headers, body: body.into_bytes() }
}
