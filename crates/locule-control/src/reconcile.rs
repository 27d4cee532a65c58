//! The one path that brings a sandbox from what was seen to what is wanted. The API calls it at once, the sweep later.

use locule_agent_api::{AgentError, Order, ResumeSandbox, SandboxSpec, UpdateSandbox};
use locule_base::failpoint::reached;
use locule_domain::{
    Action, ErrorReason, Sandbox, SandboxEvent as Event, SandboxState, next_action,
};
use locule_ids::SandboxId;
use locule_store::{cluster, hosts, sandboxes};

use crate::database::mark;
use crate::error::ControlError;
use crate::hosts::HostLink;
use crate::reports::why_gone;
use crate::sandboxes::Sandboxes;

/// More steps than any wish takes.
const STEPS_MAX: usize = 8;

impl Sandboxes {
    pub(crate) fn host_of(&self, sandbox: &Sandbox) -> Result<HostLink, ControlError> {
        let link = sandbox.host.and_then(|host| self.host(host));
        let gone = || {
            ControlError::HostUnavailable(AgentError::Unavailable(
                "the host is not known".to_owned(),
            ))
        };
        link.cloned().ok_or_else(gone)
    }

    /// Step by step until nothing is left to do. The caller holds the sandbox's lock.
    pub(crate) async fn reconcile(&self, id: SandboxId) -> Result<Sandbox, ControlError> {
        for _ in 0..STEPS_MAX {
            let mut conn = self.core.connection().await?;
            let sandbox = sandboxes::get(&mut conn, id)
                .await?
                .ok_or(ControlError::NotFound { what: "sandbox" })?;
            drop(conn);
            match next_action(sandbox.desired, sandbox.state) {
                None => return Ok(sandbox),
                Some(action) => self.perform(&sandbox, action).await?,
            }
        }
        Err(ControlError::internal("a sandbox does not settle"))
    }

    async fn perform(&self, sandbox: &Sandbox, action: Action) -> Result<(), ControlError> {
        match action {
            Action::Place => self.place(sandbox).await,
            Action::Create => self.create_on_host(sandbox).await,
            Action::Pause => {
                let host = self.host_of(sandbox)?;
                let order = self.order(sandbox).await?;
                reached("serve.pause", "the wish is written");
                let report = host.agent.pause_sandbox(order).await?;
                reached("serve.pause", "the host has done it");
                self.take_report(host.id, &report).await?;
                reached("serve.pause", "the row says so");
                Ok(())
            }
            Action::Resume => {
                let host = self.host_of(sandbox)?;
                let resume = ResumeSandbox {
                    order: self.order(sandbox).await?,
                    timeouts: sandbox.timeouts,
                    access_token: self.access_token(sandbox.id),
                };
                reached("serve.resume", "the wish is written");
                let report = host.agent.resume_sandbox(resume).await?;
                reached("serve.resume", "the host has done it");
                self.take_report(host.id, &report).await?;
                reached("serve.resume", "the row says so");
                Ok(())
            }
            Action::Destroy => {
                reached("serve.destroy", "the wish is written");
                self.destroy_on_host(sandbox).await?;
                reached("serve.destroy", "the host has done it");
                self.stopped(sandbox, false).await?;
                reached("serve.destroy", "the row says so");
                Ok(())
            }
        }
    }

    /// Says of a sandbox that is wanted gone that it is. `cleanup_pending`: its host has not confirmed yet.
    pub(crate) async fn stopped(
        &self,
        sandbox: &Sandbox,
        cleanup_pending: bool,
    ) -> Result<(), ControlError> {
        self.observe(sandbox.id, Event::Stop(why_gone(sandbox)), |next| {
            next.cleanup_pending = cleanup_pending;
        })
        .await
        .map(drop)
    }

    /// Tells a host that is behind the row what the clocks are, and with it the row's generation.
    pub(crate) async fn tell_clocks(&self, sandbox: &Sandbox) -> Result<(), ControlError> {
        let host = self.host_of(sandbox)?;
        let update = UpdateSandbox {
            order: self.order(sandbox).await?,
            timeouts: sandbox.timeouts,
        };
        let report = host.agent.update_sandbox(update).await?;
        self.take_report(host.id, &report).await
    }

    /// Only "not found" counts as done; whatever else the host says is told (B-162).
    pub(crate) async fn destroy_on_host(&self, sandbox: &Sandbox) -> Result<(), ControlError> {
        if sandbox.host.is_none() {
            return Ok(());
        }
        let host = self.host_of(sandbox)?;
        let order = self.order(sandbox).await?;
        match host.agent.destroy_sandbox(order).await {
            Ok(()) | Err(AgentError::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every order draws from the write counter first, and carries the write mark that it drew.
    async fn order(&self, sandbox: &Sandbox) -> Result<Order, ControlError> {
        let mut conn = self.core.connection().await?;
        let written = cluster::next_write(&mut conn).await?;
        Ok(Order {
            sandbox: sandbox.id,
            generation: sandbox.generation,
            write_mark: Some(mark(written)),
        })
    }

    /// Chooses a host, and writes it down as the reservation.
    async fn place(&self, sandbox: &Sandbox) -> Result<(), ControlError> {
        let mut tx = self.core.transaction().await?;
        let online = hosts::online(&mut tx).await?;
        let host = online
            .iter()
            .find_map(|(id, _)| self.host(*id))
            .ok_or(ControlError::NoCapacity)?;
        let mut next = sandbox.clone();
        next.host = Some(host.id);
        next.state = sandbox
            .state
            .apply(Event::Placed)
            .map_err(ControlError::internal)?;
        // Overtaken: whoever it was is placing it, or wants something else of it.
        if sandboxes::update(&mut tx, sandbox, &next, self.core.now()).await? {
            tx.commit().await.map_err(locule_store::StoreError::from)?;
        }
        Ok(())
    }

    /// Orders its host to make it. After a crash nobody knows whether the order was given, or is under way: it is given
    /// again, and the host answers what it answered, or will answer, the first.
    async fn create_on_host(&self, sandbox: &Sandbox) -> Result<(), ControlError> {
        let host = self.host_of(sandbox)?;
        let order = self.order(sandbox).await?;
        let row = sandbox.clone();
        let spec = SandboxSpec {
            order,
            team: row.team,
            template: row.template,
            template_id: row.template_id,
            vcpus: row.vcpus,
            memory_mib: row.memory_mib,
            disk_size_mb: row.disk_size_mb,
            timeouts: row.timeouts,
            auto_resume: row.auto_resume,
            default_user: row.default_user,
            env: row.env,
            labels: row.labels,
            access_token: self.access_token(row.id),
        };
        reached("serve.create", "the host is chosen");
        let report = match host.agent.create_sandbox(spec).await {
            Ok(report) => report,
            Err(error) => return self.not_created(row.id, error.into()).await,
        };
        reached("serve.create", "the host has done it");
        self.take_report(host.id, &report).await?;
        reached("serve.create", "the row says so");
        Ok(())
    }

    /// Says of a sandbox whose creation failed that it did: never left starting (W-008).
    async fn not_created(&self, id: SandboxId, error: ControlError) -> Result<(), ControlError> {
        // A host whose answer was lost may have made it: it is asked first.
        self.learn(id).await?;
        let failed = Event::Fail(ErrorReason::CreateFailed);
        // The order may still be on its way: the sweep tells the host to forget it until the host says that it did.
        let sandbox = self
            .observe(id, failed, |row| row.cleanup_pending = true)
            .await?;
        if sandbox.state == SandboxState::Running {
            return Ok(());
        }
        Err(error)
    }
}
