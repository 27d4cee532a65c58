//! Brings the machine up: from the first instruction in user space to a mounted root filesystem and a network.
//!
//! An error here is fatal and goes to the console: the agent, which could report it to the host, does not run yet.

mod nodes;

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};

use crate::{cgroup, console, ids, network};

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
    // The host's accelerator probe waits for exactly this line.
    console::log("booting");
    load_modules()?;
    wait_for_disk("/dev/vda");
    mount_at("/dev/vda", "/newroot", "ext4", MsFlags::MS_NOATIME, "")?;
    change_root().context("change root")?;
    mount_the_rest()?;
    nodes::create();
    network::up().context("bring up the network")?;
    write_name_server();
    change_settings();
    ids::prepare();
    Ok(())
}

/// Settings of the kernel that go by the size of the memory, and are too small for development tools in a small guest.
const SETTINGS: [(&str, &str); 2] = [
    ("/proc/sys/fs/inotify/max_user_watches", "524288"),
    ("/proc/sys/fs/inotify/max_user_instances", "1024"),
];

/// Best effort: a kernel without a setting boots too.
fn change_settings() {
    for (path, value) in SETTINGS {
        if let Err(error) = fs::write(path, value) {
            console::log(&format!("cannot set {path}: {error}"));
        }
    }
}

fn mount_at(source: &str, target: &str, kind: &str, flags: MsFlags, options: &str) -> Result<()> {
    fs::create_dir_all(target).ok();
    mount(Some(source), target, Some(kind), flags, Some(options))
        .with_context(|| format!("mount {target}"))
}

/// Loads the modules that the image build listed, in that order. A module that is loaded already is skipped.
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

/// Polls for the disk, which appears a moment after its driver is loaded. The host ends a guest that does not boot in time.
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
    open_tmp();
    // Every started process moves into a group. Without `favordynmods` each move waits for a grace period of the kernel.
    mount_at(
        "cgroup2",
        "/sys/fs/cgroup",
        "cgroup2",
        safe | MsFlags::MS_NOEXEC,
        "favordynmods",
    )?;
    cgroup::create()?;
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        // The root filesystem may contain these links already.
        let _ = symlink(target, format!("/dev/{link}"));
    }
    Ok(())
}

/// `/tmp` is a folder of the disk and as large as the disk: a file system in memory is full after some hundred megabytes. What
/// else a template has in its place, such as a link, stays.
fn open_tmp() {
    let _ = fs::create_dir_all("/tmp");
    let is_folder = fs::symlink_metadata("/tmp").is_ok_and(|meta| meta.is_dir());
    if !is_folder {
        return;
    }
    if let Err(error) = fs::set_permissions("/tmp", fs::Permissions::from_mode(0o1777)) {
        console::log(&format!("cannot open /tmp to every user: {error}"));
    }
}

/// Best effort: a template with a read-only or unusual /etc still boots, only without name resolution.
fn write_name_server() {
    let line = format!("nameserver {}\n", locule_guest_api::HOST_IP);
    if let Err(error) = fs::write("/etc/resolv.conf", line) {
        console::log(&format!("cannot write /etc/resolv.conf: {error}"));
    }
}
