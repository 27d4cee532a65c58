//! A guest whose write to its disk failed because the pool is full: the VMM has stopped the guest in the middle of the write. The
//! guest loses nothing; when the VM continues, the VMM repeats the write.

use locule_base::errors::chain;

use super::{Driver, RETRY_AFTER};
use crate::error::HostError;
use crate::guest::GuestClient;

const STOPPED: &str =
    "the host's disk pool is full: the sandbox is stopped until the pool has free space";
const CONTINUES: &str =
    "the host's disk pool was full: the sandbox was stopped for a while, and continues to run";

impl Driver {
    /// Reports that the guest is stopped, and continues it once the pool has more free space than its low-water mark.
    pub(super) async fn check_disk(&mut self) {
        if let Err(error) = self.continue_after_full_disk().await {
            tracing::warn!(sandbox.id = %self.manifest.sandbox, error = chain(&error), "the disk of a sandbox cannot be checked");
        }
    }

    async fn continue_after_full_disk(&mut self) -> Result<(), HostError> {
        let Some(vm) = self.vm.as_mut() else {
            return Ok(());
        };
        if vm.machine.disk_failed()? && !self.is_stopped_by_disk {
            self.is_stopped_by_disk = true;
            self.report_disk(STOPPED);
        }
        let now = self.host.clock.monotonic();
        let early = self.continue_at.is_some_and(|at| now < at);
        if !self.is_stopped_by_disk || early || self.host.pool.is_low()? {
            return Ok(());
        }
        // A guest that fills what little space there is stops again: not every second.
        self.continue_at = Some(now + RETRY_AFTER);
        if let Some(vm) = self.vm.as_mut() {
            vm.machine.cont().await?;
            let guest = GuestClient::new(&vm.net, &self.manifest.control_key, &self.host.clock);
            if let Err(error) = guest.thaw().await {
                tracing::warn!(sandbox.id = %self.manifest.sandbox, error = chain(&error), "the clock of a sandbox that was stopped by a full disk cannot be set; it is behind");
            }
        }
        self.is_stopped_by_disk = false;
        self.report_disk(CONTINUES);
        Ok(())
    }

    fn report_disk(&mut self, message: &'static str) {
        tracing::warn!(sandbox.id = %self.manifest.sandbox, "{message}");
        self.manifest.last_error = Some(message.to_owned());
        self.publish();
    }
}
