//! Whether a device that came back is the one that went: the same hardware, booted again or not.
//!
//! Boot time is `/system/state/boot-time`. Hardware is the chassis' own address, `/lldp/state/chassis-id`: subscribed anyway, on
//! every EOS, and it moves with the hardware as the serial number does.

use crate::path::Path;
use crate::tree::Tree;

use super::feed;

/// A boot time is worked out from a clock that is corrected: moves of less are no boot, milliseconds.
const JITTER: u64 = 10_000;

/// What a device said of itself when it was seen last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// When it booted, milliseconds since the epoch by its clock.
    pub booted: Option<u64>,
    /// Its chassis' address.
    pub chassis: Option<String>,
}

/// How it came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// Booted again.
    Rebooted,
    /// Another one stands in its place.
    Replaced {
        /// The chassis before.
        was: String,
        /// The chassis now.
        is: String,
    },
}

impl Identity {
    /// Looks at a device whose first values are all in; says what that means if it was seen before.
    pub fn look(&mut self, observed: &Tree) -> Option<Came> {
        let value = |path: &str| observed.value(&Path::parse(path).ok()?).cloned();
        let now = Self {
            booted: value("/system/state/boot-time").and_then(|value| value.as_u64()).map(feed::millis).or(self.booted),
            chassis: value("/lldp/state/chassis-id").map(|value| value.to_string()).or_else(|| self.chassis.clone()),
        };
        let before = std::mem::replace(self, now);
        match (before, &*self) {
            (Self { chassis: Some(was), .. }, Self { chassis: Some(is), .. }) if was != *is => Some(Came::Replaced { was, is: is.clone() }),
            (Self { booted: Some(was), .. }, Self { booted: Some(is), .. }) if was.abs_diff(*is) > JITTER => Some(Came::Rebooted),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Paths;
    use crate::value::Value;

    #[test]
    fn a_reboot_and_a_replacement_are_told_apart() {
        let seen = |boot: Option<u64>, chassis: Option<&str>| {
            let mut tree = Tree::new(Paths::new());
            let mut set = |path: &str, value: Value| _ = tree.set(&Path::parse(path).unwrap(), value, 1);
            boot.into_iter().for_each(|boot| set("/system/state/boot-time", Value::Uint(boot * 1_000_000_000)));
            chassis.into_iter().for_each(|chassis| set("/lldp/state/chassis-id", chassis.into()));
            tree
        };
        let mut identity = Identity::default();
        let (first, other) = ("00:1c:73:00:01:01", "00:1c:73:00:09:01");
        for (boot, chassis, came) in [
            (Some(1_774_080_000), Some(first), None),
            (Some(1_774_080_003), Some(first), None),
            (None, None, None),
            (Some(1_774_090_000), Some(first), Some(Came::Rebooted)),
            (Some(1_774_090_000), Some(first), None),
            (Some(1_774_091_000), Some(other), Some(Came::Replaced { was: first.into(), is: other.into() })),
        ] {
            assert_eq!(identity.look(&seen(boot, chassis)), came, "{boot:?} {chassis:?}");
        }
    }
}
