//! Simulated host, builders, fault plans. For tests only.
//!
//! ```text
//! World ── Control ──► SimHost (one or more)      ManualClock: time passes when a test says so
//!    └──── PgPool: a real database of the test's own
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
