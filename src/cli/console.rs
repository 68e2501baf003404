//! No command: the console on the configured fabric.

use std::sync::Arc;
use std::time::Duration;

use super::{CLEAN, Exit, Failure, Global};
use crate::config::Settings;
use crate::engine::command::Command;
use crate::engine::{Engine, Options};
use crate::tui;

/// Opens it on the fabric the settings name.
pub async fn run(global: &Global) -> Exit {
    open(global, global.settings()?).await
}

/// Opens it on a fabric; the engine ends with it.
pub async fn open(global: &Global, settings: Settings) -> Exit {
    let handle = Engine::start(settings, Options::console())?;
    let options = tui::Options { theme: global.theme.clone().unwrap_or_default(), plain: global.plain, record: global.record.clone() };
    let ended = tui::run(handle.commands.clone(), handle.snapshots.clone(), Arc::clone(&handle.schema), options).await;
    let _ = handle.commands.send(Command::Quit).await;
    let _ = tokio::time::timeout(Duration::from_secs(5), handle.join).await;
    ended.map_err(|error| Failure::new(error.to_string()))?;
    Ok(CLEAN)
}
