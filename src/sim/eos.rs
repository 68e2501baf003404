//! Simulated Arista EOS devices: gNMI targets that boot from documents, check Sets against the schema, and derive the state
//! of ports, LAGs, BGP, EVPN, MLAG and VXLAN from the configuration of both ends.
//!
//! A test partner, not an oracle: it shares the vocabulary, the schema and the protocol's messages with the product, and no
//! mapper, diff, planner or client. What nobody knows about EOS is a switch in [`fabric::Options`]; what can go wrong is a
//! field of [`faults::Faults`].

pub mod cli;
pub mod commit;
mod convert;
mod counters;
pub mod derive;
pub mod device;
mod emit;
pub mod fabric;
pub mod faults;
pub mod filler;
mod get;
pub mod nodes;
mod notify;
mod raw;
pub mod refusal;
pub mod scenario;
pub mod server;
pub mod store;
mod subscribe;
pub mod topology;
pub mod view;
mod wire;

pub use commit::{Config, Habits, Op};
pub use convert::Payload;
pub use device::Device;
pub use fabric::{BootError, CommitConfirmed, Confirm, Fabric, Options, PreEncoded};
pub use faults::{Faults, SetFault};
pub use refusal::Refusal;
pub use scenario::{Event, Scenario, ScenarioError};
pub use server::{Running, Tls};
pub use topology::Topology;

#[cfg(test)]
mod tests;
