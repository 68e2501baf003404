//! Holds the dependencies: licences we may ship, one source, no OpenSSL and no aws-lc. Asks cargo, needs no network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::collections::BTreeSet;
use std::process::Command;

/// Every licence expression must be met by these.
const ALLOWED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
    "0BSD",
    "CC0-1.0",
    "MIT-0",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
];
/// Weak copyleft, allowed by name: `option-ext` comes with `directories`.
const BY_NAME: &[(&str, &str)] = &[("option-ext", "MPL-2.0")];
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
const BANNED: &[&str] = &["openssl-sys", "openssl", "native-tls", "aws-lc-rs", "aws-lc-sys"];

/// `name, licence` of every package built for this machine with the features that are on. `cargo metadata` would also name
/// packages behind weak features (`ratatui-termwiz?/serde`) that are never built.
fn built() -> BTreeSet<(String, String)> {
    let arguments = ["tree", "--locked", "--offline", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}|{l}"];
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| {
        let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
        Some((package.split(' ').next()?.to_owned(), licence.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

/// An SPDX expression with OR, AND and parentheses; `/` is the old spelling of OR.
fn met(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let text = expression.replace('/', " OR ");
    let text = text.trim();
    let split = |word: &str| -> Option<(String, String)> {
        let (mut depth, bytes) = (0, text.as_bytes());
        for at in 0..bytes.len() {
            match bytes[at] {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ if depth == 0 && text[at..].starts_with(word) => return Some((text[..at].into(), text[at + word.len()..].into())),
                _ => {}
            }
        }
        None
    };
    if let Some((left, right)) = split(" AND ") {
        return met(&left, allowed) && met(&right, allowed);
    }
    if let Some((left, right)) = split(" OR ") {
        return met(&left, allowed) || met(&right, allowed);
    }
    match text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => met(inner, allowed),
        None => allowed(text),
    }
}

#[test]
fn every_licence_may_be_shipped() {
    let built = built();
    let mut wrong = Vec::new();
    for (name, licence) in &built {
        let allowed = |one: &str| ALLOWED.contains(&one) || BY_NAME.contains(&(name, one));
        if !met(licence, &allowed) {
            wrong.push(format!("{name}: licence {licence}"));
        }
    }
    assert!(built.len() > 100, "the graph was read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Of all systems: what the lock file names.
#[test]
fn the_lock_file_names_one_registry_and_nothing_banned() {
    let lock: toml::Value = toml::from_str(&std::fs::read_to_string("Cargo.lock").unwrap()).unwrap();
    let mut wrong = Vec::new();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if BANNED.contains(&name) {
            wrong.push(format!("{name} is banned"));
        }
        if let Some(source) = package.get("source").and_then(toml::Value::as_str).filter(|source| *source != REGISTRY) {
            wrong.push(format!("{name} comes from {source}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn licence_expressions_are_understood() {
    let mit = |one: &str| one == "MIT";
    assert!(met("Apache-2.0 OR MIT", &mit) && met("MIT/Apache-2.0", &mit) && met("(MIT OR GPL-3.0)", &mit));
    assert!(!met("MIT AND GPL-3.0", &mit) && !met("(MIT OR ISC) AND GPL-3.0", &mit) && met("(ISC OR MIT) AND MIT", &mit));
}
