//! Intent that shrinks is refused, not turned into deletes: an empty answer, a truncated page or lost permissions look just like
//! objects that were deleted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diff::change::{Finding, Severity};

/// How many objects of each kind intent held: `devices` → 10, `vlans` → 12.
pub type Counts = BTreeMap<String, usize>;

/// How much intent may shrink between two reads. The defaults let an operator retire a VLAN, a VRF or one device with all that hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// A kind of which there were at least this many may not vanish altogether.
    pub vanish_from: usize,
    /// A kind may lose this share, in percent …
    pub kind_percent: usize,
    /// … or this many objects, whichever is more.
    pub kind_objects: usize,
    /// All kinds together may lose this share, in percent, or twice `kind_objects`, whichever is more.
    pub total_percent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { vanish_from: 3, kind_percent: 25, kind_objects: 4, total_percent: 10 }
    }
}

/// Why intent shrank too much; empty when it did not. One finding a kind; each is an error: no plan until it is accepted or read anew.
pub fn shrink(before: &Counts, after: &Counts) -> Vec<Finding> {
    shrink_within(before, after, Limits::default())
}

/// As [`shrink`], with limits of one's own.
pub fn shrink_within(before: &Counts, after: &Counts, limits: Limits) -> Vec<Finding> {
    losses(before, after, limits).iter().map(refusal).collect()
}

/// More objects of a kind are gone than may go at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// `devices`; `None` for all kinds together, of which none lost too much alone.
    pub kind: Option<String>,
    /// How many there were.
    pub had: usize,
    /// How many there are.
    pub has: usize,
}

/// What was lost beyond the limits; at most one loss a kind.
pub fn losses(before: &Counts, after: &Counts, limits: Limits) -> Vec<Loss> {
    let mut found = Vec::new();
    let now = |kind: &str| after.get(kind).copied().unwrap_or(0);
    for (kind, had) in before {
        let has = now(kind);
        let lost = had.saturating_sub(has);
        let vanished = has == 0 && *had >= limits.vanish_from;
        if vanished || lost > limits.kind_objects.max(had * limits.kind_percent / 100) {
            found.push(Loss { kind: Some(kind.clone()), had: *had, has });
        }
    }
    let (had, has): (usize, usize) = before.iter().fold((0, 0), |(had, has), (kind, count)| (had + count, has + now(kind).min(*count)));
    if found.is_empty() && had.saturating_sub(has) > (2 * limits.kind_objects).max(had * limits.total_percent / 100) {
        found.push(Loss { kind: None, had, has });
    }
    found
}

fn refusal(Loss { kind, had, has }: &Loss) -> Finding {
    let kind = kind.as_deref().unwrap_or("objects");
    Finding {
        code: "intent-shrank".to_owned(),
        severity: Severity::Error,
        device: None,
        path: None,
        origin: None,
        message: format!("intent had {had} {kind} and now has {has}; the last intent stays in force"),
        hint: "check the token's permissions and the source; accept the smaller intent if it is meant".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(rows: &[(&str, usize)]) -> Counts {
        rows.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
    }

    #[test]
    fn day_2_removals_pass_and_lost_answers_do_not() {
        let before = counts(&[("devices", 10), ("interfaces", 142), ("vlans", 13), ("sessions", 74), ("vrfs", 1), ("addresses", 90)]);
        assert!(shrink(&before, &before).is_empty());
        // VLAN 900 and its peering go; one VRF goes.
        let retired = counts(&[("devices", 10), ("interfaces", 140), ("vlans", 12), ("sessions", 72), ("vrfs", 0), ("addresses", 88)]);
        assert!(shrink(&before, &retired).is_empty());
        for (kind, left) in [("devices", 0), ("devices", 5), ("sessions", 50), ("addresses", 0)] {
            let mut after = before.clone();
            after.insert(kind.to_owned(), left);
            let found = shrink(&before, &after);
            assert_eq!(found.len(), 1, "{kind} {left}");
            assert!(found[0].message.contains(kind) && found[0].message.contains(&left.to_string()), "{}", found[0].message);
        }
        assert_eq!(shrink(&before, &Counts::new()).len(), 5);
        // A little of everything.
        let worn: Counts = before.iter().map(|(kind, count)| (kind.clone(), count - count * 15 / 100)).collect();
        assert_eq!(shrink(&before, &worn)[0].message, "intent had 330 objects and now has 283; the last intent stays in force");
    }

    proptest! {
        #[test]
        fn growing_is_never_refused(rows in proptest::collection::btree_map("[a-z]{1,4}", 0usize..500, 0..6), more in 0usize..50) {
            let after: Counts = rows.iter().map(|(kind, count)| (kind.clone(), count + more)).collect();
            prop_assert!(shrink(&rows, &after).is_empty());
        }
    }
}
