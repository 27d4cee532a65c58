//! Invitations, the first account, and the last administrator.

use std::time::Duration;

use locule_domain::{Role, UserStatus};
use locule_ids::{TeamId, UserId};
use locule_store::invitations::{self, Invitation};
use locule_store::{PgConnection, cluster, members, teams, users};
use locule_testkit::builders::{self, noon};
use sqlx::PgPool;
use uuid::Uuid;

const LATER: Duration = Duration::from_hours(1);

async fn invite(
    conn: &mut PgConnection,
    team: TeamId,
    by: UserId,
    email: &str,
    token_hash: &str,
) -> Invitation {
    let invitation = Invitation {
        id: UserId::random(),
        team,
        email: email.to_owned(),
        role: Role::Member,
        by_mail: false,
        invited_by: by,
        created_at: noon(),
    };
    let ends = noon() + LATER;
    invitations::insert(conn, &invitation, token_hash, ends)
        .await
        .unwrap();
    invitation
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invitation_is_open_until_it_expires_or_is_replaced_revoked_or_accepted(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let open = async |hash: &str, at| {
        let mut conn = pool.acquire().await.unwrap();
        invitations::by_token(&mut conn, hash, at).await.unwrap()
    };
    invite(&mut conn, team, ada, "bob@locule.test", "old").await;
    let made = invite(&mut conn, team, ada, "BOB@locule.test", "new").await;
    assert_eq!(open("old", noon()).await, None);
    assert_eq!(open("new", noon()).await, Some(made.clone()));
    assert_eq!(open("new", noon() + LATER).await, None);
    let listed = invitations::list(&mut conn, team, noon()).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&made));
    assert_eq!(
        invitations::count(&mut conn, team, noon()).await.unwrap(),
        1
    );
    let any = invitations::any(&mut conn, "Bob@locule.test", noon()).await;
    assert!(any.unwrap());
    assert!(
        invitations::accept(&mut conn, made.id, noon())
            .await
            .unwrap()
    );
    assert!(
        !invitations::accept(&mut conn, made.id, noon())
            .await
            .unwrap()
    );
    assert_eq!(open("new", noon()).await, None);
    // Another team cannot revoke the invitation.
    let made = invite(&mut conn, team, ada, "eve@locule.test", "eve").await;
    let (_, other) = builders::team(&mut conn, "other").await;
    for (team, email) in [(other, None), (team, Some("eve@locule.test")), (team, None)] {
        let revoked = invitations::revoke(&mut conn, team, made.id, noon()).await;
        assert_eq!(revoked.unwrap().as_deref(), email);
    }
    assert_eq!(open("eve", noon()).await, None);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invitation_is_open_only_while_its_inviter_may_invite(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, team) = builders::team(&mut conn, "ada").await;
    let bob = builders::user(&mut conn, "bob@locule.test").await;
    members::insert(&mut conn, team, bob, Role::Admin, false, noon())
        .await
        .unwrap();
    invite(&mut conn, team, bob, "eve@locule.test", "eve").await;
    let open = async || {
        let mut conn = pool.acquire().await.unwrap();
        let found = invitations::by_token(&mut conn, "eve", noon()).await;
        found.unwrap().is_some()
    };
    assert!(open().await);
    for (role, is_open) in [(Role::Member, false), (Role::Admin, true)] {
        members::set_role(&mut conn, team, bob, role).await.unwrap();
        assert_eq!(open().await, is_open, "{role}");
    }
    for (status, is_open) in [(UserStatus::Disabled, false), (UserStatus::Active, true)] {
        users::set_status(&mut conn, bob, status, noon())
            .await
            .unwrap();
        assert_eq!(open().await, is_open, "{status}");
    }
    members::remove(&mut conn, team, bob).await.unwrap();
    assert!(!open().await);
    invite(&mut conn, team, ada, "eve@locule.test", "again").await;
    teams::delete(&mut conn, team, noon()).await.unwrap();
    let found = invitations::by_token(&mut conn, "again", noon()).await;
    assert_eq!(found.unwrap(), None);
}

/// What became of the first account does not matter: no later account is the first.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_first_account_is_claimed_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    assert!(!cluster::never_had_account(&mut conn).await.unwrap());
    cluster::ensure(&mut conn, Uuid::from_u128(1), noon())
        .await
        .unwrap();
    assert!(cluster::never_had_account(&mut conn).await.unwrap());
    let mut rolled_back = pool.begin().await.unwrap();
    let claimed = cluster::claim_first_account(&mut rolled_back, noon()).await;
    assert!(claimed.unwrap());
    rolled_back.rollback().await.unwrap();
    let claim = async || {
        let mut conn = pool.acquire().await.unwrap();
        cluster::claim_first_account(&mut conn, noon())
            .await
            .unwrap()
    };
    let claims = futures::future::join_all((0..8).map(|_| claim())).await;
    assert_eq!(claims.iter().filter(|claimed| **claimed).count(), 1);
    assert!(!cluster::never_had_account(&mut conn).await.unwrap());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_last_administrator_is_the_only_active_one(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let mut ids = Vec::new();
    for name in ["ada", "bob", "eve"] {
        ids.push(builders::user(&mut conn, &format!("{name}@locule.test")).await);
    }
    sqlx::query("UPDATE users SET is_admin = TRUE WHERE email <> 'eve@locule.test'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let is_last = async |id| {
        let mut tx = pool.begin().await.unwrap();
        let user = users::lock(&mut tx, id).await.unwrap().unwrap();
        users::is_last_administrator(&mut tx, &user).await.unwrap()
    };
    assert!(!is_last(ids[0]).await);
    users::set_status(&mut conn, ids[1], UserStatus::Disabled, noon())
        .await
        .unwrap();
    let last = [
        is_last(ids[0]).await,
        is_last(ids[1]).await,
        is_last(ids[2]).await,
    ];
    assert_eq!(last, [true, false, false]);
}
