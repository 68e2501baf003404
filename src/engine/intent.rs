//! Intent for front ends: read it once, say what is wrong with it, show what a device should hold.

use crate::config::{self, Settings};
use crate::diff::change::Finding;
use crate::intent::silence::{self, Silence, Silenced};
use crate::intent::{Fabric, map};
use crate::tree::{Paths, Tree};
use crate::yang::Schema;

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
pub async fn pull(settings: &Settings, branch: Option<&str>, progress: impl Fn(&Reading)) -> Result<Pulled, Error> {
    let client = reader::client(&settings.netbox, branch)?;
    let far = client.progress();
    let mut read = std::pin::pin!(client.read(|_| {}));
    let mut look = tokio::time::interval(std::time::Duration::from_millis(250));
    look.tick().await;
    let read = loop {
        tokio::select! {
            read = &mut read => break read?,
            _ = look.tick() => progress(&far.borrow().kinds.iter().map(|kind| (kind.word, kind.got, kind.of)).collect()),
        }
    };
    let (paths, schema) = (Paths::new(), Schema::eos()?);
    let mut findings = read.findings;
    for device in &read.fabric.devices {
        findings.extend(map::desired(&read.fabric, &schema, &device.name, &paths).findings);
    }
    let (findings, silenced) = judged(findings, &settings.silence);
    let calls = read.calls.into_iter().map(|call| (format!("{} {}", call.method, call.url), call.ms)).collect();
    Ok(Pulled { fabric: read.fabric, findings, silenced, objects: read.objects, calls })
}

/// Every finding once, the worst first; those the settings silence apart.
pub fn judged(findings: impl IntoIterator<Item = Finding>, rules: &[config::Silence]) -> (Vec<Finding>, Vec<Silenced>) {
    let mut seen = std::collections::BTreeSet::new();
    let mut all: Vec<Finding> = findings
        .into_iter()
        .filter(|finding| seen.insert((finding.code.clone(), finding.device.clone(), finding.message.clone())))
        .collect();
    all.sort_by(|a, b| (b.severity, &a.code, &a.device, &a.message).cmp(&(a.severity, &b.code, &b.device, &b.message)));
    let rule = |rule: &config::Silence| Silence {
        rule: rule.rule.clone(),
        device: rule.device.clone(),
        about: rule.about.clone(),
        reason: rule.reason.clone(),
    };
    silence::sort(all, &rules.iter().map(rule).collect::<Vec<_>>())
}

/// What a device should hold.
///
/// # Errors
/// When the schema compiled in cannot be read.
pub fn desired(fabric: &Fabric, device: &str) -> Result<(Tree, Vec<Finding>), Error> {
    let made = map::desired(fabric, &Schema::eos()?, device, &Paths::new());
    Ok((made.tree, made.findings))
}
