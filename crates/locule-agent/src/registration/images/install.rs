//! The last step of a fetch: the bytes that arrived become a file of the bundle.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use locule_api::HostImage;
use locule_base::errors::FileError;
use locule_disk::sync_dir;
use locule_images::{Image, unpack};

use super::{FetchError, is_packed};

/// Verifies the image in `part`, and puts it beside under its hash. The part is removed, whatever it held. Blocks.
pub(super) fn install(part: &Path, image: &HostImage) -> Result<(), FetchError> {
    let installed = verify_and_put(part, image);
    let _ = fs::remove_file(part);
    installed
}

fn verify_and_put(part: &Path, image: &HostImage) -> Result<(), FetchError> {
    let open = || File::open(part).and_then(Image::plain);
    let hash = open().and_then(|whole| whole.sha256());
    if hash.map_err(FileError::on("read", part))? != image.sha256 {
        return Err(FetchError::WrongHash(image.sha256.clone()));
    }
    let to = part.with_extension("");
    let put = if is_packed(image) {
        let new = part.with_extension("new");
        let put = unpacked(part, &new, image.size_bytes).and_then(|()| fs::rename(&new, &to));
        if put.is_err() {
            let _ = fs::remove_file(&new);
        }
        put
    } else {
        File::open(part)
            .and_then(|file| finish(&file))
            .and_then(|()| fs::rename(part, &to))
    };
    let synced = put.and_then(|()| sync_dir(to.parent().ok_or(io::ErrorKind::InvalidInput)?));
    Ok(synced.map_err(FileError::on("write", to))?)
}

fn unpacked(part: &Path, to: &Path, packed_bytes: u64) -> io::Result<()> {
    let mut packed = BufReader::with_capacity(1 << 20, File::open(part)?);
    let image = File::create(to)?;
    unpack(&mut packed, packed_bytes, &image)?;
    finish(&image)
}

/// Lets every user read the image, and syncs it. A virtual machine monitor has a user of its own, and opens its kernel itself.
fn finish(image: &File) -> io::Result<()> {
    image.set_permissions(Permissions::from_mode(0o644))?;
    image.sync_all()
}
