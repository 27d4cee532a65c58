//! Commands of `locule` in a pseudo-terminal.

use std::process::{Child, Command, Stdio};

use super::{Platform, program, variable};

impl Platform {
    /// Runs `locule` in a pseudo-terminal, whose screen is the standard output of the child.
    pub(crate) fn spawn_in_terminal(&self, args: &[&str]) -> Child {
        let line = format!(
            "'{}' '{}'",
            variable("LOCULE_BINARY").display(),
            args.join("' '")
        );
        let mut command = Command::new("script");
        for (name, _) in program().get_envs() {
            command.env_remove(name);
        }
        command
            .args(["--quiet", "--flush", "--command", &line, "/dev/null"])
            .env("HOME", self.folder())
            // Open while the child runs: `script` types a NUL at the end of its input.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    }
}
