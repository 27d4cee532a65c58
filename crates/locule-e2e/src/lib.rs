//! What the programs share that run a whole platform: the speed bench and the soak.
//!
//! ```text
//! Platform (a `locule up` of its own) ◄── Api (HTTP, as any client) · guest (TCP from inside a namespace) · host (what is left on the machine)
//! ```
//!
//! Nothing here is part of the product, and nothing of the product is in it but its wire: what measures and doubts must not
//! share the faults of what it looks at.

pub mod api;
pub mod clock;
pub mod guest;
pub mod host;
pub mod http;
pub mod oracle;
pub mod platform;
pub mod random;
pub mod screen;
pub mod statistics;
