//! A separate platform: `locule up` on its own data directory and port, its parts by name, and its shutdown.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::api::{Api, bearer};
use crate::{clock, host};

/// The first start boots a guest once, perhaps on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(6);
const STOP_TIMEOUT: Duration = Duration::from_mins(4);
/// How the last line that `locule up` prints at its start begins.
pub const LAST_LINE_OF_THE_BANNER: &str = "Ctrl-C pauses the running sandboxes";

/// How to start a platform.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `locule` program.
    pub binary: PathBuf,
    pub images: PathBuf,
    /// The folder of all its files.
    pub folder: PathBuf,
    pub accelerator: String,
    pub pool_mib: u64,
    /// Limit of the warm pool.
    pub warm: usize,
    /// A program instead of the installed QEMU.
    pub vmm: Option<PathBuf>,
}

/// A process that `up` supervises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Agent,
    Serve,
    Postgres,
    Redis,
}

impl Part {
    /// Whether a command line belongs to this part.
    fn is(self, command: &[String]) -> bool {
        let program = command.first().map(String::as_str).unwrap_or_default();
        let verb = command.get(1).map(String::as_str).unwrap_or_default();
        match self {
            Self::Agent => program == "locule" && verb == "agent",
            Self::Serve => program == "locule" && verb == "serve",
            Self::Postgres => program.ends_with("postgres"),
            Self::Redis => program.contains("redis-server"),
        }
    }
}

/// A running platform.
#[derive(Debug)]
pub struct Platform {
    options: Options,
    address: SocketAddr,
    up: Option<Child>,
}

impl Platform {
    /// Returns when the platform reports that it is ready.
    pub fn start(options: Options) -> Result<Self> {
        fs::create_dir_all(&options.folder)?;
        // The user of the database must have access to the folder.
        fs::set_permissions(&options.folder, fs::Permissions::from_mode(0o755))?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut platform = Self {
            options,
            address,
            up: None,
        };
        platform.start_again()?;
        Ok(platform)
    }

    fn output(&self, name: &str) -> PathBuf {
        self.options.folder.join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.options.folder.join("data")
    }

    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// The folder of the sandboxes' files.
    pub fn pool(&self) -> PathBuf {
        self.data().join("agent/pool")
    }

    pub fn log(&self, part: &str) -> PathBuf {
        self.data().join("logs").join(format!("{part}.log"))
    }

    /// The eight digits in every machine-wide name of the platform.
    pub fn instance(&self) -> Result<String> {
        let text = fs::read_to_string(self.data().join("instance")).context("the instance's id")?;
        Ok(text.trim().to_owned())
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address, the password and the API key of the administrator.
    pub fn credentials(&self) -> Result<Value> {
        let text = fs::read(self.data().join("credentials.json")).context("the credentials")?;
        Ok(serde_json::from_slice(&text)?)
    }

    pub fn api(&self, timeout: Duration) -> Result<Api> {
        let credentials = self.credentials()?;
        let key = credentials["api_key"].as_str().context("the API key")?;
        Ok(Api::new(self.address, key, timeout))
    }

    /// A client of a team of its own.
    pub fn another_team(&self, timeout: Duration) -> Result<Api> {
        let credentials = self.credentials()?;
        let post = |token: Option<&str>, path: &str, body: &Value| -> Result<Value> {
            let mut api = Api::with(self.address, token.map(bearer), timeout);
            let answer = api.post(path, body)?;
            ensure!(answer.is_success(), "{path}: {}", answer.text());
            Ok(answer.json())
        };
        let text = |answer: &Value, name: &str| -> Result<String> {
            let text = answer[name].as_str().context("a text in an answer")?;
            Ok(text.to_owned())
        };
        let login = json!({ "email": credentials["email"], "password": credentials["password"] });
        let token = text(&post(None, "/v1/auth/login", &login)?, "token")?;
        let team = post(Some(&token), "/v1/teams", &json!({ "name": "neighbour" }))?;
        let switch = json!({ "team_id": team["id"] });
        let token = text(
            &post(Some(&token), "/v1/auth/switch-team", &switch)?,
            "token",
        )?;
        let key = text(&post(Some(&token), "/v1/api-keys", &json!({}))?, "key")?;
        Ok(Api::new(self.address, &key, timeout))
    }

    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.up.is_none(), "the platform is running");
        let (out, log) = (self.output("up.out"), self.output("up.log"));
        #[expect(
            clippy::disallowed_methods,
            reason = "runs the program as users run it"
        )]
        let mut command = Command::new(&self.options.binary);
        command
            .arg("up")
            .arg("--data-dir")
            .arg(self.data())
            .args(["--listen", &self.address.to_string()])
            .args(["--accel", &self.options.accelerator])
            .args(["--pool-size", &self.options.pool_mib.to_string()])
            .args(["--warm", &self.options.warm.to_string()])
            .arg("--images")
            .arg(&self.options.images);
        if let Some(vmm) = &self.options.vmm {
            command.arg("--qemu").arg(vmm);
        }
        // Variables about other servers are removed.
        for name in [
            "DATABASE_URL",
            "LOCULE__DATABASE__URL",
            "REDIS_URL",
            "LOCULE_URL",
            "LOCULE_API_KEY",
        ] {
            command.env_remove(name);
        }
        let child = command
            .env("HOME", &self.options.folder)
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::options().create(true).append(true).open(&log)?)
            .spawn()
            .context("start locule up")?;
        self.up = Some(child);
        let started = clock::until(START_TIMEOUT, || {
            let text = fs::read_to_string(&out).unwrap_or_default();
            if text.contains(LAST_LINE_OF_THE_BANNER) {
                return Some(true);
            }
            self.ended().map(|_| false)
        });
        match started {
            Some(true) => Ok(()),
            Some(false) => {
                self.up = None;
                bail!("locule up exited: {}", self.last_words());
            }
            None => bail!("locule up is not ready in time: {}", self.last_words()),
        }
    }

    /// The end of the output of `up`.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(self.output("up.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(6).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    /// The exit status of `up`, if it has exited.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.up.as_mut()?.try_wait().ok().flatten()
    }

    pub fn pid(&self) -> Option<u32> {
        self.up.as_ref().map(Child::id)
    }

    /// The process of a part, if it is running.
    pub fn part(&self, part: Part) -> Option<u32> {
        let up = self.pid()?;
        host::children(up)
            .into_iter()
            .find(|pid| part.is(&host::command(*pid)))
    }

    /// Kills `up` with SIGKILL. Its children receive the signals that it arranged.
    pub fn kill(&mut self) -> Result<()> {
        let mut up = self.up.take().context("the platform is not running")?;
        up.kill()?;
        up.wait()?;
        Ok(())
    }

    /// Sends Ctrl-C and waits for a clean shutdown.
    pub fn stop(&mut self) -> Result<()> {
        let up = self.up.as_ref().context("the platform is not running")?;
        send(up.id(), Signal::SIGINT);
        let ended = clock::until(STOP_TIMEOUT, || self.ended());
        self.up = None;
        let status = ended.context("locule up does not stop")?;
        ensure!(
            status.success(),
            "locule up stopped with {status}: {}",
            self.last_words()
        );
        Ok(())
    }

    /// Restarts the platform with another limit of the warm pool.
    pub fn restart_with(&mut self, warm: usize) -> Result<()> {
        self.stop()?;
        self.options.warm = warm;
        self.start_again()
    }
}

/// Sends a signal. A process that has exited is ignored.
pub fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

impl Drop for Platform {
    /// A failed program leaves no process running.
    fn drop(&mut self) {
        if let Some(mut up) = self.up.take() {
            send(up.id(), Signal::SIGTERM);
            let _ = up.wait();
        }
    }
}
