//! Commands that leaves carry: what each writes.

use serde_json::{Value as Json, json};

use super::parse::{address, vlan_list};
use crate::sim::eos::view::View;

/// One thing a command does.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Write a leaf or container.
    Set(String, Json),
    /// Add to a leaf-list.
    Add(String, Json),
    /// Delete what a path covers.
    Delete(String),
    /// Take one member out of a leaf-list.
    Drop(String, String),
    /// Keep a line in a block.
    Line(String, String),
    /// Remove a line from a block.
    NoLine(String, String),
}

use Edit::{Add, Delete, Drop, Line, NoLine, Set};

const NI: &str = "/network-instances/network-instance";

/// What `words` (without `no`) do inside `blocks`; `None` if no leaf carries them.
pub fn edits(view: &View, blocks: &[String], words: &str, no: bool) -> Option<Vec<Edit>> {
    let list: Vec<&str> = words.split_whitespace().collect();
    let inside: Vec<&str> = blocks.iter().map(String::as_str).collect();
    match inside.as_slice() {
        [] => global(view, &list, no),
        [top] if *top == words => global(view, &list, no),
        [top] if top.starts_with("interface Vxlan") => vxlan(top.strip_prefix("interface ")?, &list, no),
        [top] if top.starts_with("interface ") => interface(view, top.strip_prefix("interface ")?, &list, words, no),
        [top] if top.starts_with("vlan ") => vlan(top.strip_prefix("vlan ")?, &list, no),
        [top] if top.starts_with("mlag") => mlag(&list, no),
        [top] if top.starts_with("router bgp") => bgp(view, "default", None, &list, words, no),
        [top, inner, rest @ ..] if top.starts_with("router bgp") => {
            if *inner == words && rest.is_empty() {
                return Some(open_inner(&list, no));
            }
            if let Some(vrf) = inner.strip_prefix("vrf ") {
                let family = rest.first().and_then(|block| block.strip_prefix("address-family "));
                return bgp(view, vrf, family, &list, words, no);
            }
            match inner.split_once(' ') {
                Some(("address-family", family)) => bgp(view, "default", Some(family), &list, words, no),
                Some(("vlan", id)) => evi(id, &list, no),
                _ => None,
            }
        }
        _ => None,
    }
}

fn global(view: &View, list: &[&str], no: bool) -> Option<Vec<Edit>> {
    Some(match (list, no) {
        (["hostname", _], true) | (["hostname"], true) => vec![Delete("/system/config/hostname".into())],
        (["hostname", name], false) => vec![Set("/system/config/hostname".into(), json!(name))],
        (["ip", "routing"], no) => vec![Set(format!("{NI}[name=default]/config/ipv4-routing-enabled"), json!(!no))],
        (["ip", "routing", "vrf", vrf], no) => vec![Set(format!("{NI}[name={vrf}]/config/ipv4-routing-enabled"), json!(!no))],
        (["ip", "route", prefix, hop], no) => {
            let route =
                format!("{NI}[name=default]/protocols/protocol[identifier=STATIC][name=STATIC]/static-routes/static[prefix={prefix}]");
            // The index is EOS's own form.
            let index = format!("AUTO_1_{}", hop.replace('.', "-"));
            let config = format!("{route}/next-hops/next-hop[index={index}]/config");
            if no { vec![Delete(route)] } else { vec![Set(config, json!({"index": index, "next-hop": hop}))] }
        }
        (["lldp", "management-address", name], no) => {
            let path = "/lldp/config/management-address/interface".to_owned();
            vec![if no { Delete(path) } else { Set(path, json!(name)) }]
        }
        (["spanning-tree", "vlan-id", ids], no) => {
            let path = "/stp/global/config/disabled-vlan".to_owned();
            vec![if no { Set(path, vlan_list(ids)) } else { Delete(path) }]
        }
        (["vlan", id], false) => {
            vec![Set(format!("{NI}[name=default]/vlans/vlan[vlan-id={id}]/config/vlan-id"), json!(id.parse::<u16>().ok()?))]
        }
        (["vlan", id], true) => vec![Delete(format!("{NI}[name=default]/vlans/vlan[vlan-id={id}]"))],
        (["vrf", "instance", name], false) => vec![Set(format!("{NI}[name={name}]/config"), json!({"name": name, "type": "L3VRF"}))],
        (["vrf", "instance", name], true) => vec![Delete(format!("{NI}[name={name}]"))],
        (["interface", name], true) => {
            let gone = vec![
                Delete(format!("/interfaces/interface[name={name}]")),
                Delete(format!("/arista/varp/config/varp-intf-config[intf-id={name}]")),
            ];
            if name.starts_with("Ethernet") || name.starts_with("Management") { return None } else { gone }
        }
        (["interface", name], false) => {
            if view.interfaces.contains_key(*name) {
                return Some(Vec::new());
            }
            let kind = match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '/') {
                "Vlan" => "l3ipvlan",
                "Loopback" => "softwareLoopback",
                "Port-Channel" => "ieee8023adLag",
                "Vxlan" => "other",
                _ => "ethernetCsmacd",
            };
            vec![Set(format!("/interfaces/interface[name={name}]/config"), json!({"name": name, "type": kind, "enabled": true}))]
        }
        (["router", "bgp", asn], false) => vec![Set(format!("{}/global/config/as", bgp_path("default")), json!(asn.parse::<u32>().ok()?))],
        (["router", "bgp", ..], true) => vec![Delete(bgp_path("default"))],
        _ => return None,
    })
}

fn interface(view: &View, name: &str, list: &[&str], words: &str, no: bool) -> Option<Vec<Edit>> {
    let base = format!("/interfaces/interface[name={name}]");
    let ipv4 = if name.starts_with("Vlan") {
        format!("{base}/routed-vlan/ipv4")
    } else {
        format!("{base}/subinterfaces/subinterface[index=0]/ipv4")
    };
    let group = if name.starts_with("Port-Channel") { "aggregation" } else { "ethernet" };
    let port = format!("{base}/{group}/switched-vlan/config");
    let block = format!("interface {name}");
    let text = words.split_once(' ').map_or("", |(_, text)| text);
    let leaf = |path: String, value: Json| vec![if no { Delete(path) } else { Set(path, value) }];
    Some(match list {
        [top, ..] if *top == "interface" => global(view, list, no)?,
        ["description", ..] => leaf(format!("{base}/config/description"), json!(text)),
        ["shutdown"] => vec![Set(format!("{base}/config/enabled"), json!(no))],
        ["mtu", size] => leaf(format!("{ipv4}/config/mtu"), json!(size.parse::<u16>().ok()?)),
        ["mtu"] if no => vec![Delete(format!("{ipv4}/config/mtu"))],
        ["switchport"] => vec![Set(format!("{ipv4}/config/enabled"), json!(no))],
        ["vrf", vrf] if !no => {
            let mut moved = vec![Delete(format!("{ipv4}/addresses"))];
            moved.push(Delete(format!("{NI}[name=*]/interfaces/interface[id={name}]")));
            moved.push(Set(format!("{NI}[name={vrf}]/interfaces/interface[id={name}]/config"), json!({"id": name, "interface": name})));
            moved
        }
        ["vrf", ..] => vec![Delete(format!("{ipv4}/addresses")), Delete(format!("{NI}[name=*]/interfaces/interface[id={name}]"))],
        ["ip", "address", "virtual", prefix] => {
            let (ip, length) = address(prefix)?;
            leaf(format!("{base}/arista-varp/virtual-address/config"), json!({"ip": ip, "prefix-length": length}))
        }
        ["ip", "virtual-router", "address", ip] => {
            let key = if ip.contains('/') { (*ip).to_owned() } else { format!("{ip}/32") };
            let entry = format!("/arista/varp/config/varp-intf-config[intf-id={name}]/virtual-ip-addr[virtual-ip-addr-key={key}]");
            if no { vec![Delete(entry)] } else { vec![Set(format!("{entry}/virtual-ip-addr-value"), json!(true))] }
        }
        ["ip", "address", prefix] => {
            let (ip, length) = address(prefix)?;
            let mut edits = vec![Delete(format!("{ipv4}/addresses"))];
            if !no {
                edits.push(Set(format!("{ipv4}/config/enabled"), json!(true)));
                edits.push(Set(format!("{ipv4}/addresses/address[ip={ip}]/config"), json!({"ip": ip, "prefix-length": length})));
            }
            edits
        }
        ["ip", "address"] if no => vec![Delete(format!("{ipv4}/addresses"))],
        ["switchport", "mode", mode] => leaf(format!("{port}/interface-mode"), json!(mode.to_uppercase())),
        ["switchport", "access", "vlan", id] => leaf(format!("{port}/access-vlan"), json!(id.parse::<u16>().ok()?)),
        ["switchport", "trunk", "native", "vlan", id] => leaf(format!("{port}/native-vlan"), json!(id.parse::<u16>().ok()?)),
        ["switchport", "trunk", "allowed", "vlan", "none"] if !no => {
            vec![Delete(format!("{port}/trunk-vlans")), Line(block, "switchport trunk allowed vlan none".into())]
        }
        ["switchport", "trunk", "allowed", "vlan", "add", ids] if !no => {
            vec![NoLine(block, "switchport trunk allowed vlan".into()), Add(format!("{port}/trunk-vlans"), vlan_list(ids))]
        }
        ["switchport", "trunk", "allowed", "vlan", "remove", ids] if !no => {
            ids.split(',').map(|id| Drop(format!("{port}/trunk-vlans"), id.replace('-', ".."))).collect()
        }
        ["switchport", "trunk", "allowed", "vlan", ids @ ..] => {
            let mut edits = vec![NoLine(block, "switchport trunk allowed vlan".into()), Delete(format!("{port}/trunk-vlans"))];
            if let ([ids], false) = (ids, no) {
                edits.push(Set(format!("{port}/trunk-vlans"), vlan_list(ids)));
            }
            edits
        }
        ["switchport", "trunk", "group", name] if group == "ethernet" => {
            let path = format!("{port}/trunk-groups");
            vec![if no { Drop(path, (*name).to_owned()) } else { Add(path, json!([name])) }]
        }
        ["channel-group", number, "mode", mode] if !no => {
            let lag = format!("Port-Channel{number}");
            let kind = if *mode == "on" { "STATIC" } else { "LACP" };
            let mut edits = vec![
                Set(format!("{base}/ethernet/config/aggregate-id"), json!(lag)),
                Set(format!("/interfaces/interface[name={lag}]/aggregation/config/lag-type"), json!(kind)),
            ];
            if kind == "LACP" {
                edits.push(Set(format!("/lacp/interfaces/interface[name={lag}]/config/lacp-mode"), json!(mode.to_uppercase())));
            }
            edits
        }
        ["channel-group", ..] => vec![Delete(format!("{base}/ethernet/config/aggregate-id"))],
        ["port-channel", "lacp", "fallback", "timeout", seconds] => {
            leaf(format!("{base}/aggregation/config/fallback-timeout"), json!(seconds.parse::<u16>().ok()?))
        }
        ["port-channel", "lacp", "fallback", mode] => leaf(format!("{base}/aggregation/config/fallback"), json!(mode)),
        ["spanning-tree", "link-type", "point-to-point"] => {
            leaf(format!("/stp/interfaces/interface[name={name}]/config/link-type"), json!("P2P"))
        }
        ["mlag", id] => leaf(format!("{base}/aggregation/config/mlag"), json!(id.parse::<u16>().ok()?)),
        ["mlag"] if no => vec![Delete(format!("{base}/aggregation/config/mlag"))],
        _ => return None,
    })
}

fn vxlan(name: &str, list: &[&str], no: bool) -> Option<Vec<Edit>> {
    let base = format!("/interfaces/interface[name={name}]/arista-vxlan");
    let leaf = |path: String, value: Json| vec![if no { Delete(path) } else { Set(path, value) }];
    let number = |text: &str| text.parse::<u32>().ok();
    Some(match list {
        ["vxlan", "source-interface", source] => leaf(format!("{base}/config/src-ip-intf"), json!(source)),
        ["vxlan", "udp-port", port] => leaf(format!("{base}/config/udp-port"), json!(number(port)?)),
        ["vxlan", "learn-restrict", "any"] => leaf(format!("{base}/config/mac-learn-mode"), json!("LEARN_FROM_ANY")),
        ["vxlan", "vlan", id, "vni", vni] if !no => {
            vec![Set(format!("{base}/vlan-to-vnis/vlan-to-vni[vlan={id}]/config"), json!({"vlan": number(id)?, "vni": number(vni)?}))]
        }
        ["vxlan", "vlan", id, "vni", ..] => vec![Delete(format!("{base}/vlan-to-vnis/vlan-to-vni[vlan={id}]"))],
        ["vxlan", "vrf", vrf, "vni", vni] if !no => {
            vec![Set(format!("{base}/vrf-to-vnis/vrf-to-vni[vrf={vrf}]/config"), json!({"vrf": vrf, "vni": number(vni)?}))]
        }
        ["vxlan", "vrf", vrf, "vni", ..] => vec![Delete(format!("{base}/vrf-to-vnis/vrf-to-vni[vrf={vrf}]"))],
        ["description", rest @ ..] => leaf(format!("/interfaces/interface[name={name}]/config/description"), json!(rest.join(" "))),
        ["shutdown"] => vec![Set(format!("/interfaces/interface[name={name}]/config/enabled"), json!(no))],
        _ => return None,
    })
}

fn vlan(id: &str, list: &[&str], no: bool) -> Option<Vec<Edit>> {
    let base = format!("{NI}[name=default]/vlans/vlan[vlan-id={id}]/config");
    let leaf = |path: String, value: Json| vec![if no { Delete(path) } else { Set(path, value) }];
    Some(match list {
        ["name", name] => leaf(format!("{base}/name"), json!(name)),
        ["trunk", "group", name] => {
            let path = format!("{base}/trunk-groups");
            vec![if no { Drop(path, (*name).to_owned()) } else { Add(path, json!([name])) }]
        }
        ["state", state] => leaf(format!("{base}/status"), json!(if *state == "suspend" { "SUSPENDED" } else { "ACTIVE" })),
        _ => return None,
    })
}

fn mlag(list: &[&str], no: bool) -> Option<Vec<Edit>> {
    let base = "/arista/eos/mlag/config";
    let leaf = |path: &str, value: Json| vec![if no { Delete(format!("{base}/{path}")) } else { Set(format!("{base}/{path}"), value) }];
    Some(match list {
        ["mlag", "configuration"] if no => vec![Delete(base.into())],
        ["mlag", "configuration"] => Vec::new(),
        ["domain-id", id] => leaf("domain-id", json!(id)),
        ["local-interface", name] => leaf("local-intf", json!(name)),
        ["peer-address", "heartbeat", ip] => leaf("heartbeat-peer-address/address", json!(ip)),
        ["peer-address", "heartbeat", ip, "vrf", vrf] => {
            let mut edits = leaf("heartbeat-peer-address/address", json!(ip));
            edits.extend(leaf("heartbeat-peer-address/vrf", json!(vrf)));
            edits
        }
        ["peer-address", ip] => leaf("peer-address", json!(ip)),
        ["peer-link", name] => leaf("peer-link-intf", json!(name)),
        ["dual-primary", "detection", "delay", seconds, "action", action @ ..] => {
            let mut edits = leaf("dual-primary-detection-delay", json!(format!("{seconds}.0")));
            edits.extend(leaf("dual-primary-action", json!(action.join("-"))));
            edits
        }
        ["shutdown"] => vec![Set(format!("{base}/enabled"), json!(no))],
        _ => return None,
    })
}

fn bgp_path(vrf: &str) -> String {
    format!("{NI}[name={vrf}]/protocols/protocol[identifier=BGP][name=BGP]/bgp")
}

fn open_inner(list: &[&str], no: bool) -> Vec<Edit> {
    match (list, no) {
        (["vlan", id], false) => {
            let evi = format!("/arista/eos/evpn/evpn-instances/evpn-instance[name={id}]");
            let mut edits = vec![Set(format!("{evi}/config"), json!({"name": id, "instance-type": "VLAN"}))];
            edits.extend(id.parse::<u16>().ok().map(|number| Set(format!("{evi}/vlans/vlan[vlan-id={id}]/config/vlan-id"), json!(number))));
            edits
        }
        (["vlan", id], true) => vec![Delete(format!("/arista/eos/evpn/evpn-instances/evpn-instance[name={id}]"))],
        (["vrf", name], true) => vec![Delete(bgp_path(name))],
        _ => Vec::new(),
    }
}

fn evi(id: &str, list: &[&str], no: bool) -> Option<Vec<Edit>> {
    let base = format!("/arista/eos/evpn/evpn-instances/evpn-instance[name={id}]");
    let target = |leaf: &str, value: &str| {
        let path = format!("{base}/route-target/config/{leaf}");
        if no { Drop(path, value.to_owned()) } else { Add(path, json!([value])) }
    };
    Some(match list {
        ["rd", rd] => vec![if no {
            Delete(format!("{base}/config/route-distinguisher"))
        } else {
            Set(format!("{base}/config/route-distinguisher"), json!(rd))
        }],
        ["route-target", "both", value] => vec![target("import", value), target("export", value)],
        ["route-target", direction @ ("import" | "export"), value] => vec![target(direction, value)],
        ["redistribute", what] => {
            let (path, what) = (format!("{base}/config/redistribute"), what.to_uppercase().replace('-', "_"));
            vec![if no { Drop(path, what) } else { Add(path, json!([what])) }]
        }
        _ => return None,
    })
}

fn bgp(view: &View, vrf: &str, family: Option<&str>, list: &[&str], words: &str, no: bool) -> Option<Vec<Edit>> {
    let base = bgp_path(vrf);
    let leaf = |path: String, value: Json| vec![if no { Delete(path) } else { Set(path, value) }];
    let number = |text: &str| text.parse::<u32>().ok();
    Some(match list {
        ["router", "bgp", ..] => global(view, list, no)?,
        ["router-id", id] => leaf(format!("{base}/global/config/router-id"), json!(id)),
        ["maximum-paths", paths, rest @ ..] => {
            let block = format!("router bgp {}", view.asn().unwrap_or_default());
            let mut edits = leaf(format!("{base}/global/use-multiple-paths/ebgp/config/maximum-paths"), json!(number(paths)?));
            edits.push(if no || rest.is_empty() { NoLine(block, "maximum-paths".into()) } else { Line(block, words.to_owned()) });
            edits
        }
        ["distance", "bgp", rest @ ..] => {
            let names = ["external", "internal", "local"].iter().zip(rest);
            let path = |name: &str| format!("{base}/global/default-route-distance/config/{name}-route-distance");
            let mut edits = Vec::new();
            for (name, value) in names {
                edits.extend(leaf(path(name), json!(number(value)?)));
            }
            edits
        }
        ["redistribute", "connected"] if vrf != "default" => redistribute(vrf, no),
        ["network", prefix] => {
            let entry = format!("{base}/global/networks/network[network={prefix}]");
            if no { vec![Delete(entry)] } else { vec![Set(format!("{entry}/config/network"), json!(prefix))] }
        }
        ["rd", rd] if vrf != "default" => leaf(format!("{NI}[name={vrf}]/config/route-distinguisher"), json!(rd)),
        ["route-target", direction @ ("import" | "export"), "evpn", value] if vrf != "default" => {
            let path = format!("{base}/global/evpn/{direction}-target");
            vec![if no { Drop(path, (*value).to_owned()) } else { Add(path, json!([value])) }]
        }
        ["neighbor", who, rest @ ..] => {
            let node = if who.parse::<std::net::IpAddr>().is_ok() {
                format!("{base}/neighbors/neighbor[neighbor-address={who}]")
            } else {
                format!("{}/peer-groups/peer-group[peer-group-name={who}]", bgp_path("default"))
            };
            neighbor(&node, family, rest, no)?
        }
        _ => return None,
    })
}

/// A connection of tables, and the protocol it comes from.
fn redistribute(vrf: &str, no: bool) -> Vec<Edit> {
    let keys = "[src-protocol=DIRECTLY_CONNECTED][dst-protocol=BGP][address-family=IPV4]";
    let connection = format!("{NI}[name={vrf}]/table-connections/table-connection{keys}");
    if no {
        return vec![Delete(connection)];
    }
    let config = json!({"src-protocol": "DIRECTLY_CONNECTED", "dst-protocol": "BGP", "address-family": "IPV4"});
    vec![Set(format!("{connection}/config"), config)]
}

fn neighbor(node: &str, family: Option<&str>, rest: &[&str], no: bool) -> Option<Vec<Edit>> {
    let leaf = |path: &str, value: Json| vec![if no { Delete(format!("{node}/{path}")) } else { Set(format!("{node}/{path}"), value) }];
    Some(match rest {
        ["activate"] => {
            let family = match family {
                Some("evpn") => "L2VPN_EVPN",
                Some("ipv6") => "IPV6_UNICAST",
                _ => "IPV4_UNICAST",
            };
            let place = format!("{node}/afi-safis/afi-safi[afi-safi-name={family}]");
            vec![if no { Delete(place) } else { Set(format!("{place}/config"), json!({"afi-safi-name": family, "enabled": true})) }]
        }
        ["peer", "group"] => Vec::new(),
        ["peer", "group", name] => leaf("config/peer-group", json!(name)),
        ["remote-as", asn] => leaf("config/peer-as", json!(asn.parse::<u32>().ok()?)),
        ["shutdown"] => vec![Set(format!("{node}/config/enabled"), json!(no))],
        ["description", text @ ..] => leaf("config/description", json!(text.join(" "))),
        ["update-source", name] => leaf("transport/config/local-address", json!(name)),
        ["ebgp-multihop", ttl] => leaf("ebgp-multihop/config/multihop-ttl", json!(ttl.parse::<u8>().ok()?)),
        ["send-community", "extended"] => leaf("config/send-community-type", json!(["EXTENDED"])),
        ["maximum-routes", count, rest @ ..] => {
            let mut edits = leaf("prefix-limit/config/max-prefixes", json!(count.parse::<u32>().ok()?));
            if rest.contains(&"warning-only") {
                edits.extend(leaf("prefix-limit/config/prevent-teardown", json!(true)));
            }
            edits
        }
        ["next-hop-self"] => leaf("config/next-hop-self", json!(true)),
        ["next-hop-unchanged"] => leaf("config/next-hop-unchanged", json!(true)),
        [] if no => vec![Delete(node.to_owned())],
        _ => return None,
    })
}
