//! Desired against observed: a merge of sorted leaves, incremental by leaf.
//!
//! Two stages. The first meets every leaf and knows only its two values and its flags: nearly all leaves are equal or state, and
//! end here. The second ([`super::judge`]) looks at the few that are left with everything around them.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::catalog::{CONFIG, Catalog, PROTECTED, TWIN};
use super::change::{Change, Finding, Kind};
use super::judge::{self, Verdict};
use super::ownership::Rules;
use crate::path::Path;
use crate::tree::{Leaf, Mark, PathId, Tree};
use crate::value::Value;
use crate::yang::Schema;

/// One device, once. [`Differ`] is for devices that are compared again and again.
#[derive(Clone, Debug)]
pub struct DeviceInput<'a> {
    /// Its name.
    pub name: Arc<str>,
    /// What intent wants, with origins.
    pub desired: &'a Tree,
    /// List patterns whose entries are ours to delete when intent does not want them; a pattern may also name a leaf.
    pub exhaustive: &'a [Path],
    /// What the device reports; state leaves may be among it. Over the same table of paths as `desired`.
    pub observed: &'a Tree,
    /// What was last committed, over the same table of paths; `None` when nothing was.
    pub applied: Option<&'a Tree>,
    /// The model.
    pub schema: &'a Schema,
    /// Whose paths are whose.
    pub rules: &'a Rules,
}

/// How the leaves of a device divide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Desired and observed alike.
    pub equal: usize,
    /// Somebody else's.
    pub foreign: usize,
    /// Never written.
    pub protected: usize,
}

/// What differs on one device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceDiff {
    /// By construct, then path. Risk and warning are still empty: they need the other devices (`plan::risk`).
    pub changes: Vec<Change>,
    /// How the leaves divide.
    pub tally: Tally,
    /// Somebody else's configuration, by path.
    pub foreign: Vec<(Arc<Path>, Value)>,
    /// What intent asks for and cannot have.
    pub findings: Vec<Finding>,
}

/// Compares one device from scratch.
pub fn device(input: &DeviceInput<'_>) -> DeviceDiff {
    let mut catalog = Catalog::new(input.rules.clone());
    catalog.learn(input.schema, input.desired.paths());
    let mut differ = Differ::new(Arc::clone(&input.name));
    differ.update(
        &catalog,
        &Sides {
            desired: input.desired,
            exhaustive: &input.exhaustive.iter().cloned().map(Arc::new).collect(),
            observed: input.observed,
            applied: input.applied,
        },
    );
    differ.into_diff()
}

/// Does to `tree` what `changes` ask for: deletes, then creates and updates.
pub fn apply<'c>(changes: impl IntoIterator<Item = &'c Change> + Clone, tree: &mut Tree) {
    for change in changes.clone() {
        if change.kind == Kind::Delete {
            tree.delete(&change.path);
        }
    }
    for change in changes {
        if let (Kind::Create | Kind::Update, Some(value)) = (change.kind, &change.desired) {
            tree.set(&change.path, value.clone(), 0);
        }
    }
}

/// What is compared, all over one table of paths.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// What intent wants.
    pub desired: &'a Tree,
    /// See [`DeviceInput::exhaustive`].
    pub exhaustive: &'a Arc<[Arc<Path>]>,
    /// What the device reports.
    pub observed: &'a Tree,
    /// What was last committed.
    pub applied: Option<&'a Tree>,
}

/// Keeps what it found of one device, and looks only at what moved since.
#[derive(Debug)]
pub struct Differ {
    device: Arc<str>,
    last: Option<Last>,
    equal: usize,
    protected: usize,
    /// Not plainly equal, to be judged again whenever configuration moves.
    open: BTreeSet<PathId>,
    /// Not plainly equal, and settled by their own two values until one of these moves. What is neither here nor in `open` is
    /// plainly equal where it is desired, and no difference where it is not.
    settled: FxHashMap<PathId, Settled>,
    alike: usize,
    /// Somebody else's only by what stands around it now.
    foreign_here: Vec<PathId>,
    diff: DeviceDiff,
}

/// How a leaf that is not plainly equal was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// Nobody's business.
    Nothing,
    /// Equal in another spelling.
    Alike,
    /// Somebody else's.
    Foreign,
    /// Observed only, and never written.
    Protected,
}

#[derive(Debug)]
struct Last {
    desired: Seen,
    exhaustive: Arc<[Arc<Path>]>,
    observed: Mark,
    applied: Option<Seen>,
}

/// A tree as it was.
#[derive(Debug)]
struct Seen {
    at: Mark,
    snapshot: Tree,
}

/// What the first stage says of a leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Equal,
    Protected,
    Nothing,
    Open,
}

#[inline]
fn first(catalog: &Catalog, id: PathId, desired: Option<&Leaf>, observed: Option<&Leaf>) -> First {
    let fact = catalog.fact(id);
    match (desired, observed) {
        (Some(want), Some(have)) if want.value == have.value => {
            if fact.is(PROTECTED) {
                First::Protected
            } else {
                First::Equal
            }
        }
        (None, Some(_)) if !fact.is(CONFIG) => First::Nothing,
        (None, Some(_)) if fact.is(PROTECTED) => First::Protected,
        (None, None) => First::Nothing,
        _ => First::Open,
    }
}

impl Differ {
    /// Has seen nothing yet.
    pub fn new(device: Arc<str>) -> Self {
        Self {
            device,
            last: None,
            equal: 0,
            protected: 0,
            open: BTreeSet::new(),
            settled: FxHashMap::default(),
            alike: 0,
            foreign_here: Vec::new(),
            diff: DeviceDiff::default(),
        }
    }

    /// What was found last.
    pub fn diff(&self) -> &DeviceDiff {
        &self.diff
    }

    /// What was found last, for good.
    pub fn into_diff(self) -> DeviceDiff {
        self.diff
    }

    /// Compares. `catalog` must have learned all paths; always the same catalog.
    ///
    /// Costs what moved in `observed` since the last call; everything when something else moved.
    pub fn update(&mut self, catalog: &Catalog, sides: &Sides<'_>) -> &DeviceDiff {
        let moved = self.last.as_mut().and_then(|last| if last.still(sides) { sides.observed.moved_since(&last.observed) } else { None });
        match moved {
            Some(moved) => {
                let (mut any, mut touched) = (false, Touched::default());
                for id in moved {
                    any = true;
                    touched = touched.and(self.again(catalog, sides, id));
                }
                if !any {
                    return &self.diff;
                }
                if touched.configuration {
                    self.second(catalog, sides, touched.foreign);
                }
                if let Some(last) = &mut self.last {
                    last.observed = sides.observed.mark();
                }
            }
            None => {
                self.last = Some(Last {
                    desired: Seen::of(sides.desired),
                    exhaustive: Arc::clone(sides.exhaustive),
                    observed: sides.observed.mark(),
                    applied: sides.applied.map(Seen::of),
                });
                self.start_over(catalog, sides);
                self.second(catalog, sides, true);
            }
        }
        &self.diff
    }

    fn start_over(&mut self, catalog: &Catalog, sides: &Sides<'_>) {
        self.settled.clear();
        self.alike = 0;
        let (mut equal, mut protected, mut met) = (0, 0, 0);
        let mut open = Vec::new();
        sides.desired.merge(sides.observed, |id, desired, observed| {
            met += usize::from(desired.is_some());
            match first(catalog, id, desired, observed) {
                First::Equal => equal += 1,
                First::Protected if desired.is_some() => protected += 1,
                First::Protected => _ = self.settled.insert(id, Settled::Protected),
                First::Nothing => {}
                First::Open => open.push(id),
            }
        });
        if met < sides.desired.len() {
            // The two sides are clones of one tree in part: merge skips what they share, all of it equal.
            let wanted = open.iter().filter(|id| sides.desired.get_id(**id).is_some());
            let (mut unlike, mut protected_unlike) = (0, 0);
            for id in wanted {
                unlike += 1;
                protected_unlike += usize::from(catalog.fact(*id).is(PROTECTED));
            }
            let all_protected = sides.desired.iter().filter(|(id, _)| catalog.fact(*id).is(PROTECTED)).count();
            protected = all_protected - protected_unlike;
            equal = sides.desired.len() - unlike - protected;
        }
        (self.equal, self.protected) = (equal, protected + self.settled.len());
        self.open = open.into_iter().collect();
    }

    /// One leaf of `observed` moved: forgets what was known of it and looks at it again.
    fn again(&mut self, catalog: &Catalog, sides: &Sides<'_>, id: PathId) -> Touched {
        let desired = sides.desired.get_id(id);
        let fact = catalog.fact(id);
        if desired.is_none() && !fact.is(CONFIG) && !fact.is(TWIN) {
            return Touched::default(); // state: no difference, and in nobody's way
        }
        let mut foreign = false;
        if !self.open.remove(&id) {
            match self.settled.remove(&id) {
                Some(Settled::Nothing) => {}
                Some(Settled::Alike) => self.alike -= 1,
                Some(Settled::Foreign) => foreign = true,
                Some(Settled::Protected) => self.protected -= 1,
                None if desired.is_none() => {}
                None if fact.is(PROTECTED) => self.protected -= 1,
                None => self.equal -= 1,
            }
        }
        match first(catalog, id, desired, sides.observed.get_id(id)) {
            First::Equal => self.equal += 1,
            First::Protected => {
                self.protected += 1;
                if desired.is_none() {
                    self.settled.insert(id, Settled::Protected);
                }
            }
            First::Nothing => {}
            First::Open => _ = self.open.insert(id),
        }
        Touched { configuration: true, foreign }
    }

    /// Judges what is open. `foreign_moved`: the list of foreign leaves is not what it was.
    fn second(&mut self, catalog: &Catalog, sides: &Sides<'_>, mut foreign_moved: bool) {
        let judged = judge::judge(catalog, sides, &self.device, &self.open);
        let mut context_equal = 0;
        let mut protected = 0;
        let mut foreign_here = Vec::new();
        for (id, verdict) in judged.verdicts {
            let settled = match verdict {
                Verdict::Alike => {
                    self.alike += 1;
                    Settled::Alike
                }
                Verdict::Nothing => Settled::Nothing,
                Verdict::Foreign => {
                    foreign_moved = true;
                    Settled::Foreign
                }
                Verdict::ForeignHere => {
                    foreign_here.push(id);
                    continue;
                }
                Verdict::AlikeHere => {
                    context_equal += 1;
                    continue;
                }
                Verdict::Protected => {
                    protected += 1;
                    continue;
                }
                Verdict::Differs => continue,
            };
            self.open.remove(&id);
            self.settled.insert(id, settled);
        }
        // Values of leaves that are foreign for now may have moved with the rest.
        foreign_moved |= !(foreign_here.is_empty() && self.foreign_here.is_empty());
        self.foreign_here = foreign_here;
        let foreign = if foreign_moved { self.foreign(sides.observed) } else { std::mem::take(&mut self.diff.foreign) };
        self.diff = DeviceDiff {
            changes: judged.changes,
            tally: Tally { equal: self.equal + self.alike + context_equal, foreign: foreign.len(), protected: self.protected + protected },
            foreign,
            findings: judged.findings,
        };
    }

    fn foreign(&self, observed: &Tree) -> Vec<(Arc<Path>, Value)> {
        let settled = self.settled.iter().filter(|(_, how)| **how == Settled::Foreign).map(|(id, _)| id);
        let mut foreign: Vec<(Arc<Path>, Value)> = observed.paths().with(|mut list| {
            let all = settled.chain(&self.foreign_here);
            all.filter_map(|id| Some((list.shared(id.index())?, observed.get_id(*id)?.value.clone()))).collect()
        });
        foreign.sort_by(|a, b| a.0.cmp(&b.0));
        foreign
    }
}

/// What a moved leaf can have an effect on.
#[derive(Clone, Copy, Default)]
struct Touched {
    /// Differences.
    configuration: bool,
    /// The list of foreign leaves.
    foreign: bool,
}

impl Touched {
    fn and(self, other: Self) -> Self {
        Self { configuration: self.configuration || other.configuration, foreign: self.foreign || other.foreign }
    }
}

impl Seen {
    fn of(tree: &Tree) -> Self {
        Self { at: tree.mark(), snapshot: tree.clone() }
    }

    /// Whether `tree` still holds the same; it may be another tree of the same leaves.
    fn still(&mut self, tree: &Tree) -> bool {
        if tree.is_at(&self.at) {
            return true;
        }
        let equal = self.snapshot.is_same(tree);
        if equal {
            self.at = tree.mark();
        }
        equal
    }
}

impl Last {
    /// Whether everything but `observed` is as it was.
    fn still(&mut self, sides: &Sides<'_>) -> bool {
        let applied = match (&mut self.applied, sides.applied) {
            (Some(seen), Some(tree)) => seen.still(tree),
            (None, None) => true,
            _ => false,
        };
        applied
            && self.desired.still(sides.desired)
            && (Arc::ptr_eq(&self.exhaustive, sides.exhaustive) || self.exhaustive == *sides.exhaustive)
    }
}

#[cfg(test)]
pub(crate) mod lab;
#[cfg(test)]
mod tests;
