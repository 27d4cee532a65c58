//! Accounts: sign-up, deletion, and the lifetime of logins, keys and passwords.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{App, EMAIL, PASSWORD, Signed};

const NONE: Value = Value::Null;

fn code(answer: &crate::app::Answer) -> (u16, &str) {
    let code = answer.json["error"]["code"].as_str().unwrap_or_default();
    (answer.status.as_u16(), code)
}

async fn team_of(app: &App, token: &str) -> Value {
    app.by(token, "GET", "/v1/teams", &NONE).await.json[0].clone()
}

/// B-130, B-133. The first account administers the platform, the second does not.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sign_up_creates_an_account_a_team_and_a_login(pool: PgPool) {
    let app = App::start(pool).await;
    let body = json!({ "email": " Ada@Locule.TEST ", "password": PASSWORD, "name": " Ada L. ", "extra": 1 });
    let answer = app
        .without_credential("POST", "/v1/auth/signup", &body)
        .await;
    assert_eq!(answer.status, 201, "{}", answer.json);
    assert_eq!(answer.json["email"], "ada@locule.test");
    assert_eq!(answer.json["name"], "Ada L.");
    let ada = Signed::of(&answer.json);
    let team = team_of(&app, &ada.token).await;
    assert_eq!(
        (&team["id"], &team["role"]),
        (&json!(ada.team), &json!("owner"))
    );
    assert_eq!(team["name"], "Ada L.'s Team");
    assert_eq!(team["is_byoc"], false);
    let slug = team["slug"].as_str().unwrap();
    let (left, right) = slug.split_once('-').unwrap();
    assert!(
        [left, right].iter().all(|half| half.len() == 6
            && half
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))),
        "{slug}"
    );
    for (token, is_admin) in [(&app.token, true), (&ada.token, false)] {
        let me = app.by(token, "GET", "/v1/me", &NONE).await;
        assert_eq!(me.json["is_admin"], is_admin);
        assert_eq!(me.json["has_password"], true);
    }
    let again = app
        .without_credential("POST", "/v1/auth/signup", &body)
        .await;
    assert_eq!(code(&again), (409, "email_taken"));
    let hash: String =
        sqlx::query_scalar("SELECT password_hash FROM users WHERE email = 'ada@locule.test'")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn of_concurrent_sign_ups_with_one_address_exactly_one_succeeds(pool: PgPool) {
    let app = App::start(pool).await;
    let body = json!({ "email": "same@locule.test", "password": PASSWORD, "name": "Same" });
    let tries = (0..50).map(|_| app.without_credential("POST", "/v1/auth/signup", &body));
    let answers = futures::future::join_all(tries).await;
    let codes: Vec<_> = answers.iter().map(code).collect();
    assert_eq!(
        codes.iter().filter(|code| code.0 == 201).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes
            .iter()
            .filter(|code| **code == (409, "email_taken"))
            .count(),
        49,
        "{codes:?}"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn invalid_names_and_addresses_are_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let good = json!({ "email": "a@b.test", "password": PASSWORD, "name": "A" });
    for (field, bad) in [
        ("email", json!("a")),
        ("email", json!("ä@b.test")),
        ("email", json!("a@b\u{0}")),
        ("email", json!(1)),
        ("email", NONE),
        ("password", json!("1234567")),
        ("password", json!("x".repeat(1024))),
        ("password", json!(["x"])),
        ("name", json!("")),
        ("name", json!("  ")),
        ("name", json!("a\u{7}b")),
        ("name", json!("x".repeat(101))),
    ] {
        let mut body = good.clone();
        body[field] = bad;
        let answer = app
            .without_credential("POST", "/v1/auth/signup", &body)
            .await;
        assert_eq!(code(&answer), (400, "invalid_request"), "{body}");
    }
    for body in [
        json!({ "email": "ä@b.test", "password": PASSWORD }),
        json!({ "email": EMAIL, "password": "x".repeat(1024) }),
    ] {
        let answer = app
            .without_credential("POST", "/v1/auth/login", &body)
            .await;
        assert_eq!(code(&answer), (400, "invalid_request"), "{body}");
    }
    let unknown = json!({ "email": "unknown@locule.test", "password": PASSWORD });
    let answer = app
        .without_credential("POST", "/v1/auth/login", &unknown)
        .await;
    assert_eq!(code(&answer), (401, "unauthorized"));
}

/// W-032: a password change ends every login. The new password works, the old one does not.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_password_change_ends_every_login(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    let second = app.login("ada@locule.test").await;
    let change =
        |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    let path = "/v1/me/password";
    let wrong = app
        .by(
            &ada.token,
            "POST",
            path,
            &change("not this one", "another one"),
        )
        .await;
    assert_eq!(code(&wrong), (401, "wrong_password"));
    let short = app
        .by(&ada.token, "POST", path, &change(PASSWORD, "short"))
        .await;
    assert_eq!(code(&short), (400, "invalid_request"));
    assert_eq!(app.by(&ada.token, "GET", "/v1/me", &NONE).await.status, 200);
    let changed = app
        .by(&ada.token, "POST", path, &change(PASSWORD, "another one"))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.json);
    for token in [&ada.token, &second.token] {
        for path in ["/v1/me", "/v1/sandboxes"] {
            let answer = app.by(token, "GET", path, &NONE).await;
            assert_eq!(code(&answer), (401, "unauthorized"), "{path}");
        }
    }
    let login = |password: &str| json!({ "email": "ada@locule.test", "password": password });
    let old = app
        .without_credential("POST", "/v1/auth/login", &login(PASSWORD))
        .await;
    assert_eq!(code(&old), (401, "unauthorized"));
    let new = app
        .without_credential("POST", "/v1/auth/login", &login("another one"))
        .await;
    assert_eq!(new.status, 200);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_logout_ends_one_login_or_every_login(pool: PgPool) {
    let app = App::start(pool).await;
    let first = app.sign_up("ada@locule.test").await;
    let logins = [
        app.login("ada@locule.test").await,
        app.login("ada@locule.test").await,
    ];
    let status = async |signed: &Signed| {
        app.by(&signed.token, "GET", "/v1/me", &NONE)
            .await
            .status
            .as_u16()
    };
    app.by(&logins[0].token, "POST", "/v1/auth/logout", &NONE)
        .await;
    assert_eq!(
        (status(&logins[0]).await, status(&logins[1]).await),
        (401, 200)
    );
    let all = app
        .by(&logins[1].token, "POST", "/v1/auth/logout?all=true", &NONE)
        .await;
    assert_eq!(all.status, 204);
    assert_eq!((status(&first).await, status(&logins[1]).await), (401, 401));
}

/// W-032, B-184: a disabled account loses its logins and keys at once, and the sandboxes of its teams are destroyed.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn disabling_an_account_ends_its_logins_keys_and_sandboxes_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    let key = app.new_key(&ada.token, &json!({})).await;
    assert_eq!(
        app.call_as(&key, "POST", "/v1/sandboxes", "{}")
            .await
            .status,
        201
    );
    assert_eq!(app.host.count(), 1);
    let active = |user: &str| format!("/v1/admin/users/{user}/active");
    let me = app.by(&app.token, "GET", "/v1/me", &NONE).await.json["user_id"].clone();
    let myself = active(me.as_str().unwrap());
    let myself = app
        .by(&app.token, "PUT", &myself, &json!({ "active": false }))
        .await;
    assert_eq!(code(&myself), (400, "invalid_request"));
    let path = active(&ada.user);
    for _ in 0..2 {
        let out = app
            .by(&app.token, "PUT", &path, &json!({ "active": false }))
            .await;
        assert_eq!(out.status, 200, "{}", out.json);
    }
    assert_eq!(app.host.count(), 0);
    assert_eq!(app.by(&ada.token, "GET", "/v1/me", &NONE).await.status, 401);
    assert_eq!(
        app.call_as(&key, "GET", "/v1/sandboxes", "").await.status,
        401
    );
    let login = json!({ "email": "ada@locule.test", "password": PASSWORD });
    let refused = app
        .without_credential("POST", "/v1/auth/login", &login)
        .await;
    assert_eq!(code(&refused), (403, "account_disabled"));
    let wrong = json!({ "email": "ada@locule.test", "password": "not this one" });
    let refused = app
        .without_credential("POST", "/v1/auth/login", &wrong)
        .await;
    assert_eq!(
        code(&refused),
        (401, "unauthorized"),
        "whose account it is, is told to its owner only"
    );
    app.by(&app.token, "PUT", &path, &json!({ "active": true }))
        .await;
    app.login("ada@locule.test").await;
    let log = app
        .by(
            &app.token,
            "GET",
            "/v1/admin/audit-logs?resource_type=user&action=activate,deactivate",
            &NONE,
        )
        .await;
    let actions: Vec<_> = log.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["action"])
        .collect();
    assert_eq!(actions, ["activate", "deactivate"]);
    assert_eq!(
        log.json["items"][1]["metadata"],
        json!({ "email": "ada@locule.test" })
    );
}

/// W-058: the token keeps its team. B-136: the name in it is the new one.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_changed_name_does_not_switch_the_team_of_the_token(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    let second = app
        .by(
            &ada.token,
            "POST",
            "/v1/teams",
            &json!({ "name": "Second" }),
        )
        .await;
    let second = &second.json["id"];
    let switched = app
        .by(
            &ada.token,
            "POST",
            "/v1/auth/switch-team",
            &json!({ "team_id": second }),
        )
        .await;
    let token = Signed::of(&switched.json).token;
    let renamed = app
        .by(&token, "PATCH", "/v1/me", &json!({ "name": "Countess" }))
        .await;
    assert_eq!(
        (&renamed.json["team_id"], &renamed.json["name"]),
        (second, &json!("Countess"))
    );
    let back = app
        .by(
            &token,
            "POST",
            "/v1/auth/switch-team",
            &json!({ "team_id": ada.team }),
        )
        .await;
    assert_eq!(back.json["name"], "Countess");
    let empty = app
        .by(&token, "PATCH", "/v1/me", &json!({ "name": " " }))
        .await;
    assert_eq!(code(&empty), (400, "invalid_request"));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn deleting_an_account_deletes_its_teams_and_frees_its_address(pool: PgPool) {
    let app = App::start(pool).await;
    let (ada, bob) = (
        app.sign_up("ada@locule.test").await,
        app.sign_up("bob@locule.test").await,
    );
    let members = format!("/v1/teams/{}/members", bob.team);
    app.join(&bob, &ada, "ada@locule.test").await;
    let switch = json!({ "team_id": bob.team });
    let in_bobs = app
        .by(&ada.token, "POST", "/v1/auth/switch-team", &switch)
        .await;
    let key = app
        .new_key(&Signed::of(&in_bobs.json).token, &json!({}))
        .await;
    let own_key = app.new_key(&ada.token, &json!({})).await;
    app.call_as(&own_key, "POST", "/v1/sandboxes", "{}").await;
    // Bob's team would have no owner.
    let delete = |email: &str| json!({ "confirmation": email });
    let refused = app
        .by(&bob.token, "DELETE", "/v1/me", &delete("bob@locule.test"))
        .await;
    assert_eq!(code(&refused), (409, "owns_team_with_members"));
    let unsure = app.by(&ada.token, "DELETE", "/v1/me", &delete("yes")).await;
    assert_eq!(code(&unsure), (400, "invalid_request"));
    let gone = app
        .by(&ada.token, "DELETE", "/v1/me", &delete("ADA@locule.test"))
        .await;
    assert_eq!(gone.status, 204, "{}", gone.json);
    assert_eq!(app.host.count(), 0);
    assert_eq!(app.by(&ada.token, "GET", "/v1/me", &NONE).await.status, 401);
    for key in [&key, &own_key] {
        assert_eq!(
            app.call_as(key, "GET", "/v1/sandboxes", "").await.status,
            401
        );
    }
    let left = app.by(&bob.token, "GET", &members, &NONE).await;
    assert_eq!(left.json.as_array().unwrap().len(), 1);
    let found = app
        .by(&bob.token, "GET", "/v1/users/search?email=ada@", &NONE)
        .await;
    assert_eq!(found.json, json!([]));
    app.sign_up("ada@locule.test").await;
}

/// B-040, B-041, B-042.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn accounts_are_found_by_the_beginning_of_their_address(pool: PgPool) {
    let app = App::start(pool).await;
    for email in ["a_b@x.test", "axb@x.test"] {
        app.sign_up(email).await;
    }
    let search = async |text: &str| {
        let path = format!("/v1/users/search?email={text}");
        app.by(&app.token, "GET", &path, &NONE).await
    };
    let found = search("A_b@").await;
    assert_eq!(found.json.as_array().unwrap().len(), 1, "{}", found.json);
    assert_eq!(found.json[0]["email"], "a_b@x.test");
    assert_eq!(search("a%25b@").await.json, json!([]));
    for short in ["", "a@", "a_b", "%00@a"] {
        assert_eq!(
            code(&search(short).await),
            (400, "invalid_request"),
            "{short:?}"
        );
    }
    let none = app.by(&app.token, "GET", "/v1/users/search", &NONE).await;
    assert_eq!(code(&none), (400, "invalid_request"));
}

/// The key is revoked whether the create or the disabling comes first.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn no_key_survives_that_is_created_while_its_creator_is_disabled(pool: PgPool) {
    let app = App::start(pool).await;
    for number in 0..6 {
        let ada = app.sign_up(&format!("ada{number}@locule.test")).await;
        let path = format!("/v1/admin/users/{}/active", ada.user);
        let (off, body) = (json!({ "active": false }), json!({}));
        let shut_out = app.by(&app.token, "PUT", &path, &off);
        let keys = (0..4).map(|_| app.by(&ada.token, "POST", "/v1/api-keys", &body));
        let (shut_out, made) = tokio::join!(shut_out, futures::future::join_all(keys));
        assert_eq!(shut_out.status, 200, "{}", shut_out.json);
        for answer in made {
            assert!(
                matches!(answer.status.as_u16(), 201 | 401 | 403),
                "{}",
                answer.json
            );
            if let Some(key) = answer.json["key"].as_str() {
                assert_eq!(
                    app.call_as(key, "GET", "/v1/sandboxes", "").await.status,
                    401
                );
            }
        }
    }
}
