//! The QEMU driver against the installed QEMU.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use locule_base::command::Command;
use locule_testkit::eventually;
use locule_vmm::{
    AcceleratorKind, AcceleratorSetting, KvmProbe, MemorySource, Vmm as _, VmmError, VmmHandle,
};

use crate::guest::{self, Guest, UID};

/// A copy of a memory file that the VMM's user may open.
fn copy_of(image: &File) -> File {
    let copy = guest::empty_memory_file();
    let mut from = guest::reopen(image, File::options().read(true));
    std::io::copy(&mut from, &mut &copy).unwrap();
    copy
}

#[tokio::test]
async fn a_guest_keeps_its_memory_over_three_pauses_and_restores() {
    let snapshot = guest::template_snapshot().await;
    let mut printed = snapshot.console.clone();
    let mut image = copy_of(&snapshot.image);
    let mut devices = snapshot.devices.try_clone().unwrap();
    for generation in 0..3 {
        // The first memory is shared and sealed, the later ones belong to this guest alone.
        let memory = if generation == 0 {
            MemorySource::Sealed(Arc::clone(&snapshot.sealed))
        } else {
            MemorySource::Private(Arc::new(image.try_clone().unwrap()))
        };
        let mut guest = Guest::resume(memory, &devices).await;
        guest.until_it_counts().await;
        devices = guest.save().await;
        let next = copy_of(&image);
        let stats = guest.machine.capture_memory(next.try_clone().unwrap());
        let stats = stats.await.unwrap();
        assert!(stats.dirty_pages > 0 && stats.bytes >= stats.dirty_pages * 4096);
        guest.machine.end().await.unwrap();
        printed.push_str(&guest.console());
        image = next;
    }
    let mut counts = printed.lines().filter(|line| line.starts_with("count "));
    // The last line may be incomplete, because the guest was stopped.
    let whole = counts.clone().count() - 1;
    for expected in 1..=whole {
        let line = counts.next().unwrap().trim_end();
        assert_eq!(line, format!("count {expected} memory intact"));
    }
    assert!(whole >= 11, "{printed}");
}

#[tokio::test]
async fn a_vmm_has_no_privileges_and_cannot_write_the_template_memory() {
    let snapshot = guest::template_snapshot().await;
    let sealed = MemorySource::Sealed(Arc::clone(&snapshot.sealed));
    let mut guest = Guest::resume(sealed, &snapshot.devices).await;
    let proc = std::path::PathBuf::from(format!("/proc/{}", guest.reaper.0.pid));
    let status = std::fs::read_to_string(proc.join("status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    let ids = format!("{UID}\t{UID}\t{UID}\t{UID}");
    assert_eq!((field("Uid:"), field("Gid:")), (ids.clone(), ids));
    for set in ["CapEff:", "CapPrm:", "CapInh:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!((&*field("NoNewPrivs:"), &*field("Seccomp:")), ("1", "2"));
    assert_eq!(
        (&*field("Groups:"), field("NSpid:").ends_with("\t1")),
        ("", true)
    );
    for namespace in ["net", "ipc", "mnt", "pid"] {
        let theirs = std::fs::read_link(proc.join("ns").join(namespace)).unwrap();
        let ours = std::fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap();
        assert_ne!(theirs, ours, "{namespace}");
    }
    let score = std::fs::read_to_string(proc.join("oom_score_adj")).unwrap();
    assert_eq!(score.trim(), "500");

    let held = std::fs::read_dir(proc.join("fd")).unwrap().flatten();
    let held = held.map(|entry| entry.path()).filter(|path| {
        let target = std::fs::read_link(path).unwrap_or_default();
        target.to_string_lossy().contains("memfd:locule-memory")
    });
    let held: Vec<_> = held.collect();
    assert!(!held.is_empty());
    for image in held {
        let write = Command::new("setpriv")
            .args([format!("--reuid={UID}"), format!("--regid={UID}")])
            .args(["--clear-groups", "dd", "if=/dev/zero", "bs=4096", "count=1"])
            .arg(format!("of={}", image.display()))
            .arg("conv=notrunc")
            .run();
        let refused = write.await.unwrap_err().to_string();
        assert!(refused.contains("Operation not permitted"), "{refused}");
    }
    guest.machine.end().await.unwrap();
}

#[tokio::test]
async fn a_vmm_outlives_its_owner_and_the_next_owner_sees_its_exit() {
    let snapshot = guest::template_snapshot().await;
    let sealed = MemorySource::Sealed(Arc::clone(&snapshot.sealed));
    let Guest {
        machine,
        folder,
        reaper: _reaper,
    } = Guest::resume(sealed, &snapshot.devices).await;
    let (qemu, handle) = (guest::qemu().await, machine.handle().clone());
    // The first owner ends without stopping the VMM, as in a crash.
    drop(machine);
    let another = VmmHandle {
        start_ticks: handle.start_ticks + 1,
        ..handle.clone()
    };
    let exited = qemu.adopt(&another).await.unwrap_err();
    assert!(matches!(exited, VmmError::Exited), "{exited:?}");

    let mut machine = qemu.adopt(&handle).await.unwrap();
    assert!(machine.is_running().await.unwrap());
    let running = machine.capture_memory(tempfile::tempfile().unwrap()).await;
    let running = running.unwrap_err();
    assert!(
        matches!(running, VmmError::CommandRefused { .. }),
        "{running:?}"
    );
    let console = folder.path().join("console");
    let length = || std::fs::metadata(&console).unwrap().len();
    let before = length();
    eventually("more output", async || length() > before).await;

    let pid = rustix::process::Pid::from_raw(handle.pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    tokio::time::timeout(crate::PATIENCE, machine.exited())
        .await
        .unwrap();
    // A second call also completes.
    tokio::time::timeout(crate::PATIENCE, machine.exited())
        .await
        .unwrap();
    let exited = qemu.adopt(&handle).await.unwrap_err();
    assert!(matches!(exited, VmmError::Exited), "{exited:?}");
    let exited = machine.cont().await.unwrap_err();
    assert!(matches!(exited, VmmError::Exited), "{exited:?}");
}

#[tokio::test]
async fn a_vmm_exits_when_its_guest_reboots() {
    let memory = MemorySource::Boot(Arc::new(guest::empty_memory_file()));
    let kernel = Arc::new(File::open(guest::images().join("kernel")).unwrap());
    let guest = Guest::start_with(kernel, "last=3", memory, false).await;
    let mut guest = guest.unwrap();
    let exited = tokio::time::timeout(crate::PATIENCE, guest.machine.exited());
    exited.await.unwrap();
    let console = guest.console();
    assert!(console.contains("count 3 memory intact"), "{console}");
    assert!(
        !console.contains("count 4"),
        "the guest booted again: {console}"
    );
}

#[tokio::test]
async fn damaged_device_state_is_refused() {
    let snapshot = guest::template_snapshot().await;
    let sealed = MemorySource::Sealed(Arc::clone(&snapshot.sealed));
    let mut guest = Guest::start(sealed, true).await.unwrap();
    let mut state = tempfile::tempfile().unwrap();
    state.write_all(&vec![0x5a; 20_000]).unwrap();
    let state = guest::reopen(&state, File::options().read(true));
    guest.machine.load_devices(state).await.unwrap_err();
    guest.machine.end().await.unwrap();
}

#[tokio::test]
async fn the_error_of_a_vmm_that_cannot_start_contains_its_output() {
    let memory = MemorySource::Boot(Arc::new(guest::empty_memory_file()));
    let empty = tempfile::tempfile().unwrap();
    std::os::unix::fs::fchown(&empty, Some(UID), None).unwrap();
    let error = Guest::start_with(Arc::new(empty), "", memory, false).await;
    let Err(VmmError::ExitedEarly { output }) = error.map(|_guest| ()) else {
        panic!("the VMM started with an empty kernel");
    };
    assert!(output.contains("kernel"), "{output}");
}

#[tokio::test]
async fn kvm_is_not_used_when_the_probe_guest_prints_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let kernel = guest::images().join("kernel");
    let initramfs = guest::initramfs().await;
    let silent = format!("/proc/{}/fd/{}", std::process::id(), initramfs.as_raw_fd());
    let probe = KvmProbe {
        kernel: &kernel,
        initramfs: silent.as_ref(),
        scratch: scratch.path(),
        limit: Duration::from_secs(4),
        kept_in: None,
    };
    let choose = |setting| locule_vmm::choose_accelerator(setting, probe);
    let choice = choose(AcceleratorSetting::Auto).await.unwrap();
    assert_eq!(choice.kind, AcceleratorKind::Tcg);
    assert!(choice.reason.is_some_and(|reason| !reason.is_empty()));
    let error = choose(AcceleratorSetting::Kvm).await.unwrap_err();
    assert!(matches!(error, VmmError::Unusable(_)), "{error:?}");
}

#[tokio::test]
async fn the_probe_selects_kvm_or_tcg_with_a_reason() {
    let scratch = tempfile::tempdir().unwrap();
    let images = guest::images();
    let (kernel, initramfs) = (images.join("kernel"), images.join("initramfs"));
    let kept = scratch.path().join("kept");
    let probe = KvmProbe {
        kernel: &kernel,
        initramfs: &initramfs,
        scratch: scratch.path(),
        limit: Duration::from_secs(4),
        kept_in: Some(&kept),
    };
    let choose = || locule_vmm::choose_accelerator(AcceleratorSetting::Auto, probe);
    let choice = choose().await.unwrap();
    assert_eq!(choice.kind == AcceleratorKind::Tcg, choice.reason.is_some());
    // On a machine with /dev/kvm the result is kept, and nothing else.
    let names = || {
        std::fs::read_dir(scratch.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
    };
    let expected = if Path::new("/dev/kvm").exists() {
        vec!["kept"]
    } else {
        Vec::new()
    };
    assert_eq!(names().collect::<Vec<_>>(), expected);
    let again = choose().await.unwrap();
    assert_eq!((again.kind, again.reason), (choice.kind, choice.reason));
}
