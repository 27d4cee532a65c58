//! A request whose head came before a removal, and whose body comes after it.

use std::net::SocketAddr;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{App, PATIENCE, Signed};

const NONE: Value = Value::Null;

/// A request without its body, whose caller is authenticated.
struct Begun(TcpStream);

impl Begun {
    /// Sends the head. The server asks for the body once it has read the credential.
    async fn new(address: SocketAddr, method: &str, path: &str, credential: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{credential}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut told = [0; 25];
        let read = stream.read_exact(&mut told);
        tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
        Self(stream)
    }

    /// Sends the body and returns the status and the error code.
    async fn finish(mut self) -> (u16, String) {
        self.0.write_all(b"{}").await.unwrap();
        let mut said = Vec::new();
        let read = self.0.read_to_end(&mut said);
        tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
        let said = String::from_utf8(said).unwrap();
        let status = said.split(' ').nth(1).unwrap().parse().unwrap();
        let body = said.split("\r\n\r\n").nth(1).unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let code = body["error"]["code"].as_str().unwrap_or_default();
        (status, code.to_owned())
    }
}

/// A member of the first team: a login for that team, and a key.
async fn member(app: &App, owner: &Signed, name: &str) -> (Signed, String, String) {
    let alone = app.sign_up(&format!("{name}@locule.test")).await;
    let insert = "INSERT INTO users_teams (team_id, user_id, role, created_at)
                  SELECT t.id, u.id, 'member', now() FROM teams t, users u WHERE 'team-' || t.id = $1 AND u.email = $2";
    let inserted = sqlx::query(insert)
        .bind(&owner.team)
        .bind(format!("{name}@locule.test"))
        .execute(&app.pool)
        .await
        .unwrap();
    assert_eq!(inserted.rows_affected(), 1);
    let body = json!({ "team_id": owner.team });
    let joined = app
        .by(&alone.token, "POST", "/v1/auth/switch-team", &body)
        .await;
    let joined = Signed::of(&joined.json);
    let key = app
        .by(&joined.token, "POST", "/v1/api-keys", &json!({}))
        .await
        .json;
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    (joined, text("key"), text("id"))
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_body_that_comes_after_the_removal_is_answered_as_a_new_request(pool: PgPool) {
    let app = App::start(pool).await;
    let address = app.listen().await;
    let me = app.by(&app.token, "GET", "/v1/me", &NONE).await;
    let owner = Signed {
        token: app.token.clone(),
        ..Signed::of(&me.json)
    };
    let unauthorized = (401, "unauthorized".to_owned());
    let no_team = (403, "no_team".to_owned());
    for (number, removal) in ["member", "key", "user", "logout"].into_iter().enumerate() {
        let (person, key, id) = member(&app, &owner, &format!("member{number}")).await;
        let (token, key) = (
            format!("Authorization: Bearer {}", person.token),
            format!("X-API-Key: {key}"),
        );
        let begin = async |method, path, credential: &str| {
            Begun::new(address, method, path, credential).await
        };
        let by_token = [
            begin("POST", "/v1/sandboxes", &token).await,
            begin("POST", "/v1/api-keys", &token).await,
        ];
        let by_key = begin("POST", "/v1/sandboxes", &key).await;
        let (remover, method, path, body) = match removal {
            "member" => {
                let path = format!("/v1/teams/{}/members/{}", owner.team, person.user);
                (&owner, "DELETE", path, NONE)
            }
            "key" => (&owner, "DELETE", format!("/v1/api-keys/{id}"), NONE),
            "user" => {
                let path = format!("/v1/admin/users/{}/active", person.user);
                (&owner, "PUT", path, json!({ "active": false }))
            }
            _ => (&person, "POST", "/v1/auth/logout".to_owned(), NONE),
        };
        let removed = app.by(&remover.token, method, &path, &body).await;
        assert!(removed.status.is_success(), "{removal}: {}", removed.json);
        let (token_refused, key_refused) = match removal {
            "member" => (Some(&no_team), true),
            "key" => (None, true),
            "user" => (Some(&unauthorized), true),
            _ => (Some(&unauthorized), false),
        };
        let before = app.host.count();
        let answer = by_key.finish().await;
        if key_refused {
            assert_eq!(answer, unauthorized, "{removal}: by key");
            assert_eq!(app.host.count(), before);
        } else {
            assert_eq!(answer.0, 201, "{removal}: by key");
        }
        for begun in by_token {
            let before = app.host.count();
            let answer = begun.finish().await;
            if let Some(refused) = token_refused {
                assert_eq!(&answer, refused, "{removal}: by token");
                assert_eq!(app.host.count(), before);
            } else {
                assert_eq!(answer.0, 201, "{removal}: by token");
            }
        }
    }
}

/// The answer to a removal names what the removed person may have left running.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_answer_to_a_removal_lists_the_sandboxes_that_were_created(pool: PgPool) {
    let app = App::start(pool).await;
    let me = app.by(&app.token, "GET", "/v1/me", &NONE).await;
    let owner = Signed {
        token: app.token.clone(),
        ..Signed::of(&me.json)
    };
    app.sandbox().await;
    let (person, key, id) = member(&app, &owner, "ada").await;
    let labels = json!({ "labels": { "of": "ada" } });
    let by_token = app
        .by(&person.token, "POST", "/v1/sandboxes", &labels)
        .await;
    let by_key = app.call_as(&key, "POST", "/v1/sandboxes", "{}").await;
    let revoked = app
        .by(&owner.token, "DELETE", &format!("/v1/api-keys/{id}"), &NONE)
        .await;
    assert_eq!(revoked.status, 200);
    let listed = &revoked.json["sandboxes"];
    assert_eq!(listed.as_array().unwrap().len(), 1, "{}", revoked.json);
    assert_eq!(listed[0]["id"], by_key.json["id"]);
    let again = app
        .by(&owner.token, "DELETE", &format!("/v1/api-keys/{id}"), &NONE)
        .await;
    assert_eq!(again.json, json!({ "sandboxes": [], "has_more": false }));
    let path = format!("/v1/admin/users/{}/active", person.user);
    let disabled = app
        .by(&owner.token, "PUT", &path, &json!({ "active": false }))
        .await;
    let listed = &disabled.json["sandboxes"];
    assert_eq!(listed.as_array().unwrap().len(), 1, "{}", disabled.json);
    assert_eq!(
        (
            &listed[0]["id"],
            &listed[0]["team_id"],
            &listed[0]["labels"]
        ),
        (&by_token.json["id"], &json!(owner.team), &labels["labels"])
    );
    let path = format!("/v1/teams/{}/members/{}", owner.team, person.user);
    let removed = app.by(&owner.token, "DELETE", &path, &NONE).await;
    assert_eq!(removed.json["sandboxes"], *listed);
}
