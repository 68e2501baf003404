//! Devices with their clusters, services and config contexts.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::value::RawValue;

use super::super::error::Error;
use super::super::pages::{List, Pages};
use super::super::raw::{self, Custom};
use super::{Maker, bare, text_of};
use crate::intent::Fabric;
use crate::intent::context::{Context, Problem};
use crate::intent::fabric::{Device, Role};
use crate::intent::finding::Severity;
use crate::intent::records::{self, Mlag};
use crate::tree::Origin;

impl Maker<'_> {
    pub(super) fn devices(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let clusters: Vec<raw::Cluster<'_>> = pages.parse(List::Clusters)?;
        let services: Vec<raw::Service<'_>> = pages.parse(List::Services)?;
        let devices: Vec<raw::Device<'_>> = pages.parse(List::Devices)?;
        *objects += clusters.len() + services.len() + devices.len();
        let pairs: FxHashSet<u64> =
            clusters.iter().filter(|cluster| cluster.kind.slug == self.settings.pair_type).map(|cluster| cluster.id).collect();
        let mut gnmi = FxHashMap::default();
        for service in services.into_iter().filter(|service| service.name.eq_ignore_ascii_case("gnmi")) {
            let on_device = service.parent_object_type.as_ref().is_none_or(|kind| kind.0 == "dcim.device");
            let Some(device) = service.parent_object_id.or(service.device.map(|device| device.id)).filter(|_| on_device) else { continue };
            let mapped = service.port_mappings.first().and_then(|mapping| mapping.0.rsplit('/').next()?.parse::<u16>().ok());
            let origin = self.origin(List::Services, service.id, "gnmi", service.last_updated);
            gnmi.insert(device, (mapped.or(service.ports.first().copied()), origin));
        }
        let f = &self.settings.fields;
        let names = [
            &f.asn,
            &f.router_id,
            &f.mlag_domain_id,
            &f.mlag_local_address,
            &f.mlag_peer_address,
            &f.mlag_heartbeat_address,
            &f.mlag_heartbeat_vrf,
            &f.mlag_virtual_mac,
        ];
        self.missing(List::Devices, devices.first().map(|device| &device.custom_fields), &names.map(String::as_str));
        for device in devices {
            // An unknown filter is ignored by NetBox and everything comes: tag and site are checked here again.
            let elsewhere = |site: &raw::Slugged<'_>| !self.settings.sites.iter().any(|wanted| *wanted == site.slug);
            let off_site = !self.settings.sites.is_empty() && device.site.as_ref().is_none_or(elsewhere);
            let tagged = self.settings.tag.is_empty() || device.tags.iter().any(|tag| tag.slug == self.settings.tag);
            if off_site || !tagged {
                continue;
            }
            let name = device.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default();
            let origin = self.origin(List::Devices, device.id, &name, device.last_updated);
            if name.is_empty() {
                self.report("device-without-name", Severity::Error, None, &origin, "a managed device has no name".into(), "name it");
                continue;
            }
            let name: Arc<str> = Arc::from(name);
            let context = self.context(device.config_context, &name, &origin);
            let mut fields = self.fields(List::Devices, &device.custom_fields, &origin, Some(&name));
            let (asn, router_id) = (fields.get(&f.asn, "an AS number"), fields.text(&f.router_id));
            let mlag = fields.text(&f.mlag_domain_id).map(|domain| Mlag {
                domain,
                local_address: fields.text(&f.mlag_local_address),
                peer_address: fields.text(&f.mlag_peer_address),
                heartbeat_address: fields.text(&f.mlag_heartbeat_address),
                heartbeat_vrf: fields.text(&f.mlag_heartbeat_vrf),
            });
            let mac = fields.text(&f.mlag_virtual_mac);
            let virtual_mac = mac.and_then(|mac| {
                let dotted = dotted_mac(&mac);
                if dotted.is_none() {
                    self.report(
                        "bad-field",
                        Severity::Error,
                        Some(&name),
                        &origin,
                        format!("`{mac}` is no MAC address"),
                        "c001.cafe.babe or c0:01:ca:fe:ba:be",
                    );
                }
                dotted
            });
            let status = text_of(device.status);
            let tagged = device.tags.iter().any(|tag| tag.slug == self.settings.maintenance_tag);
            let at_work = ["planned", "offline", "failed", "inventory", "decommissioning"].contains(&status.as_str());
            let (port, gnmi_origin) = gnmi.remove(&device.id).map_or((None, None), |(port, origin)| (port, Some(origin)));
            let cluster = device.cluster.as_ref().map(|cluster| cluster.id);
            let management = device.primary_ip4.or(device.primary_ip6);
            fabric.settings.push(records::Settings {
                device: device.id,
                cluster,
                context,
                mlag,
                virtual_mac,
                gnmi_origin,
                maintenance: tagged || at_work,
            });
            self.names.insert(device.id, Arc::clone(&name));
            fabric.devices.push(Device {
                id: device.id,
                name,
                role: device.role.map_or(Role::Other(String::new()), |role| {
                    Role::of(self.settings.roles.get(&*role.slug).map_or(&*role.slug, String::as_str))
                }),
                site: device.site.map(|site| site.slug.into_owned()).unwrap_or_default(),
                status,
                asn,
                router_id,
                pair: device.cluster.filter(|cluster| pairs.contains(&cluster.id)).map(|cluster| Arc::from(cluster.name.as_ref())),
                management: management.map(|ip| bare(&ip.address).to_owned()),
                gnmi_port: port,
                vtep: None,
                origin,
            });
        }
        Ok(())
    }

    /// Notes which fields NetBox does not know, judged by the first object of a kind: all of a kind carry all fields.
    fn missing(&mut self, list: List, custom: Option<&Custom<'_>>, names: &[&str]) {
        let Some(custom) = custom else { return };
        for name in names.iter().filter(|name| custom.raw(name).is_none()) {
            self.unknown(list, name);
        }
    }

    fn context(&mut self, raw: Option<&RawValue>, device: &Arc<str>, origin: &Arc<Origin>) -> Context {
        let (context, problems) = raw.map(|raw| Context::parse(raw.get())).unwrap_or_default();
        for problem in problems {
            let (code, severity, message, hint) = match problem {
                Problem::Unreadable { section, why } => (
                    "bad-context",
                    Severity::Error,
                    format!("config context `{section}` of {device} does not read: {why}"),
                    "mend the config context that says it",
                ),
                Problem::Unmapped { key } => (
                    "unmapped-context",
                    Severity::Info,
                    format!("config context `{key}` of {device} is not mapped"),
                    "nothing of it is compared or sent",
                ),
            };
            self.report(code, severity, Some(device), origin, message, hint);
        }
        context
    }
}

/// `c0:01:ca:fe:ba:be`, `C001.CAFE.BABE` and the like, in the form EOS shows.
fn dotted_mac(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '.' | '-')).collect::<String>().to_ascii_lowercase();
    let hex = digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| format!("{}.{}.{}", &digits[0..4], &digits[4..8], &digits[8..12]))
}
