//! From the kernel's first instruction in user space to a machine with a root filesystem and a network.
//!
//! Anything that goes wrong here is fatal and is said on the console: there is nobody to report to yet.

use std::ffi::CString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};

use crate::wire;

/// Where user processes live; frozen as one.
pub(crate) const USER_CGROUP: &str = "/sys/fs/cgroup/user";
/// Where processes run while this guest is nobody's sandbox yet.
pub(crate) const HELD_CGROUP: &str = "/sys/fs/cgroup/held";

/// One line on the console.
pub(crate) fn say(line: &str) {
    let console = fs::OpenOptions::new().write(true).open("/dev/console");
    // Without a console there is nobody to tell.
    let _ = match console {
        Ok(mut console) => writeln!(console, "locule-guest: {line}"),
        Err(_) => writeln!(std::io::stderr(), "locule-guest: {line}"),
    };
}

/// Brings the machine up.
pub(crate) fn run() -> Result<()> {
    mount_at(
        "proc",
        "/proc",
        "proc",
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        "",
    )?;
    mount_at(
        "sysfs",
        "/sys",
        "sysfs",
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        "",
    )?;
    mount_at(
        "devtmpfs",
        "/dev",
        "devtmpfs",
        MsFlags::MS_NOSUID,
        "mode=0755",
    )?;
    // The host's probe of its accelerator waits for this line.
    say("booting");
    load_modules()?;
    wait_for_disk("/dev/vda");
    mount_at("/dev/vda", "/newroot", "ext4", MsFlags::MS_NOATIME, "")?;
    change_root().context("change root")?;
    mount_the_rest()?;
    wire::up().context("bring up the network")?;
    write_name_server();
    Ok(())
}

fn mount_at(source: &str, target: &str, kind: &str, flags: MsFlags, options: &str) -> Result<()> {
    fs::create_dir_all(target).ok();
    mount(Some(source), target, Some(kind), flags, Some(options))
        .with_context(|| format!("mount {target}"))
}

/// Loads what the image build listed, in its order. A module that is there already is fine.
fn load_modules() -> Result<()> {
    let list = fs::read_to_string("/modules.order.txt").context("read the list of modules")?;
    for path in list.lines().filter(|line| !line.is_empty()) {
        let file = fs::File::open(path).with_context(|| format!("open {path}"))?;
        let loaded = nix::kmod::finit_module(
            &file,
            &CString::default(),
            nix::kmod::ModuleInitFlags::empty(),
        );
        match loaded {
            Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
            Err(error) => return Err(error).with_context(|| format!("load {path}")),
        }
    }
    fs::remove_dir_all("/modules").ok();
    Ok(())
}

/// The disk appears a moment after its driver: look until it is there. The host gives up on a guest that never boots.
fn wait_for_disk(device: &str) {
    while !Path::new(device).exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Makes `/newroot` the root. `pivot_root` refuses an initramfs, so the mounts move and the process follows.
fn change_root() -> Result<()> {
    for folder in ["proc", "sys", "dev"] {
        let (from, to) = (format!("/{folder}"), format!("/newroot/{folder}"));
        fs::create_dir_all(&to).ok();
        mount(
            Some(from.as_str()),
            to.as_str(),
            None::<&str>,
            MsFlags::MS_MOVE,
            None::<&str>,
        )
        .with_context(|| format!("move {from}"))?;
    }
    std::env::set_current_dir("/newroot")?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>).context("move the root")?;
    nix::unistd::chroot(".")?;
    std::env::set_current_dir("/")?;
    Ok(())
}

fn mount_the_rest() -> Result<()> {
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_at(
        "devpts",
        "/dev/pts",
        "devpts",
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        "gid=5,mode=620,ptmxmode=666",
    )?;
    mount_at("shm", "/dev/shm", "tmpfs", safe, "mode=1777")?;
    mount_at("run", "/run", "tmpfs", safe, "mode=0755")?;
    mount_at("tmp", "/tmp", "tmpfs", safe, "mode=1777")?;
    // Each process that is started moves into the user's group: without this the kernel waits for a grace period first.
    mount_at(
        "cgroup2",
        "/sys/fs/cgroup",
        "cgroup2",
        safe | MsFlags::MS_NOEXEC,
        "favordynmods",
    )?;
    for cgroup in [USER_CGROUP, HELD_CGROUP] {
        fs::create_dir_all(cgroup).with_context(|| format!("create {cgroup}"))?;
    }
    limit_users();
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        // A root filesystem may have made them already.
        let _ = symlink(target, format!("/dev/{link}"));
    }
    Ok(())
}

/// The user's processes together may neither take every process number nor, however many they are, more than half of the
/// time when the agent wants to answer. Best effort: a kernel without these controllers boots too.
fn limit_users() {
    for controller in ["+pids", "+cpu"] {
        if let Err(error) = fs::write("/sys/fs/cgroup/cgroup.subtree_control", controller) {
            say(&format!(
                "the kernel has no controller {controller}: {error}"
            ));
        }
    }
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let all = ["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"];
    let most = all.into_iter().filter_map(number).min();
    // A quarter stays for the kernel, this process and the agent.
    let most = most.unwrap_or(4096) / 4 * 3;
    if let Err(error) = fs::write(format!("{USER_CGROUP}/pids.max"), most.to_string()) {
        say(&format!("cannot limit the user's processes: {error}"));
    }
}

/// Best effort: an image with a read-only or strange /etc still boots, it only resolves no names.
fn write_name_server() {
    let line = format!("nameserver {}\n", locule_guest_api::HOST_IP);
    if let Err(error) = fs::write("/etc/resolv.conf", line) {
        say(&format!("cannot write /etc/resolv.conf: {error}"));
    }
}
