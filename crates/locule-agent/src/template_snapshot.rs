//! Template snapshots: a template, booted once for a shape, frozen, and kept as memory, devices and disk.
//!
//! Every new sandbox of the shape is restored from the snapshot. Its memory is held as one write-sealed memfd per host. The
//! folder is named after everything that the snapshot depends on, so that a changed kernel, template or VMM leads to a new
//! snapshot.

mod take;

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use locule_disk::clone_file;
use locule_vmm::{MemorySource, Shape, seal_memory};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::take::take;
use crate::blocking::blocking;
use crate::error::HostError;
use crate::host::Host;
use crate::operation::Operation;
use crate::slots::Slot;
use crate::undo::Undo;
use crate::vm::{Start, Vm, VmParts};

/// A snapshot that VMs can be restored from.
#[derive(Debug)]
pub(crate) struct TemplateSnapshot {
    pub(crate) key: String,
    folder: PathBuf,
    memory: Arc<OwnedFd>,
    /// The control key that a restored guest accepts until its first `/init`.
    pub(crate) control_key: String,
}

impl TemplateSnapshot {
    /// A stopped VM in the state of the snapshot; its files are in `folder`.
    pub(crate) async fn restore(
        &self,
        host: &Arc<Host>,
        shape: Shape,
        slot: Slot,
        folder: PathBuf,
        operation: Operation,
    ) -> Result<Vm, HostError> {
        let (source, target) = (self.folder.join("disk"), folder.join("disk"));
        blocking(move || clone_file(&source, &target).map(drop).map_err(Into::into)).await?;
        operation.step("the disk is cloned")?;
        let parts = VmParts {
            slot,
            shape,
            memory: MemorySource::Sealed(self.memory.clone()),
            folder,
            start: Start::Restore {
                devices: self.folder.join("devices"),
                machine: None,
            },
        };
        Vm::assemble(host, parts, operation).await
    }
}

#[derive(Serialize, Deserialize)]
struct SnapshotManifest {
    control_key: String,
    identity: String,
    template: String,
    shape: Shape,
}

type Shared = Arc<tokio::sync::OnceCell<Arc<TemplateSnapshot>>>;

/// All template snapshots of a host. Each is taken once, however many creates need it at the same time.
#[derive(Debug)]
pub(crate) struct TemplateSnapshots {
    host: Arc<Host>,
    snapshots: Mutex<HashMap<String, Shared>>,
}

impl TemplateSnapshots {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self {
            host,
            snapshots: Mutex::default(),
        }
    }

    /// The snapshot of a template and shape: from memory, from disk, or taken now.
    pub(crate) async fn get(
        &self,
        template: &str,
        shape: Shape,
    ) -> Result<Arc<TemplateSnapshot>, HostError> {
        let host = &self.host;
        let (rootfs, content) = host
            .bundle
            .template(template)
            .ok_or_else(|| HostError::UnknownTemplate(template.to_owned()))?;
        let key = key(host, content, shape);
        let cell = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key.clone())
            .or_default()
            .clone();
        let snapshot = cell.get_or_try_init(|| async {
            let folder = host.template_snapshot_dir().join(&key);
            if !folder.join("manifest.json").exists() {
                tracing::info!(
                    template,
                    vcpus = shape.vcpus,
                    memory_mib = shape.memory_mib,
                    "taking a template snapshot"
                );
                let mut undo = Undo::new(&host.tasks);
                let taken = take(host, &folder, template, &rootfs, content, shape, &mut undo).await;
                undo.finish(taken).await?;
            }
            load(key, folder).await.map(Arc::new)
        });
        snapshot.await.cloned()
    }

    /// The memory that the loaded snapshots occupy.
    pub(crate) fn bytes(&self) -> u64 {
        let snapshots = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let loaded = snapshots.values().filter_map(|cell| cell.get());
        loaded
            .filter_map(|snapshot| rustix::fs::fstat(&snapshot.memory).ok())
            .map(|stat| stat.st_blocks.unsigned_abs() * 512)
            .sum()
    }
}

fn key(host: &Host, content: &str, shape: Shape) -> String {
    let text = format!(
        "{content} {} {} {} {} {}",
        host.bundle.boot_key(),
        shape.vcpus,
        shape.memory_mib,
        host.vmm.identity(),
        host.kernel_command_line(),
    );
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

async fn load(key: String, folder: PathBuf) -> Result<TemplateSnapshot, HostError> {
    blocking(move || {
        let action = "read the manifest of a template snapshot";
        let text = fs::read(folder.join("manifest.json")).map_err(HostError::io(action))?;
        let manifest: SnapshotManifest =
            serde_json::from_slice(&text).map_err(|error| HostError::io(action)(error.into()))?;
        let memory = File::open(folder.join("memory"))
            .map_err(HostError::io("open the memory of a template snapshot"))?;
        let memory = seal_memory(&memory)
            .map_err(HostError::io("seal the memory of a template snapshot"))?;
        Ok(TemplateSnapshot {
            key,
            folder,
            memory: Arc::new(memory),
            control_key: manifest.control_key,
        })
    })
    .await
}
