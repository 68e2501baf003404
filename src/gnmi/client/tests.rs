//! Calls, TLS and the end of a Set against small servers.

use super::*;
use crate::gnmi::error::CertificateProblem;
use crate::gnmi::session::Subscription;
use crate::gnmi::subscribe::{Incoming, ListMode, Telemetry, once};
use crate::gnmi::target::Tls;
use crate::gnmi::testing::{Authority, Knobs, Running, SetStyle};
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn hostname() -> (Path, Value) {
    (path("/system/state/hostname"), Value::str("leaf1"))
}

fn parts() -> SetParts {
    SetParts { update: vec![(path("/system/config/hostname"), "leaf1".into())], ..SetParts::default() }
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
async fn calls_over_plaintext() {
    let server = Running::start(Knobs {
        password: Some(("admin".into(), "pässword".into())),
        leaves: vec![hostname()],
        refused: vec![path("/bad/path")],
        names_paths: true,
        ..Knobs::default()
    })
    .await;
    let client = Client::connect(&server.target().user("admin", "pässword")).await;
    // Bytes beyond ASCII are opaque to tonic's server, so only the refusal can be seen here.
    assert!(matches!(client.unwrap().capabilities().await, Err(Error::Denied { known: false, .. })));
    server.knobs(|knobs| knobs.password = Some(("admin".into(), "admin".into())));
    for gzip in [false, true] {
        let target = Target { gzip, ..server.target().user("admin", "admin") };
        let client = Client::connect(&target).await.unwrap();
        let capabilities = client.capabilities().await;
        if gzip {
            // This server does not take compressed requests, and says so.
            assert!(matches!(capabilities, Err(Error::Unimplemented { .. } | Error::Broken { .. })), "{capabilities:?}");
            continue;
        }
        assert_eq!(capabilities.unwrap().encodings, ["JSON", "JSON_IETF", "77"]);
        let answer = client.get(&[path("/system")], DataType::All, Encoding::JsonIetf).await.unwrap();
        assert_eq!(answer[0].updates, [(hostname().0, Ok(hostname().1))]);
        match client.get(&[path("/system"), path("/bad/path/x")], DataType::All, Encoding::Json).await {
            Err(Error::Rejected { path: named, code, .. }) => assert_eq!((named, code.as_str()), (None, "InvalidArgument")),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.cli("show running-config", Encoding::Ascii).await, Ok(CliAnswer::Text("! show running-config".into())));
        assert_eq!(client.set(&parts()).await.unwrap().timestamp, 7);
        let subscriptions = [Subscription::on_change(path("/system"))];
        assert_eq!(once(&client, &subscriptions, Encoding::Proto).await.unwrap().len(), 1);
        let mut poll = Telemetry::open(&client, ListMode::Poll, &subscriptions, Encoding::Json, false).await.unwrap();
        assert_eq!(poll.until_sync().await.unwrap().len(), 1);
        poll.poll().await.unwrap();
        assert_eq!(poll.until_sync().await.unwrap().len(), 1);
        let mut stream = Telemetry::open(&client, ListMode::Stream, &subscriptions, Encoding::Json, false).await.unwrap();
        assert!(matches!(stream.next().await, Ok(Some(Incoming::Notification(_)))));
        assert_eq!(stream.next().await, Ok(Some(Incoming::Sync)));
    }
    let wrong = Client::connect(&server.target().user("admin", "wrong")).await.unwrap();
    let error = wrong.capabilities().await.unwrap_err();
    assert!(error.is_auth() && error.hint().contains("password") && !format!("{error} {error:?} {wrong:?}").contains("wrong\""), "{error}");
}

#[tokio::test]
async fn nobody_there_and_nonsense_settings() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Client::connect(&Target::new("leaf1", free.to_string()).plaintext()).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { reason, .. } if reason.contains("refused")), "{error}");
    let silent = Target { connect_timeout: Duration::from_millis(50), ..Target::new("leaf1", "127.0.0.1:1") };
    let silent_listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = Target { address: silent_listener.local_addr().unwrap().to_string(), ..silent };
    assert!(matches!(Client::connect(&silent).await, Err(Error::Unreachable { .. } | Error::Settings { .. })));
    let tls = Tls { ca: Some("/nonexistent/ca.pem".into()), ..Tls::default() };
    let error = Client::connect(&Target::new("leaf1", "127.0.0.1:1").tls(tls)).await.unwrap_err();
    assert!(matches!(&error, Error::Settings { reason, .. } if reason.contains("/nonexistent/ca.pem")), "{error}");
    let half = Tls { skip_verify: true, cert: Some("x".into()), ..Tls::default() };
    assert!(matches!(Client::connect(&Target::new("leaf1", "127.0.0.1:1").tls(half)).await, Err(Error::Settings { .. })));
}

/// Each certificate trouble by its own name, and the way out of it works.
#[tokio::test]
async fn tls_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let ca = file(&folder, "ca.pem", &ours.certificate.pem());
    let trusting = Tls { ca: Some(ca), ..Tls::default() };
    let call = |target: Target| async move { Client::connect(&target).await?.capabilities().await.map(|_| ()) };
    let problem = |result: Result<(), Error>| match result {
        Err(Error::Certificate { problem, .. }) => problem,
        other => panic!("{other:?}"),
    };
    let good = Running::start_tls(Knobs::default(), Some(ours.server(&["127.0.0.1"], false, None))).await;
    let at = |server: &Running, tls: &Tls| Target::new("leaf1", &server.address).tls(tls.clone());
    assert_eq!(call(at(&good, &trusting)).await, Ok(()));

    let expired = Running::start_tls(Knobs::default(), Some(ours.server(&["127.0.0.1"], true, None))).await;
    assert!(matches!(problem(call(at(&expired, &trusting)).await), CertificateProblem::Expired(_)));
    assert_eq!(call(at(&expired, &Tls { skip_verify: true, ..Tls::default() })).await, Ok(()));

    let unknown = Running::start_tls(Knobs::default(), Some(theirs.server(&["127.0.0.1"], false, None))).await;
    assert_eq!(problem(call(at(&unknown, &trusting)).await), CertificateProblem::UnknownIssuer);

    let named = Running::start_tls(Knobs::default(), Some(ours.server(&["leaf1.example"], false, None))).await;
    match problem(call(at(&named, &trusting)).await) {
        CertificateProblem::WrongName { expected, presented } => {
            assert_eq!(expected, "127.0.0.1");
            assert!(presented.iter().any(|name| name.contains("leaf1.example")), "{presented:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(call(at(&named, &Tls { server_name: Some("leaf1.example".into()), ..trusting.clone() })).await, Ok(()));

    let mutual = Running::start_tls(Knobs::default(), Some(ours.server(&["127.0.0.1"], false, Some(&theirs)))).await;
    assert_eq!(problem(call(at(&mutual, &trusting)).await), CertificateProblem::OursMissing);
    let with = |authority: &Authority, name: &str| {
        let (certificate, key) = authority.sign(&["operator"], false);
        let cert = Some(file(&folder, &format!("{name}.pem"), &certificate));
        Tls { cert, key: Some(file(&folder, &format!("{name}.key"), &key)), ..trusting.clone() }
    };
    assert!(matches!(problem(call(at(&mutual, &with(&ours, "wrong"))).await), CertificateProblem::OursRefused(_)));
    assert_eq!(call(at(&mutual, &with(&theirs, "right"))).await, Ok(()));
}

#[tokio::test]
async fn tls_and_plaintext_do_not_mix_and_nothing_is_downgraded() {
    let plain = Running::start(Knobs::default()).await;
    let tls = Tls { skip_verify: true, ..Tls::default() };
    let error = Client::connect(&Target::new("leaf1", &plain.address).tls(tls)).await.unwrap_err();
    assert!(matches!(error, Error::NotTls { .. }) && error.hint().contains("insecure"), "{error}");
    let authority = Authority::new("ours");
    let secure = Running::start_tls(Knobs::default(), Some(authority.server(&["127.0.0.1"], false, None))).await;
    let client = Client::connect(&secure.target()).await.unwrap();
    let error = client.capabilities().await.unwrap_err();
    assert!(matches!(error, Error::NeedsTls { .. }), "{error}");
    let error = client.set(&parts()).await.unwrap_err();
    assert!(matches!(error, Error::NeedsTls { .. } | Error::Unknown { .. } | Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_lost_set_is_unknown_and_an_unsent_one_is_not() {
    let server = Running::start(Knobs { set: SetStyle::CutBeforeAnswer, ..Knobs::default() }).await;
    let client = Client::connect(&server.target()).await.unwrap();
    let error = client.set(&parts()).await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error}");
    assert_eq!(server.fake.sets.lock().unwrap().len(), 1, "and it was not sent again");

    server.knobs(|knobs| knobs.set = SetStyle::Hang);
    let hasty = Client::connect(&Target { set_timeout: Duration::from_millis(200), ..server.target() }).await.unwrap();
    assert!(matches!(hasty.set(&parts()).await, Err(Error::Unknown { .. })));

    server.knobs(|knobs| knobs.set = SetStyle::Refuse(Status::invalid_argument("bad value at /system/config/hostname")));
    match client.set(&parts()).await {
        Err(Error::Rejected { path: Some(named), .. }) => assert_eq!(named, path("/system/config/hostname")),
        other => panic!("{other:?}"),
    }
    let sent = server.fake.sets.lock().unwrap().len();
    server.deaf(true);
    server.cut();
    assert!(client.capabilities().await.is_err(), "the break is noticed");
    let gone = Client::connect(&Target { address: "127.0.0.1:1".into(), ..server.target() }).await;
    assert!(matches!(gone, Err(Error::Unreachable { .. })));
    server.deaf(false);
    server.knobs(|knobs| knobs.set = SetStyle::Ok);
    assert!(client.set(&parts()).await.is_ok(), "the connection opens itself again");
    assert_eq!(server.fake.sets.lock().unwrap().len(), sent + 1);
}

#[tokio::test]
async fn a_set_to_a_device_that_went_away_was_not_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new("leaf1", listener.local_addr().unwrap().to_string()).plaintext();
    let accepted = tokio::spawn(async move { listener.accept().await.map(drop) });
    let client = Client::connect(&target).await.unwrap();
    accepted.await.unwrap().unwrap();
    // The connection is closed and the port is, too. The first call may still meet the dying connection.
    assert!(client.capabilities().await.is_err());
    let error = client.set(&parts()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn too_large_an_answer_is_named() {
    let server = Running::start(Knobs { leaves: vec![(path("/big"), Value::str("x".repeat(100_000)))], ..Knobs::default() }).await;
    let client = Client::connect(&Target { max_message: 10_000, ..server.target() }).await.unwrap();
    let error = client.get(&[path("/big")], DataType::All, Encoding::Json).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 10_000, .. }), "{error:?}");
    assert!(client.capabilities().await.is_ok());
}

/// A server that takes its time over every handshake, and counts how many are under way.
#[tokio::test]
async fn a_storm_of_connections_is_paced() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    tokio::spawn({
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            while let Ok((stream, _)) = listener.accept().await {
                let now = Arc::clone(&now);
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    drop(stream);
                });
            }
        }
    });
    let gate = Arc::new(tokio::sync::Semaphore::new(4));
    let storm = (0..60).map(|n| {
        let tls = Tls { skip_verify: true, ..Tls::default() };
        let target = Target { gate: Some(Arc::clone(&gate)), ..Target::new(format!("leaf{n}"), &address).tls(tls) };
        tokio::spawn(async move { Client::connect(&target).await.map(drop) })
    });
    for ended in storm.collect::<Vec<_>>() {
        assert!(matches!(ended.await.unwrap(), Err(Error::NotTls { .. })));
    }
    let most = most.load(Ordering::SeqCst);
    assert!((2..=4).contains(&most), "{most} handshakes at a time");
    assert_eq!(gate.available_permits(), 4);
}
