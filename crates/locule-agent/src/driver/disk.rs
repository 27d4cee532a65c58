//! A guest whose disk could not be written, because the pool is full: its VMM has stopped it in the middle of the write. It
//! loses nothing and stands still until it is let go on, which tries the write again.

use super::{Driver, RETRY_AFTER};
use crate::guest;
use crate::lifecycle::LifecycleError;

const STANDS_STILL: &str =
    "the host's disk pool is full: the sandbox stands still until there is room";
const RUNS_ON: &str =
    "the host's disk pool was full: the sandbox stood still for a while, and runs on";

impl Driver {
    /// Says that it stands still, and lets it go on once the pool has more than its low-water mark.
    pub(super) async fn look_at_the_disk(&mut self) {
        if let Err(error) = self.wait_for_room().await {
            tracing::warn!(sandbox.id = %self.manifest.sandbox, error = locule_base::errors::chain(&error), "cannot look after the disk of a sandbox");
        }
    }

    async fn wait_for_room(&mut self) -> Result<(), LifecycleError> {
        let Some(vm) = self.vm.as_mut() else {
            return Ok(());
        };
        if vm.machine.disk_failed()? && !self.waits_for_room {
            self.waits_for_room = true;
            self.say_of_the_disk(STANDS_STILL);
        }
        let now = self.host.clock.monotonic();
        let early = self.room_at.is_some_and(|at| now < at);
        if !self.waits_for_room || early || self.host.pool.is_low()? {
            return Ok(());
        }
        // One that fills what little there is stops again: not every second.
        self.room_at = Some(now + RETRY_AFTER);
        if let Some(vm) = self.vm.as_mut() {
            vm.machine.cont().await?;
            let (key, clock) = (&self.manifest.control_key, &self.host.clock);
            if let Err(error) = guest::thaw(&vm.net, key, clock).await {
                tracing::warn!(sandbox.id = %self.manifest.sandbox, error = locule_base::errors::chain(&error), "its clock is behind by as long as it stood still");
            }
        }
        self.waits_for_room = false;
        self.say_of_the_disk(RUNS_ON);
        Ok(())
    }

    fn say_of_the_disk(&mut self, what: &'static str) {
        tracing::warn!(sandbox.id = %self.manifest.sandbox, "{what}");
        self.manifest.last_error = Some(what.to_owned());
        self.tell();
    }
}
