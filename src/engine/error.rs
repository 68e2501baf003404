//! Why the engine cannot do what a front end asks. What goes wrong with one device or with NetBox is no error of the engine:
//! it is shown in the snapshot.

use crate::{gnmi, netbox, store, yang};

/// See the variants.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The schema compiled in cannot be read.
    #[error("the schema compiled in cannot be read: {0}")]
    Schema(#[from] yang::Error),
    /// A device, for one-shot calls.
    #[error(transparent)]
    Device(#[from] gnmi::Error),
    /// NetBox, for one-shot calls.
    #[error("NetBox: {0}")]
    NetBox(#[from] netbox::Error),
    /// A file cannot be read or written.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// What was asked for makes no sense.
    #[error("{0}")]
    Asked(String),
    /// The engine ended before it answered.
    #[error("the engine ended before it answered")]
    Ended,
}

impl Error {
    /// The next step, one line; may be empty.
    pub fn hint(&self) -> String {
        match self {
            Self::Store(error) => error.hint(),
            Self::Device(error) => error.hint().to_owned(),
            Self::NetBox(error) => error.hint().to_string(),
            Self::Schema(_) => "build the program anew".into(),
            Self::File { .. } => "check the file's name and permissions".into(),
            Self::Asked(_) | Self::Ended => String::new(),
        }
    }
}
