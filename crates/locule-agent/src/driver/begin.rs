//! How a sandbox comes to be.

use std::sync::Arc;

use locule_agent_api::SandboxReport;
use locule_base::failpoint::reached;

use super::Driver;
use crate::host::Host;
use crate::lifecycle::{self, LifecycleError, Vm};

impl Driver {
    /// The first life of a sandbox. On failure nothing of it is left.
    pub(super) async fn begin(&mut self) -> Result<SandboxReport, LifecycleError> {
        let host = self.host.clone();
        let busy = host.is_making_one();
        let begun = self.come_to_be(&host).await;
        drop(busy);
        match begun {
            Ok(vm) => {
                self.activity.touch();
                self.set_vm(Some(vm));
                self.tell();
                reached("create", "told, not answered");
                Ok(self.report())
            }
            Err(error) => {
                lifecycle::clear(&host, &self.manifest, None).await?;
                reached("create", "undone");
                Err(error)
            }
        }
    }

    /// From a machine that waits, else from the golden image.
    async fn come_to_be(&mut self, host: &Arc<Host>) -> Result<Vm, LifecycleError> {
        host.check_room(&self.manifest)?;
        let (shape, now) = (self.manifest.shape(), host.clock.monotonic());
        if let Some(waiting) = host.warm.claim(&self.manifest.template, shape, now) {
            self.manifest.golden.clone_from(&waiting.golden.key);
            match lifecycle::claim(host, &mut self.manifest, waiting).await {
                Ok(vm) => return Ok(vm),
                Err(error) => {
                    // It waited too long, or not well: the long way leads there too.
                    tracing::warn!(sandbox.id = %self.manifest.sandbox, error = locule_base::errors::chain(&error), "a waiting machine could not be used");
                    lifecycle::clear(host, &self.manifest, None).await?;
                }
            }
        }
        let slot = host.slots.take().ok_or(LifecycleError::NoSlot)?;
        let template = &self.manifest.template;
        let golden = host.goldens.get(host, template, shape).await?;
        self.manifest.golden.clone_from(&golden.key);
        host.ledger
            .commit(&self.manifest)
            .map_err(LifecycleError::io("commit the manifest"))?;
        reached("create", "the manifest says creating");
        lifecycle::create(host, &mut self.manifest, &golden, slot).await
    }
}
