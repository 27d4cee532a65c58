//! The bundle of guest images: kernel, initramfs and root filesystems, each with the hash of its content.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Debug, thiserror::Error)]
pub enum BadBundle {
    #[error("no guest images in {path}: run `make images`, or name their folder with --images")]
    Missing { path: PathBuf, source: io::Error },
    #[error("the manifest of the guest images in {path} cannot be read")]
    Unreadable {
        path: PathBuf,
        source: serde_json::Error,
    },
}

#[derive(Debug, Clone, Deserialize)]
struct ImageFile {
    file: String,
    sha256: String,
}

#[derive(Debug, Clone, Deserialize)]
struct BundleManifest {
    kernel_version: String,
    guest_version: String,
    kernel: ImageFile,
    initramfs: ImageFile,
    templates: BTreeMap<String, ImageFile>,
}

/// A bundle on disk.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    manifest: BundleManifest,
}

impl Bundle {
    pub fn open(folder: &Path) -> Result<Self, BadBundle> {
        let path = folder.join("manifest.json");
        let text = std::fs::read(&path).map_err(|source| BadBundle::Missing {
            path: folder.to_owned(),
            source,
        })?;
        let manifest = serde_json::from_slice(&text).map_err(|source| BadBundle::Unreadable {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
        })
    }

    pub fn kernel(&self) -> PathBuf {
        self.folder.join(&self.manifest.kernel.file)
    }

    pub fn initramfs(&self) -> PathBuf {
        self.folder.join(&self.manifest.initramfs.file)
    }

    pub fn kernel_version(&self) -> &str {
        &self.manifest.kernel_version
    }

    pub fn guest_version(&self) -> &str {
        &self.manifest.guest_version
    }

    pub fn templates(&self) -> impl Iterator<Item = &str> {
        self.manifest.templates.keys().map(String::as_str)
    }

    /// The root filesystem of a template, and the hash of its content.
    pub(crate) fn template(&self, name: &str) -> Option<(PathBuf, &str)> {
        let image = self.manifest.templates.get(name)?;
        Some((self.folder.join(&image.file), &image.sha256))
    }

    /// The hashes of the root filesystems of all templates.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = &str> {
        let templates = self.manifest.templates.values();
        templates.map(|image| image.sha256.as_str())
    }

    /// Whether a template has a root filesystem with this hash.
    pub(crate) fn has_content(&self, sha256: &str) -> bool {
        let mut templates = self.manifest.templates.values();
        templates.any(|image| image.sha256 == sha256)
    }

    /// Identifies kernel and initramfs by their content.
    pub(crate) fn boot_key(&self) -> String {
        format!(
            "{} {}",
            self.manifest.kernel.sha256, self.manifest.initramfs.sha256
        )
    }
}
