//! What the engine says and does while devices of the lab misbehave. The rows of what can go wrong with a device, and where each
//! is tested (`unit:` beside the code):
//!
//! | row | what | tests |
//! |---|---|---|
//! | D1 D2 D3 | a Set that never left, or whose answer was lost | `journey_faults`, unit: `gnmi::client` (`a_lost_set_…`, `a_set_to_a_device_that_went_away_…`) |
//! | D4 | silent, half-open | `a_device_that_falls_silent_…`, `wire::a_dead_peer_…` |
//! | D5 D6 | slow device, slow us | unit: `gnmi::client` (`a_lost_set_…`), `gnmi::session` (`a_slow_reader_…`, `what_waits_is_bounded_…`), `session::queue` |
//! | D7 | odd syncs, fewer leaves after a reconnect | unit: `gnmi::session` (`syncs_…`, `ends_of_streams_…`), `engine::sight`; `foreign_targets` |
//! | D8 | order, doubles, clocks | `order_and_clock_…`, unit: `gnmi::session` (`odd_timestamps_…`) |
//! | D9 | deletes, atomic, wildcards, odd keys | unit: `gnmi::wire::walk`, `gnmi::wire::batch`, `path`; fuzz `wire`, `path` |
//! | D10 D11 | large, deep, broken answers and values | `long_and_broken_…`, unit: `gnmi::wire::convert`, `walk::mutated`; fuzz `wire`, `json` |
//! | D12 | a leaf of the wrong type | `a_leaf_of_the_wrong_type_…` |
//! | D13 | certificates | unit: `gnmi::client` (`tls_…`) |
//! | D14 | password, roles, single paths | `a_password_…`, `answers::…denied…`, unit: `session::state` (`the_text_decides_…`) |
//! | D15 | reboots | `answers::…` |
//! | D16 | busy, pending, unimplemented | `answers::a_set_that_is_refused_…`, unit: `gnmi::session` (`a_busy_device_…`), `session::state`; `foreign_targets` |
//! | – | storms, floods, made-up paths, leaks | `wire::…`, unit: `gnmi::client` (`a_storm_…`), `gnmi::session` (`a_flood_…`, `made_up_paths_…`) |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "device_faults/answers.rs"]
mod answers;
#[path = "device_faults/fixture.rs"]
mod fixture;
#[path = "device_faults/wire.rs"]
mod wire;

use fabric_orchestrator::engine::command::Command;
use fabric_orchestrator::engine::snapshot::Stream;
use fabric_orchestrator::gnmi::{Client, DataType, Encoding, Error, Target};
use fabric_orchestrator::sim::eos::Faults;
use fabric_orchestrator::value::Value;
use fixture::{Fixture, path};

/// D4: the connection stands and nothing comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_falls_silent_goes_stale_and_comes_back() {
    let mut all = Fixture::start(true, Faults::default()).await;
    all.faults(|faults| faults.silent = true);
    let view = all.until("stale", |view| view.stream == Stream::Stale).await;
    assert!(view.trouble.contains("nothing came for"), "{}", view.trouble);
    assert!(view.observed.len() > 500, "what was known is kept, and shown as old");
    all.faults(|faults| faults.silent = false);
    all.until("live again", |view| view.stream == Stream::Live && view.trouble.is_empty()).await;
    all.end().await;
}

/// D8: twice, in reverse, with times in seconds of a clock ten minutes behind.
#[tokio::test(flavor = "multi_thread")]
async fn order_and_clock_of_a_device_are_not_trusted() {
    for skew in [-600_000, 600_000] {
        let faults = Faults { duplicate: true, reorder: true, seconds: true, clock_skew_ms: skew, ..Faults::default() };
        let mut all = Fixture::start(false, faults).await;
        let view = all.until("in sync", |view| view.changes.as_ref().is_some_and(|changes| changes.is_empty())).await;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let age = now.abs_diff(u128::from(view.last_update.unwrap()));
        assert!(age < 60_000, "age is by our clock: {age} ms");
        let mtu = path("/interfaces/interface[name=Ethernet11]/subinterfaces/subinterface[index=0]/ipv4/config/mtu");
        let script = serde_json::json!({"device": "leaf1", "set": {"update": [{"path": mtu, "value": 1600}]}});
        all.lab.fabric().apply_event(&serde_json::from_value(script).unwrap()).unwrap();
        let view = all.until("drift", |view| view.changes.as_ref().is_some_and(|changes| !changes.is_empty())).await;
        let changes = view.changes.as_ref().unwrap();
        assert_eq!((changes.len(), &changes[0].path, &changes[0].observed), (1, &mtu, &Some(Value::Uint(1600))));
        all.end().await;
    }
}

/// D10, D11: answers that are too long or end in the middle are errors of the call, and say so.
#[tokio::test(flavor = "multi_thread")]
async fn long_and_broken_answers_are_errors_of_the_call() {
    let all = Fixture::start(false, Faults::default()).await;
    let at = all.lab.devices.iter().find(|(name, _)| name == "leaf1").unwrap().1;
    let mut target = Target::new("leaf1", at.to_string()).plaintext().user("admin", "admin");
    target.max_message = 16 << 20;
    let client = Client::connect(&target).await.unwrap();
    let system = [path("/system/config")];
    for (pad, fits) in [(8 << 20, true), (20 << 20, false)] {
        all.faults(|faults| faults.pad_get = pad);
        let got = client.get(&system, DataType::All, Encoding::JsonIetf).await;
        match got {
            Ok(_) => assert!(fits, "{pad} bytes are accepted"),
            Err(error) => assert!(!fits && matches!(error, Error::TooLarge { limit, .. } if limit == 16 << 20), "{error}"),
        }
    }
    all.faults(|faults| *faults = Faults { cut_json: true, ..Faults::default() });
    let answer = client.get(&system, DataType::All, Encoding::JsonIetf).await.unwrap();
    assert!(answer.iter().flat_map(|notification| &notification.updates).all(|(_, value)| value.is_err()), "half a document is none");
    all.end().await;
}

/// D12: a leaf of the wrong type is a difference of that leaf and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_of_the_wrong_type_is_shown_and_costs_nothing_else() {
    let mut all = Fixture::start(false, Faults::default()).await;
    let mtu = path("/interfaces/interface[name=Ethernet11]/subinterfaces/subinterface[index=0]/ipv4/config/mtu");
    all.lab.fabric().device("leaf1").unwrap().inject([(mtu.clone(), Value::str("big"))]);
    let view = all.until("the leaf", |view| view.observed.value(&mtu) == Some(&Value::str("big"))).await;
    assert_eq!(view.stream, Stream::Live);
    let view = all.until("its difference", |view| view.changes.as_ref().is_some_and(|changes| !changes.is_empty())).await;
    assert_eq!(view.changes.as_ref().unwrap().iter().map(|change| &change.path).collect::<Vec<_>>(), [&mtu]);
    all.end().await;
}

/// D14: the password is changed while the stream is up.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_changed_is_said_and_its_return_heals() {
    let mut all = Fixture::start(false, Faults::default()).await;
    let event = |deny: bool| serde_json::from_value(serde_json::json!({"device": "leaf1", "fault": {"deny_login": deny}})).unwrap();
    all.lab.fabric().apply_event(&event(true)).unwrap();
    let view = all.until("auth failed", |view| view.stream == Stream::AuthFailed).await;
    assert!(view.trouble.contains("not accepted") && view.trouble.contains("check the user and password"), "{}", view.trouble);
    assert!(view.next_try.is_some(), "it is tried again, rarely");
    all.lab.fabric().apply_event(&event(false)).unwrap();
    all.engine.send(Command::Resync("leaf1".into())).await.unwrap();
    all.until("live", |view| view.stream == Stream::Live).await;
    all.end().await;
}
