//! The digest that names a disk image by its content.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use locule_images::Image;

/// The digest of a file, in hexadecimal.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let digest = || Image::packed(File::open(path)?)?.sha256();
    digest().with_context(|| format!("cannot read {}", path.display()))
}
