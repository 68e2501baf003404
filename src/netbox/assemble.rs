//! Pages of NetBox → records of intent. No network: the same pages always make the same fabric.
//!
//! An object that does not read at all rejects everything ([`Error::BadObject`]); a custom field of the wrong kind is a finding
//! that keeps its device from being planned, since leaving it out would look like intent to delete what it stood for.

mod bgp;
mod devices;
mod fallback;
mod fields;
mod gateways;
mod ports;
mod vpns;

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::error::Error;
pub use super::pages::{List, Pages};
use super::raw::{self, Choice, Custom, Text};
use super::settings::Settings;
use crate::intent::Fabric;
use crate::intent::finding::{Finding, Severity, about};
use crate::intent::lint::lint;
use crate::tree::Origin;
use fields::Fields;

/// A fabric, and how many objects it was made from.
pub struct Assembled {
    /// The records, with findings made while reading and by lint.
    pub fabric: Fabric,
    /// Objects read, change log entries not counted.
    pub objects: usize,
}

/// Makes the fabric. `settings` says what fields and tags are called and where web pages are; its token is not looked at.
pub fn assemble(pages: &Pages, settings: &Settings) -> Result<Assembled, Error> {
    let mut maker = Maker {
        settings,
        base: settings.url.trim_end_matches('/').to_owned(),
        authors: authors(pages)?,
        findings: Vec::new(),
        names: FxHashMap::default(),
        pages,
        unknown: FxHashMap::default(),
    };
    let mut fabric = Fabric::default();
    let mut objects = 0;
    maker.devices(pages, &mut fabric, &mut objects)?;
    maker.interfaces(pages, &mut fabric, &mut objects)?;
    maker.addresses(pages, &mut fabric, &mut objects)?;
    maker.gateways(pages, &mut fabric, &mut objects)?;
    maker.cables(pages, &mut fabric, &mut objects)?;
    maker.vlans(pages, &mut fabric, &mut objects)?;
    maker.vpns(pages, &mut fabric, &mut objects)?;
    maker.bgp(pages, &mut fabric, &mut objects)?;
    maker.policies(pages, &mut fabric, &mut objects)?;
    maker.fallback(&mut fabric);
    maker.say_unknown(&mut fabric);
    fabric.findings = maker.findings;
    let mut fabric = fabric.indexed();
    let mut linted = lint(&fabric);
    fabric.findings.append(&mut linted);
    Ok(Assembled { fabric, objects })
}

/// The objects of a list that carries custom fields.
fn kind(list: List) -> &'static str {
    match list {
        List::Devices => "devices",
        List::Interfaces => "interfaces",
        List::Addresses => "addresses",
        List::Vlans => "VLANs",
        List::Vrfs => "VRFs",
        List::L2vpns => "L2VPNs",
        List::PrefixLists => "prefix lists",
        List::Policies => "routing policies",
        other => other.facts().word,
    }
}

/// Who changed which object last, as far as the newest entries of the change log say.
type Authors = FxHashMap<(String, u64), Author>;

/// Who changed an object last: the entry of the change log that says it.
#[derive(Default)]
struct Author {
    entry: u64,
    user: Option<String>,
    time: Option<String>,
    request: Option<String>,
}

fn authors(pages: &Pages) -> Result<Authors, Error> {
    let mut authors: Authors = FxHashMap::default();
    for change in pages.parse::<raw::Change<'_>>(List::Changes)? {
        let key = (change.changed_object_type.into_owned(), change.changed_object_id);
        let entry = authors.entry(key).or_default();
        if change.id >= entry.entry {
            *entry = Author {
                entry: change.id,
                user: change.user_name.map(owned),
                time: change.time.map(owned),
                request: change.request_id.map(owned),
            };
        }
    }
    Ok(authors)
}

fn owned(text: Text<'_>) -> String {
    text.0.into_owned()
}

fn text_of(choice: Option<Choice<'_>>) -> String {
    choice.map(|choice| choice.0.into_owned()).unwrap_or_default()
}

struct Maker<'s> {
    settings: &'s Settings,
    base: String,
    authors: Authors,
    findings: Vec<Finding>,
    /// Device names by id.
    names: FxHashMap<u64, Arc<str>>,
    /// What was read.
    pages: &'s Pages,
    /// Custom fields that objects of a list came without.
    unknown: FxHashMap<List, BTreeSet<String>>,
}

impl<'s> Maker<'s> {
    fn origin(&self, list: List, id: u64, name: &str, last_updated: Option<Text<'_>>) -> Arc<Origin> {
        let facts = list.facts();
        let known = self.authors.get(&(facts.kind.to_owned(), id));
        Arc::new(Origin {
            object: if name.is_empty() { format!("{} #{id}", facts.word) } else { format!("{} {name} #{id}", facts.word) },
            url: format!("{}{}{id}/", self.base, facts.web),
            user: known.and_then(|known| known.user.clone()),
            time: known.and_then(|known| known.time.clone()).or_else(|| last_updated.map(owned)),
            request: known.and_then(|known| known.request.clone()),
        })
    }

    fn fields<'m, 'a>(
        &'m mut self,
        list: List,
        custom: &'m Custom<'a>,
        origin: &Arc<Origin>,
        device: Option<&Arc<str>>,
    ) -> Fields<'m, 's, 'a> {
        Fields { maker: self, custom, list, origin: Arc::clone(origin), device: device.map(Arc::clone) }
    }

    /// An object came without a field: NetBox shows every field it has, with null where nothing is set.
    fn unknown(&mut self, list: List, name: &str) {
        let known = self.unknown.entry(list).or_default();
        if !known.contains(name) {
            known.insert(name.to_owned());
        }
    }

    /// Says which fields NetBox does not know.
    fn say_unknown(&mut self, fabric: &mut Fabric) {
        let unknown = self.unknown.iter().flat_map(|(list, names)| names.iter().map(|name| (kind(*list), name.clone())));
        fabric.missing_fields = unknown.collect();
        self.findings.extend(fabric.missing_fields.iter().map(|(kind, name)| Finding {
            code: "missing-custom-field".into(),
            severity: if *kind == "devices" && (*name == self.settings.fields.asn || *name == self.settings.fields.router_id) {
                Severity::Warning
            } else {
                Severity::Info
            },
            device: None,
            path: None,
            origin: None,
            message: format!("NetBox has no custom field `{name}` on {kind}"),
            hint: "create it, or name the one that stands for it in the settings".into(),
        }));
    }

    fn report(&mut self, code: &str, severity: Severity, device: Option<&Arc<str>>, origin: &Arc<Origin>, message: String, hint: &str) {
        self.findings.push(about(code, severity, device, origin, message, hint));
    }
}

/// An address without its mask.
fn bare(address: &str) -> &str {
    address.split_once('/').map_or(address, |(ip, _)| ip)
}

#[cfg(test)]
mod tests;
