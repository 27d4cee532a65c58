//! Golden images: a template, booted once for a shape, held still, and kept as memory, devices and disk.
//!
//! Every sandbox of the shape is restored from it. The memory is held as one write-sealed memfd per host; the files are
//! named by everything that they depend on, so that a changed kernel, template or VMM makes a new one by itself.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use locule_disk::{DiskError, clone_file, import_sparse, sync_dir, sync_file, write_durably};
use locule_vmm::{MemorySource, Shape, seal_memory};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::guest;
use crate::host::Host;
use crate::lifecycle::{LifecycleError, Start, open_files, spec_for};

const BOOT_PATIENCE: Duration = Duration::from_mins(2);

/// A golden image, ready to be restored from.
#[derive(Debug)]
pub(crate) struct Golden {
    pub(crate) key: String,
    pub(crate) folder: PathBuf,
    pub(crate) memory: Arc<OwnedFd>,
    /// What the image's guest takes the first `/init` by.
    pub(crate) control_key: String,
}

impl Golden {
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    pub(crate) fn devices(&self) -> PathBuf {
        self.folder.join("devices")
    }
}

#[derive(Serialize, Deserialize)]
struct GoldenManifest {
    control_key: String,
    identity: String,
    template: String,
    shape: Shape,
}

type Shared = Arc<tokio::sync::OnceCell<Arc<Golden>>>;

/// All golden images of a host; each is made once, however many ask for it at the same time.
#[derive(Debug, Default)]
pub(crate) struct Goldens(Mutex<HashMap<String, Shared>>);

impl Goldens {
    /// The image of a template and shape: from memory, from disk, or made now.
    pub(crate) async fn get(
        &self,
        host: &Host,
        template: &str,
        shape: Shape,
    ) -> Result<Arc<Golden>, LifecycleError> {
        let (rootfs, content) = host
            .bundle
            .template(template)
            .ok_or_else(|| LifecycleError::UnknownTemplate(template.to_owned()))?;
        let key = key(host, content, shape);
        let cell = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key.clone())
            .or_default()
            .clone();
        let golden = cell.get_or_try_init(|| async {
            let folder = host.pool.root().join("golden").join(&key);
            if !folder.join("manifest.json").exists() {
                tracing::info!(
                    template,
                    vcpus = shape.vcpus,
                    memory_mib = shape.memory_mib,
                    "making a golden image"
                );
                let made = make(host, &folder, template, &rootfs, content, shape).await;
                if made.is_err() {
                    // Half an image must not keep the room that others need; a start removes what stays all the same.
                    let _ = locule_disk::remove_tree(&folder.with_extension("new"));
                }
                made?;
            }
            load(key, folder).await.map(Arc::new)
        });
        golden.await.cloned()
    }
}

impl Goldens {
    /// Memory that the images which are held take up, each once.
    pub(crate) fn bytes(&self) -> u64 {
        let images = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = images.values().filter_map(|cell| cell.get());
        held.filter_map(|golden| rustix::fs::fstat(&golden.memory).ok())
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

async fn load(key: String, folder: PathBuf) -> Result<Golden, LifecycleError> {
    blocking(move || {
        let text = fs::read(folder.join("manifest.json"))
            .map_err(LifecycleError::io("read a golden image"))?;
        let manifest: GoldenManifest =
            serde_json::from_slice(&text).map_err(|error| LifecycleError::Io {
                action: "read a golden image",
                source: error.into(),
            })?;
        let memory =
            File::open(folder.join("memory")).map_err(LifecycleError::io("open golden memory"))?;
        let memory = seal_memory(&memory).map_err(LifecycleError::io("seal golden memory"))?;
        Ok(Golden {
            key,
            folder,
            memory: Arc::new(memory),
            control_key: manifest.control_key,
        })
    })
    .await
}

/// File work blocks: it runs beside the async workers.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LifecycleError> + Send + 'static,
) -> Result<T, LifecycleError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(LifecycleError::Panicked),
    }
}

/// Boots the template, makes it hold still, and keeps what it is. Renamed into place at the end: half of one never shows.
async fn make(
    host: &Host,
    folder: &Path,
    template: &str,
    rootfs: &Path,
    content: &str,
    shape: Shape,
) -> Result<(), LifecycleError> {
    let base = import(host, rootfs, content).await?;
    let unfinished = folder.with_extension("new");
    let memory = {
        let unfinished = unfinished.clone();
        blocking(move || {
            locule_disk::remove_tree(&unfinished)
                .map_err(LifecycleError::io("clear a golden image"))?;
            fs::create_dir_all(&unfinished).map_err(LifecycleError::io("create a golden image"))?;
            clone_file(&base, &unfinished.join("disk"))?;
            let memory = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(unfinished.join("memory"));
            let memory = memory.map_err(LifecycleError::io("create golden memory"))?;
            memory
                .set_len(u64::from(shape.memory_mib) << 20)
                .map_err(LifecycleError::io("create golden memory"))?;
            Ok(memory)
        })
        .await?
    };
    let control_key = hex::encode(guest::random_bytes());
    boot(host, &unfinished, memory, &control_key, shape).await?;
    let manifest = GoldenManifest {
        control_key,
        identity: host.vmm.identity().to_string(),
        template: template.to_owned(),
        shape,
    };
    let folder = folder.to_owned();
    blocking(move || {
        let write = LifecycleError::io("write a golden image");
        let finish = || {
            for file in ["memory", "devices", "disk"] {
                sync_file(&unfinished.join(file))?;
            }
            write_durably(
                &unfinished.join("manifest.json"),
                &serde_json::to_vec(&manifest)?,
            )?;
            fs::rename(&unfinished, &folder)?;
            folder.parent().map_or(Ok(()), sync_dir)
        };
        finish().map_err(write)
    })
    .await
}

/// The template's root filesystem inside the pool, where it can be cloned.
async fn import(host: &Host, rootfs: &Path, content: &str) -> Result<PathBuf, LifecycleError> {
    let images = host.pool.root().join("images");
    let (target, rootfs) = (images.join(content), rootfs.to_owned());
    blocking(move || {
        fs::create_dir_all(&images).map_err(LifecycleError::io("create the images folder"))?;
        if !target.exists() {
            let unfinished = target.with_extension("new");
            if let Err(error) = import_sparse(&rootfs, &unfinished) {
                // On a full disk half a file must not keep the room that others need.
                let _ = fs::remove_file(&unfinished);
                return Err(error.into());
            }
            fs::rename(&unfinished, &target).map_err(LifecycleError::io("import a template"))?;
        }
        Ok(target)
    })
    .await
}

async fn boot(
    host: &Host,
    folder: &Path,
    memory: File,
    key: &str,
    shape: Shape,
) -> Result<(), LifecycleError> {
    let slot = host.slots.take().ok_or(LifecycleError::NoSlot)?;
    let net = host.net.create(slot.number()).await?;
    rustix::fs::fchown(
        &memory,
        Some(rustix::fs::Uid::from_raw(host.vmm_uid(slot.number()))),
        None,
    )
    .map_err(|error| LifecycleError::io("hand over golden memory")(error.into()))?;
    let files = open_files(folder, "disk")?;
    let memory = MemorySource::Boot(Arc::new(memory));
    let spec = spec_for(host, &slot, &net, shape, memory, files, folder, Start::Boot)?;
    let mut machine = host.vmm.start(spec).await?;
    let captured = async {
        guest::init_template(&net, key, &host.clock, BOOT_PATIENCE).await?;
        guest::freeze(&net, key).await?;
        machine.stop().await?;
        let devices = File::create(folder.join("devices"))
            .map_err(LifecycleError::io("create device state"))?;
        machine.save_devices(devices).await?;
        Ok(())
    };
    let captured: Result<(), LifecycleError> = captured.await;
    let ended = machine.end().await;
    host.net.destroy(slot.number()).await?;
    captured?;
    ended?;
    Ok(())
}

impl From<DiskError> for LifecycleError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}
