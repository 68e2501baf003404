//! Intent for front ends: read it once, say what is wrong with it, show what a device should hold.

use crate::config::Settings;
use crate::diff::change::Finding;
use crate::intent::{Fabric, lint, map};
use crate::tree::{Paths, Tree};
use crate::yang::Schema;

use super::{Error, reader};

/// One read of intent.
#[derive(Debug)]
pub struct Pulled {
    /// The records.
    pub fabric: Fabric,
    /// What is wrong: found while reading, between objects, and while mapping.
    pub findings: Vec<Finding>,
    /// Objects read.
    pub objects: usize,
    /// Calls made, and the milliseconds they took.
    pub calls: Vec<(String, u64)>,
}

/// Reads intent once.
///
/// # Errors
/// When NetBox could not be read in any part.
pub async fn pull(settings: &Settings, branch: Option<&str>) -> Result<Pulled, Error> {
    let client = reader::client(&settings.netbox, branch)?;
    let read = client.read(|_| {}).await?;
    let (paths, schema) = (Paths::new(), Schema::eos()?);
    let mut findings = read.findings;
    findings.extend(lint::lint(&read.fabric));
    for device in &read.fabric.devices {
        findings.extend(map::desired(&read.fabric, &schema, &device.name, &paths).findings);
    }
    let mut seen = std::collections::BTreeSet::new();
    findings.retain(|finding| seen.insert((finding.code.clone(), finding.device.clone(), finding.message.clone())));
    let calls = read.calls.into_iter().map(|call| (format!("{} {}", call.method, call.url), call.ms)).collect();
    Ok(Pulled { fabric: read.fabric, findings, objects: read.objects, calls })
}

/// What a device should hold.
///
/// # Errors
/// When the schema compiled in cannot be read.
pub fn desired(fabric: &Fabric, device: &str) -> Result<(Tree, Vec<Finding>), Error> {
    let made = map::desired(fabric, &Schema::eos()?, device, &Paths::new());
    Ok((made.tree, made.findings))
}
