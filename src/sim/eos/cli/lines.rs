//! Configuration lines that no writable path carries, each with the block it stands in.

/// The lines, in the order they were given, as `(block, line)`. The block is empty at the top: `router bgp 65001`,
/// `no bgp default ipv4-unicast`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    rows: Vec<(String, String)>,
}

/// Commands that hold one value: a new line of the same command replaces the old one.
const SINGLE: [&str; 22] = [
    "ip virtual-router mac-address",
    "maximum-paths",
    "service routing protocols model",
    "spanning-tree mode",
    "name",
    "revision",
    "mac-address",
    "hostname",
    "logging buffered",
    "logging console",
    "clock timezone",
    "load-interval",
    "bgp cluster-id",
    "bgp listen limit",
    "timers bgp",
    "aaa authorization exec default",
    "reload-delay mlag",
    "reload-delay non-mlag",
    "queue-monitor length",
    "vxlan udp-port",
    "lacp timer",
    "switchport trunk allowed vlan",
];

/// Commands that are on unless negated: their `no` form is a line of its own.
const DEFAULT_ON: [&str; 11] = [
    "autostate",
    "bgp default ipv4-unicast",
    "lldp transmit",
    "lldp receive",
    "ip icmp redirect",
    "ip redirects",
    "logging event link-status",
    "switchport",
    "aaa root",
    "errdisable detect cause link-change",
    "snmp trap link-change",
];

impl Lines {
    /// Reads a `.cli` file: blocks between `!` lines, children indented, `! note:` lines are comments.
    pub fn read(text: &str) -> Self {
        let mut lines = Self::default();
        let mut block = String::new();
        for line in text.lines() {
            let words = line.trim();
            if words.is_empty() || words.starts_with('!') {
                if words == "!" {
                    block.clear();
                }
                continue;
            }
            if line.starts_with(char::is_whitespace) {
                lines.set(&block, words);
            } else {
                if opens_block(words) {
                    words.clone_into(&mut block);
                    continue;
                }
                block.clear();
                lines.set("", words);
            }
        }
        lines
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rows.iter().map(|(block, line)| (block.as_str(), line.as_str()))
    }

    /// Lines of one block.
    pub fn of<'a>(&'a self, block: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(have, _)| *have == block).map(|(_, line)| line)
    }

    /// Blocks, in the order they first appear.
    pub fn blocks(&self) -> Vec<&str> {
        let mut blocks = Vec::new();
        for (block, _) in self.iter() {
            if !blocks.contains(&block) {
                blocks.push(block);
            }
        }
        blocks
    }

    /// Adds a line to a block, instead of what it contradicts.
    pub fn set(&mut self, block: &str, line: &str) {
        let positive = line.strip_prefix("no ").unwrap_or(line);
        let command = command_of(positive);
        self.rows.retain(|(have, old)| {
            let old_positive = old.strip_prefix("no ").unwrap_or(old);
            !(have == block && (old_positive == positive || (SINGLE.contains(&command) && command_of(old_positive) == command)))
        });
        self.rows.push((block.to_owned(), line.to_owned()));
    }

    /// `no line`: removes what the line set, or notes that something on by default is off.
    pub fn negate(&mut self, block: &str, line: &str) {
        let below = format!("{line} ");
        self.rows.retain(|(have, old)| {
            let same = |text: &str| text == line || text.starts_with(&below);
            !(have == block && (same(old) || old.strip_prefix("no ").is_some_and(same)))
        });
        if DEFAULT_ON.contains(&line) {
            self.rows.push((block.to_owned(), format!("no {line}")));
        }
    }

    /// A command that is on by default was given: only its negation goes.
    pub fn restore(&mut self, block: &str, line: &str) -> bool {
        let on = DEFAULT_ON.contains(&line);
        if on {
            let negation = format!("no {line}");
            self.rows.retain(|(have, old)| !(have == block && *old == negation));
        }
        on
    }

    /// Removes a block with everything in it.
    pub fn drop_block(&mut self, block: &str) {
        self.rows.retain(|(have, _)| have != block);
    }

    /// Removes the blocks `gone` says yes to.
    pub fn drop_blocks(&mut self, gone: impl Fn(&str) -> bool) {
        self.rows.retain(|(have, _)| !gone(have));
    }
}

/// The part of a line that names the command, for those that hold one value; else the whole line.
fn command_of(line: &str) -> &str {
    SINGLE
        .iter()
        .find(|command| line.strip_prefix(**command).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
        .copied()
        .unwrap_or(line)
}

/// Whether a top-level line opens a block.
pub fn opens_block(line: &str) -> bool {
    const OPENERS: [&str; 24] = [
        "interface ",
        "router ",
        "vlan ",
        "vrf instance ",
        "mlag configuration",
        "management ",
        "route-map ",
        "ip access-list ",
        "ipv6 access-list ",
        "mac access-list ",
        "class-map ",
        "policy-map ",
        "qos profile ",
        "peer-filter ",
        "aaa group ",
        "monitor ",
        "tap aggregation",
        "daemon ",
        "event-handler ",
        "control-plane",
        "spanning-tree mst configuration",
        "hardware ",
        "system ",
        "traffic-policies",
    ];
    OPENERS.iter().any(|opener| line == opener.trim_end() || line.starts_with(opener))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lab_files_form() {
        let text = "username admin privilege 15\n! note: secret\n!\ninterface Vlan4090\n   no autostate\n!\nip virtual-router mac-address c001.cafe.babe\n";
        let lines = Lines::read(text);
        let rows: Vec<_> = lines.iter().collect();
        assert_eq!(
            rows,
            [
                ("", "username admin privilege 15"),
                ("interface Vlan4090", "no autostate"),
                ("", "ip virtual-router mac-address c001.cafe.babe")
            ]
        );
    }

    #[test]
    fn a_single_valued_command_replaces_and_a_default_is_restored() {
        let mut lines = Lines::read("ip virtual-router mac-address c001.cafe.babe\n!\nrouter bgp 65001\n   no bgp default ipv4-unicast\n");
        lines.set("", "ip virtual-router mac-address 0000.0000.0001");
        assert_eq!(lines.of("").collect::<Vec<_>>(), ["ip virtual-router mac-address 0000.0000.0001"]);
        assert!(lines.restore("router bgp 65001", "bgp default ipv4-unicast"));
        assert_eq!(lines.of("router bgp 65001").count(), 0);
        lines.negate("router bgp 65001", "bgp default ipv4-unicast");
        assert_eq!(lines.of("router bgp 65001").collect::<Vec<_>>(), ["no bgp default ipv4-unicast"]);
        lines.negate("", "ip virtual-router mac-address");
        assert_eq!(lines.of("").count(), 0);
    }
}
