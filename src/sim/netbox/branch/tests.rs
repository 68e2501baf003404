//! What a real NetBox with netbox-branching 1.2.2 did with the same calls.

use serde_json::{Value, json};

use crate::sim::netbox::TOKEN;
use crate::sim::netbox::rest::{Answer, Call, NetBox};
use crate::sim::netbox::tests::netbox;

const START: i64 = 1_800_000_000_000_000;

/// A NetBox and its clock.
struct Lab {
    netbox: NetBox,
    now: i64,
}

impl Lab {
    fn new() -> Self {
        Self { netbox: netbox(), now: START }
    }

    fn ask(&mut self, branch: Option<&str>, method: &str, path: &str, body: &Value) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let authorization = format!("Bearer {TOKEN}");
        let (authorization, now) = (Some(authorization.as_str()), self.now);
        let content_type = Some("application/json");
        self.netbox.answer(&Call {
            method,
            path,
            query,
            authorization,
            branch,
            content_type,
            base: "http://x",
            body: &bytes,
            now,
            ..Call::default()
        })
    }

    fn json(&mut self, branch: Option<&str>, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(branch, method, path, body);
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.status < 300, "{method} {path}: {} {text}", answer.status);
        if answer.body.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
    }

    fn get(&mut self, branch: Option<&str>, path: &str) -> Value {
        self.json(branch, "GET", path, &Value::Null)
    }

    /// A branch that is ready: id and schema id.
    fn branch(&mut self, name: &str) -> (u64, String) {
        let made = self.json(None, "POST", "/api/plugins/branching/branches/", &json!({"name": name, "status": "merged"}));
        assert_eq!(
            (&made["status"]["value"], &made["owner"]["username"], &made["last_sync"]),
            (&json!("new"), &json!("admin"), &Value::Null)
        );
        self.now += 2 * super::DELAY;
        (made["id"].as_u64().expect("id"), made["schema_id"].as_str().expect("schema").to_owned())
    }
}

const PORT: &str = "/api/dcim/interfaces/27/";

#[test]
fn a_branch_is_not_there_until_it_is_ready() {
    let mut lab = Lab::new();
    let made = lab.json(None, "POST", "/api/plugins/branching/branches/", &json!({"name": "b"}));
    let schema = made["schema_id"].as_str().expect("schema").to_owned();
    let text = |answer: Answer| (answer.status, String::from_utf8_lossy(&answer.body).into_owned());
    assert_eq!(text(lab.ask(Some(&schema), "GET", PORT, &Value::Null)), (400, "Selected branch is not ready.".to_owned()));
    assert_eq!(lab.ask(None, "GET", &format!("{PORT}?_branch={schema}"), &Value::Null).status, 200, "as good as none");
    for branch in ["nope", ""] {
        assert_eq!(text(lab.ask(Some(branch), "GET", PORT, &Value::Null)), (400, "Invalid branch identifier".to_owned()));
    }
    assert_eq!(lab.ask(None, "GET", &format!("{PORT}?_branch=nope"), &Value::Null).status, 400);
    assert_eq!(lab.ask(Some("nope"), "POST", "/graphql/", &json!({"query": "{asn_list{id}}"})).status, 400);
    assert_eq!(lab.ask(Some("nope"), "GET", "/api/status/", &Value::Null).status, 200);
    lab.now += 2 * super::DELAY;
    assert_eq!(lab.get(None, "/api/plugins/branching/branches/")["results"][0]["status"]["value"], "ready");
    assert_eq!(lab.ask(Some(&schema), "GET", PORT, &Value::Null).status, 200);
}

#[test]
fn a_branch_is_written_apart_and_says_how_it_differs() {
    let mut lab = Lab::new();
    let (id, schema) = lab.branch("change-42");
    let inside = Some(schema.as_str());
    let last = |lab: &mut Lab| lab.get(None, "/api/core/object-changes/?limit=1")["results"][0]["id"].as_u64().expect("id");
    let before = last(&mut lab);
    lab.json(inside, "PATCH", PORT, &json!({"mtu": 9000}));
    let vlan = lab.json(inside, "POST", "/api/ipam/vlans/", &json!({"vid": 777, "name": "branchy", "group": 1}))["id"].clone();
    lab.json(inside, "DELETE", "/api/plugins/bgp/session/1/", &Value::Null);
    // Main has none of it, nor its log; numbers go on where the branch stopped.
    assert_eq!((lab.get(None, PORT)["mtu"].clone(), lab.get(inside, PORT)["mtu"].clone()), (json!(9214), json!(9000)));
    assert_eq!(lab.get(None, &format!("{PORT}?_branch={schema}"))["mtu"], 9000);
    assert_eq!(lab.get(None, "/api/ipam/vlans/?vid=777")["count"], 0);
    assert_eq!((last(&mut lab), lab.get(inside, "/api/core/object-changes/")["count"].clone()), (before, json!(3)));
    let graphql = json!({"query": "{interface(id: 27) {mtu} vlan_list(filters: {vid: {filter_lookup: {exact: 777}}}) {id}}"});
    let answer = lab.json(inside, "POST", "/graphql/", &graphql);
    assert_eq!(answer["data"], json!({"interface": {"mtu": 9000}, "vlan_list": [{"id": vlan.to_string()}]}));
    assert_eq!(lab.json(None, "POST", &format!("/graphql/?_branch={schema}"), &graphql)["data"]["interface"]["mtu"], 9000);
    let made = lab.json(None, "POST", "/api/ipam/vlans/", &json!({"vid": 778, "name": "main", "group": 1}));
    assert!(made["id"].as_u64() > vlan.as_u64() && last(&mut lab) > before + 1, "no id and no number twice");
    // The difference, newest first; only what was updated says which fields.
    let changes = lab.get(None, &format!("/api/plugins/branching/changes/?branch_id={id}"));
    let rows = changes["results"].as_array().expect("rows");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["display"].as_str()).collect();
    assert_eq!(
        names,
        ["Deleted bgp session spine1:spine1-leaf1-ipv4 (1)", "Created VLAN branchy (777) (14)", "Updated interface Ethernet11 (27)"]
    );
    assert_eq!(rows[2]["diff"], json!({"original": {"mtu": 9214}, "modified": {"mtu": 9000}, "current": {"mtu": 9214}}));
    assert_eq!((&rows[2]["conflicts"], &rows[2]["branch"]["name"], &rows[1]["object"]), (&Value::Null, &json!("change-42"), &Value::Null));
    assert_eq!(
        (&rows[0]["modified_data"], &rows[1]["original_data"], &rows[1]["modified_data"]["vid"]),
        (&Value::Null, &Value::Null, &json!(777))
    );
    lab.json(None, "PATCH", PORT, &json!({"mtu": 1500}));
    let changes = lab.get(None, "/api/plugins/branching/changes/");
    assert_eq!(changes["results"][2]["conflicts"], json!(["mtu"]));
    assert_eq!(lab.ask(None, "GET", "/api/plugins/branching/changes/?branch_id=9", &Value::Null).status, 400);
}

#[test]
fn a_merge_brings_the_changes_into_main() {
    let mut lab = Lab::new();
    let (id, schema) = lab.branch("change-42");
    let inside = Some(schema.as_str());
    lab.json(inside, "PATCH", PORT, &json!({"mtu": 9000, "changelog_message": "why"}));
    lab.json(inside, "POST", "/api/ipam/vlans/", &json!({"vid": 777, "name": "branchy", "group": 1}));
    lab.json(None, "PATCH", PORT, &json!({"description": "meanwhile"}));
    let merge = format!("/api/plugins/branching/branches/{id}/merge/");
    for commit in [false, true] {
        let job = lab.json(None, "POST", &merge, &json!({"commit": commit}));
        assert_eq!((&job["status"]["value"], &job["object"]["name"]), (&json!("pending"), &json!("change-42")));
        lab.now += 2 * super::DELAY;
        let done = lab.get(None, &format!("/api/core/jobs/{}/", job["id"]));
        assert_eq!(done["status"]["value"], "completed");
        let status = lab.get(None, &format!("/api/plugins/branching/branches/{id}/"))["status"]["value"].clone();
        assert_eq!(
            (status, lab.get(None, PORT)["mtu"].clone()),
            if commit { (json!("merged"), json!(9000)) } else { (json!("ready"), json!(9214)) }
        );
    }
    assert_eq!(lab.get(None, PORT)["description"], "meanwhile");
    assert_eq!(lab.get(None, "/api/ipam/vlans/?vid=777")["count"], 1);
    let log = lab.get(None, "/api/core/object-changes/?changed_object_id=27&changed_object_type=dcim.interface&limit=1");
    assert_eq!((&log["results"][0]["message"], &log["results"][0]["user_name"]), (&json!("why"), &json!("admin")));
    assert_eq!(lab.ask(inside, "GET", PORT, &Value::Null).status, 400);
    assert_eq!(lab.ask(None, "POST", &merge, &json!({})).status, 400);
    let archived = lab.json(None, "POST", &merge.replace("merge", "archive"), &json!({}));
    assert_eq!(archived["status"]["value"], "archived");
    assert_eq!(lab.ask(None, "POST", &merge.replace("merge", "archive"), &json!({})).status, 400);
    assert_eq!(lab.ask(None, "DELETE", &format!("/api/plugins/branching/branches/{id}/"), &Value::Null).status, 204);
}

#[test]
fn a_webhook_does_not_say_that_it_is_about_a_branch() {
    let mut lab = Lab::new();
    lab.json(None, "POST", "/api/extras/webhooks/", &json!({"name": "w", "payload_url": "http://127.0.0.1:1/"}));
    let rule = json!({"name": "r", "object_types": ["dcim.interface"], "event_types": ["object_updated"], "action_type": "webhook",
        "action_object_type": "extras.webhook", "action_object_id": 1});
    let (_, schema) = lab.branch("b");
    lab.json(Some(&schema), "POST", "/api/extras/event-rules/", &rule); // rules are not branched
    lab.json(Some(&schema), "PATCH", PORT, &json!({"mtu": 9000}));
    let posts = lab.netbox.posts();
    let body: Value = serde_json::from_slice(&posts.first().expect("post").body).expect("JSON");
    let members: Vec<&String> = body.as_object().expect("object").keys().collect();
    assert_eq!((posts.len(), &body["data"]["mtu"]), (1, &json!(9000)));
    assert_eq!(members, ["event", "timestamp", "object_type", "data", "request", "snapshots"]);
}

#[test]
fn conflicts_are_acknowledged_and_a_merge_is_taken_back() {
    let mut lab = Lab::new();
    let (id, schema) = lab.branch("conflict");
    let (port, at) = ("/api/dcim/interfaces/46/", format!("/api/plugins/branching/branches/{id}"));
    lab.json(Some(&schema), "PATCH", port, &json!({"mtu": 9000}));
    lab.json(None, "PATCH", port, &json!({"mtu": 9100, "description": "of main"}));
    for work in ["merge", "sync"] {
        let answer = lab.ask(None, "POST", &format!("{at}/{work}/"), &json!({"commit": false}));
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!((answer.status, &body["conflicts"][0]["conflicts"]), (409, &json!(["mtu"])));
        let data = json!({"original": {"mtu": 9214}, "branch": {"mtu": 9000}, "main": {"mtu": 9100}});
        assert_eq!((&body["conflicts"][0]["conflicting_data"], &body["conflicts"][0]["object_repr"]), (&data, &json!("Ethernet11")));
    }
    assert_eq!(lab.ask(None, "POST", &format!("{at}/revert/"), &json!({})).status, 400);
    let done = json!({"commit": true, "acknowledge_conflicts": true});
    assert_eq!(lab.json(None, "POST", &format!("{at}/merge/"), &done)["name"], "Merge branch");
    lab.now += 2 * super::DELAY;
    assert_eq!(lab.get(None, port)["mtu"], 9000);
    assert_eq!(lab.ask(None, "POST", &format!("{at}/sync/"), &json!({})).status, 400);
    assert_eq!(lab.json(None, "POST", &format!("{at}/revert/"), &done)["name"], "Revert branch");
    lab.now += 2 * super::DELAY;
    let (reverted, branch) = (lab.get(None, port), lab.get(None, &format!("{at}/")));
    assert_eq!((&reverted["mtu"], &reverted["description"]), (&json!(9214), &json!("of main")));
    assert_eq!((&branch["status"]["value"], &branch["merged_time"], &branch["merged_by"]), (&json!("ready"), &Value::Null, &Value::Null));
}

#[test]
fn a_sync_brings_main_into_the_branch() {
    let mut lab = Lab::new();
    let (id, schema) = lab.branch("late");
    lab.json(Some(&schema), "PATCH", "/api/dcim/interfaces/46/", &json!({"mtu": 9000}));
    lab.json(None, "PATCH", "/api/dcim/interfaces/46/", &json!({"description": "of main"}));
    lab.json(None, "DELETE", "/api/ipam/ip-addresses/39/", &Value::Null);
    assert_eq!(lab.ask(Some(&schema), "GET", "/api/ipam/ip-addresses/39/", &Value::Null).status, 200);
    lab.json(None, "POST", &format!("/api/plugins/branching/branches/{id}/sync/"), &json!({"commit": true}));
    lab.now += 2 * super::DELAY;
    let port = lab.get(Some(&schema), "/api/dcim/interfaces/46/");
    assert_eq!((&port["mtu"], &port["description"]), (&json!(9000), &json!("of main")));
    assert_eq!(lab.ask(Some(&schema), "GET", "/api/ipam/ip-addresses/39/", &Value::Null).status, 404);
    let changes = lab.get(None, &format!("/api/plugins/branching/changes/?branch_id={id}"));
    assert_eq!((&changes["count"], &changes["results"][0]["diff"]["modified"]), (&json!(1), &json!({"mtu": 9000})));
}
