//! One simulated device: its configuration, what it shows, its history and its faults. Network of devices: [`super::fabric`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{broadcast, watch};

use super::commit::Config;
use super::counters::{self, Meters};
use super::derive::{Derived, Member, Wiring};
use super::emit::{self, Facts};
use super::faults::{Faults, SetFault};
use super::filler::Filler;
use super::nodes::Nodes;
use super::store::{Change, Leaf, Leaves, State, settle};
use super::view::View;
use crate::path::Path;
use crate::value::Value;

/// One entry of the session history: who changed what.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Configuration session.
    pub session: String,
    /// Who.
    pub user: String,
    /// When, nanoseconds by the device's clock.
    pub at: u64,
    /// Unified diff of the running configuration, cut at 8,192 bytes.
    pub changes: String,
    /// Bytes of the whole diff.
    pub size: u64,
}

/// A commit that waits to be confirmed.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Id the client gave.
    pub id: String,
    /// What to go back to.
    pub restore: Config,
    /// Counts up, so that a timer knows whether it is still the one.
    pub turn: u64,
}

/// What is behind the lock.
#[derive(Debug, Default)]
pub struct Inner {
    /// Running configuration.
    pub config: Config,
    /// Startup configuration.
    pub startup: Config,
    /// The running configuration, read.
    pub view: Arc<View>,
    /// What was derived for it last.
    pub derived: Derived,
    /// Everything it shows.
    pub state: State,
    /// When it booted, nanoseconds.
    pub boot: u64,
    /// When its configuration changed last, nanoseconds.
    pub last_configuration: u64,
    /// Powered and booted.
    pub powered: bool,
    /// Newest last.
    pub history: VecDeque<Entry>,
    /// Commit waiting for its confirmation.
    pub pending: Option<Pending>,
    /// Sessions so far.
    pub sessions: u64,
    /// Leaves a test put there.
    pub injected: Leaves,
    /// Up times of ports.
    pub meters: Meters,
    /// The configuration changed since it was shown last.
    pub dirty: bool,
    /// Counters that only make the device larger.
    pub filler: Filler,
}

/// A device. Cheap to share; every method takes `&self`.
#[derive(Debug)]
pub struct Device {
    /// Its name in the topology.
    pub name: String,
    /// Its number in the fabric.
    pub index: usize,
    /// Its management address.
    pub address: String,
    nodes: Arc<Nodes>,
    inner: Mutex<Inner>,
    changes: broadcast::Sender<Arc<Change>>,
    faults: Mutex<Faults>,
    power: watch::Sender<u64>,
}

/// Entries of the session history.
const HISTORY: usize = 20;

impl Device {
    /// A device that is off.
    pub fn new(name: &str, index: usize, address: &str, nodes: Arc<Nodes>, backlog: usize) -> Self {
        Self {
            name: name.to_owned(),
            index,
            address: address.to_owned(),
            nodes,
            inner: Mutex::default(),
            changes: broadcast::channel(backlog.max(1)).0,
            faults: Mutex::default(),
            power: watch::channel(0).0,
        }
    }

    /// Its state, locked. Hold it shortly.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The schema it checks with.
    pub fn nodes(&self) -> &Arc<Nodes> {
        &self.nodes
    }

    /// Its faults as they are now.
    pub fn faults(&self) -> Faults {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes its faults.
    pub fn with_faults<R>(&self, change: impl FnOnce(&mut Faults) -> R) -> R {
        change(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The fault the Set at hand runs into; counts it.
    pub fn next_set_fault(&self) -> SetFault {
        self.with_faults(|faults| {
            let fault = faults.set.clone();
            if fault != SetFault::None && faults.set_times > 0 {
                faults.set_times -= 1;
                if faults.set_times == 0 {
                    faults.set = SetFault::None;
                }
            }
            fault
        })
    }

    /// Its clock, nanoseconds since the Unix epoch.
    pub fn now(&self) -> u64 {
        let skew = self.with_faults(|faults| faults.clock_skew_ms).saturating_mul(1_000_000);
        system_now().saturating_add_signed(skew)
    }

    /// Streams of its changes.
    pub fn watch(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }

    /// Whether anybody streams.
    pub fn watched(&self) -> bool {
        self.changes.receiver_count() > 0
    }

    /// Signals that all connections must break: counts up.
    pub fn cut(&self) {
        self.power.send_modify(|turn| *turn += 1);
    }

    /// Follows [`Device::cut`].
    pub fn cuts(&self) -> watch::Receiver<u64> {
        self.power.subscribe()
    }

    /// Tells streams.
    pub fn publish(&self, change: Change) {
        if !change.is_empty() {
            _ = self.changes.send(Arc::new(change)); // nobody listening is fine
        }
    }

    /// As the derivation sees it.
    pub fn member(&self) -> Member {
        let inner = self.lock();
        Member {
            name: self.name.clone(),
            index: self.index,
            address: self.address.clone(),
            powered: inner.powered,
            boot: inner.boot,
            view: Arc::clone(&inner.view),
        }
    }

    /// Takes what was derived, and shows it.
    pub fn show(&self, member: &Member, wiring: &Wiring, derived: Derived, facts: &Facts) {
        let now = self.now();
        let mut inner = self.lock();
        if !inner.dirty && inner.derived == derived && !inner.state.is_empty() {
            return;
        }
        let first = inner.state.is_empty();
        let before = std::mem::replace(&mut inner.derived, derived);
        inner.meters.advance(&before, now);
        inner.dirty = false;
        let facts = Facts { last_configuration: inner.last_configuration, ..facts.clone() };
        let mut wanted = emit::tree(&self.nodes, member, &inner.config.leaves, &inner.derived, &facts);
        let inner = &mut *inner;
        inner.meters.advance(&inner.derived, now);
        wanted.extend(counters::leaves(&self.nodes, member, wiring, &inner.derived, &inner.meters, now));
        wanted.extend(history_leaves(&self.nodes, &inner.history));
        wanted.extend(inner.injected.iter().map(|(path, value)| (Arc::clone(path), value.clone())));
        wanted.extend(inner.filler.leaves());
        if first {
            // Devices of a fabric show much the same paths.
            wanted = wanted.into_iter().map(|(path, value)| (self.nodes.share(path), value)).collect();
        }
        // First values carry the time they were made at, which is long ago: at boot.
        let change = settle(&mut inner.state, wanted, if first { inner.boot + 35_000_000_000 } else { now });
        self.publish(change);
    }

    /// Moves counters and gauges to now; says what moved.
    pub fn refresh(&self, wiring: &Wiring) -> Change {
        let now = self.now();
        let member = self.member();
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.meters.advance(&inner.derived, now);
        let moving = counters::leaves(&self.nodes, &member, wiring, &inner.derived, &inner.meters, now);
        let mut change = Change { at: now, moving: true, ..Change::default() };
        for (path, value) in moving {
            let same = inner.state.get(&path).is_some_and(|leaf| leaf.value == value);
            if !same && !inner.injected.contains_key(&path) {
                let leaf = Leaf { value, changed: now };
                change.updates.push((Arc::clone(&path), leaf.clone()));
                inner.state.insert(path, leaf);
            }
        }
        change
    }

    /// Makes the device show these counters too.
    pub fn fill(&self, filler: Filler) {
        let now = self.now();
        let mut inner = self.lock();
        let leaves: Vec<_> = filler.leaves().collect();
        inner.filler = filler;
        inner.state.extend(leaves.into_iter().map(|(path, value)| (path, Leaf { value, changed: now })));
    }

    /// Moves the next few of those counters, and tells streams. Says how many.
    pub fn churn(&self) -> usize {
        let now = self.now();
        let mut inner = self.lock();
        let moved = inner.filler.step();
        let mut change = Change { at: now, moving: true, ..Change::default() };
        for (path, value) in moved {
            let leaf = Leaf { value, changed: now };
            change.updates.push((Arc::clone(&path), leaf.clone()));
            inner.state.insert(path, leaf);
        }
        drop(inner);
        let count = change.updates.len();
        self.publish(change);
        count
    }

    /// Puts leaves into what the device shows, whatever the model says, and tells streams: for tests.
    pub fn inject(&self, leaves: impl IntoIterator<Item = (Path, Value)>) {
        let now = self.now();
        let mut change = Change { at: now, ..Change::default() };
        let mut inner = self.lock();
        for (path, value) in leaves {
            let (path, leaf) = (Arc::new(path), Leaf { value: value.clone(), changed: now });
            inner.injected.insert(Arc::clone(&path), value);
            inner.state.insert(Arc::clone(&path), leaf.clone());
            change.updates.push((path, leaf));
        }
        drop(inner);
        self.publish(change);
    }

    /// The value a client would read, for tests and scenarios.
    pub fn value(&self, path: &Path) -> Option<Value> {
        self.lock().state.get(path).map(|leaf| leaf.value.clone())
    }

    /// Its running configuration's leaves, for tests.
    pub fn config(&self) -> Leaves {
        self.lock().config.leaves.clone()
    }
}

impl Inner {
    /// Notes who changed what.
    pub fn remember(&mut self, user: &str, changes: &str, at: u64) {
        self.sessions += 1;
        let cut = changes.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 8192).last().unwrap_or(0);
        self.history.push_back(Entry {
            session: format!("session{}", self.sessions),
            user: user.to_owned(),
            at,
            changes: changes.get(..cut).unwrap_or_default().to_owned(),
            size: changes.len() as u64,
        });
        while self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }
}

/// The session history as leaves.
fn history_leaves(nodes: &Nodes, history: &VecDeque<Entry>) -> Leaves {
    let mut leaves = Leaves::new();
    let place = Path::root().child("system").child("session").child("history").child("state");
    for entry in history {
        let diff = place.clone().entry("diff", [("timestamp", entry.at.to_string())]);
        let mut put = |name: &str, value: Value| {
            let path = diff.clone().child(name);
            let value = nodes.schema().canonical(&path, value.clone()).unwrap_or(value);
            leaves.insert(Arc::new(path), value);
        };
        put("timestamp", Value::Uint(entry.at));
        put("username", Value::str(&entry.user));
        put("session-id", Value::str(&entry.session));
        put("changes", Value::str(&entry.changes));
        put("size", Value::Uint(entry.size));
    }
    leaves
}

/// Nanoseconds since the Unix epoch by our clock.
pub fn system_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
