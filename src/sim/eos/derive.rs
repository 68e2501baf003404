//! What a fabric of configurations amounts to: ports, LAGs, BGP sessions and routes, EVPN, MLAG and VXLAN, of all devices
//! at once, so that breaking one side shows on the other.
//!
//! Pure: configurations, wiring and the memory of the last time go in, records come out. It is a model of the parts an
//! operator watches, not of the protocols: sessions are up or down at once, routes are exchanged until nothing moves.

pub mod overlay;
pub mod ports;
pub mod routes;
pub mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::topology::End;
use super::view::{EVPN, IPV4, View};

/// One device as the derivation sees it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Name in the topology.
    pub name: String,
    /// Its number in the fabric: MAC addresses are made of it.
    pub index: usize,
    /// Management address.
    pub address: String,
    /// Powered and booted.
    pub powered: bool,
    /// When it booted, nanoseconds.
    pub boot: u64,
    /// Its configuration.
    pub view: Arc<View>,
}

/// Wiring, shared by all runs.
#[derive(Clone, Debug, Default)]
pub struct Wiring {
    /// Other end of each cable.
    pub ends: BTreeMap<End, End>,
    /// Hosts by name, with their number from 1.
    pub hosts: BTreeMap<String, usize>,
}

/// What lasts from one run to the next.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Ports: up, since when, how often it changed.
    pub ports: BTreeMap<(String, String), (bool, u64, u64)>,
    /// Sessions: established, since when, how often established, since when it could be.
    pub sessions: BTreeMap<(String, String, Ipv4Addr), Record>,
}

/// The memory of one BGP session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Established now.
    pub up: bool,
    /// Last change to established, nanoseconds.
    pub established: u64,
    /// How often it came up.
    pub transitions: u64,
    /// Nothing stands in its way since then, but it is not up yet.
    pub waiting: Option<u64>,
}

/// Port or logical interface.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Up.
    pub up: bool,
    /// Since when it is what it is, nanoseconds.
    pub since: u64,
    /// Changes of carrier.
    pub transitions: u64,
}

/// A member of a LAG.
#[derive(Clone, Debug, PartialEq)]
pub struct LagMember {
    /// In the LAG and forwarding.
    pub active: bool,
    /// LACP: system id of the partner.
    pub partner: Option<String>,
    /// LACP: the partner's port number.
    pub partner_port: u64,
    /// LACP: the partner's key.
    pub partner_key: u64,
}

/// BGP session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// `IDLE`, `CONNECT`, `ACTIVE`, `ESTABLISHED`.
    pub state: &'static str,
    /// Remote AS as configured.
    pub peer_as: Option<u64>,
    /// Own AS.
    pub local_as: Option<u64>,
    /// Name of the group.
    pub group: Option<String>,
    /// Not shut.
    pub enabled: bool,
    /// Own address, when there is a session.
    pub local: Option<Ipv4Addr>,
    /// Own and remote TCP port.
    pub tcp: (u64, u64),
    /// The other side's router id.
    pub router_id: Option<Ipv4Addr>,
    /// How often it came up.
    pub transitions: u64,
    /// When it came up last.
    pub established: Option<u64>,
    /// Families configured active here, each with what it exchanged; `None` when not negotiated.
    pub families: BTreeMap<String, Option<Exchange>>,
    /// Hold and keepalive in seconds.
    pub timers: (u64, u64),
}

/// Prefix counts of one family of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Received, and kept.
    pub received: u64,
    /// Sent.
    pub sent: u64,
    /// Best path of a prefix.
    pub best: u64,
    /// Used next to the best path.
    pub ecmp: u64,
}

/// MLAG as `show mlag` has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MlagState {
    /// The pair talks.
    pub active: bool,
    /// The other's name.
    pub peer: Option<String>,
    /// System id both use.
    pub system_id: String,
    /// Peer link is up.
    pub peer_link: bool,
    /// Local interface is up.
    pub local: bool,
    /// Number of the member with the lower index; own first.
    pub primary: bool,
    /// MLAG ids: Port-Channel, `active-full`, `active-partial`, `configured`, `inactive`.
    pub ports: BTreeMap<u64, (String, &'static str)>,
}

/// An LLDP neighbor.
#[derive(Clone, Debug, PartialEq)]
pub struct Lldp {
    /// Host name it announces.
    pub system: String,
    /// Chassis MAC address.
    pub chassis: String,
    /// Its port.
    pub port: String,
    /// Description of its port.
    pub description: Option<String>,
    /// Its management address.
    pub address: String,
    /// Since when, seconds.
    pub since: u64,
}

/// Everything derived for one device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// By interface.
    pub ports: BTreeMap<String, Port>,
    /// Members by Port-Channel and port.
    pub lags: BTreeMap<String, BTreeMap<String, LagMember>>,
    /// By instance and neighbor.
    pub sessions: BTreeMap<(String, Ipv4Addr), Session>,
    /// Prefixes known, by family.
    pub totals: BTreeMap<&'static str, u64>,
    /// Underlay routes: prefix to number of paths (0 for own).
    pub rib: BTreeMap<(Ipv4Addr, u8), usize>,
    /// MLAG, if configured.
    pub mlag: Option<MlagState>,
    /// Remote VTEPs in use.
    pub vteps: BTreeSet<Ipv4Addr>,
    /// Own VTEP address.
    pub vtep: Option<Ipv4Addr>,
    /// MAC table: VLAN and address to interface.
    pub macs: BTreeMap<(u16, String), String>,
    /// ARP: interface and address to MAC.
    pub arps: BTreeMap<(String, Ipv4Addr), String>,
    /// LLDP neighbors by port.
    pub lldp: BTreeMap<String, Lldp>,
    /// When the run needs to be repeated because something is still coming up.
    pub wake: Option<u64>,
}

/// System MAC address of a device.
pub fn system_mac(index: usize) -> String {
    port_mac(index, 1)
}

/// MAC address of a port.
pub fn port_mac(index: usize, last: u64) -> String {
    format!("00:1c:73:{:02x}:{:02x}:{:02x}", (index + 1) >> 8, (index + 1) & 0xff, last & 0xff)
}

/// MAC address of a host, numbered from 1.
pub fn host_mac(number: usize) -> String {
    format!("aa:c1:ab:00:{:02x}:{:02x}", (number >> 8) & 0xff, number & 0xff)
}

/// The number at the end of an interface name.
pub fn port_number(name: &str) -> u64 {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    name.get(name.len() - digits..).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Derives one island of devices. `delay` is how long a session takes to come up, in nanoseconds.
pub fn run(members: &[Member], wiring: &Wiring, memory: &mut Memory, now: u64, delay: u64) -> Vec<Derived> {
    let mut all = vec![Derived::default(); members.len()];
    let net = ports::derive(members, wiring, memory, now, &mut all);
    sessions::derive(members, &net, memory, (now, delay), &mut all);
    overlay::derive(members, &net, &mut all);
    for derived in &mut all {
        let count = |family: &str| {
            let known = if family == EVPN { derived.totals.get(EVPN).copied() } else { u64::try_from(derived.rib.len()).ok() };
            known.unwrap_or(0)
        };
        let (ipv4, evpn) = (count(IPV4), count(EVPN));
        derived.totals.insert(IPV4, ipv4);
        derived.totals.insert(EVPN, evpn);
    }
    all
}
