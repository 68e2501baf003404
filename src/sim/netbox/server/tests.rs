//! Over a socket: URLs, headers and what every fault looks like to a client.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::super::fault::Fault;
use super::*;
use crate::sim::lab::LabData;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn running() -> Running {
    let data = LabData::embedded().expect("data");
    Server::start(&data.netbox, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).await.expect("server")
}

/// Everything the server sends for one GET, or the error that ended it.
async fn raw(running: &Running, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(running.url.trim_start_matches("http://")).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: netbox.test\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

const SITES: &str = "/api/dcim/device-roles/";

async fn body(running: &Running) -> (String, Result<Value, serde_json::Error>) {
    let text = raw(running, SITES).await.expect("answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    (head.to_lowercase(), serde_json::from_str(body))
}

#[tokio::test]
async fn urls_name_the_host_that_was_asked() {
    let running = running().await;
    let (head, body) = body(&running).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    for wanted in ["content-type: application/json", "api-version: 4.7", "x-request-id: ", "allow: get, post"] {
        assert!(head.contains(wanted), "{wanted}: {head}");
    }
    let body = body.expect("JSON");
    assert_eq!(body["results"][0]["url"], "http://netbox.test/api/dcim/device-roles/3/");
    running.stop().await;
}

#[tokio::test]
async fn every_fault_looks_like_itself() {
    let running = running().await;
    let faults = running.server().faults();
    for (kind, status, html, rows, count) in [
        (Kind::Denied, "403", false, None, None),
        (Kind::ServerError, "500", true, None, None),
        (Kind::BadGateway, "502", true, None, None),
        (Kind::TooManyRequests, "429", true, None, None),
        (Kind::LoginPage, "200", true, None, None),
        (Kind::TruncatedPage, "200", false, Some(1), Some(3)),
        (Kind::Shrink, "200", false, Some(1), Some(1)),
        (Kind::Empty, "200", false, Some(0), Some(0)),
    ] {
        faults.clear();
        faults.add(kind);
        let (head, body) = body(&running).await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{kind:?}: {head}");
        assert_eq!(head.contains("text/html"), html, "{kind:?}: {head}");
        let body = body.unwrap_or_default();
        assert_eq!(body.get("results").and_then(Value::as_array).map(Vec::len), rows, "{kind:?}");
        assert_eq!(body.get("count").and_then(Value::as_u64), count, "{kind:?}");
    }
    faults.clear();
    faults.add(Kind::TruncatedBody);
    assert!(body(&running).await.1.is_err_and(|problem| problem.is_eof()));
    faults.clear();
    faults.add(Kind::Reset);
    let problem = raw(&running, SITES).await.expect_err("reset");
    assert_eq!(problem.kind(), io::ErrorKind::ConnectionReset, "{problem}");
    faults.clear();
    faults.add(Fault { ms: 40, times: Some(1), ..Fault::from(Kind::Slow) });
    let start = std::time::Instant::now();
    assert!(body(&running).await.1.is_ok() && start.elapsed() >= Duration::from_millis(40));
    assert!(body(&running).await.1.is_ok());
}

/// Writes something and gives the answer's status line.
async fn patch(running: &Running, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(running.url.trim_start_matches("http://")).await.expect("connection");
    let length = body.len();
    let request = format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("answer");
    text.lines().next().unwrap_or_default().to_owned()
}

/// One post as it arrives: head and body. Answered with 204.
async fn arrival(listener: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.expect("post");
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.expect("bytes");
        bytes.extend(&part[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("length").parse::<usize>().expect("number");
        if body.len() >= length {
            let (head, body) = (head.to_owned(), body.as_bytes().to_vec());
            stream.write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").await.expect("answered");
            return (head, body);
        }
    }
}

#[tokio::test]
async fn webhooks_are_posted_and_their_faults_look_like_themselves() {
    let running = running().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("listener");
    let url = format!("http://{}/hook?from=lab", listener.local_addr().expect("address"));
    let make = |path: &str, body: Value| {
        let change = json!({"id": "x", "calls": [{"method": "POST", "path": path, "body": body, "expect": 201}]});
        running.server().apply(&serde_json::from_value(change).expect("change")).expect("made");
    };
    make("/api/extras/webhooks/", json!({"name": "w", "payload_url": url, "secret": "s", "additional_headers": "X-Extra: 1"}));
    make(
        "/api/extras/event-rules/",
        json!({"name": "r", "object_types": ["dcim.interface"], "event_types": ["object_updated"],
            "action_type": "webhook", "action_object_type": "extras.webhook", "action_object_id": 1}),
    );
    let signed = |head: &str, body: &[u8]| {
        let signature = head.lines().find_map(|line| line.strip_prefix("X-Hook-Signature: ")).expect("signature");
        signature == super::super::hook::signature(b"s", body)
    };
    for mtu in [9001, 9002] {
        assert!(patch(&running, "/api/dcim/interfaces/27/", &format!("{{\"mtu\": {mtu}}}")).await.contains("200"));
    }
    for mtu in [9001, 9002] {
        let (head, body) = arrival(&listener).await;
        assert!(head.starts_with("POST /hook?from=lab HTTP/1.1\r\nHost: 127.0.0.1:") && head.contains("X-Extra: 1"), "{head}");
        assert!(signed(&head, &body));
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&body["event"], &body["data"]["mtu"], &body["request"]["method"]), (&"updated".into(), &mtu.into(), &"PATCH".into()));
    }
    let faults = running.server().faults();
    faults.add(Fault { times: Some(1), ..Fault::from(Kind::WebhookLost) });
    faults.add(Fault { times: Some(1), ..Fault::from(Kind::WebhookTwice) });
    faults.add(Fault { times: Some(1), ..Fault::from(Kind::WebhookForged) });
    for mtu in [9003, 9004, 9005] {
        patch(&running, "/api/dcim/interfaces/27/", &format!("{{\"mtu\": {mtu}}}")).await;
    }
    for _ in 0..2 {
        let (_, body) = arrival(&listener).await;
        assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON")["data"]["mtu"], 9004);
    }
    let (head, body) = arrival(&listener).await;
    assert!(!signed(&head, &body), "forged");
}

/// What a path answers, by GET or, with a query of GraphQL, by POST: status and body.
async fn said(running: &Running, path: &str) -> (u16, Value) {
    let text = match path.strip_prefix("graphql ") {
        None => raw(running, path).await.expect("answer"),
        Some(query) => {
            let body = json!({"query": query}).to_string();
            let mut stream = TcpStream::connect(running.url.trim_start_matches("http://")).await.expect("connection");
            let head = format!("POST /graphql/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n");
            let request = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            stream.write_all(request.as_bytes()).await.expect("sent");
            let mut text = String::new();
            stream.read_to_string(&mut text).await.expect("answer");
            text
        }
    };
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("status");
    (status, serde_json::from_str(body).unwrap_or_else(|_| json!(format!("{head}\n{body}"))))
}

#[tokio::test]
async fn refusals_of_a_bad_day() {
    let running = running().await;
    let asns = "graphql {asn_list{id}}";
    for (kind, path, status, part) in [
        (Kind::Unavailable, SITES, 503, "nginx"),
        (Kind::GatewayTimeout, SITES, 504, "nginx"),
        (Kind::TokenRevoked, SITES, 403, "Invalid v2 token"),
        (Kind::TokenRevoked, asns, 403, "text/html"),
        (Kind::ObjectGone, "/api/dcim/interfaces/?device_id=1&device_id=3", 400, "Select a valid choice. 3 is not"),
        (Kind::ObjectGone, "/api/dcim/devices/3/", 404, "No object"),
        (Kind::ObjectGone, SITES, 200, "spine"),
        (Kind::PluginMissing, "/api/plugins/bgp/session/", 404, "text/html"),
        (Kind::PluginMissing, "graphql {netbox_bgp_session_list{id}}", 200, "Cannot query field 'netbox_bgp_session_list'"),
        (Kind::PluginMissing, asns, 200, "asn_list"),
        (Kind::Redirect, SITES, 301, "location: http://netbox.invalid/api/dcim/device-roles/"),
        (Kind::WrongBranch, SITES, 400, "Invalid branch identifier"),
        (Kind::GraphqlOff, asns, 404, "The GraphQL API is not enabled."),
        (Kind::GraphqlOff, SITES, 200, "spine"),
    ] {
        let faults = running.server().faults();
        faults.clear();
        faults.add(kind);
        let (have, body) = said(&running, path).await;
        assert!(have == status && body.to_string().contains(part), "{kind:?} {path}: {have} {body}");
    }
}

#[tokio::test]
async fn answers_of_a_bad_day() {
    let running = running().await;
    let faults = running.server().faults();
    let ids = |answer: (u16, Value)| -> (Option<u64>, Vec<u64>) {
        let rows = answer.1["results"].as_array().expect("rows").iter().filter_map(|row| row["id"].as_u64()).collect();
        (answer.1["count"].as_u64(), rows)
    };
    let (first, second) = ("/api/ipam/asns/?limit=2&fields=id", "/api/ipam/asns/?limit=2&offset=2&fields=id");
    let all = ids(said(&running, "/api/ipam/asns/?fields=id").await).1;
    faults.add(Kind::PageRepeats);
    assert_eq!(
        (ids(said(&running, first).await), ids(said(&running, second).await)),
        ((Some(6), all[0..2].to_vec()), (Some(7), all[1..3].to_vec()))
    );
    faults.clear();
    faults.add(Kind::PageSkips);
    assert_eq!(ids(said(&running, second).await), (Some(5), all[3..5].to_vec()));
    assert_eq!(ids(said(&running, "/api/ipam/asns/?start=3&limit=2&fields=id").await), (None, vec![3, 4]), "cursors do not suffer");
    faults.clear();
    faults.add(Kind::NoCursor);
    assert_eq!(ids(said(&running, "/api/ipam/asns/?start=3&limit=2&fields=id").await), (Some(6), all[0..2].to_vec()));
    faults.clear();
    faults.add(Fault { name: "asn".to_owned(), ..Fault::from(Kind::CustomFieldRenamed) });
    for (path, at) in [
        ("/api/dcim/devices/3/?fields=custom_fields", "/custom_fields"),
        ("graphql {device(id:3){custom_fields}}", "/data/device/custom_fields"),
    ] {
        let body = said(&running, path).await.1;
        let fields = body.pointer(at).expect("fields");
        assert_eq!(
            (&fields["asn_renamed"], fields.get("asn"), &fields["mlag_domain_id"]),
            (&json!(65001), None, &json!("leafs")),
            "{body}"
        );
    }
    faults.clear();
    faults.add(Kind::CustomFieldRetyped);
    assert_eq!(said(&running, "/api/dcim/devices/3/?fields=custom_fields").await.1["custom_fields"]["asn"], "65001");
    faults.clear();
    faults.add(Fault { keep: 50, ..Fault::from(Kind::Shrink) });
    assert_eq!(said(&running, "graphql {asn_list{id}}").await.1["data"]["asn_list"].as_array().map(Vec::len), Some(3));
    faults.clear();
    faults.add(Fault { ms: 30, ..Fault::from(Kind::Stall) });
    let mut stream = TcpStream::connect(running.url.trim_start_matches("http://")).await.expect("connection");
    let request = format!("GET {SITES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await; // an end or a reset: either way not all of it came
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("head");
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).expect("length");
    assert!(!body.is_empty() && body.len() < length, "{} of {length}", body.len());
}
