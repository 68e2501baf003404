//! Sessions against a server with every bad habit. They wait for what must happen, not for time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::model::{Limits, State, Subscription};
use super::{Control, Counters, How, SessionEvent, Settings, run};
use crate::gnmi::testing::{Authority, Knobs, Running, SyncStyle, response, until, update};
use crate::gnmi::wire::budget::Budget;
use crate::gnmi::wire::canon::AsItCame;
use crate::gnmi::wire::convert;
use crate::gnmi::wire::proto::{self, SubscriptionMode};
use crate::gnmi::wire::walk::Decoder;
use crate::path::Path;
use crate::tree::{Paths, Tree};
use crate::value::Value;
use tonic::Status;

/// A channel holds room for thirty-two messages of its kind, used or not; a fabric of a thousand devices has three thousand.
#[test]
fn what_channels_carry_is_small() {
    assert!(size_of::<Control>() <= 16);
    assert!(size_of::<SessionEvent>() > 64, "which is why sessions tell it in a box");
}

/// Patience for tests: the same, a hundred times shorter.
fn hasty() -> Limits {
    Limits {
        backoff_first: Duration::from_millis(5),
        backoff_most: Duration::from_millis(40),
        refused: Duration::from_millis(100),
        healthy: Duration::from_millis(300),
        no_sync_quiet: Duration::from_millis(100),
        no_sync_most: Duration::from_millis(600),
        settle_first: Duration::from_millis(5),
        settle: Duration::from_millis(20),
        settle_most: Duration::from_millis(200),
        silence: Duration::from_secs(30),
        trial: Duration::from_millis(100),
    }
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn leaves() -> Vec<(Path, Value)> {
    let interface = |n: u32| path(&format!("/interfaces/interface[name=Ethernet{n}]/state/mtu"));
    (1..=4)
        .map(|n| (interface(n), Value::Uint(9214)))
        .chain([(path("/system/state/hostname"), Value::str("leaf1")), (path("/lldp/state/enabled"), Value::Bool(true))])
        .collect()
}

fn on_change(paths: &[&str]) -> Vec<Subscription> {
    paths.iter().map(|text| Subscription::on_change(path(text))).collect()
}

const ALL: [&str; 3] = ["/interfaces", "/system", "/lldp"];

/// A receiver that keeps the mirror as the engine does.
struct Mirror {
    tree: Tree,
    events: mpsc::Receiver<Box<SessionEvent>>,
    control: mpsc::Sender<Control>,
    task: JoinHandle<()>,
    state: Option<State>,
    unsynced: bool,
    trouble: String,
    refused: Vec<(String, How)>,
    states: Vec<State>,
    dropped: u64,
    floods: bool,
    counters: Counters,
    swept: usize,
}

impl Mirror {
    fn start(server: &Running, subscriptions: Vec<Subscription>) -> Self {
        Self::with(Settings { limits: hasty(), ..Settings::new(server.target(), subscriptions) })
    }

    fn with(settings: Settings) -> Self {
        let paths = Paths::new();
        let decoder = Decoder::new(Arc::clone(&paths), Arc::new(AsItCame));
        let (sender, events) = mpsc::channel(8);
        let (control, receiver) = mpsc::channel(4);
        let task = tokio::spawn(run(settings, decoder, sender, receiver));
        Self {
            tree: Tree::new(paths),
            events,
            control,
            task,
            state: None,
            unsynced: false,
            trouble: String::new(),
            refused: Vec::new(),
            states: Vec::new(),
            dropped: 0,
            floods: false,
            counters: Counters::default(),
            swept: 0,
        }
    }

    fn take(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::State { state, trouble, unsynced, .. } => {
                self.state = Some(state);
                self.unsynced = unsynced;
                self.states.push(state);
                self.trouble = trouble.map(|error| error.to_string()).unwrap_or_default();
            }
            SessionEvent::SyncStart => self.tree.begin_sweep(),
            SessionEvent::Batch(batch) => {
                batch.apply(&mut self.tree);
            }
            SessionEvent::SyncDone(done) => self.swept += self.tree.sweep(|path| done.sweeps(path)),
            SessionEvent::PathRefused { path, now, .. } => self.refused.push((path.to_string(), now)),
            SessionEvent::Dropped { updates } => self.dropped += updates,
            SessionEvent::Flooding(floods) => self.floods = floods,
            SessionEvent::Counters(counters) => self.counters = counters,
        }
    }

    async fn until(&mut self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        let all = async {
            while !so(self) {
                match self.events.recv().await {
                    Some(event) => self.take(*event),
                    None => panic!("the session ended before: {what}"),
                }
            }
        };
        if tokio::time::timeout(Duration::from_secs(10), all).await.is_err() {
            panic!("never: {what}; states {:?}, trouble {}, {:?}", self.states, self.trouble, self.refused);
        }
    }

    async fn live(&mut self) {
        self.until("live", |mirror| mirror.state == Some(State::Live)).await;
    }

    fn holds(&self, leaves: &[(Path, Value)]) -> bool {
        self.tree.len() == leaves.len() && leaves.iter().all(|(path, value)| self.tree.value(path) == Some(value))
    }
}

#[tokio::test]
async fn mirrors_and_follows() {
    let server = Running::start(Knobs { leaves: leaves(), ..Knobs::default() }).await;
    let mut mirror = Mirror::start(&server, on_change(&ALL));
    mirror.live().await;
    assert!(mirror.holds(&leaves()) && mirror.trouble.is_empty());
    assert_eq!(mirror.states, [State::Connecting, State::Syncing, State::Live]);
    let hostname = path("/system/state/hostname");
    server.fake.live.send(update(&hostname, &Value::str("leaf2"))).unwrap();
    mirror.until("the change", |mirror| mirror.tree.value(&hostname) == Some(&Value::str("leaf2"))).await;
    mirror.control.send(Control::Stop).await.unwrap();
    mirror.task.await.unwrap();
    until("the stream is closed with the session", || server.fake.open_streams.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn odd_timestamps_and_old_elements_make_no_difference() {
    let server = Running::start(Knobs { leaves: leaves(), seconds: true, old_elements: true, ..Knobs::default() }).await;
    let mut mirror = Mirror::start(&server, on_change(&ALL));
    mirror.live().await;
    assert!(mirror.holds(&leaves()), "{:?}", mirror.tree.sorted());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let received = mirror.tree.get(&path("/system/state/hostname")).unwrap().received();
    assert!(now - u128::from(received) < 60_000, "freshness is by our clock");
}

#[tokio::test]
async fn a_refused_path_leaves_the_others_streaming() {
    for names_paths in [true, false] {
        let server = Running::start(Knobs { leaves: leaves(), refused: vec![path("/lldp")], names_paths, ..Knobs::default() }).await;
        let mut mirror = Mirror::start(&server, on_change(&ALL));
        mirror.until("lldp given up", |mirror| mirror.refused.last().is_some_and(|(_, how)| *how == How::GivenUp)).await;
        mirror.live().await;
        assert_eq!(mirror.refused, [("/lldp".to_owned(), How::Sample), ("/lldp".to_owned(), How::Get), ("/lldp".to_owned(), How::GivenUp)]);
        assert_eq!(mirror.tree.len(), 5, "everything but lldp");
        let after = server.subscribes().len();
        assert!(after <= 9, "{:?}", server.subscribes());
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(server.subscribes().len(), after, "no loop");
        assert_eq!(server.fake.connections.load(Ordering::SeqCst), 1, "and all on one connection");
        assert_eq!(server.fake.open_streams.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn on_change_falls_back_to_sample_and_sample_to_get() {
    let server = Running::start(Knobs {
        leaves: leaves(),
        no_on_change: vec![path("/interfaces")],
        not_streamed: vec![path("/system")],
        ..Knobs::default()
    })
    .await;
    let mut subscriptions = on_change(&ALL);
    subscriptions[1].interval = Duration::from_millis(50);
    let mut mirror = Mirror::start(&server, subscriptions);
    mirror.live().await;
    assert!(mirror.holds(&leaves()), "{:?}", mirror.tree.sorted());
    let last = server.subscribes().pop().unwrap();
    assert_eq!(last, [("/interfaces".to_owned(), SubscriptionMode::Sample), ("/lldp".to_owned(), SubscriptionMode::OnChange)]);
    // What is read by Get is replaced by it: a leaf that is gone goes.
    server.knobs(|knobs| knobs.leaves.retain(|(path, _)| !path.to_string().starts_with("/system")));
    mirror.until("the leaf is gone", |mirror| mirror.tree.len() == 5).await;
}

#[tokio::test]
async fn a_device_without_subscribe_is_read_by_get() {
    let server = Running::start(Knobs { leaves: leaves(), no_subscribe: true, ..Knobs::default() }).await;
    let mut mirror = Mirror::start(&server, on_change(&ALL));
    mirror.live().await;
    assert!(mirror.holds(&leaves()));
    assert!(mirror.refused.iter().filter(|(_, how)| *how == How::Get).count() == 3, "{:?}", mirror.refused);
}

#[tokio::test]
async fn everything_refused_is_refused_and_is_tried_again() {
    let server = Running::start(Knobs { leaves: leaves(), refused: vec![path("/")], ..Knobs::default() }).await;
    let mut mirror = Mirror::start(&server, on_change(&ALL));
    mirror.until("refused", |mirror| mirror.state == Some(State::Refused)).await;
    server.knobs(|knobs| knobs.refused.clear());
    mirror.live().await;
    assert!(mirror.holds(&leaves()));
}

#[tokio::test]
async fn a_wrong_password_is_said_and_a_right_one_heals() {
    let server = Running::start(Knobs { leaves: leaves(), password: Some(("admin".into(), "right".into())), ..Knobs::default() }).await;
    let mut mirror = Mirror::with(Settings { limits: hasty(), ..Settings::new(server.target().user("admin", "wrong"), on_change(&ALL)) });
    mirror.until("auth failed", |mirror| mirror.state == Some(State::AuthFailed)).await;
    assert!(mirror.trouble.contains("not accepted") && mirror.tree.is_empty(), "{}", mirror.trouble);
    server.knobs(|knobs| knobs.password = Some(("admin".into(), "wrong".into())));
    mirror.live().await;
}

#[tokio::test]
async fn ends_of_streams_are_survived_without_a_second_stream() {
    let server = Running::start(Knobs { leaves: leaves(), eof: 3, ..Knobs::default() }).await;
    let mut mirror = Mirror::start(&server, on_change(&ALL));
    mirror.until("live on the fourth stream", |mirror| mirror.state == Some(State::Live) && server.subscribes().len() == 4).await;
    until("one stream", || server.fake.open_streams.load(Ordering::SeqCst) == 1).await;
    assert_eq!(server.fake.most_streams.load(Ordering::SeqCst), 1);
    // A cut wire: what went meanwhile is swept, what stayed is never missing.
    server.knobs(|knobs| knobs.leaves.truncate(2));
    server.cut();
    mirror.until("stale", |mirror| mirror.state != Some(State::Live)).await;
    assert!(mirror.states.contains(&State::Stale));
    assert_eq!(mirror.tree.len(), 6, "nothing is forgotten while the device is away");
    mirror.live().await;
    assert_eq!((mirror.tree.len(), mirror.swept), (2, 4));
    mirror.until("counted", |mirror| mirror.counters.connects >= 5).await;
}

#[tokio::test]
async fn syncs_never_twice_early_and_in_the_middle() {
    for sync in [SyncStyle::Never, SyncStyle::Twice, SyncStyle::BeforeValues, SyncStyle::InTheMiddle] {
        let server = Running::start(Knobs { leaves: leaves(), sync, ..Knobs::default() }).await;
        let mut mirror = Mirror::start(&server, on_change(&ALL));
        mirror.live().await;
        mirror.until("all values", |mirror| mirror.holds(&leaves())).await;
        assert_eq!(mirror.unsynced, sync == SyncStyle::Never, "{sync:?}");
        // A resync in the same style sweeps nothing that is still there.
        let before = server.subscribes().len();
        mirror.control.send(Control::Resync).await.unwrap();
        mirror.until("subscribed again", |_| server.subscribes().len() > before).await;
        mirror.until("syncing", |mirror| mirror.state == Some(State::Syncing)).await;
        mirror.live().await;
        assert!(mirror.holds(&leaves()) && mirror.swept == 0, "{sync:?}: {} swept", mirror.swept);
    }
}

#[tokio::test]
async fn a_slow_reader_loses_values_but_not_the_truth() {
    let many: Vec<_> = (0..3000u64).map(|n| (path(&format!("/counters/counter[id={n}]/value")), Value::Uint(n))).collect();
    let server = Running::start(Knobs { leaves: many.clone(), ..Knobs::default() }).await;
    // Patient, or a machine under load would give up on the stream before it overflows.
    let limits = Limits { no_sync_most: Duration::from_secs(60), no_sync_quiet: Duration::from_secs(60), ..hasty() };
    let settings = Settings { limits, queue: 1000, ..Settings::new(server.target(), on_change(&["/counters"])) };
    let mut mirror = Mirror::with(settings);
    // Nobody reads: the task must not hold more than it may. It closes the stream when it gives up.
    until("the stream was opened", || server.fake.most_streams.load(Ordering::SeqCst) == 1).await;
    until("and closed", || server.fake.open_streams.load(Ordering::SeqCst) == 0).await;
    server.knobs(|knobs| knobs.leaves.truncate(500));
    mirror.until("dropped", |mirror| mirror.dropped > 0).await;
    mirror.live().await;
    let missing: Vec<_> =
        many[..500].iter().filter(|(path, _)| mirror.tree.get(path).is_none()).map(|(path, _)| path.to_string()).collect();
    assert!(
        mirror.holds(&many[..500]),
        "{} leaves, missing {missing:?}, {:?} {:?} swept {}",
        mirror.tree.len(),
        mirror.states,
        mirror.counters,
        mirror.swept
    );
    mirror.until("counted", |mirror| mirror.counters.dropped > 0 && mirror.counters.resyncs > 0).await;
}

#[tokio::test]
async fn paths_come_and_go() {
    let server = Running::start(Knobs { leaves: leaves(), ..Knobs::default() }).await;
    let mut mirror = Mirror::start(&server, on_change(&["/system"]));
    mirror.live().await;
    assert_eq!(mirror.tree.len(), 1);
    mirror.control.send(Control::Add(Box::new(Subscription::on_change(path("/lldp"))))).await.unwrap();
    mirror.until("lldp", |mirror| mirror.tree.len() == 2 && mirror.state == Some(State::Live)).await;
    mirror.control.send(Control::Remove(Box::new(path("/system")))).await.unwrap();
    mirror
        .until("subscribed to lldp alone", |_| server.subscribes().last().is_some_and(|last| last.len() == 1 && last[0].0 == "/lldp"))
        .await;
    drop(mirror.events);
    mirror.task.await.unwrap();
}

/// D16: the device is busy or in the wrong state. It is asked again, and no path is to blame.
#[tokio::test]
async fn a_busy_device_is_asked_again_whatever_code_it_says_so_with() {
    use tonic::Code;
    for code in [Code::ResourceExhausted, Code::Unavailable, Code::Aborted, Code::FailedPrecondition, Code::Internal, Code::Unknown] {
        let status = Status::new(code, "max subscriptions reached");
        let server = Running::start(Knobs { leaves: leaves(), subscribe: vec![status.clone(), status], ..Knobs::default() }).await;
        let mut mirror = Mirror::start(&server, on_change(&ALL));
        mirror.until("told why", |mirror| mirror.trouble.contains("max subscriptions reached")).await;
        mirror.live().await;
        assert!(mirror.holds(&leaves()) && mirror.refused.is_empty() && mirror.trouble.is_empty(), "{code:?}: {:?}", mirror.refused);
        assert!(server.subscribes().iter().all(|list| list.iter().all(|(_, mode)| *mode == SubscriptionMode::OnChange)));
        mirror.until("counted", |mirror| mirror.counters.connects == 3).await;
    }
}

fn counters(number: u64, value: u64) -> Vec<(Path, Value)> {
    (0..number).map(|n| (path(&format!("/counters/counter[id={n}]/value")), Value::Uint(value))).collect()
}

/// One message of many updates.
fn message(leaves: &[(Path, Value)]) -> proto::SubscribeResponse {
    let updates = leaves.iter().map(|(path, value)| (path.clone(), Ok(value.clone()))).collect();
    response(convert::notification_message(&convert::Notification { updates, ..convert::Notification::default() }))
}

#[tokio::test]
async fn a_flood_is_read_slower_and_flagged() {
    let server = Running::start(Knobs { leaves: counters(500, 0), ..Knobs::default() }).await;
    let settings = Settings { limits: hasty(), updates_per_second: 1000, ..Settings::new(server.target(), on_change(&["/counters"])) };
    let mut mirror = Mirror::with(settings);
    mirror.live().await;
    assert!(!mirror.floods, "first values are no flood, however many");
    let begun = std::time::Instant::now();
    for round in 1..=14 {
        server.fake.live.send(message(&counters(500, round))).unwrap();
        mirror.until("it comes all the same", |mirror| mirror.holds(&counters(500, round))).await;
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(2500),
        "6,500 of 7,000 at 1,000 a second, 4,000 of them at once: {:?}",
        begun.elapsed()
    );
    mirror.until("flagged", |mirror| mirror.floods).await;
    assert_eq!((mirror.dropped, mirror.state), (0, Some(State::Live)));
}

/// D6 over all devices: nobody takes anything for a while. The devices wait, nothing is lost.
#[tokio::test]
async fn what_waits_is_bounded_over_all_devices() {
    let server = Running::start(Knobs { leaves: counters(100, 0), ..Knobs::default() }).await;
    let budget = Budget::new(2000);
    let mut mirrors: Vec<Mirror> = (0..3)
        .map(|_| {
            let limits = Limits { no_sync_most: Duration::from_secs(60), no_sync_quiet: Duration::from_secs(60), ..hasty() };
            let settings = Settings { limits, budget: Arc::clone(&budget), ..Settings::new(server.target(), on_change(&["/counters"])) };
            Mirror::with(settings)
        })
        .collect();
    for mirror in &mut mirrors {
        mirror.live().await;
    }
    // Nobody reads from here on: what does not fit into the channels piles up in the sessions.
    let mut most = 0;
    for round in 1..=100 {
        server.fake.live.send(message(&counters(100, round))).unwrap();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        most = most.max(budget.held());
    }
    // A session above its share is not read any more; what its connection had brought in one piece by then still counts.
    assert!(most > 2000 && most < 2000 + 3 * 1000, "30,000 updates were sent, {most} waited");
    for mirror in &mut mirrors {
        mirror.until("the last values", |mirror| mirror.holds(&counters(100, 100))).await;
        assert_eq!(mirror.dropped, 0, "the device had to wait, nothing was thrown away");
    }
    mirrors.clear();
    until("nothing is held by those who ended", || budget.held() == 0).await;
}

/// A device that makes up keys for ever fills its own measure, and its known leaves stay live.
#[tokio::test]
async fn made_up_paths_are_not_kept_for_ever() {
    let server = Running::start(Knobs { leaves: leaves(), ..Knobs::default() }).await;
    let settings = Settings { limits: hasty(), new_paths: 100, ..Settings::new(server.target(), on_change(&["/"])) };
    let mut mirror = Mirror::with(settings);
    mirror.live().await;
    for n in 0..500u64 {
        server.fake.live.send(message(&[(path(&format!("/made/up[id={n}]/value")), Value::Uint(n))])).unwrap();
    }
    let hostname = path("/system/state/hostname");
    server.fake.live.send(update(&hostname, &Value::str("leaf2"))).unwrap();
    mirror.until("what is known goes on", |mirror| mirror.tree.value(&hostname) == Some(&Value::str("leaf2"))).await;
    mirror.until("counted", |mirror| mirror.counters.ignored == 500 - (100 - 6)).await;
    assert_eq!((mirror.tree.len(), mirror.tree.paths().len(), mirror.counters.bad), (100, 100, 406));
    // Somebody asks for everything again: it may try once more.
    mirror.control.send(Control::Resync).await.unwrap();
    mirror.until("forgiven", |mirror| mirror.counters.ignored == 0).await;
}

/// D13: a certificate that is changed under a stream does not break it; the next connection is judged by the new one.
#[tokio::test]
async fn a_certificate_that_is_changed_counts_from_the_next_connection_on() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, ours.certificate.pem()).unwrap();
    let start = async |authority: &Authority| {
        Running::start_tls(Knobs { leaves: leaves(), ..Knobs::default() }, Some(authority.server(&["127.0.0.1"], false, None))).await
    };
    let (server, renewed, foreign) = (start(&ours).await, start(&ours).await, start(&theirs).await);
    let tls = crate::gnmi::target::Tls { ca: Some(ca), ..Default::default() };
    let target = crate::gnmi::Target::new("leaf1", &server.address).tls(tls);
    let mut mirror = Mirror::with(Settings { limits: hasty(), ..Settings::new(target, on_change(&ALL)) });
    mirror.live().await;
    server.hand_over(&foreign);
    let hostname = path("/system/state/hostname");
    server.fake.live.send(update(&hostname, &Value::str("leaf2"))).unwrap();
    mirror.until("the stream goes on", |mirror| mirror.tree.value(&hostname) == Some(&Value::str("leaf2"))).await;
    assert_eq!(mirror.state, Some(State::Live));
    server.cut();
    mirror.until("named", |mirror| mirror.trouble.contains("signed by no authority we trust")).await;
    assert_eq!((mirror.state, mirror.tree.len()), (Some(State::Stale), leaves().len()));
    server.hand_over(&renewed);
    mirror.live().await;
    assert!(mirror.holds(&leaves()));
}

/// D10: a message longer than we accept is an error of that stream, says its limit, and is no path's fault.
#[tokio::test]
async fn a_message_that_is_too_long_is_named() {
    let mut all = leaves();
    all.push((path("/system/state/motd-banner"), Value::str("x".repeat(100_000))));
    let server = Running::start(Knobs { leaves: all, ..Knobs::default() }).await;
    let target = crate::gnmi::Target { max_message: 10_000, ..server.target() };
    let mut mirror = Mirror::with(Settings { limits: hasty(), ..Settings::new(target, on_change(&ALL)) });
    mirror.until("named", |mirror| mirror.trouble.contains("10000")).await;
    assert!(mirror.refused.is_empty() && mirror.state == Some(State::Connecting), "{:?} {}", mirror.refused, mirror.trouble);
    server.knobs(|knobs| knobs.leaves.truncate(6));
    mirror.live().await;
    assert!(mirror.holds(&leaves()) && mirror.trouble.is_empty());
}
