//! `serve`: the drift monitor without a screen. Mirrors the fabric, writes drift to the journal, says what happens on stderr,
//! and answers `/healthz`, `/metrics` and NetBox's webhooks. Read-only: it commits nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::{CLEAN, Exit, Failure, Global, lab, out, watch};
use crate::api::server::{self, Pages};
use crate::engine::webhook::Webhooks;
use crate::engine::{Engine, Options};

/// Where the pages are when nobody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9478);

/// `serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Address of /healthz, /metrics and /webhook/netbox (they tell no secret, but names and health of the fabric); port 0 takes a free one [default: `listen` of the settings, else 127.0.0.1:9478]
    #[arg(long, value_name = "HOST:PORT", env = "FABRIC_ORCH_LISTEN")]
    listen: Option<SocketAddr>,
}

impl Serve {
    /// Serves until a signal.
    pub async fn run(self, global: &Global) -> Exit {
        let mut settings = global.settings()?;
        settings.may_write = false;
        let asked = self.listen.or(settings.listen).unwrap_or(LISTEN);
        let webhooks = Webhooks::new(&settings.netbox).map(Arc::new);
        let listener =
            server::bind(asked).await.map_err(|error| Failure::new(error.to_string()).hint("choose another with --listen HOST:PORT"))?;
        let listen = listener.local_addr().map_err(|error| Failure::new(format!("no address: {error}")))?;
        let handle = Engine::start(settings, Options::monitor())?;
        out::json(&json!({"listen": listen.to_string()}), false)?;
        let pages = Pages { snapshots: handle.snapshots.clone(), commands: handle.commands.clone(), webhooks };
        let mut said = watch::Said::default();
        let mut snapshots = handle.snapshots.clone();
        let ended = tokio::select! {
            ended = lab::signal() => ended,
            served = server::serve(listener, pages) => {
                served.map_err(|error| Failure::new(format!("{listen} is not served any more: {error}")))
            }
            () = async {
                while snapshots.changed().await.is_ok() {
                    let snapshot = snapshots.borrow_and_update().clone();
                    for happening in said.fresh(&snapshot) {
                        watch::talk(happening);
                    }
                }
            } => Err(Failure::new("the engine ended by itself").hint("--log FILE says more")),
        };
        handle.stop().await;
        ended.map(|()| CLEAN)
    }
}
