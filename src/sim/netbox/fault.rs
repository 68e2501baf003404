//! Failures on purpose: what a NetBox, its proxy or its permissions do to a client on a bad day. Set at run time or by a scenario.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 403 `You do not have permission to perform this action.`
    Denied,
    /// 500 with NetBox's HTML page.
    ServerError,
    /// 502 with a proxy's HTML page.
    BadGateway,
    /// 503 with a proxy's HTML page.
    Unavailable,
    /// 504 with a proxy's HTML page.
    GatewayTimeout,
    /// 429 with a proxy's HTML page and `Retry-After: 1`.
    TooManyRequests,
    /// 200 with the HTML login page.
    LoginPage,
    /// A list with fewer rows than its `count` says and no next page.
    TruncatedPage,
    /// A complete answer whose JSON stops in the middle.
    TruncatedBody,
    /// Rows are missing and `count` agrees: what an object permission does, in GraphQL too.
    Shrink,
    /// An empty list, `count` 0.
    Empty,
    /// From the second page on every row stands one place later: somebody made an object meanwhile, and a row comes twice.
    PageRepeats,
    /// From the second page on every row stands one place earlier: somebody deleted an object meanwhile, and a row is never seen.
    PageSkips,
    /// `start=` is overlooked, as a NetBox before 4.6 does: every page is the first one of `limit` and `offset`.
    NoCursor,
    /// The token is not valid any more: 403.
    TokenRevoked,
    /// What the query names is gone: a list with `…_id=` is refused with 400, an object is not found.
    ObjectGone,
    /// Custom fields (see [`Fault::name`]) have another name: `NAME_renamed`.
    CustomFieldRenamed,
    /// Numbers in custom fields are texts.
    CustomFieldRetyped,
    /// netbox-bgp is not installed: its paths are not found, its GraphQL fields not known.
    PluginMissing,
    /// 301 to the same path on another server, without TLS.
    Redirect,
    /// 400 `Invalid branch identifier`.
    WrongBranch,
    /// GraphQL is switched off (`GRAPHQL_ENABLED`): 404.
    GraphqlOff,
    /// Half of the answer, and then nothing for [`Fault::ms`], and then the end of the connection.
    Stall,
    /// The answer comes late (see [`Fault::ms`]).
    Slow,
    /// The connection is reset before the answer.
    Reset,
    /// A webhook's post is never sent.
    WebhookLost,
    /// A webhook's post is sent twice.
    WebhookTwice,
    /// A webhook's post comes late (see [`Fault::ms`]), and the ones after it too.
    WebhookLate,
    /// A webhook's post is not what its signature says.
    WebhookForged,
}

impl Kind {
    /// Whether it happens to posts, not to requests.
    fn to_posts(self) -> bool {
        matches!(self, Self::WebhookLost | Self::WebhookTwice | Self::WebhookLate | Self::WebhookForged)
    }
}

/// One failure and when it happens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// How.
    pub kind: Kind,
    /// Only for paths that start so; empty for all. `/api/status/` is left alone unless named.
    pub path: String,
    /// After so many matching requests went well.
    pub after: u64,
    /// So many times; none for ever.
    pub times: Option<u64>,
    /// Delay of [`Kind::Slow`], [`Kind::Stall`] and [`Kind::WebhookLate`], in milliseconds.
    pub ms: u64,
    /// Rows left by [`Kind::Shrink`] and [`Kind::TruncatedPage`], in percent.
    pub keep: u64,
    /// The one custom field of [`Kind::CustomFieldRenamed`] and [`Kind::CustomFieldRetyped`]; empty for all.
    pub name: String,
}

impl Default for Fault {
    fn default() -> Self {
        Self { kind: Kind::ServerError, path: String::new(), after: 0, times: None, ms: 3000, keep: 50, name: String::new() }
    }
}

impl From<Kind> for Fault {
    fn from(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }
}

/// The faults of a running server. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Fault>>>);

impl Faults {
    /// Adds one.
    pub fn add(&self, fault: impl Into<Fault>) {
        self.lock().push(fault.into());
    }

    /// Adds those of a scenario's `netbox_fault`: a name, an object, or a list of either.
    pub fn add_json(&self, value: &serde_json::Value) -> Result<(), String> {
        let each = |value: &serde_json::Value| -> Result<Fault, String> {
            if value.is_string() {
                return serde_json::from_value::<Kind>(value.clone()).map(Fault::from).map_err(|problem| problem.to_string());
            }
            serde_json::from_value(value.clone()).map_err(|problem| problem.to_string())
        };
        let faults = match value {
            serde_json::Value::Array(list) => list.iter().map(each).collect::<Result<Vec<_>, _>>()?,
            one => vec![each(one)?],
        };
        self.lock().extend(faults);
        Ok(())
    }

    /// Ends all of them.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// What happens to a request for this path now.
    pub fn next(&self, path: &str) -> Option<Fault> {
        self.take(|fault| {
            let meant = if fault.path.is_empty() { path != "/api/status/" } else { path.starts_with(&fault.path) };
            meant && !fault.kind.to_posts()
        })
    }

    /// What happens to a webhook's post now.
    pub fn next_post(&self) -> Option<Fault> {
        self.take(|fault| fault.kind.to_posts())
    }

    fn take(&self, meant: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = self.lock();
        let index = faults.iter_mut().position(|fault| {
            let meant = meant(fault);
            let early = meant && fault.after > 0;
            if early {
                fault.after -= 1;
            }
            meant && !early
        })?;
        let fault = faults.get_mut(index)?;
        let found = fault.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                faults.remove(index);
            }
        }
        Some(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_wait_for_their_path_and_turn() {
        let faults = Faults::default();
        faults.add_json(&serde_json::json!([{"kind": "denied", "path": "/api/dcim/", "after": 1, "times": 2}, "slow"])).expect("faults");
        let next = |path| faults.next(path).map(|fault| fault.kind);
        assert_eq!(next("/api/dcim/devices/"), Some(Kind::Slow));
        assert_eq!(next("/api/dcim/devices/"), Some(Kind::Denied));
        assert_eq!(next("/api/ipam/vlans/"), Some(Kind::Slow));
        assert_eq!(next("/api/dcim/devices/"), Some(Kind::Denied));
        assert_eq!(next("/api/dcim/devices/"), Some(Kind::Slow));
        assert_eq!(next("/api/status/"), None);
        faults.clear();
        assert_eq!(next("/api/dcim/devices/"), None);
        assert!(faults.add_json(&serde_json::json!("no_such")).is_err());
    }
}
