//! The guest images that hosts fetch: a host agent needs nothing but its program and its registration token (ADR 0047).

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use locule_images::{BadBundle, Bundle, Image, ImageKind};
use locule_store::{host_tokens, hosts};
use tokio::sync::OnceCell;

use crate::error::CommonError;
use crate::hosts::Hosts;
use crate::hosts::error::HostError;
use crate::hosts::register::HostIdentity;

/// The images that a control plane has. Empty on a control plane without images. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct HostImages {
    images: Arc<[Served]>,
}

#[derive(Debug)]
struct Served {
    kind: ImageKind,
    name: Option<String>,
    version: Option<String>,
    sha256: String,
    /// Open since the start: an update of the folder does not change what is sent.
    file: File,
    /// Where the data of a disk image is. Found when the first host asks, because the whole image is read for it.
    image: OnceCell<Arc<Image>>,
}

/// An image, as hosts are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostImage {
    pub kind: ImageKind,
    /// The name of a template.
    pub name: Option<String>,
    /// The version of the kernel, or of the guest agent in the initramfs.
    pub version: Option<String>,
    pub sha256: String,
    /// The number of bytes that a host fetches.
    pub size_bytes: u64,
}

impl HostImages {
    /// The images of a bundle. Fails if one of them cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, BadBundle> {
        let bundle = Bundle::open(folder)?;
        let served = bundle.images().into_iter().map(|image| {
            let file = File::open(&image.path).map_err(|source| BadBundle::Image {
                path: image.path.clone(),
                source,
            })?;
            Ok(Served {
                kind: image.kind,
                name: image.name.map(str::to_owned),
                version: image.version.map(str::to_owned),
                sha256: image.sha256.to_owned(),
                file,
                image: OnceCell::new(),
            })
        });
        let images = served.collect::<Result<_, BadBundle>>()?;
        Ok(Self { images })
    }
}

impl Served {
    async fn image(&self) -> Result<Arc<Image>, CommonError> {
        let read = self.image.get_or_try_init(|| self.read());
        Ok(read.await.map_err(CommonError::internal)?.clone())
    }

    async fn read(&self) -> io::Result<Arc<Image>> {
        let (file, is_packed) = (self.file.try_clone()?, self.kind.is_packed());
        let reading = tokio::task::spawn_blocking(move || {
            if is_packed {
                Image::packed(file)
            } else {
                Image::plain(file)
            }
        });
        reading.await.map_err(io::Error::other)?.map(Arc::new)
    }
}

impl Hosts {
    /// The images that a host may fetch.
    pub async fn list_images(&self, identity: HostIdentity) -> Result<Vec<HostImage>, HostError> {
        self.confirm_agent(identity).await?;
        let mut images = Vec::new();
        for served in &*self.config.images.images {
            images.push(HostImage {
                kind: served.kind,
                name: served.name.clone(),
                version: served.version.clone(),
                sha256: served.sha256.clone(),
                size_bytes: served.image().await?.size_bytes(),
            });
        }
        Ok(images)
    }

    /// The image with this hash.
    pub async fn image(
        &self,
        identity: HostIdentity,
        sha256: &str,
    ) -> Result<Arc<Image>, HostError> {
        self.confirm_agent(identity).await?;
        let mut images = self.config.images.images.iter();
        let served = images.find(|served| served.sha256 == sha256);
        let served = served.ok_or(CommonError::NotFound { what: "image" })?;
        Ok(served.image().await?)
    }

    /// Confirms that the host exists, and that its access token was not replaced by another registration.
    async fn confirm_agent(&self, identity: HostIdentity) -> Result<(), HostError> {
        let HostIdentity { host: id, refresh } = identity;
        let mut conn = self.core.connection().await?;
        let host = hosts::get(&mut conn, id).await?;
        host.ok_or(HostError::Deleted(id))?;
        let is_known = host_tokens::confirm_refresh(&mut conn, (refresh, id), self.core.now());
        if is_known.await? {
            Ok(())
        } else {
            Err(HostError::BadToken)
        }
    }
}
