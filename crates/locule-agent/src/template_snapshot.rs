//! Template snapshots: a template, booted once for a shape, frozen, and kept as memory, devices and disk.
//!
//! Every new sandbox of the shape is restored from the snapshot. Its memory is held as one write-sealed memfd per host, as long
//! as VMs map it and for a while after. The folder is named after everything that the snapshot depends on, so that a changed
//! kernel, template or VMM leads to a new snapshot. The [cache] bounds how many snapshots there are.

mod cache;
mod take;

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use locule_base::errors::chain;
use locule_base::failpoint::reached;
use locule_disk::{allocated_bytes, clone_file};
use locule_vmm::{MemorySource, Shape, seal_memory};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use self::cache::{AllInUse, Bounds, Cache, Entered};
use self::take::take;
use crate::blocking::blocking;
use crate::error::HostError;
use crate::host::Host;
use crate::operation::Operation;
use crate::promises::Promise;
use crate::slots::Slot;
use crate::template_use::TemplateUse;
use crate::undo::Undo;
use crate::vm::{Start, Vm, VmParts};

/// How often memory that no VM uses is looked for.
const PERIOD: Duration = Duration::from_secs(5);
const PERIOD_MIN: Duration = Duration::from_millis(100);
/// The folder of a snapshot that is being removed.
pub(crate) const EVICTED: &str = "gone";

/// A snapshot that VMs can be restored from. It stays as long as the value exists.
#[derive(Debug)]
pub(crate) struct TemplateSnapshot {
    pub(crate) key: String,
    folder: PathBuf,
    memory: MemorySource,
    used: TemplateUse,
    /// The control key that a restored guest accepts until its first `/init`.
    pub(crate) control_key: String,
}

impl TemplateSnapshot {
    /// A stopped VM in the state of the snapshot; its files are in `folder`.
    pub(crate) async fn restore(
        &self,
        host: &Arc<Host>,
        shape: Shape,
        promise: Promise,
        slot: Slot,
        folder: PathBuf,
        operation: Operation,
    ) -> Result<Vm, HostError> {
        let (source, target) = (self.folder.join("disk"), folder.join("disk"));
        blocking(move || clone_file(&source, &target).map(drop).map_err(Into::into)).await?;
        operation.step("the disk is cloned")?;
        let parts = VmParts {
            slot,
            promise: Some(promise),
            shape,
            memory: self.memory.clone(),
            folder,
            start: Start::Restore {
                devices: self.folder.join("devices"),
                machine: None,
            },
        };
        let mut vm = Vm::assemble(host, parts, operation).await?;
        vm.template = Some(self.used.clone());
        Ok(vm)
    }
}

#[derive(Serialize, Deserialize)]
struct SnapshotManifest {
    control_key: String,
    identity: String,
    template: String,
    shape: Shape,
}

/// All template snapshots of a host. Each is taken once, however many creates need it at the same time.
#[derive(Debug)]
pub(crate) struct TemplateSnapshots {
    host: Arc<Host>,
    cache: Mutex<Cache>,
}

impl TemplateSnapshots {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        let limits = host.config.limits;
        let cache = Cache::new(Bounds {
            snapshots: limits.template_snapshots_max,
            memory_bytes: limits.template_memory_mib << 20,
            idle: limits.template_memory_idle,
        });
        Self {
            host,
            cache: Mutex::new(cache),
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, key: &str) -> PathBuf {
        self.host.template_snapshot_dir().join(key)
    }

    /// Lists the snapshots on the disk when the agent starts. Removes those of other kernels, templates and VMMs, and those
    /// beyond the bound. A snapshot that an adopted VM uses stays.
    pub(crate) async fn open(&self) -> Result<(), HostError> {
        let dir = self.host.template_snapshot_dir();
        let mut evicted = Vec::new();
        for (key, manifest) in blocking(move || Ok(on_disk(&dir))).await? {
            let current = manifest.and_then(|manifest| {
                let (_, content) = self.host.bundle.template(&manifest.template)?;
                let same = self::key(&self.host, content, manifest.shape) == key;
                same.then_some(manifest.shape)
            });
            let mut cache = self.cache();
            match current {
                Some(shape) => cache.list(&key, self.host.config.is_listed(shape)),
                None if cache.is_used(&key) => {}
                None => evicted.extend(self.set_aside(&key)),
            }
        }
        {
            let mut cache = self.cache();
            let beyond = cache.evict_files(0);
            evicted.extend(beyond.iter().filter_map(|key| self.set_aside(key)));
        }
        remove(evicted).await;
        Ok(())
    }

    /// The use of a snapshot by a VM of an earlier agent.
    pub(crate) fn adopt(&self, key: &str) -> TemplateUse {
        self.cache().adopt(key)
    }

    /// The snapshot of a template and shape: from memory, from disk, or taken now.
    pub(crate) async fn get(
        &self,
        template: &str,
        shape: Shape,
    ) -> Result<TemplateSnapshot, HostError> {
        let host = &self.host;
        let (rootfs, content) = host
            .bundle
            .template(template)
            .ok_or_else(|| HostError::UnknownTemplate(template.to_owned()))?;
        let key = key(host, content, shape);
        let is_listed = host.config.is_listed(shape);
        let (files, work, evicted) = {
            let mut cache = self.cache();
            let Entered {
                files,
                work,
                evicted,
            } = cache.enter(&key, is_listed).map_err(|AllInUse| {
                HostError::NoCapacity(
                    "it has as many template snapshots as it may, and all are in use",
                )
            })?;
            // Under the lock: a create that needs the snapshot again must not find the folder.
            let evicted = evicted.iter().filter_map(|key| self.set_aside(key));
            (files, work, evicted.collect::<Vec<_>>())
        };
        remove(evicted).await;
        let working = work.lock().await;
        let found = self.cache().loaded(&key);
        let (memory, control_key) = if let Some(found) = found {
            found
        } else {
            let folder = self.folder(&key);
            if !folder.join("manifest.json").exists() {
                tracing::info!(
                    template,
                    vcpus = shape.vcpus,
                    memory_mib = shape.memory_mib,
                    "taking a template snapshot"
                );
                let mut undo = Undo::new(&host.tasks);
                let taken = take(host, &folder, template, &rootfs, content, shape, &mut undo).await;
                if let Err(error) = undo.finish(taken).await {
                    drop(working);
                    self.cache().withdraw(&key, files);
                    return Err(error);
                }
            }
            self.load(&key, folder).await?
        };
        Ok(TemplateSnapshot {
            folder: self.folder(&key),
            key,
            memory: MemorySource::Sealed(memory.clone()),
            used: TemplateUse::new(files, Some(memory)),
            control_key,
        })
    }

    async fn load(&self, key: &str, folder: PathBuf) -> Result<(Arc<OwnedFd>, String), HostError> {
        let memory = folder.join("memory");
        let bytes = blocking(move || {
            let action = "measure the memory of a template snapshot";
            allocated_bytes(&memory).map_err(HostError::io(action))
        });
        let bytes = bytes.await?;
        self.cache()
            .reserve_memory(key, bytes)
            .map_err(|AllInUse| {
                HostError::NoCapacity("the memory for template snapshots is in use")
            })?;
        let loaded = load(folder).await;
        self.cache().put(key, loaded.as_ref().ok().cloned());
        loaded
    }

    /// Gives back memory that no VM uses until the host stops.
    pub(crate) async fn maintain(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let idle = self.host.config.limits.template_memory_idle;
        let period = idle.clamp(PERIOD_MIN, PERIOD);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(period) => {}
            }
            let now = self.host.clock.monotonic();
            self.cache().give_back_idle_memory(now);
        }
    }

    /// The memory that the loaded snapshots occupy, with what VMs added to it.
    pub(crate) fn bytes(&self) -> u64 {
        self.cache().bytes()
    }

    /// Gives the folder of an evicted snapshot another name, which no create looks for and the next start removes.
    fn set_aside(&self, key: &str) -> Option<PathBuf> {
        tracing::info!(key, "a template snapshot that nothing uses is removed");
        let aside = hex::encode(crate::guest::random_bytes());
        let aside = self.folder(&aside).with_extension(EVICTED);
        match fs::rename(self.folder(key), &aside) {
            Ok(()) => {
                reached("evict", "the folder has another name");
                Some(aside)
            }
            Err(error) => {
                tracing::warn!(
                    key,
                    error = chain(&error),
                    "a template snapshot cannot be removed"
                );
                None
            }
        }
    }
}

/// Removes folders that were set aside. One that stays is removed at the next start.
async fn remove(folders: Vec<PathBuf>) {
    for folder in folders {
        let removed = blocking(move || {
            locule_disk::remove_tree(&folder).map_err(HostError::io("remove a template snapshot"))
        });
        if let Err(error) = removed.await {
            tracing::warn!(
                error = chain(&error),
                "a template snapshot cannot be removed"
            );
        }
        reached("evict", "the files are removed");
    }
}

/// The finished snapshots, the oldest first. `None`: the manifest cannot be read.
fn on_disk(dir: &Path) -> Vec<(String, Option<SnapshotManifest>)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path());
    let mut folders: Vec<_> = folders.filter(|path| path.extension().is_none()).collect();
    folders.sort_by_key(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok());
    let named = folders.into_iter().filter_map(|path| {
        let key = path.file_name()?.to_str()?.to_owned();
        let text = fs::read(path.join("manifest.json")).ok();
        let manifest = text.and_then(|text| serde_json::from_slice(&text).ok());
        Some((key, manifest))
    });
    named.collect()
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

/// The memory of a snapshot, sealed, and its control key.
async fn load(folder: PathBuf) -> Result<(Arc<OwnedFd>, String), HostError> {
    blocking(move || {
        let action = "read the manifest of a template snapshot";
        let text = fs::read(folder.join("manifest.json")).map_err(HostError::io(action))?;
        let manifest: SnapshotManifest =
            serde_json::from_slice(&text).map_err(|error| HostError::io(action)(error.into()))?;
        let memory = File::open(folder.join("memory"))
            .map_err(HostError::io("open the memory of a template snapshot"))?;
        let memory = seal_memory(&memory)
            .map_err(HostError::io("seal the memory of a template snapshot"))?;
        Ok((Arc::new(memory), manifest.control_key))
    })
    .await
}
