//! The table of all processes, running and recently finished.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::file_limits::FileLimits;
use super::input::Input;
use super::output::{Follower, Output};
use super::pump;
use super::scrollback::Budget;
use super::spawn::{self, SpawnError, SpawnSpec};
use crate::tasks;

/// Limit of finished processes whose result can still be read.
const FINISHED_MAX: usize = 64;
/// Limit of the scrollback of all finished processes together.
const FINISHED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Limit of running processes. One more is refused, not queued.
const RUNNING_MAX: usize = 4096;

/// A process that this agent started.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) spec: SpawnSpec,
    pub(crate) output: Output,
    pub(crate) input: Input,
}

impl Process {
    /// Signals the process and its descendants in the same process group. `false`: the process has exited.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        if self.output.exited() {
            return false;
        }
        let Ok(group) = i32::try_from(self.pid) else {
            return false;
        };
        killpg(Pid::from_raw(group), signal).is_ok()
    }
}

/// How a request names a process.
#[derive(Debug, Clone)]
pub(crate) enum Selector {
    Pid(u32),
    Tag(String),
}

/// All processes of this guest, running and recently finished.
#[derive(Debug)]
pub(crate) struct Processes {
    in_microvm: bool,
    file_limits: FileLimits,
    /// Another agent ran before this one: its processes are not in the table.
    pub(crate) restarted: bool,
    scrollback_budget: Budget,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    running: HashMap<u32, Arc<Process>>,
    /// Oldest first.
    finished: Vec<Arc<Process>>,
}

impl Processes {
    pub(crate) fn new(in_microvm: bool, file_limits: FileLimits, restarted: bool) -> Self {
        Self {
            in_microvm,
            file_limits,
            restarted,
            scrollback_budget: Budget::default(),
            table: Mutex::default(),
        }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process. The returned follower gets every byte from the first.
    pub(crate) async fn start(
        self: &Arc<Self>,
        spec: SpawnSpec,
    ) -> Result<(Arc<Process>, Follower), SpawnError> {
        let processes = self.clone();
        // Blocks until the child has executed its program. If the sandbox is frozen, that is after the thaw.
        let started = tokio::task::spawn_blocking(move || processes.start_now(spec)).await;
        started
            .unwrap_or_else(|_| Err(std::io::Error::other("the spawning thread panicked").into()))
    }

    fn start_now(
        self: &Arc<Self>,
        spec: SpawnSpec,
    ) -> Result<(Arc<Process>, Follower), SpawnError> {
        if self.table().running.len() >= RUNNING_MAX {
            return Err(SpawnError::TooMany);
        }
        let spawned = spawn::spawn(&spec, self.in_microvm, self.file_limits)?;
        let process = Arc::new(Process {
            pid: spawned.pid,
            spec,
            output: Output::new(self.scrollback_budget.clone()),
            input: spawned.input,
        });
        let follower = process.output.follow(None);
        self.table().running.insert(process.pid, process.clone());
        let (table, finished) = (self.clone(), process.clone());
        tasks::spawn(async move {
            pump::run(&finished.output, spawned.child, spawned.sources).await;
            table.retire(&finished);
        });
        Ok((process, follower))
    }

    fn retire(&self, process: &Arc<Process>) {
        let mut table = self.table();
        // The kernel may have given its id to another process before its last output was read.
        let mine = table.running.get(&process.pid);
        if mine.is_some_and(|running| Arc::ptr_eq(running, process)) {
            table.running.remove(&process.pid);
        }
        table.finished.retain(|other| other.pid != process.pid);
        table.finished.push(process.clone());
        let mut bytes: usize = table
            .finished
            .iter()
            .map(|p| p.output.scrollback_bytes())
            .sum();
        while table.finished.len() > FINISHED_MAX || bytes > FINISHED_BYTES_MAX {
            let oldest = table.finished.remove(0);
            bytes -= oldest.output.scrollback_bytes();
        }
    }

    /// Finds a running process, or else the most recently finished one.
    pub(crate) fn find(&self, selector: &Selector) -> Option<Arc<Process>> {
        let table = self.table();
        let matches = |process: &&Arc<Process>| match selector {
            Selector::Pid(pid) => process.pid == *pid,
            Selector::Tag(tag) => process.spec.tag.as_deref() == Some(tag),
        };
        let mut running = table.running.values();
        running
            .find(matches)
            .or_else(|| table.finished.iter().rev().find(matches))
            .cloned()
    }

    pub(crate) fn running(&self) -> Vec<Arc<Process>> {
        let mut all: Vec<_> = self.table().running.values().cloned().collect();
        all.sort_by_key(|process| process.pid);
        all
    }
}
