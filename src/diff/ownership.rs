//! Whose a path is: ours to set and delete, somebody else's, or never to be written.
//!
//! A leaf that intent does not ask for is deleted only when its path is managed and it was ours: we committed it, or intent
//! declares the list exhaustive. Everything else is foreign. What carries our own session is protected.

use crate::path::{ANY_DEPTH, Elem, Path};

/// Whose a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Ours to set, and to delete when it was ours.
    Managed,
    /// Somebody else's: shown, never touched.
    Foreign,
    /// Never written even if intent asks.
    Protected,
}

/// Patterns, as in [`crate::path`], and `Management*` for key values that start so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What may be written at all, with everything below. The default is everything.
    pub managed: Vec<Path>,
    /// What is never written, with everything below.
    pub protected: Vec<Path>,
    /// What a device makes by itself: never a reason to delete unless we committed it, and no news to anybody.
    pub implicit: Vec<Path>,
    /// Entries that cannot be deleted, only emptied.
    pub permanent: Vec<Path>,
}

/// Management ports and their addresses, the gNMI server, users: what carries or admits our own session.
const PROTECTED: &[&str] = &[
    "/interfaces/interface[name=Management*]",
    "/network-instances/network-instance/interfaces/interface[id=Management*]",
    "/network-instances/network-instance[name=mgmt]",
    "/network-instances/network-instance[name=MGMT]",
    "/network-instances/network-instance[name=management]",
    "/system/grpc-servers",
    "/system/aaa",
    "/system/ssh-server",
    "cli:/running-config/line[context=management *]",
    "cli:/running-config/line[command=management *]",
    "cli:/running-config/line[command=username*]",
    "cli:/running-config/line[command=aaa *]",
    "cli:/running-config/line[command=enable *]",
];

/// Entries a real EOS lists without anybody having asked for them (facts: VLAN 1, members of the default instance, tables,
/// protocol entries).
const IMPLICIT: &[&str] = &[
    "/network-instances/network-instance/vlans/vlan[vlan-id=1]",
    "/network-instances/network-instance[name=default]/interfaces/interface",
    "/network-instances/network-instance/tables/table",
    "/network-instances/network-instance/protocols/protocol[identifier=DIRECTLY_CONNECTED]",
    "/network-instances/network-instance/protocols/protocol/config",
    "/interfaces/interface/subinterfaces/subinterface[index=0]/config",
];

/// The default instance has no delete.
const PERMANENT: &[&str] = &["/network-instances/network-instance[name=default]"];

fn patterns(texts: &[&str]) -> Vec<Path> {
    texts.iter().filter_map(|text| Path::parse(text).ok()).collect()
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            managed: patterns(&["/", "cli:/running-config"]),
            protected: patterns(PROTECTED),
            implicit: patterns(IMPLICIT),
            permanent: patterns(PERMANENT),
        }
    }
}

impl Rules {
    /// The same with the VRF that management runs in protected; the default instance itself is not, only what is in it.
    #[must_use]
    pub fn with_management_vrf(mut self, vrf: &str) -> Self {
        if vrf != "default" {
            self.protected.push(Path::root().child("network-instances").entry("network-instance", [("name", vrf)]));
        }
        self
    }

    /// Whose `path` is, before asking what was ours.
    pub fn owner(&self, path: &Path) -> Owner {
        if self.protected.iter().any(|pattern| covers(pattern, path)) {
            Owner::Protected
        } else if self.managed.iter().any(|pattern| covers(pattern, path)) {
            Owner::Managed
        } else {
            Owner::Foreign
        }
    }

    /// Whether an entry can only be emptied.
    pub fn is_permanent(&self, entry: &Path) -> bool {
        self.permanent.iter().any(|pattern| pattern.len() == entry.len() && covers(pattern, entry))
    }

    /// Whether a device makes it by itself.
    pub fn is_implicit(&self, path: &Path) -> bool {
        self.implicit.iter().any(|pattern| covers(pattern, path))
    }
}

/// As [`Path::covers`], and `Management*` stands for key values that start so.
pub fn covers(pattern: &Path, path: &Path) -> bool {
    pattern.origin == path.origin && below(&pattern.elems, &path.elems)
}

fn below(pattern: &[Elem], path: &[Elem]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return true };
    if first.name == ANY_DEPTH {
        return (0..=path.len()).any(|skip| below(rest, path.get(skip..).unwrap_or_default()));
    }
    path.split_first().is_some_and(|(head, tail)| stands_for(first, head) && below(rest, tail))
}

fn stands_for(pattern: &Elem, elem: &Elem) -> bool {
    (pattern.name == crate::path::ANY || pattern.name == elem.name)
        && pattern.keys.iter().all(|(key, want)| {
            elem.key(key).is_some_and(|have| match want.strip_suffix('*') {
                Some(start) => have.starts_with(start),
                None => have == want,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn what_carries_our_session_is_protected() {
        let rules = Rules::default();
        for text in [
            "/interfaces/interface[name=Management0]/config/description",
            "/interfaces/interface[name=Management1]/subinterfaces/subinterface[index=0]/ipv4/addresses/address[ip=172.16.0.1]/config/ip",
            "/system/grpc-servers/grpc-server[name=default]/config/port",
            "/system/aaa/authentication/users/user[username=admin]/config/role",
            "/network-instances/network-instance[name=mgmt]/config/type",
            "/network-instances/network-instance[name=default]/interfaces/interface[id=Management0]/config/id",
            "cli:/running-config/line[command=provider][context=management api gnmi]",
            "cli:/running-config/line[command=username admin][context=]",
        ] {
            assert_eq!(rules.owner(&path(text)), Owner::Protected, "{text}");
        }
        for text in [
            "/interfaces/interface[name=Ethernet1]/config/description",
            "/system/config/hostname",
            "/network-instances/network-instance[name=default]/config/ipv4-routing-enabled",
            "cli:/running-config/line[command=maximum-paths][context=router bgp 65001]",
        ] {
            assert_eq!(rules.owner(&path(text)), Owner::Managed, "{text}");
        }
        let silver = path("/network-instances/network-instance[name=oob]/config/type");
        assert_eq!(rules.owner(&silver), Owner::Managed);
        assert_eq!(Rules::default().with_management_vrf("oob").owner(&silver), Owner::Protected);
        assert_eq!(Rules { managed: vec![path("/interfaces")], ..rules }.owner(&path("/system/config/hostname")), Owner::Foreign);
    }

    #[test]
    fn every_pattern_of_the_defaults_is_a_path() {
        let rules = Rules::default();
        assert_eq!((rules.protected.len(), rules.implicit.len()), (PROTECTED.len(), IMPLICIT.len()));
        assert!(rules.is_implicit(&path("/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=1]/config/name")));
        assert!(!rules.is_implicit(&path("/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=10]/config/name")));
    }
}
