//! Lines of the command line as leaves: what no writable YANG path carries.
//!
//! A line is `cli:/running-config/line[command=…][context=…]` with what follows the command as its value (empty for a bare
//! line). The context is the line it stands below (`router bgp 65001`), empty at the top; deeper contexts are joined with ` / `.
//! Only lines somebody asks for are ever read: the rest of a running configuration is not ours.

use std::collections::BTreeMap;

use crate::path::{Elem, ORIGIN_CLI, Path};
use crate::value::Value;

/// The path of one line.
pub fn leaf(context: &str, command: &str) -> Path {
    Path {
        origin: Some(ORIGIN_CLI.to_owned()),
        elems: vec![Elem::new("running-config"), Elem::keyed("line", [("command", command), ("context", context)])],
    }
}

/// Context and command of a path that [`leaf`] made.
pub fn parts(path: &Path) -> Option<(&str, &str)> {
    let line = path.elems.last().filter(|_| path.origin.as_deref() == Some(ORIGIN_CLI))?;
    Some((line.key("context")?, line.key("command")?))
}

/// Divides a running configuration into `(context, line)`, comments left out.
fn lines(running_config: &str) -> Vec<(String, &str)> {
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut rows = Vec::new();
    for line in running_config.lines() {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        if text.is_empty() || text.starts_with('!') {
            continue;
        }
        above.retain(|(depth, _)| *depth < indent);
        rows.push((above.iter().map(|(_, text)| *text).collect::<Vec<_>>().join(" / "), text));
        above.push((indent, text));
    }
    rows
}

/// The wanted lines that a running configuration holds, with their values.
pub fn observe<'a>(running_config: &str, wanted: impl Iterator<Item = &'a Path>) -> Vec<(Path, Value)> {
    let mut by_context: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (context, line) in lines(running_config) {
        by_context.entry(context).or_default().push(line);
    }
    let mut found = Vec::new();
    for path in wanted {
        let Some((context, command)) = parts(path) else { continue };
        let rest = by_context.get(context).into_iter().flatten().find_map(|line| {
            let rest = line.strip_prefix(command)?;
            (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim())
        });
        if let Some(rest) = rest {
            found.push((path.clone(), Value::str(rest)));
        }
    }
    found
}

/// The configuration lines that make these changes: `Some` sets a line, `None` takes it away. Lines of one context stand
/// together, three spaces in; the order given is kept.
pub fn render<'a>(changes: impl IntoIterator<Item = (&'a Path, Option<&'a Value>)>) -> String {
    let mut blocks: Vec<(&str, Vec<String>)> = Vec::new();
    for (path, value) in changes {
        let Some((context, command)) = parts(path) else { continue };
        let line = match value {
            Some(value) => format!("{command} {value}").trim_end().to_owned(),
            None => command.strip_prefix("no ").map_or_else(|| format!("no {command}"), str::to_owned),
        };
        match blocks.iter_mut().find(|(known, _)| *known == context) {
            Some((_, lines)) => lines.push(line),
            None => blocks.push((context, vec![line])),
        }
    }
    let mut text = String::new();
    for (context, lines) in blocks {
        let mut indent = 0;
        for above in context.split(" / ").filter(|above| !above.is_empty()) {
            text.push_str(&format!("{:indent$}{above}\n", ""));
            indent += 3;
        }
        for line in lines {
            text.push_str(&format!("{:indent$}{line}\n", ""));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RUNNING: &str = "! Command: show running-config\nservice routing protocols model multi-agent\n!\ninterface Vlan4090\n   no autostate\n!\nip virtual-router mac-address c001.cafe.babe\n!\nrouter bgp 65001\n   maximum-paths 4 ecmp 64\n   vrf gold\n      rd 1:1\n";

    #[test]
    fn reads_only_what_is_asked_for_in_its_context() {
        let wanted = [
            leaf("router bgp 65001", "maximum-paths"),
            leaf("interface Vlan4090", "no autostate"),
            leaf("", "ip virtual-router mac-address"),
            leaf("router bgp 65001 / vrf gold", "rd"),
            leaf("", "no autostate"),
            leaf("", "service routing protocols mod"),
        ];
        let found = observe(RUNNING, wanted.iter());
        let text: Vec<String> = found.iter().map(|(_, value)| value.to_string()).collect();
        assert_eq!(text, ["4 ecmp 64", "", "c001.cafe.babe", "1:1"]);
    }

    #[test]
    fn renders_blocks_and_their_undoing() {
        let (paths, autostate) = (leaf("router bgp 65001", "maximum-paths"), leaf("interface Vlan4090", "no autostate"));
        let mac = leaf("", "ip virtual-router mac-address");
        let value = Value::str("4 ecmp 64");
        let text = render([(&mac, None), (&paths, Some(&value)), (&autostate, None)]);
        assert_eq!(
            text,
            "no ip virtual-router mac-address\nrouter bgp 65001\n   maximum-paths 4 ecmp 64\ninterface Vlan4090\n   autostate\n"
        );
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_observed(context in "(|router bgp [0-9]{1,4}|interface Vlan[0-9]{1,3})", command in "[a-z]{1,8}( [a-z]{1,5})?", value in "([a-z0-9]{1,6})?") {
            let path = leaf(&context, &command);
            let wanted = Value::str(&value);
            let text = render([(&path, Some(&wanted))]);
            prop_assert_eq!(observe(&text, [&path].into_iter()), vec![(path.clone(), wanted)]);
        }
    }
}
