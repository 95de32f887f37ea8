//! How many crates the default build compiles.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::run::{capture, cargo};

/// The most crates in the default build; more makes the first command of the README a long wait.
const CRATES_MAX: usize = 370;

pub(super) fn check() -> Result<Option<String>> {
    let (good, said) = capture(&mut cargo(&["tree", "-p", "latchkey", "-e", "normal,build", "--prefix", "none"]))?;
    if !good {
        bail!("`cargo tree` failed: {said}");
    }
    let crates = distinct(&said);
    println!("{crates} crates in the default build, {CRATES_MAX} at most");
    Ok((crates > CRATES_MAX).then(|| format!("{crates} crates in the default build; {CRATES_MAX} is the most")))
}

/// `name v1.2.3 (path) (*)`, one line for each way into a crate.
fn distinct(tree: &str) -> usize {
    let named = tree.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?)).filter(|(_, version)| version.starts_with('v'))
    });
    named.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::distinct;

    #[test]
    fn a_crate_counts_once_for_each_version() {
        let tree = "latchkey v0.1.0 (/x)\nserde v1.0.0\nserde v1.0.0 (*)\nsha2 v0.10.0\nsha2 v0.11.0\n\n[build]\n";
        assert_eq!(distinct(tree), 4);
    }
}
