//! Pauses for a reason of the host: of one sandbox, or of all.

use futures::stream::{self, StreamExt as _};
use locule_agent_api::{AgentError, ReportedState, SandboxReport};
use locule_domain::PauseReason;
use locule_ids::SandboxId;

use super::Registry;
use crate::driver::{Command, Reply};

/// Sandboxes that are paused at the same time when all are paused.
const PAUSED_TOGETHER: usize = 4;

impl Registry {
    /// Pauses a sandbox, if it runs.
    pub(crate) async fn pause_for(
        &self,
        sandbox: SandboxId,
        reason: PauseReason,
    ) -> Result<SandboxReport, AgentError> {
        self.ask(sandbox, |reply| Command::PauseFor { reason, reply })
            .await
    }

    /// Pauses every running sandbox, until `enough`. Returns the sandboxes that are not paused. A sandbox that cannot be paused runs
    /// on, and the others are paused all the same (B-123).
    pub(crate) async fn pause_all_for(
        &self,
        reason: PauseReason,
        enough: impl Future<Output = ()>,
    ) -> Vec<SandboxId> {
        let (running, _) = self.states();
        let command = move |reply| Command::PauseFor { reason, reply };
        self.pause_all(running, command, enough).await
    }

    /// Pauses every running sandbox and ends all drivers, until `enough`. Returns the sandboxes that are not paused.
    pub(crate) async fn pause_all_for_shutdown(
        &self,
        enough: impl Future<Output = ()>,
    ) -> Vec<SandboxId> {
        let (running, others) = self.states();
        let all = running.into_iter().chain(others).collect();
        let command = |reply| Command::PauseForShutdown { reply };
        self.pause_all(all, command, enough).await
    }

    async fn pause_all(
        &self,
        sandboxes: Vec<SandboxId>,
        command: impl Fn(Reply<SandboxReport>) -> Command + Copy,
        enough: impl Future<Output = ()>,
    ) -> Vec<SandboxId> {
        let paused = stream::iter(sandboxes).map(|sandbox| async move {
            let result = self.ask(sandbox, command).await;
            match &result {
                Ok(report) => {
                    let reason = report.reason.as_deref();
                    tracing::info!(sandbox.id = %sandbox, state = ?report.state, reason, "the agent pauses all sandboxes: a sandbox is done");
                }
                Err(error) => {
                    tracing::error!(sandbox.id = %sandbox, %error, "the agent pauses all sandboxes: a sandbox cannot be paused");
                }
            }
            // A sandbox that ended in the meantime needs no pause.
            result
                .err()
                .filter(|error| *error != AgentError::NotFound)
                .map(|_| sandbox)
        });
        let failed = paused
            .buffer_unordered(PAUSED_TOGETHER)
            .filter_map(std::future::ready)
            .collect();
        tokio::select! {
            failed = failed => failed,
            () = enough => self.states().0,
        }
    }

    /// The sandboxes that run or are being created, those that are being paused included; and the others.
    fn states(&self) -> (Vec<SandboxId>, Vec<SandboxId>) {
        let sandboxes = self.sandboxes();
        let open = sandboxes
            .iter()
            .filter(|(_, handle)| !handle.inbox.is_closed());
        let is_running = |report: Option<SandboxReport>| {
            report.is_none_or(|report| report.state == ReportedState::Running)
        };
        let (running, others): (Vec<_>, Vec<_>) =
            open.partition(|(_, handle)| is_running(handle.report()));
        let ids = |handles: Vec<(&SandboxId, _)>| handles.into_iter().map(|(id, _)| *id).collect();
        (ids(running), ids(others))
    }
}
