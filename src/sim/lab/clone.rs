//! Many copies of one fabric: the same devices again under other names and addresses, and the NetBox that intends them.
//!
//! The first copy is the fabric as it is, so scenarios play on it. Copy 2 and later carry `f2-`, `f03-`, … before every device's
//! name, wherever it stands as a word, and their underlay (10.0.0.0/16), tenant (10.N.N.0/24) and management (172.16.0.0/24)
//! addresses are moved. AS numbers, VLANs, VRFs and VNIs are the same: the copies are fabrics of their own and do not meet.

use std::collections::BTreeSet;

use crate::sim::eos::Topology;
use crate::sim::eos::topology::{Cable, End, Host, Node};

/// What is asked of a lab that is larger, or moves more, than the fabric it is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scale {
    /// So many devices, copy after copy of the fabric; `None` is the fabric itself.
    pub devices: Option<usize>,
    /// Every device shows about so many leaves; `None` is what it has.
    pub leaves: Option<usize>,
    /// So many leaves change a second, over all devices that somebody streams from.
    pub churn: Option<u64>,
    /// Streams repeat changes that are encoded once: `churn` of them a second, or as many as the reader takes.
    pub pre_encoded: bool,
}

/// Leaves that move on a device when nobody said how large it shall be.
const MOVING: usize = 90;

impl Scale {
    /// Leaves a device with `have` gets on top.
    ///
    /// # Errors
    /// When it has more than asked for.
    pub fn filler(&self, have: usize) -> Result<usize, String> {
        match self.leaves {
            Some(asked) if asked < have => {
                Err(format!("--leaves {asked}: a device of this fabric has {have} leaves already; ask for more"))
            }
            Some(asked) => Ok(asked - have),
            None if self.churn.is_some() || self.pre_encoded => Ok(MOVING),
            None => Ok(0),
        }
    }

    /// Checks the numbers that make no sense whatever the fabric.
    ///
    /// # Errors
    /// Which flag, and what would do.
    pub fn check(&self, fabric: usize, port_base: u16) -> Result<(), String> {
        let most = MOST * fabric;
        match *self {
            Self { devices: Some(0), .. } => return Err("--clone 0: a lab needs a device; ask for 1 or more".to_owned()),
            Self { devices: Some(asked), .. } if asked > most => {
                return Err(format!("--clone {asked}: at most {most} devices, then the copies run out of addresses"));
            }
            Self { leaves: Some(0), .. } => return Err("--leaves 0: leave it out to have the devices as they are".to_owned()),
            Self { leaves: Some(asked), .. } if asked > 1_000_000 => {
                return Err(format!("--leaves {asked}: at most 1000000 of a device"));
            }
            Self { churn: Some(0), .. } => return Err("--churn 0: leave it out to have counters move as they do".to_owned()),
            Self { churn: Some(asked), .. } if asked > 10_000_000 => {
                return Err(format!("--churn {asked}: at most 10000000 updates a second"));
            }
            _ => {}
        }
        let devices = self.devices.unwrap_or(fabric);
        // NetBox and the collector have a port each.
        let last = usize::from(port_base) + devices + 1;
        if port_base > 0 && last > usize::from(u16::MAX) {
            let room = usize::from(u16::MAX).saturating_sub(usize::from(port_base) + 1);
            return Err(format!(
                "--port-base {port_base} with {devices} devices ends at port {last}: ports end at 65535; ask for at most {room} devices, or leave --port-base out"
            ));
        }
        if devices > 28_000 {
            return Err(format!("--clone {devices}: a host has about 28000 free ports; ask for fewer"));
        }
        Ok(())
    }
}

/// Most copies: management addresses end at 172.31.255.0.
pub const MOST: usize = 4096;

/// What a copy is called.
#[derive(Clone, Debug)]
pub struct Naming {
    names: BTreeSet<String>,
    width: usize,
}

impl Naming {
    /// For `copies` of a fabric.
    pub fn new(topology: &Topology, copies: usize) -> Self {
        let devices = topology.devices.iter().map(|node| node.name.clone());
        let names = devices.chain(topology.hosts.iter().map(|host| host.name.clone())).collect();
        Self { names, width: copies.to_string().len() }
    }

    /// A device's or host's name in a copy, counted from 1.
    pub fn name(&self, copy: usize, name: &str) -> String {
        if copy <= 1 { name.to_owned() } else { format!("f{copy:0width$}-{name}", width = self.width) }
    }

    /// A text with every name and address of the fabric made those of the copy; `None` when there is none in it.
    pub fn text(&self, copy: usize, text: &str) -> Option<String> {
        if copy <= 1 {
            return None;
        }
        let mut out = String::new();
        let mut moved = false;
        for word in words(text) {
            let new = if self.names.contains(word) { Some(self.name(copy, word)) } else { address(copy, word) };
            moved |= new.is_some();
            out.push_str(new.as_deref().unwrap_or(word));
        }
        moved.then_some(out)
    }

    /// The wiring of a copy.
    pub fn topology(&self, copy: usize, of: &Topology) -> Topology {
        let end = |end: &End| End { device: self.name(copy, &end.device), interface: end.interface.clone() };
        Topology {
            devices: of
                .devices
                .iter()
                .map(|node| Node {
                    name: self.name(copy, &node.name),
                    address: self.text(copy, &node.address).unwrap_or_else(|| node.address.clone()),
                })
                .collect(),
            links: of.links.iter().map(|cable| Cable { a: end(&cable.a), b: end(&cable.b) }).collect(),
            hosts: of.hosts.iter().map(|host| Host { name: self.name(copy, &host.name) }).collect(),
        }
    }
}

/// Runs of letters, digits and dots, and what stands between them. A run that ends in dots (`leaf1..2`) is cut before them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let mut end = rest.find(|c| inside(c) != inside(first)).unwrap_or(rest.len());
        if inside(first) {
            let run = rest.get(..end).unwrap_or(rest);
            end = run.find("..").filter(|at| *at > 0).unwrap_or(end);
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// The address in a copy, if the word is one of the fabric.
fn address(copy: usize, word: &str) -> Option<String> {
    let address: std::net::Ipv4Addr = word.parse().ok()?;
    let shift = u8::try_from((copy - 1) / 256).ok().zip(u8::try_from((copy - 1) % 256).ok());
    match (address.octets(), shift) {
        // The gateway of the management network is in the configuration context all copies share.
        ([172, 16, 0, 254], _) => None,
        ([172, 16, 0, host], Some((high, low))) => Some(format!("172.{}.{low}.{host}", 16 + high)),
        ([10, 0, net, host], Some((high, low))) => Some(format!("{}.{low}.{net}.{host}", 10 + high)),
        // Tenant networks, 10.34.34.0/24 and the like: out of the way of every underlay.
        ([10, net, same, host], Some((high, low))) if net == same => Some(format!("{}.{net}.{}.{host}", 26 + high, same.wrapping_add(low))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_sense_are_named() {
        let scale = |devices: usize| Scale { devices: Some(devices), ..Scale::default() };
        for (scale, base, word) in [
            (scale(0), 0, "--clone 0"),
            (scale(1_000_000), 0, "--clone 1000000"),
            (scale(30_000), 0, "28000"),
            (scale(100), 65_500, "at most 34 devices"),
            (Scale { leaves: Some(0), ..Scale::default() }, 0, "--leaves 0"),
            (Scale { churn: Some(0), ..Scale::default() }, 0, "--churn 0"),
        ] {
            let problem = scale.check(10, base).unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
        assert_eq!(scale(34).check(10, 65_500), Ok(()));
        let asked = Scale { leaves: Some(500), ..Scale::default() };
        assert_eq!(asked.filler(400), Ok(100));
        assert!(asked.filler(600).unwrap_err().contains("600"));
        assert_eq!(Scale::default().filler(600), Ok(0));
    }

    #[test]
    fn names_and_addresses_move_where_they_are_words() {
        let topology = Topology {
            devices: ["leaf1", "leaf2", "spine1"].map(|name| Node { name: name.into(), address: "172.16.0.1".into() }).to_vec(),
            ..Topology::default()
        };
        let naming = Naming::new(&topology, 100);
        for (text, copy) in [
            ("to spine1 Ethernet3", Some("to f007-spine1 Ethernet3")),
            ("leaf1+leaf2", Some("f007-leaf1+f007-leaf2")),
            ("leaf1-leaf2-ipv4", Some("f007-leaf1-f007-leaf2-ipv4")),
            ("leaf1..2", Some("f007-leaf1..2")),
            ("10.0.250.11:1", Some("10.6.250.11:1")),
            ("10.0.1.0/31", Some("10.6.1.0/31")),
            ("ip route 172.16.0.25 via 172.16.0.254", Some("ip route 172.16.6.25 via 172.16.0.254")),
            ("leaf10", None),
            ("10.0", None),
            ("10.34.34.1/24", Some("26.34.40.1/24")),
            ("10.64.0.0/10", None),
            ("4.35.0F", None),
            ("001c.7300.0099", None),
        ] {
            assert_eq!(naming.text(7, text).as_deref(), copy, "{text}");
            assert_eq!(naming.text(1, text), None, "the first copy is the fabric itself");
        }
        assert_eq!(naming.text(300, "10.0.1.1 172.16.0.3").as_deref(), Some("11.43.1.1 172.17.43.3"));
        assert_eq!(naming.topology(7, &topology).devices[0], Node { name: "f007-leaf1".into(), address: "172.16.6.1".into() });
    }
}
