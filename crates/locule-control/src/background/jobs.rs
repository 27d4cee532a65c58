//! Jobs: work that a change leaves behind. A job's row commits with the change, the process that made the change attempts the job
//! at once, and a periodic pass attempts again what failed or lost its process.
//!
//! ```text
//! change ── insert_job ──► row in `jobs`, leased ── start, run_now ──► attempt ── done ──► row deleted
//!                                  ▲                                      └── failed ──► due again later
//!                                  └── run_due: every 5 s, rows that are due and not leased
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use locule_ids::{JobId, SandboxId, TeamId, UserId};
use locule_store::{PgConnection, jobs, sandboxes};
use serde::{Deserialize, Serialize};

use crate::accounts::email_templates::{EmailTemplate, send_email, send_invitation};
use crate::accounts::mail::Mailer;
use crate::audit::{self, AuditEvent, SandboxAuditEvent};
use crate::caller::{Actor, Caller};
use crate::core::Core;
use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// The pause between two passes over the jobs that are due.
pub(crate) const PERIOD: Duration = Duration::from_secs(5);
/// No other process attempts a job for this long.
const LEASE: chrono::Duration = chrono::Duration::minutes(2);
/// The request that caused a job waits for it no longer than this; the job goes on.
const REQUEST_WAIT_MAX: Duration = Duration::from_secs(30);
const RETRY_SEC_MAX: i64 = 300;
/// An e-mail that could not be sent this often is given up.
const EMAIL_ATTEMPTS_MAX: i32 = 10;
const CLAIMED_AT_ONCE: i64 = 8;
const PAGE: i64 = 200;
/// Sandboxes destroyed at the same time.
const DESTROYED_AT_ONCE: usize = 8;

/// The reason why sandboxes end that no request destroyed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DestroyReason {
    TeamDeleted,
    OwnerDisabled,
}

impl DestroyReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::TeamDeleted => "team_deleted",
            Self::OwnerDisabled => "owner_disabled",
        }
    }
}

/// The work of a job. Rows hold it as JSON, so its words there do not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub(crate) enum Task {
    /// Destroys the sandboxes that a team had at a moment, on every host, also on a host that is out of reach now (W-015).
    DestroySandboxes {
        team: TeamId,
        #[serde(rename = "made_until")]
        created_until: DateTime<Utc>,
        reason: DestroyReason,
        /// The team whose audit log records that no sandbox is left.
        #[serde(rename = "tell")]
        audit_log: Option<TeamId>,
    },
    #[serde(rename = "letter")]
    Email {
        to: UserId,
        #[serde(rename = "letter")]
        template: EmailTemplate,
    },
    /// Sends the e-mail of an invitation.
    Invitation { invitation: UserId },
}

/// A task and the row that holds it.
#[derive(Debug)]
pub(crate) struct Job {
    id: JobId,
    task: Task,
    attempts: i32,
}

/// Runs the tasks of the `jobs` table. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Jobs {
    core: Core,
    sandboxes: Sandboxes,
    mailer: Option<Mailer>,
}

impl Jobs {
    pub(crate) fn new(core: Core, sandboxes: Sandboxes, mailer: Option<Mailer>) -> Self {
        Self {
            core,
            sandboxes,
            mailer,
        }
    }

    /// Writes a job in the transaction of the change that needs it. The caller attempts it first, after the commit.
    pub(crate) async fn insert_job(
        &self,
        conn: &mut PgConnection,
        task: Task,
    ) -> Result<Job, CommonError> {
        let (id, now) = (JobId::random(), self.core.now());
        let payload = serde_json::to_value(&task).map_err(CommonError::internal)?;
        let kind = match task {
            Task::DestroySandboxes { .. } => "destroy_sandboxes",
            Task::Email { .. } => "letter",
            Task::Invitation { .. } => "invitation",
        };
        jobs::insert(conn, id, kind, &payload, now, now + LEASE).await?;
        Ok(Job {
            id,
            task,
            attempts: 1,
        })
    }

    /// Attempts a job without waiting for it.
    pub(crate) fn start(&self, job: Job) {
        let jobs = self.clone();
        let tasks = &self.core.tasks;
        tasks.spawn_detached("job", async move { jobs.attempt(job).await });
    }

    /// Attempts jobs and waits for them, up to a limit. They go on after the limit, and are attempted again after a failure.
    pub(crate) async fn run_now(&self, batch: Vec<Job>) {
        let jobs = self.clone();
        let (done, result) = tokio::sync::oneshot::channel();
        self.core.tasks.spawn_detached("job", async move {
            for job in batch {
                jobs.attempt(job).await;
            }
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(REQUEST_WAIT_MAX, result).await;
    }

    /// One pass over the jobs that are due.
    pub(crate) async fn run_due(&self) -> anyhow::Result<()> {
        let now = self.core.now();
        let mut conn = self.core.connection().await?;
        let due = jobs::claim(&mut conn, now, now + LEASE, CLAIMED_AT_ONCE).await?;
        drop(conn);
        for job in due {
            match serde_json::from_value(job.payload) {
                Ok(task) => {
                    let (id, attempts) = (job.id, job.attempts);
                    self.attempt(Job { id, task, attempts }).await;
                }
                Err(error) => {
                    tracing::error!(job.id = %job.id, job.kind = job.kind, %error, "the payload of a job cannot be parsed");
                }
            }
        }
        Ok(())
    }

    async fn attempt(&self, job: Job) {
        let (id, attempts) = (job.id, job.attempts);
        let Err(error) = self.perform(job).await else {
            return;
        };
        let error = format!("{error:#}");
        tracing::warn!(job.id = %id, attempts, error, "a job failed; it is attempted again later");
        let wait = 1_i64 << attempts.clamp(0, 10);
        let again = self.core.now() + chrono::Duration::seconds(wait.min(RETRY_SEC_MAX));
        let postponed = async {
            let mut conn = self.core.connection().await?;
            anyhow::Ok(jobs::postpone(&mut conn, id, again, &error).await?)
        };
        if let Err(error) = postponed.await {
            tracing::warn!(job.id = %id, error = format!("{error:#}"), "a failed job could not be postponed; it is attempted again when its lease ends");
        }
    }

    async fn perform(&self, job: Job) -> anyhow::Result<()> {
        let recorded = match job.task {
            Task::DestroySandboxes {
                team,
                created_until,
                reason,
                audit_log,
            } => {
                self.destroy_remaining(team, created_until, reason).await?;
                audit_log.map(|log| (log, AuditEvent::TeamEmptied(team)))
            }
            Task::Email { to, template } => {
                let sent = send_email(&self.core, self.mailer.as_ref(), to, template).await;
                give_up_in_the_end(sent, job.id, job.attempts)?;
                None
            }
            Task::Invitation { invitation } => {
                let sent = send_invitation(&self.core, self.mailer.as_ref(), invitation).await;
                give_up_in_the_end(sent, job.id, job.attempts)?;
                None
            }
        };
        let mut tx = self.core.transaction().await?;
        if let Some((log, event)) = recorded {
            audit::write(&mut tx, &Actor::System, log, &event, self.core.now()).await?;
        }
        jobs::finish(&mut tx, job.id).await?;
        Ok(self.core.commit(tx).await?)
    }

    /// Fails until every sandbox has ended and its host has confirmed it.
    async fn destroy_remaining(
        &self,
        team: TeamId,
        created_until: DateTime<Utc>,
        reason: DestroyReason,
    ) -> anyhow::Result<()> {
        let event = SandboxAuditEvent::Destroy {
            reason: Some(reason.as_str()),
        };
        let mut after = None;
        loop {
            let page = self.remaining(team, created_until, after).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            let destroyed = page.into_iter().map(async |(id, row)| {
                // A row that cannot be read is skipped, so that it does not keep the other sandboxes running.
                row?;
                let system = Caller::system(team);
                self.sandboxes.destroy_as(&system, id, &event).await
            });
            let results: Vec<Result<(), SandboxError>> = futures::stream::iter(destroyed)
                .buffer_unordered(DESTROYED_AT_ONCE)
                .collect()
                .await;
            for error in results.into_iter().filter_map(Result::err) {
                let error = locule_base::errors::chain(&error);
                tracing::warn!(team.id = %team, error, "a sandbox of a team could not be destroyed; the job attempts it again");
            }
        }
        let remaining = self.remaining(team, created_until, None).await?.len();
        if remaining > 0 {
            anyhow::bail!("the team still has {remaining} sandboxes or more");
        }
        Ok(())
    }

    async fn remaining(
        &self,
        team: TeamId,
        created_until: DateTime<Utc>,
        after: Option<SandboxId>,
    ) -> anyhow::Result<Vec<sandboxes::Read>> {
        let mut conn = self.core.connection().await?;
        Ok(sandboxes::remaining_of_team(&mut conn, team, created_until, after, PAGE).await?)
    }
}

/// The failure of an e-mail is the failure of its job, until the last attempt, whose failure is logged.
fn give_up_in_the_end(
    sent: Result<(), CommonError>,
    id: JobId,
    attempts: i32,
) -> Result<(), CommonError> {
    match sent {
        Err(error) if attempts >= EMAIL_ATTEMPTS_MAX => {
            let error = locule_base::errors::chain(&error);
            tracing::error!(job.id = %id, error, "an e-mail could not be sent and is given up");
            Ok(())
        }
        sent => sent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_of_a_task_does_not_change() {
        let team = TeamId::PLATFORM;
        let destroy = Task::DestroySandboxes {
            team,
            created_until: DateTime::UNIX_EPOCH,
            reason: DestroyReason::TeamDeleted,
            audit_log: Some(team),
        };
        assert_eq!(
            serde_json::to_value(destroy).unwrap(),
            serde_json::json!({
                "task": "destroy_sandboxes",
                "team": team,
                "made_until": "1970-01-01T00:00:00Z",
                "reason": "team_deleted",
                "tell": team,
            })
        );
        let to = UserId::random();
        let email = Task::Email {
            to,
            template: EmailTemplate::PasswordReset,
        };
        assert_eq!(
            serde_json::to_value(email).unwrap(),
            serde_json::json!({ "task": "letter", "to": to, "letter": "password_reset" })
        );
        let invitation = Task::Invitation { invitation: to };
        assert_eq!(
            serde_json::to_value(invitation).unwrap(),
            serde_json::json!({ "task": "invitation", "invitation": to })
        );
    }
}
