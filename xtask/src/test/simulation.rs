//! More seeds of the simulation of a fleet, or longer ones, than the ring `control` runs.

use anyhow::Result;

use super::servers::Servers;
use crate::places::Places;
use crate::run::{cargo, run};

/// Which seeds run, and how many steps each takes. What is `None` is as in the ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seeds {
    pub(crate) count: Option<u64>,
    pub(crate) seed: Option<u64>,
    pub(crate) steps: Option<u64>,
}

/// Runs the simulation on a private database.
pub(crate) fn simulate(places: &Places, wanted: Seeds) -> Result<()> {
    let servers = Servers::start()?;
    let numbers = [
        ("SEEDS", wanted.count),
        ("SEED", wanted.seed),
        ("STEPS", wanted.steps),
    ];
    let given = numbers.into_iter().filter_map(|(name, number)| {
        let number = number?;
        Some((name, number.to_string()))
    });
    // The whole workspace, not `-p`: another selection would mean other features and a second build.
    let arguments = ["test", "--quiet", "--workspace", "--test", "it", "--"];
    let mut command = cargo();
    command
        .current_dir(&places.root)
        .envs(servers.environment())
        .envs(given)
        .args(arguments)
        .arg("simulation::");
    let done = run(&mut command);
    servers.stop();
    done
}
