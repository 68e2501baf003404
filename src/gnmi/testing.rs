//! A small gNMI server for tests, with every bad habit as a knob. Not the simulator: that one is faithful, this one is not.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::{BroadcastStream, TcpListenerStream};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use super::target::Target;
use super::wire::convert;
use super::wire::proto::g_nmi_server::{GNmi, GNmiServer};
use super::wire::proto::{self, subscribe_response, subscription_list};
use crate::path::Path;
use crate::value::Value;

pub(crate) type Answer = Result<proto::SubscribeResponse, Status>;

/// How syncs are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum SyncStyle {
    #[default]
    Once,
    Never,
    Twice,
    BeforeValues,
    /// After the first value, the others behind it.
    InTheMiddle,
}

/// How a Set ends.
#[derive(Clone, Debug, Default)]
pub(crate) enum SetStyle {
    #[default]
    Ok,
    /// The connection is cut once the request is here.
    CutBeforeAnswer,
    Hang,
    Refuse(Status),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Knobs {
    pub password: Option<(String, String)>,
    pub leaves: Vec<(Path, Value)>,
    /// Refused in Subscribe and in Get.
    pub refused: Vec<Path>,
    /// Only in Subscribe.
    pub not_streamed: Vec<Path>,
    /// Refused when asked for ON_CHANGE.
    pub no_on_change: Vec<Path>,
    /// Whether refusals name the path.
    pub names_paths: bool,
    pub no_subscribe: bool,
    /// What the next Subscribes are answered with.
    pub subscribe: Vec<Status>,
    pub sync: SyncStyle,
    /// How many streams end right after their sync.
    pub eof: usize,
    pub seconds: bool,
    pub old_elements: bool,
    pub set: SetStyle,
}

pub(crate) struct Fake {
    pub knobs: Mutex<Knobs>,
    pub live: broadcast::Sender<proto::SubscribeResponse>,
    /// Every Subscribe: paths and modes.
    pub subscribes: Mutex<Vec<Vec<(String, proto::SubscriptionMode)>>>,
    pub gets: Mutex<Vec<String>>,
    pub sets: Mutex<Vec<proto::SetRequest>>,
    pub open_streams: AtomicUsize,
    pub most_streams: AtomicUsize,
    pub connections: AtomicUsize,
    wire: watch::Sender<u64>,
    deaf: AtomicBool,
}

/// A running fake behind a wire that can be cut.
pub(crate) struct Running {
    pub fake: Arc<Fake>,
    pub address: String,
}

impl Running {
    pub(crate) async fn start(knobs: Knobs) -> Self {
        Self::start_tls(knobs, None).await
    }

    pub(crate) async fn start_tls(knobs: Knobs, tls: Option<ServerTlsConfig>) -> Self {
        let (wire, _) = watch::channel(0);
        let fake = Arc::new(Fake {
            knobs: Mutex::new(knobs),
            live: broadcast::channel(1024).0,
            subscribes: Mutex::default(),
            gets: Mutex::default(),
            sets: Mutex::default(),
            open_streams: AtomicUsize::new(0),
            most_streams: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            wire,
            deaf: AtomicBool::new(false),
        });
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner_address = inner.local_addr().unwrap();
        let mut builder = Server::builder();
        if let Some(tls) = tls {
            builder = builder.tls_config(tls).unwrap();
        }
        let router = builder.add_service(GNmiServer::new(Handle(Arc::clone(&fake))));
        tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(inner)));
        let outer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = outer.local_addr().unwrap().to_string();
        let shared = Arc::clone(&fake);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = outer.accept().await {
                if shared.deaf.load(Ordering::SeqCst) {
                    continue;
                }
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let mut cut = shared.wire.subscribe();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(inner_address).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { fake, address }
    }

    pub(crate) fn target(&self) -> Target {
        Target::new("leaf1", &self.address).plaintext()
    }

    pub(crate) fn knobs(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut self.fake.knobs.lock().unwrap());
    }

    /// Cuts every connection; new ones are accepted.
    pub(crate) fn cut(&self) {
        self.fake.cut();
    }

    /// Accepts and hangs up at once from now on.
    pub(crate) fn deaf(&self, deaf: bool) {
        self.fake.deaf.store(deaf, Ordering::SeqCst);
    }

    pub(crate) fn subscribes(&self) -> Vec<Vec<(String, proto::SubscriptionMode)>> {
        self.fake.subscribes.lock().unwrap().clone()
    }
}

impl Fake {
    fn cut(&self) {
        self.wire.send_modify(|count| *count += 1);
    }

    #[allow(clippy::result_large_err)]
    fn check(&self, metadata: &tonic::metadata::MetadataMap) -> Result<Knobs, Status> {
        let knobs = self.knobs.lock().unwrap().clone();
        let have = |key: &str| metadata.get(key).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        match &knobs.password {
            Some(want) if *want != (have("username"), have("password")) => Err(Status::unauthenticated("Bad username/password")),
            _ => Ok(knobs),
        }
    }
}

pub(crate) fn sync() -> proto::SubscribeResponse {
    proto::SubscribeResponse { response: Some(subscribe_response::Response::SyncResponse(true)), ..proto::SubscribeResponse::default() }
}

pub(crate) fn update(path: &Path, value: &Value) -> proto::SubscribeResponse {
    let notification = convert::Notification {
        timestamp: 1_700_000_000_000_000_000,
        updates: vec![(path.clone(), Ok(value.clone()))],
        ..convert::Notification::default()
    };
    response(convert::notification_message(&notification))
}

pub(crate) fn response(notification: proto::Notification) -> proto::SubscribeResponse {
    proto::SubscribeResponse { response: Some(subscribe_response::Response::Update(notification)), ..proto::SubscribeResponse::default() }
}

struct Handle(Arc<Fake>);

struct Guard(Arc<Fake>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.open_streams.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tonic::async_trait]
impl GNmi for Handle {
    async fn capabilities(&self, request: Request<proto::CapabilityRequest>) -> Result<Response<proto::CapabilityResponse>, Status> {
        self.0.check(request.metadata())?;
        Ok(Response::new(proto::CapabilityResponse {
            supported_models: vec![proto::ModelData {
                name: "openconfig-interfaces".into(),
                organization: "OpenConfig".into(),
                version: "3.8.0".into(),
            }],
            supported_encodings: vec![0, 4, 77],
            g_nmi_version: "0.7.0".into(),
            extension: Vec::new(),
        }))
    }

    async fn get(&self, request: Request<proto::GetRequest>) -> Result<Response<proto::GetResponse>, Status> {
        let knobs = self.0.check(request.metadata())?;
        let mut answer = proto::GetResponse::default();
        for wanted in request.get_ref().path.iter().map(convert::path) {
            self.0.gets.lock().unwrap().push(wanted.to_string());
            if let Some(bad) = knobs.refused.iter().find(|bad| bad.covers(&wanted)) {
                return Err(Status::invalid_argument(if knobs.names_paths {
                    format!("path invalid: {bad}")
                } else {
                    "path invalid".into()
                }));
            }
            let mut notification = convert::Notification::default();
            if wanted.origin.as_deref() == Some("cli") {
                notification.updates.push((wanted.clone(), Ok(Value::str(format!("! {}", wanted.name())))));
            }
            notification
                .updates
                .extend(knobs.leaves.iter().filter(|(path, _)| wanted.covers(path)).map(|(path, value)| (path.clone(), Ok(value.clone()))));
            answer.notification.push(convert::notification_message(&notification));
        }
        Ok(Response::new(answer))
    }

    async fn set(&self, request: Request<proto::SetRequest>) -> Result<Response<proto::SetResponse>, Status> {
        let knobs = self.0.check(request.metadata())?;
        self.0.sets.lock().unwrap().push(request.get_ref().clone());
        match knobs.set {
            SetStyle::Ok => Ok(Response::new(proto::SetResponse { timestamp: 7, ..proto::SetResponse::default() })),
            SetStyle::Refuse(status) => Err(status),
            SetStyle::CutBeforeAnswer => {
                self.0.cut();
                std::future::pending().await
            }
            SetStyle::Hang => std::future::pending().await,
        }
    }

    type SubscribeStream = Pin<Box<dyn Stream<Item = Answer> + Send>>;

    async fn subscribe(&self, request: Request<Streaming<proto::SubscribeRequest>>) -> Result<Response<Self::SubscribeStream>, Status> {
        let knobs = self.0.check(request.metadata())?;
        if knobs.no_subscribe {
            return Err(Status::unimplemented("Subscribe is not implemented"));
        }
        if let Some(status) = self.0.knobs.lock().unwrap().subscribe.pop() {
            return Err(status);
        }
        let mut requests = request.into_inner();
        let Some(proto::subscribe_request::Request::Subscribe(list)) = requests.message().await?.and_then(|request| request.request) else {
            return Err(Status::invalid_argument("the first request must subscribe"));
        };
        let wanted: Vec<(Path, proto::SubscriptionMode)> =
            list.subscription.iter().map(|one| (one.path.as_ref().map(convert::path).unwrap_or_default(), one.mode())).collect();
        self.0.subscribes.lock().unwrap().push(wanted.iter().map(|(path, mode)| (path.to_string(), *mode)).collect());
        for (path, mode) in &wanted {
            let say = |what: &str| if knobs.names_paths { format!("{what}: \"{path}\"") } else { what.to_owned() };
            if knobs.refused.iter().chain(&knobs.not_streamed).any(|bad| bad.covers(path)) {
                return Err(Status::invalid_argument(say("failed to subscribe")));
            }
            if *mode == proto::SubscriptionMode::OnChange && knobs.no_on_change.iter().any(|bad| bad.covers(path)) {
                return Err(Status::unimplemented(say("ON_CHANGE is not supported")));
            }
        }
        let mode = list.mode();
        let first = first_answers(&knobs, &wanted);
        let eof = mode == subscription_list::Mode::Stream && {
            let mut knobs = self.0.knobs.lock().unwrap();
            let eof = knobs.eof > 0;
            knobs.eof = knobs.eof.saturating_sub(1);
            eof
        };
        if mode == subscription_list::Mode::Poll {
            let again = first.clone();
            let polls =
                requests.filter_map(|request| async move { request.ok() }).flat_map(move |_| tokio_stream::iter(again.clone()).map(Ok));
            return Ok(Response::new(Box::pin(tokio_stream::iter(first).map(Ok).chain(polls))));
        }
        if mode == subscription_list::Mode::Once || eof {
            return Ok(Response::new(Box::pin(tokio_stream::iter(first).map(Ok))));
        }
        let open = self.0.open_streams.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_streams.fetch_max(open, Ordering::SeqCst);
        let guard = Guard(Arc::clone(&self.0));
        let live = BroadcastStream::new(self.0.live.subscribe()).filter_map(move |message| {
            let _keep = (&guard, &requests);
            async move { message.ok().map(Ok) }
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(first).map(Ok).chain(live))))
    }
}

fn first_answers(knobs: &Knobs, wanted: &[(Path, proto::SubscriptionMode)]) -> Vec<proto::SubscribeResponse> {
    let mut values: Vec<_> = knobs
        .leaves
        .iter()
        .filter(|(path, _)| wanted.iter().any(|(wanted, _)| wanted.covers(path)))
        .map(|(path, value)| {
            let mut message = update(path, value);
            if let Some(subscribe_response::Response::Update(notification)) = &mut message.response {
                if knobs.seconds {
                    notification.timestamp /= 1_000_000_000;
                }
                if knobs.old_elements {
                    notification.update.iter_mut().filter_map(|update| update.path.as_mut()).for_each(old_elements);
                }
            }
            message
        })
        .collect();
    match knobs.sync {
        SyncStyle::Once => values.push(sync()),
        SyncStyle::Never => {}
        SyncStyle::Twice => values.extend([sync(), sync()]),
        SyncStyle::BeforeValues => values.insert(0, sync()),
        SyncStyle::InTheMiddle => values.insert(1.min(values.len()), sync()),
    }
    values
}

#[allow(deprecated)]
fn old_elements(path: &mut proto::Path) {
    path.element = convert::path(path).elems.iter().map(ToString::to_string).collect();
    path.elem.clear();
}

/// A certificate authority and what it signs.
pub(crate) struct Authority {
    pub certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        Self { certificate, issuer: rcgen::Issuer::new(parameters, key) }
    }

    /// `(certificate, key)` as PEM for these names.
    pub(crate) fn sign(&self, names: &[&str], expired: bool) -> (String, String) {
        let mut parameters = rcgen::CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        if expired {
            parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A server's TLS; `clients`: the authority client certificates must come from.
    pub(crate) fn server(&self, names: &[&str], expired: bool, clients: Option<&Self>) -> ServerTlsConfig {
        let (certificate, key) = self.sign(names, expired);
        let config = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        match clients {
            Some(clients) => config.client_ca_root(Certificate::from_pem(clients.certificate.pem())),
            None => config,
        }
    }
}

/// Waits until something is so; fails with `what` after ten seconds.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}
