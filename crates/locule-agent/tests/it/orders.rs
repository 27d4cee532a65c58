//! Orders that arrive late, twice, shuffled or not at all: a sandbox never runs twice, a destroyed sandbox does not come back, and
//! no order undoes a later one.

use std::collections::BTreeMap;

use futures::future::join_all;
use locule_agent_api::{
    AgentError, Client, HostAgent as _, Order, ReportedState, SandboxSpec, UpdateSandbox,
};
use locule_domain::Timeouts;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::process::HostProcess;
use crate::rig::{last_order, pooled_spec, resume};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    Pause,
    Resume,
    Update,
    Destroy,
}

/// The orders that arrive next, at the same time. An empty list: the agent is killed and another one starts.
type Delivery = Vec<usize>;

#[derive(Debug, Clone)]
struct Case {
    /// Order *n* has generation *n* + 1. The first order is a create.
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
        let index = 0..orders.len();
        let delivery = prop_oneof![
            8 => proptest::collection::vec(index.clone(), 1..2),
            3 => proptest::collection::vec(index, 2..5),
            1 => Just(Vec::new()),
        ];
        // In most cases the create arrives first.
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
    desired: SandboxSpec,
    kind: Kind,
    generation: i64,
) -> Result<(), AgentError> {
    let order = Order {
        sandbox: desired.order.sandbox,
        generation,
        write_mark: None,
    };
    match kind {
        Kind::Create => client.create_sandbox(desired).await.map(drop),
        Kind::Pause => client.pause_sandbox(order).await.map(drop),
        Kind::Resume => client
            .resume_sandbox(resume(&desired, generation))
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

/// The state that the answers so far promise.
#[derive(Debug, Default)]
struct Promised {
    /// The orders that succeeded, by generation.
    done: BTreeMap<i64, Kind>,
    destroyed: bool,
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

    /// Records an answer. The answer to an order that arrived alone must follow from its generation.
    fn record(
        &mut self,
        kind: Kind,
        generation: i64,
        answer: &Result<(), AgentError>,
        alone: bool,
    ) {
        let newest = self.newest();
        let exists = newest > 0 && !self.destroyed;
        let context = format!("{kind:?} {generation} after {newest}: {answer:?}");
        if alone && exists && kind != Kind::Create {
            assert_eq!(answer.is_ok(), generation >= newest, "{context}");
        }
        if alone && self.destroyed {
            assert!(answer.is_err(), "{context}");
        }
        match answer {
            Ok(()) if kind == Kind::Destroy => self.destroyed = true,
            Ok(()) => {
                self.done.insert(generation, kind);
            }
            // The sandbox does not exist and cannot be created any more.
            Err(AgentError::NotFound) if kind == Kind::Destroy => self.destroyed = true,
            Err(
                AgentError::NotFound
                | AgentError::FailedPrecondition(_)
                | AgentError::AlreadyExists(_),
            ) => {}
            Err(error) => panic!("{context}: {error:?}"),
        }
    }

    /// Asserts that the host reports and runs what was promised.
    async fn check(&self, host: &HostProcess, desired: &SandboxSpec) {
        let report = host.report(desired.order.sandbox).await;
        let running = usize::from(
            report
                .as_ref()
                .is_some_and(|report| report.state == ReportedState::Running),
        );
        assert_eq!(host.vmms().len(), running, "{self:?} {report:?}");
        if self.destroyed {
            let ended = report.is_none_or(|report| report.state == ReportedState::Stopped);
            assert!(ended, "the destroyed sandbox came back: {self:?}");
            return;
        }
        let state = report.as_ref().map(|report| report.state);
        assert_eq!(state, self.state(), "{self:?} {report:?}");
        if let Some(report) = report {
            assert!(report.generation >= self.newest(), "{self:?} {report:?}");
        }
    }
}

async fn run_case(host: &mut HostProcess, case: &Case) {
    let desired = pooled_spec();
    let mut promised = Promised::default();
    for delivery in &case.deliveries {
        if delivery.is_empty() {
            host.kill();
            host.restart().await;
        }
        let answers = delivery.iter().map(|index| {
            let (kind, generation) = (case.orders[*index], i64::try_from(*index).unwrap() + 1);
            let delivered = deliver(host.client(), desired.clone(), kind, generation);
            async move { (kind, generation, delivered.await) }
        });
        for (kind, generation, answer) in join_all(answers).await {
            promised.record(kind, generation, &answer, delivery.len() == 1);
        }
        promised.check(host, &desired).await;
    }
    if promised.state() == Some(ReportedState::Running) && !promised.destroyed {
        host.ticks(desired.order.sandbox).await;
    }
    let last = last_order(desired.order.sandbox);
    match host.client().destroy_sandbox(last).await {
        Ok(()) | Err(AgentError::NotFound) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn no_order_undoes_a_later_order_in_whichever_sequence_they_arrive() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = std::cell::RefCell::new(runtime.block_on(HostProcess::start()));
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        max_shrink_iters: 64,
        ..Config::default()
    });
    let ran = runner.run(&cases(), |case| {
        runtime.block_on(run_case(&mut host.borrow_mut(), &case));
        Ok(())
    });
    ran.unwrap();
    runtime.block_on(host.into_inner().stop());
}
