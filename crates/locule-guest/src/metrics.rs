//! `GET /metrics`: memory, disk and CPU use of the guest.

use std::fs;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::answer::refuse;

/// Memory and disk are in bytes. CPU use is the average since boot, as a percentage of all CPUs.
pub(crate) async fn metrics() -> Response {
    let measured = tokio::task::spawn_blocking(|| {
        let memory = memory_bytes().unwrap_or_default();
        let disk = rustix::fs::statvfs("/").ok()?;
        let used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
        Some(json!({
            "ts": nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).ok()?.tv_sec(),
            "cpu_count": std::thread::available_parallelism().map_or(1, usize::from),
            "cpu_used_pct": cpu_used_percent().unwrap_or(0.0),
            "mem_total": memory.0, "mem_used": memory.0.saturating_sub(memory.1), "mem_cache": memory.2,
            "disk_used": used, "disk_total": disk.f_blocks * disk.f_frsize,
        }))
    });
    match measured.await {
        Ok(Some(metrics)) => Json(metrics).into_response(),
        _ => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "cannot read the metrics from the kernel",
        ),
    }
}

/// Total, available and cached bytes.
fn memory_bytes() -> Option<(u64, u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':')
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .ok()
            .map(|kib| kib * 1024)
    };
    Some((field("MemTotal")?, field("MemAvailable")?, field("Cached")?))
}

fn cpu_used_percent() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .take(8)
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let (total, idle) = (ticks.iter().sum::<u64>(), ticks.get(3)? + ticks.get(4)?);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a percentage of tick counts far below 2^52"
    )]
    let share = (total - idle) as f64 / total.max(1) as f64;
    Some((share * 1000.0).round() / 10.0)
}
