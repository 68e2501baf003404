//! Parses arguments, installs the error hooks, dispatches.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Both can only have been installed already, which is as good.
    let _ = color_eyre::install();
    let _ = rustls::crypto::ring::default_provider().install_default();
    fabric_orchestrator::cli::run()
}
