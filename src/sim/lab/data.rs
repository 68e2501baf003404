//! The lab's files: devices, NetBox recordings, topology and scenarios; from the binary itself or from a folder of the same shape.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What can be wrong with a lab's files.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is missing; a lab folder needs `devices/`, `netbox/index.json` and `topology.json`.
    #[error("{origin} has no {file}; a lab needs devices/NAME.json, netbox/index.json and topology.json")]
    Missing {
        /// Folder, or `the binary`.
        origin: String,
        /// What it lacks.
        file: String,
    },
    /// A file does not hold what it should.
    #[error("{file} of {origin}: {problem}")]
    Bad {
        /// Folder, or `the binary`.
        origin: String,
        /// Which file.
        file: String,
        /// What is wrong.
        problem: String,
    },
}

/// What a device boots with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceFiles {
    /// JSON_IETF configuration document.
    pub config: Vec<u8>,
    /// Lines no YANG path carries.
    pub cli: String,
    /// Recorded state, where the folder has one.
    pub state: Option<Vec<u8>>,
}

/// All files of a lab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabData {
    /// Where they are from, for messages: a folder, or `the binary`.
    pub origin: String,
    /// Devices by name.
    pub devices: BTreeMap<String, DeviceFiles>,
    /// Who is wired to whom.
    pub topology: Vec<u8>,
    /// NetBox recordings by file name.
    pub netbox: BTreeMap<String, Vec<u8>>,
    /// Scenarios by id.
    pub scenarios: BTreeMap<String, Vec<u8>>,
}

impl LabData {
    /// The reference fabric in the binary.
    pub fn embedded() -> Result<Self, DataError> {
        let origin = "the binary".to_owned();
        let bad = |problem: &str| DataError::Bad { origin: origin.clone(), file: "lab.gz".to_owned(), problem: problem.to_owned() };
        let mut bytes = Vec::new();
        let packed: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lab.gz"));
        flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).map_err(|problem| bad(&problem.to_string()))?;
        let mut files = BTreeMap::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let mut parts = rest.splitn(3, |byte| *byte == 0);
            let (path, length, tail) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
            let path = path.and_then(|path| std::str::from_utf8(path).ok()).ok_or_else(|| bad("a name is not text"))?;
            let length: Option<usize> = length.and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
            let (content, next) = length.and_then(|length| tail.split_at_checked(length)).ok_or_else(|| bad("a length is wrong"))?;
            files.insert(path.to_owned(), content.to_vec());
            rest = next;
        }
        Self::sorted(origin, files)
    }

    /// A folder with `devices/`, `netbox/` and `topology.json`; `scenarios/` and `state/` are optional.
    pub fn from_dir(folder: &Path) -> Result<Self, DataError> {
        let read = |path: &Path| std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source });
        let mut files = BTreeMap::new();
        files.insert("topology.json".to_owned(), read(&folder.join("topology.json"))?);
        for part in ["devices", "netbox", "scenarios", "state"] {
            let inside = folder.join(part);
            if !inside.is_dir() && matches!(part, "scenarios" | "state") {
                continue;
            }
            let listed = std::fs::read_dir(&inside).map_err(|source| DataError::Read { path: inside.clone(), source })?;
            for entry in listed {
                let path = entry.map_err(|source| DataError::Read { path: inside.clone(), source })?.path();
                if let (true, Some(name)) = (path.is_file(), path.file_name().and_then(|name| name.to_str())) {
                    files.insert(format!("{part}/{name}"), read(&path)?);
                }
            }
        }
        Self::sorted(folder.display().to_string(), files)
    }

    fn sorted(origin: String, files: BTreeMap<String, Vec<u8>>) -> Result<Self, DataError> {
        let mut data = Self { origin, ..Self::default() };
        for (path, content) in files {
            let Some((part, name)) = path.split_once('/') else {
                if path == "topology.json" {
                    data.topology = content;
                }
                continue; // containerlab's file and the like
            };
            let stem = |suffix: &str| name.strip_suffix(suffix).map(str::to_owned);
            match (part, stem(".json"), stem(".cli")) {
                ("netbox", _, _) => {
                    data.netbox.insert(name.to_owned(), content);
                }
                ("devices", Some(device), _) => data.devices.entry(device).or_default().config = content,
                ("devices", _, Some(device)) => {
                    let text = String::from_utf8(content).map_err(|problem| data.bad(&path, &problem.to_string()))?;
                    data.devices.entry(device).or_default().cli = text;
                }
                ("state", Some(device), _) => data.devices.entry(device).or_default().state = Some(content),
                ("scenarios", Some(id), _) => {
                    data.scenarios.insert(id, content);
                }
                _ => {}
            }
        }
        data.devices.retain(|_, device| !device.config.is_empty());
        let missing = |file: &str| DataError::Missing { origin: data.origin.clone(), file: file.to_owned() };
        if data.topology.is_empty() {
            return Err(missing("topology.json"));
        }
        if data.devices.is_empty() {
            return Err(missing("devices/NAME.json"));
        }
        if !data.netbox.contains_key("index.json") {
            return Err(missing("netbox/index.json"));
        }
        Ok(data)
    }

    fn bad(&self, file: &str, problem: &str) -> DataError {
        DataError::Bad { origin: self.origin.clone(), file: file.to_owned(), problem: problem.to_owned() }
    }

    /// A scenario's document.
    pub fn scenario(&self, id: &str) -> Result<Option<Value>, DataError> {
        let Some(bytes) = self.scenarios.get(id) else { return Ok(None) };
        serde_json::from_slice(bytes).map(Some).map_err(|problem| self.bad(&format!("scenarios/{id}.json"), &problem.to_string()))
    }

    /// The topology as JSON.
    pub fn topology(&self) -> Result<Value, DataError> {
        serde_json::from_slice(&self.topology).map_err(|problem| self.bad("topology.json", &problem.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_files_equal_the_folder() {
        let embedded = LabData::embedded().expect("embedded");
        let folder = LabData::from_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("lab")).expect("folder");
        assert_eq!(LabData { origin: String::new(), ..embedded }, LabData { origin: String::new(), ..folder });
    }

    #[test]
    fn what_a_folder_lacks_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let problem = LabData::from_dir(folder.path()).expect_err("nothing there").to_string();
        assert!(problem.contains("topology.json"), "{problem}");
        std::fs::write(folder.path().join("topology.json"), "{}").expect("write");
        for part in ["devices", "netbox"] {
            std::fs::create_dir(folder.path().join(part)).expect("folder");
        }
        let problem = LabData::from_dir(folder.path()).expect_err("no devices").to_string();
        assert!(problem.contains("devices/NAME.json"), "{problem}");
    }
}
