//! Intent for front ends: read it once, say what is wrong with it, show what a device should hold.

use crate::config::Settings;
use crate::diff::change::Finding;
use crate::intent::{Fabric, map};
use crate::tree::{Paths, Tree};
use crate::yang::Schema;

use super::silence::{self, Silenced};
use super::snapshot::Reading;
use super::{Error, reader};

/// One read of intent.
#[derive(Debug)]
pub struct Pulled {
    /// The records.
    pub fabric: Fabric,
    /// What is wrong, the worst first: found while reading, between objects, and while mapping.
    pub findings: Vec<Finding>,
    /// What is wrong and was silenced in the settings.
    pub silenced: Vec<Silenced>,
    /// Objects read.
    pub objects: usize,
    /// Calls made, and the milliseconds they took.
    pub calls: Vec<(String, u64)>,
}

/// Reads intent once; `progress` hears now and then how far it is.
///
/// # Errors
/// When NetBox could not be read in any part.
pub async fn pull(settings: &Settings, branch: Option<&str>, progress: impl FnMut(Reading)) -> Result<Pulled, Error> {
    let client = reader::client(&settings.netbox, branch)?;
    let read = reader::watched(&client, progress).await?;
    let (paths, schema) = (Paths::new(), Schema::eos()?);
    let mut findings = read.findings;
    for device in &read.fabric.devices {
        findings.extend(map::desired(&read.fabric, &schema, &device.name, &paths).findings);
    }
    let (findings, silenced) = silence::judged(findings, &settings.silence);
    let calls = read.calls.into_iter().map(|call| (format!("{} {}", call.method, call.url), call.ms)).collect();
    Ok(Pulled { fabric: read.fabric, findings, silenced, objects: read.objects, calls })
}

/// What a device should hold.
///
/// # Errors
/// When the schema compiled in cannot be read.
pub fn desired(fabric: &Fabric, device: &str) -> Result<(Tree, Vec<Finding>), Error> {
    let made = map::desired(fabric, &Schema::eos()?, device, &Paths::new());
    Ok((made.tree, made.findings))
}
