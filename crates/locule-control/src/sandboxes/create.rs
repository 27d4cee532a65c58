//! Creating a sandbox: the wish is written down, then reconciled at once.

use std::collections::BTreeMap;

use locule_domain::{Desired, ErrorReason, NewSandbox, Sandbox, SandboxState, Timeouts};
use locule_ids::{SandboxId, TeamId};
use locule_store::{idempotency, sandboxes, templates};
use sha2::{Digest as _, Sha256};

use crate::audit::{self, Event, SandboxEvent};
use crate::caller::Caller;
use crate::error::{ControlError, Failure};
use crate::sandboxes::Sandboxes;

const DISK_MB: u32 = 5120;
/// What the SDKs call the template that we call `minimal`.
const ALIAS: (&str, &str) = ("base", "minimal");

impl Sandboxes {
    pub async fn create_sandbox(
        &self,
        caller: &Caller,
        wanted: NewSandbox,
    ) -> Result<Sandbox, ControlError> {
        self.create(caller, wanted, None).await
    }

    /// As [`Self::create_sandbox`]; the same key with the same request gets the same answer, however often it is sent: the
    /// same sandbox, or the same error. Whoever wants another try of what failed sends another key.
    pub async fn create_sandbox_once(
        &self,
        caller: &Caller,
        wanted: NewSandbox,
        key: &str,
    ) -> Result<Sandbox, ControlError> {
        self.create(caller, wanted, Some(key)).await
    }

    async fn create(
        &self,
        caller: &Caller,
        mut wanted: NewSandbox,
        key: Option<&str>,
    ) -> Result<Sandbox, ControlError> {
        wanted.check(self.limits())?;
        if wanted.template == ALIAS.0 {
            ALIAS.1.clone_into(&mut wanted.template);
        }
        let mut tx = self.core.transaction().await?;
        let template = templates::find(&mut tx, caller.team, &wanted.template).await?;
        let template = template.ok_or(ControlError::NotFound { what: "template" })?;
        let sandbox = self.row(caller, &wanted, &template);
        if let Some(key) = key {
            let hash = hex::encode(Sha256::digest(format!("{wanted:?}").as_bytes()));
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
                drop(tx);
                return self.earlier(caller, key, &hash, &earlier).await;
            }
        }
        self.reserve_new(&mut tx, &sandbox).await?;
        sandboxes::insert(&mut tx, &sandbox).await?;
        let event = SandboxEvent::Create {
            template: wanted.template,
        };
        let (event, now) = (Event::Sandbox(sandbox.id, &event), sandbox.created_at);
        audit::write(&mut tx, &caller.actor, caller.team, &event, now).await?;
        self.core.commit(tx).await?;
        locule_base::failpoint::reached("serve.create", "the row is there");
        // The host call goes on when the client leaves: what is half made would otherwise be nobody's.
        let (sandboxes, key) = (self.clone(), key.map(str::to_owned));
        let (done, result) = tokio::sync::oneshot::channel();
        self.core
            .tasks
            .spawn_detached("create sandbox", async move {
                let created = sandboxes.settle_new(&sandbox, key.as_deref()).await;
                let _ = done.send(created);
            });
        result.await.map_err(ControlError::internal)?
    }

    fn row(&self, caller: &Caller, wanted: &NewSandbox, template: &templates::Template) -> Sandbox {
        let ((vcpus, memory_mib), now) = (wanted.size(), self.core.now());
        let given = wanted
            .expires_in
            .map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
        Sandbox {
            id: SandboxId::random(),
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
                timeout_sec: wanted.timeout_sec,
                expires_at: given.map(|seconds| Sandbox::expiry(now, seconds)),
                on_timeout: wanted.on_timeout,
            },
            timeout_given_sec: given,
            auto_resume: wanted.auto_resume,
            public_traffic: wanted.public_traffic,
            env: wanted.env.clone(),
            labels: wanted.labels.clone(),
            guest_ip: String::new(),
            host_ip: String::new(),
            metadata: BTreeMap::new(),
            created_at: now,
            started_at: None,
            last_active_at: None,
            last_updated: now,
        }
    }

    /// The answer to a request that was sent before.
    async fn earlier(
        &self,
        caller: &Caller,
        key: &str,
        hash: &str,
        earlier: &idempotency::Earlier,
    ) -> Result<Sandbox, ControlError> {
        if earlier.request_hash != hash {
            return Err(ControlError::IdempotencyMismatch);
        }
        let sandbox = self.get_sandbox(caller.team, earlier.sandbox).await?;
        match sandbox.state {
            SandboxState::Pending | SandboxState::Starting => {
                Err(ControlError::IdempotencyInProgress)
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

    /// What the first request of a key was answered, or is about to be.
    async fn failure(
        &self,
        team: TeamId,
        key: &str,
        sandbox: SandboxId,
    ) -> Result<Failure, ControlError> {
        let _order = self.lock(sandbox).await;
        let mut conn = self.core.connection().await?;
        let failure = idempotency::get(&mut conn, team, key).await?;
        let failure = failure.and_then(|earlier| earlier.failure);
        let failure = failure.and_then(|failure| serde_json::from_value(failure).ok());
        // It was never answered: its control plane died.
        Ok(failure.unwrap_or(Failure::AgentFailed))
    }

    /// Brings a new row to `running`, or to `error` in the same request: never left pending (W-008).
    async fn settle_new(&self, new: &Sandbox, key: Option<&str>) -> Result<Sandbox, ControlError> {
        let _order = self.lock(new.id).await;
        let reconciled = self.reconcile(new.id).await;
        if let Err(error) = &reconciled {
            tracing::warn!(sandbox.id = %new.id, error = locule_base::errors::chain(error), "create failed");
            // Of what a host was ordered the row says so already: here there was none to order.
            let failed = locule_domain::SandboxEvent::Fail(ErrorReason::CreateFailed);
            self.observe(new.id, failed, |row| {
                row.cleanup_pending = row.host.is_some();
            })
            .await?;
            if let Some(key) = key {
                let failure =
                    serde_json::to_value(Failure::from(error)).map_err(ControlError::internal)?;
                let mut conn = self.core.connection().await?;
                idempotency::fail(&mut conn, new.team, key, &failure).await?;
            }
        }
        reconciled
    }
}
