use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue as AxumHeader, StatusCode};
use axum::response::{IntoResponse, Response};

use super::super::settings::GraphQl;
use super::*;
use crate::intent::finding::Severity;

/// A NetBox that is asked by path: answers are made by `answer(path, query pairs, how often this path was asked)`.
type Answer = dyn Fn(&str, &HashMap<String, String>, usize) -> (u16, &'static str, String) + Send + Sync;

struct Fake {
    answer: Box<Answer>,
    asked: Mutex<HashMap<String, usize>>,
    total: AtomicUsize,
    token: Mutex<Vec<String>>,
    branch: Mutex<Vec<String>>,
}

async fn handle(State(fake): State<Arc<Fake>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default();
    let mut pairs: HashMap<String, String> =
        query.split('&').filter_map(|pair| pair.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    pairs.insert("body".to_owned(), String::from_utf8(body.to_vec()).unwrap());
    let request = Request::from_parts(parts, axum::body::Body::empty());
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    fake.token.lock().unwrap().push(header.to_owned());
    let branch = request.headers().get("x-netbox-branch").and_then(|value| value.to_str().ok()).unwrap_or_default();
    fake.branch.lock().unwrap().push(branch.to_owned());
    fake.total.fetch_add(1, Ordering::SeqCst);
    let times = {
        let mut asked = fake.asked.lock().unwrap();
        let times = asked.entry(path.clone()).or_default();
        *times += 1;
        *times
    };
    let (status, kind, body) = (fake.answer)(&path, &pairs, times);
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    match kind.strip_prefix("retry-after: ") {
        Some(seconds) => _ = response.headers_mut().insert("retry-after", AxumHeader::from_static(seconds)),
        None => _ = response.headers_mut().insert("content-type", AxumHeader::from_static(kind)),
    }
    response
}

async fn start(
    answer: impl Fn(&str, &HashMap<String, String>, usize) -> (u16, &'static str, String) + Send + Sync + 'static,
) -> (String, Arc<Fake>) {
    let fake = Arc::new(Fake {
        answer: Box::new(answer),
        asked: Mutex::default(),
        total: AtomicUsize::new(0),
        token: Mutex::default(),
        branch: Mutex::default(),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(handle).with_state(Arc::clone(&fake));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, fake)
}

const JSON: &str = "application/json";

fn list(rows: &[String]) -> String {
    format!(r#"{{"count":{},"next":null,"previous":null,"results":[{}]}}"#, rows.len(), rows.join(","))
}

fn device(id: u64) -> String {
    format!(
        r#"{{"id":{id},"name":"leaf{id}","role":{{"slug":"leaf"}},"site":{{"slug":"dc"}},"status":"active","tags":[{{"slug":"evpn-fabric"}}],"custom_fields":{{"asn":65001,"router_id":"10.0.0.{id}"}},"config_context":{{}}}}"#
    )
}

fn change(id: u64, kind: &str, object: u64) -> String {
    format!(r#"{{"id":{id},"time":"2026-11-22T09:20:02Z","user_name":"ann","changed_object_type":"{kind}","changed_object_id":{object}}}"#)
}

/// One device, a change log at 7, nothing else.
fn plain(path: &str, query: &HashMap<String, String>) -> (u16, &'static str, String) {
    match path {
        "/api/dcim/devices/" => (200, JSON, list(&[device(1)])),
        "/api/core/object-changes/" if query.contains_key("start") => (200, JSON, r#"{"count":null,"next":null,"results":[]}"#.into()),
        "/api/core/object-changes/" => (200, JSON, list(&[change(7, "dcim.device", 1)])),
        _ => (200, JSON, list(&[])),
    }
}

fn client(url: &str) -> Client {
    Client::new(rest(url)).unwrap()
}

/// Settings that read by REST alone.
fn rest(url: &str) -> Settings {
    let mut settings = Settings::new(url, "nbt_key.secret".into());
    settings.graphql = GraphQl::Never;
    settings
}

#[tokio::test]
async fn a_read_is_whole_and_knows_who_changed_what() {
    let (url, fake) = start(|path, query, _| plain(path, query)).await;
    let heard = AtomicUsize::new(0);
    let read = client(&url).read(|_| _ = heard.fetch_add(1, Ordering::SeqCst)).await.unwrap();
    assert_eq!(read.last_change_id, Some(7));
    assert_eq!((read.calls.len(), heard.load(Ordering::SeqCst)), (21, 21), "change log twice, devices, 18 lists");
    let origin = &read.fabric.devices[0].origin;
    assert_eq!((origin.object.as_str(), origin.user.as_deref()), ("device leaf1 #1", Some("ann")));
    assert_eq!(origin.url, format!("{url}/dcim/devices/1/"));
    assert!(fake.token.lock().unwrap().iter().all(|header| header == "Bearer nbt_key.secret"));
    assert!(read.calls.iter().all(|call| !format!("{call:?}").contains("secret") && call.status == 200));
}

#[tokio::test]
async fn tokens_without_the_prefix_are_of_the_first_kind() {
    let (url, fake) = start(|path, query, _| plain(path, query)).await;
    Client::new(Settings::new(format!("{url}/"), "0123456789".into())).unwrap().read(|_| {}).await.unwrap();
    assert!(fake.token.lock().unwrap().iter().all(|header| header == "Token 0123456789"));
    for (url, token) in [("ftp://x", "t"), ("nonsense", "t"), ("http://x", ""), ("http://x", "a\nb")] {
        let error = Client::new(Settings::new(url, token.into())).unwrap_err();
        assert!(matches!(error, Error::Settings { .. }), "{url} {token}: {error}");
    }
}

#[tokio::test]
async fn pages_are_followed_by_count_and_missing_rows_reject_the_read() {
    let vlan = |id: usize| format!(r#"{{"id":{id},"vid":{},"name":"v{id}","group":null,"status":"active","custom_fields":{{}}}}"#, id + 1);
    let paged = move |query: &HashMap<String, String>, shown: usize| {
        let offset: usize = query["offset"].parse().unwrap();
        // The server cuts the page at 2 whatever is asked for.
        let rows: Vec<String> = (offset..(offset + 2).min(shown)).map(vlan).collect();
        let next = if offset + 2 < 5 { r#""http://elsewhere:1/api/""# } else { "null" };
        (200, JSON, format!(r#"{{"count":5,"next":{next},"results":[{}]}}"#, rows.join(",")))
    };
    let (url, _) = start(move |path, query, _| if path == "/api/ipam/vlans/" { paged(query, 5) } else { plain(path, query) }).await;
    let read = client(&url).read(|_| {}).await.unwrap();
    assert_eq!(read.fabric.vlans.iter().map(|vlan| vlan.id).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let (url, _) = start(move |path, query, _| if path == "/api/ipam/vlans/" { paged(query, 4) } else { plain(path, query) }).await;
    let error = client(&url).read(|_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Truncated { got: 4, count: 5, .. }), "{error}");
}

#[tokio::test]
async fn every_failure_has_its_name() {
    let case = |status: u16, kind: &'static str, body: &'static str| async move {
        let (url, fake) =
            start(move |path, query, _| if path == "/api/ipam/vrfs/" { (status, kind, body.into()) } else { plain(path, query) }).await;
        let error = client(&url).read(|_| {}).await.unwrap_err();
        assert!(!error.hint().is_empty() && !error.code().is_empty());
        let times = fake.asked.lock().unwrap()["/api/ipam/vrfs/"];
        (error, times)
    };
    let (error, times) = case(403, JSON, r#"{"detail":"Invalid v2 token"}"#).await;
    assert!(matches!(&error, Error::Denied { text, .. } if text == "Invalid v2 token"), "{error}");
    assert_eq!(times, 1);
    let (error, _) = case(200, "text/html; charset=utf-8", "<html><h1>Log in</h1></html>").await;
    assert!(matches!(error, Error::NotJson { status: 200, .. }), "{error}");
    let (error, _) = case(404, "text/html", "<html>").await;
    assert!(matches!(error, Error::NotJson { status: 404, .. }), "{error}");
    let (error, times) = case(500, "text/html", "<html><title>Server Error</title></html>").await;
    assert!(matches!(&error, Error::ServerError { status: 500, text, .. } if text == "Server Error"), "{error}");
    assert_eq!(times, 1, "an error of NetBox itself is not asked again");
    let (error, times) = case(503, "text/html", "").await;
    assert!(matches!(error, Error::ServerError { status: 503, .. }), "{error}");
    assert_eq!(times, TRIES);
    let (error, _) = case(301, "text/html", "").await;
    assert!(matches!(error, Error::ServerError { status: 301, .. }), "{error}");
    let (error, _) = case(200, JSON, r#"{"count":1,"next":null,"results":[{"id":5,"name":17,"url":"http://x/api/ipam/vrfs/5/"}]}"#).await;
    assert!(matches!(&error, Error::BadObject { object, url, .. } if object.contains("#5") && url.ends_with("/vrfs/5/")), "{error}");
    let (error, _) = case(200, JSON, r#"{"count":1"#).await;
    assert!(matches!(error, Error::BadObject { .. }), "{error}");
}

#[tokio::test]
async fn what_breaks_for_a_moment_is_asked_again() {
    let (url, fake) = start(|path, query, times| match path {
        "/api/ipam/vrfs/" if times < 3 => (502, "text/html", "<html>Bad Gateway</html>".into()),
        _ => plain(path, query),
    })
    .await;
    let read = client(&url).read(|_| {}).await.unwrap();
    assert_eq!(fake.asked.lock().unwrap()["/api/ipam/vrfs/"], 3);
    assert_eq!(read.calls.iter().filter(|call| call.status == 502).count(), 2, "the log shows every try");
}

#[tokio::test]
async fn nobody_at_home_is_unreachable_and_slow_is_a_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut settings = rest(&url);
    settings.timeout = Duration::from_millis(200);
    let error = Client::new(settings).unwrap().read(|_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    drop(listener);
    let error = client(&url).read(|_| {}).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { reason, .. } if reason.contains("refused")), "{error}");
}

#[tokio::test]
async fn an_edit_during_the_read_reads_again_and_a_foreign_one_does_not() {
    let edits = |kind: &'static str, until: usize| {
        move |path: &str, query: &HashMap<String, String>, times: usize| match path {
            "/api/core/object-changes/" if query.contains_key("start") => {
                let id = 7 + times as u64;
                let rows = if times / 2 <= until { change(id, kind, 9) } else { String::new() };
                (200, JSON, format!(r#"{{"count":null,"next":null,"results":[{rows}]}}"#))
            }
            _ => plain(path, query),
        }
    };
    let (url, fake) = start(edits("dcim.interface", 1)).await;
    client(&url).read(|_| {}).await.unwrap();
    assert_eq!(fake.asked.lock().unwrap()["/api/dcim/devices/"], 2);
    let (url, fake) = start(edits("dcim.rack", 1)).await;
    client(&url).read(|_| {}).await.unwrap();
    assert_eq!(fake.asked.lock().unwrap()["/api/dcim/devices/"], 1);
    let (url, _) = start(edits("dcim.interface", 9)).await;
    let error = client(&url).read(|_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Unsettled { tries: 3 }), "{error}");
}

#[tokio::test]
async fn a_late_entry_of_the_change_log_is_seen() {
    let (url, fake) = start(|path, query, times| match path {
        "/api/core/object-changes/" if query.contains_key("start") => {
            // Entry 6 was committed after entry 7.
            let rows = if times < 3 {
                change(7, "dcim.device", 1)
            } else {
                format!("{},{}", change(6, "ipam.vlan", 1), change(7, "dcim.device", 1))
            };
            (200, JSON, format!(r#"{{"count":null,"next":null,"results":[{rows}]}}"#))
        }
        "/api/ipam/vlans/" if query.contains_key("id") => {
            assert_eq!(query["id"], "1");
            (200, JSON, list(&[r#"{"id":1,"vid":30,"name":"late","custom_fields":{}}"#.into()]))
        }
        _ => plain(path, query),
    })
    .await;
    let client = client(&url);
    let read = client.read(|_| {}).await.unwrap();
    assert_eq!((read.last_change_id, read.fabric.vlans.len()), (Some(7), 0));
    let devices = || fake.asked.lock().unwrap()["/api/dcim/devices/"];
    let before = devices();
    let read = client.follow(|_| {}).await.unwrap().unwrap();
    assert_eq!((read.fabric.vlans.len(), devices() - before), (1, 0), "6 is new, and only its VLAN is read");
    assert!(client.follow(|_| {}).await.unwrap().is_none(), "and then it is known");
}

#[tokio::test]
async fn a_failed_look_makes_the_next_one_whole() {
    let broken = Arc::new(AtomicUsize::new(0));
    let (url, fake) = start({
        let broken = Arc::clone(&broken);
        move |path, query, _| match path {
            "/api/core/object-changes/" if query.contains_key("start") && broken.load(Ordering::SeqCst) == 1 => (500, JSON, "{}".into()),
            _ => plain(path, query),
        }
    })
    .await;
    let client = client(&url);
    client.read(|_| {}).await.unwrap();
    broken.store(1, Ordering::SeqCst);
    client.follow(|_| {}).await.unwrap_err();
    broken.store(0, Ordering::SeqCst);
    let before = fake.asked.lock().unwrap()["/api/ipam/vrfs/"];
    let read = client.follow(|_| {}).await.unwrap().unwrap();
    assert_eq!((read.touched, fake.asked.lock().unwrap()["/api/ipam/vrfs/"] - before), (Touched::All, 1));
}

#[tokio::test]
async fn a_proxy_that_says_when_is_heeded() {
    let (url, fake) = start(|path, query, times| match path {
        "/api/ipam/vrfs/" if times == 1 => (429, "retry-after: 1", "<html>slow down</html>".into()),
        _ => plain(path, query),
    })
    .await;
    let begun = Instant::now();
    client(&url).read(|_| {}).await.unwrap();
    assert_eq!(fake.asked.lock().unwrap()["/api/ipam/vrfs/"], 2);
    assert!(begun.elapsed() >= Duration::from_secs(1), "asked again before its time");
}

#[tokio::test]
async fn graphql_is_used_while_it_answers_whole() {
    // One device over GraphQL, whose pages are cut at one row; what the query is for is told by its field.
    let devices = [
        r#"{"id":"1","name":"leaf1","role":{"slug":"leaf"},"site":{"slug":"dc"},"status":"active","tags":[{"slug":"evpn-fabric"}],"custom_fields":{"asn":65001},"config_context":{}}"#,
        r#"{"id":"4","name":"leaf4","role":{"slug":"leaf"},"site":{"slug":"dc"},"status":"active","tags":[{"slug":"evpn-fabric"}],"custom_fields":{},"config_context":{}}"#,
    ];
    let port = r#"{"id":"9","name":"Loopback0","enabled":true,"mtu":null,"mode":"","description":"","custom_fields":{},"device":{"id":"4"},"lag":null,"parent":null,"vrf":null,"untagged_vlan":null,"tagged_vlans":[],"tags":[],"ip_addresses":[{"id":"7","address":"10.0.0.4/32","status":"active","role":"","custom_fields":{},"vrf":null,"tags":[]}]}"#;
    let rows = move |field: &str, start: u64| match (field, start) {
        ("device_list", 0) => devices[0].to_owned(),
        ("device_list", 2) => devices[1].to_owned(),
        ("interface_list", 0) => port.to_owned(),
        _ => String::new(),
    };
    let graphql = move |query: &str| {
        let body: serde_json::Value = serde_json::from_str(query).unwrap();
        let (text, start) = (body["query"].as_str().unwrap(), body["variables"]["start"].as_u64().unwrap());
        let field = text.split("rows: ").nth(1).unwrap().split('(').next().unwrap();
        format!(r#"{{"data":{{"rows":[{}]}}}}"#, rows(field, start))
    };
    let (url, fake) = start(move |path, query, _| match path {
        "/graphql/" => (200, JSON, graphql(&query["body"])),
        _ => plain(path, query),
    })
    .await;
    let mut settings = Settings::new(&url, "nbt_key.secret".into());
    settings.graphql = GraphQl::Always;
    let read = Client::new(settings.clone()).unwrap().read(|_| {}).await.unwrap();
    let names: Vec<&str> = read.fabric.devices.iter().map(|device| &*device.name).collect();
    assert_eq!((names, read.fabric.addresses[0].net.to_string()), (vec!["leaf1", "leaf4"], "10.0.0.4/32".to_owned()));
    assert_eq!(read.fabric.interface(read.fabric.addresses[0].interface).unwrap().device, 4);
    assert!(!fake.asked.lock().unwrap().contains_key("/api/dcim/devices/"), "REST was not asked for what GraphQL told");

    // Switched off, refused or logged out: REST reads the same, unless GraphQL was insisted on.
    for (status, kind, body) in
        [(404, "text/html", "<html>"), (200, "text/html", "<html>log in"), (200, JSON, r#"{"data":null,"errors":[{"message":"no"}]}"#)]
    {
        let (url, fake) =
            start(move |path, query, _| if path == "/graphql/" { (status, kind, body.into()) } else { plain(path, query) }).await;
        settings.url.clone_from(&url);
        settings.graphql = GraphQl::Auto;
        let client = Client::new(settings.clone()).unwrap();
        assert_eq!(client.read(|_| {}).await.unwrap().fabric.devices.len(), 1);
        let asked = fake.asked.lock().unwrap()["/graphql/"];
        client.read(|_| {}).await.unwrap();
        assert_eq!(fake.asked.lock().unwrap()["/graphql/"], asked, "given up for good");
        settings.graphql = GraphQl::Always;
        let error = Client::new(settings.clone()).unwrap().read(|_| {}).await.unwrap_err();
        assert!(matches!(error, Error::GraphQl { .. } | Error::NotJson { .. }), "{error}");
    }
}

#[tokio::test]
async fn branches_are_found_by_name() {
    let rows = r#"[{"id":1,"name":"old","schema_id":"aaaa1111","status":{"value":"merged","label":"Merged"}},
        {"id":2,"name":"CR 7","schema_id":"bbbb2222","status":{"value":"ready","label":"Ready"}},
        {"id":3,"name":"new","schema_id":"cccc3333","status":{"value":"provisioning","label":"Provisioning"}}]"#;
    let answer = move |path: &str, query: &HashMap<String, String>, _: usize| match path {
        "/api/plugins/branching/branches/" => (200, JSON, format!(r#"{{"count":3,"next":null,"results":{rows}}}"#)),
        _ => plain(path, query),
    };
    let (url, fake) = start(answer).await;
    let branch = |name: &str| {
        let mut settings = rest(&url);
        settings.branch = Some(name.to_owned());
        Client::new(settings).unwrap()
    };
    branch("CR 7").read(|_| {}).await.unwrap();
    let sent = fake.branch.lock().unwrap().clone();
    assert_eq!((sent[0].as_str(), sent.iter().skip(1).all(|id| id == "bbbb2222")), ("", true), "{sent:?}");
    for (name, words) in
        [("old", "it is merged, not ready"), ("new", "it is provisioning, not ready"), ("none", "there are: old, CR 7, new")]
    {
        let error = branch(name).read(|_| {}).await.unwrap_err();
        assert!(matches!(&error, Error::Branch { .. }) && error.to_string().contains(words), "{error}");
    }
    let (url, _) = start(|path, query, _| match path {
        "/api/plugins/branching/branches/" => (404, "text/html", "<html>".into()),
        _ => plain(path, query),
    })
    .await;
    let mut settings = Settings::new(&url, "nbt_key.secret".into());
    settings.branch = Some("x".into());
    let error = Client::new(settings).unwrap().read(|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("not installed"), "{error}");
}

#[tokio::test]
async fn a_token_that_may_not_see_the_change_log_still_reads() {
    let (url, _) = start(|path, query, _| match path {
        "/api/core/object-changes/" => (403, JSON, r#"{"detail":"no"}"#.into()),
        _ => plain(path, query),
    })
    .await;
    let read = client(&url).read(|_| {}).await.unwrap();
    assert_eq!(read.last_change_id, None);
    assert!(read.findings.iter().any(|finding| finding.code == "no-change-log"));
}

#[tokio::test]
async fn devices_that_a_filter_let_through_are_left_out() {
    let other = r#"{"id":2,"name":"core9","tags":[],"custom_fields":{},"status":"active"}"#;
    let (url, _) = start(move |path, query, _| match path {
        "/api/dcim/devices/" => (200, JSON, list(&[device(1), other.into()])),
        _ => plain(path, query),
    })
    .await;
    let read = client(&url).read(|_| {}).await.unwrap();
    assert_eq!(read.fabric.devices.len(), 1);
    let (url, _) = start(|path, query, _| if path == "/api/dcim/devices/" { (200, JSON, list(&[])) } else { plain(path, query) }).await;
    let read = client(&url).read(|_| {}).await.unwrap();
    assert!(read.findings.iter().any(|finding| finding.code == "no-devices" && finding.severity == Severity::Error));
}

/// Many devices are asked for side by side, some at a time: nothing of one part is lost to another, and what is lost is noticed.
#[tokio::test]
async fn graphql_of_many_devices_comes_whole_or_not_at_all() {
    let device = |id: u64| {
        format!(
            r#"{{"id":"{id}","name":"leaf{id}","interface_count":1,"role":{{"slug":"leaf"}},"site":{{"slug":"dc"}},"status":"active","tags":[{{"slug":"evpn-fabric"}}],"custom_fields":{{}},"config_context":{{}}}}"#
        )
    };
    let port = |of: u64| {
        format!(
            r#"{{"id":"{}","name":"Loopback0","enabled":true,"mtu":null,"mode":"","description":"","custom_fields":{{}},"device":{{"id":"{of}"}},"lag":null,"parent":null,"vrf":null,"untagged_vlan":null,"tagged_vlans":[],"tags":[],"ip_addresses":[]}}"#,
            1000 + of
        )
    };
    let graphql = move |query: &str, lost: Option<u64>| {
        let body: serde_json::Value = serde_json::from_str(query).unwrap();
        let (text, start) = (body["query"].as_str().unwrap(), body["variables"]["start"].as_u64().unwrap());
        let asked = |id: &u64| text.contains(&format!("\"{id}\"")) && Some(*id) != lost;
        let rows: Vec<String> = match text.split("rows: ").nth(1).unwrap().split('(').next().unwrap() {
            "device_list" => (1..=100).filter(|id| *id >= start).map(device).collect(),
            "interface_list" => (1..=100).filter(asked).filter(|id| 1000 + id >= start).map(port).collect(),
            _ => Vec::new(),
        };
        format!(r#"{{"data":{{"rows":[{}]}}}}"#, rows.join(","))
    };
    for lost in [None, Some(77)] {
        let (url, _) = start(move |path, query, _| match path {
            "/graphql/" => (200, JSON, graphql(&query["body"], lost)),
            _ => plain(path, query),
        })
        .await;
        let mut settings = Settings::new(&url, "nbt_key.secret".into());
        settings.graphql = GraphQl::Always;
        let read = Client::new(settings).unwrap().read(|_| {}).await;
        match lost {
            None => assert_eq!(read.unwrap().fabric.interfaces.len(), 100),
            Some(_) => {
                let error = read.unwrap_err();
                assert_eq!(
                    (error.code(), error.to_string().contains("interfaces of leaf77) is cut: 0 of 1")),
                    ("truncated", true),
                    "{error}"
                );
            }
        }
    }
}
