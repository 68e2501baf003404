//! Webhooks of NetBox: is this one really from it, and new? What it says of objects is never believed: NetBox fires the same hook
//! for an edit inside a branch. It is a hint to look at the change log.
//!
//! NetBox signs the raw body: `X-Hook-Signature` is the hex HMAC-SHA512 under the webhook's secret. There is no delivery id and
//! no timestamp outside the body, so a replay is told by the body's `timestamp` and by the request and signature seen before.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::raw::Text;

/// Name of the header with the signature.
pub const SIGNATURE: &str = "x-hook-signature";
/// Hooks older than that are replays, or so late that the change log has told everything. A busy NetBox takes minutes to send one.
const WINDOW: Duration = Duration::from_secs(3600);
/// How far NetBox's clock may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(300);
/// So many are remembered; a replay of an older one makes us look at the change log once.
const REMEMBERED: usize = 10_000;

/// Tells hooks of this NetBox from others.
#[derive(Debug)]
pub struct Guard {
    key: hmac::Key,
    seen: Mutex<VecDeque<[u8; 64]>>,
}

/// A hook that is genuine and new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// `created`, `updated`, `deleted`: for the log, not to be believed.
    pub event: String,
    /// `dcim.interface`: as above.
    pub object_type: String,
    /// The request that made the edit: as above.
    pub request: String,
    /// Who: as above.
    pub user: String,
}

/// Why a hook is not heeded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No signature: the webhook in NetBox has no secret.
    #[error("no X-Hook-Signature: give the webhook in NetBox the secret of these settings")]
    Unsigned,
    /// A wrong one.
    #[error("the signature is not ours: another secret, or a body that was changed on its way")]
    Forged,
    /// Signed, and not what NetBox sends.
    #[error("this is no webhook body of NetBox: {0}")]
    Unreadable(String),
    /// Older than we look back, or from the future.
    #[error("its timestamp {0} is too far from now: a replay, or a wrong clock")]
    Old(String),
    /// Heard before.
    #[error("heard before: a replay")]
    Replayed,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    object_type: Text<'a>,
    #[serde(borrow, default)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    user: Option<Text<'a>>,
}

impl Guard {
    /// For hooks signed with this secret.
    pub fn new(secret: &SecretString) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA512, secret.expose_secret().as_bytes()), seen: Mutex::default() }
    }

    /// Judges a hook: its signature first, in constant time, before a byte of the body is read. `now` is in milliseconds since the
    /// Unix epoch.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn check(&self, signature: Option<&str>, body: &[u8], now: u64) -> Result<Hint, Refused> {
        let signature = signature.ok_or(Refused::Unsigned)?;
        let tag = unhex(signature).ok_or(Refused::Forged)?;
        hmac::verify(&self.key, body, &tag).map_err(|_| Refused::Forged)?;
        let read: Body<'_> = serde_json::from_slice(body).map_err(|error| Refused::Unreadable(error.to_string()))?;
        let stamp: jiff::Timestamp =
            read.timestamp.0.parse().map_err(|_| Refused::Unreadable(format!("timestamp {}", read.timestamp.0)))?;
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let (past, ahead) = (millis(WINDOW), millis(AHEAD));
        if stamp.as_millisecond() < now.saturating_sub(past) || stamp.as_millisecond() > now.saturating_add(ahead) {
            return Err(Refused::Old(read.timestamp.0.chars().take(40).collect()));
        }
        // Edits made in one request share its id and differ in body; the same body under the same secret has the same signature.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&tag) {
            return Err(Refused::Replayed);
        }
        if seen.len() >= REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(tag);
        let (request, user) =
            read.request.map(|request| (request.id.0.into_owned(), request.user.map(|user| user.0.into_owned()))).unwrap_or_default();
        Ok(Hint { event: read.event.0.into_owned(), object_type: read.object_type.0.into_owned(), request, user: user.unwrap_or_default() })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn unhex(text: &str) -> Option<[u8; 64]> {
    let mut bytes = [0; 64];
    if text.len() != 128 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_795_339_202_000;

    fn guard() -> Guard {
        Guard::new(&"lab-webhook-secret".into())
    }

    /// Signed as NetBox does it.
    fn signed(body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA512, b"lab-webhook-secret");
        hmac::sign(&key, body.as_bytes()).as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    fn body(stamp: &str) -> String {
        format!(
            r#"{{"event":"updated","timestamp":"{stamp}","object_type":"dcim.interface","data":{{"id":27}},"request":{{"id":"0b7d7725","user":"admin"}},"snapshots":{{}}}}"#
        )
    }

    #[test]
    fn a_genuine_hook_is_heeded_once() {
        let (guard, body) = (guard(), body("2026-11-22T09:20:02.271014+00:00"));
        let now = u64::try_from("2026-11-22T09:20:09Z".parse::<jiff::Timestamp>().unwrap().as_millisecond()).unwrap();
        let hint = guard.check(Some(&signed(&body)), body.as_bytes(), now).unwrap();
        assert_eq!((hint.event.as_str(), hint.object_type.as_str(), hint.user.as_str()), ("updated", "dcim.interface", "admin"));
        assert_eq!(guard.check(Some(&signed(&body)), body.as_bytes(), now), Err(Refused::Replayed));
        let upper = signed(&body).to_uppercase();
        assert_eq!(guard.check(Some(&upper), body.as_bytes(), now), Err(Refused::Replayed), "the same bytes in other letters");
        let later = now + 3_700_000;
        assert!(matches!(Guard::check(&super::tests::guard(), Some(&signed(&body)), body.as_bytes(), later), Err(Refused::Old(_))));
        assert!(matches!(Guard::check(&super::tests::guard(), Some(&signed(&body)), body.as_bytes(), now - 400_000), Err(Refused::Old(_))));
    }

    #[test]
    fn what_is_not_signed_is_not_read() {
        let guard = guard();
        let body = body("2026-11-22T09:20:02Z");
        assert_eq!(guard.check(None, body.as_bytes(), NOW), Err(Refused::Unsigned));
        for signature in ["", "00", &"0".repeat(128), &"é".repeat(64), &signed("another body")] {
            assert_eq!(guard.check(Some(signature), body.as_bytes(), NOW), Err(Refused::Forged), "{signature}");
        }
        for text in ["", "[]", r#"{"event":"updated"}"#, r#"{"event":"x","timestamp":"yesterday","object_type":"y"}"#] {
            assert!(matches!(guard.check(Some(&signed(text)), text.as_bytes(), NOW), Err(Refused::Unreadable(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_a_forgery(at in 0usize..1000, bit in 0u8..8) {
            let text = body("2026-11-22T09:20:02Z");
            let mut bytes = text.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(guard().check(Some(&signed(&text)), &bytes, NOW), Err(Refused::Forged));
        }
    }
}
