//! Teams: members and roles, tokens after a change of membership, and the deletion of a team.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App, Signed};

const NONE: Value = Value::Null;

fn code(answer: &Answer) -> (u16, &str) {
    let code = answer.json["error"]["code"].as_str().unwrap_or_default();
    (answer.status.as_u16(), code)
}

async fn add(app: &App, owner: &Signed, email: &str) -> Answer {
    let path = format!("/v1/teams/{}/members", owner.team);
    app.by(&owner.token, "POST", &path, &json!({ "email": email }))
        .await
}

/// Switches a login to another team.
async fn switch(app: &App, who: &Signed, team: &str) -> Answer {
    let body = json!({ "team_id": team });
    app.by(&who.token, "POST", "/v1/auth/switch-team", &body)
        .await
}

/// A team with an owner, an admin and a member, each with a token for the team.
async fn trio(app: &App) -> [Signed; 3] {
    let owner = app.sign_up("owner@team.test").await;
    let mut others = Vec::new();
    for name in ["admin", "member"] {
        let email = format!("{name}@team.test");
        let signed = app.sign_up(&email).await;
        app.join(&owner, &signed, &email).await;
        if name == "admin" {
            let path = format!("/v1/teams/{}/members/{}", owner.team, signed.user);
            let promoted = app
                .by(&owner.token, "PATCH", &path, &json!({ "role": "admin" }))
                .await;
            assert_eq!(promoted.status, 204, "{}", promoted.json);
        }
        others.push(Signed::of(&switch(app, &signed, &owner.team).await.json));
    }
    let member = others.pop().unwrap();
    [owner, others.pop().unwrap(), member]
}

/// B-151, B-152: names, roles, in the order of joining.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_team_lists_its_members_and_their_roles(pool: PgPool) {
    let app = App::start(pool).await;
    let [owner, _, member] = trio(&app).await;
    let path = format!("/v1/teams/{}", owner.team);
    let seen = app.by(&member.token, "GET", &path, &NONE).await;
    let members: Vec<_> = seen.json["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| {
            (
                member["name"].as_str().unwrap(),
                member["role"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        members,
        [("owner", "owner"), ("admin", "admin"), ("member", "member")]
    );
    assert_eq!(seen.json["team"]["is_byoc"], false);
    for (email, expected) in [
        ("member@team.test", (400, "invalid_request")),
        ("", (400, "invalid_request")),
    ] {
        assert_eq!(code(&add(&app, &owner, email).await), expected, "{email}");
    }
    for name in ["", " ", "a/b", "ä", "x\ny"] {
        let renamed = app
            .by(&owner.token, "PATCH", &path, &json!({ "name": name }))
            .await;
        assert_eq!(code(&renamed), (400, "invalid_request"), "{name:?}");
    }
    for id in [
        "nope",
        "usr-6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "team-x",
        "%00",
    ] {
        let answer = app
            .by(&owner.token, "GET", &format!("/v1/teams/{id}"), &NONE)
            .await;
        assert_eq!(code(&answer), (400, "invalid_request"), "{id}");
    }
}

/// B-150: the owner cannot be removed or demoted and cannot leave; no member becomes a second owner.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_owner_of_a_team_cannot_be_removed_demoted_or_duplicated(pool: PgPool) {
    let app = App::start(pool).await;
    let [owner, admin, member] = trio(&app).await;
    let of = |user: &str| format!("/v1/teams/{}/members/{user}", owner.team);
    let leave = format!("/v1/teams/{}/leave", owner.team);
    let (demote, promote) = (json!({ "role": "member" }), json!({ "role": "owner" }));
    for (who, method, path, body, expected) in [
        (
            &admin,
            "PATCH",
            of(&owner.user),
            &demote,
            (403, "forbidden"),
        ),
        (&admin, "DELETE", of(&owner.user), &NONE, (403, "forbidden")),
        (&owner, "POST", leave, &NONE, (403, "forbidden")),
        (
            &owner,
            "PATCH",
            of(&member.user),
            &promote,
            (400, "invalid_request"),
        ),
        (
            &owner,
            "PATCH",
            of(&member.user),
            &json!({ "role": "king" }),
            (400, "invalid_request"),
        ),
        (
            &owner,
            "DELETE",
            of("usr-6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            &NONE,
            (404, "not_found"),
        ),
    ] {
        let answer = app.by(&who.token, method, &path, body).await;
        assert_eq!(code(&answer), expected, "{method} {path} {body}");
    }
}

/// W-032, B-158: the token of a removed member no longer works for the team, and still works for the account.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_removed_member_loses_the_team_and_keeps_the_account(pool: PgPool) {
    let app = App::start(pool).await;
    let [owner, _, member] = trio(&app).await;
    let key = app.new_key(&member.token, &json!({ "name": "mine" })).await;
    assert_eq!(
        app.call_as(&key, "GET", "/v1/sandboxes", "").await.status,
        200
    );
    let path = format!("/v1/teams/{}/members/{}", owner.team, member.user);
    assert_eq!(
        app.by(&owner.token, "DELETE", &path, &NONE).await.status,
        200
    );
    for path in ["/v1/sandboxes", "/v1/api-keys", "/v1/audit-logs"] {
        let answer = app.by(&member.token, "GET", path, &NONE).await;
        assert_eq!(code(&answer), (403, "no_team"), "{path}");
    }
    // B-184.
    assert_eq!(
        app.call_as(&key, "GET", "/v1/sandboxes", "").await.status,
        401
    );
    assert_eq!(
        code(&switch(&app, &member, &owner.team).await),
        (404, "not_found")
    );
    let teams = app.by(&member.token, "GET", "/v1/teams", &NONE).await;
    let own = teams.json[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(teams.json.as_array().unwrap().len(), 1);
    let back = switch(&app, &member, &own).await;
    let listed = app
        .by(&Signed::of(&back.json).token, "GET", "/v1/sandboxes", &NONE)
        .await;
    assert_eq!(listed.status, 200);
}

/// B-155: the role in a token is not trusted.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_new_role_applies_to_tokens_that_were_issued_before(pool: PgPool) {
    let app = App::start(pool).await;
    let [owner, admin, _] = trio(&app).await;
    let rename = format!("/v1/teams/{}", owner.team);
    let renamed = app
        .by(
            &admin.token,
            "PATCH",
            &rename,
            &json!({ "name": "By admin" }),
        )
        .await;
    assert_eq!(renamed.status, 204);
    let path = format!("/v1/teams/{}/members/{}", owner.team, admin.user);
    app.by(&owner.token, "PATCH", &path, &json!({ "role": "member" }))
        .await;
    let refused = app
        .by(&admin.token, "PATCH", &rename, &json!({ "name": "Again" }))
        .await;
    assert_eq!(code(&refused), (403, "forbidden"));
}

/// B-157, W-015, B-153: the sandboxes end, keys and tokens stop working, the slug stays reserved, and a login after the deletion
/// has no team. B-084: the audit log records the platform's own work as the system's.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn deleting_a_team_ends_its_sandboxes_keys_and_tokens(pool: PgPool) {
    let app = App::start(pool).await;
    let [owner, admin, _] = trio(&app).await;
    let key = app.new_key(&owner.token, &json!({})).await;
    for _ in 0..3 {
        assert_eq!(
            app.call_as(&key, "POST", "/v1/sandboxes", "{}")
                .await
                .status,
            201
        );
    }
    let paused = app.call_as(&key, "GET", "/v1/sandboxes", "").await.json[0]["id"].clone();
    let pause = format!("/v1/sandboxes/{}/pause", paused.as_str().unwrap());
    app.call_as(&key, "POST", &pause, "").await;
    assert_eq!(app.host.count(), 3);
    let path = format!("/v1/teams/{}", owner.team);
    assert_eq!(
        app.by(&owner.token, "DELETE", &path, &NONE).await.status,
        204
    );
    assert_eq!(app.host.count(), 0);
    assert_eq!(
        app.call_as(&key, "GET", "/v1/sandboxes", "").await.status,
        401
    );
    for who in [&owner, &admin] {
        for path in [path.as_str(), "/v1/sandboxes", "/v1/audit-logs"] {
            let answer = app.by(&who.token, "GET", path, &NONE).await;
            assert_eq!(code(&answer), (403, "no_team"), "{path}");
        }
    }
    assert_eq!(
        code(&switch(&app, &admin, &owner.team).await),
        (404, "not_found")
    );
    let listed = app.by(&app.token, "GET", "/v1/admin/teams", &NONE).await;
    let teams = listed.json["teams"].as_array().unwrap();
    let last = teams.last().unwrap();
    assert_eq!(last["id"], owner.team);
    assert!(last["deleted_at"].is_string(), "{last}");
    assert_eq!(last["active_sandbox_count"], 0);
    assert_eq!(listed.json["total"], json!(teams.len()));
    let told: Vec<(String, String)> = sqlx::query_as(
        "SELECT actor_type, action FROM audit_logs WHERE resource_type = 'team' AND resource_id = $1 ORDER BY created_at, action",
    )
    .bind(&owner.team)
    .fetch_all(&app.pool)
    .await
    .unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|(actor, action)| (actor.as_str(), action.as_str()))
        .collect();
    assert_eq!(told, [("user", "delete"), ("system", "emptied")]);
}

/// Without a team, account operations work and team operations are refused with `no_team`.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_account_without_a_team_can_create_one(pool: PgPool) {
    let app = App::start(pool).await;
    let owner = app.sign_up("owner@team.test").await;
    let path = format!("/v1/teams/{}", owner.team);
    app.by(&owner.token, "DELETE", &path, &NONE).await;
    let login = app.login("owner@team.test").await;
    assert_eq!(login.team, "");
    assert_eq!(
        app.by(&login.token, "GET", "/v1/teams", &NONE).await.json,
        json!([])
    );
    let refused = app
        .by(&login.token, "POST", "/v1/sandboxes", &json!({}))
        .await;
    assert_eq!(code(&refused), (403, "no_team"));
    let made = app
        .by(
            &login.token,
            "POST",
            "/v1/teams",
            &json!({ "name": "Next" }),
        )
        .await;
    assert_eq!(made.status, 201);
    let next = switch(&app, &login, made.json["id"].as_str().unwrap()).await;
    assert_eq!(next.status, 200);
}

/// Concurrent deletes and acceptances leave no member of a deleted team.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn of_concurrent_deletes_one_succeeds_and_no_member_joins_a_deleted_team(pool: PgPool) {
    let app = App::start(pool).await;
    let owner = app.sign_up("owner@team.test").await;
    let again = app.login("owner@team.test").await;
    let mut late = Vec::new();
    for number in 0..8 {
        let email = format!("late{number}@team.test");
        let signed = app.sign_up(&email).await;
        late.push((signed, app.invite(&owner, &email).await));
    }
    let path = format!("/v1/teams/{}", owner.team);
    let accepted = late.iter().map(|(who, token)| app.accept(who, token));
    let adding = futures::future::join_all(accepted);
    let deleting = async {
        tokio::join!(
            app.by(&owner.token, "DELETE", &path, &NONE),
            app.by(&again.token, "DELETE", &path, &NONE)
        )
    };
    let (added, (one, other)) = tokio::join!(adding, deleting);
    let mut deleted = [one.status.as_u16(), other.status.as_u16()];
    deleted.sort_unstable();
    assert_eq!(deleted, [204, 403]);
    for answer in added {
        assert!(
            matches!(answer.status.as_u16(), 200 | 400),
            "{}",
            answer.json
        );
    }
    let login = app.login("late0@team.test").await;
    let teams = app.by(&login.token, "GET", "/v1/teams", &NONE).await;
    assert_eq!(teams.json.as_array().unwrap().len(), 1);
}

/// The last admin leaves while being removed: one request succeeds, and none is a server error.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn leaving_while_being_removed_succeeds_once(pool: PgPool) {
    let app = App::start(pool).await;
    let [owner, admin, _] = trio(&app).await;
    let leave = format!("/v1/teams/{}/leave", owner.team);
    let remove = format!("/v1/teams/{}/members/{}", owner.team, admin.user);
    let (left, removed) = tokio::join!(
        app.by(&admin.token, "POST", &leave, &NONE),
        app.by(&owner.token, "DELETE", &remove, &NONE)
    );
    let done = [left.status.as_u16(), removed.status.as_u16()];
    assert!(matches!(done, [204, 404] | [403, 200]), "{done:?}");
}

/// W-039: members create keys and revoke their own; owner and admins revoke any. A key is shown once.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn members_revoke_their_own_keys_and_admins_revoke_any(pool: PgPool) {
    let app = App::start(pool).await;
    let [owner, admin, member] = trio(&app).await;
    let make =
        async |who: &Signed, body: Value| app.by(&who.token, "POST", "/v1/api-keys", &body).await;
    let of_owner = make(&owner, json!({ "name": "ci" })).await.json;
    let of_member = make(&member, json!({})).await.json;
    assert_eq!(of_member["name"], "Unnamed API Key");
    assert_eq!(
        (&of_member["scope"], &of_member["creator_email"]),
        (&json!("full"), &json!("member@team.test"))
    );
    let secret = of_owner["key"].as_str().unwrap();
    assert!(secret.len() == 44 && secret.starts_with("e2b_"), "{secret}");
    assert_eq!(of_owner["key_prefix"], secret[..10]);
    let stored: String = sqlx::query_scalar("SELECT key_hash FROM team_api_keys WHERE name = 'ci'")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert!(
        stored.len() == 64 && !stored.contains(&secret[4..]),
        "{stored}"
    );
    // A key is accepted in both headers.
    assert_eq!(
        app.call_as(secret, "GET", "/v1/sandboxes", "").await.status,
        200
    );
    assert_eq!(
        app.by(secret, "GET", "/v1/sandboxes", &NONE).await.status,
        200
    );
    let listed = app
        .by(&member.token, "GET", "/v1/api-keys", &NONE)
        .await
        .json;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0]["id"], of_member["id"], "newest first");
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .all(|key| key["key"].is_null())
    );
    assert!(listed[1]["last_used"].is_string(), "{}", listed[1]);
    let revoke = async |who: &Signed, key: &Value| {
        let path = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
        app.by(&who.token, "DELETE", &path, &NONE).await
    };
    assert_eq!(code(&revoke(&member, &of_owner).await), (403, "forbidden"));
    assert_eq!(revoke(&member, &of_member).await.status, 200);
    assert_eq!(revoke(&admin, &of_owner).await.status, 200);
    assert_eq!(revoke(&admin, &of_owner).await.status, 200);
    assert_eq!(
        app.call_as(secret, "GET", "/v1/sandboxes", "").await.status,
        401
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn invalid_api_keys_are_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let owner = app.sign_up("owner@team.test").await;
    let make =
        async |who: &Signed, body: Value| app.by(&who.token, "POST", "/v1/api-keys", &body).await;
    for wrong in [
        json!({ "scope": "all" }),
        json!({ "expires_at": "2001-01-01T00:00:00Z" }),
        json!({ "expires_at": "soon" }),
        json!({ "name": "a\u{0}b" }),
        json!({ "name": 1 }),
        json!([]),
    ] {
        assert_eq!(
            code(&make(&owner, wrong.clone()).await),
            (400, "invalid_request"),
            "{wrong}"
        );
    }
    let nope = app
        .by(&owner.token, "DELETE", "/v1/api-keys/nope", &NONE)
        .await;
    assert_eq!(code(&nope), (400, "invalid_request"));
}

/// D-20: the permission is revoked only from a team without hosts of its own.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn only_the_platform_allows_a_team_to_bring_its_own_hosts(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@team.test").await;
    let path = format!("/v1/admin/teams/{}/byoc", ada.team);
    let set = async |enabled: bool| {
        app.by(&app.token, "PUT", &path, &json!({ "enabled": enabled }))
            .await
    };
    for _ in 0..2 {
        assert_eq!(set(true).await.status, 204);
    }
    let seen = app.by(&ada.token, "GET", "/v1/teams", &NONE).await;
    assert_eq!(seen.json[0]["is_byoc"], true);
    let host = "INSERT INTO hosts (id, type, team_id, created_at, updated_at)
                SELECT gen_random_uuid(), 'byoc', id, now(), now() FROM teams WHERE is_byoc";
    sqlx::query(host).execute(&app.pool).await.unwrap();
    assert_eq!(code(&set(false).await), (409, "conflict"));
    sqlx::query("DELETE FROM hosts WHERE type = 'byoc'")
        .execute(&app.pool)
        .await
        .unwrap();
    assert_eq!(set(false).await.status, 204);
    let log = app
        .by(
            &app.token,
            "GET",
            "/v1/admin/audit-logs?action=set_byoc",
            &NONE,
        )
        .await;
    let told: Vec<_> = log.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["metadata"]["enabled"])
        .collect();
    assert_eq!(told, [&json!(false), &json!(true)]);
    let platform = "/v1/admin/teams/team-00000000-0000-0000-0000-000000000000/byoc";
    let refused = app
        .by(&app.token, "PUT", platform, &json!({ "enabled": true }))
        .await;
    assert_eq!(code(&refused), (404, "not_found"));
}
