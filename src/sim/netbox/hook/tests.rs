//! The posts a real NetBox sent are the oracle.

use std::path::Path;

use serde_json::{Value, json};

use super::signature;
use crate::sim::netbox::rest::NetBox;
use crate::sim::netbox::tests::{ask, netbox};

const SECRET: &str = "lab-webhook-secret";

fn recorded(name: &str) -> (Vec<u8>, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/netbox");
    let read = |part: &str| std::fs::read(folder.join(format!("webhook-{name}.{part}.json"))).expect("file");
    (read("body"), serde_json::from_slice(&read("headers")).expect("JSON"))
}

/// A NetBox with the seeding script's webhook and event rule.
fn hooked() -> NetBox {
    let mut netbox = netbox();
    let hook = json!({"name": "fabric-console", "payload_url": "http://127.0.0.1:9911/hook", "http_method": "POST",
        "http_content_type": "application/json", "secret": SECRET, "ssl_verification": false});
    assert_eq!(ask(&mut netbox, "POST", "/api/extras/webhooks/", &hook).status, 201);
    let rule = json!({"name": "fabric-intent-changed", "enabled": true, "action_type": "webhook", "action_object_type": "extras.webhook",
        "action_object_id": 1, "event_types": ["object_created", "object_updated", "object_deleted"],
        "object_types": ["dcim.interface", "ipam.ipaddress", "ipam.vlan", "extras.configcontext", "vpn.l2vpntermination"]});
    let answer = ask(&mut netbox, "POST", "/api/extras/event-rules/", &rule);
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((answer.status, &body["action_object"]["name"]), (201, &json!("fabric-console")), "{body}");
    assert_eq!(netbox.posts(), []);
    netbox
}

/// Both bodies without what time and the recording's server decide.
fn comparable(mut body: Value) -> Value {
    for path in [
        "/timestamp",
        "/request/id",
        "/data/created",
        "/data/last_updated",
        "/snapshots/prechange/created",
        "/snapshots/postchange/created",
    ] {
        if let Some(value) = body.pointer_mut(path) {
            *value = json!("-");
        }
    }
    // What Django keeps for itself is not in the lab.
    for part in ["prechange", "postchange"] {
        if let Some(map) = body.pointer_mut(&format!("/snapshots/{part}")).and_then(Value::as_object_mut) {
            map.retain(|name, _| !name.starts_with('_') && name != "auto_sync_enabled");
            map.sort_keys();
        }
    }
    body
}

#[test]
fn signatures_are_those_of_the_real_one() {
    for name in ["dcim-interface-updated", "ipam-vlan-created", "ipam-vlan-deleted", "branch-dcim-interface-updated"] {
        let (body, headers) = recorded(name);
        assert_eq!(headers["X-Hook-Signature"], signature(SECRET.as_bytes(), &body), "{name}");
    }
}

#[test]
fn a_change_posts_what_the_real_one_posted() {
    let mut netbox = hooked();
    let vlan = json!({"vid": 999, "name": "webhook-test", "group": 1, "status": "reserved"});
    let calls = [
        ("ipam-vlan-created", "POST", "/api/ipam/vlans/".to_owned(), vlan),
        ("ipam-vlan-deleted", "DELETE", "/api/ipam/vlans/14/".to_owned(), Value::Null),
    ];
    for (name, method, path, body) in calls {
        let (want, headers) = recorded(name);
        assert!(ask(&mut netbox, method, &path, &body).status < 300, "{name}");
        let posts = netbox.posts();
        let [post] = posts.as_slice() else { panic!("{name}: {} posts", posts.len()) };
        assert_eq!((post.method.as_str(), post.url.as_str()), ("POST", "http://127.0.0.1:9911/hook"));
        let want = comparable(serde_json::from_slice(&want).expect("JSON"));
        let have = comparable(serde_json::from_slice(&post.body).expect("JSON"));
        assert_eq!(crate::sim::netbox::tests::difference(&have, &want, name), None);
        let mut names: Vec<&str> = post.headers.iter().map(|(name, _)| name.as_str()).chain(["Host"]).collect();
        let mut wanted: Vec<&str> = headers.as_object().expect("headers").keys().map(String::as_str).collect();
        names.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(names, wanted);
        let signed = post.headers.iter().find(|(name, _)| name == "X-Hook-Signature").map(|(_, value)| value.clone());
        assert_eq!(signed, Some(signature(SECRET.as_bytes(), &post.body)));
    }
}

#[test]
fn bodies_are_written_as_python_writes_them() {
    let (recorded, _) = recorded("dcim-interface-updated");
    let value: Value = serde_json::from_slice(&recorded).expect("JSON");
    assert_eq!(String::from_utf8_lossy(&super::spaced(&value)), String::from_utf8_lossy(&recorded));
    assert_eq!(String::from_utf8_lossy(&super::spaced(&json!({"a": ["\u{e9}\u{1f600}", null]}))), r#"{"a": ["\u00e9\ud83d\ude00", null]}"#);
}

#[test]
fn one_post_an_object_and_none_for_a_refused_request() {
    let mut netbox = hooked();
    let both = json!([{"id": 27, "mtu": 9000}, {"id": 28, "mtu": 9000}]);
    assert_eq!(ask(&mut netbox, "PATCH", "/api/dcim/interfaces/", &both).status, 200);
    assert_eq!(netbox.posts().len(), 2, "a bulk edit is one post each");
    // Deleting an address of a device is one event for the address; other kinds have no rule.
    assert_eq!(ask(&mut netbox, "PATCH", "/api/dcim/devices/3/", &json!({"comments": "x"})).status, 200);
    assert_eq!(netbox.posts(), []);
    assert_eq!(ask(&mut netbox, "PATCH", "/api/dcim/interfaces/27/", &json!({"mtu": -1})).status, 400);
    let half = json!([{"id": 27, "mtu": 9100}, {"id": 28, "mtu": -1}]);
    assert_eq!(ask(&mut netbox, "PATCH", "/api/dcim/interfaces/", &half).status, 400);
    assert_eq!(netbox.posts(), [], "what is refused did not happen");
    assert_eq!(ask(&mut netbox, "PATCH", "/api/extras/event-rules/1/", &json!({"enabled": false})).status, 200);
    assert_eq!(ask(&mut netbox, "PATCH", "/api/dcim/interfaces/27/", &json!({"mtu": 9200})).status, 200);
    assert_eq!(netbox.posts(), [], "the rule is off");
}
