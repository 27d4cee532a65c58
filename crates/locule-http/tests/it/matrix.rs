//! Who may do what: every operation of the document, asked for by everybody there is.
//!
//! Each row of [`rows::ROWS`] is an operation; a new one without a row fails. Each runs on a team of its own, so that none
//! finds what another left behind. Who may not is asked first, so that nothing is gone yet when they are refused.

mod rows;

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::{SinkExt as _, StreamExt as _};
use http::Request;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use self::rows::{ROWS, Row, Trail};
use crate::app::{App, Signed};
use crate::oauth::provider::Provider;

/// What an operation asks of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Open,
    /// A login.
    Account,
    /// A login, and being in the token's team: whichever.
    AnyMember,
    /// A key or a login for a team: whichever.
    AnyTeam,
    /// A key or a login for the very team that owns what is asked for.
    TheTeam,
    /// A login for the team in the path, and being this much in it.
    Member,
    Admin,
    Owner,
    Platform,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    /// A host's token, signed by us.
    Host,
    /// Was in the team when the token was made.
    Removed,
    /// The owner of another team.
    Other,
    /// Administers the platform, and is not in the team.
    Platform,
    Key,
    Member,
    Admin,
    Owner,
}

const EVERYBODY: [Who; 9] = [
    Who::Nobody,
    Who::Host,
    Who::Removed,
    Who::Other,
    Who::Platform,
    Who::Key,
    Who::Member,
    Who::Admin,
    Who::Owner,
];

/// The status with which somebody is refused; `None`: is let in.
fn refused(access: Access, who: Who) -> Option<u16> {
    use Access as A;
    if access == A::Open {
        return None;
    }
    let is = |some: &[Access]| some.contains(&access);
    let status = match who {
        Who::Nobody | Who::Host => 401,
        Who::Key if is(&[A::AnyTeam, A::TheTeam]) => 0,
        Who::Key => 401,
        Who::Removed if access == A::Account => 0,
        Who::Removed => 403,
        Who::Other | Who::Platform if access == A::TheTeam => 404,
        Who::Other | Who::Platform if is(&[A::Member, A::Admin, A::Owner]) => 403,
        Who::Platform => 0,
        Who::Other | Who::Member | Who::Admin | Who::Owner if access == A::Platform => 403,
        Who::Member if is(&[A::Admin, A::Owner]) => 403,
        Who::Admin if access == A::Owner => 403,
        Who::Other | Who::Member | Who::Admin | Who::Owner => 0,
    };
    (status > 0).then_some(status)
}

/// People who come back in every row; what they do to a team, they do to one that is made for the row.
struct Cast {
    platform: Signed,
    owner: Signed,
    admin: Signed,
    member: Signed,
    removed: Signed,
    other: Signed,
}

impl Cast {
    async fn assemble(app: &App) -> Self {
        let sign_up = async |name: &str| app.sign_up(&format!("{name}@matrix.test")).await;
        Self {
            platform: Signed::of(&json!({ "token": app.token })),
            owner: sign_up("owner").await,
            admin: sign_up("admin").await,
            member: sign_up("member").await,
            removed: sign_up("removed").await,
            other: sign_up("other").await,
        }
    }
}

/// A team, what it has, and everybody's token for it.
pub(super) struct Stage {
    pub(super) team: String,
    pub(super) sandbox: String,
    pub(super) key_id: String,
    pub(super) member: String,
    pub(super) removed: String,
    key: String,
    tokens: Vec<(Who, String)>,
}

impl Stage {
    async fn build(app: &App, cast: &Cast) -> Self {
        let ok = |answer: crate::app::Answer| {
            assert!(
                answer.status.is_success(),
                "{} {}",
                answer.status,
                answer.json
            );
            answer.json
        };
        let named = json!({ "name": "Matrix" });
        let made = app.by(&cast.owner.token, "POST", "/v1/teams", &named).await;
        let team = ok(made)["id"].as_str().unwrap().to_owned();
        let switch = async |who: &Signed| {
            let body = json!({ "team_id": team });
            let switched = app.by(&who.token, "POST", "/v1/auth/switch-team", &body);
            ok(switched.await)["token"].as_str().unwrap().to_owned()
        };
        let owner = switch(&cast.owner).await;
        let members = format!("/v1/teams/{team}/members");
        for name in ["admin", "member", "removed"] {
            let body = json!({ "email": format!("{name}@matrix.test") });
            ok(app.by(&owner, "POST", &members, &body).await);
        }
        let promote = format!("{members}/{}", cast.admin.user);
        ok(app
            .by(&owner, "PATCH", &promote, &json!({ "role": "admin" }))
            .await);
        let (admin, member, removed) = (
            switch(&cast.admin).await,
            switch(&cast.member).await,
            switch(&cast.removed).await,
        );
        let remove = format!("{members}/{}", cast.removed.user);
        ok(app.by(&owner, "DELETE", &remove, &Value::Null).await);
        let key = ok(app.by(&owner, "POST", "/v1/api-keys", &json!({})).await);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let spare = ok(app.by(&owner, "POST", "/v1/api-keys", &json!({})).await);
        let sandbox = ok(app.by(&owner, "POST", "/v1/sandboxes", &json!({})).await);
        Self {
            sandbox: text(&sandbox["id"]),
            key_id: text(&spare["id"]),
            member: cast.member.user.clone(),
            removed: cast.removed.user.clone(),
            key: text(&key["key"]),
            tokens: vec![
                (Who::Host, as_host(&owner)),
                (Who::Removed, removed),
                (Who::Other, cast.other.token.clone()),
                (Who::Platform, cast.platform.token.clone()),
                (Who::Member, member),
                (Who::Admin, admin),
                (Who::Owner, owner),
            ],
            team,
        }
    }

    fn header(&self, who: Who) -> Option<(&'static str, String)> {
        if who == Who::Key {
            return Some(("x-api-key", self.key.clone()));
        }
        let token = self.tokens.iter().find(|(whose, _)| *whose == who);
        token.map(|(_, token)| ("authorization", format!("Bearer {token}")))
    }
}

/// The same claims, signed by us, and a host's: nothing but the type tells it from a person's.
fn as_host(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    let mut claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims["typ"] = json!("host");
    let key = EncodingKey::from_secret(&[2; 32]);
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
}

/// A request, over a socket where the operation is one; what it is answered with.
async fn ask(app: &App, address: SocketAddr, row: &Row, stage: &Stage, who: Who) -> (u16, Value) {
    let path = (row.path)(stage);
    if row.path_template.ends_with("/stream") && row.method == "GET" {
        return (knock(address, &path, stage.header(who)).await, Value::Null);
    }
    let mut request = Request::builder()
        .method(row.method)
        .uri(&path)
        .header("content-type", "application/json");
    if let Some((name, value)) = stage.header(who) {
        request = request.header(name, value);
    }
    let body = (row.body)(stage);
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = app.send(request.body(body.into()).unwrap()).await;
    (answer.status.as_u16(), answer.json)
}

/// Refusals over a socket come as the reason of its end.
async fn knock(address: SocketAddr, path: &str, header: Option<(&'static str, String)>) -> u16 {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let start = json!({ "type": "start", "cmd": "fail" }).to_string();
    socket.send(Message::text(start)).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(frame) = message {
            let reason = frame
                .map(|frame| frame.reason.to_string())
                .unwrap_or_default();
            return match reason.as_str() {
                "unauthorized" => 401,
                "forbidden" | "no_team" => 403,
                "not_found" => 404,
                _ => 101,
            };
        }
    }
    101
}

async fn recorded(app: &App, what: &str) -> i64 {
    let count = sqlx::query_scalar(
        "SELECT count(*) FROM audit_logs WHERE resource_type || ' ' || action = $1",
    );
    count.bind(what).fetch_one(&app.pool).await.unwrap()
}

/// B-155, B-158, W-032, W-039; and that no change is without its event.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn everybody_may_what_they_may_and_nothing_else(pool: PgPool) {
    let github = Provider::open().await.client("https://locule.test");
    let app = App::start_with(pool, |config| config.accounts.github = Some(github)).await;
    let address = app.listen().await;
    let cast = Cast::assemble(&app).await;
    for row in ROWS {
        let stage = Stage::build(&app, &cast).await;
        let shown = format!("{} {}", row.method, row.path_template);
        let before = match row.trail {
            Trail::Event(what) => recorded(&app, what).await,
            Trail::Looks | Trail::None(_) => 0,
        };
        let (out, mut let_in): (Vec<Who>, Vec<Who>) = EVERYBODY
            .into_iter()
            .partition(|who| refused(row.access, *who).is_some());
        for who in out {
            let (status, json) = ask(&app, address, row, &stage, who).await;
            assert_eq!(
                Some(status),
                refused(row.access, who),
                "{who:?}: {shown}: {json}"
            );
        }
        if let Trail::Event(what) = row.trail {
            assert_eq!(
                recorded(&app, what).await,
                before,
                "{shown}: a refusal is told"
            );
        }
        // Whoever may most goes first, and does it; the others may find it done.
        let_in.reverse();
        for (turn, who) in let_in.into_iter().enumerate() {
            let (status, json) = ask(&app, address, row, &stage, who).await;
            if turn == 0 {
                assert_eq!(status, row.success, "{who:?}: {shown}: {json}");
            }
            let may = !matches!(status, 401 | 403) && status < 500;
            assert!(
                may || status == row.success,
                "{who:?}: {shown}: {status} {json}"
            );
        }
        if let Trail::Event(what) = row.trail {
            assert!(
                recorded(&app, what).await > before,
                "{shown}: nothing is told of {what}"
            );
        }
    }
}

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let document = serde_json::to_value(locule_http::document()).unwrap();
    let mut operations: Vec<(String, String)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        operations.extend(methods.map(|method| (path.clone(), method.to_uppercase())));
    }
    operations.sort();
    let mut rows: Vec<(String, String)> = ROWS
        .iter()
        .map(|row| (row.path_template.to_owned(), row.method.to_owned()))
        .collect();
    rows.sort();
    assert_eq!(rows, operations);
}

#[test]
fn what_changes_something_says_so_in_the_trail_or_why_not() {
    for row in ROWS {
        let looks = row.trail == Trail::Looks;
        let shown = format!("{} {}", row.method, row.path_template);
        assert_eq!(
            looks,
            row.method == "GET" && !row.path_template.ends_with("/stream"),
            "{shown}"
        );
    }
}

/// What scopes of keys open, on every operation that takes keys.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_does_what_its_scope_says_on_every_operation(pool: PgPool) {
    let app = App::start(pool).await;
    let address = app.listen().await;
    let cast = Cast::assemble(&app).await;
    for row in ROWS
        .iter()
        .filter(|row| matches!(row.access, Access::AnyTeam | Access::TheTeam))
    {
        for scope in ["read", "sandbox"] {
            let mut stage = Stage::build(&app, &cast).await;
            let (_, owner) = stage
                .tokens
                .iter()
                .find(|(who, _)| *who == Who::Owner)
                .unwrap();
            stage.key = app.new_key(owner, &json!({ "scope": scope })).await;
            let (status, json) = ask(&app, address, row, &stage, Who::Key).await;
            let may = scope == "sandbox" || row.looks;
            let shown = format!("{scope}: {} {}", row.method, row.path_template);
            if may {
                assert_eq!(status, row.success, "{shown}: {json}");
            } else {
                assert_eq!(status, 403, "{shown}: {json}");
            }
            let text = json.to_string();
            let tokens = text.contains("envdAccessToken") || text.contains("trafficAccessToken");
            assert!(!tokens || scope != "read", "{shown}: {text}");
        }
    }
}
