//! Protobuf ↔ path and value. The generated messages are [`proto`] and [`gnmi_ext`].
//!
//! - [`convert`]: one message or field at a time, both ways, tolerant of what foreign servers send.
//! - [`batch`]: what a mirror does with telemetry: set these leaves, delete those subtrees.
//! - [`budget`]: what may wait for a slow receiver in all streams together.
//! - [`canon`]: the hook that gives values their one spelling.
//! - [`walk`]: telemetry straight from bytes to a batch, with prost for whatever is unusual.
//! - [`codec`]: gRPC codecs that hand out raw bytes, and one that knows whether a request left.
//!
//! It knows no connection and no schema; canonical spellings come through [`canon::Canon`].

pub mod batch;
pub mod budget;
pub mod canon;
pub mod codec;
pub mod convert;
mod fields;
mod spelling;
pub mod walk;

/// Messages of package `gnmi`, from `proto/gnmi.proto`.
#[allow(clippy::all, clippy::pedantic, rust_2018_idioms, deprecated)]
pub mod proto {
    tonic::include_proto!("gnmi");
}

/// Messages of package `gnmi_ext`, from `proto/gnmi_ext.proto`.
#[allow(clippy::all, clippy::pedantic, rust_2018_idioms)]
pub mod gnmi_ext {
    tonic::include_proto!("gnmi_ext");
}
