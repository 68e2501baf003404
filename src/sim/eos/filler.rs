//! Leaves that only make a device larger, and that move: counters of subinterfaces nobody configured. A thousand devices share
//! their paths; each has its own values.

use std::sync::Arc;

use super::store::Leaf;
use crate::path::Path;
use crate::value::Value;

/// Counters of one subinterface: they fit one notification.
pub const GROUP: usize = NAMES.len();

/// In path order.
const NAMES: [&str; 9] = [
    "in-broadcast-pkts",
    "in-discards",
    "in-multicast-pkts",
    "in-pkts",
    "in-unicast-pkts",
    "out-broadcast-pkts",
    "out-multicast-pkts",
    "out-pkts",
    "out-unicast-pkts",
];
/// A port that every device has.
const PORT: &str = "Ethernet1";
/// Subinterfaces of the filler begin here, far above those of a fabric.
const FIRST: usize = 2000;

/// The counters of one device.
#[derive(Clone, Debug, Default)]
pub struct Filler {
    paths: Arc<[Arc<Path>]>,
    values: Vec<u64>,
    next: usize,
}

/// Paths of at least `count` leaves, whole subinterfaces.
pub fn paths(count: usize) -> Arc<[Arc<Path>]> {
    let place = Path::root().child("interfaces").entry("interface", [("name", PORT)]).child("subinterfaces");
    (0..count.div_ceil(GROUP))
        .flat_map(|group| {
            let counters = place.clone().entry("subinterface", [("index", (FIRST + group).to_string())]).child("state").child("counters");
            NAMES.map(|name| Arc::new(counters.clone().child(name)))
        })
        .collect()
}

impl Filler {
    /// The first `count` of `paths`, whole subinterfaces.
    pub fn new(paths: &Arc<[Arc<Path>]>, count: usize) -> Self {
        let count = (count.div_ceil(GROUP) * GROUP).min(paths.len());
        Self { paths: Arc::clone(paths), values: (0..count).map(|at| 1_000_000 + at as u64).collect(), next: 0 }
    }

    /// How many leaves.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All of them as they are now.
    pub fn leaves(&self) -> impl Iterator<Item = (Arc<Path>, Value)> {
        self.paths.iter().zip(&self.values).map(|(path, value)| (Arc::clone(path), Value::Uint(*value)))
    }

    /// Moves the counters of the next subinterface.
    pub fn step(&mut self) -> Vec<(Arc<Path>, Value)> {
        let group = self.next..(self.next + GROUP).min(self.values.len());
        self.next = if group.end >= self.values.len() { 0 } else { group.end };
        let values = self.values.get_mut(group.clone()).unwrap_or_default();
        values.iter_mut().zip(1..).for_each(|(value, by)| *value += by);
        let paths = self.paths.get(group).unwrap_or_default();
        paths.iter().zip(values).map(|(path, value)| (Arc::clone(path), Value::Uint(*value))).collect()
    }

    /// Changes to stream again and again: every subinterface once, then once more with other values.
    pub fn rounds(&self) -> impl Iterator<Item = Vec<(Arc<Path>, Leaf)>> {
        let mut moving = self.clone();
        moving.next = 0;
        let steps = 2 * self.len().div_ceil(GROUP);
        (0..steps).map(move |_| {
            let at = super::device::system_now();
            moving.step().into_iter().map(|(path, value)| (path, Leaf { value, changed: at })).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_moves_in_turn() {
        let mut filler = Filler::new(&paths(30), 20);
        assert_eq!(filler.len(), 27, "whole subinterfaces");
        let first: Vec<_> = filler.leaves().collect();
        let moved: Vec<_> = (0..3).flat_map(|_| filler.step()).collect();
        assert_eq!(moved.iter().map(|(path, _)| path).collect::<Vec<_>>(), first.iter().map(|(path, _)| path).collect::<Vec<_>>());
        assert!(moved.iter().zip(&first).all(|((_, now), (_, before))| now.as_u64() > before.as_u64()));
        assert_eq!(filler.step().first().map(|(path, _)| path), first.first().map(|(path, _)| path), "and begins anew");
        assert_eq!(filler.rounds().count(), 6);
        assert!(Filler::default().step().is_empty() && Filler::default().is_empty());
    }
}
