//! Simulated devices wired together: boots them, commits to one and shows the consequences on all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value as Json;
use tonic::Code;

use super::cli::{Lines, render};
use super::commit::{self, Config, Habits, Op};
use super::derive::{self, Memory, Wiring};
use super::device::{Device, Pending, system_now};
use super::emit::Facts;
use super::nodes::Nodes;
use super::refusal::Refusal;
use super::topology::Topology;
use super::view::View;
use crate::yang::Schema;

/// What nobody knows about EOS, or differs from place to place.
#[derive(Clone, Debug)]
pub struct Options {
    /// Login every device accepts; `None` asks for none.
    pub login: Option<(String, String)>,
    /// Habits of Set.
    pub habits: Habits,
    /// Show VLAN 1, members of the default instance and tables nobody configured.
    pub implicit: bool,
    /// Show leaves at their default.
    pub defaults: bool,
    /// `gNMI_version` of Capabilities.
    pub gnmi_version: String,
    /// Software version.
    pub version: String,
    /// Reading a node that exists in the schema but has no value is NOT_FOUND; else an empty answer.
    pub missing_is_not_found: bool,
    /// Subtree answers carry timestamp 0.
    pub zero_timestamps: bool,
    /// Streams stamp values with the time they are sent, not the time they changed.
    pub send_time: bool,
    /// What becomes of the commit-confirmed extension.
    pub commit_confirmed: CommitConfirmed,
    /// Every Set is saved to the startup configuration.
    pub persistence: bool,
    /// Shortest sample interval; shorter ones are stretched to it.
    pub min_sample: Duration,
    /// How often counters move for streams that asked for changes.
    pub counters: Duration,
    /// How long a BGP session takes to come up.
    pub convergence: Duration,
    /// How long ago the devices booted.
    pub uptime: Duration,
    /// Largest request a device takes, bytes.
    pub max_request: usize,
    /// How many changes a slow stream may lag behind before it is ended. Costs memory on every device.
    pub backlog: usize,
    /// Streams repeat changes that were encoded once, instead of those that happen.
    pub pre_encoded: Option<PreEncoded>,
}

/// How fast changes that were encoded once are streamed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PreEncoded {
    /// Updates a second of one device; `None` is as fast as the client reads.
    pub rate: Option<f64>,
}

/// What a device makes of gNMI's commit-confirmed extension; unknown for EOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitConfirmed {
    /// As the specification says.
    Supported,
    /// Silently applied without a timer.
    Ignored,
    /// UNIMPLEMENTED.
    Refused,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            login: Some(("admin".to_owned(), "admin".to_owned())),
            habits: Habits::default(),
            implicit: true,
            defaults: false,
            gnmi_version: "0.7.0".to_owned(),
            version: "4.35.0F".to_owned(),
            missing_is_not_found: true,
            zero_timestamps: true,
            send_time: false,
            commit_confirmed: CommitConfirmed::Supported,
            persistence: false,
            min_sample: Duration::from_secs(1),
            counters: Duration::from_secs(10),
            convergence: Duration::ZERO,
            uptime: Duration::from_secs(4 * 3600),
            max_request: 64 << 20,
            backlog: 8192,
            pre_encoded: None,
        }
    }
}

/// The commit-confirmed part of a Set.
#[derive(Clone, Debug, PartialEq)]
pub enum Confirm {
    /// Apply, and undo unless confirmed in time.
    Commit(String, Duration),
    /// Keep.
    Confirm(String),
    /// Undo now.
    Cancel(String),
    /// New time to confirm in.
    Extend(String, Duration),
}

/// Why a fabric does not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// A device document is none of this schema.
    #[error("lab device {device}: its configuration does not fit the schema: {issue}; correct lab/devices/{device}.json")]
    Document {
        /// Whose.
        device: String,
        /// First issue.
        issue: String,
    },
}

/// Devices that are wired to each other, and what their derivation remembers. Its lock is the commit lock.
#[derive(Debug)]
struct Island {
    names: Vec<String>,
    memory: Mutex<Memory>,
}

/// The devices of a simulated fabric.
#[derive(Debug)]
pub struct Fabric {
    nodes: Arc<Nodes>,
    /// Its switches.
    pub options: Options,
    wiring: Wiring,
    devices: BTreeMap<String, Arc<Device>>,
    islands: Vec<Island>,
    me: Weak<Fabric>,
}

impl Fabric {
    /// Boots devices out of their documents and command lines: name → (JSON_IETF, lines).
    ///
    /// # Errors
    /// [`BootError::Document`] names the device and the first node that does not fit.
    pub fn boot(
        devices: &BTreeMap<String, (Json, String)>,
        topology: &Topology,
        schema: Arc<Schema>,
        options: Options,
    ) -> Result<Arc<Self>, BootError> {
        let nodes = Arc::new(Nodes::new(schema));
        let configs = Self::read(&nodes, devices)?;
        Ok(Self::assemble(nodes, configs, topology, options))
    }

    /// The configurations of documents and command lines.
    ///
    /// # Errors
    /// As [`Fabric::boot`].
    pub fn read(nodes: &Nodes, devices: &BTreeMap<String, (Json, String)>) -> Result<BTreeMap<String, Config>, BootError> {
        let read = |(name, (json, lines)): (&String, &(Json, String))| {
            let leaves = nodes.boot(json).map_err(|issue| BootError::Document { device: name.clone(), issue })?;
            let leaves = leaves.into_iter().map(|(path, value)| (nodes.share(path), value)).collect();
            Ok((name.clone(), Config { leaves, lines: Lines::read(lines) }))
        };
        devices.iter().map(read).collect()
    }

    /// Boots devices with these configurations.
    pub fn assemble(nodes: Arc<Nodes>, configs: BTreeMap<String, Config>, topology: &Topology, options: Options) -> Arc<Self> {
        let names: BTreeSet<String> = configs.keys().cloned().collect();
        // Numbers follow the topology's order: MAC addresses are made of them.
        let places: BTreeMap<&str, (usize, &str)> =
            topology.devices.iter().enumerate().map(|(at, node)| (node.name.as_str(), (at, node.address.as_str()))).collect();
        let hosts = topology.hosts.iter().enumerate().map(|(at, host)| (host.name.clone(), at + 1)).collect();
        let wiring = Wiring { ends: topology.ends(), hosts };
        let mut built = BTreeMap::new();
        let start = system_now().saturating_sub(u64::try_from(options.uptime.as_nanos()).unwrap_or(0));
        for (at, (name, config)) in configs.into_iter().enumerate() {
            let (place, address) = places.get(name.as_str()).copied().unwrap_or((places.len() + at, ""));
            let device = Device::new(&name, place, address, Arc::clone(&nodes), options.backlog);
            {
                let mut inner = device.lock();
                inner.view = Arc::new(View::of(&config.leaves, &config.lines));
                inner.startup = config.clone();
                inner.config = config;
                inner.boot = start + place as u64 * 7_000_000_000 % 3_600_000_000_000;
                inner.last_configuration = inner.boot + 35_000_000_000;
                inner.powered = true;
                inner.dirty = true;
            }
            built.insert(name, Arc::new(device));
        }
        let islands: Vec<_> = topology
            .islands(&names)
            .into_iter()
            .map(|names| Island { names: names.into_iter().collect(), memory: Mutex::default() })
            .collect();
        let fabric = Arc::new_cyclic(|me| Self { nodes, options, wiring, devices: built, islands, me: Weak::clone(me) });
        for island in &fabric.islands {
            fabric.settle(island, &mut lock(&island.memory));
        }
        fabric
    }

    /// A device.
    pub fn device(&self, name: &str) -> Option<&Arc<Device>> {
        self.devices.get(name)
    }

    /// All of them.
    pub fn devices(&self) -> impl Iterator<Item = &Arc<Device>> {
        self.devices.values()
    }

    /// The schema with its memory.
    pub fn nodes(&self) -> &Arc<Nodes> {
        &self.nodes
    }

    /// Who is wired to whom.
    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    fn island(&self, name: &str) -> Option<&Island> {
        self.islands.iter().find(|island| island.names.iter().any(|have| have == name))
    }

    fn no_device(name: &str) -> Refusal {
        Refusal::new(Code::NotFound, format!("no simulated device is called {name}"))
    }

    /// Does operations to a device's configuration as `user`, all or nothing, and shows the consequences on every device.
    /// Returns the device's time of the commit, nanoseconds.
    ///
    /// # Errors
    /// The [`Refusal`] a client gets; nothing was changed then.
    pub fn commit(&self, name: &str, user: &str, ops: &[Op], confirm: Option<Confirm>) -> Result<u64, Refusal> {
        let island = self.island(name).ok_or_else(|| Self::no_device(name))?;
        let device = self.devices.get(name).ok_or_else(|| Self::no_device(name))?;
        let mut memory = lock(&island.memory);
        let faults = device.faults();
        if faults.ignore_set {
            return Ok(device.now());
        }
        let confirm = match (confirm, self.options.commit_confirmed) {
            (Some(_), CommitConfirmed::Refused) => {
                return Err(Refusal::new(Code::Unimplemented, "extension commit is not supported"));
            }
            (_, CommitConfirmed::Ignored) => None,
            (confirm, _) => confirm,
        };
        let now = device.now();
        let mut timer = None;
        {
            let mut inner = device.lock();
            let before = inner.config.clone();
            let held = inner.pending.clone();
            match (&confirm, held) {
                (None | Some(Confirm::Commit(..)), Some(held)) => {
                    return Err(Refusal::new(Code::FailedPrecondition, format!("commit \"{}\" waits for its confirmation", held.id)));
                }
                (Some(Confirm::Confirm(_) | Confirm::Cancel(_) | Confirm::Extend(..)), None) => {
                    return Err(Refusal::new(Code::FailedPrecondition, "no commit waits for a confirmation"));
                }
                (Some(Confirm::Confirm(id) | Confirm::Cancel(id) | Confirm::Extend(id, _)), Some(held)) if *id != held.id => {
                    return Err(Refusal::new(Code::InvalidArgument, format!("commit \"{id}\" is not the one that waits")));
                }
                (Some(Confirm::Confirm(_)), Some(_)) => inner.pending = None,
                (Some(Confirm::Cancel(_)), Some(held)) => {
                    inner.pending = None;
                    inner.config = held.restore;
                }
                (Some(Confirm::Extend(id, duration)), Some(held)) => {
                    if duration.is_zero() {
                        return Err(Refusal::new(Code::InvalidArgument, "rollback duration must be more than 0"));
                    }
                    let turn = held.turn + 1;
                    inner.pending = Some(Pending { turn, ..held });
                    timer = Some((id.clone(), *duration, turn));
                }
                (None | Some(Confirm::Commit(..)), None) => {
                    inner.config = commit::apply(&self.nodes, self.options.habits, &before, ops, &faults.discard)?;
                    if let Some(Confirm::Commit(id, duration)) = &confirm {
                        let turn = inner.sessions + 1;
                        inner.pending = Some(Pending { id: id.clone(), restore: before.clone(), turn });
                        timer = Some((id.clone(), *duration, turn));
                    }
                }
            }
            if inner.config != before {
                Self::changed(&mut inner, &before, user, now);
            }
            if self.options.persistence && inner.pending.is_none() {
                inner.startup = inner.config.clone();
            }
        }
        if let Some((id, duration, turn)) = timer {
            let early = Duration::from_millis(faults.early_rollback_ms);
            self.arm(name, id, duration.saturating_sub(early), turn);
        }
        self.settle(island, &mut memory);
        Ok(now)
    }

    fn changed(inner: &mut super::device::Inner, before: &Config, user: &str, now: u64) {
        inner.view = Arc::new(View::of(&inner.config.leaves, &inner.config.lines));
        inner.dirty = true;
        inner.last_configuration = now;
        let changes = render::diff(before, &inner.config);
        inner.remember(user, &changes, now);
    }

    /// Undoes a commit that is not confirmed in time.
    fn arm(&self, name: &str, id: String, after: Duration, turn: u64) {
        let (me, name) = (Weak::clone(&self.me), name.to_owned());
        self.later(after, move || {
            let Some(fabric) = me.upgrade() else { return };
            let (Some(island), Some(device)) = (fabric.island(&name), fabric.devices.get(&name)) else { return };
            let mut memory = lock(&island.memory);
            {
                let now = device.now();
                let mut inner = device.lock();
                let Some(held) = inner.pending.take_if(|held| held.id == id && held.turn == turn) else { return };
                let before = std::mem::replace(&mut inner.config, held.restore);
                Self::changed(&mut inner, &before, "rollback", now);
            }
            fabric.settle(island, &mut memory);
        });
    }

    /// Runs something later, if there is a runtime to wait in.
    fn later(&self, after: Duration, run: impl FnOnce() + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(after).await;
                run();
            });
        }
    }

    /// Derives an island anew and shows it.
    fn settle(&self, island: &Island, memory: &mut Memory) {
        let devices: Vec<&Arc<Device>> = island.names.iter().filter_map(|name| self.devices.get(name)).collect();
        let members: Vec<_> = devices.iter().map(|device| device.member()).collect();
        let now = system_now();
        let delay = u64::try_from(self.options.convergence.as_nanos()).unwrap_or(0);
        let booting = memory.ports.is_empty();
        let derived = derive::run(&members, &self.wiring, memory, now, if booting { 0 } else { delay });
        let wake = derived.iter().filter_map(|derived| derived.wake).min();
        let facts = Facts {
            version: self.options.version.clone(),
            last_configuration: 0,
            implicit: self.options.implicit,
            defaults: self.options.defaults,
        };
        for ((device, member), mut derived) in devices.into_iter().zip(&members).zip(derived) {
            derived.wake = None;
            device.show(member, &self.wiring, derived, &facts);
        }
        if let (Some(due), Some(name)) = (wake, island.names.first().cloned()) {
            let me = Weak::clone(&self.me);
            self.later(Duration::from_nanos(due.saturating_sub(now) + 1_000_000), move || {
                if let Some(fabric) = me.upgrade() {
                    fabric.resettle(&name);
                }
            });
        }
    }

    /// Derives the devices wired to `name` anew.
    pub fn resettle(&self, name: &str) {
        if let Some(island) = self.island(name) {
            self.settle(island, &mut lock(&island.memory));
        }
    }

    /// Takes the power from a device: its connections break, its ports and sessions go down on every other device too.
    pub fn power_off(&self, name: &str) {
        if let Some(device) = self.devices.get(name) {
            device.lock().powered = false;
            device.cut();
            self.resettle(name);
        }
    }

    /// Boots a device from its startup configuration, or from what it runs now if `keep`.
    pub fn power_on(&self, name: &str, keep: bool) {
        let Some(device) = self.devices.get(name) else { return };
        {
            let now = device.now();
            let mut inner = device.lock();
            if !keep {
                inner.config = inner.startup.clone();
                inner.view = Arc::new(View::of(&inner.config.leaves, &inner.config.lines));
            }
            inner.pending = None;
            inner.powered = true;
            inner.boot = now;
            inner.last_configuration = now;
            inner.history.clear();
            inner.meters.reset();
            inner.dirty = true;
        }
        self.resettle(name);
    }

    /// Reboots a device: off for `down`, then on from startup, or with what it ran if `keep`.
    pub fn reboot(&self, name: &str, down: Duration, keep: bool) {
        self.power_off(name);
        let (me, device) = (Weak::clone(&self.me), name.to_owned());
        self.later(down, move || {
            if let Some(fabric) = me.upgrade() {
                fabric.power_on(&device, keep);
            }
        });
    }

    /// A handle that does not keep it alive.
    pub fn handle(&self) -> Weak<Self> {
        Weak::clone(&self.me)
    }

    /// Moves counters of devices somebody streams from. The server does it by itself every [`Options::counters`].
    pub fn tick(&self) {
        for device in self.devices.values().filter(|device| device.watched()) {
            device.publish(device.refresh(&self.wiring));
        }
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}
