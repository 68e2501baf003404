//! The screens as an enum: each has a file with the same names (`State`, `Msg`, `update`, `act`, `rebuild`, `view`, `KEYS`),
//! and the compiler lists what to touch when one is added. A screen must not send anything but effects.

use std::sync::Arc;

use ratatui::layout::Rect;
use serde::{Deserialize, Serialize};

use super::app::{Effect, Model, same};
use super::draw::Draw;
use super::keys::Row;
use super::list::Move;
use crate::engine::snapshot::{DeviceView, Snapshot};

pub mod commit;
pub mod device;
pub mod fabric;
pub mod facts;
pub mod history;
pub mod intent;
pub mod log;
pub mod plan;
pub mod yang;

/// The screens, in the order of their digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Screen {
    /// Every device at a glance.
    Fabric,
    /// Intent against state of one device.
    Device,
    /// The schema, with values.
    Yang,
    /// What would be sent.
    Plan,
    /// What is being sent.
    Commit,
    /// Every call.
    Log,
    /// What happened.
    History,
    /// What is wrong with intent.
    Intent,
}

impl Screen {
    /// How many there are.
    pub const COUNT: usize = 8;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Fabric, Self::Device, Self::Yang, Self::Plan, Self::Commit, Self::Log, Self::History, Self::Intent];

    /// What the operator calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Fabric => "Fabric",
            Self::Device => "Device",
            Self::Yang => "YANG",
            Self::Plan => "Plan",
            Self::Commit => "Commit",
            Self::Log => "Log",
            Self::History => "History",
            Self::Intent => "Intent",
        }
    }
}

/// What every screen understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// Move the cursor.
    Move(Move),
    /// Open what is under it.
    Enter,
    /// Next pane.
    NextPane,
    /// Previous pane.
    PreviousPane,
    /// Copy what is under the cursor.
    Copy,
    /// Stage or unstage what is under the cursor.
    Stage,
}

/// The keys of a screen.
pub fn keys(screen: Screen) -> &'static [Row] {
    match screen {
        Screen::Fabric => fabric::KEYS,
        Screen::Device => device::KEYS,
        Screen::Yang => yang::KEYS,
        Screen::Plan => plan::KEYS,
        Screen::Commit => commit::KEYS,
        Screen::Log => log::KEYS,
        Screen::History => history::KEYS,
        Screen::Intent => intent::KEYS,
    }
}

/// Does it on the screen that is shown.
pub fn act(model: &mut Model, act: Act) -> Vec<Effect> {
    match model.screen {
        Screen::Fabric => fabric::act(model, act),
        Screen::Device => device::act(model, act),
        Screen::Yang => yang::act(model, act),
        Screen::Plan => plan::act(model, act),
        Screen::Commit => commit::act(model, act),
        Screen::Log => log::act(model, act),
        Screen::History => history::act(model, act),
        Screen::Intent => intent::act(model, act),
    }
}

/// One level out inside the screen that is shown; `false` when there is none.
pub fn back(model: &mut Model) -> bool {
    match model.screen {
        Screen::Device => device::back(model),
        Screen::Plan => plan::back(model),
        Screen::Yang => yang::back(model),
        Screen::Fabric => fabric::back(model),
        Screen::Commit | Screen::Log | Screen::History | Screen::Intent => false,
    }
}

/// Makes the rows of the screen that is shown anew; its selection stays on what it was on.
pub fn rebuild(model: &mut Model) {
    fabric::settle(model);
    match model.screen {
        Screen::Fabric => fabric::rebuild(model),
        Screen::Device => device::rebuild(model),
        Screen::Yang => yang::rebuild(model),
        Screen::Plan => plan::rebuild(model),
        Screen::Commit => commit::rebuild(model),
        Screen::Log => log::rebuild(model),
        Screen::History => history::rebuild(model),
        Screen::Intent => intent::rebuild(model),
    }
}

/// Whether anything the shown screen draws differs from `old`: a snapshot that only moved counters nobody sees costs no frame.
pub fn touched(model: &Model, old: &Snapshot) -> bool {
    let new = &model.shown;
    match model.screen {
        Screen::Fabric => {
            !Arc::ptr_eq(&old.events, &new.events)
                || old.devices.len() != new.devices.len()
                || old.devices.iter().zip(&new.devices).any(|(a, b)| !Arc::ptr_eq(a, b) && device_row_differs(a, b, model.now))
        }
        Screen::Device => {
            let find = |snapshot: &Snapshot| snapshot.devices.iter().find(|device| Some(&device.name) == model.device.as_ref()).cloned();
            match (find(old), find(new)) {
                (Some(a), Some(b)) => {
                    device_row_differs(&a, &b, model.now)
                        || !Arc::ptr_eq(&a.foreign, &b.foreign)
                        || !Arc::ptr_eq(&a.desired, &b.desired)
                        || a.software != b.software
                        || a.booted != b.booted
                        || a.refused_paths.len() != b.refused_paths.len()
                        || device::draws_live(model) && (!Arc::ptr_eq(&a.rates, &b.rates) || !Arc::ptr_eq(&a.observed, &b.observed))
                }
                (None, None) => false,
                _ => true,
            }
        }
        Screen::Yang => {
            !old.devices.iter().zip(&new.devices).all(|(a, b)| Arc::ptr_eq(&a.observed, &b.observed) && Arc::ptr_eq(&a.desired, &b.desired))
        }
        Screen::Plan => !Arc::ptr_eq(&old.plan, &new.plan) || !same(old.staged_plan.as_ref(), new.staged_plan.as_ref()),
        Screen::Commit => {
            !same(old.commit.as_ref(), new.commit.as_ref())
                || old.devices.iter().zip(&new.devices).any(|(a, b)| a.health != b.health || a.stream != b.stream)
        }
        Screen::Log => !Arc::ptr_eq(&old.log, &new.log),
        Screen::History => !Arc::ptr_eq(&old.events, &new.events),
        Screen::Intent => {
            !Arc::ptr_eq(&old.intent.findings, &new.intent.findings)
                || old.intent.read != new.intent.read
                || old.intent.error != new.intent.error
                || old.intent.reading != new.intent.reading
        }
    }
}

fn device_row_differs(a: &DeviceView, b: &DeviceView, now: u64) -> bool {
    let age = |device: &DeviceView| device.last_update.map(|then| super::age::rough(now, then).0);
    a.name != b.name
        || a.stream != b.stream
        || a.since != b.since
        || a.trouble != b.trouble
        || a.notes != b.notes
        || a.next_try != b.next_try
        || a.health != b.health
        || a.changed != b.changed
        || a.tally != b.tally
        || a.asn != b.asn
        || a.address != b.address
        || a.transport != b.transport
        || !same(a.changes.as_ref(), b.changes.as_ref())
        || age(a) != age(b)
}

/// Selects a device on every screen.
pub fn choose(model: &mut Model, device: Arc<str>) {
    if model.device.as_ref() != Some(&device) {
        model.device = Some(device);
        fabric::follow(model);
    }
}

/// Draws the screen that is shown.
pub fn view(model: &Model, draw: &mut Draw<'_>, area: Rect) {
    match model.screen {
        Screen::Fabric => fabric::view(model, draw, area),
        Screen::Device => device::view(model, draw, area),
        Screen::Yang => yang::view(model, draw, area),
        Screen::Plan => plan::view(model, draw, area),
        Screen::Commit => commit::view(model, draw, area),
        Screen::Log => log::view(model, draw, area),
        Screen::History => history::view(model, draw, area),
        Screen::Intent => intent::view(model, draw, area),
    }
}
