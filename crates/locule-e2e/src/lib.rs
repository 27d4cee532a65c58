//! Shared by the programs that run a whole platform: the speed bench and the soak.
//!
//! ```text
//! Platform (its own `locule up`) ◄── Api (HTTP, as any client) · guest (TCP from inside a namespace) · host (resources on the machine)
//! ```
//!
//! This crate is not part of the product, and uses nothing of the product but its wire formats: a measuring program must not
//! share the faults of the measured program.

pub mod api;
pub mod clock;
pub mod guest;
pub mod held;
pub mod host;
pub mod http;
pub mod oracle;
pub mod platform;
pub mod random;
pub mod screen;
pub mod statistics;
