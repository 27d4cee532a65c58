//! Sends arbitrary input to every documented operation: no response is a 5xx, and every refusal is in its envelope.

use axum::body::Body;
use http::Request;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::App;
use crate::oauth::provider::Provider;

const ROUNDS: usize = 12;

/// Field names of real requests, so that arbitrary values pass the parser and reach the code behind it.
const FIELDS: [&str; 24] = [
    "template",
    "templateID",
    "vcpus",
    "memory_mb",
    "timeout_sec",
    "expires_in_sec",
    "timeout",
    "envs",
    "envVars",
    "labels",
    "metadata",
    "network",
    "autoPause",
    "autoResume",
    "cmd",
    "args",
    "cwd",
    "user",
    "tag",
    "background",
    "path",
    "depth",
    "email",
    "password",
];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just(String::new()),
        Just("\0".to_owned()),
        Just("minimal".to_owned()),
        Just("../../etc".to_owned()),
        Just("x".repeat(20_000)),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(-1)),
        Just(json!(u64::MAX)),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![
            prop::sample::select(&FIELDS[..]).prop_map(str::to_owned),
            any_text()
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(&FIELDS[..]).prop_map(str::to_owned);
    let object = prop::collection::btree_map(name, any_json(), 0..8);
    prop_oneof![
        3 => object.prop_map(|fields| serde_json::to_vec(&fields).unwrap()),
        1 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
}

fn any_parameter(id: String) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(id),
        1 => any_text().prop_map(|text| encoded(&text[..text.floor_char_boundary(200)])),
        1 => Just(locule_ids::SandboxId::random().to_string()),
        1 => Just("%ff".to_owned()),
    ]
}

fn encoded(text: &str) -> String {
    let codes: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    codes.concat()
}

fn check(native: bool, shown: &str, status: u16, json: &Value) {
    assert!(status < 500, "{shown}: {status} {json}");
    if status < 400 {
        return;
    }
    if native {
        assert!(
            json["error"]["code"].is_string(),
            "{shown}: {status} {json}"
        );
        assert!(
            json["error"]["message"].is_string(),
            "{shown}: {status} {json}"
        );
    } else {
        assert_eq!(json["code"], status, "{shown}: {json}");
        assert!(json["message"].is_string(), "{shown}: {status} {json}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn no_operation_answers_arbitrary_input_with_a_server_error(pool: PgPool) {
    let github = Provider::open().await.client("https://locule.test");
    let app = App::start_with(pool, |config| config.accounts.github = Some(github)).await;
    let mut runner = TestRunner::deterministic();
    let mut pick =
        |strategy: BoxedStrategy<Vec<u8>>| strategy.new_tree(&mut runner).unwrap().current();
    let document = serde_json::to_value(locule_http::document()).unwrap();
    let mut id = app.sandbox().await;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            for round in 0..ROUNDS {
                let parameter = any_parameter(id.clone())
                    .prop_map(String::into_bytes)
                    .boxed();
                let provider = any_parameter("github".to_owned())
                    .prop_map(String::into_bytes)
                    .boxed();
                let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
                let uri = path
                    .replace("{id}", &text(pick(parameter.clone())))
                    .replace("{selector}", &text(pick(parameter.clone())))
                    .replace("{port}", &text(pick(parameter.clone())))
                    .replace("{user_id}", &text(pick(parameter.clone())))
                    .replace("{token}", &text(pick(parameter)))
                    .replace("{provider}", &text(pick(provider)));
                let body = pick(any_body().boxed());
                let kinds = [
                    "application/json",
                    "text/plain",
                    "multipart/form-data; boundary=x",
                ];
                let shown = format!("{method} {uri} {}", String::from_utf8_lossy(&body));
                let request = Request::builder()
                    .method(method.to_uppercase().as_str())
                    .uri(&uri)
                    .header("x-api-key", &app.key)
                    .header(
                        "content-type",
                        kinds[if round % 4 == 0 { round / 4 % 3 } else { 0 }],
                    );
                let answer = app.send(request.body(Body::from(body)).unwrap()).await;
                let native = ["/v1/", "/auth/", "/health"];
                let native = native.iter().any(|start| path.starts_with(start));
                if path != "/health" {
                    check(native, &shown, answer.status.as_u16(), &answer.json);
                }
                let seen = app.call("GET", &format!("/v1/sandboxes/{id}"), "").await;
                if seen.json["status"] != "running" {
                    id = app.sandbox().await;
                }
            }
        }
    }
}
