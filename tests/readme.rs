//! Holds the README to the product: its key table is the console's, its commands exist.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::fs;

use fabric_orchestrator::tui::keys;

const BEGIN: &str = "<!-- keys: written by `UPDATE_README=1 cargo test --test readme` -->\n";
const END: &str = "<!-- /keys -->";

#[test]
fn the_key_table_is_the_consoles() {
    let readme = fs::read_to_string("README.md").unwrap();
    let (head, rest) = readme.split_once(BEGIN).expect("the marker before the table");
    let (table, tail) = rest.split_once(END).expect("the marker after the table");
    let now = keys::markdown();
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write("README.md", format!("{head}{BEGIN}{now}{END}{tail}")).unwrap();
    } else {
        assert_eq!(table, now, "run UPDATE_README=1 cargo test --test readme");
    }
}

#[test]
fn the_command_table_names_every_command() {
    let readme = fs::read_to_string("README.md").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_fabric-orch")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1).take_while(|line| !line.trim().is_empty());
    let commands = commands.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<_> = commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.len() >= 7, "{help}");
    for name in names {
        assert!(readme.contains(&format!("`{name}")), "`{name}` is not in the README's table");
    }
}

#[test]
fn every_local_file_it_names_exists() {
    let readme = fs::read_to_string("README.md").unwrap();
    for piece in readme.split('`').skip(1).step_by(2) {
        let path = piece.split_whitespace().next().unwrap_or_default();
        if ["src/", "lab/", "tests/", "benches/", ".ci/"].iter().any(|top| path.starts_with(top)) {
            assert!(std::path::Path::new(path).exists(), "{path}");
        }
    }
}
