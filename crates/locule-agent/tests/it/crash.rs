//! The agent is killed at every step of every operation and started again. No acknowledged result may be lost.
//!
//! Two witness sandboxes, one running and one paused, exist throughout. The stub VMM checks at the end that their memory and
//! disks have the expected content.

use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};

use crate::process::HostProcess;
use crate::rig::{order, pooled_spec, resume};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    /// A create that takes a VM from the warm pool.
    Claim,
    Pause,
    Resume,
    Destroy,
}

impl Operation {
    const ALL: &[Self] = &[Self::Create, Self::Pause, Self::Resume, Self::Destroy];

    fn group(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Claim => "claim",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Destroy => "destroy",
        }
    }

    /// Brings a new sandbox into the state that the operation starts from. Returns the generation of the operation.
    async fn prepare(self, host: &HostProcess, desired: &SandboxSpec) -> i64 {
        match self {
            Self::Create => return desired.order.generation,
            Self::Claim => {
                host.wait_for_warm_pool().await;
                return desired.order.generation;
            }
            Self::Pause | Self::Resume | Self::Destroy => {}
        }
        host.client().create_sandbox(desired.clone()).await.unwrap();
        if self == Self::Resume {
            host.client()
                .pause_sandbox(order(desired, 2))
                .await
                .unwrap();
        }
        3
    }

    async fn run(
        self,
        host: &HostProcess,
        desired: &SandboxSpec,
        generation: i64,
    ) -> Result<(), AgentError> {
        let client = host.client();
        let order = order(desired, generation);
        match self {
            Self::Create | Self::Claim => client.create_sandbox(desired.clone()).await.map(drop),
            Self::Pause => client.pause_sandbox(order).await.map(drop),
            Self::Resume => client
                .resume_sandbox(resume(desired, generation))
                .await
                .map(drop),
            Self::Destroy => client.destroy_sandbox(order).await,
        }
    }

    /// The allowed states after a crash in the operation: the state before it or the state after it. `None`: no sandbox.
    fn outcomes(self) -> &'static [Option<ReportedState>] {
        match self {
            Self::Create | Self::Claim => &[None, Some(ReportedState::Running)],
            Self::Pause => &[Some(ReportedState::Running), Some(ReportedState::Paused)],
            Self::Resume => &[Some(ReportedState::Paused), Some(ReportedState::Running)],
            Self::Destroy => &[Some(ReportedState::Running), Some(ReportedState::Stopped)],
        }
    }

    /// The state after the order was repeated.
    fn done(self) -> ReportedState {
        match self {
            Self::Create | Self::Claim | Self::Resume => ReportedState::Running,
            Self::Pause => ReportedState::Paused,
            Self::Destroy => ReportedState::Stopped,
        }
    }
}

/// Sandboxes that no crash may affect.
struct Witnesses {
    running: SandboxSpec,
    paused: SandboxSpec,
    ticks: u64,
}

impl Witnesses {
    async fn new(host: &HostProcess) -> Self {
        let (running, paused) = (pooled_spec(), pooled_spec());
        for desired in [&running, &paused] {
            host.client().create_sandbox(desired.clone()).await.unwrap();
        }
        let ticks = host.ticks(running.order.sandbox).await;
        host.client()
            .pause_sandbox(order(&paused, 2))
            .await
            .unwrap();
        Self {
            running,
            paused,
            ticks,
        }
    }

    async fn check(&mut self, host: &HostProcess) {
        let ticks = host.ticks(self.running.order.sandbox).await;
        assert!(ticks >= self.ticks, "the running witness lost ticks");
        self.ticks = ticks;
        let paused = host.report(self.paused.order.sandbox).await.unwrap();
        assert_eq!(paused.state, ReportedState::Paused);
    }

    /// Checks both witnesses, and that nothing is left on the machine.
    async fn end(mut self, host: HostProcess) {
        self.check(&host).await;
        let resumed = host.client().resume_sandbox(resume(&self.paused, 3)).await;
        resumed.unwrap();
        host.ticks(self.paused.order.sandbox).await;
        host.stop().await;
    }
}

/// Kills the agent at step `number` of the operation. `false`: the operation has fewer steps.
async fn crash_at(host: &mut HostProcess, operation: Operation, number: u32) -> bool {
    let desired = pooled_spec();
    let generation = operation.prepare(host, &desired).await;
    host.arm(operation.group(), number);
    let result = operation.run(host, &desired, generation).await;
    let crashed = result.is_err() && {
        host.wait_for_crash();
        true
    };
    if crashed {
        host.restart().await;
        let found = host
            .report(desired.order.sandbox)
            .await
            .map(|report| report.state);
        assert!(
            operation.outcomes().contains(&found),
            "{operation:?} {number}: {found:?}; {}",
            host.log()
        );
        host.check().await;
        // The caller repeats the order.
        match operation.run(host, &desired, generation).await {
            Ok(()) => {}
            // The first order was carried out.
            Err(AgentError::NotFound) if operation == Operation::Destroy => {}
            Err(error) => panic!("{operation:?} {number}: {error}; {}", host.log()),
        }
    } else {
        host.disarm();
    }
    let report = host.report(desired.order.sandbox).await.unwrap();
    assert_eq!(report.state, operation.done(), "{operation:?} {number}");
    if operation == Operation::Pause {
        // The acknowledged snapshot is complete.
        host.client()
            .resume_sandbox(resume(&desired, 4))
            .await
            .unwrap();
    }
    if operation != Operation::Destroy {
        host.ticks(desired.order.sandbox).await;
        host.client()
            .destroy_sandbox(order(&desired, 5))
            .await
            .unwrap();
    }
    host.check().await;
    crashed
}

/// Kills the agent at every step of every operation. Returns the number of kills.
async fn walk(host: &mut HostProcess, witnesses: &mut Witnesses, operations: &[Operation]) -> u32 {
    let mut kills = 0;
    for operation in operations.iter().copied() {
        let mut number = 1;
        while crash_at(host, operation, number).await {
            witnesses.check(host).await;
            kills += 1;
            number += 1;
        }
        assert!(number > 4, "{operation:?} has too few marked steps");
    }
    kills
}

/// Kills the agent at every step of the adoption of an earlier agent's sandboxes.
async fn walk_adoption(host: &mut HostProcess, witnesses: &mut Witnesses) -> u32 {
    let mut kills = 0;
    loop {
        host.kill();
        host.arm("adopt", kills + 1);
        host.spawn();
        if !host.crashes_or_is_ready().await {
            host.disarm();
            break;
        }
        kills += 1;
        host.restart().await;
        witnesses.check(host).await;
        host.check().await;
    }
    assert!(kills > 4, "the adoption has too few marked steps");
    kills
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_of_any_operation_loses_no_acknowledged_result() {
    let mut host = HostProcess::start().await;
    let mut witnesses = Witnesses::new(&host).await;
    let mut kills = 0;
    for _ in 0..3 {
        kills += walk(&mut host, &mut witnesses, Operation::ALL).await;
        kills += walk_adoption(&mut host, &mut witnesses).await;
    }
    assert!(kills >= 100, "{kills} kills");
    witnesses.end(host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_a_pooled_vm_is_claimed_leaves_no_vm_behind() {
    let mut host = HostProcess::start().await;
    host.restart_with_warm_pool().await;
    let mut witnesses = Witnesses::new(&host).await;
    let operations = [Operation::Claim, Operation::Pause, Operation::Destroy];
    walk(&mut host, &mut witnesses, &operations).await;
    walk_adoption(&mut host, &mut witnesses).await;
    witnesses.end(host).await;
}

/// Covers errors of QEMU that the stub VMM cannot have.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_with_real_guests_loses_no_acknowledged_result() {
    let mut host = HostProcess::start_real().await;
    let mut witnesses = Witnesses::new(&host).await;
    walk(&mut host, &mut witnesses, Operation::ALL).await;
    walk_adoption(&mut host, &mut witnesses).await;
    witnesses.end(host).await;
}
