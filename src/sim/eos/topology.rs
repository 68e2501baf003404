//! Who is wired to whom: `topology.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The wiring of a fabric, in the shape of `lab/topology.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// Devices and their management addresses.
    #[serde(default)]
    pub devices: Vec<Node>,
    /// Cables.
    #[serde(default)]
    pub links: Vec<Cable>,
    /// Hosts; their cables are among `links`.
    #[serde(default)]
    pub hosts: Vec<Host>,
}

/// A device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its management address.
    #[serde(default)]
    pub address: String,
}

/// A cable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cable {
    /// One end.
    pub a: End,
    /// The other.
    pub b: End,
}

/// One end of a cable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct End {
    /// Device or host.
    pub device: String,
    /// Its port.
    pub interface: String,
}

/// A host, always LACP active on all its ports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
}

impl Topology {
    /// The other end of each cable.
    pub fn ends(&self) -> BTreeMap<End, End> {
        self.links.iter().flat_map(|cable| [(cable.a.clone(), cable.b.clone()), (cable.b.clone(), cable.a.clone())]).collect()
    }

    /// Devices that are wired to each other, directly or over others: what one change can reach. Hosts do not join.
    pub fn islands(&self, devices: &BTreeSet<String>) -> Vec<BTreeSet<String>> {
        let mut beside: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for cable in &self.links {
            for (here, there) in [(&cable.a, &cable.b), (&cable.b, &cable.a)] {
                beside.entry(&here.device).or_default().insert(&there.device);
            }
        }
        let mut left = devices.clone();
        let mut islands = Vec::new();
        while let Some(first) = left.pop_first() {
            let (mut island, mut queue) = (BTreeSet::from([first.clone()]), vec![first]);
            while let Some(name) = queue.pop() {
                for there in beside.get(name.as_str()).into_iter().flatten() {
                    if left.remove(*there) {
                        island.insert((*there).to_owned());
                        queue.push((*there).to_owned());
                    }
                }
            }
            islands.push(island);
        }
        islands
    }
}
