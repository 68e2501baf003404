//! A snapshot of ten devices as the engine would make it: in sync, drifted, syncing, refused by password.
#![allow(dead_code, clippy::unwrap_used)] // shared by tests and the bench; a wrong path here is a broken test

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fabric_orchestrator::diff::change::{Change, ChangeKey, Finding, Kind, Risk, Severity};
use fabric_orchestrator::diff::construct::Construct;
use fabric_orchestrator::engine::silence::Silenced;
use fabric_orchestrator::engine::snapshot::*;
use fabric_orchestrator::intent::fabric::Role;
use fabric_orchestrator::path::Path;
use fabric_orchestrator::plan::model::{FORMAT, Guard, Plan, SetRequest, SetUpdate, Step, UnknownDevice};
use fabric_orchestrator::tree::{Origin, Paths, Tree};
use fabric_orchestrator::tui::app::{Model, SharedSchema};
use fabric_orchestrator::tui::theme::{Depth, Glyphs, Theme};
use fabric_orchestrator::value::Value;

/// 2025-11-22 14:02:31 UTC.
pub const NOW: u64 = 1_763_820_151_000;

pub fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

pub struct Fixture {
    pub paths: Arc<Paths>,
    pub snapshot: Snapshot,
}

fn change(device: &str, text: &str, entry: &str, construct: Construct, desired: Option<Value>, observed: Option<Value>) -> Change {
    let kind = match (&desired, &observed) {
        (Some(_), None) => Kind::Create,
        (None, _) => Kind::Delete,
        _ => Kind::Update,
    };
    Change {
        device: Arc::from(device),
        path: path(text),
        kind,
        desired,
        observed,
        construct,
        entry: entry.to_owned(),
        origin: Some(Arc::new(Origin {
            object: format!("interface {device} {entry} #412"),
            url: "http://127.0.0.1:8900/dcim/interfaces/412/".to_owned(),
            user: Some("alice".to_owned()),
            time: Some("2025-11-22T09:14:00Z".to_owned()),
            request: None,
        })),
        risk: Risk::None,
        warning: String::new(),
        unmerged: false,
        new_entry: None,
    }
}

/// The two changes of leaf1.
pub fn leaf1_changes() -> Vec<Change> {
    let mut mtu = change(
        "leaf1",
        "/interfaces/interface[name=Vlan4091]/routed-vlan/ipv4/config/mtu",
        "Vlan4091",
        Construct::Svi,
        Some(Value::Uint(9214)),
        Some(Value::Uint(1500)),
    );
    mtu.risk = Risk::Flap;
    mtu.warning = "flaps 10.0.3.1".to_owned();
    vec![
        change(
            "leaf1",
            "/interfaces/interface[name=Ethernet11]/config/description",
            "Ethernet11",
            Construct::Interface,
            Some(Value::str("to spine1 Ethernet1")),
            Some(Value::str("to spine2 Ethernet1")),
        ),
        mtu,
    ]
}

pub fn leaf5_changes() -> Vec<Change> {
    vec![
        change(
            "leaf5",
            "/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=40]/config/name",
            "VLAN 40",
            Construct::Vlan,
            Some(Value::str("test-l2-vxlan")),
            None,
        ),
        change(
            "leaf5",
            "/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=99]",
            "VLAN 99",
            Construct::Vlan,
            None,
            Some(Value::str("{\"config/name\":\"stray\"}")),
        ),
    ]
}

fn observed(paths: &Arc<Paths>, name: &str) -> Tree {
    let mut tree = Tree::new(Arc::clone(paths));
    for port in 1..=12u64 {
        let at = |tail: &str| path(&format!("/interfaces/interface[name=Ethernet{port}]/{tail}"));
        tree.set(&at("state/admin-status"), Value::str("UP"), NOW);
        tree.set(&at("state/oper-status"), Value::str(if port == 7 { "DOWN" } else { "UP" }), NOW);
        tree.set(&at("state/mtu"), Value::Uint(9214), NOW);
        tree.set(&at("config/description"), Value::str(format!("link {port} of {name}")), NOW);
        tree.set(&at("state/counters/in-errors"), Value::Uint(port % 2), NOW);
    }
    for (index, neighbor) in ["10.0.1.0", "10.0.2.0", "10.0.250.1", "10.0.250.2"].into_iter().enumerate() {
        let at = |tail: &str| {
            path(&format!(
                "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors/neighbor[neighbor-address={neighbor}]/{tail}"
            ))
        };
        tree.set(&at("state/session-state"), Value::str("ESTABLISHED"), NOW);
        tree.set(&at("state/peer-as"), Value::Uint(65000), NOW);
        let family = if index < 2 { "IPV4_UNICAST" } else { "L2VPN_EVPN" };
        tree.set(&at(&format!("afi-safis/afi-safi[afi-safi-name={family}]/state/active")), Value::Bool(true), NOW);
        tree.set(&at(&format!("afi-safis/afi-safi[afi-safi-name={family}]/state/prefixes/received")), Value::Uint(10), NOW);
    }
    tree.set(
        &path("/interfaces/interface[name=Vxlan1]/arista-vxlan/vlan-to-vnis/vlan-to-vni[vlan=40]/state/vni"),
        Value::Uint(110_040),
        NOW,
    );
    tree
}

fn desired(paths: &Arc<Paths>, name: &str) -> Tree {
    let mut tree = Tree::new(Arc::clone(paths));
    let origin = Arc::new(Origin { object: format!("device {name}"), ..Origin::default() });
    for port in 1..=12u64 {
        tree.set_from(
            &path(&format!("/interfaces/interface[name=Ethernet{port}]/config/description")),
            Value::str(format!("link {port} of {name}")),
            &origin,
        );
    }
    tree
}

pub fn device(paths: &Arc<Paths>, name: &str, role: Role, asn: u32, pair: Option<&str>) -> DeviceView {
    let spine = role == Role::Spine;
    DeviceView {
        name: Arc::from(name),
        role,
        asn: Some(asn),
        pair: pair.map(Arc::from),
        vtep: pair.map(|_| format!("10.0.255.{}", asn - 64990)),
        address: "172.16.0.25:6030".to_owned(),
        transport: "PLAINTEXT".to_owned(),
        software: Some("4.35.0F".to_owned()),
        booted: Some(NOW - 12 * 86_400_000),
        stream: Stream::Live,
        since: NOW - 60_000,
        last_update: Some(NOW - 1_000),
        trouble: String::new(),
        next_try: None,
        notes: Vec::new(),
        refused_paths: Vec::new(),
        counters: StreamCounters::default(),
        observed: Arc::new(observed(paths, name)),
        desired: Arc::new(desired(paths, name)),
        changes: Some(Arc::default()),
        tally: Tally { equal: 237, foreign: 1, protected: 3 },
        foreign: Arc::new(vec![(Arc::new(path("/system/ntp/config/enabled")), "true".to_owned())]),
        health: Health {
            bgp: Some(if spine { (16, 16) } else { (5, 5) }),
            evpn: Some(if spine { (8, 8) } else { (2, 2) }),
            mlag: (!spine).then(|| "active".to_owned()),
            vtep: (!spine).then(|| "up".to_owned()),
            problems: Vec::new(),
        },
        changed: Some(ConfigChange { user: "admin".to_owned(), session: "session 3".to_owned(), time: NOW - 3 * 86_400_000 }),
        rates: Arc::new(BTreeMap::from([(
            "Ethernet11".to_owned(),
            Rate { in_bps: (1..=8).map(|at| f64::from(at) * 1.5e8).collect(), out_bps: (1..=8).map(|at| f64::from(at) * 1.1e8).collect() },
        )])),
    }
}

fn happening(before: u64, source: &str, text: &str, severity: Severity) -> Happening {
    Happening { time: NOW - before, source: Arc::from(source), text: text.to_owned(), severity }
}

/// A step with what it sends.
pub fn step(device: &str, wave: usize, changes: Vec<Change>) -> Step {
    Step {
        id: format!("{wave}-{device}"),
        device: Arc::from(device),
        wave,
        set: SetRequest {
            delete: changes.iter().filter(|change| change.kind == Kind::Delete).map(|change| change.path.clone()).collect(),
            replace: Vec::new(),
            update: changes
                .iter()
                .filter_map(|change| Some(SetUpdate { path: change.path.clone(), value: change.desired.as_ref()?.to_json() }))
                .chain([SetUpdate { path: path("cli:/"), value: serde_json::json!("router bgp 65001\n   maximum-paths 4 ecmp 64") }])
                .collect(),
        },
        read_set: changes.iter().map(|change| Guard { path: change.path.clone(), value: change.observed.clone() }).collect(),
        why: "never both members of pair leaf1+leaf2 in one wave".to_owned(),
        changes,
    }
}

pub fn plan(steps: Vec<Step>, hash: &str) -> Plan {
    let waves = steps.iter().map(|step| step.wave).max().unwrap_or(0);
    Plan {
        format: FORMAT.to_owned(),
        hash: hash.to_owned(),
        fabric: "dc1".to_owned(),
        made: NOW,
        in_sync: steps.is_empty(),
        waves: (1..=waves)
            .map(|wave| steps.iter().filter(|step| step.wave == wave).map(|step| Arc::clone(&step.device)).collect())
            .collect(),
        steps,
        blocked: Vec::new(),
        unknown: vec![UnknownDevice {
            device: Arc::from("leaf4"),
            state: "auth-failed".to_owned(),
            reason: "wrong password for admin".to_owned(),
        }],
        findings: Vec::new(),
    }
}

impl Fixture {
    /// Ten devices.
    pub fn new() -> Self {
        let paths = Paths::new();
        let mut devices = vec![device(&paths, "spine1", Role::Spine, 65000, None), device(&paths, "spine2", Role::Spine, 65000, None)];
        for number in 1..=8u32 {
            let pair = number.div_ceil(2);
            devices.push(device(
                &paths,
                &format!("leaf{number}"),
                Role::Leaf,
                65000 + pair,
                Some(&format!("leaf{}+leaf{}", pair * 2 - 1, pair * 2)),
            ));
        }
        let at = |name: &str| devices.iter().position(|device| *device.name == *name).unwrap();
        let (leaf1, leaf3, leaf4, leaf5) = (at("leaf1"), at("leaf3"), at("leaf4"), at("leaf5"));
        devices[leaf1].changes = Some(Arc::new(leaf1_changes()));
        devices[leaf1].changed = Some(ConfigChange { user: "noc-kim".to_owned(), session: "session 117".to_owned(), time: NOW - 40_000 });
        devices[leaf3].stream = Stream::Syncing;
        devices[leaf3].last_update = None;
        devices[leaf3].changes = None;
        devices[leaf4].stream = Stream::AuthFailed;
        devices[leaf4].last_update = Some(NOW - 125_000);
        devices[leaf4].changes = None;
        devices[leaf4].trouble = "wrong password for admin".to_owned();
        devices[leaf4].next_try = Some(NOW + 60_000);
        devices[leaf4].health = Health { mlag: Some("peer up".to_owned()), ..Health::default() };
        devices[leaf5].changes = Some(Arc::new(leaf5_changes()));
        let everything = plan(vec![step("leaf1", 1, leaf1_changes()), step("leaf5", 2, leaf5_changes())], "7f3a9c0de7f3a9c0de");
        let snapshot = Snapshot {
            version: 1,
            now: NOW,
            fabric: Arc::from("dc1"),
            environment: Arc::from("lab"),
            armed_until: None,
            may_write: true,
            intent: IntentView {
                url: "http://127.0.0.1:8900".to_owned(),
                read: Some(NOW - 8_000),
                held_back: false,
                error: None,
                objects: 512,
                reading: None,
                branch: None,
                findings: Arc::new(findings()),
                silenced: Arc::new(vec![Silenced {
                    finding: finding("mlag-domain-reused", Severity::Info, "leaf1", "MLAG domain leafs is also that of leaf3, leaf4"),
                    reason: "pairs are in different rooms".to_owned(),
                }]),
            },
            devices: devices.into_iter().map(Arc::new).collect(),
            staged: Arc::default(),
            pulled_in: Arc::default(),
            staged_plan: None,
            rollback: None,
            plan: Arc::new(everything),
            commit: None,
            outcomes: Arc::default(),
            log: Arc::new(vec![
                LogEntry {
                    time: NOW - 9_000,
                    target: Arc::from("netbox"),
                    call: "GET".to_owned(),
                    what: "/api/dcim/devices/?tag=evpn-fabric".to_owned(),
                    result: "ok".to_owned(),
                    ms: 12,
                    copy: "curl http://127.0.0.1:8900/api/dcim/devices/".to_owned(),
                },
                LogEntry {
                    time: NOW - 5_000,
                    target: Arc::from("leaf4"),
                    call: "Subscribe".to_owned(),
                    what: "/".to_owned(),
                    result: "unauthenticated: wrong password".to_owned(),
                    ms: 3,
                    copy: "gnmic -a 127.0.0.1:6034 subscribe --path /".to_owned(),
                },
            ]),
            events: Arc::new(vec![
                happening(79_000, "leaf4", "auth failed, next try in 60 s", Severity::Error),
                happening(40_000, "leaf1", "drift +1 Ethernet11 description", Severity::Warning),
            ]),
        };
        Self { paths, snapshot }
    }

    /// A copy with one device changed.
    pub fn with_device(mut self, name: &str, change: impl FnOnce(&mut DeviceView)) -> Self {
        let device = self.snapshot.devices.iter_mut().find(|device| *device.name == *name).unwrap();
        change(Arc::make_mut(device));
        self
    }

    /// Staged, with its plan, as the engine answers a Stage of everything on leaf1.
    pub fn staged(mut self) -> Self {
        let changes = leaf1_changes();
        let keys: Vec<ChangeKey> = changes.iter().map(Change::key).collect();
        self.snapshot.staged = Arc::new(keys.iter().cloned().collect::<BTreeSet<_>>());
        self.snapshot.pulled_in = Arc::new(BTreeMap::from([(keys[1].clone(), keys[0].clone())]));
        self.snapshot.staged_plan = Some(Arc::new(plan(vec![step("leaf1", 1, changes)], "abcdef0123456789abcdef")));
        self
    }

    pub fn armed(mut self) -> Self {
        self.snapshot.armed_until = Some(NOW + 760_000);
        self
    }

    pub fn shared(&self) -> Arc<Snapshot> {
        Arc::new(self.snapshot.clone())
    }

    pub fn model(&self, columns: u16, rows: u16) -> Model {
        self.model_as(columns, rows, "dark", Depth::True, Glyphs::UTF8)
    }

    pub fn model_as(&self, columns: u16, rows: u16, theme: &str, depth: Depth, glyphs: Glyphs) -> Model {
        let mut model = Model::new(self.shared(), schema(), Theme::load(theme).unwrap(), depth, glyphs, jiff::tz::TimeZone::UTC);
        fabric_orchestrator::tui::app::update(&mut model, fabric_orchestrator::tui::app::Msg::Resize(columns, rows));
        model
    }
}

/// The schema, loaded once.
pub fn schema() -> SharedSchema {
    static SCHEMA: std::sync::OnceLock<SharedSchema> = std::sync::OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(fabric_orchestrator::yang::Schema::eos().unwrap())))
}

/// A finding on intent.
fn finding(rule: &str, severity: Severity, device: &str, message: &str) -> Finding {
    Finding {
        code: rule.to_owned(),
        severity,
        device: Some(Arc::from(device)),
        path: None,
        origin: Some(Arc::new(Origin {
            object: format!("device {device} #3"),
            url: "http://127.0.0.1:8900/dcim/devices/3/".to_owned(),
            user: Some("alice".to_owned()),
            time: Some("2025-11-22T09:14:00Z".to_owned()),
            request: None,
        })),
        message: message.to_owned(),
        hint: "mend one of the two".to_owned(),
    }
}

fn findings() -> Vec<Finding> {
    vec![
        finding("remote-as-wrong", Severity::Warning, "spine1", "session with 10.0.1.1 expects AS 65001, leaf1 is AS 65009"),
        finding("heartbeat-vrf-missing", Severity::Info, "leaf1", "the MLAG heartbeat runs in VRF mgmt, which no interface of leaf1 is in"),
    ]
}
