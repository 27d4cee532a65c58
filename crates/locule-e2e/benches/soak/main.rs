//! The soak: users create, use, pause, resume and destroy sandboxes through the API, and rights are taken away from callers that
//! are connected, while every part of the platform is killed; every acknowledged operation must hold.
//!
//! ```text
//! chaos (workers + revocations + kills) ─► every promise checked ─► clean host ─► calm (workers alone): nothing may grow ─► clean end
//! ```

mod caller;
mod chaos;
mod checks;
mod people;
mod revocations;
mod settle;
mod worker;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use locule_e2e::platform::{Options, Platform};
use locule_e2e::random::Random;
use locule_e2e::screen::{note, say};
use locule_e2e::{clock, host};

use crate::world::World;

const WORKERS: usize = 4;

/// Runs random work and random kills, and checks every acknowledged operation.
#[derive(Debug, Parser)]
struct Args {
    /// Duration; a quarter of it runs without kills, to measure growth
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Seed of an earlier run, to repeat its choices; the timing differs
    #[arg(long)]
    seed: Option<u64>,
    /// Use the stub VMM: no commands and no files, but every page and block is checked
    #[arg(long)]
    stub: bool,
    /// Run without kills
    #[arg(long)]
    calm: bool,
    /// The `locule` program
    #[arg(long)]
    binary: PathBuf,
    /// The stub VMM
    #[arg(long)]
    stub_vmm: PathBuf,
    /// The guest images
    #[arg(long)]
    images: PathBuf,
    /// Folder for all files; removed after a clean run
    #[arg(long)]
    folder: PathBuf,
    /// Cargo passes it to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match soak(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            note(&format!("soak: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn soak(args: &Args) -> Result<bool> {
    let wall = u64::try_from(clock::wall().as_micros()).unwrap_or(0);
    let seed = args.seed.unwrap_or(wall % 1_000_000);
    let folder = args.folder.join(format!("soak-{}", std::process::id()));
    let vmm = if args.stub { "stub" } else { "QEMU" };
    say(&format!(
        "soak: seed {seed}, {} min, {vmm}, {WORKERS} workers, in {}",
        args.minutes,
        folder.display()
    ));
    let platform = Platform::start(Options {
        binary: args.binary.clone(),
        images: args.images.clone(),
        folder: folder.clone(),
        accelerator: "tcg".to_owned(),
        pool_mib: 4096,
        warm: 2,
        vmm: args.stub.then(|| args.stub_vmm.clone()),
    })?;
    let world = Arc::new(World::new(platform, args.stub)?);
    let ran = run(args, seed, &world);
    let faults = world.faults();
    say(&format!("seed {seed}: {}", world.counts()));
    if let Err(error) = &ran {
        note(&format!("soak: {error:#}"));
    }
    for fault in &faults {
        say(&format!("FAULT {fault}"));
    }
    let clean = ran.is_ok() && faults.is_empty();
    if clean {
        std::fs::remove_dir_all(&folder).context("remove the folder of the soak")?;
        say(&format!("seed {seed}: clean"));
    } else {
        say(&format!(
            "seed {seed}: {} faults; logs in {}",
            faults.len(),
            folder.display()
        ));
    }
    Ok(clean)
}

fn run(args: &Args, seed: u64, world: &Arc<World>) -> Result<()> {
    let total = Duration::from_secs(args.minutes * 60);
    if !args.calm {
        note("soak: work, and kills");
        let mut random = Random::new(seed ^ 0xc4a0);
        with_workers(world, seed, 1, || {
            chaos::rage(world, &mut random, clock::now() + total * 3 / 4)
        })??;
        checks::every_promise(world)?;
    }
    checks::kill_everything(world)?;
    checks::host_is_clean(world);
    note("soak: work alone; nothing may grow");
    let lap = total / 8;
    with_workers(world, seed, 2, || std::thread::sleep(lap))?;
    checks::kill_everything(world)?;
    checks::host_is_clean(world);
    let before = checks::Size::of(world)?;
    with_workers(world, seed, 3, || checks::watch(world, clock::now() + lap))??;
    checks::every_promise(world)?;
    checks::kill_everything(world)?;
    checks::host_is_clean(world);
    let after = checks::Size::of(world)?;
    say(&format!("before the last lap: {before}"));
    say(&format!("after it:            {after}"));
    checks::compare(world, &before, &after);
    checks::clean_end(world)
}

/// Runs the workers for as long as `work` takes.
fn with_workers<T>(world: &Arc<World>, seed: u64, lap: u64, work: impl FnOnce() -> T) -> Result<T> {
    world.stop.store(false, Ordering::Release);
    let workers: Vec<_> = (0..WORKERS)
        .map(|index| {
            let world = world.clone();
            let own = seed
                .wrapping_mul(1009)
                .wrapping_add(lap * 100 + u64::try_from(index).unwrap_or(0));
            std::thread::spawn(move || worker::work(&world, index, Random::new(own)))
        })
        .collect();
    let (own, random) = (world.clone(), Random::new(seed ^ (0x4e70 + lap)));
    let revoker = std::thread::spawn(move || revocations::revoke(&own, random));
    let done = work();
    world.stop.store(true, Ordering::Release);
    for worker in workers.into_iter().chain([revoker]) {
        worker
            .join()
            .map_err(|_| anyhow::anyhow!("a worker panicked"))??;
    }
    note(&format!(
        "soak: {} ({} VMMs)",
        world.counts(),
        host::vmms(&world.instance).len()
    ));
    Ok(done)
}
