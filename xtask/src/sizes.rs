//! How large files may be: a longer one was more than one concept. No source file has over 500 lines, and none that a walkthrough in
//! ARCHITECTURE.md names has over 300: a newcomer reads those from top to bottom.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::places::Places;
use crate::source;

const LINES_MAX: usize = 500;
const LINES_MAX_ON_A_PATH: usize = 300;

/// The walkthroughs that ARCHITECTURE.md must have, and how many steps each may have: one file each.
const WALKTHROUGHS: &[(&str, usize)] = &[("create", 14), ("exec", 20), ("pause", 20)];

/// Fails with the list of files that are too long, and of walkthroughs that are not true.
pub(crate) fn check(places: &Places) -> Result<()> {
    let mut problems = Vec::new();
    for folder in ["crates", "xtask"] {
        for path in source::files(&places.root.join(folder), &["rs"])? {
            let lines = lines(&path)?;
            if lines > LINES_MAX {
                problems.push(format!(
                    "{}: {lines} lines, over {LINES_MAX}",
                    path.display()
                ));
            }
        }
    }
    let page =
        fs::read_to_string(places.root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    problems.extend(walkthroughs(&page, &places.root));
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

fn lines(path: &Path) -> Result<usize> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text.lines().count())
}

fn walkthroughs(page: &str, root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, steps_max) in WALKTHROUGHS {
        let section = section(page, name);
        let steps = section.iter().filter(|line| is_step(line)).count();
        if steps == 0 || steps > *steps_max {
            problems.push(format!(
                "ARCHITECTURE.md: the walkthrough of {name} has {steps} steps, not 1 to {steps_max}"
            ));
        }
        for file in named_files(&section) {
            match lines(&root.join(&file)) {
                Ok(lines) if lines <= LINES_MAX_ON_A_PATH => {}
                Ok(lines) => problems.push(format!(
                    "{file}: {lines} lines, over {LINES_MAX_ON_A_PATH} on the path of {name}"
                )),
                Err(_) => problems.push(format!(
                    "ARCHITECTURE.md: the walkthrough of {name} names {file}, which does not exist"
                )),
            }
        }
    }
    problems
}

/// The lines below the heading `## Walkthrough: {name}`.
fn section<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let heading = format!("## Walkthrough: {name}");
    page.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .collect()
}

/// A row of the table: its number, and one file.
fn is_step(line: &str) -> bool {
    let number = line
        .strip_prefix("| ")
        .and_then(|row| row.split(' ').next());
    number.is_some_and(|number| number.parse::<u8>().is_ok())
}

/// The source files that a section names in backquotes, steps or not, from the name of the crate on.
fn named_files(section: &[&str]) -> BTreeSet<String> {
    section
        .iter()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|word| word.starts_with("locule") && word.contains("/src/"))
        .map(|word| format!("crates/{word}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walkthrough_names_files_that_exist_and_are_short() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("crates/locule-x/src");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("short.rs"), "\n".repeat(300)).unwrap();
        fs::write(folder.join("long.rs"), "\n".repeat(301)).unwrap();
        let page = "## Walkthrough: create\n| 1 | `locule-x/src/short.rs` | `not_a_file` |\n\n## Walkthrough: exec\n\
            | 1 | `locule-x/src/long.rs` |\n## Walkthrough: pause\n| 1 | a |\n\n`locule-x/src/none.rs`\n## Other\n`locule-x/src/other.rs`\n";
        assert_eq!(
            walkthroughs(page, root.path()),
            [
                "crates/locule-x/src/long.rs: 301 lines, over 300 on the path of exec",
                "ARCHITECTURE.md: the walkthrough of pause names crates/locule-x/src/none.rs, which does not exist",
            ]
        );
    }

    #[test]
    fn a_walkthrough_must_be_there_and_create_has_at_most_fourteen_steps() {
        let steps: Vec<_> = (1..=15).map(|n| format!("| {n} | a file |")).collect();
        let page = format!(
            "## Walkthrough: create\n| # | file |\n{}\n",
            steps.join("\n")
        );
        let problems = walkthroughs(&page, Path::new("/none"));
        assert_eq!(
            problems,
            [
                "ARCHITECTURE.md: the walkthrough of create has 15 steps, not 1 to 14",
                "ARCHITECTURE.md: the walkthrough of exec has 0 steps, not 1 to 20",
                "ARCHITECTURE.md: the walkthrough of pause has 0 steps, not 1 to 20",
            ]
        );
    }
}
