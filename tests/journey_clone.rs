//! Labs larger than the reference fabric: every copy has its devices and its intent, and they agree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::process::Command;
use std::time::Duration;

use fabric_orchestrator::config::{self, Asked, Env};
use fabric_orchestrator::engine::snapshot::Stream;
use fabric_orchestrator::engine::{Engine, Options};
use fabric_orchestrator::sim::lab::{Lab, LabData, LabOptions, Scale};

async fn lab(scale: Scale, scenarios: &[&str]) -> Lab {
    let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have
    let scenarios = scenarios.iter().map(ToString::to_string).collect();
    Lab::start(LabData::embedded().unwrap(), LabOptions { scale, scenarios, ..LabOptions::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_agree_with_their_intent_and_drift_is_one_device_s() {
    for (devices, scenario, drifted) in [(23, None, 0), (20, Some("D19"), 1)] {
        let lab = lab(Scale { devices: Some(devices), ..Scale::default() }, scenario.as_slice()).await;
        assert_eq!(lab.devices.len(), devices);
        let settings = config::load(&Asked { config: Some(lab.config_file.clone()), ..Asked::default() }, &Env::lab()).unwrap();
        let mut engine = Engine::start(settings, Options::once(Vec::new(), None, Vec::new())).unwrap();
        let snapshot = engine.settled(Duration::from_secs(90)).await.unwrap();
        assert_eq!(snapshot.devices.len(), devices);
        for view in &snapshot.devices {
            assert_eq!(view.stream, Stream::Live, "{}: {}", view.name, view.trouble);
            assert!(view.tally.equal > 100, "{}: something was compared", view.name);
        }
        let changes: Vec<_> = snapshot.plan.changes().map(|(step, _)| step.device.to_string()).collect();
        assert_eq!(changes.len(), drifted, "{changes:?}");
        assert!(changes.iter().all(|device| device == "leaf5"), "scenarios play on the first copy");
        let codes: std::collections::BTreeSet<_> = snapshot.intent.findings.iter().map(|finding| finding.code.clone()).collect();
        assert!(!codes.iter().any(|code| code.contains("duplicate")), "{codes:?}");
        // Sessions of a whole copy are up as those of the fabric itself: each is a fabric of its own.
        let well = |prefix: &str| {
            let of = |view: &&std::sync::Arc<fabric_orchestrator::engine::snapshot::DeviceView>| {
                view.name.starts_with(prefix) && view.health.problems.is_empty()
            };
            snapshot.devices.iter().filter(of).count()
        };
        assert_eq!((well("f2-"), well("leaf") + well("spine")), (8, 8), "all but the two that wait for a neighbor outside");
        engine.stop().await;
        lab.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_filled_and_churn_as_asked() {
    for pre_encoded in [false, true] {
        let lab = lab(Scale { devices: Some(3), leaves: Some(4000), churn: Some(3000), pre_encoded }, &[]).await;
        let settings = config::load(&Asked { config: Some(lab.config_file.clone()), ..Asked::default() }, &Env::lab()).unwrap();
        let mut engine = Engine::start(settings, Options::once(Vec::new(), None, Vec::new())).unwrap();
        let snapshot = engine.settled(Duration::from_secs(60)).await.unwrap();
        for view in &snapshot.devices {
            let leaves = view.observed.len();
            assert!((3000..=4100).contains(&leaves), "{}: {leaves} leaves of those that are subscribed", view.name);
        }
        assert_eq!(snapshot.plan.changes().count(), 0, "what fills a device is no drift");
        let updates = |snapshot: &fabric_orchestrator::engine::snapshot::Snapshot| {
            snapshot.devices.iter().map(|view| view.counters.updates).sum::<u64>()
        };
        let before = updates(&snapshot);
        let later = engine.until(Duration::from_secs(30), |snapshot| updates(snapshot) > before + 3000).await.unwrap();
        assert!(updates(&later) > before + 3000, "{pre_encoded}: counters move");
        assert!(later.devices.iter().all(|view| view.stream == Stream::Live && view.counters.dropped == 0));
        engine.stop().await;
        lab.shutdown().await;
    }
}

#[test]
fn senseless_numbers_are_named() {
    for (args, word) in [
        (&["--clone", "0"][..], "--clone 0"),
        (&["--clone", "100", "--port-base", "65500"][..], "ports end at 65535"),
        (&["--leaves", "5"][..], "a device of this fabric has"),
        (&["--churn", "0"][..], "--churn 0"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fabric-orch")).args(["lab", "--headless"]).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(word), "{args:?}: {said}");
    }
    let limited = format!("ulimit -n 64; exec {} lab --headless --clone 100", env!("CARGO_BIN_EXE_fabric-orch"));
    let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("`ulimit -n`") && said.contains("64"), "{said}");
}
