//! Holds the code to the map in `src/lib.rs`: every module is on it, and nobody imports whom it may not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// `module → (may import, …)`, read from the table in the crate's own page.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string("src/lib.rs").unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let module = cells[0].trim_end_matches("`]").to_owned();
        let may = cells[2].split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        (module, may)
    })
    .collect()
}

/// The product's files: `(top module, file, code)`. Files that only tests build may look at whom they like.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    files.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    let test_only = test_only(&files);
    files
        .into_iter()
        .filter(|path| !test_only.iter().any(|test| path == test || path.starts_with(test.with_extension(""))))
        .map(|path| {
            let first = path.strip_prefix("src").unwrap().iter().next().unwrap().to_str().unwrap();
            (first.trim_end_matches(".rs").to_owned(), path.clone(), product_code(&fs::read_to_string(&path).unwrap()))
        })
        .collect()
}

/// Files declared as `#[cfg(test)] mod name;`.
fn test_only(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = line.strip_suffix(';').and_then(|line| line.rsplit_once("mod ")).map(|(_, name)| name) else { continue };
            let attributes = lines[..at].iter().rev().take_while(|above| above.starts_with("#[") || above.starts_with("///"));
            if attributes.into_iter().any(|attribute| *attribute == "#[cfg(test)]") {
                found.push(file.with_extension("").join(format!("{name}.rs")));
            }
        }
    }
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// The file without comments and without its test modules (which stand last), which may look at whom they like.
fn product_code(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{'));
    let body = &lines[..tests.unwrap_or(lines.len())];
    body.iter().filter(|line| !line.trim_start().starts_with("//")).copied().collect::<Vec<_>>().join("\n")
}

/// Every `crate::…` named in the code: `gnmi::wire`, `plan`, also inside `use crate::{a, b::c}`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect::<String>();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => _ = found.insert(name(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => _ = found.insert(name(std::mem::take(&mut item).trim())),
                        c if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                found.insert(name(item.trim()));
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn nobody_imports_whom_it_may_not() {
    let table = table();
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(may) = table.get(&module) else {
            wrong.push(format!("{}: module `{module}` is not on the map in src/lib.rs", path.display()));
            continue;
        };
        for import in imports(&code) {
            let top = import.split("::").next().unwrap();
            let allowed =
                top == module || may.contains(top) || may.iter().any(|rule| rule.contains("::") && import.starts_with(rule.as_str()));
            let lab_only = module == "cli" && top == "sim" && !path.ends_with("cli/lab.rs");
            if !allowed || lab_only {
                wrong.push(format!("{}: `{module}` may not import `{import}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_is_the_tree() {
    let on_map: BTreeSet<_> = table().into_keys().collect();
    let on_disk: BTreeSet<_> = sources().into_iter().map(|(module, ..)| module).filter(|name| name != "lib" && name != "main").collect();
    assert_eq!(on_map, on_disk);
}

#[test]
fn the_core_knows_no_world() {
    let core = ["path", "value", "tree", "yang", "intent", "diff", "plan"];
    let world = [
        "tokio::",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "std::fs",
        "SystemTime",
        "Instant::now",
        "reqwest",
        "tonic::",
        "rusqlite",
        "std::env",
        "crossterm",
        "ratatui",
    ];
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        // The table's compiler reads YANG files; it is a tool of ours, not part of the product.
        if !core.contains(&module.as_str()) || path.ends_with("yang/compile.rs") {
            continue;
        }
        wrong.extend(world.iter().filter(|name| code.contains(**name)).map(|name| format!("{}: uses {name}", path.display())));
    }
    assert!(wrong.is_empty(), "the core knows no tokio, network, file or clock:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_engine_and_the_simulator_spawn() {
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        let may = ["engine", "sim"].contains(&module.as_str());
        if !may && (code.contains("tokio::spawn(") || code.contains("thread::spawn(")) {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "these spawn: {wrong:?}");
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::a::B;\nuse crate::{c, d::{E, F}, g::H};\nlet x = crate::i::j();";
    let found: Vec<_> = imports(code).into_iter().map(|import| import.split("::").next().unwrap().to_owned()).collect();
    assert_eq!(found, ["a", "c", "d", "g", "i"]);
}
