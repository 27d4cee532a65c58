//! Simulated host and guest, builders, fault plans. For tests only.
//!
//! ```text
//! World ── ControlPlane ──► SimHost (one or more)      ManualClock: a test advances the time
//!    └──── PgPool: a real database for each test
//!
//! Simulation ── ControlPlane, two of them ──► SimHosts, over a network with faults
//!
//! Crowd: very many SimHosts at sockets, for the control plane of another process
//!
//! edge ──► HostProxy, by the states of a SimHost ──► FakeGuest: scripted programs, in the test process
//!                                                └─► GuestProcess: the real guest agent, which runs real commands
//! ```

pub mod builders;
mod crowd;
mod fake_guest;
mod fleet;
mod guest_process;
mod host;
mod host_proxy;
mod online_host;
mod plan;
pub mod reports;
mod roles;
mod wait;
mod world;

pub use crowd::{Crowd, CrowdHost, CrowdPlan};
pub use fake_guest::{FIRST_PID, FakeGuest, WebAnswer, WebRequest};
pub use fleet::{Answers, Defects, Failure, Simulation};
pub use guest_process::{GuestProcess, current_user, free_address, program};
pub use host::SimHost;
pub use host_proxy::{GuestAgent, HostProxy};
/// What a [`SimHost`] reports of a sandbox, for tests of crates that do not speak to hosts.
pub use locule_agent_api::ReportedState;
pub use online_host::{another_host, online_host, roomy, with_minimal};
pub use plan::{Call, Fault, Gate};
pub use roles::{as_owner, as_serve, run_as_owner};
pub use wait::{comes_true, eventually};
pub use world::{EMAIL, PASSWORD, World, person};
