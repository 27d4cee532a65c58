//! The memory that one process has for itself, and how long work waits for memory.

use std::fs;

use locule_base::memory::kibibytes;

/// What a process would give back if it ended: its private pages, in memory and swapped out.
pub(crate) fn unique_bytes(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    ["RssAnon:", "VmSwap:"]
        .iter()
        .filter_map(|field| kibibytes(&text, field))
        .sum::<u64>()
        * 1024
}

/// The percentage of the last ten seconds in which some work waited for memory.
pub(crate) fn stalled_percent() -> Option<f64> {
    some_avg10(&fs::read_to_string("/proc/pressure/memory").ok()?)
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

    #[test]
    fn the_share_of_time_that_work_waits_for_memory_is_parsed() {
        let pressure = "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(some_avg10(pressure), Some(12.5));
        assert_eq!(some_avg10(""), None);
    }

    #[test]
    fn a_running_process_has_private_pages() {
        assert!(unique_bytes(std::process::id()) > 0);
    }
}
