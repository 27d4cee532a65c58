//! Repository chores: what stands behind every target of the Makefile. Nothing here is part of the product.

mod check;
mod golden;
mod images;
mod map;
mod places;
mod python;
mod run;
mod setup;
mod sizes;
mod test;

use std::process::ExitCode;

use clap::Parser;

use crate::places::Places;
use crate::run::say;

/// Repository chores.
#[derive(Debug, Parser)]
#[command(name = "xtask")]
enum Chore {
    /// Install what is missing from Debian's packages, saying what for.
    Setup,
    /// Build the guest agent and the image bundle around it.
    Images,
    /// Run every ring of tests, or only the named ones.
    Test {
        /// laws, store, control, http, cli, host, e2e
        rings: Vec<String>,
    },
    /// Formatting, lints, documentation, dependencies, spelling, sizes, goldens.
    Check,
    /// Write every generated file anew.
    Golden,
    /// Check that no source file is over its limit.
    Sizes,
}

fn main() -> ExitCode {
    let done = Places::find().and_then(|places| match Chore::parse() {
        Chore::Setup => setup::setup(),
        Chore::Images => images::build(&places),
        Chore::Test { rings } => test::test(&places, &rings),
        Chore::Check => check::check(&places),
        Chore::Golden => golden::write(&places),
        Chore::Sizes => sizes::check(&places),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
