//! A thousand devices for a while: what the mirror takes, whether it stays so, how fast drift and keys are.
//!
//! `cargo bench --bench soak -- SECONDS [--devices N] [--leaves N] [--churn N]`, 600 seconds of 1,000 × 5,000 at 20,000 updates a
//! second being what the design asks for. Three real processes: a lab, `serve` as the mirror for the time asked for, then the
//! console in a pseudo-terminal for a quarter of it. Without SECONDS nothing runs. How to read it: `benches/README.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // a bench prints its numbers, and stops when it cannot

#[path = "soak/console.rs"]
mod console;
#[path = "soak/drift.rs"]
mod drift;
#[path = "soak/process.rs"]
mod process;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use drift::{Drifter, Lines};
use process::{Lab, Serve, Usage};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// How long `serve` is measured.
    pub seconds: u64,
    /// Devices of the lab.
    pub devices: usize,
    /// Leaves of a device.
    pub leaves: usize,
    /// Updates a second of all devices.
    pub churn: u64,
}

impl Asked {
    fn read() -> Option<Self> {
        let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
        let flag = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)?.parse::<u64>().ok());
        let seconds = args.first()?.parse().ok()?;
        let size = |name: &str, default: u64| usize::try_from(flag(name).unwrap_or(default)).unwrap();
        Some(Self { seconds, devices: size("--devices", 1000), leaves: size("--leaves", 5000), churn: flag("--churn").unwrap_or(20_000) })
    }
}

/// A number beside its limit.
fn say(what: &str, value: f64, unit: &str, limit: Option<f64>) -> bool {
    let met = limit.is_none_or(|limit| value <= limit);
    let beside = limit.map_or(String::new(), |limit| format!("≤ {limit} {}", if met { "met" } else { "MISSED" }));
    println!("  {what:<58} {value:>9.1} {unit:<7} {beside}");
    met
}

/// The value that so many of a hundred are below.
fn percentile(values: &[f64], of: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * of / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// Mebibytes a minute, by least squares over `(seconds, KiB)`.
fn slope(samples: &[(f64, f64)]) -> f64 {
    let count = samples.len() as f64;
    let (x, y) = samples.iter().fold((0.0, 0.0), |(x, y), sample| (x + sample.0 / count, y + sample.1 / count));
    let (above, below) =
        samples.iter().fold((0.0, 0.0), |(a, b), sample| (a + (sample.0 - x) * (sample.1 - y), b + (sample.0 - x) * (sample.0 - x)));
    above / below * 60.0 / 1024.0
}

/// Watches a process for so long: its resident memory each second.
fn watch(usage: &mut Usage, seconds: u64) -> Vec<(f64, f64)> {
    let begun = Instant::now();
    let mut samples = Vec::new();
    for second in 0..seconds {
        std::thread::sleep(Duration::from_secs(second).saturating_sub(begun.elapsed()));
        samples.push((begun.elapsed().as_secs_f64(), usage.resident()));
    }
    samples
}

/// Says how much a process took.
fn memory(samples: &[(f64, f64)], limit: Option<f64>, flat: Option<f64>) -> bool {
    let at = |place: usize| samples.get(place).map_or(f64::NAN, |sample| sample.1 / 1024.0);
    let most = samples.iter().map(|sample| sample.1 / 1024.0).fold(0.0, f64::max);
    say("resident at the beginning", at(0), "MiB", None);
    say("resident at the end", at(samples.len().saturating_sub(1)), "MiB", None);
    say("resident, most", most, "MiB", limit) & say("slope of it", slope(samples), "MiB/min", flat)
}

fn main() -> ExitCode {
    let Some(asked) = Asked::read() else {
        println!("runs for as long as it is told: cargo bench --bench soak -- 600");
        return ExitCode::SUCCESS;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    println!("{asked:?}");
    let mut lab = Lab::start(&asked);
    say("the lab, which is not the mirror, resident", lab.usage.resident() / 1024.0, "MiB", None);
    let met = serve(&asked, &mut lab) & screen(&asked, &mut lab);
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `serve` is the mirror.
fn serve(asked: &Asked, lab: &mut Lab) -> bool {
    println!("serve");
    let mut mirror = Serve::start(lab, asked.devices);
    say("everything live after", mirror.live_after.as_secs_f64(), "s", None);
    // What the start needed more is given back first, and the first samples of everything are taken.
    std::thread::sleep(Duration::from_secs(asked.seconds.min(15)));
    let lines = Lines::of(mirror.stderr.take().unwrap());
    let drifter = Drifter::start(lab, Some(lines));
    let before = mirror.counted();
    let cpu = (mirror.usage.cpu(), lab.usage.cpu());
    let samples = watch(&mut mirror.usage, asked.seconds);
    let after = mirror.counted();
    let drift = drifter.stop();
    let seconds = asked.seconds as f64;
    let live = after.live;
    say("live at the end, of all devices", live, "", None);
    say("updates a second", (after.updates - before.updates) / seconds, "", None);
    say("CPU of the mirror, of one core", (mirror.usage.cpu() - cpu.0) / seconds * 100.0, "%", None);
    say("CPU of the lab, of one core", (lab.usage.cpu() - cpu.1) / seconds * 100.0, "%", None);
    let mut met = live as usize == asked.devices;
    met &= say("updates dropped", after.dropped, "", Some(0.0));
    met &= say("streams set up again", after.resyncs - before.resyncs, "", Some(0.0));
    met &= memory(&samples, Some(400.0), Some(1.0));
    say("drift: samples", drift.events.len() as f64, "", None);
    say("drift: lost", drift.lost as f64, "", Some(0.0));
    say("device change to event, p50", percentile(&drift.events, 50), "ms", None);
    say("device change to event, p99", percentile(&drift.events, 99), "ms", None);
    say("device's answer to event, p50", percentile(&drift.from_answer, 50), "ms", None);
    met &= say("device's answer to event, p99", percentile(&drift.from_answer, 99), "ms", Some(50.0));
    say("Set sent to event, p50", percentile(&drift.from_set, 50), "ms", None);
    say("Set sent to event, p99", percentile(&drift.from_set, 99), "ms", None);
    met & (drift.lost == 0)
}

/// The console is the mirror.
fn screen(asked: &Asked, lab: &mut Lab) -> bool {
    println!("console, 200x60");
    let mut console = console::Console::start(lab, asked.devices);
    say("everything live after", console.live_after.as_secs_f64(), "s", None);
    std::thread::sleep(Duration::from_secs(asked.seconds.min(15)));
    let drifter = Drifter::start(lab, None);
    let seconds = (asked.seconds / 4).max(30);
    let cpu = console.usage.cpu();
    let mut usage = Usage::of(console.usage.pid());
    let watching = std::thread::spawn(move || watch(&mut usage, seconds));
    let keys = console.keys(Duration::from_secs(seconds));
    let samples = watching.join().unwrap();
    let changes = drifter.stop().sets;
    say("CPU of the console, of one core", (console.usage.cpu() - cpu) / seconds as f64 * 100.0, "%", None);
    let mut met = memory(&samples, None, None);
    say("changes on devices meanwhile", changes as f64, "", None);
    say("keys", keys.painted.len() as f64, "", None);
    met &= say("keys never painted", keys.lost as f64, "", Some(0.0));
    say("key to paint, p50", percentile(&keys.painted, 50), "ms", None);
    met &= say("key to paint, p99", percentile(&keys.painted, 99), "ms", Some(20.0));
    met
}
