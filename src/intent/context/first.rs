//! `evpn_fabric` in a config context: a whole device in one section, the first shape intent had before native objects took over.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value as Json;

/// The section.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct EvpnFabric {
    /// AS, router id, spines.
    #[serde(default)]
    pub underlay: Option<Underlay>,
    /// VTEP, route servers.
    #[serde(default)]
    pub overlay: Option<Overlay>,
    /// MLAG.
    #[serde(default)]
    pub mlag: Option<Mlag>,
    /// VLANs.
    #[serde(default)]
    pub vlans: Vec<Vlan>,
    /// VRFs.
    #[serde(default)]
    pub vrfs: Vec<Vrf>,
    #[serde(flatten)]
    pub(super) rest: BTreeMap<String, Json>,
}

/// BGP of the underlay.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Underlay {
    /// Own AS.
    #[serde(default)]
    pub asn: Option<u32>,
    /// Router id.
    #[serde(default)]
    pub router_id: Option<String>,
    /// The spines' ends of the links.
    #[serde(default)]
    pub spine_peers: Vec<Peer>,
}

/// A neighbour.
#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// Its AS.
    #[serde(default)]
    pub asn: Option<u32>,
}

/// The overlay.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Overlay {
    /// Source address of Vxlan1.
    #[serde(default)]
    pub vtep_ip: Option<IpAddr>,
    /// Route servers.
    #[serde(default)]
    pub evpn_peers: Vec<IpAddr>,
}

/// MLAG.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Mlag {
    /// `false`: none of it counts.
    #[serde(default)]
    pub enabled: bool,
    /// Domain.
    #[serde(default)]
    pub domain_id: Option<String>,
    /// The peer's address on the peering SVI.
    #[serde(default)]
    pub peer_ip: Option<IpAddr>,
    /// Own address on the peering SVI.
    #[serde(default)]
    pub local_ip: Option<IpAddr>,
}

/// A VLAN.
#[derive(Clone, Debug, Deserialize)]
pub struct Vlan {
    /// VLAN id.
    pub id: u16,
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Its VNI, when it is stretched.
    #[serde(default)]
    pub vni: Option<u32>,
}

/// A VRF.
#[derive(Clone, Debug, Deserialize)]
pub struct Vrf {
    /// Name.
    pub name: String,
    /// VNI for symmetric routing.
    #[serde(default)]
    pub vni: Option<u32>,
}
