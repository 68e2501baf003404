//! Validation against whole documents: the good ones pass, and every way of breaking one is found and named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "yang/documents.rs"]
mod documents;

use documents::documents;
use fabric_orchestrator::path::Path;
use fabric_orchestrator::yang::{IssueKind, Mode, NodeKind, Schema};
use serde_json::{Value as Json, json};

/// State examples start with s; 40 holds one leaf that is read-only, see below.
fn mode(name: &str) -> Mode {
    if name.starts_with('s') { Mode::Data } else { Mode::Config }
}

#[test]
fn good_documents_pass() {
    let schema = Schema::eos().unwrap();
    let mut wrong = Vec::new();
    for (name, json) in documents("tests/data/yang") {
        wrong.extend(schema.validate(&Path::root(), &json, mode(&name)).into_iter().map(|issue| format!("{name}: {issue}")));
    }
    for (name, json) in documents("lab/devices") {
        wrong.extend(schema.validate(&Path::root(), &json, Mode::Config).into_iter().map(|issue| format!("{name}: {issue}")));
    }
    // The one leaf of the lab that EOS has and does not let be written.
    let known = "40-lab-dc-leaf1-full.json: /interfaces/interface[name=Port-Channel999]/aggregation/switched-vlan/config/trunk-groups: \
                 EOS 4.35.0F only lets it be read";
    assert_eq!(wrong, [known]);
    assert_eq!(schema.patterns_skipped(), 0);
    assert_eq!(schema.unsupported_patterns(), Vec::<&str>::new());
}

/// Every place of a document, as a JSON pointer.
fn places(json: &Json, at: &str, out: &mut Vec<String>) {
    match json {
        Json::Object(members) => members.iter().for_each(|(name, value)| {
            out.push(format!("{at}/{name}"));
            places(value, &format!("{at}/{name}"), out);
        }),
        Json::Array(items) => items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), out)),
        _ => {}
    }
}

fn bare(name: &str) -> &str {
    name.rsplit(':').next().unwrap()
}

/// The schema path of a pointer.
fn schema_path(pointer: &str) -> String {
    pointer.split('/').skip(1).filter(|part| part.parse::<usize>().is_err()).map(|part| format!("/{}", bare(part))).collect()
}

#[test]
fn every_way_of_breaking_a_document_is_named() {
    let schema = Schema::eos().unwrap();
    let (mut broken, mut missed) = (0, Vec::new());
    for (name, good) in documents("tests/data/yang") {
        let mode = if name.starts_with("40") { Mode::Data } else { mode(&name) };
        let mut pointers = Vec::new();
        places(&good, "", &mut pointers);
        for pointer in pointers {
            let path = schema_path(&pointer);
            let id = schema.find_schema(&path).unwrap_or_else(|| panic!("{name}: {path}"));
            let node = schema.node(id);
            let last = pointer.rsplit('/').next().unwrap().to_owned();
            let mut expect = |what: &str, bad: &Json, kinds: &[IssueKind], named: &str| {
                broken += 1;
                let issues = schema.validate(&Path::root(), bad, mode);
                let hit = issues.iter().any(|issue| {
                    kinds.contains(&issue.kind) && (issue.path.name() == named || issue.message.contains(&format!("`{named}`")))
                });
                if !hit {
                    missed.push(format!("{name}: {what} at {pointer}: {issues:?}"));
                }
            };
            let with = |value: Json| {
                let mut bad = good.clone();
                *bad.pointer_mut(&pointer).unwrap() = value;
                bad
            };
            let parent_of = |bad: &mut Json| -> serde_json::Map<String, Json> {
                let (above, _) = pointer.rsplit_once('/').unwrap();
                let above = if above.is_empty() { bad } else { bad.pointer_mut(above).unwrap() };
                std::mem::take(above.as_object_mut().unwrap())
            };
            let put_back = |bad: &mut Json, members: serde_json::Map<String, Json>| {
                let (above, _) = pointer.rsplit_once('/').unwrap();
                let above = if above.is_empty() { bad } else { bad.pointer_mut(above).unwrap() };
                *above = Json::Object(members);
            };
            // A name nobody knows, and the right name of the wrong module.
            for (what, new) in [("unknown", "no-such-node".to_owned()), ("foreign", format!("openconfig-acl:{}", bare(&last)))] {
                let mut bad = good.clone();
                let mut members = parent_of(&mut bad);
                let value = members.remove(&last).unwrap();
                members.insert(new.clone(), value);
                put_back(&mut bad, members);
                expect(what, &bad, &[IssueKind::UnknownNode], bare(&new));
            }
            // Its module left out where it must stand.
            if last.contains(':') {
                let mut bad = good.clone();
                let mut members = parent_of(&mut bad);
                let value = members.remove(&last).unwrap();
                members.insert(bare(&last).to_owned(), value);
                put_back(&mut bad, members);
                expect("no module", &bad, &[IssueKind::NeedsModule, IssueKind::UnknownNode], node.name);
            }
            if node.is_key() {
                let mut bad = good.clone();
                let mut members = parent_of(&mut bad);
                members.remove(&last);
                put_back(&mut bad, members);
                expect("no key", &bad, &[IssueKind::MissingKey], node.name);
            }
            let wrong = &[IssueKind::WrongType, IssueKind::WrongShape, IssueKind::OutOfRange, IssueKind::Pattern];
            expect("null", &with(Json::Null), wrong, node.name);
            expect(
                "odd shape",
                &with(json!([{"a": 1}])),
                &[wrong as &[_], &[IssueKind::UnknownNode, IssueKind::MissingKey]].concat(),
                if node.kind == NodeKind::List { "a" } else { node.name },
            );
            if node.kind == NodeKind::Leaf {
                match node.base_type().unwrap() {
                    "boolean" => expect("text", &with(json!("true")), wrong, node.name),
                    "string" => expect("number", &with(json!(7)), wrong, node.name),
                    "enumeration" | "identityref" => expect("other name", &with(json!("NO_SUCH_NAME")), wrong, node.name),
                    "uint64" | "int64" => {
                        expect("bare number", &with(json!(7)), wrong, node.name);
                        expect("too large", &with(json!("18446744073709551616")), &[IssueKind::OutOfRange], node.name);
                    }
                    "union" => expect("fraction", &with(json!(0.5)), wrong, node.name),
                    integer if integer.contains("int") => {
                        expect("digits as text", &with(json!("7")), wrong, node.name);
                        expect("too large", &with(json!(1_u64 << 40)), &[IssueKind::OutOfRange], node.name);
                        expect("fraction", &with(json!(0.5)), wrong, node.name);
                    }
                    "decimal64" => expect("number", &with(json!(7)), wrong, node.name),
                    other => panic!("{name}: {pointer} is {other}"),
                }
            }
        }
    }
    assert!(missed.is_empty(), "{} of {broken} missed: {:#?}", missed.len(), &missed[..missed.len().min(12)]);
    assert!(broken > 5000, "{broken}");
}

#[test]
fn what_eos_does_not_let_be_written_is_refused() {
    let schema = Schema::eos().unwrap();
    let check = |path: &str, json: Json| {
        let issues = schema.validate(&Path::parse(path).unwrap(), &json, Mode::Config);
        issues.first().map(|issue| (issue.kind, issue.path.to_string()))
    };
    let at = |kind, path: &str| Some((kind, path.to_owned()));
    let port = "/interfaces/interface[name=Ethernet1]";
    // config false
    assert_eq!(check(port, json!({"state": {"mtu": 1500}})), at(IssueKind::ReadOnly, &format!("{port}/state")));
    // config true, but `read` in the path report
    let groups = "/interfaces/interface[name=Port-Channel999]/aggregation/switched-vlan/config";
    assert_eq!(
        check(groups, json!({"arista-intf-augments:trunk-groups": ["mlag-peer"]})),
        at(IssueKind::ReadOnly, &format!("{groups}/trunk-groups"))
    );
    // not-supported
    let evpn = "/network-instances/network-instance[name=default]";
    assert_eq!(check(evpn, json!({"evpn": {}})), at(IssueKind::NotSupported, &format!("{evpn}/evpn")));
    // a key that the report calls `read`
    assert_eq!(
        check("/lldp/interfaces", json!({"interface": [{"name": "Ethernet1", "config": {"name": "Ethernet1", "enabled": true}}]})),
        None
    );
    // an entry whose key differs from the path's, and a leaf by itself
    assert_eq!(check(port, json!({"name": "Ethernet2"})), at(IssueKind::WrongType, port));
    assert_eq!(check(&format!("{port}/config/mtu"), json!(70000)), at(IssueKind::OutOfRange, &format!("{port}/config/mtu")));
    assert_eq!(check("/interfaces", json!({"interface": [{"name": "Ethernet1"}, {"name": "Ethernet1"}]})), at(IssueKind::Duplicate, port));
    assert_eq!(check("/no/such", json!({})), at(IssueKind::UnknownNode, "/no/such"));
}
