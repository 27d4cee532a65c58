//! After a restore the guest is new: its clock, its names, its secrets, its random numbers; and nothing of the user's ran in
//! between.

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

/// What is to be different between any two lives.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    hostname: String,
    machine_id: String,
    sandbox_id: String,
    random: String,
}

/// How far the guest's clock is off at least, seen from several round trips: it was read somewhere between asking and answer.
async fn clock_error(rig: &Rig, wanted: &SandboxSpec) -> chrono::TimeDelta {
    let mut error = chrono::TimeDelta::zero();
    for _ in 0..5 {
        let asked = now();
        let out = rig.exec(wanted.order.sandbox, "date +%s%N").await;
        let answered = now();
        let said = DateTime::from_timestamp_nanos(out.stdout.trim().parse().unwrap());
        error = error.max(asked - said).max(said - answered);
    }
    error
}

async fn check_new(rig: &Rig, wanted: &SandboxSpec) -> Identity {
    let error = clock_error(rig, wanted).await;
    assert!(error <= CLOCK_TOLERANCE, "the clock is {error} off");
    let ask = "hostname; cat /etc/hostname /etc/machine-id; echo $E2B_SANDBOX_ID; cat /proc/sys/kernel/random/uuid";
    let out = rig.exec(wanted.order.sandbox, ask).await.stdout;
    let lines: Vec<&str> = out.lines().collect();
    let [hostname, written, machine_id, sandbox_id, random] = lines[..] else {
        panic!("{out}");
    };
    let body = wanted.order.sandbox.base36();
    assert_eq!(hostname, format!("sb-{}", &body[..12]));
    assert_eq!(written, hostname);
    assert_eq!(sandbox_id, body);
    assert!(machine_id.len() == 32 && machine_id.bytes().all(|one| one.is_ascii_hexdigit()));
    assert_eq!(status(rig, wanted, &wanted.access_token).await, 200);
    assert_eq!(status(rig, wanted, "another's token").await, 401);
    Identity {
        hostname: hostname.to_owned(),
        machine_id: machine_id.to_owned(),
        sandbox_id: sandbox_id.to_owned(),
        random: random.to_owned(),
    }
}

/// What the guest answers to whoever shows this token.
async fn status(rig: &Rig, wanted: &SandboxSpec, token: &str) -> StatusCode {
    let stream = tokio::net::UnixStream::connect(rig.socket()).await.unwrap();
    let request = Request::get(format!("/proxy/{}/49983/envs", wanted.order.sandbox))
        .header("host", "guest")
        .header("x-access-token", token)
        .body(Full::<Bytes>::default())
        .unwrap();
    exchange(stream, request).await.unwrap().status()
}

fn strangers(identities: &[&Identity]) {
    let distinct = |what: fn(&Identity) -> &String| {
        let set: BTreeSet<_> = identities.iter().map(|identity| what(identity)).collect();
        assert_eq!(set.len(), identities.len(), "{identities:?}");
    };
    distinct(|identity| &identity.machine_id);
    distinct(|identity| &identity.random);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_is_new_whichever_way_it_came_to_be() {
    let rig = Rig::start().await;
    let (first, second) = (spec(), spec());
    for wanted in [&first, &second] {
        rig.registry().create_sandbox(wanted.clone()).await.unwrap();
    }
    let created = check_new(&rig, &first).await;
    let other = check_new(&rig, &second).await;
    assert_ne!(created.hostname, other.hostname);
    assert_ne!(created.sandbox_id, other.sandbox_id);

    let hook = "mkdir -p /etc/locule/after-restore.d && cd /etc/locule/after-restore.d && \
        printf '#!/bin/sh\\ndate +%%s%%N >> /hooks\\nhostname >> /hooks\\n' > 10-note && chmod +x 10-note && \
        echo 'exit 1' > 00-fails && chmod +x 00-fails && echo 'touch /never' > 20-no-program";
    let written = rig.exec_as(first.order.sandbox, "root", hook).await;
    assert_eq!(written.exit_code, 0, "{written:?}");
    let pause = order(&first, 2);
    rig.registry().pause_sandbox(pause).await.unwrap();
    let back = now();
    let token = "token of the next life";
    let renewed = ResumeSandbox {
        access_token: token.to_owned(),
        ..resume(&first, 3)
    };
    rig.registry().resume_sandbox(renewed).await.unwrap();
    assert_eq!(status(&rig, &first, token).await, 200);
    assert_eq!(status(&rig, &first, TOKEN).await, 401, "its old token");
    // A third life, with the token that the rest of this test knows.
    let pause = order(&first, 4);
    rig.registry().pause_sandbox(pause).await.unwrap();
    rig.registry()
        .resume_sandbox(resume(&first, 5))
        .await
        .unwrap();
    let resumed = check_new(&rig, &first).await;
    strangers(&[&created, &other, &resumed]);
    let noted = rig.exec(first.order.sandbox, "cat /hooks; ls /never").await;
    let lines: Vec<&str> = noted.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "once in each life: {noted:?}");
    let ran = DateTime::from_timestamp_nanos(lines[0].parse().unwrap());
    assert!(ran + CLOCK_TOLERANCE >= back, "hooks find the clock set");
    assert_eq!(lines[1], resumed.hostname);
    assert_ne!(noted.exit_code, 0, "what is not executable is not run");

    // The same for one that waited, warm and stopped, for somebody to ask.
    rig.stop(OnStop::Pause).await;
    rig.warm.store(1, Ordering::Relaxed);
    rig.start_again().await;
    let warm = async || -> u32 {
        let stock = rig.registry().host().await.unwrap().warm;
        stock.iter().map(|kind| kind.warm).sum()
    };
    eventually("a machine waits", async || warm().await == 1).await;
    let third = spec();
    rig.registry().create_sandbox(third.clone()).await.unwrap();
    let claimed = check_new(&rig, &third).await;
    strangers(&[&created, &other, &resumed, &claimed]);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}

/// The files of a paused sandbox, and what its guest takes the host's calls by.
struct Image {
    folder: tempfile::TempDir,
    control_key: String,
    memory: Arc<std::os::fd::OwnedFd>,
}

impl Image {
    fn copy(rig: &Rig, wanted: &SandboxSpec) -> Self {
        let from = rig
            .pool()
            .join("sandboxes")
            .join(wanted.order.sandbox.as_uuid().to_string());
        let manifest = std::fs::read(from.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let number = manifest["held"]["image"].as_u64().unwrap();
        // In the pool, where copies cost nothing.
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

/// One machine that was restored from an image and has not been told who it is.
struct Clone {
    net: SandboxNet,
    machine: Box<dyn Machine>,
}

impl Clone {
    async fn restore(image: &Image, host: &HostNet, qemu: &Qemu, number: u16) -> Self {
        let net = host.create(number).await.unwrap();
        let disk = image.file(&format!("disk.{number}"));
        locule_disk::clone_file(&image.file("disk"), &disk).unwrap();
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
            memory: MemorySource::Sealed(image.memory.clone()),
            kernel: open(&names[0]),
            initramfs: open(&names[1]),
            cmdline: "console=ttyS0 quiet panic=-1".to_owned(),
            disk: disk.into(),
            tap: net.open_tap().unwrap(),
            mac: locule_net::GUEST_MAC.to_owned(),
            console: File::create(image.file("console")).unwrap().into(),
            control: image.file(&format!("{number}.qmp")),
            log: image.file("log"),
            restore: true,
        });
        let mut machine = machine.await.unwrap();
        let devices = File::open(image.file("devices")).unwrap();
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

    /// The values that the user's process has drawn so far.
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

/// Kernel and initramfs, as the bundle names them.
fn bundle() -> [String; 2] {
    let text = std::fs::read(images().join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    ["kernel", "initramfs"].map(|what| manifest[what]["file"].as_str().unwrap().to_owned())
}

/// Restores number `number` and answers what its process drew since.
async fn draws(image: &Image, host: &HostNet, qemu: &Qemu, number: u16) -> BTreeSet<String> {
    let mut clone = Clone::restore(image, host, qemu, number).await;
    // The machine runs and its agent answers, and all that time the user's process draws nothing.
    let before = clone.drawn().await;
    for _ in 0..5 {
        assert_eq!(clone.drawn().await.len(), before.len(), "it is frozen");
    }
    clone.init(&image.control_key, number).await;
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
    assert_eq!(after[..before.len()], before, "it goes on where it was");
    // The first one may have been drawn before the capture and was only written down now.
    after[before.len() + 1..].iter().cloned().collect()
}

/// As a fork will be, from the pieces that there are: one image, restored ten times.
#[tokio::test(flavor = "multi_thread")]
async fn ten_clones_of_one_image_draw_no_random_number_twice() {
    let rig = Rig::start().await;
    let wanted = spec();
    rig.registry().create_sandbox(wanted.clone()).await.unwrap();
    let draw = "(while read -r x < /proc/sys/kernel/random/uuid; do echo $x >> /dev/shm/drawn; done) > /dev/null 2>&1 &";
    rig.exec(wanted.order.sandbox, draw).await;
    let drawing = "while ! [ -s /dev/shm/drawn ]; do :; done";
    assert_eq!(rig.exec(wanted.order.sandbox, drawing).await.exit_code, 0);
    let pause = order(&wanted, 2);
    assert!(
        !rig.registry()
            .pause_sandbox(pause)
            .await
            .unwrap()
            .unresponsive
    );
    let image = Image::copy(&rig, &wanted);
    let folder = tempfile::tempdir().unwrap();
    let instance = format!("{:08x}", rand::random::<u32>());
    let host = HostNet::open(&instance, folder.path(), NetOptions::default());
    let host = host.await.unwrap();
    let qemu = Qemu::find(AcceleratorKind::Tcg, None).await.unwrap();
    let mut seen = BTreeSet::new();
    for number in 0..CLONES {
        let drawn = draws(&image, &host, &qemu, number).await;
        assert!(drawn.len() >= 20);
        let shared: Vec<_> = seen.intersection(&drawn).collect();
        assert!(shared.is_empty(), "clone {number}: {shared:?}");
        seen.extend(drawn);
    }
    host.close().await.unwrap();
    drop(image);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
    assert!(
        !Path::new("/run/netns")
            .join(format!("locule-{instance}-0"))
            .exists()
    );
}
