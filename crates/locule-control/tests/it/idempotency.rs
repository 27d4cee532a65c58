//! The same key with the same request is the same sandbox, however often it is sent.

use locule_agent_api::AgentError;
use locule_control::{ControlError, NewSandbox};
use locule_testkit::{Call, Fault, Gate, World};
use sqlx::PgPool;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_gives_the_same_sandbox_again(pool: PgPool) {
    let world = World::start(pool).await;
    let create = |wish| {
        world
            .control
            .create_sandbox_once(&world.caller, wish, "key")
    };
    let first = create(World::wish()).await.unwrap();
    let second = create(World::wish()).await.unwrap();
    assert_eq!(first.id, second.id);
    assert_eq!(world.host.count(), 1);
    let other = NewSandbox {
        vcpus: Some(2),
        ..World::wish()
    };
    let error = create(other).await.unwrap_err();
    assert!(
        matches!(error, ControlError::IdempotencyMismatch),
        "{error:?}"
    );
    assert_eq!(world.host.count(), 1);
    assert_eq!(world.trail(first.id).await.len(), 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_whose_request_is_under_way_says_so(pool: PgPool) {
    let world = World::start(pool).await;
    let gate = Gate::new();
    world.host.fail(Call::Create, Fault::Delay(gate.clone()));
    let create = || {
        world
            .control
            .create_sandbox_once(&world.caller, World::wish(), "key")
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
        matches!(refused, ControlError::IdempotencyInProgress),
        "{refused:?}"
    );
    assert_eq!(world.host.count(), 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn requests_at_once_with_one_key_make_one_sandbox(pool: PgPool) {
    let world = World::start(pool).await;
    let create = || {
        world
            .control
            .create_sandbox_once(&world.caller, World::wish(), "key")
    };
    let results = futures::future::join_all((0..5).map(|_| create())).await;
    let made: std::collections::BTreeSet<_> = results
        .into_iter()
        .filter_map(|result| match result {
            Ok(sandbox) => Some(sandbox.id),
            Err(error) => {
                assert!(
                    matches!(error, ControlError::IdempotencyInProgress),
                    "{error:?}"
                );
                None
            }
        })
        .collect();
    assert_eq!((made.len(), world.host.count()), (1, 1));
}

/// The request was answered with an error; so is its repetition, by the sandbox's own state.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_whose_request_failed_makes_no_second_one(pool: PgPool) {
    let world = World::start(pool).await;
    let broken = AgentError::Internal("no kernel".to_owned());
    world.host.fail(Call::Create, Fault::Refuse(broken));
    let create = || {
        world
            .control
            .create_sandbox_once(&world.caller, World::wish(), "key")
    };
    create().await.unwrap_err();
    let again = create().await.unwrap();
    assert_eq!(again.status_reason.as_deref(), Some("create_failed"));
    assert_eq!(world.host.count(), 0);
}
