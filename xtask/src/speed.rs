//! Builds a platform and lets a program of `locule-e2e` measure it, or shake it.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::places::Places;
use crate::run::{cargo, run, say};
use crate::web::Web;
use crate::{images, setup};

/// The section of the bench that measures the dashboard, in a browser.
const PAGE: &str = "page";

/// Measures a release build. A trial leaves the document of the repository alone.
pub(crate) fn bench(places: &Places, quick: bool, only: Option<&str>) -> Result<()> {
    let document = if quick || only.is_some() {
        places.target.join("PERFORMANCE.md")
    } else {
        places.root.join("docs/PERFORMANCE.md")
    };
    let mut own: Vec<OsString> = vec!["--document".into(), document.into()];
    own.extend(quick.then(|| "--quick".into()));
    own.extend(only.map(|only| format!("--only={only}").into()));
    let dashboard = if measures_page(only) {
        setup::browser()?;
        own.extend(["--web".into(), places.root.join("web").into()]);
        Some(Web::install(places)?.build()?)
    } else {
        None
    };
    on_a_platform(places, "release", "speed", dashboard.as_deref(), own)
}

/// Whether the bench opens the dashboard. The other sections, and a soak, call the API only.
fn measures_page(only: Option<&str>) -> bool {
    only.is_none_or(|sections| sections.split(',').any(|section| section == PAGE))
}

/// Shakes a debug build: it checks itself while it runs.
pub(crate) fn soak(places: &Places, minutes: u64, seed: Option<u64>, stub: bool) -> Result<()> {
    let mut own: Vec<OsString> = vec![format!("--minutes={minutes}").into()];
    own.extend(seed.map(|seed| format!("--seed={seed}").into()));
    own.extend(stub.then(|| "--stub".into()));
    on_a_platform(places, "dev", "soak", None, own)
}

/// Builds images, programs and the one that runs them, then runs it with `own` arguments. `dashboard` is the build that the platform
/// serves.
fn on_a_platform(
    places: &Places,
    profile: &str,
    name: &str,
    dashboard: Option<&str>,
    own: Vec<OsString>,
) -> Result<()> {
    images::build(places)?;
    say(format_args!("building the platform ({profile})"));
    // One after the other: together they would get other features than an installed program has, and every crate a second build.
    for package in ["locule", "locule-stub-vmm"] {
        run(cargo()
            .current_dir(&places.root)
            .envs(dashboard.map(|build| ("LOCULE_WEB", build)))
            .args(["build", "--quiet", "--profile", profile])
            .args(["--package", package]))?;
    }
    let programs = places.target.join(match profile {
        "dev" => "debug",
        other => other,
    });
    // Not in the build's own folder: PostgreSQL's user cannot pass into the home of root. Nor in memory, as /tmp may be.
    let folder = Path::new("/var/tmp").join(format!("locule-{name}"));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    run(cargo()
        .current_dir(&places.root)
        .args(["bench", "--quiet", "--profile", profile])
        .args(["-p", "locule-e2e", "--bench", name, "--", "--binary"])
        .arg(programs.join("locule"))
        .arg("--stub-vmm")
        .arg(programs.join("locule-stub-vmm"))
        .arg("--images")
        .arg(places.target.join("images"))
        .arg("--folder")
        .arg(folder)
        .args(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_section_of_the_page_needs_the_dashboard() {
        assert!(measures_page(None));
        assert!(measures_page(Some("exec,page")));
        assert!(!measures_page(Some("exec,pause")));
    }
}
