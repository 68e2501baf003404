//! A simulated fabric: EOS gNMI targets and a NetBox server, with faults. A test partner, never an oracle: it shares no mapper, diff or planner.

pub mod eos;
pub mod lab;
pub mod netbox;
