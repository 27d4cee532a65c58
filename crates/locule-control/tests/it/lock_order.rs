//! Transactions lock rows in one order: two that need the same rows wait for one another, and none of them fails.

use locule_control::{AccountError, LoginOrigin, Person, SignedUp};
use locule_domain::Role;
use locule_ids::UserId;
use locule_store::sessions::Purpose;
use locule_store::{sessions, users};
use locule_testkit::builders::noon;
use locule_testkit::{World, person};
use sha2::{Digest as _, Sha256};
use sqlx::{PgPool, Postgres, Transaction};

use crate::authority::waiting;

const PASSWORD: &str = "long enough";

async fn sign_up(world: &World, name: &str) -> Person {
    let email = format!("{name}@locule.test");
    let signed_up = world
        .accounts
        .sign_up(&email, PASSWORD, name, None, LoginOrigin::default())
        .await;
    let session = signed_up.and_then(SignedUp::session).unwrap();
    person(&world.accounts, &session.token).await
}

/// Makes a person an administrator of the platform.
async fn promote(world: &World, person: &mut Person) {
    let mut conn = world.pool.acquire().await.unwrap();
    let user = users::lock(&mut conn, person.id).await.unwrap().unwrap();
    let admin = users::User {
        is_admin: true,
        ..user
    };
    users::activate(&mut conn, &admin, noon()).await.unwrap();
    person.is_admin = true;
}

async fn invite(world: &World, admin: &Person, invited: &Person) -> String {
    let team = admin.team.as_ref().unwrap().team;
    let invited = world.accounts.invite(admin, team, &invited.email);
    let link = invited.await.unwrap().link.unwrap();
    link.split_once("token=").unwrap().1.to_owned()
}

/// Lets every other transaction that needs the user wait.
async fn hold(world: &World, user: UserId) -> Transaction<'static, Postgres> {
    let mut gate = world.pool.begin().await.unwrap();
    users::lock(&mut gate, user).await.unwrap();
    gate
}

/// Starts two transactions, one after the other, that both come to wait for the held user, and lets them go on.
async fn both<A, B>(
    world: &World,
    held: UserId,
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let gate = hold(world, held).await;
    let second = async {
        waiting(world, 1).await;
        let open = async {
            waiting(world, 2).await;
            gate.commit().await.unwrap();
        };
        tokio::join!(second, open).0
    };
    tokio::join!(first, second)
}

/// The inviter, who administers the platform, disables the person who accepts the invitation: each transaction held one of the two
/// users and waited for the other.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invitation_is_accepted_while_its_inviter_disables_the_invited_person(pool: PgPool) {
    let world = World::start(pool).await;
    let accounts = &world.accounts;
    let mut people = Vec::new();
    for number in 0..5 {
        people.push(sign_up(&world, &format!("person{number}")).await);
    }
    // Two people on each side of the administrator in the order of locks, for both orders of events.
    people.sort_by_key(|person| person.id);
    let mut admin = people.remove(2);
    promote(&world, &mut admin).await;
    let admin = &admin;
    for side in people.chunks(2) {
        for (accept_first, invited) in [true, false].into_iter().zip(side) {
            let token = invite(&world, admin, invited).await;
            // The user that both transactions lock first.
            let held = invited.id.min(admin.id);
            let accept = accounts.accept_invitation(invited, &token);
            let disable = accounts.set_active(admin, invited.id, false);
            let (accepted, disabled) = if accept_first {
                Box::pin(both(&world, held, accept, disable)).await
            } else {
                let (disabled, accepted) = Box::pin(both(&world, held, disable, accept)).await;
                (accepted, disabled)
            };
            disabled.unwrap();
            match accepted {
                Ok((_, role)) => assert!(accept_first && role == Role::Member),
                Err(AccountError::Unauthorized) => assert!(!accept_first),
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

/// A token of an earlier e-mail is used while the next e-mail replaces the token.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_token_is_used_while_another_e_mail_replaces_it(pool: PgPool) {
    let world = World::start(pool).await;
    for (number, use_first) in [true, false].into_iter().enumerate() {
        let user = sign_up(&world, &format!("person{number}")).await.id;
        let (token, ends) = ("a token of an e-mail", noon() + chrono::Duration::hours(1));
        let hash = hex::encode(Sha256::digest(token));
        let (purpose, next) = (Purpose::PasswordReset, format!("the next of {number}"));
        let mut conn = world.connection().await;
        let inserted = sessions::insert_token(&mut conn, purpose, user, &hash, ends).await;
        inserted.unwrap();
        drop(conn);
        let reset = world.accounts.reset_password(token, "another one", false);
        // As the job does that sends an e-mail.
        let replace = async {
            let mut tx = world.pool.begin().await.unwrap();
            users::lock(&mut tx, user).await?;
            sessions::insert_token(&mut tx, purpose, user, &next, ends).await?;
            tx.commit().await.unwrap();
            Ok::<_, locule_store::StoreError>(())
        };
        let (reset, replaced) = if use_first {
            Box::pin(both(&world, user, reset, replace)).await
        } else {
            let (replaced, reset) = Box::pin(both(&world, user, replace, reset)).await;
            (reset, replaced)
        };
        replaced.unwrap();
        match reset {
            Ok(_) => assert!(use_first),
            Err(AccountError::InvalidToken) => assert!(!use_first),
            Err(error) => panic!("{error:?}"),
        }
    }
}
