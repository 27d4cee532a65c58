//! Nothing acknowledged is lost: the agent is killed at every step of every operation, and started again.
//!
//! Two witnesses, one running and one paused, live through all of it: their memory and their disks are what the stub's rule
//! makes of them at the end.

use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};

use crate::process::HostProcess;
use crate::rig::{order, ready_spec, resume};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    /// A create that finds a machine waiting.
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

    /// Brings a new sandbox to where the operation begins. Answers the generation of the operation.
    async fn prepare(self, host: &HostProcess, wanted: &SandboxSpec) -> i64 {
        match self {
            Self::Create => return wanted.order.generation,
            Self::Claim => {
                host.stocked().await;
                return wanted.order.generation;
            }
            Self::Pause | Self::Resume | Self::Destroy => {}
        }
        host.client().create_sandbox(wanted.clone()).await.unwrap();
        if self == Self::Resume {
            host.client().pause_sandbox(order(wanted, 2)).await.unwrap();
        }
        3
    }

    async fn run(
        self,
        host: &HostProcess,
        wanted: &SandboxSpec,
        generation: i64,
    ) -> Result<(), AgentError> {
        let client = host.client();
        let order = order(wanted, generation);
        match self {
            Self::Create | Self::Claim => client.create_sandbox(wanted.clone()).await.map(drop),
            Self::Pause => client.pause_sandbox(order).await.map(drop),
            Self::Resume => client
                .resume_sandbox(resume(wanted, generation))
                .await
                .map(drop),
            Self::Destroy => client.destroy_sandbox(order).await,
        }
    }

    /// What the host may hold after a crash in the middle: as before, or as after. `None`: nothing.
    fn outcomes(self) -> &'static [Option<ReportedState>] {
        match self {
            Self::Create | Self::Claim => &[None, Some(ReportedState::Running)],
            Self::Pause => &[Some(ReportedState::Running), Some(ReportedState::Paused)],
            Self::Resume => &[Some(ReportedState::Paused), Some(ReportedState::Running)],
            Self::Destroy => &[Some(ReportedState::Running), Some(ReportedState::Stopped)],
        }
    }

    /// After the order was given again.
    fn done(self) -> ReportedState {
        match self {
            Self::Create | Self::Claim | Self::Resume => ReportedState::Running,
            Self::Pause => ReportedState::Paused,
            Self::Destroy => ReportedState::Stopped,
        }
    }
}

/// Sandboxes that no crash may touch.
struct Witnesses {
    running: SandboxSpec,
    paused: SandboxSpec,
    ticks: u64,
}

impl Witnesses {
    async fn new(host: &HostProcess) -> Self {
        let (running, paused) = (ready_spec(), ready_spec());
        for wanted in [&running, &paused] {
            host.client().create_sandbox(wanted.clone()).await.unwrap();
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
        assert!(ticks >= self.ticks, "the running witness went back in time");
        self.ticks = ticks;
        let paused = host.report(self.paused.order.sandbox).await.unwrap();
        assert_eq!(paused.state, ReportedState::Paused);
    }

    /// Both are whole; nothing is left on the machine.
    async fn end(mut self, host: HostProcess) {
        self.check(&host).await;
        let resumed = host.client().resume_sandbox(resume(&self.paused, 3)).await;
        resumed.unwrap();
        host.ticks(self.paused.order.sandbox).await;
        host.stop().await;
    }
}

/// Kills the agent at step `number` of the operation. `false`: there is no such step any more.
async fn crash_at(host: &mut HostProcess, operation: Operation, number: u32) -> bool {
    let wanted = ready_spec();
    let generation = operation.prepare(host, &wanted).await;
    host.arm(operation.group(), number);
    let result = operation.run(host, &wanted, generation).await;
    let crashed = result.is_err() && {
        host.wait_for_death();
        true
    };
    if crashed {
        host.restart().await;
        let found = host
            .report(wanted.order.sandbox)
            .await
            .map(|report| report.state);
        assert!(
            operation.outcomes().contains(&found),
            "{operation:?} {number}: {found:?}; {}",
            host.log()
        );
        host.check().await;
        // Whoever gave the order gives it again.
        match operation.run(host, &wanted, generation).await {
            Ok(()) => {}
            // It was carried out the first time.
            Err(AgentError::NotFound) if operation == Operation::Destroy => {}
            Err(error) => panic!("{operation:?} {number}: {error}; {}", host.log()),
        }
    } else {
        host.disarm();
    }
    let settled = host.report(wanted.order.sandbox).await.unwrap();
    assert_eq!(settled.state, operation.done(), "{operation:?} {number}");
    if operation == Operation::Pause {
        // What was acknowledged is whole.
        host.client()
            .resume_sandbox(resume(&wanted, 4))
            .await
            .unwrap();
    }
    if operation != Operation::Destroy {
        host.ticks(wanted.order.sandbox).await;
        host.client()
            .destroy_sandbox(order(&wanted, 5))
            .await
            .unwrap();
    }
    host.check().await;
    crashed
}

/// Walks through every step of every operation. Answers how often the agent was killed.
async fn walk(host: &mut HostProcess, witnesses: &mut Witnesses, operations: &[Operation]) -> u32 {
    let mut kills = 0;
    for operation in operations.iter().copied() {
        let mut number = 1;
        while crash_at(host, operation, number).await {
            witnesses.check(host).await;
            kills += 1;
            number += 1;
        }
        assert!(number > 4, "{operation:?} has its steps marked");
    }
    kills
}

/// Kills the agent at every step of taking over what an earlier one left.
async fn walk_adoption(host: &mut HostProcess, witnesses: &mut Witnesses) -> u32 {
    let mut kills = 0;
    loop {
        host.kill();
        host.arm("adopt", kills + 1);
        host.spawn();
        if !host.dies_or_is_ready().await {
            host.disarm();
            break;
        }
        kills += 1;
        host.restart().await;
        witnesses.check(host).await;
        host.check().await;
    }
    assert!(kills > 4, "adoption has its steps marked");
    kills
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_loses_nothing_that_was_acknowledged() {
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
async fn a_crash_around_machines_that_wait_leaves_none_of_them_behind() {
    let mut host = HostProcess::start().await;
    host.restart_with_pool().await;
    let mut witnesses = Witnesses::new(&host).await;
    let operations = [Operation::Claim, Operation::Pause, Operation::Destroy];
    walk(&mut host, &mut witnesses, &operations).await;
    walk_adoption(&mut host, &mut witnesses).await;
    witnesses.end(host).await;
}

/// The same with real guests, each step once: what the stub cannot get wrong, QEMU may.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_with_real_guests_loses_nothing_either() {
    let mut host = HostProcess::start_real().await;
    let mut witnesses = Witnesses::new(&host).await;
    walk(&mut host, &mut witnesses, Operation::ALL).await;
    walk_adoption(&mut host, &mut witnesses).await;
    witnesses.end(host).await;
}
