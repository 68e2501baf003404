//! The connection of a device's stream, lent to the other calls to that device: it sees one connection, not two.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::Client;

/// Where a session lends its connection; clones are the same place. Empty while the session has none.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Lent>>);

#[derive(Debug, Default)]
struct Lent {
    client: Option<Client>,
    doubted: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's side: this is the connection from now on, or there is none.
    pub(super) fn lend(&self, client: Option<Client>) {
        *self.lock() = Lent { client, doubted: false };
    }

    /// The connection, if there is one that nobody doubts.
    pub fn client(&self) -> Option<Client> {
        let lent = self.lock();
        lent.client.clone().filter(|client| !lent.doubted && client.alive())
    }

    /// A call over it failed in a way that may be the connection's fault: nobody else uses it until the session makes a new one.
    pub fn doubt(&self) {
        self.lock().doubted = true;
    }
}
