//! Desired against observed: compare, normalise, decide whose a leaf is, explain by construct. Knows no network and no clock.

pub mod catalog;
pub mod change;
pub mod compare;
pub mod construct;
pub mod judge;
pub mod normalize;
pub mod ownership;
pub mod three_way;

#[cfg(test)]
pub(crate) mod laws;
