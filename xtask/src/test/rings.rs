//! Which test runs in which ring. Every test runs in exactly one.
//!
//! | a test | runs in |
//! |---|---|
//! | in a module `fuzz` | `fuzz` |
//! | in a module `contract` of the integration tests | `contract` |
//! | in a module `every_version` of the integration tests | `sdks`, which runs on request only |
//! | beside the code it tests (`src/`), in a module `needs_setup`, because it needs root or a server | the ring that names the crate |
//! | beside the code it tests, in any other module of any crate | `laws` |
//! | in `tests/it` of a crate | the ring that names the crate |

use anyhow::{Result, bail};

/// Tests that need the same surroundings.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) name: &'static str,
    pub(crate) packages: &'static [&'static str],
    /// One test at a time: they share the machine's kernel, and real VMs its cores.
    pub(crate) serial: bool,
    /// Boots microVMs.
    pub(crate) needs_images: bool,
    pub(crate) part: Part,
}

/// Which of the tests of its crates a ring runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The unit tests of every crate of the workspace, and the integration tests of the named ones.
    Laws,
    /// The integration tests, and the unit tests that need the same setup.
    Tests,
    /// What runs for seconds.
    FuzzTargets,
    /// What runs Schemathesis.
    Contract,
    /// What runs every version of the SDKs.
    EverySdk,
}

/// Where a test is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Test<'a> {
    pub(crate) package: &'a str,
    /// In a library or a program, beside the code.
    pub(crate) is_unit: bool,
    pub(crate) name: &'a str,
}

const FUZZ_MODULE: &str = "fuzz::";
const CONTRACT_MODULE: &str = "contract::";
const EVERY_SDK_MODULE: &str = "every_version::";
const SETUP_MODULE: &str = "needs_setup::";
/// The one integration test binary of each crate: `tests/it/main.rs`.
const INTEGRATION: &str = "it";
/// How long each fuzz target runs in its ring.
pub(crate) const FUZZ_SECONDS: &str = "10";

#[rustfmt::skip]
pub(crate) const RINGS: &[Ring] = &[
    Ring { name: "laws", serial: false, needs_images: false, part: Part::Laws, packages: &[
        "locule-ids", "locule-agent-api", "locule-domain", "locule-edge"] },
    Ring { name: "store", serial: false, needs_images: false, part: Part::Tests, packages: &["locule-store"] },
    Ring { name: "control", serial: false, needs_images: false, part: Part::Tests, packages: &["locule-control"] },
    Ring { name: "http", serial: false, needs_images: false, part: Part::Tests, packages: &["locule-http"] },
    Ring { name: "contract", serial: false, needs_images: false, part: Part::Contract, packages: &["locule-http"] },
    Ring { name: "cli", serial: false, needs_images: false, part: Part::Tests, packages: &["locule-client", "locule-cli"] },
    Ring { name: "host", serial: true, needs_images: true, part: Part::Tests, packages: &[
        "locule-vmm", "locule-net", "locule-disk", "locule-images", "locule-guest", "locule-agent"] },
    // One after the other on each core: together they take a minute and a half.
    Ring { name: "fuzz", serial: false, needs_images: false, part: Part::FuzzTargets, packages: &[
        "locule-ids", "locule-vmm", "locule-net", "locule-agent", "locule-guest", "locule-edge", "locule-http", "locule-control"] },
    Ring { name: "e2e", serial: true, needs_images: true, part: Part::Tests, packages: &["locule-e2e", "locule"] },
    Ring { name: "sdks", serial: true, needs_images: true, part: Part::EverySdk, packages: &["locule-e2e"] },
];

impl Ring {
    /// Whether the ring runs a test. [`Ring::filter`] says the same to nextest, [`Ring::plain`] to the built-in runner.
    pub(crate) fn runs(&self, test: &Test<'_>) -> bool {
        let named = self.packages.contains(&test.package);
        let is_fuzz = test.name.contains(FUZZ_MODULE);
        let is_contract = !test.is_unit && test.name.contains(CONTRACT_MODULE);
        let is_every_sdk = !test.is_unit && test.name.contains(EVERY_SDK_MODULE);
        let is_law = test.is_unit && !test.name.contains(SETUP_MODULE);
        match self.part {
            Part::Laws => !is_fuzz && (is_law || (named && !test.is_unit && !is_contract)),
            Part::Tests => named && !is_law && !is_fuzz && !is_contract && !is_every_sdk,
            Part::FuzzTargets => named && is_fuzz,
            Part::Contract => named && is_contract && !is_fuzz,
            Part::EverySdk => named && is_every_sdk,
        }
    }

    /// Whether the tests of the ring run the public SDKs.
    pub(crate) fn needs_sdks(&self) -> bool {
        self.packages.contains(&"locule-e2e")
    }

    /// The ring as a filter expression of nextest.
    pub(crate) fn filter(&self) -> String {
        let terms: Vec<_> = self
            .packages
            .iter()
            .map(|package| format!("package(={package})"))
            .collect();
        let packages = terms.join(" | ");
        let others = [FUZZ_MODULE, CONTRACT_MODULE, EVERY_SDK_MODULE]
            .map(|module| format!("not test({module})"))
            .join(" & ");
        match self.part {
            Part::Laws => format!(
                "((kind(lib) | kind(bin)) & not test({FUZZ_MODULE}) & not test({SETUP_MODULE})) | (({packages}) & kind(test) & {others})"
            ),
            Part::Tests => {
                format!("({packages}) & (kind(test) | test({SETUP_MODULE})) & {others}")
            }
            Part::FuzzTargets => format!("({packages}) & test({FUZZ_MODULE})"),
            Part::Contract => format!(
                "({packages}) & kind(test) & test({CONTRACT_MODULE}) & not test({FUZZ_MODULE})"
            ),
            Part::EverySdk => format!("({packages}) & kind(test) & test({EVERY_SDK_MODULE})"),
        }
    }

    /// The ring as runs of `cargo test`: the arguments of each, those of the built-in runner after `--`.
    pub(crate) fn plain(&self) -> Vec<Vec<&'static str>> {
        let packages = self.packages.iter().flat_map(|package| ["-p", package]);
        let (units, integration) = (["--lib", "--bins"], ["--test", INTEGRATION]);
        let others = [
            "--",
            "--skip",
            FUZZ_MODULE,
            "--skip",
            CONTRACT_MODULE,
            "--skip",
            EVERY_SDK_MODULE,
        ];
        let of = |targets: &[&'static str], filter: &[&'static str]| {
            let targets = targets.iter().copied();
            let arguments = packages.clone().chain(targets);
            arguments.chain(filter.iter().copied()).collect()
        };
        match self.part {
            Part::Laws => {
                let everywhere = ["--workspace"].into_iter().chain(units);
                let skipped = ["--", "--skip", FUZZ_MODULE, "--skip", SETUP_MODULE];
                let all_units = everywhere.chain(skipped);
                vec![all_units.collect(), of(&integration, &others)]
            }
            Part::Tests => vec![
                of(&integration, &others),
                of(&units, &["--", SETUP_MODULE, "--skip", FUZZ_MODULE]),
            ],
            Part::FuzzTargets => vec![of(&["--lib", "--bins", "--tests"], &["--", FUZZ_MODULE])],
            Part::Contract => vec![of(
                &integration,
                &["--", CONTRACT_MODULE, "--skip", FUZZ_MODULE],
            )],
            Part::EverySdk => vec![of(&integration, &["--", EVERY_SDK_MODULE])],
        }
    }
}

/// The rings with these names; without names, all but those that run on request only.
pub(crate) fn choose(names: &[String]) -> Result<Vec<&'static Ring>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !RINGS.iter().any(|ring| ring.name == name.as_str()))
    {
        bail!("there is no ring `{unknown}`");
    }
    let chosen = |ring: &&Ring| match names {
        [] => ring.part != Part::EverySdk,
        names => names.iter().any(|name| name == ring.name),
    };
    Ok(RINGS.iter().filter(chosen).collect())
}

/// Fails with the tests that no ring runs, or more than one.
pub(crate) fn each_in_one<'a>(tests: impl Iterator<Item = Test<'a>>) -> Result<()> {
    let mut problems = Vec::new();
    for test in tests {
        let rings: Vec<_> = RINGS.iter().filter(|ring| ring.runs(&test)).collect();
        if rings.len() != 1 {
            let names: Vec<_> = rings.iter().map(|ring| ring.name).collect();
            let (package, name) = (test.package, test.name);
            problems.push(format!("{package} {name}: [{}]", names.join(", ")));
        }
    }
    if !problems.is_empty() {
        bail!("each test must run in one ring: {}", problems.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cargo_metadata::TargetKind;

    use super::*;
    use crate::places;

    fn rings_of(package: &str, is_unit: bool, name: &str) -> Vec<&'static str> {
        let test = Test {
            package,
            is_unit,
            name,
        };
        let rings = RINGS.iter().filter(|ring| ring.runs(&test));
        rings.map(|ring| ring.name).collect()
    }

    #[test]
    fn every_kind_of_test_of_every_crate_runs_in_exactly_one_ring() {
        for package in places::metadata().unwrap().packages {
            let name = package.name.as_str();
            assert_eq!(rings_of(name, true, "tests::a_claim"), ["laws"], "{name}");
            assert_ne!(rings_of(name, true, "needs_setup::a_claim"), ["laws"]);
            let has =
                |kind: TargetKind| package.targets.iter().any(|one| one.is_kind(kind.clone()));
            if has(TargetKind::Test) {
                assert_eq!(rings_of(name, false, "orders::a_claim").len(), 1, "{name}");
            }
            if package
                .dependencies
                .iter()
                .any(|one| one.name == "locule-fuzz")
            {
                for is_unit in [true, false] {
                    assert_eq!(rings_of(name, is_unit, "a::fuzz::b"), ["fuzz"], "{name}");
                }
            }
        }
        assert_eq!(
            rings_of("locule-http", false, "contract::calls"),
            ["contract"]
        );
        assert_eq!(
            rings_of("locule-e2e", false, "sdks::every_version::a"),
            ["sdks"]
        );
        assert_eq!(rings_of("locule-vmm", true, "a::needs_setup::b"), ["host"]);
        assert_eq!(rings_of("locule-store", true, "needs_setup::b"), ["store"]);
    }

    #[test]
    fn a_test_without_a_ring_is_found() {
        let test = Test {
            package: "locule-new",
            is_unit: false,
            name: "a_claim",
        };
        let error = each_in_one([test].into_iter()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "each test must run in one ring: locule-new a_claim: []"
        );
    }

    #[test]
    fn the_integration_tests_of_a_crate_are_one_binary() {
        for package in places::metadata().unwrap().packages {
            for target in &package.targets {
                if target.is_kind(TargetKind::Test) {
                    assert_eq!(target.name, INTEGRATION, "{}", package.name);
                }
            }
        }
    }

    #[test]
    fn both_runners_are_told_the_same() {
        let ring = |name: &str| choose(&[name.to_owned()]).unwrap()[0];
        assert_eq!(
            ring("http").filter(),
            "(package(=locule-http)) & (kind(test) | test(needs_setup::)) & not test(fuzz::) & not test(contract::) & not test(every_version::)"
        );
        let plain: Vec<_> = ring("http")
            .plain()
            .iter()
            .map(|run| run.join(" "))
            .collect();
        assert_eq!(
            plain,
            [
                "-p locule-http --test it -- --skip fuzz:: --skip contract:: --skip every_version::",
                "-p locule-http --lib --bins -- needs_setup:: --skip fuzz::",
            ]
        );
        assert!(ring("laws").filter().starts_with(
            "((kind(lib) | kind(bin)) & not test(fuzz::) & not test(needs_setup::)) | ((package(=locule-ids)"
        ));
        assert_eq!(
            ring("laws").plain()[0].join(" "),
            "--workspace --lib --bins -- --skip fuzz:: --skip needs_setup::"
        );
    }

    #[test]
    fn every_crate_with_a_fuzz_target_is_in_the_fuzz_ring() {
        let ring = choose(&["fuzz".to_owned()]).unwrap()[0];
        for package in places::metadata().unwrap().packages {
            let has = package
                .dependencies
                .iter()
                .any(|one| one.name == "locule-fuzz");
            assert_eq!(
                has,
                ring.packages.contains(&package.name.as_str()),
                "{}",
                package.name
            );
        }
    }

    #[test]
    fn an_unknown_ring_is_refused() {
        let error = choose(&["no-such-ring".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "there is no ring `no-such-ring`");
    }
}
