//! Tests of `/files`, its authorization, and the filesystem service.

use axum::body::{Body, Bytes};
use futures::stream;
use http_body_util::BodyExt as _;
use hyper::{Request, StatusCode};
use locule_guest_api::signature::{Operation, sign};
use serde_json::json;

use crate::agent::{Agent, TOKEN, json_of, me};

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

/// W-034.
#[tokio::test]
async fn only_health_is_open_before_the_first_init() {
    let agent = Agent::uninitialized().await;
    assert_eq!(
        agent.send(get("/health")).await.status(),
        StatusCode::NO_CONTENT
    );
    for path in ["/envs", "/metrics", "/files?path=/etc/passwd"] {
        assert_eq!(
            agent.send(get(path)).await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    let (status, _) = agent.call("/process.Process/List", &json!({})).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_request_has_at_most_a_hundred_headers() {
    let agent = Agent::uninitialized().await;
    // The client adds `host`.
    for (others, status) in [
        (99, StatusCode::NO_CONTENT),
        (100, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
    ] {
        let mut request = get("/health");
        for number in 0..others {
            let name: hyper::http::HeaderName = format!("x-{number}").parse().unwrap();
            request.headers_mut().insert(name, "1".parse().unwrap());
        }
        assert_eq!(agent.send(request).await.status(), status);
    }
}

#[tokio::test]
async fn a_second_init_needs_the_control_key() {
    let agent = Agent::start().await;
    assert_eq!(agent.init(None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(agent.init(Some(TOKEN)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(agent.init(Some("key-of-the-tests")).await, StatusCode::OK);
}

#[tokio::test]
async fn a_signed_link_permits_one_operation_on_one_file_until_it_expires() {
    let agent = Agent::start().await;
    let link = |signature: &str, rest: &str| {
        let signature = signature.replace('+', "%2B").replace('/', "%2F");
        get(&format!(
            "/files?path=/etc/passwd&signature={signature}{rest}"
        ))
    };
    let good = sign("/etc/passwd", Operation::Read, "", TOKEN, None);
    assert_eq!(agent.send(link(&good, "")).await.status(), StatusCode::OK);
    let old = sign("/etc/passwd", Operation::Read, "", TOKEN, Some(1));
    let refused = json_of(agent.send(link(&old, "&signature_expiration=1")).await).await;
    assert_eq!(
        refused,
        json!({"code": 401, "message": "signature is already expired"})
    );
    let other = sign("/etc/passwd", Operation::Write, "", TOKEN, None);
    let refused = json_of(agent.send(link(&other, "")).await).await;
    assert_eq!(refused["message"], "invalid signature");
    let refused = json_of(agent.send(get("/files?path=/etc/passwd")).await).await;
    assert_eq!(refused["message"], "missing signature query parameter");
}

/// W-044: a large upload and download take little memory.
#[tokio::test]
async fn a_large_file_is_transferred_in_bounded_memory() {
    const CHUNKS: usize = 256;
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("/files?path={}/deep/er/large", folder.path().display());
    let chunk = Bytes::from(vec![7_u8; 1024 * 1024]);
    let body = Body::from_stream(stream::iter(
        (0..CHUNKS).map(move |_| Ok::<_, std::io::Error>(chunk.clone())),
    ));
    let request = Request::post(&uri)
        .header("content-type", "application/octet-stream")
        .header("x-access-token", TOKEN)
        .body(body)
        .unwrap();
    let written = json_of(agent.send(request).await).await;
    assert_eq!(written[0]["name"], "large");
    let request = Request::get(&uri).header("x-access-token", TOKEN);
    let mut answer = agent
        .send(request.body(Body::empty()).unwrap())
        .await
        .into_body();
    let mut total = 0;
    while let Some(frame) = answer.frame().await {
        total += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(total, CHUNKS * 1024 * 1024);
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(
        peak_kib < 64 * 1024,
        "the agent used {peak_kib} KiB of memory"
    );
}

#[tokio::test]
async fn a_multipart_part_is_written_to_the_path_in_its_file_name() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sub/a b.txt");
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\r\nhello\r\n--x--\r\n",
        target.display()
    );
    let request = Request::post(format!("/files?username={}", me()))
        .header("content-type", "multipart/form-data; boundary=x")
        .header("x-access-token", TOKEN)
        .body(Body::from(body))
        .unwrap();
    let written = json_of(agent.send(request).await).await;
    assert_eq!(written[0]["path"], target.to_str().unwrap());
    assert_eq!(std::fs::read(&target).unwrap(), b"hello");
}

#[tokio::test]
async fn filesystem_errors_have_the_codes_that_clients_expect() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let call = async |method: &str, path: String| {
        let method = format!("/filesystem.Filesystem/{method}");
        let (status, body) = agent.call(&method, &json!({"path": path})).await;
        (
            status.as_u16(),
            body["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(
        call("Stat", format!("{path}/no")).await,
        (404, "not_found".into())
    );
    assert_eq!(
        call("MakeDir", format!("{path}/a/b")).await,
        (200, String::new())
    );
    assert_eq!(
        call("MakeDir", format!("{path}/a/b")).await,
        (409, "already_exists".into())
    );
    assert_eq!(
        call("ListDir", "/etc/passwd".into()).await,
        (400, "invalid_argument".into())
    );
    assert_eq!(
        call("Remove", format!("{path}/a")).await,
        (200, String::new())
    );
    assert_eq!(
        call("Remove", format!("{path}/a")).await,
        (200, String::new())
    );
}
