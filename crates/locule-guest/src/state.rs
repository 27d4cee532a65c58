//! The state that the handlers share.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::{Semaphore, broadcast};

use crate::filesystem::Watchers;
use crate::identity::{SharedIdentity, StoredIdentity};
use crate::processes::{FileLimits, Processes};

/// Resets that a connection may miss before it sees that it missed some; either way the connection closes.
const SESSION_RESETS_QUEUED: usize = 4;
/// Limit of open tunnels: more than the requests that the host lets one sandbox have.
const TUNNELS_MAX: usize = 1024;

#[derive(Debug, Clone)]
pub(crate) struct GuestState {
    /// `false` on an ordinary machine: no cgroup to freeze, no clock or host name to set, and every peer counts as the host.
    pub(crate) in_microvm: bool,
    pub(crate) identity: Arc<SharedIdentity>,
    pub(crate) processes: Arc<Processes>,
    pub(crate) watchers: Arc<Watchers>,
    /// Carries the peer address of the connection that called `/init`. Every other connection is closed: its peer spoke to
    /// the sandbox that the guest was before.
    pub(crate) session_reset: broadcast::Sender<SocketAddr>,
    /// Slots of open tunnels.
    pub(crate) tunnels: Arc<Semaphore>,
}

impl GuestState {
    /// `restarted`: another agent ran before this one.
    pub(crate) fn new(
        in_microvm: bool,
        file_limits: FileLimits,
        identity: StoredIdentity,
        restarted: bool,
    ) -> Self {
        Self {
            in_microvm,
            identity: Arc::new(SharedIdentity::open(identity)),
            processes: Arc::new(Processes::new(in_microvm, file_limits, restarted)),
            watchers: Arc::default(),
            session_reset: broadcast::Sender::new(SESSION_RESETS_QUEUED),
            tunnels: Arc::new(Semaphore::new(TUNNELS_MAX)),
        }
    }
}

impl FromRef<GuestState> for Arc<SharedIdentity> {
    fn from_ref(state: &GuestState) -> Self {
        state.identity.clone()
    }
}
