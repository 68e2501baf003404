//! gNMI: client, TLS and auth, subscription session, Set, and the way between protobuf and our paths and values.
//!
//! - [`target`]: whom to talk to, how protected, as whom. [`client`]: one connection and its calls. [`error`]: what went
//!   wrong, named by what the operator can do.
//! - [`shared`]: the one connection of a device, lent to all its calls.
//! - [`collector`]: one connection for many devices, told apart by `prefix.target`.
//! - [`wire`]: protobuf ↔ path and value; the fast walk over telemetry; batches of operations on a mirror.
//! - [`canon`]: the schema's spellings for the mirror.
//! - [`session`]: one Subscribe stream a device, kept up: a pure state machine and the task that runs it.
//! - [`subscribe`]: ONCE, POLL and a plain STREAM.
//! - [`probe`]: what a device really supports, path by path.
//!
//! It decides nothing: it neither knows what a leaf should be nor whether a change may be sent. It must not import netbox,
//! store, diff, plan or the engine.

pub mod canon;
pub mod client;
pub mod collector;
mod connect;
pub mod error;
pub mod named;
pub mod probe;
pub mod session;
pub mod set;
pub mod shared;
pub mod subscribe;
pub mod target;
#[cfg(test)]
pub(crate) mod testing;
pub mod wire;

pub use canon::SchemaCanon;
pub use client::{Answers, CliAnswer, Client, DataType, Encoding};
pub use collector::Hub;
pub use error::{CertificateProblem, Error};
pub use session::{Control, SessionEvent, Settings};
pub use set::{SetAnswer, SetParts};
pub use shared::Shared;
pub use target::{Credentials, Security, Target, Through, Tls};
