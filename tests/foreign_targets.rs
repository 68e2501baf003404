//! Targets that are no EOS: each lacks or bends one thing of gNMI. The lab's leaf1 is put behind them, so the fabric must still
//! be in sync, and the device must say how its leaves are had.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fabric_orchestrator::config::{self, Asked, Env};
use fabric_orchestrator::engine::snapshot::{DeviceView, Stream};
use fabric_orchestrator::engine::{Engine, Options};
use fabric_orchestrator::gnmi::wire::convert::{self, Notification};
use fabric_orchestrator::gnmi::wire::proto::g_nmi_server::{GNmi, GNmiServer};
use fabric_orchestrator::gnmi::wire::proto::{self, SubscriptionMode, subscribe_request, subscribe_response};
use fabric_orchestrator::gnmi::{CliAnswer, Client, Target};
use fabric_orchestrator::path::Path;
use fabric_orchestrator::sim::eos::nodes::Nodes;
use fabric_orchestrator::sim::lab::{Lab, LabData, LabOptions};
use fabric_orchestrator::value::Value;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream as Answers, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

/// What is foreign about it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Habit {
    /// Get and Set, and no Subscribe.
    NoSubscribe,
    /// ON_CHANGE is refused, without naming a path.
    RefusesOnChange,
    /// ON_CHANGE is accepted and never answered with a value; SAMPLE is.
    OnlySamples,
    /// Paths as the deprecated strings.
    Elements,
    /// Time stamps in seconds.
    Seconds,
    /// The sync comes after the first value, the others behind it.
    SyncInMidStream,
    /// Two syncs.
    SyncTwice,
}

/// leaf1 of the lab, as somebody else would serve it.
struct Foreign {
    habit: Habit,
    leaves: Vec<(Path, Value)>,
    nodes: Arc<Nodes>,
    real: Target,
}

impl Foreign {
    fn below(&self, wanted: &Path) -> Vec<(Path, Value)> {
        self.leaves.iter().filter(|(path, _)| wanted.covers(path)).cloned().collect()
    }

    /// One message a leaf, in the habit.
    fn first(&self, wanted: &[Path]) -> Vec<proto::SubscribeResponse> {
        let sync = || response(subscribe_response::Response::SyncResponse(true));
        let mut all: Vec<_> = self.leaves.iter().filter(|(path, _)| wanted.iter().any(|wanted| wanted.covers(path))).collect();
        if self.habit == Habit::OnlySamples {
            all.clear();
        }
        let mut messages: Vec<_> = all.into_iter().map(|(path, value)| self.update(path, value)).collect();
        match self.habit {
            Habit::SyncInMidStream => messages.insert(1.min(messages.len()), sync()),
            Habit::SyncTwice => messages.extend([sync(), sync()]),
            _ => messages.push(sync()),
        }
        messages
    }

    #[allow(deprecated)]
    fn update(&self, path: &Path, value: &Value) -> proto::SubscribeResponse {
        let timestamp = if self.habit == Habit::Seconds { 1_700_000_000 } else { 1_700_000_000_000_000_000 };
        let mut message = convert::notification_message(&Notification {
            timestamp,
            updates: vec![(path.clone(), Ok(value.clone()))],
            ..Notification::default()
        });
        if self.habit == Habit::Elements {
            for path in message.update.iter_mut().filter_map(|update| update.path.as_mut()) {
                path.element = convert::path(path).elems.iter().map(ToString::to_string).collect();
                path.elem.clear();
            }
        }
        response(subscribe_response::Response::Update(message))
    }
}

fn response(response: subscribe_response::Response) -> proto::SubscribeResponse {
    proto::SubscribeResponse { response: Some(response), ..proto::SubscribeResponse::default() }
}

struct Service(Arc<Foreign>);

#[tonic::async_trait]
impl GNmi for Service {
    async fn capabilities(&self, _: Request<proto::CapabilityRequest>) -> Result<Response<proto::CapabilityResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get(&self, request: Request<proto::GetRequest>) -> Result<Response<proto::GetResponse>, Status> {
        let encoding = request.get_ref().encoding();
        let mut answer = proto::GetResponse::default();
        for path in request.get_ref().path.iter().map(convert::path) {
            let val = if path.origin.as_deref() == Some("cli") {
                // Command lines are no matter of this test: the real one answers.
                let client = Client::connect(&self.0.real).await.map_err(|error| Status::unavailable(error.to_string()))?;
                match client.cli(path.name(), encoding).await.map_err(|error| Status::unavailable(error.to_string()))? {
                    CliAnswer::Text(text) => convert::value_message(&Value::str(text)),
                    CliAnswer::Json(json) => convert::json_ietf_message(&json),
                }
            } else {
                convert::json_ietf_message(&self.0.nodes.document(&path, &self.0.below(&path)))
            };
            let update = proto::Update { path: Some(convert::path_message(&path)), val: Some(val), ..proto::Update::default() };
            answer.notification.push(proto::Notification { update: vec![update], ..proto::Notification::default() });
        }
        Ok(Response::new(answer))
    }

    async fn set(&self, _: Request<proto::SetRequest>) -> Result<Response<proto::SetResponse>, Status> {
        Ok(Response::new(proto::SetResponse::default()))
    }

    type SubscribeStream = Pin<Box<dyn Answers<Item = Result<proto::SubscribeResponse, Status>> + Send>>;

    async fn subscribe(&self, request: Request<Streaming<proto::SubscribeRequest>>) -> Result<Response<Self::SubscribeStream>, Status> {
        if self.0.habit == Habit::NoSubscribe {
            return Err(Status::unimplemented("unknown method Subscribe for service gnmi.gNMI"));
        }
        let mut requests = request.into_inner();
        let Some(subscribe_request::Request::Subscribe(list)) = requests.message().await?.and_then(|request| request.request) else {
            return Err(Status::invalid_argument("the first request must subscribe"));
        };
        let modes: Vec<_> = list.subscription.iter().map(proto::Subscription::mode).collect();
        let paths: Vec<_> = list.subscription.iter().map(|one| one.path.as_ref().map(convert::path).unwrap_or_default()).collect();
        if self.0.habit == Habit::RefusesOnChange && modes.contains(&SubscriptionMode::OnChange) {
            return Err(Status::unimplemented("ON_CHANGE is not supported"));
        }
        let first: Vec<_> = self.0.first(&paths).into_iter().map(Ok).collect();
        let sampled: Vec<_> = list
            .subscription
            .iter()
            .zip(&paths)
            .filter(|(one, _)| self.0.habit == Habit::OnlySamples && one.mode() == SubscriptionMode::Sample)
            .flat_map(|(_, path)| self.0.below(path))
            .map(|(path, value)| Ok(self.0.update(&path, &value)))
            .collect();
        let open = futures_util::stream::unfold(requests, |mut requests| async move {
            while let Ok(Some(_)) = requests.message().await {}
            None
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(sampled).chain(tokio_stream::iter(first)).chain(open))))
    }
}

/// The view of leaf1 behind a target with this habit, once the engine knows everything, and the changes planned on it.
async fn behind(habit: Habit) -> (Arc<DeviceView>, usize) {
    let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have
    let lab = Lab::start(LabData::embedded().unwrap(), LabOptions::default()).await.unwrap();
    let device = Arc::clone(lab.fabric().device("leaf1").unwrap());
    let leaves = device.lock().state.iter().map(|(path, leaf)| ((**path).clone(), leaf.value.clone())).collect();
    let nodes = Arc::clone(lab.fabric().nodes());
    let at = lab.devices.iter().find(|(name, _)| name == "leaf1").unwrap().1;
    let real = Target::new("leaf1", at.to_string()).plaintext().user("admin", "admin");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = GNmiServer::new(Service(Arc::new(Foreign { habit, leaves, nodes, real })));
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));

    let asked = Asked { config: Some(lab.config_file.clone()), ..Asked::default() };
    let mut settings = config::load(&asked, &Env::lab()).unwrap();
    settings.targets.get_mut("leaf1").unwrap().address = Some(address.to_string());
    let mut engine = Engine::start(settings, Options::once(Vec::new(), None, Vec::new())).unwrap();
    let snapshot = engine.settled(Duration::from_secs(60)).await.unwrap();
    let view = Arc::clone(snapshot.devices.iter().find(|view| &*view.name == "leaf1").unwrap());
    assert!(snapshot.settled(), "{habit:?}: {:?} {} {:?}", view.stream, view.trouble, view.refused_paths);
    let changes = snapshot.plan.changes().count();
    engine.stop().await;
    lab.shutdown().await;
    (view, changes)
}

/// Live, in sync, and `(sampled, polled)` paths.
async fn mirrors(habit: Habit, how: (u64, u64)) {
    let (view, changes) = behind(habit).await;
    assert_eq!((view.stream, changes), (Stream::Live, 0), "{habit:?}: {} {:?}", view.trouble, view.changes);
    assert!(view.tally.equal > 100, "{habit:?}: something was compared: {:?}", view.tally);
    let counters = view.counters;
    assert_eq!((counters.sampled, counters.polled, counters.missing), (how.0, how.1, 0), "{habit:?}: {:?}", view.refused_paths);
    assert_eq!(view.refused_paths.len() as u64, how.0 + how.1);
}

#[tokio::test]
async fn without_subscribe_it_is_read_by_get() {
    let (view, _) = behind(Habit::NoSubscribe).await;
    assert!(view.refused_paths.iter().all(|(_, words)| words.ends_with("(now read by Get)")), "{:?}", view.refused_paths);
    mirrors(Habit::NoSubscribe, (0, 13)).await;
}

#[tokio::test]
async fn without_on_change_it_is_sampled() {
    mirrors(Habit::RefusesOnChange, (13, 0)).await;
    mirrors(Habit::OnlySamples, (13, 0)).await;
}

#[tokio::test]
async fn old_paths_and_odd_times_make_no_difference() {
    mirrors(Habit::Elements, (0, 0)).await;
    mirrors(Habit::Seconds, (0, 0)).await;
}

#[tokio::test]
async fn an_odd_sync_makes_no_difference() {
    mirrors(Habit::SyncInMidStream, (0, 0)).await;
    mirrors(Habit::SyncTwice, (0, 0)).await;
}
