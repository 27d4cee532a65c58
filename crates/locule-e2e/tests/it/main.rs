//! The whole platform as users run it: `locule up` on its own data directory, the command line, the public SDK.
//!
//! Needs root, the guest images and the SDKs, which `xtask test` passes in the environment.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;
mod killed;
mod own_host;
mod parts;
mod platform;
mod replicas;
mod restored;
mod sdks;
mod secrets;
mod steps;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use platform::{Platform, refused, refused_without_root, stub_vmm};

#[test]
fn the_command_line_works_as_a_docker_user_expects() {
    let platform = Platform::start();
    let ran = platform.locule(&["run", "--", "python3", "-c", "print(6*7)"], "");
    assert_eq!((ran.stdout.as_str(), ran.code), ("42\n", 0));

    let ran = platform.locule(
        &["run", "--", "sh", "-c", "cat; echo err >&2; exit 5"],
        "in\n",
    );
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str(), ran.code),
        ("in\n", "err\n", 5)
    );
    assert_eq!(
        platform
            .locule(&["run", "--", "sh", "-c", "kill -TERM $$"], "")
            .code,
        143
    );
    let missing = platform.locule(&["run", "--", "no-such-program"], "");
    assert_eq!(missing.code, 127);
    assert!(
        missing.stderr.contains("'no-such-program' was not found"),
        "{}",
        missing.stderr
    );
    assert_eq!(platform.sandboxes(), 0, "each run destroys its sandbox");

    let id = platform.create();
    let file = platform.folder().join("file");
    fs::write(&file, "content").unwrap();
    let (here, there) = (file.to_str().unwrap(), format!("{id}:/home/user/folder/"));
    platform.succeeds(&["sandbox", "exec", &id, "mkdir", "folder"]);
    platform.succeeds(&["sandbox", "cp", here, &there]);
    assert_eq!(platform.reads(&id, "folder/file"), "content");
    let back = platform.folder().join("back");
    platform.succeeds(&[
        "sandbox",
        "cp",
        &format!("{id}:/home/user/folder"),
        back.to_str().unwrap(),
    ]);
    assert_eq!(fs::read_to_string(back.join("file")).unwrap(), "content");

    // The beginning of the id is enough.
    platform.succeeds(&["sandbox", "pause", &id[..9]]);
    let paused = platform.locule(&["sandbox", "exec", &id, "--", "true"], "");
    assert_eq!(paused.code, 125, "ours, not the command's");
    assert!(
        paused.stderr.contains("is paused, not running"),
        "{}",
        paused.stderr
    );
    assert_eq!(platform.shown(&id)["status"], "paused");
    platform.succeeds(&["sandbox", "resume", &id]);
    platform.succeeds(&["sandbox", "kill", &id]);
    assert_eq!(platform.sandboxes(), 0);
    let unknown = platform.locule(
        &["sandbox", "get", "sb-00000000-0000-4000-8000-000000000000"],
        "",
    );
    assert!(unknown.stderr.contains("not found"), "{}", unknown.stderr);
    platform.stop();
}

/// The id of the host in the credentials of its agent.
fn host_of(credentials: &Path) -> String {
    let read: serde_json::Value = serde_json::from_slice(&fs::read(credentials).unwrap()).unwrap();
    read["host_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_stop_pauses_sandboxes_which_can_be_resumed_after_the_next_start() {
    let mut platform = Platform::start();
    let session = platform.login();
    assert!(session["token"].as_str().unwrap().len() > 40, "{session}");
    let id = platform.create();
    platform.keep(&id);

    // One `up` per data directory: the second names the first.
    let second = platform.second_up();
    assert!(
        second.stderr.contains(&format!("(pid {})", platform.pid())),
        "{}",
        second.stderr
    );

    platform.interrupt();
    // The host agent of a start without credentials registers anew, as the host that it was: the sandbox keeps its host.
    let credentials = Path::new(&platform.data_dir()).join("agent/host-credentials.json");
    let mode = fs::metadata(&credentials).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = host_of(&credentials);
    fs::remove_file(&credentials).unwrap();
    platform.start_again();
    assert_eq!(host_of(&credentials), before);
    assert_eq!(platform.shown(&id)["status"], "paused");
    platform.succeeds(&["sandbox", "resume", &id]);
    assert_eq!(platform.reads(&id, "/dev/shm/f"), "kept\n");
    platform.succeeds(&["sandbox", "kill", &id]);
    platform.stop();
}

#[test]
fn a_stop_that_takes_long_says_what_is_left_and_a_second_interrupt_names_what_runs_on() {
    let mut platform = Platform::start_with(&["--qemu", &stub_vmm()]);
    let ids = [platform.create(), platform.create()];
    platform.arm("pause 1 hold");
    platform.press_ctrl_c();
    platform::until("`up` says how many sandboxes are left", || {
        platform.said().contains("pausing sandboxes: 2 left")
    });
    platform.press_ctrl_c();
    assert!(!platform.exits_cleanly());
    let said = platform.said();
    assert!(ids.iter().all(|id| said.contains(id)), "{said}");
    assert!(said.contains("which takes them over"), "{said}");
    assert!(platform.vmms() >= 2);

    platform.disarm();
    platform.start_again();
    for id in &ids {
        assert_eq!(platform.shown(id)["status"], "running");
        platform.succeeds(&["sandbox", "kill", id]);
    }
    platform.stop();
}

#[test]
fn every_program_of_the_image_runs() {
    let platform = Platform::start();
    let id = platform.create();
    let programs = include_str!("../../../../images/rootfs.programs");
    let lines = programs
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        platform.succeeds(&["sandbox", "exec", &id, "--", "/bin/bash", "-c", line]);
    }
    platform.succeeds(&["sandbox", "kill", &id]);
    platform.stop();
}

#[test]
fn a_failed_start_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(folder.path(), &["--listen", &address]);
    assert!(
        said.contains("choose another address with --listen"),
        "{said}"
    );
    // A folder that only root may enter hides the data directory from the user of the database.
    let said = refused(folder.path(), &["--listen", "127.0.0.1:0"]);
    assert!(said.contains("chmod o+x"), "{said}");
    fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let said = refused_without_root(folder.path());
    assert!(said.contains("sudo locule up"), "{said}");
    let said = refused(folder.path(), &["--images", "/no/such/folder"]);
    assert!(said.contains("make images"), "{said}");
}

/// B-001: until the first release the one migration is edited in place.
#[test]
fn a_data_directory_of_another_schema_is_refused_unchanged_and_moved_aside_on_request() {
    const SPOIL: &str =
        "UPDATE _sqlx_migrations SET checksum = set_byte(checksum, 0, 255 - get_byte(checksum, 0))";
    let mut platform = Platform::start_with(&["--qemu", &stub_vmm()]);
    let id = platform.succeeds(&["sandbox", "create"]).stdout;
    platform.interrupt();
    platform.change_database(SPOIL);
    for _ in 0..2 {
        let said = platform.refused_again();
        let told = [
            &platform.data_dir(),
            "another version of Locule made",
            "--reset",
            "nothing in it was changed",
        ];
        assert!(told.iter().all(|part| said.contains(part)), "{said}");
        assert!(platform.moved_aside().is_empty());
    }
    // The version that created the directory finds it unchanged.
    platform.change_database(SPOIL);
    platform.start_again();
    platform.succeeds(&["sandbox", "resume", id.trim()]);
    platform.interrupt();

    platform.change_database(SPOIL);
    platform.with_options(&["--reset"]);
    let before = platform.run_dir();
    platform.start_again();
    assert_eq!(platform.sandboxes(), 0);
    let aside = platform.moved_aside();
    assert!(
        aside.len() == 1 && aside[0].join("instance").exists(),
        "{aside:?}"
    );
    platform.stop();
    fs::remove_dir_all(before).unwrap();
}

#[test]
fn a_disk_without_free_space_is_reported_before_any_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let small = MsFlags::MS_NOSUID;
    let options = Some("size=512M,mode=0755");
    mount(Some("small"), folder.path(), Some("tmpfs"), small, options).unwrap();
    let said = refused(
        folder.path(),
        &["--listen", "127.0.0.1:0", "--accel", "tcg"],
    );
    umount2(folder.path(), MntFlags::MNT_DETACH).unwrap();
    assert!(
        said.contains("not enough disk space for the pool"),
        "{said}"
    );
    assert!(said.contains("choose another --data-dir"), "{said}");
}
