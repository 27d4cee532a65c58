//! Lifecycle of every sandbox on one host.
