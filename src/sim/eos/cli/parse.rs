//! What configuration commands do: those a leaf carries write the leaf, the rest stay as lines.
//!
//! The mode follows EOS: a command opens its block, `exit` leaves it, and where a text is indented the indentation decides.

use serde_json::{Value as Json, json};
use tonic::Code;

use super::Lines;
use super::edits::{Edit, edits};
use super::lines::opens_block;
use crate::path::Path;
use crate::sim::eos::commit::{Config, put};
use crate::sim::eos::nodes::Nodes;
use crate::sim::eos::refusal::Refusal;
use crate::sim::eos::store::remove_covered;
use crate::sim::eos::view::{self, View};
use crate::value::Value;

/// The configuration mode a command is read in; kept across the Updates of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// The opened block and those inside it, outermost first.
    pub blocks: Vec<String>,
}

/// First words of global commands this device takes; others are no commands.
const GLOBAL: [&str; 63] = [
    "aaa",
    "agent",
    "alias",
    "arp",
    "banner",
    "bfd",
    "boot",
    "clock",
    "control-plane",
    "daemon",
    "default",
    "dns",
    "dot1x",
    "email",
    "enable",
    "errdisable",
    "event-handler",
    "event-monitor",
    "flow",
    "hardware",
    "hostname",
    "interface",
    "ip",
    "ipv6",
    "l2-protocol",
    "lacp",
    "lldp",
    "load-interval",
    "logging",
    "mac",
    "mac-address-table",
    "management",
    "mlag",
    "monitor",
    "mpls",
    "ntp",
    "peer-filter",
    "platform",
    "policy-map",
    "poll",
    "port-channel",
    "prompt",
    "ptp",
    "qos",
    "queue-monitor",
    "radius-server",
    "redundancy",
    "role",
    "route-map",
    "router",
    "schedule",
    "service",
    "sflow",
    "snmp-server",
    "spanning-tree",
    "switchport",
    "system",
    "tacacs-server",
    "terminal",
    "transceiver",
    "username",
    "vlan",
    "vrf",
];

/// Does command lines to a configuration.
///
/// # Errors
/// A [`Refusal`] with the number of the line.
pub fn apply(nodes: &Nodes, config: &mut Config, mode: &mut Mode, text: &str) -> Result<(), Refusal> {
    let indented = text.lines().any(|line| line.starts_with([' ', '\t']));
    let count = text.lines().count();
    for (number, raw) in text.lines().enumerate() {
        let line = raw.trim();
        let depth = (raw.len() - raw.trim_start().len()).div_ceil(3);
        if line.is_empty() || line.starts_with('!') {
            if line == "!" && depth == 0 && indented {
                mode.blocks.clear();
            }
            continue;
        }
        // The first line may go on where the Update before stopped.
        if indented && number > 0 && mode.blocks.len() > depth {
            mode.blocks.truncate(depth);
        }
        let failed = |refusal: Refusal| {
            Refusal::new(
                Code::InvalidArgument,
                format!("failed to apply: CLI command {} of {count} '{line}' failed: {}", number + 1, refusal.message),
            )
        };
        command(nodes, config, mode, line).map_err(failed)?;
    }
    Ok(())
}

fn command(nodes: &Nodes, config: &mut Config, mode: &mut Mode, line: &str) -> Result<(), Refusal> {
    match line {
        "end" => mode.blocks.clear(),
        "exit" => _ = mode.blocks.pop(),
        "configure" | "configure terminal" | "enable" => {}
        _ => {
            let (negated, words) =
                line.strip_prefix("no ").or_else(|| line.strip_prefix("default ")).map_or((false, line), |rest| (true, rest));
            if let Some(block) = entered(mode, words) {
                if negated {
                    return remove_block(nodes, config, mode, words);
                }
                mode.blocks = block;
            } else if mode.blocks.is_empty() && !GLOBAL.contains(&words.split(' ').next().unwrap_or_default()) {
                return Err(Refusal::new(Code::InvalidArgument, "invalid command"));
            }
            return act(nodes, config, mode, words, negated);
        }
    }
    Ok(())
}

/// The blocks a command leads to, if it opens one.
fn entered(mode: &Mode, words: &str) -> Option<Vec<String>> {
    let top = mode.blocks.first().map_or("", String::as_str);
    if top.starts_with("router ") && ["address-family ", "vlan ", "vrf "].iter().any(|opener| words.starts_with(opener)) {
        let mut blocks = vec![top.to_owned()];
        // A family of a VRF stays inside the VRF.
        if words.starts_with("address-family ") {
            blocks.extend(mode.blocks.get(1).filter(|block| block.starts_with("vrf ")).cloned());
        }
        blocks.push(words.to_owned());
        return Some(blocks);
    }
    // `vrf gold` inside an interface is a command, not a block.
    opens_block(words).then(|| vec![words.to_owned()])
}

fn act(nodes: &Nodes, config: &mut Config, mode: &Mode, words: &str, negated: bool) -> Result<(), Refusal> {
    let opened = mode.blocks.last().is_some_and(|block| block == words);
    let asks = ["interface", "maximum-paths"].iter().any(|word| words.starts_with(word));
    let view = if asks { View::of(&config.leaves, &config.lines) } else { View::default() };
    if let Some(edits) = edits(&view, &mode.blocks, words, negated) {
        for edit in edits {
            perform(nodes, config, edit)?;
        }
        return Ok(());
    }
    if !opened {
        let block = mode.blocks.join(" / ");
        match negated {
            true => config.lines.negate(&block, words),
            false if config.lines.restore(&block, words) => {}
            false => config.lines.set(&block, words),
        }
    }
    Ok(())
}

fn perform(nodes: &Nodes, config: &mut Config, edit: Edit) -> Result<(), Refusal> {
    match edit {
        Edit::Set(path, value) => put(nodes, config, &Path::parse(&path).map_err(bad)?, &value, false),
        Edit::Add(path, value) => put(nodes, config, &Path::parse(&path).map_err(bad)?, &value, true),
        Edit::Delete(path) => {
            remove_covered(&mut config.leaves, &Path::parse(&path).map_err(bad)?);
            Ok(())
        }
        Edit::Drop(path, member) => {
            let path = Path::parse(&path).map_err(bad)?;
            let left: Vec<Json> = match config.leaves.get(&path).and_then(Value::items) {
                Some(items) => items.iter().filter(|item| item.to_string() != member).map(Value::to_json).collect(),
                None => return Ok(()),
            };
            remove_covered(&mut config.leaves, &path);
            if left.is_empty() { Ok(()) } else { put(nodes, config, &path, &json!(left), false) }
        }
        Edit::Line(block, line) => {
            config.lines.set(&block, &line);
            Ok(())
        }
        Edit::NoLine(block, line) => {
            config.lines.negate(&block, &line);
            Ok(())
        }
    }
}

fn bad(error: crate::path::PathError) -> Refusal {
    Refusal::new(Code::InvalidArgument, error.to_string())
}

fn remove_block(nodes: &Nodes, config: &mut Config, mode: &Mode, words: &str) -> Result<(), Refusal> {
    let mut blocks = entered(mode, words).unwrap_or_default();
    let name = blocks.join(" / ");
    if blocks.len() == 1 {
        blocks.clear();
    }
    let inside = format!("{name} / ");
    config.lines.drop_blocks(|block| {
        block == name || block.starts_with(&inside) || (words.starts_with("router bgp") && block.starts_with("router bgp"))
    });
    for edit in edits(&View::default(), &blocks, words, true).into_iter().flatten() {
        perform(nodes, config, edit)?;
    }
    Ok(())
}

/// A leaf was written over gNMI: lines that say the same thing follow it.
pub fn follow(lines: &mut Lines, path: &Path, value: &Value) {
    match path.name() {
        "maximum-paths" => {
            let old: Vec<(String, String)> = lines
                .iter()
                .filter(|(block, line)| block.starts_with("router bgp") && line.starts_with("maximum-paths "))
                .map(|(block, line)| (block.to_owned(), line.to_owned()))
                .collect();
            for (block, line) in old {
                let tail = line.split(' ').skip(2).collect::<Vec<_>>().join(" ");
                lines.set(&block, format!("maximum-paths {value} {tail}").trim_end());
            }
        }
        "trunk-vlans" => {
            if let Some(name) = path.key("interface", "name") {
                lines.negate(&format!("interface {name}"), "switchport trunk allowed vlan");
            }
        }
        _ => {}
    }
}

/// `40,45-47` of the command line as a JSON leaf-list; ranges as EOS spells them in YANG.
pub fn vlan_list(text: &str) -> Json {
    let member = |part: &str| match part.split_once('-') {
        Some((from, to)) => json!(format!("{from}..{to}")),
        None => part.parse::<u16>().map_or_else(|_| json!(part), |id| json!(id)),
    };
    Json::Array(text.split(',').map(member).collect())
}

/// Address and length of `10.0.0.1/24`.
pub fn address(text: &str) -> Option<(String, u8)> {
    let (ip, length) = view::prefix(text)?;
    Some((ip.to_string(), length))
}
