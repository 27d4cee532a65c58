//! A simulation of a whole fleet: two processes of the control plane over one database, simulated hosts, a network with faults, and a
//! clock that only the simulation advances. One seed gives one run.
//!
//! ```text
//! Simulation ── run(seed) ──► Fleet: step, settle, check; step, settle, check; …; heal, check
//!
//! step    a request, a pass of a periodic job, a fault, a crash, time       steps.rs, requests.rs
//! settle  everything runs until it ends or waits on the network             engine.rs, network.rs, link.rs
//! check   rows and hosts against what must be true                          snapshot.rs, checks.rs
//! ```
//!
//! Requests run at the same time only at the points where the network holds a call: a step lets one request go on, and nothing else
//! runs meanwhile. So a seed repeats its run, although the database is a real one. The order of statements of two processes within
//! one step is not simulated.

mod base;
mod checks;
mod clock;
mod dice;
mod engine;
mod heal;
mod link;
mod network;
mod requests;
mod snapshot;
mod steps;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use locule_agent_api::{Connector, ReportedState};
use locule_base::clock::{Clock as _, SharedClock};
use locule_base::tasks::Tasks;
use locule_control::{ControlPlane, HostAddress, HostLink, HostLinks, Machine};
use locule_domain::{HostEvent, HostKind, HostState};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::{hosts, sandboxes};
use sqlx::postgres::PgConnectOptions;
use sqlx::types::Uuid;
use tokio::runtime::Runtime;

use crate::host::SimHost;
use crate::online_host::roomy;
use base::{Base, PROCESSES, RUNNING_MAX};
use clock::TickingClock;
use dice::Dice;
use engine::Calm;
use link::Link;
use network::{Incarnation, Network};
use requests::{Answer, Request};
use snapshot::{Asked, Book, HostSeen, Snapshot};

/// The error of a pool whose connections are all in use.
const NO_CONNECTION: &str = "pool timed out";

/// Runs seeds, one after the other, on the calling thread.
pub struct Simulation {
    runtime: Runtime,
    base: Base,
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").finish_non_exhaustive()
    }
}

/// What is wrong after one of the steps of a seed.
#[derive(Debug, Clone)]
pub struct Failure {
    pub seed: u64,
    /// Each thing that is wrong.
    pub wrong: Vec<String>,
    /// The steps until then.
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.log {
            writeln!(f, "{line}")?;
        }
        for line in &self.wrong {
            writeln!(f, "WRONG: {line}")?;
        }
        write!(f, "SEED={} replays this run", self.seed)
    }
}

/// The number of requests of a run that were acknowledged, and of those that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answers {
    pub acknowledged: usize,
    pub failed: usize,
}

/// How a run differs from the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Defects {
    /// The agents of all hosts acknowledge a destroy and keep the VM: the simulation must fail.
    pub agents_lie: bool,
}

impl Simulation {
    /// Prepares a database, which must have the schema and no rows.
    pub fn start(options: PgConnectOptions) -> Self {
        let calm = Calm::default();
        let runtime = engine::runtime(&calm);
        let base = runtime.block_on(Base::start(options, calm));
        Self { runtime, base }
    }

    /// Runs one seed. Fails at the first step after which something is wrong.
    pub fn run(&mut self, seed: u64, steps: usize, defects: Defects) -> Result<Answers, Failure> {
        let Self { runtime, base } = self;
        runtime.block_on(async {
            let mut fleet = Fleet::start(base, seed).await;
            if defects.agents_lie {
                for number in 0..fleet.hosts.len() {
                    fleet.network.set_liar(number);
                }
            }
            let done = fleet.run(steps).await;
            fleet.stop();
            done.map_err(|wrong| Failure {
                seed,
                wrong,
                log: std::mem::take(&mut fleet.log),
            })?;
            Ok(fleet.answers)
        })
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.runtime.block_on(self.base.stop());
    }
}

/// A process of the control plane.
struct Process {
    control: ControlPlane,
    incarnation: Arc<Incarnation>,
}

struct FleetHost {
    id: HostId,
    team: Option<TeamId>,
    memory_mib: u32,
    sim: Arc<SimHost>,
    is_cut: bool,
    was_drained: bool,
    /// The host was deleted, and its agent knows it.
    has_left: bool,
}

/// A request that has no answer yet.
struct Pending {
    process: usize,
    request: Request,
    asked: Asked,
    answer: BoxFuture<'static, Answer>,
}

/// The fleet of one seed.
struct Fleet<'a> {
    base: &'a mut Base,
    clock: Arc<TickingClock>,
    dice: Dice,
    /// The ids of sandboxes.
    ids: Arc<Mutex<Dice>>,
    network: Network,
    hosts: Vec<FleetHost>,
    processes: Vec<Process>,
    pending: Vec<Pending>,
    book: Book,
    seen: Snapshot,
    has_deleted: bool,
    /// Every fault has ended.
    is_healed: bool,
    /// Requests that held a connection while they waited for one.
    stuck: Vec<String>,
    answers: Answers,
    log: Vec<String>,
}

impl<'a> Fleet<'a> {
    async fn start(base: &'a mut Base, seed: u64) -> Self {
        base.empty().await;
        let mut dice = Dice::new(seed);
        let network = Network::new(Dice::new(dice.next()));
        let ids = Arc::new(Mutex::new(Dice::new(dice.next())));
        let mut fleet = Self {
            base,
            clock: Arc::default(),
            dice,
            ids,
            network,
            hosts: Vec::new(),
            processes: Vec::new(),
            pending: Vec::new(),
            book: Book::default(),
            seen: Snapshot::default(),
            has_deleted: false,
            is_healed: false,
            stuck: Vec::new(),
            answers: Answers::default(),
            log: Vec::new(),
        };
        let own = fleet.base.callers[1].team;
        for team in [None, None, Some(own), Some(own)] {
            if fleet.hosts.len() < 3 || fleet.dice.chance(30) {
                fleet.add_host(team).await;
            }
        }
        for process in 0..PROCESSES {
            let started = fleet.start_process(process);
            fleet.processes.push(started);
        }
        fleet.seen = fleet.look().await;
        fleet
    }

    async fn add_host(&mut self, team: Option<TeamId>) {
        let number = u128::try_from(self.hosts.len()).unwrap_or(0) + 1;
        let id = HostId::from_uuid(Uuid::from_u128(number));
        let memory_mib = self.dice.pick(&[1024, 2048, 4096]).unwrap_or(4096);
        let machine = Machine {
            memory_mib: i32::try_from(memory_mib).unwrap_or(i32::MAX),
            ..roomy()
        };
        let new = hosts::NewHost {
            id,
            kind: team.map_or(HostKind::Regular, |_| HostKind::Byoc),
            team,
            provider: "",
            availability_zone: "",
            address: "",
            created_by: None,
        };
        let (conn, now) = (&mut self.base.observer, self.clock.now());
        let inserted = hosts::insert(conn, new, now).await;
        inserted.expect("insert a host");
        let written = hosts::register(conn, id, &address(id), &machine, now).await;
        written.expect("write a host's machine");
        let clock: SharedClock = self.clock.clone();
        let sim = SimHost::new(clock);
        let online = (HostState::Online, &*address(id));
        let written = hosts::heartbeat(conn, id, online, &sim.heartbeat(), now).await;
        written.expect("write a heartbeat");
        self.hosts.push(FleetHost {
            id,
            team,
            memory_mib,
            sim,
            is_cut: false,
            was_drained: false,
            has_left: false,
        });
    }

    fn start_process(&self, process: usize) -> Process {
        let incarnation = Incarnation::start();
        let mut config = self.base.config.clone();
        let ids = self.ids.clone();
        config.sandboxes.new_id = Arc::new(move || {
            let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
            SandboxId::from_uuid(Uuid::from_u64_pair(ids.next(), ids.next()))
        });
        let all = self.hosts.iter().enumerate();
        let links: Vec<HostLink> = all
            .map(|(number, host)| HostLink {
                id: host.id,
                agent: Arc::new(Link {
                    from: incarnation.clone(),
                    network: self.network.clone(),
                    number,
                    host: host.sim.clone(),
                }),
                connector: Connector::Unix(format!("/nowhere/{}.sock", host.id).into()),
            })
            .collect();
        let dial = move |id, _: &HostAddress| links.iter().find(|link| link.id == id).cloned();
        let control = ControlPlane::new(
            config,
            self.base.pools[process].clone(),
            self.clock.clone(),
            Tasks::new(),
            HostLinks::new(Arc::new(dial)),
        );
        Process {
            control,
            incarnation,
        }
    }

    fn note(&mut self, line: String) {
        self.log.push(line);
    }

    /// Takes the steps, and checks the fleet after each; then ends all faults, and checks that rows and hosts agree.
    async fn run(&mut self, steps: usize) -> Result<(), Vec<String>> {
        for _ in 0..steps {
            self.step().await;
            self.settle_and_check().await?;
        }
        self.heal().await
    }

    async fn settle_and_check(&mut self) -> Result<(), Vec<String>> {
        self.settle().await;
        let faults = self.network.take_log();
        self.log.extend(faults);
        let now = self.look().await;
        let mut wrong = checks::after_step(&self.seen, &now, &self.book);
        wrong.append(&mut self.stuck);
        self.seen = now;
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// Starts a request in one of the processes.
    fn request(&mut self, request: Request) {
        let process = self.dice.below(PROCESSES);
        self.request_of(process, request);
    }

    fn request_of(&mut self, process: usize, request: Request) {
        if !self.is_healed {
            self.note(format!("process {process}: {request:?}"));
        }
        let asked = self.book.ask(request.sandbox());
        let control = self.processes[process].control.clone();
        let (caller, admin) = (self.base.caller(&request), self.base.admin.clone());
        let answer = request.clone().run(control, caller, admin);
        self.pending.push(Pending {
            process,
            request,
            asked,
            answer,
        });
    }

    /// Runs everything until it ends or waits on the network, and writes down the answers.
    async fn settle(&mut self) {
        let mut ended = Vec::new();
        let pending = &mut self.pending;
        let calm = self.base.calm.clone();
        calm.settle(|context| {
            let before = ended.len();
            let mut index = 0;
            while index < pending.len() {
                if let Poll::Ready(answer) = pending[index].answer.poll_unpin(context) {
                    ended.push((pending.remove(index), answer));
                } else {
                    index += 1;
                }
            }
            ended.len() > before
        })
        .await;
        for (pending, answer) in ended {
            self.write_answer(&pending, answer);
        }
    }

    fn write_answer(&mut self, pending: &Pending, answer: Answer) {
        let Pending { request, asked, .. } = pending;
        let about = request.sandbox();
        match answer {
            Ok(created) => {
                self.answers.acknowledged += 1;
                let id = about.or(created);
                self.log
                    .push(format!("    {request:?} is answered: {id:?}"));
                match (id, request.promises()) {
                    (Some(id), Some(promised)) => {
                        self.book.acknowledge(*asked, about, id, promised);
                    }
                    _ => self.book.give_up(about),
                }
            }
            Err(error) => {
                self.answers.failed += 1;
                if error.contains(NO_CONNECTION) {
                    self.stuck.push(format!(
                        "{request:?} holds a connection and waits for another one"
                    ));
                }
                self.log.push(format!("    {request:?} fails: {error}"));
                self.book.give_up(about);
            }
        }
    }

    /// Ends a process in the middle of whatever it does, and starts it again.
    fn crash(&mut self, process: usize) {
        self.note(format!("process {process} crashes"));
        self.network.abandon(&self.processes[process].incarnation);
        let all = std::mem::take(&mut self.pending);
        for pending in all {
            if pending.process == process {
                self.book.give_up(pending.request.sandbox());
                self.base.crashed.push(pending.answer);
            } else {
                self.pending.push(pending);
            }
        }
        self.processes[process] = self.start_process(process);
    }

    /// Every host that is connected sends a heartbeat. An agent learns by its heartbeat that its host was deleted.
    async fn heartbeats(&mut self) {
        for host in self.hosts.iter_mut().filter(|host| !host.has_left) {
            if host.is_cut {
                continue;
            }
            let conn = &mut self.base.observer;
            let row = hosts::get(conn, host.id).await.expect("read a host");
            let Some(row) = row else {
                host.has_left = true;
                for report in host.sim.held() {
                    if report.state == ReportedState::Running {
                        host.sim.pause_by_itself(report.sandbox, "host_stopping");
                    }
                }
                host.sim.go_away();
                continue;
            };
            let next = row.state.apply(HostEvent::Heartbeat);
            let (report, now) = (host.sim.heartbeat(), self.clock.now());
            let beat = hosts::heartbeat(conn, host.id, (next, &row.address), &report, now).await;
            beat.expect("write a heartbeat");
        }
    }

    /// Keeps what still waits, which must not run in a later seed.
    fn stop(&mut self) {
        for process in 0..PROCESSES {
            self.network.abandon(&self.processes[process].incarnation);
        }
        let pending = std::mem::take(&mut self.pending);
        let answers = pending.into_iter().map(|pending| pending.answer);
        self.base.crashed.extend(answers);
    }

    /// Reads all rows and all hosts.
    async fn look(&mut self) -> Snapshot {
        let conn = &mut self.base.observer;
        let ids: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM sandboxes")
            .fetch_all(&mut *conn)
            .await
            .expect("read the ids of sandboxes");
        let ids: Vec<SandboxId> = ids.into_iter().map(SandboxId::from_uuid).collect();
        let rows = sandboxes::get_many(conn, &ids).await;
        let rows = rows.expect("read sandboxes").into_iter();
        let existing: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM hosts")
            .fetch_all(conn)
            .await
            .expect("read the ids of hosts");
        let hosts = self.hosts.iter().map(|host| HostSeen {
            id: host.id,
            team: host.team,
            memory_mib: host.memory_mib,
            has_row: existing.contains(&host.id.as_uuid()),
            was_drained: host.was_drained,
            held: host
                .sim
                .held()
                .into_iter()
                .map(|report| (report.sandbox, report))
                .collect(),
        });
        Snapshot {
            now: self.clock.now(),
            byoc: vec![self.base.callers[1].team],
            running_max: usize::try_from(RUNNING_MAX).unwrap_or(usize::MAX),
            hosts: hosts.collect(),
            sandboxes: rows
                .map(|(id, row)| (id, row.expect("a row that can be read")))
                .collect(),
        }
    }
}

/// Nothing listens there.
fn address(id: HostId) -> String {
    format!("unix:/nowhere/{id}.sock")
}
