//! What a caller loses with its right: open connections of every kind, requests under way, and every new request. The
//! connections of other callers go on.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use locule_ids::{SandboxId, TeamId, UserId};
use locule_testkit::eventually;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::AsyncWriteExt as _;

use crate::app::{App, EMAIL, PASSWORD};
use crate::port_tokens::{Made, query, signature, visit};
use crate::raw::{ONCE, Raw, UPGRADE, frame};

/// A caller of the team with everything that it can hold: an API credential, and the tokens of a sandbox.
struct Holder {
    /// A header with the credential of the API.
    credential: String,
    made: Made,
    /// The native id of the sandbox.
    id: String,
}

impl Holder {
    async fn with(app: &App, made: &Made, name: &str, value: &str) -> Self {
        let request = Request::post(format!("/v2/sandboxes/{}/connect", made.id))
            .header(name, value)
            .header("content-type", "application/json");
        let answer = app.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        let text = |name: &str| answer.json[name].as_str().unwrap().to_owned();
        Self {
            credential: format!("{name}: {value}\r\n"),
            id: SandboxId::from_base36(&made.id).unwrap().to_string(),
            made: Made {
                id: made.id.clone(),
                access: text("envdAccessToken"),
                traffic: text("trafficAccessToken"),
            },
        }
    }

    fn port(&self, port: u16) -> String {
        format!("Host: {port}-{}.localhost\r\n", self.made.id)
    }

    fn access(&self) -> String {
        format!(
            "{}X-Access-Token: {}\r\n",
            self.port(49983),
            self.made.access
        )
    }

    fn traffic(&self) -> String {
        format!(
            "{}E2b-Traffic-Access-Token: {}\r\n",
            self.port(8080),
            self.made.traffic
        )
    }

    /// A connection of every kind, each in the middle of its work.
    async fn open(&self, app: &App, address: SocketAddr) -> Vec<Raw> {
        let started = app.guest.starts.lock().unwrap().len();
        let mut opened = Vec::from(self.open_to_guest_agent(address).await);
        opened.extend(self.open_to_api(address).await);
        opened.extend(self.open_to_port(address).await);
        eventually("every command runs", async || {
            app.guest.starts.lock().unwrap().len() == started + 4
        })
        .await;
        opened
    }

    async fn open_to_guest_agent(&self, address: SocketAddr) -> [Raw; 3] {
        let start = json!({"process": {"cmd": "sleep"}, "stdin": false}).to_string();
        let length = u32::try_from(start.len()).unwrap().to_be_bytes();
        let start = [&[0], length.as_slice(), start.as_bytes()].concat();
        let access = self.access();
        let rpc = format!(
            "POST /process.Process/Start HTTP/1.1\r\n{access}Content-Type: application/connect+json\r\nConnect-Protocol-Version: 1\r\nContent-Length: {}\r\n\r\n",
            start.len()
        );
        let body =
            format!("{ONCE}Content-Type: application/octet-stream\r\nContent-Length: 1000\r\n\r\n");
        let upload = format!("POST /files?path=/t HTTP/1.1\r\n{access}{body}");
        let signed = query(&signature("/link", "write", &self.made.access, None));
        let host = self.port(49983);
        let link = format!("POST /files?path=/link&signature={signed} HTTP/1.1\r\n{host}{body}");
        let rpc = Raw::open("a stream of the guest agent", address, &rpc, &start).await;
        [
            rpc.until(b"pid").await,
            Raw::open("an upload with the token", address, &upload, b"begun").await,
            Raw::open("an upload to a signed address", address, &link, b"begun").await,
        ]
    }

    async fn open_to_api(&self, address: SocketAddr) -> [Raw; 4] {
        let (id, head) = (&self.id, format!("Host: localhost\r\n{}", self.credential));
        let part = "--XX\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/n\r\n--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"n\"\r\n\r\nbegun";
        let upload = format!(
            "POST /v1/sandboxes/{id}/files/stream/write HTTP/1.1\r\n{head}{ONCE}Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: 1000\r\n\r\n"
        );
        let command = json!({"cmd": "sleep", "timeout_sec": 3600}).to_string();
        let exec = format!(
            "POST /v1/sandboxes/{id}/exec HTTP/1.1\r\n{head}{ONCE}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            command.len()
        );
        let socket = format!("GET /v1/sandboxes/{id}/exec/stream HTTP/1.1\r\n{head}{UPGRADE}\r\n");
        let start = frame(r#"{"type":"start","cmd":"cat","stdin":true}"#);
        let socket = Raw::open("the exec WebSocket", address, &socket, &start).await;
        let terminal = format!("GET /v1/sandboxes/{id}/pty HTTP/1.1\r\n{head}{UPGRADE}\r\n");
        let start = frame(r#"{"type":"start","cmd":"cat"}"#);
        let terminal = Raw::open("the WebSocket of a terminal", address, &terminal, &start).await;
        [
            Raw::open("an upload over the API", address, &upload, part.as_bytes()).await,
            Raw::open("a command over the API", address, &exec, command.as_bytes()).await,
            socket.until(b"\"pid\"").await,
            terminal.until(b"\"pid\"").await,
        ]
    }

    async fn open_to_port(&self, address: SocketAddr) -> [Raw; 3] {
        let (traffic, host) = (self.traffic(), self.port(8080));
        let hang = format!("GET /hang HTTP/1.1\r\n{traffic}\r\n");
        let by_caller = format!("GET /hang HTTP/1.1\r\n{host}{}\r\n", self.credential);
        let tunnel = format!("GET /ws HTTP/1.1\r\n{traffic}{UPGRADE}\r\n");
        let hang = Raw::open("a response of a port", address, &hang, b"").await;
        let kind = "a response of a port, by the credential of the API";
        let by_caller = Raw::open(kind, address, &by_caller, b"").await;
        let tunnel = Raw::open("a tunnel of a port", address, &tunnel, b"").await;
        [
            hang.until(b"begun").await,
            by_caller.until(b"begun").await,
            tunnel.until(b"\r\n\r\n").await.echoes("ping").await,
        ]
    }

    /// The status of a new request of each kind.
    async fn new_requests(&self, app: &App) -> Vec<u16> {
        let (access, traffic) = (self.made.access.as_str(), self.made.traffic.as_str());
        let signed = query(&signature("/x", "read", access, None));
        let path = format!("/files?path=/x&signature={signed}");
        let (name, value) = self.credential.trim().split_once(": ").unwrap();
        let id = &self.made.id;
        let list = Request::get(format!("/v1/sandboxes/{}/processes", self.id)).header(name, value);
        vec![
            visit(
                app,
                id,
                49983,
                "/files?path=/x",
                &[("x-access-token", access)],
            )
            .await
            .status
            .as_u16(),
            visit(app, id, 49983, &path, &[]).await.status.as_u16(),
            visit(
                app,
                id,
                8080,
                "/x",
                &[("e2b-traffic-access-token", traffic)],
            )
            .await
            .status
            .as_u16(),
            visit(app, id, 8080, "/x", &[(name, value)])
                .await
                .status
                .as_u16(),
            app.send(list.body(Body::empty()).unwrap())
                .await
                .status
                .as_u16(),
        ]
    }
}

/// What takes a right away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    KeyRevoked,
    KeyExpired,
    KeyMayOnlyRead,
    KeyOfARemovedMember,
    MemberRemoved,
    LoggedOut,
    PasswordChanged,
    Disabled,
}

impl Loss {
    fn by_key(self) -> bool {
        matches!(
            self,
            Self::KeyRevoked | Self::KeyExpired | Self::KeyMayOnlyRead | Self::KeyOfARemovedMember
        )
    }
}

/// A member of the first team, whose login is for that team.
struct Member {
    user: String,
    token: String,
}

async fn member(app: &App, team: &str, email: &str) -> Member {
    let signed = app.sign_up(email).await;
    sqlx::query("INSERT INTO users_teams (team_id, user_id, created_at) VALUES ($1, $2, now())")
        .bind(team.parse::<TeamId>().unwrap().as_uuid())
        .bind(signed.user.parse::<UserId>().unwrap().as_uuid())
        .execute(&app.pool)
        .await
        .unwrap();
    let body = json!({ "team_id": team });
    let switched = app
        .by(&signed.token, "POST", "/v1/auth/switch-team", &body)
        .await;
    assert_eq!(switched.status, 200, "{}", switched.json);
    Member {
        user: signed.user,
        token: switched.json["token"].as_str().unwrap().to_owned(),
    }
}

async fn take_away(app: &App, loss: Loss, team: &str, member: &Member) {
    let of_key = |set: &str| format!("UPDATE team_api_keys SET {set} WHERE name = 'lost'");
    let sql = async |text: String| {
        let text = sqlx::AssertSqlSafe(text);
        sqlx::query(text).execute(&app.pool).await.unwrap();
    };
    let (method, path, body) = match loss {
        Loss::KeyExpired => return sql(of_key("expires_at = now() - interval '1 s'")).await,
        Loss::KeyMayOnlyRead => return sql(of_key("scope = 'read'")).await,
        Loss::KeyRevoked => {
            let listed = app
                .by(&member.token, "GET", "/v1/api-keys", &Value::Null)
                .await;
            let keys = listed.json.as_array().cloned();
            let keys = keys
                .or_else(|| listed.json["api_keys"].as_array().cloned())
                .unwrap();
            let key = keys.iter().find(|key| key["name"] == "lost").unwrap();
            let path = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
            let gone = app.by(&member.token, "DELETE", &path, &Value::Null).await;
            assert_eq!(gone.status, 200, "{}", gone.json);
            return;
        }
        Loss::KeyOfARemovedMember | Loss::MemberRemoved => (
            "DELETE",
            format!("/v1/teams/{team}/members/{}", member.user),
            Value::Null,
        ),
        Loss::LoggedOut => ("POST", "/v1/auth/logout".to_owned(), Value::Null),
        Loss::PasswordChanged => (
            "POST",
            "/v1/me/password".to_owned(),
            json!({"current_password": PASSWORD, "new_password": "another password of this test"}),
        ),
        Loss::Disabled => (
            "PUT",
            format!("/v1/admin/users/{}/active", member.user),
            json!({"active": false}),
        ),
    };
    let own = matches!(loss, Loss::LoggedOut | Loss::PasswordChanged);
    let token = if own { &member.token } else { &app.token };
    let answer = app.by(token, method, &path, &body).await;
    assert!(answer.status.is_success(), "{loss:?}: {}", answer.json);
}

async fn lose(pool: PgPool, losses: &[Loss]) {
    let change = |config: &mut locule_control::ControlConfig| {
        config.sandboxes.recheck = Duration::from_millis(100);
    };
    let app = App::start_with(pool, change).await;
    let address = app.listen().await;
    let team = app.login(EMAIL).await.team;
    let made = Made::private(&app, json!({})).await;
    let other = Holder::with(&app, &made, "x-api-key", &app.key).await;
    let others = other.open(&app, address).await;
    for loss in losses {
        let email = format!("{loss:?}@locule.test").to_lowercase();
        let member = member(&app, &team, &email).await;
        let holder = if loss.by_key() {
            let key = app.new_key(&member.token, &json!({"name": "lost"})).await;
            Holder::with(&app, &made, "x-api-key", &key).await
        } else {
            let bearer = format!("Bearer {}", member.token);
            Holder::with(&app, &made, "authorization", &bearer).await
        };
        assert_eq!(
            holder.new_requests(&app).await,
            [404, 404, 200, 200, 200],
            "{loss:?}"
        );
        let open = holder.open(&app, address).await;
        take_away(&app, *loss, &team, &member).await;
        for connection in open {
            let kind = connection.kind;
            let said = connection.ended().await;
            assert!(
                !said.ends_with("\r\n0\r\n\r\n") || said.contains("HTTP/1.1 4"),
                "{loss:?}: {kind} ended in order: {said}"
            );
            if kind == "the exec WebSocket" {
                let error = r#"{"type":"error","data":"the credential of this request is no longer valid"}"#;
                assert!(said.contains(error), "{loss:?}: {said}");
            }
        }
        eventually("every new request is refused", async || {
            let seen = holder.new_requests(&app).await;
            let may_read = *loss == Loss::KeyMayOnlyRead;
            seen[..4] == [401, 401, 403, 403] && (may_read || [401, 403].contains(&seen[4]))
        })
        .await;
    }
    for connection in others {
        if connection.kind == "a tunnel of a port" {
            connection.echoes("still here").await;
        } else if connection.kind == "the exec WebSocket" {
            let mut connection = connection;
            let input = json!({"type": "stdin", "data": STANDARD.encode("still here")});
            connection
                .stream
                .write_all(&frame(&input.to_string()))
                .await
                .unwrap();
            connection.until(b"still here").await;
        } else {
            let read = connection.stream.try_read(&mut [0; 64]);
            let ended = match read {
                Ok(bytes) => bytes == 0,
                Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
            };
            assert!(!ended, "{} ended", connection.kind);
        }
    }
    assert_eq!(other.new_requests(&app).await, [404, 404, 200, 200, 200]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_that_is_taken_away_loses_every_open_connection_and_every_new_request(pool: PgPool) {
    lose(
        pool,
        &[
            Loss::KeyRevoked,
            Loss::KeyExpired,
            Loss::KeyMayOnlyRead,
            Loss::KeyOfARemovedMember,
        ],
    )
    .await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_person_loses_every_open_connection_and_every_new_request_with_the_membership_or_the_login(
    pool: PgPool,
) {
    lose(
        pool,
        &[
            Loss::MemberRemoved,
            Loss::LoggedOut,
            Loss::PasswordChanged,
            Loss::Disabled,
        ],
    )
    .await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_member_who_is_added_again_gets_other_tokens(pool: PgPool) {
    let app = App::start(pool).await;
    let team = app.login(EMAIL).await.team;
    let made = Made::private(&app, json!({})).await;
    let member = member(&app, &team, "again@locule.test").await;
    let bearer = format!("Bearer {}", member.token);
    let before = Holder::with(&app, &made, "authorization", &bearer).await;
    take_away(&app, Loss::MemberRemoved, &team, &member).await;
    sqlx::query("INSERT INTO users_teams (team_id, user_id, created_at) VALUES ($1, $2, now())")
        .bind(team.parse::<TeamId>().unwrap().as_uuid())
        .bind(member.user.parse::<UserId>().unwrap().as_uuid())
        .execute(&app.pool)
        .await
        .unwrap();
    let after = Holder::with(&app, &made, "authorization", &bearer).await;
    assert_ne!(before.made.access, after.made.access);
    let visit = async |token: &str| {
        let headers = [("e2b-traffic-access-token", token)];
        visit(&app, &made.id, 8080, "/x", &headers)
            .await
            .status
            .as_u16()
    };
    assert_eq!(visit(&after.made.traffic).await, 200);
    assert_eq!(visit(&before.made.traffic).await, 403);
}
