//! The speed bench: the latencies of users, each compared with the floor of the same machine, from one run.
//!
//! ```text
//! platform without a pool: floor · create · exec · pause, resume · files · own work · neighbour · memory · density
//! the same with a pool:    create · bursts, with one warm VM per core and with two · the page in a browser
//! on the stub VMM:         density
//! no VMM, simulated hosts: passes over a thousand of them · creates · lists
//! ```

mod creates;
mod density;
mod floor;
mod neighbour;
mod page;
mod pauses;
mod qmp;
mod report;
mod rig;
mod scale;
mod work;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use chrono::DateTime;
use clap::Parser;
use locule_e2e::platform::{Options, Platform};
use locule_e2e::screen::note;
use locule_e2e::{clock, host};

use crate::floor::Floor;
use crate::report::{Measured, Setting};
use crate::rig::{Rig, small};

const SAMPLES: usize = 30;
const SAMPLES_QUICK: usize = 5;
/// A higher load would be measured too.
const LOAD_MAX: f64 = 0.3;
const IDLE_PATIENCE: Duration = Duration::from_mins(5);
const POOL_MIB: u64 = 8192;

/// Measures a separate platform and writes a report.
#[derive(Debug, Parser)]
struct Args {
    /// Take few samples, also on a busy machine: a test of the bench itself
    #[arg(long)]
    quick: bool,
    /// Measure only these: create, exec, pause, old, much, files, work, neighbour, memory, density, pool, page, stub, scale
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// kvm or tcg
    #[arg(long, default_value = "tcg")]
    accel: String,
    /// The `locule` program
    #[arg(long)]
    binary: PathBuf,
    /// The stub VMM
    #[arg(long)]
    stub_vmm: PathBuf,
    /// The guest images
    #[arg(long)]
    images: PathBuf,
    /// The dashboard, with its packages; for `page`
    #[arg(long)]
    web: Option<PathBuf>,
    /// Folder for all files; removed afterwards
    #[arg(long)]
    folder: PathBuf,
    /// File for the report
    #[arg(long)]
    document: PathBuf,
    /// Cargo passes it to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    fn wants(&self, section: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == section)
    }
}

fn main() -> ExitCode {
    match bench(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Waits for an idle machine. An error when it does not become idle.
fn idle(quick: bool) -> Result<f64> {
    let load = host::load();
    if quick || load < LOAD_MAX {
        return Ok(load);
    }
    note(&format!(
        "bench: the load is {load:.2}; waiting for less than {LOAD_MAX}, five minutes at most"
    ));
    let idle = clock::until(IDLE_PATIENCE, || {
        std::thread::sleep(Duration::from_secs(2));
        let load = host::load();
        (load < LOAD_MAX).then_some(load)
    });
    match idle {
        Some(load) => Ok(load),
        None => bail!(
            "the machine is busy (load {:.2}, not below {LOAD_MAX}): stop what runs on it; figures of a busy machine mean nothing",
            host::load()
        ),
    }
}

fn bench(args: &Args) -> Result<()> {
    let load = idle(args.quick)?;
    let folder = args.folder.join(format!("bench-{}", std::process::id()));
    let measured = measure(args, &folder, load);
    let is_whole = matches!(&measured, Ok(measured) if measured.failures.is_empty());
    if is_whole {
        fs::remove_dir_all(&folder)?;
    } else {
        note(&format!("bench: logs are in {}", folder.display()));
    }
    let measured = measured?;
    report::print(&measured);
    report::write(&args.document, &measured)?;
    ensure!(is_whole, "not everything was measured");
    Ok(())
}

fn measure(args: &Args, folder: &Path, load: f64) -> Result<Measured> {
    let options = Options {
        binary: args.binary.clone(),
        images: args.images.clone(),
        folder: folder.join("real"),
        accelerator: args.accel.clone(),
        pool_mib: POOL_MIB,
        warm: 0,
        vmm: None,
    };
    let n = if args.quick { SAMPLES_QUICK } else { SAMPLES };
    let mut rig = Rig::new(Platform::start(options.clone())?, n)?;
    let mut measured = Measured::new(look_around(args, &mut rig, load)?);
    let real = real_sandboxes(args, &mut rig);
    measured.floor_ms = rig.floor_ms;
    measured.add("real sandboxes", rig.figures, real);
    rig.platform.stop()?;
    if args.wants("stub") {
        let options = Options {
            folder: folder.join("stub"),
            vmm: Some(args.stub_vmm.clone()),
            ..options.clone()
        };
        let mut rig = Rig::new(Platform::start(options)?, n)?;
        let (window, cap) = if args.quick { (5, 15) } else { (50, 500) };
        let name = "stub sandboxes until creates take twice as long";
        let stub = density::until_creates_double(&mut rig, name, window, cap);
        measured.add("stub sandboxes", rig.figures, stub);
        rig.platform.stop()?;
    }
    if args.wants("scale") {
        let options = Options {
            folder: folder.join("scale"),
            vmm: Some(args.stub_vmm.clone()),
            ..options
        };
        let mut figures = Vec::new();
        let scale = scale::measure(options, args.quick).map(|scale| figures = scale);
        measured.add("many hosts", figures, scale);
    }
    Ok(measured)
}

fn real_sandboxes(args: &Args, rig: &mut Rig) -> Result<()> {
    without_pool(args, rig)?;
    let (default, half) = (host::cpus() * 2, host::cpus());
    if args.wants("pool") {
        rig.restart_with(default)?;
        creates::create_from_pool(rig)?;
        creates::burst(rig, default)?;
        rig.restart_with(half)?;
        creates::burst(rig, half)?;
    }
    if args.wants("page") {
        let web = args.web.as_deref().context("`page` needs --web")?;
        rig.restart_with(default)?;
        page::launch_to_prompt(rig, web)?;
        page::thousand_rows(rig, web)?;
    }
    Ok(())
}

fn without_pool(args: &Args, rig: &mut Rig) -> Result<()> {
    let donor = rig.create(&small())?.id;
    let mut floor = Floor::learn(&rig.pool, &donor, &args.folder)?;
    rig.destroy(&donor)?;
    let measured = with_floor(args, rig, &mut floor);
    floor.close()?;
    measured
}

fn with_floor(args: &Args, rig: &mut Rig, floor: &mut Floor) -> Result<()> {
    // Every figure is reported as a multiple of the floor.
    creates::floor_and_create(rig, floor)?;
    if args.wants("exec") {
        creates::exec(rig)?;
    }
    if args.wants("pause") {
        pauses::young(rig)?;
    }
    if args.wants("old") {
        pauses::old(rig)?;
    }
    if args.wants("much") {
        pauses::much(rig)?;
    }
    if args.wants("files") {
        work::files(rig)?;
    }
    if args.wants("work") {
        work::own_work(rig, floor)?;
    }
    if args.wants("neighbour") {
        neighbour::beside_a_greedy_team(rig)?;
    }
    if args.wants("memory") {
        density::memory(rig)?;
    }
    if args.wants("density") {
        let (window, cap) = if args.quick { (5, 12) } else { (30, 120) };
        let name = "QEMU sandboxes until creates take twice as long";
        density::until_creates_double(rig, name, window, cap)?;
    }
    Ok(())
}

/// The conditions of the figures.
fn look_around(args: &Args, rig: &mut Rig, load: f64) -> Result<Setting> {
    let created = rig.create(&small())?;
    let sandbox = rig
        .api
        .get(&format!("/v1/sandboxes/{}", created.id))?
        .json();
    rig.destroy(&created.id)?;
    let about = |name: &str| {
        let value = sandbox["metadata"][name].as_str();
        value.unwrap_or("unknown").to_owned()
    };
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let seconds = i64::try_from(clock::wall().as_secs())?;
    let date = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    Ok(Setting {
        date: date.format("%Y-%m-%d %H:%M UTC").to_string(),
        accelerator: args.accel.clone(),
        kernel: host::kernel(),
        guest_kernel: about("kernel_version"),
        vmm: about("vmm_version"),
        cpu: model
            .unwrap_or("unknown")
            .trim_start_matches(['\t', ':', ' '])
            .to_owned(),
        cpus: host::cpus(),
        load,
        quick: args.quick,
    })
}
