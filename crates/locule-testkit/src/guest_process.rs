//! The real guest agent (`locule-guest --serve`) as a process of this machine, for tests that run real commands.

#![expect(
    clippy::disallowed_methods,
    reason = "the guest agent is started as it is, outside of any host"
)]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use axum::body::Body;
use axum::http::Request;
use locule_agent_api::http1;
use locule_guest_api::control::InitRequest;
use locule_ids::SandboxId;
use tokio::net::TcpStream;

use crate::eventually;

/// A running guest agent. It and every process that it started end with the value.
#[derive(Debug)]
pub struct GuestProcess {
    address: SocketAddr,
    process: Child,
    /// The id in the environment of every process that the guest agent starts.
    id: String,
}

impl GuestProcess {
    /// The access token that the guest agent requires.
    pub const ACCESS_TOKEN: &str = "token-of-the-guest-process";

    /// Starts the guest agent. Commands run as the user of the test, in `workdir`, which is also their home, and find programs
    /// in `programs` first. Panics when the guest agent does not answer.
    pub async fn start(workdir: &Path, programs: &Path) -> Self {
        let address = free_address();
        let process = Command::new(program("locule-guest"))
            .args(["--serve", &address.port().to_string()])
            .stdin(Stdio::null())
            .spawn()
            .expect("start locule-guest; `cargo build -p locule-guest` builds it");
        let guest = Self {
            address,
            process,
            id: SandboxId::random().base36(),
        };
        eventually("the guest agent listens", async || {
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        guest.init(workdir, programs).await;
        guest
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    async fn init(&self, workdir: &Path, programs: &Path) {
        let workdir = workdir.display().to_string();
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            programs.display()
        );
        let init = InitRequest {
            new_control_key: Some("key-of-the-guest-process".to_owned()),
            access_token: Some(Self::ACCESS_TOKEN.to_owned()),
            sandbox_id: self.id.clone(),
            template_id: String::new(),
            hostname: String::new(),
            env_vars: BTreeMap::from([
                ("HOME".to_owned(), workdir.clone()),
                ("PATH".to_owned(), path),
            ]),
            default_user: Some(current_user()),
            default_workdir: Some(workdir),
            timestamp_unix_nanos: 0,
            entropy: String::new(),
            run_hooks: false,
            standby: false,
        };
        let body = serde_json::to_vec(&init).expect("an init request is JSON");
        let request = Request::post("/init")
            .header("host", "guest")
            .header("content-type", "application/json")
            .body(Body::from(body))
            .expect("a request");
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.expect("connect to the guest agent");
        let response = http1::exchange(stream, request).await;
        let status = response.expect("an answer of the guest agent").status();
        assert!(
            status.is_success(),
            "the guest agent answered /init with {status}"
        );
    }
}

impl Drop for GuestProcess {
    fn drop(&mut self) {
        // A process that exited already needs no signal.
        self.process.kill().ok();
        self.process.wait().ok();
        for process in processes_with(&format!("LOCULE_SANDBOX_ID={}", self.id)) {
            let kill = Command::new("kill").args(["-KILL", &process]).status();
            kill.ok();
        }
    }
}

/// The ids of processes with this variable in their environment.
fn processes_with(variable: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let matching = paths.filter(|path| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == variable.as_bytes())
    });
    matching
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect()
}

/// `target/debug/name`, next to the folder of the running test.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test");
    let profile = test.ancestors().nth(2).expect("the folder of the profile");
    profile.join(name)
}

/// The name of the user who runs the test.
pub fn current_user() -> String {
    let process = std::fs::metadata("/proc/self").expect("the process of the test");
    let passwd = std::fs::read_to_string("/etc/passwd").expect("the list of users");
    let uid = process.uid().to_string();
    let user = passwd
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&uid));
    let name = user.and_then(|line| line.split(':').next());
    name.expect("the user of the test has a name").to_owned()
}

/// A free address below the ports that the kernel gives to outgoing connections: a connection to a port that no program
/// listens on yet could otherwise get that port as its own, connect to itself, and occupy the port.
pub fn free_address() -> SocketAddr {
    // Tests run side by side, each in its own process: each starts its search at another port.
    let first = u16::try_from(std::process::id() * 97 % 12_000).unwrap_or_default();
    (0..12_000)
        .map(|next| SocketAddr::from(([127, 0, 0, 1], 20_000 + (first + next) % 12_000)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a port is free")
}
