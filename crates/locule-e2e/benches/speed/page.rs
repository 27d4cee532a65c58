//! What a person waits for in a browser.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use locule_e2e::statistics::Figure;
use serde_json::Value;

use crate::rig::{Rig, section, wait_for_pool};

/// The longest median from the click to the prompt.
const LIMIT_MS: f64 = 10_000.0;
const SAMPLES: usize = 5;
/// A frame at 60 Hz.
const SCRIPT_LIMIT_MS: f64 = 16.0;
const TASK_LIMIT_MS: f64 = 50.0;
/// What the engine needs for its own account of the scripts.
const GROWTH_LIMIT_PERCENT: f64 = 2.0;

/// From the click on the button that launches the first capsule to the prompt of its shell.
pub(crate) fn launch_to_prompt(rig: &mut Rig, web: &Path) -> Result<()> {
    section("from the click on Launch to the prompt in the page");
    let mut milliseconds = Vec::new();
    let mut chromium = String::new();
    for round in 0..=SAMPLES {
        // A warm VM is ready for each launch. Chromium gives up its loads while the machine gets addresses of new VMs.
        wait_for_pool(rig, 1, 1)?;
        let mut program = script(web, "launch");
        program
            .arg("--url")
            .arg(format!("http://{}", rig.platform.address()))
            .arg("--credentials")
            .arg(rig.platform.data().join("credentials.json"));
        let launch = figures_of(program)?;
        // The first fills the caches of the machine for all later ones.
        if round > 0 {
            milliseconds.push(number(&launch["milliseconds"])?);
        }
        chromium = version(&launch);
    }
    let figure = Figure::new("click on Launch→prompt in the page", "ms", milliseconds);
    let median = figure.p50();
    rig.add(figure.at_most("p50 in ms", median, LIMIT_MS).note(format!(
        "{chromium}, a new browser and a new team for each launch; a warm VM is ready"
    )));
    Ok(())
}

fn version(told: &Value) -> String {
    let version = told["chromium"].as_str();
    format!("Chromium {}", version.unwrap_or("unknown"))
}

/// What a list of a thousand capsules costs, with a platform in memory behind it.
pub(crate) fn thousand_rows(rig: &mut Rig, web: &Path) -> Result<()> {
    section("a list of 1,000 capsules in the page");
    let told = figures_of(script(web, "measure"))?;
    let chromium = version(&told);
    for (key, act) in [
        ("filter_ms", "filter"),
        ("sort_ms", "sort"),
        ("poll_ms", "poll"),
    ] {
        let name = format!("{act} 1,000 capsules in the page: time in scripts");
        let figure = Figure::new(&name, "ms", numbers(&told[key])?);
        let median = figure.p50();
        rig.add(
            figure
                .at_most("p50 in ms", median, SCRIPT_LIMIT_MS)
                .note(chromium.clone()),
        );
    }
    let tasks = numbers(&told["longest_task_ms"])?;
    let longest = tasks.iter().copied().fold(0.0, f64::max);
    let figure = Figure::new(
        "longest task of a scroll through 1,000 capsules",
        "ms",
        tasks,
    );
    rig.add(
        figure
            .at_most("max in ms", longest, TASK_LIMIT_MS)
            .note(format!(
                "{chromium}, which tells of tasks over 50 ms only: 0 says that there was none"
            )),
    );
    let heap = &told["heap_bytes"];
    let (before, after) = (number(&heap["before"])?, number(&heap["after_100_polls"])?);
    let growth = 100.0 * (after - before) / before;
    let figure = Figure::new(
        "growth of the page's heap over 100 polls of 1,000 capsules",
        "%",
        vec![growth],
    );
    rig.add(
        figure
            .at_most("%", growth, GROWTH_LIMIT_PERCENT)
            .note(format!(
                "{chromium}, collected before both looks; {:.1} MiB before",
                before / f64::from(1 << 20)
            )),
    );
    Ok(())
}

/// A measurement of `web/e2e/measure`.
fn script(web: &Path, name: &str) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "a tool for developers runs a program of its own"
    )]
    let mut program = Command::new(web.join("node_modules/.bin/node"));
    program
        .current_dir(web)
        .arg(format!("e2e/measure/{name}.ts"));
    program
}

/// What a measurement prints.
fn figures_of(mut program: Command) -> Result<Value> {
    let ran = program
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the measurement in the browser")?;
    ensure!(
        ran.status.success(),
        "the measurement in the browser failed: {}",
        ran.status
    );
    serde_json::from_slice(&ran.stdout).context("the measurement in the browser printed no figures")
}

fn numbers(told: &Value) -> Result<Vec<f64>> {
    let values = told
        .as_array()
        .context("the measurement in the browser lacks a list of figures")?;
    values.iter().map(number).collect()
}

fn number(told: &Value) -> Result<f64> {
    told.as_f64()
        .context("the measurement in the browser lacks a figure")
}
