//! The agent's clock, as rustls asks for the time.

use std::sync::Arc;

use chrono::DateTime;
use locule_agent_api::tls::rustls::pki_types::UnixTime;
use locule_agent_api::tls::rustls::time_provider::TimeProvider;
use locule_base::clock::SharedClock;

#[derive(Debug)]
struct Time(SharedClock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let since_epoch = self.0.now() - DateTime::UNIX_EPOCH;
        Some(UnixTime::since_unix_epoch(since_epoch.to_std().ok()?))
    }
}

pub(crate) fn tls_time(clock: &SharedClock) -> Arc<dyn TimeProvider> {
    Arc::new(Time(clock.clone()))
}
