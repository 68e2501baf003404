//! What can go wrong with NetBox while a fabric is watched, one row a failure: what is said of it, that the intent before stays in
//! force, that nothing is planned to be deleted, and that the next good read ends it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use fabric_orchestrator::api::server::{self, Pages};
use fabric_orchestrator::config::{self, Asked, Env, GraphQl, Settings};
use fabric_orchestrator::diff::change::{Finding, Kind};
use fabric_orchestrator::engine::command::Command;
use fabric_orchestrator::engine::snapshot::Snapshot;
use fabric_orchestrator::engine::webhook::Webhooks;
use fabric_orchestrator::engine::{Engine, Handle, Options};
use fabric_orchestrator::netbox::{self, Client};
use fabric_orchestrator::sim::lab::{Lab, LabData, LabOptions};
use fabric_orchestrator::sim::netbox::hook::signature;
use fabric_orchestrator::sim::netbox::server::{Running, Server};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);

async fn lab() -> Lab {
    let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have
    Lab::start(LabData::embedded().unwrap(), LabOptions::default()).await.unwrap()
}

/// The lab's settings; lists come by REST, where most faults are.
fn settings(lab: &Lab) -> Settings {
    let mut settings = config::load(&Asked { config: Some(lab.config_file.clone()), ..Asked::default() }, &Env::lab()).unwrap();
    settings.netbox.graphql = GraphQl::Never;
    settings.netbox.timeout = Duration::from_secs(2);
    settings
}

/// An engine that has read the whole fabric, finds nothing to do, and reads intent again only when it is asked to.
async fn watching(settings: Settings) -> (Handle, Arc<Snapshot>) {
    let mut engine = Engine::start(settings, Options::once(Vec::new(), None, Vec::new())).unwrap();
    let good = engine.settled(LIMIT).await.unwrap();
    assert_eq!((&good.intent.error, good.devices.len(), good.plan.changes().count()), (&None, 10, 0));
    (engine, good)
}

/// What every device should hold, as text.
fn desired(snapshot: &Snapshot) -> BTreeMap<String, Vec<String>> {
    let leaves =
        |tree: &fabric_orchestrator::tree::Tree| tree.sorted().iter().map(|(path, leaf)| format!("{path} {}", leaf.value)).collect();
    snapshot.devices.iter().map(|view| (view.name.to_string(), leaves(&view.desired))).collect()
}

fn deletes(snapshot: &Snapshot) -> Vec<String> {
    let all = snapshot.plan.changes().filter(|(_, change)| change.kind == Kind::Delete);
    all.map(|(step, change)| format!("{} {}", step.device, change.path)).collect()
}

/// Reads intent again, which fails, and gives what is said; the intent of `good` is still in force, nothing is deleted.
async fn refused(engine: &mut Handle, good: &Snapshot, row: &str) -> String {
    engine.send(Command::RefreshIntent).await.unwrap();
    let bad = engine.until(LIMIT, |snapshot| snapshot.intent.error.is_some()).await.unwrap();
    let said = bad.intent.error.clone().unwrap_or_else(|| panic!("{row}: nothing is said; deletes: {:?}", deletes(&bad)));
    assert_eq!((bad.intent.read, bad.intent.objects), (good.intent.read, good.intent.objects), "{row}: its age is that of the good read");
    assert_eq!(desired(&bad), desired(good), "{row}: what is wanted is kept");
    assert_eq!(bad.plan.changes().count(), 0, "{row}: {:?}", deletes(&bad));
    said
}

/// Reads intent again, which goes well: nothing is said any more, and it says the same.
async fn mended(engine: &mut Handle, row: &str) -> Arc<Snapshot> {
    let before = engine.snapshots.borrow().intent.read;
    engine.send(Command::RefreshIntent).await.unwrap();
    let good = engine.until(LIMIT, |snapshot| snapshot.intent.error.is_none() && snapshot.intent.read > before).await.unwrap();
    assert_eq!((&good.intent.error, deletes(&good)), (&None, Vec::new()), "{row}");
    good
}

/// Failures of a read: a fault of the simulated NetBox, then pieces of what is said. Every message names the address or the object,
/// and, after the semicolon, the next step.
fn rows() -> Vec<(&'static str, Value, &'static [&'static str])> {
    const INTERFACES: &str = "/api/dcim/interfaces/";
    vec![
        (
            "N1: too many requests, for longer than we ask again",
            json!({"kind": "too_many_requests", "path": INTERFACES}),
            &["429", INTERFACES, "NetBox's own log"],
        ),
        ("N2: 500 in the middle", json!({"kind": "server_error", "path": INTERFACES}), &["500", INTERFACES, "NetBox's own log"]),
        ("N2: a proxy without its NetBox", json!({"kind": "bad_gateway", "path": INTERFACES}), &["502", INTERFACES]),
        ("N2: NetBox is being updated", json!({"kind": "unavailable"}), &["503", "/api/", "stays the one before"]),
        ("N3: a proxy gave up waiting", json!({"kind": "gateway_timeout", "path": INTERFACES}), &["504", INTERFACES]),
        (
            "N3: half of a body, then silence",
            json!({"kind": "stall", "path": INTERFACES, "ms": 30_000}),
            &["did not answer", INTERFACES, "raise the timeout"],
        ),
        (
            "N3: half of a body, then the end",
            json!({"kind": "stall", "path": INTERFACES, "ms": 10}),
            &["cannot be reached", "check the URL"],
        ),
        ("N3: the connection is reset", json!({"kind": "reset", "path": INTERFACES}), &["cannot be reached", "check the URL"]),
        (
            "N3: JSON that stops in the middle",
            json!({"kind": "truncated_body", "path": INTERFACES}),
            &["list of interfaces", INTERFACES, "report it"],
        ),
        ("N5: fewer rows than `count` says", json!({"kind": "truncated_page", "path": INTERFACES}), &["is cut", INTERFACES, "read again"]),
        (
            "N7: the token is revoked during the read",
            json!({"kind": "token_revoked", "after": 3}),
            &["denied", "/api/", "Invalid v2 token", "check the token"],
        ),
        (
            "N7: one kind may not be seen any more",
            json!({"kind": "denied", "path": INTERFACES}),
            &["denied", INTERFACES, "may view these objects"],
        ),
        (
            "N8: a device goes between two calls, every time",
            json!({"kind": "object_gone", "path": INTERFACES}),
            &["400", INTERFACES, "not one of the available choices"],
        ),
        (
            "N10: a custom field has another name",
            json!({"kind": "custom_field_renamed", "name": "l3vni"}),
            &["intent shrank", "VRFs have no custom field `l3vni` any more", "intent-shrank"],
        ),
        (
            "N10: every custom field has another name",
            json!({"kind": "custom_field_renamed"}),
            &["intent shrank", "interfaces have no custom field", "`mlag_id`", "intent-shrank"],
        ),
        (
            "N11: the plugin is not there any more",
            json!({"kind": "plugin_missing"}),
            &["404", "/api/plugins/bgp/", "netbox-bgp plugin installed"],
        ),
        (
            "N12: half of the interfaces are not shown",
            json!({"kind": "shrink", "path": INTERFACES}),
            &["intent shrank", "122 interfaces became 61 (gone: interface ", "and 56 more", "intent-shrank"],
        ),
        (
            "N12: an empty list",
            json!({"kind": "empty", "path": "/api/plugins/bgp/session/"}),
            &["intent shrank", "BGP sessions", "intent-shrank"],
        ),
        ("N12: no device is shown", json!({"kind": "empty", "path": "/api/dcim/devices/"}), &["intent shrank", "devices", "intent-shrank"]),
        (
            "N14: the login page, with 200",
            json!({"kind": "login_page", "path": INTERFACES}),
            &["instead of JSON", "text/html", INTERFACES, "login page"],
        ),
        (
            "N15: to another server, without TLS",
            json!({"kind": "redirect", "path": INTERFACES}),
            &["301", INTERFACES, "it redirects to http://netbox.invalid"],
        ),
        (
            "N16: a proxy that adds the header of a branch that is gone",
            json!({"kind": "wrong_branch", "path": INTERFACES}),
            &["400", INTERFACES, "Invalid branch identifier"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_read_is_named_and_the_intent_before_stays() {
    let lab = lab().await;
    let (mut engine, mut good) = watching(settings(&lab)).await;
    let faults = lab.netbox.server().faults();
    for (row, fault, pieces) in rows() {
        faults.add_json(&fault).unwrap();
        let said = refused(&mut engine, &good, row).await;
        for piece in pieces {
            assert!(said.contains(piece), "{row}: no `{piece}` in: {said}");
        }
        faults.clear();
        let after = mended(&mut engine, row).await;
        assert_eq!((desired(&after), after.intent.objects), (desired(&good), good.intent.objects), "{row}");
        good = after;
    }
    engine.stop().await;
    lab.shutdown().await;
}

/// N10: numbers became texts. The read is whole, and what cannot be read is named and keeps its devices from being planned.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_another_type_is_named_and_deletes_nothing() {
    let lab = lab().await;
    let (mut engine, mut good) = watching(settings(&lab)).await;
    let faults = lab.netbox.server().faults();
    for (name, object) in [("asn", "device leaf1 #3"), ("mlag_id", "interface leaf1 Port-Channel1 #29"), ("l3vni", "VRF gold #1")] {
        faults.add_json(&json!({"kind": "custom_field_retyped", "name": name})).unwrap();
        engine.send(Command::RefreshIntent).await.unwrap();
        let bad = engine.until(LIMIT, |snapshot| snapshot.intent.error.is_some() || snapshot.intent.read > good.intent.read).await.unwrap();
        let none = Vec::<String>::new();
        assert_eq!((bad.plan.changes().count(), deletes(&bad)), (0, none), "{name}");
        let about = |finding: &&Finding| finding.code == "bad-field" && finding.message.contains(name) && finding.message.contains(object);
        let finding = bad.intent.findings.iter().find(about).unwrap_or_else(|| panic!("{name}: {:?}", bad.intent.findings));
        assert!(finding.origin.as_ref().is_some_and(|origin| origin.url.starts_with("http")) && !finding.hint.is_empty(), "{name}");
        faults.clear();
        good = mended(&mut engine, name).await;
    }
    engine.stop().await;
    lab.shutdown().await;
}

/// N1 and N2, of the kind that passes: asked again, and nobody is told of more than the log.
#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_read_all_the_same() {
    let lab = lab().await;
    let (mut engine, good) = watching(settings(&lab)).await;
    // N8, N4: a device that went between two calls, pages that moved: the whole is read again, and comes whole.
    let passing = [
        ("N1", json!({"kind": "too_many_requests", "path": "/api/ipam/", "times": 1})),
        ("N2", json!({"kind": "unavailable", "path": "/api/dcim/", "times": 2})),
        ("N5", json!({"kind": "truncated_page", "path": "/api/dcim/interfaces/", "times": 1})),
        ("N8", json!({"kind": "object_gone", "path": "/api/dcim/interfaces/", "times": 1})),
        ("N16: `start` is not known, as before NetBox 4.6", json!({"kind": "no_cursor"})),
    ];
    for (row, fault) in passing {
        lab.netbox.server().faults().add_json(&fault).unwrap();
        let after = mended(&mut engine, row).await;
        assert_eq!((desired(&after), after.intent.objects), (desired(&good), good.intent.objects), "{row}");
        lab.netbox.server().faults().clear();
    }
    engine.stop().await;
    lab.shutdown().await;
}

/// N12: intent that shrank is taken when a person says so by name, and only then; once.
#[tokio::test(flavor = "multi_thread")]
async fn intent_that_shrank_waits_for_a_person() {
    let lab = lab().await;
    let (mut engine, good) = watching(settings(&lab)).await;
    engine.send(Command::Override("no-such-block".into())).await.unwrap(); // another name is another matter
    lab.netbox.server().faults().add_json(&json!({"kind": "shrink", "path": "/api/ipam/vlans/", "keep": 40})).unwrap();
    let said = refused(&mut engine, &good, "shrink").await;
    assert!(said.contains("VLANs became") && said.contains("(gone: VLAN "), "{said}");
    engine.send(Command::Override("intent-shrank".into())).await.unwrap();
    let taken = engine.until(LIMIT, |snapshot| snapshot.intent.error.is_none() && snapshot.intent.read > good.intent.read).await.unwrap();
    assert!(taken.intent.error.is_none() && taken.intent.objects < good.intent.objects, "{:?}", taken.intent.error);
    assert!(!deletes(&taken).is_empty(), "what was meant is planned");
    // Everything is back; then the same again: accepted once is not accepted for good.
    lab.netbox.server().faults().clear();
    let good = mended(&mut engine, "after").await;
    lab.netbox.server().faults().add_json(&json!({"kind": "shrink", "path": "/api/ipam/vlans/", "keep": 40})).unwrap();
    refused(&mut engine, &good, "again").await;
    engine.stop().await;
    lab.shutdown().await;
}

/// How often the change log was looked at through [`in_front_of`], in all tests of this file.
static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// N10 and N12 in another process: it has no intent from before, but the journal knows how much there was.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_holds_shrunk_intent_back_too() {
    let lab = lab().await;
    let (engine, _) = watching(settings(&lab)).await;
    engine.stop().await;
    for (fault, said) in [
        (json!({"kind": "custom_field_renamed", "name": "l3vni"}), "VRFs have no custom field `l3vni` any more"),
        (json!({"kind": "empty", "path": "/api/vpn/l2vpn-terminations/"}), "2 VLANs in L2VPNs became 0"),
        (json!({"kind": "shrink", "path": "/api/dcim/interfaces/"}), "122 interfaces became 61"),
    ] {
        lab.netbox.server().faults().add_json(&fault).unwrap();
        let mut engine = Engine::start(settings(&lab), Options::once(Vec::new(), None, Vec::new())).unwrap();
        let bad = engine.settled(LIMIT).await.unwrap();
        let error = bad.intent.error.clone().unwrap_or_else(|| panic!("{said}: {:?}", deletes(&bad)));
        assert!(error.contains(said) && bad.intent.held_back && bad.intent.read.is_none(), "{error}");
        assert_eq!(bad.plan.changes().count(), 0, "{said}");
        engine.stop().await;
        lab.netbox.server().faults().clear();
    }
    lab.shutdown().await;
}

/// A NetBox in front of the lab's: every request is passed on, but those `answer` has something else for.
async fn in_front_of(lab: &Lab, answer: Arc<Mutex<Option<Recorded>>>) -> String {
    let (target, http) = (lab.netbox.url.clone(), reqwest::Client::builder().no_proxy().build().unwrap());
    let pass = move |request: Request| {
        let (target, http, answer) = (target.clone(), http.clone(), Arc::clone(&answer));
        LOOKS.fetch_add(usize::from(request.uri().path() == "/api/core/object-changes/"), Ordering::SeqCst);
        async move {
            let recorded = answer.lock().unwrap().clone();
            if let Some(recorded) = recorded.filter(|recorded| request.uri().path() == recorded.path) {
                let status = StatusCode::from_u16(recorded.status).unwrap();
                return (status, [(CONTENT_TYPE, recorded.content_type)], recorded.body).into_response();
            }
            let url = format!("{target}{}", request.uri());
            let headers = request.headers().iter().filter(|(name, _)| *name != "host").map(|(name, value)| (name.clone(), value.clone()));
            let sent = http.get(url).headers(headers.collect()).send().await.unwrap();
            let (status, kind) = (sent.status(), sent.headers()[CONTENT_TYPE].clone());
            (status, [(CONTENT_TYPE, kind)], sent.bytes().await.unwrap()).into_response()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(pass)).await });
    url
}

/// An answer of a real NetBox 4.7, given for one path.
#[derive(Clone)]
struct Recorded {
    path: &'static str,
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

impl Recorded {
    fn of(file: &str, path: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/netbox");
        let index: Value = serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
        let Some(entry) = index.as_array().unwrap().iter().find(|entry| entry["file"] == file) else {
            // NetBox's own page for a path it does not know: the simulated one has a page of its own.
            let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/netbox").join(file)).unwrap();
            return Self { path, status: 404, content_type: "text/html; charset=utf-8".into(), body };
        };
        Self {
            path,
            status: u16::try_from(entry["status"].as_u64().unwrap()).unwrap(),
            content_type: entry["headers"]["Content-Type"].as_str().unwrap().to_owned(),
            body: std::fs::read(folder.join(file)).unwrap(),
        }
    }
}

/// Every error that was recorded from a real NetBox and that a read can meet, given in place of one list.
///
/// Those that only a write meets are out of reach, for nothing is ever written to NetBox: `error-400-create`, `error-400-bulk`,
/// `error-403-readonly-token` (a PATCH; its text is that of row N7), `error-405`, `error-409-protected`, `error-412`.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_errors_are_named_and_the_intent_before_stays() {
    const DEVICES: &str = "/api/dcim/devices/";
    const INTERFACES: &str = "/api/dcim/interfaces/";
    const SESSIONS: &str = "/api/plugins/bgp/session/";
    const TOKEN: &str = "check the token";
    let rows: [(&str, &'static str, &[&str]); 12] = [
        ("error-401-no-token.json", DEVICES, &["denied", "Authentication credentials were not provided.", TOKEN]),
        ("error-bad-v1.json", DEVICES, &["denied", "Invalid v1 token", TOKEN]),
        ("error-bad-v2.json", DEVICES, &["denied", "Invalid v2 token", TOKEN]),
        ("error-v2-as-token.json", DEVICES, &["denied", "Invalid v1 token", TOKEN]),
        ("error-404-object.json", INTERFACES, &["404", "No Device matches the given query.", "NetBox's own log"]),
        ("error-404-path.txt", INTERFACES, &["404", "text/html", "instead of JSON", "is the URL NetBox itself"]),
        ("error-plugin-absent.txt", SESSIONS, &["404", "text/html", "is the netbox-bgp plugin installed?"]),
        ("error-400-branch.txt", DEVICES, &["400", "Invalid branch identifier", "NetBox's own log"]),
        ("error-400-start-and-offset.json", DEVICES, &["400", "'start' and 'offset' are mutually exclusive."]),
        ("error-filter-bad-value.json", INTERFACES, &["400", "“abc” is not a valid value."]),
        ("error-filter-missing-id.json", INTERFACES, &["400", "99999999 is not one of the available choices."]),
        // An unknown filter is ignored and answered with 200: devices of others come, and none of ours. They are not taken for ours.
        ("error-filter-unknown.json", DEVICES, &["is cut: 1 of 14 objects came", "read again"]),
    ];
    let lab = lab().await;
    let answer = Arc::new(Mutex::new(None));
    let mut settings = settings(&lab);
    settings.netbox.url = in_front_of(&lab, Arc::clone(&answer)).await;
    let (mut engine, mut good) = watching(settings).await;
    for (file, path, pieces) in rows {
        *answer.lock().unwrap() = Some(Recorded::of(file, path));
        let said = refused(&mut engine, &good, file).await;
        for piece in pieces.iter().chain([&path]) {
            assert!(said.contains(piece), "{file}: no `{piece}` in: {said}");
        }
        *answer.lock().unwrap() = None;
        good = mended(&mut engine, file).await;
    }
    // The same as if it were the whole list: a device without the tag is nobody's, so all of ours are gone, which is not taken.
    let mut recorded = Recorded::of("error-filter-unknown.json", DEVICES);
    let mut body: Value = serde_json::from_slice(&recorded.body).unwrap();
    (body["count"], body["next"]) = (json!(1), Value::Null);
    assert_eq!((&body["results"][0]["name"], &body["results"][0]["tags"]), (&json!("host1"), &json!([])));
    recorded.body = body.to_string().into_bytes();
    *answer.lock().unwrap() = Some(recorded);
    let said = refused(&mut engine, &good, "a filter that is ignored").await;
    assert!(said.contains("10 devices became 0 (gone: device leaf1 #3"), "{said}");
    engine.stop().await;
    lab.shutdown().await;
}

/// N9 and N12: a list that others refer to comes empty, as when the token's user may not see its objects any more. References that
/// lead nowhere are never taken for "nothing".
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_deletes_nothing_whichever_it_is() {
    let lab = lab().await;
    let (mut engine, mut good) = watching(settings(&lab)).await;
    // Which this fabric has none of, or which make no leaf of a device.
    let harmless = [
        "dcim/cables",
        "ipam/services",
        "plugins/bgp/peer-group",
        "plugins/bgp/prefix-list",
        "plugins/bgp/prefix-list-rule",
        "plugins/bgp/routing-policy",
        "plugins/bgp/routing-policy-rule",
    ];
    for list in [
        "dcim/devices",
        "dcim/interfaces",
        "dcim/cables",
        "ipam/ip-addresses",
        "ipam/services",
        "ipam/vlans",
        "ipam/vlan-groups",
        "ipam/vrfs",
        "virtualization/clusters",
        "vpn/l2vpns",
        "vpn/l2vpn-terminations",
        "plugins/bgp/session",
        "plugins/bgp/peer-group",
        "plugins/bgp/prefix-list",
        "plugins/bgp/prefix-list-rule",
        "plugins/bgp/routing-policy",
        "plugins/bgp/routing-policy-rule",
    ] {
        lab.netbox.server().faults().add_json(&json!({"kind": "empty", "path": format!("/api/{list}/")})).unwrap();
        engine.send(Command::RefreshIntent).await.unwrap();
        let bad = engine.until(LIMIT, |snapshot| snapshot.intent.error.is_some() || snapshot.intent.read > good.intent.read).await.unwrap();
        let said = bad.intent.error.is_some() || bad.plan.unknown.iter().any(|device| device.reason.contains("was not read"));
        assert!(said || harmless.contains(&list), "{list}: nothing is said");
        assert_eq!(deletes(&bad), Vec::<String>::new(), "{list}");
        lab.netbox.server().faults().clear();
        good = mended(&mut engine, list).await;
    }
    engine.stop().await;
    lab.shutdown().await;
}

/// N13: webhooks that lie, come twice, late, before their edit, or by the thousand. What they say of objects is never believed.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_hint_and_nothing_more() {
    const SECRET: &str = "lab-webhook-secret";
    let lab = lab().await;
    let mut settings = settings(&lab);
    settings.netbox.url = in_front_of(&lab, Arc::default()).await;
    settings.netbox.webhook_secret = Some(SECRET.into());
    settings.netbox.poll = Duration::from_secs(1);
    let webhooks = Webhooks::new(&settings.netbox).map(Arc::new);
    let mut engine = Engine::start(settings, Options::monitor()).unwrap();
    let good = engine.settled(LIMIT).await.unwrap();
    assert_eq!((&good.intent.error, good.plan.changes().count()), (&None, 0));
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}/webhook/netbox", listener.local_addr().unwrap());
    tokio::spawn(server::serve(listener, Pages { snapshots: engine.snapshots.clone(), commands: engine.commands.clone(), webhooks }));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = |request: &str, time: jiff::Timestamp| {
        // It says that a device is gone: were that believed, it would be a plan to delete everything on it.
        let said = json!({"event": "deleted", "timestamp": time.to_string(), "object_type": "dcim.device", "username": "mallory",
            "request": {"id": request, "user": "mallory"}, "data": {"id": 3, "name": "leaf1"}});
        said.to_string()
    };
    let post = |body: String, secret: &str| {
        let signature = signature(secret.as_bytes(), body.as_bytes());
        let sent = http.post(&url).header("X-Hook-Signature", signature).body(body).send();
        async move {
            let answer = sent.await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    let now = jiff::Timestamp::now();
    let (status, said) = post(body("a", now), "another secret").await;
    assert!(status == 401 && said.contains("signature is not ours"), "{status} {said}");
    let answer = http.post(&url).body(body("a", now)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401, "unsigned");
    let (status, said) = post(body("a", now - jiff::SignedDuration::from_hours(2)), SECRET).await;
    assert!(status == 409 && said.contains("too far from now"), "{status} {said}");
    assert_eq!(post(body("a", now), SECRET).await, (202, String::new()));
    let (status, said) = post(body("a", now), SECRET).await;
    assert!(status == 409 && said.contains("heard before"), "{status} {said}");

    // It came before its edit could be seen. The edit is found all the same, and nothing that the hooks said is.
    lab.play("rename-uplink").unwrap();
    let after = engine.until(LIMIT, |snapshot| snapshot.plan.changes().count() > 0).await.unwrap();
    let changes: Vec<_> = after.plan.changes().map(|(step, change)| (step.device.to_string(), change.kind)).collect();
    assert_eq!(changes, [("leaf3".to_owned(), Kind::Update)]);

    // A thousand at once are a few looks at the change log. Those of the clock, one a second, are among them.
    let (looks, begun) = (LOOKS.load(Ordering::SeqCst), std::time::Instant::now());
    let all = (0..1000).map(|number| post(body(&format!("burst-{number}"), now), SECRET));
    let answers: Vec<_> =
        futures_util::StreamExt::collect(futures_util::StreamExt::buffer_unordered(futures_util::stream::iter(all), 20)).await;
    assert!(answers.iter().all(|(status, _)| *status == 202), "{answers:?}");
    lab.play("limit-session-prefixes").unwrap();
    assert_eq!(post(body("the last", now), SECRET).await.0, 202);
    let after = engine.until(LIMIT, |snapshot| snapshot.plan.changes().count() > 1).await.unwrap();
    let changes: Vec<_> = after.plan.changes().map(|(step, change)| (step.device.to_string(), change.kind)).collect();
    assert_eq!(changes, [("leaf3".to_owned(), Kind::Update), ("leaf5".to_owned(), Kind::Create)]);
    let (looks, seconds) = (LOOKS.load(Ordering::SeqCst) - looks, begun.elapsed().as_secs_f64());
    println!("1001 hooks in {seconds:.1} s: {looks} looks at the change log");
    assert!(looks < 200, "{looks} looks");
    assert_eq!((after.devices.len(), &after.intent.error), (10, &None));
    engine.stop().await;
    lab.shutdown().await;
}

/// N17: the same VLAN id and the same VRF name in other sites and other pairs. Each object is its own, whatever it is called.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_numbers_elsewhere_are_not_ours() {
    let lab = lab().await;
    let (mut engine, good) = watching(settings(&lab)).await;
    let foreign = json!({"id": "another-site", "calls": [
        {"method": "POST", "path": "/api/ipam/vlan-groups/", "body": {"name": "plant", "slug": "plant"}, "expect": 201, "save": "group"},
        {"method": "POST", "path": "/api/ipam/vlans/", "body": {"vid": 40, "name": "plant-floor", "group": "{group}"}, "expect": 201},
        {"method": "POST", "path": "/api/ipam/vrfs/", "body": {"name": "gold", "rd": "65535:1"}, "expect": 201},
    ]});
    lab.netbox.server().apply(&serde_json::from_value(foreign).unwrap()).unwrap();
    let after = mended(&mut engine, "N17").await;
    assert_eq!((desired(&after), after.plan.changes().count()), (desired(&good), 0), "N17: another site");
    assert!(after.intent.objects > good.intent.objects, "they were read");
    // VLAN 40 of one pair is another object than VLAN 40 of the other one.
    let ours = json!({"id": "one-pair", "refs": {"vlan": {"find": "/api/ipam/vlans/?group=leaf5-leaf6&vid=40", "id": 7}},
        "calls": [{"method": "PATCH", "path": "/api/ipam/vlans/{vlan}/", "body": {"name": "renamed"}, "expect": 200}]});
    lab.netbox.server().apply(&serde_json::from_value(ours).unwrap()).unwrap();
    let after = mended(&mut engine, "N17").await;
    let changes: Vec<_> = after.plan.changes().map(|(step, change)| (step.device.to_string(), change.kind)).collect();
    assert_eq!(changes, [("leaf5".to_owned(), Kind::Update), ("leaf6".to_owned(), Kind::Update)]);
    engine.stop().await;
    lab.shutdown().await;
}

/// A NetBox alone, for what shows in many pages only: copies of the reference fabric, and a client of its own.
async fn netbox(copies: usize, change: impl Fn(&mut netbox::Settings)) -> (Running, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data = LabData::embedded().unwrap();
    let name = |copy: usize, text: &str| ["leaf", "spine"].iter().any(|word| text.starts_with(word)).then(|| format!("f{copy}-{text}"));
    let server = Server::copied(&data.netbox, copies, name, &BTreeSet::new()).unwrap();
    let running = server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut settings = netbox::Settings::new(&running.url, running.token.clone().into());
    change(&mut settings);
    let client = Client::new(settings).unwrap();
    (running, client)
}

/// N4: pages that move while they are read, since objects before them are made or deleted. Rows add up, objects do not: the whole is
/// read again, and refused when it never settles.
#[tokio::test]
async fn pages_that_move_are_read_again_or_refused() {
    let (running, client) = netbox(1, |settings| {
        settings.page_size = 50;
        settings.graphql = netbox::GraphQl::Never;
    })
    .await;
    let good = client.read(|_| {}).await.unwrap();
    for (kind, keeps_moving) in [("page_repeats", false), ("page_skips", false), ("page_repeats", true), ("page_skips", true)] {
        let mut fault = json!({"kind": kind, "path": "/api/dcim/interfaces/"});
        if !keeps_moving {
            fault["times"] = json!(3); // the pages of one read
        }
        running.server().faults().add_json(&fault).unwrap();
        match client.read(|_| {}).await {
            Ok(read) => assert!(!keeps_moving && read.objects == good.objects, "{kind}: {} of {}", read.objects, good.objects),
            Err(error) => {
                assert!(keeps_moving, "{kind}: {error}");
                assert_eq!(error.code(), "truncated", "{kind}: {error}");
                assert!(error.to_string().contains("/api/dcim/interfaces/") && error.hint().contains("read again"), "{kind}: {error}");
            }
        }
        running.server().faults().clear();
    }
}

/// N6: GraphQL gives at most 1,000 rows, and says neither that nor how many there are.
#[tokio::test]
async fn more_rows_than_graphql_gives_at_once_are_all_read() {
    let (_running, client) = netbox(9, |settings| settings.graphql = netbox::GraphQl::Always).await;
    let read = client.read(|_| {}).await.unwrap();
    assert_eq!((read.fabric.devices.len(), read.fabric.interfaces.len()), (90, 9 * 122));
}
