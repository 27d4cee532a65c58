//! The RPC of the agent: each call of the control plane, carried out by the registry.

use async_trait::async_trait;
use futures::stream::{self, StreamExt as _};
use locule_agent_api::{
    AgentError, HostAgent, HostInfo, Order, PROTOCOL_VERSION, ResumeSandbox, SandboxActivity,
    SandboxRecord, SandboxReport, SandboxSpec, UpdateSandbox, WatchEvent, WatchStream, WriteMark,
};
use locule_ids::SandboxId;
use locule_vmm::Shape;
use tokio::sync::{broadcast, oneshot};

use crate::config::{machine_cores, machine_mib};
use crate::driver::Command;
use crate::pressure::used_bytes;
use crate::registry::Registry;

impl Registry {
    fn record_mark(&self, order: &Order) {
        if let Some(mark) = &order.write_mark {
            self.write_marks.record(mark.clone());
        }
    }
}

#[async_trait]
impl HostAgent for Registry {
    async fn host(&self) -> Result<HostInfo, AgentError> {
        let host = &self.shared.host;
        Ok(HostInfo {
            protocol: PROTOCOL_VERSION,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            accelerator: host.accelerator.kind.to_string(),
            accelerator_reason: host.accelerator.reason.clone().unwrap_or_default(),
            vmm: host.vmm.identity().to_string(),
            cpu_cores: machine_cores(),
            memory_mib: machine_mib(),
            pool_free_bytes: host.pool.free_bytes().unwrap_or(0),
            templates: host
                .bundle
                .templates()
                .map(|(name, _)| name.to_owned())
                .collect(),
            warm: self.shared.vm_source.warm_pool.levels(),
            memory_used_bytes: used_bytes(self),
            memory_limit_bytes: host.config.limits.memory_limit_mib << 20,
            ready: self.is_ready(),
            write_mark: self.write_marks.latest(),
        })
    }

    async fn create_sandbox(&self, spec: SandboxSpec) -> Result<SandboxReport, AgentError> {
        self.record_mark(&spec.order);
        self.check_ready()?;
        let limits = &self.shared.host.config.limits;
        let shape = Shape {
            vcpus: spec.vcpus,
            memory_mib: spec.memory_mib,
        };
        if !limits.allow(shape) {
            return Err(AgentError::InvalidArgument(
                "the size is outside this host's limits".to_owned(),
            ));
        }
        loop {
            if let Some(answer) = self.create(spec.clone()) {
                return answer.await.unwrap_or_else(|_| {
                    Err(AgentError::Internal("the sandbox's task ended".to_owned()))
                });
            }
            let Some(handle) = self.handle(spec.order.sandbox) else {
                continue;
            };
            let (reply, answer) = oneshot::channel();
            let _ = handle.inbox.send(Command::Report { reply }).await;
            return match answer.await {
                // The same order again gets the first answer again.
                Ok(report) if report.generation == spec.order.generation => Ok(report),
                Ok(_) => Err(AgentError::AlreadyExists("the sandbox exists".to_owned())),
                // The driver exited in the meantime: the id is free, or has a tombstone.
                Err(_) => continue,
            };
        }
    }

    async fn destroy_sandbox(&self, order: Order) -> Result<(), AgentError> {
        self.record_mark(&order);
        let destroy = || {
            self.ask(order.sandbox, |reply| Command::Destroy {
                generation: order.generation,
                reply,
            })
        };
        match destroy().await {
            Err(AgentError::NotFound) => {
                self.write_tombstone_of_unknown(&order).await?;
                // The create order may have arrived in between.
                destroy().await
            }
            other => other,
        }
    }

    async fn pause_sandbox(&self, order: Order) -> Result<SandboxReport, AgentError> {
        self.record_mark(&order);
        self.ask(order.sandbox, |reply| Command::Pause {
            generation: order.generation,
            reply,
        })
        .await
    }

    async fn resume_sandbox(&self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        self.record_mark(&resume.order);
        self.ask(resume.order.sandbox, |reply| Command::Resume {
            resume,
            reply,
        })
        .await
    }

    async fn update_sandbox(&self, update: UpdateSandbox) -> Result<SandboxReport, AgentError> {
        self.record_mark(&update.order);
        self.ask(update.order.sandbox, |reply| Command::Update {
            update,
            reply,
        })
        .await
    }

    async fn ping_sandbox(&self, sandbox: SandboxId) -> Result<(), AgentError> {
        let handle = self.handle(sandbox).ok_or_else(|| self.absent())?;
        if !handle.is_running() {
            return Err(AgentError::FailedPrecondition(
                "the sandbox is not running".to_owned(),
            ));
        }
        handle.activity.touch();
        Ok(())
    }

    async fn get_sandbox(&self, sandbox: SandboxId) -> Result<SandboxReport, AgentError> {
        self.report_of(sandbox).ok_or_else(|| self.absent())
    }

    async fn sandbox_record(&self, sandbox: SandboxId) -> Result<SandboxRecord, AgentError> {
        self.ask(sandbox, |reply| Command::Record { reply }).await
    }

    async fn activity(&self, sandbox: SandboxId) -> Result<SandboxActivity, AgentError> {
        let handle = self.handle(sandbox).ok_or_else(|| self.absent())?;
        Ok(handle.activity.report())
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError> {
        self.reports().await
    }

    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError> {
        // Subscribed before the list is made: a change in between is reported twice rather than never.
        let changes = self.shared.events.subscribe();
        let all = self.reports().await?;
        let first = stream::iter(
            all.into_iter()
                .map(|report| Ok(WatchEvent::Report { seq: 0, report })),
        )
        .chain(stream::once(async { Ok(WatchEvent::Complete) }));
        let later = stream::unfold((changes, 1_u64), |(mut changes, seq)| async move {
            match changes.recv().await {
                Ok(report) => Some((Ok(WatchEvent::Report { seq, report }), (changes, seq + 1))),
                // The watcher is too slow, and starts over with the full list.
                Err(
                    broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed,
                ) => None,
            }
        });
        Ok(Box::pin(first.chain(later)))
    }

    async fn terminate(&self, orders: Vec<Order>) -> Result<(), AgentError> {
        self.check_ready()?;
        tracing::warn!(
            orders = orders.len(),
            "the control plane deleted this host, and orders that sandboxes be destroyed"
        );
        let mut failed = None;
        for order in orders {
            match self.destroy_sandbox(order).await {
                Ok(()) | Err(AgentError::NotFound) => {}
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        self.leave();
        Ok(())
    }

    async fn accept_database(&self, at: WriteMark) -> Result<(), AgentError> {
        tracing::warn!(mark = %at, before = ?self.write_marks.latest(), "an operator accepts the database of the control plane as it is");
        Ok(self.write_marks.accept(at).await?)
    }
}
