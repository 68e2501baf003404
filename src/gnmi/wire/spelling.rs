//! How paths were spelled on the wire: bytes seen before → the path's number.
//!
//! A device says its leaves in about the same order every time, so each spelling remembers which one followed it, and mostly one
//! comparison of bytes is all a path costs. Two followers are remembered, because servers written in Go say the keys of an entry in
//! an order that changes from message to message, which makes two spellings of `protocol[identifier=BGP][name=BGP]`. Otherwise
//! its hash is looked up. Nothing is ever taken for known by its hash alone.
//!
//! The table is shared by all streams of a fabric: a thousand devices of the same make spell the same paths.

use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustc_hash::{FxHashMap, FxHasher};

use super::canon::Prepared;
use crate::path::Path;
use crate::tree::PathId;

/// Bytes of spellings remembered before the memory of them starts anew: some 80,000 paths, when a fabric of ten devices has
/// 30,000. A device that makes up paths costs speed then, and not memory.
const BYTES_KEPT: usize = 16 * 1024 * 1024;

/// So many rows are looked through one by one: most prefixes are entries that only one device has, and few of their leaves move.
const FEW: usize = 8;

/// What is known of a path once its spelling is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) id: PathId,
    pub(super) prepared: Prepared,
}

/// Where a stream is: what it most likely says next. One a stream; any value is right, a wrong one costs a look-up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guess {
    prefix: usize,
    last: u32,
    rows: [u32; 2],
}

pub(super) struct Spellings {
    /// Hash of a prefix → its place in `below`. Of two with one hash only the first is remembered.
    prefixes: FxHashMap<u64, u32>,
    below: Vec<Below>,
    /// Memory taken, about.
    bytes: usize,
    most: usize,
}

/// The paths said below one prefix; no prefix at all is the empty one.
pub(super) struct Below {
    spelled: Box<[u8]>,
    pub(super) prefix: Arc<Path>,
    /// All spellings one behind the other, in the order they were met.
    bytes: Vec<u8>,
    rows: Vec<Row>,
    /// Hash of a spelling → its row, once there are more than [`FEW`]. Of two with one hash only the first is remembered.
    index: FxHashMap<u64, u32>,
}

struct Row {
    end: u32,
    /// The rows that followed the last times.
    next: [AtomicU32; 2],
    known: Known,
}

impl Default for Spellings {
    fn default() -> Self {
        Self::at_most(BYTES_KEPT)
    }
}

impl Spellings {
    fn at_most(most: usize) -> Self {
        Self { prefixes: FxHashMap::default(), below: Vec::new(), bytes: 0, most }
    }

    /// The paths below a prefix.
    #[inline]
    pub(super) fn below(&self, prefix: &[u8], guess: &mut Guess) -> Option<&Below> {
        if let Some(below) = self.below.get(guess.prefix).filter(|below| *below.spelled == *prefix) {
            return Some(below);
        }
        let index = *self.prefixes.get(&hash(prefix))? as usize;
        let below = self.below.get(index).filter(|below| *below.spelled == *prefix)?;
        *guess = Guess { prefix: index, last: u32::MAX, rows: [0; 2] };
        Some(below)
    }

    /// Remembers a spelling of a prefix, and of a path below it.
    pub(super) fn learn(&mut self, prefix: &[u8], path: &Arc<Path>, below: Option<(&[u8], Known)>) {
        if self.bytes >= self.most {
            *self = Self::at_most(self.most);
        }
        let Ok(next) = u32::try_from(self.below.len()) else { return };
        let index = *self.prefixes.entry(hash(prefix)).or_insert_with(|| {
            self.below.push(Below {
                spelled: prefix.into(),
                prefix: Arc::clone(path),
                bytes: Vec::new(),
                rows: Vec::new(),
                index: FxHashMap::default(),
            });
            // A hash map holds its rows at a load of a half to seven eighths.
            self.bytes += prefix.len() + size_of::<Below>() + 2 * size_of::<(u64, u32)>();
            next
        });
        let rows = self.below.get_mut(index as usize).filter(|rows| *rows.spelled == *prefix);
        if let (Some((spelling, known)), Some(rows)) = (below, rows) {
            self.bytes += rows.learn(spelling, known);
        }
    }
}

impl Below {
    /// What is known of a path spelled so.
    #[inline]
    pub(super) fn find(&self, spelling: &[u8], guess: &mut Guess) -> Option<Known> {
        let guessed = guess.rows.into_iter().find_map(|index| Some((index, self.row(index).filter(|(_, have)| *have == spelling)?.0)));
        let (index, row) = match guessed {
            Some(found) => found,
            None => {
                let index = self.lookup(spelling)?;
                let row = self.row(index).filter(|(_, have)| *have == spelling)?.0;
                // What came before leads here next time.
                if let Some(before) = self.rows.get(guess.last as usize) {
                    let [first, second] = &before.next;
                    second.store(first.swap(index, Ordering::Relaxed), Ordering::Relaxed);
                }
                (index, row)
            }
        };
        *guess = Guess { prefix: guess.prefix, last: index, rows: row.next.each_ref().map(|next| next.load(Ordering::Relaxed)) };
        Some(row.known)
    }

    #[inline]
    fn row(&self, index: u32) -> Option<(&Row, &[u8])> {
        let index = index as usize;
        let row = self.rows.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.rows.get(before)).map_or(0, |before| before.end);
        Some((row, self.bytes.get(start as usize..row.end as usize)?))
    }

    /// Says how many bytes it takes.
    fn learn(&mut self, spelling: &[u8], known: Known) -> usize {
        let Ok(index) = u32::try_from(self.rows.len()) else { return 0 };
        let Ok(end) = u32::try_from(self.bytes.len() + spelling.len()) else { return 0 };
        if self.lookup(spelling).is_some() {
            return 0;
        }
        self.bytes.extend_from_slice(spelling);
        self.rows.push(Row { end, next: [index + 1, index + 1].map(AtomicU32::new), known });
        if self.rows.len() > FEW {
            for index in if self.index.is_empty() { 0 } else { index }..=index {
                let Some((_, spelling)) = self.row(index) else { continue };
                let hash = hash(spelling);
                self.index.entry(hash).or_insert(index);
            }
        }
        spelling.len() + size_of::<Row>() + 2 * size_of::<(u64, u32)>()
    }

    /// The row that may be that of a spelling.
    #[inline]
    fn lookup(&self, spelling: &[u8]) -> Option<u32> {
        if self.rows.len() <= FEW {
            return (0..).zip(&self.rows).map(|(index, _)| index).find(|index| self.row(*index).is_some_and(|(_, have)| have == spelling));
        }
        self.index.get(&hash(spelling)).copied()
    }
}

#[inline]
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Paths;
    use proptest::prelude::*;

    fn known(number: u16) -> Known {
        let paths = Paths::new();
        let ids: Vec<_> = (0..=number).map(|number| paths.intern(&Path::root().child(number.to_string()))).collect();
        Known { id: ids[usize::from(number)], prepared: Prepared { node: number.into(), ..Prepared::default() } }
    }

    fn spelling(number: u16) -> Vec<u8> {
        format!("/some/path/number{number}").into_bytes()
    }

    #[test]
    fn memory_ends_and_begins_anew() {
        let mut table = Spellings::at_most(10_000);
        let path = Arc::new(Path::root());
        let known = known(0);
        for number in 0..2_000u16 {
            table.learn(b"prefix", &path, Some((&spelling(number), known)));
            assert!(table.bytes < 10_000 + 500, "one spelling more than allowed at the most");
            let mut guess = Guess::default();
            assert!(table.below(b"prefix", &mut guess).unwrap().find(&spelling(number), &mut guess).is_some(), "the last is remembered");
        }
        let mut guess = Guess { prefix: 7, last: 4_000_000, rows: [9_999, 0] };
        assert!(table.below(b"prefix", &mut guess).unwrap().find(&spelling(0), &mut guess).is_none(), "the first is forgotten");
    }

    proptest! {
        /// Whatever a stream guesses and in whatever order it speaks, a spelling is found as what it was learned as.
        #[test]
        fn a_guess_is_never_believed(said in proptest::collection::vec((0u16..3, 0u16..12), 0..80), wild in any::<(usize, u32, u32)>()) {
            let mut table = Spellings::default();
            let path = Arc::new(Path::root());
            let facts: Vec<Known> = (0..12).map(known).collect();
            let mut guess = Guess { prefix: wild.0 % 5, last: wild.1, rows: [wild.2, wild.1] };
            let mut met = std::collections::BTreeSet::new();
            for (prefix, number) in said {
                let (above, below) = (prefix.to_string().into_bytes(), spelling(number));
                let found = table.below(&above, &mut guess).and_then(|below_it| below_it.find(&below, &mut guess));
                let fact = facts[usize::from(number)];
                prop_assert_eq!(found, met.contains(&(prefix, number)).then_some(fact));
                if found.is_none() {
                    table.learn(&above, &path, Some((&below, fact)));
                    met.insert((prefix, number));
                }
            }
        }
    }
}
