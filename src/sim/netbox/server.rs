//! The simulated NetBox on a socket. Holds no rule of NetBox: it moves bytes between HTTP and [`rest`](super::rest), and lets [faults](super::fault) happen.

mod deliver;
mod spoil;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use axum::serve::IncomingStream;
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fault::{Faults, Kind};
use super::hook::Post;
use super::load::{Files, Loaded, load};
use super::replay::{self, Change};
use super::rest::{Answer, Call, NetBox, Token};
use super::{Error, TOKEN, TOKEN_READ_ONLY, TOKEN_V1};

/// A NetBox with its data, not yet listening.
#[derive(Debug, Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    netbox: Mutex<NetBox>,
    faults: Faults,
    base: Mutex<String>,
    /// Where webhooks' posts go while it listens.
    posts: Mutex<Option<UnboundedSender<Post>>>,
}

/// A NetBox that answers. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    /// `http://127.0.0.1:8900`, no slash at the end.
    pub url: String,
    /// A token that may write.
    pub token: String,
    server: Server,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Server {
    /// Reads recordings: `index.json` and the bodies it names.
    pub fn new(files: &Files) -> Result<Self, Error> {
        Ok(Self::of(load(files)?))
    }

    fn of(loaded: Loaded) -> Self {
        let token = |text: &str, write: bool| Token { text: text.to_owned(), write, user: "admin".to_owned() };
        let tokens = vec![token(TOKEN, true), token(TOKEN_V1, true), token(TOKEN_READ_ONLY, false)];
        let netbox = NetBox::new(loaded, tokens);
        let netbox = Mutex::new(netbox);
        Self { shared: Arc::new(Shared { netbox, faults: Faults::default(), base: Mutex::default(), posts: Mutex::default() }) }
    }

    /// As [`Server::new`], with copies of the fabric: `text` gives the form of a text in copy 2 and later, counted from 1.
    /// Devices in `spare` lose their tags: they are there, and nobody manages them.
    ///
    /// # Errors
    /// As [`Server::new`].
    pub fn copied(
        files: &Files,
        copies: usize,
        text: impl Fn(usize, &str) -> Option<String>,
        spare: &BTreeSet<String>,
    ) -> Result<Self, Error> {
        let mut loaded = load(files)?;
        super::copy::copies(&mut loaded.store, copies, text);
        super::copy::untag(&mut loaded.store, spare);
        Ok(Self::of(loaded))
    }

    /// Reads recordings and listens; port 0 takes a free one.
    pub async fn start(files: &Files, address: SocketAddr) -> Result<Running, Error> {
        Self::new(files)?.listen(address).await
    }

    /// Listens until the answer is dropped or stopped.
    pub async fn listen(self, address: SocketAddr) -> Result<Running, Error> {
        let failed = |source| Error::Listen { address: address.to_string(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        url.clone_into(&mut lock(&self.shared.base));
        let stop = CancellationToken::new();
        let router = Router::new()
            .fallback(serve)
            .layer(DefaultBodyLimit::max(64 << 20))
            .with_state(Arc::clone(&self.shared))
            .into_make_service_with_connect_info::<Cut>();
        let (sender, receiver) = unbounded_channel();
        *lock(&self.shared.posts) = Some(sender);
        let posting = deliver::deliver(receiver, self.shared.faults.clone());
        let until = stop.clone();
        let task = tokio::spawn(async move {
            let serving = axum::serve(Listener(listener), router);
            tokio::select! {
                _ = serving => {}
                () = posting => {}
                () = until.cancelled() => {}
            }
        });
        Ok(Running { url, token: TOKEN.to_owned(), server: self, stop, task: Some(task) })
    }

    /// The faults, settable while it runs.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Applies an edit as the lab's user, without a network.
    pub fn apply(&self, change: &Change) -> Result<(), Error> {
        let authorization = format!("Bearer {TOKEN}");
        let base = lock(&self.shared.base).clone();
        replay::apply(change, |call| self.shared.answer(&Call { authorization: Some(&authorization), base: &base, now: now(), ..call }))
    }

    /// How many objects it holds.
    pub fn objects(&self) -> usize {
        lock(&self.shared.netbox).len()
    }
}

impl Running {
    /// The server behind it: faults and edits.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Stops listening and waits until it has.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await; // cancelled or done: both mean stopped
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    /// Answers a call and hands its webhooks on.
    fn answer(&self, call: &Call<'_>) -> Answer {
        let mut netbox = lock(&self.netbox);
        let answer = netbox.answer(call);
        if let Some(sender) = &*lock(&self.posts) {
            for post in netbox.posts() {
                let _ = sender.send(post); // nobody listens any more: nothing is sent any more
            }
        }
        answer
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let base = text("host").map_or_else(|| lock(&shared.base).clone(), |host| format!("http://{host}"));
    let fault = shared.faults.next(uri.path());
    if let Some(fault) = &fault {
        match fault.kind {
            Kind::Slow => tokio::time::sleep(Duration::from_millis(fault.ms)).await,
            Kind::Reset => cut.0.store(true, Ordering::Release),
            _ => {}
        }
    }
    let call = Call {
        method: method.as_str(),
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        authorization: text("authorization"),
        if_match: text("if-match"),
        branch: text("x-netbox-branch"),
        content_type: text("content-type"),
        accept: text("accept"),
        base: &base,
        body: &body,
        now: now(),
    };
    let answer = match &fault {
        Some(fault) => spoil::spoiled(fault, &call, |call| shared.answer(call)),
        None => shared.answer(&call),
    };
    match fault.filter(|fault| fault.kind == Kind::Stall) {
        Some(fault) => stalled(respond(answer), Duration::from_millis(fault.ms)).await,
        None => respond(answer),
    }
}

/// Half of the answer now, and an end without the rest of it after a while.
async fn stalled(response: Response<Body>, wait: Duration) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    let first = bytes.slice(..bytes.len() / 2);
    let rest = async move {
        tokio::time::sleep(wait).await;
        Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))
    };
    let stream = futures_util::stream::once(async move { Ok(first) }).chain(futures_util::stream::once(rest));
    Response::from_parts(parts, Body::from_stream(stream))
}

fn respond(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(header::HeaderName::from_static(lower(name)), value);
        }
    }
    response
}

fn lower(name: &str) -> &'static str {
    match name {
        "Content-Type" => "content-type",
        "API-Version" => "api-version",
        "Allow" => "allow",
        "Vary" => "vary",
        "ETag" => "etag",
        "Location" => "location",
        "Retry-After" => "retry-after",
        _ => "x-request-id",
    }
}

/// Set when a connection is to be reset.
#[derive(Debug, Clone)]
struct Cut(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, Listener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self(Arc::clone(&stream.io().cut))
    }
}

struct Listener(TcpListener);

impl axum::serve::Listener for Listener {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.0.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true); // only a matter of speed
                    return (Wire { stream, cut: Arc::default() }, peer);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await, // out of file descriptors, most likely
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A connection that can be reset from inside a handler.
struct Wire {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl Wire {
    fn alive(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) {
            let _ = self.stream.set_zero_linger(); // the peer sees a reset, not an end
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
