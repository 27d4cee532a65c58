//! What every handler can reach.

use locule_base::clock::SharedClock;
use locule_base::tasks::Tasks;
use locule_control::{Accounts, ControlPlane, Sandboxes};

const FILE_BYTES_MAX: usize = 100 * 1024 * 1024;
/// The parts around a file in a multipart body.
const MULTIPART_OVERHEAD_BYTES: usize = 64 * 1024;

/// Bounds of what clients may send.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// What `/health` names.
    pub version: String,
    /// Of a JSON body.
    pub json_bytes_max: usize,
    /// Of a file that is written in one request, with what is around it; a stream is not bounded.
    pub file_bytes_max: usize,
    /// Rate limits go by the last address in `X-Forwarded-For`: only behind a proxy that writes it.
    pub trust_forwarded_for: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            json_bytes_max: 1024 * 1024,
            file_bytes_max: FILE_BYTES_MAX + MULTIPART_OVERHEAD_BYTES,
            trust_forwarded_for: false,
        }
    }
}

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct AppState {
    pub(crate) sandboxes: Sandboxes,
    pub(crate) accounts: Accounts,
    /// Owns what outlives a request: upgraded connections, clean-up after a client that left.
    pub(crate) tasks: Tasks,
    pub(crate) clock: SharedClock,
    pub(crate) config: HttpConfig,
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppState")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl AppState {
    pub fn new(
        control: ControlPlane,
        tasks: Tasks,
        clock: SharedClock,
        config: HttpConfig,
    ) -> Self {
        Self {
            sandboxes: control.sandboxes,
            accounts: control.accounts,
            tasks,
            clock,
            config,
        }
    }
}
