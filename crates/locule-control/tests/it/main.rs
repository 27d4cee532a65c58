//! Use cases and the sweep, over simulated hosts and a real database, with a clock that a test advances.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by a panic, its helpers too"
)]

mod authority;
mod crash;
mod create;
mod database;
mod end;
mod idempotency;
mod life;
mod lock_order;
mod monitor;
mod placement;
mod quarantine;
mod quota;
mod revocation;
mod second_line;
mod sessions;
mod simulation;
mod stale;
mod sweep;
mod teams;
mod truth;
mod update;
mod watch;
