//! Why a read of NetBox was rejected, named by what the operator can do.

/// A rejected read. Nothing of it is used: no plan is ever made from part of an intent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No token, a bad one, or one without permission: NetBox answers 403 to all of these.
    #[error("NetBox denied {}: {text}", short(url))]
    Denied {
        /// Without the token.
        url: String,
        /// As NetBox words it.
        text: String,
    },
    /// 5xx, or another status nobody expects.
    #[error("NetBox answered {status} to {}: {text}", short(url))]
    ServerError {
        /// Address.
        url: String,
        /// HTTP status.
        status: u16,
        /// The beginning of the answer.
        text: String,
    },
    /// HTML where JSON was due: a login page, a proxy, a plugin that is not there.
    #[error("NetBox answered {status} to {} with {content_type} instead of JSON", short(url))]
    NotJson {
        /// Address.
        url: String,
        /// HTTP status.
        status: u16,
        /// What came.
        content_type: String,
    },
    /// Fewer objects than the answer says there are.
    #[error("the list {} is cut: {got} of {count} objects came", short(url))]
    Truncated {
        /// Address.
        url: String,
        /// What came.
        got: usize,
        /// What was said.
        count: usize,
    },
    /// No connection, or none that lasts.
    #[error("NetBox at {url} cannot be reached: {reason}")]
    Unreachable {
        /// Address.
        url: String,
        /// As the system words it.
        reason: String,
    },
    /// No answer in time.
    #[error("NetBox did not answer {} within {seconds} s", short(url))]
    Timeout {
        /// Address.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// An object that is not as this client knows it.
    #[error("{object} ({}) does not read: {reason}", short(url))]
    BadObject {
        /// `interface Ethernet1 #412`.
        object: String,
        /// Its address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody edited the fabric during every try.
    #[error("NetBox was edited during each of {tries} reads")]
    Unsettled {
        /// How often it was read.
        tries: usize,
    },
    /// GraphQL answered that it cannot.
    #[error("GraphQL of NetBox refuses {list}: {text}")]
    GraphQl {
        /// What was asked for.
        list: String,
        /// As NetBox words it.
        text: String,
    },
    /// The branch that was asked for cannot be read.
    #[error("branch `{branch}` of NetBox cannot be read: {reason}")]
    Branch {
        /// As asked for.
        branch: String,
        /// Why.
        reason: String,
    },
    /// The saved filter of the settings cannot be used.
    #[error("saved filter `{filter}` of NetBox cannot be used: {reason}")]
    Filter {
        /// As in the settings.
        filter: String,
        /// Why.
        reason: String,
    },
    /// The settings cannot work.
    #[error("NetBox settings: {reason}")]
    Settings {
        /// What is wrong with them.
        reason: String,
    },
}

/// An address without its query, which names every field and device that was asked for: the next step has to fit on the line too.
/// The log has it whole.
fn short(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

impl Error {
    /// The next step, one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "check the token, that it has not run out, and that its user may view these objects",
            Self::ServerError { .. } => "look at NetBox's own log; the intent in force stays the one before",
            Self::NotJson { .. } => "is the URL NetBox itself (not a login page or proxy), and is the netbox-bgp plugin installed?",
            Self::Truncated { .. } => "read again; if it stays, a proxy or a permission cuts the list",
            Self::Unreachable { .. } => "check the URL, the network and the server's certificate",
            Self::Timeout { .. } => "raise the timeout, or look why NetBox is slow",
            Self::BadObject { .. } => "open the object in NetBox; if it looks right, report it with the NetBox version",
            Self::Unsettled { .. } => "read again when the edits are done",
            Self::GraphQl { .. } => "set graphql = \"never\" for this NetBox: REST reads the same",
            Self::Branch { .. } => "name one that is ready; NetBox lists them under Branches",
            Self::Filter { .. } => "name one on devices that has parameters; NetBox lists them under Saved Filters",
            Self::Settings { .. } => "mend the [fabric.NAME.netbox] section",
        }
    }

    /// A short stable name: `denied`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied",
            Self::ServerError { .. } => "server-error",
            Self::NotJson { .. } => "not-json",
            Self::Truncated { .. } => "truncated",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::BadObject { .. } => "bad-object",
            Self::Unsettled { .. } => "unsettled",
            Self::GraphQl { .. } => "graphql",
            Self::Branch { .. } => "branch",
            Self::Filter { .. } => "filter",
            Self::Settings { .. } => "settings",
        }
    }
}
