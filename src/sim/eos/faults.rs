//! Faults of a simulated device: switches a test or a scenario sets. All off by default.

use serde::{Deserialize, Serialize};

use crate::path::Path;

/// What the device does wrong. In a scenario it is a JSON object of the fields that differ from now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Nobody's password is right any more.
    pub deny_login: bool,
    /// Reading is allowed, writing is not.
    pub deny_set: bool,
    /// Paths whose Set is denied (path authorization).
    pub deny_paths: Vec<Path>,
    /// Paths a Subscribe is refused for, whole RPC.
    pub refuse_subscribe: Vec<Path>,
    /// Paths a Get is refused for.
    pub refuse_get: Vec<Path>,
    /// Paths for which ON_CHANGE is unimplemented.
    pub refuse_on_change: Vec<Path>,
    /// RPCs that are not implemented: `capabilities`, `get`, `set`, `subscribe`, `poll`.
    pub unimplemented: Vec<String>,
    /// Leaves a Set may write without effect (accepted, not retained).
    pub discard: Vec<Path>,
    /// Set answers OK and changes nothing.
    pub ignore_set: bool,
    /// What happens to the next Sets.
    pub set: SetFault,
    /// How many Sets the fault above hits; 0 is all.
    pub set_times: u64,
    /// Every RPC answers this much later, milliseconds.
    pub slow_ms: u64,
    /// Between two notifications of a stream, milliseconds.
    pub slow_stream_ms: u64,
    /// No sync_response at all.
    pub never_sync: bool,
    /// The sync_response comes this much later, milliseconds.
    pub late_sync_ms: u64,
    /// A sync_response before the first value as well.
    pub early_sync: bool,
    /// Streams end with UNKNOWN "EOF" after this many messages; 0 never.
    pub eof_after: u64,
    /// Notifications come twice.
    pub duplicate: bool,
    /// Notifications of one change come in reverse order.
    pub reorder: bool,
    /// The device's clock is off by this much, milliseconds.
    pub clock_skew_ms: i64,
    /// Timestamps are in seconds instead of nanoseconds.
    pub seconds: bool,
    /// Module names stand in front of element names.
    pub module_names: bool,
    /// Paths come as the deprecated `element` strings.
    pub old_paths: bool,
    /// `prefix.target` is not echoed.
    pub no_target: bool,
    /// A Set is answered without results.
    pub bare_set_response: bool,
    /// Streams go silent but stay open.
    pub silent: bool,
    /// A change of configuration reaches streams this much later, milliseconds.
    pub late_telemetry_ms: u64,
    /// Bytes of filler added to each Get answer: over 4 MiB it is too large for a default client.
    pub pad_get: usize,
    /// Container answers end in the middle of the JSON.
    pub cut_json: bool,
    /// Commit-confirmed rolls back this much earlier than asked, milliseconds.
    pub early_rollback_ms: u64,
    /// The name of a hidden string injected into descriptions as they are sent: hostile bytes for the terminal.
    pub taint: Option<String>,
}

/// What a Set runs into.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetFault {
    /// Nothing.
    #[default]
    None,
    /// Refused with a code (its number in gRPC) and a text.
    Refuse {
        /// gRPC code.
        code: i32,
        /// Text.
        message: String,
    },
    /// The connection breaks before anything is applied.
    DropBefore,
    /// It is applied, then the connection breaks instead of an answer.
    DropAfter,
    /// It is applied, the stream of this RPC is reset, the connection lives.
    ResetAfter,
    /// It is applied, the answer never comes.
    HangAfter,
    /// Nothing is applied, no answer comes.
    HangBefore,
    /// It is applied in part: only the first operation, and the device reboots.
    RebootDuring,
}

impl Faults {
    /// Reads the fields of `change` over the present ones.
    ///
    /// # Errors
    /// A field that does not exist or has another type.
    pub fn merge(&mut self, change: &serde_json::Value) -> Result<(), serde_json::Error> {
        let mut now = serde_json::to_value(&*self)?;
        if let (Some(now), Some(change)) = (now.as_object_mut(), change.as_object()) {
            now.extend(change.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        *self = serde_json::from_value(now)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_changes_only_what_it_names() {
        let mut faults = Faults { slow_ms: 5, ..Faults::default() };
        faults.merge(&serde_json::json!({"deny_login": true, "set": {"refuse": {"code": 9, "message": "busy"}}, "discard": ["/system/config/hostname"]})).unwrap();
        assert!(faults.deny_login && faults.slow_ms == 5 && faults.discard.len() == 1);
        assert!(matches!(faults.set, SetFault::Refuse { code: 9, .. }));
        assert!(faults.merge(&serde_json::json!({"denny_login": true})).is_err());
    }
}
