//! The devices of a lab: boots the simulated EOS fabric out of the lab's files and keeps its listeners.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::{LabData, LabError};
use crate::sim::eos;
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
}

impl Devices {
    /// Boots every device.
    pub fn boot(data: &LabData) -> Result<Self, LabError> {
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
        let options = eos::Options { login: Some((super::LOGIN.0.to_owned(), super::LOGIN.1.to_owned())), ..eos::Options::default() };
        let fabric = eos::Fabric::boot(&documents, &topology, schema, options).map_err(|problem| failed(&problem))?;
        Ok(Self { fabric, listeners: Vec::new() })
    }

    /// Listens for one.
    pub async fn serve(&mut self, name: &str, address: SocketAddr, tls: Option<&Tls>) -> Result<SocketAddr, LabError> {
        let tls = tls.map(|tls| eos::Tls {
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            client_authority: tls.client_authority.clone(),
        });
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
