//! A device that says no, or comes back as another: rows D14 to D16.

use std::time::Duration;

use fabric_orchestrator::engine::snapshot::{Outcome, Phase, Stream};
use fabric_orchestrator::path::{ORIGIN_CLI, Path};
use fabric_orchestrator::sim::eos::{Faults, SetFault};
use fabric_orchestrator::value::Value;

use super::fixture::{Fixture, path};

fn mtu(port: u32) -> Path {
    path(&format!("/interfaces/interface[name=Ethernet{port}]/subinterfaces/subinterface[index=0]/ipv4/config/mtu"))
}

fn outcome(phase: &Phase) -> Outcome {
    match phase {
        Phase::Done(outcome) => *outcome,
        other => panic!("{other:?}"),
    }
}

/// D14: reading is allowed, writing is not. The mirror lives, the commit says why not.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_is_denied_changes_nothing_and_costs_no_stream() {
    let mut all = Fixture::start(false, Faults { deny_set: true, ..Faults::default() }).await;
    all.drift(&[(&mtu(11), Value::Uint(1600))]).await;
    let step = all.commit().await;
    assert_eq!(outcome(&step.phase), Outcome::Failed, "{step:?}");
    assert!(step.reason.contains("OpenConfig.Set"), "{}", step.reason);
    let view = all.until("still drifted", |view| view.changes.as_ref().is_some_and(|changes| changes.len() == 1)).await;
    assert_eq!((view.stream, view.trouble.as_str()), (Stream::Live, ""));
    // One path alone.
    all.faults(|faults| *faults = Faults { deny_paths: vec![path("/interfaces/interface[name=Ethernet11]")], ..Faults::default() });
    let step = all.commit().await;
    assert!(outcome(&step.phase) == Outcome::Failed && step.reason.contains("not authorized to write"), "{step:?}");
    assert!(step.reason.contains("Ethernet11"), "{}", step.reason);
    all.faults(|faults| *faults = Faults::default());
    assert_eq!(outcome(&all.commit().await.phase), Outcome::Applied);
    all.end().await;
}

/// D14: one path is not for us. It is named, the others are live, and nothing is claimed where nobody looks.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_denied_costs_only_itself_and_makes_no_drift() {
    let (lacp, lines) = (path("/lacp"), Path::root().with_origin(ORIGIN_CLI).child("show running-config"));
    let refused = vec![lacp.clone(), lines];
    let faults = Faults { refuse_subscribe: vec![lacp.clone()], refuse_get: refused, ..Faults::default() };
    let mut all = Fixture::start(false, faults).await;
    let view = all.until("live without", |view| view.stream == Stream::Live && view.counters.missing == 1).await;
    assert_eq!(view.refused_paths.iter().map(|(path, _)| path).collect::<Vec<_>>(), [&lacp], "the denied path is named");
    assert!(view.desired.below(&lacp).len() > 2 && view.observed.below(&lacp).is_empty());
    let view = all.until("compared", |view| view.changes.is_some()).await;
    assert_eq!(view.changes.as_ref().unwrap().len(), 0, "{:?}", view.changes);
    assert!(view.notes.iter().any(|note| note.contains("not seen") && note.contains("neither compared nor planned")), "{:?}", view.notes);
    let findings: Vec<_> = {
        let snapshot = all.engine.snapshots.borrow();
        snapshot.plan.findings.iter().map(|finding| (finding.code.clone(), finding.path.clone())).collect()
    };
    assert!(findings.contains(&("path-refused".into(), Some(lacp.clone()))), "{findings:?}");
    assert!(findings.contains(&("running-config-unreadable".into(), None)), "{findings:?}");
    // Drift elsewhere is seen as ever, and so is lacp once it is allowed again.
    all.drift(&[(&mtu(11), Value::Uint(1600))]).await;
    all.faults(|faults| *faults = Faults::default());
    all.engine.send(fabric_orchestrator::engine::command::Command::Resync("leaf1".into())).await.unwrap();
    let view =
        all.until("lacp", |view| view.refused_paths.is_empty() && view.notes.is_empty() && !view.observed.below(&lacp).is_empty()).await;
    assert_eq!(view.counters.missing, 0);
    all.end().await;
}

/// D15: it boots in the middle of a Set. Nobody is told that all is well, nor that nothing happened.
#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_during_a_set_is_read_back_and_classified() {
    let mut all = Fixture::start(false, Faults::default()).await;
    let leaves = [(&mtu(11), Value::Uint(1600)), (&mtu(1), Value::Uint(1601))];
    all.drift(&leaves).await;
    all.faults(|faults| (faults.set, faults.set_times) = (SetFault::RebootDuring, 1));
    let step = all.commit().await;
    assert_eq!(outcome(&step.phase), Outcome::Unknown, "{step:?}");
    assert!(step.reason.contains("1 of 2 changes are there when read back"), "{}", step.reason);
    let view =
        all.until("the half", |view| view.stream == Stream::Live && view.changes.as_ref().is_some_and(|changes| changes.len() == 1)).await;
    assert!(view.notes.is_empty(), "it came back with its configuration: {:?}", view.notes);
    assert!(all.said().iter().any(|text| text == "rebooted"), "{:?}", all.said());
    all.end().await;
}

/// D15: a reboot that loses the configuration shows as one, as differences of that device alone, and heals by a commit's hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_lost_its_configuration_says_so() {
    let mut all = Fixture::start(false, Faults::default()).await;
    let booted = all.until("synced", |view| view.booted.is_some()).await.booted.unwrap();
    let device = all.device("leaf1");
    let whole = {
        let mut inner = device.lock();
        let whole = inner.startup.clone();
        inner.startup.leaves.retain(|path, _| path.to_string().starts_with("/system"));
        whole
    };
    all.lab.fabric().reboot("leaf1", Duration::from_millis(200), false);
    let lost = |view: &fabric_orchestrator::engine::snapshot::DeviceView| {
        view.stream == Stream::Live && view.changes.as_ref().is_some_and(|changes| changes.len() > 50) && !view.notes.is_empty()
    };
    let view = all.until("its differences", lost).await;
    assert!(view.booted.unwrap() > booted, "the boot time tells a reboot from a change");
    assert!(view.notes[0].starts_with("came up without its configuration: "), "{:?}", view.notes);
    assert!(all.said().iter().any(|text| text.starts_with("rebooted, without its configuration: ")), "{:?}", all.said());
    // With it, the next boot is only that.
    device.lock().startup = whole;
    all.lab.fabric().reboot("leaf1", Duration::from_millis(200), false);
    let healed = |view: &fabric_orchestrator::engine::snapshot::DeviceView| {
        view.stream == Stream::Live && view.notes.is_empty() && view.changes.as_ref().is_some_and(|changes| changes.is_empty())
    };
    all.until("in sync again", healed).await;
    all.end().await;
}

/// D15: another chassis answers at the address.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_replaced_is_told_from_one_that_booted() {
    let mut all = Fixture::start(false, Faults::default()).await;
    let chassis = path("/lldp/state/chassis-id");
    let was = all.until("its chassis", |view| view.observed.value(&chassis).is_some()).await.observed.value(&chassis).unwrap().to_string();
    all.device("leaf1").inject([(chassis, Value::str("00:1c:73:99:99:01"))]);
    all.lab.fabric().reboot("leaf1", Duration::from_millis(200), true);
    let view = all.until("noted", |view| view.stream == Stream::Live && !view.notes.is_empty()).await;
    assert_eq!(view.notes, [format!("other hardware: chassis 00:1c:73:99:99:01, it was {was}")]);
    assert!(all.said().iter().any(|text| text.starts_with("replaced: ")) && !all.said().iter().any(|text| text == "rebooted"));
    // Somebody looked at it and says so.
    all.engine.send(fabric_orchestrator::engine::command::Command::Resync("leaf1".into())).await.unwrap();
    all.until("accepted", |view| view.stream == Stream::Live && view.notes.is_empty()).await;
    all.end().await;
}

/// D16: whatever code a Set is refused with, nothing was changed, the device's words are told, and it can be sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_is_refused_says_why_whatever_the_code() {
    let mut all = Fixture::start(false, Faults::default()).await;
    all.drift(&[(&mtu(11), Value::Uint(1600))]).await;
    // gRPC's RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, UNIMPLEMENTED, UNAVAILABLE.
    for code in [8, 9, 10, 12, 14] {
        let message = format!("reason number {code}");
        all.faults(|faults| (faults.set, faults.set_times) = (SetFault::Refuse { code, message: message.clone() }, 1));
        let step = all.commit().await;
        assert_eq!(outcome(&step.phase), Outcome::Failed, "{code}: {step:?}");
        assert!(step.reason.contains(&message), "{code}: {}", step.reason);
        let view = all.until("unchanged", |view| view.changes.as_ref().is_some_and(|changes| changes.len() == 1)).await;
        assert_eq!(view.stream, Stream::Live, "{code}");
    }
    assert_eq!(outcome(&all.commit().await.phase), Outcome::Applied);
    all.end().await;
}
