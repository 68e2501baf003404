//! Text of a leaf: short ones lie in the value itself, long ones are shared.
//!
//! Most texts of a switch are states, names and addresses of less than 15 bytes. Kept in place they cost no allocation
//! when telemetry is decoded, no pointer to follow when trees are compared, and no block of the heap each.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Longest text, in bytes, that lies in the value itself.
pub const SHORT: usize = 14;

/// An immutable text. Cloning never allocates; equality is that of the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Kept);

/// Each text has one form, so that forms can be compared.
#[derive(Clone, Eq)]
enum Kept {
    /// Length, and bytes of UTF-8 with zeros behind.
    Short(u8, [u8; SHORT]),
    /// More than [`SHORT`] bytes.
    Long(Arc<Box<str>>),
}

/// Short texts as two words: telemetry compares every text that comes with the one that was there, and a call to compare
/// 14 bytes costs more than comparing them.
#[inline]
fn words(bytes: &[u8; SHORT]) -> (u64, u64) {
    let word = |from: usize| bytes.get(from..from + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_ne_bytes);
    (word(0), word(SHORT - 8))
}

impl PartialEq for Kept {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Short(a, this), Self::Short(b, that)) => a == b && words(this) == words(that),
            (Self::Long(this), Self::Long(that)) => this == that,
            _ => false,
        }
    }
}

impl Text {
    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Short(length, bytes) => {
                bytes.get(..usize::from(*length)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
            }
            Kept::Long(text) => text,
        }
    }

    /// Bytes of heap it takes, its counters included; those it shares are counted for each sharer.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Kept::Short(..) => 0,
            // Two counters, and where it is.
            Kept::Long(text) => text.len() + 4 * size_of::<usize>(),
        }
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(text.as_bytes());
                Self(Kept::Short(length, bytes))
            }
            _ => Self(Kept::Long(Arc::new(Box::from(text)))),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Self::from(&*text)
    }
}

impl Deref for Text {
    type Target = str;
    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_texts_take_no_heap() {
        assert_eq!(Text::from("IDLE").heap_bytes(), 0);
        assert_eq!(Text::from("x".repeat(SHORT)).heap_bytes(), 0);
        assert!(Text::from("x".repeat(SHORT + 1)).heap_bytes() > SHORT);
        assert_eq!(size_of::<Text>(), 16);
    }

    proptest! {
        #[test]
        fn every_text_comes_back_and_equals_only_itself(a in ".{0,40}", b in ".{0,40}") {
            let (left, right) = (Text::from(a.as_str()), Text::from(b.as_str()));
            prop_assert_eq!(&*left, a.as_str());
            prop_assert_eq!(left == right, a == b);
            prop_assert_eq!(&left, &Text::from(a.clone()));
            prop_assert_eq!(left, Text::from(Arc::<str>::from(a)));
        }
    }
}
