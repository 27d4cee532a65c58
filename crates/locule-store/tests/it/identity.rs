//! Sessions and keys: the credentials of users and programs, and how long they are valid.

use std::time::Duration;

use locule_domain::{Role, Scope, UserStatus};
use locule_ids::{ApiKeyId, SessionId, TeamId, UserId};
use locule_store::sessions::{self, Purpose};
use locule_store::{PgConnection, StoreError, api_keys, members, teams, users};
use locule_testkit::builders::{self, noon};
use sqlx::PgPool;

const LATER: Duration = Duration::from_hours(1);

async fn run(conn: &mut PgConnection, sql: &'static str) {
    sqlx::query(sql).execute(conn).await.unwrap();
}

async fn key(
    conn: &mut PgConnection,
    user: UserId,
    team: TeamId,
    hash: &str,
) -> Result<api_keys::ApiKey, StoreError> {
    let key = api_keys::ApiKey {
        id: ApiKeyId::random(),
        team,
        name: "first".to_owned(),
        prefix: "e2b_012345".to_owned(),
        scope: Scope::Read,
        created_by: Some(user),
        creator_email: None,
        creator_name: None,
        created_at: noon(),
        expires_at: None,
        last_used: None,
    };
    api_keys::insert(conn, &key, hash).await?;
    Ok(key)
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_session_is_valid_until_it_expires_or_is_revoked_or_its_user_is_deleted(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, _) = builders::team(&mut conn, "ada").await;
    let session = SessionId::random();
    let insert = |id| (id, ada, noon(), noon() + LATER);
    let (id, user, from, until) = insert(session);
    sessions::insert(
        &mut conn,
        id,
        user,
        from,
        until,
        sessions::Origin::default(),
    )
    .await
    .unwrap();
    let found = sessions::get(&mut conn, session, noon())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.user.id, found.began_at, found.expires_at),
        (ada, noon(), noon() + LATER)
    );
    assert!(
        sessions::get(&mut conn, session, noon() + LATER)
            .await
            .unwrap()
            .is_none()
    );
    sessions::revoke(&mut conn, session, noon()).await.unwrap();
    assert!(
        sessions::get(&mut conn, session, noon())
            .await
            .unwrap()
            .is_none()
    );

    let (one, two) = (SessionId::random(), SessionId::random());
    for id in [one, two] {
        sessions::insert(
            &mut conn,
            id,
            ada,
            noon(),
            noon() + LATER,
            sessions::Origin::default(),
        )
        .await
        .unwrap();
    }
    sessions::revoke_all(&mut conn, ada, noon()).await.unwrap();
    for id in [one, two] {
        assert!(
            sessions::get(&mut conn, id, noon())
                .await
                .unwrap()
                .is_none()
        );
    }
    let last = SessionId::random();
    sessions::insert(
        &mut conn,
        last,
        ada,
        noon(),
        noon() + LATER,
        sessions::Origin::default(),
    )
    .await
    .unwrap();
    users::set_status(&mut conn, ada, UserStatus::Deleted, noon())
        .await
        .unwrap();
    assert!(
        sessions::get(&mut conn, last, noon())
            .await
            .unwrap()
            .is_none()
    );
    sessions::purge(&mut conn, noon() + LATER * 2)
        .await
        .unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_mailed_token_works_once_for_its_purpose_until_it_expires(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, _) = builders::team(&mut conn, "ada").await;
    let reset = Purpose::PasswordReset;
    sessions::insert_token(&mut conn, reset, ada, "old", noon() + LATER)
        .await
        .unwrap();
    sessions::insert_token(&mut conn, reset, ada, "new", noon() + LATER)
        .await
        .unwrap();
    for (purpose, hash, at) in [
        (reset, "old", noon()),
        (reset, "new", noon() + LATER),
        (Purpose::Activation, "new", noon()),
    ] {
        let taken = sessions::take_token(&mut conn, purpose, hash, at)
            .await
            .unwrap();
        assert!(taken.is_none(), "{purpose:?} {hash}");
    }
    let take = async || {
        let mut conn = pool.acquire().await.unwrap();
        sessions::take_token(&mut conn, reset, "new", noon())
            .await
            .unwrap()
    };
    let all = futures::future::join_all((0..8).map(|_| take())).await;
    let owners: Vec<_> = all.iter().flatten().map(|user| user.id).collect();
    assert_eq!(owners, [ada]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_works_until_it_expires_or_its_team_is_deleted(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let made = key(&mut conn, ada, team, "hash").await.unwrap();
    let found = api_keys::by_hash(&mut conn, "hash", noon()).await.unwrap();
    assert_eq!(found, Some(made));
    assert_eq!(
        api_keys::by_hash(&mut conn, "other", noon()).await.unwrap(),
        None
    );
    key(&mut conn, ada, team, "hash").await.unwrap_err();
    let expire = sqlx::query("UPDATE team_api_keys SET expires_at = $1").bind(noon() + LATER);
    expire.execute(&mut *conn).await.unwrap();
    assert!(
        api_keys::by_hash(&mut conn, "hash", noon())
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        api_keys::by_hash(&mut conn, "hash", noon() + LATER)
            .await
            .unwrap()
            .is_none()
    );
    run(&mut conn, "UPDATE team_api_keys SET expires_at = NULL").await;
    run(&mut conn, "UPDATE teams SET deleted_at = now()").await;
    assert!(
        api_keys::by_hash(&mut conn, "hash", noon())
            .await
            .unwrap()
            .is_none()
    );
}

/// B-184: keys go with the membership, and with the account.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_keys_of_a_user_are_deleted_with_the_membership_or_the_user(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let (bob, own) = builders::team(&mut conn, "bob").await;
    members::insert(&mut conn, team, bob, Role::Member, false, noon())
        .await
        .unwrap();
    for (user, team, hash) in [(ada, team, "ada"), (bob, team, "bob"), (bob, own, "own")] {
        key(&mut conn, user, team, hash).await.unwrap();
    }
    let listed = api_keys::list(&mut conn, team).await.unwrap();
    let mut makers: Vec<_> = listed
        .iter()
        .filter_map(|key| key.creator_email.as_deref())
        .collect();
    makers.sort_unstable();
    assert_eq!(makers, ["ada@locule.test", "bob@locule.test"]);
    members::remove(&mut conn, team, bob).await.unwrap();
    let left: Vec<_> = api_keys::list(&mut conn, team).await.unwrap();
    assert_eq!(
        left.iter().map(|key| key.created_by).collect::<Vec<_>>(),
        [Some(ada)]
    );
    assert_eq!(api_keys::list(&mut conn, own).await.unwrap().len(), 1);
    api_keys::delete_made_by(&mut conn, bob).await.unwrap();
    assert!(api_keys::list(&mut conn, own).await.unwrap().is_empty());
    // Only the team of a key can revoke it.
    let id = left[0].id;
    assert_eq!(api_keys::lock(&mut conn, own, id).await.unwrap(), None);
    api_keys::delete(&mut conn, own, id).await.unwrap();
    let kept = api_keys::lock(&mut conn, team, id).await.unwrap();
    assert_eq!(kept.unwrap().created_by, Some(ada));
    teams::delete(&mut conn, team, noon()).await.unwrap();
    assert!(api_keys::list(&mut conn, team).await.unwrap().is_empty());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_last_use_of_many_keys_is_written_together_and_never_moves_back(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let first = key(&mut conn, ada, team, "1").await.unwrap().id;
    let second = key(&mut conn, ada, team, "2").await.unwrap().id;
    let used = [(first, noon() + LATER), (second, noon())];
    api_keys::touch(&mut conn, &used).await.unwrap();
    api_keys::touch(&mut conn, &[(first, noon())])
        .await
        .unwrap();
    let times: Vec<chrono::DateTime<chrono::Utc>> =
        sqlx::query_scalar("SELECT last_used FROM team_api_keys ORDER BY key_hash")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert_eq!(times, [noon() + LATER, noon()]);
}
