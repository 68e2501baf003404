//! Intent: the fabric as typed records, what is wrong with it, and its mapping to YANG leaves. Knows no network.

pub mod context;
pub mod fabric;
pub mod finding;
pub mod lint;
pub mod map;
pub mod records;

pub use fabric::Fabric;
