//! The API documentation as a browser loads it.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

use crate::app::App;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_documentation_loads_no_external_resource_and_its_policy_forbids_them(pool: PgPool) {
    let app = App::start(pool).await;
    // The page needs no credential.
    let answer = app
        .send(Request::get("/docs").body(Body::empty()).unwrap())
        .await;
    assert_eq!(answer.status, 200);
    let kind = answer.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/html"), "{kind}");
    let page = String::from_utf8(answer.body).unwrap();
    assert!(page.contains("/v1/sandboxes/{id}/exec"));
    for outside in [
        "<script",
        "<img",
        "<link",
        "src=",
        "url(",
        "@import",
        "href=\"http",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    let (_, style) = page.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    let hash = STANDARD.encode(Sha256::digest(style));
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    let expected = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(policy, expected);
}
