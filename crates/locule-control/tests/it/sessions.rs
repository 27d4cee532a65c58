//! The life of a login by the clock of the control plane: renewals, their end, and tokens that were renewed before (ADR 0039).

use std::time::Duration;

use locule_control::{AccountError, Credential, LoginOrigin, Person, Session};
use locule_testkit::{EMAIL, PASSWORD, World, person};
use sqlx::PgPool;

const HOUR: Duration = Duration::from_hours(1);

async fn login(world: &World) -> Session {
    let from = LoginOrigin::default();
    world.accounts.login(EMAIL, PASSWORD, from).await.unwrap()
}

async fn authenticated(world: &World, session: &Session) -> Result<Person, AccountError> {
    let credential = Credential::Token(&session.token);
    world.accounts.authenticate(credential).await?.person()
}

async fn renew(world: &World, session: &Session) -> Result<Session, AccountError> {
    let person = authenticated(world, session).await?;
    world.accounts.renew_session(&person).await
}

async fn is_refused(world: &World, session: &Session) -> bool {
    let answer = authenticated(world, session).await;
    matches!(answer, Err(AccountError::Unauthorized))
}

/// The metadata of the entries about ended logins.
async fn ends(world: &World) -> Vec<serde_json::Value> {
    let entries =
        "SELECT metadata FROM audit_logs WHERE action = 'session_end' ORDER BY created_at";
    let entries = sqlx::query_scalar(entries);
    entries.fetch_all(&world.pool).await.unwrap()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_renewed_login_goes_on_for_six_hours_and_for_thirty_days_in_all(pool: PgPool) {
    let world = World::start(pool).await;
    let first = login(&world).await;
    let mut session = first.clone();
    let mut renewals = 0;
    while session.expires_at
        < first.expires_at - chrono::Duration::hours(6) + chrono::Duration::days(30)
    {
        world.pass(5 * HOUR);
        let next = renew(&world, &session).await.unwrap();
        assert!(next.expires_at > session.expires_at);
        assert_eq!(next.team_id, session.team_id);
        (session, renewals) = (next, renewals + 1);
    }
    assert_eq!(renewals, 143);
    // A renewal does not move the end any more.
    world.pass(4 * HOUR);
    let last = renew(&world, &session).await.unwrap();
    assert_eq!(last.expires_at, session.expires_at);
    authenticated(&world, &last).await.unwrap();
    world.pass(HOUR);
    assert!(is_refused(&world, &last).await);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_earlier_token_ends_when_it_would_have_ended_and_gives_no_newer_one(pool: PgPool) {
    let world = World::start(pool).await;
    let first = login(&world).await;
    world.pass(3 * HOUR);
    let renewed = renew(&world, &first).await.unwrap();
    assert_eq!(
        renewed.expires_at,
        first.expires_at + chrono::Duration::hours(3)
    );
    // Other operations that issue a token do not make an earlier token newer.
    let early = authenticated(&world, &first).await.unwrap();
    let team = first.team_id.unwrap();
    let switched = world.accounts.switch_team(&early, team).await.unwrap();
    assert_eq!(switched.expires_at, first.expires_at);
    let renamed = world.accounts.rename_me(&early, "New").await.unwrap();
    assert_eq!(renamed.expires_at, first.expires_at);
    world.pass(3 * HOUR);
    for old in [&first, &switched, &renamed] {
        assert!(is_refused(&world, old).await);
    }
    authenticated(&world, &renewed).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_renewal_with_an_earlier_token_ends_the_login_of_both_holders(pool: PgPool) {
    let world = World::start(pool).await;
    let (first, other) = (login(&world).await, login(&world).await);
    world.pass(HOUR);
    let renewed = renew(&world, &first).await.unwrap();
    // Pages that share a token may renew it at about the same time.
    world.pass(Duration::from_mins(1));
    let again = renew(&world, &first).await.unwrap();
    assert_eq!(again.expires_at, renewed.expires_at);
    assert!(ends(&world).await.is_empty());
    world.pass(Duration::from_secs(1));
    let late = renew(&world, &first).await;
    assert!(matches!(late, Err(AccountError::Unauthorized)), "{late:?}");
    for ended in [&first, &renewed, &again] {
        assert!(is_refused(&world, ended).await);
    }
    authenticated(&world, &other).await.unwrap();
    let reused = serde_json::json!({ "count": 1, "reason": "token_reused" });
    assert_eq!(ends(&world).await, [reused]);
}

/// A renewal is no login: it proves that a client has a token, not that the person is there.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_renewed_login_is_not_a_recent_one(pool: PgPool) {
    let world = World::start(pool).await;
    let first = login(&world).await;
    world.pass(HOUR);
    let renewed = renew(&world, &first).await.unwrap();
    let person = person(&world.accounts, &renewed.token).await;
    let deleted = world.accounts.delete_me(&person, EMAIL, None).await;
    assert!(
        matches!(deleted, Err(AccountError::RecentLoginRequired)),
        "{deleted:?}"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn renewals_and_the_end_of_a_login_do_not_wait_for_each_other_for_ever(pool: PgPool) {
    let world = World::start(pool).await;
    let (session, other) = (login(&world).await, login(&world).await);
    let (session, other) = (
        authenticated(&world, &session).await.unwrap(),
        authenticated(&world, &other).await.unwrap(),
    );
    let renewals = (0..8).map(|_| world.accounts.renew_session(&session));
    let list = world.accounts.list_sessions(&other);
    let (renewed, ended, listed) = tokio::join!(
        futures::future::join_all(renewals),
        world.accounts.end_other_sessions(&other),
        list
    );
    ended.unwrap();
    listed.unwrap();
    for answer in renewed {
        assert!(
            matches!(answer, Ok(_) | Err(AccountError::Unauthorized)),
            "{answer:?}"
        );
    }
    let left = world.accounts.list_sessions(&other).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].current);
}

/// The last use of a login is written in the background, and a list shows it at once.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_last_use_of_a_login_is_listed(pool: PgPool) {
    let world = World::start(pool).await;
    let session = login(&world).await;
    world.pass(HOUR);
    let person = authenticated(&world, &session).await.unwrap();
    let listed = world.accounts.list_sessions(&person).await.unwrap();
    assert_eq!(listed.len(), 2);
    let used: Vec<_> = listed
        .iter()
        .filter(|own| {
            own.session.last_used_at == Some(own.session.created_at + chrono::Duration::hours(1))
        })
        .collect();
    assert_eq!(used.len(), 1);
    assert!(used[0].current);
}
