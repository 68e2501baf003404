//! Gateways a pair shares, said by FHRP groups: the group has the address, and interfaces are assigned to it.
//!
//! NetBox has no protocol for VARP, so `other` stands for it. VRRP is taken for it, too, and said so: on an EVPN fabric every
//! member answers for the gateway. What only other vendors speak is left out, with a warning.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::super::error::Error;
use super::super::pages::{List, Pages};
use super::super::raw;
use super::Maker;
use super::ports::network;
use crate::intent::Fabric;
use crate::intent::finding::Severity;
use crate::intent::records::Address;

impl Maker<'_> {
    pub(super) fn gateways(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let groups: Vec<raw::FhrpGroup<'_>> = pages.parse(List::FhrpGroups)?;
        let assignments: Vec<raw::FhrpAssignment<'_>> = pages.parse(List::FhrpAssignments)?;
        *objects += groups.len() + assignments.len();
        let mut members: FxHashMap<u64, Vec<u64>> = FxHashMap::default();
        for assignment in &assignments {
            members.entry(assignment.group.id).or_default().extend(assignment.port());
        }
        let ports: FxHashMap<u64, usize> = fabric.interfaces.iter().enumerate().map(|(at, port)| (port.id, at)).collect();
        for group in groups {
            let ours = members.remove(&group.id).unwrap_or_default();
            let ours = || ours.iter().filter_map(|id| fabric.interfaces.get(*ports.get(id)?));
            let Some(first) = ours().next().and_then(|port| self.names.get(&port.device)).cloned() else { continue };
            let name = if group.name.is_empty() { group.group_id.to_string() } else { group.name.to_string() };
            let origin = self.origin(List::FhrpGroups, group.id, &name, group.last_updated);
            let protocol = &*group.protocol.0;
            match protocol.to_ascii_lowercase().as_str() {
                "other" => {}
                "vrrp2" | "vrrp3" => {
                    let message = format!("FHRP group {name} says {protocol}: it becomes a gateway every member answers for (VARP)");
                    self.report("gateway-protocol", Severity::Info, Some(&first), &origin, message, "say `other` if that is what is meant");
                }
                _ => {
                    for device in ours().filter_map(|port| self.names.get(&port.device)).cloned().collect::<Vec<_>>() {
                        let message = format!("FHRP group {name} speaks {protocol}, which EOS does not");
                        self.report("unmapped-gateway", Severity::Warning, Some(&device), &origin, message, "say `other` for VARP");
                    }
                    continue;
                }
            }
            if group.ip_addresses.is_empty() {
                let message = format!("FHRP group {name} has members and no address");
                let hint = "assign the gateway's address to the group";
                self.report("gateway-without-address", Severity::Warning, Some(&first), &origin, message, hint);
            }
            for address in &group.ip_addresses {
                let origin = self.origin(List::Addresses, address.id, &address.address, None);
                let Some(net) = network(&address.address) else {
                    let (object, url) = (origin.object.clone(), origin.url.clone());
                    return Err(Error::BadObject { object, url, reason: "it is no address".into() });
                };
                for port in ours() {
                    fabric.addresses.push(Address {
                        id: address.id,
                        interface: port.id,
                        net,
                        vrf: port.vrf,
                        shared: true,
                        secondary: false,
                        announced: false,
                        status: "active".into(),
                        origin: Arc::clone(&origin),
                    });
                }
            }
        }
        Ok(())
    }
}
