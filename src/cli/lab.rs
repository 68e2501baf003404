//! `lab`: a simulated fabric on loopback, and the console on it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{CLEAN, Exit, Failure, Global, console, limits, out};
use crate::config::{self, Asked, Env};
use crate::sim::lab::{Lab as Running, LabData, LabOptions, Scale};

/// `lab`
#[derive(Debug, Args)]
pub struct Lab {
    /// Serve only: print one JSON line when everything answers, then wait for a signal
    #[arg(long)]
    headless: bool,
    /// A folder with devices/, netbox/ and topology.json instead of the reference fabric
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Start with this already happened; again for more
    #[arg(long = "scenario", value_name = "ID")]
    scenarios: Vec<String>,
    /// NetBox listens here and the devices on the ports after; 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port_base: u16,
    /// So many devices instead of the fabric's own: copy after copy of it, in NetBox too
    #[arg(long, value_name = "N")]
    clone: Option<usize>,
    /// Fill every device up to about so many leaves
    #[arg(long, value_name = "N")]
    leaves: Option<usize>,
    /// So many leaves change a second, over all devices
    #[arg(long, value_name = "UPDATES_PER_SECOND")]
    churn: Option<u64>,
    /// Stream changes that are encoded once: `--churn` of them, or as many as the reader takes
    #[arg(long)]
    pre_encoded: bool,
    /// Serve all devices at one address too, told apart by `prefix.target`, and reach them there
    #[arg(long)]
    collector: bool,
}

impl Lab {
    /// Serves.
    pub async fn run(self, global: &Global) -> Exit {
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("the lab does not start: {error}"));
        let data = match &self.dir {
            Some(folder) => LabData::from_dir(folder),
            None => LabData::embedded(),
        };
        let data = data.map_err(|error| failed(&error))?;
        let scale = Scale { devices: self.clone, leaves: self.leaves, churn: self.churn, pre_encoded: self.pre_encoded };
        scale.check(data.devices.len(), self.port_base).map_err(|problem| Failure::new(format!("the lab does not start: {problem}")))?;
        // A listener each, and two connections of whoever mirrors it, which may be this process.
        let count = self.clone.unwrap_or(data.devices.len());
        limits::enough(100 + count * if self.headless { 3 } else { 5 }, &format!("--clone {count}"))?;
        let options =
            LabOptions { scenarios: self.scenarios, port_base: self.port_base, scale, collector: self.collector, ..LabOptions::default() };
        let lab = Running::start(data, options).await.map_err(|error| failed(&error))?;
        let ended = if self.headless { serve(&lab).await } else { open(&lab, global).await };
        lab.shutdown().await;
        ended
    }
}

/// Says where everything is and waits for a signal.
async fn serve(lab: &Running) -> Exit {
    let devices: Vec<_> = lab.devices.iter().map(|(name, address)| json!({"name": name, "address": address.to_string()})).collect();
    let mut line = json!({"config": lab.config_file, "netbox": {"url": lab.netbox.url, "token": lab.netbox.token}, "devices": devices});
    if let (Some(map), Some(address)) = (line.as_object_mut(), lab.collector) {
        map.insert("collector".to_owned(), json!({"address": address.to_string()}));
    }
    out::json(&line, false)?;
    signal().await?;
    Ok(CLEAN)
}

/// The console on it.
async fn open(lab: &Running, global: &Global) -> Exit {
    let asked = Asked { config: Some(lab.config_file.clone()), fabric: None, ..global.asked() };
    let settings = config::load(&asked, &Env::lab())?;
    console::open(global, settings).await
}

/// Returns on SIGINT or SIGTERM.
pub(super) async fn signal() -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error: std::io::Error| Failure::new(format!("no signals: {error}"));
        let mut end = signal(SignalKind::terminate()).map_err(failed)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = end.recv() => {}
            _ = hangup.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}
