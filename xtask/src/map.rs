//! Which crate may import which. A new arrow is a decision record first, then a line here.

#[rustfmt::skip]
pub(crate) const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("locule-ids", &[]),
    ("locule-base", &[]),
    ("locule-api", &["locule-ids"]),
    ("locule-agent-api", &["locule-domain", "locule-ids"]),
    ("locule-guest-api", &[]),
    ("locule-domain", &["locule-ids"]),
    ("locule-store", &["locule-domain", "locule-ids"]),
    ("locule-vmm", &["locule-base"]),
    ("locule-net", &["locule-base"]),
    ("locule-disk", &["locule-base"]),
    // Names, sends and receives the images of guests: for the two planes and for the program that builds the images.
    ("locule-images", &[]),
    ("locule-control", &["locule-domain", "locule-store", "locule-agent-api", "locule-images", "locule-base", "locule-ids"]),
    ("locule-agent", &["locule-domain", "locule-api", "locule-agent-api", "locule-guest-api", "locule-vmm", "locule-net", "locule-disk", "locule-images", "locule-base", "locule-ids"]),
    ("locule-guest", &["locule-guest-api"]),
    ("locule-edge", &["locule-agent-api", "locule-guest-api", "locule-base", "locule-ids"]),
    ("locule-http", &["locule-control", "locule-edge", "locule-domain", "locule-api", "locule-base", "locule-ids"]),
    ("locule-client", &["locule-api", "locule-ids"]),
    ("locule-cli", &["locule-client", "locule-api", "locule-ids"]),
    // The last two hold what `up` wires together: a typed id, the agent's connector.
    ("locule", &["locule-http", "locule-control", "locule-store", "locule-agent", "locule-cli", "locule-base", "locule-agent-api", "locule-ids"]),
    ("locule-testkit", &["locule-control", "locule-domain", "locule-store", "locule-agent-api", "locule-guest-api", "locule-base", "locule-ids"]),
    ("locule-e2e", &[]),
    ("locule-stub-vmm", &["locule-guest-api"]),
    ("locule-fuzz", &[]),
    ("xtask", &["locule-images"]),
];

#[cfg(test)]
mod tests {
    use std::fs;

    use cargo_metadata::DependencyKind;

    use super::MAY_IMPORT;
    use crate::places;

    #[test]
    fn crates_import_only_what_the_map_allows() {
        for package in places::metadata().unwrap().packages {
            let row = MAY_IMPORT
                .iter()
                .find(|(name, _)| *name == package.name.as_str());
            let (_, allowed) = row.unwrap_or_else(|| panic!("{} is not on the map", package.name));
            for dependency in package.dependencies.iter().filter(|one| one.path.is_some()) {
                let ok = dependency.kind == DependencyKind::Development
                    || allowed.contains(&dependency.name.as_str());
                assert!(ok, "{} may not import {}", package.name, dependency.name);
            }
        }
    }

    #[test]
    fn the_test_kit_is_a_development_dependency_only() {
        for package in places::metadata().unwrap().packages {
            for dependency in &package.dependencies {
                let for_tests = ["locule-testkit", "locule-fuzz"];
                assert!(
                    !for_tests.contains(&dependency.name.as_str())
                        || dependency.kind == DependencyKind::Development,
                    "{} ships {}",
                    package.name,
                    dependency.name
                );
            }
        }
    }

    #[test]
    fn every_crate_takes_the_lints_of_the_workspace() {
        for package in places::metadata().unwrap().packages {
            let manifest = fs::read_to_string(&package.manifest_path).unwrap();
            assert!(
                manifest.contains("[lints]\nworkspace = true"),
                "{} does not",
                package.name
            );
        }
    }
}
