//! The network between the processes of the control plane and the hosts: calls get lost, wait, arrive late, or arrive twice.
//!
//! ```text
//! control plane, process 1 ─► Link ─┐
//! control plane, process 2 ─► Link ─┴─ Network: the fate of each call ─► SimHost
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use locule_agent_api::AgentError;
use tokio::sync::oneshot;

use super::dice::Dice;
use crate::plan::Call;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    /// The host never gets the call.
    RequestLost,
    /// The host carries out the call; the caller does not learn it.
    AnswerLost,
    /// The host gets the call after the caller has given up.
    Late,
    /// The host gets the call now, and once more later.
    Twice,
    /// The call waits before the host gets it.
    RequestHeld,
    /// The host carries out the call; its answer waits.
    AnswerHeld,
    /// The host fails, and does nothing.
    Refused,
    /// A host agent with a defect: it says that it carried out the call, and did not. Only for the test of the checks.
    Lie,
}

/// The fates of a call that changes a sandbox, on a network with faults.
const ORDER_FATES: [Fate; 7] = [
    Fate::RequestLost,
    Fate::AnswerLost,
    Fate::Late,
    Fate::Twice,
    Fate::RequestHeld,
    Fate::AnswerHeld,
    Fate::Refused,
];
/// Those of a call that only reads.
const QUESTION_FATES: [Fate; 3] = [Fate::RequestLost, Fate::RequestHeld, Fate::AnswerHeld];

/// One process of the control plane, from its start to its crash.
#[derive(Debug)]
pub(super) struct Incarnation {
    pub(super) is_dead: AtomicBool,
}

impl Incarnation {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self {
            is_dead: AtomicBool::new(false),
        })
    }
}

/// A call on its way to a host whose caller does not wait for it any more.
struct Stray {
    name: String,
    deliver: BoxFuture<'static, ()>,
}

/// A call that waits on the network.
struct HeldCall {
    from: Arc<Incarnation>,
    name: String,
    open: oneshot::Sender<()>,
    /// The call, if the host has not got it yet.
    request: Option<Stray>,
}

#[derive(Default)]
struct State {
    dice: Option<Dice>,
    /// The percentage of calls with a fault, by host.
    trouble: BTreeMap<usize, usize>,
    held: Vec<HeldCall>,
    /// What waits for callers that crashed: never opened.
    abandoned: Vec<HeldCall>,
    strays: Vec<Stray>,
    /// Hosts whose agents acknowledge a destroy and keep the VM.
    liars: Vec<usize>,
    log: Vec<String>,
}

/// The network of a fleet. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Network(Arc<Mutex<State>>);

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

/// A call that is made when the future is polled.
pub(super) type Run<T> = BoxFuture<'static, Result<T, AgentError>>;

impl Network {
    pub(super) fn new(dice: Dice) -> Self {
        let network = Self::default();
        network.state().dice = Some(dice);
        network
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how many of a hundred calls to a host have a fault.
    pub(super) fn set_trouble(&self, host: usize, percent: usize) {
        self.state().trouble.insert(host, percent);
    }

    pub(super) fn set_liar(&self, host: usize) {
        self.state().liars.push(host);
    }

    /// The faults since the last call of this function.
    pub(super) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    fn fate(&self, host: usize, call: Call) -> Fate {
        let mut state = self.state();
        if call == Call::Destroy && state.liars.contains(&host) {
            return Fate::Lie;
        }
        let percent = state.trouble.get(&host).copied().unwrap_or(0);
        let Some(dice) = state.dice.as_mut().filter(|_| percent > 0) else {
            return Fate::Delivered;
        };
        if !dice.chance(percent) {
            return Fate::Delivered;
        }
        let fates: &[Fate] = match call {
            Call::Create
            | Call::Destroy
            | Call::Pause
            | Call::Resume
            | Call::Update
            | Call::Terminate => &ORDER_FATES,
            Call::Host
            | Call::Ping
            | Call::Get
            | Call::Record
            | Call::Activity
            | Call::List
            | Call::Watch => &QUESTION_FATES,
        };
        let fate = dice.pick(fates).unwrap_or(Fate::Delivered);
        state
            .log
            .push(format!("    {call:?} at host {host}: {fate:?}"));
        fate
    }

    /// Sends a call of a process to a host.
    pub(super) async fn send<T: Send + 'static>(
        &self,
        from: &Arc<Incarnation>,
        (host, call): (usize, Call),
        run: impl Fn() -> Run<T>,
        lie: Option<T>,
    ) -> Result<T, AgentError> {
        if from.is_dead.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        let stray = || Stray {
            name: format!("{call:?} at host {host}"),
            deliver: run().map(drop).boxed(),
        };
        match (self.fate(host, call), lie) {
            (Fate::Lie, Some(answer)) => Ok(answer),
            (Fate::Delivered | Fate::Lie, _) => run().await,
            (Fate::RequestLost, _) => {
                Err(AgentError::Unavailable("the request was lost".to_owned()))
            }
            (Fate::Refused, _) => Err(AgentError::Internal("the host failed".to_owned())),
            (Fate::AnswerLost, _) => {
                // The caller does not learn whether the order was carried out or refused.
                let _ = run().await;
                Err(AgentError::DeadlineExceeded)
            }
            (Fate::Late, _) => {
                self.state().strays.push(stray());
                Err(AgentError::DeadlineExceeded)
            }
            (Fate::Twice, _) => {
                let answer = run().await;
                self.state().strays.push(stray());
                answer
            }
            (Fate::RequestHeld, _) => {
                self.hold(from, Some(stray())).await;
                run().await
            }
            (Fate::AnswerHeld, _) => {
                let answer = run().await;
                self.hold(from, None).await;
                answer
            }
        }
    }

    /// Waits until the simulation lets the call go on.
    async fn hold(&self, from: &Arc<Incarnation>, request: Option<Stray>) {
        let (open, opened) = oneshot::channel();
        let name = request.as_ref().map(|stray| stray.name.clone());
        self.state().held.push(HeldCall {
            from: from.clone(),
            name: name.unwrap_or_else(|| "an answer".to_owned()),
            open,
            request,
        });
        if opened.await.is_err() {
            // The caller crashed.
            std::future::pending::<()>().await;
        }
    }

    /// Lets one of the held calls go on. Returns its name.
    pub(super) fn release(&self, dice: &mut Dice) -> Option<String> {
        let mut state = self.state();
        if state.held.is_empty() {
            return None;
        }
        let index = dice.below(state.held.len());
        let held = state.held.remove(index);
        drop(state);
        // Fails if the caller has given up.
        let _ = held.open.send(());
        Some(held.name)
    }

    /// Delivers one of the calls that nothing waits for any more, in any order. Returns its name.
    pub(super) fn deliver_stray(&self, dice: &mut Dice) -> Option<String> {
        let mut state = self.state();
        if state.strays.is_empty() {
            return None;
        }
        let index = dice.below(state.strays.len());
        let stray = state.strays.remove(index);
        drop(state);
        // A simulated host carries out every call at once.
        let _ = stray.deliver.now_or_never();
        Some(stray.name)
    }

    /// A process crashed: requests that are on their way may still arrive, its answers do not.
    pub(super) fn abandon(&self, from: &Arc<Incarnation>) {
        from.is_dead.store(true, Ordering::Relaxed);
        let mut state = self.state();
        let (dead, alive) = std::mem::take(&mut state.held)
            .into_iter()
            .partition(|held| Arc::ptr_eq(&held.from, from));
        state.held = alive;
        let mut dead: Vec<HeldCall> = dead;
        let requests = dead.iter_mut().filter_map(|held| held.request.take());
        let requests: Vec<Stray> = requests.collect();
        state.strays.extend(requests);
        state.abandoned.extend(dead);
    }

    /// No more faults.
    pub(super) fn clear(&self) {
        self.state().trouble.clear();
    }
}
