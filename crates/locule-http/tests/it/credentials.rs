//! Credentials that are forged, presented where none is read, or used beyond their scope by another spelling of a path.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use http::Request;
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};
use sqlx::PgPool;

use crate::app::{App, EMAIL};

/// The secret that signs the tokens of the tests.
const SECRET: [u8; 32] = [2; 32];

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn hs256(signed: &str, secret: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(signed.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn hs512(signed: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(&SECRET).unwrap();
    mac.update(signed.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// Tokens that a client can make out of a valid one without the secret; those of other algorithms even with it.
fn forged(token: &str) -> Vec<(&'static str, String)> {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token} has three parts");
    };
    let mut changed: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    changed["is_admin"] = json!(true);
    changed["exp"] = json!(4_000_000_000_i64);
    let changed = encoded(&changed);
    let under = |alg: &str| {
        let header = encoded(&json!({ "typ": "JWT", "alg": alg }));
        format!("{header}.{claims}")
    };
    let (none, other, hs) = (under("none"), under("RS256"), under("HS512"));
    let keyed = encoded(&json!({ "typ": "JWT", "alg": "HS256", "kid": "../../dev/null" }));
    let keyed = format!("{keyed}.{claims}");
    vec![
        ("alg none, no signature", format!("{none}.")),
        ("alg none, the old signature", format!("{none}.{signature}")),
        (
            "alg none, signed",
            format!("{none}.{}", hs256(&none, &SECRET)),
        ),
        ("HS512", format!("{hs}.{}", hs512(&hs))),
        (
            "RS256, signed with the secret",
            format!("{other}.{}", hs256(&other, &SECRET)),
        ),
        (
            "a key of its own",
            format!("{keyed}.{}", hs256(&keyed, b"")),
        ),
        ("changed claims", format!("{header}.{changed}.{signature}")),
        (
            "an empty secret",
            format!(
                "{header}.{claims}.{}",
                hs256(&format!("{header}.{claims}"), b"")
            ),
        ),
        ("no signature", format!("{header}.{claims}.")),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{token}.{signature}")),
        ("a space inside", format!("{header}.{claims} .{signature}")),
    ]
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_login_token_is_accepted_unchanged_and_as_a_bearer_token_only(pool: PgPool) {
    let app = App::start(pool).await;
    let token = app.login(EMAIL).await.token;
    let status = async |path: &str, header: Option<(&str, String)>| {
        let mut request = Request::get(path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        answer.status.as_u16()
    };
    let bearer = |token: &str| Some(("authorization", format!("Bearer {token}")));
    for path in ["/v1/me", "/v1/teams", "/v1/sandboxes", "/v1/admin/users"] {
        assert_eq!(status(path, bearer(&token)).await, 200, "{path}");
        for (what, forged) in forged(&token) {
            assert_eq!(status(path, bearer(&forged)).await, 401, "{path}: {what}");
        }
        for query in ["token", "access_token", "authorization", "jwt"] {
            let path = format!("{path}?{query}={token}");
            assert_eq!(status(&path, None).await, 401, "{path}");
        }
        for (name, value) in [
            ("cookie", format!("token={token}")),
            (
                "cookie",
                format!("locule_session={token}; locule_token={token}"),
            ),
            ("cookie", format!("authorization=Bearer {token}")),
            (
                "authorization",
                format!("Basic {}", STANDARD.encode(format!("{token}:"))),
            ),
            (
                "authorization",
                format!("Basic {}", STANDARD.encode(format!("user:{token}"))),
            ),
            ("authorization", format!("Token {token}")),
            ("authorization", token.clone()),
            ("x-api-key", token.clone()),
            ("x-access-token", token.clone()),
            ("proxy-authorization", format!("Bearer {token}")),
            ("x-forwarded-user", EMAIL.to_owned()),
        ] {
            let shown = format!("{path}: {name}: {value}");
            assert_eq!(status(path, Some((name, value))).await, 401, "{shown}");
        }
    }
}

/// Spellings of a path that end like an operation that only reads.
const ODD: [&str; 9] = [
    "{path};/files/read",
    "{path}/;/files/read",
    "{path}/../files/read",
    "{path}/%2e%2e/files/read",
    "{path}%2ffiles%2fread",
    "{path}/files/read",
    "{path}?/files/read",
    "{path}?a=/files/list",
    "/{path}",
];

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn no_spelling_of_a_path_widens_the_scope_of_a_key(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let owner = app.login(EMAIL).await;
    let key = app.new_key(&owner.token, &json!({ "scope": "read" })).await;
    let sandbox = format!("/v1/sandboxes/{id}");
    let exec = json!({ "cmd": "echo" });
    let mut refused = 0;
    for (method, path, body) in [
        ("POST", "/v1/sandboxes".to_owned(), json!({})),
        ("POST", format!("{sandbox}/exec"), exec),
        ("POST", format!("{sandbox}/pause"), json!({})),
        ("POST", format!("{sandbox}/ping"), json!({})),
        (
            "POST",
            format!("{sandbox}/files/mkdir"),
            json!({ "path": "/x" }),
        ),
        (
            "POST",
            format!("{sandbox}/files/remove"),
            json!({ "path": "/x" }),
        ),
        ("DELETE", sandbox.clone(), json!({})),
        ("POST", format!("/v2/sandboxes/{id}/connect"), json!({})),
        ("DELETE", format!("/sandboxes/{id}"), json!({})),
        (
            "POST",
            format!("/v1/capsules/{id}/exec"),
            json!({ "cmd": "echo" }),
        ),
    ] {
        let spelled = ODD.map(|odd| odd.replace("{path}", &path));
        for path in spelled.iter().chain([&path]) {
            let answer = app.call_as(&key, method, path, &body.to_string()).await;
            let status = answer.status.as_u16();
            assert!(
                [400, 403, 404, 405].contains(&status),
                "{method} {path}: {status} {}",
                answer.json
            );
            refused += usize::from(status == 403);
        }
    }
    assert!(refused >= 10, "{refused}: the scope of the key refuses");
    let seen = app.call("GET", &sandbox, "").await;
    assert_eq!(seen.json["status"], "running");
    assert_eq!(app.host.count(), 1);
    assert!(app.guest.starts.lock().unwrap().is_empty());
    assert_eq!(app.call_as(&key, "GET", &sandbox, "").await.status, 200);
}

/// The id of a key is no secret: lists and the audit log show it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_is_not_revoked_by_the_owner_of_another_team(pool: PgPool) {
    let app = App::start(pool).await;
    let owner = app.login(EMAIL).await;
    let stranger = app.sign_up("stranger@locule.test").await;
    let listed = app
        .by(&owner.token, "GET", "/v1/api-keys", &Value::Null)
        .await;
    let path = format!("/v1/api-keys/{}", listed.json[0]["id"].as_str().unwrap());
    let answer = app.by(&stranger.token, "DELETE", &path, &Value::Null).await;
    assert_eq!(answer.json["sandboxes"], json!([]), "{}", answer.status);
    assert_eq!(app.call("GET", "/v1/sandboxes", "").await.status, 200);
}
