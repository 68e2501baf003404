//! The structure of one telemetry message, read where it stands: where its paths are, and what its values are.
//!
//! Only the usual form is read; anything else is `None`, and prost's affair.

use std::ops::Range;
use std::sync::Arc;

use prost::Message as _;

use super::convert::{self, ValueError};
use super::proto::{self, typed_value};
use crate::value::Value;

/// The outline of a usual message.
pub(super) enum Outline {
    Sync,
    Notification { timestamp: i64, atomic: bool, prefix: Range<usize>, duplicates: u64 },
}

/// What [`outline`] found, in memory reused from message to message.
#[derive(Default)]
pub(super) struct Found {
    /// Bytes of the path, and the value.
    pub(super) updates: Vec<(Range<usize>, Raw)>,
    /// Bytes of the paths.
    pub(super) deletes: Vec<Range<usize>>,
}

/// A value as far as it can be read without its path.
pub(super) enum Raw {
    /// Read.
    Value(Value),
    /// JSON, not looked at.
    Json(Range<usize>),
    /// Well formed, and no value.
    Bad(ValueError),
}

/// A place in a message.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

/// What stands behind a tag.
enum Field {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(Range<usize>),
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8], range: Range<usize>) -> Self {
        Self { bytes, at: range.start, end: range.end }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in 0..10 {
            if self.at >= self.end {
                return None;
            }
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if shift == 9 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << (7 * shift);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<Range<usize>> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.end)?;
        let range = self.at..end;
        self.at = end;
        Some(range)
    }

    /// The next field; `Some(None)` at the end, `None` when it is not of the usual form.
    #[allow(clippy::option_option)]
    fn next(&mut self) -> Option<Option<(u64, Field)>> {
        if self.at == self.end {
            return Some(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.bytes.get(self.take(8)?)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.bytes.get(self.take(4)?)?.try_into().ok()?)),
            _ => return None,
        };
        Some(Some((tag >> 3, field)))
    }
}

/// Reads the structure and the values; paths stay bytes.
pub(super) fn outline(bytes: &[u8], found: &mut Found) -> Option<Outline> {
    found.updates.clear();
    found.deletes.clear();
    let mut walk = Walk::new(bytes, 0..bytes.len());
    let (Some(first), None) = (walk.next()?, walk.next()?) else { return None };
    match first {
        (3, Field::Varint(1)) => Some(Outline::Sync),
        (1, Field::Bytes(range)) => notification(bytes, range, found),
        _ => None,
    }
}

fn notification(bytes: &[u8], range: Range<usize>, found: &mut Found) -> Option<Outline> {
    let (mut timestamp, mut atomic, mut prefix, mut duplicates) = (0i64, false, None, 0u64);
    let mut walk = Walk::new(bytes, range);
    while let Some(field) = walk.next()? {
        match field {
            #[allow(clippy::cast_possible_wrap)]
            (1, Field::Varint(value)) => timestamp = value as i64,
            (2, Field::Bytes(range)) if prefix.is_none() => prefix = Some(range),
            (4, Field::Bytes(range)) => duplicates += u64::from(update(bytes, range, found)?),
            (5, Field::Bytes(range)) => found.deletes.push(range),
            (6, Field::Varint(value)) => atomic = value != 0,
            _ => return None,
        }
    }
    Some(Outline::Notification { timestamp, atomic, prefix: prefix.unwrap_or(0..0), duplicates })
}

/// One update; says how many values it stands for.
fn update(bytes: &[u8], range: Range<usize>, found: &mut Found) -> Option<u32> {
    let (mut path, mut raw, mut duplicates) = (None, None, 0);
    let mut walk = Walk::new(bytes, range);
    while let Some(field) = walk.next()? {
        match field {
            (1, Field::Bytes(range)) if path.is_none() => path = Some(range),
            (3, Field::Bytes(range)) if raw.is_none() => raw = Some(typed(bytes, range)?),
            #[allow(clippy::cast_possible_truncation)]
            (4, Field::Varint(value)) => duplicates = value as u32,
            _ => return None,
        }
    }
    found.updates.push((path?, raw?));
    Some(duplicates)
}

fn typed(bytes: &[u8], range: Range<usize>) -> Option<Raw> {
    let mut walk = Walk::new(bytes, range.clone());
    let (Some(only), None) = (walk.next()?, walk.next()?) else { return None };
    let value = match only {
        (1 | 12, Field::Bytes(text)) => Value::str(std::str::from_utf8(bytes.get(text)?).ok()?),
        #[allow(clippy::cast_possible_wrap)]
        (2, Field::Varint(number)) => Value::Int(number as i64),
        (3, Field::Varint(number)) => Value::Uint(number),
        (4, Field::Varint(value)) => Value::Bool(value != 0),
        (5 | 13, Field::Bytes(data)) => Value::Bytes(Arc::from(bytes.get(data)?)),
        (6, Field::Fixed32(bits)) => convert::float(f32::from_bits(bits)),
        (14, Field::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
        (10 | 11, Field::Bytes(json)) => return Some(Raw::Json(json)),
        // Decimals and leaf-lists are small: prost reads them from here. A list in a list could meet prost's limit of
        // depth only when read from the top, so it goes there.
        (7 | 8, Field::Bytes(_)) => {
            let message = proto::TypedValue::decode(bytes.get(range)?).ok()?;
            if let Some(typed_value::Value::LeaflistVal(list)) = &message.value {
                let plain = |item: &proto::TypedValue| {
                    !matches!(item.value, Some(typed_value::Value::LeaflistVal(_) | typed_value::Value::AnyVal(_)))
                };
                if !list.element.iter().all(plain) {
                    return None;
                }
            }
            return Some(match convert::value(&message) {
                Ok(value) => Raw::Value(value),
                Err(error) => Raw::Bad(error),
            });
        }
        _ => return None,
    };
    Some(Raw::Value(value))
}
