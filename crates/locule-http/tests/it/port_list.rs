//! The list of the ports on which programs listen, and the addresses in it.

use std::net::TcpListener;

use http::Request;
use locule_edge::Listener;
use locule_http::{Names, Origin};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::App;
use crate::hosts::started_with;

fn listener(port: u16, address: &str) -> Listener {
    Listener {
        port,
        address: address.parse().unwrap(),
        pid: (port == 8080).then_some(7),
        process: (port == 8080).then(|| "python3".to_owned()),
    }
}

async fn listed(app: &App, id: &str, host: &str) -> Value {
    let request = Request::get(format!("/v1/sandboxes/{id}/ports"))
        .header("host", host)
        .header("x-api-key", &app.key);
    let request = request.body(axum::body::Body::empty()).unwrap();
    let answer = app.send_as_it_is(request).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn listening_ports_are_listed_with_the_addresses_that_lead_to_them(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let said = vec![
        listener(49983, "0.0.0.0"),
        listener(9000, "::1"),
        listener(8080, "127.0.0.1"),
    ];
    *app.guest.listeners.lock().unwrap() = said;
    let seen = listed(&app, &id, "127.0.0.1:8000").await;
    let url = |port: &str| format!("http://{port}-{id}.localhost:8000");
    assert_eq!(
        seen,
        json!({
            "url_pattern": url("{port}"),
            "ports": [
                { "port": 8080, "address": "127.0.0.1", "pid": 7, "process": "python3", "url": url("8080") },
                { "port": 9000, "address": "::1", "url": url("9000") },
            ],
        })
    );
    // The address leads there.
    let request = Request::get("/x")
        .header("host", format!("8080-{id}.localhost:8000"))
        .header("x-api-key", &app.key);
    let request = request.body(axum::body::Body::empty()).unwrap();
    assert_eq!(app.send_as_it_is(request).await.status, 200);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn ports_have_no_address_where_no_host_name_leads_to_them(pool: PgPool) {
    let names = Names {
        public: Origin::of_url("https://locule.test").ok(),
        ..Names::default()
    };
    let app = started_with(pool, names).await;
    let id = app.sandbox().await;
    *app.guest.listeners.lock().unwrap() = vec![listener(9000, "0.0.0.0")];
    let seen = listed(&app, &id, "locule.test").await;
    let alone = json!({ "ports": [{ "port": 9000, "address": "0.0.0.0" }] });
    assert_eq!(seen, alone);
    let local = listed(&app, &id, "localhost:8000").await;
    assert!(local["url_pattern"].is_string());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_addresses_of_ports_have_the_domain_of_sandboxes_and_the_scheme_of_the_public_url(
    pool: PgPool,
) {
    let names = Names {
        public: Origin::of_url("https://locule.test").ok(),
        sandbox_domain: "sbx.test:8443".parse().ok(),
        ..Names::default()
    };
    let app = started_with(pool, names).await;
    let id = app.sandbox().await;
    let seen = listed(&app, &id, "127.0.0.1:8000").await;
    let expected = format!("https://{{port}}-{id}.sbx.test:8443");
    assert_eq!(seen["url_pattern"], expected);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_guest_agent_lists_a_port_while_a_program_listens(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start_with_guest_process(pool, folder.path()).await;
    let id = app.sandbox().await;
    // The guest agent runs on this machine, and the test is one of its programs.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let of_port = |listed: &Value| {
        let ports = listed["ports"].as_array().unwrap().clone();
        ports.into_iter().find(|one| one["port"] == port)
    };
    let found = of_port(&listed(&app, &id, "localhost").await).unwrap();
    assert_eq!(found["address"], "127.0.0.1");
    assert_eq!(found["pid"], std::process::id());
    drop(socket);
    assert_eq!(of_port(&listed(&app, &id, "localhost").await), None);
}
