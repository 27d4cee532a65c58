//! The OpenAPI document and the router have the same methods.

use axum::body::Body;
use http::Request;
use serde_json::Value;
use sqlx::PgPool;

use crate::app::App;

/// Paths that are served and not part of the documented API.
const UNDOCUMENTED: [&str; 3] = ["/docs", "/openapi.json", "/openapi.yaml"];
/// HEAD belongs to GET, and OPTIONS answers preflight requests of browsers.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

async fn is_served(app: &App, method: &str, path: &str) -> bool {
    // Without a credential every operation refuses the request and changes no state.
    let request = Request::builder().method(method).uri(path);
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    let text = answer.json.to_string();
    assert!(!text.contains("route not found"), "{method} {path}: {text}");
    if answer.status == 405 {
        assert!(answer.headers.contains_key("allow"), "{method} {path}");
    }
    answer.status != 405
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_path_serves_exactly_the_documented_methods(pool: PgPool) {
    let app = App::start(pool).await;
    let document = serde_json::to_value(locule_http::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 40);
    for (path, item) in paths {
        for method in METHODS {
            let documented = item
                .get(method.to_lowercase())
                .is_some_and(Value::is_object);
            let served = is_served(&app, method, &path.replace(['{', '}'], "")).await;
            assert_eq!(served, documented, "{method} {path}");
        }
    }
    for path in UNDOCUMENTED {
        assert!(!paths.contains_key(path), "{path}");
        for method in METHODS {
            assert_eq!(
                is_served(&app, method, path).await,
                method == "GET",
                "{method} {path}"
            );
        }
    }
}
