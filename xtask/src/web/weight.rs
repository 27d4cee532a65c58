//! How much of the dashboard a browser loads, compressed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

const KIB: u64 = 1024;
/// Scripts and style sheets that the first page imports.
const START_MAX: u64 = 120 * KIB;
/// Each file that a page loads later.
const LAZY_MAX: u64 = 100 * KIB;
/// Everything of the first page, fonts included.
const FIRST_MAX: u64 = 300 * KIB;
/// The fonts that every page shows.
const FONTS: &[&str] = &[
    "geist-latin-wght",
    "geist-mono-latin-wght",
    "newsreader-latin-wght",
];

/// Fails when the build is over a limit.
pub(super) fn check(build: &Path) -> Result<()> {
    let immutable = build.join("_app/immutable");
    let mut files = BTreeSet::new();
    super::collect(&immutable, &mut files)?;
    let page = fs::read_to_string(build.join("200.html")).context("read the page of the build")?;
    let scripts: Vec<PathBuf> = files
        .iter()
        .filter(|file| has_extension(file, "js") || has_extension(file, "css"))
        .cloned()
        .collect();
    let mut start = 0;
    for script in &scripts {
        let size = packed(script)?;
        let name = script.file_name().unwrap_or_default().to_string_lossy();
        if page.contains(name.as_ref()) {
            start += size;
        }
        if size > LAZY_MAX {
            bail!(
                "{name} has {} KiB; a file may have {}",
                size / KIB,
                LAZY_MAX / KIB
            );
        }
    }
    let mut fonts = 0;
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if FONTS.iter().any(|font| name.starts_with(font)) && name.contains("normal") {
            fonts += fs::metadata(file)?.len();
        }
    }
    if start > START_MAX {
        bail!(
            "a page begins with {} KiB of scripts; {} are allowed",
            start / KIB,
            START_MAX / KIB
        );
    }
    if start + fonts > FIRST_MAX {
        bail!(
            "the first page has {} KiB with its fonts; {} are allowed",
            (start + fonts) / KIB,
            FIRST_MAX / KIB
        );
    }
    Ok(())
}

fn has_extension(file: &Path, wanted: &str) -> bool {
    file.extension()
        .is_some_and(|extension| extension == wanted)
}

/// The size of a file as a browser that takes Brotli gets it.
fn packed(file: &Path) -> Result<u64> {
    let mut name = file.as_os_str().to_owned();
    name.push(".br");
    let size = |path: &Path| fs::metadata(path).map(|meta| meta.len());
    size(Path::new(&name))
        .or_else(|_| size(file))
        .with_context(|| format!("read {}", file.display()))
}
