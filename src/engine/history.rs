//! The past, for front ends: operations, drift events, the audit chain. Opens the journal, reads, closes.

use crate::config::Settings;
use crate::store::Store;

pub use crate::store::drift::Drift;
pub use crate::store::journal::{Action, Left, Leftover, Operation};

use super::Error;

/// The newest operations, newest first. Operations whose process is gone are closed as interrupted on the way.
///
/// # Errors
/// When the journal cannot be read.
pub fn operations(settings: &Settings, limit: usize) -> Result<Vec<Operation>, Error> {
    let store = Store::open(&settings.state)?;
    store.recover(&settings.fabric)?;
    Ok(store.operations(&settings.fabric, limit)?)
}

/// The newest drift events, newest first.
///
/// # Errors
/// When the journal cannot be read.
pub fn drift(settings: &Settings, limit: usize) -> Result<Vec<Drift>, Error> {
    Ok(Store::open(&settings.state)?.drift(&settings.fabric, limit)?)
}

/// Checks the audit chain: how many rows there are, and the first that does not hold.
///
/// # Errors
/// When the journal cannot be read.
pub fn verify(settings: &Settings) -> Result<(usize, Option<u64>), Error> {
    let store = Store::open(&settings.state)?;
    let rows = store.audit_rows()?.len();
    Ok((rows, store.audit_verify()?.err()))
}
