//! Sends webhooks: one after the other, some time after the request, as the real one's worker does. Never keeps a caller of the API waiting.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::fault::{Faults, Kind};
use super::super::hook::Post;

/// Between a change and its post. The real one needs 5 to 14 s.
pub(super) const DELAY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends what comes until nobody can send any more. What fails is lost, as it is by default in the real one.
pub(super) async fn deliver(mut posts: UnboundedReceiver<Post>, faults: Faults) {
    while let Some(mut post) = posts.recv().await {
        let fault = faults.next_post();
        let delay = fault.as_ref().filter(|fault| fault.kind == Kind::WebhookLate).map_or(DELAY, |fault| Duration::from_millis(fault.ms));
        tokio::time::sleep(delay).await;
        let times = match fault.map(|fault| fault.kind) {
            Some(Kind::WebhookLost) => 0,
            Some(Kind::WebhookTwice) => 2,
            Some(Kind::WebhookForged) => {
                forge(&mut post);
                1
            }
            _ => 1,
        };
        for _ in 0..times {
            let _ = tokio::time::timeout(PATIENCE, send(&post)).await; // refused, reset or slow: it is lost
        }
    }
}

/// Another body under the same signature.
fn forge(post: &mut Post) {
    if let Some(last) = post.body.iter_mut().rev().find(|byte| **byte == b'}') {
        *last = b' ';
    }
}

async fn send(post: &Post) -> std::io::Result<()> {
    let uri: http::Uri = post.url.parse().map_err(std::io::Error::other)?;
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(80);
    let mut head =
        format!("{} {} HTTP/1.1\r\nHost: {host}:{port}\r\n", post.method, uri.path_and_query().map_or("/", |path| path.as_str()));
    for (name, value) in &post.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&post.body).await?;
    // The worker waits for the answer before it takes the next one.
    let mut answer = [0; 256];
    stream.read(&mut answer).await.map(|_| ())
}
