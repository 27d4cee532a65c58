//! Namespace, tap, addresses and egress rules of one sandbox.
