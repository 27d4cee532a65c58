//! A request that a host refused before it read the body is sent again, whole.

use axum::body::{Body, Bytes, to_bytes};
use futures::stream;
use http::StatusCode;
use locule_agent_api::ReportedState;
use locule_edge::{Forwarding, Pass, Refusal};

use crate::host::Host;

fn forwarding(body: Body) -> Forwarding {
    let request = http::Request::post("/").body(body).unwrap();
    Forwarding::new(8080, Pass::Visitor(None), request, |_| false).unwrap()
}

#[tokio::test]
async fn a_refused_request_keeps_its_body_for_the_next_try() {
    let host = Host::start();
    let paused = host.sandbox(ReportedState::Paused);
    let large = "x".repeat(300_000);
    let chunks =
        [large.clone(), "end".to_owned()].map(|text| Ok::<_, std::io::Error>(Bytes::from(text)));
    let streamed = Body::from_stream(stream::iter(chunks));
    for (body, expected) in [
        (Body::empty(), String::new()),
        (Body::from("short"), "short".to_owned()),
        (Body::from(large.clone()), large.clone()),
        (streamed, format!("{large}end")),
    ] {
        let mut forwarding = forwarding(body);
        for _ in 0..2 {
            let refused = forwarding
                .send(paused.clone(), true, &host.tasks)
                .await
                .unwrap_err();
            assert_eq!(
                (refused.refusal, refused.repeatable),
                (Refusal::NotFound, true)
            );
        }
        let response = forwarding
            .send(host.target.clone(), true, &host.tasks)
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let echoed = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert!(echoed == expected.as_bytes(), "{} bytes", echoed.len());
        let arrived = host.guest.web_request.lock().unwrap().take().unwrap();
        assert!(
            arrived.body == expected.as_bytes(),
            "{} bytes",
            arrived.body.len()
        );
    }
}

#[tokio::test]
async fn a_request_whose_body_was_sent_is_not_repeatable() {
    let host = Host::start();
    let paused = host.sandbox(ReportedState::Paused);
    let mut forwarding = forwarding(Body::from("body"));
    let refused = forwarding
        .send(paused, false, &host.tasks)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.refusal, refused.repeatable),
        (Refusal::NotFound, false)
    );
}
