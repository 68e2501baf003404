//! The subscription of one device as a pure state machine: what happened and the time go in, what to do comes out.
//!
//! It holds no connection and reads no clock, so every order of events can be tested. Times are milliseconds of any clock
//! that only goes forward.
//!
//! One stream carries all paths. When the device refuses it, the path its text names (or, when it names none, the one found
//! by halving the list on the same connection) goes one step down: ON_CHANGE → SAMPLE → periodic Get → given up, and the
//! others stream on. A sync marks the mirror complete; on a resync what was not said again is swept, so the sync is taken
//! with a pinch of salt: servers send it early, twice or never.

use std::collections::VecDeque;
use std::time::Duration;

pub use super::model::{Action, How, Input, Limits, Mode, Report, State, Subscription};
use crate::gnmi::error::Error;
use crate::gnmi::named::named_path;
use crate::path::Path;

#[derive(Clone, Debug)]
struct Watched {
    subscription: Subscription,
    how: How,
    removed: bool,
    /// When the next Get is due; `None` while one is on its way.
    next_get: Option<u64>,
    got: bool,
    /// Gets in a row that failed, without being refused.
    failed: u32,
}

/// Gets of a path that may fail before the others go live without it.
const GETS_TRIED: u32 = 3;

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Idle,
    Waiting {
        until: u64,
    },
    Connecting,
    Trial {
        accepted: Vec<usize>,
        current: Vec<usize>,
        pending: VecDeque<Vec<usize>>,
        since: u64,
        found: bool,
        cause: Error,
    },
    Streaming(Stream),
    /// Connected, stream closed: we were too slow. Waits for [`Input::Resync`].
    Held,
}

#[derive(Clone, Debug, PartialEq)]
struct Stream {
    streams: bool,
    opened: u64,
    last: u64,
    updates: u64,
    synced: Option<Synced>,
    done: Option<u64>,
    silent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Synced {
    at: u64,
    empty: bool,
}

/// The subscription of one device.
#[derive(Clone, Debug)]
pub struct Machine {
    device: String,
    limits: Limits,
    watched: Vec<Watched>,
    phase: Phase,
    attempt: u32,
    dice: u64,
    ever_live: bool,
    broke_at: Option<u64>,
    /// Streams in a row on which nothing came at all.
    mute: u32,
    resyncs: u64,
    odd_syncs: u64,
    trouble: Option<Error>,
    auth: bool,
    refused: bool,
    unsynced: bool,
    reported: Option<Report>,
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Machine {
    /// A machine that has done nothing yet; `seed` makes its jitter.
    pub fn new(device: impl Into<String>, subscriptions: Vec<Subscription>, limits: Limits, seed: u64) -> Self {
        let mut machine = Self {
            device: device.into(),
            limits,
            watched: Vec::new(),
            phase: Phase::Idle,
            attempt: 0,
            dice: seed | 1,
            ever_live: false,
            broke_at: None,
            mute: 0,
            resyncs: 0,
            odd_syncs: 0,
            trouble: None,
            auth: false,
            refused: false,
            unsynced: false,
            reported: None,
        };
        subscriptions.into_iter().for_each(|subscription| machine.watch(subscription));
        machine
    }

    /// The path and interval behind a number, and how it is had.
    pub fn subscription(&self, index: usize) -> Option<(&Subscription, How)> {
        self.watched.get(index).map(|watched| (&watched.subscription, watched.how))
    }

    /// All of them that are still wanted, numbers included.
    pub fn subscriptions(&self) -> impl Iterator<Item = (usize, &Subscription, How)> {
        self.watched
            .iter()
            .enumerate()
            .filter(|(_, watched)| !watched.removed)
            .map(|(index, watched)| (index, &watched.subscription, watched.how))
    }

    /// Paths that are to be read by Get and never were: that nothing is known below them means nothing.
    pub fn unread(&self) -> impl Iterator<Item = &Path> {
        let unread = |watched: &&Watched| watched.how == How::Get && !watched.removed && !watched.got;
        self.watched.iter().filter(unread).map(|watched| &watched.subscription.path)
    }

    /// Times the stream was set up again.
    pub fn resyncs(&self) -> u64 {
        self.resyncs
    }

    /// Syncs that came twice or before any value.
    pub fn odd_syncs(&self) -> u64 {
        self.odd_syncs
    }

    /// Whether the first values are in.
    pub(super) fn is_synced(&self) -> bool {
        matches!(&self.phase, Phase::Streaming(stream) if stream.done.is_some())
    }

    /// What the device row says now.
    pub fn report(&self) -> Report {
        let next_try = match self.phase {
            Phase::Waiting { until } => Some(until),
            _ => None,
        };
        let broken = if self.ever_live { State::Stale } else { State::Connecting };
        let state = match &self.phase {
            Phase::Streaming(stream) if stream.done.is_some() && !stream.silent => State::Live,
            Phase::Streaming(stream) if stream.done.is_some() => State::Stale,
            Phase::Streaming(_) | Phase::Trial { .. } => State::Syncing,
            _ if self.auth => State::AuthFailed,
            _ if self.refused => State::Refused,
            _ => broken,
        };
        Report { state, trouble: self.trouble.clone(), next_try, unsynced: self.unsynced && state == State::Live }
    }

    /// When [`Input::Tick`] is due next; `None` when nothing waits for time.
    pub fn wake_at(&self) -> Option<u64> {
        let stream = match &self.phase {
            Phase::Idle => Some(0),
            Phase::Waiting { until } => Some(*until),
            Phase::Trial { since, .. } => Some(since + ms(self.limits.trial)),
            Phase::Streaming(stream) => self.stream_wake(stream),
            Phase::Connecting | Phase::Held => None,
        };
        let gets = match &self.phase {
            Phase::Streaming(_) => self
                .watched
                .iter()
                .filter(|watched| watched.how == How::Get && !watched.removed)
                .filter_map(|watched| watched.next_get)
                .min(),
            _ => None,
        };
        [stream, gets].into_iter().flatten().min()
    }

    fn stream_wake(&self, stream: &Stream) -> Option<u64> {
        if stream.done.is_some() {
            let limit = self.silence()?;
            return Some(stream.last + if stream.silent { 2 * limit } else { limit });
        }
        match self.due(stream) {
            // The last Get's answer wakes it.
            Some(_) if !self.got_all() => None,
            Some(due) => Some(due),
            None => Some(stream.opened + ms(self.limits.no_sync_most)),
        }
    }

    /// When the first values count as complete; `None` when nothing came yet.
    fn due(&self, stream: &Stream) -> Option<u64> {
        match stream.synced {
            _ if !stream.streams => Some(stream.opened),
            Some(synced) => {
                let (settle, most) = self.settle(synced);
                Some((stream.last.max(synced.at) + settle).min(synced.at + most))
            }
            None if stream.updates > 0 => {
                Some((stream.last + ms(self.limits.no_sync_quiet)).min(stream.opened + ms(self.limits.no_sync_most)))
            }
            None => None,
        }
    }

    /// One step: something happened at `now`.
    pub fn step(&mut self, now: u64, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Tick => self.tick(now, &mut actions),
            Input::Connected => {
                if self.phase == Phase::Connecting {
                    self.auth = false;
                    if self.broke_at.is_some_and(|at| now.saturating_sub(at) >= ms(self.limits.healthy)) {
                        // Away for long: another software may have come up, which supports other paths.
                        self.forget();
                    }
                    self.open(now, &mut actions);
                }
            }
            Input::ConnectFailed(error) => {
                if self.phase == Phase::Connecting {
                    self.broke(now, error, &mut actions);
                }
            }
            Input::Message(updates) => self.message(now, updates, &mut actions),
            Input::Sync => self.sync(now, &mut actions),
            Input::StreamFailed(error) => self.stream_failed(now, error, &mut actions),
            Input::Got(index, error) => self.got(now, index, error, &mut actions),
            Input::Overflow(dropped) => {
                if matches!(self.phase, Phase::Streaming(_) | Phase::Trial { .. }) {
                    self.phase = Phase::Held;
                    self.trouble = Some(self.broken(format!("we were too slow: {dropped} updates were thrown away")));
                    actions.push(Action::CloseStream);
                }
            }
            Input::Resync { forget } => {
                if forget {
                    self.forget();
                }
                match self.phase {
                    Phase::Streaming(_) | Phase::Held | Phase::Trial { .. } => {
                        self.resyncs += 1;
                        self.open(now, &mut actions);
                    }
                    Phase::Waiting { .. } if forget => self.connect(&mut actions),
                    _ => {}
                }
            }
            Input::Add(subscription) => {
                self.watch(subscription);
                self.reopen(now, &mut actions);
            }
            Input::Remove(path) => {
                self.watched.iter_mut().filter(|watched| watched.subscription.path == path).for_each(|watched| watched.removed = true);
                self.reopen(now, &mut actions);
            }
        }
        let report = self.report();
        if self.reported.as_ref() != Some(&report) {
            actions.push(Action::Report(report.clone()));
            self.reported = Some(report);
        }
        actions
    }

    fn watch(&mut self, subscription: Subscription) {
        let how = subscription.mode.into();
        match self.watched.iter_mut().find(|watched| watched.subscription.path == subscription.path) {
            Some(watched) => *watched = Watched { subscription, how, removed: false, next_get: None, got: false, failed: 0 },
            None => self.watched.push(Watched { subscription, how, removed: false, next_get: None, got: false, failed: 0 }),
        }
    }

    fn forget(&mut self) {
        for watched in &mut self.watched {
            watched.how = watched.subscription.mode.into();
            watched.got = false;
        }
        self.refused = false;
    }

    fn reopen(&mut self, now: u64, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Streaming(_) | Phase::Trial { .. }) {
            self.resyncs += 1;
            self.open(now, actions);
        }
    }

    fn connect(&mut self, actions: &mut Vec<Action>) {
        self.phase = Phase::Connecting;
        actions.push(Action::Connect);
    }

    fn streamed(&self) -> Vec<usize> {
        self.subscriptions().filter(|(_, _, how)| how.streams()).map(|(index, _, _)| index).collect()
    }

    /// Opens the stream with everything that streams, and sets the Gets going.
    fn open(&mut self, now: u64, actions: &mut Vec<Action>) {
        let streamed = self.streamed();
        if self.subscriptions().all(|(_, _, how)| how == How::GivenUp) && !self.watched.iter().all(|watched| watched.removed) {
            return self.all_refused(now, actions);
        }
        self.refused = false;
        self.trouble = None;
        for watched in self.watched.iter_mut().filter(|watched| watched.how == How::Get) {
            watched.next_get = Some(now);
            (watched.got, watched.failed) = (false, 0);
        }
        self.phase = Phase::Streaming(Stream {
            streams: !streamed.is_empty(),
            opened: now,
            last: now,
            updates: 0,
            synced: None,
            done: None,
            silent: false,
        });
        actions.push(Action::SyncStart);
        actions.push(if streamed.is_empty() { Action::CloseStream } else { Action::Open(streamed) });
        self.tick(now, actions);
    }

    fn all_refused(&mut self, now: u64, actions: &mut Vec<Action>) {
        self.refused = true;
        self.broke_at.get_or_insert(now);
        self.phase = Phase::Waiting { until: now + ms(self.limits.refused) };
        actions.push(Action::Close);
    }

    /// The connection or the stream is gone.
    fn broke(&mut self, now: u64, error: Error, actions: &mut Vec<Action>) {
        if let Phase::Streaming(stream) = &self.phase
            && stream.done.is_some_and(|done| now.saturating_sub(done) >= ms(self.limits.healthy))
        {
            self.attempt = 0;
        }
        self.auth = error.is_auth();
        self.refused = matches!(error, Error::NoTarget { .. });
        self.attempt = self.attempt.saturating_add(1);
        let most = ms(self.limits.backoff_most);
        let wait = if error.needs_a_person() {
            most
        } else {
            ms(self.limits.backoff_first).saturating_mul(1u64.checked_shl(self.attempt.min(32) - 1).unwrap_or(u64::MAX)).min(most)
        };
        self.trouble = Some(error);
        self.broke_at = Some(now);
        self.phase = Phase::Waiting { until: now + self.jitter(wait) };
        actions.push(Action::Close);
    }

    /// Between three quarters of it and all of it, so that a fabric does not come back in step.
    fn jitter(&mut self, wait: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        wait - self.dice % (wait / 4 + 1)
    }

    fn tick(&mut self, now: u64, actions: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Idle => self.connect(actions),
            Phase::Waiting { until } if now >= *until => {
                if self.refused {
                    self.forget();
                }
                self.connect(actions);
            }
            Phase::Trial { since, .. } if now >= *since + ms(self.limits.trial) => self.trial_accepted(now, actions),
            Phase::Streaming(_) => self.tick_stream(now, actions),
            _ => {}
        }
        if matches!(self.phase, Phase::Streaming(_)) {
            for (index, watched) in self.watched.iter_mut().enumerate().filter(|(_, watched)| watched.how == How::Get && !watched.removed) {
                if watched.next_get.is_some_and(|due| now >= due) {
                    watched.next_get = None;
                    actions.push(Action::Get(index));
                }
            }
        }
    }

    fn tick_stream(&mut self, now: u64, actions: &mut Vec<Action>) {
        let (silence, got_all) = (self.silence(), self.got_all());
        let due = match &self.phase {
            Phase::Streaming(stream) => self.due(stream),
            _ => return,
        };
        let Phase::Streaming(stream) = &mut self.phase else { return };
        if stream.done.is_some() {
            let silent_for = now.saturating_sub(stream.last);
            match silence {
                Some(limit) if silent_for >= 2 * limit => {
                    let error = self.broken(format!("nothing came for {} s", silent_for / 1000));
                    self.broke(now, error, actions);
                }
                Some(limit) if silent_for >= limit && !stream.silent => {
                    stream.silent = true;
                    self.trouble = Some(self.broken(format!("nothing came for {} s", silent_for / 1000)));
                }
                _ => {}
            }
            return;
        }
        let empty = stream.streams && stream.updates == 0;
        match due {
            None if now >= stream.opened + ms(self.limits.no_sync_most) => {
                let reason = format!("subscribed, and nothing came within {} s", self.limits.no_sync_most.as_secs());
                self.mute += 1;
                // Once may be a device that hangs. Twice is one that takes a way of streaming and does not do it.
                if self.mute > 1 {
                    self.mute = 0;
                    return self.lower_all(now, &reason, actions);
                }
                let error = self.broken(reason);
                self.broke(now, error, actions);
            }
            // Nothing at all is no device's whole truth: it may be one that streams in another way only. A Get decides.
            Some(due) if now >= due && got_all && empty => {
                self.lower_all(now, "subscribed, and it says that it sent everything, which was nothing", actions);
            }
            Some(due) if now >= due && got_all => self.done(now, actions),
            _ => {}
        }
    }

    fn broken(&self, reason: String) -> Error {
        Error::Broken { device: self.device.clone(), reason }
    }

    /// Whether every path that is read by Get was answered once, or failed so often that the others need not wait.
    fn got_all(&self) -> bool {
        let had = |watched: &Watched| watched.removed || watched.how != How::Get || watched.got || watched.failed >= GETS_TRIED;
        self.watched.iter().all(had)
    }

    /// The quiet a sync needs to be believed, and how long it is waited for.
    fn settle(&self, synced: Synced) -> (u64, u64) {
        let most = ms(self.limits.settle_most);
        if synced.empty {
            (ms(self.limits.settle).saturating_mul(4), most)
        } else if self.ever_live {
            (ms(self.limits.settle), most)
        } else {
            // Some say it in mid-stream: what comes right behind it is of the first values too.
            let first = ms(self.limits.settle_first);
            (first, first.saturating_mul(10).min(most))
        }
    }

    /// How long a stream may be silent; `None` when silence is normal.
    fn silence(&self) -> Option<u64> {
        let expected = self
            .subscriptions()
            .filter_map(|(_, subscription, how)| match how {
                How::Sample | How::Get => Some(subscription.interval),
                How::OnChange | How::TargetDefined => Some(subscription.heartbeat),
                How::GivenUp => None,
            })
            .filter(|interval| !interval.is_zero())
            .min()?;
        Some(ms(self.limits.silence).max(ms(expected).saturating_mul(3)).max(1))
    }

    fn done(&mut self, now: u64, actions: &mut Vec<Action>) {
        let Phase::Streaming(stream) = &mut self.phase else { return };
        let unsynced = stream.streams && stream.synced.is_none();
        stream.done = Some(now);
        stream.last = now.max(stream.last);
        self.unsynced = unsynced;
        self.ever_live = true;
        self.broke_at = None;
        actions.push(Action::SyncDone { unsynced });
    }

    fn message(&mut self, now: u64, updates: usize, actions: &mut Vec<Action>) {
        self.mute = 0;
        match &mut self.phase {
            Phase::Trial { .. } => self.trial_accepted(now, actions),
            Phase::Streaming(stream) => {
                stream.last = now;
                stream.updates = stream.updates.saturating_add(updates as u64);
                if stream.silent {
                    stream.silent = false;
                    self.trouble = None;
                }
            }
            _ => {}
        }
    }

    fn sync(&mut self, now: u64, actions: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Trial { .. } => self.trial_accepted(now, actions),
            Phase::Streaming(stream) => {
                if stream.synced.is_some() || stream.updates == 0 {
                    self.odd_syncs += 1;
                }
                stream.last = now;
                if stream.synced.is_none() {
                    stream.synced = Some(Synced { at: now, empty: stream.updates == 0 });
                    // A sync that comes after we gave up waiting still tells what is gone.
                    if stream.done.is_some() && self.unsynced {
                        self.unsynced = false;
                        actions.push(Action::SyncDone { unsynced: false });
                    }
                }
                self.tick_stream(now, actions);
            }
            _ => {}
        }
    }

    fn stream_failed(&mut self, now: u64, error: Error, actions: &mut Vec<Action>) {
        let group = match &self.phase {
            Phase::Streaming(stream) if stream.streams => self.streamed(),
            Phase::Trial { current, .. } => current.clone(),
            _ => return,
        };
        let Some(reason) = refusal(&error) else { return self.broke(now, error, actions) };
        let paths = group.iter().filter_map(|index| self.watched.get(*index)).map(|watched| &watched.subscription.path);
        let named = named_path(reason, paths).and_then(|at| group.get(at).copied());
        if let (None, Error::Unimplemented { reason, .. }) = (named, &error)
            && self.lack(now, &group, reason, actions)
        {
            return;
        }
        let forbidden = matches!(error, Error::Denied { .. });
        match named.or(if let [only] = group.as_slice() { Some(*only) } else { None }) {
            // Permission denied for everything is a matter of the user, not of a path.
            None if forbidden => self.broke(now, error, actions),
            Some(_) if forbidden && named.is_none() && !matches!(self.phase, Phase::Trial { .. }) => self.broke(now, error, actions),
            Some(culprit) => {
                self.step_down(culprit, reason, actions);
                self.after_refusal(now, &group, culprit, actions);
            }
            None => self.halve(now, group, error, actions),
        }
    }

    /// A device without the whole call: no need to look for the path that is to blame. Texts about a mode, a path or an
    /// encoding are about part of the list.
    fn lack(&mut self, now: u64, group: &[usize], reason: &str, actions: &mut Vec<Action>) -> bool {
        let words = reason.to_ascii_lowercase().replace(['-', ' '], "_");
        if ["on_change", "onchange", "target_defined", "sample", "mode", "path", "encoding"].iter().any(|word| words.contains(word)) {
            return false;
        }
        for index in group {
            self.lower(*index, How::Get, reason, actions);
        }
        self.resyncs += 1;
        self.open(now, actions);
        true
    }

    /// Everything that streams goes one step down.
    fn lower_all(&mut self, now: u64, reason: &str, actions: &mut Vec<Action>) {
        for index in self.streamed() {
            self.step_down(index, reason, actions);
        }
        self.resyncs += 1;
        self.open(now, actions);
    }

    /// The path goes one step down.
    fn step_down(&mut self, index: usize, reason: &str, actions: &mut Vec<Action>) {
        let only_target_defined = reason.to_ascii_uppercase().contains("TARGET_DEFINED");
        let Some((_, how)) = self.subscription(index) else { return };
        let now = match how {
            How::OnChange | How::Sample if only_target_defined => How::TargetDefined,
            How::OnChange => How::Sample,
            How::Sample | How::TargetDefined => How::Get,
            How::Get | How::GivenUp => How::GivenUp,
        };
        self.lower(index, now, reason, actions);
    }

    fn lower(&mut self, index: usize, now: How, reason: &str, actions: &mut Vec<Action>) {
        let Some(watched) = self.watched.get_mut(index) else { return };
        watched.how = now;
        if watched.how == How::Sample && watched.subscription.interval.is_zero() {
            watched.subscription.interval = Duration::from_secs(30);
        }
        watched.got = false;
        watched.next_get = None;
        actions.push(Action::PathRefused { index, reason: reason.to_owned(), now: watched.how });
    }

    fn after_refusal(&mut self, now: u64, group: &[usize], culprit: usize, actions: &mut Vec<Action>) {
        let rest: Vec<usize> = group.iter().copied().filter(|index| *index != culprit).collect();
        let another_way = self.watched.get(culprit).is_some_and(|watched| watched.how.streams());
        match &mut self.phase {
            Phase::Trial { pending, found, .. } => {
                *found = true;
                if !rest.is_empty() {
                    pending.push_front(rest);
                }
                if another_way {
                    pending.push_front(vec![culprit]);
                }
                self.next_trial(now, actions);
            }
            _ => {
                self.resyncs += 1;
                self.open(now, actions);
            }
        }
    }

    /// Refused without a name: tries the halves, on the same connection.
    fn halve(&mut self, now: u64, group: Vec<usize>, error: Error, actions: &mut Vec<Action>) {
        let (left, right) = group.split_at(group.len() / 2);
        let (left, right) = (left.to_vec(), right.to_vec());
        if let Phase::Trial { pending, .. } = &mut self.phase {
            pending.push_front(right);
            pending.push_front(left);
        } else {
            let pending = VecDeque::from([left, right]);
            self.phase = Phase::Trial { accepted: Vec::new(), current: Vec::new(), pending, since: now, found: false, cause: error };
        }
        self.next_trial(now, actions);
    }

    fn trial_accepted(&mut self, now: u64, actions: &mut Vec<Action>) {
        if let Phase::Trial { accepted, current, .. } = &mut self.phase {
            accepted.append(current);
        }
        self.next_trial(now, actions);
    }

    fn next_trial(&mut self, now: u64, actions: &mut Vec<Action>) {
        let Phase::Trial { current, pending, since, found, cause, .. } = &mut self.phase else { return };
        match pending.pop_front() {
            Some(group) => {
                *since = now;
                current.clone_from(&group);
                actions.push(Action::Open(group));
            }
            // Every part is fine and the whole is not: nobody is to blame, so wait as after any failure.
            None if !*found => {
                let cause = cause.clone();
                self.broke(now, cause, actions);
            }
            None => {
                self.resyncs += 1;
                self.open(now, actions);
            }
        }
    }

    fn got(&mut self, now: u64, index: usize, error: Option<Error>, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Streaming(_)) {
            return; // of a connection that is gone
        }
        let Some(watched) = self.watched.get_mut(index).filter(|watched| watched.how == How::Get && !watched.removed) else { return };
        let refused = error.as_ref().and_then(refusal).map(ToOwned::to_owned);
        let interval = ms(watched.subscription.interval).max(1000);
        // A first answer that failed is asked for again soon: the device is not live without it.
        let first = error.is_some() && refused.is_none() && !watched.got && watched.failed + 1 < GETS_TRIED;
        watched.next_get = Some(now + if first { 1000 } else { interval });
        watched.failed = if error.is_some() { watched.failed.saturating_add(1) } else { 0 };
        let late = error.is_none() && !watched.got;
        watched.got |= error.is_none() || refused.is_some();
        match (error, refused) {
            (Some(_), Some(reason)) => {
                self.step_down(index, &reason, actions);
                if self.subscriptions().all(|(_, _, how)| how == How::GivenUp) {
                    return self.all_refused(now, actions);
                }
            }
            (Some(error), None) => {
                // With a stream beside it, the stream tells whether the device is there; without, this does.
                if matches!(&self.phase, Phase::Streaming(stream) if !stream.streams) {
                    return self.broke(now, error, actions);
                }
            }
            (None, _) => {
                if let Phase::Streaming(stream) = &mut self.phase {
                    if late && stream.done.is_some() {
                        // Live without it until now.
                        actions.push(Action::SyncDone { unsynced: self.unsynced });
                    }
                    stream.last = stream.last.max(now);
                    if stream.silent && !stream.streams {
                        stream.silent = false;
                        self.trouble = None;
                    }
                }
            }
        }
        if matches!(self.phase, Phase::Streaming(_)) {
            self.tick_stream(now, actions);
        }
    }
}

/// The device's words if it refused what was asked, rather than failed.
fn refusal(error: &Error) -> Option<&str> {
    match error {
        // The last of them is about the state the whole device is in, a commit that waits to be confirmed for example.
        Error::Rejected { reason, code, .. } if !["Unknown", "Internal", "FailedPrecondition"].contains(&code.as_str()) => Some(reason),
        Error::Unimplemented { reason, .. } | Error::Denied { known: true, reason, .. } => Some(reason),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
