//! The time of the caller, as rustls asks for it.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

struct Time<F>(F);

impl<F> std::fmt::Debug for Time<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Time").finish_non_exhaustive()
    }
}

impl<F: Fn() -> Option<Duration> + Send + Sync> TimeProvider for Time<F> {
    fn current_time(&self) -> Option<UnixTime> {
        (self.0)().map(UnixTime::since_unix_epoch)
    }
}

/// The time of a clock that tells how long ago 1970 began. Without an answer of the clock, no certificate is accepted.
pub fn tls_time(
    since_epoch: impl Fn() -> Option<Duration> + Send + Sync + 'static,
) -> Arc<dyn TimeProvider> {
    Arc::new(Time(since_epoch))
}
