//! Use cases, reconcilers, jobs, client of host agents.
