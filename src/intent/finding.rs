//! How this part makes findings: one place names the type, so that it can move to the vocabulary without touching the rest.

use std::sync::Arc;

pub use crate::diff::change::{Finding, Severity};
use crate::tree::Origin;

/// A finding about an object of intent.
pub fn about(code: &str, severity: Severity, device: Option<&Arc<str>>, origin: &Arc<Origin>, message: String, hint: &str) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        device: device.map(Arc::clone),
        path: None,
        origin: Some(Arc::clone(origin)),
        message,
        hint: hint.to_owned(),
    }
}
