//! Whom to talk to, how protected, as whom.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::collector::Hub;

/// The port EOS listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 6030;
/// EOS answers of one Get can be large; gRPC's default of 4 MiB is not enough.
pub const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// One gNMI server.
#[derive(Clone, Debug)]
pub struct Target {
    /// The device's name, used in every error.
    pub name: String,
    /// `host`, `host:port`, `[v6]:port`; port [`DEFAULT_PORT`] when missing.
    pub address: String,
    /// Sent as metadata with every call.
    pub credentials: Option<Credentials>,
    /// How the connection is protected.
    pub security: Security,
    /// Ask for gzip, and send it.
    pub gzip: bool,
    /// Longest answer accepted, bytes.
    pub max_message: usize,
    /// For name lookup, TCP and TLS together.
    pub connect_timeout: Duration,
    /// For Capabilities and Get.
    pub get_timeout: Duration,
    /// For Set: an EOS under load may take minutes.
    pub set_timeout: Duration,
    /// Silence of the connection after which HTTP/2 asks whether the device lives. Servers answer frequent pings with GOAWAY
    /// `too_many_pings` (many allow one in 5 minutes); the kernel finds dead hosts long before, but not what stands between.
    pub keepalive: Duration,
    /// For the answer to that.
    pub keepalive_answer: Duration,
    /// Room of one stream for a burst before the device has to wait for us, bytes.
    pub window: u32,
    /// Connections of all targets together that may be made at the same time; `None` is any number.
    pub gate: Option<Arc<Semaphore>>,
    /// The collector it is reached through; `None` is directly. Address and TLS are then the collector's.
    pub through: Option<Through>,
}

/// How a device behind a collector is reached.
#[derive(Clone, Debug)]
pub struct Through {
    /// The collector, whose connection all its targets share.
    pub hub: Arc<Hub>,
    /// The device's name there: `prefix.target`.
    pub name: String,
}

/// User and password. The password is never printed.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretString,
}

impl Credentials {
    /// From plain text.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: SecretString::from(password.into()) }
    }
}

/// How a connection is protected.
#[derive(Clone, Debug)]
pub enum Security {
    /// No TLS: an explicit choice for one target, shown in red wherever the target is.
    Plaintext,
    /// TLS 1.2 or 1.3.
    Tls(Tls),
}

impl Default for Security {
    fn default() -> Self {
        Self::Tls(Tls::default())
    }
}

/// TLS settings. The default verifies the device against the platform's authorities.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// PEM file of authorities to trust instead of the platform's.
    pub ca: Option<PathBuf>,
    /// PEM file of our certificate chain, for mTLS; together with `key`.
    pub cert: Option<PathBuf>,
    /// PEM file of our private key.
    pub key: Option<PathBuf>,
    /// Accept any certificate: an explicit choice, shown in red.
    pub skip_verify: bool,
    /// The name the device's certificate must be for, when it is not the address.
    pub server_name: Option<String>,
}

impl Target {
    /// A target with verified TLS and the default limits.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: address.into(),
            credentials: None,
            security: Security::default(),
            gzip: false,
            max_message: MAX_MESSAGE,
            connect_timeout: Duration::from_secs(10),
            get_timeout: Duration::from_secs(30),
            set_timeout: Duration::from_secs(600),
            keepalive: Duration::from_secs(310),
            keepalive_answer: Duration::from_secs(20),
            window: 2 * 1024 * 1024,
            gate: None,
            through: None,
        }
    }

    /// The same without TLS.
    #[must_use]
    pub fn plaintext(mut self) -> Self {
        self.security = Security::Plaintext;
        self
    }

    /// The same with TLS settings.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.security = Security::Tls(tls);
        self
    }

    /// The same with user and password.
    #[must_use]
    pub fn user(mut self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some(Credentials::new(username, password));
        self
    }

    /// The same behind a collector, which knows it as `name`.
    #[must_use]
    pub fn behind(mut self, hub: Arc<Hub>, name: impl Into<String>) -> Self {
        self.through = Some(Through { hub, name: name.into() });
        self
    }

    /// `TLS`, `PLAINTEXT` or `TLS NOT VERIFIED`: the words of the device row.
    pub fn transport(&self) -> &'static str {
        match &self.security {
            Security::Plaintext => "PLAINTEXT",
            Security::Tls(tls) if tls.skip_verify => "TLS NOT VERIFIED",
            Security::Tls(_) => "TLS",
        }
    }

    /// Host (without brackets) and port; `None` when the address is neither.
    pub fn host_port(&self) -> Option<(String, u16)> {
        let text = self.address.trim();
        if let Ok(v6) = text.parse::<std::net::Ipv6Addr>() {
            return Some((v6.to_string(), DEFAULT_PORT));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && (!host.contains(':') || host.ends_with(']')) => (host, port.parse().ok()?),
            _ => (text, DEFAULT_PORT),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let fits = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/@[]?#".contains(c));
        fits.then(|| (host.to_owned(), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_port() {
        for (address, host, port) in [
            ("leaf1", "leaf1", 6030),
            ("leaf1:6031", "leaf1", 6031),
            ("10.0.0.1:1", "10.0.0.1", 1),
            ("[::1]:5", "::1", 5),
            ("[::1]", "::1", 6030),
            ("::1", "::1", 6030),
        ] {
            assert_eq!(Target::new("x", address).host_port(), Some((host.to_owned(), port)), "{address}");
        }
        for bad in ["", "leaf1:port", "leaf 1", "http://leaf1", ":6030", "leaf1:99999"] {
            assert_eq!(Target::new("x", bad).host_port(), None, "{bad}");
        }
    }

    #[test]
    fn passwords_are_never_printed() {
        let target = Target::new("leaf1", "::1").user("admin", "hunter2");
        assert!(!format!("{target:?}").contains("hunter2"));
        assert_eq!((target.transport(), target.plaintext().transport()), ("TLS", "PLAINTEXT"));
    }
}
