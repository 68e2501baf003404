//! Which steps may run at the same time, and why a step stands where it stands.
//!
//! Never both members of a pair, never more than half of the spines, unless they are all broken the same way; spines before leafs
//! for what enables the overlay, leafs before spines for what removes it; the management path last and alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::order::natural;
use crate::diff::change::{Change, Kind};
use crate::diff::construct::Construct;

/// One step to place.
#[derive(Clone, Debug)]
pub struct Item {
    /// The device.
    pub device: Arc<str>,
    /// Whether it is a spine.
    pub spine: bool,
    /// Its pair.
    pub pair: Option<Arc<str>>,
    /// What it carries.
    pub part: Part,
    /// Its changes.
    pub changes: Vec<Change>,
    /// What the device is down for, if it is: two devices with equal causes are broken the same way.
    pub cause: Option<String>,
}

/// What of a device's changes a step carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Everything, or all but the parts below.
    Main,
    /// What a spine gives up of the overlay, after the leafs have.
    Removal,
    /// The management path.
    Management,
}

/// A step with its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The step.
    pub item: Item,
    /// Counted from 1.
    pub wave: usize,
    /// Why there.
    pub why: String,
}

/// Constructs of the overlay and what carries it.
fn is_overlay(change: &Change) -> bool {
    matches!(change.construct, Construct::Bgp | Construct::Evpn | Construct::Vxlan | Construct::Redistribution)
}

fn enables(item: &Item) -> bool {
    item.changes.iter().any(|change| is_overlay(change) && change.kind == Kind::Create)
}

fn removes(item: &Item) -> bool {
    item.changes.iter().any(|change| is_overlay(change) && change.kind == Kind::Delete)
}

/// Splits the changes of one device into steps: what a spine removes of the overlay waits for the leafs, the management path is alone.
pub fn split(item: Item, leafs_remove: bool) -> Vec<Item> {
    let mut parts: BTreeMap<Part, Vec<Change>> = BTreeMap::new();
    let waits = item.spine && leafs_remove;
    for change in item.changes.iter().cloned() {
        let part = if change.construct == Construct::Management {
            Part::Management
        } else if waits && is_overlay(&change) && change.kind == Kind::Delete {
            Part::Removal
        } else {
            Part::Main
        };
        parts.entry(part).or_default().push(change);
    }
    parts.into_iter().map(|(part, changes)| Item { part, changes, ..item.clone() }).collect()
}

/// Places the steps of all devices. `spines` is how many the fabric has, planned or not.
pub fn place(devices: Vec<Item>, spines: usize) -> Vec<Placed> {
    let leafs_remove = devices.iter().any(|item| !item.spine && removes(item));
    let mut items: Vec<Item> = devices.into_iter().flat_map(|item| split(item, leafs_remove)).collect();
    items.sort_by_cached_key(|item| (phase(item), natural(&item.device), item.part));
    let quota = (spines / 2).max(1);
    let spine_cause = shared(items.iter().filter(|item| item.spine && item.part == Part::Main), spines);
    let pair_causes = pair_causes(&items);

    let mut placed: Vec<Placed> = Vec::new();
    for item in items {
        let earliest = 1 + placed.iter().filter(|other| comes_before(&other.item, &item)).map(|other| other.wave).max().unwrap_or(0);
        let together = item.pair.as_ref().and_then(|pair| pair_causes.get(pair)).filter(|_| item.part == Part::Main);
        let fits = |wave: usize| {
            let here: Vec<&Placed> = placed.iter().filter(|other| other.wave == wave).collect();
            if item.part == Part::Management || here.iter().any(|other| other.item.part == Part::Management) {
                return here.is_empty();
            }
            let same_device = here.iter().any(|other| other.item.device == item.device);
            let same_pair = item.pair.is_some() && here.iter().any(|other| other.item.pair == item.pair);
            let spines_here = here.iter().filter(|other| other.item.spine).count();
            let broken_here = |pair: &Arc<str>| here.iter().any(|other| other.item.pair.as_ref().is_some_and(|have| have != pair));
            // A pair that goes together goes alone: the first one that does not come up stops the rest.
            let lonely = match (&item.pair, together) {
                (Some(pair), Some(_)) => !broken_here(pair),
                (Some(_), None) => !here.iter().any(|other| other.item.pair.as_ref().is_some_and(|pair| pair_causes.contains_key(pair))),
                _ => true,
            };
            !same_device && (!same_pair || together.is_some()) && lonely && (!item.spine || spine_cause.is_some() || spines_here < quota)
        };
        let wave = (earliest..).find(|wave| fits(*wave)).unwrap_or(earliest);
        placed.push(Placed { item, wave, why: String::new() });
    }
    // Waves count without holes.
    let used: BTreeSet<usize> = placed.iter().map(|step| step.wave).collect();
    let number: BTreeMap<usize, usize> = used.into_iter().zip(1..).collect();
    for step in &mut placed {
        step.wave = number.get(&step.wave).copied().unwrap_or(step.wave);
    }
    placed.sort_by_cached_key(|step| (step.wave, natural(&step.item.device), step.item.part));
    let whys: Vec<String> = placed.iter().map(|step| why(step, &placed, spines, spine_cause.as_deref(), &pair_causes)).collect();
    for (step, why) in placed.iter_mut().zip(whys) {
        step.why = why;
    }
    placed
}

fn phase(item: &Item) -> u8 {
    match item.part {
        Part::Main if item.spine && enables(item) => 0,
        Part::Main => 1,
        Part::Removal => 2,
        Part::Management => 3,
    }
}

/// Whether `item` has to wait for `other`.
fn comes_before(other: &Item, item: &Item) -> bool {
    match (other.part, item.part) {
        (_, Part::Management) => true,
        (Part::Management, _) => false,
        _ if other.device == item.device => other.part < item.part,
        (Part::Main, Part::Main) => other.spine && !item.spine && enables(other) && enables(item),
        (Part::Main, Part::Removal) => !other.spine && removes(other),
        _ => false,
    }
}

/// The cause all of `items` are down for, if they are all there is.
fn shared<'i>(items: impl Iterator<Item = &'i Item>, all: usize) -> Option<String> {
    let causes: Vec<Option<&String>> = items.map(|item| item.cause.as_ref()).collect();
    let first = causes.first().copied().flatten()?;
    (causes.len() == all && all > 1 && causes.iter().all(|cause| *cause == Some(first))).then(|| first.clone())
}

/// Pairs whose members are all down for the same cause.
fn pair_causes(items: &[Item]) -> BTreeMap<Arc<str>, String> {
    let pairs: BTreeSet<Arc<str>> = items.iter().filter_map(|item| item.pair.clone()).collect();
    let cause = |pair: &Arc<str>| shared(items.iter().filter(|item| item.pair.as_ref() == Some(pair) && item.part == Part::Main), 2);
    pairs.into_iter().filter_map(|pair| Some((Arc::clone(&pair), cause(&pair)?))).collect()
}

fn why(step: &Placed, all: &[Placed], spines: usize, spine_cause: Option<&str>, pair_causes: &BTreeMap<Arc<str>, String>) -> String {
    let item = &step.item;
    if item.part == Part::Management {
        return "the management path goes last and alone".to_owned();
    }
    let mut reasons = Vec::new();
    let others = |wanted: &dyn Fn(&Placed) -> bool| all.iter().filter(|other| other.item.part != Part::Management).any(wanted);
    let waited_for = others(&|other| comes_before(&other.item, item) && other.wave < step.wave);
    let waits = others(&|other| comes_before(item, &other.item) && !other.item.spine);
    if item.part == Part::Removal {
        reasons.push("leafs leave the overlay before spines do".to_owned());
    } else if (!item.spine && waited_for) || (item.spine && waits) {
        reasons.push("spines carry the overlay before leafs join it".to_owned());
    }
    if let Some(pair) = &item.pair {
        let partner = all.iter().find(|other| {
            other.item.pair.as_ref() == Some(pair) && other.item.device != item.device && other.item.part != Part::Management
        });
        match (partner, pair_causes.get(pair)) {
            (Some(partner), Some(cause)) if partner.wave == step.wave => {
                reasons.push(format!(
                    "both members of pair {pair} in one wave: both are down for the same cause ({cause}); one pair at a time"
                ));
            }
            (Some(_), _) => reasons.push(format!("never both members of pair {pair} in one wave")),
            _ => {}
        }
    }
    if item.spine && others(&|other| other.item.spine && other.item.device != item.device) {
        reasons.push(match spine_cause {
            Some(cause) => format!("all spines in one wave: all are down for the same cause ({cause})"),
            None => format!("never more than {} of {spines} spines in one wave", (spines / 2).max(1)),
        });
    }
    if reasons.is_empty() { "nothing has to come before it".to_owned() } else { reasons.join("; ") }
}
