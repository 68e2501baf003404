//! Things that move by themselves: interface counters and rates, CPU, memory, the clock.
//!
//! A counter is a function of how long its port was up: both ends of a cable agree, and no task has to run for it to move.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::derive::{Derived, Member, Wiring};
use super::emit::interface;
use super::nodes::Nodes;
use super::store::Leaves;
use super::topology::End;
use crate::path::Path;
use crate::value::Value;

/// How long each port was up, in nanoseconds, by interface.
#[derive(Clone, Debug, Default)]
pub struct Meters {
    ports: BTreeMap<String, (u64, u64)>,
}

/// Octets and packets of one direction, and how fast they grow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Flow {
    octets: f64,
    packets: f64,
    octets_rate: f64,
    packets_rate: f64,
}

impl Meters {
    /// Brings the times up to `now`; ports were in the state `derived` has since the last call.
    pub fn advance(&mut self, derived: &Derived, now: u64) {
        for (name, port) in &derived.ports {
            let (busy, last) = self.ports.entry(name.clone()).or_insert((0, port.since.min(now)));
            if port.up {
                *busy += now.saturating_sub(*last);
            }
            *last = now;
        }
    }

    /// Nanoseconds a port was up.
    fn busy(&self, name: &str) -> u64 {
        self.ports.get(name).map_or(0, |(busy, _)| *busy)
    }

    /// As after a boot.
    pub fn reset(&mut self) {
        self.ports.clear();
    }
}

fn fold(parts: &[&str]) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Traffic from one end to another after `seconds` up: a steady rate of its own with a slow wave on it, never falling.
#[allow(clippy::cast_precision_loss)]
fn flow(from: &End, to: Option<&End>, seconds: f64) -> Flow {
    let (device, port) = to.map_or(("", ""), |end| (end.device.as_str(), end.interface.as_str()));
    let seed = fold(&[&from.device, &from.interface, device, port]);
    let rate = 40.0 + (seed % 1900) as f64;
    let size = 140.0 + ((seed >> 16) % 760) as f64;
    let period = 60.0 + ((seed >> 32) % 240) as f64;
    let phase = ((seed >> 48) % 628) as f64 / 100.0;
    let turn = std::f64::consts::TAU * seconds / period + phase;
    let packets = rate * (seconds + 0.6 * period / std::f64::consts::TAU * (turn.sin() - phase.sin()));
    let now = rate * (1.0 + 0.6 * turn.cos());
    Flow { octets: packets * size, packets, octets_rate: now * size, packets_rate: now }
}

/// All moving leaves of a device.
pub fn leaves(nodes: &Nodes, member: &Member, wiring: &Wiring, derived: &Derived, meters: &Meters, now: u64) -> Leaves {
    let mut out = Leaves::new();
    for name in derived.ports.keys() {
        let is_lag = name.starts_with("Port-Channel");
        if is_lag || name.starts_with("Ethernet") || name.starts_with("Management") {
            port(nodes, member, wiring, derived, meters, now, name, &mut out);
        }
    }
    system(nodes, member, now, &mut out);
    out
}

#[allow(clippy::too_many_arguments, clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn port(nodes: &Nodes, member: &Member, wiring: &Wiring, derived: &Derived, meters: &Meters, now: u64, name: &str, out: &mut Leaves) {
    let (mut incoming, mut outgoing) = (Flow::default(), Flow::default());
    let single = [name.to_owned()];
    let members: Vec<&String> = match derived.lags.get(name) {
        Some(ports) => ports.keys().collect(),
        None => single.iter().collect(),
    };
    for port in members {
        let here = End { device: member.name.clone(), interface: port.clone() };
        let far = wiring.ends.get(&here);
        let seconds = meters.busy(port) as f64 / 1e9;
        let live = derived.ports.get(port).is_some_and(|port| port.up);
        let add = |sum: &mut Flow, flow: Flow| {
            sum.octets += flow.octets;
            sum.packets += flow.packets;
            if live {
                sum.octets_rate += flow.octets_rate;
                sum.packets_rate += flow.packets_rate;
            }
        };
        add(&mut outgoing, flow(&here, far, seconds));
        let back = End { device: "management".into(), interface: name.to_owned() };
        add(&mut incoming, flow(far.unwrap_or(&back), Some(&here), seconds));
    }
    let counters = interface(name).child("state").child("counters");
    for (direction, flow) in [("in", incoming), ("out", outgoing)] {
        let packets = flow.packets as u64;
        let (multicast, broadcast) = (packets / 40, packets / 900);
        put(nodes, out, &counters, &format!("{direction}-octets"), Value::Uint(flow.octets as u64));
        put(nodes, out, &counters, &format!("{direction}-pkts"), Value::Uint(packets));
        put(nodes, out, &counters, &format!("{direction}-unicast-pkts"), Value::Uint(packets - multicast - broadcast));
        put(nodes, out, &counters, &format!("{direction}-multicast-pkts"), Value::Uint(multicast));
        put(nodes, out, &counters, &format!("{direction}-broadcast-pkts"), Value::Uint(broadcast));
        put(nodes, out, &counters, &format!("{direction}-errors"), Value::Uint(0));
        put(nodes, out, &counters, &format!("{direction}-discards"), Value::Uint(0));
        let rates = Path::root().child("arista").child("interfaces").entry("interface", [("name", name)]).child("rates").child("state");
        put(nodes, out, &rates, &format!("{direction}-bits-rate"), Value::Double(f64::from((flow.octets_rate * 8.0) as f32)));
        put(nodes, out, &rates, &format!("{direction}-pkts-rate"), Value::Double(f64::from(flow.packets_rate as f32)));
    }
    put(nodes, out, &counters, "in-fcs-errors", Value::Uint(0));
    let changes = derived.ports.get(name).map_or(0, |port| port.transitions);
    put(nodes, out, &counters, "carrier-transitions", Value::Uint(changes));
    put(nodes, out, &counters, "last-update", Value::Uint(now));
}

fn system(nodes: &Nodes, member: &Member, now: u64, out: &mut Leaves) {
    let place = Path::root().child("system");
    let second = now / 1_000_000_000;
    if let Ok(time) = jiff::Timestamp::from_second(i64::try_from(second).unwrap_or(0)) {
        put(nodes, out, &place.clone().child("state"), "current-datetime", Value::str(time.to_string()));
    }
    for index in 0..4_u64 {
        let noise = fold(&[&member.name, &index.to_string(), &(second / 5).to_string()]);
        let (user, kernel) = (4 + noise % 9, 2 + (noise >> 8) % 3);
        let state = place.clone().child("cpus").entry("cpu", [("index", index.to_string())]).child("state");
        put(nodes, out, &state, "index", Value::Uint(index));
        for (name, value) in [("user", user), ("kernel", kernel), ("idle", 100 - user - kernel), ("total", user + kernel)] {
            let gauge = state.clone().child(name);
            put(nodes, out, &gauge, "instant", Value::Uint(value));
            put(nodes, out, &gauge, "avg", Value::Uint(if name == "idle" { 90 } else { value.min(8) }));
            put(nodes, out, &gauge, "min", Value::Uint(if name == "idle" { 85 } else { 1 }));
            put(nodes, out, &gauge, "max", Value::Uint(if name == "idle" { 100 } else { 22 }));
            put(nodes, out, &gauge, "interval", Value::Uint(60_000_000_000));
        }
    }
    const PHYSICAL: u64 = 4_026_531_840;
    let used = 1_474_000_000 + fold(&[&member.name]) % 60_000_000 + (second / 30) % 50 * 65_536;
    let memory = place.child("memory").child("state");
    put(nodes, out, &memory, "physical", Value::Uint(PHYSICAL));
    put(nodes, out, &memory, "used", Value::Uint(used));
    put(nodes, out, &memory, "free", Value::Uint(PHYSICAL - used));
    put(nodes, out, &memory, "reserved", Value::Uint(0));
}

fn put(nodes: &Nodes, out: &mut Leaves, base: &Path, leaf: &str, value: Value) {
    let path = base.clone().child(leaf);
    if nodes.shown(&path) {
        out.insert(Arc::new(path), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_cable_agree_and_counters_never_fall() {
        let (a, b) = (End { device: "a".into(), interface: "Ethernet1".into() }, End { device: "b".into(), interface: "Ethernet2".into() });
        let mut last = 0.0;
        for second in 0..500 {
            let out = flow(&a, Some(&b), f64::from(second));
            assert!(out.octets >= last, "at {second}");
            last = out.octets;
        }
        assert_ne!(flow(&a, Some(&b), 100.0), flow(&b, Some(&a), 100.0), "each direction has its own rate");
    }
}
