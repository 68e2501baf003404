//! The settings file a lab writes, so that every other command works on it.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use toml::{Table, Value};

use super::eos::Tls;
use super::{LOGIN, LabError, NAME, TAG};

/// Where the settings file lies. A folder made here is private and is removed again.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    ours: bool,
}

impl Folder {
    /// The folder asked for, or a new one below the system's temporary folder.
    pub fn new(asked: Option<PathBuf>) -> Result<Self, LabError> {
        let ours = asked.is_none();
        let path = asked.unwrap_or_else(|| {
            let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
            std::env::temp_dir().join(format!("fabric-orch-lab-{}-{nanos:x}", std::process::id()))
        });
        let mut builder = fs::DirBuilder::new();
        builder.recursive(!ours); // one made here must be new: somebody else's folder of that name would not be private
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|source| LabError::Settings { path: path.clone(), source })?;
        Ok(Self { path, ours })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the settings file, readable by its owner only.
    pub fn write(
        &self,
        url: &str,
        token: &str,
        devices: &[(String, SocketAddr)],
        collector: Option<SocketAddr>,
        tls: Option<&Tls>,
    ) -> Result<PathBuf, LabError> {
        let path = self.path.join("lab.toml");
        let text = text(url, token, devices, collector, tls);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| LabError::Settings { path: path.clone(), source })?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_dir_all(&self.path); // what is left behind is a few kilobytes in the temporary folder
        }
    }
}

fn text(url: &str, token: &str, devices: &[(String, SocketAddr)], collector: Option<SocketAddr>, tls: Option<&Tls>) -> String {
    let words = |pairs: &[(&str, &str)]| -> Table { pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect() };
    let mut gnmi = words(&[("username", LOGIN.0), ("password", LOGIN.1)]);
    match tls {
        None => gnmi.insert("insecure".to_owned(), Value::from(true)),
        Some(tls) => gnmi.insert("ca".to_owned(), Value::from(tls.authority_file.display().to_string())),
    };
    // Through a collector no device has an address of its own.
    let targets: Table = devices
        .iter()
        .filter(|_| collector.is_none())
        .map(|(name, address)| (name.clone(), Value::Table(words(&[("address", &address.to_string())]))))
        .collect();
    let mut fabric = words(&[("environment", "lab")]);
    fabric.insert("write".to_owned(), Value::from(true));
    fabric.insert("netbox".to_owned(), Value::Table(words(&[("url", url), ("token", token), ("tag", TAG)])));
    fabric.insert("gnmi".to_owned(), Value::Table(gnmi));
    if let Some(address) = collector {
        fabric.insert("collector".to_owned(), Value::Table(words(&[("address", &address.to_string())])));
    }
    fabric.insert("targets".to_owned(), Value::Table(targets));
    if devices.len() > 50 {
        // A thousand devices need more than the half minute that is plenty for ten.
        let seconds = i64::try_from(30 + devices.len() / 5).unwrap_or(i64::MAX);
        fabric.insert("timing".to_owned(), Value::Table([("sync".to_owned(), Value::from(seconds))].into_iter().collect()));
    }
    let mut file = words(&[("default", NAME), ("state", "state")]);
    file.insert("fabric".to_owned(), Value::Table([(NAME.to_owned(), Value::Table(fabric))].into_iter().collect()));
    format!("# A simulated fabric. Written when the lab started; its servers end with it.\n{file}")
}
