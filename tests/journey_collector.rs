//! Journeys through a collector: all devices of the lab at one address, told apart by `prefix.target`, over one connection.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::sync::Arc;
use std::time::Duration;

use fabric_orchestrator::config::{self, Asked, Env, Settings};
use fabric_orchestrator::engine::snapshot::Stream;
use fabric_orchestrator::engine::{Engine, Handle, Options};
use fabric_orchestrator::gnmi::collector::prefix;
use fabric_orchestrator::gnmi::wire::proto;
use fabric_orchestrator::gnmi::wire::proto::g_nmi_server::{GNmi, GNmiServer};
use fabric_orchestrator::gnmi::{Client, DataType, Encoding, Error, Hub, SetParts, Target};
use fabric_orchestrator::path::Path;
use fabric_orchestrator::sim::lab::{Lab, LabData, LabOptions};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

#[path = "journey/process.rs"]
#[allow(dead_code)] // each journey takes what it needs of it
mod process;

async fn lab(scenarios: &[&str]) -> Lab {
    let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have
    let scenarios = scenarios.iter().map(ToString::to_string).collect();
    Lab::start(LabData::embedded().unwrap(), LabOptions { collector: true, scenarios, ..LabOptions::default() }).await.unwrap()
}

fn settings(lab: &Lab) -> Settings {
    config::load(&Asked { config: Some(lab.config_file.clone()), ..Asked::default() }, &Env::lab()).unwrap()
}

fn engine(settings: Settings) -> Handle {
    Engine::start(settings, Options::once(Vec::new(), None, Vec::new())).unwrap()
}

/// Connections of this process to an address.
fn connections(to: std::net::SocketAddr) -> usize {
    let port = format!(":{:04X}", to.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
    let established = |line: &&str| {
        let mut words = line.split_whitespace().skip(2);
        words.next().is_some_and(|remote| remote.ends_with(&port)) && words.next() == Some("01")
    };
    table.lines().filter(established).count()
}

#[test]
fn an_untouched_lab_is_in_sync_and_drift_is_repaired() {
    let lab = process::Lab::serve(&["--collector"], &[]);
    let text = std::fs::read_to_string(&lab.config).unwrap();
    assert!(text.contains("[fabric.lab.collector]") && !text.contains("targets.leaf1"), "{text}");
    let (code, plan) = lab.json(&["plan", "--json"]);
    assert_eq!((code, &plan["in_sync"], &plan["unknown"]), (0, &true.into(), &serde_json::json!([])), "{plan:#}");
    let drifted = process::Lab::serve(&["--collector"], &["D19"]);
    let (code, plan) = drifted.json(&["plan", "--json"]);
    let changes = plan["changes"].as_array().unwrap();
    assert_eq!((code, changes.len(), changes[0]["device"].as_str()), (2, 1, Some("leaf5")), "{plan:#}");
    let (code, done) = drifted.json(&["apply", "--yes", "--json"]);
    assert_eq!((code, done["devices"][0]["outcome"].as_str()), (0, Some("applied")), "{done:#}");
    assert_eq!(drifted.json(&["plan", "--json"]).0, 0);
    let got = drifted.run(&["discover", "get", "--target", "leaf5", "--path", "/system/config/hostname", "--format", "flat"]);
    assert!(got.status.success() && String::from_utf8_lossy(&got.stdout).contains("leaf5"), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_devices_share_one_connection_and_it_comes_back() {
    let lab = lab(&[]).await;
    let collector = lab.collector.unwrap();
    let mut engine = engine(settings(&lab));
    let snapshot = engine.settled(Duration::from_secs(60)).await.unwrap();
    let live = |snapshot: &fabric_orchestrator::engine::snapshot::Snapshot| {
        snapshot.devices.iter().filter(|view| view.stream == Stream::Live).count()
    };
    assert_eq!((live(&snapshot), snapshot.plan.changes().count()), (10, 0));
    if cfg!(target_os = "linux") {
        assert_eq!(connections(collector), 1, "ten streams and ten readers of command lines");
    }
    // One device goes away: the collector says so of its stream alone.
    lab.fabric().power_off("leaf3");
    let snapshot = engine.until(Duration::from_secs(30), |snapshot| live(snapshot) == 9).await.unwrap();
    let view = snapshot.devices.iter().find(|view| view.stream != Stream::Live).unwrap();
    assert_eq!((&*view.name, view.stream), ("leaf3", Stream::Stale));
    let snapshot = engine.until(Duration::from_secs(30), |s| s.devices.iter().any(|view| view.trouble.contains("is not connected"))).await;
    assert!(snapshot.unwrap().devices.iter().find(|view| &*view.name == "leaf3").unwrap().trouble.contains("target \"leaf3\""));
    lab.fabric().power_on("leaf3", true);
    let snapshot = engine.until(Duration::from_secs(60), |snapshot| live(snapshot) == 10).await.unwrap();
    assert_eq!(live(&snapshot), 10);
    engine.stop().await;
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_the_collector_does_not_know_is_that_device_s_trouble_alone() {
    let lab = lab(&[]).await;
    let mut settings = settings(&lab);
    let mut wrong = settings.target("leaf2").clone();
    wrong.through.as_mut().unwrap().name = Some("leaf22".into());
    settings.targets.insert("leaf2".into(), wrong);
    let mut engine = engine(settings);
    let snapshot = engine.settled(Duration::from_secs(60)).await.unwrap();
    for view in &snapshot.devices {
        let expected = if &*view.name == "leaf2" { Stream::Refused } else { Stream::Live };
        assert_eq!(view.stream, expected, "{}: {}", view.name, view.trouble);
    }
    let view = snapshot.devices.iter().find(|view| &*view.name == "leaf2").unwrap();
    assert!(view.trouble.contains("does not serve it") && view.trouble.contains("collector_target"), "{}", view.trouble);
    assert!(view.refused_paths.is_empty(), "no path is to blame");
    engine.stop().await;
    lab.shutdown().await;
}

/// A collector that mixes its targets up.
struct Mixed;

#[tonic::async_trait]
impl GNmi for Mixed {
    async fn capabilities(&self, _: Request<proto::CapabilityRequest>) -> Result<Response<proto::CapabilityResponse>, Status> {
        Ok(Response::new(proto::CapabilityResponse::default()))
    }

    async fn get(&self, _: Request<proto::GetRequest>) -> Result<Response<proto::GetResponse>, Status> {
        let update = vec![proto::Update::default()];
        let notification = vec![proto::Notification { prefix: Some(prefix("leaf2")), update, ..proto::Notification::default() }];
        Ok(Response::new(proto::GetResponse { notification, ..proto::GetResponse::default() }))
    }

    async fn set(&self, _: Request<proto::SetRequest>) -> Result<Response<proto::SetResponse>, Status> {
        Ok(Response::new(proto::SetResponse { prefix: Some(prefix("leaf2")), ..proto::SetResponse::default() }))
    }

    type SubscribeStream = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<proto::SubscribeResponse, Status>> + Send>>;

    async fn subscribe(&self, _: Request<Streaming<proto::SubscribeRequest>>) -> Result<Response<Self::SubscribeStream>, Status> {
        let notification = proto::Notification { prefix: Some(prefix("leaf2")), ..proto::Notification::default() };
        let response = Some(proto::subscribe_response::Response::Update(notification));
        Ok(Response::new(Box::pin(tokio_stream::once(Ok(proto::SubscribeResponse { response, ..Default::default() })))))
    }
}

#[tokio::test]
async fn answers_of_another_target_are_never_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(
        tonic::transport::Server::builder().add_service(GNmiServer::new(Mixed)).serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let hub = Hub::new(Target::new("far", &address).plaintext());
    let target = Target::new("leaf1", &address).plaintext().behind(Arc::clone(&hub), "leaf1");
    let client = Client::connect(&target).await.unwrap();
    let words = "the collector answered for target \"leaf2\" instead of \"leaf1\"";
    let got = client.get(&[Path::root()], DataType::All, Encoding::JsonIetf).await.unwrap_err();
    assert!(matches!(&got, Error::Broken { device, reason } if device == "leaf1" && reason == words), "{got}");
    let set = client.set(&SetParts { delete: vec![Path::root().child("x")], ..SetParts::default() }).await.unwrap_err();
    assert!(matches!(&set, Error::Unknown { reason, .. } if reason == words), "whose device it was is not known: {set}");
    let mut answers = client.subscribe(tokio_stream::once(proto::SubscribeRequest::default())).await.unwrap();
    let status = answers.message().await.unwrap_err();
    assert!(matches!(client.error("Subscribe", &status), Error::Broken { reason, .. } if reason == words), "{status}");
    Client::connect(&target).await.unwrap();
    assert_eq!(hub.tries(), 1, "one connection for all of it");
}

#[tokio::test]
async fn a_dead_collector_is_knocked_at_once_for_all() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let hub = Hub::new(Target::new("far", &address).plaintext());
    let connect = |number: usize| {
        let target = Target::new(format!("leaf{number}"), &address).plaintext().behind(Arc::clone(&hub), "x");
        async move { Client::connect(&target).await.unwrap_err() }
    };
    let errors = futures_util::future::join_all((0..100).map(connect)).await;
    for (number, error) in errors.iter().enumerate() {
        assert!(matches!(error, Error::Unreachable { device, .. } if *device == format!("leaf{number}")), "{error}");
    }
    assert_eq!(hub.tries(), 1);
}
