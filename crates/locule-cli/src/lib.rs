//! The commands for users: `run`, `sandbox`, accounts, teams and hosts, and their output.
//!
//! ```text
//! locule run ──────────► create ─► session ─► destroy, also after a failure
//! locule sandbox exec ────────────► session (-t: terminal)
//! locule sandbox shell ───────────► terminal
//! locule sandbox cp ─► plan (pure) ─► local tar ⇄ session ⇄ tar in the sandbox
//! ```
//! Data goes to standard output, messages go to standard error. Every command has `--json`. An error says what to do next.

mod account;
mod api_key;
mod audit;
mod copy;
mod created;
mod each;
mod environment;
mod exec;
mod find;
mod host;
mod interrupts;
mod list;
mod messages;
mod ports;
mod printer;
mod run;
mod sandbox;
mod session;
mod team;
mod terminal;
mod values;

use std::process::ExitCode;

use clap::Subcommand;

pub use account::{LoginArgs, LogoutArgs, SignupArgs};
pub use api_key::ApiKeyCommand;
pub use audit::AuditArgs;
pub use exec::ExecArgs;
pub use host::HostCommand;
pub use list::age;
pub use run::RunArgs;
pub use sandbox::SandboxCommand;
pub use team::TeamCommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a command in a new sandbox that is destroyed afterwards
    Run(RunArgs),
    /// Create, list, use and destroy sandboxes
    #[command(subcommand, visible_alias = "sb")]
    Sandbox(SandboxCommand),
    /// Create an account, and log in to it
    Signup(SignupArgs),
    /// Log in to a server
    Login(LoginArgs),
    /// Log out
    Logout(LogoutArgs),
    /// Show the current login and its team
    Whoami {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Manage teams and their members
    #[command(subcommand)]
    Team(TeamCommand),
    /// Manage API keys
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Manage the machines that run sandboxes
    #[command(subcommand)]
    Host(HostCommand),
    /// Show the audit log of the team, newest entry first
    Audit(AuditArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "For example:\n  locule completion bash > /etc/bash_completion.d/locule"
    )]
    Completion {
        /// Shell to complete commands in
        shell: clap_complete::Shell,
    },
}

/// The exit code when Locule fails and the exit code is otherwise that of the user's command.
const FAILED: u8 = 125;

/// Runs a command. `run`, `exec` and `shell` return the exit code of the user's command. `root` is the command tree of the program.
pub async fn run(command: Command, root: &clap::Command) -> ExitCode {
    let (done, failed) = match command {
        Command::Run(args) => (run::run(args).await, FAILED),
        Command::Sandbox(SandboxCommand::Exec(args)) => (exec::exec(args).await, FAILED),
        Command::Sandbox(SandboxCommand::Shell(args)) => (exec::shell(args).await, FAILED),
        Command::Sandbox(command) => (sandbox::run(command).await, 1),
        Command::Signup(args) => (account::sign_up(args).await, 1),
        Command::Login(args) => (account::login(args).await, 1),
        Command::Logout(args) => (logged_in(account::logout(&args)).await, 1),
        Command::Whoami { json } => (logged_in(account::whoami(json)).await, 1),
        Command::Team(command) => (logged_in(team::run(command)).await, 1),
        Command::ApiKey(command) => (logged_in(api_key::run(command)).await, 1),
        Command::Host(command) => (logged_in(host::run(command)).await, 1),
        Command::Audit(args) => (logged_in(audit::run(args)).await, 1),
        Command::Completion { shell } => (complete(shell, root), 1),
    };
    done.unwrap_or_else(|error| {
        printer::print_error(&error);
        ExitCode::from(failed)
    })
}

/// Runs a command that needs a login, and explains refusals of that login.
async fn logged_in(
    command: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    command.await.map_err(account::explained)
}

/// Runs a command as [`run()`] does, on a runtime of its own.
pub fn run_to_end(command: Command, root: &clap::Command) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run(command, root));
            // A read of standard input that never returns must not keep the program running.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            printer::print_error(&error.into());
            ExitCode::from(FAILED)
        }
    }
}

fn complete(shell: clap_complete::Shell, root: &clap::Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut root.clone(), "locule", &mut script);
    printer::print_line(String::from_utf8(script)?.trim_end());
    Ok(ExitCode::SUCCESS)
}
