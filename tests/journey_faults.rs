//! Journeys in which something breaks during a commit: what is said of each device is what is true of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "journey/process.rs"]
#[allow(dead_code)] // each journey takes what it needs of it
mod process;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use process::{BINARY, Lab};
use serde_json::{Value, json};

/// The reference lab with one more scenario: the events of `base`, then a fault on a device.
fn lab(base: &str, device: &str, fault: &Value) -> (tempfile::TempDir, Lab) {
    let folder = tempfile::tempdir().unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab");
    for part in ["devices", "netbox", "topology.json"] {
        copy(&own.join(part), &folder.path().join(part));
    }
    let mut scenario: Value = serde_json::from_slice(&std::fs::read(own.join(format!("scenarios/{base}.json"))).unwrap()).unwrap();
    scenario["id"] = "broken".into();
    scenario["event"].as_array_mut().unwrap().push(json!({"device": device, "fault": fault}));
    std::fs::create_dir(folder.path().join("scenarios")).unwrap();
    std::fs::write(folder.path().join("scenarios/broken.json"), scenario.to_string()).unwrap();
    let lab = Lab::serve(&["--dir", folder.path().to_str().unwrap()], &["broken"]);
    (folder, lab)
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).unwrap();
    }
}

/// `leaf3 failed`
fn outcomes(done: &Value) -> Vec<String> {
    let row = |row: &Value| format!("{} {}", row["device"].as_str().unwrap(), row["outcome"].as_str().unwrap());
    done["devices"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn a_lost_answer_is_read_back_and_never_sent_again() {
    let (_folder, after) = lab("D19", "leaf5", &json!({"set": "drop_after", "set_times": 1}));
    let (code, done) = after.json(&["apply", "--yes", "--json"]);
    assert_eq!((code, outcomes(&done)), (0, vec!["leaf5 applied".to_owned()]), "{done:#}");
    assert!(done["devices"][0]["reason"].as_str().unwrap().contains("answer was lost"), "{done:#}");
    assert_eq!(after.json(&["plan", "--json"]).0, 0);

    let (_folder, before) = lab("D19", "leaf5", &json!({"set": "drop_before", "set_times": 1}));
    let (code, done) = before.json(&["apply", "--yes", "--json"]);
    assert_eq!((code, outcomes(&done)), (4, vec!["leaf5 unknown".to_owned()]), "{done:#}");
    assert_eq!(before.json(&["plan", "--json"]).0, 2, "it was not sent a second time");
}

#[test]
fn a_failed_wave_stops_the_ones_after() {
    let (_folder, lab) = lab("D02", "leaf3", &json!({"set": {"refuse": {"code": 9, "message": "commit pending"}}}));
    let (code, done) = lab.json(&["apply", "--yes", "--json"]);
    assert_eq!((code, outcomes(&done)), (1, vec!["leaf3 failed".to_owned(), "leaf4 refused".to_owned()]), "{done:#}");
    assert!(done["devices"][0]["reason"].as_str().unwrap().contains("commit pending"), "{done:#}");
    assert!(done["devices"][1]["reason"].as_str().unwrap().contains("wave 1 failed"), "{done:#}");
    let plan = lab.json(&["plan", "--json"]).1;
    assert_eq!(plan["changes"].as_array().unwrap().len(), 2, "nothing was changed");
}

#[test]
fn after_a_kill_the_journal_says_what_nobody_knows() {
    let (_folder, lab) = lab("D19", "leaf5", &json!({"set": "hang_before"}));
    let mut apply =
        Command::new(BINARY).args(["--config", &lab.config, "apply", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    loop {
        let action = lab.json(&["history", "--json"]).1["operations"][0]["actions"][0].clone();
        if action["phase"] == "sending" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{action}");
    }
    apply.kill().unwrap();
    apply.wait().unwrap();
    let history = lab.json(&["history", "--json"]).1;
    assert_eq!(history["operations"][0]["status"], "interrupted: 0 done, 0 not done, 1 unknown", "{history:#}");
    assert_eq!(lab.json(&["history", "--verify", "--json"]).1["broken_at"], Value::Null);
}
