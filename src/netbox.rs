//! NetBox over HTTP: client, paging, and reading it into intent records. Decides nothing.

pub mod assemble;
pub mod client;
pub mod error;
pub mod settings;
pub mod webhook;

mod blame;
mod branch;
mod feed;
mod graphql;
mod list;
mod packed;
mod pages;
mod progress;
mod raw;
mod read;
mod saved;
mod touch;

pub use client::{Call, Client, Read, Touched};
pub use error::Error;
pub use progress::{Kind, Progress};
pub use settings::{FieldNames, GraphQl, Settings};
