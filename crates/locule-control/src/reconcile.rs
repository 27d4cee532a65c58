//! [`Sandboxes::reconcile`]: the one path that brings a sandbox from its observed to its desired state. A request calls it at
//! once; the sweep calls it later for a sandbox whose request failed or lost its process.
//!
//! | action | order to the host |
//! |---|---|
//! | place | none: the chosen host is written into the row |
//! | create, pause, resume, destroy | the call of that name, with the row's generation |

pub(crate) mod absence;
pub(crate) mod changes;
pub(crate) mod database;
pub(crate) mod inventory;
pub(crate) mod known;
pub(crate) mod monitor;
pub(crate) mod overdue;
pub(crate) mod place;
pub(crate) mod quarantine;
pub(crate) mod reconcile_row;
pub(crate) mod reported;
pub(crate) mod sweep;
pub(crate) mod watch;

use locule_agent_api::{
    AgentError, Order, ResumeSandbox, SandboxReport, SandboxSpec, UpdateSandbox,
};
use locule_base::failpoint::reached;
use locule_domain::{Action, ErrorReason, Sandbox, SandboxEvent, SandboxState, next_action};
use locule_ids::{HostId, SandboxId};
use locule_store::{cluster, sandboxes};

use crate::hosts::links::HostLink;
use crate::reconcile::database::mark;
use crate::reconcile::reported::destroy_reason;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// No desired state needs more actions.
const STEPS_MAX: usize = 8;

impl Sandboxes {
    pub(crate) async fn host_of(&self, sandbox: &Sandbox) -> Result<HostLink, SandboxError> {
        let link = match sandbox.host {
            Some(host) => self.host(host).await?,
            None => None,
        };
        link.ok_or_else(SandboxError::unknown_host)
    }

    /// Performs one action after the other until the observed state is the desired one. The caller holds the sandbox's lock.
    pub(crate) async fn reconcile(&self, id: SandboxId) -> Result<Sandbox, SandboxError> {
        let sandbox = self.existing(id).await?;
        self.reconcile_from(sandbox).await
    }

    /// As [`Self::reconcile`], from a version of the row that was just written or read.
    pub(crate) async fn reconcile_from(
        &self,
        mut sandbox: Sandbox,
    ) -> Result<Sandbox, SandboxError> {
        for _ in 0..STEPS_MAX {
            let Some(action) = next_action(sandbox.desired, sandbox.state) else {
                return Ok(sandbox);
            };
            sandbox = match self.perform(&sandbox, action).await? {
                Some(next) => next,
                None => self.existing(sandbox.id).await?,
            };
        }
        Err(SandboxError::internal(
            "the sandbox did not reach its desired state",
        ))
    }

    async fn existing(&self, id: SandboxId) -> Result<Sandbox, SandboxError> {
        let mut conn = self.core.connection().await?;
        let found = sandboxes::get(&mut conn, id).await?;
        found.ok_or(SandboxError::not_found())
    }

    /// Returns the row after the action, where the action has written or read it.
    async fn perform(
        &self,
        sandbox: &Sandbox,
        action: Action,
    ) -> Result<Option<Sandbox>, SandboxError> {
        match action {
            Action::Place => self.place(sandbox).await,
            Action::Create => self.create_on_host(sandbox).await,
            Action::Pause => {
                let host = self.host_of(sandbox).await?;
                let order = self.order(sandbox).await?;
                reached("serve.pause", "the desired state is written");
                let report = host.agent.pause_sandbox(order).await?;
                reached("serve.pause", "the host has carried out the order");
                let row = self.apply_report(host.id, &report).await?;
                reached("serve.pause", "the row is updated");
                Ok(row)
            }
            Action::Resume => {
                let host = self.host_of(sandbox).await?;
                let resume = ResumeSandbox {
                    order: self.order(sandbox).await?,
                    timeouts: sandbox.timeouts,
                    access_token: self.access_token(sandbox.id),
                };
                reached("serve.resume", "the desired state is written");
                let report = host.agent.resume_sandbox(resume).await?;
                reached("serve.resume", "the host has carried out the order");
                let row = self.apply_report(host.id, &report).await?;
                reached("serve.resume", "the row is updated");
                Ok(row)
            }
            Action::Destroy => {
                reached("serve.destroy", "the desired state is written");
                self.destroy_on_host(sandbox).await?;
                reached("serve.destroy", "the host has carried out the order");
                self.mark_stopped(sandbox, false).await?;
                reached("serve.destroy", "the row is updated");
                Ok(None)
            }
        }
    }

    /// Writes that a sandbox whose desired state is `gone` has stopped. `cleanup_pending`: its host has not confirmed it yet.
    pub(crate) async fn mark_stopped(
        &self,
        sandbox: &Sandbox,
        cleanup_pending: bool,
    ) -> Result<(), SandboxError> {
        self.apply_event(
            sandbox.id,
            SandboxEvent::Stop(destroy_reason(sandbox)),
            |next| {
                next.cleanup_pending = cleanup_pending;
            },
        )
        .await
        .map(drop)
    }

    /// Sends a host the timeouts of a row that is newer than the host's manifest, and with them the row's generation.
    pub(crate) async fn send_timeouts(&self, sandbox: &Sandbox) -> Result<(), SandboxError> {
        let (from, report) = self.order_timeouts(sandbox).await?;
        self.apply_report(from, &report).await.map(drop)
    }

    /// As [`Self::send_timeouts`], without a change of the row.
    pub(crate) async fn order_timeouts(
        &self,
        sandbox: &Sandbox,
    ) -> Result<(HostId, SandboxReport), SandboxError> {
        let host = self.host_of(sandbox).await?;
        let update = UpdateSandbox {
            order: self.order(sandbox).await?,
            timeouts: sandbox.timeouts,
        };
        Ok((host.id, host.agent.update_sandbox(update).await?))
    }

    /// Succeeds if the host destroyed the sandbox or does not know it; every other answer of the host is an error (B-162).
    pub(crate) async fn destroy_on_host(&self, sandbox: &Sandbox) -> Result<(), SandboxError> {
        if sandbox.host.is_none() {
            return Ok(());
        }
        let host = self.host_of(sandbox).await?;
        let order = self.order(sandbox).await?;
        match host.agent.destroy_sandbox(order).await {
            Ok(()) | Err(AgentError::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// An order of the row's generation. Each order draws a number from the write counter and carries it as its write mark.
    async fn order(&self, sandbox: &Sandbox) -> Result<Order, SandboxError> {
        let mut conn = self.core.connection().await?;
        let written = cluster::next_write(&mut conn).await?;
        Ok(Order {
            sandbox: sandbox.id,
            generation: sandbox.generation,
            write_mark: Some(mark(written)),
        })
    }

    /// Orders the host to create the sandbox. After a crash of this process the order may have been sent already: it is sent again,
    /// and the host gives the second order the answer of the first.
    async fn create_on_host(&self, sandbox: &Sandbox) -> Result<Option<Sandbox>, SandboxError> {
        let host = self.host_of(sandbox).await?;
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
            Err(error) => {
                self.create_failed(row.id, error.into()).await?;
                return Ok(None);
            }
        };
        reached("serve.create", "the host has carried out the order");
        let row = self.apply_report(host.id, &report).await?;
        reached("serve.create", "the row is updated");
        Ok(row)
    }

    /// Writes that a create failed, so that the sandbox does not stay `starting` (W-008).
    async fn create_failed(&self, id: SandboxId, error: SandboxError) -> Result<(), SandboxError> {
        // If only the host's answer was lost, the sandbox may run there.
        self.refresh_from_host(id).await?;
        let failed = SandboxEvent::Fail(ErrorReason::CreateFailed);
        // The order may still be on its way to the host: the sweep orders the host to destroy the sandbox until it confirms.
        let sandbox = self
            .apply_event(id, failed, |row| row.cleanup_pending = true)
            .await?;
        if sandbox.state == SandboxState::Running {
            return Ok(());
        }
        Err(error)
    }
}
