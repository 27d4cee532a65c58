//! The public SDKs that the compatible API is held against.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::places::Places;
use crate::python;
use crate::run::{program, run, say};

/// Versions of the Python SDK, newest first. Each of the older ones speaks to the API in a way of its own.
const PYTHON: &[&str] = &["2.63.0", "2.30.0", "2.21.1", "2.15.3", "2.8.1"];
const PYTEST: &str = "pytest==8.4.2";

/// Installs the newest and the oldest version, or every one, and answers the variables that tests find them by.
pub(super) fn install(places: &Places, every: bool) -> Result<[(&'static str, OsString); 2]> {
    let is_wanted = |at: usize| every || at == 0 || at == PYTHON.len() - 1;
    let mut pythons = Vec::new();
    for (_, version) in PYTHON.iter().enumerate().filter(|(at, _)| is_wanted(*at)) {
        let (name, package) = (format!("sdk-{version}"), format!("e2b=={version}"));
        let folder = python::environment(places, &name, &[package.as_str(), PYTEST])?;
        pythons.push(folder.join("python3"));
    }
    let pythons = std::env::join_paths(pythons).context("the folder of the cache has a colon")?;
    Ok([
        ("LOCULE_PYTHON_SDKS", pythons),
        ("LOCULE_JAVASCRIPT_SDK", javascript(places)?.into()),
    ])
}

/// Answers a folder with the tests and the packages of the JavaScript SDK.
fn javascript(places: &Places) -> Result<PathBuf> {
    let sources = places.root.join("crates/locule-e2e/javascript");
    let folder = places.cache.join("javascript");
    let lock = fs::read(sources.join("package-lock.json")).context("read the list of packages")?;
    let done = folder.join("node_modules/packages.json");
    let is_done = fs::read(&done).is_ok_and(|have| have == lock);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for entry in fs::read_dir(&sources).context("read the tests of the JavaScript SDK")? {
        let entry = entry.context("read the tests of the JavaScript SDK")?;
        fs::copy(entry.path(), folder.join(entry.file_name()))
            .with_context(|| format!("cannot copy {}", entry.path().display()))?;
    }
    if !is_done {
        say(format_args!("installing the JavaScript SDK from npm"));
        let quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
        run(program("npm").arg("ci").args(quiet).current_dir(&folder))?;
        fs::write(&done, lock).with_context(|| format!("cannot write {}", done.display()))?;
    }
    Ok(folder)
}
