//! A whole fleet, by chance: [`Simulation`] says how, and `locule-testkit/src/fleet/checks.rs` what must be true.
//!
//! `SEED=n` runs one seed, `SEEDS=n` so many of them, `STEPS=n` sets the steps of each.

use locule_testkit::{Defects, Simulation, as_serve};
use sqlx::PgPool;

/// The seeds of a test run, and the steps of each.
const SEEDS: u64 = 500;
const STEPS: usize = 40;
/// The tests that share the seeds, and run at the same time.
const PARTS: u64 = 4;

/// Seeds that found a defect, and the defect.
const FOUND: [(u64, &str); 4] = [
    (
        1,
        "a cordon that changed nothing kept its connection while it took another one",
    ),
    (
        3,
        "a row waited for ever for a deleted host to confirm its cleanup",
    ),
    (
        1000,
        "a create was acknowledged that a sweep of another process had given up",
    ),
    (
        1071,
        "a failed pause reverted a later pause by another process, which was acknowledged",
    ),
];

/// A number of the environment.
fn number(name: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the configuration of these tests is read here"
    )]
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

fn steps() -> usize {
    number("STEPS").map_or(STEPS, |steps| usize::try_from(steps).unwrap())
}

/// Runs on a thread of its own: the simulation has a runtime.
async fn simulate<T: Send + 'static>(
    pool: PgPool,
    run: impl FnOnce(Simulation) -> T + Send + 'static,
) -> T {
    as_serve(&pool).await;
    let options = (*pool.connect_options()).clone();
    let running = tokio::task::spawn_blocking(move || run(Simulation::start(options)));
    let ended = running.await;
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Runs the seeds of a part.
async fn run_part(pool: PgPool, part: u64) {
    let seeds: Vec<u64> = match number("SEED") {
        Some(seed) if part == 0 => vec![seed],
        Some(_) => return,
        None => (0..number("SEEDS").unwrap_or(SEEDS))
            .filter(|seed| seed % PARTS == part)
            .collect(),
    };
    let (seeds_run, acknowledged) = simulate(pool, move |mut simulation| {
        let mut acknowledged = 0;
        for seed in &seeds {
            match simulation.run(*seed, steps(), Defects::default()) {
                Ok(answers) => acknowledged += answers.acknowledged,
                Err(failure) => panic!("{failure}"),
            }
        }
        (seeds.len(), acknowledged)
    })
    .await;
    // A simulation whose requests all fail shows nothing.
    assert!(acknowledged >= seeds_run, "{acknowledged}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_database_and_the_hosts_agree_after_any_faults_1(pool: PgPool) {
    run_part(pool, 0).await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_database_and_the_hosts_agree_after_any_faults_2(pool: PgPool) {
    run_part(pool, 1).await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_database_and_the_hosts_agree_after_any_faults_3(pool: PgPool) {
    run_part(pool, 2).await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_database_and_the_hosts_agree_after_any_faults_4(pool: PgPool) {
    run_part(pool, 3).await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_seed_that_found_a_defect_passes(pool: PgPool) {
    simulate(pool, |mut simulation| {
        for (seed, defect) in FOUND {
            let run = simulation.run(seed, STEPS, Defects::default());
            assert!(run.is_ok(), "{defect}: {run:?}");
        }
    })
    .await;
}

/// Two runs of a seed take the same steps and get the same answers.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_seed_repeats_its_run(pool: PgPool) {
    let runs = simulate(pool, |mut simulation| {
        let mut run = || simulation.run(7, steps(), Defects { agents_lie: true });
        [run(), run()].map(|run| run.map_err(|failure| failure.to_string()))
    })
    .await;
    assert_eq!(runs[0], runs[1]);
}

/// The simulation finds a host agent that acknowledges a destroy and keeps the VM.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_simulation_finds_an_agent_that_keeps_a_destroyed_vm(pool: PgPool) {
    let found = simulate(pool, |mut simulation| {
        let failed = (0..10).filter_map(|seed| {
            let run = simulation.run(seed, STEPS, Defects { agents_lie: true });
            run.err()
        });
        failed.flat_map(|failure| failure.wrong).collect::<Vec<_>>()
    })
    .await;
    let named = found.iter().filter(|line| line.contains("a host holds"));
    assert!(named.count() > 0, "{found:#?}");
}
