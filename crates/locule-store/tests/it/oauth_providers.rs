//! Table `oauth_providers`: the users of provider accounts.

use locule_domain::UserStatus;
use locule_store::oauth_providers::{self, ProviderIdentity};
use locule_store::users;
use locule_testkit::builders::{self, noon};
use sqlx::PgPool;

const ONE: ProviderIdentity<'static> = ProviderIdentity {
    provider: "github",
    provider_id: "1",
};

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_provider_account_belongs_to_one_user_and_a_user_has_one_per_provider(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let ada = builders::user(&mut conn, "ada@locule.test").await;
    let bob = builders::user(&mut conn, "bob@locule.test").await;
    let two = ProviderIdentity {
        provider_id: "2",
        ..ONE
    };
    let elsewhere = ProviderIdentity {
        provider: "another",
        ..ONE
    };
    for (identity, user, made) in [
        (ONE, ada, true),
        (ONE, ada, false),
        (ONE, bob, false),
        (two, ada, false),
        (elsewhere, ada, true),
        (two, bob, true),
    ] {
        let inserted = oauth_providers::insert(&mut conn, identity, user, "", noon()).await;
        assert_eq!(inserted.unwrap(), made, "{identity:?}");
    }
    let of_ada = oauth_providers::of_user(&mut conn, ada).await.unwrap();
    assert_eq!(of_ada, ["another", "github"]);
    oauth_providers::remove(&mut conn, ada, "github")
        .await
        .unwrap();
    let owner = oauth_providers::owner(&mut conn, ONE).await.unwrap();
    assert_eq!(owner, None);
    oauth_providers::remove_all(&mut conn, ada).await.unwrap();
    let of_ada = oauth_providers::of_user(&mut conn, ada).await.unwrap();
    assert!(of_ada.is_empty());
    let owner = oauth_providers::owner(&mut conn, two).await.unwrap();
    assert_eq!(owner, Some(bob));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_provider_accounts_of_a_user_are_deleted_with_the_user(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let ada = builders::user(&mut conn, "ada@locule.test").await;
    oauth_providers::insert(&mut conn, ONE, ada, "", noon())
        .await
        .unwrap();
    users::set_status(&mut conn, ada, UserStatus::Deleted, noon())
        .await
        .unwrap();
    let later = noon() + chrono::Duration::days(1);
    assert_eq!(users::purge(&mut conn, later, 10).await.unwrap(), 1);
    let owner = oauth_providers::owner(&mut conn, ONE).await.unwrap();
    assert_eq!(owner, None);
}
