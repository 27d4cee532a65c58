//! A platform of its own for one test, started as a person would, and stopped so.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests run the programs that people run"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub(crate) struct Platform {
    folder: tempfile::TempDir,
    port: u16,
    up: Option<Child>,
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

fn variable(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("the test command sets {name}")))
}

/// The program under test, as if typed by a person: what the tests are told of other servers is not its business.
fn program() -> Command {
    let mut command = Command::new(variable("LOCULE_BINARY"));
    for name in ["DATABASE_URL", "REDIS_URL", "LOCULE_URL", "LOCULE_API_KEY"] {
        command.env_remove(name);
    }
    command
}

fn finish(mut child: Child, input: &str) -> Ran {
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    // A program that a signal ended has no code.
    Ran {
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        code: output.status.code().unwrap_or(-1),
    }
}

fn piped(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A start that must fail: what it said.
pub(crate) fn refused(folder: &Path, args: &[&str]) -> String {
    let mut command = program();
    command
        .arg("up")
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(args)
        .env("HOME", folder);
    let ran = finish(piped(&mut command), "");
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.stderr
}

/// A Python with the SDK, told where the platform is.
pub(crate) fn python(platform: &Platform, args: &[&str]) -> Ran {
    let credentials = platform.credentials();
    let mut command = Command::new(variable("LOCULE_PYTHON"));
    command.args(args).env("PYTHONDONTWRITEBYTECODE", "1");
    for name in ["E2B_API_URL", "E2B_SANDBOX_URL"] {
        command.env(name, credentials["url"].as_str().unwrap());
    }
    command.env("E2B_API_KEY", credentials["api_key"].as_str().unwrap());
    finish(piped(&mut command), "")
}

impl Platform {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The database's user must reach what is in it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut platform = Self {
            folder,
            port,
            up: None,
        };
        platform.start_again();
        platform
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    fn up_command(&self) -> Command {
        let mut command = program();
        command
            .arg("up")
            .arg("--data-dir")
            .arg(self.data())
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port));
        command
            .args(["--accel", "tcg", "--pool-size", "4096"])
            .env("HOME", self.folder());
        command
    }

    /// Returns when the banner says that it is up.
    pub(crate) fn start_again(&mut self) {
        let log = fs::File::create(self.folder().join("up.log")).unwrap();
        let mut up = self
            .up_command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let lines = BufReader::new(up.stdout.take().unwrap()).lines();
        let up_at_last = lines
            .map(Result::unwrap)
            .any(|line| line.starts_with("Ctrl-C stops everything"));
        assert!(
            up_at_last,
            "{}",
            fs::read_to_string(self.folder().join("up.log")).unwrap()
        );
        self.up = Some(up);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.up.as_ref().unwrap().id()
    }

    pub(crate) fn second_up(&self) -> Ran {
        let mut command = program();
        command
            .arg("up")
            .arg("--data-dir")
            .arg(self.data())
            .args(["--listen", "127.0.0.1:0"])
            .env("HOME", self.folder());
        finish(piped(&mut command), "")
    }

    pub(crate) fn credentials(&self) -> Value {
        serde_json::from_slice(&fs::read(self.data().join("credentials.json")).unwrap()).unwrap()
    }

    /// `POST /v1/auth/login` with what was printed at the first start.
    pub(crate) fn login(&self) -> Value {
        let credentials = self.credentials();
        let body = serde_json::json!({ "email": credentials["email"], "password": credentials["password"] }).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "POST /v1/auth/login HTTP/1.1\r\nHost: locule\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    }

    pub(crate) fn locule(&self, args: &[&str], input: &str) -> Ran {
        let mut command = program();
        command.args(args).env("HOME", self.folder());
        finish(piped(&mut command), input)
    }

    pub(crate) fn succeeds(&self, args: &[&str]) -> Ran {
        let ran = self.locule(args, "");
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran
    }

    pub(crate) fn sandboxes(&self) -> usize {
        let listed = self.succeeds(&["sandbox", "ls", "--json"]);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        listed.as_array().unwrap().len()
    }

    /// Ctrl-C, and the clean end that follows.
    pub(crate) fn interrupt(&mut self) {
        let mut up = self.up.take().unwrap();
        kill(
            Pid::from_raw(i32::try_from(up.id()).unwrap()),
            Signal::SIGINT,
        )
        .unwrap();
        let status = up.wait().unwrap();
        assert!(
            status.success(),
            "{}",
            fs::read_to_string(self.folder().join("up.log")).unwrap()
        );
    }

    /// Stops, and nothing of it is left on the machine.
    pub(crate) fn stop(mut self) {
        self.interrupt();
        let instance = fs::read_to_string(self.data().join("instance")).unwrap();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(
            !mounts.contains(self.folder().to_str().unwrap()),
            "the pool is still mounted"
        );
        for folder in ["/run/netns", "/sys/class/net"] {
            let names = fs::read_dir(folder).into_iter().flatten().flatten();
            let left = names.filter(|entry| {
                entry
                    .file_name()
                    .to_string_lossy()
                    .contains(instance.trim())
            });
            assert_eq!(left.count(), 0, "{folder}");
        }
        fs::remove_dir_all(format!("/run/locule-{}", instance.trim())).unwrap();
    }
}

impl Drop for Platform {
    /// A test that failed leaves nothing running.
    fn drop(&mut self) {
        if let Some(mut up) = self.up.take()
            && let Ok(pid) = i32::try_from(up.id())
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            let _ = up.wait();
        }
    }
}
