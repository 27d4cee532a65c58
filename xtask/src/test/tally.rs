//! Counts tests by reading what the runners print.

use std::fmt;

/// How many tests ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Takes in one line of a runner's output; most lines say nothing.
    pub(crate) fn see(&mut self, line: &str) {
        // From the margin: nextest indents what a failed test printed, and that ends with the count of its own harness.
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += number_before(counts, " passed");
            self.failed += number_before(counts, " failed");
            self.skipped += number_before(counts, " ignored");
        } else if line.trim_start().starts_with("Summary [") {
            // Nextest calls the tests of other rings skipped; ignored ones were refused before.
            let (run, passed) = (number_before(line, " test"), number_before(line, " passed"));
            self.passed += passed;
            self.failed += run.saturating_sub(passed);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
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

    #[test]
    fn both_runners_are_understood() {
        let libtest = "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out";
        let nextest = "     Summary [   0.5s] 7 tests run: 4 passed (1 slow), 2 failed, 1 timed out, 30 skipped";
        let expected = Tally {
            passed: 9,
            failed: 3,
            skipped: 2,
        };
        assert_eq!(tally(&[libtest, "running 7 tests", nextest]), expected);
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
        FAIL [   0.151s] failing tests::fails
error: test run failed";
        let expected = Tally {
            passed: 1,
            failed: 1,
            skipped: 0,
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
