//! What is new from one snapshot to the next, for commands that print as it happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::out;
use crate::diff::change::{Change, ChangeKey};
use crate::engine::snapshot::{Happening, Snapshot};

/// Which happenings were said already. Snapshots hold the newest 500, oldest first.
#[derive(Debug, Default)]
pub struct Said {
    last: Option<Happening>,
}

impl Said {
    /// Those that came since the last call.
    pub fn fresh<'s>(&mut self, snapshot: &'s Snapshot) -> &'s [Happening] {
        let all: &[Happening] = &snapshot.events;
        let from = self.last.as_ref().and_then(|last| all.iter().rposition(|have| have == last)).map_or(0, |at| at + 1);
        self.last = all.last().cloned().or_else(|| self.last.take());
        &all[from..]
    }
}

/// One happening as a line, to stderr.
pub fn talk(happening: &Happening) {
    out::talk(&format!("{} {} {}", out::time(happening.time), happening.source, happening.text));
}

/// A difference that appeared, moved or went.
#[derive(Clone, Debug)]
pub enum Moved {
    /// It is there now, or holds another value.
    Appeared(Change),
    /// The device agrees with intent again.
    Cleared(ChangeKey),
}

/// The differences of the fabric, as last seen. A device nothing is known of keeps those it had.
#[derive(Debug, Default)]
pub struct Drift {
    known: BTreeMap<Arc<str>, Arc<Vec<Change>>>,
}

impl Drift {
    /// What moved since the last call; the first tells everything there is.
    pub fn step(&mut self, snapshot: &Snapshot) -> Vec<Moved> {
        let mut moved = Vec::new();
        for view in &snapshot.devices {
            let Some(now) = &view.changes else { continue };
            let before = self.known.get(&view.name).cloned().unwrap_or_default();
            if Arc::ptr_eq(&before, now) {
                continue;
            }
            let same = |a: &Change, b: &Change| a.path == b.path && a.observed == b.observed && a.desired == b.desired;
            moved.extend(before.iter().filter(|old| !now.iter().any(|new| new.path == old.path)).map(|old| Moved::Cleared(old.key())));
            moved.extend(now.iter().filter(|new| !before.iter().any(|old| same(old, new))).cloned().map(Moved::Appeared));
            self.known.insert(Arc::clone(&view.name), Arc::clone(now));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::change::Severity;
    use crate::engine::snapshot::fixture;

    #[test]
    fn a_happening_is_said_once_even_when_old_ones_fall_out() {
        let happening = |time| Happening { time, source: Arc::from("leaf1"), text: "live".into(), severity: Severity::Info };
        let mut said = Said::default();
        let mut snapshot = fixture::blank("dc1");
        assert!(said.fresh(&snapshot).is_empty());
        snapshot.events = Arc::new(vec![happening(1), happening(2)]);
        assert_eq!(said.fresh(&snapshot).len(), 2);
        assert!(said.fresh(&snapshot).is_empty());
        snapshot.events = Arc::new(vec![happening(2), happening(3)]);
        assert_eq!(said.fresh(&snapshot), [happening(3)]);
    }

    #[test]
    fn drift_is_told_as_it_comes_and_goes() {
        let change = |path: &str, observed: u64| Change {
            path: crate::path::Path::parse(path).unwrap(),
            observed: Some(crate::value::Value::Uint(observed)),
            ..fixture::change("leaf1")
        };
        let mut snapshot = fixture::blank("dc1");
        let mut drift = Drift::default();
        let mut show = |changes: Option<Vec<Change>>| {
            let mut view = fixture::device("leaf1");
            view.changes = changes.map(Arc::new);
            snapshot.devices = vec![Arc::new(view)];
            drift
                .step(&snapshot)
                .iter()
                .map(|moved| match moved {
                    Moved::Appeared(change) => format!("+{}", change.path),
                    Moved::Cleared(key) => format!("-{}", key.path),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(show(Some(vec![change("/a", 1), change("/b", 1)])), ["+/a", "+/b"]);
        assert!(show(Some(vec![change("/a", 1), change("/b", 1)])).is_empty());
        assert!(show(None).is_empty(), "unknown is not cleared");
        assert_eq!(show(Some(vec![change("/a", 2)])), ["-/b", "+/a"]);
        assert_eq!(show(Some(Vec::new())), ["-/a"]);
    }
}
