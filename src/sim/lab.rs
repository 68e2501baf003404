//! The lab: its data (embedded in the binary, or a folder of the same shape) and the servers that run on it.
//!
//! [`Lab::start`] boots every device and the NetBox on loopback, applies scenarios and writes the settings file with which every other command works
//! on it. It must not know how intent is mapped, compared or planned.

pub mod clone;
pub mod data;
mod eos;
mod settings;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

pub use clone::Scale;
pub use data::{DataError, DeviceFiles, LabData};
pub use eos::Tls;

use self::clone::Naming;
use super::netbox::replay::{self, Change};
use super::netbox::{self, Server};

/// Name of the fabric in the settings file, and of its environment.
pub const NAME: &str = "lab";
/// User and password every lab device takes.
pub const LOGIN: (&str, &str) = ("admin", "admin");
/// Tag of the devices the lab manages.
pub const TAG: &str = "evpn-fabric";

/// How a lab is started.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// Where everything listens.
    pub address: IpAddr,
    /// NetBox's port, the devices' follow in the topology's order; 0 takes free ones.
    pub port_base: u16,
    /// Ids of scenarios, or of changes of `netbox/changes.json`, applied in this order before anything is served.
    pub scenarios: Vec<String>,
    /// Folder for the settings file and the journal; none makes a private one that goes away with the lab.
    pub folder: Option<PathBuf>,
    /// TLS on the devices; none is plaintext.
    pub tls: Option<Tls>,
    /// How large it is, and how much moves.
    pub scale: Scale,
    /// Serve all devices at one address too, and reach them there.
    pub collector: bool,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port_base: 0,
            scenarios: Vec::new(),
            folder: None,
            tls: None,
            scale: Scale::default(),
            collector: false,
        }
    }
}

/// Why a lab does not start or does not play a scenario.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Its files cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Its NetBox does not start, or refuses an edit.
    #[error(transparent)]
    NetBox(#[from] netbox::Error),
    /// It cannot be that large, or that small.
    #[error("{0}")]
    Scale(String),
    /// A device does not boot or listen, or refuses an event.
    #[error("lab devices: {0}")]
    Device(String),
    /// No such scenario.
    #[error("no scenario `{asked}` in the lab; there are: {}", known.join(", "))]
    NoScenario {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A scenario's NetBox part cannot be read.
    #[error("scenario {id}: {problem}")]
    Scenario {
        /// Which.
        id: String,
        /// What is wrong.
        problem: String,
    },
    /// The settings file or its folder cannot be written.
    #[error("cannot write the lab's settings {path}: {source}")]
    Settings {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A running lab. Dropping it stops every server.
#[derive(Debug)]
pub struct Lab {
    /// The settings file for every other command.
    pub config_file: PathBuf,
    /// The NetBox.
    pub netbox: netbox::Running,
    /// Devices in the topology's order, copy after copy, and where they listen.
    pub devices: Vec<(String, SocketAddr)>,
    /// Where all of them are reached by `prefix.target`.
    pub collector: Option<SocketAddr>,
    fabric: eos::Devices,
    data: LabData,
    changes: Vec<Change>,
    folder: settings::Folder,
}

impl Lab {
    /// Starts every server and writes the settings file.
    pub async fn start(data: LabData, options: LabOptions) -> Result<Self, LabError> {
        let changes = data.netbox.get("changes.json").map_or_else(|| Ok(Vec::new()), |bytes| replay::changes(bytes))?;
        let first = order(&data)?;
        let scale = &options.scale;
        scale.check(first.len(), options.port_base).map_err(LabError::Scale)?;
        let count = scale.devices.unwrap_or(first.len());
        let copies = count.div_ceil(first.len().max(1));
        let naming = Naming::new(&serde_json::from_value(data.topology()?).unwrap_or_default(), copies);
        let mut names: Vec<String> =
            (1..=copies).flat_map(|copy| first.iter().map(move |name| (copy, name))).map(|(copy, name)| naming.name(copy, name)).collect();
        // The rest of the last copy runs too, so that the others have neighbors, but it is nobody's.
        let spare: BTreeSet<String> = names.drain(count.min(names.len())..).collect();
        let server = Server::copied(&data.netbox, copies, |copy, text| naming.text(copy, text), &spare)?;
        let mut fabric = eos::Devices::boot(&data, copies, scale)?;
        for id in &options.scenarios {
            play(&data, &changes, &server, &fabric, id)?;
        }
        let netbox = server.listen(SocketAddr::new(options.address, options.port_base)).await?;
        let port = |number: usize| match options.port_base {
            0 => 0,
            base => u16::try_from(number).ok().and_then(|number| base.checked_add(number)).unwrap_or(0),
        };
        let mut devices = Vec::new();
        for name in names {
            let address = SocketAddr::new(options.address, port(devices.len() + 1));
            let address = fabric.serve(&name, address, options.tls.as_ref()).await?;
            devices.push((name, address));
        }
        let collector = match options.collector {
            true => Some(fabric.serve_all(SocketAddr::new(options.address, port(devices.len() + 1)), options.tls.as_ref()).await?),
            false => None,
        };
        if let (Some(rate), false) = (scale.churn, scale.pre_encoded) {
            fabric.churn(rate);
        }
        let folder = settings::Folder::new(options.folder)?;
        let config_file = folder.write(&netbox.url, &netbox.token, &devices, collector, options.tls.as_ref())?;
        Ok(Self { config_file, netbox, devices, collector, fabric, data, changes, folder })
    }

    /// Plays a scenario now: edits of NetBox, its faults, then events on devices.
    pub fn play(&self, id: &str) -> Result<(), LabError> {
        play(&self.data, &self.changes, self.netbox.server(), &self.fabric, id)
    }

    /// Ids [`Lab::play`] knows.
    pub fn scenarios(&self) -> Vec<String> {
        known(&self.data, &self.changes)
    }

    /// The simulated devices: their faults and events.
    pub fn fabric(&self) -> &Arc<super::eos::Fabric> {
        &self.fabric.fabric
    }

    /// Folder of the settings file; the journal of a lab lives there too.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops every server and removes the folder the lab made for itself.
    pub async fn shutdown(self) {
        self.netbox.stop().await;
        drop(self.fabric);
        drop(self.folder);
    }
}

fn known(data: &LabData, changes: &[Change]) -> Vec<String> {
    let ids: BTreeSet<String> = data.scenarios.keys().cloned().chain(changes.iter().map(|change| change.id.clone())).collect();
    ids.into_iter().collect()
}

fn play(data: &LabData, changes: &[Change], server: &Server, fabric: &eos::Devices, id: &str) -> Result<(), LabError> {
    let Some(scenario) = data.scenario(id)? else {
        let change = changes.iter().find(|change| change.id == id);
        let missing = || LabError::NoScenario { asked: id.to_owned(), known: known(data, changes) };
        return Ok(server.apply(change.ok_or_else(missing)?)?);
    };
    let bad = |problem: String| LabError::Scenario { id: id.to_owned(), problem };
    if let Some(edit) = scenario.get("netbox") {
        // A list of calls, or an object with `refs` too, as in changes.json.
        let calls = if edit.is_array() { serde_json::json!({"calls": edit}) } else { edit.clone() };
        let mut change = calls;
        if let Some(map) = change.as_object_mut() {
            map.insert("id".to_owned(), Value::from(id));
        }
        let change: Change = serde_json::from_value(change).map_err(|problem| bad(format!("netbox: {problem}")))?;
        server.apply(&change)?;
    }
    if let Some(fault) = scenario.get("netbox_fault") {
        server.faults().add_json(fault).map_err(|problem| bad(format!("netbox_fault: {problem}")))?;
    }
    fabric.play(&scenario)
}

/// Device names in the topology's order, those it does not name last.
fn order(data: &LabData) -> Result<Vec<String>, LabError> {
    let topology = data.topology()?;
    let listed = topology.get("devices").and_then(Value::as_array).into_iter().flatten();
    let mut names: Vec<String> = listed
        .filter_map(|device| device.get("name")?.as_str())
        .filter(|name| data.devices.contains_key(*name))
        .map(str::to_owned)
        .collect();
    let rest: Vec<String> = data.devices.keys().filter(|name| !names.contains(name)).cloned().collect();
    names.extend(rest);
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(lab: &Lab, path: &str) -> (u16, Value) {
        let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have
        let http = reqwest::Client::builder().no_proxy().build().expect("client");
        let url = format!("{}{path}", lab.netbox.url);
        let answer = http.get(url).header("Authorization", format!("Bearer {}", lab.netbox.token)).send().await.expect("answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    #[tokio::test]
    async fn a_lab_starts_plays_and_goes_away() {
        let options = LabOptions { scenarios: vec!["rename-uplink".to_owned()], ..LabOptions::default() };
        let lab = Lab::start(LabData::embedded().expect("data"), options).await.expect("lab");
        let (status, port) = get(&lab, "/api/dcim/interfaces/46/?fields=description,url").await;
        assert_eq!((status, port["description"].as_str()), (200, Some("to spine1 Ethernet3")));
        assert_eq!(port["url"], format!("{}/api/dcim/interfaces/46/", lab.netbox.url), "URLs carry the server's own base");
        lab.play("delete-address").expect("a change of changes.json");
        assert_eq!(get(&lab, "/api/ipam/ip-addresses/47/").await.0, 404);
        let problem = lab.play("nope").expect_err("no such scenario").to_string();
        assert!(problem.contains("rename-uplink"), "{problem}");

        assert_eq!(lab.devices.len(), 10);
        assert_eq!(lab.devices.first().map(|(name, _)| name.as_str()), Some("spine1"));
        let text = std::fs::read_to_string(&lab.config_file).expect("settings");
        let settings: toml::Table = text.parse().expect("TOML");
        let fabric = &settings["fabric"][NAME];
        assert_eq!(fabric["netbox"]["url"].as_str(), Some(lab.netbox.url.as_str()));
        assert_eq!(
            fabric["targets"]["leaf1"]["address"].as_str(),
            lab.devices.iter().find(|(name, _)| name == "leaf1").map(|(_, at)| at.to_string()).as_deref()
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(&lab.config_file), mode(lab.folder())), (0o600, 0o700));
        }
        let folder = lab.folder().to_owned();
        lab.shutdown().await;
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn every_scenario_about_netbox_plays() {
        let data = LabData::embedded().expect("data");
        let lab = Lab::start(data.clone(), LabOptions::default()).await.expect("lab");
        let about = |id: &String| data.scenario(id).expect("JSON").is_some_and(|it| it.get("netbox").or(it.get("netbox_fault")).is_some());
        let ids: Vec<&String> = data.scenarios.keys().filter(|id| about(id)).collect();
        assert!(ids.len() >= 12, "{ids:?}");
        for id in ids {
            lab.netbox.server().faults().clear();
            lab.play(id).expect(id);
        }
        assert_eq!(get(&lab, "/api/dcim/devices/").await.0, 200, "the last one, netbox-truncated-page, is about interfaces only");
    }
}
