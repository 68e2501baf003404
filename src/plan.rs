//! Changes → steps → waves: order, risk, invariants, staging, guards; a plan as text and as JSON. Sends nothing.

pub mod build;
pub mod check;
pub mod facts;
pub mod guard;
pub mod invariant;
pub mod inverse;
pub mod json;
pub mod model;
pub mod order;
pub mod risk;
pub mod set;
pub mod stage;
pub mod text;
pub mod waves;

pub use build::{DevicePart, PlanInput, build};
pub use check::{Retained, stale, verify};

#[cfg(test)]
mod golden;
