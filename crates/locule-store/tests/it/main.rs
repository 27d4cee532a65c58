//! Every query against a real PostgreSQL, each test with a database of its own.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by a panic, its helpers too"
)]

mod audit;
mod authority;
mod identity;
mod invitations;
mod lists;
mod oauth_providers;
mod others;
mod people;
mod roles;
mod sandbox_callers;
mod sandboxes;
mod schema;
mod sweep;
