//! A change is decided when it is made: a caller whose right ended after its request was authenticated changes nothing.

use locule_control::{
    AccountError, Caller, CommonError, Created, Credential, Identity, LoginOrigin, NewApiKey,
    Person, SandboxError, Scope, SignedUp,
};
use locule_domain::{Role, SandboxState};
use locule_ids::SandboxId;
use locule_store::members;
use locule_testkit::builders::noon;
use locule_testkit::{World, as_owner, eventually, person};
use sqlx::{Connection as _, PgPool, Postgres, Transaction};

/// A member of the first team, as requests of the member were authenticated: by login and by key.
struct Member {
    person: Person,
    by_login: Caller,
    by_key: Caller,
    key: locule_control::ApiKey,
}

impl Member {
    fn caller(&self, by_key: bool) -> &Caller {
        if by_key { &self.by_key } else { &self.by_login }
    }
}

const PASSWORD: &str = "long enough";

async fn member(world: &World, name: &str) -> Member {
    let email = format!("{name}@locule.test");
    let signed_up = world
        .accounts
        .sign_up(&email, PASSWORD, name, None, LoginOrigin::default())
        .await;
    let session = signed_up.and_then(SignedUp::session).unwrap();
    let alone = person(&world.accounts, &session.token).await;
    let team = world.caller.team;
    let mut conn = world.connection().await;
    members::insert(&mut conn, team, alone.id, Role::Member, false, noon())
        .await
        .unwrap();
    drop(conn);
    let session = world.accounts.switch_team(&alone, team).await.unwrap();
    let joined = person(&world.accounts, &session.token).await;
    let new = NewApiKey {
        name: String::new(),
        scope: Scope::Full,
        expires_at: None,
    };
    let (key, secret) = world.accounts.create_api_key(&joined, &new).await.unwrap();
    let by_key = world.accounts.authenticate(Credential::Key(&secret)).await;
    Member {
        by_login: Identity::Person(joined.clone()).caller().unwrap(),
        by_key: by_key.and_then(Identity::caller).unwrap(),
        person: joined,
        key,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    Member,
    Key,
    User,
    Logout,
    Team,
}

impl Removal {
    /// Carries the removal out, and returns the sandboxes that it lists.
    async fn run(self, world: &World, member: &Member) -> Vec<Created> {
        let (accounts, owner, team) = (&world.accounts, &world.person, world.caller.team);
        let user = member.person.id;
        let created = match self {
            Self::Member => accounts.remove_member(owner, team, user).await,
            Self::Key => accounts.revoke_api_key(owner, member.key.id).await,
            Self::User => accounts.set_active(owner, user, false).await,
            Self::Logout => {
                accounts.logout(&member.person, false).await.unwrap();
                return Vec::new();
            }
            Self::Team => {
                accounts.delete_team(owner, team).await.unwrap();
                return Vec::new();
            }
        };
        created.unwrap().sandboxes
    }
}

fn is_unauthorized(error: &SandboxError) -> bool {
    matches!(error, SandboxError::Denied(AccountError::Unauthorized))
}

fn has_no_team(error: &SandboxError) -> bool {
    matches!(error, SandboxError::Common(CommonError::NoTeam))
}

/// Every change of a sandbox by a caller.
async fn every_change(
    world: &World,
    caller: &Caller,
    running: SandboxId,
    paused: SandboxId,
) -> Vec<(&'static str, Result<(), SandboxError>)> {
    let sandboxes = &world.sandboxes;
    let unknown = SandboxId::random();
    let create = sandboxes.create_sandbox(caller, World::request()).await;
    let once = sandboxes.create_sandbox_once(caller, World::request(), "a-key");
    vec![
        ("create", create.map(drop)),
        ("create once", once.await.map(drop)),
        (
            "pause",
            sandboxes.pause_sandbox(caller, running).await.map(drop),
        ),
        // Also where the state would not allow it: the caller is told nothing about the sandbox.
        (
            "pause of a paused one",
            sandboxes.pause_sandbox(caller, paused).await.map(drop),
        ),
        (
            "pause of an unknown one",
            sandboxes.pause_sandbox(caller, unknown).await.map(drop),
        ),
        (
            "resume",
            sandboxes.resume_sandbox(caller, paused).await.map(drop),
        ),
        (
            "connect",
            sandboxes
                .connect_sandbox(caller, running, 60)
                .await
                .map(drop),
        ),
        (
            "connect to a paused one",
            sandboxes
                .connect_sandbox(caller, paused, 60)
                .await
                .map(drop),
        ),
        (
            "timeout",
            sandboxes.set_timeout(caller, running, 60).await.map(drop),
        ),
        ("ping", sandboxes.ping_sandbox(caller, running).await),
        ("destroy", sandboxes.destroy_sandbox(caller, running).await),
        (
            "destroy of an unknown one",
            sandboxes.destroy_sandbox(caller, unknown).await,
        ),
    ]
}

type Expected = fn(&SandboxError) -> bool;

/// The head of a request came before the removal, its body comes after: the answer is that to a new request.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_caller_whose_right_has_ended_changes_nothing(pool: PgPool) {
    let world = World::start(pool).await;
    let (running, paused) = (world.create().await.id, world.create().await.id);
    world.pause(paused).await.unwrap();
    let before = (world.row(running).await, world.row(paused).await);
    let cases: [(Removal, Option<Expected>, Option<Expected>); 4] = [
        (Removal::Member, Some(has_no_team), Some(is_unauthorized)),
        (Removal::Key, None, Some(is_unauthorized)),
        (Removal::User, Some(is_unauthorized), Some(is_unauthorized)),
        (Removal::Logout, Some(is_unauthorized), None),
    ];
    for (number, (removal, by_login, by_key)) in cases.into_iter().enumerate() {
        let member = member(&world, &format!("member{number}")).await;
        assert!(removal.run(&world, &member).await.is_empty());
        for (caller, refused) in [(&member.by_login, by_login), (&member.by_key, by_key)] {
            let Some(refused) = refused else { continue };
            for (what, result) in every_change(&world, caller, running, paused).await {
                let error = result.expect_err(what);
                assert!(
                    refused(&error),
                    "{removal:?} {:?} {what}: {error:?}",
                    caller.actor
                );
            }
        }
    }
    assert_eq!(world.host.count(), 2);
    assert_eq!(
        (world.row(running).await, world.row(paused).await),
        before,
        "a refused change wrote the row"
    );
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_keys")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(keys, 0, "a refused create used its idempotency key up");
    let member = member(&world, "last").await;
    Removal::Team.run(&world, &member).await;
    for (what, result) in every_change(&world, &member.by_login, running, paused).await {
        assert!(has_no_team(&result.expect_err(what)), "{what}");
    }
    for (what, result) in every_change(&world, &member.by_key, running, paused).await {
        assert!(is_unauthorized(&result.expect_err(what)), "{what}");
    }
}

/// The same for changes of teams, keys and accounts.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_person_whose_login_has_ended_changes_no_team_and_no_account(pool: PgPool) {
    let world = World::start(pool).await;
    let (accounts, team) = (&world.accounts, world.caller.team);
    let other = member(&world, "other").await;
    let me = &world.person;
    accounts.logout(me, false).await.unwrap();
    let new = NewApiKey {
        name: String::new(),
        scope: Scope::Full,
        expires_at: None,
    };
    let (user, key) = (other.person.id, other.key.id);
    let limits = locule_control::OwnLimits::default();
    let results = [
        (
            "create a key",
            accounts.create_api_key(me, &new).await.map(drop),
        ),
        (
            "revoke a key",
            accounts.revoke_api_key(me, key).await.map(drop),
        ),
        (
            "create a team",
            accounts.create_team(me, "New").await.map(drop),
        ),
        ("rename", accounts.rename_team(me, team, "New").await),
        (
            "remove a member",
            accounts.remove_member(me, team, user).await.map(drop),
        ),
        (
            "set a role",
            accounts.set_member_role(me, team, user, Role::Admin).await,
        ),
        ("leave", accounts.leave_team(me, team).await),
        ("delete a team", accounts.delete_team(me, team).await),
        (
            "delete any team",
            accounts.delete_any_team(me, other.by_key.team).await,
        ),
        ("set byoc", accounts.set_byoc(me, team, true).await),
        ("set limits", accounts.set_limits(me, team, limits).await),
        (
            "disable",
            accounts.set_active(me, user, false).await.map(drop),
        ),
        ("rename me", accounts.rename_me(me, "New").await.map(drop)),
    ];
    for (what, result) in results {
        let error = result.expect_err(what);
        assert!(
            matches!(error, AccountError::Unauthorized),
            "{what}: {error:?}"
        );
    }
}

/// Lets no transaction write to a table until the result is committed.
async fn no_writes(world: &World, lock: &'static str) -> Transaction<'static, Postgres> {
    let mut gate = world.pool.begin().await.unwrap();
    for sql in ["SET LOCAL ROLE NONE", lock] {
        sqlx::query(sql).execute(&mut *gate).await.unwrap();
    }
    gate
}

/// Waits until so many transactions wait for a lock.
pub(crate) async fn waiting(world: &World, count: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut watch = as_owner(&world.pool).await;
    eventually("the transactions wait", async || {
        let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&mut watch).await.unwrap();
        waiting == count
    })
    .await;
    watch.close().await.unwrap();
}

/// A create that has decided and a removal at the same time: the create comes first, and the removal lists its sandbox.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_removal_waits_for_a_create_and_lists_its_sandbox(pool: PgPool) {
    let world = World::start(pool).await;
    for (number, (removal, by_key)) in [
        (Removal::Key, true),
        (Removal::Member, false),
        (Removal::Member, true),
        (Removal::User, false),
        (Removal::User, true),
    ]
    .into_iter()
    .enumerate()
    {
        let member = member(&world, &format!("member{number}")).await;
        let caller = member.caller(by_key);
        // Stops the create at the insertion of its row, after its decision.
        let gate = no_writes(&world, "LOCK TABLE sandboxes IN SHARE MODE").await;
        let create = world.sandboxes.create_sandbox(caller, World::request());
        let remove = async {
            waiting(&world, 1).await;
            let open = async {
                waiting(&world, 2).await;
                gate.commit().await.unwrap();
            };
            tokio::join!(removal.run(&world, &member), open).0
        };
        let (created, listed) = tokio::join!(create, remove);
        let created = created.unwrap();
        assert_eq!(created.state, SandboxState::Running);
        let listed: Vec<SandboxId> = listed.iter().map(|sandbox| sandbox.id).collect();
        assert_eq!(listed, [created.id], "{removal:?} by key: {by_key}");
    }
}

/// The other order: a create that comes after the removal's first write is refused when the removal commits.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_change_that_waits_for_a_removal_is_refused(pool: PgPool) {
    let world = World::start(pool).await;
    let running = world.create().await.id;
    for (number, (removal, by_key, pauses)) in [
        (Removal::Key, true, false),
        (Removal::Key, true, true),
        (Removal::Member, false, false),
        (Removal::Member, false, true),
        (Removal::Member, true, false),
        (Removal::User, false, false),
        (Removal::User, false, true),
        (Removal::User, true, true),
    ]
    .into_iter()
    .enumerate()
    {
        let member = member(&world, &format!("member{number}")).await;
        let caller = member.caller(by_key);
        // Stops the removal before its commit: it has taken the right away and writes its audit entry.
        let gate = no_writes(&world, "LOCK TABLE audit_logs IN SHARE MODE").await;
        let change = async {
            waiting(&world, 1).await;
            let open = async {
                waiting(&world, 2).await;
                gate.commit().await.unwrap();
            };
            let change = async {
                if pauses {
                    world.sandboxes.pause_sandbox(caller, running).await
                } else {
                    world
                        .sandboxes
                        .create_sandbox(caller, World::request())
                        .await
                }
            };
            tokio::join!(change, open).0
        };
        let (listed, changed) = tokio::join!(removal.run(&world, &member), change);
        let error = changed.expect_err("the removal came first");
        let refused = if removal == Removal::Member && !by_key {
            has_no_team(&error)
        } else {
            is_unauthorized(&error)
        };
        assert!(refused, "{removal:?} by key: {by_key}: {error:?}");
        assert!(listed.is_empty(), "{listed:?}");
    }
    assert_eq!(world.host.count(), 1);
    assert_eq!(world.row(running).await.state, SandboxState::Running);
}

/// A removal lists what exists: not what has ended, not what others created, not another team's.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_removal_lists_the_sandboxes_of_the_removed_person_and_keys(pool: PgPool) {
    let world = World::start(pool).await;
    let member = member(&world, "ada").await;
    let create = async |caller: &Caller, label: &str| {
        let mut request = World::request();
        request.labels.insert("of".to_owned(), label.to_owned());
        let created = world.sandboxes.create_sandbox(caller, request).await;
        created.unwrap().id
    };
    let others = world.create().await.id;
    let by_login = create(&member.by_login, "login").await;
    let by_key = create(&member.by_key, "key").await;
    let ended = create(&member.by_key, "ended").await;
    world.destroy(ended).await.unwrap();
    world.pause(by_login).await.unwrap();
    let listed = Removal::Key.run(&world, &member).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(
        (listed[0].id, listed[0].labels["of"].as_str()),
        (by_key, "key")
    );
    // The key is gone, and what it created was listed then.
    let listed = Removal::Member.run(&world, &member).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(
        (listed[0].id, listed[0].state, listed[0].team),
        (by_login, SandboxState::Paused, world.caller.team)
    );
    assert_ne!(others, by_login);
}
