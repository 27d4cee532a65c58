//! Which file of a crate imports which other file of it. The files of a crate form layers; a cycle among them means that none of
//! them can be understood, tested or moved alone.
//!
//! An edge from file A to file B exists when code of A names a thing that B defines:
//!
//! | in A | edge |
//! |---|---|
//! | `use crate::b::X`, `use super::X`, `use self::b::X`, nested braces, globs | yes |
//! | `crate::b::f()`, `b::f()` for an imported module `b`, also inside the arguments of a macro | yes |
//! | anything that a module below A defines: `mod b;`, `pub use b::X`, `b::f()` | no: A is made of its submodules |
//! | anything under `#[cfg(test)]`, a visibility such as `pub(in crate::b)`, a documentation link | no |
//!
//! A name that another file re-exports counts for the file that defines it. Methods are not followed: a call says nothing about
//! the file of the `impl`.

mod accepted;
mod graph;
mod tree;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::TargetKind;

use crate::imports::accepted::{ACCEPTED, Accepted};
use crate::imports::graph::Graph;
use crate::places::{self, Places};
use crate::run::answer;

/// Fails on an import cycle that is not accepted, and on an accepted one that no longer exists.
pub(crate) fn check(places: &Places) -> Result<()> {
    let mut problems = Vec::new();
    let mut met = Vec::new();
    for (krate, graph) in graphs(&places.root, None)? {
        problems.extend(unaccepted(&krate, graph, ACCEPTED, &mut met));
    }
    problems.extend(stale(ACCEPTED, &met));
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

/// Prints the graph of one crate or of all, and their cycles.
pub(crate) fn print(places: &Places, only: Option<&str>) -> Result<()> {
    for (krate, graph) in graphs(&places.root, only)? {
        answer(format_args!("{krate}"))?;
        answer(format_args!("{graph}"))?;
        for cycle in graph.cycles() {
            answer(format_args!(
                "cycle of {} files: {}",
                cycle.len(),
                cycle.join(", ")
            ))?;
            answer(format_args!("  {}", graph.path(&cycle)))?;
        }
    }
    Ok(())
}

/// The import graph of each library and each program of the workspace.
fn graphs(root: &Path, only: Option<&str>) -> Result<Vec<(String, Graph)>> {
    let mut graphs = Vec::new();
    for package in places::metadata()?.packages {
        if only.is_some_and(|only| only != package.name.as_str()) {
            continue;
        }
        for target in &package.targets {
            if !target.kind.contains(&TargetKind::Lib) && !target.kind.contains(&TargetKind::Bin) {
                continue;
            }
            let folder = package.manifest_path.parent().context("no folder")?;
            let graph = tree::read(target.src_path.as_std_path(), folder.as_std_path())
                .with_context(|| format!("{} in {}", target.name, root.display()))?;
            graphs.push((package.name.to_string(), graph));
        }
    }
    if let (Some(only), true) = (only, graphs.is_empty()) {
        bail!("the workspace has no crate `{only}`");
    }
    Ok(graphs)
}

/// The cycles of a crate that are left without the accepted imports, each as a path. Accepted imports that close a cycle are
/// noted in `met`.
fn unaccepted<'a>(
    krate: &str,
    mut graph: Graph,
    accepted: &'a [Accepted],
    met: &mut Vec<&'a Accepted>,
) -> Vec<String> {
    for entry in accepted.iter().filter(|entry| entry.krate == krate) {
        if graph.closes_a_cycle(entry.from, entry.to) {
            met.push(entry);
        }
    }
    for entry in met.iter().filter(|entry| entry.krate == krate) {
        graph.remove(entry.from, entry.to);
    }
    let shown = |cycle: Vec<&str>| {
        let (files, path) = (cycle.len(), graph.path(&cycle));
        format!("{krate}: {files} files import each other: {path}")
    };
    graph.cycles().into_iter().map(shown).collect()
}

fn stale(accepted: &[Accepted], met: &[&Accepted]) -> Vec<String> {
    accepted
        .iter()
        .filter(|entry| !met.contains(entry))
        .map(|entry| {
            format!(
                "{}: {} → {} closes no cycle ({}): remove the entry from xtask/src/imports/accepted.rs",
                entry.krate, entry.from, entry.to, entry.reason
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The graph of a crate with these files.
    fn graph(files: &[(&str, &str)]) -> Graph {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree::read(&folder.path().join("src/lib.rs"), folder.path()).unwrap()
    }

    const PAIR: &[(&str, &str)] = &[
        ("src/lib.rs", "mod a;\nmod b;"),
        ("src/a.rs", "use crate::b::B;\npub struct A(B);"),
        ("src/b.rs", "\npub struct B;\nfn f(_: crate::a::A) {}"),
    ];

    #[test]
    fn a_cycle_fails_and_is_shown_as_a_path() {
        let problems = unaccepted("locule-x", graph(PAIR), &[], &mut Vec::new());
        assert_eq!(
            problems,
            ["locule-x: 2 files import each other: src/a.rs:1 → src/b.rs:3 → src/a.rs"]
        );
    }

    #[test]
    fn an_accepted_cycle_passes_and_a_dissolved_one_is_reported_as_stale() {
        let entry = Accepted {
            krate: "locule-x",
            from: "src/b.rs",
            to: "src/a.rs",
            reason: "a test",
        };
        let (accepted, mut met) = ([entry], Vec::new());
        assert!(unaccepted("locule-x", graph(PAIR), &accepted, &mut met).is_empty());
        assert!(stale(&accepted, &met).is_empty());
        assert_eq!(stale(&accepted, &[]).len(), 1);
    }

    #[test]
    fn a_module_is_made_of_its_submodules_and_does_not_import_them() {
        let graph = graph(&[
            (
                "src/lib.rs",
                "mod a;\npub use a::A;\npub struct L(A);\nfn f() { a::g(); }",
            ),
            (
                "src/a.rs",
                "use super::L;\npub struct A(Box<L>);\npub fn g() {}",
            ),
        ]);
        assert!(graph.cycles().is_empty(), "{graph}");
    }

    #[test]
    fn submodules_that_reach_each_other_through_their_parent_are_a_cycle() {
        let graph = graph(&[
            (
                "src/lib.rs",
                "mod a;\nmod b;\npub use a::A;\npub struct L(b::B);",
            ),
            ("src/a.rs", "use super::b::B;\npub struct A(B);"),
            ("src/b.rs", "use super::A;\npub struct B(Box<A>);"),
        ]);
        assert_eq!(graph.cycles(), [["src/a.rs", "src/b.rs"]]);
    }

    #[test]
    fn a_re_exported_name_counts_for_the_file_that_defines_it() {
        let graph = graph(&[
            ("src/lib.rs", "mod a;\nmod b;"),
            (
                "src/a.rs",
                "mod inner;\npub use inner::I;\nuse crate::b::B;\npub struct A(B);",
            ),
            ("src/a/inner.rs", "pub struct I;"),
            ("src/b.rs", "use crate::a::I;\npub struct B(I);"),
        ]);
        assert!(graph.cycles().is_empty(), "{graph}");
    }

    #[test]
    fn paths_in_macros_globs_and_braces_count() {
        let graph = graph(&[
            ("src/lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
            (
                "src/a.rs",
                "fn f() { println!(\"{}\", crate::b::N); }\npub const N: u8 = 0;",
            ),
            (
                "src/b.rs",
                "use crate::{c::*, d::{self, D}};\npub const N: u8 = 0;",
            ),
            ("src/c.rs", "pub const C: u8 = crate::a::N;"),
            ("src/d.rs", "pub struct D(super::a::N);"),
        ]);
        assert_eq!(
            graph.cycles(),
            [["src/a.rs", "src/b.rs", "src/c.rs", "src/d.rs"]]
        );
    }

    #[test]
    fn tests_and_visibilities_do_not_count() {
        let graph = graph(&[
            ("src/lib.rs", "mod a;\nmod b;"),
            (
                "src/a.rs",
                "use crate::b::B;\npub(in crate::b) struct A(B);",
            ),
            (
                "src/b.rs",
                "pub struct B;\n#[cfg(test)]\nmod tests { use crate::a::A; }",
            ),
        ]);
        assert!(graph.cycles().is_empty(), "{graph}");
    }
}
