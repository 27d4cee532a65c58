//! Tests that boot real microVMs.
