//! Our verdicts against libyang's, on good documents and on a thousand broken ones.
//!
//! Needs the feature `libyang` and the YANG set: `FABRIC_ORCH_YANG_DIR=… cargo test --features libyang --test yang_oracle`.
#![cfg(feature = "libyang")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::collections::HashMap;
use std::path::PathBuf;

use fabric_orchestrator::path::Path;
use fabric_orchestrator::value::Value;
use fabric_orchestrator::yang::{IssueKind, Mode, NodeId, NodeKind, Schema, compile};
use serde_json::{Value as Json, json};
use yang5::context::Context;
use yang5::data::{DataFormat, DataParserFlags, DataTree, DataValidationFlags};

fn set() -> Option<PathBuf> {
    let dir = std::env::var_os("FABRIC_ORCH_YANG_DIR").map(PathBuf::from);
    if dir.is_none() {
        println!("skipped: FABRIC_ORCH_YANG_DIR is not set");
    }
    dir
}

fn documents() -> Vec<(String, Json)> {
    let mut found = Vec::new();
    for folder in ["tests/data/yang", "lab/devices"] {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|ext| ext == "json") {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                found.push((name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()));
            }
        }
    }
    found.sort_by(|a: &(String, Json), b| a.0.cmp(&b.0));
    found
}

fn libyang(context: &Context, json: &Json) -> Result<(), String> {
    let flags = DataParserFlags::STRICT | DataParserFlags::NO_VALIDATION;
    DataTree::parse_string(context, json.to_string(), DataFormat::JSON, flags, DataValidationFlags::empty())
        .map(|_| ())
        .map_err(|error| format!("{:?} at {:?}", error.msg, error.path))
}

/// Ours, without what a parser does not judge; whether nothing but patterns is wrong.
fn ours(schema: &Schema, json: &Json) -> (Result<(), String>, bool) {
    let mut issues = schema.validate(&Path::root(), json, Mode::Data);
    issues.retain(|issue| issue.kind != IssueKind::Duplicate);
    let only_patterns = issues.iter().all(|issue| issue.kind == IssueKind::Pattern);
    (issues.first().map_or(Ok(()), |issue| Err(issue.to_string())), only_patterns)
}

/// xorshift: the same thousand every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides.max(1)
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.roll(list.len())]
    }
}

fn places(json: &Json, at: &str, out: &mut Vec<String>) {
    match json {
        Json::Object(members) => members.iter().for_each(|(name, value)| {
            out.push(format!("{at}/{name}"));
            places(value, &format!("{at}/{name}"), out);
        }),
        Json::Array(items) => items.iter().enumerate().for_each(|(index, item)| {
            out.push(format!("{at}/{index}"));
            places(item, &format!("{at}/{index}"), out);
        }),
        _ => {}
    }
}

fn scalars() -> Vec<Json> {
    vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(255),
        json!(256),
        json!(4094),
        json!(4095),
        json!(65535),
        json!(65536),
        json!(4294967295_u64),
        json!(4294967296_u64),
        json!(1.5),
        json!("0"),
        json!("12"),
        json!("-3"),
        json!("18446744073709551615"),
        json!("18446744073709551616"),
        json!("1.5"),
        json!("10.0"),
        json!("0.000000001"),
        json!("true"),
        json!(true),
        json!(false),
        json!(null),
        json!([null]),
        json!([]),
        json!({}),
        json!(""),
        json!(" 7 "),
        json!("10.0.0.1"),
        json!("10.0.0.256"),
        json!("10.0.0.0/24"),
        json!("2001:db8::1"),
        json!("2001:db8::/32"),
        json!("fe80::1%eth0"),
        json!("00:1c:73:00:00:01"),
        json!("001c.7300.0001"),
        json!("65000:100"),
        json!("10.0.0.1:100"),
        json!("65536:1"),
        json!("20..29"),
        json!("29..20"),
        json!("20..5000"),
        json!("AUTO"),
        json!("ACCESS"),
        json!("TRUNK"),
        json!("BGP"),
        json!("openconfig-policy-types:BGP"),
        json!("iana-if-type:ethernetCsmacd"),
        json!("ethernetCsmacd"),
        json!("openconfig-bgp-types:IPV4_UNICAST"),
        json!("IPV4_UNICAST"),
        json!("Ethernet1"),
        json!("Loopback0"),
        json!("default"),
        json!("exact"),
        json!("24..32"),
        json!("x".repeat(300)),
        json!("ünï"),
        json!([1, 2]),
        json!(["a", "b"]),
        json!([{"name": "x"}]),
        json!("AAAA"),
    ]
}

/// Breaks a document in one to three places (and sometimes not at all).
fn mutate(good: &Json, others: &[(String, Json)], dice: &mut Dice) -> (Json, String) {
    let pool = scalars();
    let mut bad = good.clone();
    let mut told = Vec::new();
    for _ in 0..=dice.roll(2) {
        let mut spots = Vec::new();
        places(&bad, "", &mut spots);
        if spots.is_empty() {
            break;
        }
        let spot = dice.pick(&spots).clone();
        let (above, last) = spot.rsplit_once('/').unwrap();
        let kind = dice.roll(8);
        told.push(format!("{kind} at {spot}"));
        let foreign = {
            let other = &dice.pick(others).1;
            let mut spots = Vec::new();
            places(other, "", &mut spots);
            let spot = dice.pick(&spots).clone();
            (spot.rsplit('/').next().unwrap().to_owned(), other.pointer(&spot).unwrap().clone())
        };
        let value = bad.pointer(&spot).unwrap().clone();
        let holder = if above.is_empty() { &mut bad } else { bad.pointer_mut(above).unwrap() };
        match (kind, holder) {
            (0..=2, holder) => {
                let new = dice.pick(&pool).clone();
                match holder {
                    Json::Object(members) => _ = members.insert(last.to_owned(), new),
                    Json::Array(items) => items[last.parse::<usize>().unwrap()] = new,
                    _ => unreachable!(),
                }
            }
            (3, Json::Object(members)) => _ = members.shift_remove(last),
            (4, Json::Object(members)) => {
                members.shift_remove(last);
                let new = match last.split_once(':') {
                    Some((_, bare)) => bare.to_owned(),
                    None => format!(
                        "{}:{last}",
                        dice.pick(&[
                            "openconfig-interfaces",
                            "openconfig-network-instance",
                            "arista-exp-eos-bgp",
                            "openconfig-vlan",
                            "no-such"
                        ])
                    ),
                };
                members.insert(new, value);
            }
            (5, Json::Object(members)) => _ = members.insert(foreign.0, foreign.1),
            (6, Json::Array(items)) => items.push(foreign.1),
            (6, Json::Object(members)) => _ = members.insert(last.to_owned(), foreign.1),
            (7, Json::Object(members)) => _ = members.insert(last.to_owned(), json!([value])),
            (_, Json::Array(items)) => _ = items.remove(last.parse::<usize>().unwrap()),
            _ => unreachable!(),
        }
    }
    (bad, told.join(", "))
}

#[test]
fn verdicts_are_those_of_libyang() {
    let Some(dir) = set() else { return };
    let (schema, context) = (Schema::eos().unwrap(), compile::context(&dir).unwrap());
    let good = documents();
    for (name, json) in &good {
        assert_eq!(libyang(&context, json), Ok(()), "{name}");
        assert_eq!(ours(&schema, json).0, Ok(()), "{name}");
    }
    let mut dice = Dice(0x5eed_4350_0f00_0001);
    let (mut refused, mut unanchored, mut differ) = (0, 0, Vec::new());
    let rounds = std::env::var("FABRIC_ORCH_ORACLE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    for round in 0..rounds {
        let (name, json) = dice.pick(&good);
        let (bad, told) = mutate(json, &good, &mut dice);
        let (theirs, (own, only_patterns)) = (libyang(&context, &bad), ours(&schema, &bad));
        refused += usize::from(theirs.is_err());
        // libyang looks for a pattern anywhere in the text when the leaf (not the typedef) stands in a module marked
        // `regexp-posix`; RFC 7950 (9.4.5) says the whole text must match, and that is what we do.
        if theirs.is_ok() && own.is_err() && only_patterns {
            unanchored += 1;
        } else if theirs.is_ok() != own.is_ok() {
            differ.push(format!("round {round}, {name}, {told}:\n  libyang {theirs:?}\n  ours    {own:?}"));
        }
    }
    println!(
        "{rounds} mutations, {refused} refused by libyang, {unanchored} pass there by a pattern in mid-text, {} verdicts differ",
        differ.len()
    );
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(refused > rounds / 3 && refused < rounds && unanchored < rounds / 50);
}

/// Paths to nodes with a good value for every key on the way; `None` where our pool has none.
struct Reach<'a> {
    schema: &'a Schema,
    pool: Vec<Json>,
    known: HashMap<NodeId, Option<Path>>,
}

impl Reach<'_> {
    fn leaf(&mut self, id: NodeId) -> Option<Path> {
        let node = self.schema.node(id);
        Some(self.above(node.parent?)?.child(node.name))
    }

    fn above(&mut self, id: NodeId) -> Option<Path> {
        if let Some(path) = self.known.get(&id) {
            return path.clone();
        }
        let path = self.entry(id);
        self.known.insert(id, path.clone());
        path
    }

    fn entry(&mut self, id: NodeId) -> Option<Path> {
        let node = self.schema.node(id);
        let Some(above) = node.parent else { return Some(Path::root()) };
        let path = self.above(above)?;
        let mut keys = Vec::new();
        for key in node.keys {
            let leaf = self.schema.child(id, key)?;
            let texts = self.pool.iter().filter_map(|json| self.schema.key_text(leaf, json));
            let mut texts = texts.chain(self.schema.node(leaf).choices().into_iter().map(str::to_owned));
            let good = |text: &String| self.schema.check_path(&path.clone().entry(node.name, [(key, text.as_str())])).is_ok();
            keys.push((key.to_owned(), texts.find(good)?));
        }
        Some(path.entry(node.name, keys))
    }
}

#[test]
fn every_leaf_takes_what_libyang_takes() {
    let Some(dir) = set() else { return };
    let (schema, context) = (Schema::eos().unwrap(), compile::context(&dir).unwrap());
    let mut dice = Dice(0x5eed_4350_0f00_0002);
    let pool = scalars();
    let mut reach = Reach { schema: &schema, pool: scalars(), known: HashMap::new() };
    let (mut leaves, mut tried, mut taken, mut unreached, mut unanchored, mut differ) = (0, 0, 0, 0, 0, Vec::new());
    for id in schema.all().filter(|id| schema.kind(*id).is_leaf()) {
        leaves += 1;
        let node = schema.node(id);
        let Some(path) = reach.leaf(id).filter(|path| !node.is_key() && schema.find(path) == Some(id)) else {
            unreached += 1;
            continue;
        };
        let mut values: Vec<Json> = (0..6).map(|_| dice.pick(&pool).clone()).collect();
        // Values it takes, and names with and without their module.
        values.extend(
            pool.iter()
                .filter_map(|json| schema.canonical_at(id, Value::from_json(json)).ok())
                .take(2)
                .map(|value| schema.json_ietf_at(id, &value)),
        );
        let choices = node.choices();
        if !choices.is_empty() {
            let name = *dice.pick(&choices);
            values.push(json!(name));
            values.push(schema.json_ietf_at(id, &Value::str(name)));
        }
        for value in values {
            let value = if node.kind == NodeKind::LeafList && !value.is_array() { json!([value]) } else { value };
            // The document of some good value, then the value put in its place.
            let marked = schema.document(&Path::root(), &[(path.clone(), Value::Json(std::sync::Arc::new(json!({"mark": 1}))))]);
            let text = marked.to_string().replace("{\"mark\":1}", &value.to_string());
            let json: Json = serde_json::from_str(&text).unwrap();
            let (theirs, (own, only_patterns)) = (libyang(&context, &json), ours(&schema, &json));
            tried += 1;
            taken += usize::from(theirs.is_ok());
            if theirs.is_ok() && own.is_err() && only_patterns {
                unanchored += 1;
            } else if theirs.is_ok() != own.is_ok() {
                differ.push(format!("{path} {} = {value}:\n  libyang {theirs:?}\n  ours    {own:?}", node.describe().unwrap_or_default()));
            }
        }
    }
    println!(
        "{leaves} leaves ({unreached} keys or not reached), {tried} values, {taken} taken by libyang, {unanchored} by a pattern in mid-text, {} verdicts differ",
        differ.len()
    );
    assert!(
        differ.is_empty(),
        "{} differ:\n{}",
        differ.len(),
        differ.iter().step_by(1 + differ.len() / 25).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// Makes the table again and compares it with the embedded one. With FABRIC_ORCH_TABLE_OUT the new one is written there.
#[test]
fn the_embedded_table_is_what_the_compiler_makes() {
    let Some(dir) = set() else { return };
    let bytes = compile::compile(&dir, None).unwrap();
    if let Some(out) = std::env::var_os("FABRIC_ORCH_TABLE_OUT") {
        std::fs::write(out, &bytes).unwrap();
    }
    let (new, old) = (Schema::from_bytes(&bytes).unwrap(), Schema::eos().unwrap());
    let mut differ = Vec::new();
    assert_eq!((new.release(), new.len()), (old.release(), old.len()));
    for (a, b) in new.all().zip(old.all()) {
        let (a, b) = (new.node(a), old.node(b));
        let facts = |node: &fabric_orchestrator::yang::Node<'_>| {
            let keys: Vec<String> = node.keys.iter().map(str::to_owned).collect();
            let plain = (node.path(), node.module.to_owned(), node.kind, node.config, node.access, keys);
            format!("{plain:?} {:?} {:?} {:?} {:?}", node.default, node.units, node.describe(), node.choices())
        };
        if facts(&a) != facts(&b) {
            differ.push(format!("new {}\nold {}", facts(&a), facts(&b)));
        }
    }
    assert!(
        differ.is_empty(),
        "{} differ:\n{}",
        differ.len(),
        differ.iter().step_by(1 + differ.len() / 12).cloned().collect::<Vec<_>>().join("\n")
    );
}
