//! Tests of uploads and downloads: encodings, metadata, and failures.

use std::path::Path;

use axum::body::{Body, Bytes};
use futures::stream;
use hyper::{Request, StatusCode};
use locule_testkit::eventually;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::agent::{Agent, TIMEOUT, TOKEN, json_of};

/// Creates nested directories without ever using a path that long.
fn create_nested(folder: &Path, depth: usize) {
    use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = open(folder, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = openat(&at, "d", flags, Mode::empty()).unwrap();
    }
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

fn header<'a>(parts: &'a hyper::http::response::Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_download_is_compressed_only_for_a_client_that_accepts_gzip_alone() {
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
async fn a_download_of_an_empty_file_has_the_length_zero() {
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
async fn a_download_of_a_kernel_file_is_complete() {
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
async fn each_upload_replaces_all_metadata_of_a_file() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = folder.path().join("f");
    let stat = async || {
        let request = json!({"path": file});
        let (_, answer) = agent.call("/filesystem.Filesystem/Stat", &request).await;
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
async fn an_upload_with_invalid_metadata_creates_nothing() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = folder.path().join("deep/f");
    let long = "v".repeat(4097);
    let (status, error) = agent.upload(&file, "new", &[("x-metadata-k", &long)]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["code"], 400);
    assert!(!folder.path().join("deep").exists());
}

/// W-044: an incomplete upload leaves no file that looks complete.
#[tokio::test]
async fn an_interrupted_upload_leaves_no_new_file() {
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
    eventually("the upload creates a file", async || {
        entries(folder.path()) == 1
    })
    .await;
    assert!(
        !file.exists(),
        "a file that is not complete has no name yet"
    );
    drop(connection);
    eventually("the file is removed", async || entries(folder.path()) == 0).await;
}

/// W-044: an existing file keeps its content until the new one is complete, and a broken-off upload changes nothing.
#[tokio::test]
async fn an_upload_takes_effect_when_it_is_complete() {
    use std::os::unix::fs::PermissionsExt as _;
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("f"), folder.path().join("link"));
    std::fs::write(&file, "old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o750)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let names = || entries(folder.path());
    let mut connection = agent.connect().await;
    let head = format!(
        "POST /files?path={} HTTP/1.1\r\nhost: guest\r\nx-access-token: {TOKEN}\r\n\
         content-type: application/octet-stream\r\ncontent-length: 1000000\r\n\r\n",
        link.display()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![7; 300_000]).await.unwrap();
    eventually("the upload creates a second file", async || names() == 3).await;
    drop(connection);
    eventually("the second file is removed", async || names() == 2).await;
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
    let (status, _) = agent.upload(&link, "new", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (std::fs::read(&file).unwrap(), names()),
        (b"new".to_vec(), 2)
    );
    assert!(link.is_symlink());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o750);
}

/// A directory of the kernel accepts no second file.
#[tokio::test]
async fn an_upload_to_a_kernel_file_writes_in_place() {
    let agent = Agent::start().await;
    let file = format!("/proc/{}/oom_score_adj", agent.pid());
    let (status, _) = agent.upload(Path::new(&file), "7", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "7\n");
}

#[tokio::test]
async fn an_upload_with_a_wrong_encoding_leaves_no_new_file() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    let packed = [("content-encoding", "gzip")];
    let (status, _) = agent.upload(&file, "not gzip", &packed).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    eventually("the file is removed", async || !file.exists()).await;
    let (status, _) = agent
        .upload(&file, "x", &[("content-encoding", "br")])
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!file.exists());
}

/// A small file system. Dropping the value unmounts it, also when a test fails.
pub(crate) struct Disk(pub(crate) tempfile::TempDir);

impl Disk {
    pub(crate) fn mount() -> Self {
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

/// The agent reads on after a refusal: a client that is still sending would otherwise see only a closed connection.
#[tokio::test]
async fn a_refused_upload_gets_its_answer_while_the_client_still_sends() {
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

/// An upload to a full disk gets its own status and leaves no file, and the next upload succeeds.
#[tokio::test]
async fn an_upload_to_a_full_disk_is_refused_and_leaves_no_file() {
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
    let error = json_of(response).await;
    eventually("the file is removed", async || entries(disk.0.path()) == 0).await;
    let (next, _) = agent.upload(&file, "small", &[]).await;
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE);
    assert_eq!(error["code"], 507);
    assert_eq!(next, StatusCode::OK);
}

#[tokio::test]
async fn a_transfer_of_a_file_that_is_not_regular_is_refused_without_blocking() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // More requests than the agent has blocking threads: if one blocked on the pipe, the test would hang.
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
async fn a_path_is_resolved_and_checked_before_any_directory_is_created() {
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
    let (status, error) = agent.call("/filesystem.Filesystem/MakeDir", &body).await;
    assert_eq!(
        (status.as_u16(), &error["code"]),
        (400, &json!("invalid_argument"))
    );
    assert!(!at("p").exists());
    let (status, _) = agent.upload(&at("a%00b"), "x", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_invalid_file_request_gets_a_json_error() {
    let agent = Agent::start().await;
    let send = async |uri: &str| {
        let request = Request::get(uri).header("x-access-token", TOKEN);
        let answer = agent.send(request.body(Body::empty()).unwrap()).await;
        json_of(answer).await["code"].as_u64()
    };
    assert_eq!(
        send("/files?path=/etc/passwd&username=no-such-user").await,
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
    let error = json_of(agent.send(request).await).await;
    std::fs::remove_file("/tmp/locule-twice").unwrap();
    assert_eq!(
        error,
        json!({"code": 400, "message": "path '/tmp/locule-twice' is given twice"})
    );
}

#[tokio::test]
async fn a_directory_tree_deeper_than_a_path_is_listed_and_removed() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    std::fs::create_dir(&top).unwrap();
    create_nested(&top, 10_000);
    let body = json!({"path": top, "depth": 1_000_000});
    let (status, listed) = agent.call("/filesystem.Filesystem/ListDir", &body).await;
    assert_eq!(status, StatusCode::OK);
    assert!(listed["entries"].as_array().unwrap().len() > 1000);
    let (status, _) = agent.call("/filesystem.Filesystem/Remove", &body).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!top.exists());
}

#[tokio::test]
async fn a_listing_contains_names_that_are_not_valid_utf_8() {
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

/// Idle connections are limited, and closing them frees their slots.
#[tokio::test]
async fn connections_over_the_limit_are_closed_at_once_and_slots_are_reused() {
    let agent = Agent::start().await;
    let mut idle = Vec::new();
    for _ in 0..600 {
        idle.push(agent.connect().await);
    }
    // The agent closes a connection over the limit at once instead of queueing it.
    let mut last = idle.pop().unwrap();
    let end = tokio::time::timeout(TIMEOUT, last.read(&mut [0]))
        .await
        .unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
    drop(idle);
    eventually("a new connection is answered", async || {
        let mut connection = agent.connect().await;
        let head = "GET /health HTTP/1.1\r\nhost: guest\r\n\r\n";
        let mut answer = [0; 12];
        let sent = connection.write_all(head.as_bytes()).await;
        sent.is_ok()
            && connection.read_exact(&mut answer).await.is_ok()
            && answer == *b"HTTP/1.1 204"
    })
    .await;
}
