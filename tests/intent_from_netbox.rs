//! Intent read over HTTP from the simulated NetBox, mapped, and held against the devices of the lab: the two were made by
//! different hands from the same fabric.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::sync::LazyLock;

use fabric_orchestrator::intent::finding::Severity;
use fabric_orchestrator::intent::{Fabric, map};
use fabric_orchestrator::netbox::{Client, Error, Read, Settings, Touched};
use fabric_orchestrator::path::Path;
use fabric_orchestrator::sim::netbox::fault::{Fault, Kind};
use fabric_orchestrator::sim::netbox::load::Files;
use fabric_orchestrator::sim::netbox::replay::{self, Change};
use fabric_orchestrator::sim::netbox::server::{Running, Server};
use fabric_orchestrator::tree::Paths;
use fabric_orchestrator::yang::Schema;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::eos().unwrap());

fn lab(part: &str) -> std::path::PathBuf {
    FilePath::new(env!("CARGO_MANIFEST_DIR")).join("lab").join(part)
}

fn files() -> Files {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
    };
    std::fs::read_dir(lab("netbox")).unwrap().map(read).collect()
}

async fn netbox() -> Running {
    Server::start(&files(), SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap()
}

fn client(of: &Running) -> Client {
    Client::new(Settings::new(&of.url, of.token.clone().into())).unwrap()
}

async fn read(of: &Running) -> Result<Read, Error> {
    client(of).read(|_| {}).await
}

/// Desired leaves of every device as text.
fn leaves(fabric: &Fabric) -> BTreeMap<String, BTreeMap<String, String>> {
    let paths = Paths::new();
    let mapped = |name: &str| {
        let desired = map::desired(fabric, &SCHEMA, name, &paths);
        assert!(!desired.is_incomplete(), "{name}: {:?}", desired.findings);
        desired.tree.sorted().into_iter().map(|(path, leaf)| (path.to_string(), leaf.value.to_string())).collect()
    };
    fabric.devices.iter().map(|device| (device.name.to_string(), mapped(&device.name))).collect()
}

#[tokio::test]
async fn intent_equals_the_devices_of_the_lab() {
    let netbox = netbox().await;
    let read = read(&netbox).await.unwrap();
    assert_eq!(read.objects, 362);
    assert!(read.findings.iter().all(|finding| finding.severity == Severity::Info), "{:?}", read.findings);
    let desired = leaves(&read.fabric);
    assert_eq!(desired.len(), 10);
    for (name, wanted) in desired {
        let json = serde_json::from_slice(&std::fs::read(lab(&format!("devices/{name}.json"))).unwrap()).unwrap();
        let held = SCHEMA.flatten(&Path::root(), &json).unwrap().into_iter().map(|(path, value)| (path.to_string(), value.to_string()));
        let held: BTreeMap<String, String> = held.filter(|(path, _)| !path.starts_with("/system/aaa/")).collect();
        let wanted: BTreeMap<String, String> = wanted.into_iter().filter(|(path, _)| path.starts_with('/')).collect();
        assert_eq!(wanted, held, "{name}");
    }
}

#[tokio::test]
async fn each_edit_changes_its_devices_and_no_other() {
    let changes: Vec<Change> = replay::changes(&std::fs::read(lab("netbox/changes.json")).unwrap()).unwrap();
    assert_eq!(changes.len(), 8);
    let recorded: serde_json::Value = serde_json::from_slice(&std::fs::read(lab("netbox/changes.json")).unwrap()).unwrap();
    let before = leaves(&read(&netbox().await).await.unwrap().fabric);
    for (change, about) in changes.iter().zip(recorded["changes"].as_array().unwrap()) {
        let netbox = netbox().await;
        let ours = client(&netbox);
        ours.read(|_| {}).await.unwrap();
        assert!(ours.follow(|_| {}).await.unwrap().is_none(), "{}", change.id);
        netbox.server().apply(change).unwrap();
        let read = ours.follow(|_| {}).await.unwrap().unwrap();
        let after = leaves(&read.fabric);
        // What was brought up to date is what a fresh eye reads, and no device moved that was not said to be touched.
        let whole = client(&netbox).read(|_| {}).await.unwrap();
        assert_eq!((after.clone(), read.objects), (leaves(&whole.fabric), whole.objects), "{}", change.id);
        if let Touched::Only(names) = &read.touched {
            let untouched = |name: &&String| !names.contains(name.as_str());
            assert!(after.keys().filter(untouched).all(|name| before[name] == after[name]), "{}: {names:?}", change.id);
            println!("{}: {names:?} in {} calls", change.id, read.calls.len());
        }
        let mut moved: Vec<&str> = after.iter().filter(|(name, leaves)| before[*name] != **leaves).map(|(name, _)| name.as_str()).collect();
        let mut wanted: Vec<&str> = about["devices"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
        moved.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(moved, wanted, "{}", change.id);
        // Every value the edit brings in is among the leaves that moved.
        for (name, facts) in about["facts_diff"].as_object().unwrap() {
            let new: Vec<String> = after[name]
                .iter()
                .filter(|(path, value)| before[name].get(*path) != Some(value))
                .map(|(p, v)| format!("{p} {v}"))
                .collect();
            let old: Vec<String> = before[name]
                .iter()
                .filter(|(path, value)| after[name].get(*path) != Some(value))
                .map(|(p, v)| format!("{p} {v}"))
                .collect();
            for fact in facts.as_array().unwrap() {
                let path = fact["path"].as_str().unwrap();
                let derived = [
                    "rt_form",
                    "kind",
                    "active_afs",
                    "session_type",
                    "effective_remote_as",
                    "ip_routing",
                    "vrfs[",
                    "source",
                    "redistribute",
                ];
                if derived.iter().any(|word| path.contains(word)) {
                    continue;
                }
                for (side, rows) in [("before", &old), ("after", &new)] {
                    let text = match &fact[side] {
                        serde_json::Value::Null => continue,
                        serde_json::Value::String(text) => text.split('/').next().unwrap_or(text).to_owned(),
                        other => other.to_string(),
                    };
                    assert!(rows.iter().any(|row| row.contains(&text)), "{} {name} {path}: {side} {text} not in {rows:#?}", change.id);
                }
            }
        }
        if change.id == "rename-uplink" {
            let interface = read.fabric.interfaces.iter().find(|interface| interface.description == "to spine1 Ethernet3").unwrap();
            assert_eq!(interface.origin.object, "interface leaf3 Ethernet11 #46");
            assert_eq!(interface.origin.user.as_deref(), Some("admin"));
        }
    }
}

#[tokio::test]
async fn a_bad_day_is_named_and_nothing_of_it_is_used() {
    let cases: [(Kind, &str); 7] = [
        (Kind::Denied, "denied"),
        (Kind::ServerError, "server-error"),
        (Kind::BadGateway, "server-error"),
        (Kind::LoginPage, "not-json"),
        (Kind::TruncatedPage, "truncated"),
        (Kind::TruncatedBody, "bad-object"),
        (Kind::Reset, "unreachable"),
    ];
    for (kind, code) in cases {
        let netbox = netbox().await;
        netbox.server().faults().add(Fault { kind: Kind::GraphqlOff, path: "/graphql/".into(), ..Fault::default() }); // the fault is in REST
        netbox.server().faults().add(Fault { kind, path: "/api/dcim/interfaces/".into(), ..Fault::default() });
        let error = read(&netbox).await.unwrap_err();
        assert_eq!(error.code(), code, "{kind:?}: {error}");
    }
    // What passes is asked again.
    for kind in [Kind::BadGateway, Kind::Reset] {
        let netbox = netbox().await;
        netbox.server().faults().add(Fault { kind, path: "/api/ipam/".into(), times: Some(2), ..Fault::default() });
        assert_eq!(read(&netbox).await.unwrap().fabric.devices.len(), 10, "{kind:?}");
    }
    let netbox = netbox().await;
    let bad = Client::new(Settings::new(&netbox.url, "nbt_wrong.token".into())).unwrap();
    assert_eq!(bad.read(|_| {}).await.unwrap_err().code(), "denied");
}

#[tokio::test]
async fn small_pages_read_the_same() {
    let netbox = netbox().await;
    let whole = read(&netbox).await.unwrap();
    let mut settings = Settings::new(&netbox.url, netbox.token.clone().into());
    settings.page_size = 7;
    let small = Client::new(settings).unwrap().read(|_| {}).await.unwrap();
    assert!(small.calls.len() > whole.calls.len());
    assert_eq!((small.objects, leaves(&small.fabric)), (whole.objects, leaves(&whole.fabric)));
}
