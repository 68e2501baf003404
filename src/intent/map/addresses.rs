//! Addresses of interfaces, and the gateway addresses a pair shares: beside own ones (VARP), or alone (`ip address virtual`).

use std::net::IpAddr;

use super::Scope;
use super::writer::Writer;
use crate::intent::Fabric;
use crate::intent::finding::Severity;
use crate::intent::records::{Address, Interface, Kind};

/// An address that is the pair's, not the device's: on an SVI. On a loopback a shared address is an ordinary one.
pub(crate) fn is_gateway(interface: &Interface, address: &Address) -> bool {
    interface.kind == Kind::Svi && address.shared
}

fn own<'a>(scope: &Scope<'a>, interface: &'a Interface) -> impl Iterator<Item = &'a Address> {
    scope.fabric.effective_addresses(interface).into_iter().filter(|address| !is_gateway(interface, address))
}

/// Whether the shared addresses of an SVI stand alone (`ip address virtual`): neither it nor an SVI of the pair's other member
/// that shares one has an address of its own. Where one has, the other misses its own.
pub(crate) fn is_virtual(fabric: &Fabric, interface: &Interface) -> bool {
    let own = |id: u64| fabric.addresses_of(id).any(|address| !address.shared);
    let shared = || fabric.addresses_of(interface.id).filter(|address| is_gateway(interface, address));
    if shared().next().is_none() || own(interface.id) {
        return false;
    }
    let shares = |other: &Interface| {
        let theirs = || fabric.addresses_of(other.id).filter(|address| is_gateway(other, address));
        shared().any(|address| theirs().any(|their| their.net == address.net))
    };
    let peers = fabric.device_by_id(interface.device).into_iter().flat_map(|device| fabric.peers(device));
    !peers.flat_map(|peer| fabric.interfaces_of(peer.id)).any(|other| shares(other) && own(other.id))
}

/// Below `…/ipv4`. An address with the role `secondary` stands beside the primary one.
pub(super) fn ipv4(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    let (mut primary, mut secondary) = (0, 0);
    for address in own(scope, interface) {
        let IpAddr::V4(ip) = address.net.addr() else { continue };
        if address.secondary {
            secondary += 1;
        } else {
            primary += 1;
        }
        w.from(&address.origin, |w| {
            let text = ip.to_string();
            w.entry("addresses/address", &[("ip", &text)], |w| {
                w.leaf("config/ip", text.as_str());
                w.leaf("config/prefix-length", u32::from(address.net.prefix_len()));
                w.maybe("config/type", address.secondary.then_some("SECONDARY"));
            });
            if primary == 2 && !address.secondary {
                let message = format!("{} has more than one IPv4 address; which is the primary one cannot be said", interface.name);
                w.problem("several-addresses", Severity::Warning, message, "give the others the role secondary");
            }
        });
    }
    if primary == 0 && secondary > 0 {
        let message = format!("{} has secondary addresses and no primary one", interface.name);
        w.problem("several-addresses", Severity::Warning, message, "take the role secondary off one of them");
    }
}

/// Below the subinterface or routed VLAN: only when there is one.
pub(super) fn ipv6(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    for address in own(scope, interface) {
        let IpAddr::V6(ip) = address.net.addr() else { continue };
        w.from(&address.origin, |w| {
            w.within("ipv6", |w| {
                w.leaf("config/enabled", true);
                let text = ip.to_string();
                w.entry("addresses/address", &[("ip", &text)], |w| {
                    w.leaf("config/ip", text.as_str());
                    w.leaf("config/prefix-length", u32::from(address.net.prefix_len()));
                });
            });
        });
    }
}

/// The addresses a pair shares on an SVI: `ip address virtual` where they stand alone, else `ip virtual-router address`.
pub(super) fn gateway(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    let alone = is_virtual(scope.fabric, interface);
    let mut several = false;
    for address in scope.fabric.addresses_of(interface.id).filter(|address| is_gateway(interface, address)) {
        w.from(&address.origin, |w| match address.net.addr() {
            IpAddr::V4(ip) if alone => {
                let ip = ip.to_string();
                w.entry("interfaces/interface", &[("name", &*interface.name)], |w| {
                    w.within("arista-varp", |w| {
                        let write = |w: &mut Writer<'_>| {
                            w.leaf("config/ip", ip.as_str());
                            w.leaf("config/prefix-length", u32::from(address.net.prefix_len()));
                        };
                        if several {
                            w.entry("secondary-virtual-addresses/address", &[("ip", &ip)], write);
                        } else {
                            w.within("virtual-address", write);
                        }
                    });
                });
                several = true;
            }
            ip => varp(interface, ip, w),
        });
    }
}

/// The key is the address, of IPv4 as a host prefix; the value only says it is there.
fn varp(interface: &Interface, ip: IpAddr, w: &mut Writer<'_>) {
    w.entry("arista/varp/config/varp-intf-config", &[("intf-id", &*interface.name)], |w| match ip {
        IpAddr::V4(ip) => w.entry("virtual-ip-addr", &[("virtual-ip-addr-key", &format!("{ip}/32"))], |w| {
            w.leaf("virtual-ip-addr-value", true);
        }),
        IpAddr::V6(ip) => w.entry("virtual-ip6-addr", &[("virtual-ip6-addr-key", &ip.to_string())], |w| {
            w.leaf("virtual-ip6-addr-value", true);
        }),
    });
}
