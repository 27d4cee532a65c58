//! The pictures of the dashboard. They compare only in the version of Chromium that took them: each draws text in its own way.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::run::{program, say};

/// The major version that took the pictures. `e2e/visual/renew.ts` writes it.
const TAKEN_WITH: &str = "e2e/visual/pictures/chromium.txt";

/// Whether the pictures in `web` can be compared on this machine. Says so when not: Debian updates Chromium whenever it wants, and a build
/// must not break on that.
pub(super) fn are_comparable(web: &Path) -> Result<bool> {
    let taken = fs::read_to_string(web.join(TAKEN_WITH)).context("read the version of Chromium")?;
    let printed = program("chromium").arg("--version").output()?.stdout;
    let printed = String::from_utf8_lossy(&printed);
    let here = major(&printed).context("chromium --version prints no version")?;
    if here == taken.trim() {
        return Ok(true);
    }
    say(format_args!(
        "THE PICTURES ARE NOT COMPARED: Chromium is {here}, and the pictures are of Chromium {}. `make pictures` takes them anew: look \
         at them, then commit them.",
        taken.trim()
    ));
    Ok(false)
}

/// The major version in what `chromium --version` prints.
fn major(printed: &str) -> Option<&str> {
    let version = printed.split("Chromium ").nth(1)?;
    version.split('.').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_chromium_is_read() {
        let printed = "Chromium 156.0.8078.108 built on Debian GNU/Linux 12 (bookworm)\n";
        assert_eq!(major(printed), Some("156"));
        assert_eq!(major("no browser"), None);
    }
}
