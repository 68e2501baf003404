//! Over a socket: URLs, headers and what every fault looks like to a client.

use std::net::Ipv4Addr;

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
