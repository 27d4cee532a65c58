//! A host agent as a separate process, usually on the stub VMM, so that a test can kill it at any instruction.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use locule_agent_api::http1::exchange;
use locule_agent_api::{Client, Connector, HostAgent as _, ReportedState, SandboxReport};
use locule_ids::SandboxId;
use locule_testkit::{comes_true, eventually};
use serde_json::Value;

use crate::host_files::{binary, check_files, empty_images, program};
use crate::rig::{TOKEN, last_order, vmms_of};

/// A host whose agent process can be killed and replaced by another on the same data directory.
pub(crate) struct HostProcess {
    folder: tempfile::TempDir,
    instance: String,
    qemu: Option<PathBuf>,
    images: PathBuf,
    child: Option<Child>,
    /// The size of the warm pool for each template and shape.
    warm: u32,
    image_extents_max: Option<u32>,
    /// Further arguments of the agent.
    arguments: Vec<String>,
    pool_mib: u32,
    /// The version that the stub VMM reports.
    stub_version: Option<&'static str>,
    /// The file for the recorded system calls of the agent and its VMMs.
    trace: Option<PathBuf>,
}

/// System calls that change files or send an answer.
const TRACED: &str = "trace=openat,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,\
    ftruncate,fallocate,write,pwrite64,writev,sendto,sendmsg,ioctl,link,linkat,symlink,copy_file_range";

impl HostProcess {
    /// Starts an agent on the stub VMM.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let images = empty_images(folder.path());
        Self::with(folder, images, Some(binary("locule-stub-vmm"))).await
    }

    /// Starts an agent on the installed QEMU with real guests.
    pub(crate) async fn start_real() -> Self {
        Self::with(tempfile::tempdir().unwrap(), crate::rig::images(), None).await
    }

    /// Starts an agent on the stub VMM with a warm pool, and records its system calls.
    pub(crate) async fn start_traced() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let images = empty_images(folder.path());
        let trace = Some(folder.path().join("trace"));
        let mut host = Self::prepare(folder, images, Some(binary("locule-stub-vmm")));
        (host.warm, host.trace) = (1, trace);
        host.up().await
    }

    /// Starts an agent on the stub VMM with the given pool size, in a data directory that `prepare` sets up.
    pub(crate) async fn start_in(prepare: impl FnOnce(&Path), pool_mib: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let images = empty_images(folder.path());
        let data = folder.path().join("agent");
        std::fs::create_dir(&data).unwrap();
        prepare(&data);
        let mut host = Self::prepare(folder, images, Some(binary("locule-stub-vmm")));
        host.pool_mib = pool_mib;
        host.up().await
    }

    async fn with(folder: tempfile::TempDir, images: PathBuf, qemu: Option<PathBuf>) -> Self {
        Self::prepare(folder, images, qemu).up().await
    }

    async fn up(mut self) -> Self {
        self.spawn();
        self.ready().await;
        self
    }

    fn prepare(folder: tempfile::TempDir, images: PathBuf, qemu: Option<PathBuf>) -> Self {
        Self {
            folder,
            instance: format!("{:08x}", rand::random::<u32>()),
            qemu,
            images,
            child: None,
            warm: 0,
            image_extents_max: None,
            arguments: Vec::new(),
            pool_mib: 4096,
            stub_version: None,
            trace: None,
        }
    }

    fn run_dir(&self) -> PathBuf {
        Path::new("/run").join(format!("locule-{}", self.instance))
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("agent")
    }

    pub(crate) fn trace(&self) -> PathBuf {
        self.folder.path().join("trace")
    }

    pub(crate) fn agent_pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn pool(&self) -> PathBuf {
        self.folder.path().join("agent/pool")
    }

    /// The file that arms a failpoint.
    fn failpoint(&self) -> PathBuf {
        self.folder.path().join("failpoint")
    }

    pub(crate) fn spawn(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("agent.log"))
            .unwrap();
        let mut command = match &self.trace {
            None => program(binary("locule")),
            Some(trace) => {
                // The tracer is a grandchild: the child is the agent, which the test ends as usual.
                let mut command = program("strace");
                command.args(["-D", "-f", "-yy", "-ttt", "-a", "1", "-s", "16384"]);
                command.args(["-e", "signal=none", "-e", TRACED, "-o"]);
                command.arg(trace).arg("--").arg(binary("locule"));
                command
            }
        };
        command.args(["agent", "--accel", "tcg"]);
        command.args(["--pool-size", &self.pool_mib.to_string()]);
        command.args(["--instance", &self.instance]);
        command.args(["--warm", &self.warm.to_string()]);
        if let Some(most) = self.image_extents_max {
            command.args(["--image-extents-max", &most.to_string()]);
        }
        command.args(&self.arguments);
        command
            .arg("--data-dir")
            .arg(self.folder.path().join("agent"));
        command.arg("--run-dir").arg(self.run_dir());
        command.arg("--images").arg(&self.images);
        if let Some(qemu) = &self.qemu {
            command.arg("--qemu").arg(qemu);
        }
        if let Some(version) = self.stub_version {
            command.env("LOCULE_STUB_VERSION", version);
        }
        command
            .env("LOCULE_FAILPOINTS", self.failpoint())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir().join("agent.sock")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(Connector::Unix(self.socket()))
    }

    /// A connection to the agent's socket.
    pub(crate) async fn connect(&self) -> tokio::net::UnixStream {
        let socket = self.run_dir().join("agent.sock");
        tokio::net::UnixStream::connect(socket).await.unwrap()
    }

    /// The resident memory of the agent's process.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let pid = self.child.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Restarts the agent with a warm pool.
    pub(crate) async fn restart_with_warm_pool(&mut self) {
        self.warm = 1;
        self.kill();
        self.restart().await;
    }

    /// Restarts the agent with a VMM of another version.
    pub(crate) async fn restart_with_version(&mut self, version: &'static str) {
        self.stub_version = Some(version);
        self.kill();
        self.restart().await;
    }

    /// Restarts the agent with a memory limit for all VMs together.
    pub(crate) async fn restart_with_limit(&mut self, mebibytes: u32) {
        self.restart_with(&["--memory-limit", &mebibytes.to_string()])
            .await;
    }

    /// Restarts the agent with further arguments.
    pub(crate) async fn restart_with(&mut self, arguments: &[&str]) {
        self.arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        self.kill();
        self.restart().await;
    }

    /// Restarts the agent so that it defragments every snapshot.
    pub(crate) async fn restart_with_defragmentation(&mut self) {
        self.image_extents_max = Some(0);
        self.kill();
        self.restart().await;
    }

    /// As [`Self::restart`], without defragmentation.
    pub(crate) async fn restart_without_defragmentation(&mut self) {
        self.image_extents_max = None;
        self.restart().await;
    }

    /// Waits until a condition holds. Shows the log when it never does.
    pub(crate) async fn eventually(&self, what: &str, is_so: impl AsyncFnMut() -> bool) {
        assert!(comes_true(is_so).await, "{what}: {}", self.log());
    }

    /// Waits until the warm pool is full: one warm and one restored VM.
    pub(crate) async fn wait_for_warm_pool(&self) {
        let client = self.client();
        self.eventually("the warm pool is full", async || {
            let levels = client.host().await.unwrap().warm;
            matches!(levels.as_slice(), [level] if level.warm == 1 && level.restored == 1)
        })
        .await;
    }

    /// Waits until the agent reports that it is ready.
    pub(crate) async fn ready(&mut self) {
        let exited = self.starts_or_exits().await;
        assert!(exited.is_none(), "the agent exited: {}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("agent.log")).unwrap_or_default()
    }

    pub(crate) fn arm(&self, operation: &str, number: u32) {
        std::fs::write(self.failpoint(), format!("{operation} {number}")).unwrap();
    }

    /// As [`Self::arm`], for an operation that is to fail at the step instead of the agent's crash.
    pub(crate) fn arm_failure(&self, operation: &str, number: u32) {
        std::fs::write(self.failpoint(), format!("{operation} {number} fail")).unwrap();
    }

    /// Whether no operation has reached the armed step.
    pub(crate) fn is_armed(&self) -> bool {
        self.failpoint().exists()
    }

    pub(crate) fn disarm(&self) {
        let _ = std::fs::remove_file(self.failpoint());
    }

    /// Whether a failpoint killed the agent while it was starting. `false`: the agent is ready.
    pub(crate) async fn crashes_or_is_ready(&mut self) -> bool {
        let crashed = self.starts_or_exits().await;
        if let Some(status) = crashed {
            assert_eq!(status.signal(), Some(9), "{}", self.log());
        }
        crashed.is_some()
    }

    /// The exit status of an agent that exits while it is starting. `None`: the agent is ready.
    async fn starts_or_exits(&mut self) -> Option<ExitStatus> {
        let (client, child) = (self.client(), self.child.as_mut().unwrap());
        let mut exited = None;
        let settled = comes_true(async || {
            exited = child.try_wait().unwrap();
            exited.is_some() || client.host().await.is_ok_and(|host| host.ready)
        });
        assert!(settled.await, "{}", self.log());
        exited
    }

    /// Waits until a failpoint has killed the agent.
    pub(crate) fn wait_for_crash(&mut self) {
        let status = self.child.as_mut().unwrap().wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{}", self.log());
    }

    pub(crate) fn kill(&mut self) {
        let child = self.child.as_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) async fn restart(&mut self) {
        self.disarm();
        self.spawn();
        self.ready().await;
    }

    /// The pids of this instance's VMMs.
    pub(crate) fn vmms(&self) -> Vec<u32> {
        vmms_of(&self.instance)
    }

    pub(crate) async fn guest(
        &self,
        sandbox: SandboxId,
        path: &str,
        body: Option<&Value>,
    ) -> Option<Value> {
        let stream = tokio::net::UnixStream::connect(self.socket()).await.ok()?;
        let uri = format!("/proxy/{sandbox}/49983/{path}");
        let request = Request::builder()
            .method(if body.is_some() { "POST" } else { "GET" })
            .uri(uri)
            .header("host", "guest")
            .header("x-access-token", TOKEN)
            .body(Full::new(Bytes::from(
                body.map(Value::to_string).unwrap_or_default(),
            )))
            .unwrap();
        let response = exchange(stream, request).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        Some(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// The progress of a running sandbox. Checks the memory and the disk of a stub guest, and the identity of a real guest.
    pub(crate) async fn ticks(&self, sandbox: SandboxId) -> u64 {
        let path = if self.qemu.is_some() { "model" } else { "envs" };
        let answer = self.guest(sandbox, path, None).await;
        let answer = answer.unwrap_or_else(|| panic!("the guest did not answer: {}", self.log()));
        if self.qemu.is_none() {
            assert_eq!(answer["E2B_SANDBOX_ID"], sandbox.base36(), "{answer}");
            return 0;
        }
        assert_eq!(answer["fault"], Value::Null, "{answer}");
        assert_eq!(answer["sandbox_id"], sandbox.base36());
        assert_eq!(answer["frozen"], false);
        answer["ticks"].as_u64().unwrap()
    }

    pub(crate) async fn report(&self, sandbox: SandboxId) -> Option<SandboxReport> {
        let reports = self.client().list_sandboxes().await.unwrap();
        reports.into_iter().find(|report| report.sandbox == sandbox)
    }

    /// Waits until the warm pool is full, and returns the number of its VMs.
    async fn full_warm_pool(&self) -> usize {
        if self.warm == 0 {
            return 0;
        }
        self.wait_for_warm_pool().await;
        2
    }

    /// Asserts that the host has the processes, namespaces, devices, sockets, files and loop devices of its sandboxes and of its
    /// warm pool, and no others.
    pub(crate) async fn check(&self) {
        let reports = self.client().list_sandboxes().await.unwrap();
        let held = |state| {
            let held = reports.iter().filter(move |report| report.state == state);
            held.map(|report| report.sandbox.as_uuid().to_string())
        };
        let running: BTreeSet<String> = held(ReportedState::Running).collect();
        let paused: BTreeSet<String> = held(ReportedState::Paused).collect();
        let pooled = self.full_warm_pool().await;
        let vms = running.len() + pooled;
        assert_eq!(self.vmms().len(), vms, "VMMs: {}", self.log());
        let count = |folder: &str, part: &str| {
            let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
            names
                .filter(|entry| entry.file_name().to_string_lossy().contains(part))
                .count()
        };
        assert_eq!(count("/run/netns", &self.instance), vms, "namespaces");
        assert_eq!(count("/sys/class/net", &self.instance), vms, "devices");
        let sockets = self.run_dir().join("vmm");
        assert_eq!(
            count(sockets.to_str().unwrap(), ".qmp"),
            vms,
            "control sockets"
        );
        let mut folders = BTreeSet::new();
        for entry in std::fs::read_dir(self.pool().join("sandboxes")).unwrap() {
            let (name, path) = entry
                .map(|entry| (entry.file_name(), entry.path()))
                .unwrap();
            let name = name.into_string().unwrap();
            check_files(&path, running.contains(&name));
            folders.insert(name);
        }
        assert_eq!(folders, &running | &paused, "folders: {}", self.log());
        let snapshots = self.pool().join("golden");
        for incomplete in [".new", ".gone"] {
            assert_eq!(
                count(snapshots.to_str().unwrap(), incomplete),
                0,
                "incomplete template snapshots"
            );
        }
        let loops = std::fs::read_dir("/sys/block")
            .unwrap()
            .flatten()
            .filter(|entry| {
                let backing = std::fs::read_to_string(entry.path().join("loop/backing_file"));
                backing.is_ok_and(|file| file.contains(self.folder.path().to_str().unwrap()))
            });
        assert!(loops.count() <= 1, "loop devices");
    }

    /// Stops the agent and returns the recording.
    pub(crate) async fn stop_and_read(mut self, trace: &Path) -> String {
        let pid = self.agent_pid();
        self.end();
        let mut text = String::new();
        // The tracer exits after the last process that it traces.
        eventually("the end of the trace", async || {
            text = String::from_utf8_lossy(&std::fs::read(trace).unwrap()).into_owned();
            let ends =
                |line: &str| line.starts_with(&format!("{pid} ")) && line.contains("+++ exited");
            text.lines().rev().take(100).any(ends)
        })
        .await;
        text
    }

    /// Destroys all sandboxes and stops the agent. Asserts that the instance leaves nothing on the machine.
    pub(crate) async fn stop(mut self) {
        for report in self.client().list_sandboxes().await.unwrap() {
            let _ = self
                .client()
                .destroy_sandbox(last_order(report.sandbox))
                .await;
        }
        self.check().await;
        self.end();
    }

    pub(crate) fn end(&mut self) {
        let child = self.child.as_mut().unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(
            !mounts.contains(self.pool().to_str().unwrap()),
            "the pool is still mounted"
        );
        let rules = program("nft").args(["list", "tables"]).output().unwrap();
        assert!(
            !String::from_utf8_lossy(&rules.stdout).contains(&self.instance),
            "packet rules are left"
        );
        std::fs::remove_dir_all(self.run_dir()).unwrap();
    }
}

impl Drop for HostProcess {
    /// A failed test leaves nothing running.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        for pid in self.vmms() {
            let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        let _ = nix::mount::umount2(&self.pool(), nix::mount::MntFlags::MNT_DETACH);
    }
}
