//! Tests of what happens to files that are in the place of an upload or a move.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::transfers::Disk;

async fn file_call(agent: &Agent, method: &str, body: Value) -> (StatusCode, Value) {
    agent
        .call(&format!("/filesystem.Filesystem/{method}"), &body)
        .await
}

async fn moved(agent: &Agent, from: &Path, to: &Path) -> (StatusCode, Value) {
    let body = json!({"source": from, "destination": to});
    file_call(agent, "Move", body).await
}

#[tokio::test]
async fn an_upload_over_a_running_program_succeeds() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let program = folder.path().join("program");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let body = json!({"process": {"cmd": program, "args": ["1000"]}, "stdin": false});
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    let pid = frames.started().await;
    let (status, answer) = agent.upload(&program, "new", &[]).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(std::fs::read(&program).unwrap(), b"new");
    let kill = json!({"process": {"pid": pid}, "signal": "SIGNAL_SIGKILL"});
    let (status, _) = agent.call("/process.Process/SendSignal", &kill).await;
    assert_eq!(status, StatusCode::OK, "the old program runs on");
    assert_eq!(frames.transcript().await.ends[0]["error"], "signal: killed");
}

#[tokio::test]
async fn an_upload_keeps_the_owner_and_the_mode_of_the_file() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = folder.path().join("f");
    std::fs::write(&file, "old").unwrap();
    chown(&file, Some(12_345), Some(54_321)).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o4751)).unwrap();
    let attribute = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&file, "user.mine", b"kept", attribute).unwrap();
    assert_eq!(agent.upload(&file, "new", &[]).await.0, StatusCode::OK);
    let meta = file.metadata().unwrap();
    assert_eq!((meta.uid(), meta.gid()), (12_345, 54_321));
    assert_eq!(meta.mode() & 0o7777, 0o4751);
    let mut value = [0; 16];
    let length = rustix::fs::getxattr(&file, "user.mine", &mut value).unwrap();
    assert_eq!(&value[..length], b"kept");
    let new = folder.path().join("new");
    assert_eq!(agent.upload(&new, "new", &[]).await.0, StatusCode::OK);
    assert_eq!(new.metadata().unwrap().mode() & 0o7777, 0o644);
}

#[tokio::test]
async fn an_upload_through_a_link_without_a_target_creates_the_target() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink("second", at("first")).unwrap();
    symlink(at("target"), at("second")).unwrap();
    let (status, answer) = agent.upload(&at("first"), "new", &[]).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(std::fs::read(at("target")).unwrap(), b"new");
    assert!(at("first").is_symlink() && at("second").is_symlink());
}

/// A single file on which another is mounted cannot be replaced.
#[tokio::test]
async fn an_upload_to_a_mount_point_writes_in_place() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (below, above) = (folder.path().join("below"), folder.path().join("above"));
    std::fs::write(&below, "a longer text").unwrap();
    std::fs::write(&above, "").unwrap();
    let none = None::<&str>;
    mount(Some(&below), &above, none, MsFlags::MS_BIND, none).unwrap();
    let (status, answer) = agent.upload(&above, "new", &[]).await;
    umount2(&above, MntFlags::MNT_DETACH).unwrap();
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(std::fs::read(&below).unwrap(), b"new");
}

#[tokio::test]
async fn a_loop_of_links_is_an_error_of_the_request() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    symlink(&b, &a).unwrap();
    symlink(&a, &b).unwrap();
    let file = folder.path().join("f");
    std::fs::write(&file, "1").unwrap();
    for path in [a.clone(), a.join("x")] {
        let (status, answer) = agent.upload(&path, "new", &[]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        let (parts, _) = agent.download(path.to_str().unwrap(), &[]).await;
        assert_eq!(parts.status, StatusCode::BAD_REQUEST);
    }
    for (method, body) in [
        ("Stat", json!({"path": a.join("x")})),
        ("ListDir", json!({"path": a})),
        ("MakeDir", json!({"path": a.join("x")})),
        ("Remove", json!({"path": a.join("x")})),
        ("CreateWatcher", json!({"path": a})),
        ("Move", json!({"source": file, "destination": a.join("x")})),
    ] {
        let (status, answer) = file_call(&agent, method, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{method}: {answer}");
    }
}

#[tokio::test]
async fn a_move_that_may_not_overwrite_leaves_both_files_as_they_were() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let disk = Disk::mount();
    let from = folder.path().join("from");
    for to in [folder.path().join("to"), disk.0.path().join("to")] {
        std::fs::write(&from, "from").unwrap();
        std::fs::write(&to, "to").unwrap();
        let mut body = json!({"source": from, "destination": to, "noOverwrite": true});
        let (status, error) = file_call(&agent, "Move", body.clone()).await;
        assert_eq!(error["code"], "already_exists", "{status} {error}");
        assert_eq!(std::fs::read(&to).unwrap(), b"to");
        assert_eq!(std::fs::read(&from).unwrap(), b"from");
        body["noOverwrite"] = json!(false);
        let (status, _) = file_call(&agent, "Move", body).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(std::fs::read(&to).unwrap(), b"from");
    }
}

#[tokio::test]
async fn a_move_to_another_file_system_keeps_what_is_moved() {
    const HOLES: u64 = 64 * 1024 * 1024;
    let agent = Agent::start().await;
    let (disk, folder) = (Disk::mount(), tempfile::tempdir_in("/var/tmp").unwrap());
    let (from, to) = (disk.0.path().join("tree"), folder.path().join("new/tree"));
    std::fs::create_dir_all(from.join("sub")).unwrap();
    std::fs::write(from.join("sub/f"), "content").unwrap();
    std::fs::set_permissions(from.join("sub/f"), std::fs::Permissions::from_mode(0o4711)).unwrap();
    std::fs::set_permissions(from.join("sub"), std::fs::Permissions::from_mode(0o750)).unwrap();
    chown(from.join("sub"), Some(12_345), Some(54_321)).unwrap();
    symlink("nowhere", from.join("link")).unwrap();
    nix::unistd::mkfifo(&from.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let sparse = std::fs::File::create(from.join("sparse")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"middle", HOLES / 2).unwrap();
    sparse.set_len(HOLES).unwrap();
    let modified = from.join("sub").metadata().unwrap().modified().unwrap();

    let (status, answer) = moved(&agent, &from, &to).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["entry"]["path"], to.to_str().unwrap());
    assert!(!from.exists());
    assert_eq!(
        std::fs::read_dir(folder.path().join("new"))
            .unwrap()
            .count(),
        1
    );
    assert_eq!(std::fs::read(to.join("sub/f")).unwrap(), b"content");
    assert_eq!(to.join("sub/f").metadata().unwrap().mode() & 0o7777, 0o4711);
    let sub = to.join("sub").metadata().unwrap();
    assert_eq!(
        (sub.uid(), sub.gid(), sub.mode() & 0o7777),
        (12_345, 54_321, 0o750)
    );
    assert_eq!(sub.modified().unwrap(), modified);
    assert_eq!(
        std::fs::read_link(to.join("link")).unwrap(),
        Path::new("nowhere")
    );
    let copied = to.join("sparse").metadata().unwrap();
    assert_eq!(copied.len(), HOLES);
    assert!(
        copied.blocks() * 512 < HOLES / 8,
        "{} blocks",
        copied.blocks()
    );
    // A single file, onto one that is there.
    std::fs::write(disk.0.path().join("f"), "single").unwrap();
    let (status, _) = moved(&agent, &disk.0.path().join("f"), &to.join("sub/f")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(std::fs::read(to.join("sub/f")).unwrap(), b"single");
}

#[tokio::test]
async fn a_move_to_another_file_system_that_fails_leaves_both_as_they_were() {
    let agent = Agent::start().await;
    let (disk, folder) = (Disk::mount(), tempfile::tempdir_in("/var/tmp").unwrap());
    let large = folder.path().join("large");
    std::fs::create_dir(&large).unwrap();
    std::fs::write(large.join("a"), "small").unwrap();
    std::fs::write(large.join("b"), vec![7; 1024 * 1024]).unwrap();
    let (_, error) = moved(&agent, &large, &disk.0.path().join("large")).await;
    assert_eq!(error["code"], "resource_exhausted");
    assert_eq!(std::fs::read_dir(disk.0.path()).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(&large).unwrap().count(), 2);
    // A file does not replace a directory.
    std::fs::create_dir(disk.0.path().join("d")).unwrap();
    let (status, _) = moved(&agent, &large.join("a"), &disk.0.path().join("d")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(large.join("a").exists() && disk.0.path().join("d").is_dir());
    // A mounted file system is not emptied into another one.
    let (_, error) = moved(&agent, disk.0.path(), &folder.path().join("disk")).await;
    assert_eq!(error["code"], "failed_precondition", "{error}");
    assert!(disk.0.path().join("d").is_dir() && !folder.path().join("disk").exists());
}
