//! Everything it tries, and that nothing of it works.

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

/// What is tried, its order to the prober, and what comes of it.
struct Attempt {
    what: &'static str,
    order: String,
    jailed: &'static str,
    /// What comes of it without a jail, where that says something.
    free: Option<&'static str>,
}

fn attempt(what: &'static str, order: impl Into<String>, jailed: &'static str) -> Attempt {
    Attempt {
        what,
        order: order.into(),
        jailed,
        free: None,
    }
}

impl Attempt {
    fn but_freely(mut self, result: &'static str) -> Self {
        self.free = Some(result);
        self
    }
}

async fn none_succeeds(kernel: File, attempts: Vec<Attempt>) {
    let prober = Prober::make(&[]).await;
    let orders: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.order.clone())
        .collect();
    let (mut guest, jailed) = prober.jailed(kernel, &orders).await;
    guest.machine.end().await.unwrap();
    let compared = attempts.iter().filter(|attempt| attempt.free.is_some());
    let compared: Vec<_> = compared.map(|attempt| attempt.order.clone()).collect();
    let free = prober.free(&compared).await;
    let mut wrong = Vec::new();
    for Attempt {
        what,
        order,
        jailed: expected,
        free: freely,
    } in &attempts
    {
        let got = jailed.get(order).map_or("no answer", String::as_str);
        if got != *expected {
            wrong.push(format!("{what} ({order}): {got} instead of {expected}"));
        }
        let got = free.get(order).map(String::as_str);
        if got != *freely {
            wrong.push(format!(
                "{what}, without a jail ({order}): {got:?} instead of {freely:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn some_kernel() -> File {
    tempfile::tempfile().unwrap()
}

#[tokio::test]
async fn no_file_of_the_host_is_in_reach() {
    let data = open_folder();
    let file = |name: &str| {
        let path = data.path().join(name);
        std::fs::write(&path, "secret").unwrap();
        open_to_all(&path, 0o666);
        path.display().to_string()
    };
    let gone = |what, verb: &str, name: &str| {
        attempt(what, format!("{verb} {}", file(name)), ENOENT).but_freely(DONE)
    };
    let new = data.path().join("new").display().to_string();
    none_succeeds(
        some_kernel(),
        vec![
            gone("read the golden image", "read", "golden.memory"),
            gone("write the golden image", "write", "golden.devices"),
            gone("read another sandbox's memory", "read", "memory.1"),
            gone("write another sandbox's disk", "write", "disk"),
            gone(
                "read a manifest, with its control key",
                "read",
                "manifest.json",
            ),
            gone("read the platform key", "read", "platform.key"),
            gone("remove another sandbox's file", "remove", "disk.2"),
            attempt(
                "create a file in the data directory",
                format!("create {new}"),
                ENOENT,
            )
            .but_freely(DONE),
            attempt("read the users", "read /etc/passwd", ENOENT).but_freely(DONE),
            attempt("look into root's home", "list /root", ENOENT),
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
            attempt(
                "use what it has: nothing is written",
                "write /dev/null",
                DONE,
            ),
            attempt("use what it has: randomness", "read /dev/urandom", DONE),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_it_was_handed_is_all_it_can_change() {
    // Readable by all, as an installed image bundle is.
    let kernel = tempfile::NamedTempFile::new().unwrap();
    open_to_all(kernel.path(), 0o644);
    let own = |what, order: &str, jailed| attempt(what, order, jailed);
    none_succeeds(
        kernel.reopen().unwrap(),
        vec![
            own("write the sealed image", "image-write", EPERM),
            own("map the sealed image for writing", "image-map", EPERM),
            own("write the kernel of all", "kernel-write", EACCES),
            own("write the initramfs of all", "initramfs-write", EACCES),
            own("write its own disk", "disk-grow 4096", DONE),
            own(
                "fill the pool through its disk",
                "disk-grow 67108864",
                EFBIG,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn no_socket_reaches_anybody() {
    let folder = open_folder();
    let mut listeners = Vec::new();
    let mut socket = |name: &str| {
        let path = folder.path().join(name);
        listeners.push(UnixListener::bind(&path).unwrap());
        open_to_all(&path, 0o777);
        path.display().to_string()
    };
    let mut gone =
        |what, name| attempt(what, format!("connect {}", socket(name)), ENOENT).but_freely(DONE);
    let mut attempts = vec![
        gone("speak to another VMM's control channel", "1.qmp"),
        gone("speak to the agent", "agent.sock"),
        gone("speak to PostgreSQL", ".s.PGSQL.5432"),
        gone("speak to Redis", "redis.sock"),
    ];
    let name = format!("locule-test-{}", std::process::id());
    let hidden = SocketAddr::from_abstract_name(&name).unwrap();
    let _hidden = UnixListener::bind_addr(&hidden).unwrap();
    let hidden = format!("abstract {name}");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = format!("inet {}", tcp.local_addr().unwrap());
    attempts.extend([
        attempt(
            "speak to an abstract socket of the host",
            hidden,
            ECONNREFUSED,
        )
        .but_freely(DONE),
        attempt("speak to the host's loopback", local, ENETUNREACH).but_freely(DONE),
        attempt("reach the internet", "inet 1.1.1.1:80", ENETUNREACH),
        attempt(
            "reach the metadata address",
            "inet 169.254.169.254:80",
            ENETUNREACH,
        ),
        attempt(
            "speak to its guest's network",
            "inet 169.254.0.21:80",
            ENETUNREACH,
        ),
        attempt("open netlink", "socket 16", EPERM).but_freely(DONE),
        attempt("open a packet socket", "socket 17", EPERM),
        attempt("reach the hypervisor's vsock", "socket 40", EPERM),
        attempt("reach the kernel's ciphers", "socket 38", EPERM),
    ]);
    none_succeeds(some_kernel(), attempts).await;
}

#[tokio::test]
async fn no_process_is_in_reach() {
    // Of the very same user: only the namespaces are between them.
    #[expect(
        clippy::disallowed_methods,
        reason = "runs beside the test until it is killed"
    )]
    let victim = std::process::Command::new("setpriv")
        .args([format!("--reuid={UID}"), format!("--regid={UID}")])
        .args(["--clear-groups", "sleep", "300"])
        .spawn()
        .unwrap();
    let victim = Victim(victim);
    let other = super::waiting_qemu().await;
    let _reaper: &Reaper = &other.reaper;
    eventually("the victim's own user", async || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", victim.0.id())).unwrap();
        status.contains(&format!("Uid:\t{UID}\t{UID}\t")) && status.starts_with("Name:\tsleep")
    })
    .await;
    let neighbour = other.reaper.0.pid;
    none_succeeds(
        some_kernel(),
        vec![
            attempt(
                "signal a process of its user",
                format!("kill {}", victim.0.id()),
                ESRCH,
            )
            .but_freely(DONE),
            attempt("signal another VMM", format!("kill {neighbour}"), ESRCH).but_freely(DONE),
            attempt(
                "trace a process",
                format!("attach {}", victim.0.id()),
                EPERM,
            )
            .but_freely(DONE),
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
            .but_freely(DONE),
            attempt("read the kernel's symbols", "read /proc/kallsyms", ENOENT).but_freely(DONE),
            attempt(
                "change the kernel's settings",
                "write /proc/sys/kernel/core_pattern",
                ENOENT,
            ),
            attempt(
                "spare itself when memory runs out",
                "write /proc/self/oom_score_adj",
                EROFS,
            )
            .but_freely(DONE),
        ],
    )
    .await;
}

#[tokio::test]
async fn no_right_is_gained() {
    let namespace = 0x0002_0000;
    let user_namespace = 0x1000_0000;
    none_succeeds(
        some_kernel(),
        vec![
            attempt("mount", "mount /dev", EPERM),
            attempt("make its root writable", "remount /", EPERM),
            attempt("take a mount off", "umount /proc", EPERM),
            attempt("change its root", "chroot /dev", EPERM),
            attempt(
                "make a mount namespace",
                format!("unshare {namespace}"),
                EPERM,
            ),
            attempt(
                "make a user namespace",
                format!("unshare {user_namespace}"),
                EPERM,
            )
            .but_freely(DONE),
            attempt("enter a namespace", "setns 0", EPERM),
            attempt("become root", "root", EPERM),
            attempt("go first on the processor", "priority -10", EACCES),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_setuid_program_gives_it_nothing() {
    let prober = Prober::make(&[]).await;
    let folder = open_folder();
    let privileged = folder.path().join("privileged");
    std::fs::copy(&prober.program, &privileged).unwrap();
    open_to_all(&privileged, 0o4755);
    let free = format!("whoami {}", privileged.display());
    let said = prober.free(std::slice::from_ref(&free)).await;
    assert_eq!(said[&free], "0", "it works outside");
    let order = "kernel-whoami".to_owned();
    let kernel = File::open(&privileged).unwrap();
    let (mut guest, said) = prober.jailed(kernel, std::slice::from_ref(&order)).await;
    assert_eq!(said[&order], UID.to_string());
    guest.machine.end().await.unwrap();
}

#[tokio::test]
async fn with_kvm_it_may_open_that_device_as_well_and_is_in_no_group_for_it() {
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
    let orders = ["write /dev/kvm", "groups"];
    assert_eq!(prober.jailed_once(&orders).await, [DONE, "0"]);
}

#[tokio::test]
async fn it_dumps_no_core_and_its_threads_are_counted() {
    let prober = Prober::make(&[]).await;
    let said = prober.jailed_once(&["dump", "threads"]).await;
    assert_eq!(said[0], "signal Some(6) dumped false");
    let threads: usize = said[1].parse().unwrap();
    assert!((100..512).contains(&threads), "{threads}");
}

/// Killed and reaped at the end.
struct Victim(std::process::Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
