use axum::Router;
use axum::extract::RawPathParams;
use axum::routing::any;
use tower::ServiceExt as _;

use super::*;

/// How the agent's router parses a request target: the decoded path, and the URI that the router passes on.
async fn routed(uri: Uri) -> Option<(String, Uri)> {
    let seen = |Path(target): Path<Target>, _: RawPathParams, request: Request| async move {
        let inner = inner(request.uri()).to_string();
        serde_json::to_string(&(format!("/{}", target.path), inner)).unwrap()
    };
    let router: Router = Router::new()
        .route("/proxy/{sandbox}/{port}/", any(seen))
        .route("/proxy/{sandbox}/{port}/{*path}", any(seen));
    let request = Request::builder().uri(uri).body(Body::empty()).ok()?;
    let response = router.oneshot(request).await.unwrap();
    if response.status() != StatusCode::OK {
        return None;
    }
    let body = axum::body::to_bytes(response.into_body(), usize::MAX);
    let (decoded, inner): (String, String) = serde_json::from_slice(&body.await.unwrap()).unwrap();
    Some((decoded, inner.parse().unwrap()))
}

#[test]
fn no_spelling_of_a_path_reaches_the_hosts_own_calls() {
    let seeds = [
        "/proxy/sb-6dfzh5ik5uxynzmlf5cshamdk/49983/health?x=1",
        "/proxy/sb-6dfzh5ik5uxynzmlf5cshamdk/49983/%69nit",
        "/proxy/sb-6dfzh5ik5uxynzmlf5cshamdk/49983//freeze/../thaw",
        "/proxy/sb-6dfzh5ik5uxynzmlf5cshamdk/49983/sync?/init",
        "http://guest/proxy/x/49983/warm",
        "/proxy/x/80/",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    // The guest agent's routes, and whether a call landed on one of the host's.
    let guest = |inner: Uri| async move {
        let mut router: Router = Router::new().fallback(|| async { "open" });
        for path in CONTROL_PATHS {
            router = router.route(path, any(|| async { "control" }));
        }
        let request = Request::builder().uri(inner).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        axum::body::to_bytes(response.into_body(), 64)
            .await
            .unwrap()
    };
    locule_fuzz::fuzz(&seeds, |input| {
        let uri = Uri::try_from(input).ok()?;
        runtime.block_on(async {
            let (decoded, inner) = routed(uri).await?;
            assert!(inner.path().starts_with('/'), "{inner}");
            let control = is_control(&decoded, &inner);
            let landed = guest(inner).await;
            assert!(control || landed != "control", "{decoded}");
            Some((control, landed, decoded.len() / 8))
        })
    });
}
