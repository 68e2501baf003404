//! `show running-config` out of leaves and lines, in the order EOS prints blocks.

use std::collections::BTreeSet;

use super::lines::Lines;
use crate::path::Path;
use crate::sim::eos::commit::Config;
use crate::sim::eos::derive::port_number;
use crate::sim::eos::view::{Bgp, Peer, View};
use crate::value::Value;

/// A block of the configuration: its first line and what stands in it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Block {
    head: String,
    lines: Vec<String>,
    inner: Vec<Block>,
}

impl Block {
    fn new(head: impl Into<String>) -> Self {
        Self { head: head.into(), ..Self::default() }
    }

    fn line(&mut self, text: impl Into<String>) {
        self.lines.push(text.into());
    }

    fn write(&self, depth: usize, out: &mut String) {
        let indent = "   ".repeat(depth);
        out.push_str(&format!("{indent}{}\n", self.head));
        for line in &self.lines {
            out.push_str(&format!("{indent}   {line}\n"));
        }
        for block in &self.inner {
            out.push_str(&format!("{indent}   !\n"));
            block.write(depth + 1, out);
        }
    }
}

/// The running configuration as text.
pub fn running(config: &Config) -> String {
    let view = View::of(&config.leaves, &config.lines);
    let read = Read { config };
    let mut blocks: Vec<Block> = Vec::new();
    let early = |line: &str| ["no aaa", "username", "service", "aaa", "management"].iter().any(|word| line.starts_with(word));
    blocks.extend(config.lines.of("").filter(|line| early(line)).map(Block::new));
    if let Some(name) = read.text("/system/config/hostname") {
        blocks.push(Block::new(format!("hostname {name}")));
    }
    if let Some(port) = read.text("/lldp/config/management-address/interface") {
        blocks.push(Block::new(format!("lldp management-address {port}")));
    }
    let disabled = read.items("/stp/global/config/disabled-vlan");
    if !disabled.is_empty() {
        blocks.push(Block::new(format!("no spanning-tree vlan-id {}", disabled.join(","))));
    }
    // VLAN 1 is always there and never printed.
    blocks.extend(view.vlans.keys().filter(|id| **id != 1).map(|id| vlan(&read, *id)));
    blocks.extend(view.vrfs.keys().filter(|name| *name != "default").map(|name| Block::new(format!("vrf instance {name}"))));
    let mut names: Vec<&String> = view.interfaces.keys().collect();
    let rank =
        |name: &str| ["Port-Channel", "Ethernet", "Loopback", "Management", "Vlan", "Vxlan"].iter().position(|kind| name.starts_with(kind));
    names.sort_by_key(|name| (rank(name), port_number(name), (*name).clone()));
    blocks.extend(names.into_iter().map(|name| interface(&read, &view, name)));
    blocks.extend(config.lines.of("").filter(|line| !early(line)).map(Block::new));
    for (name, vrf) in &view.vrfs {
        let tail = if name == "default" { String::new() } else { format!(" vrf {name}") };
        blocks.push(Block::new(format!("{}ip routing{tail}", if vrf.routing { "" } else { "no " })));
    }
    blocks.extend(mlag(&read, &view));
    blocks.extend(routes(config));
    blocks.extend(bgp(&read, &view));
    merge_lines(&mut blocks, &config.lines);
    let mut out = String::from("! Command: show running-config\n! device: EOS-4.35.0F\n!\n");
    for block in &blocks {
        block.write(0, &mut out);
        out.push_str("!\n");
    }
    out.push_str("end\n");
    out
}

/// Lines of blocks go into the block of the same head, or into one of their own.
fn merge_lines(blocks: &mut Vec<Block>, lines: &Lines) {
    'lines: for (place, line) in lines.iter().filter(|(place, _)| !place.is_empty()) {
        let mut heads = place.split(" / ");
        let Some(top) = heads.next() else { continue };
        let at = blocks.iter().position(|block| block.head == top).unwrap_or_else(|| {
            blocks.push(Block::new(top));
            blocks.len() - 1
        });
        let Some(mut block) = blocks.get_mut(at) else { continue };
        for head in heads {
            let at = block.inner.iter().position(|inner| inner.head == head).unwrap_or(block.inner.len());
            if at == block.inner.len() {
                block.inner.push(Block::new(head));
            }
            let Some(inner) = block.inner.get_mut(at) else { continue 'lines };
            block = inner;
        }
        // The same command out of a leaf gives way to the fuller line.
        let command = line.split(' ').next().unwrap_or_default();
        if command == "maximum-paths" {
            block.lines.retain(|have| !have.starts_with("maximum-paths "));
        }
        if !block.lines.iter().any(|have| have == line) {
            block.line(line);
        }
    }
}

struct Read<'a> {
    config: &'a Config,
}

impl Read<'_> {
    fn value(&self, at: &str) -> Option<&Value> {
        self.config.leaves.get(&Path::parse(at).ok()?)
    }

    fn text(&self, at: &str) -> Option<String> {
        self.value(at).map(ToString::to_string)
    }

    fn items(&self, at: &str) -> Vec<String> {
        self.value(at).and_then(Value::items).unwrap_or_default().iter().map(ToString::to_string).collect()
    }
}

fn vlan(read: &Read<'_>, id: u16) -> Block {
    let base = format!("/network-instances/network-instance[name=default]/vlans/vlan[vlan-id={id}]/config");
    let mut block = Block::new(format!("vlan {id}"));
    block.lines.extend(read.text(&format!("{base}/name")).map(|name| format!("name {name}")));
    block.lines.extend(read.items(&format!("{base}/trunk-groups")).into_iter().map(|group| format!("trunk group {group}")));
    if read.text(&format!("{base}/status")).as_deref() == Some("SUSPENDED") {
        block.line("state suspend");
    }
    block
}

fn interface(read: &Read<'_>, view: &View, name: &str) -> Block {
    let base = format!("/interfaces/interface[name={name}]");
    let mut block = Block::new(format!("interface {name}"));
    let Some(entry) = view.interfaces.get(name) else { return block };
    block.lines.extend(entry.description.as_ref().map(|text| format!("description {text}")));
    if !entry.enabled {
        block.line("shutdown");
    }
    block.lines.extend(entry.mtu.map(|mtu| format!("mtu {mtu}")));
    if name.starts_with("Ethernet") && entry.routed {
        block.line("no switchport");
    }
    for group in ["ethernet", "aggregation"] {
        let port = format!("{base}/{group}/switched-vlan/config");
        block.lines.extend(read.text(&format!("{port}/access-vlan")).map(|id| format!("switchport access vlan {id}")));
        block.lines.extend(read.text(&format!("{port}/native-vlan")).map(|id| format!("switchport trunk native vlan {id}")));
        let vlans = read.items(&format!("{port}/trunk-vlans"));
        if !vlans.is_empty() {
            block.line(format!("switchport trunk allowed vlan {}", vlans.join(",").replace("..", "-")));
        }
        block.lines.extend(
            read.text(&format!("{port}/interface-mode"))
                .filter(|mode| mode == "TRUNK" || group == "ethernet")
                .map(|mode| format!("switchport mode {}", mode.to_lowercase())),
        );
        block.lines.extend(read.items(&format!("{port}/trunk-groups")).into_iter().map(|group| format!("switchport trunk group {group}")));
    }
    if let Some(lag) = &entry.aggregate {
        let on = view.interfaces.get(lag).is_none_or(|lag| lag.lag_type.as_deref() != Some("LACP"));
        let mode = if on { "on".to_owned() } else { view.lacp.get(lag).map_or_else(|| "active".to_owned(), |mode| mode.to_lowercase()) };
        block.line(format!("channel-group {} mode {mode}", port_number(lag)));
    }
    if entry.vrf != "default" {
        block.line(format!("vrf {}", entry.vrf));
    }
    block.lines.extend(entry.addresses.iter().map(|(address, length)| format!("ip address {address}/{length}")));
    block.lines.extend(entry.virtual_address.map(|(address, length)| format!("ip address virtual {address}/{length}")));
    for address in view.varp.get(name).into_iter().flatten() {
        block.line(format!("ip virtual-router address {}", address.strip_suffix("/32").unwrap_or(address)));
    }
    block.lines.extend(entry.mlag.map(|id| format!("mlag {id}")));
    let lag = format!("{base}/aggregation/config");
    block
        .lines
        .extend(read.text(&format!("{lag}/fallback-timeout")).map(|seconds| format!("port-channel lacp fallback timeout {seconds}")));
    block.lines.extend(read.text(&format!("{lag}/fallback")).map(|mode| format!("port-channel lacp fallback {mode}")));
    if read.text(&format!("/stp/interfaces/interface[name={name}]/config/link-type")).as_deref() == Some("P2P") {
        block.line("spanning-tree link-type point-to-point");
    }
    if name.starts_with("Vxlan") {
        block.lines.extend(view.vxlan_source.as_ref().map(|source| format!("vxlan source-interface {source}")));
        block.lines.extend(view.vxlan_port.map(|port| format!("vxlan udp-port {port}")));
        block.lines.extend(view.vnis.iter().map(|(vlan, vni)| format!("vxlan vlan {vlan} vni {vni}")));
        block.lines.extend(view.l3_vnis.iter().map(|(vrf, vni)| format!("vxlan vrf {vrf} vni {vni}")));
        if read.text(&format!("{base}/arista-vxlan/config/mac-learn-mode")).as_deref() == Some("LEARN_FROM_ANY") {
            block.line("vxlan learn-restrict any");
        }
    }
    block
}

fn mlag(read: &Read<'_>, view: &View) -> Option<Block> {
    let mlag = view.mlag.as_ref()?;
    let mut block = Block::new("mlag configuration");
    block.lines.extend(mlag.domain.as_ref().map(|domain| format!("domain-id {domain}")));
    block.lines.extend(mlag.local_intf.as_ref().map(|name| format!("local-interface {name}")));
    block.lines.extend(mlag.peer_address.map(|address| format!("peer-address {address}")));
    let vrf = mlag.heartbeat_vrf.as_ref().map_or(String::new(), |vrf| format!(" vrf {vrf}"));
    block.lines.extend(mlag.heartbeat.as_ref().map(|address| format!("peer-address heartbeat {address}{vrf}")));
    block.lines.extend(mlag.peer_link.as_ref().map(|name| format!("peer-link {name}")));
    let delay = read.text("/arista/eos/mlag/config/dual-primary-detection-delay");
    let action = read.text("/arista/eos/mlag/config/dual-primary-action").map(|action| action.replacen('-', " ", 1));
    if let (Some(delay), Some(action)) = (delay, action) {
        block.line(format!("dual-primary detection delay {} action {action}", delay.trim_end_matches(".0")));
    }
    if mlag.disabled {
        block.line("shutdown");
    }
    Some(block)
}

fn routes(config: &Config) -> Vec<Block> {
    let hops = config.leaves.iter().filter(|(path, _)| path.name() == "next-hop" && path.key("static", "prefix").is_some());
    hops.map(|(path, hop)| {
        let vrf = path.key("network-instance", "name").filter(|vrf| *vrf != "default").map_or(String::new(), |vrf| format!("vrf {vrf} "));
        Block::new(format!("ip route {vrf}{} {hop}", path.key("static", "prefix").unwrap_or_default()))
    })
    .collect()
}

fn bgp(read: &Read<'_>, view: &View) -> Option<Block> {
    let bgp = view.vrfs.get("default")?.bgp.as_ref()?;
    let base = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";
    let mut block = Block::new(format!("router bgp {}", bgp.asn?));
    block.lines.extend(bgp.router_id.map(|id| format!("router-id {id}")));
    let distance = |leaf: &str| read.text(&format!("{base}/global/default-route-distance/config/{leaf}-route-distance"));
    if let (Some(external), Some(internal)) = (distance("external"), distance("internal")) {
        block.line(format!("distance bgp {external} {internal} {}", distance("local").unwrap_or_default()).trim_end().to_owned());
    }
    if bgp.maximum_paths > 1 {
        block.line(format!("maximum-paths {}", bgp.maximum_paths));
    }
    for (name, group) in &bgp.groups {
        block.line(format!("neighbor {name} peer group"));
        peer(read, &mut block, name, group, &format!("{base}/peer-groups/peer-group[peer-group-name={name}]"));
    }
    for (address, neighbor) in &bgp.neighbors {
        peer(read, &mut block, &address.to_string(), neighbor, &format!("{base}/neighbors/neighbor[neighbor-address={address}]"));
    }
    for (name, evi) in &view.evis {
        let mut inner = Block::new(format!("vlan {name}"));
        if !evi.rd.is_empty() {
            inner.line(format!("rd {}", evi.rd));
        }
        targets(&mut inner, &evi.import, &evi.export, "");
        for what in read.items(&format!("/arista/eos/evpn/evpn-instances/evpn-instance[name={name}]/config/redistribute")) {
            inner.line(format!("redistribute {}", what.to_lowercase().replace('_', "-")));
        }
        block.inner.push(inner);
    }
    block.inner.extend(families(bgp));
    for (name, vrf) in view.vrfs.iter().filter(|(name, _)| *name != "default") {
        let Some(bgp) = &vrf.bgp else { continue };
        let mut inner = Block::new(format!("vrf {name}"));
        inner.lines.extend(vrf.rd.as_ref().map(|rd| format!("rd {rd}")));
        for (direction, set) in [("import", &bgp.import), ("export", &bgp.export)] {
            inner.lines.extend(set.iter().map(|target| format!("route-target {direction} evpn {target}")));
        }
        let base = base.replace("default", name);
        for (address, neighbor) in &bgp.neighbors {
            peer(read, &mut inner, &address.to_string(), neighbor, &format!("{base}/neighbors/neighbor[neighbor-address={address}]"));
        }
        if vrf.redistribute.contains("DIRECTLY_CONNECTED") {
            inner.line("redistribute connected");
        }
        inner.inner.extend(families(bgp));
        block.inner.push(inner);
    }
    Some(block)
}

fn targets(block: &mut Block, import: &BTreeSet<String>, export: &BTreeSet<String>, family: &str) {
    for target in import.union(export) {
        let direction = match (import.contains(target), export.contains(target)) {
            (true, true) => "both",
            (true, false) => "import",
            _ => "export",
        };
        block.line(format!("route-target {direction} {family}{target}"));
    }
}

fn families(bgp: &Bgp) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (family, name) in [("L2VPN_EVPN", "evpn"), ("IPV4_UNICAST", "ipv4"), ("IPV6_UNICAST", "ipv6")] {
        let mut block = Block::new(format!("address-family {name}"));
        let said = |peer: &Peer| peer.families.get(family).map(|on| if *on { "" } else { "no " });
        let groups = bgp.groups.iter().filter_map(|(name, peer)| Some((name.clone(), said(peer)?)));
        let neighbors = bgp.neighbors.iter().filter_map(|(address, peer)| Some((address.to_string(), said(peer)?)));
        block.lines.extend(groups.chain(neighbors).map(|(who, no)| format!("{no}neighbor {who} activate")));
        if name == "ipv4" {
            block.lines.extend(bgp.networks.iter().map(|(address, length)| format!("network {address}/{length}")));
        }
        if !block.lines.is_empty() {
            blocks.push(block);
        }
    }
    blocks
}

fn peer(read: &Read<'_>, block: &mut Block, who: &str, peer: &Peer, base: &str) {
    block.lines.extend(peer.group.as_ref().map(|group| format!("neighbor {who} peer group {group}")));
    block.lines.extend(peer.peer_as.map(|asn| format!("neighbor {who} remote-as {asn}")));
    if peer.enabled == Some(false) {
        block.line(format!("neighbor {who} shutdown"));
    }
    for (leaf, command) in [("next-hop-self", "next-hop-self"), ("next-hop-unchanged", "next-hop-unchanged")] {
        if read.value(&format!("{base}/config/{leaf}")).and_then(Value::as_bool) == Some(true) {
            block.line(format!("neighbor {who} {command}"));
        }
    }
    block.lines.extend(peer.source.as_ref().map(|name| format!("neighbor {who} update-source {name}")));
    block.lines.extend(read.text(&format!("{base}/config/description")).map(|text| format!("neighbor {who} description {text}")));
    block.lines.extend(peer.multihop.map(|ttl| format!("neighbor {who} ebgp-multihop {ttl}")));
    if peer.password.is_some() {
        block.line(format!("neighbor {who} password 7 <removed>"));
    }
    if peer.send_extended == Some(true) {
        block.line(format!("neighbor {who} send-community extended"));
    }
    if let Some(count) = read.text(&format!("{base}/prefix-limit/config/max-prefixes")) {
        let warning = read.value(&format!("{base}/prefix-limit/config/prevent-teardown")).and_then(Value::as_bool) == Some(true);
        block.line(format!("neighbor {who} maximum-routes {count}{}", if warning { " warning-only" } else { "" }));
    }
}

/// Unified diff of the running texts of two configurations, one hunk a block, with the block's head as context. Leaves no
/// command stands for are listed by path.
pub fn diff(before: &Config, after: &Config) -> String {
    let (old, new) = (running(before), running(after));
    let mut out = String::from("--- system:/running-config\n+++ session:/running-config\n");
    let (old_rows, new_rows) = (contexts(&old), contexts(&new));
    let (old_set, new_set): (BTreeSet<_>, BTreeSet<_>) = (old_rows.iter().collect(), new_rows.iter().collect());
    let mut context = "";
    for (sign, rows, other) in [('-', &old_rows, &new_set), ('+', &new_rows, &old_set)] {
        for row in rows.iter().filter(|row| !other.contains(row)) {
            if row.0 != context {
                context = &row.0;
                if !context.is_empty() {
                    out.push_str(&format!("@@ @@\n {context}\n"));
                }
            }
            out.push_str(&format!("{sign}{}\n", row.1));
        }
    }
    if old == new {
        for (path, value) in before.leaves.iter().filter(|(path, value)| after.leaves.get(*path) != Some(*value)) {
            out.push_str(&format!("-{path} {value}\n"));
        }
        for (path, value) in after.leaves.iter().filter(|(path, value)| before.leaves.get(*path) != Some(*value)) {
            out.push_str(&format!("+{path} {value}\n"));
        }
    }
    out
}

/// `(block, line with its indentation)` of each line of a running configuration.
fn contexts(text: &str) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut heads: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('!')) {
        let depth = (line.len() - line.trim_start().len()) / 3;
        heads.truncate(depth);
        rows.push((heads.join("\n "), line.to_owned()));
        heads.push(line);
    }
    rows
}
