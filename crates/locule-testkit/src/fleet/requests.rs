//! What clients, operators and the clock ask a process of the control plane to do.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use locule_control::{Caller, ControlPlane, Drain, NewSandbox, Person};
use locule_domain::{Desired, OnTimeout, SandboxUpdate};
use locule_ids::{HostId, SandboxId};

/// The sandbox that was created, if any; the text of the error.
pub(super) type Answer = Result<Option<SandboxId>, String>;

/// A request of a client about one sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Pause,
    Resume,
    Destroy,
    SetTimeout(u32),
    IdleTimeout(u32),
    Ping,
}

/// Work of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Create {
        team: usize,
        memory_mib: u32,
        expires_in: Option<u64>,
        on_timeout: OnTimeout,
    },
    Act {
        team: usize,
        act: Act,
        sandbox: SandboxId,
    },
    Cordon(HostId, bool),
    Drain(HostId, Drain),
    Delete(HostId),
    Sweep,
    Monitor,
    Jobs,
}

impl Request {
    pub(super) const fn team(&self) -> usize {
        match self {
            Self::Create { team, .. } | Self::Act { team, .. } => *team,
            Self::Cordon(..)
            | Self::Drain(..)
            | Self::Delete(_)
            | Self::Sweep
            | Self::Monitor
            | Self::Jobs => 0,
        }
    }

    /// The sandbox that the request is about.
    pub(super) const fn sandbox(&self) -> Option<SandboxId> {
        match self {
            Self::Act { sandbox, .. } => Some(*sandbox),
            Self::Create { .. }
            | Self::Cordon(..)
            | Self::Drain(..)
            | Self::Delete(_)
            | Self::Sweep
            | Self::Monitor
            | Self::Jobs => None,
        }
    }

    /// The state that an acknowledgement of the request promises.
    pub(super) const fn promises(&self) -> Option<Desired> {
        match self {
            Self::Create { .. } => Some(Desired::Running),
            Self::Act { act, .. } => match act {
                Act::Pause => Some(Desired::Paused),
                Act::Resume | Act::SetTimeout(_) | Act::Ping => Some(Desired::Running),
                Act::Destroy => Some(Desired::Gone),
                Act::IdleTimeout(_) => None,
            },
            Self::Cordon(..)
            | Self::Drain(..)
            | Self::Delete(_)
            | Self::Sweep
            | Self::Monitor
            | Self::Jobs => None,
        }
    }

    /// Carries the request out in a process.
    pub(super) fn run(
        self,
        control: ControlPlane,
        caller: Caller,
        admin: Person,
    ) -> BoxFuture<'static, Answer> {
        async move {
            match self {
                Self::Create {
                    memory_mib,
                    expires_in,
                    on_timeout,
                    ..
                } => {
                    let new = NewSandbox {
                        template: "minimal".to_owned(),
                        memory_mib: Some(memory_mib),
                        expires_in: expires_in.map(Duration::from_secs),
                        on_timeout,
                        ..NewSandbox::default()
                    };
                    let created = control.sandboxes.create_sandbox(&caller, new).await;
                    created
                        .map(|row| Some(row.id))
                        .map_err(|error| locule_base::errors::chain(&error))
                }
                Self::Act { act, sandbox, .. } => act.run(&control, &caller, sandbox).await,
                Self::Cordon(host, cordoned) => {
                    let done = control.hosts.cordon_host(&admin, host, cordoned).await;
                    done.map(|_| None)
                        .map_err(|error| locule_base::errors::chain(&error))
                }
                Self::Drain(host, drain) => {
                    let done = control.hosts.drain_host(&admin, host, drain).await;
                    done.map(|_| None)
                        .map_err(|error| locule_base::errors::chain(&error))
                }
                Self::Delete(host) => {
                    let done = control.hosts.delete_host(&admin, host, true).await;
                    done.map(|()| None)
                        .map_err(|error| locule_base::errors::chain(&error))
                }
                Self::Sweep => {
                    let done = control.sweep().await;
                    done.map(|_| None)
                        .map_err(|error| locule_base::errors::chain(&error))
                }
                Self::Monitor => {
                    let done = control.monitor_hosts().await;
                    done.map(|_| None)
                        .map_err(|error| locule_base::errors::chain(&error))
                }
                Self::Jobs => {
                    let done = control.run_due_jobs().await;
                    done.map(|()| None).map_err(|error| format!("{error:#}"))
                }
            }
        }
        .boxed()
    }
}

impl Act {
    async fn run(self, control: &ControlPlane, caller: &Caller, id: SandboxId) -> Answer {
        let sandboxes = &control.sandboxes;
        let done = match self {
            Self::Pause => sandboxes.pause_sandbox(caller, id).await.map(drop),
            Self::Resume => sandboxes.resume_sandbox(caller, id).await.map(drop),
            Self::Destroy => sandboxes.destroy_sandbox(caller, id).await,
            Self::SetTimeout(seconds) => {
                let set = sandboxes.set_timeout(caller, id, seconds).await;
                set.map(drop)
            }
            Self::IdleTimeout(seconds) => {
                let update = SandboxUpdate {
                    timeout_sec: Some(seconds),
                    ..SandboxUpdate::default()
                };
                let updated = sandboxes.update_sandbox(caller, id, &update).await;
                updated.map(drop)
            }
            Self::Ping => sandboxes.ping_sandbox(caller, id).await,
        };
        done.map(|()| None)
            .map_err(|error| locule_base::errors::chain(&error))
    }
}
