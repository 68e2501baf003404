//! What may wait for a slow receiver in all streams together, counted in operations.
//!
//! Each stream has a bound of its own; a thousand of them at that bound would still be too much. Who finds the whole over its
//! bound and holds more than a fair share stops reading, so that the device has to wait and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Charges smaller than this are not kept account of: the usual message costs nothing then.
const GRAIN: usize = 64;

/// The bound of all streams of a fabric.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    held: AtomicUsize,
    sharers: AtomicUsize,
}

impl Budget {
    /// At most `most` operations, but for a few of each stream.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: AtomicUsize::new(0), sharers: AtomicUsize::new(0) })
    }

    /// Operations that wait now, about.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// One more stream, until what is returned is dropped.
    pub fn join(self: &Arc<Self>) -> Share {
        self.sharers.fetch_add(1, Ordering::Relaxed);
        Share(Arc::new(Own { budget: Arc::clone(self), held: AtomicUsize::new(0) }))
    }
}

/// What one stream holds: in its queue, and on the way to its receiver.
#[derive(Debug)]
struct Own {
    budget: Arc<Budget>,
    held: AtomicUsize,
}

/// One stream's part in a budget.
#[derive(Debug)]
pub struct Share(Arc<Own>);

impl Share {
    /// Whether this one has to wait: all together hold too much, and this one more than its part.
    pub fn is_over(&self) -> bool {
        let Own { budget, held } = &*self.0;
        budget.held() > budget.most && held.load(Ordering::Relaxed) > budget.most / budget.sharers.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.budget.sharers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a batch is charged for, for as long as it exists.
#[derive(Debug, Default)]
pub struct Charge {
    to: Option<Arc<Own>>,
    ops: usize,
}

impl Charge {
    /// It holds so many operations by now.
    pub fn set(&mut self, share: &Share, ops: usize) {
        if ops.abs_diff(self.ops) < GRAIN {
            return;
        }
        self.release();
        let own = &share.0;
        own.held.fetch_add(ops, Ordering::Relaxed);
        own.budget.held.fetch_add(ops, Ordering::Relaxed);
        (self.to, self.ops) = (Some(Arc::clone(own)), ops);
    }

    fn release(&mut self) {
        if let Some(own) = self.to.take() {
            own.held.fetch_sub(self.ops, Ordering::Relaxed);
            own.budget.held.fetch_sub(self.ops, Ordering::Relaxed);
        }
        self.ops = 0;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.release();
    }
}

/// A copy of a batch is somebody else's: it is not charged.
impl Clone for Charge {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Two batches that say the same are equal, whoever pays.
impl PartialEq for Charge {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_holds_more_than_a_share_has_to_wait() {
        let budget = Budget::new(1000);
        let (one, other) = (budget.join(), budget.join());
        let (mut big, mut small) = (Charge::default(), Charge::default());
        big.set(&one, 900);
        small.set(&other, 90);
        assert_eq!((budget.held(), one.is_over()), (990, false));
        small.set(&other, 190);
        assert_eq!((budget.held(), one.is_over(), other.is_over()), (1090, true, false));
        drop(small.clone());
        big.set(&one, 0);
        drop((one, other));
        assert_eq!((budget.held(), budget.sharers.load(Ordering::Relaxed)), (190, 0));
        drop(small);
        assert_eq!(budget.held(), 0);
    }
}
