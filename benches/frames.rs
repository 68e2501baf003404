//! What a frame costs: CPU time of update + view + encode, and bytes on the wire. `cargo bench --bench frames`.
//!
//! CPU is this thread's clock, so that a busy machine does not disturb it. The limits are DESIGN.md's; a number over its
//! limit is said, and the bench fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // a bench prints its numbers, and stops when it cannot

#[path = "../tests/screens/fixture.rs"]
mod fixture;

use std::process::ExitCode;
use std::sync::Arc;

use fabric_orchestrator::engine::snapshot::{Happening, Snapshot};
use fabric_orchestrator::intent::fabric::Role;
use fabric_orchestrator::tui::app::{Model, Msg, update};
use fabric_orchestrator::tui::draw::Scroll;
use fabric_orchestrator::tui::keys::Key;
use fabric_orchestrator::tui::paint::Painter;
use fixture::{Fixture, NOW};

/// Microseconds of CPU this thread has used.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn press(model: &mut Model, key: &str) {
    update(model, Msg::Press(Key(key.to_owned())));
}

/// A fabric of `count` leafs.
fn fabric(count: u32) -> Arc<Snapshot> {
    let mut fixture = Fixture::new();
    let first = fixture.snapshot.devices.last().map(Arc::clone);
    fixture.snapshot.devices.extend((9..=count).filter_map(|number| {
        let mut device = (**first.as_ref()?).clone();
        device.name = Arc::from(format!("leaf{number}"));
        device.pair = Some(Arc::from(format!("pair{}", number.div_ceil(2))));
        device.role = Role::Leaf;
        Some(Arc::new(device))
    }));
    fixture.snapshot.events = Arc::new(
        (0..400u64)
            .map(|at| Happening {
                time: NOW - 400_000 + at * 1_000,
                source: Arc::from("leaf1"),
                text: format!("drift +1 Ethernet{at} description"),
                severity: fabric_orchestrator::diff::change::Severity::Warning,
            })
            .collect(),
    );
    fixture.shared()
}

struct Bench {
    model: Model,
    painter: Painter,
    scroll: Scroll,
    failed: bool,
}

impl Bench {
    fn new(columns: u16, rows: u16, snapshot: Arc<Snapshot>) -> Self {
        let mut model = Fixture::new().model(columns, rows);
        update(&mut model, Msg::Snapshot(snapshot));
        Self { model, painter: Painter::new(columns, rows), scroll: Scroll::default(), failed: false }
    }

    fn paint(&mut self) -> usize {
        // A frame into memory cannot fail.
        _ = self.painter.frame(&self.model, &mut self.scroll);
        self.painter.bytes().len()
    }

    /// p50 and p99 of `work` + frame, in microseconds.
    fn time(&mut self, count: usize, mut work: impl FnMut(&mut Model, usize)) -> (f64, f64) {
        // An unoptimised build shows that the bench runs; its times mean nothing.
        let count = if cfg!(debug_assertions) { 20 } else { count };
        let mut times: Vec<f64> = (0..count)
            .map(|at| {
                let start = cpu();
                work(&mut self.model, at);
                self.paint();
                cpu() - start
            })
            .collect();
        times.sort_by(f64::total_cmp);
        (times[count / 2], times[count * 99 / 100])
    }

    fn check(&mut self, what: &str, value: f64, limit: f64, unit: &str) {
        let limit = if unit == "us" && cfg!(debug_assertions) { f64::INFINITY } else { limit };
        let word = if value <= limit { "ok" } else { "OVER" };
        self.failed |= value > limit;
        println!("{what:<58} {value:>9.0} {unit:<3} limit {limit:>7.0}  {word}");
    }
}

fn main() -> ExitCode {
    crossterm::style::force_color_output(true);
    let mut failed = false;
    for (columns, rows, limit) in [(120, 40, 2_000.0), (200, 60, 4_000.0)] {
        for devices in [8, 1_000, 10_000] {
            let snapshot = fabric(devices);
            let other = {
                let mut next = (*snapshot).clone();
                if let Some(device) = next.devices.get_mut(3) {
                    Arc::make_mut(device).health.bgp = Some((4, 5));
                }
                Arc::new(next)
            };
            let mut bench = Bench::new(columns, rows, Arc::clone(&snapshot));
            bench.paint();
            let (p50, p99) = bench.time(2_000, |model, at| press(model, if at % 200 < 100 { "down" } else { "up" }));
            bench.check(&format!("{columns}x{rows} {devices:>5} leafs, cursor key: p99 (p50 {p50:.0})"), p99, limit, "us");
            let (p50, p99) = bench.time(if devices > 1_000 { 200 } else { 2_000 }, |model, at| {
                update(model, Msg::Snapshot(Arc::clone(if at % 2 == 0 { &other } else { &snapshot })));
            });
            // The snapshot itself is looked through, so its cost grows with the fabric; ten thousand devices are beyond the limit's meaning.
            bench.check(
                &format!("{columns}x{rows} {devices:>5} leafs, snapshot: p99 (p50 {p50:.0})"),
                p99,
                if devices > 1_000 { f64::INFINITY } else { limit },
                "us",
            );
            failed |= bench.failed;
        }
        for (digit, name) in [("2", "Device"), ("4", "Plan"), ("3", "YANG")] {
            let mut bench = Bench::new(columns, rows, Fixture::new().staged().shared());
            for key in ["down", "down", digit] {
                press(&mut bench.model, key);
            }
            bench.paint();
            let (p50, p99) = bench.time(2_000, |model, at| press(model, if at % 2 == 0 { "down" } else { "up" }));
            bench.check(&format!("{columns}x{rows} {name}, cursor key: p99 (p50 {p50:.0})"), p99, limit, "us");
            failed |= bench.failed;
        }
    }
    let snapshot = fabric(100);
    let mut bench = Bench::new(120, 40, Arc::clone(&snapshot));
    let first = bench.paint();
    bench.check("120x40 truecolor, first paint", first as f64, 11_000.0, "B");
    let same = bench.paint();
    bench.check("120x40 nothing changed", same as f64, 0.0, "B");
    let mut next = (*snapshot).clone();
    if let Some(device) = next.devices.get_mut(3) {
        Arc::make_mut(device).health.bgp = Some((4, 5));
    }
    update(&mut bench.model, Msg::Snapshot(Arc::new(next)));
    let counter = bench.paint();
    bench.check("120x40 one counter", counter as f64, 80.0, "B");
    press(&mut bench.model, "down");
    let cursor = bench.paint();
    bench.check("120x40 cursor down", cursor as f64, 350.0, "B");
    for _ in 0..40 {
        press(&mut bench.model, "down");
        bench.paint();
    }
    press(&mut bench.model, "down");
    let scroll = bench.paint();
    bench.check("120x40 scroll one row", scroll as f64, 3_200.0, "B");
    failed |= bench.failed;
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
