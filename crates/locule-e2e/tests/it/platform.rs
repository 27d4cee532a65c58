//! A separate platform for one test, started and stopped as a user does.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests run the programs as users run them"
)]

mod database;
mod refused;
mod terminal;

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use locule_e2e::clock;
use locule_e2e::platform::LAST_LINE_OF_THE_BANNER;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub(crate) use refused::{refused, refused_without_root};

/// Makes every path longer than the 107 bytes that the address of a socket may have.
const LONG: &str = "a-data-directory-with-a-path-that-is-much-longer-than-the-address-of-a-unix-socket-may-be-on-any-linux";

pub(crate) struct Platform {
    folder: tempfile::TempDir,
    port: u16,
    up: Option<Child>,
    /// Further options of `up`.
    options: Vec<String>,
    /// Further variables of `up`.
    environment: Vec<(&'static str, String)>,
}

/// The output and the exit code of a program.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// The stub VMM, for tests that do not need a real guest.
pub(crate) fn stub_vmm() -> String {
    let program = variable("LOCULE_BINARY").with_file_name("locule-stub-vmm");
    program.to_str().unwrap().to_owned()
}

pub(crate) fn variable(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("the test command sets {name}")))
}

/// The program under test, without variables about other servers.
fn program() -> Command {
    let mut command = Command::new(variable("LOCULE_BINARY"));
    for name in [
        "DATABASE_URL",
        "LOCULE__DATABASE__URL",
        "REDIS_URL",
        "LOCULE_URL",
        "LOCULE_API_KEY",
        "LOCULE_DATA_DIR",
        // The home of the user behind `sudo` is not used.
        "SUDO_UID",
        "SUDO_GID",
    ] {
        command.env_remove(name);
    }
    command
}

/// Waits for a condition; `false` when it was not met in time.
fn met(timeout: Duration, condition: impl Fn() -> bool) -> bool {
    clock::until(timeout, || condition().then_some(())).is_some()
}

/// A free port below the ports that the kernel gives to outgoing connections: a connection could otherwise get the port as its
/// own, connect to itself, and occupy the port.
pub(crate) fn free_port() -> u16 {
    let mut ports = (0..1000).map(|_| rand::random_range(20_000..32_000));
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(free).expect("a port is free")
}

/// Waits for a condition. Panics when it is not met in time.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    assert!(met(Duration::from_mins(1), condition), "{what}");
}

pub(crate) fn finish(mut child: Child, input: &str) -> Ran {
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    // A program that was ended by a signal has no exit code.
    Ran {
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        code: output.status.code().unwrap_or(-1),
    }
}

pub(crate) fn piped(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

impl Platform {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(options: &[&str]) -> Self {
        Self::start_as(options, Vec::new())
    }

    /// Its sandboxes have host names under this domain.
    pub(crate) fn start_under(domain: &str) -> Self {
        let domain = ("LOCULE__HTTP__SANDBOX_DOMAIN", domain.to_owned());
        Self::start_as(&[], vec![domain])
    }

    /// Hosts on other machines reach it at this address, and fetch these images.
    pub(crate) fn start_for_hosts(listen: &str, images: &Path) -> Self {
        let url = format!("https://{listen}");
        let listen = ("LOCULE__HOSTS__LISTEN", listen.to_owned());
        let images = images.to_str().unwrap();
        let options = ["--qemu", &stub_vmm(), "--warm", "0", "--images", images];
        Self::start_as(&options, vec![listen, ("LOCULE__HOSTS__URL", url)])
    }

    fn start_as(options: &[&str], environment: Vec<(&'static str, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The user of the database must have access to the folder.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        fs::create_dir(folder.path().join(LONG)).unwrap();
        // Any user may remove a failpoint that was reached.
        let failpoints = folder.path().join("failpoints");
        fs::create_dir(&failpoints).unwrap();
        fs::set_permissions(&failpoints, fs::Permissions::from_mode(0o777)).unwrap();
        let mut platform = Self {
            folder,
            port,
            up: None,
            options: options.iter().copied().map(str::to_owned).collect(),
            environment,
        };
        platform.start_again();
        platform
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder().join(LONG).join("data")
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
            .args(&self.options)
            .env("LOCULE_FAILPOINTS", self.failpoint())
            .env("HOME", self.folder())
            .envs(self.environment.iter().cloned());
        command
    }

    fn failpoint(&self) -> PathBuf {
        self.folder().join("failpoints/armed")
    }

    /// Makes a part exit at a step of a kind of operation (`pause 3`), or hold every such operation there (`pause 1 hold`).
    pub(crate) fn arm(&self, step: &str) {
        fs::write(self.failpoint(), step).unwrap();
    }

    pub(crate) fn disarm(&self) {
        // The file is already removed when the step was reached.
        let _ = fs::remove_file(self.failpoint());
    }

    /// Returns when the banner reports that the platform is ready.
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
            .any(|line| line.starts_with(LAST_LINE_OF_THE_BANNER));
        assert!(up_at_last, "{}", self.said());
        self.up = Some(up);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
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

    /// The message of a start on the same data directory that must fail.
    pub(crate) fn refused_again(&self) -> String {
        let ran = finish(piped(&mut self.up_command()), "");
        assert_eq!(ran.code, 1, "{ran:?}");
        ran.stderr
    }

    /// Adds options from the next start on.
    pub(crate) fn with_options(&mut self, more: &[&str]) {
        self.options.extend(more.iter().copied().map(str::to_owned));
    }

    /// The entries next to the data directory.
    pub(crate) fn moved_aside(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder().join(LONG)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| *path != self.data()).collect()
    }

    /// The folder of its sockets.
    pub(crate) fn run_dir(&self) -> PathBuf {
        let instance = fs::read_to_string(self.data().join("instance")).unwrap();
        Path::new("/run").join(format!("locule-{}", instance.trim()))
    }

    pub(crate) fn data_dir(&self) -> String {
        self.data().display().to_string()
    }

    pub(crate) fn credentials(&self) -> Value {
        serde_json::from_slice(&fs::read(self.data().join("credentials.json")).unwrap()).unwrap()
    }

    /// `POST /v1/auth/login` with the credentials of the first start.
    pub(crate) fn login(&self) -> Value {
        let credentials = self.credentials();
        let body = serde_json::json!({ "email": credentials["email"], "password": credentials["password"] }).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
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

    /// Starts a command that keeps running, with piped output.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        let mut command = program();
        command
            .args(args)
            .env("HOME", self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Kills a child of `up`, named by its command line.
    pub(crate) fn kill_part(&self, name: &str) {
        let pid = self
            .part(name)
            .unwrap_or_else(|| panic!("there is no {name}"));
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    /// Count of the virtual machines of this platform.
    pub(crate) fn vmms(&self) -> usize {
        let instance = fs::read_to_string(self.data().join("instance")).unwrap();
        let name = format!("locule-{}-", instance.trim());
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines =
            processes.map(|process| fs::read(process.path().join("cmdline")).unwrap_or_default());
        lines
            .filter(|line| String::from_utf8_lossy(line).contains(&format!("-name\0{name}")))
            .count()
    }

    /// The process of a child of `up`, named by its command line.
    pub(crate) fn part(&self, name: &str) -> Option<i32> {
        let up = self.pid();
        let children = fs::read_to_string(format!("/proc/{up}/task/{up}/children")).unwrap();
        let is_wanted = |pid: &&str| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.split(' ')
                .take(2)
                .any(|word| word.rsplit('/').next() == Some(name))
        };
        let pid = children.split_whitespace().find(is_wanted)?;
        pid.parse().ok()
    }

    /// Kills `up`, and waits until its children have exited.
    pub(crate) fn kill_up(&mut self) {
        let mut up = self.up.take().unwrap();
        up.kill().unwrap();
        up.wait().unwrap();
        let data = self.data();
        until("the children are gone", || {
            let processes = fs::read_dir("/proc").unwrap().flatten();
            !processes.into_iter().any(|process| {
                let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).into_owned();
                line.contains(data.to_str().unwrap()) && !line.contains("qemu")
            })
        });
    }

    /// Kills the virtual machine of a sandbox.
    pub(crate) fn kill_vmm_of(&self, id: &str) {
        let uuid = id.trim_start_matches("sb-");
        let manifest = self
            .data()
            .join(format!("agent/pool/sandboxes/{uuid}/manifest.json"));
        let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
        let pid = manifest["held"]["vmm"]["pid"].as_i64().unwrap();
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    }

    pub(crate) fn is_healthy(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    /// Waits for a condition. Panics when it is not met within `timeout`.
    pub(crate) fn within(
        &self,
        timeout: Duration,
        what: impl fmt::Display,
        condition: impl Fn() -> bool,
    ) {
        let log = || fs::read_to_string(self.data().join("logs/serve.log")).unwrap_or_default();
        assert!(met(timeout, condition), "{what}: {}{}", self.said(), log());
    }

    pub(crate) fn succeeds(&self, args: &[&str]) -> Ran {
        let ran = self.locule(args, "");
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran
    }

    /// Creates a sandbox and returns its id.
    pub(crate) fn create(&self) -> String {
        let created = self.succeeds(&["sandbox", "create"]);
        created.stdout.trim().to_owned()
    }

    pub(crate) fn shown(&self, id: &str) -> Value {
        let shown = self.succeeds(&["sandbox", "get", "--json", id]);
        serde_json::from_str(&shown.stdout).unwrap()
    }

    /// Writes `kept` to a file on a memory file system.
    pub(crate) fn keep(&self, id: &str) {
        let script = "echo kept > /dev/shm/f";
        self.succeeds(&["sandbox", "exec", id, "--", "sh", "-c", script]);
    }

    pub(crate) fn reads(&self, id: &str, path: &str) -> String {
        let read = self.succeeds(&["sandbox", "exec", id, "--", "cat", path]);
        read.stdout
    }

    pub(crate) fn sandboxes(&self) -> usize {
        let listed = self.succeeds(&["sandbox", "ls", "--json"]);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        listed.as_array().unwrap().len()
    }

    /// What `up` has printed since its start, without the banner.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder().join("up.log")).unwrap()
    }

    /// Sends Ctrl-C.
    pub(crate) fn press_ctrl_c(&self) {
        let up = Pid::from_raw(i32::try_from(self.pid()).unwrap());
        kill(up, Signal::SIGINT).unwrap();
    }

    /// Waits for the exit of `up`, and returns whether it stopped cleanly.
    pub(crate) fn exits_cleanly(&mut self) -> bool {
        let mut up = self.up.take().unwrap();
        up.wait().unwrap().success()
    }

    /// Sends Ctrl-C and waits for a clean shutdown.
    pub(crate) fn interrupt(&mut self) {
        self.press_ctrl_c();
        assert!(self.exits_cleanly(), "{}", self.said());
    }

    /// Stops the platform, and checks that no resource of it is left on the machine.
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
        fs::remove_dir_all(self.run_dir()).unwrap();
    }
}

impl Drop for Platform {
    /// A failed test leaves no process running.
    fn drop(&mut self) {
        if let Some(mut up) = self.up.take()
            && let Ok(pid) = i32::try_from(up.id())
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            let _ = up.wait();
        }
    }
}
