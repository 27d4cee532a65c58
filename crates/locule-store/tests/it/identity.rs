//! Users, teams, sessions, keys: who somebody is and for which team.

use std::time::Duration;

use locule_ids::{ApiKeyId, SessionId, TeamId, UserId};
use locule_store::{PgConnection, StoreError, identity};
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
) -> Result<identity::ApiKey, StoreError> {
    let key = identity::ApiKey {
        id: ApiKeyId::random(),
        team,
        name: "first".to_owned(),
        scope: "full".to_owned(),
    };
    identity::insert_key(conn, &key, hash, "e2b_012345", user, noon()).await?;
    Ok(key)
}

/// W-055: an address is free again once its user is deleted.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_e_mail_address_is_one_users_however_it_is_spelt(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, _) = builders::team(&mut conn, "ada").await;
    let found = identity::user_by_email(&mut conn, "ADA@locule.test")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.id, ada);
    let twin = identity::User {
        id: UserId::random(),
        email: "Ada@Locule.Test".to_owned(),
        ..found
    };
    identity::insert_user(&mut conn, &twin, noon())
        .await
        .unwrap_err();
    run(&mut conn, "UPDATE users SET deleted_at = now()").await;
    assert!(
        identity::user_by_email(&mut conn, "ada@locule.test")
            .await
            .unwrap()
            .is_none()
    );
    identity::insert_user(&mut conn, &twin, noon())
        .await
        .unwrap();
}

/// B-133, B-134.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_login_is_for_the_default_team_else_the_first_that_lives(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, own) = builders::team(&mut conn, "ada").await;
    let (_, other) = builders::team(&mut conn, "bob").await;
    let join = sqlx::query(
        "INSERT INTO users_teams (team_id, user_id, role, created_at) VALUES ($1, $2, 'member', '2000-01-01Z')",
    );
    join.bind(other.as_uuid())
        .bind(ada.as_uuid())
        .execute(&mut *conn)
        .await
        .unwrap();
    let default = identity::login_team(&mut conn, ada).await.unwrap();
    assert_eq!(default, Some((own, "owner".to_owned())));
    let delete =
        sqlx::query("UPDATE teams SET deleted_at = now() WHERE id = $1").bind(own.as_uuid());
    delete.execute(&mut *conn).await.unwrap();
    let next = identity::login_team(&mut conn, ada).await.unwrap();
    assert_eq!(next, Some((other, "member".to_owned())));
    run(&mut conn, "UPDATE teams SET deleted_at = now()").await;
    assert_eq!(identity::login_team(&mut conn, ada).await.unwrap(), None);
}

/// B-006: no user can be a member of the platform team.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn nobody_is_a_member_of_the_platform_team(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, _) = builders::team(&mut conn, "ada").await;
    let join = sqlx::query(
        "INSERT INTO users_teams (team_id, user_id, created_at) VALUES ($1, $2, now())",
    );
    let joined = join.bind(TeamId::PLATFORM.as_uuid()).bind(ada.as_uuid());
    let refused = joined.execute(&mut *conn).await.unwrap_err();
    assert!(
        refused.to_string().contains("check constraint"),
        "{refused}"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_session_lives_until_it_ends_or_is_revoked(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let (_, other) = builders::team(&mut conn, "bob").await;
    let session = SessionId::random();
    identity::insert_session(&mut conn, session, ada, noon(), noon() + LATER)
        .await
        .unwrap();
    let alive = identity::session(&mut conn, session, Some(team), noon())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((alive.user.id, alive.role.as_deref()), (ada, Some("owner")));
    // A team of others gives no role, whatever a token says (B-155).
    let foreign = identity::session(&mut conn, session, Some(other), noon())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(foreign.role, None);
    assert!(
        identity::session(&mut conn, session, None, noon())
            .await
            .unwrap()
            .unwrap()
            .role
            .is_none()
    );
    assert!(
        identity::session(&mut conn, session, None, noon() + LATER)
            .await
            .unwrap()
            .is_none()
    );
    identity::revoke_session(&mut conn, session, noon())
        .await
        .unwrap();
    assert!(
        identity::session(&mut conn, session, None, noon())
            .await
            .unwrap()
            .is_none()
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_works_until_it_expires_or_its_team_is_gone(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let made = key(&mut conn, ada, team, "hash").await.unwrap();
    assert_eq!(
        identity::key_by_hash(&mut conn, "hash", noon())
            .await
            .unwrap(),
        Some(made)
    );
    assert_eq!(
        identity::key_by_hash(&mut conn, "other", noon())
            .await
            .unwrap(),
        None
    );
    key(&mut conn, ada, team, "hash").await.unwrap_err();
    let expire = sqlx::query("UPDATE team_api_keys SET expires_at = $1").bind(noon() + LATER);
    expire.execute(&mut *conn).await.unwrap();
    assert!(
        identity::key_by_hash(&mut conn, "hash", noon())
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        identity::key_by_hash(&mut conn, "hash", noon() + LATER)
            .await
            .unwrap()
            .is_none()
    );
    run(&mut conn, "UPDATE team_api_keys SET expires_at = NULL").await;
    run(&mut conn, "UPDATE teams SET deleted_at = now()").await;
    assert!(
        identity::key_by_hash(&mut conn, "hash", noon())
            .await
            .unwrap()
            .is_none()
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_last_use_of_keys_is_written_at_once_and_never_backwards(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let first = key(&mut conn, ada, team, "1").await.unwrap().id;
    let second = key(&mut conn, ada, team, "2").await.unwrap().id;
    let used = [(first, noon() + LATER), (second, noon())];
    identity::touch_keys(&mut conn, &used).await.unwrap();
    identity::touch_keys(&mut conn, &[(first, noon())])
        .await
        .unwrap();
    let times: Vec<chrono::DateTime<chrono::Utc>> =
        sqlx::query_scalar("SELECT last_used FROM team_api_keys ORDER BY key_hash")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert_eq!(times, [noon() + LATER, noon()]);
}
