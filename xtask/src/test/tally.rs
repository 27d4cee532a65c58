//! Counts tests by reading what the runners print.

use std::collections::BTreeSet;
use std::fmt;

/// How many tests ended how, and the names of those that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) failures: BTreeSet<String>,
    /// Whether the lines that follow are Playwright's list of tests that did not pass.
    listing: bool,
}

impl Tally {
    /// Takes in one line of a runner's output; most lines say nothing.
    pub(crate) fn see(&mut self, line: &str) {
        self.see_failure(line);
        // From the margin: nextest indents what a failed test printed, and that ends with the count of its own harness.
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += number_before(counts, " passed");
            self.failed += number_before(counts, " failed");
            self.skipped += number_before(counts, " ignored");
        } else if let Some(counts) = line.trim_start().strip_prefix("Tests  ") {
            self.see_vitest(counts);
        } else if let Some(count) = playwright(line) {
            self.listing = !matches!(count.1, "passed" | "skipped");
            match count {
                (passed, "passed") => self.passed += passed,
                (skipped, "skipped") => self.skipped += skipped,
                (failed, _) => self.failed += failed,
            }
        } else if line.trim_start().starts_with("Summary [") {
            // Nextest calls the tests of other rings skipped; ignored ones were refused before.
            let (run, passed) = (number_before(line, " test"), number_before(line, " passed"));
            self.passed += passed;
            self.failed += run.saturating_sub(passed);
        }
    }

    /// Takes in the name of a test that failed, in the form of nextest, of vitest, of libtest or of Playwright.
    fn see_failure(&mut self, line: &str) {
        let text = line.trim_start();
        let listed = self.listing && line.starts_with("    [");
        self.listing = listed;
        let ended = |word: &&str| text.starts_with(word);
        let name = if listed {
            Some(text.trim_end_matches(['─', ' ']))
        } else if ["FAIL [", "TIMEOUT [", "ABORT [", "SIG"].iter().any(ended) {
            // `FAIL [   0.151s] ( 49/459) package::binary test`
            let name = text.split_once("s] ").map(|(_, name)| name);
            name.map(|name| name.split_once(") ").map_or(name, |(_, name)| name))
        } else if let Some(test) = text.strip_prefix("FAIL  ") {
            Some(test)
        } else {
            let name = line.strip_prefix("test ");
            name.and_then(|name| name.strip_suffix(" ... FAILED"))
        };
        self.failures.extend(name.map(str::to_owned));
    }

    /// Takes in counts such as `1 failed | 12 passed (13)`.
    fn see_vitest(&mut self, counts: &str) {
        self.passed += number_before(counts, " passed");
        self.failed += number_before(counts, " failed");
        self.skipped += number_before(counts, " skipped") + number_before(counts, " todo");
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
            ..
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// A line of Playwright's summary, such as `  12 passed (1.5m)`: a number and how so many tests ended.
fn playwright(line: &str) -> Option<(u64, &str)> {
    let rest = line.strip_prefix("  ")?;
    let (count, ended) = rest.split_once(' ')?;
    let (ended, _) = ended.split_once(" (").unwrap_or((ended, ""));
    let known = [
        "passed",
        "skipped",
        "failed",
        "flaky",
        "interrupted",
        "did not run",
    ];
    let ended = known.into_iter().find(|known| *known == ended.trim_end())?;
    Some((count.parse().ok()?, ended))
}

/// The number right before `word`, or nought.
fn number_before(line: &str, word: &str) -> u64 {
    line.split_once(word)
        .and_then(|(before, _)| before.rsplit([' ', '/']).next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.see(line);
        }
        tally
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn both_runners_are_understood() {
        let libtest = "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out";
        let nextest = "     Summary [   0.5s] 7 tests run: 4 passed (1 slow), 2 failed, 1 timed out, 30 skipped";
        let expected = Tally {
            passed: 9,
            failed: 3,
            skipped: 2,
            ..Tally::default()
        };
        assert_eq!(tally(&[libtest, "running 7 tests", nextest]), expected);
    }

    #[test]
    fn the_runners_of_the_dashboard_are_understood() {
        let vitest = [
            " FAIL  src/a.test.ts > adds",
            "      Tests  1 failed | 12 passed | 2 skipped (15)",
        ];
        let playwright = [
            "  2 failed",
            "    [mock] › a.spec.ts:3 › 4 passed ────",
            "  1 flaky",
            "  34 passed (1.2m)",
        ];
        let expected = Tally {
            passed: 46,
            failed: 4,
            skipped: 2,
            failures: names(&["[mock] › a.spec.ts:3 › 4 passed", "src/a.test.ts > adds"]),
            ..Tally::default()
        };
        assert_eq!(tally(&[vitest[1]]).passed, 12);
        assert_eq!(tally(&[&vitest[..], &playwright].concat()), expected);
    }

    #[test]
    fn a_test_that_nextest_shows_failing_counts_once() {
        let captured = "\
        PASS [   0.005s] failing tests::passes
        FAIL [   0.151s] failing tests::fails
  stdout ───

    running 1 test
    test tests::fails ... FAILED

    failures:
        tests::fails

    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.13s

  stderr ───

    thread 'tests::fails' (28488) panicked at src/lib.rs:6:36:
    assertion `left == right` failed

────────────
     Summary [   0.152s] 2 tests run: 1 passed, 1 failed, 0 skipped
        FAIL [   0.151s] (2/2) failing tests::fails
error: test run failed";
        let expected = Tally {
            passed: 1,
            failed: 1,
            skipped: 0,
            failures: names(&["failing tests::fails"]),
            ..Tally::default()
        };
        assert_eq!(tally(&captured.lines().collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_single_test_counts() {
        let line = "     Summary [   0.012s] 1 test run: 1 passed, 3 skipped";
        assert_eq!(tally(&[line]).passed, 1);
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(
            Tally::default().to_string(),
            "0 passed, 0 failed, 0 skipped"
        );
    }
}
