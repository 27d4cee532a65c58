//! The whole control plane in the test process, on a real PostgreSQL, with a simulated host.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod anything;
mod app;
mod audit_log;
mod bad_input;
mod bad_people;
mod bounds;
mod caching_proxy;
mod content;
mod contract;
mod database;
mod docs;
mod hosts;
mod invitations;
mod late_bodies;
mod life;
mod limits;
mod listener;
mod lists;
mod logins;
mod mail;
mod matrix;
mod memory;
mod methods;
mod oauth;
mod own_account;
mod people;
mod port_tokens;
mod ports;
mod raw;
mod revocation;
mod served;
mod streams;
mod team_memory;
mod teams;
