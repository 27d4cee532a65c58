//! The images of guests: kernel, initramfs and root filesystems, each named by the hash of its content.
//!
//! [`Bundle`] is a folder of images with a manifest. [`Image`] is one of them in the form in which it travels from the control plane to
//! hosts: the SHA-256 hash of that form names the image.

mod bundle;
mod image;
mod packed;

pub use bundle::{BadBundle, Bundle, BundleImage, BundleManifest, ImageFile, ImageKind};
pub use image::Image;
pub use packed::unpack;
