//! The time, for measuring.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Since some moment before this program began; never runs backwards.
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.unsigned_abs(), nanos(time.tv_nsec))
}

/// How long ago that was.
pub fn since(begun: Duration) -> Duration {
    between(begun, now())
}

pub fn between(begun: Duration, ended: Duration) -> Duration {
    ended.saturating_sub(begun)
}

/// Since 1970.
pub fn wall() -> Duration {
    let time = clock_gettime(ClockId::Realtime);
    Duration::new(time.tv_sec.unsigned_abs(), nanos(time.tv_nsec))
}

fn nanos(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// Asks until the answer is something, at most for `patience`.
pub fn until<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = now() + patience;
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

/// A length of time as milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
