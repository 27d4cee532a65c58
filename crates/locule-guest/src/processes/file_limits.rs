//! Limits of open files: the agent's own, and the one of the processes that it starts.

use rustix::process::{Resource, Rlimit};

/// The soft limit that programs expect: some loop over every number below it.
const FILES_SOFT: u64 = 1024;
/// The agent's own soft limit: each process takes three descriptors, each connection one.
const FILES_OWN: u64 = 64 * 1024;
const FILES_HARD: u64 = 512 * 1024;

/// The limit of open files for started processes. The agent's own limit is higher.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileLimits(Rlimit);

impl FileLimits {
    /// Raises the agent's own limit as far as the kernel permits, and returns the limit for its children.
    pub(crate) fn raise() -> Self {
        let given = rustix::process::getrlimit(Resource::Nofile);
        let raise = |hard: Option<u64>| {
            let own = Rlimit {
                current: Some(hard.unwrap_or(FILES_OWN).min(FILES_OWN)),
                maximum: hard,
            };
            rustix::process::setrlimit(Resource::Nofile, own).map(|()| hard)
        };
        let hard = raise(Some(FILES_HARD)).or_else(|_| raise(given.maximum));
        let hard = hard.unwrap_or(given.maximum);
        let soft = hard.map_or(FILES_SOFT, |hard| hard.min(FILES_SOFT));
        Self(Rlimit {
            current: Some(soft),
            maximum: hard,
        })
    }

    /// Applies the limit to the calling process. Safe between fork and exec: one system call.
    pub(super) fn apply(self) -> rustix::io::Result<()> {
        rustix::process::setrlimit(Resource::Nofile, self.0)
    }
}
