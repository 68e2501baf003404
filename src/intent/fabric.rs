//! The fabric as intent describes it: typed records, whatever the source they were read from.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::records::{Address, Cable, Interface, Kind, L2vpn, PeerGroup, Policy, PrefixList, Session, Settings, Vlan, Vrf};
use crate::tree::Origin;

/// What a device is in the fabric.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Route server of the overlay, transit of the underlay.
    Spine,
    /// VTEP.
    Leaf,
    /// VTEP that leads out of the fabric.
    Border,
    /// Transit between spines of several pods.
    Core,
    /// Any other role, by its slug.
    #[serde(untagged)]
    Other(String),
}

impl Role {
    /// By the word for it: `spine`, `leaf`, `border`, `core`; any other is one of its own.
    pub fn of(word: &str) -> Self {
        match word {
            "spine" => Self::Spine,
            "leaf" => Self::Leaf,
            "border" => Self::Border,
            "core" => Self::Core,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Its word.
    pub fn word(&self) -> &str {
        match self {
            Self::Spine => "spine",
            Self::Leaf => "leaf",
            Self::Border => "border",
            Self::Core => "core",
            Self::Other(word) => word,
        }
    }

    /// What traffic between others runs through: not many of these at once.
    pub fn is_transit(&self) -> bool {
        matches!(self, Self::Spine | Self::Core)
    }

    /// What hosts or the outside hang on: it needs somebody in transit.
    pub fn is_edge(&self) -> bool {
        matches!(self, Self::Leaf | Self::Border)
    }
}

/// One managed device: what every part of the engine needs to know of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// NetBox id: the identity that survives a rename.
    pub id: u64,
    /// Its name, also the hostname.
    pub name: Arc<str>,
    /// Its role.
    pub role: Role,
    /// Site slug.
    pub site: String,
    /// `active`, `planned`, `staged`, `failed`, `offline`, …
    pub status: String,
    /// Its own AS number.
    pub asn: Option<u32>,
    /// BGP router id.
    pub router_id: Option<String>,
    /// The MLAG pair (name of its cluster) when it is a member of one.
    pub pair: Option<Arc<str>>,
    /// Management address without mask.
    pub management: Option<String>,
    /// gNMI port of its `gnmi` service.
    pub gnmi_port: Option<u16>,
    /// Source address of Vxlan1, without mask, when it is a VTEP.
    pub vtep: Option<String>,
    /// The object in NetBox.
    pub origin: Arc<Origin>,
}

/// The whole fabric. Made by [`Fabric::indexed`]; the lists are not to be changed afterwards.
#[derive(Clone, Debug, Default)]
pub struct Fabric {
    /// Managed devices, by name.
    pub devices: Vec<Device>,
    /// One a device.
    pub settings: Vec<Settings>,
    /// Of managed devices.
    pub interfaces: Vec<Interface>,
    /// On interfaces of managed devices.
    pub addresses: Vec<Address>,
    /// Those that end on a managed device.
    pub cables: Vec<Cable>,
    /// All.
    pub vlans: Vec<Vlan>,
    /// All.
    pub vrfs: Vec<Vrf>,
    /// All.
    pub l2vpns: Vec<L2vpn>,
    /// All.
    pub peer_groups: Vec<PeerGroup>,
    /// Of managed devices.
    pub sessions: Vec<Session>,
    /// All.
    pub prefix_lists: Vec<PrefixList>,
    /// All.
    pub policies: Vec<Policy>,
    /// What was found while the records were made; a device with an error here gets no plan.
    pub findings: Vec<Finding>,
    /// Custom fields that NetBox does not have, or has no more: the kind of object, the field's name.
    pub missing_fields: BTreeSet<(&'static str, String)>,
    index: Index,
}

/// Places in the lists, by id.
#[derive(Clone, Debug, Default)]
struct Index {
    devices: FxHashMap<u64, usize>,
    settings: FxHashMap<u64, usize>,
    interfaces: FxHashMap<u64, usize>,
    addresses: FxHashMap<u64, usize>,
    vlans: FxHashMap<u64, usize>,
    vrfs: FxHashMap<u64, usize>,
    l2vpns: FxHashMap<u64, usize>,
    peer_groups: FxHashMap<u64, usize>,
    interfaces_of: FxHashMap<u64, Vec<usize>>,
    addresses_of: FxHashMap<u64, Vec<usize>>,
    members_of: FxHashMap<u64, Vec<usize>>,
    vlans_of: FxHashMap<u64, Vec<usize>>,
    sessions_of: FxHashMap<u64, Vec<usize>>,
}

fn by_id<T>(list: &[T], id: impl Fn(&T) -> u64) -> FxHashMap<u64, usize> {
    list.iter().enumerate().map(|(at, item)| (id(item), at)).collect()
}

fn grouped<T>(list: &[T], key: impl Fn(&T) -> Option<u64>) -> FxHashMap<u64, Vec<usize>> {
    let mut groups: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
    for (at, item) in list.iter().enumerate() {
        if let Some(key) = key(item) {
            groups.entry(key).or_default().push(at);
        }
    }
    groups
}

impl Fabric {
    /// Sorts the lists, so that the same objects in any order make the same fabric, and makes them searchable.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.devices.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        self.interfaces.sort_by_key(|interface| interface.id);
        self.addresses.sort_by_key(|address| (address.net, address.id));
        self.cables.sort_by_key(|cable| cable.id);
        self.vlans.sort_by_key(|vlan| (vlan.vid, vlan.id));
        self.vrfs.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        self.sessions.sort_by_key(|session| (session.remote, session.id));
        self.index = Index {
            devices: by_id(&self.devices, |item| item.id),
            settings: by_id(&self.settings, |item| item.device),
            interfaces: by_id(&self.interfaces, |item| item.id),
            addresses: by_id(&self.addresses, |item| item.id),
            vlans: by_id(&self.vlans, |item| item.id),
            vrfs: by_id(&self.vrfs, |item| item.id),
            l2vpns: by_id(&self.l2vpns, |item| item.id),
            peer_groups: by_id(&self.peer_groups, |item| item.id),
            interfaces_of: grouped(&self.interfaces, |item| Some(item.device)),
            addresses_of: grouped(&self.addresses, |item| Some(item.interface)),
            members_of: grouped(&self.interfaces, |item| item.lag),
            vlans_of: grouped(&self.vlans, |item| item.cluster),
            sessions_of: grouped(&self.sessions, |item| Some(item.device)),
        };
        let vteps: Vec<Option<String>> = self
            .devices
            .iter()
            .map(|device| {
                let source = self.vtep_source(device.id)?;
                self.effective_addresses(source).first().map(|address| address.net.addr().to_string())
            })
            .collect();
        for (device, vtep) in self.devices.iter_mut().zip(vteps) {
            device.vtep = vtep;
        }
        self
    }

    /// A device by name.
    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|device| &*device.name == name)
    }

    /// A device by id.
    pub fn device_by_id(&self, id: u64) -> Option<&Device> {
        self.devices.get(*self.index.devices.get(&id)?)
    }

    /// A device's settings.
    pub fn settings_of(&self, device: u64) -> Option<&Settings> {
        self.settings.get(*self.index.settings.get(&device)?)
    }

    /// An interface.
    pub fn interface(&self, id: u64) -> Option<&Interface> {
        self.interfaces.get(*self.index.interfaces.get(&id)?)
    }

    /// The interfaces of a device, by id.
    pub fn interfaces_of(&self, device: u64) -> impl Iterator<Item = &Interface> {
        pick(&self.interfaces, self.index.interfaces_of.get(&device))
    }

    /// The members of a Port-Channel.
    pub fn members_of(&self, lag: u64) -> impl Iterator<Item = &Interface> {
        pick(&self.interfaces, self.index.members_of.get(&lag))
    }

    /// An address.
    pub fn address(&self, id: u64) -> Option<&Address> {
        self.addresses.get(*self.index.addresses.get(&id)?)
    }

    /// The addresses on an interface, reserved ones not among them.
    pub fn addresses_of(&self, interface: u64) -> impl Iterator<Item = &Address> {
        pick(&self.addresses, self.index.addresses_of.get(&interface)).filter(|address| address.status != "reserved")
    }

    /// A VLAN object.
    pub fn vlan(&self, id: u64) -> Option<&Vlan> {
        self.vlans.get(*self.index.vlans.get(&id)?)
    }

    /// The VLANs a device has, by VLAN id: those of the groups scoped to its cluster. `reserved` is planned, not there yet.
    pub fn vlans_of(&self, settings: &Settings) -> impl Iterator<Item = &Vlan> {
        pick(&self.vlans, settings.cluster.and_then(|cluster| self.index.vlans_of.get(&cluster))).filter(|vlan| vlan.status != "reserved")
    }

    /// A VRF.
    pub fn vrf(&self, id: u64) -> Option<&Vrf> {
        self.vrfs.get(*self.index.vrfs.get(&id)?)
    }

    /// The VRFs a device has: those an interface of it is in, by name.
    pub fn vrfs_of(&self, device: u64) -> Vec<&Vrf> {
        let mut ids: Vec<u64> = self.interfaces_of(device).filter_map(|interface| interface.vrf).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut vrfs: Vec<&Vrf> = ids.into_iter().filter_map(|id| self.vrf(id)).collect();
        vrfs.sort_by(|a, b| a.name.cmp(&b.name));
        vrfs
    }

    /// A MAC-VRF.
    pub fn l2vpn(&self, id: u64) -> Option<&L2vpn> {
        self.l2vpns.get(*self.index.l2vpns.get(&id)?)
    }

    /// The MAC-VRF of a VLAN, unless it is only planned.
    pub fn l2vpn_of(&self, vlan: &Vlan) -> Option<&L2vpn> {
        let l2vpn = self.l2vpn(vlan.l2vpn?)?;
        (l2vpn.kind == "vxlan-evpn" && l2vpn.status != "planned").then_some(l2vpn)
    }

    /// A peer group.
    pub fn peer_group(&self, id: u64) -> Option<&PeerGroup> {
        self.peer_groups.get(*self.index.peer_groups.get(&id)?)
    }

    /// The sessions of a device, by neighbour; planned ones not among them.
    pub fn sessions_of(&self, device: u64) -> impl Iterator<Item = &Session> {
        pick(&self.sessions, self.index.sessions_of.get(&device)).filter(|session| session.status != "planned")
    }

    /// The VRF of a session: that of its own address; `Some(None)` is the default one. `None` when that address is on no
    /// interface of the device, or its VRF was not read: then nobody knows.
    pub fn vrf_of_session(&self, session: &Session) -> Option<Option<&Vrf>> {
        let here = |address: &Address| self.interface(address.interface).filter(|interface| interface.device == session.device);
        let id = session.local_address?;
        let known = self.address(id).and_then(|address| Some((address, here(address)?)));
        // An FHRP group's address is on several interfaces.
        let elsewhere = || self.addresses.iter().filter(|address| address.id == id).find_map(|address| Some((address, here(address)?)));
        let (address, interface) = known.or_else(elsewhere)?;
        match interface.vrf.or(address.vrf) {
            None => Some(None),
            Some(id) => self.vrf(id).map(Some),
        }
    }

    /// The other members of a device's pair.
    pub fn peers<'a>(&'a self, device: &'a Device) -> impl Iterator<Item = &'a Device> {
        self.devices.iter().filter(move |other| device.pair.is_some() && other.pair == device.pair && other.id != device.id)
    }

    /// The interface Vxlan1 of a device takes its address from.
    pub fn vtep_source(&self, device: u64) -> Option<&Interface> {
        let source = self.interfaces_of(device).find_map(|interface| interface.vxlan_source.as_deref())?;
        self.interfaces_of(device).find(|interface| &*interface.name == source)
    }

    /// The addresses a device has on an interface. The VTEP address that a pair shares may be held once, on one member, by the
    /// source of intent: then it counts for both.
    pub fn effective_addresses(&self, interface: &Interface) -> Vec<&Address> {
        let own: Vec<&Address> = self.addresses_of(interface.id).collect();
        if !own.is_empty() || interface.kind != Kind::Loopback {
            return own;
        }
        let Some(device) = self.device_by_id(interface.device) else { return own };
        if self.vtep_source(device.id).is_none_or(|source| source.id != interface.id) {
            return own;
        }
        let theirs = self.peers(device).filter_map(|peer| self.vtep_source(peer.id));
        theirs.flat_map(|source| self.addresses_of(source.id)).collect()
    }
}

fn pick<'a, T>(list: &'a [T], places: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a T> {
    places.into_iter().flatten().filter_map(|at| list.get(*at))
}
