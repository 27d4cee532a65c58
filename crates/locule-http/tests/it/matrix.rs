//! The authorization matrix: every operation of the OpenAPI document, requested by every kind of caller.
//!
//! Each row of [`rows::ROWS`] is an operation; an operation without a row fails the test. What an operation needs of its caller is
//! read from its route ([`locule_http::needs`]). Each row runs on a team of its own, so that rows do not affect each other.
//! Within a row, the callers that must be refused come first, so that the resources still exist.

mod rows;
mod stage;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures::{SinkExt as _, StreamExt as _};
use http::Request;
use locule_control::ControlConfig;
use locule_http::Need;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};

use self::rows::{Audit, ROWS, Row};
use self::stage::{Stage, Users};
use crate::app::App;
use crate::oauth::provider::Provider;

/// What an operation requires of its caller, including the role in the team, which the route does not state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// No credential.
    Open,
    /// A login.
    Account,
    /// A login, and membership of the token's team, whichever team that is.
    AnyMember,
    /// A key or a login for a team, whichever team that is.
    AnyTeam,
    /// A key or a login for the team that owns the resource.
    TheTeam,
    /// A login for the team in the path, with this role or a higher one.
    Member,
    Admin,
    Owner,
    /// A login of a member of the team in the body. Others are told that the team does not exist.
    Joined,
    Platform,
    /// A login of a member of the team that owns the host, or of a platform administrator.
    TeamHost,
    /// As [`Self::TeamHost`], with the role of an admin or a higher one in the team.
    TeamHostAdmin,
    /// The access token of a host agent, in a header of its own.
    HostAgent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// No credential.
    Anonymous,
    /// The token of a host, with a valid signature.
    Host,
    /// A user that was removed from the team after the token was issued.
    Removed,
    /// The owner of another team.
    Other,
    /// A platform administrator that is not in the team.
    Platform,
    Key,
    Member,
    Admin,
    Owner,
}

const CALLERS: [Who; 9] = [
    Who::Anonymous,
    Who::Host,
    Who::Removed,
    Who::Other,
    Who::Platform,
    Who::Key,
    Who::Member,
    Who::Admin,
    Who::Owner,
];

/// The status with which a caller is refused. `None` when the operation accepts the caller.
fn refused(access: Access, who: Who) -> Option<u16> {
    use Access as A;
    if access == A::Open {
        return None;
    }
    let is = |some: &[Access]| some.contains(&access);
    let status = match who {
        Who::Anonymous | Who::Host => 401,
        _ if access == A::HostAgent => 401,
        Who::Key if is(&[A::AnyTeam, A::TheTeam]) => 0,
        Who::Key => 401,
        Who::Removed if access == A::Account => 0,
        Who::Removed | Who::Other if is(&[A::TeamHost, A::TeamHostAdmin]) => 404,
        Who::Removed if access == A::Joined => 404,
        Who::Removed => 403,
        Who::Other | Who::Platform if is(&[A::TheTeam, A::Joined]) => 404,
        Who::Other | Who::Platform if is(&[A::Member, A::Admin, A::Owner]) => 403,
        Who::Platform => 0,
        Who::Other | Who::Member | Who::Admin | Who::Owner if access == A::Platform => 403,
        Who::Member if is(&[A::Admin, A::Owner, A::TeamHostAdmin]) => 403,
        Who::Admin if access == A::Owner => 403,
        Who::Other | Who::Member | Who::Admin | Who::Owner => 0,
    };
    (status > 0).then_some(status)
}

/// The owner of all teams invites three people for each row.
fn many_invitations(config: &mut ControlConfig) {
    config.accounts.rates.addresses_by_person.count = 10_000;
}

/// Sends the request of a row, over a WebSocket for the WebSocket operations, and returns status and body.
async fn ask(app: &App, address: SocketAddr, row: &Row, stage: &Stage, who: Who) -> (u16, Value) {
    let path = (row.path)(stage);
    if row.is_socket() {
        return (
            socket_status(address, &path, stage.header(who)).await,
            Value::Null,
        );
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

/// The status of a WebSocket operation: of the refusal of the upgrade, or the reason of the close frame.
async fn socket_status(
    address: SocketAddr,
    path: &str,
    header: Option<(&'static str, String)>,
) -> u16 {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let mut socket = match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => socket,
        Err(tungstenite::Error::Http(refusal)) => return refusal.status().as_u16(),
        Err(error) => panic!("{error}"),
    };
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

/// One person owns the teams of all rows.
fn own_many_teams(config: &mut ControlConfig) {
    let accounts = &mut config.accounts;
    accounts.limits.teams_owned_max = 1000;
    accounts.rates.create_team_by_account.count = 1000;
    accounts.rates.create_key_by_account.count = 1000;
}

/// B-155, B-158, W-032, W-039. Also: every change writes its audit event, and a refused one does not.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_operation_accepts_the_callers_of_its_row_and_refuses_all_others(pool: PgPool) {
    let github = Provider::open().await.client("https://locule.test");
    let app = App::start_with(pool, |config| {
        config.accounts.github = Some(github);
        many_invitations(config);
        own_many_teams(config);
    })
    .await;
    let address = app.listen().await;
    let users = Users::sign_up(&app).await;
    for row in ROWS {
        let stage = Stage::build(&app, &users, row).await;
        let shown = format!("{} {}", row.method, row.path_template);
        let before = match row.audit {
            Audit::Event(what) => recorded(&app, what).await,
            Audit::Reads | Audit::None(_) => 0,
        };
        let (out, mut let_in): (Vec<Who>, Vec<Who>) = CALLERS
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
        if let Audit::Event(what) = row.audit {
            assert_eq!(
                recorded(&app, what).await,
                before,
                "{shown}: a refused request wrote an audit event"
            );
        }
        // The caller with the most rights comes first and succeeds; the others may find the operation already done.
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
        if let Audit::Event(what) = row.audit {
            assert!(
                recorded(&app, what).await > before,
                "{shown}: no audit event {what}"
            );
        }
    }
}

#[test]
fn the_rows_are_the_operations_of_the_document() {
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

/// What every operation needs, by path and method, as its route states it.
fn needs() -> BTreeMap<(String, String), Need> {
    let document = serde_json::to_value(locule_http::document()).unwrap();
    let by_id = locule_http::needs();
    let mut needs = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let need = by_id[id].unwrap_or_else(|| panic!("{id} states no need"));
            needs.insert((path.clone(), method.to_uppercase()), need);
        }
    }
    needs
}

#[test]
fn the_access_of_every_row_is_what_its_route_states() {
    let needs = needs();
    for row in ROWS {
        let need = needs[&(row.path_template.to_owned(), row.method.to_owned())];
        let fits: &[Access] = match need {
            Need::Public => &[Access::Open],
            Need::Read | Need::Use => &[Access::AnyTeam, Access::TheTeam],
            // `switch-team` takes a login for any team, and the team from its body.
            Need::Person => &[
                Access::Account,
                Access::Joined,
                // Hosts are seen and managed by platform administrators, and by members of the team that owns them.
                Access::AnyMember,
                Access::Platform,
                Access::TeamHost,
                Access::TeamHostAdmin,
            ],
            Need::Host => &[Access::HostAgent],
            Need::Member => &[
                Access::AnyMember,
                Access::Member,
                Access::Admin,
                Access::Owner,
            ],
            Need::PlatformAdmin => &[Access::Platform],
        };
        let shown = format!("{} {}", row.method, row.path_template);
        assert!(fits.contains(&row.access), "{shown}: {need:?}");
        // A GET that needs more than to read is a WebSocket.
        if need == Need::Use {
            assert!(row.method != "GET" || row.is_socket(), "{shown}");
        }
    }
}

#[test]
fn every_row_of_an_operation_that_changes_something_has_an_audit_event_or_a_reason() {
    for row in ROWS {
        let reads = row.audit == Audit::Reads;
        let shown = format!("{} {}", row.method, row.path_template);
        assert_eq!(reads, row.method == "GET" && !row.is_socket(), "{shown}");
    }
}

/// The scope of a key on every operation that accepts keys.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_scope_of_a_key_limits_every_operation_that_accepts_keys(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        many_invitations(config);
        own_many_teams(config);
    })
    .await;
    let address = app.listen().await;
    let users = Users::sign_up(&app).await;
    let needs = needs();
    for row in ROWS
        .iter()
        .filter(|row| matches!(row.access, Access::AnyTeam | Access::TheTeam))
    {
        for scope in ["read", "sandbox"] {
            let mut stage = Stage::build(&app, &users, row).await;
            let (_, owner) = stage
                .tokens
                .iter()
                .find(|(who, _)| *who == Who::Owner)
                .unwrap();
            stage.key = app.new_key(owner, &json!({ "scope": scope })).await;
            let (status, json) = ask(&app, address, row, &stage, Who::Key).await;
            let need = needs[&(row.path_template.to_owned(), row.method.to_owned())];
            let may = scope == "sandbox" || need == Need::Read;
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
