//! Rates out of octet counters: at most 60 samples an interface. Time is ours: devices stamp counters as they like.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::snapshot::Rate;

/// Samples kept.
const KEEP: usize = 60;

/// The counters of one device over time.
#[derive(Debug, Default)]
pub struct Rates {
    last: BTreeMap<String, [Option<(u64, u64)>; 2]>,
    rates: Arc<BTreeMap<String, Rate>>,
}

/// Which way the octets went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Received.
    In,
    /// Sent.
    Out,
}

impl Rates {
    /// Takes a counter's value received at `time` (ms). The first value makes no rate; neither does a counter that went back
    /// (cleared, or the device booted).
    pub fn octets(&mut self, interface: &str, way: Way, octets: u64, time: u64) {
        let index = match way {
            Way::In => 0,
            Way::Out => 1,
        };
        if !self.last.contains_key(interface) {
            self.last.insert(interface.to_owned(), [None, None]);
        }
        let Some(last) = self.last.get_mut(interface).and_then(|last| last.get_mut(index)) else { return };
        let Some((before, since)) = last.replace((octets, time)) else { return };
        let millis = time.saturating_sub(since);
        let Some(moved) = octets.checked_sub(before) else { return };
        if millis < 200 {
            *last = Some((before, since)); // twice at once (two subscriptions reach one counter): no time to measure over
            return;
        }
        #[allow(clippy::cast_precision_loss)] // a rate is a drawing
        let rate = moved as f64 * 8000.0 / millis as f64;
        let all = Arc::make_mut(&mut self.rates);
        let entry = all.entry(interface.to_owned()).or_default();
        let ring = match way {
            Way::In => &mut entry.in_bps,
            Way::Out => &mut entry.out_bps,
        };
        if ring.len() == KEEP {
            ring.remove(0);
        }
        ring.push(rate);
    }

    /// The rates now.
    pub fn rates(&self) -> Arc<BTreeMap<String, Rate>> {
        Arc::clone(&self.rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_bits_a_second_and_survive_a_cleared_counter() {
        let mut rates = Rates::default();
        for (octets, time) in [(1_000, 0), (2_250, 10_000), (10, 20_000), (1_260, 30_000)] {
            rates.octets("Ethernet1", Way::In, octets, time);
        }
        assert_eq!(rates.rates().get("Ethernet1").unwrap().in_bps, [1000.0, 1000.0]);
        assert!(rates.rates().get("Ethernet1").unwrap().out_bps.is_empty());
        for n in 0..100 {
            rates.octets("Ethernet1", Way::Out, n * 1250, n * 10_000);
        }
        assert_eq!(rates.rates().get("Ethernet1").unwrap().out_bps.len(), KEEP);
    }
}
