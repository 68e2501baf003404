//! Diff of a device of 5,000 leaves: from scratch, from scratch with 50 differences, and after one leaf moved.
//!
//! Printed in microseconds of thread CPU time a call, median of many, beside a memcpy of the leaves of both sides in the same run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // a bench prints its numbers, and stops when it cannot

use std::hint::black_box;
use std::sync::Arc;

use fabric_orchestrator::diff::catalog::Catalog;
use fabric_orchestrator::diff::compare::{Differ, Sides};
use fabric_orchestrator::diff::ownership::Rules;
use fabric_orchestrator::path::Path;
use fabric_orchestrator::tree::{Paths, Tree};
use fabric_orchestrator::value::Value;
use fabric_orchestrator::yang::Schema;

const LEAVES: usize = 5_000;
const ROUNDS: usize = 400;

/// Microseconds of CPU this thread has used.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn median(mut run: impl FnMut(usize) -> f64) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS).map(&mut run).collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

/// Ports with their configuration, five leaves each, in the order a device sends them.
fn leaf(n: usize) -> (Path, Value) {
    let port = format!("Ethernet{}", n / 5 + 1);
    let config = Path::root().child("interfaces").entry("interface", [("name", port.clone())]);
    match n % 5 {
        0 => (config.child("config").child("name"), Value::from(port)),
        1 => (config.child("config").child("type"), Value::from("ethernetCsmacd")),
        2 => (config.child("config").child("enabled"), Value::from(true)),
        3 => (config.child("config").child("description"), Value::from(format!("to host {n}"))),
        _ => (
            config.child("subinterfaces").entry("subinterface", [("index", "0")]).child("ipv4").child("config").child("mtu"),
            Value::from(9214u64),
        ),
    }
}

fn main() {
    let schema = Schema::eos().expect("the table is embedded");
    let paths = Paths::new();
    let (mut desired, mut observed) = (Tree::new(Arc::clone(&paths)), Tree::new(Arc::clone(&paths)));
    for n in 0..LEAVES {
        let (path, value) = leaf(n);
        assert!(schema.find(&path).is_some(), "{path}");
        desired.set(&path, value.clone(), 0);
        observed.set(&path, value, 1);
    }
    let mut catalog = Catalog::new(Rules::default());
    catalog.learn(&schema, &paths);
    let exhaustive = [];
    fn sides<'a>(desired: &'a Tree, observed: &'a Tree, exhaustive: &'a [Path]) -> Sides<'a> {
        Sides { desired, exhaustive, observed, applied: None }
    }
    let scratch = |observed: &Tree, differences: usize| {
        median(|_| {
            let mut differ = Differ::new("leaf1".into());
            let before = cpu();
            let found = differ.update(&catalog, &sides(&desired, observed, &exhaustive)).changes.len();
            let took = cpu() - before;
            assert_eq!(found, differences);
            took
        })
    };
    let equal = scratch(&observed, 0);
    let mut drifted = observed.clone();
    for n in 0..50 {
        drifted.set(&leaf(n * 100 + 3).0, Value::from("moved"), 2);
    }
    let differing = scratch(&drifted, 50);

    let mut differ = Differ::new("leaf1".into());
    differ.update(&catalog, &sides(&desired, &observed, &exhaustive));
    let moving = leaf(2_503).0;
    let one = median(|round| {
        observed.set(&moving, Value::from(format!("moved {round}")), 3);
        let before = cpu();
        let found = differ.update(&catalog, &sides(&desired, &observed, &exhaustive)).changes.len();
        let took = cpu() - before;
        assert_eq!(found, 1);
        took
    });

    let bytes = vec![7u8; desired.heap_bytes() + observed.heap_bytes()];
    let copy = median(|_| {
        let before = cpu();
        black_box(bytes.clone());
        cpu() - before
    });
    println!("diff of {LEAVES} leaves, µs of CPU, median of {ROUNDS}       to reach");
    println!("  memcpy of both sides ({:>4} KiB)          {copy:>8.1}", bytes.len() / 1024);
    println!("  from scratch, equal                      {equal:>8.1}       60");
    println!("  from scratch, 50 differences             {differing:>8.1}");
    println!("  one leaf moved                           {one:>8.1}        5");
    println!("  bytes a leaf, index included             {:>8.1}       60", observed.heap_bytes() as f64 / LEAVES as f64);
}
