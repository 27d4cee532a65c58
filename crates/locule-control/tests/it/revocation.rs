//! The check of the callers of open connections, while the database answers and while it does not.

use std::time::Duration;

use locule_control::{Caller, Credential, Cut, Identity, NewApiKey, Scope};
use locule_testkit::World;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Postgres, Transaction};

/// Lets every statement about callers wait until the result is dropped.
async fn silence(pool: &PgPool) -> Transaction<'static, Postgres> {
    let mut silence = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE teams IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *silence)
        .await
        .unwrap();
    silence
}

async fn new_key(world: &World) -> (locule_control::ApiKey, Caller) {
    let new = NewApiKey {
        name: String::new(),
        scope: Scope::Full,
        expires_at: None,
    };
    let made = world.accounts.create_api_key(&world.person, &new).await;
    let (key, secret) = made.unwrap();
    let identity = world.accounts.authenticate(Credential::Key(&secret)).await;
    (key, identity.and_then(Identity::caller).unwrap())
}

fn open(world: &World, caller: &Caller) -> Cut {
    world.sandboxes.guard_caller(caller, true)
}

/// Advances the clock, and checks the callers.
async fn after(world: &World, seconds: u64) {
    world.pass(Duration::from_secs(seconds));
    world.control.check_grants().await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn connections_outlive_a_database_that_does_not_answer_by_one_minute(pool: PgPool) {
    // A statement gives up after a moment, so that no pass lasts until its own limit of time.
    let options = (*pool.connect_options()).clone();
    let impatient = PgPoolOptions::new()
        .connect_with(options.options([("lock_timeout", "20ms")]))
        .await
        .unwrap();
    let world = World::start(impatient).await;
    let (revoked_key, revoked) = new_key(&world).await;
    let (kept, lost) = (open(&world, &world.caller), open(&world, &revoked));
    after(&world, 600).await;
    assert!(!kept.is_cancelled() && !lost.is_cancelled());

    let silent = silence(&pool).await;
    for seconds in [0, 30, 29] {
        after(&world, seconds).await;
        assert!(!kept.is_cancelled() && !lost.is_cancelled(), "{seconds}");
    }
    silent.rollback().await.unwrap();
    // The database answers again in time: the connections go on, and a revocation acts.
    let revoke = world.accounts.revoke_api_key(&world.person, revoked_key.id);
    revoke.await.unwrap();
    after(&world, 1).await;
    assert!(!kept.is_cancelled() && lost.is_cancelled());

    // The minute counts from the last pass that succeeded.
    let silent = silence(&pool).await;
    after(&world, 59).await;
    assert!(!kept.is_cancelled());
    after(&world, 1).await;
    assert!(kept.is_cancelled());
    silent.rollback().await.unwrap();
    let again = open(&world, &world.caller);
    after(&world, 1).await;
    assert!(!again.is_cancelled());
}
