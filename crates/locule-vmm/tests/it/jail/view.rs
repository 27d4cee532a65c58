//! The files, mounts and limits of a VMM in its jail, and the errors of programs that cannot run in one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use locule_base::command::Command;
use locule_vmm::{AcceleratorKind, Qemu, VmmError};
use rustix::mount::{MountPropagationFlags, mount_bind_recursive, mount_change};
use rustix::process::chroot;

use super::{Prober, open_folder, open_to_all, waiting_qemu};
use crate::guest::images;

const DEVICES: [&str; 2] = ["/dev/null", "/dev/urandom"];

/// The files that `ldd` finds for a program.
async fn libraries(program: &Path) -> Vec<String> {
    let output = Command::new("ldd").arg(program).run().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(str::to_owned).collect()
}

/// Mount points of a process, with their options.
fn mounts(pid: u32) -> Vec<(String, String, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    let mounts = text.lines().map(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        let kind = line.split(" - ").nth(1).unwrap_or_default();
        (fields[4].to_owned(), fields[5].to_owned(), kind.to_owned())
    });
    mounts.collect()
}

#[tokio::test]
async fn the_root_of_a_jail_contains_only_the_program_and_its_libraries() {
    let prober = Prober::make(&[]).await;
    let answers = prober
        .jailed_once(&["list /", "links /proc", "links /proc/self/fd"])
        .await;
    let program = prober.program.display().to_string();
    let mut expected: BTreeSet<String> = DEVICES.map(str::to_owned).into();
    expected.extend(libraries(&prober.program).await);
    expected.extend([program, "/etc/ld.so.cache".to_owned(), "/proc".to_owned()]);
    let seen: BTreeSet<String> = answers[0].split(' ').map(str::to_owned).collect();
    assert_eq!(seen, expected);
    assert_eq!(answers[1], "1=", "the only process");
    let held = answers[2].split(' ').filter(|word| word.contains('='));
    let held: Vec<_> = held.collect();
    // Three standard descriptors, seven that the agent passes, and the one that lists the folder.
    assert_eq!(held.len(), 11, "{held:?}");
    assert!(
        held.iter().any(|link| link.starts_with("0=/dev/null")),
        "{held:?}"
    );
    assert!(
        held.iter().any(|link| link.contains("memfd:locule-memory")),
        "{held:?}"
    );
}

#[tokio::test]
async fn the_jail_of_a_static_program_contains_no_library() {
    let prober = Prober::make(&["-C", "target-feature=+crt-static"]).await;
    let answers = prober.jailed_once(&["list /"]).await;
    let program = prober.program.display().to_string();
    let [null, urandom] = DEVICES;
    assert_eq!(answers[0], format!("{null} {urandom} /proc {program}"));
}

#[tokio::test]
async fn a_running_qemu_has_only_the_expected_mounts_and_all_are_read_only() {
    let mut guest = waiting_qemu().await;
    let mounted = mounts(guest.reaper.0.pid);
    let qemu = Path::new("/usr/bin/qemu-system-x86_64");
    let mut expected: BTreeSet<String> = DEVICES.map(str::to_owned).into();
    expected.extend(libraries(qemu).await);
    expected.extend(["/", "/proc", "/etc/ld.so.cache"].map(str::to_owned));
    expected.insert(qemu.display().to_string());
    let (firmware, others): (Vec<_>, Vec<_>) = mounted
        .iter()
        .filter(|(point, _, _)| !expected.contains(point))
        .partition(|(point, _, _)| PathBuf::from(format!("/proc/self/root{point}")).is_dir());
    assert!(
        firmware
            .iter()
            .all(|(point, _, _)| point.starts_with("/usr/share/") || point.ends_with("/qemu")),
        "{firmware:?}"
    );
    assert!(
        others
            .iter()
            .all(|(point, _, _)| point.contains("/qemu/accel-")),
        "{others:?}"
    );
    let points: BTreeSet<_> = mounted.iter().map(|(point, _, _)| point.clone()).collect();
    assert!(points.is_superset(&expected), "{points:?}");
    for (point, options, kind) in &mounted {
        let has = |option: &str| options.split(',').any(|given| given == option);
        assert!(has("ro") && has("nosuid"), "{point}: {options}");
        assert_eq!(
            has("nodev"),
            !point.starts_with("/dev/"),
            "{point}: {options}"
        );
        if point == "/" {
            assert!(kind.starts_with("tmpfs locule-jail ro"), "{kind}");
            assert!(has("noexec"), "{options}");
        }
    }
    guest.machine.end().await.unwrap();
}

#[tokio::test]
async fn a_running_qemu_has_resource_limits_and_two_system_call_filters() {
    let mut guest = waiting_qemu().await;
    let proc = PathBuf::from(format!("/proc/{}", guest.reaper.0.pid));
    let limits = fs::read_to_string(proc.join("limits")).unwrap();
    let limit = |name: &str| {
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        let values: Vec<_> = line.split_whitespace().take(2).map(str::to_owned).collect();
        assert_eq!(values[0], values[1], "{name}");
        values[0].parse::<u64>().unwrap()
    };
    assert_eq!(limit("Max core file size"), 1);
    assert_eq!(limit("Max open files"), 1024);
    assert_eq!(limit("Max processes"), 512);
    assert_eq!(limit("Max file size"), 64 << 20);
    let status = fs::read_to_string(proc.join("status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    assert_eq!(field("Seccomp:"), "2");
    let filters: u32 = field("Seccomp_filters:").parse().unwrap();
    assert!(
        filters >= 2,
        "the filter of the jail and QEMU's own: {filters}"
    );
    // SIGXFSZ is number 25.
    let ignored = u64::from_str_radix(&field("SigIgn:"), 16).unwrap();
    assert_ne!(ignored & (1 << 24), 0, "{ignored:x}");
    assert_eq!(
        fs::read_to_string(proc.join("oom_score_adj"))
            .unwrap()
            .trim(),
        "500"
    );
    guest.machine.end().await.unwrap();
}

#[tokio::test]
async fn a_running_qemu_has_no_network_and_no_file_but_its_own() {
    let mut guest = waiting_qemu().await;
    let pid = guest.reaper.0.pid;
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let target = pid.to_string();
    let links = Command::new("nsenter")
        .args(["--target", &target, "--net", "ip", "-oneline", "link"])
        .run();
    let links = String::from_utf8(links.await.unwrap().stdout).unwrap();
    assert_eq!(links.lines().count(), 1, "{links}");
    assert!(
        links.contains("lo: <LOOPBACK> "),
        "the only interface is up: {links}"
    );
    let routes = fs::read_to_string(proc.join("net/route")).unwrap();
    // A kernel that has made no table of routes yet prints no heading either.
    assert_eq!(routes.lines().skip(1).count(), 0, "{routes}");
    // Disk, console, log and initramfs are temporary files of the test; the kernel is the bundle's.
    let passed = [std::env::temp_dir(), images().canonicalize().unwrap()];
    let mut sockets = 0;
    for entry in fs::read_dir(proc.join("fd")).unwrap().flatten() {
        let link = fs::read_link(entry.path()).unwrap();
        let link = link.display().to_string();
        sockets += u32::from(link.starts_with("socket:"));
        let is_own = link.starts_with("anon_inode:")
            || link.starts_with("socket:")
            || link.contains("memfd:locule-memory")
            || ["/dev/null", "/dev/net/tun"].contains(&link.as_str())
            || passed
                .iter()
                .any(|passed| Path::new(&link).starts_with(passed));
        let is_folder = fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
        assert!(is_own && !is_folder, "{link}");
    }
    assert!(sockets <= 2, "the control channel: {sockets}");
    guest.machine.end().await.unwrap();
}

#[tokio::test]
async fn a_jail_mounts_nothing_on_the_host() {
    let host = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut guest = waiting_qemu().await;
    assert!(
        mounts(guest.reaper.0.pid)
            .iter()
            .any(|(_, _, kind)| kind.contains("locule-jail"))
    );
    assert!(!host().contains("locule-jail"));
    guest.machine.end().await.unwrap();
    assert!(!host().contains("locule-jail"));
    let holders = fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let mounts = fs::read_to_string(entry.path().join("mountinfo")).unwrap_or_default();
        let name = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let ours = format!("locule-test-{}", std::process::id());
        mounts.contains("locule-jail") && String::from_utf8_lossy(&name).contains(&ours)
    });
    assert_eq!(holders.count(), 0);
}

#[tokio::test]
async fn a_program_that_cannot_run_in_a_jail_is_refused_with_a_reason() {
    let folder = open_folder();
    let find = async |program: &Path| {
        let error = Qemu::find(AcceleratorKind::Tcg, Some(program))
            .await
            .unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        (format!("{error}: {}", source.unwrap_or_default()), error)
    };
    let (text, error) = find(&folder.path().join("missing")).await;
    assert!(
        matches!(error, VmmError::Unusable(_)) && text.contains("missing is not"),
        "{text}"
    );
    let script = folder.path().join("script");
    fs::write(
        &script,
        "#!/bin/sh\necho script emulator version 1.0 # and enough to be a header\n",
    )
    .unwrap();
    open_to_all(&script, 0o755);
    let (text, error) = find(&script).await;
    assert!(matches!(error, VmmError::Jail { .. }), "{error:?}");
    assert!(text.contains("script") && text.contains("ELF"), "{text}");
    fs::write(&script, "#!/bin/sh\necho hello\n").unwrap();
    let (text, _) = find(&script).await;
    assert!(text.contains("does not print its version"), "{text}");
}

/// In a chroot at a mount point a jail can be built, but a VMM that enters it would have the file system of the machine.
#[test]
fn a_root_that_was_entered_by_chroot_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    // The changes of root and mounts are this thread's and those of the threads that it starts.
    let find = std::thread::spawn(move || {
        // SAFETY: changes only this thread, which ends with this closure.
        #[expect(unsafe_code, reason = "unshare")]
        let unshared = unsafe { libc::unshare(libc::CLONE_NEWNS | libc::CLONE_FS) };
        assert_eq!(unshared, 0);
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).unwrap();
        mount_bind_recursive("/", &root).unwrap();
        chroot(&root).unwrap();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(Qemu::find(AcceleratorKind::Tcg, None))
    });
    let error = find.join().unwrap().unwrap_err();
    let text = locule_base::errors::chain(&error);
    assert!(matches!(error, VmmError::NoJail(_)), "{text}");
    assert!(text.contains("not in a chroot"), "{text}");
    assert!(text.contains("enter the jail"), "{text}");
}
