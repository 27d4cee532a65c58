//! The end of a sandbox: by an order, by a timeout, or because the VMM exited.

use std::path::Path;

use locule_base::errors::chain;
use locule_base::failpoint::reached;
use locule_base::tail::{TAIL_BYTES, tail};

use super::Driver;
use crate::blocking::blocking;
use crate::error::HostError;
use crate::lifecycle;
use crate::manifest::ManifestState;

/// What a guest kernel prints last when the guest shuts itself down.
const SHUTDOWN_LINES: [&str; 4] = [
    "reboot: Power down",
    "reboot: System halted",
    "reboot: Restarting system",
    "Kernel panic",
];

/// What the task does after a message or an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    Exit,
}

impl Next {
    pub(super) fn exit_if(exit: bool) -> Self {
        if exit { Self::Exit } else { Self::Continue }
    }
}

impl Driver {
    /// The VMM exited without an order: the guest shut itself down, or the process was killed.
    pub(super) async fn vmm_exited(&mut self) -> Next {
        let folder = self.host.ledger.folder(self.manifest.sandbox);
        let reason = exit_reason(&folder).await;
        tracing::warn!(sandbox.id = %self.manifest.sandbox, reason, "the VMM of a sandbox exited without an order");
        if let Err(error) = self.end(reason).await {
            // The sandbox ended all the same. The next start finds its manifest and no VM, and writes the tombstone then.
            tracing::error!(sandbox.id = %self.manifest.sandbox, error = chain(&error), "the tombstone of a sandbox cannot be written");
            self.activity.cut();
            if let Some(vm) = self.take_vm() {
                vm.release(&self.host).await;
            }
            self.manifest.state = ManifestState::Stopped;
            self.manifest.reason = Some(reason.to_owned());
            self.publish();
        }
        Next::Exit
    }

    /// Writes the tombstone, then gives everything back. On failure the sandbox is as before.
    pub(super) async fn end(&mut self, reason: &str) -> Result<(), HostError> {
        let host = self.host.clone();
        self.stop_defragmenting().await;
        reached("destroy", "nothing is done");
        let mut ended = self.manifest.clone();
        ended.generation = ended.generation.max(self.tried);
        lifecycle::write_tombstone(&host, &mut ended, reason).await?;
        self.manifest = ended;
        reached("destroy", "the tombstone is written");
        self.activity.cut();
        let vm = self.take_vm();
        lifecycle::remove_eventually(&host, &self.manifest, vm).await;
        reached("destroy", "the files are removed");
        self.publish();
        Ok(())
    }
}

/// A guest that shuts down says so on its console.
async fn exit_reason(folder: &Path) -> &'static str {
    let console = folder.join("console.log");
    let action = "read the console of a sandbox";
    let tail = blocking(move || tail(&console, TAIL_BYTES).map_err(HostError::io(action)));
    let tail = tail.await.unwrap_or_default();
    if SHUTDOWN_LINES.iter().any(|line| tail.contains(line)) {
        "guest_shutdown"
    } else {
        "vm_lost"
    }
}
