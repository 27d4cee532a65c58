//! Create a sandbox: write its row with the desired state `running` and, in the same transaction, the host if the first choice takes the
//! sandbox; then reconcile it in the same request.

use std::collections::BTreeMap;

use chrono::SubsecRound as _;
use locule_agent_api::AgentError;
use locule_domain::{Desired, ErrorReason, NewSandbox, Sandbox, SandboxState, Timeouts};
use locule_ids::{SandboxId, TeamId};
use locule_store::{idempotency, sandboxes, templates};
use sha2::{Digest as _, Sha256};

use crate::audit::{self, AuditEvent, SandboxAuditEvent};
use crate::caller::Caller;
use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::{CreateFailure, SandboxError};
use crate::turns::Asker;

const DISK_MB: u32 = 5120;
/// The SDKs call the template `minimal` by another name.
const ALIAS: (&str, &str) = ("base", "minimal");

impl Sandboxes {
    /// Creates a sandbox; it runs when this returns.
    pub async fn create_sandbox(
        &self,
        caller: &Caller,
        request: NewSandbox,
    ) -> Result<Sandbox, SandboxError> {
        self.create(caller, request, None).await
    }

    /// As [`Self::create_sandbox`], with an idempotency key: the same key with the same request gets the same answer, the same
    /// sandbox or the same error. To try a failed create again, a client sends another key.
    pub async fn create_sandbox_once(
        &self,
        caller: &Caller,
        request: NewSandbox,
        key: &str,
    ) -> Result<Sandbox, SandboxError> {
        self.create(caller, request, Some(key)).await
    }

    async fn create(
        &self,
        caller: &Caller,
        mut request: NewSandbox,
        key: Option<&str>,
    ) -> Result<Sandbox, SandboxError> {
        request.check(self.limits())?;
        if request.template == ALIAS.0 {
            ALIAS.1.clone_into(&mut request.template);
        }
        let turn = self.core.turn(Asker::Changes(caller.team)).await;
        let mut conn = self.core.connection().await?;
        let template = templates::find(&mut conn, caller.team, &request.template).await?;
        drop(conn);
        let template = template.ok_or(CommonError::NotFound { what: "template" })?;
        let mut sandbox = self.new_row(caller, &request, &template);
        let choice = self.choose(&sandbox).await?;
        let mut tx = self.core.transaction().await?;
        // Locked first: a team is locked before its members and keys, and until the commit.
        let quota = self.lock_quota(&mut tx, caller.team).await?;
        self.confirm(&mut tx, caller).await?;
        if let Some(key) = key {
            let hash = hex::encode(Sha256::digest(format!("{request:?}").as_bytes()));
            let earlier = idempotency::claim(
                &mut tx,
                caller.team,
                key,
                &hash,
                sandbox.id,
                sandbox.created_at,
            )
            .await?;
            if let Some(earlier) = earlier {
                drop((tx, turn));
                return self.repeated(caller, key, &hash, &earlier).await;
            }
        }
        self.reserve_new(&mut tx, quota, &sandbox).await?;
        let answer = self.place_new(&mut tx, &mut sandbox, &choice).await?;
        sandboxes::insert(&mut tx, &sandbox, caller.creator()).await?;
        let event = SandboxAuditEvent::Create {
            template: request.template,
        };
        let (event, now) = (AuditEvent::Sandbox(sandbox.id, &event), sandbox.created_at);
        audit::write(&mut tx, &caller.actor, caller.team, &event, now).await?;
        self.core.commit(tx).await?;
        drop(turn);
        locule_base::failpoint::reached("serve.create", "the row is written");
        // The task goes on if the client disconnects, so that no half-created sandbox is left.
        let (sandboxes, key) = (self.clone(), key.map(str::to_owned));
        let (done, result) = tokio::sync::oneshot::channel();
        self.core
            .tasks
            .spawn_detached("create sandbox", async move {
                if let Some((host, answer)) = answer {
                    sandboxes.remember(host, answer).await;
                }
                let created = sandboxes.reconcile_new(&sandbox, key.as_deref()).await;
                let _ = done.send(created);
            });
        result.await.map_err(SandboxError::internal)?
    }

    fn new_row(
        &self,
        caller: &Caller,
        request: &NewSandbox,
        template: &templates::Template,
    ) -> Sandbox {
        // PostgreSQL keeps microseconds.
        let ((vcpus, memory_mib), now) = (request.size(), self.core.now().trunc_subsecs(6));
        let given = request
            .expires_in
            .map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
        Sandbox {
            id: (self.inner.config.new_id)(),
            team: caller.team,
            host: None,
            state: SandboxState::Pending,
            desired: Desired::Running,
            generation: 1,
            version: 1,
            status_reason: None,
            last_error: None,
            cleanup_pending: false,
            template: template.name.clone(),
            template_id: template.id,
            default_user: template.default_user.clone(),
            vcpus,
            memory_mib,
            disk_size_mb: DISK_MB,
            timeouts: Timeouts {
                timeout_sec: request.timeout_sec,
                expires_at: given.map(|seconds| Sandbox::expiry(now, seconds)),
                on_timeout: request.on_timeout,
            },
            timeout_given_sec: given,
            auto_resume: request.auto_resume,
            public_traffic: request.public_traffic,
            env: request.env.clone(),
            labels: request.labels.clone(),
            guest_ip: String::new(),
            host_ip: String::new(),
            metadata: BTreeMap::new(),
            stored_bytes: 0,
            created_at: now,
            started_at: None,
            last_active_at: None,
            last_updated: now,
        }
    }

    /// The answer to a request that repeats an earlier one.
    async fn repeated(
        &self,
        caller: &Caller,
        key: &str,
        hash: &str,
        earlier: &idempotency::Earlier,
    ) -> Result<Sandbox, SandboxError> {
        if earlier.request_hash != hash {
            return Err(SandboxError::IdempotencyMismatch);
        }
        let sandbox = self.get_sandbox(caller.team, earlier.sandbox).await?;
        match sandbox.state {
            SandboxState::Pending | SandboxState::Starting => {
                Err(SandboxError::IdempotencyInProgress)
            }
            SandboxState::Error {
                reason: ErrorReason::CreateFailed,
            } => Err(self.failure(caller.team, key, sandbox.id).await?.into()),
            SandboxState::Running
            | SandboxState::Paused
            | SandboxState::Missing
            | SandboxState::Stopped { .. }
            | SandboxState::Error { .. } => Ok(sandbox),
        }
    }

    /// The error that the first request with a key was answered with, once it is answered.
    async fn failure(
        &self,
        team: TeamId,
        key: &str,
        sandbox: SandboxId,
    ) -> Result<CreateFailure, SandboxError> {
        let _order = self.lock(sandbox).await;
        let mut conn = self.core.connection().await?;
        let failure = idempotency::get(&mut conn, team, key).await?;
        let failure = failure.and_then(|earlier| earlier.failure);
        let failure = failure.and_then(|failure| serde_json::from_value(failure).ok());
        // Without a kept error the control plane exited before it answered the first request.
        Ok(failure.unwrap_or(CreateFailure::AgentFailed))
    }

    /// Brings a new row to `running` or to `error`, so that no row stays `pending` after its request (W-008).
    async fn reconcile_new(
        &self,
        new: &Sandbox,
        key: Option<&str>,
    ) -> Result<Sandbox, SandboxError> {
        let _order = self.lock(new.id).await;
        let reconciled = self.reconcile_from(new.clone()).await;
        let reconciled = reconciled.and_then(refuse_failed);
        if let Err(error) = &reconciled {
            tracing::warn!(sandbox.id = %new.id, error = locule_base::errors::chain(error), "a sandbox could not be created");
            // A failed order is in the row already. This is for a failure before there was a host to order.
            let failed = locule_domain::SandboxEvent::Fail(ErrorReason::CreateFailed);
            self.apply_event(new.id, failed, |row| {
                row.cleanup_pending = row.host.is_some();
            })
            .await?;
            if let Some(key) = key {
                let failure = serde_json::to_value(CreateFailure::from(error))
                    .map_err(SandboxError::internal)?;
                let mut conn = self.core.connection().await?;
                idempotency::fail(&mut conn, new.team, key, &failure).await?;
            }
        }
        reconciled
    }
}

/// A sweep of another process of the control plane may have repeated the order, and given the create up.
fn refuse_failed(sandbox: Sandbox) -> Result<Sandbox, SandboxError> {
    let failed = SandboxState::Error {
        reason: ErrorReason::CreateFailed,
    };
    if sandbox.state == failed {
        let why = "a repeated order to create the sandbox failed".to_owned();
        return Err(AgentError::Internal(why).into());
    }
    Ok(sandbox)
}
