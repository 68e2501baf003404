//! Pages of NetBox → records of intent. No network: the same pages always make the same fabric.
//!
//! An object that does not read at all rejects everything ([`Error::BadObject`]); a custom field of the wrong kind is a finding
//! that keeps its device from being planned, since leaving it out would look like intent to delete what it stood for.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::Error;
pub use super::pages::{List, Pages};
use super::raw::{self, Choice, Custom, Link, Text};
use super::settings::Settings;
use crate::intent::Fabric;
use crate::intent::context::{Context, Problem};
use crate::intent::fabric::{Device, Role};
use crate::intent::finding::{Finding, Severity, about};
use crate::intent::lint::lint;
use crate::intent::records::{
    self, Address, Attributes, Cable, Interface, Kind, L2vpn, Mlag, Mode, PeerGroup, Policy, PolicyRule, PrefixList, PrefixRule, Session,
    Vlan, VlanRef, Vrf,
};
use crate::tree::Origin;

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
    maker.cables(pages, &mut fabric, &mut objects)?;
    maker.vlans(pages, &mut fabric, &mut objects)?;
    maker.vpns(pages, &mut fabric, &mut objects)?;
    maker.bgp(pages, &mut fabric, &mut objects)?;
    maker.policies(pages, &mut fabric, &mut objects)?;
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

/// Custom fields of one object, read with findings about it.
struct Fields<'m, 's, 'a> {
    maker: &'m mut Maker<'s>,
    custom: &'m Custom<'a>,
    list: List,
    origin: Arc<Origin>,
    device: Option<Arc<str>>,
}

impl<'a> Fields<'_, '_, 'a> {
    fn get<T: Deserialize<'a>>(&mut self, name: &str, expected: &str) -> Option<T> {
        let came = match self.custom.raw(name) {
            None => {
                self.maker.unknown(self.list, name);
                return None;
            }
            Some("null" | "\"\"") => return None,
            Some(came) => came,
        };
        match serde_json::from_str(came) {
            Ok(value) => Some(value),
            Err(_) => {
                let came: String = came.chars().take(60).collect();
                let message = format!("custom field `{name}` of {} is {came}, not {expected}", self.origin.object);
                let finding = about(
                    "bad-field",
                    Severity::Error,
                    self.device.as_ref(),
                    &self.origin,
                    message,
                    "mend the field, or name another one in the settings",
                );
                self.maker.findings.push(finding);
                None
            }
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.get::<Choice<'a>>(name, "text").map(|choice| choice.0.into_owned()).filter(|text| !text.is_empty())
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        self.get(name, "a number")
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.get(name, "true or false")
    }

    /// Divided by commas, or a list.
    fn words(&mut self, name: &str) -> Vec<String> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            Many(Vec<String>),
        }
        let words = match self.get::<Either>(name, "text or a list of texts") {
            None => Vec::new(),
            Some(Either::One(text)) => text.split(',').map(|word| word.trim().to_owned()).collect(),
            Some(Either::Many(words)) => words,
        };
        words.into_iter().filter(|word| !word.is_empty()).collect()
    }

    /// An object, or its name.
    fn reference(&mut self, name: &str) -> Option<String> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Object { name: String },
            Name(String),
            Id(u64),
        }
        match self.get::<Either>(name, "an object or its name")? {
            Either::Object { name } | Either::Name(name) => Some(name),
            // GraphQL shows the number only.
            Either::Id(id) => self.maker.pages.one::<raw::Named<'_>>(List::Interfaces, id).map(|port| port.name.into_owned()),
        }
    }
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

    /// Notes which fields NetBox does not know, judged by the first object of a kind: all of a kind carry all fields.
    fn missing(&mut self, list: List, custom: Option<&Custom<'_>>, names: &[&str]) {
        let Some(custom) = custom else { return };
        for name in names.iter().filter(|name| custom.raw(name).is_none()) {
            self.unknown(list, name);
        }
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

    fn devices(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
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
                role: device.role.map_or(Role::Other(String::new()), |role| match &*role.slug {
                    "spine" => Role::Spine,
                    "leaf" => Role::Leaf,
                    other => Role::Other(other.to_owned()),
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

    fn interfaces(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let f = &self.settings.fields;
        let count = pages.count(List::Interfaces);
        *objects += count;
        let names = [
            &f.mlag_peer_link,
            &f.mlag_local_interface,
            &f.mlag_id,
            &f.lacp_mode,
            &f.lacp_fallback,
            &f.lacp_fallback_timeout,
            &f.autostate,
            &f.dot1q_vlan,
            &f.stp_link_type,
            &f.stp_portfast,
            &f.stp_bpduguard,
            &f.trunk_groups,
            &f.vxlan_source_interface,
            &f.vxlan_udp_port,
            &f.vxlan_learn_restrict,
        ];
        let first = pages.each::<raw::Interface<'_>>(List::Interfaces).next().transpose()?;
        self.missing(List::Interfaces, first.as_ref().map(|interface| &interface.custom_fields), &names.map(String::as_str));
        fabric.interfaces.reserve(count);
        for interface in pages.each::<raw::Interface<'_>>(List::Interfaces) {
            let interface = interface?;
            let Some(device) = self.names.get(&interface.device.id).cloned() else { continue };
            let origin = self.origin(List::Interfaces, interface.id, &format!("{device} {}", interface.name), interface.last_updated);
            let mode = match interface.mode.as_ref().map_or("", |mode| &*mode.0) {
                "" => None,
                "access" => Some(Mode::Access),
                "tagged" => Some(Mode::Tagged),
                "tagged-all" => Some(Mode::TaggedAll),
                _ => Some(Mode::Other),
            };
            let vlan = |vlan: raw::VlanBrief| VlanRef { id: vlan.id, vid: vlan.vid };
            let mut c = self.fields(List::Interfaces, &interface.custom_fields, &origin, Some(&device));
            let made = Interface {
                id: interface.id,
                device: interface.device.id,
                kind: Kind::of(&interface.name, interface.parent.is_some()),
                name: Arc::from(interface.name.as_ref()),
                enabled: interface.enabled,
                description: interface.description.into_owned(),
                mtu: interface.mtu,
                mode,
                untagged: interface.untagged_vlan.map(vlan),
                tagged: interface.tagged_vlans.into_iter().map(vlan).collect(),
                lag: interface.lag.map(|lag| lag.id),
                parent: interface.parent.map(|parent| parent.id),
                vrf: interface.vrf.map(|vrf| vrf.id),
                lacp_mode: c.text(&f.lacp_mode),
                lacp_fallback: c.text(&f.lacp_fallback),
                lacp_fallback_timeout: c.number(&f.lacp_fallback_timeout),
                mlag_id: c.number(&f.mlag_id),
                peer_link: c.flag(&f.mlag_peer_link).unwrap_or_default(),
                peer_svi: c.flag(&f.mlag_local_interface).unwrap_or_default(),
                autostate: c.flag(&f.autostate),
                dot1q: c.number(&f.dot1q_vlan),
                stp_link_type: c.text(&f.stp_link_type),
                stp_portfast: c.flag(&f.stp_portfast),
                stp_bpduguard: c.flag(&f.stp_bpduguard),
                trunk_groups: c.words(&f.trunk_groups),
                vxlan_source: c.reference(&f.vxlan_source_interface),
                vxlan_udp_port: c.number(&f.vxlan_udp_port),
                vxlan_learn: c.text(&f.vxlan_learn_restrict),
                maintenance: interface.tags.iter().any(|tag| tag.slug == self.settings.maintenance_tag),
                origin,
            };
            fabric.interfaces.push(made);
        }
        Ok(())
    }

    fn addresses(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let list: Vec<raw::Address<'_>> = pages.parse(List::Addresses)?;
        *objects += list.len();
        let f = &self.settings.fields;
        self.missing(List::Addresses, list.first().map(|address| &address.custom_fields), &[&f.virtual_ip]);
        let device_of: FxHashMap<u64, u64> = fabric.interfaces.iter().map(|interface| (interface.id, interface.device)).collect();
        for address in list {
            let on_interface = address.assigned_object_type.as_ref().is_some_and(|kind| kind.0 == "dcim.interface");
            let said = address.assigned_object_id.filter(|_| on_interface);
            let Some(interface) = said.or_else(|| Link::of(&address.assigned_object, "InterfaceType")) else { continue };
            let Some(device) = device_of.get(&interface).and_then(|device| self.names.get(device)).cloned() else { continue };
            let origin = self.origin(List::Addresses, address.id, &address.address, address.last_updated);
            let Some(net) = network(&address.address) else {
                return Err(Error::BadObject { object: origin.object.clone(), url: origin.url.clone(), reason: "it is no address".into() });
            };
            let role = text_of(address.role);
            let virtual_ip = self.fields(List::Addresses, &address.custom_fields, &origin, Some(&device)).flag(&f.virtual_ip) == Some(true);
            fabric.addresses.push(Address {
                id: address.id,
                interface,
                net,
                vrf: address.vrf.map(|vrf| vrf.id),
                shared: virtual_ip || role == "anycast",
                announced: address.tags.iter().any(|tag| tag.slug == self.settings.network_tag),
                status: text_of(address.status),
                origin,
            });
        }
        Ok(())
    }

    fn cables(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let list: Vec<raw::Cable<'_>> = pages.parse(List::Cables)?;
        *objects += list.len();
        let ours: FxHashSet<u64> = fabric.interfaces.iter().map(|interface| interface.id).collect();
        for cable in list {
            let origin = self.origin(List::Cables, cable.id, "", cable.last_updated);
            let ends = cable.a_terminations.iter().chain(&cable.b_terminations).filter(|end| end.object_type == "dcim.interface");
            let ends: Vec<u64> = ends.map(|end| end.object_id).filter(|id| ours.contains(id)).collect();
            fabric.cables.push(Cable { id: cable.id, ends, origin });
        }
        Ok(())
    }

    fn vlans(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let groups: Vec<raw::VlanGroup<'_>> = pages.parse(List::VlanGroups)?;
        let vlans: Vec<raw::Vlan<'_>> = pages.parse(List::Vlans)?;
        let terminations: Vec<raw::Termination<'_>> = pages.parse(List::Terminations)?;
        *objects += groups.len() + vlans.len() + terminations.len();
        let scoped = |group: &raw::VlanGroup<'_>| {
            let cluster = group.scope_type.as_ref().is_some_and(|kind| kind.0 == "virtualization.cluster");
            group.scope_id.filter(|_| cluster).or_else(|| Link::of(&group.scope, "ClusterType"))
        };
        let clusters: FxHashMap<u64, u64> = groups.iter().filter_map(|group| Some((group.id, scoped(group)?))).collect();
        let ends = |termination: &raw::Termination<'_>| {
            let vlan = termination.assigned_object_type.as_ref().is_some_and(|kind| kind.0 == "ipam.vlan");
            termination.assigned_object_id.filter(|_| vlan).or_else(|| Link::of(&termination.assigned_object, "VLANType"))
        };
        let l2vpns: FxHashMap<u64, u64> =
            terminations.iter().filter_map(|termination| Some((ends(termination)?, termination.l2vpn.id))).collect();
        let f = &self.settings.fields;
        self.missing(List::Vlans, vlans.first().map(|vlan| &vlan.custom_fields), &[&f.trunk_groups, &f.stp_disabled]);
        for vlan in vlans {
            let origin = self.origin(List::Vlans, vlan.id, &format!("{} {}", vlan.vid, vlan.name), vlan.last_updated);
            let mut fields = self.fields(List::Vlans, &vlan.custom_fields, &origin, None);
            let (trunk_groups, stp_disabled) = (fields.words(&f.trunk_groups), fields.flag(&f.stp_disabled).unwrap_or_default());
            fabric.vlans.push(Vlan {
                id: vlan.id,
                vid: vlan.vid,
                name: vlan.name.into_owned(),
                cluster: vlan.group.and_then(|group| clusters.get(&group.id).copied()),
                status: text_of(vlan.status),
                trunk_groups,
                stp_disabled,
                l2vpn: l2vpns.get(&vlan.id).copied(),
                origin,
            });
        }
        Ok(())
    }

    fn vpns(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let f = &self.settings.fields;
        let vrfs: Vec<raw::Vrf<'_>> = pages.parse(List::Vrfs)?;
        let l2vpns: Vec<raw::L2vpn<'_>> = pages.parse(List::L2vpns)?;
        *objects += vrfs.len() + l2vpns.len();
        self.missing(List::Vrfs, vrfs.first().map(|vrf| &vrf.custom_fields), &[&f.l3vni, &f.rd_template, &f.redistribute]);
        self.missing(List::L2vpns, l2vpns.first().map(|l2vpn| &l2vpn.custom_fields), &[&f.rd_template, &f.redistribute]);
        let targets = |list: Vec<raw::Named<'_>>| list.into_iter().map(|target| target.name.into_owned()).collect();
        for vrf in vrfs {
            let origin = self.origin(List::Vrfs, vrf.id, &vrf.name, vrf.last_updated);
            let mut fields = self.fields(List::Vrfs, &vrf.custom_fields, &origin, None);
            let l3vni = fields.get(&f.l3vni, "a VNI");
            let rd_template = fields.text(&f.rd_template);
            let redistribute = fields.get(&f.redistribute, "a list of {source, route_map}").unwrap_or_default();
            fabric.vrfs.push(Vrf {
                id: vrf.id,
                name: Arc::from(vrf.name.as_ref()),
                l3vni,
                rd: vrf.rd.map(owned).filter(|rd| !rd.is_empty()),
                rd_template,
                import: targets(vrf.import_targets),
                export: targets(vrf.export_targets),
                redistribute,
                origin,
            });
        }
        for l2vpn in l2vpns {
            let origin = self.origin(List::L2vpns, l2vpn.id, &l2vpn.name, l2vpn.last_updated);
            let mut fields = self.fields(List::L2vpns, &l2vpn.custom_fields, &origin, None);
            let rd_template = fields.text(&f.rd_template);
            let redistribute = fields.get(&f.redistribute, "a list of {source, route_map}").unwrap_or_default();
            fabric.l2vpns.push(L2vpn {
                id: l2vpn.id,
                name: l2vpn.name.into_owned(),
                vni: l2vpn.identifier.and_then(|vni| u32::try_from(vni).ok()),
                kind: text_of(l2vpn.kind),
                status: text_of(l2vpn.status),
                import: targets(l2vpn.import_targets),
                export: targets(l2vpn.export_targets),
                rd_template,
                redistribute,
                origin,
            });
        }
        Ok(())
    }

    fn attributes(&mut self, raw: Option<&RawValue>, device: Option<&Arc<str>>, origin: &Arc<Origin>) -> Attributes {
        let text = raw.map_or("null", RawValue::get);
        match serde_json::from_str::<Option<Attributes>>(text) {
            Ok(attributes) => attributes.unwrap_or_default(),
            Err(error) => {
                let message = format!("extra_attributes of {} do not read: {error}", origin.object);
                self.report("bad-field", Severity::Error, device, origin, message, "mend extra_attributes of the object");
                Attributes::default()
            }
        }
    }

    fn bgp(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let groups: Vec<raw::PeerGroup<'_>> = pages.parse(List::PeerGroups)?;
        let sessions: Vec<raw::Session<'_>> = pages.parse(List::Sessions)?;
        *objects += groups.len() + sessions.len();
        let names = |list: Vec<raw::Named<'_>>| list.into_iter().map(|item| item.name.into_owned()).collect::<Vec<String>>();
        for group in groups {
            let origin = self.origin(List::PeerGroups, group.id, &group.name, group.last_updated);
            let attributes = self.attributes(group.extra_attributes, None, &origin);
            for list in group.prefix_list_in.iter().chain(&group.prefix_list_out) {
                let message = format!("prefix list {} on peer group {} is not mapped", list.name, group.name);
                self.report("unmapped-prefix-list", Severity::Warning, None, &origin, message, "match it in a routing policy instead");
            }
            fabric.peer_groups.push(PeerGroup {
                id: group.id,
                name: Arc::from(group.name.as_ref()),
                remote_as: group.remote_as.map(|number| number.asn),
                local_as: group.local_as.map(|number| number.asn),
                attributes,
                import_policies: names(group.import_policies),
                export_policies: names(group.export_policies),
                origin,
            });
        }
        for session in sessions {
            let Some(device) = session.device.map(|device| device.id) else { continue };
            let Some(owner) = self.names.get(&device).cloned() else { continue };
            let name = session.name.map(owned).unwrap_or_default();
            let origin = self.origin(List::Sessions, session.id, &name, session.last_updated);
            let attributes = self.attributes(session.extra_attributes, Some(&owner), &origin);
            let prefix_lists = session.prefix_list_in.into_iter().chain(session.prefix_list_out).map(|list| list.name.into_owned());
            fabric.sessions.push(Session {
                id: session.id,
                name,
                description: session.description.into_owned(),
                device,
                local_address: session.local_address.map(|address| address.id),
                remote: session.remote_address.and_then(|address| IpAddr::from_str(bare(&address.address)).ok()),
                remote_prefix: session.remote_prefix.map(|range| range.prefix.into_owned()),
                local_as: session.local_as.map(|number| number.asn),
                remote_as: session.remote_as.map(|number| number.asn),
                peer_group: session.peer_group.map(|group| group.id),
                status: text_of(session.status),
                max_prefixes: session.max_prefixes,
                attributes,
                import_policies: names(session.import_policies),
                export_policies: names(session.export_policies),
                prefix_lists: prefix_lists.collect(),
                origin,
            });
        }
        Ok(())
    }

    fn policies(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let lists: Vec<raw::Rules<'_>> = pages.parse(List::PrefixLists)?;
        let prefix_rules: Vec<raw::PrefixRule<'_>> = pages.parse(List::PrefixRules)?;
        let policies: Vec<raw::Rules<'_>> = pages.parse(List::Policies)?;
        let policy_rules: Vec<raw::PolicyRule<'_>> = pages.parse(List::PolicyRules)?;
        *objects += lists.len() + prefix_rules.len() + policies.len() + policy_rules.len();
        let f = &self.settings.fields;
        for list in lists {
            let origin = self.origin(List::PrefixLists, list.id, &list.name, list.last_updated);
            let devices =
                self.fields(List::PrefixLists, &list.custom_fields, &origin, None).get::<Vec<raw::Id>>(&f.applies_to, "a list of devices");
            let of_list = prefix_rules.iter().filter(|rule| rule.prefix_list.id == list.id);
            let mut rules: Vec<PrefixRule> = of_list
                .map(|rule| PrefixRule {
                    index: rule.index,
                    permit: rule.action.0 == "permit",
                    prefix: rule
                        .prefix
                        .as_ref()
                        .map(|prefix| prefix.prefix.to_string())
                        .or_else(|| rule.prefix_custom.as_ref().map(|text| text.0.to_string()))
                        .unwrap_or_default(),
                    ge: rule.ge,
                    le: rule.le,
                })
                .collect();
            rules.sort_by_key(|rule| rule.index);
            fabric.prefix_lists.push(PrefixList {
                id: list.id,
                name: list.name.into_owned(),
                devices: devices.unwrap_or_default().into_iter().map(|device| device.id).collect(),
                family: text_of(list.family),
                rules,
                origin,
            });
        }
        for policy in policies {
            let origin = self.origin(List::Policies, policy.id, &policy.name, policy.last_updated);
            let devices =
                self.fields(List::Policies, &policy.custom_fields, &origin, None).get::<Vec<raw::Id>>(&f.applies_to, "a list of devices");
            let of_policy = policy_rules.iter().filter(|rule| rule.routing_policy.id == policy.id);
            let mut rules: Vec<PolicyRule> = of_policy
                .map(|rule| PolicyRule {
                    index: rule.index,
                    permit: rule.action.0 == "permit",
                    match_prefix_lists: rule.match_ip_address.iter().map(|list| list.name.to_string()).collect(),
                    unmapped: unmapped(rule),
                })
                .collect();
            rules.sort_by_key(|rule| rule.index);
            fabric.policies.push(Policy {
                id: policy.id,
                name: policy.name.into_owned(),
                devices: devices.unwrap_or_default().into_iter().map(|device| device.id).collect(),
                rules,
                origin,
            });
        }
        Ok(())
    }
}

/// What a rule says that is not mapped.
fn unmapped(rule: &raw::PolicyRule<'_>) -> Vec<String> {
    const KEYS: [&str; 7] = [
        "match_ipv6_address",
        "match_community",
        "match_community_list",
        "match_aspath_list",
        "match_custom",
        "set_actions",
        "continue_entry",
    ];
    let says = |value: &serde_json::Value| match value {
        serde_json::Value::Null => false,
        serde_json::Value::Array(items) => !items.is_empty(),
        serde_json::Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    KEYS.iter().filter(|key| rule.rest.get(**key).is_some_and(says)).map(|key| (*key).to_owned()).collect()
}

/// An address without its mask.
fn bare(address: &str) -> &str {
    address.split_once('/').map_or(address, |(ip, _)| ip)
}

/// With a mask, or as a host.
fn network(text: &str) -> Option<IpNet> {
    IpNet::from_str(text).ok().or_else(|| IpAddr::from_str(text).ok().map(IpNet::from))
}

/// `c0:01:ca:fe:ba:be`, `C001.CAFE.BABE` and the like, in the form EOS shows.
fn dotted_mac(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '.' | '-')).collect::<String>().to_ascii_lowercase();
    let hex = digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| format!("{}.{}.{}", &digits[0..4], &digits[4..8], &digits[8..12]))
}

#[cfg(test)]
mod tests;
