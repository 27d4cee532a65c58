//! When memory runs short, the longest idle sandbox is paused: before the kernel kills anything.
//!
//! Counted is what the VMs have for themselves (private pages and swap), golden memory once. Above the limit, or when the
//! kernel says that work waits for memory, machines of the pool go first, then sandboxes, one after the other: each pause is
//! waited for before the next look.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use locule_ids::SandboxId;
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use crate::registry::Registry;

const PERIOD: Duration = Duration::from_millis(500);
/// Percent of the last ten seconds in which some work waited for memory.
const STALL_PERCENT_MAX: f64 = 20.0;
/// Of the machine's memory: with more available, stalls are not for want of memory.
const SCARCE_PERCENT: u64 = 10;

/// A running sandbox, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) sandbox: SandboxId,
    pub(crate) pid: u32,
    /// A request or a stream is open.
    pub(crate) in_use: bool,
    pub(crate) last_active: DateTime<Utc>,
}

/// Who is paused first: whoever is not in use, and of those the longest idle.
fn first_to_pause(running: &[Running]) -> Option<SandboxId> {
    let first = running
        .iter()
        .min_by_key(|one| (one.in_use, one.last_active));
    first.map(|one| one.sandbox)
}

/// Watches until the host stops.
pub(crate) async fn watch(
    host: Arc<Host>,
    registry: Arc<Registry>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
        let running = registry.running();
        let Some(why) = shortage(&host, &running) else {
            continue;
        };
        if host.drop_one_waiting().await {
            continue;
        }
        let Some(sandbox) = first_to_pause(&running) else {
            continue;
        };
        tracing::warn!(sandbox.id = %sandbox, why, "memory is short: pausing the longest idle sandbox");
        if let Err(error) = registry.relieve(sandbox).await {
            tracing::warn!(sandbox.id = %sandbox, %error, "it could not be paused");
        }
    }
}

/// Why something has to go. `None`: there is memory enough.
fn shortage(host: &Host, running: &[Running]) -> Option<String> {
    let limit = host.config.limits.memory_limit_mib << 20;
    let used = used_bytes(host, running);
    if used > limit {
        return Some(format!("{} of {} MiB are in use", used >> 20, limit >> 20));
    }
    let machine = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let (total, free) = (
        kibibytes(&machine, "MemTotal:")?,
        kibibytes(&machine, "MemAvailable:")?,
    );
    let stalled = std::fs::read_to_string("/proc/pressure/memory").ok();
    let stalled = stalled.and_then(|text| some_avg10(&text))?;
    // Work also waits while the kernel takes back page cache of which there is plenty: no reason to pause anybody.
    let scarce = free * 100 < total * SCARCE_PERCENT;
    (scarce && stalled > STALL_PERCENT_MAX)
        .then(|| format!("work waits for memory {stalled} % of the time"))
}

/// What all VMs have for themselves, those of the pool and golden memory too.
pub(crate) fn used_bytes(host: &Host, running: &[Running]) -> u64 {
    let vms: u64 = running.iter().map(|one| unique_bytes(one.pid)).sum();
    vms + host.warm.unique_bytes() + host.goldens.bytes()
}

/// What a process would give back if it ended: its private pages, in memory and swapped out.
pub(crate) fn unique_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    ["RssAnon:", "VmSwap:"]
        .iter()
        .filter_map(|field| kibibytes(&text, field))
        .sum::<u64>()
        * 1024
}

fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// From `some avg10=1.23 avg60=… …`.
fn some_avg10(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    line.split_whitespace()
        .find_map(|part| part.strip_prefix("avg10=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(in_use: bool, minute: i64) -> Running {
        Running {
            sandbox: SandboxId::random(),
            pid: 1,
            in_use,
            last_active: DateTime::from_timestamp(minute * 60, 0).unwrap(),
        }
    }

    #[test]
    fn the_longest_idle_goes_first_and_whoever_is_in_use_last() {
        let all = [running(true, 1), running(false, 3), running(false, 2)];
        assert_eq!(first_to_pause(&all), Some(all[2].sandbox));
        assert_eq!(first_to_pause(&all[..1]), Some(all[0].sandbox));
        assert_eq!(first_to_pause(&[]), None);
    }

    #[test]
    fn the_kernels_words_are_understood() {
        let pressure = "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(some_avg10(pressure), Some(12.5));
        assert_eq!(some_avg10(""), None);
        let status = "VmRSS:\t    9000 kB\nRssAnon:\t    1024 kB\nVmSwap:\t       8 kB\n";
        assert_eq!(kibibytes(status, "RssAnon:"), Some(1024));
        assert!(unique_bytes(std::process::id()) > 0);
    }
}
