//! Time for measurements.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Monotonic time since an arbitrary start.
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.unsigned_abs(), nanos(time.tv_nsec))
}

/// The time since `begun`.
pub fn since(begun: Duration) -> Duration {
    between(begun, now())
}

pub fn between(begun: Duration, ended: Duration) -> Duration {
    ended.saturating_sub(begun)
}

/// Time since 1970.
pub fn wall() -> Duration {
    let time = clock_gettime(ClockId::Realtime);
    Duration::new(time.tv_sec.unsigned_abs(), nanos(time.tv_nsec))
}

fn nanos(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// Calls `ask` until it returns `Some`, for at most `timeout`.
pub fn until<T>(timeout: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = now() + timeout;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A duration in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
