//! The client-only build: the commands for users, without a server. It is installed under the name `locule`.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

/// Isolated Linux computers on demand, for people and AI agents.
#[derive(Debug, Parser)]
#[command(
    name = "locule",
    bin_name = "locule",
    version,
    propagate_version = true
)]
struct Cli {
    #[command(subcommand)]
    command: locule_cli::Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    locule_cli::run_to_end(cli.command, &Cli::command())
}
