//! Runs the tests in rings, from laws to real microVMs, and counts them.

mod cores;
mod examples;
mod rings;
mod sdks;
mod servers;
pub(crate) mod simulation;
mod tally;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::places::Places;
use crate::run::{answer, cargo, say, succeeds, watch};
use crate::test::cores::Cores;
use crate::test::rings::{FUZZ_SECONDS, Part, Ring, Test};
use crate::test::servers::Servers;
use crate::test::tally::Tally;
use crate::web::{Web, WebTests};
use crate::{images, python, run, setup};

/// What holds the served API against its document.
const SCHEMATHESIS: &[&str] = &["schemathesis==4.32.5"];

/// The tests of the dashboard, which run in Node.js and in a browser.
const WEB_RING: &str = "web";

/// Variables that tests find the outside by.
type Environment = Vec<(&'static str, OsString)>;

/// Runs the rings with these names, or all; fails when a test fails or is ignored.
pub(crate) fn test(places: &Places, names: &[String]) -> Result<()> {
    let (browser, names): (Vec<_>, Vec<_>) =
        names.iter().cloned().partition(|name| name == WEB_RING);
    let all = browser.is_empty() && names.is_empty();
    let chosen = if names.is_empty() && !all {
        Vec::new()
    } else {
        rings::choose(&names)?
    };
    let dashboard = Web::install(places)?;
    dashboard.build()?;
    say(format_args!("building programs and tests"));
    run::run(cargo().current_dir(&places.root).args([
        "build",
        "--quiet",
        "--workspace",
        "--all-targets",
    ]))?;
    let mut environment: Environment =
        vec![("LOCULE_BINARY", places.target.join("debug/locule").into())];
    let shows_pages = all || !browser.is_empty();
    if shows_pages {
        setup::browser()?;
    }
    if shows_pages || chosen.iter().any(|ring| ring.needs_images) {
        images::build(places)?;
        environment.push(("LOCULE_IMAGES", places.target.join("images").into()));
    }
    if shows_pages || chosen.iter().any(|ring| ring.needs_sdks()) {
        let every = chosen.iter().any(|ring| ring.part == Part::EverySdk);
        environment.extend(sdks::install(places, every)?);
    }
    if chosen.iter().any(|ring| ring.part == Part::Contract) {
        let programs = python::environment(places, "contract", SCHEMATHESIS)?;
        environment.push(("LOCULE_SCHEMATHESIS", programs.join("schemathesis").into()));
    }
    let servers = Servers::start()?;
    environment.extend(servers.environment());
    let nextest = succeeds(cargo().args(["nextest", "--version"]));
    if nextest {
        refuse_unrun(places)?;
    }
    let mut reports = Vec::new();
    for ring in chosen {
        let run = || run_ring(places, ring, nextest, &environment);
        reports.push(timed(ring.name, run)?);
    }
    if shows_pages {
        let run = || run_web(dashboard.tests()?, &environment);
        reports.push(timed(WEB_RING, run)?);
    }
    if all {
        reports.push(timed("doc", || run_examples(places, &environment))?);
    }
    servers.stop();
    report(&reports)
}

/// What a ring found, and what it used of the machine.
struct Report {
    ring: &'static str,
    tally: Tally,
    cores: Cores,
}

fn timed(ring: &'static str, run: impl FnOnce() -> Result<Tally>) -> Result<Report> {
    say(format_args!("ring {ring}"));
    let begun = cores::Begun::now()?;
    let tally = run()?;
    Ok(Report {
        ring,
        tally,
        cores: begun.until_now()?,
    })
}

/// Runs the tests with a platform beside those without.
fn run_web(tests: WebTests, environment: &Environment) -> Result<Tally> {
    std::thread::scope(|scope| {
        let live = scope.spawn(|| {
            // Shown at the end: two programs that write at the same time cannot be read.
            let mut output = Vec::new();
            let tally = count_into(tests.live, environment, &mut output);
            io::stdout()
                .lock()
                .write_all(&output)
                .context("standard output")?;
            tally
        });
        let mut tally = Tally::default();
        for command in tests.alone {
            tally.add(count(command, environment)?);
        }
        let live = live.join();
        tally.add(
            live.ok()
                .context("the thread of the live tests panicked")??,
        );
        Ok(tally)
    })
}

fn run_ring(
    places: &Places,
    ring: &Ring,
    nextest: bool,
    environment: &Environment,
) -> Result<Tally> {
    let runs = if nextest {
        // The whole workspace with a filter, not `-p`: another selection would mean other features and a second build.
        let select = ["--workspace", "--no-fail-fast", "--no-tests=pass"];
        let show = ["--color=never", "--show-progress=none", "-E"];
        let run = ["nextest", "run"].into_iter().chain(select).chain(show);
        vec![run.map(str::to_owned).chain([ring.filter()]).collect()]
    } else {
        let run = |arguments: Vec<&str>| -> Vec<String> {
            let start = ["test", "--no-fail-fast", "--color=never"].into_iter();
            start.chain(arguments).map(str::to_owned).collect()
        };
        ring.plain().into_iter().map(run).collect()
    };
    let mut tally = Tally::default();
    for arguments in runs {
        let mut command = cargo();
        command.current_dir(&places.root).args(arguments);
        if ring.part == Part::FuzzTargets {
            command.env("LOCULE_FUZZ_SECONDS", FUZZ_SECONDS);
        }
        if ring.serial {
            command.arg("--test-threads=1");
        }
        tally.add(count(command, environment)?);
    }
    Ok(tally)
}

fn run_examples(places: &Places, environment: &Environment) -> Result<Tally> {
    let mut tally = Tally::default();
    for package in examples::packages()? {
        let mut command = cargo();
        command
            .current_dir(&places.root)
            .args(["test", "--doc", "--no-fail-fast", "--color=never"])
            .args(["--package", &package]);
        tally.add(count(command, environment)?);
    }
    Ok(tally)
}

fn count(command: Command, environment: &Environment) -> Result<Tally> {
    count_into(command, environment, &mut io::stdout())
}

fn count_into(
    mut command: Command,
    environment: &Environment,
    sink: &mut dyn io::Write,
) -> Result<Tally> {
    command.envs(environment.iter().cloned());
    let mut tally = Tally::default();
    let well = watch(&mut command, sink, |line| tally.see(line))?;
    if !well && tally.failed == 0 {
        // The runner ended before its first test, which must not count as no test having failed.
        tally.failed = 1;
        let program = command.get_program().to_string_lossy();
        tally
            .failures
            .insert(format!("`{program}` ended before the first test"));
    }
    Ok(tally)
}

/// Refuses ignored tests, which a filtered run counts as those of other rings, and tests that no ring runs or more than one.
fn refuse_unrun(places: &Places) -> Result<()> {
    let listed = cargo()
        .current_dir(&places.root)
        .args(["nextest", "list", "--workspace", "--message-format=json"])
        .output()
        .context("cargo nextest list")?;
    let list: Value = serde_json::from_slice(&listed.stdout).context("the list of tests")?;
    let suites = list["rust-suites"]
        .as_object()
        .context("the list of tests")?;
    for suite in suites.values() {
        let cases = suite["testcases"]
            .as_object()
            .context("the list of tests")?;
        let ignored: Vec<_> = cases
            .iter()
            .filter(|(_, case)| case["ignored"] == true)
            .map(|(name, _)| name.as_str())
            .collect();
        if !ignored.is_empty() {
            bail!("ignored tests are not tests: {}", ignored.join(", "));
        }
        rings::each_in_one(cases.keys().map(|name| Test {
            package: suite["package-name"].as_str().unwrap_or_default(),
            is_unit: suite["kind"] == "lib" || suite["kind"] == "bin",
            name,
        }))?;
    }
    Ok(())
}

fn report(reports: &[Report]) -> Result<()> {
    let mut sum = Tally::default();
    for Report { ring, tally, cores } in reports {
        answer(format_args!("{ring:>8}: {tally}; {cores}"))?;
        sum.add(tally.clone());
    }
    answer(format_args!("{sum}"))?;
    // At the end, where the reader of a long log looks first.
    for name in &sum.failures {
        answer(format_args!("  failed: {name}"))?;
    }
    if sum.failed + sum.skipped > 0 || sum.passed == 0 {
        bail!("not every test passed");
    }
    Ok(())
}
