//! Repository chores: the work of every target of the Makefile. Nothing here is part of the product.

mod behaviour;
mod check;
mod digest;
mod golden;
mod images;
mod imports;
mod install;
mod map;
mod places;
mod python;
mod run;
mod setup;
mod sizes;
mod source;
mod speed;
mod test;
mod unused;
mod web;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::places::Places;
use crate::run::{answer, say};
use crate::test::simulation::{self, Seeds};

/// Repository chores.
#[derive(Debug, Parser)]
#[command(name = "xtask")]
enum Chore {
    /// Install what is missing from Debian's packages, saying what for.
    Setup,
    /// Build the guest agent and the image bundle around it.
    Images,
    /// Build a release and install it with the guest images.
    Install {
        /// Where: PREFIX/bin and PREFIX/share/locule
        #[arg(long, default_value = "/usr/local")]
        prefix: PathBuf,
    },
    /// Remove an installed program and its guest images; data directories stay.
    Uninstall {
        #[arg(long, default_value = "/usr/local")]
        prefix: PathBuf,
    },
    /// Print the digest that names a disk image by its content.
    Digest { file: PathBuf },
    /// Run every ring of tests, or only the named ones.
    Test {
        /// laws, store, control, http, cli, host, e2e
        rings: Vec<String>,
    },
    /// Run more seeds of the simulation of a fleet than the tests do, or one of them.
    Sim {
        /// So many seeds, from 0
        #[arg(long, conflicts_with = "seed")]
        seeds: Option<u64>,
        /// This seed only
        #[arg(long)]
        seed: Option<u64>,
        /// The steps of each seed
        #[arg(long)]
        steps: Option<u64>,
    },
    /// Measure a release build on an idle machine and write `docs/PERFORMANCE.md`.
    Bench {
        /// Few samples, busy machine or not, written to the target folder: a trial of the bench itself
        #[arg(long)]
        quick: bool,
        /// Only these sections
        #[arg(long)]
        only: Option<String>,
    },
    /// Random work and random kills on a platform, against an account of what was acknowledged.
    Soak {
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Repeats the choices of an earlier run
        #[arg(long)]
        seed: Option<u64>,
        /// On the stub VMM instead of QEMU
        #[arg(long)]
        stub: bool,
    },
    /// Serve the sources of the dashboard with a running platform behind them (`LOCULE_URL`).
    Web {
        /// With data of no platform
        #[arg(long)]
        mock: bool,
    },
    /// Take the pictures of the dashboard anew, with this machine's Chromium.
    Pictures {
        /// Compare all of them instead. The tests compare half: each page at each width, in one theme or the other.
        #[arg(long)]
        check: bool,
    },
    /// Every gate: sizes, imports, words, behaviour codes, dependencies, spelling, formatting, lints, documentation.
    Check,
    /// Write every generated file anew.
    Golden,
    /// Check that no source file is over its limit, and that the walkthroughs in ARCHITECTURE.md are true.
    Sizes,
    /// Check that nothing is declared that nothing uses: dependencies, arrows of the crate map.
    Unused,
    /// Check that every behaviour code that is cited is defined, and every defined one proved by a test.
    Behaviour,
    /// Check that no retired word is used, and that errors, logs and summaries name their subject.
    Words {
        /// Print how many there are in each crate instead
        #[arg(long)]
        count: bool,
    },
    /// Check that the files of a crate do not import each other in a cycle, or print what they import.
    Imports {
        /// Print the graph of this crate instead
        #[arg(long = "crate")]
        krate: Option<String>,
    },
}

fn main() -> ExitCode {
    let done = Places::find().and_then(|places| match Chore::parse() {
        Chore::Setup => setup::setup(),
        Chore::Images => images::build(&places),
        Chore::Install { prefix } => install::install(&places, &prefix),
        Chore::Uninstall { prefix } => install::uninstall(&prefix),
        Chore::Digest { file } => {
            digest::of_file(&file).and_then(|hex| answer(format_args!("{hex}")))
        }
        Chore::Test { rings } => test::test(&places, &rings),
        Chore::Sim { seeds, seed, steps } => simulation::simulate(
            &places,
            Seeds {
                count: seeds,
                seed,
                steps,
            },
        ),
        Chore::Bench { quick, only } => speed::bench(&places, quick, only.as_deref()),
        Chore::Soak {
            minutes,
            seed,
            stub,
        } => speed::soak(&places, minutes, seed, stub),
        Chore::Web { mock } => web::Web::install(&places).and_then(|web| web.dev(mock)),
        Chore::Pictures { check } => setup::browser()
            .and_then(|()| web::Web::install(&places))
            .and_then(|web| web.pictures(check)),
        Chore::Check => check::check(&places),
        Chore::Golden => golden::write(&places),
        Chore::Sizes => sizes::check(&places),
        Chore::Unused => unused::check(&places),
        Chore::Behaviour => behaviour::check(&places),
        Chore::Words { count: false } => words::check(&places),
        Chore::Words { count: true } => words::count(&places),
        Chore::Imports { krate: None } => imports::check(&places),
        Chore::Imports { krate } => imports::print(&places, krate.as_deref()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
