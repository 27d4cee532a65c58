//! Simulated host, builders, fault plans. For tests only.
//!
//! ```text
//! World ── ControlPlane ──► SimHost (one or more)      ManualClock: a test advances the time
//!    └──── PgPool: a real database for each test
//! ```

pub mod builders;
mod host;
mod plan;
pub mod reports;
mod wait;
mod world;

pub use host::SimHost;
pub use plan::{Call, Fault, Gate};
pub use wait::{comes_true, eventually};
pub use world::{EMAIL, PASSWORD, World, person};
