//! Clients may send any request target, header and frame: the guest agent answers each of them and keeps running.
//!
//! The requests only read: the program under test runs on the machine of the tests.

use locule_fuzz::fuzz;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::agent::{Agent, TIMEOUT, TOKEN};

/// Sends raw bytes and returns the first line of the answer.
async fn exchange(agent: &Agent, bytes: &[u8]) -> String {
    let talk = async {
        let mut stream = tokio::net::TcpStream::connect(agent.address())
            .await
            .unwrap();
        // The agent may close the connection before it has read all bytes.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.take(1 << 20).read_to_end(&mut answer).await;
        let line = answer.split(|byte| *byte == b'\r').next();
        String::from_utf8_lossy(line.unwrap_or_default()).into_owned()
    };
    tokio::time::timeout(TIMEOUT, talk).await.unwrap()
}

fn with_agent(target: impl Fn(&tokio::runtime::Runtime, &Agent)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let agent = runtime.block_on(Agent::start());
    target(&runtime, &agent);
    let health = exchange(
        &agent,
        b"GET /health HTTP/1.1\r\nhost: guest\r\nconnection: close\r\n\r\n",
    );
    assert_eq!(runtime.block_on(health), "HTTP/1.1 204 No Content");
    let _inside = runtime.enter();
    drop(agent);
}

#[test]
fn a_download_with_any_target_and_header_is_answered() {
    let seeds = [
        "/files?path=%2Fetc%2Fhostname&username=user\nrange: bytes=0-3",
        "/files?path=~/../../etc/os-release&signature=v1_abc&signature_expiration=1\nrange: bytes=-5",
        "/files?path=/etc/passwd%0A%00&username=root\naccept-encoding: gzip;q=0.5, identity",
        "/envs?\nif-none-match: *",
        "/metrics\nauthorization: Basic dXNlcjo=",
    ];
    with_agent(|runtime, agent| {
        fuzz(&seeds, |input| {
            // Line ends are removed from the parts: they would end the request early.
            let clean: Vec<u8> = input
                .iter()
                .copied()
                .filter(|byte| *byte != b'\r')
                .collect();
            let (target, header) = match clean.iter().position(|byte| *byte == b'\n') {
                Some(at) => (&clean[..at], &clean[at + 1..]),
                None => (&clean[..], &b"x: y"[..]),
            };
            let header: Vec<u8> = header
                .iter()
                .copied()
                .filter(|byte| *byte != b'\n')
                .collect();
            let mut request = b"GET ".to_vec();
            request.extend_from_slice(target);
            request.extend_from_slice(b" HTTP/1.1\r\nhost: guest\r\nconnection: close\r\n");
            request.extend_from_slice(format!("x-access-token: {TOKEN}\r\n").as_bytes());
            request.extend_from_slice(&header);
            request.extend_from_slice(b"\r\n\r\n");
            let line = runtime.block_on(exchange(agent, &request));
            // A path with a zero byte, or as long as a page, is an error of the client.
            assert!(!line.starts_with("HTTP/1.1 500"), "{line}");
            line
        });
    });
}

#[test]
fn a_streaming_call_with_any_frame_is_answered() {
    let frame = |message: &str| {
        let mut frame = vec![0];
        frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        frame.extend(message.as_bytes());
        frame
    };
    let seeds = [
        frame(r#"{"process":{"pid":1}}"#),
        frame(r#"{"process":{"tag":"none"}}"#),
        [frame("{}"), frame(r#"{"process":{"selector":null}}"#)].concat(),
    ];
    with_agent(|runtime, agent| {
        fuzz(&seeds, |body| {
            let mut request = format!(
                "POST /process.Process/Connect HTTP/1.1\r\nhost: guest\r\nconnection: close\r\nx-access-token: {TOKEN}\r\n\
                 content-type: application/connect+json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            )
            .into_bytes();
            request.extend_from_slice(body);
            runtime.block_on(exchange(agent, &request))
        });
    });
}
