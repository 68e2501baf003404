//! NetBox over HTTP: client, paging, and reading it into intent records. Decides nothing.

pub mod assemble;
pub mod client;
pub mod error;
pub mod settings;

mod pages;
mod raw;

pub use client::{Call, Client, Read};
pub use error::Error;
pub use settings::{FieldNames, Settings};
