//! Builders of rows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_domain::{Desired, Role, Sandbox, SandboxState, Timeouts, UserStatus};
use locule_ids::{HostId, SandboxId, TeamId, TemplateId, UserId};
use locule_store::sandboxes::Creator;
use locule_store::{PgConnection, members, sandboxes, teams, users};

/// A moment that the database keeps to the last digit.
pub fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 123_456_000).unwrap_or_default()
}

/// The row of a sandbox: small, running and without a host by default.
#[derive(Debug, Clone)]
#[must_use]
pub struct SandboxRow(pub Sandbox);

pub fn sandbox(team: TeamId) -> SandboxRow {
    SandboxRow(Sandbox {
        id: SandboxId::random(),
        team,
        host: None,
        state: SandboxState::Pending,
        desired: Desired::Running,
        generation: 1,
        version: 1,
        status_reason: None,
        last_error: None,
        cleanup_pending: false,
        template: "minimal".to_owned(),
        template_id: TemplateId::MINIMAL,
        default_user: "user".to_owned(),
        vcpus: 1,
        memory_mib: 512,
        disk_size_mb: 5120,
        timeouts: Timeouts::default(),
        timeout_given_sec: None,
        auto_resume: false,
        public_traffic: false,
        env: BTreeMap::new(),
        labels: BTreeMap::new(),
        guest_ip: String::new(),
        host_ip: String::new(),
        metadata: BTreeMap::new(),
        stored_bytes: 0,
        created_at: noon(),
        started_at: None,
        last_active_at: None,
        last_updated: noon(),
    })
}

impl SandboxRow {
    pub fn on(mut self, host: HostId, state: SandboxState) -> Self {
        self.0.host = Some(host);
        self.state(state)
    }

    pub fn state(mut self, state: SandboxState) -> Self {
        self.0.state = state;
        self.0.status_reason = state.reason().map(str::to_owned);
        self
    }

    pub fn desired(mut self, desired: Desired) -> Self {
        self.0.desired = desired;
        self
    }

    pub fn created_at(mut self, at: DateTime<Utc>) -> Self {
        (self.0.created_at, self.0.last_updated) = (at, at);
        self
    }

    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.0.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Sandbox)) -> Self {
        change(&mut self.0);
        self
    }

    /// Inserts the row, last changed at its creation. Panics if the database refuses it.
    pub async fn insert(self, conn: &mut PgConnection) -> Sandbox {
        sandboxes::insert(conn, &self.0, Creator::default())
            .await
            .expect("insert a sandbox");
        let updated = sandboxes::update(conn, &self.0, &self.0, self.0.created_at).await;
        assert!(updated.expect("update a sandbox"), "its row was overtaken");
        let read = sandboxes::get(conn, self.0.id)
            .await
            .expect("read a sandbox");
        read.expect("the row that was just written")
    }
}

/// Inserts an active user. Panics if the database refuses it.
pub async fn user(conn: &mut PgConnection, email: &str) -> UserId {
    let user = users::User {
        id: UserId::random(),
        email: email.to_owned(),
        email_verified: false,
        password_hash: None,
        name: email.split('@').next().unwrap_or_default().to_owned(),
        is_admin: false,
        status: UserStatus::Active,
        created_at: noon(),
    };
    let inserted = users::insert(conn, &user).await.expect("insert a user");
    assert!(inserted, "{email} is taken");
    user.id
}

/// Inserts a user with an own team. Panics if the database refuses it.
pub async fn team(conn: &mut PgConnection, name: &str) -> (UserId, TeamId) {
    let user = user(conn, &format!("{name}@locule.test")).await;
    let id = TeamId::random();
    let team = teams::Team {
        id,
        name: name.to_owned(),
        slug: id.as_uuid().simple().to_string()[..12].to_owned(),
        is_byoc: false,
        created_at: noon(),
    };
    let inserted = teams::insert(conn, &team).await.expect("insert a team");
    assert!(inserted, "the slug is taken");
    members::insert(conn, id, user, Role::Owner, true, noon())
        .await
        .expect("insert an owner");
    (user, id)
}
