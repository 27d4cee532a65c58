//! Installs the program and the guest images under a prefix such as `/usr/local`, and removes both.
//!
//! ```text
//! PREFIX/bin/locule                         the program
//! PREFIX/share/locule/images                a link to the newest of
//! PREFIX/share/locule/bundles/bundle-…      guest images; a running platform may still use the one before the newest
//! ```

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::places::Places;
use crate::run::{cargo, program, run, run_with_progress, say};
use crate::web::Web;

/// Builds a release of the program and installs it with the guest images, which `xtask images` has built.
pub(crate) fn install(places: &Places, prefix: &Path) -> Result<()> {
    let dashboard = Web::install(places)?.build()?;
    let mut build = cargo();
    build
        .current_dir(&places.root)
        .args(["build", "--release", "--package", "locule"])
        .env("LOCULE_WEB", dashboard);
    run_with_progress("building the program", &mut build)?;
    let images = places.target.join("images");
    let bundle = fs::canonicalize(&images).with_context(|| format!("open {}", images.display()))?;
    install_files(&places.target.join("release/locule"), &bundle, prefix)
        .with_context(|| format!("install Locule under {}", prefix.display()))?;
    say(format_args!(
        "installed {}; `make uninstall` removes it",
        prefix.join("bin/locule").display()
    ));
    if !places.search_path.contains(&prefix.join("bin")) {
        say(format_args!(
            "{} is not on your PATH: add it, or call the program by its full path",
            prefix.join("bin").display()
        ));
    }
    Ok(())
}

/// Removes what [`install`] made. Data directories stay.
pub(crate) fn uninstall(prefix: &Path) -> Result<()> {
    let files = Installed::under(prefix);
    let removed = [
        absent_is_fine(fs::remove_file(&files.program)),
        absent_is_fine(fs::remove_dir_all(&files.share)),
    ];
    for result in removed {
        result.with_context(|| format!("remove Locule from {}", prefix.display()))?;
    }
    say(format_args!(
        "removed {} and {}; data directories (by default /var/lib/locule) and the system user `locule` stay",
        files.program.display(),
        files.share.display()
    ));
    Ok(())
}

/// The paths of an installation.
struct Installed {
    program: PathBuf,
    share: PathBuf,
    bundles: PathBuf,
    images: PathBuf,
}

impl Installed {
    fn under(prefix: &Path) -> Self {
        let share = prefix.join("share/locule");
        Self {
            program: prefix.join("bin/locule"),
            bundles: share.join("bundles"),
            images: share.join("images"),
            share,
        }
    }
}

fn install_files(built: &Path, bundle: &Path, prefix: &Path) -> Result<()> {
    let files = Installed::under(prefix);
    let name = bundle.file_name().context("the bundle has no name")?;
    let installed = files.bundles.join(name);
    if !installed.join("manifest.json").is_file() {
        fs::create_dir_all(&files.bundles)?;
        say(format_args!("copying the guest images"));
        let partial = files.bundles.join("partial");
        absent_is_fine(fs::remove_dir_all(&partial))?;
        run(program("cp")
            .args(["-r", "--sparse=always", "--reflink=auto", "--"])
            .args([bundle, &partial]))?;
        absent_is_fine(fs::remove_dir_all(&installed))?;
        fs::rename(&partial, &installed)?;
    }
    let before = fs::read_link(&files.images).ok();
    let link = files.share.join("images.new");
    absent_is_fine(fs::remove_file(&link))?;
    symlink(Path::new("bundles").join(name), &link)?;
    fs::rename(&link, &files.images)?;
    remove_old_bundles(
        &files,
        &[Some(name), before.as_deref().and_then(Path::file_name)],
    )?;

    let folder = files.program.parent().context("a folder")?;
    fs::create_dir_all(folder)?;
    let new = folder.join(".locule.new");
    fs::copy(built, &new).with_context(|| format!("copy {}", built.display()))?;
    // Renamed, not written over: a platform that runs keeps the program it started with.
    fs::rename(&new, &files.program)?;
    Ok(())
}

fn remove_old_bundles(files: &Installed, kept: &[Option<&OsStr>]) -> Result<()> {
    for entry in fs::read_dir(&files.bundles)? {
        let entry = entry?;
        if !kept.contains(&Some(&entry.file_name())) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn absent_is_fine(removed: std::io::Result<()>) -> Result<()> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => bail!(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sources {
        folder: tempfile::TempDir,
    }

    impl Sources {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("locule"), "program").unwrap();
            Self { folder }
        }

        fn bundle(&self, name: &str) -> PathBuf {
            let bundle = self.folder.path().join(name);
            fs::create_dir_all(&bundle).unwrap();
            fs::write(bundle.join("manifest.json"), name).unwrap();
            bundle
        }

        fn install(&self, bundle: &str) {
            let program = self.folder.path().join("locule");
            install_files(&program, &self.bundle(bundle), &self.prefix()).unwrap();
        }

        fn prefix(&self) -> PathBuf {
            self.folder.path().join("prefix")
        }

        fn manifest(&self, path: &str) -> Option<String> {
            let share = self.prefix().join("share/locule");
            fs::read_to_string(share.join(path).join("manifest.json")).ok()
        }
    }

    #[test]
    fn an_installation_has_the_program_and_the_newest_images() {
        let sources = Sources::new();
        sources.install("bundle-1");
        let program = fs::read_to_string(sources.prefix().join("bin/locule")).unwrap();
        assert_eq!(program, "program");
        assert_eq!(sources.manifest("images").as_deref(), Some("bundle-1"));
        sources.install("bundle-2");
        assert_eq!(sources.manifest("images").as_deref(), Some("bundle-2"));
    }

    #[test]
    fn an_installation_keeps_the_images_of_the_one_before_it_and_none_older() {
        let sources = Sources::new();
        for bundle in ["bundle-1", "bundle-2", "bundle-3"] {
            sources.install(bundle);
        }
        let kept = |bundle: &str| sources.manifest(&format!("bundles/{bundle}")).is_some();
        assert_eq!(
            ["bundle-1", "bundle-2", "bundle-3"].map(kept),
            [false, true, true]
        );
    }

    #[test]
    fn uninstall_removes_the_program_and_the_images_and_nothing_else() {
        let sources = Sources::new();
        sources.install("bundle-1");
        let neighbour = sources.prefix().join("bin/other");
        fs::write(&neighbour, "").unwrap();
        uninstall(&sources.prefix()).unwrap();
        assert!(neighbour.exists());
        assert!(!sources.prefix().join("bin/locule").exists());
        assert!(!sources.prefix().join("share/locule").exists());
        uninstall(&sources.prefix()).unwrap();
    }
}
