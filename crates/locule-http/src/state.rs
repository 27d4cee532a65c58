//! The state that every handler shares.

use locule_base::clock::SharedClock;
use locule_base::counts::Counts;
use locule_base::tasks::Tasks;
use locule_control::{Accounts, ControlPlane, Events, Hosts, Sandboxes};
use locule_ids::TeamId;

use crate::connection::{Connection, Traffic};
use crate::error::ApiError;
use crate::memory::MemoryBudget;

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
    /// Maximum size of a JSON body of an operation on accounts and teams, which include every operation without a credential.
    pub account_json_bytes_max: usize,
    /// Maximum size of the body of `files/write`. `files/stream/write` has no limit.
    pub file_bytes_max: usize,
    /// Whether the last address in `X-Forwarded-For` is the client's address for rate limits. Enable this only behind a proxy
    /// that sets the header.
    pub trust_forwarded_for: bool,
    pub names: Names,
    /// Memory that the bodies and outputs of all requests in progress may occupy.
    pub memory_bytes_max: usize,
    /// The part of it that the requests of one team may occupy.
    pub team_memory_bytes_max: usize,
    /// Requests and `WebSocket`s of one team at a time.
    pub team_requests_max: usize,
    /// Requests to the ports of one team's sandboxes at a time.
    pub team_port_requests_max: usize,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            json_bytes_max: 1024 * 1024,
            account_json_bytes_max: 64 * 1024,
            file_bytes_max: FILE_BYTES_MAX + MULTIPART_OVERHEAD_BYTES,
            trust_forwarded_for: false,
            names: Names::default(),
            memory_bytes_max: 512 * 1024 * 1024,
            team_memory_bytes_max: 128 * 1024 * 1024,
            team_requests_max: 1024,
            team_port_requests_max: 2048,
        }
    }
}

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct AppState {
    pub(crate) sandboxes: Sandboxes,
    pub(crate) accounts: Accounts,
    pub(crate) hosts: Hosts,
    pub(crate) events: Events,
    /// Runs the tasks that outlive a request: upgraded connections, and the clean-up after a client that left.
    pub(crate) tasks: Tasks,
    pub(crate) clock: SharedClock,
    pub(crate) config: HttpConfig,
    pub(crate) memory: MemoryBudget,
    /// The requests in progress of each team.
    requests: Counts<(TeamId, Traffic)>,
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
            hosts: control.hosts,
            events: control.events,
            tasks,
            clock,
            memory: MemoryBudget::new(config.memory_bytes_max, config.team_memory_bytes_max),
            requests: Counts::default(),
            config,
        }
    }

    /// Counts the request on the connection as one of the team. The count ends with the request.
    pub(crate) fn count_request(
        &self,
        connection: &Connection,
        team: TeamId,
        traffic: Traffic,
    ) -> Result<(), ApiError> {
        let max = match traffic {
            Traffic::Api => self.config.team_requests_max,
            Traffic::Port => self.config.team_port_requests_max,
        };
        let counted = self.requests.begin((team, traffic), max);
        connection.count_for_team(counted.ok_or_else(ApiError::too_many_requests)?);
        Ok(())
    }
}
