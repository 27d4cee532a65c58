//! An agent in the process of the test, with a data directory of its own, and helpers for its sandboxes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use locule_agent::{
    Agent, Config, ImageSource, Limits, OnStop, RegistrationConfig, Registry, RunError, Server,
};
use locule_agent_api::http1::{ExchangeBody, exchange};
use locule_agent_api::tls::CaPin;
use locule_agent_api::{HostAgent as _, Order, ReportedState, ResumeSandbox, SandboxSpec};
use locule_base::clock::{SharedClock, SystemClock};
use locule_base::tasks::Tasks;
use locule_domain::{HostAddress, Timeouts};
use locule_ids::{SandboxId, TeamId, TemplateId};
use locule_testkit::eventually;
use locule_vmm::{AcceleratorSetting, Shape};
use serde_json::{Value, json};

use crate::host_files::{binary, empty_images};

pub(crate) const TOKEN: &str = "test-token";

pub(crate) struct Rig {
    folder: tempfile::TempDir,
    instance: String,
    agent: Mutex<Option<Agent>>,
    /// The size of the warm pool for each template and shape.
    pub(crate) warm: std::sync::atomic::AtomicUsize,
    /// The images of the stub VMM, instead of QEMU and the images of real guests.
    stub: Option<PathBuf>,
    /// The agent fetches its images from the control plane.
    fetches: bool,
    clock: SharedClock,
    registration: Option<RegistrationConfig>,
}

/// The output of a command and its exit code.
#[derive(Debug, Default)]
pub(crate) struct CommandResult {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit_code: i64,
    /// The stream broke before its end.
    pub(crate) broken: bool,
}

/// A sandbox of the shape that the warm pool holds.
pub(crate) fn pooled_spec() -> SandboxSpec {
    SandboxSpec {
        memory_mib: 512,
        ..spec()
    }
}

pub(crate) fn order(desired: &SandboxSpec, generation: i64) -> Order {
    Order {
        sandbox: desired.order.sandbox,
        generation,
        write_mark: None,
    }
}

/// An order that no other order about the sandbox follows.
pub(crate) fn last_order(sandbox: SandboxId) -> Order {
    Order {
        sandbox,
        generation: i64::MAX,
        write_mark: None,
    }
}

fn registration(server: Server, address: HostAddress) -> RegistrationConfig {
    RegistrationConfig {
        token: Some("registration token".to_owned()),
        period: Duration::from_millis(20),
        ..RegistrationConfig::new(server, address)
    }
}

/// Fails the test when `work` takes longer than `bound`.
pub(crate) async fn within<T>(bound: Duration, what: &str, work: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(bound, work).await;
    result.unwrap_or_else(|_| panic!("{what} took longer than {bound:?}"))
}

pub(crate) fn spec() -> SandboxSpec {
    SandboxSpec {
        order: Order {
            sandbox: SandboxId::random(),
            generation: 1,
            write_mark: None,
        },
        team: TeamId::random(),
        template: "minimal".to_owned(),
        template_id: TemplateId::MINIMAL,
        vcpus: 1,
        memory_mib: 256,
        disk_size_mb: 5120,
        timeouts: Timeouts::default(),
        auto_resume: false,
        default_user: "user".to_owned(),
        env: std::collections::BTreeMap::new(),
        labels: std::collections::BTreeMap::new(),
        access_token: TOKEN.to_owned(),
    }
}

pub(crate) fn resume(spec: &SandboxSpec, generation: i64) -> ResumeSandbox {
    ResumeSandbox {
        order: order(spec, generation),
        timeouts: Timeouts::default(),
        access_token: TOKEN.to_owned(),
    }
}

/// The pids of the VMMs of an instance, by the names in their arguments.
pub(crate) fn vmms_of(instance: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let name = format!("-name\0locule-{instance}-");
    pids.filter(|pid| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&name)
    })
    .collect()
}

/// The image bundle of `make images`, or the one that the environment names.
pub(crate) fn images() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test command names the images in the environment"
    )]
    let named = std::env::var_os("LOCULE_IMAGES").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/images"))
}

impl Rig {
    pub(crate) async fn start() -> Self {
        let rig = Self::prepare();
        rig.start_again().await;
        rig
    }

    fn prepare() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            instance: format!("{:08x}", rand::random::<u32>()),
            agent: Mutex::new(None),
            warm: std::sync::atomic::AtomicUsize::new(0),
            stub: None,
            fetches: false,
            clock: SystemClock::shared(),
            registration: None,
        }
    }

    /// A host on the stub VMM that registers with a control plane, and lives in the time of a clock.
    pub(crate) async fn start_registered(
        server: Server,
        error_limit: Duration,
        clock: SharedClock,
    ) -> Self {
        let mut rig = Self::prepare();
        rig.clock = clock;
        rig.stub = Some(empty_images(rig.folder.path()));
        let address = HostAddress::unix(&rig.socket()).unwrap();
        rig.registration = Some(RegistrationConfig {
            error_limit,
            ..registration(server, address)
        });
        rig.start_again().await;
        rig
    }

    /// A host on the stub VMM that has no images. Its agent is not started yet.
    pub(crate) fn without_images(server: Server, clock: SharedClock) -> Self {
        let mut rig = Self::prepare();
        rig.clock = clock;
        rig.stub = Some(PathBuf::new());
        rig.fetches = true;
        let address = HostAddress::unix(&rig.socket()).unwrap();
        rig.registration = Some(registration(server, address));
        rig
    }

    /// A host of real guests that registers with a control plane on another machine, which is known by the hash of its CA.
    pub(crate) async fn start_elsewhere(
        server: Server,
        ca_hash: CaPin,
        clock: SharedClock,
    ) -> Self {
        let mut rig = Self::prepare();
        rig.clock = clock;
        let listen = "127.0.0.1:0".parse().unwrap();
        rig.registration = Some(RegistrationConfig {
            listen: Some(listen),
            ca_hash: Some(ca_hash),
            // The control plane of the test does not dial it.
            ..registration(server, "host.example:50051".parse().unwrap())
        });
        rig.start_again().await;
        rig
    }

    /// A host on which one sandbox runs.
    pub(crate) async fn with_sandbox() -> (Self, SandboxSpec) {
        let (rig, desired) = (Self::start().await, spec());
        let created = rig.registry().create_sandbox(desired.clone()).await;
        created.unwrap();
        (rig, desired)
    }

    fn run_dir(&self) -> PathBuf {
        Path::new("/run").join(format!("locule-{}", self.instance))
    }

    pub(crate) async fn start_again(&self) {
        self.try_to_start().await.unwrap();
    }

    pub(crate) async fn try_to_start(&self) -> Result<(), RunError> {
        let config = Config {
            data_dir: self.folder.path().join("agent"),
            run_dir: self.run_dir(),
            instance: self.instance.clone(),
            images: if self.fetches {
                ImageSource::ControlPlane
            } else {
                ImageSource::Folder(self.stub.clone().unwrap_or_else(images))
            },
            accelerator: AcceleratorSetting::Tcg,
            kvm_probe_limit: Duration::ZERO,
            qemu: self.stub.as_ref().map(|_| binary("locule-stub-vmm")),
            warm_max: self.warm.load(std::sync::atomic::Ordering::Relaxed),
            pool_bytes: Some(3 << 30),
            on_stop: OnStop::Pause,
            peer: None,
            limits: Limits::default(),
            warm_shapes: vec![Shape {
                vcpus: 1,
                memory_mib: 256,
            }],
            registration: self.registration.clone(),
        };
        let agent = Agent::start_at(config, Tasks::new(), self.clock.clone());
        *self.agent.lock().unwrap() = Some(agent.await?);
        Ok(())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir().join("agent.sock")
    }

    /// Where a control plane on another machine reaches the agent.
    pub(crate) fn tls_address(&self) -> String {
        let agent = self.agent.lock().unwrap();
        agent.as_ref().unwrap().tls_address().unwrap().to_string()
    }

    pub(crate) fn pool(&self) -> PathBuf {
        self.folder.path().join("agent/pool")
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.agent.lock().unwrap().as_ref().unwrap().registry()
    }

    pub(crate) async fn stop(&self, on_stop: OnStop) {
        let agent = self.agent.lock().unwrap().take().unwrap();
        agent.stop(on_stop).await.unwrap();
    }

    /// Waits until the agent wants to leave, and lets it leave.
    pub(crate) async fn leave(&self) {
        let agent = self.agent.lock().unwrap().take().unwrap();
        let left = tokio::time::timeout(Duration::from_mins(1), agent.left()).await;
        left.expect("the agent did not leave");
        agent.leave(std::future::pending()).await.unwrap();
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("agent")
    }

    /// The pids of this instance's VMMs.
    pub(crate) fn vmms(&self) -> Vec<u32> {
        vmms_of(&self.instance)
    }

    /// Makes each pause of a running sandbox fail: a folder lies where the snapshot would.
    pub(crate) fn block_snapshot_of(&self, sandbox: SandboxId) {
        let folder = format!("agent/pool/sandboxes/{}/devices.1", sandbox.as_uuid());
        std::fs::create_dir(self.folder.path().join(folder)).unwrap();
    }

    pub(crate) fn kill_vmm_of(&self, sandbox: SandboxId) {
        let manifest = format!("agent/pool/sandboxes/{}/manifest.json", sandbox.as_uuid());
        let text = std::fs::read(self.folder.path().join(manifest)).unwrap();
        let manifest: Value = serde_json::from_slice(&text).unwrap();
        let pid = manifest["held"]["vmm"]["pid"].as_i64().unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }

    /// Asserts that this instance has left nothing on the machine.
    pub(crate) fn assert_clean(&self) {
        assert!(self.vmms().is_empty());
        let left = |folder: &str, what: &str| {
            let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
            names
                .filter(|entry| entry.file_name().to_string_lossy().contains(what))
                .count()
        };
        assert_eq!(left("/run/netns", &self.instance), 0, "namespaces");
        assert_eq!(left("/sys/class/net", &self.instance), 0, "devices");
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(
            !mounts.contains(self.folder.path().to_str().unwrap()),
            "the pool is still mounted"
        );
        std::fs::remove_dir_all(self.run_dir()).unwrap();
    }

    async fn send(
        &self,
        sandbox: SandboxId,
        port: u16,
        path: &str,
        user: &str,
        body: Option<Vec<u8>>,
    ) -> Response<ExchangeBody> {
        let user = base64::engine::general_purpose::STANDARD.encode(format!("{user}:"));
        let stream = tokio::net::UnixStream::connect(self.run_dir().join("agent.sock"))
            .await
            .unwrap();
        let uri = format!("/proxy/{sandbox}/{port}/{path}");
        let request = match body {
            None => Request::get(uri).body(Full::default()),
            Some(body) => Request::post(uri)
                .header("content-type", "application/connect+json")
                .header("connect-protocol-version", "1")
                .header("x-access-token", TOKEN)
                .header("authorization", format!("Basic {user}"))
                .body(Full::new(Bytes::from(body))),
        };
        exchange(stream, request.unwrap()).await.unwrap()
    }

    pub(crate) async fn get(
        &self,
        sandbox: SandboxId,
        port: u16,
        path: &str,
    ) -> Response<ExchangeBody> {
        self.send(sandbox, port, path, "user", None).await
    }

    pub(crate) async fn start_process(
        &self,
        sandbox: SandboxId,
        command: &str,
    ) -> Response<ExchangeBody> {
        self.start_process_as(sandbox, "user", command).await
    }

    async fn start_process_as(
        &self,
        sandbox: SandboxId,
        user: &str,
        command: &str,
    ) -> Response<ExchangeBody> {
        let message = json!({
            "process": { "cmd": "/bin/bash", "args": ["-l", "-c", command] }, "stdin": false,
        });
        let message = message.to_string().into_bytes();
        let mut frame = vec![0];
        frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(&message);
        let response = self
            .send(sandbox, 49983, "process.Process/Start", user, Some(frame))
            .await;
        assert_eq!(response.status(), 200);
        response
    }

    /// Starts a command without waiting for its exit.
    pub(crate) async fn spawn(&self, sandbox: SandboxId, command: &str) {
        let mut body = self.start_process(sandbox, command).await.into_body();
        body.frame().await.unwrap().unwrap();
    }

    pub(crate) async fn exec(&self, sandbox: SandboxId, command: &str) -> CommandResult {
        self.exec_as(sandbox, "user", command).await
    }

    pub(crate) async fn exec_as(
        &self,
        sandbox: SandboxId,
        user: &str,
        command: &str,
    ) -> CommandResult {
        let response = self.start_process_as(sandbox, user, command).await;
        let mut body = response.into_body();
        let (mut bytes, mut ran) = (Vec::new(), CommandResult::default());
        while let Some(frame) = body.frame().await {
            if let Ok(frame) = frame {
                bytes.extend_from_slice(frame.data_ref().unwrap());
            } else {
                ran.broken = true;
                break;
            }
        }
        let mut rest = bytes.as_slice();
        while rest.len() >= 5 {
            let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
            if rest[0] == 0 {
                ran.take(&serde_json::from_slice(&rest[5..5 + length]).unwrap());
            }
            rest = &rest[5 + length..];
        }
        ran
    }

    pub(crate) async fn wait_for(&self, sandbox: SandboxId, state: ReportedState, reason: &str) {
        eventually(reason, async || {
            let reports = self.registry().list_sandboxes().await.unwrap();
            let report = reports
                .iter()
                .find(|report| report.sandbox == sandbox)
                .unwrap();
            report.state == state && report.reason.as_deref() == Some(reason)
        })
        .await;
    }
}

impl CommandResult {
    fn take(&mut self, message: &Value) {
        let text = |value: &Value| {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(value.as_str().unwrap())
                .unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let event = &message["event"];
        if let Some(data) = event["data"].as_object() {
            for (stream, value) in data {
                let to = if stream == "stdout" {
                    &mut self.stdout
                } else {
                    &mut self.stderr
                };
                to.push_str(&text(value));
            }
        }
        if event["end"].is_object() {
            self.exit_code = event["end"]["exitCode"].as_i64().unwrap_or(0);
        }
    }
}
