//! Builds the static guest agent, then the image bundle around it with `images/build`, which skips what it has built before.

use anyhow::{Context as _, Result, bail};

use crate::places::Places;
use crate::run::{cargo, program, run, say};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Leaves the bundle in `images` of the target folder.
pub(crate) fn build(places: &Places) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "a root filesystem keeps its owners only when root builds it: run `sudo make images`"
        );
    }
    say(format_args!("building the guest agent"));
    run(cargo()
        .current_dir(&places.root)
        .args([
            "build",
            "--quiet",
            "--profile",
            "guest",
            "-p",
            "locule-guest",
        ])
        .args(["--target", TARGET])
        .env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    let guest = places.target.join(TARGET).join("guest/locule-guest");
    run(program("bash")
        .arg(places.root.join("images/build"))
        .args([&guest, &places.target.join("images")])
        .env("LOCULE_CACHE", &places.cache))
    .context("building the guest images")
}
