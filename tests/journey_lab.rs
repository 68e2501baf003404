//! Journeys over the whole way, by the binary: a lab serves, `plan` sees, `apply` commits, a second `plan` is clean.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "journey/process.rs"]
#[allow(dead_code)] // each journey takes what it needs of it
mod process;

use std::process::Command;

use process::{BINARY, Lab};
use serde_json::Value;

/// `leaf5 update …/ipv4/config/mtu`
fn changes(plan: &Value) -> Vec<String> {
    let row = |change: &Value| {
        let path = change["path"].as_str().unwrap();
        let tail: Vec<_> = path.rsplitn(3, '/').take(2).collect();
        format!("{} {} {}/{}", change["device"].as_str().unwrap(), change["kind"].as_str().unwrap(), tail[1], tail[0])
    };
    plan["changes"].as_array().unwrap().iter().map(row).collect()
}

/// Plan exactly these, apply them, plan nothing.
fn repaired(scenario: &str, expected: &[&str], waves: &Value) {
    let lab = Lab::start(&[scenario]);
    let (code, plan) = lab.json(&["plan", "--json"]);
    assert_eq!((code, changes(&plan)), (2, expected.iter().map(ToString::to_string).collect()), "{scenario}: {plan:#}");
    assert_eq!(plan["waves"], *waves, "{scenario}");
    let (code, done) = lab.json(&["apply", "--yes", "--json"]);
    assert_eq!((code, &done["applied"], &done["in_sync"]), (0, &Value::Bool(true), &Value::Bool(true)), "{scenario}: {done:#}");
    let (code, plan) = lab.json(&["plan", "--json"]);
    assert_eq!((code, changes(&plan)), (0, vec![]), "{scenario}");
}

#[test]
fn the_untouched_lab_is_in_sync() {
    let lab = Lab::start(&[]);
    let (code, plan) = lab.json(&["plan", "--json"]);
    assert_eq!((code, &plan["in_sync"], changes(&plan)), (0, &Value::Bool(true), vec![]));
    assert_eq!(plan["unknown"], serde_json::json!([]));
    let (code, drift) = lab.json(&["drift", "status", "--json"]);
    assert_eq!((code, drift["devices"].as_array().unwrap().len()), (0, 10));
    assert!(drift["devices"].as_array().unwrap().iter().all(|row| row["equal"].as_u64() > Some(100)), "something was compared");
    let (code, done) = lab.json(&["apply", "--yes", "--json"]);
    assert_eq!((code, &done["in_sync"]), (0, &Value::Bool(true)));
}

#[test]
fn families_and_networks_come_back() {
    repaired("D01", &["spine1 create config/enabled"], &serde_json::json!([["spine1"]]));
    repaired("D02", &["leaf3 create config/network", "leaf4 create config/network"], &serde_json::json!([["leaf3"], ["leaf4"]]));
}

#[test]
fn ports_and_lags_come_back() {
    repaired("D13", &["leaf2 create config/trunk-vlans"], &serde_json::json!([["leaf2"]]));
    repaired("D15", &["leaf1 update config/lag-type"], &serde_json::json!([["leaf1"]]));
    repaired("D16", &["leaf6 create config/mlag"], &serde_json::json!([["leaf6"]]));
    repaired("D19", &["leaf5 update config/mtu"], &serde_json::json!([["leaf5"]]));
    repaired("D22", &["leaf4 update config/enabled"], &serde_json::json!([["leaf4"]]));
}

#[test]
fn overlay_and_gateways_come_back() {
    repaired("D20", &["leaf6 update config/export", "leaf6 update config/import"], &serde_json::json!([["leaf6"]]));
    let lab = Lab::start(&["D21"]);
    let (code, plan) = lab.json(&["plan", "--json"]);
    let values: Vec<_> = plan["changes"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect();
    assert_eq!((code, values), (2, vec!["delete", "update", "create"]), "virtual MAC before address");
    assert_eq!(lab.json(&["apply", "--yes", "--json"]).0, 0);
    assert_eq!(lab.json(&["plan", "--json"]).0, 0);
}

#[test]
fn what_is_no_difference_is_none_and_what_is_not_kept_is_not_sent_again() {
    let lab = Lab::start(&["D18"]);
    assert_eq!(lab.json(&["plan", "--json"]).0, 0);
    let lab = Lab::start(&["D05"]);
    assert_eq!(lab.json(&["plan", "--json"]).0, 2);
    let (code, done) = lab.json(&["apply", "--yes", "--json"]);
    assert_eq!((code, done["devices"][0]["outcome"].as_str()), (1, Some("not_retained")), "{done:#}");
    let (code, plan) = lab.json(&["plan", "--json"]);
    assert_eq!((code, changes(&plan)), (0, vec![]));
    assert!(plan["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == "not-retained"), "{plan:#}");
    let history = lab.json(&["history", "--json"]).1;
    assert_eq!(history["operations"][0]["actions"][0]["outcome"], "not_retained");
}

#[test]
fn devices_that_cannot_be_read_are_named_and_the_others_go_on() {
    let lab = Lab::start(&["D24"]);
    let (code, plan) = lab.json(&["plan", "--json"]);
    let unknown: Vec<_> =
        plan["unknown"].as_array().unwrap().iter().map(|row| (row["device"].as_str().unwrap(), row["state"].as_str().unwrap())).collect();
    assert_eq!((code, unknown), (1, vec![("spine1", "auth-failed"), ("spine2", "auth-failed")]));
    let lab = Lab::start(&["D28"]);
    let (code, plan) = lab.json(&["plan", "--json"]);
    assert_eq!(code, 0);
    assert!(plan["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == "path-refused"));
}

#[test]
fn nothing_is_planned_from_half_an_intent() {
    for (fault, word) in [
        ("netbox-denied", "denied"),
        ("netbox-error", "answered 5"),
        ("netbox-login-page", "instead of JSON"),
        ("netbox-truncated-page", "cut"),
    ] {
        let lab = Lab::start(&[fault]);
        let (code, plan) = lab.json(&["plan", "--json"]);
        let error = plan["error"].as_str().unwrap_or_default();
        assert!(code == 1 && error.contains("nothing is planned") && error.contains(word), "{fault}: {plan:#}");
        assert!(plan.get("changes").is_none());
    }
}

#[test]
fn a_saved_plan_is_committed_once_and_refused_when_the_device_moved() {
    let lab = Lab::start(&["D19"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let file = file.to_str().unwrap();
    assert_eq!(lab.run(&["plan", "--out", file]).status.code(), Some(2));
    let bent = folder.path().join("bent.json");
    std::fs::write(&bent, std::fs::read_to_string(file).unwrap().replace("9214", "9215")).unwrap();
    let refused = lab.run(&["apply", bent.to_str().unwrap(), "--yes"]);
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stderr));
    let mtu = "/interfaces/interface[name=Ethernet11]/subinterfaces/subinterface[index=0]/ipv4/config/mtu";
    let set =
        |value: &str| lab.run(&["discover", "set", "--target", "leaf5", "--update", &format!("{mtu}={value}"), "--yes"]).status.code();
    assert_eq!(set("1600"), Some(0));
    let (code, done) = lab.json(&["apply", file, "--yes", "--json"]);
    assert_eq!(code, 3, "{done:#}");
    assert!(done["devices"][0]["reason"].as_str().unwrap().contains("stale"), "{done:#}");
    assert_eq!(set("1500"), Some(0));
    assert_eq!(lab.run(&["apply", file, "--yes"]).status.code(), Some(0));
    let (code, done) = lab.json(&["apply", file, "--yes", "--json"]);
    assert_eq!((code, done["devices"][0]["outcome"].as_str()), (0, Some("unchanged")), "{done:#}");
}

#[test]
fn writes_want_permission_and_a_yes() {
    let lab = Lab::start(&["D19"]);
    let refused = lab.run(&["apply"]);
    assert_eq!(refused.status.code(), Some(3), "{}", String::from_utf8_lossy(&refused.stderr));
    let read_only = tempfile::tempdir().unwrap();
    let config = read_only.path().join("config.toml");
    std::fs::write(&config, std::fs::read_to_string(&lab.config).unwrap().replace("write = true", "write = false")).unwrap();
    let output = Command::new(BINARY).args(["--config", config.to_str().unwrap(), "apply", "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--write"));
    assert_eq!(lab.json(&["plan", "--json"]).0, 2, "nothing was sent");
}

#[test]
fn secrets_stay_where_they_are() {
    let lab = Lab::start(&["D19"]);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let output = lab.run(&["plan", "--json", "--log", log.to_str().unwrap()]);
    let all = [output.stdout, output.stderr, std::fs::read(&log).unwrap()].concat();
    let all = String::from_utf8_lossy(&all);
    assert!(!all.contains(&lab.token) && !all.contains("password = "), "{all}");
    assert!(all.contains(&lab.url));
}
