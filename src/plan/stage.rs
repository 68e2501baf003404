//! Picking changes for the next commit: what they need comes along, what needs them falls out.
//!
//! Told by the changes alone: a change that makes something (a VLAN, a VRF, a peer group) serves those that use it, and a change
//! that removes something waits for those that still use it to go too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::diff::change::{Change, ChangeKey, Kind};
use crate::diff::normalize::members;
use crate::path::Path;
use crate::value::Value;

/// What is staged after picking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    /// Picked and pulled in.
    pub staged: BTreeSet<ChangeKey>,
    /// Those nobody picked, and for whom they came along.
    pub pulled_in: BTreeMap<ChangeKey, ChangeKey>,
}

/// Something on a device that changes make, remove or use.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Thing {
    Vlan(String),
    Vrf(String),
    Interface(String),
    /// An interface's membership in an instance.
    Member(String),
    PeerGroup(String),
    PrefixList(String),
    RouteMap(String),
    Protocol(String, String),
    Table(String, String),
    /// The line that gives shared gateways their MAC address.
    VirtualMac,
    /// Any other list entry.
    Entry(Path),
}

/// Adds to `picked` what it needs.
pub fn closure(changes: &[Change], picked: &BTreeSet<ChangeKey>) -> Closure {
    let graph = Graph::of(changes);
    let mut out = Closure { staged: picked.clone(), pulled_in: BTreeMap::new() };
    let mut todo: Vec<usize> =
        (0..changes.len()).filter(|at| changes.get(*at).is_some_and(|change| picked.contains(&change.key()))).collect();
    while let Some(at) = todo.pop() {
        let Some(change) = changes.get(at) else { continue };
        for need in graph.needs.get(at).into_iter().flatten() {
            let Some(needed) = changes.get(*need) else { continue };
            if out.staged.insert(needed.key()) {
                out.pulled_in.insert(needed.key(), change.key());
                todo.push(*need);
            }
        }
    }
    out
}

/// Takes `dropped` out of `staged`, and with it all that needs it. Returns what is left.
pub fn without(changes: &[Change], staged: &BTreeSet<ChangeKey>, dropped: &BTreeSet<ChangeKey>) -> BTreeSet<ChangeKey> {
    let graph = Graph::of(changes);
    let mut gone: BTreeSet<usize> =
        (0..changes.len()).filter(|at| changes.get(*at).is_some_and(|change| dropped.contains(&change.key()))).collect();
    let mut grew = true;
    while grew {
        let more: Vec<usize> = (0..changes.len())
            .filter(|at| !gone.contains(at) && graph.needs.get(*at).is_some_and(|needs| needs.iter().any(|need| gone.contains(need))))
            .collect();
        grew = !more.is_empty();
        gone.extend(more);
    }
    let gone: BTreeSet<ChangeKey> = gone.into_iter().filter_map(|at| changes.get(at)).map(Change::key).collect();
    staged.iter().filter(|key| !gone.contains(key) && !dropped.contains(key)).cloned().collect()
}

/// Which change needs which, by place in the list.
struct Graph {
    needs: Vec<BTreeSet<usize>>,
}

impl Graph {
    fn of(changes: &[Change]) -> Self {
        let mut made: HashMap<(Arc<str>, Thing), Vec<usize>> = HashMap::new();
        let mut removed: HashMap<(Arc<str>, Thing), Vec<usize>> = HashMap::new();
        for (at, change) in changes.iter().enumerate() {
            let device = &change.device;
            match change.kind {
                Kind::Create => {
                    // All leaves of a new entry go together; entries inside it can come later.
                    let new_depth = change.new_entry.as_ref().map_or(usize::MAX, Path::len);
                    if let Some(entry) = entries(&change.path).last().filter(|entry| entry.len() >= new_depth) {
                        for thing in is(&entry) {
                            made.entry((Arc::clone(device), thing)).or_default().push(at);
                        }
                        made.entry((Arc::clone(device), Thing::Entry(entry))).or_default().push(at);
                    }
                    if change.path.key("line", "command").is_some_and(|command| command.starts_with("ip virtual-router mac-address")) {
                        made.entry((Arc::clone(device), Thing::VirtualMac)).or_default().push(at);
                    }
                }
                Kind::Update => {
                    if change.path.key("line", "command").is_some_and(|command| command.starts_with("ip virtual-router mac-address")) {
                        made.entry((Arc::clone(device), Thing::VirtualMac)).or_default().push(at);
                    }
                }
                Kind::Delete => {
                    for thing in is(&change.path) {
                        removed.entry((Arc::clone(device), thing)).or_default().push(at);
                    }
                }
            }
        }
        let mut needs = vec![BTreeSet::new(); changes.len()];
        for (at, change) in changes.iter().enumerate() {
            let key = |thing: &Thing| (Arc::clone(&change.device), thing.clone());
            let used = uses(change);
            if change.kind == Kind::Delete {
                // What this removes must not be used any more: those that use it and go as well go first.
                for thing in &used {
                    for removal in removed.get(&key(thing)).into_iter().flatten().filter(|other| **other != at) {
                        if let Some(set) = needs.get_mut(*removal) {
                            set.insert(at);
                        }
                    }
                }
                continue;
            }
            // A list that gives up a member frees it for its removal.
            for thing in frees(change) {
                for removal in removed.get(&key(&thing)).into_iter().flatten() {
                    if let Some(set) = needs.get_mut(*removal) {
                        set.insert(at);
                    }
                }
            }
            for thing in &used {
                for maker in made.get(&key(thing)).into_iter().flatten().filter(|other| **other != at) {
                    if let Some(set) = needs.get_mut(at) {
                        set.insert(*maker);
                    }
                }
            }
        }
        Self { needs }
    }
}

/// The list entries around a path, outermost first.
fn entries(path: &Path) -> impl Iterator<Item = Path> {
    path.elems.iter().enumerate().filter(|(_, elem)| !elem.keys.is_empty()).map(|(at, _)| path.first(at + 1))
}

/// What an entry is.
fn is(entry: &Path) -> Vec<Thing> {
    let Some(last) = entry.elems.last() else { return Vec::new() };
    let names: Vec<&str> = entry.elems.iter().map(|elem| elem.name.as_str()).collect();
    let key = |name: &str| last.key(name).unwrap_or_default().to_owned();
    let instance = || entry.key("network-instance", "name").unwrap_or_default().to_owned();
    match names.as_slice() {
        ["interfaces", "interface"] => vec![Thing::Interface(key("name"))],
        ["network-instances", "network-instance"] => vec![Thing::Vrf(key("name"))],
        ["network-instances", _, "vlans", "vlan"] => vec![Thing::Vlan(key("vlan-id"))],
        ["network-instances", _, "interfaces", "interface"] => vec![Thing::Member(key("id"))],
        ["network-instances", _, "protocols", "protocol"] => vec![Thing::Protocol(instance(), key("identifier"))],
        ["network-instances", _, "tables", "table"] => vec![Thing::Table(instance(), key("protocol"))],
        [.., "peer-groups", "peer-group"] => vec![Thing::PeerGroup(key("peer-group-name"))],
        [.., "prefix-sets", "prefix-set"] => vec![Thing::PrefixList(key("name"))],
        [.., "policy-definitions", "policy-definition"] => vec![Thing::RouteMap(key("name"))],
        _ => Vec::new(),
    }
}

fn texts(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        Some(Value::List(items)) => members(items),
        Some(other) => BTreeSet::from([other.to_string()]),
        None => BTreeSet::new(),
    }
}

/// What a change uses: of things that are made for creates and updates, of things that go for deletes.
fn uses(change: &Change) -> BTreeSet<Thing> {
    let path = &change.path;
    let mut used = BTreeSet::new();
    let of_path = |list: &str, key: &str| path.key(list, key).map(str::to_owned);
    // Every entry around it, and what those entries are.
    let own_depth = if change.kind == Kind::Delete { path.len() } else { usize::MAX };
    for entry in entries(path).filter(|entry| entry.len() < own_depth) {
        used.extend(is(&entry));
        used.insert(Thing::Entry(entry));
    }
    let top = path.elems.first().map_or("", |elem| elem.name.as_str());
    if top == "interfaces" {
        let name = of_path("interface", "name").unwrap_or_default();
        if let Some(vlan) = name.strip_prefix("Vlan") {
            used.insert(Thing::Vlan(vlan.to_owned()));
        }
        // An address before its VRF is lost, and an SVI made without it is in the wrong one.
        let made = change.new_entry.as_ref().is_some_and(|entry| entry.len() == 2);
        if made || path.elems.iter().any(|elem| elem.name == "address") {
            used.insert(Thing::Member(name));
        }
    }
    if let Some(vlan) = of_path("vlan-to-vni", "vlan") {
        used.insert(Thing::Vlan(vlan));
    }
    if let Some(vrf) = of_path("vrf-to-vni", "vrf") {
        used.insert(Thing::Vrf(vrf));
    }
    if let Some(name) = of_path("evpn-instance", "name").filter(|name| name.bytes().all(|b| b.is_ascii_digit())) {
        used.insert(Thing::Vlan(name));
    }
    if let Some(name) = of_path("varp-intf-config", "intf-id") {
        used.insert(Thing::Interface(name));
        used.insert(Thing::VirtualMac);
    }
    if matches!(top, "lacp" | "stp" | "lldp")
        && let Some(name) = of_path("interface", "name")
    {
        used.insert(Thing::Interface(name));
    }
    if top == "network-instances" {
        if let Some(id) = path.elems.get(3).and_then(|elem| elem.key("id")) {
            used.insert(Thing::Interface(id.to_owned()));
        }
        let instance = of_path("network-instance", "name").unwrap_or_default();
        for key in ["src-protocol", "dst-protocol"] {
            if let Some(protocol) = of_path("table-connection", key) {
                used.insert(Thing::Table(instance.clone(), protocol.clone()));
                used.insert(Thing::Protocol(instance.clone(), protocol));
            }
        }
        if let Some(protocol) = of_path("table", "protocol") {
            used.insert(Thing::Protocol(instance, protocol));
        }
    }
    if let Some(name) = path.key("line", "context").and_then(|context| context.strip_prefix("interface ")) {
        used.insert(Thing::Interface(name.to_owned()));
    }
    // What its value names; a delete gives up what its observed value named.
    let value = if change.kind == Kind::Delete { change.observed.as_ref() } else { change.desired.as_ref() };
    for (leaf, value) in named_values(path, value) {
        let all = value.into_iter();
        match leaf.as_str() {
            "trunk-vlans" | "access-vlan" | "native-vlan" => used.extend(all.map(Thing::Vlan)),
            "peer-group" => used.extend(all.map(Thing::PeerGroup)),
            "aggregate-id" | "src-ip-intf" | "local-intf" | "peer-link-intf" => used.extend(all.map(Thing::Interface)),
            "import-policy" | "export-policy" => used.extend(all.map(Thing::RouteMap)),
            "prefix-set" => used.extend(all.map(Thing::PrefixList)),
            _ => {}
        }
    }
    // Nothing needs itself.
    if change.kind == Kind::Delete {
        for thing in is(path) {
            used.remove(&thing);
        }
    }
    used
}

/// The leaves a value stands for: the leaf itself, or those of a deleted entry.
fn named_values(path: &Path, value: Option<&Value>) -> Vec<(String, BTreeSet<String>)> {
    match value {
        Some(Value::Json(json)) => json
            .as_object()
            .into_iter()
            .flatten()
            .map(|(relative, value)| {
                let leaf = relative.rsplit('/').next().unwrap_or_default().to_owned();
                (leaf, texts(Some(&Value::from_json(value))))
            })
            .collect(),
        other => vec![(path.name().to_owned(), texts(other))],
    }
}

/// VLANs and route maps a list gives up.
fn frees(change: &Change) -> BTreeSet<Thing> {
    let gone: Vec<String> = texts(change.observed.as_ref()).difference(&texts(change.desired.as_ref())).cloned().collect();
    match change.path.name() {
        "trunk-vlans" | "access-vlan" | "native-vlan" => gone.into_iter().map(Thing::Vlan).collect(),
        "peer-group" => gone.into_iter().map(Thing::PeerGroup).collect(),
        "import-policy" | "export-policy" => gone.into_iter().map(Thing::RouteMap).collect(),
        "aggregate-id" | "src-ip-intf" => gone.into_iter().map(Thing::Interface).collect(),
        _ => BTreeSet::new(),
    }
}
