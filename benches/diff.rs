//! Diff of a device of 5,000 leaves: from scratch, from scratch with 50 differences, and after one leaf moved. And the plan of a
//! fabric of 1,000 such devices of which one leaf in a hundred drifted.
//!
//! Thread CPU time a call, median of many, beside a memcpy of the leaves of both sides in the same run. `cargo bench --bench diff`;
//! how to read it: `benches/README.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // a bench prints its numbers, and stops when it cannot

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

use fabric_orchestrator::diff::catalog::Catalog;
use fabric_orchestrator::diff::compare::{Differ, Sides};
use fabric_orchestrator::diff::ownership::Rules;
use fabric_orchestrator::intent::fabric::{Device, Role};
use fabric_orchestrator::path::Path;
use fabric_orchestrator::plan::{self, DevicePart, PlanInput};
use fabric_orchestrator::tree::{PathId, Paths, Tree};
use fabric_orchestrator::value::Value;
use fabric_orchestrator::yang::Schema;

const LEAVES: usize = 5_000;
const ROUNDS: usize = 400;
const DEVICES: usize = 1_000;
/// One leaf in a hundred of each device.
const DRIFT: usize = LEAVES / 100;

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
    let exhaustive = Arc::default();
    fn sides<'a>(desired: &'a Tree, observed: &'a Tree, exhaustive: &'a Arc<[Arc<Path>]>) -> Sides<'a> {
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
    for n in 0..DRIFT {
        drifted.set(&leaf(n * 100 + 3).0, Value::from("moved"), 2);
    }
    let differing = scratch(&drifted, DRIFT);

    let counter = Path::parse("/interfaces/interface[name=Ethernet501]/state/counters/in-octets").unwrap();
    let moving = leaf(2_508).0;
    paths.intern(&counter);
    catalog.learn(&schema, &paths);
    let moved = |observed: &Tree, path: &Path, others: usize| {
        let mut observed = observed.clone();
        let mut differ = Differ::new("leaf1".into());
        differ.update(&catalog, &sides(&desired, &observed, &exhaustive));
        median(|round| {
            observed.set(path, Value::from(round as u64), 3);
            let before = cpu();
            let found = differ.update(&catalog, &sides(&desired, &observed, &exhaustive)).changes.len();
            let took = cpu() - before;
            assert_eq!(found, others);
            took
        })
    };
    let state = moved(&observed, &counter, 0);
    let one = moved(&observed, &moving, 1);
    let among = moved(&drifted, &moving, 51);

    let bytes = vec![7u8; desired.heap_bytes() + observed.heap_bytes()];
    let copy = median(|_| {
        let before = cpu();
        black_box(bytes.clone());
        cpu() - before
    });
    let line = |name: &str, cost: f64, most: Option<f64>| {
        let stands = most.map_or_else(String::new, |most| format!("≤ {most} {}", if cost <= most { "met" } else { "MISSED" }));
        println!("  {name:<44} {cost:>8.1}   {stands}");
    };
    println!("diff of {LEAVES} leaves, µs of CPU, median of {ROUNDS}");
    line(&format!("memcpy of both sides ({} KiB)", bytes.len() / 1024), copy, None);
    line("from scratch, equal", equal, Some(60.0));
    line(&format!("from scratch, {DRIFT} differences"), differing, None);
    line("one leaf of state moved", state, Some(5.0));
    line("one leaf of configuration moved", one, Some(5.0));
    line(&format!("one moved, {DRIFT} others differ"), among, None);
    line("bytes a leaf, index and texts included", observed.heap_bytes() as f64 / LEAVES as f64, Some(60.0));
    fabric(&schema, &mut catalog, &paths);
}

/// Configuration leaves of a device of the fabric; the lab's have 240 to 290 of some 3,000.
const CONFIG: usize = 500;

/// 100 ports: their configuration first, then 45 counters of each.
fn fabric_leaf(n: usize) -> (Path, Value) {
    if n < CONFIG {
        return leaf(n);
    }
    const COUNTERS: [&str; 15] = [
        "in-octets",
        "in-pkts",
        "in-unicast-pkts",
        "in-broadcast-pkts",
        "in-multicast-pkts",
        "in-discards",
        "in-errors",
        "carrier-transitions",
        "out-octets",
        "out-pkts",
        "out-unicast-pkts",
        "out-broadcast-pkts",
        "out-multicast-pkts",
        "out-discards",
        "out-errors",
    ];
    let (port, counter) = ((n - CONFIG) / 45 + 1, (n - CONFIG) % 45);
    let path = Path::root()
        .child("interfaces")
        .entry("interface", [("name", format!("Ethernet{port}"))])
        .child("subinterfaces")
        .entry("subinterface", [("index", (counter / 15).to_string())]);
    (path.child("state").child("counters").child(COUNTERS[counter % 15]), Value::from(n as u64))
}

/// Compares all devices of a fabric from scratch and plans what differs, on one thread.
fn fabric(schema: &Schema, catalog: &mut Catalog, paths: &Arc<Paths>) {
    let leaves: Vec<(PathId, Value)> = (0..LEAVES)
        .map(|n| {
            let (path, value) = fabric_leaf(n);
            assert!(schema.find(&path).is_some(), "{path}");
            (paths.intern(&path), value)
        })
        .collect();
    catalog.learn(schema, paths);
    let catalog = &*catalog;
    let fill = |count: usize| {
        let mut tree = Tree::new(Arc::clone(paths));
        tree.set_all(leaves.iter().take(count).cloned(), 1, |_, _| {});
        tree
    };
    // Trees of their own: clones would share what the comparison then skips.
    let trees: Vec<(Tree, Tree)> = (0..DEVICES)
        .map(|device| {
            let mut observed = fill(LEAVES);
            for n in 0..DRIFT {
                // Of five drifted leaves three are descriptions, one is a port that was shut, one an MTU.
                let port = n * 10 + device % 2 * 5;
                let (at, value) = match n % 5 {
                    0 => (port + 2, Value::from(false)),
                    1 => (port + 4, Value::from(1500u64)),
                    _ => (port + 3, Value::from("moved")),
                };
                observed.set_interned(leaves[at].0, value, 2);
            }
            (fill(CONFIG), observed)
        })
        .collect();
    let devices: Vec<Device> = (0..DEVICES)
        .map(|number| Device {
            id: number as u64,
            name: format!("leaf{number}").into(),
            role: Role::Leaf,
            site: "dc".into(),
            status: "active".into(),
            asn: None,
            router_id: None,
            pair: Some(format!("pair{}", number / 2).into()),
            management: None,
            gnmi_port: None,
            vtep: None,
            origin: Arc::default(),
        })
        .collect();
    let before = cpu();
    let differs: Vec<Differ> = devices
        .iter()
        .zip(&trees)
        .map(|(device, (desired, observed))| {
            let mut differ = Differ::new(Arc::clone(&device.name));
            differ.update(catalog, &Sides { desired, exhaustive: &Arc::default(), observed, applied: None });
            differ
        })
        .collect();
    let compared = cpu() - before;
    let parts: Vec<DevicePart<'_>> = devices
        .iter()
        .zip(&trees)
        .zip(&differs)
        .map(|((device, (desired, observed)), differ)| DevicePart {
            name: Arc::clone(&device.name),
            changes: &differ.diff().changes,
            desired,
            observed,
            mlag_down: None,
            maintenance: false,
            held: &[],
        })
        .collect();
    let before = cpu();
    let plan = plan::build(&PlanInput {
        fabric: "bench",
        made: 0,
        devices: &devices,
        parts: &parts,
        unknown: &[],
        findings: &[],
        schema,
        staged: None,
        overrides: &BTreeSet::new(),
    });
    let planned = cpu() - before;
    let changes: usize = plan.steps.iter().map(|step| step.changes.len()).sum();
    assert_eq!(changes, DEVICES * DRIFT);
    let both = (compared + planned) / 1e6;
    println!(
        "plan of {DEVICES} devices of {LEAVES} leaves ({CONFIG} of them configuration), {changes} drifted, seconds of CPU on one core"
    );
    println!("  compared from scratch {:>8.3}", compared / 1e6);
    println!("  planned               {:>8.3}", planned / 1e6);
    println!("  both                  {both:>8.3}   ≤ 1 {}", if both <= 1.0 { "met" } else { "MISSED" });
}
