//! A device that sends more than anybody needs is read slower: the pipe fills, and it has to wait.
//!
//! A bucket of some seconds' worth of updates: what a change of configuration brings at once passes, what never ends does not.

use std::time::Duration;

use tokio::time::Instant;

/// Seconds' worth of updates that may come at once.
const BURST: f64 = 4.0;
/// Longest time nothing is read, whatever came in one message: the stream must not look dead.
const LONGEST: Duration = Duration::from_secs(2);
/// A flood is over when nothing had to be held for so long.
const CALM: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Flood {
    /// Updates a second; 0 is no limit.
    rate: f64,
    room: f64,
    at: Instant,
    hold: Option<Instant>,
    /// Told as flooding; over at.
    until: Option<Instant>,
}

impl Flood {
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate);
        Self { rate, room: rate * BURST, at: now, hold: None, until: None }
    }

    /// Whether nothing is to be read now.
    pub(super) fn holds(&self) -> bool {
        self.hold.is_some()
    }

    /// When [`Flood::tick`] is due.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.hold.or(self.until)
    }

    /// So many updates came. `true` when that makes a flood which was not told yet.
    pub(super) fn count(&mut self, updates: u64, now: Instant) -> bool {
        if self.rate == 0.0 {
            return false;
        }
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.room = (self.room + passed * self.rate).min(self.rate * BURST) - updates as f64;
        if self.room >= 0.0 {
            return false;
        }
        let wait = Duration::from_secs_f64(-self.room / self.rate).min(LONGEST);
        // What is waited for longer is forgiven.
        self.room = self.room.max(-LONGEST.as_secs_f64() * self.rate);
        self.hold = Some(now + wait);
        self.until.replace(now + wait + CALM).is_none()
    }

    /// Time passed; `Some(false)` when the flood is over.
    pub(super) fn tick(&mut self, now: Instant) -> Option<bool> {
        self.hold = self.hold.filter(|at| now < *at);
        let over = self.until.is_some_and(|at| now >= at);
        if over {
            self.until = None;
        }
        over.then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_is_held_to_its_rate() {
        let start = Instant::now();
        let mut flood = Flood::new(1000, start);
        assert!(!flood.count(4000, start) && !flood.holds(), "a change of configuration");
        let (mut now, mut told, mut taken) = (start, 0, 4000);
        // Somebody who sends 100 as soon as it is read, for a minute.
        while now < start + Duration::from_secs(60) {
            told += u32::from(flood.count(100, now));
            taken += 100;
            now = flood.wake_at().filter(|_| flood.holds()).unwrap_or(now);
            assert_eq!(flood.tick(now), None);
        }
        assert!(told == 1 && taken <= 4000 + 61_000, "{told} {taken}");
        assert!(flood.count(1_000_000, now) || flood.wake_at().unwrap() <= now + LONGEST + CALM, "and never held for long");
        now += LONGEST + CALM;
        assert_eq!((flood.tick(now), flood.wake_at(), flood.holds()), (Some(false), None, false));
        assert!(!Flood::new(0, start).count(u64::MAX, start), "no limit");
    }
}
