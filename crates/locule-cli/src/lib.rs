//! What a user does from a terminal: verbs, output, the user's own configuration.
//!
//! Data goes to standard output, talk to standard error; every verb has `--json`; an error says what to do.

mod copy;
mod exec;
mod printer;
mod sandbox;
mod server;

use std::process::ExitCode;

use clap::Subcommand;

pub use exec::ExecArgs;
pub use sandbox::SandboxCommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a command in a new sandbox that is destroyed afterwards
    Run(exec::RunArgs),
    /// Create, list, use and destroy sandboxes
    #[command(subcommand, visible_alias = "sb")]
    Sandbox(SandboxCommand),
}

/// Runs a verb. Its exit code is the command's own, where it runs one.
pub async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Run(args) => exec::run(args).await,
        Command::Sandbox(command) => sandbox::run(command).await,
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            printer::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
