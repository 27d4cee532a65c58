//! News of sandboxes for those who watch this host.

use locule_agent_api::SandboxReport;
use tokio::sync::broadcast;

/// A watcher that lags further behind is cut off and starts over with the full list.
const BACKLOG: usize = 1024;

#[derive(Debug, Clone)]
pub(crate) struct Changes(broadcast::Sender<SandboxReport>);

impl Changes {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }

    /// Told after the commit of what it tells.
    pub(crate) fn tell(&self, report: SandboxReport) {
        // Without a watcher there is nobody to tell: the next one begins with the full list.
        let _ = self.0.send(report);
    }

    pub(crate) fn watch(&self) -> broadcast::Receiver<SandboxReport> {
        self.0.subscribe()
    }
}
