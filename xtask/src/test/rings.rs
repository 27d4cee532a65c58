//! Which crate's tests belong to which ring.

use anyhow::{Result, bail};

/// Crates whose tests need the same surroundings.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) name: &'static str,
    pub(crate) packages: &'static [&'static str],
    /// One test at a time: they share the machine's kernel, and real VMs its cores.
    pub(crate) serial: bool,
    /// Boots microVMs.
    pub(crate) needs_images: bool,
    /// What of these crates' tests.
    pub(crate) part: Part,
}

/// Tests that take long, or need more than the others of their crate, are in modules of a certain name and in rings of
/// their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but what the other parts are.
    Tests,
    /// Runs for seconds.
    FuzzTargets,
    /// Runs Schemathesis.
    Contract,
}

const FUZZ_MODULE: &str = "fuzz::";
const CONTRACT_MODULE: &str = "contract::";
/// How long each of them runs in its ring.
pub(crate) const FUZZ_SECONDS: &str = "10";

#[rustfmt::skip]
pub(crate) const RINGS: &[Ring] = &[
    Ring { name: "laws", serial: false, needs_images: false, part: Part::Tests, packages: &[
        "xtask", "locule-ids", "locule-base", "locule-api", "locule-agent-api", "locule-guest-api", "locule-domain", "locule-edge", "locule-fuzz"] },
    Ring { name: "store", serial: false, needs_images: false, part: Part::Tests, packages: &["locule-store"] },
    Ring { name: "control", serial: false, needs_images: false, part: Part::Tests, packages: &["locule-control", "locule-testkit"] },
    Ring { name: "http", serial: false, needs_images: false, part: Part::Tests, packages: &["locule-http"] },
    Ring { name: "contract", serial: false, needs_images: false, part: Part::Contract, packages: &["locule-http"] },
    Ring { name: "cli", serial: false, needs_images: false, part: Part::Tests, packages: &["locule-client", "locule-cli"] },
    Ring { name: "host", serial: true, needs_images: true, part: Part::Tests, packages: &[
        "locule-vmm", "locule-net", "locule-disk", "locule-guest", "locule-agent", "locule-stub-vmm"] },
    // One after the other on each core: together they take a minute and a half.
    Ring { name: "fuzz", serial: false, needs_images: false, part: Part::FuzzTargets, packages: &[
        "locule-ids", "locule-vmm", "locule-net", "locule-agent", "locule-guest", "locule-edge", "locule-http", "locule-control"] },
    Ring { name: "e2e", serial: true, needs_images: true, part: Part::Tests, packages: &["locule", "locule-e2e"] },
];

impl Ring {
    /// The ring as a filter expression of nextest.
    pub(crate) fn filter(&self) -> String {
        let terms: Vec<_> = self
            .packages
            .iter()
            .map(|package| format!("package(={package})"))
            .collect();
        let part = match self.part {
            Part::Tests => format!("not test({FUZZ_MODULE}) & not test({CONTRACT_MODULE})"),
            Part::FuzzTargets => format!("test({FUZZ_MODULE})"),
            Part::Contract => format!("test({CONTRACT_MODULE})"),
        };
        format!("({}) & {part}", terms.join(" | "))
    }

    /// The same for the built-in runner.
    pub(crate) fn plain_filter(&self) -> &'static [&'static str] {
        match self.part {
            Part::Tests => &["--skip", FUZZ_MODULE, "--skip", CONTRACT_MODULE],
            Part::FuzzTargets => &[FUZZ_MODULE],
            Part::Contract => &[CONTRACT_MODULE],
        }
    }
}

/// The rings with these names, or all of them.
pub(crate) fn choose(names: &[String]) -> Result<Vec<&'static Ring>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !RINGS.iter().any(|ring| ring.name == name.as_str()))
    {
        bail!("there is no ring `{unknown}`");
    }
    let chosen = |ring: &&Ring| names.is_empty() || names.iter().any(|name| name == ring.name);
    Ok(RINGS.iter().filter(chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn every_crate_is_in_exactly_one_ring() {
        for package in places::metadata().unwrap().packages {
            let rings = RINGS
                .iter()
                .filter(|ring| ring.part == Part::Tests)
                .filter(|ring| ring.packages.contains(&package.name.as_str()));
            assert_eq!(rings.count(), 1, "{}", package.name);
        }
    }

    #[test]
    fn what_has_a_ring_of_its_own_runs_in_no_other() {
        let filter = |name: &str| choose(&[name.to_owned()]).unwrap()[0].filter();
        assert_eq!(
            filter("http"),
            "(package(=locule-http)) & not test(fuzz::) & not test(contract::)"
        );
        assert_eq!(
            filter("contract"),
            "(package(=locule-http)) & test(contract::)"
        );
        assert!(filter("fuzz").ends_with(") & test(fuzz::)"));
    }

    #[test]
    fn every_crate_with_a_fuzz_target_is_in_the_ring() {
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
