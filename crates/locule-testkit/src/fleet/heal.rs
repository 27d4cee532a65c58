//! The end of a run: every fault ends, and the periodic jobs run until nothing changes.

use std::time::Duration;

use super::base::PROCESSES;
use super::requests::Request;
use super::{Fleet, checks};

/// Passes after which a fleet without faults must agree with its database: longer than the budget of a create and every timeout together.
const ROUNDS_MAX: usize = 60;
/// The time of one of these passes.
const ROUND: Duration = Duration::from_secs(15);

impl Fleet<'_> {
    /// Ends every fault, and runs the periodic jobs until rows and hosts agree.
    pub(super) async fn heal(&mut self) -> Result<(), Vec<String>> {
        self.note("every fault ends".to_owned());
        self.is_healed = true;
        self.network.clear();
        for host in self.hosts.iter_mut().filter(|host| !host.has_left) {
            host.is_cut = false;
            host.sim.come_back();
        }
        let mut dice = self.dice.clone();
        while let Some(name) = self.network.release(&mut dice) {
            self.note(format!("a held call goes on: {name}"));
            self.settle_and_check().await?;
        }
        while let Some(name) = self.network.deliver_stray(&mut dice) {
            self.note(format!("a late call arrives: {name}"));
            self.settle_and_check().await?;
        }
        let stuck: Vec<String> = self
            .pending
            .iter()
            .map(|pending| format!("never answered: {:?}", pending.request))
            .collect();
        if !stuck.is_empty() {
            return Err(stuck);
        }
        let mut wrong = Vec::new();
        let mut quiet = 0;
        for round in 0..ROUNDS_MAX {
            self.round(round).await?;
            wrong = checks::after_healing(&self.seen);
            quiet = if wrong.is_empty() { quiet + 1 } else { 0 };
            if quiet == 2 {
                return Ok(());
            }
        }
        wrong.push(format!("differences remain after {ROUNDS_MAX} rounds"));
        Err(wrong)
    }

    /// One pass of each periodic job, by one of the processes.
    async fn round(&mut self, round: usize) -> Result<(), Vec<String>> {
        let process = round % PROCESSES;
        self.clock.advance(ROUND);
        self.heartbeats().await;
        self.book.disturb();
        for host in &self.hosts {
            host.sim.check_timeouts();
        }
        for request in [Request::Monitor, Request::Sweep, Request::Jobs] {
            self.request_of(process, request);
            self.settle_and_check().await?;
        }
        Ok(())
    }
}
