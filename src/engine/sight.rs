//! Where a device is not seen: that a leaf is not there proves nothing then, and no difference is claimed from it.

use crate::diff::change::Change;
use crate::path::{ORIGIN_CLI, Path};

/// What is known about how complete a mirror is.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// The device said once that it sent everything.
    proven: bool,
    /// It never did, and we stopped waiting.
    unsynced: bool,
    /// Paths that failed to be read so far.
    unread: Vec<Path>,
    /// Paths it gives in no way.
    missing: Vec<Path>,
    /// Command lines cannot be read.
    lines: bool,
}

impl Sight {
    /// A sync was believed. `unsynced`: only because our patience ended.
    pub fn synced(&mut self, unsynced: bool, unread: Vec<Path>) {
        self.proven |= !unsynced;
        self.unsynced = unsynced && !self.proven;
        self.unread = unread;
    }

    /// These are given in no way.
    pub fn missing(&mut self, paths: impl Iterator<Item = Path>) {
        self.missing = paths.collect();
    }

    /// Whether command lines can not be read.
    pub fn lines(&mut self, blind: bool) {
        self.lines = blind;
    }

    /// Takes out what is only claimed because it is not seen; says how many went.
    pub fn believe(&self, changes: &mut Vec<Change>) -> usize {
        if !self.unsynced && !self.lines && self.unread.is_empty() && self.missing.is_empty() {
            return 0;
        }
        let before = changes.len();
        let blind = |path: &Path| match path.origin.as_deref() {
            Some(ORIGIN_CLI) => self.lines,
            _ => self.unsynced || self.unread.iter().chain(&self.missing).any(|above| above.covers(path)),
        };
        changes.retain(|change| change.observed.is_some() || !blind(&change.path));
        before - changes.len()
    }

    /// What an operator should know of it, a line each.
    pub fn notes(&self, withheld: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if self.unsynced {
            notes.push("never said that it sent everything: what is not there is not claimed to be missing".to_owned());
        }
        notes.extend(self.unread.iter().map(|path| format!("{path} could not be read yet: nothing is claimed below it")));
        if withheld > 0 {
            notes.push(format!("{withheld} wanted leaves are where the device is not seen: they are neither compared nor planned"));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::snapshot::fixture;
    use crate::value::Value;

    fn change(path: &str, observed: bool) -> Change {
        Change { path: Path::parse(path).unwrap(), observed: observed.then(|| Value::Bool(true)), ..fixture::change("leaf1") }
    }

    /// What is claimed of four differences: two missing, one other, one missing command line.
    fn claimed(sight: &Sight) -> Vec<String> {
        let mut changes = vec![
            change("/lacp/a", false),
            change("/system/a", false),
            change("/system/b", true),
            change("cli:/running-config/line[command=x][context=]", false),
        ];
        let withheld = sight.believe(&mut changes);
        assert_eq!(withheld + changes.len(), 4);
        changes.iter().map(|change| change.path.elems[0].name.clone()).collect()
    }

    #[test]
    fn absence_proves_nothing_where_nobody_looks() {
        let mut sight = Sight::default();
        assert_eq!(claimed(&sight).len(), 4);
        sight.missing([Path::parse("/lacp").unwrap()].into_iter());
        assert_eq!(claimed(&sight), ["system", "system", "running-config"]);
        sight.missing(std::iter::empty());
        sight.synced(false, vec![Path::parse("/system").unwrap()]);
        assert_eq!(claimed(&sight), ["lacp", "system", "running-config"], "another value is seen all the same");
        sight.synced(false, Vec::new());
        sight.lines(true);
        assert_eq!(claimed(&sight), ["lacp", "system", "system"]);
    }

    /// Seen on devices under load: their first values took longer than our patience, half of them were in, and the other half
    /// was drift.
    #[test]
    fn half_of_the_first_values_is_no_drift() {
        let mut sight = Sight::default();
        sight.synced(true, Vec::new());
        assert_eq!(claimed(&sight), ["system", "running-config"]);
        assert!(sight.notes(2)[0].contains("never said"));
        // The sync comes after all.
        sight.synced(false, Vec::new());
        assert_eq!((claimed(&sight).len(), sight.notes(0).len()), (4, 0));
        // What was whole once stays known: a later stream without sync misses nothing that was not missed before.
        sight.synced(true, Vec::new());
        assert_eq!(claimed(&sight).len(), 4);
    }
}
