//! What a command could not do: one message, one hint, one exit code.

use crate::{config, engine};

/// A command's error, ready to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One line, naming device, path or file.
    pub message: String,
    /// The next step; may be empty.
    pub hint: String,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: String::new(), code: super::ERROR }
    }

    /// With the next step.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// With another exit code.
    #[must_use]
    pub fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::new(error.to_string()).hint(error.hint())
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        Self::new(error.to_string()).hint(error.hint())
    }
}
