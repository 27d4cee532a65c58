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
    let mut missing = Vec::new();
    for ancestor in path.ancestors() {
        // A loop of links is an error, not a directory that is missing.
        if ancestor.try_exists()? {
            break;
        }
        missing.push(ancestor);
    }
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
