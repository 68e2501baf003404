//! What waits for the receiver: bounded, in order, and small while nobody reads.
//!
//! While the receiver keeps up, every message goes straight through. When it does not, batches grow together, then keep only
//! the last value of each leaf, and when even that is too much everything waiting is thrown away and counted: the mirror is
//! then behind for good, and the session asks the device to say everything again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::SessionEvent;
use crate::gnmi::wire::batch::Batch;
use crate::gnmi::wire::budget::{Budget, Share};

/// Operations at which a waiting batch is looked through for the first time.
const COALESCE_AT: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct Queue {
    events: VecDeque<SessionEvent>,
    /// Operations in all batches, about.
    weight: usize,
    limit: usize,
    coalesce_at: usize,
    /// Of the bound of all queues together.
    share: Share,
    /// Values that a later one overtook while waiting.
    pub(super) coalesced: u64,
    /// Updates thrown away.
    pub(super) dropped: u64,
}

impl Queue {
    pub(super) fn new(limit: usize, budget: &Arc<Budget>) -> Self {
        Self {
            events: VecDeque::new(),
            weight: 0,
            limit,
            coalesce_at: COALESCE_AT.min(limit),
            share: budget.join(),
            coalesced: 0,
            dropped: 0,
        }
    }

    /// Whether nothing more should be read until the receivers, of this queue or of others, took some.
    pub(super) fn must_wait(&self) -> bool {
        self.share.is_over()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn push(&mut self, event: SessionEvent) {
        self.events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<SessionEvent> {
        let event = self.events.pop_front();
        if let Some(SessionEvent::Batch(batch)) = &event {
            self.weight = self.weight.saturating_sub(batch.weight());
        }
        if self.events.is_empty() {
            self.weight = 0;
            self.coalesce_at = COALESCE_AT.min(self.limit);
        }
        event
    }

    /// Lets `fill` add to the batch at the end. Says how many updates had to be thrown away, 0 if all is well.
    pub(super) fn fill<R>(&mut self, fill: impl FnOnce(&mut Batch) -> R) -> (R, u64) {
        if !matches!(self.events.back(), Some(SessionEvent::Batch(_))) {
            self.events.push_back(SessionEvent::Batch(Batch::default()));
        }
        let Some(SessionEvent::Batch(batch)) = self.events.back_mut() else {
            // The line above put one there; an unfilled batch is the harmless answer if it did not.
            return (fill(&mut Batch::default()), 0);
        };
        let before = batch.ops.len();
        let result = fill(batch);
        batch.charge.set(&self.share, batch.ops.len());
        self.weight += batch.ops.get(before..).map_or(0, |new| {
            new.iter().map(|op| if let crate::gnmi::wire::batch::Op::Replace(_, leaves) = op { leaves.len() + 1 } else { 1 }).sum()
        });
        if batch.is_empty() && batch.updates == 0 {
            self.events.pop_back();
        }
        let lost = if self.weight >= self.coalesce_at { self.shrink() } else { 0 };
        (result, lost)
    }

    fn shrink(&mut self) -> u64 {
        self.weight = 0;
        for event in &mut self.events {
            if let SessionEvent::Batch(batch) = event {
                self.coalesced += batch.coalesce() as u64;
                batch.charge.set(&self.share, batch.ops.len());
                self.weight += batch.weight();
            }
        }
        self.coalesce_at = (self.weight * 2).max(COALESCE_AT).min(self.limit);
        if self.weight < self.limit {
            // A batch that stays near the limit would be looked through at every message; a quarter more must come first.
            self.coalesce_at = self.coalesce_at.max(self.weight + self.limit / 16);
            return 0;
        }
        self.clear()
    }

    /// Throws away all batches, and the marks of a sync whose values are gone with them.
    fn clear(&mut self) -> u64 {
        let lost = self.weight as u64;
        self.events.retain(|event| !matches!(event, SessionEvent::Batch(_) | SessionEvent::SyncStart | SessionEvent::SyncDone(_)));
        self.dropped += lost;
        self.weight = 0;
        self.coalesce_at = COALESCE_AT.min(self.limit);
        self.events.push_back(SessionEvent::Dropped { updates: lost });
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gnmi::session::SyncDone;
    use crate::gnmi::wire::batch::Op;
    use crate::path::Path;
    use crate::tree::Paths;
    use crate::value::Value;

    #[test]
    fn a_slow_receiver_costs_bounded_memory_and_is_told() {
        let paths = Paths::new();
        let ids: Vec<_> = (0..3000).map(|n| paths.intern(&Path::root().child(format!("leaf{n}")))).collect();
        let mut queue = Queue::new(20_000, &Budget::new(usize::MAX));
        let mut lost = 0;
        for round in 0..100u64 {
            lost += queue.fill(|batch| batch.ops.extend(ids.iter().map(|id| Op::Set(*id, Value::Uint(round))))).1;
        }
        assert_eq!((lost, queue.dropped), (0, 0), "3,000 leaves fit, however often they change");
        assert!(queue.weight <= 20_000 && queue.coalesced >= 100 * 3000 - 20_000);
        let Some(SessionEvent::Batch(mut batch)) = queue.pop() else { panic!() };
        batch.coalesce();
        assert!(batch.ops.iter().all(|op| matches!(op, Op::Set(_, Value::Uint(99)))) && batch.ops.len() == 3000);
        assert!(queue.is_empty());

        let mut tight = Queue::new(1000, &Budget::new(usize::MAX));
        tight.push(SessionEvent::SyncStart);
        let (_, lost) = tight.fill(|batch| batch.ops.extend(ids.iter().map(|id| Op::Set(*id, Value::Uint(0)))));
        assert_eq!(lost, 3000);
        tight.push(SessionEvent::SyncDone(SyncDone::default()));
        assert!(
            matches!(tight.pop(), Some(SessionEvent::Dropped { updates: 3000 })),
            "the values are gone, so is the mark of their beginning"
        );
    }
}
