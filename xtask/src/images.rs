//! Builds the static guest agent, then the image bundle around it with `images/build`, which skips what it has built before.

use anyhow::{Context as _, Result, bail};

use crate::places::Places;
use crate::run::{cargo, program, run_with_progress};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Leaves the bundle in `images` of the target folder.
pub(crate) fn build(places: &Places) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "a root filesystem keeps its owners only when root builds it: run `sudo make images`"
        );
    }
    let mut guest_agent = cargo();
    guest_agent
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
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    run_with_progress("building the guest agent", &mut guest_agent)?;
    let guest = places.target.join(TARGET).join("guest/locule-guest");
    // A build of the whole workspace replaces the file of this program while it runs; this path stays the program.
    let xtask = format!("/proc/{}/exe", std::process::id());
    let mut bundle = program("bash");
    bundle
        .arg(places.root.join("images/build"))
        .args([&guest, &places.target.join("images")])
        .arg(xtask)
        .env("LOCULE_CACHE", &places.cache);
    run_with_progress("building the guest images", &mut bundle).context("building the guest images")
}
