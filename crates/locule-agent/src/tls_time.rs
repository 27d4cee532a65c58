//! The agent's clock, as TLS asks for the time.

use std::sync::Arc;

use chrono::DateTime;
use locule_agent_api::tls;
use locule_agent_api::tls::rustls::time_provider::TimeProvider;
use locule_base::clock::SharedClock;

pub(crate) fn tls_time(clock: &SharedClock) -> Arc<dyn TimeProvider> {
    let clock = clock.clone();
    tls::tls_time(move || (clock.now() - DateTime::UNIX_EPOCH).to_std().ok())
}
