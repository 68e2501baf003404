//! The gNMI service of a simulated device, on a TCP port of its own.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TlsConnectInfo;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Extensions, Request, Response, Status, Streaming};

use super::cli::show;
use super::commit::Op;
use super::convert::{Payload, ascii_out, json_out, path_in, path_out, payload_in, update_out};
use super::device::Device;
use super::fabric::{Confirm, Fabric};
use super::faults::SetFault;
use super::get;
use super::raw::Raw;
use super::refusal::Refusal;
use super::subscribe;
use super::wire::{Connection, Cut, Wire};
use crate::gnmi::wire::gnmi_ext::{Extension, commit::Action, extension::Ext};
use crate::gnmi::wire::proto;
use crate::gnmi::wire::proto::g_nmi_server::GNmi;
use crate::gnmi::wire::proto::get_request::DataType;
use crate::gnmi::wire::proto::update_result::Operation;
use crate::path::{ORIGIN_CLI, Path};

/// Certificates of a listener, PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The server's chain.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Clients must show a certificate of this authority.
    pub client_authority: Option<String>,
}

/// A listening device, or a collector of all of them. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    behind: Behind,
    tasks: Vec<AbortHandle>,
}

impl Running {
    /// Stops listening and breaks every connection, as a crash would.
    pub fn kill(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.behind.cut();
    }
}

/// Who answers at an address.
#[derive(Clone, Debug)]
enum Behind {
    /// One device.
    Device(Arc<Device>),
    /// Every device, told apart by `prefix.target`; the channel breaks the collector's connections.
    All(watch::Sender<u64>),
}

impl Behind {
    fn cut(&self) {
        match self {
            Self::Device(device) => device.cut(),
            Self::All(cuts) => cuts.send_modify(|turn| *turn += 1),
        }
    }

    fn cuts(&self) -> watch::Receiver<u64> {
        match self {
            Self::Device(device) => device.cuts(),
            Self::All(cuts) => cuts.subscribe(),
        }
    }

    fn powered(&self) -> bool {
        match self {
            Self::Device(device) => device.lock().powered,
            Self::All(_) => true,
        }
    }
}

/// What a collector says of a target whose device is gone for now.
pub fn away(target: &str) -> Status {
    Status::unavailable(format!("target \"{target}\" is not connected"))
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Fabric {
    /// Listens for a device, plaintext. Port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be bound, or no device has this name.
    pub async fn serve(&self, name: &str, address: SocketAddr) -> std::io::Result<Running> {
        self.serve_with(name, address, None).await
    }

    /// Listens for a device, with TLS if there are certificates.
    ///
    /// # Errors
    /// As [`Fabric::serve`], or the certificates are no PEM.
    pub async fn serve_with(&self, name: &str, address: SocketAddr, tls: Option<Tls>) -> std::io::Result<Running> {
        let device = self.device(name).cloned().ok_or_else(|| std::io::Error::other(format!("no simulated device is called {name}")))?;
        let ticking = tokio::spawn(tick(self.handle(), Arc::clone(&device), self.options.counters));
        self.listen(Behind::Device(device), address, tls, vec![ticking.abort_handle()]).await
    }

    /// Listens for all devices at one address, as a collector does: `prefix.target` says whom a call is for. Counters of a
    /// device move by its own listener.
    ///
    /// # Errors
    /// The address cannot be bound, or the certificates are no PEM.
    pub async fn serve_all(&self, address: SocketAddr, tls: Option<Tls>) -> std::io::Result<Running> {
        self.listen(Behind::All(watch::channel(0).0), address, tls, Vec::new()).await
    }

    async fn listen(&self, behind: Behind, address: SocketAddr, tls: Option<Tls>, tasks: Vec<AbortHandle>) -> std::io::Result<Running> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (accepted, incoming) = mpsc::channel(16);
        let accept = tokio::spawn(accept(listener, behind.clone(), accepted));
        let service = Raw::new(Service { fabric: self.handle(), behind: behind.clone() }, self.options.max_request);
        // One connection may carry the streams of every device.
        let mut server = Server::builder().max_concurrent_streams(Some(1 << 20));
        if let Some(tls) = tls {
            let mut config = ServerTlsConfig::new().identity(Identity::from_pem(&tls.certificate, &tls.key));
            if let Some(authority) = &tls.client_authority {
                config = config.client_ca_root(Certificate::from_pem(authority));
            }
            server = server.tls_config(config).map_err(std::io::Error::other)?;
        }
        let serving = server.add_service(service).serve_with_incoming(ReceiverStream::new(incoming));
        let serve = tokio::spawn(async move { _ = serving.await });
        let tasks = tasks.into_iter().chain([accept.abort_handle(), serve.abort_handle()]).collect();
        Ok(Running { address, behind, tasks })
    }
}

/// Takes connections while the device is powered; breaks them all when it is cut.
async fn accept(listener: TcpListener, behind: Behind, accepted: mpsc::Sender<std::io::Result<Wire>>) {
    let mut cuts = behind.cuts();
    let mut open: Vec<Weak<Cut>> = Vec::new();
    // When this task ends the connections go with it.
    let _guard = CutAll(behind.clone());
    loop {
        tokio::select! {
            changed = cuts.changed() => {
                open.drain(..).filter_map(|cut| cut.upgrade()).for_each(|cut| cut.cut());
                if changed.is_err() {
                    return;
                }
            }
            taken = listener.accept() => {
                let Ok((stream, _)) = taken else { continue };
                if !behind.powered() {
                    continue; // dropped: the client sees the connection close
                }
                _ = stream.set_nodelay(true);
                let (wire, cut) = Wire::new(stream);
                open.retain(|cut| cut.strong_count() > 0);
                open.push(Arc::downgrade(&cut));
                if accepted.send(Ok(wire)).await.is_err() {
                    return;
                }
            }
        }
    }
}

struct CutAll(Behind);

impl Drop for CutAll {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// Moves the counters of a device while somebody streams from it.
async fn tick(fabric: Weak<Fabric>, device: Arc<Device>, every: Duration) {
    let mut timer = tokio::time::interval(every.max(Duration::from_millis(10)));
    timer.tick().await;
    loop {
        timer.tick().await;
        let Some(fabric) = fabric.upgrade() else { return };
        if device.watched() {
            device.publish(device.refresh(fabric.wiring()));
        }
    }
}

/// The gNMI of one device, or of all by target.
pub struct Service {
    fabric: Weak<Fabric>,
    behind: Behind,
}

impl Service {
    fn fabric(&self) -> Result<Arc<Fabric>, Status> {
        self.fabric.upgrade().ok_or_else(|| Status::unavailable("the simulated fabric is gone"))
    }

    /// Whom a call is for.
    fn device(&self, prefix: Option<&proto::Path>) -> Result<Arc<Device>, Status> {
        match &self.behind {
            Behind::Device(device) => Ok(Arc::clone(device)),
            Behind::All(_) => {
                let target = prefix.map_or("", |prefix| prefix.target.as_str());
                if target.is_empty() {
                    return Err(Status::invalid_argument("this server has many targets: prefix.target must name one"));
                }
                let device = self.fabric()?.device(target).cloned();
                let device = device.ok_or_else(|| Status::not_found(format!("no such target: \"{target}\"")))?;
                if device.lock().powered { Ok(device) } else { Err(away(target)) }
            }
        }
    }

    /// The connection to break with a device: that of a collector carries the others too.
    fn own_connection(&self, extensions: &Extensions) -> Option<Connection> {
        connection(extensions).filter(|_| matches!(self.behind, Behind::Device(_)))
    }

    /// What every RPC meets first: slowness, a missing implementation, the login. Returns the user.
    async fn enter(&self, device: &Device, rpc: &str, metadata: &MetadataMap) -> Result<String, Status> {
        let faults = device.faults();
        if faults.slow_ms > 0 {
            tokio::time::sleep(Duration::from_millis(faults.slow_ms)).await;
        }
        if faults.unimplemented.iter().any(|name| name == rpc) {
            return Err(Status::unimplemented(format!("unknown method {rpc}")));
        }
        let said = |key: &str| metadata.get(key).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (user, password) = (said("username"), said("password"));
        let fabric = self.fabric()?;
        let Some((name, secret)) = &fabric.options.login else {
            return Ok(if user.is_empty() { "anonymous".to_owned() } else { user });
        };
        if user.is_empty() {
            return Err(Status::unauthenticated("no username provided"));
        }
        if faults.deny_login || user != *name || password != *secret {
            return Err(Status::unauthenticated(format!("failed to authenticate user \"{user}\": Bad username/password combination")));
        }
        Ok(user)
    }
}

/// The connection an RPC came over.
fn connection(extensions: &Extensions) -> Option<Connection> {
    extensions.get::<Connection>().cloned().or_else(|| extensions.get::<TlsConnectInfo<Connection>>().map(|tls| tls.get_ref().clone()))
}

type Answers = Pin<Box<dyn Stream<Item = Result<proto::SubscribeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl GNmi for Service {
    type SubscribeStream = Answers;

    async fn capabilities(&self, request: Request<proto::CapabilityRequest>) -> Result<Response<proto::CapabilityResponse>, Status> {
        let fabric = self.fabric()?;
        // The protocol has no target here: a collector answers for itself.
        let device = match &self.behind {
            Behind::Device(device) => Arc::clone(device),
            Behind::All(_) => fabric.devices().next().cloned().ok_or_else(|| Status::unavailable("no target"))?,
        };
        self.enter(&device, "capabilities", request.metadata()).await?;
        let model = |(name, revision): (&str, &str)| proto::ModelData {
            name: name.to_owned(),
            organization: organization(name).to_owned(),
            // As captured: models of Arista and the IETF come without a version.
            version: if name.starts_with("openconfig") { revision.to_owned() } else { String::new() },
        };
        Ok(Response::new(proto::CapabilityResponse {
            supported_models: fabric.nodes().schema().modules().map(model).collect(),
            supported_encodings: [proto::Encoding::Json, proto::Encoding::JsonIetf, proto::Encoding::Ascii].map(|e| e as i32).to_vec(),
            g_nmi_version: fabric.options.gnmi_version.clone(),
            extension: Vec::new(),
        }))
    }

    async fn get(&self, request: Request<proto::GetRequest>) -> Result<Response<proto::GetResponse>, Status> {
        let device = self.device(request.get_ref().prefix.as_ref())?;
        self.enter(&device, "get", request.metadata()).await?;
        let fabric = self.fabric()?;
        let request = request.into_inner();
        let encoding = proto::Encoding::try_from(request.encoding).map_err(|_| Status::unimplemented("unsupported encoding"))?;
        let mut paths = Vec::new();
        for path in &request.path {
            paths.push(path_in(Some(path), request.prefix.as_ref())?);
        }
        if paths.is_empty() {
            paths.push(path_in(None, request.prefix.as_ref())?);
        }
        check_origins(&paths)?;
        let target = request.prefix.as_ref().map_or("", |prefix| prefix.target.as_str());
        let faults = device.faults();
        let mut notification = Vec::new();
        for path in &paths {
            if faults.refuse_get.iter().any(|refused| refused.overlaps(path)) {
                return Err(Refusal::no_node(path, path.len().saturating_sub(1)).on("get", path).into());
            }
            match path.origin.as_deref() {
                Some(ORIGIN_CLI) => notification.push(self.show(&fabric, &device, path, encoding, target)?),
                Some(_) => notification.push(proto::Notification::default()),
                None => {
                    if matches!(encoding, proto::Encoding::Proto | proto::Encoding::Bytes | proto::Encoding::Ascii) {
                        return Err(Status::unimplemented(format!("unsupported encoding: {}", encoding.as_str_name())));
                    }
                    fabric.nodes().check_read(path).map_err(|refusal| refusal.on("get", path))?;
                    device.refresh(fabric.wiring());
                    let kind = DataType::try_from(request.r#type).unwrap_or(DataType::All);
                    let inner = device.lock();
                    notification.push(get::answer(fabric.nodes(), &fabric.options, &inner.state, path, kind, target)?);
                }
            }
        }
        let mut answer = proto::GetResponse { notification, ..proto::GetResponse::default() };
        if faults.pad_get > 0 {
            let filler = update_out(
                path_out(&Path::root().child("system").child("config").child("motd-banner"), ""),
                ascii_out("x".repeat(faults.pad_get)),
            );
            if let Some(first) = answer.notification.first_mut() {
                first.update.push(filler);
            }
        }
        if faults.cut_json {
            cut_json(&mut answer);
        }
        Ok(Response::new(answer))
    }

    async fn set(&self, request: Request<proto::SetRequest>) -> Result<Response<proto::SetResponse>, Status> {
        let device = self.device(request.get_ref().prefix.as_ref())?;
        let user = self.enter(&device, "set", request.metadata()).await?;
        let fabric = self.fabric()?;
        let connection = self.own_connection(request.extensions());
        let request = request.into_inner();
        let faults = device.faults();
        let break_it = || {
            if let Some(connection) = &connection {
                connection.cut.cut();
            }
        };
        // The connection is gone; a collector's is not, and it says what it sees.
        let lost = || async {
            match connection {
                Some(_) => std::future::pending().await,
                None => Err(away(&device.name)),
            }
        };
        let fault = device.next_set_fault();
        match &fault {
            SetFault::Refuse { code, message } => return Err(Status::new(Code::from(*code), message.clone())),
            SetFault::DropBefore => {
                break_it();
                return lost().await;
            }
            SetFault::HangBefore => return std::future::pending().await,
            _ => {}
        }
        if faults.deny_set {
            return Err(Status::permission_denied(format!("user \"{user}\" is not authorized to run OpenConfig.Set")));
        }
        let (mut ops, results) = operations(&request)?;
        for op in &ops {
            if let Op::Delete(path) | Op::Replace(path, _) | Op::Update(path, _) = op
                && faults.deny_paths.iter().any(|denied| denied.overlaps(path))
            {
                return Err(Status::permission_denied(format!("user \"{user}\" is not authorized to write {path}")));
            }
        }
        let confirm = confirmation(&request.extension)?;
        if fault == SetFault::RebootDuring {
            ops.truncate(1);
        }
        let at = fabric.commit(&device.name, &user, &ops, confirm)?;
        match fault {
            SetFault::DropAfter => {
                break_it();
                return lost().await;
            }
            SetFault::ResetAfter => return Err(Status::internal("RST_STREAM")),
            SetFault::HangAfter => return std::future::pending().await,
            SetFault::RebootDuring => {
                fabric.reboot(&device.name, Duration::from_millis(500), true);
                return std::future::pending().await;
            }
            _ => {}
        }
        let timestamp = i64::try_from(if faults.seconds { at / 1_000_000_000 } else { at }).unwrap_or(i64::MAX);
        Ok(Response::new(proto::SetResponse {
            prefix: request.prefix,
            response: if faults.bare_set_response { Vec::new() } else { results },
            timestamp,
            ..proto::SetResponse::default()
        }))
    }

    async fn subscribe(&self, _: Request<Streaming<proto::SubscribeRequest>>) -> Result<Response<Self::SubscribeStream>, Status> {
        // Never called: see `raw`.
        Err(Status::internal("Subscribe is answered as bytes"))
    }
}

impl Service {
    /// Subscribe, with its answers as bytes.
    ///
    /// # Errors
    /// The status the RPC ends with.
    pub async fn answers(
        &self,
        request: Request<Streaming<proto::SubscribeRequest>>,
    ) -> Result<Response<ReceiverStream<Result<Bytes, Status>>>, Status> {
        let fabric = self.fabric()?;
        let (metadata, _, mut input) = request.into_parts();
        let (device, first) = match &self.behind {
            Behind::Device(device) => (Arc::clone(device), None),
            Behind::All(_) => {
                let first = input.message().await?;
                let prefix = match first.as_ref().and_then(|first| first.request.as_ref()) {
                    Some(proto::subscribe_request::Request::Subscribe(list)) => list.prefix.clone(),
                    _ => None,
                };
                (self.device(prefix.as_ref())?, first)
            }
        };
        self.enter(&device, "subscribe", &metadata).await?;
        let (tx, rx) = mpsc::channel(64);
        tokio::spawn(async move {
            if let Err(status) = subscribe::run(&fabric, &device, first, input, &tx).await {
                _ = tx.send(Err(status)).await; // the client may be gone
            }
        });
        Ok(Response::new(ReceiverStream::new(rx)))
    }
}

impl Service {
    /// A show command: JSON, or text for ASCII.
    fn show(
        &self,
        fabric: &Fabric,
        device: &Device,
        path: &Path,
        encoding: proto::Encoding,
        target: &str,
    ) -> Result<proto::Notification, Refusal> {
        let command = path.elems.iter().map(|elem| elem.name.as_str()).collect::<Vec<_>>().join(" ");
        let val = if encoding == proto::Encoding::Ascii {
            ascii_out(show::text(fabric, device, &command)?)
        } else {
            json_out(&show::json(fabric, device, &command)?)
        };
        let timestamp = i64::try_from(device.now()).unwrap_or(i64::MAX);
        let prefix = (!target.is_empty()).then(|| proto::Path { target: target.to_owned(), ..proto::Path::default() });
        Ok(proto::Notification { timestamp, prefix, update: vec![update_out(path_out(path, ""), val)], ..proto::Notification::default() })
    }
}

fn organization(module: &str) -> &'static str {
    match module.split('-').next() {
        Some("openconfig") => "OpenConfig working group",
        Some("ietf" | "iana") => "IETF NETMOD (NETCONF Data Modeling Language) Working Group",
        _ => "Arista Networks <http://arista.com/>",
    }
}

/// Origins a device knows, and which of them go together.
pub fn check_origins(paths: &[Path]) -> Result<(), Refusal> {
    let native = paths.iter().filter(|path| path.origin.as_deref() == Some("eos_native")).count();
    if native > 0 && native < paths.len() {
        return Err(Refusal::new(
            Code::InvalidArgument,
            "paths of the origins \"openconfig\" and \"eos_native\" may not be mixed in one request",
        ));
    }
    match paths.iter().find_map(|path| path.origin.as_deref().filter(|origin| !matches!(*origin, ORIGIN_CLI | "eos_native"))) {
        Some(origin) => Err(Refusal::new(Code::InvalidArgument, format!("requests with an origin of \"{origin}\" are not supported"))),
        None => Ok(()),
    }
}

/// The operations of a Set in the order of the specification, and the results that echo them.
fn operations(request: &proto::SetRequest) -> Result<(Vec<Op>, Vec<proto::UpdateResult>), Refusal> {
    if !request.union_replace.is_empty() {
        return Err(Refusal::new(Code::Unimplemented, "union_replace is not supported: 'operation set namespace' is not configured"));
    }
    let prefix = request.prefix.as_ref();
    let wrong = |verb: &str, origin: &str| {
        Refusal::new(Code::InvalidArgument, format!("{verb} requests with an origin of \"{origin}\" are not supported"))
    };
    let result = |path: Option<proto::Path>, op: Operation| proto::UpdateResult { path, op: op as i32, ..proto::UpdateResult::default() };
    let (mut ops, mut results) = (Vec::new(), Vec::new());
    for path in &request.delete {
        let wanted = path_in(Some(path), prefix)?;
        if let Some(origin) = &wanted.origin {
            return Err(wrong("delete", origin));
        }
        ops.push(Op::Delete(wanted));
        results.push(result(Some(path.clone()), Operation::Delete));
    }
    for (updates, verb, kind) in [(&request.replace, "replace", Operation::Replace), (&request.update, "update", Operation::Update)] {
        for update in updates {
            let wanted = path_in(update.path.as_ref(), prefix)?;
            let payload = payload_in(update)?;
            let op = match wanted.origin.as_deref() {
                None if kind == Operation::Replace => Op::Replace(wanted, payload),
                None => Op::Update(wanted, payload),
                Some(ORIGIN_CLI) if kind == Operation::Update => match payload {
                    Payload::Ascii(text) => Op::Cli(text),
                    Payload::Json(serde_json::Value::String(text)) => Op::Cli(text),
                    Payload::Scalar(crate::value::Value::Str(text)) => Op::Cli(text.to_string()),
                    _ => return Err(Refusal::new(Code::InvalidArgument, "an update of the origin \"cli\" needs ascii_val")),
                },
                Some(origin) => return Err(wrong(verb, origin)),
            };
            ops.push(op);
            results.push(result(update.path.clone(), kind));
        }
    }
    Ok((ops, results))
}

/// The commit-confirmed extension of a Set.
fn confirmation(extensions: &[Extension]) -> Result<Option<Confirm>, Refusal> {
    const TEN_MINUTES: Duration = Duration::from_secs(600);
    let found = extensions.iter().find_map(|extension| match &extension.ext {
        Some(Ext::Commit(commit)) => Some(commit),
        _ => None,
    });
    let Some(commit) = found else { return Ok(None) };
    let id = commit.id.clone();
    let span = |duration: Option<prost_types::Duration>| duration.and_then(|duration| Duration::try_from(duration).ok());
    Ok(Some(match &commit.action {
        Some(Action::Commit(request)) => Confirm::Commit(id, span(request.rollback_duration).unwrap_or(TEN_MINUTES)),
        Some(Action::Confirm(_)) => Confirm::Confirm(id),
        Some(Action::Cancel(_)) => Confirm::Cancel(id),
        Some(Action::SetRollbackDuration(request)) => Confirm::Extend(id, span(request.rollback_duration).unwrap_or_default()),
        None => return Err(Refusal::new(Code::InvalidArgument, "extension commit without an action")),
    }))
}

/// Ends documents in the middle.
fn cut_json(answer: &mut proto::GetResponse) {
    for update in answer.notification.iter_mut().flat_map(|notification| &mut notification.update) {
        if let Some(proto::typed_value::Value::JsonIetfVal(bytes)) = update.val.as_mut().and_then(|val| val.value.as_mut()) {
            *bytes = bytes.slice(..bytes.len() / 2);
        }
    }
}
