//! What can go wrong with a device, named by what the operator can do about it.

use std::fmt;

use tonic::{Code, Status};

use crate::path::Path;

/// Everything that can go wrong between us and one device. Texts name the device; [`Error::hint`] names the next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The target's settings cannot be used: bad address, unreadable certificate file. Nothing was sent.
    #[error("{device}: {reason}")]
    Settings {
        /// The device.
        device: String,
        /// What is wrong with which setting.
        reason: String,
    },
    /// No connection: name, route, port or firewall. Nothing was sent.
    #[error("{device}: cannot reach {address}: {reason}")]
    Unreachable {
        /// The device.
        device: String,
        /// host:port.
        address: String,
        /// The system's reason.
        reason: String,
    },
    /// We speak TLS, the port does not. Nothing was sent.
    #[error("{device}: {address} does not speak TLS: {reason}")]
    NotTls {
        /// The device.
        device: String,
        /// host:port.
        address: String,
        /// What came instead.
        reason: String,
    },
    /// We speak plaintext, the port wants TLS. Only the HTTP/2 greeting was sent.
    #[error("{device}: {address} expects TLS and we were told to speak plaintext: {reason}")]
    NeedsTls {
        /// The device.
        device: String,
        /// host:port.
        address: String,
        /// What showed it.
        reason: String,
    },
    /// TLS ended on a certificate: the device's, or ours.
    #[error("{device}: TLS with {address} failed: {problem}")]
    Certificate {
        /// The device.
        device: String,
        /// host:port.
        address: String,
        /// Which certificate, and what is wrong with it.
        problem: CertificateProblem,
    },
    /// Wrong user or password, or the user may not do this.
    #[error("{device}: {} ({reason})", if *.known { "the user has no permission" } else { "user or password not accepted" })]
    Denied {
        /// The device.
        device: String,
        /// `true`: the device knows the user but forbids the call (PERMISSION_DENIED).
        known: bool,
        /// The device's words.
        reason: String,
    },
    /// The device understood and said no. Of a Set: nothing was applied.
    #[error("{device}: refused{}: {reason} ({code})", at(.path.as_ref()))]
    Rejected {
        /// The device.
        device: String,
        /// The path among those we sent that the device's text names, if it names one.
        path: Option<Path>,
        /// gRPC's name of the code: `InvalidArgument`.
        code: String,
        /// The device's words.
        reason: String,
    },
    /// The collector does not know the target.
    #[error("{device}: the collector {collector} does not serve it: {reason}")]
    NoTarget {
        /// The device.
        device: String,
        /// The collector's name in the settings.
        collector: String,
        /// The collector's words.
        reason: String,
    },
    /// The device does not offer the call or this form of it.
    #[error("{device}: does not support {what}: {reason}")]
    Unimplemented {
        /// The device.
        device: String,
        /// `Get`, `Set`, `Subscribe`, `Capabilities`.
        what: String,
        /// The device's words.
        reason: String,
    },
    /// The device answers, but not now: busy, starting, another session holds the lock. Of a Set: it says nothing was applied.
    #[error("{device}: cannot do it now: {reason} ({code})")]
    Unavailable {
        /// The device.
        device: String,
        /// gRPC's name of the code.
        code: String,
        /// The device's words.
        reason: String,
    },
    /// An answer longer than we accept.
    #[error("{device}: the answer is larger than {limit} bytes: {reason}")]
    TooLarge {
        /// The device.
        device: String,
        /// The limit in force.
        limit: usize,
        /// What was found.
        reason: String,
    },
    /// No answer in time. Never used for a Set: see [`Error::Unknown`].
    #[error("{device}: no answer to {what} within {seconds} s")]
    Timeout {
        /// The device.
        device: String,
        /// The call.
        what: String,
        /// How long we waited.
        seconds: u64,
    },
    /// The connection or the stream broke, or what came is not gNMI.
    #[error("{device}: the connection broke: {reason}")]
    Broken {
        /// The device.
        device: String,
        /// What happened.
        reason: String,
    },
    /// A Set was sent and its answer never came: it may or may not be applied.
    #[error("{device}: the answer to the Set was lost ({reason}): it may or may not be applied")]
    Unknown {
        /// The device.
        device: String,
        /// How it was lost.
        reason: String,
    },
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateProblem {
    /// The device's certificate is past its end.
    Expired(String),
    /// The device's certificate is not valid yet (or our clock is behind).
    NotYetValid(String),
    /// No authority we trust signed it.
    UnknownIssuer,
    /// It is for other names than the one we asked for.
    WrongName {
        /// What we asked for.
        expected: String,
        /// What it is for.
        presented: Vec<String>,
    },
    /// It was revoked.
    Revoked,
    /// The device wants a certificate from us and got none.
    OursMissing,
    /// The device does not accept our certificate.
    OursRefused(String),
    /// Anything else, in TLS's words.
    Other(String),
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(when) => write!(f, "the device's certificate has expired{when}"),
            Self::NotYetValid(when) => write!(f, "the device's certificate is not valid yet{when}"),
            Self::UnknownIssuer => f.write_str("the device's certificate is signed by no authority we trust"),
            Self::WrongName { expected, presented } if presented.is_empty() => {
                write!(f, "the device's certificate is not for `{expected}`")
            }
            Self::WrongName { expected, presented } => {
                write!(f, "the device's certificate is not for `{expected}` but for {}", presented.join(", "))
            }
            Self::Revoked => f.write_str("the device's certificate was revoked"),
            Self::OursMissing => f.write_str("the device asks for a client certificate and none is set"),
            Self::OursRefused(reason) => write!(f, "the device does not accept our client certificate: {reason}"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

fn at(path: Option<&Path>) -> String {
    path.map(|path| format!(" {path}")).unwrap_or_default()
}

impl Error {
    /// The next step for the operator, one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Settings { .. } => "correct the target's settings",
            Self::Unreachable { .. } => "check the address and port, the route, and `management api gnmi` on the device",
            Self::NotTls { .. } => "set `insecure = true` for this target if plaintext is intended, or give the device an ssl profile",
            Self::NeedsTls { .. } => "remove `insecure = true` for this target",
            Self::Certificate { problem, .. } => match problem {
                CertificateProblem::Expired(_) => "renew the device's certificate",
                CertificateProblem::NotYetValid(_) => "check the clocks of this host and of the device",
                CertificateProblem::UnknownIssuer => "set `ca` to the authority that signed the device's certificate",
                CertificateProblem::WrongName { .. } => "set `server_name` to a name the certificate is for, or reissue it",
                CertificateProblem::Revoked => "reissue the device's certificate",
                CertificateProblem::OursMissing | CertificateProblem::OursRefused(_) => {
                    "set `cert` and `key` to a client certificate the device trusts"
                }
                CertificateProblem::Other(_) => "check the device's ssl profile",
            },
            Self::Denied { known: false, .. } => "check the user and password of this target",
            Self::Denied { known: true, .. } => "give the user a role that allows it (OpenConfig.Get, OpenConfig.Set)",
            Self::Rejected { .. } => "look at the path and value named; nothing was changed",
            Self::NoTarget { .. } => "add the device to the collector, or set `collector_target` to its name there",
            Self::Unimplemented { .. } => "see `discover probe` for what the device supports",
            Self::Unavailable { .. } => "try again later",
            Self::TooLarge { .. } => "ask for less at once, or raise `message_mib` in the fabric's limits",
            Self::Timeout { .. } => "try again, or ask for less at once",
            Self::Broken { .. } => "try again; look at the device's log if it stays",
            Self::Unknown { .. } => "read the device again before sending anything",
        }
    }

    /// Whether user, password or permission is the trouble: trying again soon is of no use and may lock the account.
    pub fn is_auth(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }

    /// Whether waiting will not help: settings or certificates must change first.
    pub fn needs_a_person(&self) -> bool {
        matches!(
            self,
            Self::Settings { .. }
                | Self::NotTls { .. }
                | Self::NeedsTls { .. }
                | Self::Certificate { .. }
                | Self::Denied { .. }
                | Self::NoTarget { .. }
        )
    }

    /// The same, of this device: what goes wrong with a shared connection is told of each.
    #[must_use]
    pub fn of(mut self, name: &str) -> Self {
        let (Self::Settings { device, .. }
        | Self::Unreachable { device, .. }
        | Self::NotTls { device, .. }
        | Self::NeedsTls { device, .. }
        | Self::Certificate { device, .. }
        | Self::Denied { device, .. }
        | Self::Rejected { device, .. }
        | Self::NoTarget { device, .. }
        | Self::Unimplemented { device, .. }
        | Self::Unavailable { device, .. }
        | Self::TooLarge { device, .. }
        | Self::Timeout { device, .. }
        | Self::Broken { device, .. }
        | Self::Unknown { device, .. }) = &mut self;
        name.clone_into(device);
        self
    }

    /// What a gRPC status means for any call but Set. `trouble` is what the connection itself said, if it broke.
    pub fn from_status(device: &str, what: &str, status: &Status, trouble: Option<Self>, limit: usize) -> Self {
        let (device, reason) = (device.to_owned(), reason_of(status));
        if is_local(status) {
            return match trouble {
                Some(error) => error,
                None if status.code() == Code::OutOfRange => Self::TooLarge { device, limit, reason },
                None => Self::Broken { device, reason },
            };
        }
        match status.code() {
            Code::Unauthenticated => Self::Denied { device, known: false, reason },
            Code::PermissionDenied => Self::Denied { device, known: true, reason },
            Code::Unimplemented => Self::Unimplemented { device, what: what.to_owned(), reason },
            Code::OutOfRange if reason.contains("message length too large") => Self::TooLarge { device, limit, reason },
            code @ (Code::Unavailable | Code::ResourceExhausted | Code::Aborted) => {
                Self::Unavailable { device, code: format!("{code:?}"), reason }
            }
            Code::Ok | Code::Cancelled | Code::DeadlineExceeded | Code::DataLoss => Self::Broken { device, reason },
            code => Self::Rejected { device, path: None, code: format!("{code:?}"), reason },
        }
    }

    /// With the path put in, if this is a refusal.
    #[must_use]
    pub fn about(mut self, named: Option<&Path>) -> Self {
        if let Self::Rejected { path, .. } = &mut self {
            *path = named.cloned();
        }
        self
    }
}

/// Whether the status was made on our side (broken connection, unreadable answer) and not by the device.
pub(crate) fn is_local(status: &Status) -> bool {
    use std::error::Error as _;
    // tonic's own words for answers that ended early or could not be read; it gives them no source.
    const OURS: [&str; 9] = [
        "Missing response message",
        "grpc-status header missing",
        "Unexpected EOF decoding stream",
        "protocol error: received message with",
        "Timeout expired",
        "Service was not ready",
        "Message compressed, compression flag",
        "Content is compressed with",
        "decoded message length too large",
    ];
    status.source().is_some() || OURS.iter().any(|words| status.message().starts_with(words) || status.message().contains(words))
}

/// The device's words, or the deepest cause of a local failure; the code's meaning when there are none.
pub(crate) fn reason_of(status: &Status) -> String {
    use std::error::Error as _;
    let mut deepest = status.source();
    while let Some(next) = deepest.and_then(std::error::Error::source) {
        deepest = Some(next);
    }
    match (deepest, status.message()) {
        (Some(cause), _) => cause.to_string(),
        (None, "") => status.code().description().to_owned(),
        (None, message) => message.to_owned(),
    }
}
