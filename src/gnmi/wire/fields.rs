//! Protobuf fields of telemetry, read where they stand.
//!
//! Only the usual form is read; anything else is `None`, and prost's affair.

use prost::Message as _;

use super::convert::{self, ValueError};
use super::proto::{self, typed_value};
use crate::value::{Text, Value};

/// The fields of one message.
pub(super) struct Fields<'a> {
    left: &'a [u8],
}

/// What stands behind a tag.
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    #[inline(always)]
    fn varint(&mut self) -> Option<u64> {
        let (first, rest) = self.left.split_first()?;
        if *first < 0x80 {
            self.left = rest;
            return Some(u64::from(*first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for (at, byte) in self.left.iter().enumerate().take(10) {
            if at == 9 && *byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.left = self.left.get(at + 1..)?;
                return Some(value);
            }
        }
        None
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.left.split_at_checked(length)?;
        self.left = rest;
        Some(taken)
    }

    /// The next field; `Some(None)` at the end, `None` when it is not of the usual form.
    #[inline(always)] // returned through memory it costs as much as all the rest
    #[allow(clippy::option_option)]
    pub(super) fn next(&mut self) -> Option<Option<(u64, Field<'a>)>> {
        if self.left.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some(Some((tag >> 3, field)))
    }
}

/// An update, as far as it can be read without knowing its path.
pub(super) struct Update<'a> {
    pub(super) path: &'a [u8],
    pub(super) raw: Raw<'a>,
    /// Values it stands for besides its own.
    pub(super) duplicates: u32,
}

/// A value as far as it can be read without its path.
pub(super) enum Raw<'a> {
    /// Read.
    Value(Value),
    /// JSON, not looked at.
    Json(&'a [u8]),
    /// Well formed, and no value.
    Bad(ValueError),
}

/// A length-delimited field of less than 16 KiB with this tag in front of `bytes`, and what stands behind it.
#[inline(always)]
fn leading(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    match bytes {
        [first, length @ 0..0x80, rest @ ..] if *first == tag => rest.split_at_checked(usize::from(*length)),
        [first, low, high @ 0..0x80, rest @ ..] if *first == tag => {
            rest.split_at_checked(usize::from(low & 0x7f) | usize::from(*high) << 7)
        }
        _ => None,
    }
}

/// Reads an update, first as every switch writes it: a path and a value.
#[inline]
pub(super) fn update(bytes: &[u8]) -> Option<Update<'_>> {
    if let Some((path, rest)) = leading(bytes, 0x0a)
        && let Some((value, [])) = leading(rest, 0x1a)
        && let Some(raw) = typed(value)
    {
        return Some(Update { path, raw, duplicates: 0 });
    }
    any_update(bytes)
}

fn any_update(bytes: &[u8]) -> Option<Update<'_>> {
    let (mut path, mut raw, mut duplicates) = (None, None, 0);
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(bytes)) if path.is_none() => path = Some(bytes),
            (3, Field::Bytes(bytes)) if raw.is_none() => raw = Some(typed(bytes)?),
            #[allow(clippy::cast_possible_truncation)] // as prost reads an uint32
            (4, Field::Varint(value)) => duplicates = value as u32,
            _ => return None,
        }
    }
    Some(Update { path: path?, raw: raw?, duplicates })
}

#[inline]
fn typed(bytes: &[u8]) -> Option<Raw<'_>> {
    let mut fields = Fields::new(bytes);
    let (Some(only), true) = (fields.next()?, fields.is_empty()) else { return None };
    let value = match only {
        (3, Field::Varint(number)) => Value::Uint(number),
        (1 | 12, Field::Bytes(text)) => Value::Str(Text::from(std::str::from_utf8(text).ok()?)),
        #[allow(clippy::cast_possible_wrap)] // as prost reads an int64
        (2, Field::Varint(number)) => Value::Int(number as i64),
        (4, Field::Varint(value)) => Value::Bool(value != 0),
        (5 | 13, Field::Bytes(data)) => Value::bytes(data),
        (6, Field::Fixed32(bits)) => convert::float(f32::from_bits(bits)),
        (14, Field::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
        (10 | 11, Field::Bytes(json)) => return Some(Raw::Json(json)),
        // Decimals and leaf-lists are small: prost reads them from here. A list in a list could meet prost's limit of
        // depth only when read from the top, so it goes there.
        (7 | 8, Field::Bytes(_)) => {
            let message = proto::TypedValue::decode(bytes).ok()?;
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
