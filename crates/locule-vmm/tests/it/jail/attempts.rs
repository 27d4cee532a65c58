//! Attempts of a compromised VMM to break out of its jail. None succeeds.

use std::fs::File;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use locule_testkit::eventually;
use locule_vmm::{AcceleratorKind, Qemu};

use super::{Prober, open_folder, open_to_all};
use crate::guest::{Reaper, UID};

const EPERM: &str = "errno 1";
const ENOENT: &str = "errno 2";
const ESRCH: &str = "errno 3";
const EACCES: &str = "errno 13";
const EFBIG: &str = "errno 27";
const EROFS: &str = "errno 30";
const ENETUNREACH: &str = "errno 101";
const ECONNREFUSED: &str = "errno 111";
const DONE: &str = "done";

/// An attempt: its description, the command for the prober, and the expected result.
struct Attempt {
    what: &'static str,
    command: String,
    jailed: &'static str,
    /// The expected result without a jail, where it shows that the jail is the reason.
    unjailed: Option<&'static str>,
}

fn attempt(what: &'static str, command: impl Into<String>, jailed: &'static str) -> Attempt {
    Attempt {
        what,
        command: command.into(),
        jailed,
        unjailed: None,
    }
}

impl Attempt {
    fn but_unjailed(mut self, result: &'static str) -> Self {
        self.unjailed = Some(result);
        self
    }
}

async fn assert_results(kernel: File, attempts: Vec<Attempt>) {
    let prober = Prober::make(&[]).await;
    let commands: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.command.clone())
        .collect();
    let (mut guest, jailed) = prober.jailed(kernel, &commands).await;
    guest.machine.end().await.unwrap();
    let compared = attempts.iter().filter(|attempt| attempt.unjailed.is_some());
    let compared: Vec<_> = compared.map(|attempt| attempt.command.clone()).collect();
    let unjailed = prober.unjailed(&compared).await;
    let mut wrong = Vec::new();
    for Attempt {
        what,
        command,
        jailed: expected,
        unjailed: expected_unjailed,
    } in &attempts
    {
        let got = jailed.get(command).map_or("no answer", String::as_str);
        if got != *expected {
            wrong.push(format!("{what} ({command}): {got} instead of {expected}"));
        }
        let got = unjailed.get(command).map(String::as_str);
        if got != *expected_unjailed {
            wrong.push(format!(
                "{what}, without a jail ({command}): {got:?} instead of {expected_unjailed:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn empty_kernel() -> File {
    tempfile::tempfile().unwrap()
}

#[tokio::test]
async fn a_vmm_reaches_no_file_of_the_host() {
    let data = open_folder();
    let file = |name: &str| {
        let path = data.path().join(name);
        std::fs::write(&path, "secret").unwrap();
        open_to_all(&path, 0o666);
        path.display().to_string()
    };
    let hidden = |what, verb: &str, name: &str| {
        attempt(what, format!("{verb} {}", file(name)), ENOENT).but_unjailed(DONE)
    };
    let new = data.path().join("new").display().to_string();
    assert_results(
        empty_kernel(),
        vec![
            hidden("read the template's memory", "read", "golden.memory"),
            hidden(
                "write the template's device state",
                "write",
                "golden.devices",
            ),
            hidden("read another sandbox's memory", "read", "memory.1"),
            hidden("write another sandbox's disk", "write", "disk"),
            hidden(
                "read a manifest, with its control key",
                "read",
                "manifest.json",
            ),
            hidden("read the platform key", "read", "platform.key"),
            hidden("remove another sandbox's file", "remove", "disk.2"),
            attempt(
                "create a file in the data directory",
                format!("create {new}"),
                ENOENT,
            )
            .but_unjailed(DONE),
            attempt("read the user database", "read /etc/passwd", ENOENT).but_unjailed(DONE),
            attempt("list root's home", "list /root", ENOENT),
            attempt("read the host's devices", "list /sys", ENOENT),
            attempt("read the host's disk", "read /dev/vda", ENOENT),
            attempt("read the host's memory", "read /dev/mem", ENOENT),
            attempt("reach the hypervisor without KVM", "write /dev/kvm", ENOENT),
            attempt("make a tap", "write /dev/net/tun", ENOENT),
            attempt("run a shell", "whoami /bin/sh", ENOENT),
            attempt("create a file in its root", "create /file", EROFS),
            attempt("create a file among the devices", "create /dev/file", EROFS),
            attempt("create a folder", "folder /folder", EROFS),
            attempt("remove a device", "remove /dev/null", EROFS),
            attempt("make a device", "device /zero", EROFS),
            attempt("write its own /dev/null", "write /dev/null", DONE),
            attempt("read its own /dev/urandom", "read /dev/urandom", DONE),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_vmm_can_change_no_passed_file_but_its_disk() {
    // Readable by every user, as an installed image bundle is.
    let kernel = tempfile::NamedTempFile::new().unwrap();
    open_to_all(kernel.path(), 0o644);
    assert_results(
        kernel.reopen().unwrap(),
        vec![
            attempt("write the sealed image", "image-write", EPERM),
            attempt("map the sealed image for writing", "image-map", EPERM),
            attempt(
                "write the kernel that all VMMs share",
                "kernel-write",
                EACCES,
            ),
            attempt(
                "write the initramfs that all VMMs share",
                "initramfs-write",
                EACCES,
            ),
            attempt("write its own disk", "disk-grow 4096", DONE),
            attempt(
                "fill the pool through its disk",
                "disk-grow 67108864",
                EFBIG,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_vmm_reaches_no_socket_and_no_network() {
    let folder = open_folder();
    let mut listeners = Vec::new();
    let mut socket = |name: &str| {
        let path = folder.path().join(name);
        listeners.push(UnixListener::bind(&path).unwrap());
        open_to_all(&path, 0o777);
        path.display().to_string()
    };
    let mut hidden =
        |what, name| attempt(what, format!("connect {}", socket(name)), ENOENT).but_unjailed(DONE);
    let mut attempts = vec![
        hidden("connect to another VMM's control channel", "1.qmp"),
        hidden("connect to the agent", "agent.sock"),
        hidden("connect to PostgreSQL", ".s.PGSQL.5432"),
        hidden("connect to Redis", "redis.sock"),
    ];
    let name = format!("locule-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let connect = format!("abstract {name}");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = format!("inet {}", tcp.local_addr().unwrap());
    attempts.extend([
        attempt(
            "connect to an abstract socket of the host",
            connect,
            ECONNREFUSED,
        )
        .but_unjailed(DONE),
        attempt("connect to the host's loopback", local, ENETUNREACH).but_unjailed(DONE),
        attempt("reach the internet", "inet 1.1.1.1:80", ENETUNREACH),
        attempt(
            "reach the metadata address",
            "inet 169.254.169.254:80",
            ENETUNREACH,
        ),
        attempt(
            "connect to its guest's network",
            "inet 169.254.0.21:80",
            ENETUNREACH,
        ),
        attempt("open netlink", "socket 16", EPERM).but_unjailed(DONE),
        attempt("open a packet socket", "socket 17", EPERM),
        attempt("open a vsock socket", "socket 40", EPERM),
        attempt(
            "open a socket of the kernel's crypto API",
            "socket 38",
            EPERM,
        ),
    ]);
    assert_results(empty_kernel(), attempts).await;
}

#[tokio::test]
async fn a_vmm_reaches_no_other_process() {
    // The victim runs as the same user: only the namespaces protect it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the process runs until the test kills it"
    )]
    let victim = std::process::Command::new("setpriv")
        .args([format!("--reuid={UID}"), format!("--regid={UID}")])
        .args(["--clear-groups", "sleep", "300"])
        .spawn()
        .unwrap();
    let victim = Victim(victim);
    let other = super::waiting_qemu().await;
    let _reaper: &Reaper = &other.reaper;
    eventually("the victim's change of user", async || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", victim.0.id())).unwrap();
        status.contains(&format!("Uid:\t{UID}\t{UID}\t")) && status.starts_with("Name:\tsleep")
    })
    .await;
    let neighbour = other.reaper.0.pid;
    assert_results(
        empty_kernel(),
        vec![
            attempt(
                "signal a process of its user",
                format!("kill {}", victim.0.id()),
                ESRCH,
            )
            .but_unjailed(DONE),
            attempt("signal another VMM", format!("kill {neighbour}"), ESRCH).but_unjailed(DONE),
            attempt(
                "trace a process",
                format!("attach {}", victim.0.id()),
                EPERM,
            )
            .but_unjailed(DONE),
            attempt(
                "read another VMM's memory",
                format!("read /proc/{neighbour}/mem"),
                ENOENT,
            ),
            attempt(
                "find another VMM's files",
                format!("list /proc/{neighbour}/fd"),
                ENOENT,
            ),
            attempt(
                "read the host's command lines",
                "read /proc/cmdline",
                ENOENT,
            )
            .but_unjailed(DONE),
            attempt("read the kernel's symbols", "read /proc/kallsyms", ENOENT).but_unjailed(DONE),
            attempt(
                "change the kernel's settings",
                "write /proc/sys/kernel/core_pattern",
                ENOENT,
            ),
            attempt(
                "lower its own OOM score",
                "write /proc/self/oom_score_adj",
                EROFS,
            )
            .but_unjailed(DONE),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_vmm_gains_no_privilege() {
    let namespace = 0x0002_0000;
    let user_namespace = 0x1000_0000;
    assert_results(
        empty_kernel(),
        vec![
            attempt("mount", "mount /dev", EPERM),
            attempt("remount its root writable", "remount /", EPERM),
            attempt("unmount a file system", "umount /proc", EPERM),
            attempt("change its root", "chroot /dev", EPERM),
            attempt(
                "create a mount namespace",
                format!("unshare {namespace}"),
                EPERM,
            ),
            attempt(
                "create a user namespace",
                format!("unshare {user_namespace}"),
                EPERM,
            )
            .but_unjailed(DONE),
            attempt("enter a namespace", "setns 0", EPERM),
            attempt("become root", "root", EPERM),
            attempt("raise its priority", "priority -10", EACCES),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_vmm_gains_nothing_from_a_setuid_program() {
    let prober = Prober::make(&[]).await;
    let folder = open_folder();
    let privileged = folder.path().join("privileged");
    std::fs::copy(&prober.program, &privileged).unwrap();
    open_to_all(&privileged, 0o4755);
    let unjailed = format!("whoami {}", privileged.display());
    let answers = prober.unjailed(std::slice::from_ref(&unjailed)).await;
    assert_eq!(answers[&unjailed], "0", "the program works without a jail");
    let command = "kernel-whoami".to_owned();
    let kernel = File::open(&privileged).unwrap();
    let (mut guest, answers) = prober.jailed(kernel, std::slice::from_ref(&command)).await;
    assert_eq!(answers[&command], UID.to_string());
    guest.machine.end().await.unwrap();
}

#[tokio::test]
async fn a_vmm_under_kvm_opens_the_kvm_device_without_a_group_for_it() {
    let folder = open_folder();
    let program = crate::compile_with("prober", folder.path(), &[]).await;
    let found = Qemu::find(AcceleratorKind::Kvm, Some(&program)).await;
    if !Path::new("/dev/kvm").exists() {
        let error = found.unwrap_err();
        assert!(error.to_string().contains("/dev/kvm"), "{error}");
        return;
    }
    let prober = Prober {
        vmm: found.unwrap(),
        program,
        _folder: folder,
    };
    let commands = ["write /dev/kvm", "groups"];
    assert_eq!(prober.jailed_once(&commands).await, [DONE, "0"]);
}

#[tokio::test]
async fn a_vmm_dumps_no_core_and_its_threads_are_limited() {
    let prober = Prober::make(&[]).await;
    let answers = prober.jailed_once(&["dump", "threads"]).await;
    assert_eq!(answers[0], "signal Some(6) dumped false");
    let threads: usize = answers[1].parse().unwrap();
    assert!((100..512).contains(&threads), "{threads}");
}

/// A process that is killed and reaped at the end of the test.
struct Victim(std::process::Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
