//! The way to a device: TCP, TLS, and what the connection itself has to say when it breaks.
//!
//! HTTP/2 libraries boil every failure down to "transport error". The operator needs to know whether a certificate
//! expired or the port speaks no TLS, so the connection is dialled here, watched while it lives, and its last trouble is kept.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::Service as _;

use super::error::{CertificateProblem, Error};
use super::target::{Security, Target, Tls};

/// The kernel asks the device whether it still lives after this silence; HTTP/2 pings would be answered with GOAWAY
/// `too_many_pings` by servers that allow one in five minutes.
const TCP_KEEPALIVE: Duration = Duration::from_secs(20);
const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const TCP_KEEPALIVE_RETRIES: u32 = 3;

/// The last thing a connection said when it broke.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    said: Mutex<Option<Error>>,
    gone: AtomicBool,
}

impl Trouble {
    fn set(&self, error: Error) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// What it said. Many use the connection and all of them are told, until it stands again.
    pub(crate) fn said(&self) -> Option<Error> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.gone.store(false, Ordering::SeqCst);
    }
}

/// A connection, dialled.
#[derive(Clone)]
pub(crate) struct Wired {
    pub(crate) channel: Channel,
    pub(crate) address: String,
    pub(crate) origin: http::Uri,
    pub(crate) trouble: Arc<Trouble>,
}

/// A host that does not answer costs nothing but time: a way through the gate is given back after so long.
const GATE_HELD: Duration = Duration::from_secs(2);

impl Wired {
    /// Connects now. `window`: room of all streams together, bytes. `once`: it is not dialled again after it broke; who shares
    /// it gets a new one.
    pub(crate) async fn connect(target: &Target, window: u32, once: bool) -> Result<Self, Error> {
        let trouble = Arc::new(Trouble::default());
        let dialer = Dialer::new(target, Arc::clone(&trouble))?;
        let (address, origin) = (dialer.address().to_owned(), dialer.origin());
        let endpoint = Endpoint::from(dialer.uri())
            .origin(origin.clone())
            .http2_keep_alive_interval(target.keepalive)
            .keep_alive_timeout(target.keepalive_answer)
            .initial_stream_window_size(target.window)
            .initial_connection_window_size(window);
        let dialled = Arc::new(AtomicBool::new(false));
        let connector = tower::service_fn(move |_: http::Uri| {
            let (dialer, again) = (dialer.clone(), dialled.swap(true, Ordering::SeqCst));
            async move {
                if once && again {
                    return Err(Error::Broken { device: dialer.device, reason: "the shared connection is gone".to_owned() });
                }
                dialer.dial().await
            }
        });
        let channel = endpoint.connect_with_connector(connector).await.map_err(|error| {
            trouble.said().unwrap_or_else(|| Error::Unreachable {
                device: target.name.clone(),
                address: address.clone(),
                reason: std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string),
            })
        })?;
        Ok(Self { channel, address, origin, trouble })
    }

    /// Whether nobody has seen it break.
    pub(crate) fn alive(&self) -> bool {
        !self.trouble.gone.load(Ordering::SeqCst)
    }
}

/// Everything needed to open a connection to one target again and again.
#[derive(Clone)]
pub(crate) struct Dialer {
    device: String,
    address: String,
    uri: http::Uri,
    http: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
    gate: Option<Arc<Semaphore>>,
    trouble: Arc<Trouble>,
}

impl Dialer {
    /// Reads the certificate files; nothing is sent.
    pub(crate) fn new(target: &Target, trouble: Arc<Trouble>) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Settings { device: target.name.clone(), reason };
        let (host, port) = target.host_port().ok_or_else(|| wrong(format!("`{}` is no host:port", target.address)))?;
        let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let uri = http::Uri::builder()
            .scheme("http")
            .authority(authority.as_str())
            .path_and_query("/")
            .build()
            .map_err(|error| wrong(format!("`{}`: {error}", target.address)))?;
        let tls = match &target.security {
            Security::Plaintext => None,
            Security::Tls(tls) => {
                let name = tls.server_name.clone().unwrap_or(host);
                let name =
                    ServerName::try_from(name.clone()).map_err(|_| wrong(format!("`{name}` cannot be the name in a certificate")))?;
                Some((TlsConnector::from(Arc::new(tls_config(tls).map_err(wrong)?)), name))
            }
        };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(TCP_KEEPALIVE));
        http.set_keepalive_interval(Some(TCP_KEEPALIVE_INTERVAL));
        http.set_keepalive_retries(Some(TCP_KEEPALIVE_RETRIES));
        Ok(Self {
            device: target.name.clone(),
            address: authority,
            uri,
            http,
            tls,
            timeout: target.connect_timeout,
            gate: target.gate.clone(),
            trouble,
        })
    }

    /// The URI without TLS in it, for the endpoint; TLS is ours.
    pub(crate) fn uri(&self) -> http::Uri {
        self.uri.clone()
    }

    /// What requests say they go to: `https://host:port` under TLS.
    pub(crate) fn origin(&self) -> http::Uri {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address).parse().unwrap_or_else(|_| self.uri.clone())
    }

    /// host:port as dialled.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// TCP and TLS. What goes wrong is also kept as the connection's trouble.
    pub(crate) async fn dial(mut self) -> Result<TokioIo<Watched>, Error> {
        let (device, address, seconds) = (self.device.clone(), self.address.clone(), self.timeout.as_secs());
        let trouble = Arc::clone(&self.trouble);
        // A fabric does not come back all at once: handshakes cost processor time here and at the devices.
        let mut way = match self.gate.clone() {
            Some(gate) => gate.acquire_owned().await.ok(),
            None => None,
        };
        let timeout = self.timeout;
        let opened = async {
            let open = self.open();
            tokio::pin!(open);
            if let Ok(result) = tokio::time::timeout(GATE_HELD, &mut open).await {
                return result;
            }
            way.take();
            open.await
        };
        let result = match tokio::time::timeout(timeout, opened).await {
            Ok(result) => result,
            Err(_) => Err(Error::Unreachable { device, address, reason: format!("no answer within {seconds} s") }),
        };
        result.map(TokioIo::new).inspect_err(|error| trouble.set(error.clone()))
    }

    async fn open(&mut self) -> Result<Watched, Error> {
        let unreachable = |reason: String| Error::Unreachable { device: self.device.clone(), address: self.address.clone(), reason };
        std::future::poll_fn(|context| self.http.poll_ready(context)).await.map_err(|error| unreachable(deepest(&error)))?;
        let stream = self.http.call(self.uri.clone()).await.map_err(|error| unreachable(deepest(&error)))?.into_inner();
        let peer = stream.peer_addr().ok();
        let io: Box<dyn Io> = match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => {
                let tls = connector.connect(name.clone(), stream).await;
                Box::new(tls.map_err(|error| self.tls_error(&error, true))?)
            }
        };
        self.trouble.forget();
        Ok(Watched { io, dialer: self.clone(), heard: false, peer })
    }

    /// What a failed handshake or a failed read under TLS means.
    fn tls_error(&self, error: &io::Error, handshake: bool) -> Error {
        let (device, address) = (self.device.clone(), self.address.clone());
        let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
            return if handshake && matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) {
                Error::NotTls { device, address, reason: "it closed the connection when TLS began".to_owned() }
            } else {
                Error::Broken { device, reason: error.to_string() }
            };
        };
        let problem = match tls {
            rustls::Error::InvalidMessage(_) if handshake => {
                return Error::NotTls { device, address, reason: "its first bytes are no TLS".to_owned() };
            }
            rustls::Error::InvalidCertificate(certificate) => certificate_problem(certificate, &address),
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => CertificateProblem::OursMissing,
            rustls::Error::AlertReceived(
                alert @ (AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::AccessDenied
                | AlertDescription::DecryptError),
            ) => CertificateProblem::OursRefused(format!("{alert:?}")),
            other => CertificateProblem::Other(other.to_string()),
        };
        Error::Certificate { device, address, problem }
    }
}

fn certificate_problem(error: &CertificateError, address: &str) -> CertificateProblem {
    let ago = |seconds: u64| format!(", {} days ago", seconds / 86_400);
    match error {
        CertificateError::Expired => CertificateProblem::Expired(String::new()),
        CertificateError::ExpiredContext { time, not_after } => {
            CertificateProblem::Expired(ago(time.as_secs().saturating_sub(not_after.as_secs())))
        }
        CertificateError::NotValidYet => CertificateProblem::NotYetValid(String::new()),
        CertificateError::NotValidYetContext { time, not_before } => {
            CertificateProblem::NotYetValid(format!(", but in {} days", not_before.as_secs().saturating_sub(time.as_secs()) / 86_400))
        }
        CertificateError::Revoked => CertificateProblem::Revoked,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => CertificateProblem::UnknownIssuer,
        CertificateError::NotValidForName => CertificateProblem::WrongName { expected: address.to_owned(), presented: Vec::new() },
        CertificateError::NotValidForNameContext { expected, presented } => {
            CertificateProblem::WrongName { expected: expected.to_str().into_owned(), presented: presented.clone() }
        }
        other => CertificateProblem::Other(format!("the device's certificate is not acceptable: {other}")),
    }
}

fn deepest(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    deepest.to_string()
}

fn tls_config(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if tls.skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
    } else if let Some(file) = &tls.ca {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        builder.with_root_certificates(roots)
    } else {
        let verifier = rustls_platform_verifier::Verifier::new(provider)
            .map_err(|error| format!("the platform's certificate authorities cannot be read ({error}); set `ca`"))?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
    };
    let mut config = match (&tls.cert, &tls.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
            builder
                .with_client_auth_cert(certificates(cert)?, secret)
                .map_err(|error| format!("{} with {}: {error}", cert.display(), key.display()))?
        }
        _ => return Err("`cert` and `key` belong together: one of them is missing".to_owned()),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// All certificates of a PEM file; none at all is an error.
fn certificates(file: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(|error| text(&error))?.collect();
    let found = found.map_err(|error| text(&error))?;
    if found.is_empty() { Err(text(&"holds no certificate")) } else { Ok(found) }
}

/// `skip_verify`: any certificate will do; that the device owns its key is still checked.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// TCP or TLS over TCP.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection that remembers why it broke.
pub(crate) struct Watched {
    io: Box<dyn Io>,
    dialer: Dialer,
    heard: bool,
    peer: Option<SocketAddr>,
}

impl Watched {
    /// Looks at the first bytes and at errors; HTTP/2 itself is not our business.
    fn look(&mut self, result: Result<&[u8], &io::Error>) {
        let (device, address) = (self.dialer.device.clone(), self.dialer.address.clone());
        let plaintext = self.dialer.tls.is_none();
        match result {
            Ok(new) if self.heard => {
                if new.is_empty() {
                    self.dialer.trouble.set(Error::Broken { device, reason: "the device closed the connection".to_owned() });
                }
            }
            Ok([]) if plaintext => {
                let reason = "it closed the connection without a word".to_owned();
                self.dialer.trouble.set(Error::NeedsTls { device, address, reason });
            }
            Ok([]) => self.dialer.trouble.set(Error::Broken { device, reason: "closed right after the TLS handshake".to_owned() }),
            // A TLS alert or handshake record; an HTTP/2 answer begins with the length of a SETTINGS frame.
            Ok([0x15 | 0x16, 0x03, ..]) if plaintext => {
                self.dialer.trouble.set(Error::NeedsTls { device, address, reason: "it answered with a TLS record".to_owned() });
            }
            Ok(_) => self.heard = true,
            Err(error) if plaintext => self.dialer.trouble.set(Error::Broken { device, reason: error.to_string() }),
            Err(error) => self.dialer.trouble.set(self.dialer.tls_error(error, false)),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.dialer.trouble.gone.store(true, Ordering::SeqCst);
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let room = buffer.remaining() > 0;
        let result = Pin::new(&mut self.io).poll_read(context, buffer);
        match &result {
            Poll::Ready(Ok(())) if room => {
                let new = buffer.filled().get(before..).unwrap_or_default();
                if !self.heard || new.is_empty() {
                    self.look(Ok(new));
                }
            }
            Poll::Ready(Err(error)) => self.look(Err(error)),
            _ => {}
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("device", &self.dialer.device).field("peer", &self.peer).finish_non_exhaustive()
    }
}
