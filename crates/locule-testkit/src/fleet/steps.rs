//! The steps of a simulation, drawn by chance.

use std::time::Duration;

use locule_agent_api::ReportedState;
use locule_control::Drain;
use locule_domain::{OnTimeout, SandboxState};
use locule_ids::SandboxId;

use super::base::PROCESSES;
use super::dice::Dice;
use super::requests::{Act, Request};
use super::{Fleet, FleetHost};

#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    Act(Act),
    Sweep,
    Monitor,
    Jobs,
    Heartbeats,
    Wait(u64),
    Trouble,
    Release,
    Stray,
    ProcessCrash,
    LinkCut,
    LinkBack,
    OnHost(Event),
    Operate(Change),
}

/// What happens on a host without an order.
#[derive(Debug, Clone, Copy)]
enum Event {
    Crash,
    AgentPauses,
    GuestEnds,
    Timeouts,
}

/// What an operator does to a host.
#[derive(Debug, Clone, Copy)]
enum Change {
    Cordon,
    Drain,
    Delete,
}

/// How often each step is drawn.
const STEPS: &[(usize, Step)] = &[
    (16, Step::Create),
    (9, Step::Act(Act::Pause)),
    (9, Step::Act(Act::Resume)),
    (8, Step::Act(Act::Destroy)),
    (3, Step::Act(Act::SetTimeout(60))),
    (1, Step::Act(Act::SetTimeout(7200))),
    (2, Step::Act(Act::IdleTimeout(120))),
    (2, Step::Act(Act::Ping)),
    (12, Step::Sweep),
    (6, Step::Monitor),
    (1, Step::Jobs),
    (7, Step::Heartbeats),
    (4, Step::Wait(4)),
    (4, Step::Wait(20)),
    (2, Step::Wait(100)),
    (8, Step::Trouble),
    (10, Step::Release),
    (7, Step::Stray),
    (3, Step::ProcessCrash),
    (2, Step::LinkCut),
    (3, Step::LinkBack),
    (1, Step::OnHost(Event::Crash)),
    (1, Step::OnHost(Event::AgentPauses)),
    (1, Step::OnHost(Event::GuestEnds)),
    (3, Step::OnHost(Event::Timeouts)),
    (2, Step::Operate(Change::Cordon)),
    (1, Step::Operate(Change::Drain)),
    (1, Step::Operate(Change::Delete)),
];

impl Fleet<'_> {
    /// Draws a step and takes it.
    pub(super) async fn step(&mut self) {
        let Some(step) = self.dice.weighted(STEPS) else {
            return;
        };
        self.clock.advance(Duration::from_millis(7));
        let host = self.dice.below(self.hosts.len());
        match step {
            Step::Create => {
                let create = create(&mut self.dice);
                self.request(create);
            }
            Step::Act(act) => self.act(act),
            Step::Sweep => self.request(Request::Sweep),
            Step::Monitor => self.request(Request::Monitor),
            Step::Jobs => self.request(Request::Jobs),
            Step::Heartbeats => {
                self.note("heartbeats".to_owned());
                self.heartbeats().await;
            }
            Step::Wait(seconds) => {
                self.note(format!("{seconds} s pass"));
                self.clock.advance(Duration::from_secs(seconds));
            }
            Step::Trouble => {
                let percent = self.dice.pick(&[0, 0, 30, 60, 100]).unwrap_or(0);
                self.note(format!(
                    "{percent} % of the calls to host {host} have a fault"
                ));
                self.network.set_trouble(host, percent);
            }
            Step::Release => {
                if let Some(name) = self.network.release(&mut self.dice) {
                    self.note(format!("a held call goes on: {name}"));
                }
            }
            Step::Stray => {
                if let Some(name) = self.network.deliver_stray(&mut self.dice) {
                    self.note(format!("a late call arrives: {name}"));
                }
            }
            Step::ProcessCrash => {
                let process = self.dice.below(PROCESSES);
                self.crash(process);
            }
            Step::LinkCut | Step::LinkBack => {
                let cut = matches!(step, Step::LinkCut);
                self.set_link(host, cut);
            }
            Step::OnHost(event) => self.host_acts(event, host),
            Step::Operate(change) => self.operate(change, host),
        }
    }

    /// A client asks for something about a sandbox, mostly one that has not ended.
    fn act(&mut self, act: Act) {
        let rows = self.seen.sandboxes.values();
        let fits = |state: SandboxState| match act {
            Act::Resume => state == SandboxState::Paused,
            Act::Pause | Act::SetTimeout(_) | Act::IdleTimeout(_) | Act::Ping => {
                state == SandboxState::Running
            }
            Act::Destroy => !state.is_final(),
        };
        let any = self.dice.chance(15);
        let rows = rows.filter(|row| any || fits(row.state));
        let ids: Vec<SandboxId> = rows.map(|row| row.id).collect();
        let Some(sandbox) = self.dice.pick(&ids) else {
            return;
        };
        let row = self.seen.sandboxes.get(&sandbox);
        let own = self.base.callers[1].team;
        let team = usize::from(row.is_some_and(|row| row.team == own));
        self.request(Request::Act { team, act, sandbox });
    }

    fn set_link(&mut self, host: usize, cut: bool) {
        if self.hosts[host].has_left {
            return;
        }
        if cut {
            self.note(format!("host {host} is cut off"));
            self.hosts[host].sim.go_away();
        } else {
            self.note(format!("host {host} is connected"));
            self.hosts[host].sim.come_back();
        }
        self.hosts[host].is_cut = cut;
    }

    /// Something happens on a host without an order.
    fn host_acts(&mut self, event: Event, host: usize) {
        self.note(format!("{event:?} on host {host}"));
        self.book.disturb();
        let FleetHost { sim, .. } = &self.hosts[host];
        let held = sim.held().into_iter();
        let running: Vec<SandboxId> = held
            .filter(|report| report.state == ReportedState::Running)
            .map(|report| report.sandbox)
            .collect();
        match event {
            Event::Crash => {
                for id in running {
                    sim.end_by_itself(id, "vm_lost");
                }
            }
            Event::AgentPauses => {
                for id in running {
                    sim.pause_by_itself(id, "control_plane_lost");
                }
            }
            Event::GuestEnds => {
                if let Some(id) = self.dice.pick(&running) {
                    sim.end_by_itself(id, "guest_shutdown");
                }
            }
            Event::Timeouts => sim.check_timeouts(),
        }
    }

    /// An operator changes a host.
    fn operate(&mut self, change: Change, number: usize) {
        let Some(id) = self.hosts.get(number).map(|host| host.id) else {
            return;
        };
        let request = match change {
            Change::Cordon => Request::Cordon(id, self.dice.chance(40)),
            Change::Drain => {
                let drain = self.dice.pick(&[Drain::Pause, Drain::Wait]);
                self.book.disturb();
                self.hosts[number].was_drained = true;
                Request::Drain(id, drain.unwrap_or(Drain::Wait))
            }
            Change::Delete => {
                // Some hosts remain.
                if self.has_deleted {
                    return;
                }
                self.has_deleted = true;
                self.book.disturb();
                Request::Delete(id)
            }
        };
        self.request(request);
    }
}

fn create(dice: &mut Dice) -> Request {
    Request::Create {
        team: dice.below(2),
        memory_mib: dice.pick(&[256, 512, 1024]).unwrap_or(512),
        expires_in: dice
            .pick(&[None, None, None, Some(45), Some(300)])
            .flatten(),
        on_timeout: dice
            .pick(&[OnTimeout::Kill, OnTimeout::Pause])
            .unwrap_or_default(),
    }
}
