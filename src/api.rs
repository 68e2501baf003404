//! HTTP for machines: `/healthz` and `/metrics` of a running engine. It draws snapshots as the console does, decides nothing and
//! writes nothing.

pub mod metrics;
pub mod server;
