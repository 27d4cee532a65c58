//! The dashboard in `web/`: its packages, its build, its gates and its tests. Node.js comes with the packages: the build needs a newer
//! one than Debian has.

mod contrast;
mod pictures;
mod weight;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::places::Places;
use crate::run::{program, run, run_with_progress};

/// What the build depends on.
const SOURCES: &[&str] = &[
    "src",
    "static",
    "package-lock.json",
    "vite.config.ts",
    "tsconfig.json",
];

/// The dashboard with its packages installed.
#[derive(Debug)]
pub(crate) struct Web {
    folder: PathBuf,
    search_path: std::ffi::OsString,
}

/// Commands that run the tests of the dashboard.
#[derive(Debug)]
pub(crate) struct WebTests {
    /// Without a platform, to be run one after the other: each uses every core.
    pub(crate) alone: Vec<Command>,
    /// With a platform. Its microVMs let a core wait for most of the time.
    pub(crate) live: Command,
}

impl Web {
    /// Installs the packages that the lock file lists.
    pub(crate) fn install(places: &Places) -> Result<Self> {
        let folder = places.root.join("web");
        packages(&folder, "the dashboard")?;
        packages(&folder.join("tools/schema"), "the API client")?;
        let own = folder.join("node_modules/.bin");
        let all = std::iter::once(own).chain(places.search_path.iter().cloned());
        let search_path = std::env::join_paths(all).context("the folder of web/ has a colon")?;
        Ok(Self {
            folder,
            search_path,
        })
    }

    /// Builds what the program embeds, unless the build is of these sources already. Answers the name of the build.
    pub(crate) fn build(&self) -> Result<String> {
        let stamp = self.folder.join("build/.sources");
        let wanted = self.digest()?;
        if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
            return Ok(wanted);
        }
        run_with_progress(
            "building the dashboard",
            self.script("build").arg("--silent"),
        )?;
        fs::write(&stamp, &wanted).with_context(|| format!("write {}", stamp.display()))?;
        Ok(wanted)
    }

    /// The gates: types, lints, the API client, contrast, weight.
    pub(crate) fn check(&self) -> Result<()> {
        run(self.node().args(["tools/schema/generate.mjs", "--check"]))?;
        contrast::check(&self.folder.join("src/app.css"))?;
        run(self.script("check").arg("--silent"))?;
        run(self.script("lint").arg("--silent"))?;
        self.build()?;
        weight::check(&self.folder.join("build"))
    }

    /// Writes the API client anew.
    pub(crate) fn golden(&self) -> Result<()> {
        run(self.node().arg("tools/schema/generate.mjs"))
    }

    /// The commands that run the tests.
    pub(crate) fn tests(&self) -> Result<WebTests> {
        let mut alone = vec![self.script("test"), self.script_without_network("e2e")];
        if pictures::are_comparable(&self.folder)? {
            alone.push(self.script_without_network("e2e:visual"));
        }
        let mut live = self.script("e2e:live");
        for command in alone.iter_mut().chain([&mut live]) {
            command.arg("--silent").env("CI", "1").env("NO_COLOR", "1");
        }
        Ok(WebTests { alone, live })
    }

    /// Takes the pictures of every page anew, or compares them.
    pub(crate) fn pictures(&self, check: bool) -> Result<()> {
        self.build()?;
        let mut script = self.script_without_network(if check { "e2e:visual" } else { "pictures" });
        run(script.arg("--silent").env("LOCULE_PICTURES", "all"))
    }

    /// Serves the sources, with a running platform behind them.
    pub(crate) fn dev(&self, mock: bool) -> Result<()> {
        let mut dev = self.script("dev");
        if mock {
            dev.args(["--", "--mode", "mock"]);
        }
        run(&mut dev)
    }

    fn script(&self, name: &str) -> Command {
        let mut command = program("npm");
        command
            .args(["run", name])
            .current_dir(&self.folder)
            .env("PATH", &self.search_path);
        command
    }

    /// A script in a network of its own, which has loopback only: Chromium gives up the loads of a page while the machine gets or loses
    /// an address.
    fn script_without_network(&self, name: &str) -> Command {
        let mut command = program("unshare");
        command
            .args([
                "--net",
                "sh",
                "-c",
                "ip link set lo up && exec npm run \"$@\"",
                "sh",
                name,
            ])
            .current_dir(&self.folder)
            .env("PATH", &self.search_path);
        command
    }

    fn node(&self) -> Command {
        let mut command = program(self.folder.join("node_modules/.bin/node"));
        command.current_dir(&self.folder);
        command
    }

    /// A hash of the names and contents of the sources.
    fn digest(&self) -> Result<String> {
        let mut files = BTreeSet::new();
        for source in SOURCES {
            collect(&self.folder.join(source), &mut files)?;
        }
        let mut hash = Sha256::new();
        for file in files {
            let content = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
            let name = file.strip_prefix(&self.folder).unwrap_or(&file);
            hash.update(name.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(Sha256::digest(content));
        }
        Ok(hex::encode(hash.finalize()))
    }
}

fn packages(folder: &Path, what: &str) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let lock = fs::read(&lock).with_context(|| format!("read {}", lock.display()))?;
    let done = folder.join("node_modules/.packages");
    if fs::read(&done).is_ok_and(|have| have == lock) {
        return Ok(());
    }
    let quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    let step = format!("installing the packages of {what} from npm");
    run_with_progress(
        &step,
        program("npm").arg("ci").args(quiet).current_dir(folder),
    )?;
    fs::write(&done, lock).with_context(|| format!("write {}", done.display()))
}

fn collect(path: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.insert(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}
