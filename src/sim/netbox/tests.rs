//! The recordings are the oracle: what was recorded must be answered again, byte for byte where nothing but time differs.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::load::{Files, load};
use super::rest::{Answer, Call, NetBox, Token};
use super::{TOKEN, TOKEN_READ_ONLY, replay};

const BASE: &str = "http://127.0.0.1:8900";

fn files() -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/netbox");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("entry").path();
        (path.file_name().expect("name").to_str().expect("text").to_owned(), std::fs::read(&path).expect("file"))
    };
    std::fs::read_dir(folder).expect("folder").map(read).collect()
}

pub(super) fn netbox() -> NetBox {
    let token = |text: &str, write| Token { text: text.to_owned(), write, user: "admin".to_owned() };
    NetBox::new(load(&files()).expect("recordings"), vec![token(TOKEN, true), token(TOKEN_READ_ONLY, false)])
}

pub(super) fn ask(netbox: &mut NetBox, method: &str, path: &str, body: &Value) -> Answer {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let authorization = format!("Bearer {TOKEN}");
    let now = 1_800_000_000_000_000;
    netbox.answer(&Call { method, path, query, authorization: Some(&authorization), base: BASE, body: &bytes, now, ..Call::default() })
}

fn get(netbox: &mut NetBox, path: &str) -> Value {
    let answer = ask(netbox, "GET", path, &Value::Null);
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).expect("JSON")
}

pub(super) fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

/// The first place where two documents differ.
pub(super) fn difference(have: &Value, want: &Value, at: &str) -> Option<String> {
    match (have, want) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            if keys(a) != keys(b) {
                return Some(format!("{at}: members {:?}, recorded {:?}", keys(a), keys(b)));
            }
            a.iter().find_map(|(key, value)| difference(value, &b[key], &format!("{at}.{key}")))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(n, (a, b))| difference(a, b, &format!("{at}[{n}]")))
        }
        _ => (have != want).then(|| format!("{at}: {have}, recorded {want}")),
    }
}

#[test]
fn every_recorded_answer_is_given_again() {
    let files = files();
    let index: Vec<Value> = serde_json::from_slice(&files["index.json"]).expect("index");
    let mut compared = 0;
    let mut different = Vec::new();
    let fresh = netbox();
    for entry in &index {
        let (method, path) = (entry["method"].as_str().expect("method"), entry["path"].as_str().expect("path"));
        let (plain, query) = path.split_once('?').unwrap_or((path, ""));
        let mut netbox = fresh.clone();
        let token = if entry["file"] == "error-403-readonly-token.json" { TOKEN_READ_ONLY } else { TOKEN };
        let own = format!("Bearer {token}");
        let asked = entry.pointer("/request_headers/Authorization").and_then(Value::as_str).unwrap_or(&own);
        let body = entry.get("request_body").map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let answer = netbox.answer(&Call {
            method,
            path: plain,
            query,
            authorization: Some(asked).filter(|_| entry["file"] != "error-401-no-token.json"),
            if_match: entry.pointer("/request_headers/If-Match").and_then(Value::as_str),
            branch: entry.pointer("/request_headers/X-NetBox-Branch").and_then(Value::as_str),
            base: BASE,
            body: &body,
            now: 1_795_339_200_000_000,
            ..Call::default()
        });
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(u64::from(answer.status), entry["status"].as_u64().expect("status"), "{method} {path}: {text}");
        for (name, value) in entry["headers"].as_object().expect("headers") {
            if name != "ETag" || method == "GET" {
                assert_eq!(header(&answer, name), value.as_str(), "{method} {path}: {name}");
            }
        }
        // The log was recorded in part, and what is created now has another time.
        if !matches!(entry["file"].as_str(), None | Some("object-changes.json" | "journal-entry-created.json" | "error-400-branch.txt")) {
            let mut recorded: Value = serde_json::from_slice(&files[entry["file"].as_str().expect("file")]).expect("JSON");
            let mut given: Value = serde_json::from_slice(&answer.body).expect("JSON");
            if path.contains("peer-group") {
                // Sorted by name only: the recorded order of equal names is Postgres's own affair.
                for rows in [&mut given, &mut recorded].map(|body| body["results"].as_array_mut().expect("rows")) {
                    rows.sort_by_key(|row| row["id"].as_u64());
                }
            }
            different.extend(difference(&given, &recorded, path));
            compared += 1;
        }
    }
    assert_eq!(different, Vec::<String>::new());
    assert!(compared > 60, "{compared} answers compared");
}

#[test]
fn every_change_replays_with_the_recorded_log() {
    let files = files();
    let mut netbox = netbox();
    let authorization = format!("Bearer {TOKEN}");
    for change in replay::changes(&files["changes.json"]).expect("changes") {
        let last = get(&mut netbox, "/api/core/object-changes/?limit=1")["results"][0]["id"].as_u64().expect("id");
        replay::apply(&change, |call| {
            netbox.answer(&Call { authorization: Some(&authorization), base: BASE, now: 1_800_000_000_000_000, ..call })
        })
        .expect(&change.id);
        let log = get(&mut netbox, &format!("/api/core/object-changes/?start={}&limit=1000", last + 1));
        let made: Vec<Value> = log["results"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| json!({"action": row["action"]["value"], "type": row["changed_object_type"], "id": row["changed_object_id"]}))
            .collect();
        assert_eq!(made, change.object_changes, "{}", change.id);
    }
    assert_eq!(get(&mut netbox, "/api/ipam/vlans/?vid=900")["count"], 0);
    assert_eq!(get(&mut netbox, "/api/ipam/vlans/?vid=50")["results"][0]["l2vpn_termination"]["l2vpn"]["identifier"], 110_050);
    assert_eq!(
        get(&mut netbox, "/api/vpn/l2vpns/?identifier=110040")["results"][0]["custom_fields"]["redistribute"][0]["source"],
        "learned"
    );
}

#[test]
fn reading_form_of_what_was_written() {
    let mut netbox = netbox();
    let before = get(&mut netbox, "/api/dcim/interfaces/29/");
    let answer = ask(&mut netbox, "PATCH", "/api/dcim/interfaces/29/", &json!({"mtu": 9000, "custom_fields": {"mlag_id": 7}}));
    let after: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let mut wanted = before.clone();
    wanted["mtu"] = json!(9000);
    wanted["custom_fields"]["mlag_id"] = json!(7);
    wanted["last_updated"] = after["last_updated"].clone();
    assert_eq!(after, wanted);
    assert!(after["last_updated"].as_str() > before["last_updated"].as_str());
    assert_ne!(header(&answer, "ETag"), None);
    // Writing the same again is no change.
    let last = get(&mut netbox, "/api/core/object-changes/?limit=1")["results"][0]["id"].clone();
    assert_eq!(ask(&mut netbox, "PATCH", "/api/dcim/interfaces/29/", &json!({"mtu": 9000})).status, 200);
    assert_eq!(get(&mut netbox, "/api/core/object-changes/?limit=1")["results"][0]["id"], last);
}

#[test]
fn deleting_takes_along_clears_and_is_refused() {
    let mut netbox = netbox();
    assert_eq!(ask(&mut netbox, "DELETE", "/api/ipam/vlans/1/", &Value::Null).status, 409, "a prefix names it");
    assert_eq!(ask(&mut netbox, "PATCH", "/api/ipam/prefixes/28/", &json!({"vlan": null})).status, 200);
    assert_eq!(ask(&mut netbox, "DELETE", "/api/ipam/vlans/1/", &Value::Null).status, 204);
    assert_eq!(get(&mut netbox, "/api/vpn/l2vpn-terminations/")["count"], 1);
    assert_eq!(get(&mut netbox, "/api/dcim/interfaces/29/")["tagged_vlans"], json!([]));
    assert_eq!(ask(&mut netbox, "DELETE", "/api/ipam/vlans/1/", &Value::Null).status, 404);
    // A bulk deletion that fails half way leaves everything.
    let both = json!([{"id": 87}, {"id": 72}]);
    assert_eq!(ask(&mut netbox, "DELETE", "/api/ipam/ip-addresses/", &both).status, 409);
    assert_eq!(get(&mut netbox, "/api/ipam/ip-addresses/?id=87")["count"], 1);
}

#[test]
fn contexts_are_merged_again_after_an_edit() {
    let mut netbox = netbox();
    let data = json!({"data": {"mlag": {"dual_primary": {"delay_s": 20}}}});
    assert_eq!(ask(&mut netbox, "PATCH", "/api/extras/config-contexts/2/", &data).status, 200);
    assert_eq!(get(&mut netbox, "/api/dcim/devices/3/")["config_context"]["mlag"], json!({"dual_primary": {"delay_s": 20}}));
    assert_eq!(get(&mut netbox, "/api/dcim/devices/1/")["config_context"].get("mlag"), None, "a spine has another role");
    assert_eq!(
        ask(&mut netbox, "PATCH", "/api/dcim/devices/3/", &json!({"local_context_data": {"bgp": {"maximum_paths": {"ecmp": 2}}}})).status,
        200
    );
    let merged = get(&mut netbox, "/api/dcim/devices/3/");
    assert_eq!(merged["config_context"]["bgp"]["maximum_paths"], json!({"ecmp": 2, "paths": 4}));
}

#[test]
fn filters_select_what_they_name() {
    let mut netbox = netbox();
    let count = |netbox: &mut NetBox, path: &str| get(netbox, path)["count"].as_u64().expect("count");
    let all: BTreeMap<&str, u64> = BTreeMap::from([
        ("/api/dcim/interfaces/?device=leaf1", 12),
        ("/api/dcim/interfaces/?device_id=3&device_id=1", 22),
        ("/api/dcim/interfaces/?site=dc", 142),
        ("/api/ipam/ip-addresses/?device=leaf4&address=10.34.34.3/24", 1),
        ("/api/ipam/ip-addresses/?address=10.34.34.1", 2),
        ("/api/ipam/ip-addresses/?parent=10.34.34.0/24", 5),
        ("/api/ipam/vlans/?group=leaf1-leaf2&vid=40", 1),
        ("/api/ipam/prefixes/?within=10.0.1.0/24", 8),
        ("/api/plugins/bgp/session/?device_id=3", 5),
        ("/api/plugins/bgp/bgpsession/?name=leaf5-spine1-evpn", 1),
        ("/api/dcim/cables/?device_id=11", 2),
        ("/api/dcim/devices/?tag=evpn-fabric&role=spine", 2),
        ("/api/dcim/devices/?name__isw=leaf", 8),
        ("/api/dcim/devices/?nonsense=1", 14),
        ("/api/vpn/l2vpns/?identifier=110040", 1),
    ]);
    for (path, wanted) in all {
        assert_eq!(count(&mut netbox, path), wanted, "{path}");
    }
    for path in [
        "/api/dcim/devices/?tag=nope",
        "/api/dcim/devices/?status=nope",
        "/api/plugins/bgp/session/?site=dc",
        "/api/ipam/vlans/?related_to_site=1",
    ] {
        assert_eq!(ask(&mut netbox, "GET", path, &Value::Null).status, 400, "{path}");
    }
}

#[test]
fn writes_that_netbox_refuses() {
    let mut netbox = netbox();
    let cases = [
        ("/api/ipam/vlans/", json!({"vid": 40, "name": "x", "group": 1}), "VLAN with this Group and VLAN ID already exists."),
        ("/api/ipam/vlans/", json!({"vid": 41, "name": "x", "group": 99}), "using the provided numeric ID: 99"),
        ("/api/ipam/ip-addresses/", json!({"address": "10.0.1.0/31"}), "Duplicate IP address found in global table"),
        ("/api/ipam/ip-addresses/", json!({"address": "10.0.1.300/31"}), "Invalid IP address format"),
        (
            "/api/dcim/interfaces/",
            json!({"device": 3, "name": "Vlan7", "type": "virtual", "custom_fields": {"mlag_id": "x"}}),
            "must be an integer",
        ),
        (
            "/api/dcim/interfaces/",
            json!({"device": 3, "name": "Ethernet1", "type": "virtual"}),
            "Interface with this Device and Name already exists.",
        ),
        ("/api/ipam/vlans/", json!("text"), "Expected"),
    ];
    for (path, body, part) in cases {
        let answer = ask(&mut netbox, "POST", path, &body);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 400, "{path} {body}: {text}");
        assert!(text.contains(part), "{path} {body}: {text}");
    }
}
