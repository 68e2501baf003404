//! The objects of the fabric besides its devices: interfaces, addresses, VLANs, VRFs, MAC-VRFs, BGP. Plain data, whatever the
//! source they were read from; ids are the source's and survive a rename.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Deserialize;

use crate::intent::context::Context;
use crate::tree::Origin;

/// What a device needs beside [`crate::intent::fabric::Device`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The device's id.
    pub device: u64,
    /// The cluster whose VLAN groups it has: its pair, or one of its own.
    pub cluster: Option<u64>,
    /// The merged config context.
    pub context: Context,
    /// MLAG, when it is a member of a pair.
    pub mlag: Option<Mlag>,
    /// `ip virtual-router mac-address`, in the dotted form EOS shows.
    pub virtual_mac: Option<String>,
    /// The object that says the gNMI port.
    pub gnmi_origin: Option<Arc<Origin>>,
    /// A person is at work on it: status or tag. Drift is shown, not repaired.
    pub maintenance: bool,
}

/// MLAG as the device's own fields say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mlag {
    /// Domain id, the same on both members.
    pub domain: String,
    /// Own address on the peer link SVI.
    pub local_address: Option<String>,
    /// The peer's address on the peer link SVI.
    pub peer_address: Option<String>,
    /// The peer's address for the heartbeat.
    pub heartbeat_address: Option<String>,
    /// VRF of the heartbeat; may name one that does not exist.
    pub heartbeat_vrf: Option<String>,
}

/// What an interface is; EOS says it by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Management0, Management1, …
    Management,
    /// Loopback.
    Loopback,
    /// VlanN.
    Svi,
    /// Port-ChannelN.
    PortChannel,
    /// Vxlan1.
    Vxlan,
    /// Ethernet1.100, Port-Channel1.100.
    Subinterface,
    /// Any other.
    Ethernet,
}

impl Kind {
    /// By name, as EOS does.
    pub fn of(name: &str, has_parent: bool) -> Self {
        const PREFIXES: [(&str, Kind); 5] = [
            ("Management", Kind::Management),
            ("Loopback", Kind::Loopback),
            ("Vlan", Kind::Svi),
            ("Port-Channel", Kind::PortChannel),
            ("Vxlan", Kind::Vxlan),
        ];
        if has_parent {
            return Self::Subinterface;
        }
        PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix)).map_or(Self::Ethernet, |(_, kind)| *kind)
    }
}

/// How a switchport treats VLANs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One VLAN, untagged.
    Access,
    /// The VLANs listed.
    Tagged,
    /// Every VLAN of the device.
    TaggedAll,
    /// Something EOS ports of a fabric do not have (Q-in-Q).
    Other,
}

/// A VLAN named by an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VlanRef {
    /// Id of the VLAN object.
    pub id: u64,
    /// VLAN id, 1 to 4094.
    pub vid: u16,
}

/// One interface of a managed device.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Id.
    pub id: u64,
    /// Its device's id.
    pub device: u64,
    /// `Ethernet11`.
    pub name: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// `false` is shutdown.
    pub enabled: bool,
    /// Empty when there is none.
    pub description: String,
    /// IP MTU; `None` is the device's default.
    pub mtu: Option<u32>,
    /// `None` on a routed port.
    pub mode: Option<Mode>,
    /// Access or native VLAN; on an SVI its VLAN.
    pub untagged: Option<VlanRef>,
    /// VLANs of a trunk.
    pub tagged: Vec<VlanRef>,
    /// The Port-Channel it is a member of.
    pub lag: Option<u64>,
    /// The port a subinterface is on.
    pub parent: Option<u64>,
    /// Its VRF; `None` is the default one.
    pub vrf: Option<u64>,
    /// `active`, `passive`, `on`; on members.
    pub lacp_mode: Option<String>,
    /// `individual`, `static`; on LAGs.
    pub lacp_fallback: Option<String>,
    /// Seconds.
    pub lacp_fallback_timeout: Option<u64>,
    /// MLAG id of a dual-homed LAG.
    pub mlag_id: Option<u64>,
    /// The LAG to the MLAG peer.
    pub peer_link: bool,
    /// The SVI the MLAG peering runs on.
    pub peer_svi: bool,
    /// `Some(false)`: the SVI stays up without a port.
    pub autostate: Option<bool>,
    /// Tag of a subinterface.
    pub dot1q: Option<u64>,
    /// `point-to-point`, `shared`.
    pub stp_link_type: Option<String>,
    /// Edge port.
    pub stp_portfast: Option<bool>,
    /// BPDU guard of this port.
    pub stp_bpduguard: Option<bool>,
    /// EOS trunk groups.
    pub trunk_groups: Vec<String>,
    /// Name of the source of Vxlan1.
    pub vxlan_source: Option<String>,
    /// UDP port of Vxlan1.
    pub vxlan_udp_port: Option<u64>,
    /// `vxlan learn-restrict` of Vxlan1.
    pub vxlan_learn: Option<String>,
    /// A person is at work on it: tagged so.
    pub maintenance: bool,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// A cable that ends on an interface of a managed device.
#[derive(Clone, Debug)]
pub struct Cable {
    /// Id.
    pub id: u64,
    /// Ids of the interfaces it ends on; other things it may end on are left out.
    pub ends: Vec<u64>,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// An address on an interface of a managed device.
#[derive(Clone, Debug)]
pub struct Address {
    /// Id.
    pub id: u64,
    /// The interface it is on.
    pub interface: u64,
    /// With its mask, host bits kept.
    pub net: IpNet,
    /// Its VRF.
    pub vrf: Option<u64>,
    /// Held by both members of a pair: role `anycast`, the `virtual_ip` field, or an FHRP group's.
    pub shared: bool,
    /// Beside another one on its interface: role `secondary`.
    pub secondary: bool,
    /// BGP has a network statement for it.
    pub announced: bool,
    /// `active`, `reserved`, …
    pub status: String,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// A VLAN of one pair or switch. A VLAN stretched over two pairs is two of these.
#[derive(Clone, Debug)]
pub struct Vlan {
    /// Id.
    pub id: u64,
    /// VLAN id.
    pub vid: u16,
    /// Name.
    pub name: String,
    /// The cluster its group is scoped to.
    pub cluster: Option<u64>,
    /// `active`, `reserved`, `deprecated`.
    pub status: String,
    /// EOS trunk groups.
    pub trunk_groups: Vec<String>,
    /// `no spanning-tree vlan-id`.
    pub stp_disabled: bool,
    /// Its MAC-VRF.
    pub l2vpn: Option<u64>,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// One redistribution statement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Redistribute {
    /// `connected`, `learned`, `static`, …
    pub source: String,
    /// Scoped by a route map.
    #[serde(default)]
    pub route_map: Option<String>,
}

/// A MAC-VRF: L2VPN of type vxlan-evpn.
#[derive(Clone, Debug)]
pub struct L2vpn {
    /// Id.
    pub id: u64,
    /// Name, by which overrides are found.
    pub name: String,
    /// VNI.
    pub vni: Option<u32>,
    /// `vxlan-evpn`, or another type, which is not ours.
    pub kind: String,
    /// `active`, `planned`, `decommissioning`.
    pub status: String,
    /// Route targets.
    pub import: Vec<String>,
    /// Route targets.
    pub export: Vec<String>,
    /// With `{router_id}`, `{asn}`, `{vni}`, `{vlan}`.
    pub rd_template: Option<String>,
    /// What is redistributed into the MAC-VRF.
    pub redistribute: Vec<Redistribute>,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// A VRF.
#[derive(Clone, Debug)]
pub struct Vrf {
    /// Id.
    pub id: u64,
    /// Name.
    pub name: Arc<str>,
    /// VNI for symmetric routing.
    pub l3vni: Option<u32>,
    /// One distinguisher for every device, when there is no template.
    pub rd: Option<String>,
    /// With `{router_id}`, `{asn}`, `{vni}`.
    pub rd_template: Option<String>,
    /// Route targets.
    pub import: Vec<String>,
    /// Route targets.
    pub export: Vec<String>,
    /// What is redistributed into BGP.
    pub redistribute: Vec<Redistribute>,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// Attributes of a peer group or session that the BGP plugin has no field for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Attributes {
    /// `ipv4-unicast`, `l2vpn-evpn`: activated.
    #[serde(default)]
    pub address_families: Vec<String>,
    /// Interface name or address.
    #[serde(default)]
    pub update_source: Option<String>,
    /// TTL.
    #[serde(default)]
    pub ebgp_multihop: Option<u64>,
    /// Next hop becomes ourselves.
    #[serde(default)]
    pub next_hop_self: Option<bool>,
    /// Next hop stays.
    #[serde(default)]
    pub next_hop_unchanged: Option<bool>,
    /// `standard`, `extended`, `large`.
    #[serde(default)]
    pub send_community: Option<Vec<String>>,
    /// Prefix limit.
    #[serde(default)]
    pub maximum_routes: Option<u64>,
    /// Over the limit: only a warning.
    #[serde(default)]
    pub maximum_routes_warning_only: Option<bool>,
    /// Reflects routes to it.
    #[serde(default)]
    pub route_reflector_client: Option<bool>,
    /// BFD.
    #[serde(default)]
    pub bfd: Option<bool>,
    /// Own AS number allowed so often.
    #[serde(default)]
    pub allowas_in: Option<u64>,
    /// Anything else: a finding each.
    #[serde(flatten)]
    pub rest: std::collections::BTreeMap<String, serde_json::Value>,
}

/// A BGP peer group. Names are not unique: one object per content.
#[derive(Clone, Debug)]
pub struct PeerGroup {
    /// Id.
    pub id: u64,
    /// Name on the devices.
    pub name: Arc<str>,
    /// The neighbours' AS, when the group says it.
    pub remote_as: Option<u32>,
    /// Another own AS than the device's.
    pub local_as: Option<u32>,
    /// The rest.
    pub attributes: Attributes,
    /// Names of policies for received routes.
    pub import_policies: Vec<String>,
    /// Names of policies for sent routes.
    pub export_policies: Vec<String>,
    /// Prefix lists put on it directly.
    pub prefix_lists: Attached,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// Names of prefix lists on a peer group or session, one a direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// For received routes.
    pub import: Option<String>,
    /// For sent routes.
    pub export: Option<String>,
}

/// One BGP session as one device has it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Description on the device.
    pub description: String,
    /// The device's id.
    pub device: u64,
    /// Own address object.
    pub local_address: Option<u64>,
    /// The neighbour.
    pub remote: Option<IpAddr>,
    /// A listen range instead of one neighbour.
    pub remote_prefix: Option<String>,
    /// Own AS.
    pub local_as: Option<u32>,
    /// The neighbour's AS.
    pub remote_as: Option<u32>,
    /// Its group.
    pub peer_group: Option<u64>,
    /// `active`, `planned`, `offline`, `failed`.
    pub status: String,
    /// Its own prefix limit.
    pub max_prefixes: Option<u64>,
    /// The rest.
    pub attributes: Attributes,
    /// Names of policies for received routes.
    pub import_policies: Vec<String>,
    /// Names of policies for sent routes.
    pub export_policies: Vec<String>,
    /// Prefix lists put on the session directly.
    pub prefix_lists: Attached,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// A prefix list as the devices it applies to have it.
#[derive(Clone, Debug)]
pub struct PrefixList {
    /// Id.
    pub id: u64,
    /// Name on the devices.
    pub name: String,
    /// Ids of the devices that hold it.
    pub devices: Vec<u64>,
    /// `ipv4`, `ipv6`.
    pub family: String,
    /// Its rules, by index.
    pub rules: Vec<PrefixRule>,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// A rule of a prefix list.
#[derive(Clone, Debug)]
pub struct PrefixRule {
    /// Sequence number.
    pub index: u64,
    /// `false` denies, which an OpenConfig prefix set cannot say.
    pub permit: bool,
    /// `10.0.250.0/24`.
    pub prefix: String,
    /// Shortest mask.
    pub ge: Option<u8>,
    /// Longest mask.
    pub le: Option<u8>,
}

/// A route map.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Id.
    pub id: u64,
    /// Name on the devices.
    pub name: String,
    /// Ids of the devices that hold it.
    pub devices: Vec<u64>,
    /// Its rules, by index.
    pub rules: Vec<PolicyRule>,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

/// A rule of a route map.
#[derive(Clone, Debug)]
pub struct PolicyRule {
    /// Sequence number.
    pub index: u64,
    /// `false` denies.
    pub permit: bool,
    /// Names of prefix lists.
    pub match_prefix_lists: Vec<String>,
    /// What it sets, as the plugin's free JSON says it: `local-preference`, `community`, …
    pub set: serde_json::Map<String, serde_json::Value>,
    /// The rule that goes on with what this one let through.
    pub next: Option<u64>,
    /// What else it matches or sets, in words: not mapped.
    pub unmapped: Vec<String>,
}
