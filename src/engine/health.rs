//! How a device is doing, out of what it reports: sessions, MLAG, VTEP. Health is state only; drift is configuration only, so
//! that a fault on the peer (scenario D01: families missing on a spine) shows on both ends without a difference on ours.

use std::collections::BTreeMap;

use crate::path::Path;
use crate::tree::Tree;
use crate::value::Value;

use super::snapshot::Health;

/// What the session of one neighbor should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Expected {
    evpn: bool,
}

/// What the session of one neighbor is.
#[derive(Clone, Debug, Default)]
struct Session {
    state: Option<String>,
    evpn_active: bool,
}

/// `(network instance, neighbor address)`
type Neighbor = (String, String);

/// The neighbor below a BGP path: `(instance, address, the elements after it)`.
fn neighbor(path: &Path) -> Option<(&str, &str, &[crate::path::Elem])> {
    match path.elems.as_slice() {
        [top, instance, protocols, _, bgp, list, entry, rest @ ..]
            if top.name == "network-instances" && protocols.name == "protocols" && bgp.name == "bgp" && list.name == "neighbors" =>
        {
            Some((instance.key("name")?, entry.key("neighbor-address")?, rest))
        }
        _ => None,
    }
}

/// The peer group below a BGP path: `(name, the elements after it)`.
fn group(path: &Path) -> Option<(&str, &[crate::path::Elem])> {
    match path.elems.as_slice() {
        [top, _, protocols, _, bgp, list, entry, rest @ ..]
            if top.name == "network-instances" && protocols.name == "protocols" && bgp.name == "bgp" && list.name == "peer-groups" =>
        {
            Some((entry.key("peer-group-name")?, rest))
        }
        _ => None,
    }
}

/// Whether the elements after a neighbor or group are the activation of EVPN.
fn is_evpn_enabled(rest: &[crate::path::Elem]) -> bool {
    matches!(rest, [families, family, config, leaf]
        if families.name == "afi-safis" && family.key("afi-safi-name") == Some("L2VPN_EVPN") && config.name == "config" && leaf.name == "enabled")
}

/// The sessions a configuration asks for, by neighbor.
fn expected(tree: &Tree) -> BTreeMap<Neighbor, Expected> {
    let mut neighbors: BTreeMap<Neighbor, (Option<String>, Option<bool>, bool)> = BTreeMap::new();
    let mut groups: BTreeMap<String, bool> = BTreeMap::new();
    tree.paths().with(|mut paths| {
        for (id, leaf) in tree.iter() {
            let Some(path) = paths.get(id.index()) else { continue };
            if let Some((instance, address, rest)) = neighbor(path) {
                let is_config = rest.first().is_some_and(|elem| elem.name == "config");
                if !is_config && !is_evpn_enabled(rest) {
                    continue;
                }
                let entry = neighbors.entry((instance.to_owned(), address.to_owned())).or_default();
                match path.name() {
                    "peer-group" if is_config => entry.0 = leaf.value.as_str().map(str::to_owned),
                    "enabled" if is_config => entry.2 = leaf.value.as_bool() == Some(false),
                    "enabled" => entry.1 = leaf.value.as_bool(),
                    _ => {}
                }
            } else if let Some((name, rest)) = group(path)
                && is_evpn_enabled(rest)
            {
                groups.insert(name.to_owned(), leaf.value.as_bool() == Some(true));
            }
        }
    });
    neighbors
        .into_iter()
        .filter(|(_, (_, _, shut))| !shut)
        .map(|(name, (group, own, _))| {
            let inherited = || group.and_then(|group| groups.get(&group).copied());
            let evpn = own.or_else(inherited).unwrap_or(false);
            (name, Expected { evpn })
        })
        .collect()
}

/// The sessions a device reports.
fn sessions(tree: &Tree) -> BTreeMap<Neighbor, Session> {
    let mut sessions: BTreeMap<Neighbor, Session> = BTreeMap::new();
    tree.paths().with(|mut paths| {
        for (id, leaf) in tree.iter() {
            if !matches!(paths.name(id.index()), Some("session-state" | "active")) {
                continue;
            }
            let Some(path) = paths.get(id.index()) else { continue };
            let Some((instance, address, rest)) = neighbor(path) else { continue };
            let session = sessions.entry((instance.to_owned(), address.to_owned())).or_default();
            match rest {
                [state, leaf_elem] if state.name == "state" && leaf_elem.name == "session-state" => {
                    session.state = Some(leaf.value.to_string());
                }
                [_, family, state, _] if state.name == "state" && family.key("afi-safi-name") == Some("L2VPN_EVPN") => {
                    session.evpn_active = leaf.value.as_bool() == Some(true);
                }
                _ => {}
            }
        }
    });
    sessions
}

/// What the command line said of MLAG.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mlag {
    /// `active`, `inactive`, `disabled`.
    pub state: String,
    /// `connected`, `connecting`, …
    pub negotiation: String,
    /// `up`, `down`.
    pub peer_link: String,
}

impl Mlag {
    /// Out of the JSON of `show mlag`.
    pub fn from_json(json: &serde_json::Value) -> Self {
        let text = |key: &str| json.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_lowercase();
        Self { state: text("state"), negotiation: text("negStatus"), peer_link: text("peerLinkStatus") }
    }

    /// Out of the text of `show mlag`: `state : Active`, `negotiation status : Connected`, `peer-link status : Up`.
    pub fn from_text(text: &str) -> Self {
        let mut mlag = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim().to_lowercase();
            match key.trim().to_lowercase().as_str() {
                "state" => mlag.state = value,
                "negotiation status" => mlag.negotiation = value,
                "peer-link status" => mlag.peer_link = value,
                _ => {}
            }
        }
        mlag
    }

    /// One word or two.
    pub fn words(&self) -> String {
        match (self.state.as_str(), self.negotiation.as_str(), self.peer_link.as_str()) {
            ("active", "" | "connected", "" | "up") => "active".into(),
            ("active", "" | "connected", _) => "peer-link down".into(),
            ("active", ..) => "peer down".into(),
            ("", ..) => "unknown".into(),
            (state, ..) => state.into(),
        }
    }
}

/// What health is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Everything the device reported.
    pub observed: &'a Tree,
    /// What it should have; empty when there is no intent: then its own configuration says what to expect.
    pub desired: &'a Tree,
    /// Whether it is a member of a pair.
    pub paired: bool,
    /// What the command line said of MLAG last.
    pub mlag: Option<&'a Mlag>,
    /// Whether it is a VTEP.
    pub vtep: bool,
}

/// The health of one device.
pub fn derive(facts: Facts<'_>) -> Health {
    let expected = expected(if facts.desired.is_empty() { facts.observed } else { facts.desired });
    let sessions = sessions(facts.observed);
    let mut problems = Vec::new();
    let (mut bgp, mut evpn) = ((0, 0), (0, 0));
    for ((instance, address), want) in &expected {
        let found = sessions.get(&(instance.clone(), address.clone()));
        let state = found.and_then(|session| session.state.as_deref()).unwrap_or("no state");
        let up = state == "ESTABLISHED";
        bgp.1 += 1;
        bgp.0 += usize::from(up);
        let vrf = if instance == "default" { String::new() } else { format!(" vrf {instance}") };
        if want.evpn {
            let active = up && found.is_some_and(|session| session.evpn_active);
            evpn.1 += 1;
            evpn.0 += usize::from(active);
            if !active {
                problems.push(format!("EVPN {address}{vrf} {}", if up { "family not active" } else { state }));
            }
        } else if !up {
            problems.push(format!("BGP {address}{vrf} {state}"));
        }
    }
    let mlag = facts.paired.then(|| facts.mlag.map_or_else(|| "unknown".to_owned(), Mlag::words));
    if let Some(words) = mlag.as_deref().filter(|words| !matches!(*words, "active" | "unknown")) {
        problems.push(format!("MLAG {words}"));
    }
    let vtep = facts.vtep.then(|| vtep(facts.observed));
    if let Some(words) = vtep.as_deref().filter(|words| *words != "up") {
        problems.push(format!("VTEP {words}"));
    }
    Health { bgp: (bgp.1 > 0).then_some(bgp), evpn: (evpn.1 > 0).then_some(evpn), mlag, vtep, problems }
}

/// `up` when Vxlan1 is up and has a source.
fn vtep(observed: &Tree) -> String {
    let get = |text: &str| Path::parse(text).ok().and_then(|path| observed.value(&path).cloned());
    let status = get("/interfaces/interface[name=Vxlan1]/state/oper-status");
    let source = get("/interfaces/interface[name=Vxlan1]/arista-vxlan/config/src-ip-intf");
    match (status.as_ref().and_then(Value::as_str), source) {
        (None, None) => "absent".into(),
        (_, None) => "no source".into(),
        (Some("UP") | None, Some(_)) => "up".into(),
        (Some(other), Some(_)) => other.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Paths;

    const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";

    fn tree(leaves: &[(&str, Value)]) -> Tree {
        let mut tree = Tree::new(Paths::new());
        for (path, value) in leaves {
            tree.set(&Path::parse(&path.replace('~', BGP)).unwrap(), value.clone(), 1);
        }
        tree
    }

    fn facts<'a>(observed: &'a Tree, desired: &'a Tree) -> Facts<'a> {
        Facts { observed, desired, paired: false, mlag: None, vtep: false }
    }

    #[test]
    fn a_family_missing_on_the_peer_shows_here() {
        let desired = tree(&[
            ("~/peer-groups/peer-group[peer-group-name=evpn]/afi-safis/afi-safi[afi-safi-name=L2VPN_EVPN]/config/enabled", true.into()),
            ("~/neighbors/neighbor[neighbor-address=10.0.250.1]/config/peer-group", "evpn".into()),
            ("~/neighbors/neighbor[neighbor-address=10.0.1.0]/config/peer-group", "underlay".into()),
            ("~/neighbors/neighbor[neighbor-address=10.0.1.9]/config/enabled", false.into()),
        ]);
        let observed = tree(&[
            ("~/neighbors/neighbor[neighbor-address=10.0.1.0]/state/session-state", "ESTABLISHED".into()),
            ("~/neighbors/neighbor[neighbor-address=10.0.250.1]/state/session-state", "ACTIVE".into()),
            ("~/neighbors/neighbor[neighbor-address=10.0.250.1]/afi-safis/afi-safi[afi-safi-name=L2VPN_EVPN]/state/active", false.into()),
        ]);
        let health = derive(facts(&observed, &desired));
        assert_eq!((health.bgp, health.evpn), (Some((1, 2)), Some((0, 1))));
        assert_eq!(health.problems, ["EVPN 10.0.250.1 ACTIVE"]);
    }

    #[test]
    fn without_intent_the_device_says_what_to_expect() {
        let observed = tree(&[
            ("~/neighbors/neighbor[neighbor-address=10.0.1.0]/config/peer-as", Value::Uint(65000)),
            ("~/neighbors/neighbor[neighbor-address=10.0.1.0]/state/session-state", "ESTABLISHED".into()),
        ]);
        let none = tree(&[]);
        assert_eq!(derive(facts(&observed, &none)).bgp, Some((1, 1)));
    }

    #[test]
    fn mlag_and_vtep_have_words() {
        let observed = tree(&[
            ("/interfaces/interface[name=Vxlan1]/state/oper-status", "UP".into()),
            ("/interfaces/interface[name=Vxlan1]/arista-vxlan/config/src-ip-intf", "Loopback1".into()),
        ]);
        let none = tree(&[]);
        let mlag = Mlag::from_json(&serde_json::json!({"state": "active", "negStatus": "connected", "peerLinkStatus": "up"}));
        let health = derive(Facts { paired: true, mlag: Some(&mlag), vtep: true, ..facts(&observed, &none) });
        assert_eq!((health.mlag.as_deref(), health.vtep.as_deref(), health.problems.len()), (Some("active"), Some("up"), 0));
        let text = Mlag::from_text("MLAG Status:\nstate : Active\nnegotiation status : Connecting\npeer-link status : Down\n");
        assert_eq!(text.words(), "peer down");
        let health = derive(Facts { paired: true, mlag: Some(&text), vtep: true, ..facts(&none, &none) });
        assert_eq!(health.problems, ["MLAG peer down", "VTEP absent"]);
    }
}
