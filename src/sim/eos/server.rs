//! The gNMI service of a simulated device, on a TCP port of its own.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
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
use super::refusal::Refusal;
use super::subscribe;
use super::wire::{Connection, Cut, Wire};
use crate::gnmi::wire::gnmi_ext::{Extension, commit::Action, extension::Ext};
use crate::gnmi::wire::proto;
use crate::gnmi::wire::proto::g_nmi_server::{GNmi, GNmiServer};
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

/// A listening device. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    device: Arc<Device>,
    tasks: Vec<AbortHandle>,
}

impl Running {
    /// Stops listening and breaks every connection, as a crash would.
    pub fn kill(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.device.cut();
    }
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
        let fabric = self.handle();
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (accepted, incoming) = mpsc::channel(16);
        let accept = tokio::spawn(accept(listener, Arc::clone(&device), accepted));
        let service = GNmiServer::new(Service { fabric: Weak::clone(&fabric), device: Arc::clone(&device) })
            .max_decoding_message_size(self.options.max_request)
            .max_encoding_message_size(usize::MAX)
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip);
        let mut server = Server::builder();
        if let Some(tls) = tls {
            let mut config = ServerTlsConfig::new().identity(Identity::from_pem(&tls.certificate, &tls.key));
            if let Some(authority) = &tls.client_authority {
                config = config.client_ca_root(Certificate::from_pem(authority));
            }
            server = server.tls_config(config).map_err(std::io::Error::other)?;
        }
        let serving = server.add_service(service).serve_with_incoming(ReceiverStream::new(incoming));
        let serve = tokio::spawn(async move { _ = serving.await });
        let ticking = tokio::spawn(tick(fabric, Arc::clone(&device), self.options.counters));
        Ok(Running { address, device, tasks: vec![accept.abort_handle(), serve.abort_handle(), ticking.abort_handle()] })
    }
}

/// Takes connections while the device is powered; breaks them all when it is cut.
async fn accept(listener: TcpListener, device: Arc<Device>, accepted: mpsc::Sender<std::io::Result<Wire>>) {
    let mut cuts = device.cuts();
    let mut open: Vec<Weak<Cut>> = Vec::new();
    // When this task ends the connections go with it.
    let _guard = CutAll { device: Arc::clone(&device) };
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
                if !device.lock().powered {
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

struct CutAll {
    device: Arc<Device>,
}

impl Drop for CutAll {
    fn drop(&mut self) {
        self.device.cut();
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

/// One device's gNMI.
pub struct Service {
    fabric: Weak<Fabric>,
    device: Arc<Device>,
}

impl Service {
    fn fabric(&self) -> Result<Arc<Fabric>, Status> {
        self.fabric.upgrade().ok_or_else(|| Status::unavailable("the simulated fabric is gone"))
    }

    /// What every RPC meets first: slowness, a missing implementation, the login. Returns the user.
    async fn enter(&self, rpc: &str, metadata: &MetadataMap) -> Result<String, Status> {
        let faults = self.device.faults();
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
        self.enter("capabilities", request.metadata()).await?;
        let fabric = self.fabric()?;
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
        self.enter("get", request.metadata()).await?;
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
        let faults = self.device.faults();
        let mut notification = Vec::new();
        for path in &paths {
            if faults.refuse_get.iter().any(|refused| refused.overlaps(path)) {
                return Err(Refusal::no_node(path, path.len().saturating_sub(1)).on("get", path).into());
            }
            match path.origin.as_deref() {
                Some(ORIGIN_CLI) => notification.push(self.show(&fabric, path, encoding)?),
                Some(_) => notification.push(proto::Notification::default()),
                None => {
                    if matches!(encoding, proto::Encoding::Proto | proto::Encoding::Bytes | proto::Encoding::Ascii) {
                        return Err(Status::unimplemented(format!("unsupported encoding: {}", encoding.as_str_name())));
                    }
                    fabric.nodes().check_read(path).map_err(|refusal| refusal.on("get", path))?;
                    self.device.refresh(fabric.wiring());
                    let kind = DataType::try_from(request.r#type).unwrap_or(DataType::All);
                    let inner = self.device.lock();
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
        let user = self.enter("set", request.metadata()).await?;
        let fabric = self.fabric()?;
        let connection = connection(request.extensions());
        let request = request.into_inner();
        let faults = self.device.faults();
        let break_it = || {
            if let Some(connection) = &connection {
                connection.cut.cut();
            }
        };
        let fault = self.device.next_set_fault();
        match &fault {
            SetFault::Refuse { code, message } => return Err(Status::new(Code::from(*code), message.clone())),
            SetFault::DropBefore => {
                break_it();
                return std::future::pending().await;
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
        let at = fabric.commit(&self.device.name, &user, &ops, confirm)?;
        match fault {
            SetFault::DropAfter => {
                break_it();
                return std::future::pending().await;
            }
            SetFault::ResetAfter => return Err(Status::internal("RST_STREAM")),
            SetFault::HangAfter => return std::future::pending().await,
            SetFault::RebootDuring => {
                fabric.reboot(&self.device.name, Duration::from_millis(500), true);
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

    async fn subscribe(&self, request: Request<Streaming<proto::SubscribeRequest>>) -> Result<Response<Self::SubscribeStream>, Status> {
        self.enter("subscribe", request.metadata()).await?;
        let fabric = self.fabric()?;
        let (tx, rx) = mpsc::channel(64);
        let device = Arc::clone(&self.device);
        let input = request.into_inner();
        tokio::spawn(async move {
            if let Err(status) = subscribe::run(&fabric, &device, input, &tx).await {
                _ = tx.send(Err(status)).await; // the client may be gone
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(rx))))
    }
}

impl Service {
    /// A show command: JSON, or text for ASCII.
    fn show(&self, fabric: &Fabric, path: &Path, encoding: proto::Encoding) -> Result<proto::Notification, Refusal> {
        let command = path.elems.iter().map(|elem| elem.name.as_str()).collect::<Vec<_>>().join(" ");
        let val = if encoding == proto::Encoding::Ascii {
            ascii_out(show::text(fabric, &self.device, &command)?)
        } else {
            json_out(&show::json(fabric, &self.device, &command)?)
        };
        let timestamp = i64::try_from(self.device.now()).unwrap_or(i64::MAX);
        Ok(proto::Notification { timestamp, update: vec![update_out(path_out(path, ""), val)], ..proto::Notification::default() })
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
