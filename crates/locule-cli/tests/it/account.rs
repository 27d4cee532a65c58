//! Logging in, and the commands that need a login: teams, API keys, the audit log.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::desk::{Desk, EMAIL};
use crate::platform::PASSWORD;
use crate::program::{program, run};

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_login_is_stored_for_its_owner_alone_until_the_logout(pool: PgPool) {
    let desk = Desk::start(pool).await;
    desk.fails(&["whoami"], "not logged in: run `locule login`");
    let wrong = desk.login("wrong");
    assert_eq!(
        (wrong.code, wrong.stderr.as_str()),
        (1, "error: the e-mail address or the password is wrong\n")
    );
    let ran = desk.login(PASSWORD);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    let kept = desk.home.path().join(".config/locule/login.json");
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let who = desk.json(&["whoami"]);
    assert_eq!(
        (&who["email"], &who["team"], &who["role"]),
        (&EMAIL.into(), &"First".into(), &"owner".into())
    );
    assert!(desk.succeeds(&["whoami"]).contains("First (owner)"));
    let mut elsewhere = program(&["whoami"]);
    elsewhere
        .env("HOME", desk.home.path())
        .env("LOCULE_URL", "http://127.0.0.1:1");
    assert!(run(elsewhere).stderr.contains("logged in at"));
    let login: Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
    let token = login["token"].as_str().unwrap();
    desk.platform
        .api(token, "POST", "/v1/auth/logout", Value::Null)
        .await;
    desk.fails(
        &["whoami"],
        "the login has expired or was ended: run `locule login`",
    );
    desk.succeeds(&["logout"]);
    assert!(!kept.exists());
    desk.fails(&["logout"], "not logged in");
    desk.fails(&["login"], "no server is configured");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_credentials_file_of_a_local_server_replaces_the_password(pool: PgPool) {
    let desk = Desk::start(pool).await;
    let folder = desk.home.path().join(".config/locule");
    std::fs::create_dir_all(&folder).unwrap();
    let credentials = desk.home.path().join("credentials.json");
    let text = serde_json::json!({ "url": desk.platform.url, "email": EMAIL, "password": PASSWORD, "api_key": "e2b_0" });
    std::fs::write(&credentials, text.to_string()).unwrap();
    let pointer = serde_json::json!({ "credentials": credentials });
    std::fs::write(folder.join("credentials.json"), pointer.to_string()).unwrap();
    assert_eq!(desk.json(&["login"])["email"], EMAIL);
    assert_eq!(desk.json(&["whoami"])["url"], desk.platform.url);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_team_is_created_used_managed_deleted_and_left(pool: PgPool) {
    let desk = Desk::logged_in(pool).await;
    let second = json!({ "name": "Second" });
    let (_, second) = desk
        .platform
        .api(&desk.first.token, "POST", "/v1/teams", second)
        .await;
    let bob = desk.platform.sign_up("bob@locule.test", "Bob").await;
    let path = format!("/v1/teams/{}", bob.team);
    let name = json!({ "name": "Shared" });
    desk.platform.api(&bob.token, "PATCH", &path, name).await;
    let ada = json!({ "email": EMAIL });
    let path = format!("{path}/members");
    let (_, invited) = desk.platform.api(&bob.token, "POST", &path, ada).await;
    desk.fails(
        &["team", "accept", "an invitation"],
        "neither the link nor the token of an invitation",
    );
    let link = invited["link"].as_str().unwrap();
    let joined = desk.json(&["team", "accept", link]);
    assert_eq!(joined["name"], "Shared");
    desk.fails(&["team", "accept", link], "not valid any more");
    // The name of an account must not control the terminal of another user.
    desk.platform
        .sql("UPDATE users SET name = E'Bob \\x1b[2J' WHERE email = 'bob@locule.test'")
        .await;
    let teams = desk.json(&["team", "ls"]);
    let slug = teams[0]["slug"].as_str().unwrap();
    let listed = desk.succeeds(&["team", "ls"]);
    let lines: Vec<&str> = listed.lines().map(str::trim).collect();
    assert_eq!(
        lines[1].split_whitespace().collect::<Vec<_>>(),
        ["*", "First", slug, "owner"]
    );
    let made = desk.succeeds(&["team", "create", "Third"]);
    assert!(made.starts_with("team-"), "{made}");
    assert_eq!(desk.json(&["whoami"])["team"], "Third");
    desk.fails(
        &["team", "use", "Fourth"],
        "no team of this account is called \"Fourth\"",
    );
    desk.succeeds(&["team", "use", second["slug"].as_str().unwrap()]);
    assert_eq!(desk.json(&["whoami"])["team"], "Second");
    desk.succeeds(&["team", "rename", "Renamed"]);
    let link = desk.succeeds(&["team", "add", "bob@locule.test"]);
    let invited = desk.succeeds(&["team", "members"]);
    assert!(invited.contains("invited"), "{invited}");
    desk.fails(
        &["team", "role", "bob@locule.test", "admin"],
        "has not accepted the invitation yet",
    );
    let token = link.trim().split_once("token=").unwrap().1;
    let accept = format!("/v1/invitations/{token}/accept");
    desk.platform
        .api(&bob.token, "POST", &accept, Value::Null)
        .await;
    desk.succeeds(&["team", "role", "BOB@locule.test", "admin"]);
    let members = desk.succeeds(&["team", "members"]);
    assert!(
        members.contains("bob@locule.test") && members.contains("admin"),
        "{members}"
    );
    assert!(!members.contains('\u{1b}'), "{members:?}");
    desk.fails(
        &["team", "remove", "unknown@locule.test"],
        "is not a member of the team",
    );
    desk.succeeds(&["team", "remove", "bob@locule.test"]);
    assert_eq!(desk.json(&["team", "members"]).as_array().unwrap().len(), 1);
    desk.fails(
        &["team", "delete", "First"],
        "the login is for another team",
    );
    desk.succeeds(&["team", "delete", "Renamed"]);
    assert_eq!(desk.json(&["team", "ls"]).as_array().unwrap().len(), 3);
    desk.fails(&["team", "members"], "the login has no current team");
    desk.succeeds(&["team", "use", "Shared"]);
    desk.succeeds(&["team", "leave"]);
    assert_eq!(desk.json(&["team", "ls"]).as_array().unwrap().len(), 2);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_api_key_is_shown_once(pool: PgPool) {
    let desk = Desk::logged_in(pool).await;
    let key = desk.succeeds(&[
        "api-key",
        "create",
        "ci",
        "--scope",
        "read",
        "--expires-in",
        "2h",
    ]);
    assert_eq!(key.trim().len(), 44, "{key}");
    let listed = desk.succeeds(&["api-key", "ls"]);
    assert!(
        listed.contains(&format!("{}…", &key[..10]))
            && listed.contains("read  ")
            && listed.contains("in 119m")
            && !listed.contains(key.trim()),
        "{listed}"
    );
    let keys = desk.json(&["api-key", "ls"]);
    assert_eq!(keys[0]["name"], "ci");
    assert!(keys[0]["expires_at"].is_string(), "{keys}");
    let id = keys[0]["id"].as_str().unwrap();
    assert_eq!(desk.succeeds(&["api-key", "revoke", id]).trim(), id);
    assert_eq!(desk.json(&["api-key", "ls"]), Value::Array(Vec::new()));
    assert_eq!(desk.run(&["api-key", "revoke", "nope"]).code, 2);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_revocation_names_the_sandboxes_that_the_key_created(pool: PgPool) {
    let desk = Desk::logged_in(pool).await;
    let mut keys = Vec::new();
    for name in ["first", "second"] {
        let key = desk.succeeds(&["api-key", "create", name]);
        let (_, made) = desk
            .platform
            .api(key.trim(), "POST", "/v1/sandboxes", json!({}))
            .await;
        let id = desk.json(&["api-key", "ls"])[0]["id"].clone();
        keys.push((id.as_str().unwrap().to_owned(), made["id"].clone()));
    }
    let (key, sandbox) = &keys[0];
    let ran = desk.run(&["api-key", "revoke", key]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, key.as_str()), "{ran:?}");
    assert!(ran.stderr.contains(sandbox.as_str().unwrap()), "{ran:?}");
    let (key, sandbox) = &keys[1];
    let revoked = desk.json(&["api-key", "revoke", key]);
    assert_eq!(
        (&revoked[0]["id"], &revoked[0]["sandboxes"][0]["id"]),
        (&json!(key), sandbox)
    );
}

/// Entries of the audit log of every team, 450 each.
const ENTRIES: &str = r#"INSERT INTO audit_logs (id, team_id, actor_type, actor_name, resource_type, resource_id,
    action, scope, status, metadata, created_at)
SELECT gen_random_uuid(), teams.id, 'system', '', 'sandbox', 'sb-' || number, 'a&b', 'team', 'warning',
    '{"reason": "idle"}', 'epoch'
FROM teams, generate_series(1, 450) AS number"#;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_audit_log_is_read_page_by_page(pool: PgPool) {
    let desk = Desk::logged_in(pool).await;
    desk.platform.sql(ENTRIES).await;
    let shown = desk.succeeds(&[
        "audit",
        "-n",
        "3",
        "--resource",
        "sandbox",
        "--action",
        "a&b",
    ]);
    assert_eq!(shown.lines().count(), 4, "{shown}");
    assert!(
        shown.contains("1970-01-01 00:00:00") && shown.contains("reason=idle"),
        "{shown}"
    );
    let queries = || {
        desk.platform
            .change(|traffic| std::mem::take(&mut traffic.queries))
    };
    assert_eq!(queries(), ["resource_type=sandbox&action=a%26b&limit=3"]);
    let none = desk.json(&[
        "audit",
        "--resource-id",
        "sb-7",
        "--actor-id",
        "key-1",
        "--from",
        "1970-01-01T01:00:00+01:00",
        "--to",
        "1970-01-02T00:00:00Z",
    ]);
    assert_eq!(none, serde_json::json!([]));
    let times = "from=1970-01-01T01%3A00%3A00%2B01%3A00&to=1970-01-02T00%3A00%3A00Z";
    let query = format!("resource_id=sb-7&actor_id=key-1&{times}&limit=50");
    assert_eq!(queries(), [query]);
    let all = desk.json(&["audit", "-n", "500"]);
    let all = all.as_array().unwrap();
    let inserted = all.iter().filter(|entry| entry["action"] == "a&b");
    assert_eq!(inserted.count(), 450);
    let queries = queries();
    assert_eq!(queries[0], "limit=200");
    // The last page is empty: the log has fewer entries than were requested.
    let limits = [200, 100, 500 - all.len()];
    assert_eq!(queries.len(), 1 + limits.len(), "{queries:?}");
    for (query, limit) in queries[1..].iter().zip(limits) {
        let limit = format!("&limit={limit}");
        assert!(
            query.starts_with("before=") && query.ends_with(&limit),
            "{query}"
        );
    }
}
