//! The EOS schema: a compact table of every node, validation, search, and the quirks of EOS.
//!
//! [`Schema::eos`] reads the embedded table; it is handed around as `&Schema` or `Arc<Schema>`, there is no global. Nothing
//! here reads YANG text at run time: the table is made by `yang::compile`, behind the feature `libyang`.

mod canonical;
#[cfg(feature = "libyang")]
pub mod compile;
pub mod deviations;
mod json;
mod node;
mod pattern;
mod schema;
mod search;
#[cfg(feature = "libyang")]
mod source;
pub mod table;
#[cfg(feature = "libyang")]
mod typing;
mod validate;

pub use canonical::TypeProblem;
pub use node::{Access, Keys, Node, NodeId, NodeKind};
pub use schema::{Error, PathProblem, Schema};
pub use validate::{Issue, IssueKind, Mode};
