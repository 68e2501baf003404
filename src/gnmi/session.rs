//! One device's subscription kept up: [`state`] decides, [`run`] does.
//!
//! The task owns the connection, the stream and the periodic Gets; the engine spawns it, reads [`SessionEvent`]s and keeps
//! the mirror. It never blocks on a slow reader: see `queue`.

mod flood;
pub mod model;
mod queue;
pub mod state;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::Status;

use self::flood::Flood;
use self::model::{Action, Input, Report};
pub use self::model::{How, Limits, Mode, State, Subscription};
use self::queue::Queue;
use self::state::Machine;
use super::client::{Answers, Client, DataType, Encoding};
use super::error::Error;
use super::shared::Shared;
use super::subscribe::subscribe_request;
use super::target::Target;
use super::wire::batch::Batch;
use super::wire::budget::Budget;
use super::wire::convert::Notification;
use super::wire::proto::subscription_list;
use super::wire::walk::{Decoder, Received, Scratch};
use crate::path::Path;

/// What a session is about.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The device.
    pub target: Target,
    /// The paths wanted.
    pub subscriptions: Vec<Subscription>,
    /// Patience.
    pub limits: Limits,
    /// What is asked for; EOS streams typed scalars whatever it says, others take it at its word.
    pub encoding: Encoding,
    /// Operations that may wait for a slow receiver.
    pub queue: usize,
    /// Where its connection is lent to other calls.
    pub shared: Shared,
    /// Operations that may wait in all sessions together.
    pub budget: Arc<Budget>,
    /// Updates a second, over some seconds, that are read of a device that is live; more make it a flood, and it is read
    /// slower. 0: whatever comes.
    pub updates_per_second: u32,
    /// Paths nobody else has said that the device may bring in; what it says of others is not kept.
    pub new_paths: u64,
}

impl Settings {
    /// With the default patience.
    pub fn new(target: Target, subscriptions: Vec<Subscription>) -> Self {
        Self {
            target,
            subscriptions,
            limits: Limits::default(),
            encoding: Encoding::JsonIetf,
            queue: 200_000,
            budget: Budget::new(usize::MAX),
            updates_per_second: 0,
            new_paths: u64::MAX,
            shared: Shared::default(),
        }
    }
}

/// What a session tells, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// The stream's state changed.
    State {
        /// The state.
        state: State,
        /// What is wrong, with its [`Error::hint`]; `None` when nothing is.
        trouble: Option<Error>,
        /// When the next try is due, milliseconds since the Unix epoch.
        next_try: Option<u64>,
        /// Live, although the device never said that it sent everything: absence of a leaf proves little.
        unsynced: bool,
    },
    /// Everything comes again from here: [`crate::tree::Tree::begin_sweep`].
    SyncStart,
    /// Leaves.
    Batch(Batch),
    /// Everything came: sweep what [`SyncDone::sweeps`].
    SyncDone(SyncDone),
    /// The device refused a path; the others stream on.
    PathRefused {
        /// The path as subscribed.
        path: Path,
        /// The device's words.
        reason: String,
        /// How it is had from now on; [`How::GivenUp`]: not at all.
        now: How,
    },
    /// We were too slow and these operations are lost; a resync follows by itself.
    Dropped {
        /// Operations.
        updates: u64,
    },
    /// The device sends more than is read of it (`true`), or no longer does.
    Flooding(bool),
    /// The stream's counters; after each change of state, and about every second while they move.
    Counters(Counters),
}

/// What a completed sync covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncDone {
    /// The device never said so: nothing may be swept.
    pub unsynced: bool,
    /// Paths whose every leaf came since [`SessionEvent::SyncStart`].
    pub streamed: Vec<Path>,
    /// Paths read by Get, which replaces its part of the mirror itself.
    pub read: Vec<Path>,
    /// Paths that are not had as they were asked for, and how they are: the device refused that.
    pub lowered: Vec<(Path, How)>,
    /// Of `read`, what failed to be read so far: that nothing is known below it means nothing.
    pub unread: Vec<Path>,
}

impl SyncDone {
    /// Whether a leaf that was not said again since the start is gone.
    pub fn sweeps(&self, path: &Path) -> bool {
        !self.unsynced && self.streamed.iter().any(|streamed| streamed.covers(path)) && !self.read.iter().any(|read| read.covers(path))
    }
}

/// Counters of a session, from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages received.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Leaf updates received.
    pub updates: u64,
    /// Operations thrown away because we were too slow.
    pub dropped: u64,
    /// Values a later one overtook while the receiver was slow.
    pub coalesced: u64,
    /// Values the device coalesced, as it says.
    pub duplicates: u64,
    /// Leaves and messages that could not be understood.
    pub bad: u64,
    /// Updates of paths beyond what the device may bring in: not kept.
    pub ignored: u64,
    /// Times the stream was set up again.
    pub resyncs: u64,
    /// Syncs that came twice, or before any value.
    pub odd_syncs: u64,
    /// Connections made.
    pub connects: u64,
}

/// What a session can be told. Dropping the sender ends the session.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// Say everything again, and try refused paths again. Also ends a wait.
    Resync,
    /// Watch one more path.
    Add(Box<Subscription>),
    /// Stop watching a path.
    Remove(Box<Path>),
    /// End.
    Stop,
}

type Got = Result<Vec<Notification>, Error>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Messages taken at once before anything else gets its turn.
const BURST: usize = 256;
/// How often it is looked whether reading may go on.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How often counters are told while they move.
const COUNTERS_EVERY: Duration = Duration::from_secs(1);

/// Keeps the subscription up until `control` says stop or closes, or nobody reads `events` any more.
pub async fn run(settings: Settings, decoder: Arc<Decoder>, events: mpsc::Sender<Box<SessionEvent>>, mut control: mpsc::Receiver<Control>) {
    let mut task = Task::new(settings, decoder);
    task.feed(Input::Tick);
    loop {
        let reads = task.reads();
        let wake = task.wake_at();
        tokio::select! {
            biased;
            command = control.recv() => match command {
                None | Some(Control::Stop) => return,
                Some(Control::Resync) => {
                    task.decoder.forgive();
                    task.feed(Input::Resync { forget: true });
                }
                Some(Control::Add(subscription)) => task.feed(Input::Add(*subscription)),
                Some(Control::Remove(path)) => task.feed(Input::Remove(*path)),
            },
            permit = events.reserve(), if !task.queue.is_empty() => match permit {
                Ok(permit) => {
                    if let Some(event) = task.queue.pop() {
                        permit.send(Box::new(event));
                    }
                    task.drained();
                }
                Err(_) => return,
            },
            () = events.closed() => return,
            connected = pending(&mut task.connecting), if task.connecting.is_some() => {
                task.connecting = None;
                match connected {
                    Ok(client) => {
                        task.shared.lend(Some(client.clone()));
                        task.client = Some(client);
                        task.feed(Input::Connected);
                    }
                    Err(error) => task.feed(Input::ConnectFailed(error)),
                }
            }
            opened = pending(&mut task.opening), if task.opening.is_some() => {
                task.opening = None;
                match opened {
                    Ok(stream) => task.stream = Some(stream),
                    Err(status) => task.stream_failed(&status),
                }
            }
            message = next(&mut task.stream), if task.stream.is_some() && reads => task.received(message),
            Some((index, answer)) = task.gets.next(), if !task.gets.is_empty() => task.got(index, answer),
            () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => task.tick(),
        }
    }
}

async fn pending<T>(future: &mut Option<Boxed<T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn next(stream: &mut Option<Answers>) -> Result<Option<Bytes>, Status> {
    match stream {
        Some(stream) => stream.message().await,
        None => std::future::pending().await,
    }
}

struct Task {
    target: Target,
    shared: Shared,
    encoding: Encoding,
    decoder: Arc<Decoder>,
    machine: Machine,
    started: Instant,
    queue: Queue,
    scratch: Scratch,
    counters: Counters,
    told: Counters,
    tell_at: Option<Instant>,
    client: Option<Client>,
    connecting: Option<Boxed<Result<Client, Error>>>,
    opening: Option<Boxed<Result<Answers, Status>>>,
    stream: Option<Answers>,
    /// The request side of the stream stays open as long as this: some servers end the stream with it, and a request that
    /// never ends would hold the stream at the device after we dropped the answers.
    keep: Option<oneshot::Sender<()>>,
    gets: FuturesUnordered<Boxed<(usize, Got)>>,
    resync_when_drained: bool,
    flood: Flood,
    /// Nothing was read because others, or this one's receiver, have to catch up first.
    waited: bool,
}

impl Task {
    fn new(settings: Settings, decoder: Arc<Decoder>) -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()))
            ^ settings
                .target
                .name
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        Self {
            machine: Machine::new(settings.target.name.clone(), settings.subscriptions, settings.limits, seed),
            target: settings.target,
            shared: settings.shared,
            encoding: settings.encoding,
            decoder: decoder.limited(settings.new_paths),
            started: Instant::now(),
            queue: Queue::new(settings.queue, &settings.budget),
            scratch: Scratch::default(),
            counters: Counters::default(),
            told: Counters::default(),
            tell_at: None,
            client: None,
            connecting: None,
            opening: None,
            stream: None,
            keep: None,
            gets: FuturesUnordered::new(),
            resync_when_drained: false,
            flood: Flood::new(settings.updates_per_second, Instant::now()),
            waited: false,
        }
    }

    /// Whether the stream is read now. Not read, the device has to wait: nothing is lost.
    fn reads(&mut self) -> bool {
        let waits = self.flood.holds() || self.queue.must_wait();
        if self.waited && !waits && self.machine.is_streaming() {
            // It was us who did not listen: the device was not silent.
            self.feed(Input::Message(0));
        }
        self.waited = waits;
        !waits
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn wake_at(&self) -> Option<Instant> {
        // One millisecond more: a machine asked at 999.9 ms would say "not yet" and be asked again at once.
        let machine = self.machine.wake_at().map(|at| self.started + Duration::from_millis(at.saturating_add(1)));
        // What this one waits for may be on its way to the receiver, who does not say when he took it.
        let look = self.waited.then(|| Instant::now() + LOOK_AGAIN);
        [machine, self.tell_at, self.flood.wake_at(), look].into_iter().flatten().min()
    }

    fn tick(&mut self) {
        if self.tell_at.is_some_and(|at| Instant::now() >= at) {
            self.tell_counters();
        }
        if let Some(floods) = self.flood.tick(Instant::now()) {
            self.queue.push(SessionEvent::Flooding(floods));
        }
        self.feed(Input::Tick);
    }

    fn tell_counters(&mut self) {
        self.tell_at = None;
        self.counters.dropped = self.queue.dropped;
        self.counters.coalesced = self.queue.coalesced;
        self.counters.ignored = self.decoder.ignored();
        self.counters.resyncs = self.machine.resyncs();
        self.counters.odd_syncs = self.machine.odd_syncs();
        // While the receiver is slow they would only pile up.
        if self.counters != self.told && self.queue.is_empty() {
            self.told = self.counters;
            self.queue.push(SessionEvent::Counters(self.counters));
        }
    }

    fn feed(&mut self, input: Input) {
        let now = self.now();
        for action in self.machine.step(now, input) {
            self.act(action, now);
        }
    }

    fn act(&mut self, action: Action, now: u64) {
        match action {
            Action::Connect => {
                self.close();
                self.counters.connects += 1;
                let target = self.target.clone();
                self.connecting = Some(Box::pin(async move { Client::connect(&target).await }));
            }
            Action::Close => self.close(),
            Action::CloseStream => self.close_stream(),
            Action::Open(numbers) => {
                self.close_stream();
                let wanted: Vec<_> = numbers.iter().filter_map(|index| self.machine.subscription(*index)).collect();
                let request = subscribe_request(&wanted, subscription_list::Mode::Stream, self.encoding, false);
                if let Some(client) = self.client.clone() {
                    let (keep, kept) = oneshot::channel::<()>();
                    self.keep = Some(keep);
                    self.opening = Some(Box::pin(async move {
                        let end = futures_util::stream::once(async move { kept.await.err().and(None) });
                        let requests = futures_util::stream::iter([Some(request)]).chain(end).filter_map(std::future::ready);
                        client.subscribe(requests).await
                    }));
                }
            }
            Action::Get(index) => {
                let path = self.machine.subscription(index).map(|(subscription, _)| subscription.path.clone());
                let encoding = self.encoding;
                if let (Some(client), Some(path)) = (self.client.clone(), path) {
                    self.gets.push(Box::pin(async move { (index, client.get(&[path], DataType::All, encoding).await) }));
                }
            }
            Action::SyncStart => self.queue.push(SessionEvent::SyncStart),
            Action::SyncDone { unsynced } => {
                let (mut streamed, mut read, mut lowered) = (Vec::new(), Vec::new(), Vec::new());
                for (_, subscription, how) in self.machine.subscriptions() {
                    if how != How::from(subscription.mode) {
                        lowered.push((subscription.path.clone(), how));
                    }
                    match how {
                        How::Get => read.push(subscription.path.clone()),
                        // Leaves of a path nobody tells us of any more would stay for ever: they go too.
                        How::OnChange | How::Sample | How::TargetDefined | How::GivenUp => streamed.push(subscription.path.clone()),
                    }
                }
                let unread = self.machine.unread().cloned().collect();
                self.queue.push(SessionEvent::SyncDone(SyncDone { unsynced, streamed, read, lowered, unread }));
            }
            Action::PathRefused { index, reason, now } => {
                if let Some((subscription, _)) = self.machine.subscription(index) {
                    self.queue.push(SessionEvent::PathRefused { path: subscription.path.clone(), reason, now });
                }
            }
            Action::Report(report) => {
                let next_try = report.next_try.map(|at| wall_clock() + at.saturating_sub(now));
                let Report { state, trouble, unsynced, .. } = report;
                self.queue.push(SessionEvent::State { state, trouble, next_try, unsynced });
                self.tell_at = Some(Instant::now());
            }
        }
    }

    fn close_stream(&mut self) {
        self.stream = None;
        self.opening = None;
        self.keep = None;
    }

    fn close(&mut self) {
        self.close_stream();
        self.connecting = None;
        self.shared.lend(None);
        self.client = None;
        self.gets.clear();
    }

    fn stream_failed(&mut self, status: &Status) {
        let error = match &self.client {
            Some(client) => client.error("Subscribe", status),
            None => Error::Broken { device: self.target.name.clone(), reason: status.message().to_owned() },
        };
        self.close_stream();
        self.feed(Input::StreamFailed(error));
    }

    /// A message, and those that are there already.
    fn received(&mut self, first: Result<Option<Bytes>, Status>) {
        let before = self.counters.updates;
        self.burst(first);
        // First values are no flood, however many.
        if self.machine.is_synced() && self.flood.count(self.counters.updates - before, Instant::now()) {
            self.queue.push(SessionEvent::Flooding(true));
        }
    }

    fn burst(&mut self, first: Result<Option<Bytes>, Status>) {
        let received = wall_clock();
        let mut message = first;
        for taken in 1..=BURST {
            match message {
                Ok(Some(bytes)) => {
                    if !self.message(&bytes, received) {
                        return;
                    }
                }
                Ok(None) => {
                    self.close_stream();
                    let reason = "the device ended the stream".to_owned();
                    return self.feed(Input::StreamFailed(Error::Broken { device: self.target.name.clone(), reason }));
                }
                Err(status) => return self.stream_failed(&status),
            }
            // What is fetched must be looked at, so the last turn fetches nothing.
            if taken == BURST || self.queue.must_wait() {
                return;
            }
            let Some(stream) = self.stream.as_mut() else { return };
            match stream.message().now_or_never() {
                Some(next) => message = next,
                None => return,
            }
        }
    }

    /// One message; `false` when it ended the stream it came from.
    fn message(&mut self, bytes: &Bytes, received: u64) -> bool {
        self.counters.messages += 1;
        self.counters.bytes += bytes.len() as u64;
        let (decoder, scratch) = (&self.decoder, &mut self.scratch);
        let ((result, updates, duplicates, bad), lost) = self.queue.fill(|batch| {
            let before = (batch.ops.len(), batch.updates, batch.duplicates, batch.bad);
            let result = decoder.decode(bytes, scratch, batch);
            batch.received = received;
            let moved = (batch.ops.len() - before.0) as u64;
            (result, moved.max(batch.updates - before.1), batch.duplicates - before.2, batch.bad - before.3)
        });
        self.counters.updates += updates;
        self.counters.duplicates += duplicates;
        self.counters.bad += bad;
        self.tell_at.get_or_insert_with(|| Instant::now() + COUNTERS_EVERY);
        match result {
            Ok(Received::Notification) => self.feed(Input::Message(usize::try_from(updates).unwrap_or(usize::MAX))),
            Ok(Received::Sync) => self.feed(Input::Sync),
            Ok(Received::Error(code, text)) => {
                self.close_stream();
                let status = Status::new(i32::try_from(code).unwrap_or(2).into(), text);
                self.stream_failed(&status);
            }
            Ok(Received::Nothing) => self.feed(Input::Message(0)),
            Err(_) => {
                self.counters.bad += 1;
                self.feed(Input::Message(0));
            }
        }
        if lost > 0 {
            self.resync_when_drained = true;
            self.feed(Input::Overflow(lost));
        }
        self.stream.is_some()
    }

    fn got(&mut self, index: usize, answer: Got) {
        let error = match answer {
            Ok(notifications) => {
                let path =
                    self.machine.subscription(index).filter(|(_, how)| *how == How::Get).map(|(subscription, _)| subscription.path.clone());
                let Some(path) = path else { return };
                let received = wall_clock();
                let decoder = &self.decoder;
                let (updates, lost) = self.queue.fill(|batch| {
                    let before = batch.updates;
                    decoder.replace(path, notifications, batch);
                    batch.received = received;
                    batch.updates - before
                });
                self.counters.updates += updates;
                if lost > 0 {
                    self.resync_when_drained = true;
                    return self.feed(Input::Overflow(lost));
                }
                None
            }
            Err(error) => Some(error),
        };
        self.feed(Input::Got(index, error));
    }

    /// The receiver took something; once it took everything, what was thrown away is asked for again.
    fn drained(&mut self) {
        if self.resync_when_drained && self.queue.is_empty() {
            self.resync_when_drained = false;
            self.feed(Input::Resync { forget: false });
        }
        // Counters that had to wait for the receiver are told now.
        if self.queue.is_empty() && self.tell_at.is_none() && self.counters != self.told {
            self.tell_at = Some(Instant::now());
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.shared.lend(None);
    }
}

/// Milliseconds since the Unix epoch by our clock.
fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
