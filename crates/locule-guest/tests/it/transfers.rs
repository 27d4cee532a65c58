//! Files in and out: encodings, metadata, and everything that can go wrong on the way.

use std::path::Path;

use axum::body::{Body, Bytes};
use futures::stream;
use hyper::{Request, StatusCode};
use locule_testkit::eventually;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::agent::{Agent, PATIENCE, TOKEN, json_of};

/// Ten thousand folders, each in the other, made without a path that long.
fn dig(folder: &Path, depth: usize) {
    use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = open(folder, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = openat(&at, "d", flags, Mode::empty()).unwrap();
    }
}

fn header<'a>(parts: &'a hyper::http::response::Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_file_is_packed_only_for_those_who_ask_for_gzip_alone() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    for (name, length) in [("small", 1000), ("large", 300_000)] {
        let file = folder.path().join(name);
        std::fs::write(&file, "a".repeat(length)).unwrap();
        let path = file.to_str().unwrap();
        let by_default = [("accept-encoding", "gzip, deflate")];
        let (parts, bytes) = agent.download(path, &by_default).await;
        assert_eq!(header(&parts, "content-encoding"), None);
        assert_eq!(header(&parts, "content-length"), Some(&*length.to_string()));
        assert_eq!(bytes.len(), length);
        let (parts, bytes) = agent.download(path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(header(&parts, "content-encoding"), Some("gzip"));
        assert_eq!(header(&parts, "content-length"), None);
        let mut plain = Vec::new();
        let mut unpack = async_compression::tokio::bufread::GzipDecoder::new(&bytes[..]);
        unpack.read_to_end(&mut plain).await.unwrap();
        assert_eq!(plain, "a".repeat(length).into_bytes());
        let nothing = [("accept-encoding", "identity;q=0")];
        let (parts, _) = agent.download(path, &nothing).await;
        assert_eq!(parts.status, StatusCode::NOT_ACCEPTABLE);
        let part = [("accept-encoding", "gzip"), ("range", "bytes=1-2")];
        let (parts, bytes) = agent.download(path, &part).await;
        assert_eq!(parts.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(bytes, "aa");
    }
}

#[tokio::test]
async fn an_empty_file_has_the_length_nought() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty");
    std::fs::write(&file, "").unwrap();
    for accepted in ["gzip", "gzip, deflate", "identity"] {
        let headers = [("accept-encoding", accepted)];
        let (parts, bytes) = agent.download(file.to_str().unwrap(), &headers).await;
        assert_eq!(header(&parts, "content-length"), Some("0"), "{accepted}");
        assert_eq!(bytes, "");
    }
}

#[tokio::test]
async fn files_of_the_kernel_arrive_whole() {
    let agent = Agent::start().await;
    let (parts, bytes) = agent.download("/proc/sys/kernel/osrelease", &[]).await;
    assert_eq!(parts.status, StatusCode::OK);
    assert!(!bytes.is_empty());
    let (_, bytes) = agent
        .download("/sys/kernel/mm/transparent_hugepage/enabled", &[])
        .await;
    assert!(bytes.ends_with(b"\n"));
}

#[tokio::test]
async fn metadata_are_kept_replaced_as_a_whole_and_told() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = folder.path().join("f");
    let stat = async || {
        let asked = json!({"path": file});
        let (_, answer) = agent.call("/filesystem.Filesystem/Stat", &asked).await;
        answer["entry"]["metadata"].clone()
    };
    let first = [("x-metadata-Author", "me"), ("x-metadata-kind", "a b")];
    let (status, written) = agent.upload(&file, "1", &first).await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({"author": "me", "kind": "a b"});
    assert_eq!(written[0]["metadata"], expected);
    assert_eq!(stat().await, expected);
    agent.upload(&file, "2", &[("x-metadata-kind", "c")]).await;
    assert_eq!(stat().await, json!({"kind": "c"}));
    let (_, written) = agent.upload(&file, "3", &[]).await;
    assert_eq!(
        written,
        json!([{"name": "f", "path": file, "type": "file"}])
    );
    assert_eq!(stat().await, json!(null));
}

#[tokio::test]
async fn metadata_that_cannot_be_kept_change_nothing() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = folder.path().join("deep/f");
    let long = "v".repeat(4097);
    let (status, refusal) = agent.upload(&file, "new", &[("x-metadata-k", &long)]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(refusal["code"], 400);
    assert!(!folder.path().join("deep").exists());
}

/// W-044: what never came whole is not left behind as if it had.
#[tokio::test]
async fn an_upload_that_breaks_off_leaves_no_new_file() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    let mut connection = agent.connect().await;
    let head = format!(
        "POST /files?path={} HTTP/1.1\r\nhost: guest\r\nx-access-token: {TOKEN}\r\n\
         content-type: application/octet-stream\r\ncontent-length: 1000000\r\n\r\n",
        file.display()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![7; 300_000]).await.unwrap();
    eventually("the file is begun", async || file.exists()).await;
    drop(connection);
    eventually("the file is gone", async || !file.exists()).await;
}

/// W-044: the same where there is a file already and the caller wants it whole: the old one, or the new one.
#[tokio::test]
async fn an_upload_that_replaces_a_file_does_so_when_it_is_whole() {
    use std::os::unix::fs::PermissionsExt as _;
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("f"), folder.path().join("link"));
    std::fs::write(&file, "old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o750)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    let mut connection = agent.connect().await;
    let head = format!(
        "POST /files?path={} HTTP/1.1\r\nhost: guest\r\nx-access-token: {TOKEN}\r\nlocule-replace: 1\r\n\
         content-type: application/octet-stream\r\ncontent-length: 1000000\r\n\r\n",
        link.display()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![7; 300_000]).await.unwrap();
    eventually("the new file is begun", async || names() == 3).await;
    drop(connection);
    eventually("the new file is gone", async || names() == 2).await;
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
    let (status, _) = agent.upload(&link, "new", &[("locule-replace", "1")]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (std::fs::read(&file).unwrap(), names()),
        (b"new".to_vec(), 2)
    );
    assert!(link.is_symlink());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o750);
}

#[tokio::test]
async fn a_file_of_the_kernel_is_written_in_place() {
    let agent = Agent::start().await;
    let file = format!("/proc/{}/oom_score_adj", agent.pid());
    let replace = [("locule-replace", "1")];
    let (status, _) = agent.upload(Path::new(&file), "7", &replace).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "7\n");
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_leaves_no_new_file() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    let packed = [("content-encoding", "gzip")];
    let (status, _) = agent.upload(&file, "not gzip", &packed).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    eventually("the file is gone", async || !file.exists()).await;
    let (status, _) = agent
        .upload(&file, "x", &[("content-encoding", "br")])
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!file.exists());
}

/// A small disk of its own; goes with the value, also when a test fails.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Self {
        use nix::mount::{MsFlags, mount};
        let folder = tempfile::tempdir().unwrap();
        let kind = Some("tmpfs");
        mount(
            kind,
            folder.path(),
            kind,
            MsFlags::empty(),
            Some("size=256k"),
        )
        .unwrap();
        Self(folder)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        nix::mount::umount2(self.0.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    }
}

/// A refusal reaches a client that is still sending; a closed connection would be all it sees.
#[tokio::test]
async fn a_refusal_arrives_however_much_is_still_to_come() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let content = "x".repeat(8 * 1024 * 1024);
    for _ in 0..50 {
        let unknown = [("content-encoding", "br")];
        let (status, _) = agent
            .upload(&folder.path().join("f"), &content, &unknown)
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}

/// Disk full in the guest: a status of its own, nothing left behind, and the next upload works.
#[tokio::test]
async fn a_full_disk_is_said_and_left_as_it_was() {
    let agent = Agent::start().await;
    let disk = Disk::mount();
    let file = disk.0.path().join("f");
    let chunk = Bytes::from(vec![7_u8; 64 * 1024]);
    let chunks = (0..64).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
    let request = Request::post(format!("/files?path={}", file.display()))
        .header("content-type", "application/octet-stream")
        .header("x-access-token", TOKEN)
        .body(Body::from_stream(stream::iter(chunks)))
        .unwrap();
    let response = agent.send(request).await;
    let status = response.status();
    let refusal = json_of(response).await;
    eventually("the file is gone", async || !file.exists()).await;
    let (next, _) = agent.upload(&file, "small", &[]).await;
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE);
    assert_eq!(refusal["code"], 507);
    assert_eq!(next, StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_and_holds_nobody_up() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // More than the agent has threads: one that waited for the pipe's other end would be missed.
    for _ in 0..100 {
        let (status, _) = agent.upload(&pipe, "x", &[]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let (parts, _) = agent.download(pipe.to_str().unwrap(), &[]).await;
        assert_eq!(parts.status, StatusCode::BAD_REQUEST);
    }
    let (status, _) = agent.upload(folder.path(), "x", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = agent.upload(Path::new("/dev/full"), "x", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn paths_are_worked_out_before_anything_is_made() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (_, written) = agent.upload(&at("no/../a%0Ab"), "x", &[]).await;
    assert_eq!(written[0]["name"], "a\nb");
    assert!(at("a\nb").is_file() && !at("no").exists());
    let deep = format!("p/{}f", "d/".repeat(10_000));
    let (status, _) = agent.upload(&at(&deep), "x", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let body = json!({"path": at(&deep)});
    let (status, refusal) = agent.call("/filesystem.Filesystem/MakeDir", &body).await;
    assert_eq!(
        (status.as_u16(), &refusal["code"]),
        (400, &json!("invalid_argument"))
    );
    assert!(!at("p").exists());
    let (status, _) = agent.upload(&at("a%00b"), "x", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn bad_requests_for_files_are_refused_in_json() {
    let agent = Agent::start().await;
    let send = async |uri: &str| {
        let request = Request::get(uri).header("x-access-token", TOKEN);
        let answer = agent.send(request.body(Body::empty()).unwrap()).await;
        json_of(answer).await["code"].as_u64()
    };
    assert_eq!(
        send("/files?path=/etc/passwd&username=nobody-here").await,
        Some(401)
    );
    assert_eq!(
        send("/files?path=/etc/passwd&signature_expiration=x").await,
        Some(400)
    );
    assert_eq!(send("/files?path=/no/such").await, Some(404));
    assert_eq!(send("/files?path=/etc/passwd/x").await, Some(400));
    let part = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"/tmp/locule-twice\"\r\n\r\n1\r\n";
    let request = Request::post("/files")
        .header("content-type", "multipart/form-data; boundary=x")
        .header("x-access-token", TOKEN)
        .body(Body::from(format!("{part}{part}--x--\r\n")))
        .unwrap();
    let refusal = json_of(agent.send(request).await).await;
    std::fs::remove_file("/tmp/locule-twice").unwrap();
    assert_eq!(
        refusal,
        json!({"code": 400, "message": "path '/tmp/locule-twice' is given twice"})
    );
}

#[tokio::test]
async fn the_deepest_tree_is_listed_and_removed() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    std::fs::create_dir(&top).unwrap();
    dig(&top, 10_000);
    let body = json!({"path": top, "depth": 1_000_000});
    let (status, listed) = agent.call("/filesystem.Filesystem/ListDir", &body).await;
    assert_eq!(status, StatusCode::OK);
    assert!(listed["entries"].as_array().unwrap().len() > 1000);
    let (status, _) = agent.call("/filesystem.Filesystem/Remove", &body).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!top.exists());
}

#[tokio::test]
async fn names_that_are_no_text_do_not_spoil_a_listing() {
    use std::os::unix::ffi::OsStrExt as _;
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"a\xff");
    for name in [odd, "b".as_ref(), "c/d".as_ref()] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
    let body = json!({"path": folder.path(), "depth": 2});
    let (_, listed) = agent.call("/filesystem.Filesystem/ListDir", &body).await;
    let names: Vec<_> = listed["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a\u{fffd}", "b", "c", "d", "link"]);
}

/// One that only sits there is closed, and until then does not keep others out.
#[tokio::test]
async fn idle_connections_do_not_keep_the_next_one_out() {
    let agent = Agent::start().await;
    let mut idle = Vec::new();
    for _ in 0..600 {
        idle.push(agent.connect().await);
    }
    // Beyond their number the agent hangs up at once instead of letting them queue.
    let mut last = idle.pop().unwrap();
    let end = tokio::time::timeout(PATIENCE, last.read(&mut [0]))
        .await
        .unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
    drop(idle);
    eventually("the next one is answered", async || {
        let mut connection = agent.connect().await;
        let head = "GET /health HTTP/1.1\r\nhost: guest\r\n\r\n";
        let mut answer = [0; 12];
        let asked = connection.write_all(head.as_bytes()).await;
        asked.is_ok()
            && connection.read_exact(&mut answer).await.is_ok()
            && answer == *b"HTTP/1.1 204"
    })
    .await;
}
