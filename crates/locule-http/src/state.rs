//! The state that every handler shares.

use locule_base::clock::SharedClock;
use locule_base::tasks::Tasks;
use locule_control::{Accounts, ControlPlane, Sandboxes};

use crate::names::Names;

const FILE_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Allowance for the multipart framing around a file.
const MULTIPART_OVERHEAD_BYTES: usize = 64 * 1024;

/// Limits on requests, and the names that the platform answers to.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// The version that `/health` reports.
    pub version: String,
    /// Maximum size of a JSON body.
    pub json_bytes_max: usize,
    /// Maximum size of the body of `files/write`. `files/stream/write` has no limit.
    pub file_bytes_max: usize,
    /// Whether the last address in `X-Forwarded-For` is the client's address for rate limits. Enable this only behind a proxy
    /// that sets the header.
    pub trust_forwarded_for: bool,
    pub names: Names,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            json_bytes_max: 1024 * 1024,
            file_bytes_max: FILE_BYTES_MAX + MULTIPART_OVERHEAD_BYTES,
            trust_forwarded_for: false,
            names: Names::default(),
        }
    }
}

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct AppState {
    pub(crate) sandboxes: Sandboxes,
    pub(crate) accounts: Accounts,
    /// Runs the tasks that outlive a request: upgraded connections, and the clean-up after a client that left.
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
