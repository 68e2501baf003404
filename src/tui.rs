//! The console: one Model, one Msg, one update, one view. It draws what the engine reports and sends it commands through
//! [`app::Effect`], the only door to a write; it never talks to a device, to NetBox or to the journal.
//!
//! ```text
//!  keys, paste, resize, signals ─┐
//!  engine snapshots ─────────────┼─► run ─► Msg ─► app::update ─► Model ─► view ─► paint ─► one write a frame
//!  timer (only if a text ages) ──┘                     └─► Effect ─► engine Command, clipboard, suspend, quit
//! ```

pub mod age;
pub mod app;
pub mod clean;
pub mod draw;
pub mod filter;
pub mod keys;
pub mod list;
pub mod overlay;
pub mod paint;
pub mod run;
pub mod screen;
pub mod term;
pub mod theme;
pub mod view;
pub mod widget;

pub use run::{Error, Options, run};
