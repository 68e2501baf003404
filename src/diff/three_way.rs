//! Who moved: the device, the intent, or both. Told by what we last committed.

use serde::{Deserialize, Serialize};

use super::change::{Change, Kind};
use super::normalize;
use crate::tree::Tree;
use crate::value::Value;

/// Who moved since the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mover {
    /// Intent says what we committed; the device says something else: drift.
    Device,
    /// The device says what we committed; intent says something else: a change to roll out.
    Intent,
    /// Neither says what we committed.
    Both,
    /// Nothing was committed here, so nobody can tell.
    Unknown,
}

impl Mover {
    /// In a word for the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Device => "drift",
            Self::Intent => "new intent",
            Self::Both => "intent and drift",
            Self::Unknown => "never committed",
        }
    }
}

/// Who moved, for one change. `applied` is what was last committed to that device.
pub fn mover(change: &Change, applied: Option<&Tree>) -> Mover {
    let Some(applied) = applied else { return Mover::Unknown };
    let same = |a: Option<&Value>, b: Option<&Value>| match (a, b) {
        (Some(a), Some(b)) => normalize::same(a, b, true, false),
        (None, None) => true,
        _ => false,
    };
    if change.kind == Kind::Delete && !applied.below(&change.path).is_empty() {
        let whole = applied.value(&change.path);
        return match whole {
            Some(value) if !same(Some(value), change.observed.as_ref()) => Mover::Both,
            _ => Mover::Intent,
        };
    }
    let committed = applied.value(&change.path);
    match (same(committed, change.desired.as_ref()), same(committed, change.observed.as_ref())) {
        (true, false) => Mover::Device,
        (false, true) => Mover::Intent,
        (false, false) => Mover::Both,
        (true, true) => Mover::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diff::change::Risk;
    use crate::diff::construct::Construct;
    use crate::path::Path;
    use crate::tree::Paths;

    fn change(kind: Kind, desired: Option<u64>, observed: Option<u64>) -> Change {
        Change {
            device: Arc::from("leaf1"),
            path: Path::parse("/a[k=1]/config/x").unwrap(),
            kind,
            desired: desired.map(Value::Uint),
            observed: observed.map(Value::Uint),
            construct: Construct::Other,
            entry: String::new(),
            new_entry: None,
            origin: None,
            risk: Risk::None,
            warning: String::new(),
            unmerged: false,
        }
    }

    #[test]
    fn the_committed_value_tells_who_moved() {
        let mut applied = Tree::new(Paths::new());
        applied.set(&Path::parse("/a[k=1]/config/x").unwrap(), Value::Uint(1), 0);
        let cases = [
            (change(Kind::Update, Some(1), Some(2)), Mover::Device),
            (change(Kind::Update, Some(2), Some(1)), Mover::Intent),
            (change(Kind::Update, Some(2), Some(3)), Mover::Both),
            (change(Kind::Create, Some(1), None), Mover::Device),
            (change(Kind::Create, Some(2), None), Mover::Both),
            (change(Kind::Delete, None, Some(1)), Mover::Intent),
            (change(Kind::Delete, None, Some(2)), Mover::Both),
        ];
        for (change, who) in cases {
            assert_eq!(mover(&change, Some(&applied)), who, "{change:?}");
            assert_eq!(mover(&change, None), Mover::Unknown);
        }
        let empty = Tree::new(applied.paths().clone());
        assert_eq!(mover(&change(Kind::Create, Some(1), None), Some(&empty)), Mover::Intent);
    }
}
