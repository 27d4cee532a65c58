//! The rights of a caller in the transaction of a change: a removal and a change that run at the same time wait for each other.

use std::time::Duration;

use locule_domain::{Role, Scope, UserStatus};
use locule_ids::{ApiKeyId, SessionId, TeamId, UserId};
use locule_store::{PgConnection, api_keys, authority, members, sessions, teams, users};
use locule_testkit::builders::{self, noon};
use locule_testkit::eventually;
use sqlx::PgPool;

const HOUR: Duration = Duration::from_hours(1);

/// A person in the team of another person, with a login and a key.
#[derive(Debug, Clone, Copy)]
struct Rights {
    team: TeamId,
    user: UserId,
    session: SessionId,
    key: ApiKeyId,
}

impl Rights {
    async fn new(conn: &mut PgConnection) -> Self {
        let (_, team) = builders::team(conn, "owner").await;
        let user = builders::user(conn, "ada@locule.test").await;
        members::insert(conn, team, user, Role::Admin, false, noon())
            .await
            .unwrap();
        let (session, key) = (SessionId::random(), ApiKeyId::random());
        sessions::insert(
            conn,
            session,
            user,
            noon(),
            noon() + HOUR,
            sessions::Origin::default(),
        )
        .await
        .unwrap();
        let row = api_keys::ApiKey {
            id: key,
            team,
            name: "first".to_owned(),
            prefix: "e2b_012345".to_owned(),
            scope: Scope::Sandbox,
            created_by: Some(user),
            creator_email: None,
            creator_name: None,
            created_at: noon(),
            expires_at: Some(noon() + HOUR),
            last_used: None,
        };
        api_keys::insert(conn, &row, "hash").await.unwrap();
        Self {
            team,
            user,
            session,
            key,
        }
    }

    /// Whether the caller has the right, by key, by login, and by membership.
    async fn held(self, conn: &mut PgConnection, right: Right) -> bool {
        let (user, session, team, now) = (self.user, self.session, self.team, noon());
        match right {
            Right::Key => authority::hold_key(conn, self.key, team, now)
                .await
                .unwrap()
                .is_some(),
            Right::Login => authority::hold_login(conn, user, session, now)
                .await
                .unwrap()
                .is_some(),
            Right::Membership => authority::hold_membership(conn, user, session, team, now)
                .await
                .unwrap()
                .is_some(),
        }
    }

    async fn remove(self, conn: &mut PgConnection, removal: Removal) {
        let (user, team) = (self.user, self.team);
        match removal {
            Removal::Key => api_keys::delete(conn, team, self.key).await.unwrap(),
            Removal::Member => drop(members::remove(conn, team, user).await.unwrap()),
            Removal::Session => sessions::revoke(conn, self.session, noon()).await.unwrap(),
            Removal::User => {
                users::lock(conn, user).await.unwrap();
                users::set_status(conn, user, UserStatus::Disabled, noon())
                    .await
                    .unwrap();
                sessions::revoke_all(conn, user, noon()).await.unwrap();
                api_keys::delete_made_by(conn, user).await.unwrap();
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Key,
    Login,
    Membership,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    Key,
    Member,
    Session,
    User,
}

/// Each removal, and the rights that it ends.
const REMOVALS: [(Removal, &[Right]); 4] = [
    (Removal::Key, &[Right::Key]),
    (Removal::Member, &[Right::Key, Right::Membership]),
    (Removal::Session, &[Right::Login, Right::Membership]),
    (
        Removal::User,
        &[Right::Key, Right::Login, Right::Membership],
    ),
];

async fn waiting(pool: &PgPool) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
}

async fn is_waiting(pool: &PgPool) {
    eventually("a transaction waits for the other", async || {
        waiting(pool).await == 1
    })
    .await;
}

/// Whichever of the two comes first, the other waits for its end, and a right that was removed is not held.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_removal_and_a_change_wait_for_each_other(pool: PgPool) {
    for (removal, rights) in REMOVALS {
        for right in rights.iter().copied() {
            for removal_first in [false, true] {
                for commits in [false, true] {
                    let shown = format!("{removal:?} {right:?} {removal_first} {commits}");
                    sqlx::query("TRUNCATE teams, users CASCADE")
                        .execute(&pool)
                        .await
                        .unwrap();
                    let mut conn = pool.acquire().await.unwrap();
                    let rights = Rights::new(&mut conn).await;
                    let mut first = pool.begin().await.unwrap();
                    let mut second = pool.begin().await.unwrap();
                    let held = if removal_first {
                        rights.remove(&mut first, removal).await;
                        let end = async {
                            is_waiting(&pool).await;
                            if commits {
                                first.commit().await.unwrap();
                            } else {
                                first.rollback().await.unwrap();
                            }
                        };
                        let (held, ()) = tokio::join!(rights.held(&mut second, right), end);
                        held
                    } else {
                        let held = rights.held(&mut first, right).await;
                        let end = async {
                            is_waiting(&pool).await;
                            first.commit().await.unwrap();
                        };
                        tokio::join!(rights.remove(&mut second, removal), end);
                        held
                    };
                    second.commit().await.unwrap();
                    assert_eq!(held, !(removal_first && commits), "{shown}");
                    if !removal_first {
                        assert!(!rights.held(&mut conn, right).await, "{shown}");
                    }
                }
            }
        }
    }
}

/// A change locks the user before the session and the membership: a transaction that ends the user's rights does so too, and
/// goes on while the change waits.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_change_waits_for_the_user_before_it_locks_anything_of_the_user(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let rights = Rights::new(&mut conn).await;
    let (mut ending, mut changing) = (pool.begin().await.unwrap(), pool.begin().await.unwrap());
    users::lock(&mut ending, rights.user).await.unwrap();
    let end = async {
        is_waiting(&pool).await;
        sessions::revoke_all(&mut ending, rights.user, noon())
            .await
            .unwrap();
        members::remove(&mut ending, rights.team, rights.user)
            .await
            .unwrap();
        ending.commit().await.unwrap();
    };
    let (held, ()) = tokio::join!(rights.held(&mut changing, Right::Membership), end);
    assert!(!held);
}

/// Changes of one caller do not wait for each other, nor for the writer of the moments at which keys were used.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn changes_of_one_caller_run_at_the_same_time(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let rights = Rights::new(&mut conn).await;
    let (mut one, mut other) = (pool.begin().await.unwrap(), pool.begin().await.unwrap());
    for tx in [&mut one, &mut other] {
        for right in [Right::Key, Right::Login, Right::Membership] {
            assert!(rights.held(tx, right).await);
        }
    }
    api_keys::touch(&mut conn, &[(rights.key, noon())])
        .await
        .unwrap();
    users::set_name(&mut conn, rights.user, "New", noon())
        .await
        .unwrap();
}

/// Also rights that end without a removal: by the clock, with the team, or because they are of another team.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_right_that_ended_otherwise_is_not_held(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let rights = Rights::new(&mut conn).await;
    let (_, other) = builders::team(&mut conn, "other").await;
    let (user, session, team) = (rights.user, rights.session, rights.team);
    let late = noon() + HOUR;
    let key = authority::hold_key(&mut conn, rights.key, team, late).await;
    assert_eq!(key.unwrap(), None);
    let key = authority::hold_key(&mut conn, rights.key, other, noon()).await;
    assert_eq!(key.unwrap(), None);
    let login = authority::hold_login(&mut conn, user, session, late).await;
    assert_eq!(login.unwrap(), None);
    let role = authority::hold_membership(&mut conn, user, session, other, noon()).await;
    assert_eq!(role.unwrap(), None);
    let role = authority::hold_membership(&mut conn, user, session, team, noon()).await;
    assert_eq!(role.unwrap(), Some(Role::Admin));
    teams::delete(&mut conn, team, noon()).await.unwrap();
    assert!(!rights.held(&mut conn, Right::Membership).await);
    assert!(!rights.held(&mut conn, Right::Key).await);
    assert!(rights.held(&mut conn, Right::Login).await);
}

/// Two administrators who disable each other lock both rows in one order.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn two_users_are_locked_in_the_order_of_their_ids(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let mut ids = [
        builders::user(&mut conn, "ada@locule.test").await,
        builders::user(&mut conn, "bob@locule.test").await,
    ];
    ids.sort_unstable_by_key(|id| id.as_uuid());
    let (mut one, mut other) = (pool.begin().await.unwrap(), pool.begin().await.unwrap());
    users::lock(&mut one, ids[0]).await.unwrap();
    let go_on = async {
        is_waiting(&pool).await;
        // The second user is still free.
        users::lock(&mut one, ids[1]).await.unwrap();
        one.commit().await.unwrap();
    };
    let reversed = [ids[1], ids[0]];
    let (locked, ()) = tokio::join!(users::lock_all(&mut other, &reversed), go_on);
    locked.unwrap();
}
