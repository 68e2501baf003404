//! What the engine says and does while devices of the lab misbehave: rows D4 to D16 of what can go wrong with a device.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::sync::Arc;
use std::time::Duration;

use fabric_orchestrator::config::{self, Asked, Env};
use fabric_orchestrator::engine::command::Command;
use fabric_orchestrator::engine::snapshot::{DeviceView, Snapshot, Stream};
use fabric_orchestrator::engine::{Engine, Handle, Options};
use fabric_orchestrator::gnmi::session::{Control, Limits, SessionEvent, Settings, State, Subscription, run};
use fabric_orchestrator::gnmi::wire::canon::AsItCame;
use fabric_orchestrator::gnmi::wire::walk::Decoder;
use fabric_orchestrator::gnmi::{Client, DataType, Encoding, Error, Target};
use fabric_orchestrator::path::Path;
use fabric_orchestrator::sim::eos::Faults;
use fabric_orchestrator::sim::lab::{Lab, LabData, LabOptions};
use fabric_orchestrator::tree::Paths;
use fabric_orchestrator::value::Value;

/// A lab and the engine on it.
struct Fixture {
    lab: Lab,
    engine: Handle,
}

impl Fixture {
    /// With faults of leaf1 from the start.
    async fn start(telemetry: bool, faults: Faults) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have
        let lab = Lab::start(LabData::embedded().unwrap(), LabOptions::default()).await.unwrap();
        lab.fabric().device("leaf1").unwrap().with_faults(|have| *have = faults);
        let asked = Asked { config: Some(lab.config_file.clone()), ..Asked::default() };
        let mut settings = config::load(&asked, &Env::lab()).unwrap();
        settings.timing.sample = Duration::from_secs(1);
        settings.timing.stale = Duration::from_secs(1);
        let options = Options { telemetry, ..Options::once(Vec::new(), None, Vec::new()) };
        let mut engine = Engine::start(settings, options).unwrap();
        let snapshot = engine.settled(Duration::from_secs(60)).await.unwrap();
        assert!(snapshot.settled(), "{:?}", snapshot.events);
        Self { lab, engine }
    }

    fn faults(&self, change: impl FnOnce(&mut Faults)) {
        self.lab.fabric().device("leaf1").unwrap().with_faults(change);
    }

    /// The view of leaf1 once it is so; the others stay live meanwhile.
    async fn until(&mut self, what: &str, so: impl Fn(&DeviceView) -> bool) -> Arc<DeviceView> {
        let snapshot = self.engine.until(Duration::from_secs(60), |snapshot| so(leaf1(snapshot))).await.unwrap();
        let view = Arc::clone(leaf1(&snapshot));
        assert!(so(&view), "never {what}: {:?} {} {:?}", view.stream, view.trouble, view.counters);
        let others = snapshot.devices.iter().filter(|view| &*view.name != "leaf1");
        assert!(others.into_iter().all(|view| view.stream == Stream::Live), "{what}: the others are not concerned");
        view
    }

    async fn end(self) {
        self.engine.stop().await;
        self.lab.shutdown().await;
    }
}

fn leaf1(snapshot: &Snapshot) -> &Arc<DeviceView> {
    snapshot.devices.iter().find(|view| &*view.name == "leaf1").unwrap()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

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

/// D15: a reboot that loses the configuration shows as one, and as differences of that device alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_lost_its_configuration_says_so() {
    let mut all = Fixture::start(false, Faults::default()).await;
    let booted = all.until("synced", |view| view.booted.is_some()).await.booted.unwrap();
    let device = Arc::clone(all.lab.fabric().device("leaf1").unwrap());
    {
        let mut inner = device.lock();
        inner.startup.leaves.retain(|path, _| path.to_string().starts_with("/system"));
    }
    all.lab.fabric().reboot("leaf1", Duration::from_millis(200), false);
    let lost = |view: &DeviceView| view.stream == Stream::Live && view.changes.as_ref().is_some_and(|changes| changes.len() > 50);
    let view = all.until("its differences", lost).await;
    assert!(view.booted.unwrap() > booted, "the boot time tells a reboot from a change");
    all.end().await;
}

/// No task and no connection is left behind by reconnects.
#[tokio::test]
async fn reconnects_leave_nothing_behind() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lab = Lab::start(LabData::embedded().unwrap(), LabOptions::default()).await.unwrap();
    let device = Arc::clone(lab.fabric().device("leaf1").unwrap());
    let at = lab.devices.iter().find(|(name, _)| name == "leaf1").unwrap().1;
    let target = Target::new("leaf1", at.to_string()).plaintext().user("admin", "admin");
    let quick = Duration::from_millis(2);
    let limits = Limits { backoff_first: quick, backoff_most: quick, settle_first: quick, settle: quick, ..Limits::default() };
    let settings = Settings { limits, ..Settings::new(target, vec![Subscription::on_change(path("/system/config"))]) };
    let decoder = Decoder::new(Paths::new(), Arc::new(AsItCame));
    let (told, mut events) = tokio::sync::mpsc::channel(64);
    let (control, asked) = tokio::sync::mpsc::channel(1);
    let session = tokio::spawn(run(settings, decoder, told, asked));
    let metrics = tokio::runtime::Handle::current().metrics();
    let mut after = Vec::new();
    for round in 0..200 {
        loop {
            match events.recv().await.expect("the session lives") {
                SessionEvent::State { state: State::Live, .. } => break,
                _ => continue,
            }
        }
        if round % 50 == 10 {
            after.push(metrics.num_alive_tasks());
        }
        device.cut();
    }
    let (first, last) = (after[0], *after.last().unwrap());
    assert!(last <= first + 4, "tasks alive while connected, every 50 reconnects: {after:?}");
    control.send(Control::Stop).await.unwrap();
    session.await.unwrap();
    lab.shutdown().await;
}
