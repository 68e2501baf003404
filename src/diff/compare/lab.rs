//! The lab's device documents as trees, for the tests of diff and plan.

use std::sync::{Arc, OnceLock};

use crate::path::Path;
use crate::tree::{Origin, Paths, Tree};
use crate::value::Value;
use crate::yang::Schema;

pub fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| Schema::eos().unwrap())
}

pub fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// The document and the command lines a lab device boots with.
pub fn device(name: &str, paths: &Arc<Paths>) -> Tree {
    let root = env!("CARGO_MANIFEST_DIR");
    let text = std::fs::read_to_string(format!("{root}/lab/devices/{name}.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut tree = Tree::new(Arc::clone(paths));
    let origin = Arc::new(Origin { object: format!("device {name}"), ..Origin::default() });
    for (path, value) in schema().flatten(&Path::root(), &json).unwrap() {
        tree.set_from(&path, value, &origin);
    }
    let cli = std::fs::read_to_string(format!("{root}/lab/devices/{name}.cli")).unwrap();
    let mut context = String::new();
    for line in cli.lines().filter(|line| !line.starts_with('!')) {
        match line.strip_prefix("   ") {
            Some(child) => {
                let (command, value) = known(child);
                tree.set_from(&cli_line(&context, command), Value::str(value), &origin);
            }
            None if line.starts_with("username") || line.starts_with("service") || line.starts_with("ip ") => {
                let (command, value) = known(line);
                tree.set_from(&cli_line("", command), Value::str(value), &origin);
                context.clear();
            }
            None => line.clone_into(&mut context),
        }
    }
    tree
}

fn known(line: &str) -> (&str, &str) {
    ["ip virtual-router mac-address", "maximum-paths", "switchport trunk group", "username admin"]
        .into_iter()
        .find_map(|command| Some((command, line.strip_prefix(command)?.trim_start())))
        .unwrap_or((line, ""))
}

pub fn cli_line(context: &str, command: &str) -> Path {
    Path::root().child("running-config").entry("line", [("command", command), ("context", context)]).with_origin("cli")
}
