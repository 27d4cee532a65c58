//! How the rest of the agent reaches a sandbox: messages in, the last report and the running VM out.

use std::sync::Arc;

use locule_agent_api::{AgentError, ResumeSandbox, SandboxRecord, SandboxReport, UpdateSandbox};
use locule_domain::PauseReason;
use locule_net::SandboxNet;
use tokio::sync::{mpsc, oneshot, watch};

use crate::activity::Activity;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, AgentError>>;

/// What a driver can be asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Pause {
        generation: i64,
        reply: Reply<SandboxReport>,
    },
    Resume {
        resume: ResumeSandbox,
        reply: Reply<SandboxReport>,
    },
    Update {
        update: UpdateSandbox,
        reply: Reply<SandboxReport>,
    },
    Destroy {
        generation: i64,
        reply: Reply<()>,
    },
    /// Answered after the orders before it.
    Report {
        reply: oneshot::Sender<SandboxReport>,
    },
    Record {
        reply: Reply<SandboxRecord>,
    },
    /// Pause for a reason of the host, if the sandbox runs.
    PauseFor {
        reason: PauseReason,
        reply: Reply<SandboxReport>,
    },
    /// The host stops: pause if the sandbox runs, then exit.
    PauseForShutdown {
        reply: Reply<SandboxReport>,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) inbox: mpsc::Sender<Command>,
    pub(crate) activity: Arc<Activity>,
    pub(super) running: watch::Receiver<Option<RunningVm>>,
    /// As of the last completed order or event. `None`: the create is in progress.
    pub(super) report: watch::Receiver<Option<SandboxReport>>,
}

/// What others may know of the VM of a running sandbox.
#[derive(Clone)]
pub(super) struct RunningVm {
    pub(super) net: Arc<SandboxNet>,
    /// What the guest agent demands of the host.
    pub(super) control_key: Arc<str>,
    pub(super) vmm_pid: u32,
}

impl std::fmt::Debug for RunningVm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningVm")
            .field("net", &self.net)
            .field("vmm_pid", &self.vmm_pid)
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// The last report. Does not wait for an order in progress.
    pub(crate) fn report(&self) -> Option<SandboxReport> {
        let report = self.report.borrow().clone()?;
        Some(SandboxReport {
            last_active_at: Some(self.activity.last()),
            ..report
        })
    }

    /// Whether the sandbox has a VM now.
    pub(crate) fn is_running(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// The network of the guest and the guest agent's control key, while the sandbox runs.
    pub(crate) fn guest(&self) -> Option<(Arc<SandboxNet>, Arc<str>)> {
        let running = self.running.borrow();
        let vm = running.as_ref()?;
        Some((vm.net.clone(), vm.control_key.clone()))
    }

    /// The VMM's process while the sandbox runs.
    pub(crate) fn vmm_pid(&self) -> Option<u32> {
        self.running.borrow().as_ref().map(|vm| vm.vmm_pid)
    }
}
