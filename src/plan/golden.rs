//! Day-2 scenarios on the lab's device documents: what the plan says and what is sent, held as texts in `tests/golden`.
//!
//! `UPDATE_GOLDEN=1 cargo test --lib plan::golden` writes them anew: read the difference before committing it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::model::{Plan, UnknownDevice};
use super::{DevicePart, PlanInput, build, json, stale, text, verify};
use crate::diff::change::{ChangeKey, Kind, Risk};
use crate::diff::compare::lab::{self, cli_line, path, schema};
use crate::diff::compare::{DeviceDiff, DeviceInput, apply, device};
use crate::diff::ownership::Rules;
use crate::intent::fabric::{Device, Role};
use crate::path::Path;
use crate::tree::{Paths, Tree};
use crate::value::Value;

const NI: &str = "/network-instances/network-instance[name=default]";
const GOLD: &str = "/network-instances/network-instance[name=gold]";
const BGP: &str = "protocols/protocol[identifier=BGP][name=BGP]/bgp";

/// The ten devices, desired and observed alike.
struct Lab {
    devices: Vec<Device>,
    desired: BTreeMap<String, Tree>,
    observed: BTreeMap<String, Tree>,
    exhaustive: Vec<Path>,
    overrides: BTreeSet<String>,
    staged: Option<BTreeSet<ChangeKey>>,
    maintenance: BTreeSet<String>,
    held: Vec<Path>,
    unknown: Vec<UnknownDevice>,
    protected: bool,
}

impl Lab {
    fn new() -> Self {
        let paths = Paths::new();
        let mut devices = Vec::new();
        let mut desired = BTreeMap::new();
        for number in 1..=10u32 {
            let (name, role, pair) = match number {
                1 | 2 => (format!("spine{number}"), Role::Spine, None),
                _ => {
                    let leaf = number - 2;
                    let odd = leaf - (leaf + 1) % 2;
                    (format!("leaf{leaf}"), Role::Leaf, Some(Arc::from(format!("leaf{odd}+leaf{}", odd + 1))))
                }
            };
            desired.insert(name.clone(), lab::device(&name, &paths));
            devices.push(Device {
                id: number.into(),
                name: Arc::from(name),
                role,
                site: "dc".into(),
                status: "active".into(),
                asn: None,
                router_id: None,
                pair,
                management: None,
                gnmi_port: None,
                vtep: None,
                origin: Arc::default(),
            });
        }
        let exhaustive = [
            format!("{NI}/vlans/vlan"),
            "/interfaces/interface[name=Vlan*]".into(),
            format!("{NI}/{BGP}/global/networks/network"),
            format!("/network-instances/network-instance/{BGP}/neighbors/neighbor"),
            "/network-instances/network-instance[name=gold]/interfaces/interface".into(),
            "/interfaces/interface[name=Vxlan1]/arista-vxlan/vlan-to-vnis/vlan-to-vni".into(),
            "/arista/eos/evpn/evpn-instances/evpn-instance".into(),
        ];
        Self {
            devices,
            observed: desired.clone(),
            desired,
            exhaustive: exhaustive.iter().map(|text| path(text)).collect(),
            overrides: BTreeSet::new(),
            staged: None,
            maintenance: BTreeSet::new(),
            held: Vec::new(),
            unknown: Vec::new(),
            protected: true,
        }
    }

    fn has(&mut self, name: &str, at: &str, value: impl Into<Value>) {
        self.observed.get_mut(name).unwrap().set(&path(at), value.into(), 1);
    }

    fn lacks(&mut self, name: &str, at: &str) {
        assert!(self.observed.get_mut(name).unwrap().delete(&path(at)) > 0, "{name} has no {at}");
    }

    fn wants(&mut self, name: &str, at: &str, value: impl Into<Value>) {
        self.desired.get_mut(name).unwrap().set(&path(at), value.into(), 0);
    }

    fn drops(&mut self, name: &str, at: &str) {
        assert!(self.desired.get_mut(name).unwrap().delete(&path(at)) > 0, "{name} wants no {at}");
    }

    fn rules(&self) -> Rules {
        let rules = Rules::default();
        if self.protected { rules } else { Rules { protected: Vec::new(), ..rules } }
    }

    fn diffs(&self) -> Vec<(Arc<str>, DeviceDiff)> {
        let rules = self.rules();
        let one = |d: &Device| {
            let (desired, observed) = (&self.desired[&*d.name], &self.observed[&*d.name]);
            let input = DeviceInput {
                name: Arc::clone(&d.name),
                desired,
                exhaustive: &self.exhaustive,
                observed,
                applied: None,
                schema: schema(),
                rules: &rules,
            };
            (Arc::clone(&d.name), device(&input))
        };
        self.devices.iter().filter(|d| !self.unknown.iter().any(|u| u.device == d.name)).map(one).collect()
    }

    fn plan(&self) -> Plan {
        let diffs = self.diffs();
        let parts: Vec<_> = diffs
            .iter()
            .map(|(name, diff)| DevicePart {
                name: Arc::clone(name),
                changes: &diff.changes,
                desired: &self.desired[&**name],
                observed: &self.observed[&**name],
                mlag_down: None,
                maintenance: self.maintenance.contains(&**name),
                held: &self.held,
            })
            .collect();
        let findings: Vec<_> = diffs.iter().flat_map(|(_, diff)| diff.findings.clone()).collect();
        build(&PlanInput {
            fabric: "lab",
            made: 1_700_000_000_000,
            devices: &self.devices,
            parts: &parts,
            unknown: &self.unknown,
            findings: &findings,
            schema: schema(),
            staged: self.staged.as_ref(),
            overrides: &self.overrides,
        })
    }

    /// The plan, held against its golden text, and what must be true of every plan.
    fn golden(&self, id: &str) -> Plan {
        let plan = self.plan();
        let mut said = text::render(&plan);
        for step in &plan.steps {
            _ = writeln!(said, "\nSetRequest {} (why: {})", step.id, step.why);
            step.set.delete.iter().for_each(|path| _ = writeln!(said, "delete  {path}"));
            step.set.replace.iter().for_each(|update| _ = writeln!(said, "replace {} {}", update.path, update.value));
            step.set.update.iter().for_each(|update| _ = writeln!(said, "update  {} {}", update.path, update.value));
            step.read_set.iter().for_each(|guard| {
                let value = guard.value.as_ref().map_or_else(|| "absent".to_owned(), ToString::to_string);
                _ = writeln!(said, "guard   {} {value}", guard.path);
            });
        }
        let file = format!("{}/tests/golden/{id}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &said).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(golden == said, "{id} is not as in {file}:\n{said}");
        self.laws(&plan);
        plan
    }

    fn laws(&self, plan: &Plan) {
        // A file is the plan.
        let written = serde_json::to_string_pretty(&json::document(plan)).unwrap();
        let read = json::parse(&written).unwrap();
        assert_eq!(json::document(&read), json::document(plan));
        assert_eq!(
            read.steps.iter().map(|s| s.changes.len()).collect::<Vec<_>>(),
            plan.steps.iter().map(|s| s.changes.len()).collect::<Vec<_>>()
        );
        for step in &read.steps {
            let before = &self.observed[&*step.device];
            assert_eq!(stale(step, before, schema()), None, "{}", step.id);
            // Before it is sent nothing of it is there, afterwards all of it.
            assert!(verify(step, before, schema()).iter().any(|row| !row.retained), "{}", step.id);
            let mut after = before.clone();
            apply(step.changes.iter(), &mut after);
            let lost: Vec<_> = verify(step, &after, schema()).into_iter().filter(|row| !row.retained).collect();
            assert!(lost.is_empty(), "{lost:?}");
            assert!(stale(step, &after, schema()).is_some(), "{}", step.id);
        }
        // What is sent does what the plan says: the Set, played on the observed tree, makes the same tree as the changes.
        for (name, observed) in &self.observed {
            let (mut sent, mut said) = (observed.clone(), observed.clone());
            for step in plan.steps.iter().filter(|step| *step.device == **name) {
                play(step, &mut sent);
                apply(step.changes.iter(), &mut said);
            }
            let plain = |tree: &Tree| {
                tree.sorted()
                    .into_iter()
                    .filter(|(p, _)| p.origin.is_none())
                    .map(|(p, leaf)| (p.to_string(), leaf.value.to_string()))
                    .collect::<BTreeMap<_, _>>()
            };
            let (sent, said) = (plain(&sent), plain(&said));
            let missing: Vec<_> = said.iter().filter(|(path, value)| sent.get(*path) != Some(value)).collect();
            assert!(missing.is_empty(), "{name}: said and not sent {missing:?}");
            let desired = &self.desired[name];
            let extra: Vec<_> = sent
                .iter()
                .filter(|(p, value)| said.get(*p) != Some(value))
                // A new entry brings the leaves that differ from nothing only by being at their default.
                .filter(|(p, value)| desired.value(&path(p)).map(ToString::to_string).as_ref() != Some(value))
                .collect();
            assert!(extra.is_empty(), "{name}: sent and not said {extra:?}");
        }
    }
}

/// A Set on a tree, as a device does it: deletes, replaces, updates.
fn play(step: &super::model::Step, tree: &mut Tree) {
    for gone in &step.set.delete {
        tree.delete(gone);
    }
    for (replace, update) in step.set.replace.iter().map(|u| (true, u)).chain(step.set.update.iter().map(|u| (false, u))) {
        if update.path.origin.is_some() {
            continue;
        }
        if replace {
            tree.delete(&update.path);
        }
        for (path, value) in schema().flatten(&update.path, &update.value).unwrap_or_else(|issues| panic!("{}: {issues:?}", update.path)) {
            tree.set(&path, value, 2);
        }
    }
}

fn waves(plan: &Plan) -> Vec<Vec<&str>> {
    plan.waves.iter().map(|wave| wave.iter().map(AsRef::as_ref).collect()).collect()
}

#[test]
fn in_sync() {
    let plan = Lab::new().golden("in-sync");
    assert!(plan.in_sync && plan.steps.is_empty() && plan.findings.is_empty());
}

#[test]
fn d01_evpn_not_activated_on_a_spine() {
    let mut lab = Lab::new();
    lab.lacks("spine1", &format!("{NI}/{BGP}/peer-groups/peer-group[peer-group-name=evpn]/afi-safis/afi-safi[afi-safi-name=L2VPN_EVPN]"));
    let plan = lab.golden("D01");
    assert_eq!(waves(&plan), [["spine1"]]);
    assert!(plan.changes().all(|(_, change)| change.kind == Kind::Create && change.risk == Risk::Low));
}

#[test]
fn d02_vtep_loopback_not_advertised() {
    let mut lab = Lab::new();
    for leaf in ["leaf3", "leaf4"] {
        lab.lacks(leaf, &format!("{NI}/{BGP}/global/networks/network[network=10.0.255.12/32]"));
    }
    assert_eq!(waves(&lab.golden("D02")), [["leaf3"], ["leaf4"]]);
}

#[test]
fn c03_intent_that_cuts_the_overlay_is_blocked() {
    let mut lab = Lab::new();
    for leaf in ["leaf7", "leaf8"] {
        lab.drops(leaf, &format!("{NI}/{BGP}/global/networks/network[network=10.0.255.14/32]"));
    }
    let plan = lab.golden("C03");
    assert_eq!(
        plan.blocked.iter().map(|b| (b.name.as_str(), &*b.device)).collect::<Vec<_>>(),
        [("vtep-source-advertised", "leaf7"), ("vtep-source-advertised", "leaf8")]
    );
    assert!(plan.blocked[0].reason.contains("10.0.255.14"));
    assert!(plan.changes().all(|(_, change)| change.kind == Kind::Delete && change.risk == Risk::Outage));
    lab.overrides.insert("vtep-source-advertised".into());
    let accepted = lab.plan();
    assert!(accepted.blocked.is_empty() && accepted.findings.iter().filter(|f| f.code == "overridden").count() == 2);
    assert_ne!(accepted.hash, plan.hash);
}

#[test]
fn d13_vlan_missing_from_one_trunk() {
    let mut lab = Lab::new();
    let trunk = "/interfaces/interface[name=Port-Channel1]/aggregation/switched-vlan/config/trunk-vlans";
    lab.has("leaf2", trunk, Value::list([]));
    let plan = lab.golden("D13");
    assert_eq!(waves(&plan), [["leaf2"]]);
    assert_eq!(plan.steps[0].set.replace.len(), 1, "an update of a leaf-list adds without removing");
    lab.lacks("leaf2", trunk);
    assert_eq!(lab.plan().steps[0].set.replace, plan.steps[0].set.replace);
}

#[test]
fn d14_peer_link_flipped_everywhere() {
    let mut lab = Lab::new();
    let mode = "/interfaces/interface[name=Port-Channel999]/aggregation/switched-vlan/config/interface-mode";
    for leaf in 1..=8 {
        lab.has(&format!("leaf{leaf}"), mode, "ACCESS");
    }
    let plan = lab.golden("D14");
    assert_eq!(waves(&plan), [["leaf1", "leaf2"], ["leaf3", "leaf4"], ["leaf5", "leaf6"], ["leaf7", "leaf8"]]);
    assert!(plan.blocked.is_empty() && plan.steps[0].why.contains("same cause"));
    // One member is not broken: no exception. The pair's session is up: it is not broken at all.
    lab.has("leaf2", mode, "TRUNK");
    lab.has("leaf3", &format!("{NI}/{BGP}/neighbors/neighbor[neighbor-address=10.0.199.253]/state/session-state"), "ESTABLISHED");
    let plan = lab.plan();
    for wave in waves(&plan) {
        for pair in [["leaf1", "leaf2"], ["leaf3", "leaf4"]] {
            assert!(!pair.iter().all(|leaf| wave.contains(leaf)), "{wave:?}");
        }
    }
}

#[test]
fn d15_lacp_turned_static() {
    let mut lab = Lab::new();
    lab.has("leaf1", "/interfaces/interface[name=Port-Channel1]/aggregation/config/lag-type", "STATIC");
    let plan = lab.golden("D15");
    let set = &plan.steps[0].set;
    assert_eq!(set.update.iter().map(|u| u.path.to_string()).collect::<Vec<_>>(), ["/interfaces"]);
    assert!(set.update[0].value.to_string().contains("Ethernet1") && set.update[0].value.to_string().contains("LACP"));
}

#[test]
fn d16_mlag_id_missing() {
    let mut lab = Lab::new();
    lab.lacks("leaf6", "/interfaces/interface[name=Port-Channel1]/aggregation/config/mlag");
    assert_eq!(waves(&lab.golden("D16")), [["leaf6"]]);
}

#[test]
fn d17_ip_routing_disabled() {
    let mut lab = Lab::new();
    lab.has("spine1", &format!("{NI}/config/ipv4-routing-enabled"), false);
    lab.lacks("spine1", &format!("{NI}/{BGP}/neighbors/neighbor[neighbor-address=10.0.1.1]"));
    let plan = lab.golden("D17");
    assert_eq!(plan.steps[0].changes[0].path.name(), "ipv4-routing-enabled", "the root cause comes first");
    assert_eq!(plan.steps[0].set.update[0].path.name(), "ipv4-routing-enabled");
}

#[test]
fn d18_the_same_prefix_twice() {
    let mut lab = Lab::new();
    let list = "/stp/global/config/disabled-vlan";
    lab.wants("leaf3", list, Value::list([Value::Uint(4091), Value::Uint(4090), Value::Uint(4091)]));
    lab.wants("leaf3", &format!("{NI}/{BGP}/global/networks/network[network=10.0.250.13/32]/config/network"), "10.0.250.13/32");
    let plan = lab.golden("D18");
    assert!(plan.in_sync);
}

#[test]
fn d19_mtu_mismatch() {
    let mut lab = Lab::new();
    lab.has("leaf5", "/interfaces/interface[name=Ethernet11]/subinterfaces/subinterface[index=0]/ipv4/config/mtu", Value::Uint(1500));
    let plan = lab.golden("D19");
    assert_eq!(waves(&plan), [["leaf5"]]);
    assert!(plan.steps[0].changes[0].warning.contains("10.0.1.8") && plan.findings.is_empty());
}

#[test]
fn d20_route_target_mismatch() {
    let mut lab = Lab::new();
    for list in ["import", "export"] {
        lab.has(
            "leaf6",
            &format!("/arista/eos/evpn/evpn-instances/evpn-instance[name=40]/route-target/config/{list}"),
            Value::list(["40:110041".into()]),
        );
    }
    let plan = lab.golden("D20");
    assert_eq!((plan.steps[0].set.replace.len(), plan.steps[0].set.update.len()), (2, 0));
}

#[test]
fn d21_anycast_gateway_drift() {
    let mut lab = Lab::new();
    let gateway = |ip: &str| {
        format!("/arista/varp/config/varp-intf-config[intf-id=Vlan78]/virtual-ip-addr[virtual-ip-addr-key={ip}/32]/virtual-ip-addr-value")
    };
    lab.lacks("leaf8", &gateway("10.78.78.1"));
    lab.has("leaf8", &gateway("10.78.78.254"), true);
    lab.observed.get_mut("leaf8").unwrap().set(&cli_line("", "ip virtual-router mac-address"), "c001.cafe.beef".into(), 1);
    lab.exhaustive.push(path("/arista/varp/config/varp-intf-config/virtual-ip-addr"));
    let plan = lab.golden("D21");
    let update = &plan.steps[0].set.update;
    assert_eq!(update[0].path.origin.as_deref(), Some("cli"), "the MAC address before what uses it");
    assert_eq!(update[0].value, "ip virtual-router mac-address c001.cafe.babe");
    assert!(update[1].path.to_string().contains("10.78.78.1/32"));
}

#[test]
fn d22_shut_after_maintenance() {
    let mut lab = Lab::new();
    lab.has("leaf4", "/interfaces/interface[name=Ethernet12]/config/enabled", false);
    assert_eq!(waves(&lab.golden("D22")), [["leaf4"]]);
    lab.maintenance.insert("leaf4".into());
    let held = lab.golden("D22-maintenance");
    assert!(held.steps.is_empty() && !held.in_sync);
    // Only an interface is being worked at: the rest of the device goes on.
    lab.maintenance.clear();
    lab.held.push(path("/interfaces/interface[name=Ethernet12]"));
    lab.has("leaf4", "/interfaces/interface[name=Ethernet11]/config/enabled", false);
    let rest = lab.plan();
    assert_eq!(rest.changes().map(|(_, change)| change.entry.as_str()).collect::<Vec<_>>(), ["Ethernet11"]);
    assert!(rest.findings[0].message.contains("an interface is under maintenance"));
}

#[test]
fn c10_add_a_stretched_segment() {
    let mut lab = Lab::new();
    for (leaf, loopback) in [("leaf1", 11), ("leaf2", 12), ("leaf5", 15), ("leaf6", 16)] {
        lab.wants(leaf, &format!("{NI}/vlans/vlan[vlan-id=41]/config/vlan-id"), Value::Uint(41));
        lab.wants(leaf, &format!("{NI}/vlans/vlan[vlan-id=41]/config/name"), "app");
        let vni = "/interfaces/interface[name=Vxlan1]/arista-vxlan/vlan-to-vnis/vlan-to-vni[vlan=41]/config";
        lab.wants(leaf, &format!("{vni}/vlan"), Value::Uint(41));
        lab.wants(leaf, &format!("{vni}/vni"), Value::Uint(110_041));
        let evi = "/arista/eos/evpn/evpn-instances/evpn-instance[name=41]";
        lab.wants(leaf, &format!("{evi}/config/name"), "41");
        lab.wants(leaf, &format!("{evi}/config/instance-type"), "VLAN");
        lab.wants(leaf, &format!("{evi}/config/route-distinguisher"), format!("10.0.250.{loopback}:41"));
        lab.wants(leaf, &format!("{evi}/config/redistribute"), Value::list(["LEARNED".into()]));
        lab.wants(leaf, &format!("{evi}/route-target/config/import"), Value::list(["41:110041".into()]));
        lab.wants(leaf, &format!("{evi}/route-target/config/export"), Value::list(["41:110041".into()]));
        lab.wants(leaf, &format!("{evi}/vlans/vlan[vlan-id=41]/config/vlan-id"), Value::Uint(41));
        let trunk = "/interfaces/interface[name=Port-Channel1]/aggregation/switched-vlan/config/trunk-vlans";
        lab.wants(leaf, trunk, Value::list([Value::Uint(40), Value::Uint(41)]));
    }
    let plan = lab.golden("C10");
    assert_eq!(waves(&plan), [["leaf1", "leaf5"], ["leaf2", "leaf6"]]);
    let sent: Vec<_> = plan.steps[0].set.update.iter().map(|u| u.path.name().to_owned()).collect();
    assert_eq!(sent, ["vlan", "vlan-to-vni", "evpn-instance"]);

    // Staging the VNI of one leaf brings the VLAN along; the trunk of another brings its VLAN; taking the VLAN out takes them too.
    let changes: Vec<_> = lab.diffs().into_iter().flat_map(|(_, diff)| diff.changes).collect();
    let picked: BTreeSet<ChangeKey> = changes
        .iter()
        .filter(|c| (&*c.device == "leaf1" && c.path.name() == "vni") || (&*c.device == "leaf2" && c.path.name() == "trunk-vlans"))
        .map(crate::diff::change::Change::key)
        .collect();
    let closed = super::stage::closure(&changes, &picked);
    let names: Vec<_> = closed.staged.iter().map(|key| format!("{} {}", key.device, key.path.name())).collect();
    assert_eq!(names, ["leaf1 vni", "leaf1 name", "leaf2 trunk-vlans", "leaf2 name"]);
    assert_eq!(closed.pulled_in.len(), 2);
    let vlan_name: BTreeSet<_> = closed.staged.iter().filter(|key| &*key.device == "leaf1" && key.path.name() == "name").cloned().collect();
    let left: Vec<_> = super::stage::without(&changes, &closed.staged, &vlan_name).into_iter().map(|key| key.device.to_string()).collect();
    assert_eq!(left, ["leaf2"; 2]);
    lab.staged = Some(closed.staged);
    let part = lab.golden("C10-part");
    assert_eq!(waves(&part), [["leaf1"], ["leaf2"]]);
}

#[test]
fn c11_retire_the_border_vlan() {
    let mut lab = Lab::new();
    for leaf in ["leaf7", "leaf8"] {
        lab.drops(leaf, &format!("{NI}/vlans/vlan[vlan-id=900]"));
        lab.drops(leaf, "/interfaces/interface[name=Vlan900]");
        lab.drops(leaf, &format!("{GOLD}/interfaces/interface[id=Vlan900]"));
        lab.drops(leaf, &format!("{GOLD}/{BGP}/neighbors/neighbor[neighbor-address=10.90.90.1]"));
    }
    let plan = lab.golden("C11");
    assert_eq!(waves(&plan), [["leaf7"], ["leaf8"]]);
    let order: Vec<_> = plan.steps[0].set.delete.iter().map(Path::name).collect();
    assert_eq!(order, ["neighbor", "interface", "interface", "vlan"]);
    assert!(plan.steps[0].set.update.is_empty());
    // Staging the VLAN alone brings what uses it.
    let changes: Vec<_> = lab.diffs().into_iter().flat_map(|(_, diff)| diff.changes).collect();
    let picked: BTreeSet<ChangeKey> =
        changes.iter().filter(|c| &*c.device == "leaf7" && c.path.name() == "vlan").map(crate::diff::change::Change::key).collect();
    let closed = super::stage::closure(&changes, &picked);
    assert_eq!(closed.staged.len(), 3, "{:?}", closed.pulled_in);
    // Nobody claims the lists: nothing is deleted.
    lab.exhaustive.clear();
    assert!(lab.plan().in_sync);
}

#[test]
fn d06_route_distinguishers_in_two_waves() {
    let mut lab = Lab::new();
    for (leaf, loopback) in [("leaf1", 11), ("leaf2", 12), ("leaf5", 15), ("leaf6", 16)] {
        lab.wants(
            leaf,
            "/arista/eos/evpn/evpn-instances/evpn-instance[name=40]/config/route-distinguisher",
            format!("10.0.250.{loopback}:40"),
        );
    }
    let plan = lab.golden("D06");
    assert_eq!(waves(&plan), [["leaf1", "leaf5"], ["leaf2", "leaf6"]]);
    assert!(plan.changes().all(|(_, change)| change.risk == Risk::Outage));
}

#[test]
fn d24_no_answer_is_unknown_not_drift() {
    let mut lab = Lab::new();
    for spine in ["spine1", "spine2"] {
        lab.unknown.push(UnknownDevice { device: Arc::from(spine), state: "auth-failed".into(), reason: "wrong user or password".into() });
    }
    lab.has("leaf4", "/interfaces/interface[name=Ethernet12]/config/enabled", false);
    let plan = lab.golden("D24");
    assert_eq!((waves(&plan), plan.unknown.len()), (vec![vec!["leaf4"]], 2));
}

#[test]
fn c25_rename_the_devices() {
    let mut lab = Lab::new();
    for d in lab.devices.clone() {
        lab.wants(&d.name, "/system/config/hostname", format!("dc-{}", d.name));
    }
    let plan = lab.golden("C25");
    assert_eq!(waves(&plan), [["leaf1", "leaf3", "leaf5", "leaf7", "spine1"], ["leaf2", "leaf4", "leaf6", "leaf8", "spine2"]]);
    assert!(plan.changes().all(|(_, change)| change.risk == Risk::None));
}

#[test]
fn spines_carry_the_overlay_before_leafs_join_it() {
    let mut lab = Lab::new();
    let neighbor = |ip: &str| format!("{NI}/{BGP}/neighbors/neighbor[neighbor-address={ip}]");
    for spine in ["spine1", "spine2"] {
        lab.lacks(spine, &neighbor("10.0.250.11"));
        lab.lacks(spine, &neighbor("10.0.250.12"));
    }
    for leaf in ["leaf1", "leaf2"] {
        lab.lacks(leaf, &neighbor("10.0.250.1"));
        lab.lacks(leaf, &neighbor("10.0.250.2"));
    }
    let plan = lab.golden("overlay-joins");
    assert_eq!(waves(&plan), [vec!["spine1"], vec!["spine2"], vec!["leaf1"], vec!["leaf2"]]);
    // The other way round: leafs first, and what is left without a spine is blocked.
    let mut lab = Lab::new();
    for spine in ["spine1", "spine2"] {
        lab.drops(spine, &neighbor("10.0.250.11"));
    }
    lab.drops("leaf1", &neighbor("10.0.250.1"));
    lab.drops("leaf1", &neighbor("10.0.250.2"));
    let plan = lab.golden("overlay-leaves");
    assert_eq!(waves(&plan), [["leaf1"], ["spine1"], ["spine2"]]);
    assert!(plan.blocked.iter().any(|b| b.name == "evpn-active-to-a-spine" && &*b.device == "leaf1"), "{:?}", plan.blocked);
    // With one spine kept it is not.
    let mut lab = Lab::new();
    lab.drops("spine1", &neighbor("10.0.250.11"));
    lab.drops("leaf1", &neighbor("10.0.250.1"));
    assert!(lab.plan().blocked.is_empty(), "{:?}", lab.plan().blocked);
}

#[test]
fn both_ends_of_a_session_must_fit() {
    let mut lab = Lab::new();
    lab.wants("spine1", &format!("{NI}/{BGP}/neighbors/neighbor[neighbor-address=10.0.1.1]/config/peer-as"), Value::Uint(65_099));
    let plan = lab.plan();
    assert_eq!(plan.blocked.iter().map(|b| b.name.as_str()).collect::<Vec<_>>(), ["bgp-session-both-ends"]);
    assert!(plan.blocked[0].reason.contains("leaf1") && plan.steps[0].changes[0].warning.contains("resets"));
    // A repair is not blocked by what it repairs.
    let mut lab = Lab::new();
    lab.has("spine1", &format!("{NI}/{BGP}/neighbors/neighbor[neighbor-address=10.0.1.1]/config/peer-as"), Value::Uint(65_099));
    assert!(lab.plan().blocked.is_empty());
}

#[test]
fn one_end_of_an_mtu_is_a_warning() {
    let mtu = "/interfaces/interface[name=Ethernet11]/subinterfaces/subinterface[index=0]/ipv4/config/mtu";
    let mut lab = Lab::new();
    lab.wants("leaf2", mtu, Value::Uint(9000));
    let plan = lab.golden("mtu-one-end");
    assert_eq!(plan.findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), ["mtu-both-ends"]);
    assert!(plan.findings[0].message.contains("spine1 Ethernet2 9214") && plan.findings[0].message.contains("leaf2 Ethernet11 9000"));
    lab.wants("spine1", "/interfaces/interface[name=Ethernet2]/subinterfaces/subinterface[index=0]/ipv4/config/mtu", Value::Uint(9000));
    let both = lab.plan();
    assert!(both.findings.is_empty());
    assert_eq!(waves(&both), [["leaf2", "spine1"]]);
}

#[test]
fn what_carries_the_vtep_is_guarded() {
    let mut lab = Lab::new();
    lab.wants("leaf3", "/interfaces/interface[name=Loopback1]/config/enabled", false);
    lab.wants("leaf5", &format!("{NI}/config/ipv4-routing-enabled"), false);
    lab.wants("leaf7", "/interfaces/interface[name=Vxlan1]/arista-vxlan/config/src-ip-intf", "Loopback0");
    lab.wants("leaf8", "/interfaces/interface[name=Vxlan1]/arista-vxlan/config/src-ip-intf", "Vlan4091");
    let plan = lab.plan();
    let blocks: Vec<_> = plan.blocked.iter().map(|b| (b.name.as_str(), &*b.device)).collect();
    assert_eq!(
        blocks,
        [("vtep-reachable", "leaf3"), ("vtep-reachable", "leaf5"), ("vtep-source-advertised", "leaf8")],
        "{:#?}",
        plan.blocked
    );
}

#[test]
fn the_management_path_is_last_and_alone() {
    let mut lab = Lab::new();
    lab.wants("leaf1", "/interfaces/interface[name=Management0]/config/description", "oob");
    lab.wants("leaf1", "/interfaces/interface[name=Ethernet11]/config/description", "up");
    lab.wants("leaf2", "/interfaces/interface[name=Management0]/config/description", "oob");
    lab.wants("spine1", "/system/grpc-servers/grpc-server[name=default]/config/port", Value::Uint(6031));
    // By default it is protected and not even planned.
    let plan = lab.plan();
    assert_eq!((waves(&plan), plan.findings.len()), (vec![vec!["leaf1"]], 3));
    lab.protected = false;
    let plan = lab.golden("management-last");
    assert_eq!(waves(&plan), [["leaf1"], ["leaf1"], ["leaf2"], ["spine1"]]);
    assert!(plan.blocked.is_empty());
    // A plan of another making that has it otherwise is blocked.
    let mut steps = plan.steps.clone();
    steps[0].wave = 9;
    let blocks = super::invariant::check_order(&steps, &lab.devices);
    assert!(blocks.iter().all(|b| b.name == "management-last") && blocks.len() == 3, "{blocks:?}");
}

#[test]
fn both_spines_down_for_one_cause_go_together() {
    let mut lab = Lab::new();
    for spine in ["spine1", "spine2"] {
        lab.lacks(spine, &format!("{NI}/config/ipv4-routing-enabled"));
    }
    let plan = lab.plan();
    assert_eq!(waves(&plan), [["spine1", "spine2"]]);
    assert!(plan.steps[0].why.contains("same cause (ip routing is absent)"), "{}", plan.steps[0].why);
}

#[test]
fn a_new_port_channel_goes_with_its_members() {
    let mut lab = Lab::new();
    lab.lacks("leaf1", "/interfaces/interface[name=Port-Channel1]");
    lab.lacks("leaf1", "/interfaces/interface[name=Ethernet1]/ethernet");
    lab.lacks("leaf1", "/lacp/interfaces/interface[name=Port-Channel1]");
    let plan = lab.golden("new-port-channel");
    let sent: Vec<_> = plan.steps[0].set.update.iter().map(|u| u.path.to_string()).collect();
    assert_eq!(sent, ["/interfaces", "/lacp/interfaces/interface[name=Port-Channel1]"]);
    assert!(plan.steps[0].set.replace.is_empty() && plan.steps[0].set.delete.is_empty());
}

#[test]
fn a_move_into_a_vrf_sends_the_addresses_again() {
    let mut lab = Lab::new();
    lab.lacks("leaf3", &format!("{GOLD}/interfaces/interface[id=Vlan34]"));
    let plan = lab.golden("vrf-member");
    let sent: Vec<_> = plan.steps[0].set.update.iter().map(|u| u.path.name().to_owned()).collect();
    assert_eq!(sent, ["interface", "address"]);
}

#[test]
fn a_second_vrf_in_order() {
    let mut lab = Lab::new();
    // As if silver were there already: leaf3 without gold is a leaf that needs it made.
    lab.lacks("leaf3", GOLD);
    lab.lacks("leaf3", "/interfaces/interface[name=Vlan34]");
    lab.lacks("leaf3", &format!("{NI}/vlans/vlan[vlan-id=34]"));
    lab.lacks("leaf3", "/interfaces/interface[name=Vxlan1]/arista-vxlan/vrf-to-vnis");
    lab.lacks("leaf3", "/arista/varp");
    lab.golden("vrf-made");
    let changes: Vec<_> = lab.diffs().into_iter().flat_map(|(_, diff)| diff.changes).collect();
    let all: BTreeSet<ChangeKey> = changes.iter().map(crate::diff::change::Change::key).collect();
    let gateway = all.iter().filter(|key| key.path.name() == "virtual-ip-addr-value").cloned().collect();
    let closed = super::stage::closure(&changes, &gateway);
    let pulled: BTreeSet<_> = closed.staged.iter().map(|key| crate::diff::construct::entry(&key.path)).collect();
    let words: Vec<&str> = pulled.iter().map(String::as_str).collect();
    assert_eq!(words, ["VLAN 34", "Vlan34", "Vlan34 (vrf gold)", "gateway 10.34.34.1/32 of Vlan34", "vrf gold"]);
    // Law: closing again adds nothing; taking the VRF out takes all but the VLAN.
    assert_eq!(super::stage::closure(&changes, &closed.staged).staged, closed.staged);
    let vrf: BTreeSet<_> = closed.staged.iter().filter(|key| crate::diff::construct::entry(&key.path) == "vrf gold").cloned().collect();
    let left: BTreeSet<_> =
        super::stage::without(&changes, &closed.staged, &vrf).iter().map(|key| crate::diff::construct::entry(&key.path)).collect();
    assert_eq!(left.into_iter().collect::<Vec<_>>(), ["VLAN 34"]);
}

#[test]
fn a_plan_file_is_refused_when_it_was_touched() {
    let mut lab = Lab::new();
    lab.has("leaf4", "/interfaces/interface[name=Ethernet12]/config/enabled", false);
    let plan = lab.plan();
    let text = serde_json::to_string(&json::document(&plan)).unwrap();
    assert_eq!(json::parse(&text).unwrap().hash, plan.hash);
    // White space and the order of keys are no change; a bit of a value is.
    let mut sorted: serde_json::Value = serde_json::from_str(&text).unwrap();
    sorted.sort_all_objects();
    assert_eq!(json::parse(&serde_json::to_string_pretty(&sorted).unwrap()).unwrap().hash, plan.hash);
    for (from, to, says) in [
        ("Ethernet12", "Ethernet11", "changed after it was made"),
        ("fabric-orch/plan/1", "fabric-orch/plan/2", "fabric-orch/plan/2"),
        (&*plan.hash, "00", "changed after it was made"),
        ("{\"format\"", "\"format\"", "not JSON"),
    ] {
        let error = json::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert!(json::parse("[]").unwrap_err().to_string().contains("no plan"));
}

#[test]
fn text_is_clean_whatever_a_device_says() {
    let mut lab = Lab::new();
    lab.has("leaf4", "/interfaces/interface[name=Ethernet12]/config/description", "\u{1b}]0;x\u{7}\u{202e}spine2\nPlan: ü");
    let plan = lab.plan();
    for ascii in [false, true] {
        let said = text::render_with(&plan, text::Style { ascii });
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()) && !said.contains('\u{202e}'), "{said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("Plan:")).count(), 1);
        assert_eq!(said.is_ascii(), ascii);
    }
}

#[test]
fn a_moved_leaf_makes_a_step_stale_and_a_lost_one_is_not_retained() {
    let mut lab = Lab::new();
    let enabled = "/interfaces/interface[name=Ethernet12]/config/enabled";
    lab.has("leaf4", enabled, false);
    lab.drops("leaf4", &format!("{NI}/{BGP}/global/networks/network[network=10.0.250.14/32]"));
    let step = &lab.plan().steps[0];
    let mut now = lab.observed["leaf4"].clone();
    now.set(&path("/interfaces/interface[name=Ethernet11]/config/description"), "not ours to mind".into(), 3);
    assert_eq!(stale(step, &now, schema()), None);
    let moved = path(&format!("{NI}/{BGP}/global/networks/network[network=10.0.250.14/32]"));
    now.set(&moved.clone().child("config").child("import-policy"), "x".into(), 3);
    assert_eq!(stale(step, &now, schema()), Some(moved.clone()));
    // The network goes, the interface stays shut.
    now.delete(&moved);
    let rows = verify(step, &now, schema());
    let kept: Vec<_> = rows.iter().map(|row| (row.key.path.name(), row.retained, row.observed.as_deref())).collect();
    assert_eq!(kept, [("network", true, None), ("enabled", false, Some("false"))]);
}
