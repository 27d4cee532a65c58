//! Changes of sandboxes, for the control planes that watch this host.

use locule_agent_api::SandboxReport;
use tokio::sync::broadcast;

/// A watcher that lags further behind is cut off and starts over with the full list.
const BACKLOG: usize = 1024;

#[derive(Debug, Clone)]
pub(crate) struct Events(broadcast::Sender<SandboxReport>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }

    /// Called after the commit of the change.
    pub(crate) fn publish(&self, report: SandboxReport) {
        // Without a watcher the report is dropped: the next watcher begins with the full list.
        let _ = self.0.send(report);
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<SandboxReport> {
        self.0.subscribe()
    }
}
