//! No command: the console on the configured fabric.

use std::sync::Arc;
use std::time::Duration;

use super::{CLEAN, Exit, Failure, Global};
use crate::api::server::{self, Pages};
use crate::config::Settings;
use crate::engine::command::Command;
use crate::engine::webhook::Webhooks;
use crate::engine::{Engine, Options};
use crate::tui;

/// Opens it on the fabric the settings name.
pub async fn run(global: &Global) -> Exit {
    open(global, global.settings()?).await
}

/// Opens it on a fabric; the engine ends with it.
pub async fn open(global: &Global, settings: Settings) -> Exit {
    // Taken before the screen is: what cannot be listened on is said in plain words.
    let listener = match settings.listen {
        Some(listen) => Some(server::bind(listen).await.map_err(|error| {
            Failure::new(error.to_string())
                .hint("another console or `serve` has it? take `listen` out of the settings, or give each its own")
        })?),
        None => None,
    };
    let webhooks = Webhooks::new(&settings.netbox).map(Arc::new);
    let handle = Engine::start(settings, Options::console())?;
    let pages = Pages { snapshots: handle.snapshots.clone(), commands: handle.commands.clone(), webhooks };
    let serving = async {
        if let Some(listener) = listener
            && let Err(error) = server::serve(listener, pages).await
        {
            tracing::error!(%error, "webhooks are not heard any more");
        }
        std::future::pending::<()>().await;
    };
    let options = tui::Options { theme: global.theme.clone().unwrap_or_default(), plain: global.plain, record: global.record.clone() };
    let ended = tokio::select! {
        ended = tui::run(handle.commands.clone(), handle.snapshots.clone(), Arc::clone(&handle.schema), options) => ended,
        () = serving => Ok(()),
    };
    let _ = handle.commands.send(Command::Quit).await;
    let _ = tokio::time::timeout(Duration::from_secs(5), handle.join).await;
    ended.map_err(|error| Failure::new(error.to_string()))?;
    Ok(CLEAN)
}
