//! What a plan must not break, by name. A correct difference is not a safe plan: intent can ask for an outage.
//!
//! A block is raised only for what the plan itself breaks: something that held before and would not hold after. What is
//! broken already is drift, and repairing it part by part must not be blocked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::facts::{DEFAULT, Facts};
use super::model::{Block, Step};
use crate::diff::change::{Change, ChangeKey, Finding, Severity};
use crate::diff::construct::Construct;
use crate::intent::fabric::Device;

/// Every VTEP announces the source address of Vxlan1.
pub const VTEP_SOURCE_ADVERTISED: &str = "vtep-source-advertised";
/// Every VTEP has its source interface up with its address, and routes.
pub const VTEP_REACHABLE: &str = "vtep-reachable";
/// Every VTEP keeps EVPN with at least one spine.
pub const EVPN_TO_A_SPINE: &str = "evpn-active-to-a-spine";
/// The management path is last and alone.
pub const MANAGEMENT_LAST: &str = "management-last";
/// Both ends of a session agree on each other's AS and have each other as neighbors.
pub const SESSION_BOTH_ENDS: &str = "bgp-session-both-ends";
/// Never both members of a pair in one wave.
pub const PAIR: &str = "never-both-members";

/// One device before and after the plan.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Its record.
    pub device: &'a Device,
    /// As it is.
    pub before: Facts,
    /// As it would be; `None` when nothing is planned for it.
    pub after: Option<Facts>,
    /// What is planned for it.
    pub changes: Vec<&'a Change>,
    ends_before: Ends,
    ends_after: Option<Ends>,
}

/// What the other end of a session asks of a device.
#[derive(Clone, Debug, Default)]
struct Ends {
    addresses: BTreeSet<String>,
    evpn: BTreeSet<String>,
}

impl Ends {
    fn of(facts: &Facts) -> Self {
        Self {
            addresses: facts.interfaces.values().flat_map(|interface| interface.addresses.keys().cloned()).collect(),
            evpn: facts.evpn_neighbors().map(str::to_owned).collect(),
        }
    }
}

impl<'a> View<'a> {
    /// One device.
    pub fn new(device: &'a Device, before: Facts, after: Option<Facts>, changes: Vec<&'a Change>) -> Self {
        let (ends_before, ends_after) = (Ends::of(&before), after.as_ref().map(Ends::of));
        Self { device, before, after, changes, ends_before, ends_after }
    }

    fn ends(&self, then: bool) -> &Ends {
        if then { self.ends_after.as_ref().unwrap_or(&self.ends_before) } else { &self.ends_before }
    }

    fn facts(&self, then: bool) -> &Facts {
        if then { self.then() } else { &self.before }
    }

    fn then(&self) -> &Facts {
        self.after.as_ref().unwrap_or(&self.before)
    }

    fn block(&self, name: &str, reason: String, guilty: impl Fn(&Change) -> bool) -> Block {
        let mut changes: Vec<ChangeKey> = self.changes.iter().filter(|change| guilty(change)).map(|change| change.key()).collect();
        if changes.is_empty() {
            changes = self.changes.iter().map(|change| change.key()).collect();
        }
        Block { name: name.to_owned(), device: Arc::clone(&self.device.name), reason, changes }
    }
}

/// What the plan would break.
pub fn check(views: &[View<'_>]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for view in views.iter().filter(|view| view.after.is_some()) {
        vtep(view, &mut blocks);
    }
    let fabric = Fabric::of(views);
    evpn(views, &fabric, &mut blocks);
    sessions(views, &fabric, &mut blocks);
    blocks
}

fn vtep(view: &View<'_>, blocks: &mut Vec<Block>) {
    let (before, after) = (&view.before, view.then());
    let Some(source) = &before.vtep_source else { return };
    let name = &view.device.name;
    for address in before.vtep_addresses() {
        let gone = after.vtep_source.as_ref() == Some(source) && !after.vtep_addresses().any(|have| have == address);
        let moved = after.vtep_source.as_ref() != Some(source);
        if before.announces(address) && !moved && !gone && !after.announces(address) {
            let reason = format!("{address} is the source of Vxlan1 on {name} and would no longer be advertised: every tunnel to it dies");
            blocks.push(view.block(VTEP_SOURCE_ADVERTISED, reason, |change| {
                change.path.key("network", "network").is_some_and(|net| net.split('/').next() == Some(address))
                    || change.construct == Construct::Redistribution
            }));
        }
        if gone {
            let reason = format!("{source} of {name} would lose {address}, the source of Vxlan1");
            blocks.push(view.block(VTEP_REACHABLE, reason, |change| change.path.key("interface", "name") == Some(source)));
        }
    }
    match &after.vtep_source {
        None => {
            let reason = format!("Vxlan1 of {name} would have no source interface");
            blocks.push(view.block(VTEP_REACHABLE, reason, |change| change.construct == Construct::Vxlan));
        }
        Some(now) => {
            let up = |facts: &Facts| facts.interfaces.get(now).is_some_and(|interface| interface.enabled != Some(false));
            if up(before) && !up(after) {
                let reason = format!("{now}, the source of Vxlan1 on {name}, would be shut");
                blocks.push(view.block(VTEP_REACHABLE, reason, |change| change.path.key("interface", "name") == Some(now)));
            }
            if now != source {
                for address in after.vtep_addresses().filter(|address| !after.announces(address)) {
                    let reason = format!("{address} would become the source of Vxlan1 on {name} and is not advertised");
                    blocks.push(view.block(VTEP_SOURCE_ADVERTISED, reason, |change| change.construct == Construct::Vxlan));
                }
            }
        }
    }
    let routes = |facts: &Facts| facts.routing.get(DEFAULT).copied().unwrap_or(false);
    if routes(before) && !routes(after) {
        let reason = format!("{name} would stop routing: its VTEP and every session go down");
        blocks.push(view.block(VTEP_REACHABLE, reason, |change| change.path.name() == "ipv4-routing-enabled"));
    }
}

/// Who owns which address, before and after.
struct Fabric<'a> {
    before: BTreeMap<IpAddr, &'a View<'a>>,
    after: BTreeMap<IpAddr, &'a View<'a>>,
}

impl<'a> Fabric<'a> {
    fn of(views: &'a [View<'a>]) -> Self {
        let owners = |facts: fn(&'a View<'a>) -> &'a Facts| {
            let mut owners = BTreeMap::new();
            for view in views {
                for (name, interface) in &facts(view).interfaces {
                    // Addresses of an instance are nobody else's business, and a shared VTEP address has two owners: no ends of sessions.
                    if !facts(view).vrf_of.contains_key(name) {
                        owners.extend(interface.nets().map(|(ip, _)| (ip, view)));
                    }
                }
            }
            owners
        };
        Self { before: owners(|view| &view.before), after: owners(|view| view.then()) }
    }
}

/// EVPN sessions that both ends would run.
fn evpn(views: &[View<'_>], fabric: &Fabric<'_>, blocks: &mut Vec<Block>) {
    if views.iter().all(|view| view.after.is_none()) {
        return;
    }
    for view in views {
        let name = &view.device.name;
        let count = |then: bool| {
            let owners = if then { &fabric.after } else { &fabric.before };
            let sessions = view.ends(then).evpn.iter();
            let counts = |address: &&String| match address.parse::<IpAddr>().ok().and_then(|ip| owners.get(&ip)) {
                // A leaf needs a spine, and both ends must run it; of a neighbor nobody knows the best is assumed.
                Some(other) => {
                    (!view.device.role.is_edge() || other.device.role.is_transit())
                        && view.ends(then).addresses.iter().any(|own| other.ends(then).evpn.contains(own))
                }
                None => true,
            };
            sessions.filter(counts).count()
        };
        let touched = view.after.is_some()
            || view.ends_before.evpn.iter().any(|address| {
                address.parse::<IpAddr>().ok().and_then(|ip| fabric.before.get(&ip)).is_some_and(|other| other.after.is_some())
            });
        if !touched {
            continue;
        }
        let had = count(false);
        if had == 0 {
            continue;
        }
        let has = count(true);
        if has > 0 {
            continue;
        }
        let reason = if view.device.role.is_transit() {
            format!("{name} would have no EVPN session left (it has {had})")
        } else {
            format!("{name} would have no EVPN session to any spine left (it has {had})")
        };
        let guilty = |change: &Change| change.construct == Construct::Bgp || change.construct == Construct::Loopback;
        if view.after.is_some() {
            blocks.push(view.block(EVPN_TO_A_SPINE, reason, guilty));
        } else {
            // Its spines do it: name them.
            let mut block = view.block(EVPN_TO_A_SPINE, reason, guilty);
            let others = views.iter().filter(|other| other.after.is_some() && other.device.role.is_transit());
            block.changes =
                others.flat_map(|other| other.changes.iter().filter(|change| guilty(change)).map(|change| change.key())).collect();
            blocks.push(block);
        }
    }
}

/// Sessions whose ends agree now and would not after.
fn sessions(views: &[View<'_>], fabric: &Fabric<'_>, blocks: &mut Vec<Block>) {
    let agree = |view: &View<'_>, address: &str, then: bool| -> Option<bool> {
        let owners = if then { &fabric.after } else { &fabric.before };
        let other = owners.get(&address.parse().ok()?)?;
        let wanted = view.facts(then).peer_as(DEFAULT, address)?;
        let theirs = other.facts(then).bgp.get(DEFAULT)?;
        let back = view.ends(then).addresses.iter().any(|own| theirs.neighbors.contains_key(own));
        Some(theirs.asn? == wanted && back)
    };
    for view in views.iter().filter(|view| view.after.is_some()) {
        let touched = view
            .changes
            .iter()
            .any(|change| matches!(change.construct, Construct::Bgp | Construct::Interface | Construct::Loopback | Construct::Svi));
        if !touched {
            continue;
        }
        let after = view.then();
        let Some(bgp) = after.bgp.get(DEFAULT) else { continue };
        for address in bgp.neighbors.keys() {
            let (now, then) = (agree(view, address, false), agree(view, address, true));
            if now == Some(true) && then == Some(false) {
                let other = address.parse().ok().and_then(|ip: IpAddr| fabric.after.get(&ip)).map_or("?", |other| &other.device.name);
                let reason = format!(
                    "the session of {} with {address} ({other}) would no longer fit at both ends: AS or neighbor",
                    view.device.name
                );
                blocks.push(view.block(SESSION_BOTH_ENDS, reason, |change| change.construct == Construct::Bgp));
            }
        }
    }
}

/// Links whose two ends would have different MTUs because only one end is planned: worth saying, not worth blocking.
pub fn mtu_ends(views: &[View<'_>]) -> Vec<Finding> {
    let touched = |view: &&View<'_>| view.changes.iter().any(|change| change.path.name() == "mtu");
    if !views.iter().any(|view| touched(&view)) {
        return Vec::new();
    }
    let mut nets: BTreeMap<ipnet::IpNet, Vec<(&View<'_>, &String, u64)>> = BTreeMap::new();
    for view in views {
        for (name, interface) in &view.then().interfaces {
            let link = interface.nets().map(|(_, net)| net).filter(|net| net.prefix_len() < net.max_prefix_len());
            for net in link {
                nets.entry(net).or_default().push((view, name, interface.mtu.unwrap_or(1500)));
            }
        }
    }
    let mut found = Vec::new();
    for (net, ends) in nets {
        let [(a, a_name, a_mtu), (b, b_name, b_mtu)] = ends.as_slice() else { continue };
        let planned = |view: &View<'_>, name: &str| {
            view.changes.iter().any(|change| change.path.name() == "mtu" && change.path.key("interface", "name") == Some(name))
        };
        let (ours, ours_name) = if planned(a, a_name) { (a, a_name) } else { (b, b_name) };
        if a_mtu == b_mtu || !(planned(a, a_name) || planned(b, b_name)) {
            continue;
        }
        found.push(Finding {
            code: "mtu-both-ends".to_owned(),
            severity: Severity::Warning,
            device: Some(Arc::clone(&ours.device.name)),
            path: ours
                .changes
                .iter()
                .find(|c| c.path.name() == "mtu" && c.path.key("interface", "name") == Some(ours_name))
                .map(|c| c.path.clone()),
            origin: None,
            message: format!(
                "after this plan the ends of {net} differ in IP MTU: {} {a_name} {a_mtu}, {} {b_name} {b_mtu}",
                a.device.name, b.device.name
            ),
            hint: "stage the other end too".to_owned(),
        });
    }
    found
}

/// Rules of order that hold for any plan, also one that was read from a file: the management path last and alone, pairs apart.
pub fn check_order(steps: &[Step], devices: &[Device]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let is_management = |step: &Step| step.changes.iter().any(|change| change.construct == Construct::Management);
    let last_other = steps.iter().filter(|step| !is_management(step)).map(|step| step.wave).max().unwrap_or(0);
    for step in steps.iter().filter(|step| is_management(step)) {
        let alone = steps.iter().filter(|other| other.wave == step.wave).count() == 1
            && step.changes.iter().all(|change| change.construct == Construct::Management);
        if !alone || step.wave <= last_other {
            blocks.push(Block {
                name: MANAGEMENT_LAST.to_owned(),
                device: Arc::clone(&step.device),
                reason: format!("{} changes its management path in wave {}, not last and alone", step.device, step.wave),
                changes: step.changes.iter().filter(|change| change.construct == Construct::Management).map(Change::key).collect(),
            });
        }
    }
    let pairs: HashMap<&str, &str> = devices.iter().filter_map(|device| Some((&*device.name, &**device.pair.as_ref()?))).collect();
    let mut together: HashMap<(usize, &str), Vec<&Step>> = HashMap::new();
    for step in steps {
        if let Some(pair) = pairs.get(&*step.device) {
            together.entry((step.wave, pair)).or_default().push(step);
        }
    }
    for step in steps {
        let Some(pair) = pairs.get(&*step.device) else { continue };
        let same = together.get(&(step.wave, *pair)).into_iter().flatten();
        let partner = same.skip_while(|other| !std::ptr::eq(**other, step)).find(|other| other.device != step.device);
        // Steps that go together say why; see `waves`.
        if let Some(partner) = partner
            && !(step.why.contains("same cause") && partner.why.contains("same cause"))
        {
            blocks.push(Block {
                name: PAIR.to_owned(),
                device: Arc::clone(&step.device),
                reason: format!("{} and {} of pair {pair} are in one wave", step.device, partner.device),
                changes: step.changes.iter().chain(&partner.changes).map(Change::key).collect(),
            });
        }
    }
    blocks
}
