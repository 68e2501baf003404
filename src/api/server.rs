//! The two pages on a socket. `/healthz` says whether the engine runs and has intent, `/metrics` what it knows.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::metrics;
use crate::engine::now;
use crate::engine::snapshot::{Snapshot, Stream};

type Snapshots = watch::Receiver<Arc<Snapshot>>;

/// Why the pages are not served.
#[derive(Debug, thiserror::Error)]
#[error("{listen} cannot be listened on: {source}")]
pub struct Error {
    /// Where.
    pub listen: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// Listens; port 0 takes a free one.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(listen).await.map_err(|source| Error { listen, source })
}

/// Serves for as long as it is polled.
///
/// # Errors
/// When the socket fails.
pub async fn serve(listener: TcpListener, snapshots: Snapshots) -> std::io::Result<()> {
    let pages = Router::new().route("/healthz", get(healthz)).route("/metrics", get(page)).with_state(snapshots);
    axum::serve(listener, pages).await
}

async fn page(State(snapshots): State<Snapshots>) -> Response {
    let snapshot = Arc::clone(&snapshots.borrow());
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&snapshot, now())).into_response()
}

/// 200 while the engine runs and holds intent, however old; 503 before, and after it ended. Devices that are down are the
/// fabric's affair: they show here, and do not make this process unwell.
async fn healthz(State(snapshots): State<Snapshots>) -> Response {
    let running = snapshots.has_changed().is_ok();
    let snapshot = Arc::clone(&snapshots.borrow());
    let intent = match (&snapshot.intent.read, &snapshot.intent.error) {
        (Some(_), None) => "current",
        (Some(_), Some(_)) => "old",
        (None, Some(_)) => "failed",
        (None, None) => "reading",
    };
    let well = running && snapshot.intent.read.is_some();
    let body = serde_json::json!({
        "status": if well { "ok" } else { "unavailable" },
        "engine": if running { "running" } else { "ended" },
        "intent": intent,
        "intent_error": snapshot.intent.error,
        "devices": snapshot.devices.len(),
        "live": snapshot.devices.iter().filter(|view| view.stream == Stream::Live).count(),
        "in_sync": snapshot.intent.read.map(|_| snapshot.plan.in_sync),
    });
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(body)).into_response()
}
