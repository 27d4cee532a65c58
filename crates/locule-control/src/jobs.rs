//! Work that a change leaves behind: written with it, begun at once, and done by whoever is there when the first who tried is
//! not any more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use locule_ids::{JobId, TeamId, UserId};
use locule_store::{PgConnection, jobs, sandboxes};
use serde::{Deserialize, Serialize};

use crate::audit::{self, Event, SandboxEvent};
use crate::caller::Actor;
use crate::core::Core;
use crate::error::ControlError;
use crate::letters::{Letter, send_letter};
use crate::mail::Mailer;
use crate::sandboxes::Sandboxes;

/// How often it is looked whether something is due.
pub(crate) const PERIOD: Duration = Duration::from_secs(5);
/// Nobody else takes a job for so long.
const LEASE: chrono::Duration = chrono::Duration::minutes(2);
/// Whoever caused the work waits for it no longer than this; it goes on.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY_SEC_MAX: i64 = 300;
/// A mail that cannot be sent so often is not sent.
const LETTER_ATTEMPTS: i32 = 10;
const CLAIMED_AT_ONCE: i64 = 8;
const PAGE: i64 = 200;
/// Sandboxes destroyed at the same time.
const TOGETHER: usize = 8;

/// Why sandboxes end that nobody destroyed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    TeamDeleted,
    OwnerDisabled,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::TeamDeleted => "team_deleted",
            Self::OwnerDisabled => "owner_disabled",
        }
    }
}

/// Everything that can be left to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub(crate) enum Task {
    /// Destroys what a team had at a moment, on whichever host, also on one that is away now (W-015).
    DestroySandboxes {
        team: TeamId,
        made_until: DateTime<Utc>,
        reason: Why,
        /// Whose trail is told when nothing is left.
        tell: Option<TeamId>,
    },
    Letter {
        to: UserId,
        letter: Letter,
    },
}

/// A task, and the row that stands for it.
#[derive(Debug)]
pub(crate) struct Work {
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

    /// Writes work down with the change that makes it necessary. Whoever does so gets the first try, after the commit.
    pub(crate) async fn insert_work(
        &self,
        conn: &mut PgConnection,
        task: Task,
    ) -> Result<Work, ControlError> {
        let (id, now) = (JobId::random(), self.core.now());
        let payload = serde_json::to_value(&task).map_err(ControlError::internal)?;
        let kind = match task {
            Task::DestroySandboxes { .. } => "destroy_sandboxes",
            Task::Letter { .. } => "letter",
        };
        jobs::insert(conn, id, kind, &payload, now, now + LEASE).await?;
        Ok(Work {
            id,
            task,
            attempts: 1,
        })
    }

    /// Begins what was just written down, and lets nobody wait for it.
    pub(crate) fn work_soon(&self, work: Work) {
        let jobs = self.clone();
        self.core
            .tasks
            .spawn_detached("job", async move { jobs.attempt(work).await });
    }

    /// Does what was just written down, and waits for it for a while. It is done in any case, by and by.
    pub(crate) async fn work_now(&self, works: Vec<Work>) {
        let jobs = self.clone();
        let (done, result) = tokio::sync::oneshot::channel();
        self.core.tasks.spawn_detached("job", async move {
            for work in works {
                jobs.attempt(work).await;
            }
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(PATIENCE, result).await;
    }

    /// One pass over what is due.
    pub(crate) async fn run_due(&self) -> Result<(), ControlError> {
        let now = self.core.now();
        let mut conn = self.core.connection().await?;
        let due = jobs::claim(&mut conn, now, now + LEASE, CLAIMED_AT_ONCE).await?;
        drop(conn);
        for job in due {
            match serde_json::from_value(job.payload) {
                Ok(task) => {
                    let (id, attempts) = (job.id, job.attempts);
                    self.attempt(Work { id, task, attempts }).await;
                }
                Err(error) => {
                    tracing::error!(job.id = %job.id, job.kind = job.kind, %error, "a job cannot be read");
                }
            }
        }
        Ok(())
    }

    async fn attempt(&self, work: Work) {
        let (id, attempts) = (work.id, work.attempts);
        let Err(error) = self.perform_task(work).await else {
            return;
        };
        let error = locule_base::errors::chain(&error);
        tracing::warn!(job.id = %id, attempts, error, "a job is not done; it is tried again");
        let wait = 1_i64 << attempts.clamp(0, 10);
        let again = self.core.now() + chrono::Duration::seconds(wait.min(RETRY_SEC_MAX));
        let postponed = async {
            let mut conn = self.core.connection().await?;
            Ok::<_, ControlError>(jobs::postpone(&mut conn, id, again, &error).await?)
        };
        if let Err(error) = postponed.await {
            // Its lease runs out.
            tracing::warn!(job.id = %id, error = locule_base::errors::chain(&error), "a job cannot be postponed");
        }
    }

    async fn perform_task(&self, work: Work) -> Result<(), ControlError> {
        let told = match work.task {
            Task::DestroySandboxes {
                team,
                made_until,
                reason,
                tell,
            } => {
                self.destroy_left(team, made_until, reason).await?;
                tell.map(|trail| (trail, Event::TeamEmptied(team)))
            }
            Task::Letter { to, letter } => {
                match send_letter(&self.core, self.mailer.as_ref(), to, letter).await {
                    Err(error) if work.attempts >= LETTER_ATTEMPTS => {
                        let error = locule_base::errors::chain(&error);
                        tracing::error!(job.id = %work.id, error, "a mail is given up");
                    }
                    sent => sent?,
                }
                None
            }
        };
        let mut tx = self.core.transaction().await?;
        if let Some((trail, event)) = told {
            audit::write(&mut tx, &Actor::System, trail, &event, self.core.now()).await?;
        }
        jobs::finish(&mut tx, work.id).await?;
        self.core.commit(tx).await
    }

    /// Fails until nothing is left, and nothing that a host has still to confirm.
    async fn destroy_left(
        &self,
        team: TeamId,
        made_until: DateTime<Utc>,
        reason: Why,
    ) -> Result<(), ControlError> {
        let event = SandboxEvent::Destroy {
            reason: Some(reason.as_str()),
        };
        let mut after = None;
        loop {
            let page = self.left(team, made_until, after).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            let destroyed = page.into_iter().map(async |(id, row)| {
                // One that cannot be read cannot be destroyed either, and must not hide the others.
                row?;
                self.sandboxes
                    .destroy_as(&Actor::System, team, id, &event)
                    .await
            });
            let results: Vec<Result<(), ControlError>> = futures::stream::iter(destroyed)
                .buffer_unordered(TOGETHER)
                .collect()
                .await;
            for error in results.into_iter().filter_map(Result::err) {
                let error = locule_base::errors::chain(&error);
                tracing::warn!(team.id = %team, error, "a sandbox of a team cannot be destroyed yet");
            }
        }
        let left = self.left(team, made_until, None).await?.len();
        if left == 0 {
            return Ok(());
        }
        let why = format!("{left} sandboxes or more are left");
        Err(ControlError::Conflict { why })
    }

    async fn left(
        &self,
        team: TeamId,
        made_until: DateTime<Utc>,
        after: Option<locule_ids::SandboxId>,
    ) -> Result<Vec<sandboxes::Read>, ControlError> {
        let mut conn = self.core.connection().await?;
        Ok(sandboxes::left_of(&mut conn, team, made_until, after, PAGE).await?)
    }
}
