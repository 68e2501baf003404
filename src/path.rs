//! A gNMI path: origin, elements, keys; its text form; matching with wildcards.
//!
//! The text form is the one of the gNMI path conventions (openconfig/reference, gnmi-path-conventions.md):
//! `/interfaces/interface[name=Ethernet1]/config/mtu`, with `\` escaping `]` and `\` in key values and `/`, `[` and `\`
//! in names, and an origin in front when there is one: `cli:/show version`. `*` stands for any one name or key value,
//! `...` for any number of elements, and a key that is not given stands for every value of it.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Matches one element name or one key value.
pub const ANY: &str = "*";
/// Matches any number of elements.
pub const ANY_DEPTH: &str = "...";
/// The origin of lines of the EOS command line.
pub const ORIGIN_CLI: &str = "cli";

/// One element of a path: a name and, for a list entry, its keys sorted by key name.
///
/// Shared: cloning a path copies pointers, and equal elements of interned paths are one, so that the paths of a thousand
/// devices, which differ in a neighbor here and an address there, take little room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Elem(Arc<Node>);

/// What an [`Elem`] holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Node name without a module prefix.
    pub name: String,
    /// `(key name, key value)`, sorted by key name, one of each.
    pub keys: Vec<(String, String)>,
}

impl Deref for Elem {
    type Target = Node;
    fn deref(&self) -> &Node {
        &self.0
    }
}

/// Changes this one only: an element that others share is copied first.
impl DerefMut for Elem {
    fn deref_mut(&mut self) -> &mut Node {
        Arc::make_mut(&mut self.0)
    }
}

impl Ord for Elem {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Elem {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Elem {
    /// An element without keys.
    pub fn new(name: impl Into<String>) -> Self {
        Self(Arc::new(Node { name: name.into(), keys: Vec::new() }))
    }

    /// A list entry; keys may come in any order.
    pub fn keyed<K: Into<String>, V: Into<String>>(name: impl Into<String>, keys: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        keys.sort();
        keys.dedup_by(|later, first| later.0 == first.0);
        Self(Arc::new(Node { name: name.into(), keys }))
    }

    /// The value of one key.
    pub fn key(&self, name: &str) -> Option<&str> {
        self.keys.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether `self`, as a pattern, stands for `other`.
    fn stands_for(&self, other: &Self) -> bool {
        (self.name == ANY || self.name == other.name)
            && self.keys.iter().all(|(key, value)| value == ANY || other.key(key).is_some_and(|have| have == value))
    }
}

/// A gNMI path. The empty path without an origin is the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// `None` is the default origin (`openconfig` on EOS); `Some("cli")`, `Some("eos_native")`.
    pub origin: Option<String>,
    /// From the root down.
    pub elems: Vec<Elem>,
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// `[` without its `]`.
    #[error("path `{text}`: key opened at byte {at} is not closed with `]`")]
    OpenKey {
        /// The whole text.
        text: String,
        /// Byte offset of the `[`.
        at: usize,
    },
    /// A key without `=` or without a name.
    #[error("path `{text}`: `[{key}]` is not of the form [name=value]")]
    BadKey {
        /// The whole text.
        text: String,
        /// What stands between the brackets.
        key: String,
    },
    /// The same key twice in one element.
    #[error("path `{text}`: key `{key}` is given twice")]
    TwiceKey {
        /// The whole text.
        text: String,
        /// The key's name.
        key: String,
    },
    /// Two slashes in a row, or keys without a name.
    #[error("path `{text}`: element {index} has no name")]
    NoName {
        /// The whole text.
        text: String,
        /// Counted from 0.
        index: usize,
    },
    /// Text between `]` and the next `/`.
    #[error("path `{text}`: unexpected text after `]` at byte {at}")]
    AfterKey {
        /// The whole text.
        text: String,
        /// Byte offset.
        at: usize,
    },
}

impl Path {
    /// The root of the default origin.
    pub fn root() -> Self {
        Self::default()
    }

    /// Parses the text form; see the module's page for its grammar.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let (origin, rest) = split_origin(text);
        let mut elems = Vec::new();
        let mut chars = rest.char_indices().peekable();
        if chars.peek().is_some_and(|(_, c)| *c == '/') {
            chars.next();
        }
        while chars.peek().is_some() {
            let mut elem = Elem::default();
            let mut any_key = false;
            loop {
                match chars.next() {
                    None | Some((_, '/')) => break,
                    Some((at, '[')) => {
                        any_key = true;
                        let (key, value) = parse_key(text, rest, at, &mut chars)?;
                        if elem.key(&key).is_some() {
                            return Err(PathError::TwiceKey { text: text.to_owned(), key });
                        }
                        elem.keys.push((key, value));
                    }
                    Some((at, _)) if any_key => return Err(PathError::AfterKey { text: text.to_owned(), at }),
                    Some((_, '\\')) => elem.name.extend(chars.next().map(|(_, c)| c)),
                    Some((_, c)) => elem.name.push(c),
                }
            }
            if elem.name.is_empty() {
                return Err(PathError::NoName { text: text.to_owned(), index: elems.len() });
            }
            elem.keys.sort();
            elems.push(elem);
        }
        Ok(Self { origin, elems })
    }

    /// This path with another origin.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into()).filter(|name| !name.is_empty());
        self
    }

    /// This path with one more element.
    #[must_use]
    pub fn child(mut self, name: impl Into<String>) -> Self {
        self.elems.push(Elem::new(name));
        self
    }

    /// This path with one more list entry.
    #[must_use]
    pub fn entry<K: Into<String>, V: Into<String>>(mut self, name: impl Into<String>, keys: impl IntoIterator<Item = (K, V)>) -> Self {
        self.elems.push(Elem::keyed(name, keys));
        self
    }

    /// This path followed by `tail`; the origin stays unless only `tail` has one.
    #[must_use]
    pub fn join(mut self, tail: &Self) -> Self {
        self.elems.extend(tail.elems.iter().cloned());
        self.origin = self.origin.or_else(|| tail.origin.clone());
        self
    }

    /// The path one element shorter; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.elems.split_last()?;
        Some(Self { origin: self.origin.clone(), elems: above.to_vec() })
    }

    /// The first `depth` elements.
    #[must_use]
    pub fn first(&self, depth: usize) -> Self {
        Self { origin: self.origin.clone(), elems: self.elems.iter().take(depth).cloned().collect() }
    }

    /// The last element's name, empty at the root.
    pub fn name(&self) -> &str {
        self.elems.last().map_or("", |elem| elem.name.as_str())
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.elems.len()
    }

    /// Whether this is a root.
    pub fn is_empty(&self) -> bool {
        self.elems.is_empty()
    }

    /// The value of key `key` of the first element called `name`.
    pub fn key(&self, name: &str, key: &str) -> Option<&str> {
        self.elems.iter().find(|elem| elem.name == name)?.key(key)
    }

    /// Whether `self` is `above` or lies below it, keys compared exactly.
    pub fn starts_with(&self, above: &Self) -> bool {
        self.origin == above.origin && self.elems.len() >= above.elems.len() && self.elems.iter().zip(&above.elems).all(|(a, b)| a == b)
    }

    /// Whether `self`, as a pattern, stands for `path` exactly.
    pub fn matches(&self, path: &Self) -> bool {
        self.origin == path.origin && elems_match(&self.elems, &path.elems, false)
    }

    /// Whether `self`, as a pattern, stands for `path` or for something above it: what a delete or a subscription reaches.
    pub fn covers(&self, path: &Self) -> bool {
        self.origin == path.origin && elems_match(&self.elems, &path.elems, true)
    }

    /// Whether something below or at `self` could be covered by `pattern`, or the other way round.
    pub fn overlaps(&self, other: &Self) -> bool {
        let depth = self.len().min(other.len());
        self.covers(&other.first(depth.max(self.len()))) || other.covers(&self.first(depth.max(other.len())))
    }

    /// Whether any part is a wildcard (`*`, `...`); missing keys are not seen here.
    pub fn has_wildcard(&self) -> bool {
        self.elems.iter().any(|elem| elem.name == ANY || elem.name == ANY_DEPTH || elem.keys.iter().any(|(_, value)| value == ANY))
    }

    /// The path without keys: `/interfaces/interface/config/mtu`, the name a schema knows it by.
    pub fn schema_path(&self) -> String {
        let mut text = String::with_capacity(self.elems.len() * 16);
        for elem in &self.elems {
            text.push('/');
            text.push_str(&elem.name);
        }
        text
    }
}

/// `origin:/rest`; a colon counts only in front of the first slash.
fn split_origin(text: &str) -> (Option<String>, &str) {
    match text.split_once(":/") {
        Some((origin, _)) if !origin.is_empty() && origin.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') => {
            (Some(origin.to_owned()), &text[origin.len() + 1..])
        }
        _ => (None, text),
    }
}

fn parse_key(
    text: &str,
    rest: &str,
    open: usize,
    chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
) -> Result<(String, String), PathError> {
    let (mut name, mut value, mut in_value) = (String::new(), String::new(), false);
    loop {
        let target = if in_value { &mut value } else { &mut name };
        match chars.next() {
            None => return Err(PathError::OpenKey { text: text.to_owned(), at: open }),
            Some((_, '\\')) => target.extend(chars.next().map(|(_, c)| c)),
            Some((_, '=')) if !in_value => in_value = true,
            Some((at, ']')) => {
                if !in_value || name.is_empty() {
                    return Err(PathError::BadKey { text: text.to_owned(), key: rest[open + 1..at].to_owned() });
                }
                return Ok((name, value));
            }
            Some((_, c)) => target.push(c),
        }
    }
}

fn elems_match(pattern: &[Elem], path: &[Elem], prefix_is_enough: bool) -> bool {
    let Some((first, pattern_rest)) = pattern.split_first() else {
        return prefix_is_enough || path.is_empty();
    };
    if first.name == ANY_DEPTH {
        return (0..=path.len()).any(|skip| elems_match(pattern_rest, &path[skip..], prefix_is_enough));
    }
    path.split_first().is_some_and(|(head, path_rest)| first.stands_for(head) && elems_match(pattern_rest, path_rest, prefix_is_enough))
}

impl fmt::Display for Elem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, &self.name, &['/', '[', '\\'])?;
        for (key, value) in &self.keys {
            f.write_str("[")?;
            write_escaped(f, key, &['=', ']', '\\'])?;
            f.write_str("=")?;
            write_escaped(f, value, &[']', '\\'])?;
            f.write_str("]")?;
        }
        Ok(())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}:")?;
        }
        if self.elems.is_empty() {
            return f.write_str("/");
        }
        self.elems.iter().try_for_each(|elem| write!(f, "/{elem}"))
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str, special: &[char]) -> fmt::Result {
    use fmt::Write as _;
    for c in text.chars() {
        if special.contains(&c) {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    Ok(())
}

impl FromStr for Path {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn reads_keys_escapes_and_origins() {
        let p = path("/interfaces/interface[name=Ethernet1/1]/config/mtu");
        assert_eq!(p.len(), 4);
        assert_eq!(p.key("interface", "name"), Some("Ethernet1/1"));
        assert_eq!(p.schema_path(), "/interfaces/interface/config/mtu");
        assert_eq!(path("a/b"), path("/a/b"));
        assert_eq!(path(r"/a[k=x\]y\\z]").key("a", "k"), Some(r"x]y\z"));
        let cli = path("cli:/show version");
        assert_eq!((cli.origin.as_deref(), cli.name()), (Some("cli"), "show version"));
        assert_eq!(path("/").to_string(), "/");
        assert_eq!(path("/p[b=2][a=1]").to_string(), "/p[a=1][b=2]");
    }

    #[test]
    fn refuses_what_is_no_path_and_says_where() {
        for (text, word) in [
            ("/a[b=c", "not closed"),
            ("/a[b]", "form"),
            ("/a[=c]", "form"),
            ("//a", "no name"),
            ("/a[b=c]d", "after"),
            ("/a[b=1][b=2]", "twice"),
        ] {
            let error = Path::parse(text).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn wildcards_and_missing_keys_stand_for_everything() {
        let mtu = path("/interfaces/interface[name=Ethernet1]/config/mtu");
        assert!(path("/interfaces/interface/config/mtu").matches(&mtu));
        assert!(path("/interfaces/interface[name=*]/*/mtu").matches(&mtu));
        assert!(path("/.../mtu").matches(&mtu));
        assert!(path("/interfaces/.../config").covers(&mtu));
        assert!(!path("/interfaces/.../config").matches(&mtu));
        assert!(path("/").covers(&mtu));
        assert!(!path("/interfaces/interface[name=Ethernet2]").covers(&mtu));
        assert!(!path("cli:/interfaces").covers(&mtu));
        assert!(path("/interfaces/interface[name=Ethernet1]").overlaps(&path("/interfaces")));
        assert!(!path("/interfaces").overlaps(&path("/system")));
    }

    fn any_elem() -> impl Strategy<Value = Elem> {
        ("[a-z\\[\\]/\\\\=*.]{1,6}", proptest::collection::vec(("[a-z\\]=\\\\]{1,4}", ".{0,6}"), 0..3))
            .prop_map(|(name, keys)| Elem::keyed(name, keys))
    }

    fn any_path() -> impl Strategy<Value = Path> {
        (proptest::option::of("[a-z_]{1,5}"), proptest::collection::vec(any_elem(), 0..5))
            .prop_map(|(origin, elems)| Path { origin, elems })
    }

    proptest! {
        #[test]
        fn printing_then_parsing_is_the_identity(p in any_path()) {
            prop_assert_eq!(Path::parse(&p.to_string()).unwrap(), p);
        }

        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = Path::parse(&text);
        }

        #[test]
        fn every_path_covers_what_is_below_it(a in any_path(), b in any_path()) {
            let below = a.clone().join(&Path { origin: None, ..b });
            prop_assert!(below.starts_with(&a));
            prop_assert!(a.covers(&below));
        }
    }
}
