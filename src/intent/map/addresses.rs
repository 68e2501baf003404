//! Addresses of interfaces, and the gateway addresses a pair shares (VARP).

use std::net::IpAddr;

use super::Scope;
use super::writer::Writer;
use crate::intent::finding::Severity;
use crate::intent::records::{Address, Interface, Kind};

/// An address that is the pair's, not the device's: on an SVI. On a loopback a shared address is an ordinary one.
pub(crate) fn is_gateway(interface: &Interface, address: &Address) -> bool {
    interface.kind == Kind::Svi && address.shared
}

fn own<'a>(scope: &Scope<'a>, interface: &'a Interface) -> impl Iterator<Item = &'a Address> {
    scope.fabric.effective_addresses(interface).into_iter().filter(|address| !is_gateway(interface, address))
}

/// Below `…/ipv4`. The first address is the primary one, further ones are secondary.
pub(super) fn ipv4(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    let mut count = 0;
    for address in own(scope, interface) {
        let IpAddr::V4(ip) = address.net.addr() else { continue };
        count += 1;
        w.from(&address.origin, |w| {
            let text = ip.to_string();
            w.entry("addresses/address", &[("ip", &text)], |w| {
                w.leaf("config/ip", text.as_str());
                w.leaf("config/prefix-length", u32::from(address.net.prefix_len()));
            });
            if count == 2 {
                let message = format!("{} has more than one IPv4 address; which is the primary one cannot be said", interface.name);
                w.problem("several-addresses", Severity::Warning, message, "leave one address on the interface");
            }
        });
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

/// `ip virtual-router address`: the key is the address as a host prefix, the value only says it is there.
pub(super) fn gateway(scope: &Scope<'_>, interface: &Interface, w: &mut Writer<'_>) {
    for address in scope.fabric.addresses_of(interface.id).filter(|address| is_gateway(interface, address)) {
        w.from(&address.origin, |w| {
            let IpAddr::V4(ip) = address.net.addr() else {
                let message = format!("shared IPv6 gateway {} of {} is not mapped", address.net, interface.name);
                return w.problem("unmapped-gateway", Severity::Warning, message, "only IPv4 gateways are carried");
            };
            w.entry("arista/varp/config/varp-intf-config", &[("intf-id", &*interface.name)], |w| {
                w.entry("virtual-ip-addr", &[("virtual-ip-addr-key", &format!("{ip}/32"))], |w| w.leaf("virtual-ip-addr-value", true));
            });
        });
    }
}
