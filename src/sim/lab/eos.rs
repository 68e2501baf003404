//! The devices of a lab: boots the simulated EOS fabric out of the lab's files and keeps its listeners.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Value;

use super::clone::{Naming, Scale};
use super::{LabData, LabError};
use crate::path::Path;
use crate::sim::eos;
use crate::value as leaf;
use crate::yang::Schema;

/// Certificates of the devices, PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The devices' chain.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Clients must show a certificate of this authority.
    pub client_authority: Option<String>,
    /// File a client verifies the devices with; goes into the settings.
    pub authority_file: PathBuf,
}

/// Booted devices and their listeners.
#[derive(Debug)]
pub struct Devices {
    /// The simulated fabric: faults, events and commits on devices go through it.
    pub fabric: Arc<eos::Fabric>,
    listeners: Vec<eos::Running>,
    churning: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Devices {
    fn drop(&mut self) {
        if let Some(task) = &self.churning {
            task.abort();
        }
    }
}

/// Counters of devices that are there for load do not move by themselves.
const HARDLY_EVER: Duration = Duration::from_secs(24 * 3600);
/// Between two moments of churn.
const TICK: Duration = Duration::from_millis(10);

fn certificates(tls: &Tls) -> eos::Tls {
    eos::Tls { certificate: tls.certificate.clone(), key: tls.key.clone(), client_authority: tls.client_authority.clone() }
}

/// The configuration of a device in a copy; paths and values without a name or an address in them stay those of the first.
fn copied(naming: &Naming, copy: usize, config: &eos::Config, lines: &str) -> eos::Config {
    let value = |value: &leaf::Value| renamed(naming, copy, value).unwrap_or_else(|| value.clone());
    let path = |path: &Arc<Path>| {
        let mut moved: Option<Path> = None;
        for (at, elem) in path.elems.iter().enumerate() {
            for (number, (_, key)) in elem.keys.iter().enumerate() {
                if let Some(new) = naming.text(copy, key) {
                    let path = moved.get_or_insert_with(|| (**path).clone());
                    if let Some((_, key)) = path.elems.get_mut(at).and_then(|elem| elem.keys.get_mut(number)) {
                        *key = new;
                    }
                }
            }
        }
        moved.map_or_else(|| Arc::clone(path), Arc::new)
    };
    let leaves = config.leaves.iter().map(|(at, have)| (path(at), value(have))).collect();
    let lines = naming.text(copy, lines).map_or_else(|| config.lines.clone(), |text| eos::cli::Lines::read(&text));
    eos::Config { leaves, lines }
}

fn renamed(naming: &Naming, copy: usize, value: &leaf::Value) -> Option<leaf::Value> {
    match value {
        leaf::Value::Str(text) => naming.text(copy, text).map(leaf::Value::str),
        leaf::Value::List(items) => {
            let new: Vec<_> = items.iter().map(|item| renamed(naming, copy, item)).collect();
            new.iter()
                .any(Option::is_some)
                .then(|| leaf::Value::list(new.into_iter().zip(items.iter()).map(|(new, old)| new.unwrap_or_else(|| old.clone()))))
        }
        _ => None,
    }
}

/// Brings devices to the size asked for.
fn fill(fabric: &eos::Fabric, scale: &Scale) -> Result<(), String> {
    let wanted: Vec<_> =
        fabric.devices().map(|device| Ok((device, scale.filler(device.lock().state.len())?))).collect::<Result<_, String>>()?;
    let most = wanted.iter().map(|(_, count)| *count).max().unwrap_or(0);
    if most > 0 {
        let paths = eos::filler::paths(most);
        wanted.into_iter().for_each(|(device, count)| device.fill(eos::filler::Filler::new(&paths, count)));
    }
    Ok(())
}

/// Moves counters, device after device.
async fn churn(fabric: Weak<eos::Fabric>, rate: u64) {
    let mut timer = tokio::time::interval(TICK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (begun, mut moved, mut next) = (tokio::time::Instant::now(), 0_u64, 0_usize);
    let mut idle = Duration::ZERO;
    loop {
        timer.tick().await;
        let Some(fabric) = fabric.upgrade() else { return };
        let watched: Vec<_> = fabric.devices().filter(|device| device.watched()).collect();
        let due = u64::try_from((begun.elapsed() - idle).as_millis()).unwrap_or(u64::MAX).saturating_mul(rate) / 1000;
        if watched.is_empty() {
            // What nobody heard is not made up for.
            idle = begun.elapsed() - Duration::from_millis(moved.saturating_mul(1000) / rate.max(1));
            continue;
        }
        // After a pause at most a second is made up for.
        moved = moved.max(due.saturating_sub(rate));
        while moved < due {
            let Some(device) = watched.get(next % watched.len()) else { break };
            next = next.wrapping_add(1);
            moved += device.churn().max(1) as u64;
        }
    }
}

impl Devices {
    /// Boots every device of every copy.
    pub fn boot(data: &LabData, copies: usize, scale: &Scale) -> Result<Self, LabError> {
        let bad = |file: String, problem: String| super::DataError::Bad { origin: data.origin.clone(), file, problem };
        let topology: eos::Topology =
            serde_json::from_slice(&data.topology).map_err(|problem| bad("topology.json".to_owned(), problem.to_string()))?;
        let mut documents = std::collections::BTreeMap::new();
        for (name, files) in &data.devices {
            let document =
                serde_json::from_slice(&files.config).map_err(|problem| bad(format!("devices/{name}.json"), problem.to_string()))?;
            documents.insert(name.clone(), (document, files.cli.clone()));
        }
        let failed = |problem: &dyn std::fmt::Display| LabError::Device(problem.to_string());
        let schema = Arc::new(Schema::eos().map_err(|problem| failed(&problem))?);
        let mut options = eos::Options { login: Some((super::LOGIN.0.to_owned(), super::LOGIN.1.to_owned())), ..eos::Options::default() };
        let devices = scale.devices.unwrap_or(documents.len());
        if devices > documents.len() {
            options.backlog = 512; // of a thousand devices all hold one
        }
        if scale.churn.is_some() || scale.pre_encoded {
            options.counters = HARDLY_EVER; // what moves is what was asked for
        }
        if scale.pre_encoded {
            options.pre_encoded = Some(eos::PreEncoded { rate: scale.churn.map(|rate| rate as f64 / devices as f64) });
        }
        let nodes = Arc::new(eos::nodes::Nodes::new(schema));
        let first = eos::Fabric::read(&nodes, &documents).map_err(|problem| failed(&problem))?;
        let naming = Naming::new(&topology, copies);
        let (mut configs, mut wiring) = (std::collections::BTreeMap::new(), eos::Topology::default());
        for copy in 1..=copies {
            let part = naming.topology(copy, &topology);
            wiring.devices.extend(part.devices);
            wiring.links.extend(part.links);
            wiring.hosts.extend(part.hosts);
            for (name, config) in &first {
                let lines = documents.get(name).map_or("", |(_, lines)| lines.as_str());
                configs.insert(naming.name(copy, name), copied(&naming, copy, config, lines));
            }
        }
        let fabric = eos::Fabric::assemble(nodes, configs, &wiring, options);
        fill(&fabric, scale).map_err(LabError::Scale)?;
        Ok(Self { fabric, listeners: Vec::new(), churning: None })
    }

    /// Lets counters move, so many a second over all devices that somebody streams from.
    pub fn churn(&mut self, rate: u64) {
        let fabric = Arc::downgrade(&self.fabric);
        self.churning = Some(tokio::spawn(churn(fabric, rate)));
    }

    /// Listens for all of them at one address.
    pub async fn serve_all(&mut self, address: SocketAddr, tls: Option<&Tls>) -> Result<SocketAddr, LabError> {
        let failed = |problem| LabError::Device(format!("the collector cannot listen on {address}: {problem}"));
        let running = self.fabric.serve_all(address, tls.map(certificates)).await.map_err(failed)?;
        let address = running.address;
        self.listeners.push(running);
        Ok(address)
    }

    /// Listens for one.
    pub async fn serve(&mut self, name: &str, address: SocketAddr, tls: Option<&Tls>) -> Result<SocketAddr, LabError> {
        let tls = tls.map(certificates);
        let failed = |problem| LabError::Device(format!("{name} cannot listen on {address}: {problem}"));
        let running = self.fabric.serve_with(name, address, tls).await.map_err(failed)?;
        let address = running.address;
        self.listeners.push(running);
        Ok(address)
    }

    /// Plays the device events of a scenario.
    pub fn play(&self, scenario: &Value) -> Result<(), LabError> {
        let id = || scenario.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let scenario: eos::Scenario =
            serde_json::from_value(scenario.clone()).map_err(|problem| LabError::Scenario { id: id(), problem: problem.to_string() })?;
        self.fabric.apply_scenario(&scenario).map_err(|problem| LabError::Device(problem.to_string()))
    }
}
