//! What is declared and not used: a dependency that no source of its crate names, an entry of the workspace's table of dependencies
//! that no crate takes, an arrow of the crate map that no crate needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{Dependency, DependencyKind, Package};

use crate::map::MAY_IMPORT;
use crate::places::{self, Places};
use crate::source;

/// Entries of the workspace's table that wait for their first user. One that has a user must leave this list.
const FOR_LATER: &[(&str, &str)] = &[(
    "redis",
    "builds and notifications go through it; the server is installed and supervised already",
)];

/// Fails with the list of what is unused.
pub(crate) fn check(places: &Places) -> Result<()> {
    let packages = places::metadata()?.packages;
    let manifest = fs::read_to_string(places.root.join("Cargo.toml")).context("Cargo.toml")?;
    let mut problems = table(&manifest, &packages, FOR_LATER);
    problems.extend(arrows(MAY_IMPORT, &packages));
    for package in &packages {
        let folder = package.manifest_path.parent().context("no folder")?;
        let names = names(folder.as_std_path())?;
        for dependency in &package.dependencies {
            problems.extend(unnamed(package.name.as_str(), dependency, &names));
        }
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

/// Every name in the code of a package.
fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for path in source::files(folder, &["rs"])? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        names.extend(source::code_names(&text).map(|(name, _)| name.to_owned()));
        names.extend(crates_in_attributes(&text));
    }
    Ok(names)
}

/// `#[sqlx::test(migrator = "locule_store::MIGRATIONS")]` names a crate in a string.
fn crates_in_attributes(text: &str) -> impl Iterator<Item = String> {
    text.split("(migrator = \"")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("::")?.0.to_owned()))
}

fn unnamed(package: &str, dependency: &Dependency, names: &BTreeSet<String>) -> Option<String> {
    let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
    if names.contains(&name.replace('-', "_")) || is_used_by_generated(package, name) {
        return None;
    }
    Some(format!(
        "{package}: no source names its dependency `{name}`"
    ))
}

/// Code that a build script writes names these; no file of the package does.
fn is_used_by_generated(package: &str, dependency: &str) -> bool {
    let generated = ["locule-agent-api", "locule-guest-api"];
    let named = [
        "buffa",
        "buffa-types",
        "connectrpc",
        "futures",
        "http-body",
        "serde",
        "serde_json",
    ];
    generated.contains(&package) && named.contains(&dependency)
}

fn table(manifest: &str, packages: &[Package], for_later: &[(&str, &str)]) -> Vec<String> {
    let entries: BTreeSet<_> = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once(" =")?.0))
        .collect();
    let taken: BTreeSet<_> = packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|one| one.name.as_str())
        .collect();
    let later: BTreeSet<_> = for_later.iter().map(|(name, _)| *name).collect();
    let unused = entries
        .iter()
        .filter(|entry| !taken.contains(*entry) && !later.contains(*entry))
        .map(|entry| format!("Cargo.toml: no crate takes `{entry}` from the workspace's table"));
    let stale = later
        .iter()
        .filter(|entry| taken.contains(*entry) || !entries.contains(*entry))
        .map(|entry| format!("xtask/src/unused.rs: `{entry}` does not wait any more"));
    unused.chain(stale).collect()
}

fn arrows(map: &[(&str, &[&str])], packages: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    for (from, targets) in map {
        let package = packages.iter().find(|one| one.name.as_str() == *from);
        for to in *targets {
            let needed = package.is_some_and(|package| {
                package
                    .dependencies
                    .iter()
                    .any(|one| one.name == *to && one.kind != DependencyKind::Development)
            });
            if !needed {
                problems.push(format!(
                    "xtask/src/map.rs: no dependency needs the arrow {from} → {to}"
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str) -> Package {
        let packages = places::metadata().unwrap().packages;
        packages
            .into_iter()
            .find(|one| one.name.as_str() == name)
            .unwrap()
    }

    #[test]
    fn an_attribute_names_a_crate_in_a_string() {
        let text = "#[sqlx::test(migrator = \"a_store::MIGRATIONS\")]\nasync fn a() { \"b::c\" }";
        assert_eq!(crates_in_attributes(text).collect::<Vec<_>>(), ["a_store"]);
    }

    #[test]
    fn a_dependency_that_only_a_comment_names_is_unused() {
        let package = package("xtask");
        let dependency = package
            .dependencies
            .iter()
            .find(|one| one.name == "serde_json")
            .unwrap();
        let names = |text: &str| {
            source::code_names(text)
                .map(|(name, _)| name.to_owned())
                .collect()
        };
        assert_eq!(
            unnamed("xtask", dependency, &names("use serde_json::Value;")),
            None
        );
        assert_eq!(
            unnamed(
                "xtask",
                dependency,
                &names("// serde_json\nconst TEXT: &str = \"serde_json\";")
            ),
            Some("xtask: no source names its dependency `serde_json`".to_owned())
        );
    }

    #[test]
    fn an_entry_of_the_table_needs_a_crate_that_takes_it() {
        let manifest = "[workspace.dependencies]\n# tools\nanyhow = \"1\"\nlater = \"1\"\nnobodys = \"1\"\n\n[workspace.lints.rust]\nx = \"deny\"\n";
        assert_eq!(
            table(
                manifest,
                &[package("xtask")],
                &[("later", "a reason"), ("anyhow", "a reason")]
            ),
            [
                "Cargo.toml: no crate takes `nobodys` from the workspace's table",
                "xtask/src/unused.rs: `anyhow` does not wait any more",
            ]
        );
    }

    #[test]
    fn an_arrow_needs_a_dependency() {
        let map: &[(&str, &[&str])] = &[("locule-vmm", &["locule-base", "locule-net"])];
        assert_eq!(
            arrows(map, &[package("locule-vmm")]),
            ["xtask/src/map.rs: no dependency needs the arrow locule-vmm → locule-net"]
        );
    }
}
