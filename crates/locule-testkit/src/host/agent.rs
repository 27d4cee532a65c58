//! The calls of the simulated host, with their planned faults.

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use locule_agent_api::{
    AgentError, HostAgent, HostInfo, Order, ResumeSandbox, SandboxActivity, SandboxRecord,
    SandboxReport, SandboxSpec, UpdateSandbox, WatchEvent, WatchStream, WriteMark, inventory_hash,
};
use locule_ids::SandboxId;

use super::SimHost;
use super::orders::Request;
use crate::online_host::with_minimal;
use crate::plan::{Call, Fault};
use crate::reports::host_info;

impl SimHost {
    /// Applies the planned fault of a call before the call is carried out. Returns what happens to the answer or the order.
    async fn enter(&self, call: Call) -> Result<Option<Fault>, AgentError> {
        self.reachable()?;
        let fault = self.state().plan.next(call);
        match fault {
            Some(Fault::Refuse(error)) => Err(error),
            Some(Fault::Delay(gate)) => {
                gate.pass().await;
                self.reachable()?;
                Ok(None)
            }
            other @ (Some(Fault::LoseAnswer | Fault::Late | Fault::DelayAnswer(_)) | None) => {
                Ok(other)
            }
        }
    }

    fn reachable(&self) -> Result<(), AgentError> {
        if self.state().away {
            return Err(AgentError::Unavailable(
                "the host is out of reach".to_owned(),
            ));
        }
        Ok(())
    }

    async fn order(&self, request: Request) -> Result<Option<SandboxReport>, AgentError> {
        let call = request.call();
        self.state().asked.push((call, request.sandbox()));
        if let Some(mark) = request.write_mark() {
            self.record_mark(mark);
        }
        match self.enter(call).await? {
            None | Some(Fault::Refuse(_) | Fault::Delay(_)) => self.carry_out(request),
            Some(Fault::DelayAnswer(gate)) => {
                let answer = self.carry_out(request);
                gate.pass().await;
                answer
            }
            Some(Fault::LoseAnswer) => {
                // The caller does not learn whether the order was carried out or refused.
                let _ = self.carry_out(request);
                Err(AgentError::DeadlineExceeded)
            }
            Some(Fault::Late) => {
                self.state().late.push(request);
                Err(AgentError::DeadlineExceeded)
            }
        }
    }

    async fn report_of(&self, request: Request) -> Result<SandboxReport, AgentError> {
        let report = self.order(request).await?;
        report.ok_or_else(|| AgentError::Internal("an order without a report".to_owned()))
    }

    /// The report of one sandbox, held or ended.
    fn reported(&self, sandbox: SandboxId) -> Option<SandboxReport> {
        let state = self.state();
        let held = state.held.get(&sandbox);
        held.or_else(|| state.tombstones.get(&sandbox)).cloned()
    }

    /// What the control plane keeps of a heartbeat of the host.
    pub fn heartbeat(&self) -> serde_json::Value {
        let mut report = with_minimal();
        report["inventory_hash"] = inventory_hash(&self.everything()).into();
        report
    }

    /// The held and the ended sandboxes, as a real host lists them.
    fn everything(&self) -> Vec<SandboxReport> {
        let state = self.state();
        let all = state.held.values().chain(state.tombstones.values());
        all.cloned().collect()
    }
}

#[async_trait]
impl HostAgent for SimHost {
    async fn host(&self) -> Result<HostInfo, AgentError> {
        self.enter(Call::Host).await?;
        Ok(HostInfo {
            write_mark: self.state().write_mark.clone(),
            ..host_info()
        })
    }

    async fn create_sandbox(&self, spec: SandboxSpec) -> Result<SandboxReport, AgentError> {
        self.report_of(Request::Create(Box::new(spec))).await
    }

    async fn destroy_sandbox(&self, order: Order) -> Result<(), AgentError> {
        self.order(Request::Destroy(order)).await.map(drop)
    }

    async fn pause_sandbox(&self, order: Order) -> Result<SandboxReport, AgentError> {
        self.report_of(Request::Pause(order)).await
    }

    async fn resume_sandbox(&self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        self.report_of(Request::Resume(resume)).await
    }

    async fn update_sandbox(&self, update: UpdateSandbox) -> Result<SandboxReport, AgentError> {
        self.report_of(Request::Update(update)).await
    }

    async fn ping_sandbox(&self, sandbox: SandboxId) -> Result<(), AgentError> {
        self.order(Request::Ping(sandbox)).await.map(drop)
    }

    async fn get_sandbox(&self, sandbox: SandboxId) -> Result<SandboxReport, AgentError> {
        let answer = || self.reported(sandbox).ok_or(AgentError::NotFound);
        match self.enter(Call::Get).await? {
            None => answer(),
            Some(Fault::DelayAnswer(gate)) => {
                let answer = answer();
                gate.pass().await;
                answer
            }
            Some(_) => Err(AgentError::DeadlineExceeded),
        }
    }

    async fn sandbox_record(&self, sandbox: SandboxId) -> Result<SandboxRecord, AgentError> {
        self.enter(Call::Record).await?;
        let state = self.state();
        let report = state.held.get(&sandbox).ok_or(AgentError::NotFound)?;
        let spec = state.specs.get(&sandbox);
        Ok(crate::reports::record(report.clone(), spec))
    }

    async fn activity(&self, sandbox: SandboxId) -> Result<SandboxActivity, AgentError> {
        self.enter(Call::Activity).await?;
        let state = self.state();
        let report = state.held.get(&sandbox).ok_or(AgentError::NotFound)?;
        let held_by = state.held_by.get(&sandbox).cloned().unwrap_or_default();
        let last = report.last_active_at.unwrap_or(report.created_at);
        let is_idle = held_by.is_empty();
        Ok(SandboxActivity {
            last_active_at: if is_idle { last } else { self.clock.now() },
            held_by,
        })
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError> {
        self.state().lists += 1;
        match self.enter(Call::List).await? {
            None => Ok(self.everything()),
            Some(Fault::DelayAnswer(gate)) => {
                let answer = self.everything();
                gate.pass().await;
                Ok(answer)
            }
            Some(_) => Err(AgentError::DeadlineExceeded),
        }
    }

    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError> {
        self.enter(Call::Watch).await?;
        let news = self.reports().subscribe();
        let told = |(seq, report)| Ok(WatchEvent::Report { seq, report });
        let first = self.everything().into_iter().map(move |all| told((0, all)));
        let first = stream::iter(first.collect::<Vec<_>>());
        let complete = stream::once(async { Ok(WatchEvent::Complete) });
        let later = stream::unfold((news, 1_u64), move |(mut news, seq)| async move {
            // The watcher is too slow, or the host is unreachable: the watch ends.
            let report = news.recv().await.ok()?;
            Some((told((seq, report)), (news, seq + 1)))
        });
        Ok(first.chain(complete).chain(later).boxed())
    }

    async fn terminate(&self, orders: Vec<Order>) -> Result<(), AgentError> {
        if let Some(mark) = orders.last().and_then(|order| order.write_mark.clone()) {
            self.record_mark(mark);
        }
        match self.enter(Call::Terminate).await? {
            None | Some(Fault::Refuse(_) | Fault::Delay(_)) => self.leave(orders),
            Some(Fault::DelayAnswer(gate)) => {
                let answer = self.leave(orders);
                gate.pass().await;
                answer
            }
            Some(Fault::LoseAnswer) => {
                // The caller does not learn whether the host left.
                let _ = self.leave(orders);
                Err(AgentError::DeadlineExceeded)
            }
            Some(Fault::Late) => {
                let mut state = self.state();
                state.late.extend(orders.into_iter().map(Request::Destroy));
                Err(AgentError::DeadlineExceeded)
            }
        }
    }

    async fn accept_database(&self, at: WriteMark) -> Result<(), AgentError> {
        self.reachable()?;
        self.state().write_mark = Some(at);
        Ok(())
    }
}
