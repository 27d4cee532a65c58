//! Users, teams, members, and the jobs that their changes leave for later.

use std::time::Duration;

use locule_domain::{Quota, Role, UserStatus};
use locule_ids::{JobId, TeamId, UserId};
use locule_store::{jobs, members, teams, users};
use locule_testkit::builders::{self, noon};
use serde_json::json;
use sqlx::PgPool;

const LATER: Duration = Duration::from_hours(1);

/// W-055: the address of a deleted user can be used again.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_email_address_belongs_to_one_user_in_any_letter_case(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, _) = builders::team(&mut conn, "ada").await;
    let found = users::by_email(&mut conn, "ADA@locule.test")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.id, ada);
    let twin = users::User {
        id: UserId::random(),
        email: "Ada@Locule.Test".to_owned(),
        ..found
    };
    assert!(!users::insert(&mut conn, &twin).await.unwrap());
    users::set_status(&mut conn, ada, UserStatus::Deleted, noon())
        .await
        .unwrap();
    assert!(
        users::by_email(&mut conn, "ada@locule.test")
            .await
            .unwrap()
            .is_none()
    );
    assert!(users::insert(&mut conn, &twin).await.unwrap());
}

/// B-040, B-042, B-043.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn users_are_found_by_the_literal_prefix_of_their_address(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let addresses = [
        "a_b@x.test",
        "axb@x.test",
        r"a\b@x.test",
        "a%b@x.test",
        "a_b@y.test",
    ];
    for address in addresses {
        builders::user(&mut conn, address).await;
    }
    let mut found = async |prefix: &str| -> Vec<String> {
        let rows = users::search(&mut conn, prefix).await.unwrap();
        rows.into_iter().map(|found| found.email).collect()
    };
    assert_eq!(found("a_b@").await, ["a_b@x.test", "a_b@y.test"]);
    assert_eq!(found("a%b@").await, ["a%b@x.test"]);
    assert_eq!(found(r"a\b@").await, [r"a\b@x.test"]);
    assert!(found("%@").await.is_empty());
    for number in 10..25 {
        builders::user(
            &mut pool.acquire().await.unwrap(),
            &format!("many@{number}.test"),
        )
        .await;
    }
    let many = found("many@").await;
    assert_eq!((many.len(), many[0].as_str()), (10, "many@10.test"));
    let mut conn = pool.acquire().await.unwrap();
    let gone = users::by_email(&mut conn, "many@10.test")
        .await
        .unwrap()
        .unwrap();
    users::set_status(&mut conn, gone.id, UserStatus::Deleted, noon())
        .await
        .unwrap();
    let left = users::search(&mut conn, "many@10").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

/// B-133, B-134.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_login_is_for_the_default_team_or_the_first_team_that_is_not_deleted(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, own) = builders::team(&mut conn, "ada").await;
    let (_, other) = builders::team(&mut conn, "bob").await;
    let earlier = noon() - LATER;
    assert!(
        members::insert(&mut conn, other, ada, Role::Member, false, earlier)
            .await
            .unwrap()
    );
    assert!(
        !members::insert(&mut conn, other, ada, Role::Admin, false, earlier)
            .await
            .unwrap()
    );
    let default = members::login_team(&mut conn, ada).await.unwrap();
    assert_eq!(default, Some((own, Role::Owner)));
    let all: Vec<_> = teams::of_user(&mut conn, ada).await.unwrap();
    let all: Vec<_> = all
        .into_iter()
        .map(|(team, role)| (team.id, role))
        .collect();
    assert_eq!(all, [(other, Role::Member), (own, Role::Owner)]);
    teams::delete(&mut conn, own, noon()).await.unwrap();
    let next = members::login_team(&mut conn, ada).await.unwrap();
    assert_eq!(next, Some((other, Role::Member)));
    assert_eq!(members::role(&mut conn, own, ada).await.unwrap(), None);
    assert_eq!(teams::lock(&mut conn, own).await.unwrap(), None);
    teams::delete(&mut conn, other, noon()).await.unwrap();
    assert_eq!(members::login_team(&mut conn, ada).await.unwrap(), None);
    assert!(teams::of_user(&mut conn, ada).await.unwrap().is_empty());
}

/// B-006: no user can be a member of the platform team. B-150: a team has one owner.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_platform_team_has_no_members_and_no_team_has_two_owners(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, _) = builders::team(&mut conn, "ada").await;
    let (_, other) = builders::team(&mut conn, "bob").await;
    for (team, role) in [(TeamId::PLATFORM, Role::Member), (other, Role::Owner)] {
        let joined = members::insert(&mut conn, team, ada, role, false, noon()).await;
        assert!(joined.is_err(), "{team} {role}");
    }
}

/// B-156: slugs stay taken.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_slug_is_never_used_twice(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let team = |slug: &str| teams::Team {
        id: TeamId::random(),
        name: "a".to_owned(),
        slug: slug.to_owned(),
        is_byoc: false,
        created_at: noon(),
    };
    let first = team("aaaaaa-bbbbbb");
    assert!(teams::insert(&mut conn, &first).await.unwrap());
    teams::delete(&mut conn, first.id, noon()).await.unwrap();
    assert!(
        !teams::insert(&mut conn, &team("aaaaaa-bbbbbb"))
            .await
            .unwrap()
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_teams_own_limits_take_precedence_over_the_defaults(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let default = Quota::default();
    assert_eq!(
        teams::lock_quota(&mut conn, team, default).await.unwrap(),
        Some(default)
    );
    let limits = teams::OwnLimits {
        vcpus_max: Some(3),
        creates_per_minute_max: Some(5),
        paused_max: Some(0),
        storage_mib_max: Some(7),
        ..teams::OwnLimits::default()
    };
    teams::set_limits(&mut conn, team, limits).await.unwrap();
    let own = Quota {
        vcpus_max: 3,
        creates_per_minute_max: 5,
        paused_max: 0,
        storage_mib_max: 7,
        ..default
    };
    assert_eq!(
        teams::lock_quota(&mut conn, team, default).await.unwrap(),
        Some(own)
    );
    teams::delete(&mut conn, team, noon()).await.unwrap();
    assert_eq!(
        teams::lock_quota(&mut conn, team, default).await.unwrap(),
        None
    );
}

/// B-080: a purge removes the identity of a user and keeps the record of the actions.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_purge_removes_the_users_who_were_deleted_before_the_given_moment(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let old = builders::user(&mut conn, "old@locule.test").await;
    let new = builders::user(&mut conn, "new@locule.test").await;
    builders::user(&mut conn, "here@locule.test").await;
    users::set_status(&mut conn, old, UserStatus::Deleted, noon())
        .await
        .unwrap();
    users::set_status(&mut conn, new, UserStatus::Deleted, noon() + LATER)
        .await
        .unwrap();
    let mut tx = pool.begin().await.unwrap();
    assert_eq!(users::purge(&mut tx, noon() + LATER, 10).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, 2);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_job_belongs_to_one_worker_until_its_lease_ends(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = JobId::random();
    jobs::insert(&mut conn, id, "work", &json!({ "a": 1 }), noon(), noon())
        .await
        .unwrap();
    let claim = async |at| {
        let mut conn = pool.acquire().await.unwrap();
        jobs::claim(&mut conn, at, at + LATER, 10).await.unwrap()
    };
    let claims = futures::future::join_all((0..8).map(|_| claim(noon()))).await;
    assert_eq!(
        claims
            .iter()
            .flatten()
            .map(|job| job.id)
            .collect::<Vec<_>>(),
        [id]
    );
    assert!(claim(noon() + LATER / 2).await.is_empty());
    let again = claim(noon() + LATER).await;
    assert_eq!(
        (again[0].attempts, &again[0].payload),
        (2, &json!({ "a": 1 }))
    );
    jobs::postpone(&mut conn, id, noon() + LATER * 5, "no")
        .await
        .unwrap();
    assert!(claim(noon() + LATER * 4).await.is_empty());
    assert_eq!(claim(noon() + LATER * 5).await.len(), 1);
    jobs::finish(&mut conn, id).await.unwrap();
    assert!(claim(noon() + LATER * 100).await.is_empty());
}
