//! The decoders of the package without the rest of it, and where fuzzing starts from.
#![allow(dead_code)] // what only the rest of the package uses

pub mod path;
pub mod seeds;
pub mod tree;
pub mod value;
pub mod yang;

/// As `fabric_orchestrator::gnmi`, what reads bytes only.
pub mod gnmi {
    pub mod canon;
    pub mod wire;
    pub use canon::SchemaCanon;
}

use std::sync::{Arc, OnceLock};

/// The schema, read once.
pub fn schema() -> &'static Arc<yang::Schema> {
    static SCHEMA: OnceLock<Arc<yang::Schema>> = OnceLock::new();
    SCHEMA.get_or_init(|| Arc::new(yang::Schema::eos().expect("the schema compiled in")))
}

/// A stream of messages as one input: each with its length in two bytes before it; what is left is the last.
pub fn messages(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (message, rest) = match data {
            [] => return None,
            [high, low, rest @ ..] => rest.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(rest.len())),
            short => (short, &[][..]),
        };
        data = rest;
        Some(message)
    })
}
