//! Behaviour codes: each that is cited is defined in docs/reference/behaviour.md, and each that is defined is cited by a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::places::Places;
use crate::source;

const PAGE: &str = "docs/reference/behaviour.md";
/// Files that name made-up codes: the tests below.
const MADE_UP: &str = "xtask/src/behaviour.rs";

/// The codes that a file cites.
#[derive(Debug)]
struct Cites {
    all: BTreeSet<String>,
    in_tests: BTreeSet<String>,
}

/// Fails with the codes that are cited and not defined, defined and not cited by a test, or defined twice.
pub(crate) fn check(places: &Places) -> Result<()> {
    let page = fs::read_to_string(places.root.join(PAGE)).context(PAGE)?;
    let mut cited = BTreeMap::new();
    for path in source::files(&places.root, &["rs", "md", "sql", "proto", "py", "ts"])? {
        let file = path.strip_prefix(&places.root).unwrap_or(&path);
        let file = file.display().to_string();
        if file != PAGE && file != MADE_UP {
            let text = fs::read_to_string(&path).with_context(|| file.clone())?;
            // Unit tests are at the end of the file they test.
            let tests = if ["/tests/", "/e2e/"]
                .iter()
                .any(|folder| file.contains(folder))
                || [".test.ts", "/tests.rs"]
                    .iter()
                    .any(|end| file.ends_with(end))
            {
                &text
            } else {
                text.split_once("#[cfg(test)]")
                    .map_or("", |(_, tests)| tests)
            };
            let found = Cites {
                all: codes(&text),
                in_tests: codes(tests),
            };
            cited.insert(file, found);
        }
    }
    let problems = problems(&page, &cited);
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

fn problems(page: &str, cited: &BTreeMap<String, Cites>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut defined = BTreeSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("| ")) {
        let first = line.split(" |").next().unwrap_or_default();
        if codes(first).contains(first) && !defined.insert(first.to_owned()) {
            problems.push(format!("{PAGE}: {first} is defined twice"));
        }
    }
    for (file, cites) in cited {
        for code in cites.all.difference(&defined) {
            problems.push(format!("{file}: {code} is not defined in {PAGE}"));
        }
    }
    let proved: BTreeSet<_> = cited
        .values()
        .flat_map(|cites| &cites.in_tests)
        .cloned()
        .collect();
    for code in defined.difference(&proved) {
        problems.push(format!("{PAGE}: no test cites {code}"));
    }
    problems
}

/// Every code in a text: a capital B or W with three digits, or D with two.
fn codes(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(|word| {
            let digits = match word.get(..2) {
                Some("B-" | "W-") => 3,
                Some("D-") => 2,
                _ => return false,
            };
            word.len() == 2 + digits && word[2..].bytes().all(|digit| digit.is_ascii_digit())
        })
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Vec<String> {
        let page = "| code | what holds |\n|---|---|\n| B-900 | One. |\n| W-901 | Two. |\n";
        let read = |(file, text): &(&str, &str)| {
            let is_test = file.contains("/tests/");
            let tests = if is_test { *text } else { "" };
            let found = Cites {
                all: codes(text),
                in_tests: codes(tests),
            };
            ((*file).to_owned(), found)
        };
        let cited = files.iter().map(read);
        problems(page, &cited.collect())
    }

    #[test]
    fn codes_that_are_defined_and_cited_by_tests_pass() {
        let test = ("crates/a/tests/it/b.rs", "/// B-900, W-901: a claim.");
        assert!(of(&[test, ("crates/a/src/lib.rs", "// (B-900)")]).is_empty());
    }

    #[test]
    fn a_code_that_is_cited_and_not_defined_is_found() {
        let test = ("crates/a/tests/it/b.rs", "/// B-900, W-901, D-92.");
        assert_eq!(
            of(&[test]),
            ["crates/a/tests/it/b.rs: D-92 is not defined in docs/reference/behaviour.md"]
        );
    }

    #[test]
    fn a_code_that_only_product_code_cites_is_not_proved() {
        let files = [
            ("crates/a/tests/it/b.rs", "B-900"),
            ("crates/a/src/lib.rs", "W-901"),
        ];
        assert_eq!(
            of(&files),
            ["docs/reference/behaviour.md: no test cites W-901"]
        );
    }

    #[test]
    fn other_words_with_digits_are_no_codes() {
        assert!(codes("B-1 BB-123 W-1234 D-123 A-123 sb-123 B-12a").is_empty());
    }
}
