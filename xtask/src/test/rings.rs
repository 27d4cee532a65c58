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
}

#[rustfmt::skip]
pub(crate) const RINGS: &[Ring] = &[
    Ring { name: "laws", serial: false, needs_images: false, packages: &[
        "xtask", "locule-ids", "locule-base", "locule-api", "locule-agent-api", "locule-guest-api", "locule-domain", "locule-edge"] },
    Ring { name: "store", serial: false, needs_images: false, packages: &["locule-store"] },
    Ring { name: "control", serial: false, needs_images: false, packages: &["locule-control", "locule-testkit"] },
    Ring { name: "http", serial: false, needs_images: false, packages: &["locule-http"] },
    Ring { name: "cli", serial: false, needs_images: false, packages: &["locule-client", "locule-cli"] },
    Ring { name: "host", serial: true, needs_images: true, packages: &[
        "locule-vmm", "locule-net", "locule-disk", "locule-guest", "locule-agent", "locule-stub-vmm"] },
    Ring { name: "e2e", serial: true, needs_images: true, packages: &["locule", "locule-e2e"] },
];

impl Ring {
    /// The ring as a filter expression of nextest.
    pub(crate) fn filter(&self) -> String {
        let terms: Vec<_> = self
            .packages
            .iter()
            .map(|package| format!("package(={package})"))
            .collect();
        terms.join(" | ")
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
                .filter(|ring| ring.packages.contains(&package.name.as_str()));
            assert_eq!(rings.count(), 1, "{}", package.name);
        }
    }

    #[test]
    fn an_unknown_ring_is_refused() {
        let error = choose(&["no-such-ring".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "there is no ring `no-such-ring`");
    }
}
