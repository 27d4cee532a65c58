//! Tests of tunnels to programs that listen on a loopback address only.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::agent::{Agent, KEY, TIMEOUT, TOKEN};

/// Asks for a tunnel, and returns the head of the answer.
async fn ask(agent: &Agent, key: &str, port: &str) -> (String, TcpStream) {
    let mut stream = agent.connect().await;
    let request = format!(
        "POST /tunnel HTTP/1.1\r\nhost: guest\r\nconnection: upgrade\r\nupgrade: locule-tunnel\r\n\
         {key}\r\nlocule-tunnel-port: {port}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(TIMEOUT, read).await.unwrap();
    (String::from_utf8(head).unwrap(), stream)
}

fn with_key(key: &str) -> String {
    format!("locule-control-key: {key}")
}

#[tokio::test]
async fn the_host_reaches_a_program_on_any_loopback_address() {
    let agent = Agent::start().await;
    for address in ["127.0.0.1:0", "[::1]:0", "127.0.1.1:0"] {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let program = async {
            let (mut stream, peer) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The end of what the host sends arrives, and the program answers after it.
            stream.read_to_end(&mut request).await.unwrap();
            stream.write_all(&request).await.unwrap();
            peer.ip().is_loopback()
        };
        let host = async {
            let (head, mut stream) = ask(&agent, &with_key(KEY), &port).await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{address}: {head}");
            stream.write_all(b"hello").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let both = async { tokio::join!(program, host) };
        let (is_loopback, answer) = tokio::time::timeout(TIMEOUT, both).await.unwrap();
        assert!(is_loopback, "{address}");
        assert_eq!(answer, b"hello", "{address}");
    }
}

#[tokio::test]
async fn a_port_on_which_no_program_listens_has_no_tunnel() {
    let agent = Agent::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let (head, _) = ask(&agent, &with_key(KEY), &port).await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    for port in ["", "x", "65536", "-1"] {
        let (head, _) = ask(&agent, &with_key(KEY), port).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{port}: {head}");
    }
}

#[tokio::test]
async fn only_the_control_key_opens_a_tunnel() {
    let agent = Agent::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for key in [
        with_key(TOKEN),
        with_key(""),
        format!("x-access-token: {TOKEN}"),
    ] {
        let (head, _) = ask(&agent, &key, &port).await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{key}: {head}");
    }
}

/// After a resume the host's end of an old tunnel does not exist, and its program must not wait for it.
#[tokio::test]
async fn a_tunnel_ends_when_the_guest_becomes_a_sandbox_anew() {
    let agent = Agent::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (head, _tunnel) = ask(&agent, &with_key(KEY), &port).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let (mut program, _) = listener.accept().await.unwrap();
    agent.init(Some(KEY)).await;
    let end = tokio::time::timeout(TIMEOUT, program.read(&mut [0])).await;
    assert!(matches!(end.unwrap(), Ok(0) | Err(_)));
}
