//! A simulated NetBox 4.7.3 (with netbox-bgp 0.20) for the lab: holds the objects of recorded answers in memory and serves the REST interface as the
//! real one does: tokens, paging, filters, errors, change log, and every edit. A test partner, not a product: it must never share code with the
//! client or the mapper, and it keeps nothing across restarts.
//!
//! [`load`] reads recordings into a [`store`]; [`rest`] answers calls (pure, bytes in and bytes out) with the help of [`filter`], [`page`], [`render`],
//! [`write`](mod@write) and [`edit`]; [`server`] puts it on a socket; [`fault`] makes it fail on purpose; [`branch`] keeps branches, [`hook`] makes webhooks' posts; [`replay`] applies the edits of `changes.json`.

pub mod branch;
pub mod changelog;
mod compute;
mod context;
pub mod copy;
pub mod edit;
mod endpoint;
pub mod fault;
pub mod filter;
mod graphql;
pub mod hook;
pub mod kind;
pub mod load;
mod order;
pub mod page;
pub mod render;
pub mod replay;
pub mod rest;
pub mod server;
pub mod store;
pub mod write;

#[cfg(test)]
mod tests;

pub use fault::{Fault, Faults, Kind as FaultKind};
pub use load::Files;
pub use server::{Running, Server};

/// The lab's token: version 2, may write. Worth nothing outside a lab.
pub const TOKEN: &str = "nbt_LabFabricKey.LabFabricSecretLabFabricSecretLabFabric0";
/// The same user's token of version 1.
pub const TOKEN_V1: &str = "0123456789abcdef0123456789abcdef01234567";
/// A token that may only read.
pub const TOKEN_READ_ONLY: &str = "nbt_LabReadOnly0.LabReadOnlySecretLabReadOnlySecretLabRea";

/// What can go wrong with a simulated NetBox.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recordings cannot be used; run the lab without `--dir`, or record them again.
    #[error("the lab's NetBox data: {file} {problem}")]
    Data {
        /// File below `netbox/`.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The address is taken or not allowed; choose another one with `--port-base`.
    #[error("the lab's NetBox cannot listen on {address}: {source}")]
    Listen {
        /// Where it should have listened.
        address: String,
        /// Why it could not.
        source: std::io::Error,
    },
    /// An edit of a scenario was answered with another status than it expects.
    #[error("the lab's NetBox edit {id}, call {call}: {got}")]
    Edit {
        /// Id of the change.
        id: String,
        /// `METHOD path`.
        call: String,
        /// Status and body.
        got: String,
    },
}

impl Error {
    pub(crate) fn data(file: &str, problem: &str) -> Self {
        Self::Data { file: file.to_owned(), problem: problem.to_owned() }
    }
}
