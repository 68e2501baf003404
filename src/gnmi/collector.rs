//! One connection for many devices: a collector (gnmic's gNMI server, gnmi-gateway) tells them apart by `prefix.target`.
//!
//! Everybody who wants the connection gets the one there is. While it is being made all wait for that one try, and when it
//! fails all get that failure: a thousand devices behind a dead collector knock once, not a thousand times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use prost::Message as _;
use tokio::sync::Mutex;
use tonic::Status;

use super::connect::Wired;
use super::error::Error;
use super::target::Target;
use super::wire::proto::{self, subscribe_response};

/// A collector. Shared by the targets behind it.
pub struct Hub {
    target: Target,
    /// Connections tried so far, and ended well or badly.
    tries: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wired: Option<Wired>,
    failed: Option<(u64, Error)>,
}

/// Room for all streams together before the collector has to wait for us.
const WINDOW: u32 = 32 * 1024 * 1024;

impl Hub {
    /// A collector at a target's address, with its TLS and credentials. Nothing is connected yet.
    pub fn new(target: Target) -> Arc<Self> {
        Arc::new(Self { target, tries: AtomicU64::new(0), state: Mutex::default() })
    }

    /// Its name in the settings.
    pub fn name(&self) -> &str {
        &self.target.name
    }

    /// Connections tried so far.
    pub fn tries(&self) -> u64 {
        self.tries.load(Ordering::SeqCst)
    }

    /// The connection, made now if there is none. `device` is for whom, in errors.
    pub(super) async fn wired(&self, device: &str) -> Result<Wired, Error> {
        let before = self.tries();
        let mut state = self.state.lock().await;
        if let Some(wired) = state.wired.as_ref().filter(|wired| wired.alive()) {
            return Ok(wired.clone());
        }
        state.wired = None;
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| *at > before) {
            return Err(error.clone().of(device));
        }
        let made = Wired::connect(&self.target, WINDOW, true).await;
        let tries = self.tries.fetch_add(1, Ordering::SeqCst) + 1;
        match made {
            Ok(wired) => {
                state.failed = None;
                state.wired = Some(wired.clone());
                Ok(wired)
            }
            Err(error) => {
                state.failed = Some((tries, error.clone()));
                Err(error.of(device))
            }
        }
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("target", &self.target).field("tries", &self.tries()).finish_non_exhaustive()
    }
}

/// The prefix that names a target.
pub fn prefix(target: &str) -> proto::Path {
    proto::Path { target: target.to_owned(), ..proto::Path::default() }
}

/// An answer whose target was checked, without it: paths are then spelled alike for all devices.
///
/// # Errors
/// What is wrong with the answer: it is of another target, or names none.
pub fn opened(bytes: Bytes, expected: &str) -> Result<Bytes, String> {
    match cut(&bytes, expected) {
        Some(result) => result,
        None => reread(&bytes, expected),
    }
}

/// The result for one answer to a Get, or for a notification that was read already.
///
/// # Errors
/// As [`opened`].
pub fn check(said: &str, expected: &str) -> Result<(), String> {
    match said {
        said if said == expected => Ok(()),
        "" => Err(format!("the collector's answer names no target; \"{expected}\" was asked for")),
        other => Err(format!("the collector answered for target \"{other}\" instead of \"{expected}\"")),
    }
}

/// The slow way, for whatever is not of the usual form.
fn reread(bytes: &Bytes, expected: &str) -> Result<Bytes, String> {
    // What cannot be read is the decoder's to complain about.
    let Ok(mut message) = proto::SubscribeResponse::decode(bytes.clone()) else { return Ok(bytes.clone()) };
    let Some(subscribe_response::Response::Update(notification)) = &mut message.response else { return Ok(bytes.clone()) };
    let said = notification.prefix.as_mut().map(|prefix| std::mem::take(&mut prefix.target)).unwrap_or_default();
    check(&said, expected)?;
    Ok(message.encode_to_vec().into())
}

/// One field: number, where it begins, where its content is when it has a length.
struct Field {
    number: u64,
    begin: usize,
    content: Option<std::ops::Range<usize>>,
    end: usize,
}

fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.get(at..)?.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, at + index + 1));
        }
    }
    None
}

fn field(bytes: &[u8], begin: usize) -> Option<Field> {
    let (tag, at) = varint(bytes, begin)?;
    let (content, end) = match tag & 7 {
        0 => (None, varint(bytes, at)?.1),
        1 => (None, at.checked_add(8)?),
        5 => (None, at.checked_add(4)?),
        2 => {
            let (length, at) = varint(bytes, at)?;
            let end = at.checked_add(usize::try_from(length).ok()?)?;
            (Some(at..end), end)
        }
        _ => return None,
    };
    (end <= bytes.len()).then_some(Field { number: tag >> 3, begin, content, end })
}

/// The one field with this number and a length; `None` inside when there is none, outside when there are several or the bytes
/// are broken.
fn only(bytes: &[u8], number: u64) -> Option<Option<Field>> {
    let (mut at, mut found) = (0, None);
    while at < bytes.len() {
        let field = field(bytes, at)?;
        at = field.end;
        if field.number == number {
            field.content.as_ref()?;
            if found.replace(field).is_some() {
                return None;
            }
        }
    }
    Some(found)
}

/// The usual form: one notification with one prefix with one target. `None` when it is something else.
fn cut(bytes: &Bytes, expected: &str) -> Option<Result<Bytes, String>> {
    const UPDATE: u64 = 1;
    const PREFIX: u64 = 2;
    const TARGET: u64 = 4;
    let Some(update) = only(bytes, UPDATE)? else {
        // A sync, or nothing: no target goes with it.
        return Some(Ok(bytes.clone()));
    };
    let notification = bytes.get(update.content?)?;
    let prefix = only(notification, PREFIX)??;
    let path = notification.get(prefix.content.clone()?)?;
    let target = only(path, TARGET)??;
    let said = std::str::from_utf8(path.get(target.content.clone()?)?).ok()?;
    if let Err(problem) = check(said, expected) {
        return Some(Err(problem));
    }
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(bytes.get(..update.begin)?);
    let rest = path.len() - (target.end - target.begin);
    let mut head = Vec::with_capacity(8);
    if rest > 0 {
        tagged(&mut head, PREFIX, rest);
    }
    let whole = notification.len() - (prefix.end - prefix.begin) + head.len() + rest;
    tagged(&mut out, UPDATE, whole);
    out.extend_from_slice(notification.get(..prefix.begin)?);
    out.extend_from_slice(&head);
    out.extend_from_slice(path.get(..target.begin)?);
    out.extend_from_slice(path.get(target.end..)?);
    out.extend_from_slice(notification.get(prefix.end..)?);
    out.extend_from_slice(bytes.get(update.end..)?);
    Some(Ok(out.into()))
}

/// Tag and length of a field with a length.
fn tagged(out: &mut Vec<u8>, number: u64, length: usize) {
    for mut value in [number << 3 | 2, length as u64] {
        while value >= 0x80 {
            out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
}

/// The status a stream ends with when an answer is not ours.
pub(super) fn misdirected(problem: String) -> Status {
    Status::data_loss(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(target: &str, elems: &[String], updates: usize, timestamp: i64) -> proto::SubscribeResponse {
        let elem = |name: &String| proto::PathElem { name: name.clone(), ..proto::PathElem::default() };
        let path = proto::Path { elem: elems.iter().map(elem).collect(), target: target.to_owned(), ..proto::Path::default() };
        let update = proto::Update {
            path: Some(proto::Path { elem: elems.iter().map(elem).collect(), ..proto::Path::default() }),
            ..proto::Update::default()
        };
        let notification =
            proto::Notification { timestamp, prefix: Some(path), update: vec![update; updates], ..proto::Notification::default() };
        proto::SubscribeResponse { response: Some(subscribe_response::Response::Update(notification)), ..Default::default() }
    }

    fn bytes(message: &proto::SubscribeResponse) -> Bytes {
        message.encode_to_vec().into()
    }

    #[test]
    fn an_answer_for_another_target_is_none() {
        let answer = bytes(&message("leaf2", &["a".into()], 1, 5));
        assert_eq!(opened(answer, "leaf1"), Err("the collector answered for target \"leaf2\" instead of \"leaf1\"".into()));
        let answer = bytes(&message("", &["a".into()], 1, 5));
        assert!(opened(answer, "leaf1").unwrap_err().contains("names no target"));
        let sync = proto::SubscribeResponse { response: Some(subscribe_response::Response::SyncResponse(true)), ..Default::default() };
        assert_eq!(opened(bytes(&sync), "leaf1"), Ok(bytes(&sync)));
    }

    proptest! {
        /// The quick way and prost's agree, whatever the sizes are.
        #[test]
        fn the_target_goes_and_nothing_else(
            target in "[a-z0-9é-]{1,200}", elems in proptest::collection::vec("[a-z]{0,40}", 0..6), updates in 0usize..40, time in any::<i64>()
        ) {
            let answer = bytes(&message(&target, &elems, updates, time));
            let quick = cut(&answer, &target).expect("the usual form").unwrap();
            let read = |bytes: Bytes| {
                let mut message = proto::SubscribeResponse::decode(bytes).unwrap();
                if let Some(subscribe_response::Response::Update(notification)) = &mut message.response {
                    // An empty prefix and none are the same.
                    notification.prefix = notification.prefix.take().filter(|prefix| *prefix != proto::Path::default());
                }
                message
            };
            prop_assert_eq!(read(quick), read(reread(&answer, &target).unwrap()));
        }

        #[test]
        fn broken_bytes_are_no_panic(mut broken in proptest::collection::vec(any::<u8>(), 0..80), at in 0usize..80, byte in any::<u8>()) {
            let _ = opened(broken.clone().into(), "leaf1");
            broken = bytes(&message("leaf1", &["interfaces".into()], 3, 7)).to_vec();
            let at = at % broken.len();
            if let Some(slot) = broken.get_mut(at) { *slot = byte; }
            let _ = opened(broken.clone().into(), "leaf1");
            let _ = opened(broken.split_off(at).into(), "leaf1");
        }
    }
}
