//! Which callers of a sandbox have their right, and how many callers are kept.

use std::time::Duration;

use locule_domain::{Role, Scope};
use locule_ids::{ApiKeyId, SessionId, TeamId, UserId};
use locule_store::sandbox_callers::{
    CALLERS_MAX, CallerId, Grant, Granted, Numbers, admit, still_valid, valid,
};
use locule_store::{PgConnection, api_keys, members, sessions};
use locule_testkit::builders::{self, noon};
use sqlx::PgPool;

async fn key(conn: &mut PgConnection, user: UserId, team: TeamId, scope: Scope) -> ApiKeyId {
    let id = ApiKeyId::random();
    let key = api_keys::ApiKey {
        id,
        team,
        name: String::new(),
        prefix: "e2b_012345".to_owned(),
        scope,
        created_by: Some(user),
        creator_email: None,
        creator_name: None,
        created_at: noon(),
        expires_at: Some(noon() + Duration::from_mins(1)),
        last_used: None,
    };
    let hash = id.to_string();
    api_keys::insert(conn, &key, &hash).await.unwrap();
    id
}

async fn ids(conn: &mut PgConnection, sandbox: locule_ids::SandboxId) -> Vec<CallerId> {
    let callers = valid(conn, sandbox, noon()).await.unwrap();
    callers.into_iter().map(|(id, _)| id).collect()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_keeps_a_bounded_number_of_callers_and_first_those_with_a_right(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let sandbox = builders::sandbox(team).insert(&mut conn).await.id;
    let user = CallerId::User(ada);
    let first = admit(&mut conn, sandbox, team, user, noon()).await.unwrap();
    assert!(first.unwrap().is_new);
    let again = admit(&mut conn, sandbox, team, user, noon()).await.unwrap();
    assert!(!again.unwrap().is_new);
    let mut keys = Vec::new();
    for _ in 0..CALLERS_MAX - 1 {
        let key = key(&mut conn, ada, team, Scope::Sandbox).await;
        let admitted = admit(&mut conn, sandbox, team, CallerId::Key(key), noon()).await;
        assert!(admitted.unwrap().is_some());
        keys.push(CallerId::Key(key));
    }
    // The latest one loses its right, and its row before that of an older one.
    sqlx::query("UPDATE team_api_keys SET scope = 'read' WHERE id = $1")
        .bind(match keys.pop() {
            Some(CallerId::Key(key)) => key.as_uuid(),
            other => panic!("{other:?}"),
        })
        .execute(&mut *conn)
        .await
        .unwrap();
    let more = CallerId::Key(key(&mut conn, ada, team, Scope::Full).await);
    admit(&mut conn, sandbox, team, more, noon()).await.unwrap();
    let kept = ids(&mut conn, sandbox).await;
    assert_eq!(kept.len(), 64);
    assert!(kept.contains(&user) && kept.contains(&more));
    let last = CallerId::Key(key(&mut conn, ada, team, Scope::Full).await);
    admit(&mut conn, sandbox, team, last, noon()).await.unwrap();
    let kept = ids(&mut conn, sandbox).await;
    assert_eq!(kept.len(), 64);
    assert!(!kept.contains(&user), "the oldest one goes");
    assert!(kept.contains(&last));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_caller_of_another_team_is_not_admitted(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let (bob, other) = builders::team(&mut conn, "bob").await;
    let sandbox = builders::sandbox(team).insert(&mut conn).await.id;
    let key = key(&mut conn, bob, other, Scope::Full).await;
    for caller in [CallerId::User(bob), CallerId::Key(key)] {
        let admitted = admit(&mut conn, sandbox, team, caller, noon()).await;
        assert_eq!(admitted.unwrap(), None, "{caller:?}");
    }
    assert!(ids(&mut conn, sandbox).await.is_empty());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_grant_is_valid_as_long_as_everything_that_it_depends_on(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let bob = builders::user(&mut conn, "bob@locule.test").await;
    members::insert(&mut conn, team, bob, Role::Member, false, noon())
        .await
        .unwrap();
    let sandbox = builders::sandbox(team).insert(&mut conn).await.id;
    let numbers = async |conn: &mut PgConnection| {
        let admitted = admit(conn, sandbox, team, CallerId::User(bob), noon()).await;
        admitted.unwrap().map(|admitted| admitted.numbers)
    };
    let session = SessionId::random();
    let ends = noon() + Duration::from_mins(1);
    sessions::insert(
        &mut conn,
        session,
        bob,
        noon(),
        ends,
        sessions::Origin::default(),
    )
    .await
    .unwrap();
    let first = numbers(&mut conn).await.unwrap();
    let read = key(&mut conn, ada, team, Scope::Read).await;
    let full = key(&mut conn, ada, team, Scope::Full).await;
    let grant = |caller| Grant { team, caller };
    let numbered = |numbers: Numbers| grant(Granted::Numbered { user: bob, numbers });
    let by_key = |key, uses| grant(Granted::Key { key, uses });
    let grants = [
        by_key(full, true),
        by_key(read, true),
        by_key(read, false),
        grant(Granted::Login { user: bob, session }),
        numbered(first),
    ];
    let places = async |conn: &mut PgConnection, now| {
        let mut places = still_valid(conn, &grants, now).await.unwrap();
        places.sort_unstable();
        places
    };
    assert_eq!(places(&mut conn, noon()).await, [0, 2, 3, 4]);
    assert_eq!(places(&mut conn, ends).await, [4], "keys and login expired");
    sessions::revoke(&mut conn, session, noon()).await.unwrap();
    assert_eq!(places(&mut conn, noon()).await, [0, 2]);
    let second = numbers(&mut conn).await.unwrap();
    assert_ne!(first, second, "the login ended");
    members::remove(&mut conn, team, bob).await.unwrap();
    assert_eq!(numbers(&mut conn).await, None);
    members::insert(&mut conn, team, bob, Role::Member, false, noon())
        .await
        .unwrap();
    assert_ne!(numbers(&mut conn).await.unwrap(), second, "added again");
    let foreign = Grant {
        team: TeamId::random(),
        ..grants[0]
    };
    let valid = still_valid(&mut conn, &[foreign], noon()).await;
    assert!(valid.unwrap().is_empty());
}
