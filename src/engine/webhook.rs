//! Webhooks for front ends that listen: judged by the secret of the settings, heeded as a hint.

use crate::config;
use crate::netbox::webhook::Guard;
pub use crate::netbox::webhook::{Hint, Refused, SIGNATURE};
use crate::store::now;

/// Judges hooks.
#[derive(Debug)]
pub struct Webhooks {
    guard: Guard,
}

impl Webhooks {
    /// `None` without a secret in the settings: then no hook is heeded.
    pub fn new(settings: &config::NetBox) -> Option<Self> {
        settings.webhook_secret.as_ref().map(|secret| Self { guard: Guard::new(secret) })
    }

    /// Whether a hook is genuine and new.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn check(&self, signature: Option<&str>, body: &[u8]) -> Result<Hint, Refused> {
        self.guard.check(signature, body, now())
    }
}
