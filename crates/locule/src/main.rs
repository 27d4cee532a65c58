//! The `locule` binary: its command tree, and the code that connects the crates of each role.
//!
//! ```text
//! locule up      PostgreSQL + Redis + serve + agent on this machine, supervised
//! locule serve   control plane        locule agent   host agent
//! locule run|sandbox …                the commands of a user
//! ```

mod agent;
mod doctor;
mod environment;
mod screen;
mod serve;
mod up;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser};
use locule_base::descriptors;
use tikv_jemallocator::Jemalloc;

/// Returns freed memory to the kernel within seconds, by a thread of its own (ADR 0030).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Isolated Linux computers on demand, for people and AI agents.
#[derive(Debug, Parser)]
#[command(name = "locule", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start everything on this machine: database, queue, control plane, host agent
    Up(up::Args),
    /// Control plane: API and background workers
    Serve(serve::Args),
    /// Host agent: runs microVMs on this machine
    Agent(agent::Args),
    /// Check this machine and the platform that runs on it
    Doctor(doctor::Args),
    /// Bring the database's schema up to date, as the owner of its tables (`DATABASE_URL`)
    Migrate(serve::MigrateArgs),
    /// Print the OpenAPI document of the API
    Openapi,
    #[command(flatten)]
    User(locule_cli::Command),
}

fn main() -> ExitCode {
    match load().and_then(run) {
        Ok(code) => code,
        Err(error) => {
            screen::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Options may have their values from the environment, so that it is complete before they are read. No other thread runs yet.
fn load() -> anyhow::Result<Cli> {
    if environment::is_agent() {
        environment::load_dot_env()?;
    }
    Ok(Cli::parse())
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        // The kernel stops the children of `up` when the thread that started them exits: this thread runs as long as the process.
        Command::Up(args) => single_threaded()?.block_on(up::run(args)),
        Command::Serve(args) => multi_threaded()?
            .block_on(serve::run(args))
            .map(|()| ExitCode::SUCCESS),
        Command::Agent(args) => multi_threaded()?
            .block_on(agent::run(args))
            .map(|()| ExitCode::SUCCESS),
        Command::Doctor(args) => {
            let healthy = single_threaded()?.block_on(doctor::run(args))?;
            Ok(if healthy {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Migrate(args) => multi_threaded()?
            .block_on(serve::migrate(args))
            .map(|()| ExitCode::SUCCESS),
        Command::Openapi => {
            screen::say(&locule_http::document().to_pretty_json()?);
            Ok(ExitCode::SUCCESS)
        }
        Command::User(command) => Ok(locule_cli::run_to_end(command, &Cli::command())),
    }
}

/// Raises the limit of file descriptors as far as this process may, and returns it.
fn raise_descriptors() -> anyhow::Result<u64> {
    let limit = descriptors::raise().context("raise the limit of file descriptors")?;
    if limit < descriptors::RECOMMENDED {
        tracing::warn!(
            limit,
            recommended = descriptors::RECOMMENDED,
            "the hard limit of file descriptors is low, so that fewer connections are served; set LimitNOFILE in the service, or `ulimit -Hn` before the start"
        );
    }
    Ok(limit)
}

fn single_threaded() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn multi_threaded() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}
