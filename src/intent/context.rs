//! The merged config context of a device: what has no field of its own in NetBox.
//!
//! Keys that are unknown are reported, never dropped in silence; a section that does not read makes the device unplannable,
//! since leaving its leaves out would look like intent to delete them.

mod first;
mod ospf;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

pub use first::{EvpnFabric, Overlay, Peer, Underlay, Vlan as FirstVlan, Vrf as FirstVrf};
pub use ospf::{Area, Ospf, OspfNetwork, OspfPort};

/// The sections of a device's config context that are mapped.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// gNMI server.
    pub gnmi: Option<Gnmi>,
    /// LLDP.
    pub lldp: Option<Lldp>,
    /// MLAG settings that are the same everywhere.
    pub mlag: Option<MlagContext>,
    /// Routing, static routes.
    pub routing: Option<Routing>,
    /// BGP of the whole device.
    pub bgp: Option<Bgp>,
    /// OSPF processes.
    pub ospf: Vec<Ospf>,
    /// Spanning tree of the whole device.
    pub spanning_tree: Option<SpanningTree>,
    /// A whole device in its context: counts where no object says the same.
    pub evpn_fabric: Option<EvpnFabric>,
    /// What this device does differently in a VRF, by name.
    pub vrf_overrides: BTreeMap<String, VpnOverride>,
    /// What this device does differently in an L2VPN, by name.
    pub l2vpn_overrides: BTreeMap<String, VpnOverride>,
}

/// `management api gnmi`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Gnmi {
    /// Name of the transport.
    #[serde(default)]
    pub transport: Option<String>,
    /// TLS on.
    #[serde(default)]
    pub tls: Option<bool>,
    /// VRF it listens in.
    #[serde(default)]
    pub vrf: Option<String>,
    /// `eos-native`.
    #[serde(default)]
    pub provider: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Json>,
}

/// LLDP.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Lldp {
    /// Interface whose address is announced.
    #[serde(default)]
    pub management_interface: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Json>,
}

/// MLAG settings.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct MlagContext {
    /// Dual primary detection.
    #[serde(default)]
    pub dual_primary: Option<DualPrimary>,
    #[serde(flatten)]
    rest: BTreeMap<String, Json>,
}

/// Dual primary detection.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct DualPrimary {
    /// Seconds; decimals are allowed.
    #[serde(default)]
    pub delay_s: Option<serde_json::Number>,
    /// `errdisable`, `none`.
    #[serde(default)]
    pub action: Option<String>,
    /// `all-interfaces`.
    #[serde(default)]
    pub scope: Option<String>,
}

/// Routing of the default VRF.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Routing {
    /// `service routing protocols model`.
    #[serde(default)]
    pub model: Option<String>,
    /// `ip routing`.
    #[serde(default)]
    pub ip_routing: Option<bool>,
    /// Static routes of all VRFs.
    #[serde(default, rename = "static")]
    pub routes: Vec<StaticRoute>,
    #[serde(flatten)]
    rest: BTreeMap<String, Json>,
}

/// A static route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct StaticRoute {
    /// `default` when not said.
    #[serde(default)]
    pub vrf: Option<String>,
    /// `100.64.0.0/10`.
    pub prefix: String,
    /// Address of the next hop.
    #[serde(default)]
    pub next_hop: Option<String>,
    /// Administrative distance.
    #[serde(default)]
    pub distance: Option<u64>,
    /// Anything else is not mapped.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Json>,
}

/// BGP of the whole device.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Bgp {
    /// Administrative distances.
    #[serde(default)]
    pub distance: Option<Distance>,
    /// Paths.
    #[serde(default)]
    pub maximum_paths: Option<MaximumPaths>,
    /// `false` is `no bgp default ipv4-unicast`.
    #[serde(default)]
    pub default_ipv4_unicast: Option<bool>,
    /// Log when neighbours go up or down.
    #[serde(default)]
    pub log_neighbor_changes: Option<bool>,
    #[serde(flatten)]
    rest: BTreeMap<String, Json>,
}

/// Administrative distances of BGP.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Distance {
    /// eBGP.
    #[serde(default)]
    pub external: Option<u64>,
    /// iBGP.
    #[serde(default)]
    pub internal: Option<u64>,
    /// Local.
    #[serde(default)]
    pub local: Option<u64>,
}

/// `maximum-paths 4 ecmp 64`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct MaximumPaths {
    /// Equal paths kept.
    #[serde(default)]
    pub paths: Option<u64>,
    /// ECMP width.
    #[serde(default)]
    pub ecmp: Option<u64>,
}

/// Spanning tree of the whole device.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SpanningTree {
    /// `mstp`, `rstp`, `rapid-pvst`.
    #[serde(default)]
    pub mode: Option<String>,
    /// `spanning-tree edge-port bpduguard default`.
    #[serde(default)]
    pub edge_port_bpduguard_default: Option<bool>,
    #[serde(flatten)]
    rest: BTreeMap<String, Json>,
}

/// What a device does differently in a VRF or L2VPN.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct VpnOverride {
    /// Route targets instead.
    #[serde(default)]
    pub import_targets: Option<Vec<String>>,
    /// Route targets instead.
    #[serde(default)]
    pub export_targets: Option<Vec<String>>,
    /// Template instead.
    #[serde(default)]
    pub rd_template: Option<String>,
    /// Redistribution instead.
    #[serde(default)]
    pub redistribute: Option<Vec<super::records::Redistribute>>,
    /// Router id in the VRF, a template.
    #[serde(default)]
    pub router_id: Option<String>,
    /// `false`: the VRF does not route here.
    #[serde(default)]
    pub ip_routing: Option<bool>,
    #[serde(flatten)]
    rest: BTreeMap<String, Json>,
}

/// What is wrong with a config context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A section or the whole does not read: no plan for the device.
    Unreadable {
        /// The key.
        section: String,
        /// What the reader said.
        why: String,
    },
    /// A key nothing is made of.
    Unmapped {
        /// `routing.multicast`.
        key: String,
    },
}

impl Context {
    /// Reads a merged config context.
    pub fn parse(json: &str) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut context = Self::default();
        let sections: BTreeMap<String, &RawValue> = match serde_json::from_str(json) {
            Ok(sections) => sections,
            Err(error) => {
                problems.push(Problem::Unreadable { section: "config_context".to_owned(), why: error.to_string() });
                return (context, problems);
            }
        };
        for (name, raw) in sections {
            match name.as_str() {
                "gnmi" => context.gnmi = section(&name, raw, &mut problems, |s: &Gnmi| &s.rest),
                "lldp" => context.lldp = section(&name, raw, &mut problems, |s: &Lldp| &s.rest),
                "mlag" => context.mlag = section(&name, raw, &mut problems, |s: &MlagContext| &s.rest),
                "routing" => context.routing = section(&name, raw, &mut problems, |s: &Routing| &s.rest),
                "bgp" => context.bgp = section(&name, raw, &mut problems, |s: &Bgp| &s.rest),
                "ospf" => context.ospf = processes(&name, raw, &mut problems),
                "spanning_tree" => context.spanning_tree = section(&name, raw, &mut problems, |s: &SpanningTree| &s.rest),
                "evpn_fabric" => context.evpn_fabric = section(&name, raw, &mut problems, |s: &EvpnFabric| &s.rest),
                "vrf_overrides" => context.vrf_overrides = overrides(&name, raw, &mut problems),
                "l2vpn_overrides" => context.l2vpn_overrides = overrides(&name, raw, &mut problems),
                _ => problems.push(Problem::Unmapped { key: name }),
            }
        }
        (context, problems)
    }
}

fn section<'a, T: Deserialize<'a>>(
    name: &str,
    raw: &'a RawValue,
    problems: &mut Vec<Problem>,
    rest: impl Fn(&T) -> &BTreeMap<String, Json>,
) -> Option<T> {
    match serde_json::from_str::<Option<T>>(raw.get()) {
        Ok(Some(section)) => {
            problems.extend(rest(&section).keys().map(|key| Problem::Unmapped { key: format!("{name}.{key}") }));
            Some(section)
        }
        Ok(None) => None,
        Err(error) => {
            problems.push(Problem::Unreadable { section: name.to_owned(), why: error.to_string() });
            None
        }
    }
}

fn processes(name: &str, raw: &RawValue, problems: &mut Vec<Problem>) -> Vec<Ospf> {
    match serde_json::from_str::<Option<Vec<Ospf>>>(raw.get()) {
        Ok(processes) => {
            let processes = processes.unwrap_or_default();
            for (at, process) in processes.iter().enumerate() {
                problems.extend(process.rest.keys().map(|key| Problem::Unmapped { key: format!("{name}[{at}].{key}") }));
            }
            processes
        }
        Err(error) => {
            problems.push(Problem::Unreadable { section: name.to_owned(), why: error.to_string() });
            Vec::new()
        }
    }
}

fn overrides(name: &str, raw: &RawValue, problems: &mut Vec<Problem>) -> BTreeMap<String, VpnOverride> {
    match serde_json::from_str::<Option<BTreeMap<String, VpnOverride>>>(raw.get()) {
        Ok(entries) => {
            let entries = entries.unwrap_or_default();
            for (vpn, entry) in &entries {
                problems.extend(entry.rest.keys().map(|key| Problem::Unmapped { key: format!("{name}.{vpn}.{key}") }));
            }
            entries
        }
        Err(error) => {
            problems.push(Problem::Unreadable { section: name.to_owned(), why: error.to_string() });
            BTreeMap::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_reported_and_bad_sections_named() {
        let (context, problems) =
            Context::parse(r#"{"bgp":{"maximum_paths":"four"},"routing":{"model":"multi-agent","vrrp":1},"ntp":{},"lldp":null}"#);
        assert_eq!(context.routing.unwrap().model.as_deref(), Some("multi-agent"));
        assert!(context.bgp.is_none() && context.lldp.is_none());
        assert!(problems.iter().any(|p| matches!(p, Problem::Unreadable { section, .. } if section == "bgp")));
        assert!(problems.contains(&Problem::Unmapped { key: "routing.vrrp".into() }));
        assert!(problems.contains(&Problem::Unmapped { key: "ntp".into() }));
        assert_eq!(problems.len(), 3);
    }
}
