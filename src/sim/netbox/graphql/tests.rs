//! The recordings of a real NetBox are the oracle.

use std::path::Path;

use serde_json::{Value, json};

use crate::sim::netbox::TOKEN;
use crate::sim::netbox::rest::{Answer, Call, NetBox};
use crate::sim::netbox::tests::{difference, header, netbox};

fn post(netbox: &mut NetBox, authorization: Option<&str>, body: &Value) -> Answer {
    let body = body.to_string().into_bytes();
    let call =
        Call { method: "POST", path: "/graphql/", authorization, content_type: Some("application/json"), body: &body, ..Call::default() };
    netbox.answer(&call)
}

fn ask(netbox: &mut NetBox, query: &str, variables: Value) -> Value {
    let authorization = format!("Bearer {TOKEN}");
    let answer = post(netbox, Some(&authorization), &json!({"query": query, "variables": variables}));
    assert_eq!((answer.status, header(&answer, "Content-Type")), (200, Some("application/json")));
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn data(query: &str) -> Value {
    let mut answer = ask(&mut netbox(), query, json!({}));
    assert_eq!(answer.get("errors"), None, "{query}");
    answer["data"].take()
}

fn error(query: &str) -> String {
    let answer = ask(&mut netbox(), query, json!({}));
    assert_eq!(answer["data"], Value::Null, "{query}");
    answer["errors"][0]["message"].as_str().expect("message").to_owned()
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/netbox").join(name);
    std::fs::read_to_string(path).expect("file")
}

#[test]
fn the_whole_fabric_is_answered_as_recorded() {
    let mut given = ask(&mut netbox(), &file("graphql-fabric.graphql"), json!({"tag": "evpn-fabric"}));
    let mut recorded: Value = serde_json::from_str(&file("graphql-fabric.json")).expect("JSON");
    for answer in [&mut given, &mut recorded] {
        // Sorted by name only: the recorded order of equal names is Postgres's own affair.
        let groups = answer["data"]["netbox_bgp_peer_group_list"].as_array_mut().expect("groups");
        groups.sort_by_key(|group| group["id"].as_str().map(str::to_owned));
    }
    assert_eq!(difference(&given, &recorded, "graphql"), None);
}

#[test]
fn filters_cross_relations_and_count_rows() {
    let names = |query: &str, list: &str| -> Vec<String> {
        let rows = data(query);
        rows[list].as_array().expect("rows").iter().map(|row| row["name"].as_str().expect("name").to_owned()).collect()
    };
    assert_eq!(names("{device_list(filters:{role:{slug:{exact:\"spine\"}}}){name}}", "device_list"), ["spine1", "spine2"]);
    assert_eq!(names("{device_list(filters:{id:{in_list:[\"3\",\"1\"]}}){name}}", "device_list"), ["leaf1", "spine1"]);
    assert_eq!(
        names("{device_list(filters:{name:{i_starts_with:\"LEAF\"},NOT:{cluster:{name:{contains:\"leaf1\"}}}}){name}}", "device_list")
            .len(),
        6
    );
    assert_eq!(
        names("{device_list(filters:{name:{exact:\"leaf1\"},OR:{name:{exact:\"leaf2\"}}}){name}}", "device_list"),
        ["leaf1", "leaf2"]
    );
    let ports =
        data("{interface_list(filters:{device:{name:{exact:\"leaf1\"}},enabled:{exact:true}},pagination:{start:30,limit:2}){id name}}");
    assert_eq!(ports["interface_list"].as_array().map(Vec::len), Some(2));
    assert!(ports["interface_list"][0]["id"].as_str().is_some_and(|id| id.parse::<u64>().is_ok_and(|id| id >= 30)));
    // A filter over many rows finds an object once for each of them.
    let many = "device_list(filters:{name:{exact:\"spine1\"},interfaces:{mtu:{filter_lookup:{exact:9214}}}";
    assert!(names(&format!("{{{many}}}){{name}}}}"), "device_list").len() > 1);
    assert_eq!(names(&format!("{{{many},DISTINCT:true}}){{name}}}}"), "device_list"), ["spine1"]);
}

#[test]
fn variables_fragments_and_directives() {
    let query = "query Q($id: ID!, $more: Boolean = false) {
        device(id: $id) { ...names interfaces(pagination: {limit: 1}) { other: name mtu @include(if: $more) } }
    } fragment names on DeviceType { name __typename primary_ip4 { family { value } } }";
    let answer = ask(&mut netbox(), query, json!({"id": 3}));
    let wanted = json!({"device": {"name": "leaf1", "__typename": "DeviceType", "primary_ip4": {"family": {"value": 4}}, "interfaces": [{"other": "Ethernet1"}]}});
    assert_eq!(answer, json!({"data": wanted}));
    let missing = ask(&mut netbox(), query, json!({}));
    assert_eq!(
        missing["errors"][0]["message"],
        "Variable '$id' has invalid value: Expected a value of non-null type 'ID!' to be provided."
    );
}

#[test]
fn what_the_schema_does_not_have_is_refused() {
    for (query, wanted) in [
        ("{ device_list { nope } }", "Cannot query field 'nope' on type 'DeviceType'. Did you mean 'name' or 'role'?"),
        ("{ device_list(foo: 1) { id } }", "Unknown argument 'foo' on field 'Query.device_list'."),
        ("{ device_list(filters: {nope: 1}) { id } }", "Expected value of type 'DeviceFilter' not to include unknown field 'nope'."),
        ("{ device_list }", "Field 'device_list' of type '[DeviceType!]!' must have a selection of subfields."),
        ("{ device_list { name { x } } }", "Field 'name' must not have a selection since type 'String' has no subfields."),
        ("{ device { id } }", "Argument 'Query.device(id:)' of type 'ID!' is required, but it was not provided."),
        ("{ device(id: 999) { id } }", "Device matching query does not exist."),
        ("{ device_list(pagination: {start: 1, offset: 2}) { id } }", "Cannot specify both `start` and `offset` in pagination."),
        ("query Q { device_list(filters: {name: {exact: $x}}) { id } }", "Variable '$x' is not defined by operation 'Q'."),
        ("{ device_list { id ", "Syntax Error: "),
    ] {
        let message = error(query);
        assert!(message.starts_with(wanted), "{query}: {message}");
    }
    let aliases: String = (0..11).map(|n| format!("a{n}: asn_list {{ id }} ")).collect();
    assert_eq!(error(&format!("{{ {aliases} }}")), "11 aliases found. Allowed: 10");
}

#[test]
fn strangers_are_shown_the_door() {
    let mut netbox = netbox();
    let body = json!({"query": "{ device_list { id } }"});
    let answer = post(&mut netbox, None, &body);
    assert_eq!((answer.status, header(&answer, "Location")), (302, Some("/login/?next=/graphql/")));
    let answer = post(&mut netbox, Some("Bearer nbt_000000000000.x"), &body);
    assert_eq!(
        (answer.status, answer.body.as_slice(), header(&answer, "Content-Type")),
        (403, &b"Invalid v2 token"[..], Some("text/html; charset=utf-8"))
    );
}
