//! Paging: `limit` and `offset` with a count, or `start` with the id to go on from. `limit` is cut to 1000 without a word.

use serde_json::{Value, json};

use super::filter::Query;

/// Most rows of one answer.
pub const MAX: usize = 1000;
const DEFAULT: usize = 50;

/// Which rows an answer holds and what it says about the rest.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Rows of it, in order.
    pub ids: Vec<u64>,
    /// Rows of all pages; none with `start`.
    pub count: Option<usize>,
    /// Query of the next page.
    pub next: Option<String>,
    /// Query of the page before.
    pub previous: Option<String>,
}

/// Cuts one page out of all rows, or says why not (400).
pub fn cut(mut all: Vec<u64>, query: &Query) -> Result<Page, Value> {
    let number = |name: &str| query.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.parse::<usize>().ok());
    let given = |name: &str| query.iter().any(|(key, _)| key == name);
    let limit = match number("limit") {
        Some(0) => MAX,
        Some(limit) => limit.min(MAX),
        None => DEFAULT,
    };
    if given("start") {
        if given("offset") {
            return Err(json!(["'start' and 'offset' are mutually exclusive."]));
        }
        if given("ordering") {
            return Err(json!(["Ordering cannot be specified in conjunction with cursor-based pagination."]));
        }
        let Some(start) = number("start") else {
            return Err(json!(["Invalid 'start' parameter: must be a non-negative integer."]));
        };
        let start = start as u64;
        all.retain(|id| *id >= start);
        all.sort_unstable();
        let more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().filter(|_| more).map(|last| with(query, &[("limit", limit as u64), ("start", last + 1)], &[]));
        return Ok(Page { ids: all, count: None, next, previous: None });
    }
    let offset = number("offset").unwrap_or(0);
    let count = all.len();
    let next = (offset + limit < count).then(|| with(query, &[("limit", limit as u64), ("offset", (offset + limit) as u64)], &[]));
    let previous = match offset {
        0 => None,
        offset if offset <= limit => Some(with(query, &[("limit", limit as u64)], &["offset"])),
        offset => Some(with(query, &[("limit", limit as u64), ("offset", (offset - limit) as u64)], &[])),
    };
    let ids = all.into_iter().skip(offset).take(limit).collect();
    Ok(Page { ids, count: Some(count), next, previous })
}

/// The query with parameters replaced: sorted by name, as NetBox does it.
fn with(query: &Query, set: &[(&str, u64)], unset: &[&str]) -> String {
    let kept = |name: &str| !set.iter().any(|(key, _)| *key == name) && !unset.contains(&name);
    let mut pairs: Vec<(String, String)> = query.iter().filter(|(name, _)| kept(name)).cloned().collect();
    pairs.extend(set.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())));
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    self::query(&pairs)
}

/// Pairs as a query string.
pub fn query(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
        out
    })
}

/// A query string as pairs, percent signs and plus decoded.
pub fn parse(query: &str) -> Query {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                let code = std::str::from_utf8(&hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
                match code {
                    Some(code) => bytes.push(code),
                    None => {
                        bytes.push(b'%');
                        bytes.extend(hex);
                    }
                }
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_tile_the_list() {
        for limit in [1, 7, 50, 51] {
            let mut query = parse(&format!("b=2&limit={limit}&a=x%20y"));
            let mut seen = Vec::new();
            loop {
                let page = cut((1..=51).collect(), &query).expect("a page");
                assert_eq!(page.count, Some(51));
                seen.extend(page.ids);
                let Some(next) = page.next else { break };
                assert!(next.starts_with("a=x+y&b=2&limit="));
                query = parse(&next);
            }
            assert_eq!(seen, (1..=51).collect::<Vec<_>>());
        }
    }

    #[test]
    fn limits_are_cut_and_cursors_need_no_count() {
        let page = cut((1..=2000).collect(), &parse("limit=5000")).expect("a page");
        assert_eq!((page.ids.len(), page.count), (MAX, Some(2000)));
        let page = cut((1..=2000).rev().collect(), &parse("limit=10&start=5")).expect("a page");
        assert_eq!((page.ids.first(), page.count, page.next.as_deref()), (Some(&5), None, Some("limit=10&start=15")));
        assert!(cut(vec![1], &parse("start=0&offset=5")).is_err());
    }
}
