//! `intent lint|show|pull`: what NetBox says, and what is wrong with it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CHANGES, CLEAN, Exit, Failure, Global, out};
use crate::engine::intent as source;
use crate::path::Path;
use crate::tree::{Leaf, Tree};

/// `intent`
#[derive(Debug, Args)]
pub struct Intent {
    #[command(subcommand)]
    what: What,
    /// Read this NetBox branch
    #[arg(long, global = true, value_name = "NAME")]
    branch: Option<String>,
    /// One JSON document
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What is wrong, with links to the objects
    Lint,
    /// The devices; with a name, every leaf it should have and the object it comes from
    Show {
        /// A device
        device: Option<String>,
        /// Every leaf of every device, too
        #[arg(long)]
        leaves: bool,
    },
    /// Read it and write the records to a file
    Pull {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

impl Intent {
    /// Prints it.
    pub async fn run(self, global: &Global) -> Exit {
        let settings = global.settings()?;
        let pulled = source::pull(&settings, self.branch.as_deref(), out::reading).await?;
        match self.what {
            What::Lint => {
                if self.json {
                    out::json(
                        &json!({"format": "fabric-orch/findings/1", "findings": pulled.findings, "silenced": pulled.silenced}),
                        true,
                    )?;
                } else {
                    for finding in &pulled.findings {
                        let device = finding.device.as_deref().unwrap_or("-");
                        out::data(&format!("{:?} {device} {}: {}", finding.severity, finding.code, finding.message).to_lowercase_first());
                        if let Some(origin) = finding.origin.as_ref().filter(|origin| !origin.url.is_empty()) {
                            out::data(&format!("  {} {}", origin.object, origin.url));
                        }
                        if !finding.hint.is_empty() {
                            out::data(&format!("  hint: {}", finding.hint));
                        }
                    }
                    let quiet = if pulled.silenced.is_empty() {
                        String::new()
                    } else {
                        format!(", {} silenced in the settings", pulled.silenced.len())
                    };
                    out::talk(&format!("{} findings in {} objects{quiet}", pulled.findings.len(), pulled.objects));
                }
                Ok(if pulled.findings.is_empty() { CLEAN } else { CHANGES })
            }
            What::Show { device: None, leaves: true } => {
                let mut devices = Vec::new();
                for device in &pulled.fabric.devices {
                    let (tree, _) = source::desired(&pulled.fabric, &device.name)?;
                    if self.json {
                        devices.push(json!({"device": device, "leaves": rows(&tree)}));
                    } else {
                        tree.sorted().iter().for_each(|(path, leaf)| out::data(&format!("{}\t{path}\t{}", device.name, leaf.value)));
                    }
                }
                if self.json {
                    out::json(&json!({"format": "fabric-orch/intent-leaves/1", "devices": devices, "findings": pulled.findings}), true)?;
                }
                Ok(CLEAN)
            }
            What::Show { device: None, leaves: false } => {
                if self.json {
                    out::json(&json!({"format": "fabric-orch/intent/1", "devices": pulled.fabric.devices}), true)?;
                    return Ok(CLEAN);
                }
                let mut rows = vec![["DEVICE", "ROLE", "STATUS", "AS", "PAIR", "VTEP", "MANAGEMENT", "OBJECT"].map(str::to_owned).to_vec()];
                let or = |text: Option<String>| text.unwrap_or_else(|| "-".into());
                rows.extend(pulled.fabric.devices.iter().map(|device| {
                    vec![
                        device.name.to_string(),
                        format!("{:?}", device.role).to_lowercase(),
                        device.status.clone(),
                        or(device.asn.map(|asn| asn.to_string())),
                        or(device.pair.as_ref().map(ToString::to_string)),
                        or(device.vtep.clone()),
                        or(device.management.clone()),
                        device.origin.object.clone(),
                    ]
                }));
                out::data(&out::table(&rows));
                Ok(CLEAN)
            }
            What::Show { device: Some(name), .. } => {
                if pulled.fabric.device(&name).is_none() {
                    return Err(Failure::new(format!("{name} is not in intent")).hint("`fabric-orch intent show` lists the devices"));
                }
                let (tree, findings) = source::desired(&pulled.fabric, &name)?;
                let leaves = tree.sorted();
                if self.json {
                    out::json(
                        &json!({"format": "fabric-orch/desired/1", "device": name, "leaves": rows(&tree), "findings": findings}),
                        true,
                    )?;
                    return Ok(CLEAN);
                }
                for (path, leaf) in leaves {
                    let origin = tree.origin(leaf).map_or("", |origin| origin.object.as_str());
                    out::data(&format!("{path}\t{}\t{origin}", leaf.value));
                }
                Ok(CLEAN)
            }
            What::Pull { out: file } => {
                let document = json!({"format": "fabric-orch/intent/1", "objects": pulled.objects, "devices": pulled.fabric.devices, "findings": pulled.findings});
                match file {
                    Some(file) => {
                        let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::new(error.to_string()))?;
                        std::fs::write(&file, text + "\n").map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
                        let ms: u64 = pulled.calls.iter().map(|(_, ms)| ms).sum();
                        out::talk(&format!(
                            "{} objects in {} calls, {ms} ms, written to {}",
                            pulled.objects,
                            pulled.calls.len(),
                            file.display()
                        ));
                    }
                    None => out::json(&document, true)?,
                }
                Ok(CLEAN)
            }
        }
    }
}

/// Path, value and origin of every leaf, by path.
fn rows(tree: &Tree) -> Vec<serde_json::Value> {
    let row = |(path, leaf): (Arc<Path>, &Leaf)| json!({"path": &*path, "value": leaf.value.to_json(), "origin": tree.origin(leaf)});
    tree.sorted().into_iter().map(row).collect()
}

/// `Warning leaf1 …` → `warning leaf1 …`
trait LowercaseFirst {
    fn to_lowercase_first(&self) -> String;
}

impl LowercaseFirst for String {
    fn to_lowercase_first(&self) -> String {
        let mut chars = self.chars();
        chars.next().map_or_else(Self::new, |first| first.to_lowercase().chain(chars).collect())
    }
}
