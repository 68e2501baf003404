//! Three pages on a socket. `/healthz` says whether the engine runs and has intent, `/metrics` what it knows; `/webhook/netbox`
//! hears that somebody edited intent.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::metrics;
use crate::engine::command::Command;
use crate::engine::now;
use crate::engine::snapshot::{Snapshot, Stream};
use crate::engine::webhook::{Refused, SIGNATURE, Webhooks};

type Snapshots = watch::Receiver<Arc<Snapshot>>;

/// A hook of NetBox has the whole object three times; the largest recorded one has 6 kB.
const LARGEST_HOOK: usize = 1 << 20;

/// What the pages need of the engine.
#[derive(Clone, Debug)]
pub struct Pages {
    /// What is known.
    pub snapshots: Snapshots,
    /// What is asked.
    pub commands: mpsc::Sender<Command>,
    /// Judges webhooks; `None` when the settings have no secret for them.
    pub webhooks: Option<Arc<Webhooks>>,
}

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
pub async fn serve(listener: TcpListener, pages: Pages) -> std::io::Result<()> {
    let hook = post(webhook).layer(DefaultBodyLimit::max(LARGEST_HOOK));
    let router = Router::new().route("/healthz", get(healthz)).route("/metrics", get(page)).route("/webhook/netbox", hook);
    axum::serve(listener, router.with_state(pages)).await
}

/// 202 at once when it is genuine: what was edited is read afterwards, from NetBox itself.
async fn webhook(State(pages): State<Pages>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(webhooks) = &pages.webhooks else {
        return (StatusCode::NOT_FOUND, "webhooks are not heeded: the settings have no webhook_secret for NetBox\n").into_response();
    };
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    match webhooks.check(signature, &body) {
        Ok(hint) => {
            tracing::info!(event = %hint.event, object = %hint.object_type, request = %hint.request, user = %hint.user, "webhook");
            // A full queue holds a hint already.
            let _ = pages.commands.try_send(Command::IntentHint);
            StatusCode::ACCEPTED.into_response()
        }
        Err(refused) => {
            tracing::warn!(%refused, "webhook");
            let status = match refused {
                Refused::Unsigned | Refused::Forged => StatusCode::UNAUTHORIZED,
                Refused::Unreadable(_) => StatusCode::BAD_REQUEST,
                Refused::Old(_) | Refused::Replayed => StatusCode::CONFLICT,
            };
            (status, format!("{refused}\n")).into_response()
        }
    }
}

async fn page(State(Pages { snapshots, .. }): State<Pages>) -> Response {
    let snapshot = Arc::clone(&snapshots.borrow());
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&snapshot, now())).into_response()
}

/// 200 while the engine runs and holds intent, however old; 503 before, and after it ended. Devices that are down are the
/// fabric's affair: they show here, and do not make this process unwell.
async fn healthz(State(Pages { snapshots, .. }): State<Pages>) -> Response {
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
