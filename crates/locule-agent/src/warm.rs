//! Machines that wait to become sandboxes.
//!
//! ```text
//! golden image ──► started: VMM process, network, devices loaded ──► warm: past its first instructions, stopped
//!                            └──────────── claim ──────────────────────────┘
//! ```
//!
//! A claim renames one folder, lets the vCPUs go and makes the guest new with one call. Each kind (template and shape) is
//! stocked by how many were asked for together lately: warm ones up to a limit, started ones behind them. Refilling yields
//! to whoever waits for a sandbox. What waits was promised to nobody: a restart of the agent throws it away.

mod demand;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use locule_agent_api::PoolLevel;
use locule_vmm::Shape;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::demand::Demand;
use crate::golden::{Golden, blocking};
use crate::guest;
use crate::host::Host;
use crate::lifecycle::{LifecycleError, Steps, Vm, from_golden};
use crate::pressure::unique_bytes;

/// Started machines for each warm one at most: they cost half the memory, and most of the time of a claim.
const STARTED_PER_WARM: usize = 2;
/// How often the stock is looked at without being asked.
const PERIOD: Duration = Duration::from_secs(5);
/// Whoever got a sandbox has the cores for the first command, as long as there is something for the next one.
const FIRST_COMMAND: Duration = Duration::from_millis(250);
/// After a failure the next try waits.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// After memory ran short nothing is made for this long.
const SHORT_OF_MEMORY: Duration = Duration::from_mins(1);

/// A machine that nobody has claimed.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) vm: Vm,
    pub(crate) golden: Arc<Golden>,
    /// Its disk and logs.
    pub(crate) folder: PathBuf,
    /// Not only started.
    warm: bool,
}

/// What machines are interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    template: String,
    shape: Shape,
}

#[derive(Debug, Default)]
struct Stock {
    warm: Vec<Waiting>,
    started: Vec<Waiting>,
    demand: Demand,
    /// Kept at least, whatever is asked for.
    least: usize,
}

impl Stock {
    fn is_empty(&self) -> bool {
        self.warm.is_empty() && self.started.is_empty()
    }

    /// One whose VMM is not there any more: a living process has pages of its own.
    fn take_dead(&mut self) -> Option<Waiting> {
        let is_dead = |one: &Waiting| unique_bytes(one.vm.machine.handle().pid) == 0;
        for depth in [&mut self.warm, &mut self.started] {
            if let Some(at) = depth.iter().position(is_dead) {
                return Some(depth.remove(at));
            }
        }
        None
    }

    /// What its machines have for themselves.
    fn unique_bytes(&self) -> u64 {
        let waiting = self.warm.iter().chain(&self.started);
        waiting
            .map(|one| unique_bytes(one.vm.machine.handle().pid))
            .sum()
    }

    /// How many warm ones should wait, and how many started ones: together as many as came together lately. A few are
    /// always started, to be warmed when a warm one is taken.
    fn wanted(&mut self, now: Duration, most: usize) -> (usize, usize) {
        let peak = self.demand.peak(now);
        let warm = peak.max(self.least).min(most);
        let behind = peak.saturating_sub(warm).min(STARTED_PER_WARM * most);
        (warm, behind.max(warm.div_ceil(2)))
    }
}

/// All that wait on this host.
#[derive(Debug, Default)]
pub(crate) struct WarmPool {
    stocks: Mutex<HashMap<Kind, Stock>>,
    nudge: Notify,
    /// Sandboxes being made right now: refilling would take the cores away from them.
    busy: AtomicUsize,
    rest: Mutex<Rest>,
}

/// When the stock is left as it is.
#[derive(Debug, Default)]
struct Rest {
    /// Whatever is missing.
    not_before: Duration,
    /// As long as something waits.
    calm_from: Duration,
}

/// Somebody waits for a sandbox as long as this lives.
#[derive(Debug)]
pub(crate) struct Busy<'a>(&'a Host);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let (host, pool) = (self.0, &self.0.warm);
        pool.rest().calm_from = host.clock.monotonic() + FIRST_COMMAND;
        pool.busy.fetch_sub(1, Ordering::AcqRel);
        pool.nudge.notify_one();
    }
}

/// One thing to do about the stock.
enum Job {
    Make(Kind, bool),
    Warm(Kind, Waiting),
    Drop(Waiting),
}

impl WarmPool {
    fn stocks(&self) -> MutexGuard<'_, HashMap<Kind, Stock>> {
        self.stocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The best machine that waits, and a note that one was asked for.
    pub(crate) fn claim(&self, template: &str, shape: Shape, now: Duration) -> Option<Waiting> {
        let kind = Kind {
            template: template.to_owned(),
            shape,
        };
        let mut stocks = self.stocks();
        let stock = stocks.entry(kind).or_default();
        stock.demand.note(now);
        stock.warm.pop().or_else(|| stock.started.pop())
    }

    /// At least one of this kind waits from now on.
    pub(crate) fn keep_one(&self, template: &str, shape: Shape) {
        let kind = Kind {
            template: template.to_owned(),
            shape,
        };
        self.stocks().entry(kind).or_default().least = 1;
    }

    /// What waits, for whoever asks what it costs.
    pub(crate) fn stock(&self) -> Vec<PoolLevel> {
        let stocks = self.stocks();
        let mut all: Vec<_> = stocks
            .iter()
            .map(|(kind, stock)| PoolLevel {
                template: kind.template.clone(),
                vcpus: kind.shape.vcpus,
                memory_mib: kind.shape.memory_mib,
                warm: u32::try_from(stock.warm.len()).unwrap_or(u32::MAX),
                restored: u32::try_from(stock.started.len()).unwrap_or(u32::MAX),
                unique_bytes: stock.unique_bytes(),
            })
            .filter(|stock| stock.warm + stock.restored > 0)
            .collect();
        all.sort_by(|a, b| {
            (&a.template, a.vcpus, a.memory_mib).cmp(&(&b.template, b.vcpus, b.memory_mib))
        });
        all
    }

    /// What the waiting machines have for themselves.
    pub(crate) fn unique_bytes(&self) -> u64 {
        self.stocks().values().map(Stock::unique_bytes).sum()
    }

    /// The next thing to do, most urgent first: a warm machine where one is missing, a started one, one too many.
    fn next(&self, now: Duration, most: usize) -> Option<Job> {
        let mut stocks = self.stocks();
        let mut start = None;
        for (kind, stock) in stocks.iter_mut() {
            if let Some(dead) = stock.take_dead() {
                return Some(Job::Drop(dead));
            }
            let (warm, started) = stock.wanted(now, most);
            if stock.warm.len() < warm {
                return Some(match stock.started.pop() {
                    Some(waiting) => Job::Warm(kind.clone(), waiting),
                    None => Job::Make(kind.clone(), true),
                });
            }
            if stock.warm.len() > warm {
                return stock.warm.pop().map(Job::Drop);
            }
            if stock.started.len() > started {
                return stock.started.pop().map(Job::Drop);
            }
            if stock.started.len() < started {
                start = Some(Job::Make(kind.clone(), false));
            }
        }
        start
    }

    fn put(&self, kind: Kind, waiting: Waiting) {
        let mut stocks = self.stocks();
        let stock = stocks.entry(kind).or_default();
        if waiting.warm {
            stock.warm.push(waiting);
        } else {
            stock.started.push(waiting);
        }
    }

    fn take_one(&self) -> Option<Waiting> {
        let mut stocks = self.stocks();
        let mut all = stocks.values_mut();
        all.find_map(|stock| stock.warm.pop().or_else(|| stock.started.pop()))
    }

    /// How long the stock is left as it is from now on.
    fn rests_for(&self, now: Duration) -> Duration {
        if self.busy.load(Ordering::Acquire) > 0 {
            // Whoever is busy says when that ends.
            return PERIOD;
        }
        let rest = self.rest();
        let until = if self.stocks().values().all(Stock::is_empty) {
            rest.not_before
        } else {
            rest.not_before.max(rest.calm_from)
        };
        until.saturating_sub(now)
    }

    fn take_all(&self) -> Vec<Waiting> {
        let mut stocks = self.stocks();
        let all = stocks.values_mut();
        all.flat_map(|stock| stock.warm.drain(..).chain(stock.started.drain(..)))
            .collect()
    }
}

impl Host {
    /// Says that somebody waits for a sandbox.
    pub(crate) fn is_making_one(&self) -> Busy<'_> {
        self.warm.busy.fetch_add(1, Ordering::AcqRel);
        Busy(self)
    }

    /// Keeps the stock as it should be until the host stops, then lets all of it go.
    pub(crate) async fn keep_warm(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let most = self.config.warm_max;
        while !stop.is_cancelled() {
            let now = self.clock.monotonic();
            let rest = self.warm.rests_for(now);
            let job = rest.is_zero().then(|| self.warm.next(now, most)).flatten();
            let pause = match job {
                None if rest.is_zero() => PERIOD,
                None => rest,
                Some(job) => match self.perform(job).await {
                    Ok(()) => continue,
                    Err(error) => {
                        tracing::warn!(
                            error = locule_base::errors::chain(&error),
                            "a machine for the pool was not made"
                        );
                        RETRY_AFTER
                    }
                },
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.warm.nudge.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.let_warm_go().await;
        Ok(())
    }

    /// Gives back everything that waits.
    pub(crate) async fn let_warm_go(&self) {
        for waiting in self.warm.take_all() {
            self.drop_waiting(waiting).await;
        }
    }

    /// Memory is short: one machine less waits, and none is made for a while.
    pub(crate) async fn drop_one_waiting(&self) -> bool {
        let waiting = self.warm.take_one();
        self.warm.rest().not_before = self.clock.monotonic() + SHORT_OF_MEMORY;
        match waiting {
            Some(waiting) => {
                self.drop_waiting(waiting).await;
                true
            }
            None => false,
        }
    }

    async fn perform(&self, job: Job) -> Result<(), LifecycleError> {
        match job {
            Job::Drop(waiting) => self.drop_waiting(waiting).await,
            Job::Warm(kind, waiting) => {
                let waiting = self.warm_up(waiting).await?;
                self.warm.put(kind, waiting);
            }
            Job::Make(kind, warm) => {
                if self.pool.is_low()? {
                    return Err(LifecycleError::Full("its disk pool is almost full"));
                }
                let mut waiting = self.start_waiting(&kind).await?;
                if warm {
                    waiting = self.warm_up(waiting).await?;
                }
                self.warm.put(kind, waiting);
            }
        }
        Ok(())
    }

    async fn start_waiting(&self, kind: &Kind) -> Result<Waiting, LifecycleError> {
        let golden = self.goldens.get(self, &kind.template, kind.shape).await?;
        let slot = self.slots.take().ok_or(LifecycleError::NoSlot)?;
        let folder = self.warm_dir().join(slot.number().to_string());
        let new = folder.clone();
        blocking(move || {
            locule_disk::remove_tree(&new)
                .and_then(|()| fs::create_dir_all(&new))
                .map_err(LifecycleError::io("make a folder of the pool"))
        })
        .await?;
        let steps = Steps::begin(self, "warm");
        let vm = from_golden(self, &golden, kind.shape, slot, &folder, steps).await?;
        Ok(Waiting {
            vm,
            golden,
            folder,
            warm: false,
        })
    }

    /// Past its first instructions: what the first command of a sandbox will run has run once. The user's processes stay
    /// frozen, as they were captured.
    async fn warm_up(&self, mut waiting: Waiting) -> Result<Waiting, LifecycleError> {
        let warmed = async {
            waiting.vm.machine.cont().await?;
            let key = &waiting.golden.control_key;
            guest::warm(&waiting.vm.net, key, &self.clock).await?;
            waiting.vm.machine.stop().await?;
            Ok(())
        };
        match warmed.await {
            Ok(()) => {
                waiting.warm = true;
                Ok(waiting)
            }
            Err(error) => {
                self.drop_waiting(waiting).await;
                Err(error)
            }
        }
    }

    pub(crate) async fn drop_waiting(&self, waiting: Waiting) {
        waiting.vm.release(self).await;
        // What stays behind is removed at the next start.
        let _ = blocking(move || {
            locule_disk::remove_tree(&waiting.folder)
                .map_err(LifecycleError::io("remove a folder of the pool"))
        })
        .await;
    }

    pub(crate) fn warm_dir(&self) -> PathBuf {
        self.pool.root().join("warm")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn stock_after_a_burst_of(requests: usize) -> Stock {
        let mut stock = Stock {
            least: 1,
            ..Stock::default()
        };
        for _ in 0..requests {
            stock.demand.note(NOW);
        }
        stock
    }

    #[test]
    fn the_warm_ones_are_limited_and_the_rest_of_a_burst_waits_behind_them() {
        for (requests, most, wanted) in [
            (0, 4, (1, 1)),
            (1, 4, (1, 1)),
            (3, 4, (3, 2)),
            (5, 4, (4, 2)),
            (12, 4, (4, 8)),
            (100, 4, (4, 8)),
            (100, 0, (0, 0)),
        ] {
            let found = stock_after_a_burst_of(requests).wanted(NOW, most);
            assert_eq!(found, wanted, "{requests} at once, at most {most} warm");
        }
    }
}
