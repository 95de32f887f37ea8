//! The house rules: which crate may use which, how large files are, what no source may say.

mod floors;
mod sources;
mod tree;

use anyhow::{Result, bail};

use crate::run::{Outcome, Run, root};

pub(crate) fn step(run: &mut Run) {
    run.step("tidy", |_| {
        let mut findings = floors::check(&root())?;
        findings.extend(sources::check(&root())?);
        findings.extend(tree::check()?);
        report(&findings)
    });
}

fn report(findings: &[String]) -> Result<Outcome> {
    for finding in findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} house rules are broken", findings.len());
    }
    Ok(Outcome::Passed)
}
