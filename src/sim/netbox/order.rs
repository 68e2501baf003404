//! How NetBox sorts: numbers by size, addresses by address, names byte by byte or the way people count (`leaf2` before `leaf10`), nothing first.

use std::cmp::Ordering;
use std::net::IpAddr;

use serde_json::Value;

/// Something to sort by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// null
    Nothing,
    /// false before true.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// An address and its mask length.
    Address(IpAddr, u8),
    /// Text in pieces: digits compare as numbers.
    Text(Vec<Piece>),
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// A run of digits.
    Digits(u128),
    /// Anything else, in lower case.
    Letters(String),
}

impl Key {
    /// Key of a stored value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => number.as_i64().map_or(Self::Nothing, Self::Number),
            Value::String(text) => Self::address(text).unwrap_or_else(|| Self::bytes(text)),
            _ => Self::Nothing,
        }
    }

    /// Key of a text that sorts byte by byte, as most names do.
    pub fn bytes(text: &str) -> Self {
        Self::Text(vec![Piece::Letters(text.to_owned())])
    }

    /// Key of a text that sorts as people count: devices, interfaces, sites and clusters.
    pub fn text(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let digits = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
            let (piece, tail) = rest.split_at(end);
            pieces.push(match piece.parse() {
                Ok(number) if digits => Piece::Digits(number),
                _ => Piece::Letters(piece.to_lowercase()),
            });
            rest = tail;
        }
        Self::Text(pieces)
    }

    fn address(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        Some(Self::Address(address.parse().ok()?, length.parse().ok()?))
    }
}

/// Postgres keeps the keys of JSON objects by length, then by bytes; what passed through a JSON column comes back so.
pub fn jsonb(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().map(|(key, value)| (key, jsonb(value))).collect();
            entries.sort_by(|(a, _), (b, _)| by_length(a, b));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(jsonb).collect()),
        other => other,
    }
}

fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn people_order() {
        let mut names = ["leaf10", "leaf2", "Leaf1", "Ethernet11", "Ethernet2"];
        names.sort_by_key(|name| Key::text(name));
        assert_eq!(names, ["Ethernet2", "Ethernet11", "Leaf1", "leaf2", "leaf10"]);
        assert!(Key::of(&json!("10.0.1.10/31")) > Key::of(&json!("10.0.1.9/31")));
        assert!(Key::of(&Value::Null) < Key::of(&json!(0)));
    }

    #[test]
    fn json_columns_sort_keys_by_length() {
        let shown = jsonb(json!({"vrf": 1, "prefix": {"bb": 1, "a": 2}, "ab": 0, "aa": 0})).to_string();
        assert_eq!(shown, r#"{"aa":0,"ab":0,"vrf":1,"prefix":{"a":2,"bb":1}}"#);
    }
}
