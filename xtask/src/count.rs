//! What the test runners say at their end, summed.

use std::fmt;

/// Whose output is read.
#[derive(Clone, Copy)]
pub(crate) enum Runner {
    Nextest,
    CargoTest,
    Pytest,
}

/// Tests that passed, failed and were skipped.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    /// Whether any test was counted.
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }

    /// Adds the closing line of `runner`; any other line adds nothing. A test that failed may print what another
    /// runner would close with, so only the runner's own form counts, where it stands in that runner's output.
    pub(crate) fn read(&mut self, runner: Runner, line: &str) {
        let counts = match runner {
            Runner::Nextest => line
                .trim_start()
                .strip_prefix("Summary [")
                .and_then(|rest| rest.split_once(" run: "))
                .map(|found| found.1),
            Runner::CargoTest => {
                line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")).map(|found| found.1)
            }
            Runner::Pytest => pytest(line),
        };
        let Some(counts) = counts else { return };
        for part in counts.split([',', ';']) {
            let mut words = part.split_whitespace();
            let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else { continue };
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed" | "error" | "errors" | "timed") => self.failed += number,
                Some("skipped" | "ignored") => self.skipped += number,
                _ => {}
            }
        }
    }
}

/// `=== 3 passed, 1 failed in 2.50s ===` without frame and time.
fn pytest(line: &str) -> Option<&str> {
    let (counts, time) = line.strip_prefix('=')?.strip_suffix('=')?.trim_matches('=').trim().split_once(" in ")?;
    let digit = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    (digit(counts) && digit(time)).then_some(counts)
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Runner};

    fn check(runner: Runner, lines: &[&str], passed: u64, failed: u64, skipped: u64) {
        let mut count = Count::default();
        for line in lines {
            count.read(runner, line);
        }
        assert_eq!(count, Count { passed, failed, skipped });
    }

    #[test]
    fn nextest_is_counted() {
        check(Runner::Nextest, &["     Summary [   0.512s] 12 tests run: 12 passed, 3 skipped"], 12, 0, 3);
        check(
            Runner::Nextest,
            &["     Summary [  90.001s] 9 tests run: 6 passed (1 slow, 1 flaky), 2 failed, 1 timed out, 4 skipped"],
            6,
            3,
            4,
        );
        check(Runner::Nextest, &["     Summary [   0.001s] 1 test run: 1 passed, 0 skipped"], 1, 0, 0);
    }

    #[test]
    fn cargo_test_is_counted_for_each_crate() {
        let one = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.05s";
        let two = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1s";
        check(Runner::CargoTest, &[one, two], 4, 2, 1);
    }

    #[test]
    fn pytest_is_counted() {
        check(Runner::Pytest, &["======== 2 failed, 10 passed, 1 skipped, 3 warnings in 3.21s ========"], 10, 2, 1);
        check(
            Runner::Pytest,
            &["=================== 1 passed, 1 error in 61.02s (0:01:01) ==================="],
            1,
            1,
            0,
        );
    }

    #[test]
    fn other_lines_add_nothing() {
        let lines = ["running 5 tests", "5 passed in the night", "Summary of 3 passed", "=== test session starts ==="];
        for runner in [Runner::Nextest, Runner::CargoTest, Runner::Pytest] {
            check(runner, &lines, 0, 0, 0);
        }
    }

    #[test]
    fn what_a_failing_test_prints_is_not_counted() {
        let inner =
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.17s";
        check(Runner::Nextest, &[inner, "     Summary [   0.1s] 2 tests run: 1 passed, 1 failed, 0 skipped"], 1, 1, 0);
        check(Runner::CargoTest, &[inner], 0, 0, 0);
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(Count { passed: 5, failed: 0, skipped: 0 }.to_string(), "5 passed, 0 failed");
        assert_eq!(Count { passed: 5, failed: 1, skipped: 2 }.to_string(), "5 passed, 1 failed, 2 skipped");
    }
}
