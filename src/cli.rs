//! One file a command; text and JSON; exit codes.
//!
//! Data goes to stdout, and only through [`out`]; talk goes to stderr. A command gets its arguments and gives an exit code:
//! 0 done or in sync, 1 error, 2 changes or findings, 3 refused, 4 an outcome nobody knows. It decides nothing about a
//! fabric: it asks the engine and prints what comes.

pub mod apply;
pub mod console;
pub mod discover;
pub mod drift;
pub mod failure;
pub mod history;
pub mod intent;
pub mod lab;
mod limits;
pub mod out;
pub mod plan;
mod rollback;
pub mod serve;
mod watch;
pub mod yang;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Asked, Env, Settings};

pub use failure::Failure;

/// In sync, or done.
pub const CLEAN: u8 = 0;
/// Something went wrong.
pub const ERROR: u8 = 1;
/// There are changes, or findings.
pub const CHANGES: u8 = 2;
/// Refused: stale, blocked, not armed, not confirmed.
pub const REFUSED: u8 = 3;
/// The outcome on a device is not known.
pub const UNKNOWN: u8 = 4;

/// What a command gives: its exit code.
pub type Exit = Result<u8, Failure>;

/// `fabric-orch`
#[derive(Debug, Parser)]
#[command(name = "fabric-orch", version = version(), about = "terraform plan/apply for a live Arista EVPN-VXLAN fabric", max_term_width = 100)]
pub struct Line {
    /// What every command knows.
    #[command(flatten)]
    pub global: Global,
    /// Read this NetBox branch instead of main: the console shows what merging it would do, and commits nothing
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// The command; none opens the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The version and the commit it was built from.
fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("FABRIC_ORCH_COMMIT"), ")")
}

/// What every command knows.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Settings file [default: config.toml in the platform's configuration folder]
    #[arg(long, global = true, value_name = "FILE", env = "FABRIC_ORCH_CONFIG")]
    pub config: Option<PathBuf>,
    /// Fabric of the settings file
    #[arg(long, global = true, value_name = "NAME", env = "FABRIC_ORCH_FABRIC")]
    pub fabric: Option<String>,
    /// Allow writes to be armed (else read-only, unless the fabric's settings say `write = true`)
    #[arg(long, global = true)]
    pub write: bool,
    /// No colour, no frames, ASCII only
    #[arg(long, global = true)]
    pub plain: bool,
    /// Theme of the console
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,
    /// Write a diagnostic log to this file (what is logged: RUST_LOG)
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Record the session to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Plaintext gNMI to every target
    #[arg(long, global = true)]
    pub insecure: bool,
    /// TLS to every target without verifying certificates
    #[arg(long, global = true, conflicts_with = "insecure")]
    pub skip_verify: bool,
}

impl Global {
    /// What the flags say about settings.
    pub fn asked(&self) -> Asked {
        Asked {
            config: self.config.clone(),
            fabric: self.fabric.clone(),
            write: self.write,
            insecure: self.insecure,
            skip_verify: self.skip_verify,
        }
    }

    /// The settings of the fabric that was asked for.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let settings = config::load(&self.asked(), &Env::process())?;
        for (device, target) in
            std::iter::once(("every target", &settings.target)).chain(settings.targets.iter().map(|(name, target)| (name.as_str(), target)))
        {
            if self.insecure || self.skip_verify {
                out::talk(&format!("warning: {device}: {}", target.security.label()));
                break;
            }
        }
        Ok(settings)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a simulated fabric on loopback, and the console on it
    Lab(lab::Lab),
    /// Show what would change: intent → desired, observe, diff, order. Exits 0 in sync, 2 changes, 1 error
    Plan(plan::Plan),
    /// Commit a saved plan or a fresh one, verified by reading back. Exits 0 done, 3 refused, 4 an outcome is unknown, 1 error
    Apply(apply::Apply),
    /// The gNMI tool: capabilities, get, set, subscribe, probe
    Discover(discover::Discover),
    /// The EOS schema: browse, search, check documents
    Yang(yang::Yang),
    /// What NetBox says, and what is wrong with it. Exits 0, 2 findings, 1 error
    Intent(intent::Intent),
    /// Past operations and what became of each device
    History(history::History),
    /// Take a past operation back, through the gates of any plan. Exits as `apply`; 2 when the plan went to a file
    Rollback(rollback::Rollback),
    /// What differs from intent: now, or live. `status` exits 0 in sync, 2 drift, 1 error
    Drift(drift::Drift),
    /// The drift monitor without a screen: journal, /healthz, /metrics. Read-only
    Serve(serve::Serve),
}

/// Parses the command line, runs the command, prints what went wrong, gives the exit code.
pub fn run() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // clap prints help and version to stdout, usage errors to stderr. Its own exit code for the latter is 2, which is ours for changes.
            let failed = error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if failed { ERROR } else { CLEAN });
        }
    };
    let code = start_log(line.global.log.as_deref()).and_then(|()| dispatch(line)).unwrap_or_else(|failure| {
        out::failure(&failure);
        failure.code
    });
    ExitCode::from(code)
}

fn dispatch(line: Line) -> Exit {
    if !matches!(line.command, Some(Command::Lab(_))) {
        // The lab makes many things at once; a mirror holds much and makes little.
        crate::engine::heap::share();
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| Failure::new(format!("no runtime: {error}")))?;
    limits::raise();
    let global = line.global;
    if line.branch.is_some() && line.command.is_some() {
        return Err(Failure::new("--branch before a command is for the console").hint("`plan` and `intent` take it behind their name"));
    }
    let code = runtime.block_on(async move {
        match line.command {
            None => console::run(&global, line.branch).await,
            Some(Command::Lab(command)) => command.run(&global).await,
            Some(Command::Plan(command)) => command.run(&global).await,
            Some(Command::Apply(command)) => command.run(&global).await,
            Some(Command::Discover(command)) => command.run(&global).await,
            Some(Command::Yang(command)) => command.run(),
            Some(Command::Intent(command)) => command.run(&global).await,
            Some(Command::History(command)) => command.run(&global),
            Some(Command::Rollback(command)) => command.run(&global).await,
            Some(Command::Drift(command)) => command.run(&global).await,
            Some(Command::Serve(command)) => command.run(&global).await,
        }
    });
    // A connection that hangs must not keep the program: everything that matters has ended by now.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

/// `--log`: tracing to a file, never to the terminal.
fn start_log(file: Option<&std::path::Path>) -> Result<(), Failure> {
    let Some(path) = file else { return Ok(()) };
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| Failure::new(format!("log file {} cannot be written: {error}", path.display())))?;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::sync::Mutex::new(file)).init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn global_flags_go_anywhere() {
        let line = Line::try_parse_from(["fabric-orch", "plan", "--json", "--config", "x.toml", "--fabric", "lab"]).unwrap();
        assert_eq!((line.global.config, line.global.fabric), (Some("x.toml".into()), Some("lab".into())));
        assert!(Line::try_parse_from(["fabric-orch"]).unwrap().command.is_none());
        assert!(Line::try_parse_from(["fabric-orch", "lab", "--clone", "many"]).is_err());
    }
}
