//! Creating directories for a user.

use std::io;
use std::path::Path;

use crate::paths;
use crate::users::User;

/// Creates the missing directories of a path, owned by the user. `false`: the directory already exists.
pub(crate) fn make_dirs(path: &Path, user: &User) -> io::Result<bool> {
    paths::check(path)?;
    if path.is_dir() {
        return Ok(false);
    }
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|ancestor| !ancestor.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        std::fs::create_dir(folder)?;
        std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid))?;
    }
    if path.is_dir() {
        Ok(true)
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}
