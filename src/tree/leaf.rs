//! One leaf: a value, and in eight bytes where it came from and when.

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// Who says so: the object of the source of intent a desired leaf was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// In words: `interface leaf1 Ethernet11 #412`.
    pub object: String,
    /// Where a person sees it: the NetBox page. Empty when there is none.
    pub url: String,
    /// Who changed the object last, if known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// When it was changed last, RFC 3339, if known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<String>,
    /// The request that changed it last: edits made together carry the same, if known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
}

/// One leaf, 24 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What it holds.
    pub value: Value,
    pub(super) stamp: Stamp,
}

impl Leaf {
    /// When we received it, milliseconds since the Unix epoch by our clock; 0 for leaves that were made, not received.
    pub fn received(&self) -> u64 {
        self.stamp.received()
    }
}

/// A leaf was either received at some time or made from some object, never both, so one word holds either: 16 bits of the
/// sweep it was last seen in, 47 bits of milliseconds (until the year 6429) or of an index into origins, one bit to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64);

const MADE: u64 = 1 << 63;
const BITS: u32 = 16;
const MOST: u64 = (1 << (63 - BITS)) - 1;

impl Stamp {
    #[inline]
    pub(super) fn received_at(time: u64, generation: u16) -> Self {
        Self(time.min(MOST) << BITS | u64::from(generation))
    }

    #[inline]
    pub(super) fn made_from(origin: usize, generation: u16) -> Self {
        Self(MADE | u64::try_from(origin).unwrap_or(MOST).min(MOST) << BITS | u64::from(generation))
    }

    #[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
    #[inline]
    pub(super) fn generation(self) -> u16 {
        self.0 as u16
    }

    fn received(self) -> u64 {
        if self.0 & MADE == 0 { self.0 >> BITS } else { 0 }
    }

    pub(super) fn origin(self) -> Option<usize> {
        (self.0 & MADE != 0).then(|| usize::try_from((self.0 & !MADE) >> BITS).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_leaf_is_three_words() {
        assert_eq!(size_of::<Leaf>(), 24);
    }

    proptest! {
        #[test]
        fn a_stamp_keeps_what_it_was_given(time in 0u64..=MOST, origin in 0usize..1_000_000, generation: u16) {
            let received = Stamp::received_at(time, generation);
            prop_assert_eq!((received.received(), received.origin(), received.generation()), (time, None, generation));
            let made = Stamp::made_from(origin, generation);
            prop_assert_eq!((made.received(), made.origin(), made.generation()), (0, Some(origin), generation));
        }
    }
}
