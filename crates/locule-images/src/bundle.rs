//! The bundle of guest images: a folder with a kernel, an initramfs, root filesystems, and a manifest that names them by their content.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const MANIFEST: &str = "manifest.json";
/// The version of the manifest's form.
const VERSION: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum BadBundle {
    #[error("no guest images in {path}: run `make images`, or name their folder with --images")]
    Missing { path: PathBuf, source: io::Error },
    #[error("the manifest of the guest images in {path} cannot be read")]
    Unreadable {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("the guest image {path} cannot be read")]
    Image { path: PathBuf, source: io::Error },
}

/// The use of an image, which also says how the image travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageKind {
    Kernel,
    Initramfs,
    /// The root filesystem of a template.
    Template,
}

impl ImageKind {
    /// Whether the image travels without its holes. A root filesystem is a file of several GiB that holds a few hundred MiB of data.
    pub const fn is_packed(self) -> bool {
        matches!(self, Self::Template)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFile {
    /// In the folder of the bundle.
    pub file: String,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleManifest {
    version: u32,
    pub kernel_version: String,
    pub guest_version: String,
    pub kernel: ImageFile,
    pub initramfs: ImageFile,
    pub templates: BTreeMap<String, ImageFile>,
}

impl BundleManifest {
    /// Of a bundle whose files have the hashes of their content as names.
    pub fn by_hash(
        (kernel_version, kernel): (&str, &str),
        (guest_version, initramfs): (&str, &str),
        templates: &BTreeMap<String, String>,
    ) -> Self {
        let image = |sha256: &str| ImageFile {
            file: sha256.to_owned(),
            sha256: sha256.to_owned(),
        };
        let templates = templates.iter();
        Self {
            version: VERSION,
            kernel_version: kernel_version.to_owned(),
            guest_version: guest_version.to_owned(),
            kernel: image(kernel),
            initramfs: image(initramfs),
            templates: templates
                .map(|(name, sha256)| (name.clone(), image(sha256)))
                .collect(),
        }
    }

    /// Whether a file is one of the bundle.
    pub fn names(&self, file: &str) -> bool {
        let boot = [&self.kernel, &self.initramfs].into_iter();
        boot.chain(self.templates.values())
            .any(|image| image.file == file)
    }

    /// Where the manifest of a bundle is.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(MANIFEST)
    }
}

/// One image of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleImage<'a> {
    pub kind: ImageKind,
    /// The name of a template.
    pub name: Option<&'a str>,
    /// The version of the kernel, or of the guest agent in the initramfs.
    pub version: Option<&'a str>,
    pub sha256: &'a str,
    pub path: PathBuf,
}

/// A bundle on disk.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    manifest: BundleManifest,
}

impl Bundle {
    pub fn open(folder: &Path) -> Result<Self, BadBundle> {
        let text = std::fs::read(BundleManifest::path(folder));
        let text = text.map_err(|source| BadBundle::Missing {
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

    /// The names of all templates, with the hashes of their root filesystems.
    pub fn templates(&self) -> impl Iterator<Item = (&str, &str)> {
        let templates = self.manifest.templates.iter();
        templates.map(|(name, image)| (name.as_str(), image.sha256.as_str()))
    }

    /// The root filesystem of a template, and the hash of its content.
    pub fn template(&self, name: &str) -> Option<(PathBuf, &str)> {
        let image = self.manifest.templates.get(name)?;
        Some((self.folder.join(&image.file), &image.sha256))
    }

    /// Whether a template has a root filesystem with this hash.
    pub fn has_content(&self, sha256: &str) -> bool {
        self.templates().any(|(_, known)| known == sha256)
    }

    /// Identifies kernel and initramfs by their content.
    pub fn boot_key(&self) -> String {
        format!(
            "{} {}",
            self.manifest.kernel.sha256, self.manifest.initramfs.sha256
        )
    }

    /// Every image.
    pub fn images(&self) -> Vec<BundleImage<'_>> {
        let manifest = &self.manifest;
        let (kernel, initramfs) = (&manifest.kernel, &manifest.initramfs);
        let (kernel_version, guest_version) = (&*manifest.kernel_version, &*manifest.guest_version);
        let boot = [
            self.image(ImageKind::Kernel, None, Some(kernel_version), kernel),
            self.image(ImageKind::Initramfs, None, Some(guest_version), initramfs),
        ];
        let templates = manifest.templates.iter();
        let templates =
            templates.map(|(name, file)| self.image(ImageKind::Template, Some(name), None, file));
        boot.into_iter().chain(templates).collect()
    }

    fn image<'a>(
        &self,
        kind: ImageKind,
        name: Option<&'a str>,
        version: Option<&'a str>,
        file: &'a ImageFile,
    ) -> BundleImage<'a> {
        BundleImage {
            kind,
            name,
            version,
            sha256: &file.sha256,
            path: self.folder.join(&file.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_by_hash_is_read_as_the_bundle_that_it_describes() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Bundle::open(folder.path()).unwrap_err();
        assert!(matches!(refused, BadBundle::Missing { .. }), "{refused}");
        let templates = BTreeMap::from([("minimal".to_owned(), "cc".to_owned())]);
        let manifest = BundleManifest::by_hash(("6.1", "aa"), ("0.1", "bb"), &templates);
        let path = BundleManifest::path(folder.path());
        std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
        let bundle = Bundle::open(folder.path()).unwrap();
        assert_eq!(
            (bundle.kernel_version(), bundle.guest_version()),
            ("6.1", "0.1")
        );
        assert_eq!(bundle.boot_key(), "aa bb");
        assert_eq!(
            bundle.template("minimal"),
            Some((folder.path().join("cc"), "cc"))
        );
        assert!(bundle.has_content("cc") && !bundle.has_content("aa"));
        let all: Vec<_> = bundle
            .images()
            .iter()
            .map(|image| (image.kind, image.sha256.to_owned(), image.path.clone()))
            .collect();
        let expected = [
            (ImageKind::Kernel, "aa"),
            (ImageKind::Initramfs, "bb"),
            (ImageKind::Template, "cc"),
        ];
        let expected =
            expected.map(|(kind, hash)| (kind, hash.to_owned(), folder.path().join(hash)));
        assert_eq!(all, expected);
        std::fs::write(&path, "{").unwrap();
        let refused = Bundle::open(folder.path()).unwrap_err();
        assert!(matches!(refused, BadBundle::Unreadable { .. }), "{refused}");
    }
}
