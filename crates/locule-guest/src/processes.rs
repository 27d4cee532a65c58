//! The user's processes: who runs, what they print, how they end.
//!
//! ```text
//! Start ─► spawn ─► Process ──► pump stdout ─┐
//!                      │    └─► pump stderr ─┼─► Output ─► every follower, in order, nobody left behind
//!                      └─► wait ─────────────┘   (end is published after the last byte)
//! ```

mod events;
mod kept;
mod output;
pub(crate) mod service;
mod spawn;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::server::spawn;
pub(crate) use output::{End, Event, Output};
pub(crate) use spawn::{FileLimits, SpawnError, Terminal, Wanted, non_blocking};

/// Finished processes that can still be asked how they ended.
const FINISHED_KEPT: usize = 64;
/// What they may keep of their output, all together.
const FINISHED_KEPT_BYTES: usize = 8 * 1024 * 1024;
/// Running at once; more is refused, not queued.
const RUNNING_MAX: usize = 4096;

/// One process that this agent started.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) wanted: Wanted,
    pub(crate) output: Output,
    pub(crate) input: spawn::Input,
}

impl Process {
    /// Signals the process and everything it started that stayed in its group. `false`: it has ended.
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

/// Which process is meant.
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
    kept: kept::Budget,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    running: HashMap<u32, Arc<Process>>,
    /// Oldest first.
    finished: Vec<Arc<Process>>,
}

impl Processes {
    pub(crate) fn new(in_microvm: bool, file_limits: FileLimits) -> Self {
        Self {
            in_microvm,
            file_limits,
            kept: kept::Budget::default(),
            table: Mutex::default(),
        }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process. The returned follower sees everything from the first byte.
    pub(crate) async fn start(
        self: &Arc<Self>,
        wanted: Wanted,
    ) -> Result<(Arc<Process>, output::Follower), SpawnError> {
        let processes = self.clone();
        // Blocks until the child runs its program: while the sandbox is frozen that is not before the thaw.
        let started = tokio::task::spawn_blocking(move || processes.start_now(wanted)).await;
        started.unwrap_or_else(|_| Err(std::io::Error::other("the start panicked").into()))
    }

    fn start_now(
        self: &Arc<Self>,
        wanted: Wanted,
    ) -> Result<(Arc<Process>, output::Follower), SpawnError> {
        if self.table().running.len() >= RUNNING_MAX {
            return Err(SpawnError::TooMany);
        }
        let spawned = spawn::spawn(&wanted, self.in_microvm, self.file_limits)?;
        let process = Arc::new(Process {
            pid: spawned.pid,
            wanted,
            output: Output::new(self.kept.clone()),
            input: spawned.input,
        });
        let follower = process.output.follow(None);
        self.table().running.insert(process.pid, process.clone());
        let (table, finished) = (self.clone(), process.clone());
        spawn(async move {
            output::run(&finished.output, spawned.child, spawned.sources).await;
            table.retire(&finished);
        });
        Ok((process, follower))
    }

    fn retire(&self, process: &Arc<Process>) {
        let mut table = self.table();
        // Its number may have gone to another process before its last output was read.
        let mine = table.running.get(&process.pid);
        if mine.is_some_and(|running| Arc::ptr_eq(running, process)) {
            table.running.remove(&process.pid);
        }
        table.finished.retain(|other| other.pid != process.pid);
        table.finished.push(process.clone());
        let mut bytes: usize = table.finished.iter().map(|p| p.output.kept_bytes()).sum();
        while table.finished.len() > FINISHED_KEPT || bytes > FINISHED_KEPT_BYTES {
            let oldest = table.finished.remove(0);
            bytes -= oldest.output.kept_bytes();
        }
    }

    /// Running first, then recently finished, the latest first.
    pub(crate) fn find(&self, selector: &Selector) -> Option<Arc<Process>> {
        let table = self.table();
        let matches = |process: &&Arc<Process>| match selector {
            Selector::Pid(pid) => process.pid == *pid,
            Selector::Tag(tag) => process.wanted.tag.as_deref() == Some(tag),
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
