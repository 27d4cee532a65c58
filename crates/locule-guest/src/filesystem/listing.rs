//! Listing a directory.

use std::io;
use std::path::{Path, PathBuf};

use locule_guest_api::proto::filesystem as wire;
use locule_guest_api::rpc::ConnectError;

use super::entry;
use super::error::path_error;
use crate::users::Names;

/// Limit of entries in one listing.
const ENTRIES_MAX: usize = 100_000;

/// Lists all entries down to `depth`, sorted by name, each directory before its contents.
pub(super) fn list(folder: &Path, depth: u32) -> io::Result<Vec<wire::EntryInfo>> {
    let names = Names::read();
    let mut entries = Vec::new();
    // A stack: the last path is described next.
    let mut pending: Vec<(PathBuf, u32)> = contents(folder)?.map(|path| (path, depth)).collect();
    while let Some((path, depth)) = pending.pop() {
        if entries.len() >= ENTRIES_MAX {
            return Err(io::Error::other(
                "too many entries: list a smaller directory or depth",
            ));
        }
        // An entry may be removed while it is described.
        let Ok(entry) = entry::describe(&path, &names) else {
            continue;
        };
        // Sockets and devices have no type on the wire, so they are left out.
        if entry.r#type == wire::FileType::FILE_TYPE_UNSPECIFIED {
            continue;
        }
        entries.push(entry);
        if depth > 1 && path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            // A directory below the listed one that cannot be read is listed without its contents.
            let inside = contents(&path).into_iter().flatten();
            pending.extend(inside.map(|path| (path, depth - 1)));
        }
    }
    Ok(entries)
}

/// The paths in a directory, in reverse order of their names.
fn contents(folder: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(ENTRIES_MAX + 1) {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths.into_iter().rev())
}

/// Describes the file at `path`.
pub(super) fn describe(path: &Path) -> Result<wire::EntryInfo, ConnectError> {
    entry::describe(path, &Names::read()).map_err(|error| path_error(&error, path))
}
