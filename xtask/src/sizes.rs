//! No source file over 500 lines: a longer one was more than one concept.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::places::Places;

const LINES_MAX: usize = 500;

/// Fails with the list of files that are too long.
pub(crate) fn check(places: &Places) -> Result<()> {
    let mut too_long = Vec::new();
    for folder in ["crates", "xtask"] {
        visit(&places.root.join(folder), &mut too_long)?;
    }
    if !too_long.is_empty() {
        bail!("over {LINES_MAX} lines: {}", too_long.join(", "));
    }
    Ok(())
}

fn visit(folder: &Path, too_long: &mut Vec<String>) -> Result<()> {
    let shown = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(shown)? {
        let path = entry.with_context(shown)?.path();
        if path.is_dir() {
            visit(&path, too_long)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = fs::read_to_string(&path)
                .with_context(shown)?
                .lines()
                .count();
            if lines > LINES_MAX {
                too_long.push(format!("{} ({lines})", path.display()));
            }
        }
    }
    Ok(())
}
