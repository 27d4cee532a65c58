//! The public SDKs and their command line program, unmodified, against a platform: by header, and by host name behind a proxy with
//! TLS.
//!
//! The newest version and the oldest run with every change. The ring `sdks` runs every version in both ways.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests run the programs as users run them"
)]

mod every_version;
mod names;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::platform::{Platform, Ran, finish, piped, variable};
use names::Names;

const PYTHON_SUITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
/// What only sandboxes with host names have.
const BY_NAME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/by_name");

/// The Pythons with an SDK, newest version first.
fn pythons() -> Vec<PathBuf> {
    std::env::split_paths(&variable("LOCULE_PYTHON_SDKS")).collect()
}

/// A platform, and how clients reach its sandboxes.
struct Reached {
    platform: Platform,
    /// `None`: by header.
    names: Option<Names>,
}

impl Reached {
    fn by_header() -> Self {
        Self {
            platform: Platform::start(),
            names: None,
        }
    }

    fn by_name() -> Self {
        let reserved = names::reserve();
        let platform = Platform::start_under(&reserved.domain());
        let names = Some(reserved.serve(platform.port()));
        Self { platform, names }
    }

    fn command(&self, program: &Path) -> Command {
        let credentials = self.platform.credentials();
        let mut command = match &self.names {
            Some(names) => names.command(program),
            None => Command::new(program),
        };
        if self.names.is_none() {
            for name in ["E2B_API_URL", "E2B_SANDBOX_URL"] {
                command.env(name, credentials["url"].as_str().unwrap());
            }
        }
        command
            .env("E2B_API_KEY", credentials["api_key"].as_str().unwrap())
            .env("HOME", self.platform.folder())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn python_sdk_works(&self, python: &Path) {
        let mut command = self.command(python);
        let quiet = ["-q", "-p", "no:cacheprovider", "--tb=short"];
        command.args(["-m", "pytest"]).args(quiet).arg(PYTHON_SUITE);
        if self.names.is_none() {
            command.arg(format!("--ignore={BY_NAME}"));
        }
        succeeds(command);
    }

    fn javascript_sdk_works(&self) {
        self.node_tests_pass("sdk.test.mjs");
    }

    fn command_line_works(&self) {
        self.node_tests_pass("cli.test.mjs");
    }

    fn node_tests_pass(&self, file: &str) {
        let mut command = self.command(Path::new("node"));
        let folder = variable("LOCULE_JAVASCRIPT_SDK");
        command.args(["--test", file]).current_dir(folder);
        succeeds(command);
    }
}

fn succeeds(mut command: Command) -> Ran {
    let ran = finish(piped(&mut command), "");
    assert_eq!(ran.code, 0, "{command:?}\n{}\n{}", ran.stdout, ran.stderr);
    ran
}

#[test]
fn the_newest_sdks_work_by_header() {
    let reached = Reached::by_header();
    reached.python_sdk_works(&pythons()[0]);
    reached.command_line_works();
    reached.platform.stop();
}

#[test]
fn the_newest_and_the_oldest_sdk_work_by_name() {
    let reached = Reached::by_name();
    reached.python_sdk_works(pythons().last().unwrap());
    reached.javascript_sdk_works();
    reached.platform.stop();
}
