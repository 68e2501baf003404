//! What is asked of every device, and why. One list: a path that is not here is not mirrored.
//!
//! Configuration is compared with configuration (32 of the leaves we map have no state twin), state is for health only. Top
//! containers are subscribed whole, on change: a device then also says what others configured, which is how foreign leaves and
//! unwanted entries are seen. A path a device refuses costs that path only (`gnmi::session` falls back path by path).

use std::time::Duration;

use crate::path::Path;

/// How a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Told when it changes.
    OnChange,
    /// Told every so often.
    Sample(Duration),
}

/// One path of the list.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The path, module prefixes left out.
    pub path: Path,
    /// How.
    pub follow: Follow,
}

/// `(path, why)`, followed on change.
const ON_CHANGE: [(&str, &str); 13] = [
    ("/interfaces", "ports, Port-Channels, SVIs, loopbacks, Vxlan1, their addresses and VLANs; oper-status for health"),
    ("/network-instances", "VRFs, VLANs, BGP, static routes, redistribution; session states for health"),
    ("/lacp", "LACP mode and interval of Port-Channels"),
    ("/lldp", "LLDP settings; neighbors, to show who is on the other end"),
    ("/stp", "spanning tree mode, disabled VLANs, edge ports"),
    ("/routing-policy", "prefix lists and route maps"),
    ("/arista/eos/mlag", "MLAG domain, peer, heartbeat: configuration only, EOS has no state for it"),
    ("/arista/eos/evpn", "EVPN instances with RD and route targets: configuration only"),
    ("/arista/varp/config", "virtual router addresses"),
    ("/system/config", "hostname, banners"),
    ("/system/state", "software version, boot time, time of the last configuration change"),
    ("/system/session/history", "who changed the configuration: user, session, time"),
    ("/system/grpc-servers", "the server we are connected through: protected, shown"),
];

/// Sampled for a console: octets and errors move all the time, and make rates and sparklines.
const COUNTERS: &str = "/interfaces/interface[name=*]/state/counters";
/// Sampled by whoever stays: something to hear from a device where nothing changes.
const LIFE: &str = "/system/memory/state";

/// The list. `telemetry` samples counters, `follow` a proof of life; a headless plan wants neither.
pub fn wanted(telemetry: bool, follow: bool, sample: Duration) -> Vec<Wanted> {
    let parse = |text: &str| Path::parse(text).ok();
    let on_change = ON_CHANGE.iter().filter_map(|(path, _)| Some(Wanted { path: parse(path)?, follow: Follow::OnChange }));
    let sampled = [(COUNTERS, telemetry), (LIFE, telemetry || follow)].into_iter().filter(|(_, wanted)| *wanted);
    let sampled = sampled.filter_map(|(path, _)| Some(Wanted { path: parse(path)?, follow: Follow::Sample(sample) }));
    on_change.chain(sampled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_list_parses() {
        let every = Duration::from_secs(10);
        assert_eq!(wanted(true, true, every).len(), ON_CHANGE.len() + 2);
        assert_eq!(wanted(false, true, every).len(), ON_CHANGE.len() + 1);
        assert!(wanted(false, false, every).iter().all(|wanted| wanted.follow == Follow::OnChange));
    }
}
