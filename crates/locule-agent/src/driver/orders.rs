//! Carries out what the [policy](super::policy) decides about an order.

use std::time::Duration;

use locule_agent_api::{AgentError, ResumeSandbox, SandboxReport, UpdateSandbox};
use locule_base::errors::chain;
use locule_domain::PauseReason;

use super::policy::{Decision, OrderKind, OrderPolicy, State};
use super::{Command, Driver, Next};
use crate::error::HostError;
use crate::lifecycle;
use crate::manifest::ManifestState;

/// Requests in progress when a pause begins may take this long to end.
const DRAIN: Duration = Duration::from_secs(2);

impl Driver {
    pub(super) async fn handle(&mut self, command: Command) -> Next {
        match command {
            Command::Report { reply } => {
                let _ = reply.send(self.report());
                Next::Continue
            }
            Command::Record { reply } => {
                let _ = reply.send(Ok(self.manifest.record(self.report())));
                Next::Continue
            }
            Command::Pause { generation, reply } => {
                let done = self.order_pause(generation).await;
                let _ = reply.send(done);
                Next::Continue
            }
            Command::Resume { resume, reply } => {
                let done = self.order_resume(resume).await;
                let _ = reply.send(done);
                Next::Continue
            }
            Command::Update { update, reply } => {
                let done = self.order_update(&update).await;
                let _ = reply.send(done);
                Next::Continue
            }
            Command::Destroy { generation, reply } => {
                let done = self.order_destroy(generation).await;
                let next = Next::exit_if(done.is_ok());
                let _ = reply.send(done);
                next
            }
            Command::PauseFor { reason, reply } => {
                let _ = reply.send(self.pause_because(reason).await);
                Next::Continue
            }
            Command::PauseForShutdown { reply } => {
                let done = self.pause_because(PauseReason::HostStopping).await;
                let next = Next::exit_if(done.is_ok());
                let _ = reply.send(done);
                next
            }
        }
    }

    fn decide(&mut self, order: OrderKind, generation: i64) -> Result<Decision, AgentError> {
        let policy = OrderPolicy {
            state: match self.manifest.state {
                ManifestState::Creating | ManifestState::Running { .. } => State::Running,
                ManifestState::Resuming { .. } | ManifestState::Paused { .. } => State::Paused,
                ManifestState::Stopped => State::Destroyed,
            },
            carried_out: self.manifest.generation,
            tried: self.tried,
        };
        match policy.decide(order, generation) {
            Decision::Refuse { newest } => Err(AgentError::FailedPrecondition(format!(
                "the order is stale: generation {generation}, the sandbox is at {newest}"
            ))),
            Decision::NotFound => Err(AgentError::NotFound),
            decision @ (Decision::AnswerAgain
            | Decision::Pause
            | Decision::Resume
            | Decision::Destroy
            | Decision::Record) => {
                self.tried = policy.tried_with(order, generation);
                Ok(decision)
            }
        }
    }

    /// Acknowledged only when the tombstone is written; else the sandbox continues as before.
    async fn order_destroy(&mut self, generation: i64) -> Result<(), AgentError> {
        self.decide(OrderKind::Destroy, generation)?;
        let before = std::mem::replace(&mut self.manifest.generation, generation);
        let ended = self.end("destroyed").await;
        if ended.is_err() {
            self.manifest.generation = before;
        }
        Ok(ended?)
    }

    async fn order_pause(&mut self, generation: i64) -> Result<SandboxReport, AgentError> {
        let decision = self.decide(OrderKind::Pause, generation)?;
        if decision == Decision::AnswerAgain {
            return Ok(self.report());
        }
        let before = std::mem::replace(&mut self.manifest.generation, generation);
        let done = if decision == Decision::Pause {
            self.pause(None).await
        } else {
            self.record().await
        };
        if let Err(error) = done {
            self.manifest.generation = before;
            return Err(error.into());
        }
        Ok(self.report())
    }

    async fn order_resume(&mut self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        let decision = self.decide(OrderKind::Resume, resume.order.generation)?;
        if decision == Decision::AnswerAgain {
            return Ok(self.report());
        }
        let before = self.manifest.clone();
        self.manifest.generation = resume.order.generation;
        self.manifest.timeouts = resume.timeouts;
        let done = match self.snapshot() {
            Some(snapshot) if decision == Decision::Resume => {
                self.manifest.access_token = resume.access_token;
                self.resume(snapshot).await
            }
            _ => self.record().await,
        };
        if let Err(error) = done {
            // The snapshot is untouched: the sandbox is paused as before.
            self.manifest = before;
            tracing::error!(sandbox.id = %self.manifest.sandbox, error = chain(&error), "a sandbox cannot be resumed; it stays paused");
            return Err(error.into());
        }
        Ok(self.report())
    }

    async fn order_update(&mut self, update: &UpdateSandbox) -> Result<SandboxReport, AgentError> {
        if self.decide(OrderKind::Update, update.order.generation)? == Decision::AnswerAgain {
            return Ok(self.report());
        }
        let before = self.manifest.clone();
        self.manifest.generation = update.order.generation;
        self.manifest.timeouts = update.timeouts;
        if let Err(error) = self.record().await {
            self.manifest = before;
            return Err(error.into());
        }
        self.activity.touch();
        Ok(self.report())
    }

    /// Commits the manifest as it is now.
    async fn record(&mut self) -> Result<(), HostError> {
        self.host.ledger.commit(&self.manifest).await?;
        self.publish();
        Ok(())
    }

    async fn pause_because(&mut self, reason: PauseReason) -> Result<SandboxReport, AgentError> {
        self.pause(Some(reason.to_string())).await?;
        Ok(self.report())
    }

    /// Pauses the running VM. On failure the VM continues, and the report has the failure.
    pub(super) async fn pause(&mut self, reason: Option<String>) -> Result<(), HostError> {
        self.stop_defragmenting().await;
        self.activity.drain(DRAIN).await;
        let Some(vm) = self.take_vm() else {
            self.activity.set_paused();
            return Ok(());
        };
        let host = self.host.clone();
        let result = match lifecycle::pause(&host, &mut self.manifest, vm, reason).await {
            Ok(()) => Ok(()),
            Err((vm, error)) => {
                let failure = if error.is_full() {
                    "the last pause failed: the host's disk pool is full; the sandbox continues to run"
                } else {
                    "the last pause failed; the sandbox continues to run"
                };
                self.manifest.last_error = Some(failure.to_owned());
                self.set_vm(Some(vm));
                Err(error)
            }
        };
        // Requests that wait for the outcome continue after it is reported.
        self.publish();
        match result {
            Ok(()) => self.activity.set_paused(),
            Err(_) => self.activity.admit(),
        }
        result
    }

    async fn resume(&mut self, snapshot: u32) -> Result<(), HostError> {
        let host = self.host.clone();
        host.require_disk_space()?;
        let promise = self.vm_source.promise(self.manifest.memory_mib).await?;
        let slot = host.slots.take().ok_or(HostError::NoSlot)?;
        self.defragmentation.cancel();
        let vm = lifecycle::resume(&host, &mut self.manifest, snapshot, promise, slot).await?;
        self.set_vm(Some(vm));
        self.activity.admit();
        self.publish();
        Ok(())
    }

    fn snapshot(&self) -> Option<u32> {
        match self.manifest.state {
            ManifestState::Paused { snapshot } | ManifestState::Resuming { snapshot, .. } => {
                Some(snapshot)
            }
            ManifestState::Creating | ManifestState::Running { .. } | ManifestState::Stopped => {
                None
            }
        }
    }
}
