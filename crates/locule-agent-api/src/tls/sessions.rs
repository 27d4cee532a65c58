//! The TLS sessions that a client may resume.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use rustls::time_provider::TimeProvider;
use rustls::{CommonState, Error, HandshakeKind};

/// Each resumed connection gets new tickets, so a chain of them would have no end. After an hour every client proves again that it
/// has the key of its certificate.
const SESSIONS_LIFE: Duration = Duration::from_hours(1);
/// Each connection gets two tickets. The store evicts the oldest ones.
const SESSIONS_MAX: usize = 1024;

/// Sessions in memory, all of which end together.
pub(super) struct Sessions {
    time: Arc<dyn TimeProvider>,
    store: Mutex<Store>,
}

struct Store {
    /// `None`: the time is not known, which ends the sessions at the next use.
    since: Option<UnixTime>,
    cache: Arc<ServerSessionMemoryCache>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Sessions {
    pub(super) fn new(time: Arc<dyn TimeProvider>) -> Self {
        let since = time.current_time();
        Self {
            time,
            store: Mutex::new(Store::since(since)),
        }
    }

    /// Ends all sessions: the next connection of each client is a full handshake.
    pub(super) fn end_all(&self) {
        *self.lock() = Store::since(self.time.current_time());
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sessions that have not ended.
    fn current(&self) -> Arc<ServerSessionMemoryCache> {
        let now = self.time.current_time();
        let mut store = self.lock();
        let is_old = match (store.since, now) {
            // A clock that was set back ends the sessions too.
            (Some(since), Some(now)) => now
                .as_secs()
                .checked_sub(since.as_secs())
                .is_none_or(|age_seconds| age_seconds >= SESSIONS_LIFE.as_secs()),
            _ => true,
        };
        if is_old {
            *store = Store::since(now);
        }
        store.cache.clone()
    }
}

impl Store {
    fn since(since: Option<UnixTime>) -> Self {
        Self {
            since,
            cache: ServerSessionMemoryCache::new(SESSIONS_MAX),
        }
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.current().put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.current().get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.current().take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// Holds a resumed session to the certificate that it began with: rustls does not look at the dates of that certificate again, so
/// the other side could resume for ever.
pub(super) fn check_resumed(
    session: &CommonState,
    time: &dyn TimeProvider,
    verify: impl FnOnce(&CertificateDer<'_>, &[CertificateDer<'_>], UnixTime) -> Result<(), Error>,
) -> Result<(), Error> {
    if session.handshake_kind() != Some(HandshakeKind::Resumed) {
        return Ok(());
    }
    let now = time.current_time().ok_or(Error::FailedToGetCurrentTime)?;
    let chain = session.peer_certificates().unwrap_or_default();
    let (of_peer, others) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    verify(of_peer, others, now)
}
