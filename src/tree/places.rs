//! Where numbered things are found by what they are: a hash table that holds their numbers only, four bytes a place.

use std::hash::{Hash, Hasher as _};

use rustc_hash::FxHasher;

/// The places. Whoever keeps the things themselves says which of them are alike.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// A number + 1, at the place its hash says or after it; 0 is nobody. A power of two of them, at most three quarters taken.
    places: Vec<u32>,
    taken: usize,
}

/// The hash of anything.
pub(super) fn hash(thing: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    thing.hash(&mut hasher);
    hasher.finish()
}

impl Places {
    /// The places a thing may be at, in order; there always is an empty one among them.
    fn probe(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let mask = self.places.len().saturating_sub(1);
        // The high bits of this hash are the good ones.
        #[allow(clippy::cast_possible_truncation)]
        let first = (hash >> 32) as usize;
        (0..self.places.len()).map(move |step| first.wrapping_add(step) & mask)
    }

    /// The number of the thing with this hash that `is` it.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        for place in self.probe(hash) {
            let number = self.places.get(place)?.checked_sub(1)?;
            if is(number) {
                return Some(number);
            }
        }
        None
    }

    /// Adds a thing that is not there. `hash_of` gives the hash of any, this one included.
    pub(super) fn add(&mut self, number: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.taken + 1) * 4 > self.places.len() * 3 {
            let room = (self.places.len() * 2).max(64);
            let before = std::mem::replace(&mut self.places, vec![0; room]);
            before.into_iter().filter_map(|place| place.checked_sub(1)).for_each(|number| self.place(number, hash_of(number)));
        }
        self.place(number, hash_of(number));
        self.taken += 1;
    }

    fn place(&mut self, number: u32, hash: u64) {
        let free = self.probe(hash).find(|place| self.places.get(*place) == Some(&0));
        if let Some(slot) = free.and_then(|place| self.places.get_mut(place)) {
            *slot = number.saturating_add(1);
        }
    }

    /// Bytes of heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.places.capacity() * size_of::<u32>()
    }
}
