//! Idempotency keys: the same key with the same request always gives the same sandbox.

use locule_agent_api::AgentError;
use locule_control::{Identity, LoginOrigin, NewSandbox, SandboxError, SignedUp};
use locule_testkit::{Call, Fault, Gate, World, person};
use sqlx::PgPool;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_repeated_key_gives_the_same_sandbox(pool: PgPool) {
    let world = World::start(pool).await;
    let create = |request| {
        world
            .sandboxes
            .create_sandbox_once(&world.caller, request, "key")
    };
    let first = create(World::request()).await.unwrap();
    let second = create(World::request()).await.unwrap();
    assert_eq!(first.id, second.id);
    assert_eq!(world.host.count(), 1);
    let other = NewSandbox {
        vcpus: Some(2),
        ..World::request()
    };
    let error = create(other).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::IdempotencyMismatch),
        "{error:?}"
    );
    assert_eq!(world.host.count(), 1);
    assert_eq!(world.audit_log(first.id).await.len(), 1);
}

/// Neither the sandbox nor the refusal of one team's request is given to another team with the same key.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_same_key_of_another_team_is_another_key(pool: PgPool) {
    let world = World::start(pool).await;
    let signed_up = world.accounts.sign_up(
        "other@locule.test",
        "long enough",
        "Other",
        None,
        LoginOrigin::default(),
    );
    let session = signed_up.await.and_then(SignedUp::session).unwrap();
    let other = Identity::Person(person(&world.accounts, &session.token).await);
    let other = other.caller().unwrap();
    let create = |caller, request| world.sandboxes.create_sandbox_once(caller, request, "key");
    let first = create(&world.caller, World::request()).await.unwrap();
    // A request that would not match that of the first team.
    let larger = || NewSandbox {
        vcpus: Some(2),
        ..World::request()
    };
    let second = create(&other, larger()).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!((first.team, second.team), (world.caller.team, other.team));
    assert_eq!(create(&other, larger()).await.unwrap().id, second.id);
    let again = create(&world.caller, World::request()).await.unwrap();
    assert_eq!((again.id, world.host.count()), (first.id, 2));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_repeated_key_is_refused_while_its_first_request_is_in_progress(pool: PgPool) {
    let world = World::start(pool).await;
    let gate = Gate::new();
    world.host.fail(Call::Create, Fault::Delay(gate.clone()));
    let create = || {
        world
            .sandboxes
            .create_sandbox_once(&world.caller, World::request(), "key")
    };
    let meanwhile = async {
        gate.reached().await;
        let refused = create().await.unwrap_err();
        gate.open();
        refused
    };
    let (first, refused) = tokio::join!(create(), meanwhile);
    first.unwrap();
    assert!(
        matches!(refused, SandboxError::IdempotencyInProgress),
        "{refused:?}"
    );
    assert_eq!(world.host.count(), 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn simultaneous_requests_with_one_key_create_one_sandbox(pool: PgPool) {
    let world = World::start(pool).await;
    let create = || {
        world
            .sandboxes
            .create_sandbox_once(&world.caller, World::request(), "key")
    };
    let results = futures::future::join_all((0..5).map(|_| create())).await;
    let made: std::collections::BTreeSet<_> = results
        .into_iter()
        .filter_map(|result| match result {
            Ok(sandbox) => Some(sandbox.id),
            Err(error) => {
                assert!(
                    matches!(error, SandboxError::IdempotencyInProgress),
                    "{error:?}"
                );
                None
            }
        })
        .collect();
    assert_eq!((made.len(), world.host.count()), (1, 1));
}

/// A repetition of a failed request gets the same error, and nothing is tried again.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_repeated_key_gives_the_error_of_its_first_request(pool: PgPool) {
    let world = World::start(pool).await;
    let create = |key: &'static str| {
        world
            .sandboxes
            .create_sandbox_once(&world.caller, World::request(), key)
    };
    let text = || "no kernel".to_owned();
    let failures = [
        ("broken", AgentError::Internal(text())),
        ("full", AgentError::ResourceExhausted(text())),
        ("away", AgentError::Unavailable(text())),
        ("refused", AgentError::InvalidArgument(text())),
        ("late", AgentError::FailedPrecondition(text())),
    ];
    for (key, failure) in failures {
        world.host.fail(Call::Create, Fault::Refuse(failure));
        let first = create(key).await.unwrap_err();
        for _ in 0..2 {
            let again = create(key).await.unwrap_err();
            assert_eq!(
                (again.to_string(), std::mem::discriminant(&again)),
                (first.to_string(), std::mem::discriminant(&first)),
                "{key}"
            );
        }
    }
    assert_eq!(world.host.count(), 0);
    create("another-key").await.unwrap();
}

/// The control plane exited before it answered; the repetition gets an error all the same, never a failed sandbox.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_repeated_key_gives_an_error_if_its_failed_request_was_never_answered(pool: PgPool) {
    let mut world = World::start(pool).await;
    world.host.fail(Call::Create, Fault::Late);
    let create = |world: &World| {
        let sandboxes = world.sandboxes.clone();
        let caller = world.caller.clone();
        async move {
            sandboxes
                .create_sandbox_once(&caller, World::request(), "key")
                .await
        }
    };
    create(&world).await.unwrap_err();
    let mut conn = world.connection().await;
    sqlx::query("UPDATE idempotency_keys SET failure = NULL")
        .execute(&mut *conn)
        .await
        .unwrap();
    world.restart();
    let again = create(&world).await.unwrap_err();
    assert!(matches!(again, SandboxError::AgentFailed(_)), "{again:?}");
}
