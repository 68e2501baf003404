//! What a leaf is to the engine, told once a path: so that an update costs a look into a table, not a comparison of texts.

use crate::path::Path;
use crate::tree::PathId;

/// What a leaf is to the engine. Facts of state never make a difference, configuration never makes health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Compared with intent.
    Config,
    /// Makes health: session states, families, oper-status.
    Health,
    /// An octet counter of an interface.
    Octets,
    /// Who changed the configuration, and when.
    History,
    /// Software version, boot time.
    System,
    /// Anything else a device tells: kept and shown.
    Other,
}

/// The class of a path.
pub fn of(path: &Path) -> Class {
    if path.origin.is_some() || path.elems.iter().any(|elem| elem.name == "config") {
        return Class::Config;
    }
    let name = |index: usize| path.elems.get(index).map_or("", |elem| elem.name.as_str());
    match (name(0), path.name()) {
        ("interfaces", "in-octets" | "out-octets") if path.len() == 5 => Class::Octets,
        ("interfaces", "oper-status") if path.len() == 4 => Class::Health,
        ("network-instances", "session-state" | "active") => Class::Health,
        ("system", _) if name(1) == "session" => Class::History,
        ("system", "last-configuration-timestamp") => Class::History,
        ("system", "software-version" | "boot-time") => Class::System,
        _ => Class::Other,
    }
}

/// Classes by path number.
#[derive(Debug, Default)]
pub struct Table {
    classes: Vec<Option<Class>>,
}

impl Table {
    /// The class of a path that was asked about before.
    pub fn known(&self, id: PathId) -> Option<Class> {
        self.classes.get(id.index()).copied().flatten()
    }

    /// The class of an interned path.
    pub fn class(&mut self, id: PathId, path: &Path) -> Class {
        let index = id.index();
        if self.classes.len() <= index {
            self.classes.resize(index + 1, None);
        }
        *self.classes[index].get_or_insert_with(|| of(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_configuration_from_state() {
        for (path, class) in [
            ("/interfaces/interface[name=Ethernet1]/config/mtu", Class::Config),
            (
                "/arista/varp/config/varp-intf-config[intf-id=Vlan34]/virtual-ip-addr[virtual-ip-addr-key=a]/virtual-ip-addr-value",
                Class::Config,
            ),
            ("cli:/running-config/line[command=ip virtual-router mac-address][context=]", Class::Config),
            ("/interfaces/interface[name=Ethernet1]/state/counters/in-octets", Class::Octets),
            ("/interfaces/interface[name=Vxlan1]/state/oper-status", Class::Health),
            (
                "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors/neighbor[neighbor-address=10.0.1.0]/state/session-state",
                Class::Health,
            ),
            ("/system/session/history/state/diff[timestamp=1]/username", Class::History),
            ("/system/state/boot-time", Class::System),
            ("/system/state/hostname", Class::Other),
        ] {
            assert_eq!(of(&Path::parse(path).unwrap()), class, "{path}");
        }
    }
}
