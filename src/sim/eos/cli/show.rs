//! Show commands, as JSON and as text.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use tonic::Code;

use super::render;
use crate::sim::eos::derive::{Derived, Session, system_mac};
use crate::sim::eos::device::Device;
use crate::sim::eos::fabric::Fabric;
use crate::sim::eos::refusal::Refusal;
use crate::sim::eos::view::{EVPN, IPV4};

/// A show command's answer as text.
///
/// # Errors
/// A command the device does not know.
pub fn text(fabric: &Fabric, device: &Device, command: &str) -> Result<String, Refusal> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["show", "running-config" | "run"] => Ok(render::running(&device.lock().config)),
        ["show", "running-config" | "run", "section", rest @ ..] => Ok(section(&render::running(&device.lock().config), &rest.join(" "))),
        ["show", "startup-config"] => Ok(render::running(&device.lock().startup)),
        _ => json(fabric, device, command).map(|json| {
            let mut out = String::new();
            plain(&json, 0, &mut out);
            out
        }),
    }
}

/// A show command's answer as JSON.
///
/// # Errors
/// A command the device does not know.
pub fn json(fabric: &Fabric, device: &Device, command: &str) -> Result<Json, Refusal> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let derived = device.lock().derived.clone();
    Ok(match words.as_slice() {
        ["show", "running-config" | "run"] => running(&render::running(&device.lock().config)),
        ["show", "startup-config"] => running(&render::running(&device.lock().startup)),
        ["show", "version"] => version(fabric, device),
        ["show", "hostname"] => {
            let name = device.lock().view.hostname.clone();
            json!({"hostname": name, "fqdn": name})
        }
        ["show", "mlag"] => mlag(device, &derived),
        ["show", "mlag", "interfaces"] => mlag_interfaces(&derived),
        ["show", "vxlan", "vtep"] => {
            let vteps: Vec<String> = derived.vteps.iter().map(ToString::to_string).collect();
            json!({"interfaces": {"Vxlan1": {"vteps": vteps}}})
        }
        ["show", "vxlan", "flood", "vtep"] => {
            let vteps: Vec<String> = derived.vteps.iter().map(ToString::to_string).collect();
            let vlans = device
                .lock()
                .view
                .vnis
                .keys()
                .map(|vlan| (vlan.to_string(), json!({"addresses": vteps})))
                .collect::<serde_json::Map<_, _>>();
            json!({"interfaces": {"Vxlan1": {"vteps": vlans}}})
        }
        ["show", "bgp", "evpn", "summary"] => bgp_summary(device, &derived, EVPN),
        ["show", "ip", "bgp", "summary"] | ["show", "bgp", "ipv4", "unicast", "summary"] => bgp_summary(device, &derived, IPV4),
        ["show", "ip", "route"] => routes(&derived),
        other => return Err(unknown(&other.join(" "))),
    })
}

fn unknown(command: &str) -> Refusal {
    Refusal::new(Code::InvalidArgument, format!("failed to run command \"{command}\": invalid command"))
}

/// The lines of blocks whose head or content has `word`.
fn section(text: &str, word: &str) -> String {
    let blocks: Vec<&str> = text.split("!\n").filter(|block| block.contains(word)).collect();
    blocks.concat()
}

/// As `show running-config | json`: commands as keys, blocks nested.
fn running(text: &str) -> Json {
    fn block(lines: &mut std::iter::Peekable<std::vec::IntoIter<(usize, String)>>, depth: usize) -> serde_json::Map<String, Json> {
        let mut commands = serde_json::Map::new();
        while let Some((_, line)) = lines.next_if(|(at, _)| *at >= depth) {
            let inner = match lines.peek() {
                Some((at, _)) if *at > depth => json!({"cmds": block(lines, depth + 1), "comments": []}),
                _ => Json::Null,
            };
            commands.insert(line, inner);
        }
        commands
    }
    let rows: Vec<(usize, String)> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('!') && *line != "end")
        .map(|line| ((line.len() - line.trim_start().len()) / 3, line.trim().to_owned()))
        .collect();
    json!({"cmds": block(&mut rows.into_iter().peekable(), 0), "header": ["! Command: show running-config"]})
}

#[allow(clippy::cast_precision_loss)]
fn version(fabric: &Fabric, device: &Device) -> Json {
    let (boot, now) = (device.lock().boot, device.now());
    json!({
        "modelName": "cEOSLab",
        "version": fabric.options.version,
        "internalVersion": format!("{}-simulated", fabric.options.version),
        "systemMacAddress": system_mac(device.index),
        "serialNumber": format!("SIM{:08}", device.index + 1),
        "memTotal": 3_932_160, "memFree": 2_492_706,
        "bootupTimestamp": boot as f64 / 1e9,
        "uptime": now.saturating_sub(boot) as f64 / 1e9,
        "architecture": "x86_64", "hardwareRevision": "", "mfgName": "Arista", "configMacAddress": "00:00:00:00:00:00",
    })
}

fn mlag(device: &Device, derived: &Derived) -> Json {
    let (Some(state), Some(config)) = (&derived.mlag, device.lock().view.mlag.clone()) else {
        return json!({"state": "disabled", "mlagPorts": {"Disabled": 0, "Configured": 0, "Inactive": 0, "Active-partial": 0, "Active-full": 0}});
    };
    let count = |wanted: &str| state.ports.values().filter(|(_, state)| *state == wanted).count();
    let link = |up: bool| if up { "up" } else { "down" };
    json!({
        "domainId": config.domain.unwrap_or_default(),
        "localInterface": config.local_intf.unwrap_or_default(),
        "peerAddress": config.peer_address.map_or(String::new(), |address| address.to_string()),
        "peerLink": config.peer_link.unwrap_or_default(),
        "heartbeatPeerAddress": config.heartbeat.unwrap_or_default(),
        "state": if config.disabled { "disabled" } else if state.active { "active" } else { "inactive" },
        "negStatus": if state.active { "connected" } else { "connecting" },
        "peerLinkStatus": link(state.peer_link),
        "localIntfStatus": link(state.local),
        "systemId": state.system_id,
        "configSanity": "consistent",
        "dualPrimaryDetectionState": "configured",
        "dualPrimaryPortsErrdisabled": false,
        "mlagState": if state.primary { "primary" } else { "secondary" },
        "reloadDelay": 300, "reloadDelayNonMlag": 300, "portsErrdisabled": false,
        "mlagPorts": {
            "Disabled": count("disabled"), "Configured": count("configured"), "Inactive": count("inactive"),
            "Active-partial": count("active-partial"), "Active-full": count("active-full"),
        },
    })
}

fn mlag_interfaces(derived: &Derived) -> Json {
    let mut list = serde_json::Map::new();
    let peer = derived.mlag.as_ref().and_then(|mlag| mlag.peer.clone()).unwrap_or_default();
    for (id, (name, state)) in derived.mlag.iter().flat_map(|mlag| &mlag.ports) {
        let up = derived.ports.get(name).is_some_and(|port| port.up);
        list.insert(id.to_string(), json!({"localInterface": name, "localInterfaceStatus": if up { "up" } else { "down" }, "peerInterface": format!("{peer} {name}"), "status": state}));
    }
    json!({"interfaces": list})
}

#[allow(clippy::cast_precision_loss)]
fn bgp_summary(device: &Device, derived: &Derived, family: &str) -> Json {
    let view = device.lock().view.clone();
    let peers = derived.sessions.iter().filter(|((vrf, _), session)| vrf == "default" && session.families.contains_key(family));
    let peers = peers.map(|((_, address), session)| (address.to_string(), summary_peer(session, family)));
    json!({"vrfs": {"default": {
        "vrf": "default",
        "routerId": view.router_id().map_or(String::new(), |id| id.to_string()),
        "asn": view.asn().map_or(String::new(), |asn| asn.to_string()),
        "peers": peers.collect::<serde_json::Map<_, _>>(),
    }}})
}

#[allow(clippy::cast_precision_loss)]
fn summary_peer(session: &Session, family: &str) -> Json {
    let exchange = session.families.get(family).copied().flatten().unwrap_or_default();
    json!({
        "version": 4,
        "asn": session.peer_as.map_or(String::new(), |asn| asn.to_string()),
        "peerState": if session.state == "ESTABLISHED" { "Established" } else if session.state == "IDLE" { "Idle" } else if session.state == "CONNECT" { "Connect" } else { "Active" },
        "prefixReceived": exchange.received, "prefixAccepted": exchange.received, "prefixAdvertised": exchange.sent,
        "upDownTime": session.established.unwrap_or(0) as f64 / 1e9,
        "msgReceived": exchange.received + 1, "msgSent": exchange.sent + 1, "inMsgQueue": 0, "outMsgQueue": 0, "underMaintenance": false,
    })
}

fn routes(derived: &Derived) -> Json {
    let routes = derived.rib.iter().map(|((address, length), paths)| {
        (format!("{address}/{length}"), json!({"routeType": if *paths == 0 { "connected" } else { "eBGP" }, "paths": paths.max(&1)}))
    });
    json!({"vrfs": {"default": {"routes": routes.collect::<serde_json::Map<_, _>>()}}})
}

/// JSON as indented text, for commands whose text nobody parses.
fn plain(json: &Json, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match json {
        Json::Object(map) => {
            for (name, value) in map {
                if value.is_object() || value.is_array() {
                    _ = writeln!(out, "{indent}{name}:");
                    plain(value, depth + 1, out);
                } else {
                    _ = writeln!(out, "{indent}{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| plain(item, depth, out)),
        other => _ = writeln!(out, "{indent}{}", other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
    }
}
