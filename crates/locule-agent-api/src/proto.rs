//! The generated messages and services.
#![expect(
    missing_debug_implementations,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::str_to_string,
    unreachable_pub,
    reason = "generated code"
)]
connectrpc::include_generated!();
