#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code
//! `rollback` as it is typed: an operation is taken back, and refused where somebody was there since.

#[path = "journey/process.rs"]
#[allow(dead_code)] // each journey takes what it needs of it
mod process;

use process::Lab;
use serde_json::{Value, json};

/// What a plan asks for, without who wanted it and when.
fn asked(plan: &Value) -> Vec<(String, String, Value, Value)> {
    let change = |change: &Value| {
        let text = |name: &str| change[name].as_str().unwrap().to_owned();
        (text("device"), text("path"), change["desired"].clone(), change["observed"].clone())
    };
    plan["changes"].as_array().unwrap().iter().map(change).collect()
}

#[test]
fn an_operation_is_taken_back_and_its_difference_is_there_again() {
    let lab = Lab::start(&[]);
    // A leaf that is updated, a list entry that is made.
    let patched = lab.netbox("PATCH", "/api/dcim/interfaces/46/", &[], r#"{"mtu": 9000, "description": "to be taken back"}"#);
    assert_eq!(patched.0, 200, "{:#}", patched.1);
    let group = lab.netbox("GET", "/api/ipam/vlans/?vid=40&limit=1", &[], "").1["results"][0]["group"]["id"].clone();
    let made = lab.netbox("POST", "/api/ipam/vlans/", &[], &json!({"vid": 61, "name": "made", "group": group}).to_string());
    assert_eq!(made.0, 201, "{:#}", made.1);
    let (code, before) = lab.json(&["plan", "--json"]);
    assert_eq!(code, 2);
    assert!(asked(&before).len() >= 4, "{before:#}");
    let (code, done) = lab.json(&["apply", "--yes", "--json"]);
    assert_eq!((code, &done["applied"], &done["in_sync"]), (0, &json!(true), &json!(true)), "{done:#}");
    let first = done["operation"].as_u64().unwrap().to_string();

    // Only written: nothing is sent.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("back.json");
    let file = file.to_str().unwrap();
    let (code, written) = lab.json(&["rollback", &first, "--out", file, "--json"]);
    assert_eq!(code, 2, "{written:#}");
    assert!(written["findings"].to_string().contains("takes back operation"), "{written:#}");
    assert_eq!(lab.json(&["plan", "--json"]).0, 0, "still in sync");

    let (code, back) = lab.json(&["apply", file, "--yes", "--json"]);
    assert_eq!(code, 0, "{back:#}");
    let (code, after) = lab.json(&["plan", "--json"]);
    assert_eq!((code, asked(&after)), (2, asked(&before)), "every device is as it was before");

    // Nobody takes an operation back over one that came after it.
    let (code, refused) = lab.json(&["rollback", &first, "--yes", "--json"]);
    let second = back["operation"].as_u64().unwrap();
    assert_eq!(code, 3, "{refused:#}");
    assert!(refused["error"].as_str().unwrap().contains(&format!("operation {second} by ")), "{refused:#}");
    // But the rollback itself can be taken back: intent is on the devices again.
    let (code, again) = lab.json(&["rollback", &second.to_string(), "--yes", "--json"]);
    assert_eq!((code, &again["in_sync"]), (0, &json!(true)), "{again:#}");
    assert_eq!(lab.json(&["plan", "--json"]).0, 0);
}

#[test]
fn what_was_changed_since_or_never_was_is_refused_by_name() {
    let lab = Lab::start(&[]);
    assert_eq!(lab.netbox("PATCH", "/api/dcim/interfaces/46/", &[], r#"{"description": "ours"}"#).0, 200);
    let (code, done) = lab.json(&["apply", "--yes", "--json"]);
    assert_eq!(code, 0, "{done:#}");
    let first = done["operation"].as_u64().unwrap().to_string();
    let change = &done["devices"][0]["device"];
    let path = "/interfaces/interface[name=Ethernet11]/config/description";
    let set =
        lab.run(&["--write", "discover", "set", "--target", change.as_str().unwrap(), "--yes", "--update", &format!("{path}=\"theirs\"")]);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let (code, refused) = lab.json(&["rollback", &first, "--yes", "--json"]);
    let words = refused["error"].as_str().unwrap();
    assert_eq!(code, 3, "{refused:#}");
    assert!(words.contains(path) && words.contains("theirs") && words.contains("somebody changed it since"), "{words}");
    let (code, refused) = lab.json(&["rollback", "4711", "--yes", "--json"]);
    assert_eq!(code, 3);
    assert!(refused["error"].as_str().unwrap().contains("operation 4711 is not in the journal"), "{refused:#}");
    // Nothing was sent by either.
    let (_, plan) = lab.json(&["plan", "--json"]);
    assert_eq!(asked(&plan).iter().map(|row| (row.1.as_str(), &row.3)).collect::<Vec<_>>(), [(path, &json!("theirs"))]);
}
