//! Orders that come late, twice, in another order or not at all: a sandbox never runs twice, never comes back, and no later
//! order is undone.

use std::collections::BTreeMap;

use futures::future::join_all;
use locule_agent_api::{
    AgentError, Client, HostAgent as _, Order, ReportedState, SandboxSpec, UpdateSandbox,
};
use locule_domain::Timeouts;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::process::HostProcess;
use crate::rig::{ready_spec, resume};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    Pause,
    Resume,
    Update,
    Destroy,
}

/// Which of the orders arrive next, together. An empty list: the agent is killed and another one starts.
type Delivery = Vec<usize>;

#[derive(Debug, Clone)]
struct Case {
    /// Order *n* has generation *n* + 1. The first creates.
    orders: Vec<Kind>,
    deliveries: Vec<Delivery>,
}

fn cases() -> impl Strategy<Value = Case> {
    let later = prop_oneof![
        5 => Just(Kind::Pause),
        5 => Just(Kind::Resume),
        2 => Just(Kind::Update),
        1 => Just(Kind::Destroy),
    ];
    let orders = proptest::collection::vec(later, 2..7);
    orders.prop_flat_map(|later| {
        let orders: Vec<_> = [Kind::Create].into_iter().chain(later).collect();
        let one = 0..orders.len();
        let delivery = prop_oneof![
            8 => proptest::collection::vec(one.clone(), 1..2),
            3 => proptest::collection::vec(one, 2..5),
            1 => Just(Vec::new()),
        ];
        // Mostly it is there before anything else comes.
        let first = prop_oneof![4 => Just(vec![vec![0]]), 1 => Just(Vec::new())];
        let deliveries = (first, proptest::collection::vec(delivery, 3..12));
        deliveries.prop_map(move |(first, later)| Case {
            orders: orders.clone(),
            deliveries: first.into_iter().chain(later).collect(),
        })
    })
}

async fn deliver(
    client: Client,
    wanted: SandboxSpec,
    kind: Kind,
    generation: i64,
) -> Result<(), AgentError> {
    let order = Order {
        sandbox: wanted.order.sandbox,
        generation,
        write_mark: None,
    };
    match kind {
        Kind::Create => client.create_sandbox(wanted).await.map(drop),
        Kind::Pause => client.pause_sandbox(order).await.map(drop),
        Kind::Resume => client
            .resume_sandbox(resume(&wanted, generation))
            .await
            .map(drop),
        Kind::Update => {
            let update = UpdateSandbox {
                order,
                timeouts: Timeouts::default(),
            };
            client.update_sandbox(update).await.map(drop)
        }
        Kind::Destroy => client.destroy_sandbox(order).await,
    }
}

/// What the answers so far promise.
#[derive(Debug, Default)]
struct Promised {
    /// By generation, the orders that were answered with success.
    done: BTreeMap<i64, Kind>,
    gone: bool,
}

impl Promised {
    fn state(&self) -> Option<ReportedState> {
        let last = self.done.values().rfind(|kind| **kind != Kind::Update)?;
        match last {
            Kind::Create | Kind::Resume => Some(ReportedState::Running),
            Kind::Pause => Some(ReportedState::Paused),
            Kind::Update | Kind::Destroy => None,
        }
    }

    fn newest(&self) -> i64 {
        self.done.keys().next_back().copied().unwrap_or(0)
    }

    /// Takes an answer down. One alone must be the answer that its generation deserves.
    fn take(&mut self, kind: Kind, generation: i64, answer: &Result<(), AgentError>, alone: bool) {
        let newest = self.newest();
        let exists = newest > 0 && !self.gone;
        let told = format!("{kind:?} {generation} after {newest}: {answer:?}");
        if alone && exists && kind != Kind::Create {
            assert_eq!(answer.is_ok(), generation >= newest, "{told}");
        }
        if alone && self.gone {
            assert!(answer.is_err(), "{told}");
        }
        match answer {
            Ok(()) if kind == Kind::Destroy => self.gone = true,
            Ok(()) => {
                self.done.insert(generation, kind);
            }
            // It is not there, and will not come any more.
            Err(AgentError::NotFound) if kind == Kind::Destroy => self.gone = true,
            Err(
                AgentError::NotFound
                | AgentError::FailedPrecondition(_)
                | AgentError::AlreadyExists(_),
            ) => {}
            Err(error) => panic!("{told}: {error:?}"),
        }
    }

    /// What the host says and has is what was promised.
    async fn check(&self, host: &HostProcess, wanted: &SandboxSpec) {
        let report = host.report(wanted.order.sandbox).await;
        let running = usize::from(
            report
                .as_ref()
                .is_some_and(|report| report.state == ReportedState::Running),
        );
        assert_eq!(host.vmms().len(), running, "{self:?} {report:?}");
        if self.gone {
            let ended = report.is_none_or(|report| report.state == ReportedState::Stopped);
            assert!(ended, "it came back: {self:?}");
            return;
        }
        let state = report.as_ref().map(|report| report.state);
        assert_eq!(state, self.state(), "{self:?} {report:?}");
        if let Some(report) = report {
            assert!(report.generation >= self.newest(), "{self:?} {report:?}");
        }
    }
}

async fn live(host: &mut HostProcess, case: &Case) {
    let wanted = ready_spec();
    let mut promised = Promised::default();
    for delivery in &case.deliveries {
        if delivery.is_empty() {
            host.kill();
            host.restart().await;
        }
        let together = delivery.iter().map(|index| {
            let (kind, generation) = (case.orders[*index], i64::try_from(*index).unwrap() + 1);
            let delivered = deliver(host.client(), wanted.clone(), kind, generation);
            async move { (kind, generation, delivered.await) }
        });
        for (kind, generation, answer) in join_all(together).await {
            promised.take(kind, generation, &answer, delivery.len() == 1);
        }
        promised.check(host, &wanted).await;
    }
    if promised.state() == Some(ReportedState::Running) && !promised.gone {
        host.ticks(wanted.order.sandbox).await;
    }
    host.client()
        .terminate(vec![wanted.order.sandbox])
        .await
        .unwrap();
}

#[test]
fn no_order_undoes_a_later_one_however_they_arrive() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = std::cell::RefCell::new(runtime.block_on(HostProcess::start()));
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        max_shrink_iters: 64,
        ..Config::default()
    });
    let ran = runner.run(&cases(), |case| {
        runtime.block_on(live(&mut host.borrow_mut(), &case));
        Ok(())
    });
    ran.unwrap();
    runtime.block_on(host.into_inner().stop());
}
