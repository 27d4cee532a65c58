//! Sign-up that is closed by default, and invitations to a team.

use locule_control::SignupPolicy;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App, EMAIL, PASSWORD, Signed};

const NONE: Value = Value::Null;
const ADA: &str = "ada@locule.test";

fn code(answer: &Answer) -> (u16, &str) {
    let code = answer.json["error"]["code"].as_str().unwrap_or_default();
    (answer.status.as_u16(), code)
}

async fn app(pool: PgPool, policy: SignupPolicy) -> App {
    App::start_with(pool, |config| config.accounts.signup = policy).await
}

async fn sign_up(app: &App, email: &str, invitation: Option<&str>) -> Answer {
    let mut body = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
    if let Some(invitation) = invitation {
        body["invitation"] = json!(invitation);
    }
    app.without_credential("POST", "/v1/auth/signup", &body)
        .await
}

async fn members(app: &App, who: &Signed) -> Vec<Value> {
    let path = format!("/v1/teams/{}/members", who.team);
    let listed = app.by(&who.token, "GET", &path, &NONE).await;
    listed.json.as_array().unwrap().clone()
}

async fn teams(app: &App, who: &Signed) -> usize {
    let teams = app.by(&who.token, "GET", "/v1/teams", &NONE).await;
    teams.json.as_array().unwrap().len()
}

async fn members_in_audit_log(app: &App) -> Vec<String> {
    let actions = sqlx::query_scalar(
        "SELECT action FROM audit_logs WHERE resource_type = 'member' ORDER BY created_at, ctid",
    );
    actions.fetch_all(&app.pool).await.unwrap()
}

/// A stranger who reaches the API gets no account. The first administrator needs no invitation.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn sign_up_needs_an_invitation_for_the_address(pool: PgPool) {
    let app = app(pool, SignupPolicy::Invite).await;
    let required = (403, "invitation_required");
    let admin = app.login(EMAIL).await;
    let me = app.by(&admin.token, "GET", "/v1/me", &NONE).await;
    assert_eq!(me.json["is_admin"], true);
    assert_eq!(code(&sign_up(&app, ADA, None).await), required);
    // An address that has an account is answered like any other.
    assert_eq!(code(&sign_up(&app, EMAIL, None).await), required);
    let invitation = app.invite(&admin, ADA).await;
    for (email, token) in [
        (ADA, None),
        (ADA, Some("")),
        (ADA, Some("00000000000000000000000000000000")),
        (EMAIL, Some(invitation.as_str())),
        ("eve@locule.test", Some(invitation.as_str())),
    ] {
        let refused = sign_up(&app, email, token).await;
        assert_eq!(code(&refused), required, "{email} {token:?}");
    }
    let signed = sign_up(&app, " ADA@locule.test", Some(&invitation)).await;
    assert_eq!(signed.status, 201, "{}", signed.json);
    let ada = Signed::of(&signed.json);
    assert_eq!(teams(&app, &ada).await, 2);
    let listed = members(&app, &admin).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(
        (
            &listed[1]["user_id"],
            &listed[1]["status"],
            &listed[1]["role"]
        ),
        (&json!(ada.user), &json!("active"), &json!("member"))
    );
    // The inviter passed the link on: it proves the invitation, and not who owns the address.
    assert_eq!(listed[1]["verified"], false);
    assert_eq!(members_in_audit_log(&app).await, ["invite", "add"]);
    let again = sign_up(&app, ADA, Some(&invitation)).await;
    assert_eq!(code(&again), required);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_closed_platform_accepts_no_sign_up(pool: PgPool) {
    let app = app(pool, SignupPolicy::Closed).await;
    let admin = app.login(EMAIL).await;
    let invitation = app.invite(&admin, ADA).await;
    for token in [None, Some("00"), Some(invitation.as_str())] {
        let refused = sign_up(&app, ADA, token).await;
        assert_eq!(code(&refused), (403, "signup_closed"), "{token:?}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_open_platform_needs_no_invitation_and_refuses_a_wrong_one(pool: PgPool) {
    let app = app(pool, SignupPolicy::Open).await;
    let wrong = sign_up(&app, ADA, Some("00")).await;
    assert_eq!(code(&wrong), (403, "invitation_required"));
    assert_eq!(sign_up(&app, ADA, None).await.status, 201);
}

/// Of people who sign up at the same time on a fresh installation, the first gets an account and the others need an invitation.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn of_concurrent_first_sign_ups_exactly_one_is_admitted(pool: PgPool) {
    let app = App::start_without_accounts(pool, |config| {
        config.accounts.signup = SignupPolicy::Invite;
    })
    .await;
    let emails: Vec<String> = (0..8)
        .map(|number| format!("first{number}@locule.test"))
        .collect();
    let tries = emails.iter().map(|email| sign_up(&app, email, None));
    let answers = futures::future::join_all(tries).await;
    let mut codes: Vec<_> = answers.iter().map(code).collect();
    codes.sort_unstable();
    assert_eq!(codes[0], (201, ""));
    assert_eq!(codes[1..], [(403, "invitation_required"); 7]);
}

/// An account with an address that its owner never proved must not become a member because an administrator adds the address.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invitation_grants_nothing_before_the_invited_person_accepts(pool: PgPool) {
    let app = app(pool, SignupPolicy::Open).await;
    let (owner, ada, eve) = (
        app.sign_up("owner@locule.test").await,
        app.sign_up(ADA).await,
        app.sign_up("eve@locule.test").await,
    );
    let invitation = app.invite(&owner, ADA).await;
    let switch = json!({ "team_id": owner.team });
    let switched = app
        .by(&ada.token, "POST", "/v1/auth/switch-team", &switch)
        .await;
    assert_eq!(switched.status, 404, "{}", switched.json);
    assert_eq!(teams(&app, &ada).await, 1);
    assert_eq!(members_in_audit_log(&app).await, ["invite"]);
    let listed = members(&app, &owner).await;
    assert_eq!(
        (
            &listed[1]["status"],
            &listed[1]["email"],
            &listed[1]["name"]
        ),
        (&json!("invited"), &json!(ADA), &json!(""))
    );
    assert!(listed[1]["link"].is_null(), "the link is shown once");
    let stolen = app.accept(&eve, &invitation).await;
    assert_eq!(code(&stolen), (403, "forbidden"));
    let wrong = app.accept(&ada, "00").await;
    assert_eq!(code(&wrong), (400, "invalid_token"));
    let accepted = app.accept(&ada, &invitation).await;
    assert_eq!(accepted.status, 200, "{}", accepted.json);
    assert_eq!(
        (&accepted.json["id"], &accepted.json["role"]),
        (&json!(owner.team), &json!("member"))
    );
    assert_eq!(teams(&app, &ada).await, 2);
    assert_eq!(members(&app, &owner).await[1]["user_id"], ada.user);
    assert_eq!(members_in_audit_log(&app).await, ["invite", "add"]);
    let again = app.accept(&ada, &invitation).await;
    assert_eq!(code(&again), (400, "invalid_token"));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn of_concurrent_acceptances_exactly_one_succeeds(pool: PgPool) {
    let app = app(pool, SignupPolicy::Open).await;
    let owner = app.sign_up("owner@locule.test").await;
    let ada = app.sign_up(ADA).await;
    let invitation = app.invite(&owner, ADA).await;
    let tries = (0..8).map(|_| app.accept(&ada, &invitation));
    let answers = futures::future::join_all(tries).await;
    let mut codes: Vec<_> = answers.iter().map(code).collect();
    codes.sort_unstable();
    assert_eq!(codes[0], (200, ""));
    assert_eq!(codes[1..], [(400, "invalid_token"); 7]);
    assert_eq!(members_in_audit_log(&app).await, ["invite", "add"]);
}

/// W-038: an invitation tells the inviter nothing about accounts.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invitation_is_answered_the_same_with_and_without_an_account(pool: PgPool) {
    let app = app(pool, SignupPolicy::Open).await;
    let owner = app.sign_up("owner@locule.test").await;
    app.sign_up(ADA).await;
    let path = format!("/v1/teams/{}/members", owner.team);
    let mut answers = Vec::new();
    for email in [ADA, "bob@locule.test"] {
        let body = json!({ "email": email });
        let mut answer = app.by(&owner.token, "POST", &path, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.json);
        let fields = answer.json.as_object_mut().unwrap();
        // What differs from one invitation to the next, whatever the address.
        for own in ["user_id", "email", "joined_at", "link"] {
            assert!(fields.remove(own).is_some_and(|value| value.is_string()));
        }
        answers.push(answer.json);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0]["status"], "invited");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_removed_or_replaced_invitation_is_not_accepted(pool: PgPool) {
    let app = app(pool, SignupPolicy::Open).await;
    let owner = app.sign_up("owner@locule.test").await;
    let ada = app.sign_up(ADA).await;
    let first = app.invite(&owner, ADA).await;
    let second = app.invite(&owner, "ADA@locule.test").await;
    let listed = members(&app, &owner).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(
        code(&app.accept(&ada, &first).await),
        (400, "invalid_token")
    );
    let path = format!(
        "/v1/teams/{}/members/{}",
        owner.team,
        listed[1]["user_id"].as_str().unwrap()
    );
    // The owner of another team cannot remove the invitation.
    let elsewhere = path.replace(&owner.team, &ada.team);
    let foreign = app.by(&ada.token, "DELETE", &elsewhere, &NONE).await;
    assert_eq!(code(&foreign), (404, "not_found"));
    let removed = app.by(&owner.token, "DELETE", &path, &NONE).await;
    assert_eq!(removed.status, 200, "{}", removed.json);
    assert_eq!(
        code(&app.accept(&ada, &second).await),
        (400, "invalid_token")
    );
    let again = app.by(&owner.token, "DELETE", &path, &NONE).await;
    assert_eq!(code(&again), (404, "not_found"));
    assert_eq!(members(&app, &owner).await.len(), 1);
    assert_eq!(
        members_in_audit_log(&app).await,
        ["invite", "invite", "uninvite"]
    );
}

/// A removed or demoted administrator keeps no way into the team: the inviter may know the token.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invitation_ends_with_the_right_of_its_inviter(pool: PgPool) {
    let app = app(pool, SignupPolicy::Open).await;
    let owner = app.sign_up("owner@locule.test").await;
    let ada = app.sign_up(ADA).await;
    let path = |user: &str| format!("/v1/teams/{}/members/{user}", owner.team);
    let role = |role: &str| json!({ "role": role });
    for (number, end) in ["demoted", "removed", "disabled"].into_iter().enumerate() {
        let email = format!("admin{number}@locule.test");
        let admin = app.sign_up(&email).await;
        app.join(&owner, &admin, &email).await;
        let admin_path = path(&admin.user);
        app.by(&owner.token, "PATCH", &admin_path, &role("admin"))
            .await;
        let switch = json!({ "team_id": owner.team });
        let switched = app
            .by(&admin.token, "POST", "/v1/auth/switch-team", &switch)
            .await;
        let invitation = app.invite(&Signed::of(&switched.json), ADA).await;
        let answer = match end {
            "demoted" => {
                let body = role("member");
                app.by(&owner.token, "PATCH", &admin_path, &body).await
            }
            "removed" => app.by(&owner.token, "DELETE", &admin_path, &NONE).await,
            _ => {
                let path = format!("/v1/admin/users/{}/active", admin.user);
                let body = json!({ "active": false });
                app.by(&app.token, "PUT", &path, &body).await
            }
        };
        assert!(answer.status.is_success(), "{end}: {}", answer.json);
        let refused = app.accept(&ada, &invitation).await;
        assert_eq!(code(&refused), (400, "invalid_token"), "{end}");
    }
}

/// An administrator who is the last one cannot be deleted, and a later account never becomes "the first".
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_platform_keeps_its_last_administrator(pool: PgPool) {
    let app = app(pool, SignupPolicy::Open).await;
    let other = app.sign_up("other@locule.test").await;
    let delete = json!({ "confirmation": EMAIL });
    let refused = app.by(&app.token, "DELETE", "/v1/me", &delete).await;
    assert_eq!(code(&refused), (409, "last_administrator"));
    sqlx::query("UPDATE users SET is_admin = TRUE WHERE email = 'other@locule.test'")
        .execute(&app.pool)
        .await
        .unwrap();
    // Two administrators who disable each other at the same time: one stays.
    let admin = app.login(EMAIL).await;
    let path = |user: &str| format!("/v1/admin/users/{user}/active");
    let (off, of_admin, of_other) = (
        json!({ "active": false }),
        path(&admin.user),
        path(&other.user),
    );
    let (one, two) = tokio::join!(
        app.by(&admin.token, "PUT", &of_other, &off),
        app.by(&other.token, "PUT", &of_admin, &off)
    );
    let mut codes = [code(&one), code(&two)];
    codes.sort_unstable();
    assert_eq!(codes[0], (200, ""));
    assert!(
        matches!(codes[1].0, 401 | 403 | 409),
        "{codes:?}: a second administrator was disabled"
    );
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users WHERE is_admin AND status = 'active'")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!(left, 1);
    // However the platform lost its administrators.
    sqlx::query("UPDATE users SET status = 'disabled'")
        .execute(&app.pool)
        .await
        .unwrap();
    let next = app.sign_up("next@locule.test").await;
    let me = app.by(&next.token, "GET", "/v1/me", &NONE).await;
    assert_eq!(me.json["is_admin"], false);
}
