//! Snapshots for the tests of front ends.

use std::sync::Arc;

use super::{DeviceView, Health, IntentView, Snapshot, Stream, StreamCounters, Tally};
use crate::diff::change::{Change, Kind, Risk};
use crate::diff::construct::Construct;
use crate::engine::reconcile;
use crate::intent::fabric::Role;
use crate::path::Path;
use crate::tree::{Paths, Tree};

/// Nothing is known.
pub fn blank(fabric: &str) -> Snapshot {
    Snapshot {
        version: 0,
        now: 0,
        fabric: Arc::from(fabric),
        environment: Arc::from("lab"),
        armed_until: None,
        may_write: false,
        intent: IntentView::default(),
        devices: Vec::new(),
        staged: Arc::default(),
        pulled_in: Arc::default(),
        staged_plan: None,
        rollback: None,
        plan: Arc::new(reconcile::empty(fabric)),
        commit: None,
        outcomes: Arc::default(),
        log: Arc::default(),
        events: Arc::default(),
    }
}

/// A leaf nobody has heard of yet.
pub fn device(name: &str) -> DeviceView {
    let tree = Arc::new(Tree::new(Paths::new()));
    DeviceView {
        name: Arc::from(name),
        role: Role::Leaf,
        asn: None,
        pair: None,
        vtep: None,
        address: String::new(),
        transport: String::new(),
        software: None,
        booted: None,
        stream: Stream::Connecting,
        since: 0,
        last_update: None,
        trouble: String::new(),
        next_try: None,
        notes: Vec::new(),
        refused_paths: Vec::new(),
        counters: StreamCounters::default(),
        observed: Arc::clone(&tree),
        desired: tree,
        changes: None,
        tally: Tally::default(),
        foreign: Arc::default(),
        health: Health::default(),
        changed: None,
        rates: Arc::default(),
    }
}

/// A change of nothing in particular.
pub fn change(device: &str) -> Change {
    Change {
        device: Arc::from(device),
        path: Path::root(),
        kind: Kind::Update,
        desired: None,
        observed: None,
        construct: Construct::Other,
        entry: String::new(),
        new_entry: None,
        origin: None,
        risk: Risk::None,
        warning: String::new(),
        unmerged: false,
    }
}
