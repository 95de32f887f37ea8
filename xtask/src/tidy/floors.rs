//! The five floors: a crate uses only floors below its own, and the lower three are pure.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

/// A crate of the house: its folder under `crates/` and the crates of the house that it may use.
struct Room {
    name: &'static str,
    /// From the ground, 1, to the roof, 5; tests may use every floor below.
    floor: u8,
    may_use: &'static [&'static str],
    /// No runtime, no HTTP, no SQL, no random source: floors 1 to 3.
    pure: bool,
}

const ROOMS: [Room; 13] = [
    Room { name: "protocol", floor: 1, may_use: &[], pure: true },
    Room { name: "crypto", floor: 1, may_use: &[], pure: true },
    Room { name: "authority", floor: 2, may_use: &["protocol", "crypto"], pure: true },
    Room { name: "exchange", floor: 2, may_use: &["protocol"], pure: true },
    Room { name: "admission", floor: 3, may_use: &["authority", "crypto", "protocol"], pure: true },
    Room { name: "gateway", floor: 4, may_use: &["admission", "protocol"], pure: false },
    Room { name: "console", floor: 4, may_use: &["admission", "authority", "protocol", "crypto"], pure: false },
    Room {
        name: "store",
        floor: 4,
        may_use: &["admission", "authority", "exchange", "protocol", "crypto"],
        pure: false,
    },
    Room { name: "venue", floor: 4, may_use: &["admission", "authority", "exchange", "protocol"], pure: false },
    Room { name: "client", floor: 4, may_use: &["protocol", "crypto"], pure: false },
    // A leaf: what few need and is dear to build, behind a feature of the roof.
    Room { name: "export-parquet", floor: 4, may_use: &["admission", "protocol"], pure: false },
    Room { name: "latchkey", floor: 5, may_use: HOUSE, pure: false },
    Room { name: "testkit", floor: 5, may_use: HOUSE, pure: false },
];

/// Everything but `testkit`, on which nothing stands.
const HOUSE: &[&str] = &[
    "protocol",
    "crypto",
    "authority",
    "exchange",
    "admission",
    "gateway",
    "console",
    "store",
    "venue",
    "client",
    "export-parquet",
    "latchkey",
];

/// Packages that bring a runtime, the network, a database, the system or a random source.
const IMPURE: &[&str] = &[
    "axum",
    "getrandom",
    "http-body-util",
    "hyper",
    "hyper-util",
    "mimalloc",
    "rand",
    "reqwest",
    "rustix",
    "sqlx",
    "tokio",
    "tokio-rustls",
    "tower",
    "ureq",
];

/// Every broken rule, one line each.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let mut folders: Vec<_> = fs::read_dir(root.join("crates"))?.collect::<Result<_, _>>()?;
    folders.sort_by_key(fs::DirEntry::file_name);
    for folder in folders {
        let path = folder.path().join("Cargo.toml");
        if path.exists() {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            findings.extend(check_manifest(&folder.file_name().to_string_lossy(), &text)?);
        }
    }
    let own = fs::read_to_string(root.join("xtask/Cargo.toml"))?;
    findings.extend(lints("xtask", &own.parse()?));
    Ok(findings)
}

fn check_manifest(name: &str, text: &str) -> Result<Vec<String>> {
    let manifest: Table = text.parse().with_context(|| format!("crates/{name}/Cargo.toml"))?;
    let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
        return Ok(vec![format!("crates/{name} is on no floor: a new crate needs a decision record and a row here")]);
    };
    let mut findings = lints(name, &manifest);
    for dependency in dependencies(&manifest, &["dependencies", "build-dependencies"]) {
        if let Some(neighbor) = of_the_house(&dependency) {
            if !room.may_use.contains(&neighbor) {
                findings.push(format!("crates/{name} may not use {neighbor}: it is not on a floor below"));
            }
        } else if room.pure && IMPURE.contains(&dependency.as_str()) {
            findings.push(format!("crates/{name} is pure and may not use {dependency}"));
        }
    }
    for dependency in dependencies(&manifest, &["dev-dependencies"]) {
        let below = |n: &str| ROOMS.iter().any(|other| other.name == n && other.floor < room.floor);
        let neighbor = of_the_house(&dependency);
        if let Some(neighbor) = neighbor.filter(|n| *n != "testkit" && *n != name && !below(n)) {
            findings.push(format!("the tests of crates/{name} may not use {neighbor}"));
        }
    }
    Ok(findings)
}

fn lints(name: &str, manifest: &Table) -> Vec<String> {
    let inherited = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool);
    if inherited == Some(true) { Vec::new() } else { vec![format!("{name} has no `[lints] workspace = true`")] }
}

/// The part of the name after `latchkey-`, or `latchkey` itself.
fn of_the_house(package: &str) -> Option<&str> {
    if package == "latchkey" { Some(package) } else { package.strip_prefix("latchkey-") }
}

/// Package names in the named tables, also in those under `[target.…]`; a renamed one by its real name.
fn dependencies(manifest: &Table, tables: &[&str]) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let places = std::iter::once(manifest).chain(targets.filter_map(|(_, target)| target.as_table()));
    let mut names = BTreeSet::new();
    for place in places {
        for table in tables {
            for (name, value) in place.get(*table).and_then(Value::as_table).into_iter().flatten() {
                let real = value.get("package").and_then(Value::as_str).unwrap_or(name);
                names.insert(real.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{check_manifest, lints};

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn check(name: &str, dependencies: &str, findings: &[&str]) {
        assert_eq!(check_manifest(name, &format!("{LINTS}{dependencies}")).unwrap(), findings);
    }

    #[test]
    fn a_crate_may_use_the_floors_below() {
        check("gateway", "[dependencies]\nlatchkey-admission = {}\nlatchkey-protocol = {}\ntokio = '1'", &[]);
        check("latchkey", "[dependencies]\nlatchkey-gateway = {}\nlatchkey-client = {}", &[]);
    }

    #[test]
    fn a_floor_above_or_a_neighbor_is_caught() {
        let above = "crates/protocol may not use admission: it is not on a floor below";
        check("protocol", "[dependencies]\nlatchkey-admission = {}", &[above]);
        let neighbor = "crates/authority may not use exchange: it is not on a floor below";
        check("authority", "[dependencies]\nlatchkey-exchange = {}", &[neighbor]);
        let roof = "crates/store may not use latchkey: it is not on a floor below";
        check("store", "[build-dependencies]\nlatchkey = {}", &[roof]);
        check(
            "latchkey",
            "[dependencies]\nlatchkey-testkit = {}",
            &["crates/latchkey may not use testkit: it is not on a floor below"],
        );
    }

    #[test]
    fn a_renamed_or_targeted_dependency_is_seen() {
        let finding = "crates/exchange may not use crypto: it is not on a floor below";
        check("exchange", "[dependencies]\nharmless = { package = 'latchkey-crypto' }", &[finding]);
        check("exchange", "[target.'cfg(unix)'.dependencies]\nlatchkey-crypto = {}", &[finding]);
    }

    #[test]
    fn the_pure_floors_take_no_runtime() {
        check("admission", "[dependencies]\ntokio = '1'", &["crates/admission is pure and may not use tokio"]);
        check("admission", "[dev-dependencies]\ngetrandom = '1'", &[]);
        check("venue", "[dependencies]\ntokio = '1'", &[]);
    }

    #[test]
    fn tests_may_use_the_testkit_and_every_floor_below() {
        check("gateway", "[dev-dependencies]\nlatchkey-testkit = {}", &[]);
        check("gateway", "[dev-dependencies]\nlatchkey-authority = {}", &[]);
        let finding = "the tests of crates/crypto may not use store";
        check("crypto", "[dev-dependencies]\nlatchkey-store = {}", &[finding]);
    }

    #[test]
    fn a_crate_without_a_row_is_caught() {
        let finding = "crates/common is on no floor: a new crate needs a decision record and a row here";
        check("common", "", &[finding]);
    }

    #[test]
    fn the_workspace_lints_are_inherited() {
        assert_eq!(lints("x", &"[lints]\nworkspace = false".parse().unwrap()).len(), 1);
        assert_eq!(lints("x", &"".parse().unwrap()).len(), 1);
        assert!(lints("x", &LINTS.parse().unwrap()).is_empty());
    }
}
