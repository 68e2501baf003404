//! Fabric Orchestrator: *terraform plan/apply for a live network*. It keeps an Arista EVPN-VXLAN fabric equal to its intent
//! in NetBox.
//!
//! A pure core turns intent, observation and schema into a plan. Thin shells talk to the world, one outside system each,
//! and decide nothing. One engine owns every task. The front ends send it commands and draw what it reports.
//!
//! ```text
//!  NetBox ─ netbox ─► intent ─► map ─► Desired ┐
//!                                              ├─► diff ─► plan ─► (stage, review) ─► commit ─► gnmi ─► devices
//!  devices ─ gnmi ─► wire ─► Observed ─────────┘      ▲                                  │
//!                                                     └──────────── verify ◄─────────────┘
//! ```
//!
//! # Words
//!
//! **Intent** what NetBox says · **Desired** intent mapped to YANG leaves · **Observed** what a device reports · **Applied**
//! what we last committed · **Change** one leaf or list entry that differs · **Managed / Foreign / Protected** ownership of a
//! path: ours to set and delete; somebody else's, shown but never touched; never written even if intent asks · **Finding**
//! something intent cannot say or a device cannot hold · **Step** the changes of one device sent in one Set · **Wave** steps
//! that may run at the same time · **Plan** ordered waves plus the guards that make them safe · **Stage** pick changes for the
//! next commit · **Commit** send, verify, keep or roll back · **Drift** Observed left Desired after they agreed · **Pair** two
//! MLAG leafs sharing one **VTEP**.
//!
//! # The house: who lives where, and who may import whom
//!
//! The core (`path` to `plan`) knows no tokio, network, file, clock or global. `tests/architecture.rs` reads this table and
//! holds the code to it; it also fails when a module is missing here or gone from the tree.
//!
//! | module | what it is | may import |
//! |---|---|---|
//! | [`path`] | a gNMI path: origin, elements, keys, wildcards | value, tree |
//! | [`value`] | a typed leaf value, JSON both ways | path, tree |
//! | [`tree`] | a tree of leaves with where each came from and how old it is | path, value |
//! | [`yang`] | the EOS schema: nodes, types, validation, search, quirks | path, value, tree |
//! | [`intent`] | the fabric as typed records, lint, the mapping to Desired | path, value, tree, yang, diff |
//! | [`diff`] | compare, normalise, ownership, constructs | path, value, tree, yang |
//! | [`plan`] | changes to steps to waves; order, risk, invariants, staging, text, JSON | path, value, tree, yang, diff, intent |
//! | [`gnmi`] | client, TLS and auth, subscription session, Set, the wire | path, value, tree, yang |
//! | [`netbox`] | NetBox over HTTP, read into intent records | path, value, tree, intent, diff |
//! | [`store`] | the SQLite journal, written before the wire | path, value, tree, plan, diff |
//! | [`config`] | settings and secrets | |
//! | [`engine`] | the only place that spawns: commands in, snapshots out | path, value, tree, yang, intent, diff, plan, gnmi, netbox, store, config |
//! | [`api`] | HTTP for machines: health and metrics of a running engine | diff, plan, engine |
//! | [`cli`] | one file a command; text, JSON, exit codes | path, value, tree, yang, intent, diff, plan, engine, config, api, tui, sim |
//! | [`tui`] | the console: one Model, one Msg, one update, one view | path, value, tree, yang, intent, diff, plan, engine, config |
//! | [`sim`] | a simulated fabric to test against: EOS targets and a NetBox | path, value, tree, yang, gnmi::wire |
//!
//! Two rows are wider than they look: `intent` and `netbox` take only the shape `Finding` from `diff`, and in `cli` only the
//! command `lab` may import `sim`.

pub mod api;
pub mod cli;
pub mod config;
pub mod diff;
pub mod engine;
pub mod gnmi;
pub mod intent;
pub mod netbox;
pub mod path;
pub mod plan;
pub mod sim;
pub mod store;
pub mod tree;
pub mod tui;
pub mod value;
pub mod yang;
