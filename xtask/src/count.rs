//! What the test runners say at their end, summed.

use std::fmt;

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

    /// Adds the closing line of cargo-nextest, of `cargo test` or of pytest; any other line adds nothing.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim();
        let counts = if let Some((_, counts)) = line.split_once(" run: ").filter(|_| line.starts_with("Summary [")) {
            counts
        } else if let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) {
            counts
        } else if let Some((counts, _)) = pytest(line) {
            counts
        } else {
            return;
        };
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

/// `=== 3 passed, 1 failed in 2.50s ===` without its frame.
fn pytest(line: &str) -> Option<(&str, &str)> {
    let inner = line.trim_matches('=').trim();
    let framed = inner.len() < line.len();
    inner.split_once(" in ").filter(|(counts, time)| {
        framed
            && time.contains('s')
            && time.starts_with(|first: char| first.is_ascii_digit())
            && counts.starts_with(|first: char| first.is_ascii_digit())
    })
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
    use super::Count;

    fn check(lines: &[&str], passed: u64, failed: u64, skipped: u64) {
        let mut count = Count::default();
        for line in lines {
            count.read(line);
        }
        assert_eq!(count, Count { passed, failed, skipped });
    }

    #[test]
    fn nextest_is_counted() {
        check(&["     Summary [   0.512s] 12 tests run: 12 passed, 3 skipped"], 12, 0, 3);
        check(
            &["     Summary [  90.001s] 9 tests run: 6 passed (1 slow, 1 flaky), 2 failed, 1 timed out, 4 skipped"],
            6,
            3,
            4,
        );
        check(&["     Summary [   0.001s] 1 test run: 1 passed, 0 skipped"], 1, 0, 0);
    }

    #[test]
    fn cargo_test_is_counted_for_each_crate() {
        let one = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.05s";
        let two = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1s";
        check(&[one, two], 4, 2, 1);
    }

    #[test]
    fn pytest_is_counted() {
        check(&["======== 2 failed, 10 passed, 1 skipped, 3 warnings in 3.21s ========"], 10, 2, 1);
        check(&["=================== 1 passed, 1 error in 61.02s (0:01:01) ==================="], 1, 1, 0);
    }

    #[test]
    fn other_lines_add_nothing() {
        check(
            &["running 5 tests", "5 passed in the night", "Summary of 3 passed", "=== test session starts ==="],
            0,
            0,
            0,
        );
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(Count { passed: 5, failed: 0, skipped: 0 }.to_string(), "5 passed, 0 failed");
        assert_eq!(Count { passed: 5, failed: 1, skipped: 2 }.to_string(), "5 passed, 1 failed, 2 skipped");
    }
}
