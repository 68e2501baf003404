//! What is ours beyond the desired leaves, and the VRFs management runs in.
//!
//! Declared ours: VLANs, SVIs, VNI mappings, EVPN instances, VRF instances and their members, BGP neighbours, peer groups,
//! networks, table connections, shared gateways; on interfaces of intent the addresses and the settings intent can say. Not ours
//! until we made them: Port-Channels, loopbacks, static routes, policies, physical ports that intent does not know.

use super::Scope;
use super::writer::Writer;
use crate::intent::records::Kind;

const SWITCHPORT: [&str; 3] = ["access-vlan", "native-vlan", "trunk-vlans"];
/// Only neighbours have these.
const NEIGHBOR_ONLY: [&str; 2] = ["config/enabled", "config/peer-group"];
/// Neighbours and peer groups have these.
const NEIGHBOR: [&str; 15] = [
    "config/description",
    "config/peer-as",
    "config/local-as",
    "config/next-hop-self",
    "config/next-hop-unchanged",
    "config/send-community-type",
    "transport/config/local-address",
    "ebgp-multihop/config/multihop-ttl",
    "route-reflector/config/route-reflector-client",
    "enable-bfd/config/enabled",
    "as-path-options/config/allow-own-as",
    "prefix-limit/config/max-prefixes",
    "prefix-limit/config/prevent-teardown",
    "apply-policy/config/import-policy",
    "apply-policy/config/export-policy",
];

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    interfaces(scope, w);
    w.own_entries("interfaces/interface", &[("name", "Vlan*")]);
    w.within("stp/global/config", |w| w.own_here(&["disabled-vlan"]));
    w.within("arista/varp/config", |w| {
        w.entry("varp-intf-config", &[("intf-id", "*")], |w| {
            w.own_entries("virtual-ip-addr", &[("virtual-ip-addr-key", "*")]);
            w.own_entries("virtual-ip6-addr", &[("virtual-ip6-addr-key", "*")]);
        });
    });
    w.own_entries("network-instances/network-instance", &[("name", "*")]);
    w.entry("network-instances/network-instance", &[("name", "default")], |w| {
        w.own_entries("vlans/vlan", &[("vlan-id", "*")]);
        w.entry("vlans/vlan", &[("vlan-id", "*")], |w| w.own_here(&["config/trunk-groups"]));
    });
    for vrf in scope.fabric.vrfs_of(scope.device.id) {
        w.entry("network-instances/network-instance", &[("name", &*vrf.name)], |w| {
            w.own_entries("interfaces/interface", &[("id", "*")]);
            w.own_here(&["config/route-distinguisher"]);
        });
    }
    if scope.device.asn.is_none() {
        return;
    }
    w.within("arista/eos/evpn/evpn-instances", |w| w.own_entries("evpn-instance", &[("name", "*")]));
    w.entry("arista/eos/evpn/evpn-instances/evpn-instance", &[("name", "*")], |w| {
        w.own_here(&["config/redistribute", "route-target/config/import", "route-target/config/export"]);
        w.own_entries("vlans/vlan", &[("vlan-id", "*")]);
    });
    let mut instances = vec!["default"];
    let vrfs = scope.fabric.vrfs_of(scope.device.id);
    instances.extend(vrfs.iter().map(|vrf| &*vrf.name));
    for name in instances {
        w.entry("network-instances/network-instance", &[("name", name)], |w| {
            let keys = [("src-protocol", "*"), ("dst-protocol", "BGP"), ("address-family", "*")];
            w.own_entries("table-connections/table-connection", &keys);
            w.entry("table-connections/table-connection", &keys, |w| w.own_here(&["config/import-policy"]));
            w.entry("protocols/protocol", &[("identifier", "BGP"), ("name", "BGP")], |w| bgp(name == "default", w));
        });
    }
}

fn bgp(is_default: bool, w: &mut Writer<'_>) {
    w.own_entries("bgp/neighbors/neighbor", &[("neighbor-address", "*")]);
    w.own_entries("bgp/global/networks/network", &[("network", "*")]);
    w.own_entries("bgp/global/dynamic-neighbor-prefixes/dynamic-neighbor-prefix", &[("prefix", "*")]);
    if !is_default {
        w.own_here(&["bgp/global/config/router-id", "bgp/global/evpn/import-target", "bgp/global/evpn/export-target"]);
    }
    let mut lists = vec![("bgp/neighbors/neighbor", "neighbor-address")];
    if is_default {
        w.own_entries("bgp/peer-groups/peer-group", &[("peer-group-name", "*")]);
        lists.push(("bgp/peer-groups/peer-group", "peer-group-name"));
    }
    for (list, key) in lists {
        w.entry(list, &[(key, "*")], |w| {
            w.own_here(&NEIGHBOR);
            if list.ends_with("neighbor") {
                w.own_here(&NEIGHBOR_ONLY);
            }
            w.entry("afi-safis/afi-safi", &[("afi-safi-name", "*")], |w| w.own_here(&["config/enabled"]));
        });
    }
}

fn interfaces(scope: &Scope<'_>, w: &mut Writer<'_>) {
    for interface in scope.fabric.interfaces_of(scope.device.id) {
        w.entry("interfaces/interface", &[("name", &*interface.name)], |w| {
            match interface.kind {
                // What we are reached by is set, but nothing of it is ever taken away.
                Kind::Management | Kind::Subinterface => return,
                _ => w.own_here(&["config/description"]),
            }
            match interface.kind {
                Kind::Svi => {
                    w.within("routed-vlan/ipv4", addresses);
                    w.within("arista-varp", |w| {
                        w.own_here(&["virtual-address/config/ip", "virtual-address/config/prefix-length"]);
                        w.own_entries("secondary-virtual-addresses/address", &[("ip", "*")]);
                    });
                }
                Kind::Vxlan => w.within("arista-vxlan", |w| {
                    w.own_entries("vlan-to-vnis/vlan-to-vni", &[("vlan", "*")]);
                    w.own_entries("vrf-to-vnis/vrf-to-vni", &[("vrf", "*")]);
                    w.own_here(&["config/mac-learn-mode"]);
                }),
                Kind::PortChannel => {
                    w.within("aggregation/config", |w| w.own_here(&["mlag", "fallback", "fallback-timeout"]));
                    w.within("aggregation/switched-vlan/config", |w| w.own_here(&SWITCHPORT));
                }
                Kind::Ethernet => {
                    if interface.lag.is_none() {
                        w.own_here(&["ethernet/config/aggregate-id"]);
                    }
                    if interface.mode.is_some() {
                        w.within("ethernet/switched-vlan/config", |w| {
                            w.own_here(&SWITCHPORT);
                            w.own_here(&["trunk-groups"]);
                        });
                    }
                }
                _ => {}
            }
            if matches!(interface.kind, Kind::Ethernet | Kind::PortChannel | Kind::Loopback) {
                w.entry("subinterfaces/subinterface", &[("index", "0")], |w| {
                    w.within("ipv4", |w| {
                        addresses(w);
                        if interface.lag.is_some() || interface.mode.is_some() {
                            w.own_here(&["config/enabled"]);
                        }
                    });
                });
            }
        });
        if matches!(interface.kind, Kind::Ethernet | Kind::PortChannel) {
            w.entry("stp/interfaces/interface", &[("name", &*interface.name)], |w| {
                w.own_here(&["config/link-type", "config/edge-port", "config/bpdu-guard"]);
            });
        }
        if interface.kind == Kind::Svi && interface.autostate != Some(false) {
            w.own(super::cli::leaf(&format!("interface {}", interface.name), "no autostate"));
        }
    }
}

/// Below `…/ipv4`.
fn addresses(w: &mut Writer<'_>) {
    w.own_entries("addresses/address", &[("ip", "*")]);
    w.entry("addresses/address", &[("ip", "*")], |w| w.own_here(&["config/type"]));
    w.own_here(&["config/mtu"]);
}

/// VRFs management runs in: that of the gNMI server, of the MLAG heartbeat, and of management ports.
pub(super) fn management_vrfs(scope: &Scope<'_>) -> Vec<String> {
    let gnmi = scope.settings.context.gnmi.as_ref().and_then(|gnmi| gnmi.vrf.as_deref());
    let heartbeat = scope.settings.mlag.as_ref().and_then(|mlag| mlag.heartbeat_vrf.as_deref());
    let ports = scope.fabric.interfaces_of(scope.device.id).filter(|interface| interface.kind == Kind::Management);
    let of_ports = ports.filter_map(|interface| scope.fabric.vrf(interface.vrf?)).map(|vrf| &*vrf.name);
    let mut names: Vec<String> =
        gnmi.into_iter().chain(heartbeat).chain(of_ports).filter(|name| *name != "default").map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}
