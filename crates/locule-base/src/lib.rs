//! Clock, tasks, backoff, error chain, telemetry, host commands; no product words.
