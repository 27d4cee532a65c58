//! A second process of the control plane, beside that of `locule up` and with the same configuration.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests run the programs as users run them"
)]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::platform::{Platform, free_port, variable};

pub(super) struct Replica {
    program: PathBuf,
    port: u16,
    environment: Vec<(String, String)>,
    user: u32,
    group: u32,
    child: Option<Child>,
}

impl Replica {
    /// Starts the process. Its clients repeat what it does not answer yet.
    pub(super) fn beside(platform: &Platform) -> Self {
        let serve = platform.part("serve").unwrap();
        let environment = fs::read(format!("/proc/{serve}/environ")).unwrap();
        let environment = String::from_utf8(environment).unwrap();
        let pairs = environment
            .split('\0')
            .filter_map(|pair| pair.split_once('='));
        let owner = fs::metadata(format!("/proc/{serve}")).unwrap();
        // The user of the control plane cannot pass into every folder in which a program is built.
        let program = platform.folder().join("locule");
        fs::copy(variable("LOCULE_BINARY"), &program).unwrap();
        let mut replica = Self {
            program,
            port: free_port(),
            environment: pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            user: owner.uid(),
            group: owner.gid(),
            child: None,
        };
        replica.start();
        replica
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    fn start(&mut self) {
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--no-migrate", "--listen"])
            .arg(format!("127.0.0.1:{}", self.port))
            .env_clear()
            .envs(self.environment.iter().cloned())
            .uid(self.user)
            .gid(self.group)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
    }

    pub(super) fn kill_and_start(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        self.start();
    }

    /// Ends the process as an operator does.
    pub(super) fn stop(mut self) {
        let mut child = self.child.take().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Replica {
    /// A failed test leaves no process running.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
