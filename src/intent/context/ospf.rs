//! `ospf` in a config context.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

/// One OSPF process.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Ospf {
    /// Its number.
    pub process: u16,
    /// `default` when not said.
    #[serde(default)]
    pub vrf: Option<String>,
    /// A template; the device's own when not said.
    #[serde(default)]
    pub router_id: Option<String>,
    /// Log when neighbours go up or down.
    #[serde(default)]
    pub log_adjacency_changes: Option<bool>,
    /// Most LSAs held.
    #[serde(default)]
    pub max_lsa: Option<u64>,
    /// How every routed port with an address runs it, loopbacks passively: an underlay in one line for all devices.
    #[serde(default)]
    pub links: Option<OspfPort>,
    /// Single interfaces; what is said here counts before `links`.
    #[serde(default)]
    pub interfaces: Vec<OspfPort>,
    /// `network` statements.
    #[serde(default)]
    pub networks: Vec<OspfNetwork>,
    /// `passive-interface`, `default` among them.
    #[serde(default)]
    pub passive_interfaces: Vec<String>,
    #[serde(flatten)]
    pub(super) rest: BTreeMap<String, Json>,
}

/// How an interface runs OSPF.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OspfPort {
    /// `Ethernet1`; not in `links`.
    #[serde(default)]
    pub name: String,
    /// `0.0.0.0`, or a number.
    pub area: Area,
    /// `point-to-point`, `broadcast`.
    #[serde(default)]
    pub network_type: Option<String>,
    /// Cost.
    #[serde(default)]
    pub metric: Option<u64>,
    /// No neighbours here.
    #[serde(default)]
    pub passive: Option<bool>,
    /// BFD with the neighbours.
    #[serde(default)]
    pub bfd: Option<bool>,
}

/// A `network` statement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OspfNetwork {
    /// `10.0.0.0/8`.
    pub prefix: String,
    /// `0.0.0.0`, or a number.
    pub area: Area,
}

/// An area, in dotted form whatever it was written in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Area(pub String);

impl<'de> Deserialize<'de> for Area {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u32),
            Text(String),
        }
        let dotted = match Either::deserialize(deserializer)? {
            Either::Number(number) => std::net::Ipv4Addr::from(number),
            Either::Text(text) => text
                .parse()
                .or_else(|_| text.parse::<u32>().map(std::net::Ipv4Addr::from))
                .map_err(|_| serde::de::Error::custom(format!("`{text}` is no OSPF area")))?,
        };
        Ok(Self(dotted.to_string()))
    }
}
