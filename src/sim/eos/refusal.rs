//! Why a simulated device says no: a gRPC code and a text in the words EOS uses.

use tonic::{Code, Status};

use crate::path::{Elem, Path};

/// A refused request; nothing of it was applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// What a client reads.
    pub message: String,
}

impl Refusal {
    /// A refusal in any words.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The device has no such node. `depth` is the index of the first element it does not know. The words are those EOS
    /// answered for a path it could not walk (opiproject/opi-poc#967).
    pub fn no_node(path: &Path, depth: usize) -> Self {
        let name = |index: Option<usize>| index.and_then(|index| path.elems.get(index)).map_or("", |elem: &Elem| elem.name.as_str());
        let (node, above) = (name(Some(depth)), name(depth.checked_sub(1)));
        Self::new(Code::InvalidArgument, format!("path invalid: failed to access node \"{node}\" in node \"{above}\""))
    }

    /// The same, said by an RPC about a path.
    #[must_use]
    pub fn on(self, verb: &str, path: &Path) -> Self {
        Self { message: format!("failed to {verb} {path}: {}", self.message), ..self }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, refusal.message)
    }
}
