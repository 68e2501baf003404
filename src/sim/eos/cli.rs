//! The command line of a simulated device: lines no leaf carries, and what a block of configuration commands does.

mod edits;
pub mod lines;
pub mod parse;
pub mod render;
pub mod show;

pub use lines::Lines;
