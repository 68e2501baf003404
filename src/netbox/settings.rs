//! How a NetBox is reached and what its custom fields are called.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// When GraphQL is used: it costs a NetBox about half of what REST does, and can be switched off there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GraphQl {
    /// When it is there and answers whole; REST otherwise.
    #[default]
    Auto,
    /// Or the read fails.
    Always,
    /// REST only.
    Never,
}

/// Everything a client needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://netbox.example.net`, with or without a path in front of `/api`.
    pub url: String,
    /// v2 (`nbt_…`) or v1 token.
    pub token: SecretString,
    /// Slug of the tag on managed devices; empty is every device.
    pub tag: String,
    /// Slugs of the sites managed devices are in; empty is any. Several fabrics in one NetBox are told apart by tag or site.
    pub sites: Vec<String>,
    /// Name or slug of a saved filter on devices: managed is only what it lets through, of the tag and the sites.
    pub filter: Option<String>,
    /// Slug of the tag on devices and interfaces a person is at work on.
    pub maintenance_tag: String,
    /// Slug of the tag on addresses BGP announces.
    pub network_tag: String,
    /// Slug of the cluster type of MLAG pairs.
    pub pair_type: String,
    /// What roles are, by the slug of the device role in NetBox: `leaf`, `spine`, `border`, `core`. A slug that is not here
    /// stands for itself.
    pub roles: BTreeMap<String, String>,
    /// Names of custom fields.
    pub fields: FieldNames,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Objects a page; NetBox cuts it at its own limit, 1000 by default.
    pub page_size: usize,
    /// GETs under way at once.
    pub parallel: usize,
    /// Whether what GraphQL tells cheaper is read through it.
    pub graphql: GraphQl,
    /// Name or schema id of a branch to read instead of main (netbox-branching).
    pub branch: Option<String>,
    /// PEM file of the authority that signed the server's certificate; `None` is the system's.
    pub ca: Option<PathBuf>,
    /// Do not verify the server's certificate: labs only.
    pub skip_verify: bool,
}

impl Settings {
    /// The defaults for everything but where and who.
    pub fn new(url: impl Into<String>, token: SecretString) -> Self {
        Self {
            url: url.into(),
            token,
            tag: "evpn-fabric".into(),
            sites: Vec::new(),
            filter: None,
            maintenance_tag: "maintenance".into(),
            network_tag: "bgp-network".into(),
            pair_type: "mlag-pair".into(),
            roles: BTreeMap::new(),
            fields: FieldNames::default(),
            timeout: Duration::from_secs(60),
            page_size: 1000,
            parallel: 4,
            graphql: GraphQl::Auto,
            branch: None,
            ca: None,
            skip_verify: false,
        }
    }
}

macro_rules! field_names {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What the custom fields are called; sites differ. The defaults are those of the data model in the README.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct FieldNames { $($(#[$doc])* pub $name: String,)* }
        impl Default for FieldNames {
            fn default() -> Self {
                Self { $($name: stringify!($name).to_owned(),)* }
            }
        }
    };
}

field_names! {
    /// Device: AS number.
    asn,
    /// Device: router id.
    router_id,
    /// Device: MLAG domain.
    mlag_domain_id,
    /// Device: own address on the peer link SVI.
    mlag_local_address,
    /// Device: the peer's address on the peer link SVI.
    mlag_peer_address,
    /// Device: address of the heartbeat's peer.
    mlag_heartbeat_address,
    /// Device: VRF of the heartbeat.
    mlag_heartbeat_vrf,
    /// Device: `ip virtual-router mac-address`.
    mlag_virtual_mac,
    /// Interface: the LAG to the MLAG peer.
    mlag_peer_link,
    /// Interface: the SVI of the MLAG peering.
    mlag_local_interface,
    /// Interface: MLAG id.
    mlag_id,
    /// Interface: `active`, `passive`, `on`.
    lacp_mode,
    /// Interface: `individual`, `static`.
    lacp_fallback,
    /// Interface: seconds.
    lacp_fallback_timeout,
    /// Interface: an SVI that stays up.
    autostate,
    /// Interface: tag of a subinterface.
    dot1q_vlan,
    /// Interface: `point-to-point`, `shared`.
    stp_link_type,
    /// Interface: edge port.
    stp_portfast,
    /// Interface: BPDU guard.
    stp_bpduguard,
    /// Interface and VLAN: EOS trunk groups, divided by commas.
    trunk_groups,
    /// Interface: source of Vxlan1.
    vxlan_source_interface,
    /// Interface: UDP port of Vxlan1.
    vxlan_udp_port,
    /// Interface: learn restriction of Vxlan1.
    vxlan_learn_restrict,
    /// VLAN: no spanning tree.
    stp_disabled,
    /// Address: shared by a pair.
    virtual_ip,
    /// VRF: VNI for symmetric routing.
    l3vni,
    /// VRF and L2VPN: route distinguisher per device.
    rd_template,
    /// VRF and L2VPN: list of `{source, route_map}`.
    redistribute,
    /// Prefix list and policy: devices that hold it.
    applies_to,
}
