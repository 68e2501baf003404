//! The health gate between waves: what was up before the commit must be up again, on every device.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::snapshot::{DeviceView, Snapshot, Stream};

/// Health before the commit.
#[derive(Clone, Debug)]
pub struct Baseline {
    devices: BTreeMap<Arc<str>, Arc<DeviceView>>,
}

impl Baseline {
    /// Of the devices that are live now: nothing is claimed about others.
    pub fn take(snapshot: &Snapshot) -> Self {
        let devices = snapshot
            .devices
            .iter()
            .filter(|view| view.stream == Stream::Live)
            .map(|view| (Arc::clone(&view.name), Arc::clone(view)))
            .collect();
        Self { devices }
    }

    /// What was up and is not: one line each. Sessions that are no longer expected (deleted by the commit) are not missed.
    pub fn lost(&self, snapshot: &Snapshot) -> Vec<String> {
        let mut lost = Vec::new();
        for view in &snapshot.devices {
            let Some(before) = self.devices.get(&view.name) else { continue };
            if view.stream != Stream::Live {
                lost.push(format!("{} is not live", view.name));
                continue;
            }
            let (was, is) = (&before.health, &view.health);
            for (what, was, is) in [("BGP", was.bgp, is.bgp), ("EVPN", was.evpn, is.evpn)] {
                let Some((up_before, _)) = was else { continue };
                let (up, expected) = is.unwrap_or((0, 0));
                if up < up_before.min(expected) {
                    lost.push(format!("{} {what} {up}/{expected} (was {up_before})", view.name));
                }
            }
            for (what, good, was, is) in [("MLAG", "active", &was.mlag, &is.mlag), ("VTEP", "up", &was.vtep, &is.vtep)] {
                if was.as_deref() == Some(good) && is.as_deref().is_some_and(|is| is != good) {
                    lost.push(format!("{} {what} {}", view.name, is.as_deref().unwrap_or("gone")));
                }
            }
        }
        lost
    }
}
