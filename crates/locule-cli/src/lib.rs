//! What a user does from a terminal: verbs, output, the user's own configuration.
//!
//! ```text
//! locule run ──────────► create ─► session ─► destroy, whatever happened
//! locule sandbox exec ────────────► session
//! locule sandbox cp ─► plan (pure) ─► local tar ⇄ session ⇄ tar in the sandbox
//! ```
//! Data goes to standard output, talk to standard error; every verb has `--json`; an error says what to do.

mod account;
mod api_key;
mod audit;
mod copy;
mod environment;
mod exec;
mod find;
mod interrupts;
mod list;
mod printer;
mod run;
mod sandbox;
mod session;
mod team;
mod values;
mod words;

use std::process::ExitCode;

use clap::Subcommand;

pub use account::{LoginArgs, LogoutArgs};
pub use api_key::ApiKeyCommand;
pub use audit::AuditArgs;
pub use exec::ExecArgs;
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
    /// Log in at a server
    Login(LoginArgs),
    /// End the login
    Logout(LogoutArgs),
    /// Say who is logged in, and for which team
    Whoami {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Teams, and who is in them
    #[command(subcommand)]
    Team(TeamCommand),
    /// Keys for programs
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Show who did what in the team, newest first
    Audit(AuditArgs),
    /// Print a script that completes this program's commands in your shell
    #[command(
        after_help = "For example:\n  locule completion bash > /etc/bash_completion.d/locule"
    )]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Our own failure, where the exit code is otherwise that of the user's command.
const FAILED: u8 = 125;

/// Runs a verb. Its exit code is the command's own, where it runs one. `root` is the whole program's command tree.
pub async fn run(command: Command, root: &clap::Command) -> ExitCode {
    let (done, failed) = match command {
        Command::Run(args) => (run::run(args).await, FAILED),
        Command::Sandbox(SandboxCommand::Exec(args)) => (exec::exec(args).await, FAILED),
        Command::Sandbox(command) => (sandbox::run(command).await, 1),
        Command::Login(args) => (account::login(args).await, 1),
        Command::Logout(args) => (logged_in(account::logout(&args)).await, 1),
        Command::Whoami { json } => (logged_in(account::whoami(json)).await, 1),
        Command::Team(command) => (logged_in(team::run(command)).await, 1),
        Command::ApiKey(command) => (logged_in(api_key::run(command)).await, 1),
        Command::Audit(args) => (logged_in(audit::run(args)).await, 1),
        Command::Completion { shell } => (complete(shell, root), 1),
    };
    done.unwrap_or_else(|error| {
        printer::complain_of(&error);
        ExitCode::from(failed)
    })
}

/// A verb of somebody with a login.
async fn logged_in(
    verb: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    verb.await.map_err(account::explained)
}

/// The same with a runtime of its own.
pub fn run_to_end(command: Command, root: &clap::Command) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run(command, root));
            // A read of standard input that never ends must not keep the program.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            printer::complain_of(&error.into());
            ExitCode::from(FAILED)
        }
    }
}

fn complete(shell: clap_complete::Shell, root: &clap::Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut root.clone(), "locule", &mut script);
    printer::say(String::from_utf8(script)?.trim_end());
    Ok(ExitCode::SUCCESS)
}
