//! One connection to a device and its calls: Capabilities, Get, Set, Subscribe, and the command line through origin `cli`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use secrecy::ExposeSecret as _;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{GrpcMethod, Request, Status, Streaming};

use super::collector;
use super::connect::Wired;
use super::error::Error;
use super::named::named_path;
use super::set::{self, SetAnswer, SetParts};
use super::target::Target;
use super::wire::codec::{RawAnswers, Tracked};
use super::wire::convert::{self, Notification};
use super::wire::proto;
use crate::path::{ORIGIN_CLI, Path};
use crate::value::Value;

pub use super::wire::proto::Encoding;
pub use super::wire::proto::get_request::DataType;

/// Room of one device's streams together before the device has to wait for us.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// What a device says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `0.7.0` and later.
    pub gnmi_version: String,
    /// Names of the encodings; numbers for those gNMI does not know.
    pub encodings: Vec<String>,
    /// Its YANG models.
    pub models: Vec<Model>,
}

/// One YANG model.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Model {
    /// Module name.
    pub name: String,
    /// Who made it.
    pub organization: String,
    /// Version or revision; empty for many Arista and IETF models.
    pub version: String,
}

/// What a command of the command line printed.
#[derive(Clone, Debug, PartialEq)]
pub enum CliAnswer {
    /// `show … | json`.
    Json(serde_json::Value),
    /// Text.
    Text(String),
}

impl CliAnswer {
    /// The text; for JSON its member `output` where EOS wraps text in it.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Json(json) => json.get("output").unwrap_or(json).as_str(),
        }
    }
}

/// A connection to one device. Cheap to clone; clones share the connection, which opens itself again after it broke.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    channel: Channel,
}

/// The answers of a stream, as raw SubscribeResponse bytes. Behind a collector each is checked to be of our target.
#[derive(Debug)]
pub struct Answers {
    stream: Streaming<Bytes>,
    /// The last one. As long as it is held the stream cannot go on in the buffer it is part of, which has the size of the
    /// largest burst there was; it takes a new one, of the size of what comes.
    last: Bytes,
    expected: Option<String>,
}

impl Answers {
    /// The next one; `None` when the stream ended in order.
    ///
    /// # Errors
    /// The status it ended with; DATA_LOSS when an answer is of another target.
    pub async fn message(&mut self) -> Result<Option<Bytes>, Status> {
        let message = self.stream.message().await?;
        self.last = message.clone().unwrap_or_default();
        match (message, &self.expected) {
            (Some(bytes), Some(expected)) => collector::opened(bytes, expected).map(Some).map_err(collector::misdirected),
            (message, _) => Ok(message),
        }
    }
}

/// User name and password as they are sent.
type Login = (MetadataValue<Ascii>, MetadataValue<Ascii>);

struct Inner {
    target: Target,
    login: Option<Login>,
    wired: Wired,
}

impl Client {
    /// Connects now: TCP and, unless the target says plaintext, TLS. User and password are first seen by the first call.
    ///
    /// # Errors
    /// [`Error::Settings`], [`Error::Unreachable`], [`Error::NotTls`], [`Error::Certificate`].
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        let login = login(target)?;
        let wired = match &target.through {
            None => Wired::connect(target, CONNECTION_WINDOW, false).await?,
            Some(through) => through.hub.wired(&target.name).await?,
        };
        let Wired { channel, .. } = &wired;
        Ok(Self { channel: channel.clone(), inner: Arc::new(Inner { target: target.clone(), login, wired }) })
    }

    /// Whether a call may find a connection. One through a collector is over when the collector's is; ask for a new one then.
    pub fn alive(&self) -> bool {
        self.inner.target.through.is_none() || self.inner.wired.alive()
    }

    /// The name behind a collector.
    fn addressed(&self) -> Option<&str> {
        self.inner.target.through.as_ref().map(|through| through.name.as_str())
    }

    /// The target it was made for.
    pub fn target(&self) -> &Target {
        &self.inner.target
    }

    /// What the device says it can do.
    ///
    /// # Errors
    /// Every variant but `Unknown`.
    pub async fn capabilities(&self) -> Result<Capabilities, Error> {
        let call = self.call::<_, proto::CapabilityResponse>("/gnmi.gNMI/Capabilities", proto::CapabilityRequest::default());
        let answer = self.within("Capabilities", self.inner.target.get_timeout, call).await?;
        Ok(Capabilities {
            gnmi_version: answer.g_nmi_version,
            encodings: answer
                .supported_encodings
                .iter()
                .map(|number| Encoding::try_from(*number).map_or_else(|_| number.to_string(), |encoding| encoding.to_string()))
                .collect(),
            models: answer
                .supported_models
                .into_iter()
                .map(|model| Model { name: model.name, organization: model.organization, version: model.version })
                .collect(),
        })
    }

    /// Reads subtrees: one notification a path or more, containers as [`Value::Json`]. EOS does not accept paths of
    /// different origins in one call.
    ///
    /// # Errors
    /// Every variant but `Unknown`; a refusal names the path if the device does.
    pub async fn get(&self, paths: &[Path], kind: DataType, encoding: Encoding) -> Result<Vec<Notification>, Error> {
        let request = proto::GetRequest {
            prefix: self.addressed().map(collector::prefix),
            path: paths.iter().map(convert::path_message).collect(),
            r#type: kind.into(),
            encoding: encoding.into(),
            ..proto::GetRequest::default()
        };
        let call = self.call::<_, proto::GetResponse>("/gnmi.gNMI/Get", request);
        let answer = self.within("Get", self.inner.target.get_timeout, call).await.map_err(|error| match &error {
            Error::Rejected { reason, .. } => {
                let named = named_path(reason, paths).or((paths.len() == 1).then_some(0)).and_then(|index| paths.get(index));
                error.about(named)
            }
            _ => error,
        })?;
        let notifications: Vec<Notification> = answer.notification.iter().map(convert::notification).collect();
        if let Some(expected) = self.addressed() {
            for said in notifications.iter().filter(|said| !said.updates.is_empty() || !said.deletes.is_empty()) {
                let device = || self.inner.target.name.clone();
                collector::check(&said.target, expected).map_err(|reason| Error::Broken { device: device(), reason })?;
            }
        }
        Ok(notifications)
    }

    /// Runs one command of the command line: `Json` asks for its JSON form, `Ascii` for text.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn cli(&self, command: &str, encoding: Encoding) -> Result<CliAnswer, Error> {
        let path = Path::root().with_origin(ORIGIN_CLI).child(command);
        let answer = self.get(std::slice::from_ref(&path), DataType::All, encoding).await?;
        let value = answer.into_iter().flat_map(|notification| notification.updates).map(|(_, value)| value).next();
        let device = || self.inner.target.name.clone();
        match value {
            Some(Ok(Value::Json(json))) => Ok(CliAnswer::Json((*json).clone())),
            Some(Ok(Value::Str(text))) => Ok(CliAnswer::Text(text.to_string())),
            Some(Ok(other)) => Ok(CliAnswer::Json(other.to_json())),
            Some(Err(error)) => Err(Error::Broken { device: device(), reason: format!("`{command}`: {error}") }),
            None => Err(Error::Broken { device: device(), reason: format!("`{command}` was answered with nothing") }),
        }
    }

    /// Sends one Set. Never call it again for the same change before the device was read.
    ///
    /// # Errors
    /// `Rejected`, `Denied`, `Unimplemented`, `Unavailable`: not applied. `Unreachable` and the TLS ones: not sent.
    /// `Unknown`: sent, and nobody knows.
    pub async fn set(&self, parts: &SetParts) -> Result<SetAnswer, Error> {
        let left = Arc::new(AtomicBool::new(false));
        let target = &self.inner.target;
        let call = async {
            let mut grpc = self.grpc();
            let message = proto::SetRequest { prefix: self.addressed().map(collector::prefix), ..parts.message() };
            let request = self.request(message, "Set");
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            grpc.unary(request, PathAndQuery::from_static("/gnmi.gNMI/Set"), Tracked::<_, proto::SetResponse>::new(Arc::clone(&left))).await
        };
        let ended = tokio::time::timeout(target.set_timeout, call).await;
        let sent = left.load(Ordering::SeqCst);
        match ended {
            Ok(Ok(answer)) => {
                let answer = answer.into_inner();
                let said = answer.prefix.as_ref().map_or("", |prefix| prefix.target.as_str());
                if let Some(Err(reason)) = self.addressed().filter(|_| !said.is_empty()).map(|expected| collector::check(said, expected)) {
                    return Err(Error::Unknown { device: target.name.clone(), reason });
                }
                set::answer(&target.name, parts, answer)
            }
            Ok(Err(status)) => Err(self.past_collector(
                sent,
                set::failure(&target.name, &self.inner.wired.address, parts, &status, sent, self.inner.wired.trouble.said()),
            )),
            Err(_) => {
                let (device, reason) = (target.name.clone(), format!("no answer within {} s", target.set_timeout.as_secs()));
                Err(if sent {
                    Error::Unknown { device, reason }
                } else {
                    Error::Unreachable { device, address: self.inner.wired.address.clone(), reason }
                })
            }
        }
    }

    /// What a failed Set means when somebody stands between: that the collector cannot reach the device now does not say that
    /// the device got nothing.
    fn past_collector(&self, sent: bool, error: Error) -> Error {
        match (self.addressed(), error) {
            (Some(_), Error::Unavailable { device, reason, .. }) if sent => Error::Unknown { device, reason },
            (_, error) => self.at_collector(error),
        }
    }

    /// Makes a collector's "no such target" what it is.
    fn at_collector(&self, error: Error) -> Error {
        match (&self.inner.target.through, error) {
            (Some(through), Error::Rejected { device, code, reason, .. })
                if code == "NotFound" && reason.contains(&through.name) && !reason.contains('/') =>
            {
                Error::NoTarget { device, collector: through.hub.name().to_owned(), reason }
            }
            (_, error) => error,
        }
    }

    /// Opens a stream: answers come as raw SubscribeResponse bytes for [`super::wire::walk::Decoder`]. The request stream
    /// must stay open as long as answers are wanted.
    ///
    /// # Errors
    /// The raw status; [`Client::error`] says what it means.
    pub async fn subscribe(&self, requests: impl Stream<Item = proto::SubscribeRequest> + Send + 'static) -> Result<Answers, Status> {
        let mut grpc = self.grpc();
        let target = self.addressed().map(ToOwned::to_owned);
        let expected = target.clone();
        let requests = tokio_stream::StreamExt::map(requests, move |mut request| {
            if let (Some(target), Some(proto::subscribe_request::Request::Subscribe(list))) = (&target, &mut request.request) {
                list.prefix.get_or_insert_default().target.clone_from(target);
            }
            request
        });
        let request = self.request(requests, "Subscribe");
        grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let codec = RawAnswers::<proto::SubscribeRequest>::default();
        grpc.streaming(request, PathAndQuery::from_static("/gnmi.gNMI/Subscribe"), codec).await.map(|stream| Answers {
            stream: stream.into_inner(),
            last: Bytes::new(),
            expected,
        })
    }

    /// What a status of call `what` means, with what the connection said.
    pub fn error(&self, what: &str, status: &Status) -> Error {
        let trouble = self.inner.wired.trouble.said();
        let trouble = trouble.map(|trouble| if self.addressed().is_some() { trouble.of(&self.inner.target.name) } else { trouble });
        self.at_collector(Error::from_status(&self.inner.target.name, what, status, trouble, self.inner.target.max_message))
    }

    async fn call<Out, In>(&self, path: &'static str, message: Out) -> Result<In, Status>
    where
        Out: prost::Message + Send + Sync + 'static,
        In: prost::Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.grpc();
        let request = self.request(message, path.rsplit('/').next().unwrap_or(path));
        grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let codec = Tracked::<Out, In>::new(Arc::default());
        grpc.unary(request, PathAndQuery::from_static(path), codec).await.map(tonic::Response::into_inner)
    }

    async fn within<T>(&self, what: &str, limit: Duration, call: impl Future<Output = Result<T, Status>>) -> Result<T, Error> {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) => Err(self.error(what, &status)),
            Err(_) => Err(Error::Timeout { device: self.inner.target.name.clone(), what: what.to_owned(), seconds: limit.as_secs() }),
        }
    }

    fn grpc(&self) -> Grpc<Channel> {
        let grpc = Grpc::with_origin(self.channel.clone(), self.inner.wired.origin.clone())
            .max_decoding_message_size(self.inner.target.max_message);
        if self.inner.target.gzip {
            grpc.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip)
        } else {
            grpc
        }
    }

    fn request<T>(&self, message: T, method: &'static str) -> Request<T> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(GrpcMethod::new("gnmi.gNMI", method));
        if let Some((username, password)) = &self.inner.login {
            request.metadata_mut().insert("username", username.clone());
            request.metadata_mut().insert("password", password.clone());
        }
        request
    }
}

fn login(target: &Target) -> Result<Option<Login>, Error> {
    let Some(credentials) = &target.credentials else { return Ok(None) };
    let value = |what: &str, text: &str| {
        MetadataValue::<Ascii>::try_from(text.as_bytes().to_vec()).map_err(|_| Error::Settings {
            device: target.name.clone(),
            reason: format!("the {what} holds characters that cannot be sent"),
        })
    };
    let username = value("user name", &credentials.username)?;
    let mut password = value("password", credentials.password.expose_secret())?;
    password.set_sensitive(true);
    Ok(Some((username, password)))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("target", &self.inner.target).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
