//! The second stage of comparing: leaves that are not plainly equal, with what stands around them.
//!
//! Defaults a device omits or injects, `config/<key>` twins, keys that EOS invents, ownership, and whole entries to delete.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::catalog::{
    CONFIG, Catalog, EXPLICIT, EntryId, Fact, IMPLICIT, INVENTED_KEY, INVENTED_KEYS, LIST, MANAGED, PROTECTED, SET, TEXT, TWIN, UNKNOWN,
    invented_at,
};
use super::change::{Change, Finding, Kind, Risk, Severity};
use super::compare::Sides;
use super::construct::{Construct, entry, field};
use super::normalize;
use super::ownership::covers;
use crate::path::{Elem, Path};
use crate::tree::{Leaf, PathId, Tree};
use crate::value::Value;

/// What is said of one leaf. `…Here` may change with what stands around it, the others only with its own two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Two spellings of one value, or a default said by one side only.
    Alike,
    /// As [`Verdict::Alike`], for now.
    AlikeHere,
    /// Observed only, and no news: a default, an entry every device has.
    Nothing,
    /// Somebody else's.
    Foreign,
    /// As [`Verdict::Foreign`], for now.
    ForeignHere,
    /// Never written; a finding if intent asks for something else.
    Protected,
    /// Part of a change, or a finding.
    Differs,
}

/// What the second stage found.
#[derive(Debug, Default)]
pub struct Judged {
    /// One for each leaf asked about.
    pub verdicts: Vec<(PathId, Verdict)>,
    /// Sorted by construct, then path.
    pub changes: Vec<Change>,
    /// Sorted by path.
    pub findings: Vec<Finding>,
}

/// Which list entries a tree holds configuration in, asked for the few that matter.
struct Presence<'a> {
    tree: Option<&'a Tree>,
    catalog: &'a Catalog,
    known: RefCell<FxHashMap<EntryId, bool>>,
}

impl<'a> Presence<'a> {
    fn new(catalog: &'a Catalog, tree: Option<&'a Tree>) -> Self {
        Self { tree, catalog, known: RefCell::default() }
    }

    fn has(&self, entry: EntryId) -> bool {
        let Some(tree) = self.tree else { return false };
        *self.known.borrow_mut().entry(entry).or_insert_with(|| self.catalog.holds(tree, entry))
    }
}

struct Judge<'a> {
    catalog: &'a Catalog,
    sides: &'a Sides<'a>,
    device: &'a Arc<str>,
    desired: Presence<'a>,
    observed: Presence<'a>,
    applied: Presence<'a>,
    out: Judged,
    /// Leaves to delete, to be gathered into whole entries.
    deletes: Vec<(PathId, Arc<Path>)>,
    whole: BTreeSet<EntryId>,
    /// Keys said again, among the creates.
    twins: Vec<Path>,
}

/// Judges the `open` leaves of one device.
pub fn judge(catalog: &Catalog, sides: &Sides<'_>, device: &Arc<str>, open: &BTreeSet<PathId>) -> Judged {
    let mut judge = Judge {
        catalog,
        sides,
        device,
        desired: Presence::new(catalog, Some(sides.desired)),
        observed: Presence::new(catalog, Some(sides.observed)),
        applied: Presence::new(catalog, sides.applied),
        out: Judged::default(),
        deletes: Vec::new(),
        whole: BTreeSet::new(),
        twins: Vec::new(),
    };
    let leaves: Vec<(PathId, Arc<Path>, Fact)> = sides
        .desired
        .paths()
        .with(|mut list| open.iter().filter_map(|id| Some((*id, list.shared(id.index())?, catalog.fact(*id)))).collect());
    let twins = judge.pair_invented(&leaves);
    for (id, path, fact) in &leaves {
        if twins.contains(id) {
            continue;
        }
        let verdict = judge.leaf(*id, path, *fact);
        judge.out.verdicts.push((*id, verdict));
    }
    judge.gather_deletes();
    judge.fold_twins();
    judge.out.changes.sort_by(|a, b| (a.construct, &a.path).cmp(&(b.construct, &b.path)));
    judge.out.findings.sort_by(|a, b| a.path.cmp(&b.path));
    judge.out
}

impl Judge<'_> {
    fn leaf(&mut self, id: PathId, path: &Arc<Path>, fact: Fact) -> Verdict {
        match (self.sides.desired.get_id(id), self.sides.observed.get_id(id)) {
            (Some(want), have) => self.wanted(path, fact, want, have),
            (None, Some(have)) => self.unwanted(id, path, fact, have),
            (None, None) => Verdict::Nothing,
        }
    }

    fn wanted(&mut self, path: &Arc<Path>, fact: Fact, want: &Leaf, have: Option<&Leaf>) -> Verdict {
        if have.is_some_and(|have| normalize::same(&want.value, &have.value, fact.is(SET), fact.is(TEXT))) {
            return if fact.is(PROTECTED) { Verdict::Protected } else { Verdict::Alike };
        }
        if have.is_none() && !fact.is(EXPLICIT) {
            let at_default =
                self.catalog.default(fact).is_some_and(|default| normalize::same(&want.value, default, fact.is(SET), fact.is(TEXT)));
            if at_default || is_empty_list(&want.value, fact) {
                return Verdict::Alike;
            }
        }
        if fact.is(TWIN) && have.is_none() && self.observed.has(fact.entry()) {
            return Verdict::AlikeHere;
        }
        if fact.is(PROTECTED) {
            let message = format!("{} is protected and differs: {}", entry(path), said(path, want, have));
            self.finding("protected-path", Severity::Warning, path, want, message, "change it by hand, or take it off the protected list");
            return Verdict::Protected;
        }
        if fact.is(UNKNOWN) {
            let message = format!("no such leaf on this EOS: {path}");
            self.finding(
                "unknown-path",
                Severity::Warning,
                path,
                want,
                message,
                "the mapping and the schema do not fit together; nothing is sent",
            );
            return Verdict::Differs;
        }
        if !fact.is(CONFIG) {
            // A key that EOS only reads is implied by the path; anything else cannot be set.
            if fact.is(TWIN) {
                return Verdict::Alike;
            }
            let message = format!("{} {} is read-only on this EOS: {}", entry(path), field(path), said(path, want, have));
            self.finding("read-only-path", Severity::Warning, path, want, message, "set it with a command line, or change intent");
            return Verdict::Differs;
        }
        if !fact.is(MANAGED) {
            let message = format!("{} {} is not managed here: {}", entry(path), field(path), said(path, want, have));
            self.finding("not-managed", Severity::Info, path, want, message, "add it to the managed paths to have it set");
            return Verdict::Differs;
        }
        self.change((**path).clone(), fact.entry(), Some(want), have);
        if fact.is(TWIN) {
            self.twins.push((**path).clone());
        }
        Verdict::Differs
    }

    fn unwanted(&mut self, id: PathId, path: &Arc<Path>, fact: Fact, have: &Leaf) -> Verdict {
        let injected = self.catalog.default(fact).is_some_and(|default| normalize::same(&have.value, default, fact.is(SET), fact.is(TEXT)));
        if !fact.is(MANAGED) {
            return if injected { Verdict::Nothing } else { Verdict::Foreign };
        }
        if fact.is(TWIN) && self.desired.has(fact.entry()) {
            return Verdict::Nothing;
        }
        let committed = self.sides.applied.is_some_and(|applied| applied.get_id(id).is_some());
        let ours = committed || (self.ours(path, fact));
        if let Some(whole) = self.whole_entry(fact) {
            self.whole.insert(whole);
            return Verdict::Differs;
        }
        if (injected && !fact.is(EXPLICIT)) || is_empty_list(&have.value, fact) {
            return Verdict::Nothing;
        }
        if ours {
            self.deletes.push((id, Arc::clone(path)));
            return Verdict::Differs;
        }
        if fact.is(IMPLICIT) { Verdict::Nothing } else { Verdict::Foreign }
    }

    /// Whether a leaf that nobody committed is still ours to delete.
    fn ours(&self, path: &Path, fact: Fact) -> bool {
        !fact.is(IMPLICIT) && self.sides.exhaustive.iter().any(|pattern| self.exhausts(pattern, path, fact))
    }

    /// Whether `pattern` claims `path`, and what it claims of it is not wanted.
    fn exhausts(&self, pattern: &Path, path: &Path, fact: Fact) -> bool {
        if !covers(pattern, path) {
            return false;
        }
        if pattern.len() == path.len() {
            return true;
        }
        let claimed = path.first(pattern.len());
        if claimed.elems.last().is_some_and(|elem| !elem.keys.is_empty()) {
            let entry = self.catalog.chain(fact.entry()).find(|entry| self.catalog.entry_path(*entry) == Some(&claimed));
            return entry.is_some_and(|entry| !self.desired.has(entry));
        }
        self.sides.desired.below(&claimed).is_empty()
    }

    /// The outermost entry around a leaf that goes as a whole: not wanted, and ours.
    fn whole_entry(&self, fact: Fact) -> Option<EntryId> {
        if fact.is(IMPLICIT) && !self.applied.has(fact.entry()) {
            return None;
        }
        let outer: Vec<EntryId> = self.catalog.chain(fact.entry()).take_while(|entry| !self.desired.has(*entry)).collect();
        outer.into_iter().rev().find(|entry| {
            let Some(path) = self.catalog.entry_path(*entry) else { return false };
            !self.catalog.rules().is_permanent(path)
                && (self.applied.has(*entry)
                    || self.sides.exhaustive.iter().any(|pattern| pattern.len() <= path.len() && self.exhausts_entry(pattern, path)))
        })
    }

    fn exhausts_entry(&self, pattern: &Path, entry: &Path) -> bool {
        covers(pattern, entry)
            && match self.catalog.find_entry(&entry.first(pattern.len())) {
                Some(claimed) => !self.desired.has(claimed),
                None => self.sides.desired.below(&entry.first(pattern.len())).is_empty(),
            }
    }

    /// A new entry says its key by being there: `config/<key>` is a change of its own only where there is nothing else to say.
    fn fold_twins(&mut self) {
        let changes = &mut self.out.changes;
        // Of an entry that is all keys the last one stays, in whichever order they were met.
        self.twins.sort();
        for twin in std::mem::take(&mut self.twins) {
            let entry = twin.first(twin.len().saturating_sub(2));
            let others = |change: &Change| change.kind == Kind::Create && change.path != twin && change.path.starts_with(&entry);
            if changes.iter().any(others) {
                changes.retain(|change| change.path != twin);
            }
        }
    }

    fn gather_deletes(&mut self) {
        let mut held: BTreeMap<EntryId, Vec<(PathId, Arc<Path>)>> = BTreeMap::new();
        if !self.whole.is_empty() {
            let (catalog, whole) = (self.catalog, &self.whole);
            self.sides.observed.paths().with(|mut list| {
                for (id, _) in self.sides.observed.iter() {
                    let fact = catalog.fact(id);
                    if !fact.is(CONFIG) {
                        continue;
                    }
                    if let Some(entry) = catalog.chain(fact.entry()).find(|entry| whole.contains(entry))
                        && let Some(path) = list.shared(id.index())
                    {
                        held.entry(entry).or_default().push((id, path));
                    }
                }
            });
        }
        for (entry_id, leaves) in held {
            if leaves.iter().any(|(id, _)| self.catalog.fact(*id).is(PROTECTED)) {
                // Something in it must stay, so nothing goes but what is ours, leaf by leaf.
                let kept = leaves.into_iter().filter(|(id, _)| {
                    let fact = self.catalog.fact(*id);
                    !fact.is(PROTECTED) && !fact.is(TWIN)
                });
                self.deletes.extend(kept);
                continue;
            }
            let Some(at) = self.catalog.entry_path(entry_id) else { continue };
            let mut inside = serde_json::Map::new();
            let mut sorted = leaves;
            sorted.sort_by(|a, b| a.1.cmp(&b.1));
            for (id, path) in &sorted {
                if let Some(leaf) = self.sides.observed.get_id(*id) {
                    inside.insert(relative(at, path), leaf.value.to_json());
                }
            }
            let first = sorted.first().map(|(id, _)| *id);
            let path = at.clone();
            self.push(path, Kind::Delete, None, Some(Value::Json(Arc::new(inside.into()))), first);
        }
        for (id, path) in std::mem::take(&mut self.deletes) {
            let observed = self.sides.observed.get_id(id).map(|leaf| leaf.value.clone());
            self.push((*path).clone(), Kind::Delete, None, observed, Some(id));
        }
    }

    fn change(&mut self, path: Path, within: EntryId, want: Option<&Leaf>, have: Option<&Leaf>) {
        let new_entry = match have {
            Some(_) => None,
            None => self.catalog.chain(within).take_while(|entry| !self.observed.has(*entry)).last(),
        };
        let kind = if have.is_some() { Kind::Update } else { Kind::Create };
        let origin = want.and_then(|leaf| self.sides.desired.origin(leaf)).cloned();
        self.out.changes.push(Change {
            device: Arc::clone(self.device),
            kind,
            desired: want.map(|leaf| leaf.value.clone()),
            observed: have.map(|leaf| leaf.value.clone()),
            construct: Construct::of(&path),
            entry: entry(&path),
            new_entry: new_entry.and_then(|entry| self.catalog.entry_path(entry)).cloned(),
            path,
            origin,
            risk: Risk::None,
            warning: String::new(),
            unmerged: false,
        });
    }

    fn push(&mut self, path: Path, kind: Kind, desired: Option<Value>, observed: Option<Value>, committed: Option<PathId>) {
        // Who wanted it once is known where it was committed.
        let origin = self.sides.applied.and_then(|tree| tree.origin(tree.get_id(committed?)?)).cloned();
        self.out.changes.push(Change {
            device: Arc::clone(self.device),
            kind,
            desired,
            observed,
            construct: Construct::of(&path),
            entry: entry(&path),
            new_entry: None,
            path,
            origin,
            risk: Risk::None,
            warning: String::new(),
            unmerged: false,
        });
    }

    fn finding(&mut self, code: &str, severity: Severity, path: &Path, want: &Leaf, message: String, hint: &str) {
        self.out.findings.push(Finding {
            code: code.to_owned(),
            severity,
            device: Some(Arc::clone(self.device)),
            path: Some(path.clone()),
            origin: self.sides.desired.origin(want).cloned(),
            message,
            hint: hint.to_owned(),
        });
    }

    /// Entries whose key EOS invents: pairs wanted and observed ones by the leaf that tells them apart, and settles both. Returns
    /// the leaves that are settled.
    fn pair_invented(&mut self, leaves: &[(PathId, Arc<Path>, Fact)]) -> FxHashSet<PathId> {
        let mut settled = FxHashSet::default();
        if !leaves.iter().any(|(_, _, fact)| fact.is(INVENTED_KEY)) {
            return settled;
        }
        for (names, key, by) in INVENTED_KEYS {
            // What tells the entries apart, with the list they are in, of either side.
            let mut wanted: FxHashMap<(Path, String), Path> = FxHashMap::default();
            let mut found: FxHashMap<(Path, String), Path> = FxHashMap::default();
            for (id, path, _) in leaves {
                let Some(end) = invented_at(path, names) else { continue };
                let tail: Vec<&str> = path.elems.iter().skip(end).map(|elem| elem.name.as_str()).collect();
                if tail != *by {
                    continue;
                }
                let entry = path.first(end);
                let Some(list) = entry.parent() else { continue };
                let sides = [(self.sides.desired.get_id(*id), &mut wanted), (self.sides.observed.get_id(*id), &mut found)];
                for (leaf, map) in sides {
                    if let Some(leaf) = leaf {
                        map.insert((list.clone(), leaf.value.to_string()), entry.clone());
                    }
                }
            }
            for (name, want) in &wanted {
                let Some(have) = found.get(name).filter(|have| *have != want) else { continue };
                self.settle_pair(want, have, key, leaves, &mut settled);
            }
        }
        settled
    }

    fn settle_pair(&mut self, want: &Path, have: &Path, key: &str, leaves: &[(PathId, Arc<Path>, Fact)], settled: &mut FxHashSet<PathId>) {
        for (id, path, fact) in leaves.iter().filter(|(_, path, _)| path.starts_with(want)) {
            let Some(leaf) = self.sides.desired.get_id(*id) else { continue };
            let there = graft(path, want, have);
            let counterpart = self.sides.observed.get(&there);
            settled.insert(*id);
            if path.name() == key {
                self.out.verdicts.push((*id, Verdict::AlikeHere));
            } else if let Some(other) = counterpart
                && normalize::same(&leaf.value, &other.value, fact.is(SET), fact.is(TEXT))
            {
                self.out.verdicts.push((*id, Verdict::AlikeHere));
            } else {
                self.change(there, 0, Some(leaf), counterpart);
                self.out.verdicts.push((*id, Verdict::Differs));
            }
        }
        for (id, path, fact) in leaves.iter().filter(|(_, path, _)| path.starts_with(have)) {
            settled.insert(*id);
            let here = graft(path, have, want);
            let committed = self.sides.applied.is_some_and(|applied| applied.get_id(*id).is_some());
            let verdict = if self.sides.desired.get(&here).is_some() || path.name() == key {
                Verdict::AlikeHere
            } else if committed && fact.is(MANAGED) {
                self.deletes.push((*id, Arc::clone(path)));
                Verdict::Differs
            } else {
                Verdict::ForeignHere
            };
            // The pair is one leaf: its wanted side is the one that counts.
            if verdict != Verdict::AlikeHere {
                self.out.verdicts.push((*id, verdict));
            }
        }
    }
}

/// `path` below `from`, put below `to`.
fn graft(path: &Path, from: &Path, to: &Path) -> Path {
    let tail: Vec<Elem> = path.elems.iter().skip(from.len()).cloned().collect();
    to.clone().join(&Path { origin: None, elems: tail })
}

/// The part of `path` below `above`, as text without a slash in front.
pub fn relative(above: &Path, path: &Path) -> String {
    let tail = Path { origin: None, elems: path.elems.iter().skip(above.len()).cloned().collect() };
    tail.to_string().trim_start_matches('/').to_owned()
}

fn is_empty_list(value: &Value, fact: Fact) -> bool {
    fact.is(LIST) && value.items().is_some_and(<[Value]>::is_empty)
}

fn said(path: &Path, want: &Leaf, have: Option<&Leaf>) -> String {
    match have {
        Some(have) => format!("{} should be {}, is {}", field(path), want.value, have.value),
        None => format!("{} should be {}, is absent", field(path), want.value),
    }
}
