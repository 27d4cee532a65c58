//! What a person waits for in a browser.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use locule_e2e::statistics::Figure;
use serde_json::Value;

use crate::rig::{Rig, section};

/// The longest median from the click to the prompt.
const LIMIT_MS: f64 = 10_000.0;
const SAMPLES: usize = 5;

/// From the click on the button that launches the first capsule to the prompt of its shell.
pub(crate) fn launch_to_prompt(rig: &mut Rig, web: &Path) -> Result<()> {
    section("from the click on Launch to the prompt in the page");
    #[expect(
        clippy::disallowed_methods,
        reason = "a tool for developers runs a program of its own"
    )]
    let ran = Command::new(web.join("node_modules/.bin/node"))
        .current_dir(web)
        .args(["e2e/measure/launch.ts", "--url"])
        .arg(format!("http://{}", rig.platform.address()))
        .arg("--credentials")
        .arg(rig.platform.data().join("credentials.json"))
        .args(["--samples", &SAMPLES.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the measurement in the browser")?;
    ensure!(
        ran.status.success(),
        "the measurement in the browser failed: {}",
        ran.status
    );
    let launches: Value = serde_json::from_slice(&ran.stdout)
        .context("the measurement in the browser printed no figures")?;
    let milliseconds = launches["milliseconds"].as_array();
    let milliseconds: Vec<f64> = milliseconds
        .context("the measurement in the browser printed no times")?
        .iter()
        .filter_map(Value::as_f64)
        .collect();
    let figure = Figure::new("click on Launch→prompt in the page", "ms", milliseconds);
    let median = figure.p50();
    rig.add(figure.at_most("p50 in ms", median, LIMIT_MS).note(format!(
        "Chromium {}, a new page and a new team for each launch",
        launches["chromium"].as_str().unwrap_or("unknown")
    )));
    Ok(())
}
