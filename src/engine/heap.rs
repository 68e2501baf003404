//! Memory that was freed goes back to the system. glibc keeps what threads free in their arenas, whatever its size: a thousand devices
//! that sync at once, or a read of a big NetBox, would leave forty megabytes resident that nobody uses any more; and each thread keeps
//! an arena of its own, of which the others use nothing.

use std::time::{Duration, Instant};

/// So much is taken in between two calls before one is worth it, in leaves and NetBox objects.
const WORTH: usize = 200_000;

/// Things are quiet when nothing was taken in for so long: devices sync one after the other, and what they showed is planned.
const QUIET: Duration = Duration::from_secs(5);

/// A big fabric is asked again after so long: what comes and goes leaves holes.
const AGAIN: Duration = Duration::from_secs(60);

/// How much was taken in since memory was given back last.
#[derive(Debug, Default)]
pub(super) struct Heap {
    taken: usize,
    last: Option<Instant>,
    /// When memory was given back last.
    gave: Option<Instant>,
}

impl Heap {
    /// So many leaves or objects came at once.
    pub(super) fn took(&mut self, many: usize, now: Instant) {
        self.taken += many;
        self.last = Some(now);
    }

    /// Gives memory back when that is worth it, beside everything else: it takes milliseconds, and allocations wait for it meanwhile.
    /// Says whether it did.
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        let passed = |since: Option<Instant>, time: Duration| since.is_some_and(|since| now.duration_since(since) >= time);
        let worth = passed(self.last, QUIET) && (self.taken >= WORTH || passed(self.gave, AGAIN));
        if worth {
            (self.taken, self.gave) = (0, Some(now));
            tokio::task::spawn_blocking(give_back);
        }
        worth
    }
}

/// `mallopt(3)`: one arena for all threads, for those that come from now on. For the start of a program that mirrors.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library; it takes two numbers and has no conditions")]
pub fn share() {
    /// `M_ARENA_MAX` of malloc.h.
    const ARENAS: std::ffi::c_int = -8;
    unsafe extern "C" {
        safe fn mallopt(parameter: std::ffi::c_int, value: std::ffi::c_int) -> std::ffi::c_int;
    }
    let _ = mallopt(ARENAS, 1);
}

/// Other C libraries have no arenas a thread.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share() {}

/// `malloc_trim(3)`: thread-safe, touches nothing that is in use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library; it takes a number and has no conditions")]
fn give_back() {
    unsafe extern "C" {
        safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    let gave = malloc_trim(0) != 0;
    tracing::debug!(gave, "freed memory given back");
}

/// Other C libraries give back by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_is_given_back_after_much_was_taken_and_not_again() {
        let (mut heap, begun) = (Heap::default(), Instant::now());
        heap.took(WORTH - 1, begun);
        assert!(!heap.settle(begun + QUIET), "a small fabric never asks");
        heap.took(1, begun + QUIET);
        assert!(!heap.settle(begun + QUIET), "not in the middle of it");
        assert!(heap.settle(begun + 2 * QUIET));
        assert!(!heap.settle(begun + 3 * QUIET), "once");
        assert!(heap.settle(begun + 2 * QUIET + AGAIN), "and seldom again");
    }
}
