//! Fetches the guest images from the control plane, each by the hash of its content (ADR 0047).
//!
//! ```text
//! list ─► for each image that is missing: HASH.part ─► verify ─► unpack a root filesystem ─► HASH
//!                                                                                              └─► manifest.json ─► remove others
//! ```
//!
//! A file with a hash as its name is whole, verified and on disk, and the manifest names such files only. A download that broke goes on
//! where it broke, also in the next agent.
//!
//! An agent that has all images of an earlier fetch starts with these when the control plane does not answer: the sandboxes on its host
//! must not wait for the control plane.

mod install;
mod progress;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use locule_api::{ErrorCode, HostImage, HostImageKind};
use locule_base::backoff::Backoff;
use locule_base::clock::SharedClock;
use locule_base::errors::{FileError, chain};
use locule_disk::{Pool, is_full, write_durably};
use locule_images::{Bundle, BundleManifest};
use tokio::io::AsyncWriteExt as _;

use self::install::install;
use self::progress::Progress;
use super::client::{CallError, ControlPlane};
use super::credentials::Credentials;
use super::download::Download;
use super::{Enrolment, RETRY_FIRST, RETRY_LONGEST};
use crate::config::Config;

/// How long an agent that has images waits for newer ones.
const UPDATE_LIMIT: Duration = Duration::from_mins(1);

/// Why images are not fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(
        "the control plane has no guest images: start `locule serve` with --images, or this agent with --images"
    )]
    NoImages,
    #[error("the control plane's list of guest images has no {0}")]
    Incomplete(&'static str),
    #[error("the control plane names a guest image {0:?}, which is no SHA-256 hash")]
    BadName(String),
    #[error(
        "the disk is full: the guest images need {needed_mib} MiB in {}, and {free_mib} MiB are free", .folder.display()
    )]
    Full {
        folder: PathBuf,
        needed_mib: u64,
        free_mib: u64,
    },
    #[error(
        "the guest image {0} that arrived has another content than its hash says, and was removed"
    )]
    WrongHash(String),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the thread that writes a guest image panicked")]
    Panicked,
}

impl FetchError {
    /// Whether the same fetch may succeed later.
    fn is_temporary(&self) -> bool {
        match self {
            // The control plane has other images since it sent the list.
            Self::Call(error) => {
                error.is_temporary() || (error.is_not_found() && !error.has(ErrorCode::HostDeleted))
            }
            Self::NoImages
            | Self::Incomplete(_)
            | Self::BadName(_)
            | Self::Full { .. }
            | Self::WrongHash(_)
            | Self::File(_)
            | Self::Panicked => false,
        }
    }
}

/// Fetches what this host lacks of the control plane's images, and returns the folder of the bundle. Registers the host before, if
/// necessary.
pub(crate) async fn fetch_images(
    config: &Config,
    pool: &Pool,
    clock: SharedClock,
) -> anyhow::Result<PathBuf> {
    let registration = config.registration.clone();
    let registration = registration.context("the agent has no control plane")?;
    let enrolment = Enrolment::new(registration, config.data_dir.clone(), pool, clock);
    let folder = config.fetched_images();
    fs::create_dir_all(&folder).map_err(FileError::on("create", &folder))?;
    let (credentials, plane) = enrolment.credentials().await?;
    let mut fetcher = Fetcher {
        enrolment,
        credentials,
        plane,
        folder,
        received_bytes: 0,
    };
    if is_whole(&fetcher.folder) {
        fetcher.update().await;
    } else {
        fetcher.fetch_at_last().await?;
    }
    Ok(fetcher.folder)
}

/// Whether a folder has every image of its bundle.
fn is_whole(folder: &Path) -> bool {
    let bundle = Bundle::open(folder);
    bundle.is_ok_and(|bundle| bundle.images().iter().all(|image| image.path.is_file()))
}

struct Fetcher {
    enrolment: Enrolment,
    credentials: Credentials,
    plane: ControlPlane,
    folder: PathBuf,
    received_bytes: u64,
}

impl Fetcher {
    /// Fetches newer images, if that is possible now.
    async fn update(&mut self) {
        let fetched = tokio::time::timeout(UPDATE_LIMIT, self.fetch()).await;
        let error = match fetched {
            Ok(Ok(())) => return,
            Ok(Err(error)) => chain(&error),
            Err(_) => "the control plane took longer than a minute".to_owned(),
        };
        tracing::warn!(
            error,
            "the agent starts with the guest images that it has, because it could not fetch those of the control plane"
        );
    }

    /// Fetches the images, however long the control plane does not answer.
    async fn fetch_at_last(&mut self) -> Result<(), FetchError> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_LONGEST);
        loop {
            let before = self.received_bytes;
            match self.fetch().await {
                Err(error) if error.is_temporary() => {
                    if self.received_bytes > before {
                        backoff.reset();
                    }
                    let text = chain(&error);
                    tracing::warn!(
                        error = text,
                        "the agent could not fetch the guest images yet"
                    );
                    tokio::time::sleep(backoff.next_wait()).await;
                }
                fetched => return fetched,
            }
        }
    }

    async fn fetch(&mut self) -> Result<(), FetchError> {
        let listed = self.list().await?;
        let manifest = manifest(&listed)?;
        let mut missing = listed;
        missing.retain(|image| !self.folder.join(&image.sha256).exists());
        self.require_space(&missing)?;
        let mut progress = Progress::of(&missing);
        for image in &missing {
            self.fetch_image(image, &mut progress).await?;
        }
        self.keep(&manifest)
    }

    async fn list(&mut self) -> Result<Vec<HostImage>, CallError> {
        match self.plane.list_images(&self.credentials.token).await {
            Err(error) if error.is_unauthorized() => {
                self.enrolment
                    .renew(&self.plane, &mut self.credentials)
                    .await?;
                self.plane.list_images(&self.credentials.token).await
            }
            listed => listed,
        }
    }

    fn part(&self, image: &HostImage) -> PathBuf {
        self.folder.join(format!("{}.part", image.sha256))
    }

    /// An image that travels packed is on the disk twice until it is unpacked.
    fn require_space(&self, missing: &[HostImage]) -> Result<(), FetchError> {
        let folder = &self.folder;
        let here: u64 = missing
            .iter()
            .map(|image| length(&self.part(image)).unwrap_or(0).min(image.size_bytes))
            .sum();
        let packed = missing.iter().filter(|image| is_packed(image));
        let largest = packed.map(|image| image.size_bytes).max().unwrap_or(0);
        let all: u64 = missing.iter().map(|image| image.size_bytes).sum();
        let needed = (all + largest).saturating_sub(here);
        let stat = rustix::fs::statvfs(folder);
        let stat = stat.map_err(|error| FileError::on("measure", folder)(error.into()))?;
        let free = stat.f_bavail * stat.f_frsize;
        if free < needed {
            return Err(self.full(needed, free));
        }
        Ok(())
    }

    fn full(&self, needed: u64, free: u64) -> FetchError {
        FetchError::Full {
            folder: self.folder.clone(),
            needed_mib: needed.div_ceil(1 << 20),
            free_mib: free >> 20,
        }
    }

    async fn fetch_image(
        &mut self,
        image: &HostImage,
        progress: &mut Progress,
    ) -> Result<(), FetchError> {
        let part = self.part(image);
        // The part of an agent that lost its power may lack what it had not synced.
        let is_resumed = part.exists();
        self.download(image, &part, progress).await?;
        match self.install(image, &part).await {
            Err(FetchError::WrongHash(hash)) if is_resumed => {
                tracing::warn!(
                    image = hash,
                    "the part of a guest image that an earlier agent fetched was damaged: the agent fetches the image again"
                );
                self.download(image, &part, progress).await?;
                self.install(image, &part).await
            }
            installed => installed,
        }
    }

    /// Fetches what is missing of the part.
    async fn download(
        &mut self,
        image: &HostImage,
        part: &Path,
        progress: &mut Progress,
    ) -> Result<(), FetchError> {
        loop {
            let from = length(part).unwrap_or(0);
            progress.is_at(image, from);
            if from >= image.size_bytes {
                return Ok(());
            }
            let token = &self.credentials.token;
            let sha256 = &image.sha256;
            let mut download = self.plane.download(token, sha256, from).await?;
            let written = self.write(&mut download, image, part, progress).await;
            let position = length(part).unwrap_or(0);
            self.received_bytes += position.saturating_sub(from);
            match written {
                // A connection lasts a minute at most.
                Err(FetchError::Call(error)) if error.is_temporary() && position > from => {
                    let text = chain(&error);
                    tracing::debug!(
                        image = sha256,
                        position,
                        error = text,
                        "the connection of a download broke: the agent fetches the rest"
                    );
                }
                Err(error) => {
                    if matches!(error, FetchError::Full { .. }) {
                        let _ = fs::remove_file(part);
                    }
                    return Err(error);
                }
                Ok(()) if position == from => {
                    return Err(CallError::no_answer("the answer is too short").into());
                }
                Ok(()) => {}
            }
        }
    }

    /// Writes what arrives until the connection ends.
    async fn write(
        &self,
        download: &mut Download,
        image: &HostImage,
        part: &Path,
        progress: &mut Progress,
    ) -> Result<(), FetchError> {
        let failed = |error: io::Error| {
            if is_full(&error) {
                self.full(image.size_bytes, 0)
            } else {
                FileError::on("write", part)(error).into()
            }
        };
        let mut options = tokio::fs::File::options();
        let file = options.create(true).append(true).mode(0o600);
        let mut file = file.open(part).await.map_err(failed)?;
        // A control plane that sends no parts begins again.
        file.set_len(download.starts_at).await.map_err(failed)?;
        let mut position = download.starts_at;
        let arrived = loop {
            match download.next().await {
                Ok(Some(bytes)) => {
                    file.write_all(&bytes).await.map_err(failed)?;
                    position += bytes.len() as u64;
                    progress.is_at(image, position);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            }
        };
        file.flush().await.map_err(failed)?;
        arrived
    }

    async fn install(&self, image: &HostImage, part: &Path) -> Result<(), FetchError> {
        let (part, image) = (part.to_owned(), image.clone());
        let installing = tokio::task::spawn_blocking(move || install(&part, &image));
        match installing.await {
            Ok(Err(FetchError::File(error))) if is_full(&error.source) => Err(self.full(0, 0)),
            Ok(installed) => installed,
            Err(_) => Err(FetchError::Panicked),
        }
    }

    /// Writes the manifest, and removes what it does not name.
    fn keep(&self, manifest: &BundleManifest) -> Result<(), FetchError> {
        let path = BundleManifest::path(&self.folder);
        let text = serde_json::to_vec(manifest).map_err(io::Error::other);
        text.and_then(|text| write_durably(&path, &text))
            .map_err(FileError::on("write", &path))?;
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for file in files.map(|file| file.path()) {
            let name = file.file_name().and_then(|name| name.to_str());
            if file != path && !name.is_some_and(|name| manifest.names(name)) {
                // What stays is removed after the next fetch.
                let _ = fs::remove_file(&file);
            }
        }
        Ok(())
    }
}

fn length(path: &Path) -> io::Result<u64> {
    Ok(fs::metadata(path)?.len())
}

fn is_packed(image: &HostImage) -> bool {
    image.kind == HostImageKind::Template
}

/// The manifest of the listed images, whose files have their hashes as names.
fn manifest(listed: &[HostImage]) -> Result<BundleManifest, FetchError> {
    if listed.is_empty() {
        return Err(FetchError::NoImages);
    }
    let is_hash = |text: &str| {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        text.len() == 64 && text.bytes().all(is_digit)
    };
    if let Some(bad) = listed.iter().find(|image| !is_hash(&image.sha256)) {
        return Err(FetchError::BadName(bad.sha256.clone()));
    }
    let boot = |kind, what| {
        let image = listed.iter().find(|image| image.kind == kind);
        let image = image.ok_or(FetchError::Incomplete(what))?;
        let version = image.version.as_deref().unwrap_or_default();
        Ok::<_, FetchError>((version, image.sha256.as_str()))
    };
    let templates = listed.iter().filter(|image| is_packed(image));
    let templates: Option<BTreeMap<_, _>> = templates
        .map(|image| Some((image.name.clone()?, image.sha256.clone())))
        .collect();
    Ok(BundleManifest::by_hash(
        boot(HostImageKind::Kernel, "kernel")?,
        boot(HostImageKind::Initramfs, "initramfs")?,
        &templates.ok_or(FetchError::Incomplete("name of a template"))?,
    ))
}
