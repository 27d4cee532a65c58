//! A restored guest has a new clock, names, secrets and random numbers before any user process runs. The ids of the machine are
//! those of its sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use chrono::{DateTime, Utc};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use locule_agent::OnStop;
use locule_agent_api::http1::exchange;
use locule_agent_api::{HostAgent as _, ResumeSandbox, SandboxSpec};
use locule_base::clock::SystemClock;
use locule_guest_api::control::InitRequest;
use locule_guest_api::{CONTROL_KEY_HEADER, GUEST_PORT};
use locule_net::{HostNet, NetOptions, SandboxNet};
use locule_testkit::eventually;
use locule_vmm::{
    AcceleratorKind, Machine, MemorySource, Qemu, Shape, VmSpec, Vmm as _, seal_memory,
};
use serde_json::Value;

use crate::rig::{Rig, TOKEN, images, order, resume, spec};

const PATIENCE: Duration = Duration::from_mins(1);
const CLOCK_TOLERANCE: chrono::TimeDelta = chrono::TimeDelta::milliseconds(50);
const CLONES: u16 = 10;

fn now() -> DateTime<Utc> {
    SystemClock::shared().now()
}

#[derive(Debug, PartialEq, Eq)]
struct GuestIdentity {
    hostname: String,
    machine_id: String,
    boot_id: String,
    sandbox_id: String,
    /// Must differ between any two restores.
    random: String,
}

/// The least possible error of the guest's clock, from several round trips: the guest reads it between request and answer.
async fn clock_error(rig: &Rig, desired: &SandboxSpec) -> chrono::TimeDelta {
    let mut error = chrono::TimeDelta::zero();
    for _ in 0..5 {
        let asked = now();
        let out = rig.exec(desired.order.sandbox, "date +%s%N").await;
        let answered = now();
        let guest_time = DateTime::from_timestamp_nanos(out.stdout.trim().parse().unwrap());
        error = error.max(asked - guest_time).max(guest_time - answered);
    }
    error
}

async fn check_identity(rig: &Rig, desired: &SandboxSpec) -> GuestIdentity {
    let error = clock_error(rig, desired).await;
    assert!(error <= CLOCK_TOLERANCE, "the clock is wrong by {error}");
    let ask = "hostname; cat /etc/hostname /etc/machine-id /proc/sys/kernel/random/boot_id; echo $E2B_SANDBOX_ID; cat /proc/sys/kernel/random/uuid";
    let out = rig.exec(desired.order.sandbox, ask).await.stdout;
    let lines: Vec<&str> = out.lines().collect();
    let [hostname, written, machine_id, boot_id, sandbox_id, random] = lines[..] else {
        panic!("{out}");
    };
    let body = desired.order.sandbox.base36();
    assert_eq!(hostname, format!("sb-{}", &body[..12]));
    assert_eq!(written, hostname);
    assert_eq!(sandbox_id, body);
    assert!(machine_id.len() == 32 && machine_id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(status(rig, desired, &desired.access_token).await, 200);
    assert_eq!(status(rig, desired, "token of another sandbox").await, 401);
    GuestIdentity {
        hostname: hostname.to_owned(),
        machine_id: machine_id.to_owned(),
        boot_id: boot_id.to_owned(),
        sandbox_id: sandbox_id.to_owned(),
        random: random.to_owned(),
    }
}

/// The status of the guest's answer to a request with this token.
async fn status(rig: &Rig, desired: &SandboxSpec, token: &str) -> StatusCode {
    let stream = tokio::net::UnixStream::connect(rig.socket()).await.unwrap();
    let request = Request::get(format!("/proxy/{}/49983/envs", desired.order.sandbox))
        .header("host", "guest")
        .header("x-access-token", token)
        .body(Full::<Bytes>::default())
        .unwrap();
    exchange(stream, request).await.unwrap().status()
}

/// The identities of different sandboxes.
fn assert_all_differ(identities: &[&GuestIdentity]) {
    let distinct = |what: fn(&GuestIdentity) -> &String| {
        let set: BTreeSet<_> = identities.iter().map(|identity| what(identity)).collect();
        assert_eq!(set.len(), identities.len(), "{identities:?}");
    };
    distinct(|identity| &identity.machine_id);
    distinct(|identity| &identity.boot_id);
    distinct(|identity| &identity.random);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_resumed_or_pooled_sandbox_has_an_identity_of_its_own() {
    let rig = Rig::start().await;
    let (first, second) = (spec(), spec());
    for desired in [&first, &second] {
        rig.registry()
            .create_sandbox(desired.clone())
            .await
            .unwrap();
    }
    let created = check_identity(&rig, &first).await;
    let other = check_identity(&rig, &second).await;
    assert_ne!(created.hostname, other.hostname);
    assert_ne!(created.sandbox_id, other.sandbox_id);

    let hook = "mkdir -p /etc/locule/after-restore.d && cd /etc/locule/after-restore.d && \
        printf '#!/bin/sh\\ndate +%%s%%N >> /hooks\\nhostname >> /hooks\\n' > 10-note && chmod +x 10-note && \
        echo 'exit 1' > 00-fails && chmod +x 00-fails && echo 'touch /never' > 20-no-program";
    let written = rig.exec_as(first.order.sandbox, "root", hook).await;
    assert_eq!(written.exit_code, 0, "{written:?}");
    let pause = order(&first, 2);
    rig.registry().pause_sandbox(pause).await.unwrap();
    let resumed_at = now();
    let token = "token after the resume";
    let renewed = ResumeSandbox {
        access_token: token.to_owned(),
        ..resume(&first, 3)
    };
    rig.registry().resume_sandbox(renewed).await.unwrap();
    assert_eq!(status(&rig, &first, token).await, 200);
    assert_eq!(status(&rig, &first, TOKEN).await, 401, "the old token");
    // Another resume, with the token that the rest of this test uses.
    let pause = order(&first, 4);
    rig.registry().pause_sandbox(pause).await.unwrap();
    rig.registry()
        .resume_sandbox(resume(&first, 5))
        .await
        .unwrap();
    let resumed = check_identity(&rig, &first).await;
    assert_all_differ(&[&other, &resumed]);
    let ids = |of: &GuestIdentity| (of.machine_id.clone(), of.boot_id.clone());
    assert_eq!(ids(&resumed), ids(&created), "the ids of a sandbox stay");
    assert_ne!(resumed.random, created.random);
    let noted = rig.exec(first.order.sandbox, "cat /hooks; ls /never").await;
    let lines: Vec<&str> = noted.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "once per resume: {noted:?}");
    let ran = DateTime::from_timestamp_nanos(lines[0].parse().unwrap());
    assert!(
        ran + CLOCK_TOLERANCE >= resumed_at,
        "the clock is set before hooks run"
    );
    assert_eq!(lines[1], resumed.hostname);
    assert_ne!(
        noted.exit_code, 0,
        "a hook that is not executable must not run"
    );

    // The same for a sandbox from the warm pool.
    rig.stop(OnStop::Pause).await;
    rig.warm.store(1, Ordering::Relaxed);
    rig.start_again().await;
    let warm = async || -> u32 {
        let levels = rig.registry().host().await.unwrap().warm;
        levels.iter().map(|level| level.warm).sum()
    };
    eventually("the warm pool has a VM", async || warm().await == 1).await;
    let third = spec();
    rig.registry().create_sandbox(third.clone()).await.unwrap();
    let claimed = check_identity(&rig, &third).await;
    assert_all_differ(&[&other, &resumed, &claimed]);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}

/// The files of a paused sandbox, and the key that its guest expects from the host.
struct Snapshot {
    folder: tempfile::TempDir,
    control_key: String,
    memory: Arc<std::os::fd::OwnedFd>,
}

impl Snapshot {
    fn copy(rig: &Rig, desired: &SandboxSpec) -> Self {
        let from = rig
            .pool()
            .join("sandboxes")
            .join(desired.order.sandbox.as_uuid().to_string());
        let manifest = std::fs::read(from.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let number = manifest["held"]["image"].as_u64().unwrap();
        // In the pool, where a copy is a cheap clone.
        let folder = tempfile::tempdir_in(rig.pool()).unwrap();
        for what in ["memory", "devices", "disk"] {
            let from = from.join(format!("{what}.{number}"));
            locule_disk::clone_file(&from, &folder.path().join(what)).unwrap();
        }
        let memory = File::open(folder.path().join("memory")).unwrap();
        Self {
            control_key: manifest["control_key"].as_str().unwrap().to_owned(),
            memory: Arc::new(seal_memory(&memory).unwrap()),
            folder,
        }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

/// A VM that was restored from a snapshot and has not received its identity.
struct Clone {
    net: SandboxNet,
    machine: Box<dyn Machine>,
}

impl Clone {
    async fn restore(snapshot: &Snapshot, host: &HostNet, qemu: &Qemu, number: u16) -> Self {
        let net = host.create(number).await.unwrap();
        let disk = snapshot.file(&format!("disk.{number}"));
        locule_disk::clone_file(&snapshot.file("disk"), &disk).unwrap();
        let disk = File::options().read(true).write(true).open(disk).unwrap();
        let open = |name: &str| Arc::new(File::open(images().join(name)).unwrap());
        let names = bundle();
        let machine = qemu.start(VmSpec {
            name: format!("locule-clone-{}-{number}", std::process::id()),
            machine: None,
            shape: Shape {
                vcpus: 1,
                memory_mib: 256,
            },
            uid: host.first_uid() + u32::from(number),
            memory: MemorySource::Sealed(snapshot.memory.clone()),
            kernel: open(&names[0]),
            initramfs: open(&names[1]),
            cmdline: "console=ttyS0 quiet panic=-1".to_owned(),
            disk: disk.into(),
            tap: net.open_tap().unwrap(),
            mac: locule_net::GUEST_MAC.to_owned(),
            console: File::create(snapshot.file("console")).unwrap().into(),
            control: snapshot.file(&format!("{number}.qmp")),
            log: snapshot.file("log"),
            restore: true,
        });
        let mut machine = machine.await.unwrap();
        let devices = File::open(snapshot.file("devices")).unwrap();
        machine.load_devices(devices).await.unwrap();
        machine.cont().await.unwrap();
        Self { net, machine }
    }

    async fn call(&self, request: Request<Full<Bytes>>) -> (StatusCode, Bytes) {
        let stream = self.net.connect(GUEST_PORT, PATIENCE).await.unwrap();
        let response = exchange(stream, request).await.unwrap();
        let status = response.status();
        (
            status,
            response.into_body().collect().await.unwrap().to_bytes(),
        )
    }

    /// The random values that the user's process has drawn so far.
    async fn drawn(&self) -> Vec<String> {
        let request = Request::get("/files?path=/dev/shm/drawn&username=user")
            .header("host", "guest")
            .header("x-access-token", TOKEN);
        let (status, body) = self.call(request.body(Full::default()).unwrap()).await;
        assert_eq!(status, 200);
        let text = String::from_utf8(body.to_vec()).unwrap();
        let lines = text.split_inclusive('\n');
        lines
            .filter(|line| line.ends_with('\n'))
            .map(str::to_owned)
            .collect()
    }

    async fn init(&self, key: &str, number: u16) {
        let entropy: [u8; 32] = rand::random();
        let request = InitRequest {
            new_control_key: None,
            access_token: None,
            sandbox_id: format!("clone{number}"),
            template_id: String::new(),
            hostname: format!("clone{number}"),
            env_vars: BTreeMap::new(),
            default_user: None,
            default_workdir: None,
            timestamp_unix_nanos: now().timestamp_nanos_opt().unwrap(),
            entropy: base64::engine::general_purpose::STANDARD.encode(entropy),
            run_hooks: false,
            standby: false,
        };
        let body = serde_json::to_vec(&request).unwrap();
        let request = Request::post("/init")
            .header("host", "guest")
            .header("content-type", "application/json")
            .header(CONTROL_KEY_HEADER, key)
            .body(Full::from(body));
        let (status, body) = self.call(request.unwrap()).await;
        assert_eq!(status, 200, "{body:?}");
    }
}

/// The file names of kernel and initramfs in the bundle.
fn bundle() -> [String; 2] {
    let text = std::fs::read(images().join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    ["kernel", "initramfs"].map(|what| manifest[what]["file"].as_str().unwrap().to_owned())
}

/// Restores a clone and returns the random values that its process draws after the restore.
async fn draws(snapshot: &Snapshot, host: &HostNet, qemu: &Qemu, number: u16) -> BTreeSet<String> {
    let mut clone = Clone::restore(snapshot, host, qemu, number).await;
    // The VM runs and its guest agent answers, but the user's process draws nothing.
    let before = clone.drawn().await;
    for _ in 0..5 {
        assert_eq!(
            clone.drawn().await.len(),
            before.len(),
            "the process is frozen"
        );
    }
    clone.init(&snapshot.control_key, number).await;
    let after = async {
        loop {
            let all = clone.drawn().await;
            if all.len() > before.len() + 20 {
                return all;
            }
        }
    };
    let after = tokio::time::timeout(PATIENCE, after).await.unwrap();
    clone.machine.end().await.unwrap();
    host.destroy(number).await.unwrap();
    assert_eq!(
        after[..before.len()],
        before,
        "the process continues where it was"
    );
    // The first value may have been drawn before the snapshot and written after it.
    after[before.len() + 1..].iter().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_clones_of_one_snapshot_draw_no_random_number_twice() {
    let (rig, desired) = Rig::with_sandbox().await;
    let draw = "(while read -r x < /proc/sys/kernel/random/uuid; do echo $x >> /dev/shm/drawn; done) > /dev/null 2>&1 &";
    rig.exec(desired.order.sandbox, draw).await;
    let drawing = "while ! [ -s /dev/shm/drawn ]; do :; done";
    assert_eq!(rig.exec(desired.order.sandbox, drawing).await.exit_code, 0);
    let pause = order(&desired, 2);
    assert!(
        !rig.registry()
            .pause_sandbox(pause)
            .await
            .unwrap()
            .unresponsive
    );
    let snapshot = Snapshot::copy(&rig, &desired);
    let folder = tempfile::tempdir().unwrap();
    let instance = format!("{:08x}", rand::random::<u32>());
    let host = HostNet::open(&instance, folder.path(), NetOptions::default());
    let host = host.await.unwrap();
    let qemu = Qemu::find(AcceleratorKind::Tcg, None).await.unwrap();
    let mut seen = BTreeSet::new();
    for number in 0..CLONES {
        let drawn = draws(&snapshot, &host, &qemu, number).await;
        assert!(drawn.len() >= 20);
        let shared: Vec<_> = seen.intersection(&drawn).collect();
        assert!(shared.is_empty(), "clone {number}: {shared:?}");
        seen.extend(drawn);
    }
    host.close().await.unwrap();
    drop(snapshot);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
    assert!(
        !Path::new("/run/netns")
            .join(format!("locule-{instance}-0"))
            .exists()
    );
}
