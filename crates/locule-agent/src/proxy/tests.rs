use std::net::SocketAddr;

use locule_base::clock::SystemClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::activity::AllUses;

/// A program that accepts connections and never answers.
async fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Stands for the guest agent, and for a program that answers.
async fn answering() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(|headers: http::HeaderMap| async move {
        let own = [PROXY_VISITOR_HEADER, PROXY_USE_HEADER];
        let told = own.iter().any(|name| headers.contains_key(*name));
        assert!(!told, "the program was told of the platform's header");
        StatusCode::NO_CONTENT
    });
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn request(headers: &[(&'static str, &'static str)]) -> Request {
    let mut request = Request::builder().uri("/proxy/sandbox/1/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

const ONE: [(&str, &str); 1] = [(PROXY_VISITOR_HEADER, "203.0.113.7")];
const ANOTHER: [(&str, &str); 1] = [(PROXY_VISITOR_HEADER, "203.0.113.8")];

/// 520 visitors without a credential, to a port whose program never answers: the owner's `exec` and `is_running` answered 502.
#[tokio::test]
async fn hung_visits_of_a_port_take_nothing_from_the_owner_and_from_other_visitors() {
    let activity = Activity::new(SystemClock::shared(), AllUses::within(1 << 20));
    let (silent, program) = (silent().await, answering().await);
    let sandbox = SandboxId::random();
    let hung = silent.local_addr().unwrap();
    let send = |port, to: SocketAddr, headers: &[(&'static str, &'static str)]| {
        let (activity, request) = (activity.clone(), request(headers));
        async move {
            let stream = async { TcpStream::connect(to).await.map(Some) };
            pass_on(&activity, sandbox, port, request, stream).await
        }
    };
    let mut visits = tokio::task::JoinSet::new();
    for _ in 0..520 {
        visits.spawn(send(8080, hung, &ONE));
    }
    // What is beyond the share of one visitor is refused at once; the others wait for the program.
    for _ in 256..520 {
        let refused = visits.join_next().await.unwrap().unwrap();
        assert_eq!(refused.headers()[PROXY_ERROR_HEADER], "busy");
    }
    assert_eq!(visits.len(), 256);
    for (port, headers) in [
        (GUEST_PORT, &[][..]),
        (GUEST_PORT, &[(PROXY_PROBE_HEADER, "1"), ANOTHER[0]]),
        (8080, &ANOTHER),
    ] {
        let answer = send(port, program, headers).await;
        assert_eq!(
            answer.status(),
            StatusCode::NO_CONTENT,
            "{port} {headers:?}"
        );
    }
    // Many visitors take the whole port, and no call to the guest agent.
    for _ in 0..300 {
        visits.spawn(send(8080, hung, &ANOTHER));
    }
    for _ in 256..300 {
        visits.join_next().await.unwrap().unwrap();
    }
    let refused = send(8080, program, &[]).await;
    assert_eq!(refused.headers()[PROXY_ERROR_HEADER], "busy");
    let owner = send(GUEST_PORT, program, &[]).await;
    assert_eq!(owner.status(), StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_never_answers_holds_a_visit_for_five_minutes_and_a_call_for_ever() {
    let activity = Activity::new(SystemClock::shared(), AllUses::within(1 << 20));
    let mut programs = Vec::new();
    let began = tokio::time::Instant::now();
    let mut send = |port| {
        let (stream, program) = tokio::io::duplex(1024);
        programs.push(program);
        let stream = std::future::ready(Ok(Some(stream)));
        pass_on(&activity, SandboxId::random(), port, request(&[]), stream)
    };
    let answer = send(8080).await;
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.headers()[PROXY_ERROR_HEADER], "no_answer");
    assert_eq!(began.elapsed(), head::HEAD_TIMEOUT);
    assert!(!activity.is_open());
    let call = tokio::time::timeout(Duration::from_hours(1), send(GUEST_PORT));
    call.await.unwrap_err();
}

/// Server-sent events, a long download: only the head has a time limit.
#[tokio::test(start_paused = true)]
async fn a_response_whose_head_came_lasts_as_long_as_it_likes() {
    let activity = Activity::new(SystemClock::shared(), AllUses::within(1 << 20));
    let (stream, mut program) = tokio::io::duplex(1024);
    let program = async {
        program.read_u8().await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";
        program.write_all(head).await.unwrap();
        tokio::time::sleep(Duration::from_hours(2)).await;
        program.write_all(b"late").await.unwrap();
    };
    let stream = std::future::ready(Ok(Some(stream)));
    let read = async {
        let sandbox = SandboxId::random();
        let answer = pass_on(&activity, sandbox, 8080, request(&[]), stream).await;
        axum::body::to_bytes(answer.into_body(), 16).await.unwrap()
    };
    assert_eq!(tokio::join!(read, program).0, "late");
}

#[tokio::test]
async fn a_request_is_listed_with_what_it_is_for_while_it_is_open() {
    let activity = Activity::new(SystemClock::shared(), AllUses::within(1 << 20));
    let (silent, program) = (silent().await, answering().await);
    let hung = silent.local_addr().unwrap();
    let send = |port, to: SocketAddr, path: &'static str, noted: &'static str| {
        let activity = activity.clone();
        let request = Request::builder()
            .uri(format!("/proxy/sandbox/{port}{path}"))
            .header(PROXY_USE_HEADER, noted)
            .body(Body::empty())
            .unwrap();
        async move {
            let stream = async { TcpStream::connect(to).await.map(Some) };
            pass_on(&activity, SandboxId::random(), port, request, stream).await
        }
    };
    // The program asserts that it is not told the header.
    let answered = send(8080, program, "/", "terminal").await;
    assert_eq!(answered.status(), StatusCode::NO_CONTENT);
    drop(answered);
    let mut open = tokio::task::JoinSet::new();
    for (port, path, noted, expected) in [
        (
            GUEST_PORT,
            "/process.Process/Start",
            "terminal;tag=pty-1",
            "terminal;tag=pty-1",
        ),
        (GUEST_PORT, "/process.Process/Start", "", "command"),
        (
            GUEST_PORT,
            "/process.Process/Connect",
            "spy",
            "process_stream",
        ),
        (GUEST_PORT, "/files?path=/a", "", "transfer"),
        (GUEST_PORT, "/filesystem.Filesystem/WatchDir", "", "call"),
        // Only the guest agent's requests are the control plane's own.
        (8080, "/process.Process/Start", "terminal", "port"),
    ] {
        open.spawn(send(port, hung, path, noted));
        // A use begins with the purpose of its kind, which is replaced at once.
        while activity
            .report()
            .held_by
            .last()
            .is_none_or(|newest| newest.purpose.header() != expected)
        {
            tokio::task::yield_now().await;
        }
        let port_of = activity.report().held_by.pop().unwrap().purpose.port;
        assert_eq!(port_of, (port != GUEST_PORT).then_some(port));
    }
    open.abort_all();
    while open.join_next().await.is_some() {}
    assert!(activity.report().held_by.is_empty());
}
