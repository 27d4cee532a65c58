//! Simulated host, builders, fault plans. For tests only.
