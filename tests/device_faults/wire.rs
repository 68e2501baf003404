//! What the wire does: row D4, floods, and what a thousand reconnects leave behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fabric_orchestrator::config::Timing;
use fabric_orchestrator::engine::snapshot::Stream;
use fabric_orchestrator::gnmi::Target;
use fabric_orchestrator::gnmi::session::{Control, Counters, Limits, SessionEvent, Settings, State, Subscription, run};
use fabric_orchestrator::gnmi::wire::budget::Budget;
use fabric_orchestrator::gnmi::wire::canon::AsItCame;
use fabric_orchestrator::gnmi::wire::walk::Decoder;
use fabric_orchestrator::sim::eos::Faults;
use fabric_orchestrator::sim::lab::{Lab, LabData, LabOptions};
use fabric_orchestrator::tree::{Paths, Tree};
use fabric_orchestrator::value::Value;

use super::fixture::{Fixture, Middle, path};

/// D4: everything is swallowed, no FIN, and nothing was expected to come: only asking shows that nobody is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_peer_is_noticed_without_traffic() {
    let usual = Timing::default();
    assert!(usual.keepalive >= Duration::from_secs(300), "servers that allow a ping in five minutes say too_many_pings otherwise");
    let middle = Arc::new(tokio::sync::OnceCell::new());
    let runtime = tokio::runtime::Handle::current();
    let mut all = Fixture::with(false, Faults::default(), |settings, address| {
        let made = tokio::task::block_in_place(|| runtime.block_on(Middle::before(address)));
        settings.targets.get_mut("leaf1").unwrap().address = Some(made.address.to_string());
        // Long enough for an answer on a machine under load.
        (settings.timing.keepalive, settings.timing.keepalive_answer) = (Duration::from_millis(500), Duration::from_secs(8));
        (settings.timing.retry, settings.timing.retry_most) = (Duration::from_millis(50), Duration::from_millis(200));
        let _ = middle.set(made);
    })
    .await;
    let middle = middle.get().unwrap();
    let before = all.until("live", |view| view.stream == Stream::Live).await;
    assert_eq!(before.counters.resyncs, 0, "a peer that answers is not taken for dead");
    middle.swallow(true);
    let view = all.until("stale", |view| view.stream == Stream::Stale).await;
    assert!(!view.trouble.is_empty(), "it says why");
    assert_eq!(view.observed.len(), before.observed.len(), "what was known is kept, and shown as old");
    let unknown = all.engine.snapshots.borrow().plan.unknown.iter().any(|unknown| &*unknown.device == "leaf1");
    assert!(unknown, "nothing is planned on what is old");
    middle.swallow(false);
    all.until("live again", |view| view.stream == Stream::Live && view.trouble.is_empty()).await;
    all.end().await;
}

/// A device that never stops talking is flagged and read slower; what happens on others is seen meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_device_is_flagged_and_delays_no_other() {
    let mut all = Fixture::with(false, Faults::default(), |settings, _| settings.limits.updates_per_second = 500).await;
    let (device, stop) = (all.device("leaf1"), Arc::new(AtomicBool::new(false)));
    let flood = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let leaf = |n: u64| path(&format!("/interfaces/interface[name=Ethernet1]/state/counters/made-{n}"));
            let paths: Vec<_> = (0..200).map(leaf).collect();
            for round in 0u64.. {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                device.inject(paths.iter().cloned().map(|path| (path, Value::Uint(round))));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    let view = all.until("flagged", |view| !view.notes.is_empty()).await;
    assert!(view.stream == Stream::Live && view.notes[0].starts_with("floods: "), "{:?}", view.notes);
    assert!(all.said().iter().any(|text| text.starts_with("floods: more than 500 updates a second")), "{:?}", all.said());
    let mtu = path("/interfaces/interface[name=Ethernet11]/subinterfaces/subinterface[index=0]/ipv4/config/mtu");
    let script = serde_json::json!({"device": "leaf2", "set": {"update": [{"path": mtu, "value": 1600}]}});
    all.lab.fabric().apply_event(&serde_json::from_value(script).unwrap()).unwrap();
    let drifted = |snapshot: &fabric_orchestrator::engine::snapshot::Snapshot| {
        snapshot.devices.iter().any(|view| &*view.name == "leaf2" && view.changes.as_ref().is_some_and(|changes| changes.len() == 1))
    };
    let snapshot = all.engine.until(Duration::from_secs(60), drifted).await.unwrap();
    assert!(drifted(&snapshot), "the drift of leaf2 is seen");
    let (flooding, other) =
        (&super::fixture::leaf1(&snapshot).counters, snapshot.devices.iter().find(|view| &*view.name == "leaf2").unwrap());
    assert_eq!((other.counters.dropped, other.notes.len(), flooding.dropped), (0, 0, 0));
    stop.store(true, Ordering::SeqCst);
    flood.await.unwrap();
    all.end().await;
}

/// A thousand times cut, a thousand times back: the same tasks, streams, leaves and paths as after the first.
#[tokio::test]
async fn a_thousand_reconnects_leave_nothing_behind() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lab = Lab::start(LabData::embedded().unwrap(), LabOptions::default()).await.unwrap();
    let device = Arc::clone(lab.fabric().device("leaf1").unwrap());
    let at = lab.devices.iter().find(|(name, _)| name == "leaf1").unwrap().1;
    let target = Target::new("leaf1", at.to_string()).plaintext().user("admin", "admin");
    let quick = Duration::from_millis(1);
    let limits = Limits { backoff_first: quick, backoff_most: quick, settle_first: quick, settle: quick, ..Limits::default() };
    let budget = Budget::new(1_000_000);
    let settings = Settings {
        limits,
        budget: Arc::clone(&budget),
        new_paths: 10_000,
        ..Settings::new(target, vec![Subscription::on_change(path("/system/config")), Subscription::on_change(path("/lldp"))])
    };
    let decoder = Decoder::new(Paths::new(), Arc::new(AsItCame));
    let mut tree = Tree::new(Arc::clone(decoder.paths()));
    let (told, mut events) = tokio::sync::mpsc::channel(64);
    let (control, asked) = tokio::sync::mpsc::channel(1);
    let session = tokio::spawn(run(settings, decoder, told, asked));
    let metrics = tokio::runtime::Handle::current().metrics();
    let mut counted: Vec<(usize, usize, usize, usize)> = Vec::new();
    let mut counters = Counters::default();
    for round in 0..=1000 {
        loop {
            match *events.recv().await.expect("the session lives") {
                SessionEvent::SyncStart => tree.begin_sweep(),
                SessionEvent::Batch(batch) => _ = batch.apply(&mut tree),
                SessionEvent::SyncDone(done) => _ = tree.sweep(|path| done.sweeps(path)),
                SessionEvent::Counters(new) => counters = new,
                SessionEvent::State { state: State::Live, .. } => break,
                _ => {}
            }
        }
        if round % 250 == 0 {
            // Connections that were cut need a moment to end: the fewest tasks of a second, or as few as there were.
            let before = counted.first().map_or(0, |(tasks, ..)| *tasks);
            let mut tasks = usize::MAX;
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                tasks = tasks.min(metrics.num_alive_tasks());
                if tasks <= before {
                    break;
                }
            }
            counted.push((tasks, tree.len(), tree.paths().len(), tree.heap_bytes() / 1024));
        }
        if round < 1000 {
            device.cut();
        }
    }
    while counters.connects < 1001 {
        if let SessionEvent::Counters(new) = *events.recv().await.expect("the session lives") {
            counters = new;
        }
    }
    let (first, last) = (counted[0], counted[4]);
    assert!(first.1 > 20 && counters.ignored + counters.dropped + counters.bad == 0, "{counters:?}");
    assert_eq!((first.0, first.1, first.2), (last.0, last.1, last.2), "tasks, leaves, paths: {counted:?}");
    assert!(last.3 <= first.3 + 1, "KiB: {counted:?}");
    control.send(Control::Stop).await.unwrap();
    session.await.unwrap();
    drop(events);
    assert_eq!(budget.held(), 0);
    // Nothing of ours is left at the device either.
    for _ in 0..500 {
        if !device.watched() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!device.watched(), "a stream is still open at the device");
    lab.shutdown().await;
}
