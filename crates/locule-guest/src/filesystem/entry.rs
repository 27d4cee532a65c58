//! The description of a file on the wire.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use locule_guest_api::proto::filesystem as wire;

use crate::files::metadata;
use crate::users::Names;

/// Describes the file at `path`. A symbolic link has the type of its target and is marked as a link; a dangling link has the
/// type of a link.
pub(crate) fn describe(path: &Path, names: &Names) -> io::Result<wire::EntryInfo> {
    let own = path.symlink_metadata()?;
    let is_link = own.is_symlink();
    let target = is_link.then(|| std::fs::canonicalize(path).ok()).flatten();
    let meta = if target.is_some() {
        std::fs::metadata(path)?
    } else {
        own.clone()
    };
    let kind = if meta.is_dir() {
        wire::FileType::FILE_TYPE_DIRECTORY
    } else if meta.is_file() {
        wire::FileType::FILE_TYPE_FILE
    } else if meta.is_symlink() {
        wire::FileType::FILE_TYPE_SYMLINK
    } else {
        wire::FileType::FILE_TYPE_UNSPECIFIED
    };
    let modified = buffa_types::google::protobuf::Timestamp {
        seconds: own.mtime(),
        nanos: i32::try_from(own.mtime_nsec()).unwrap_or(0),
        ..Default::default()
    };
    Ok(wire::EntryInfo {
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        r#type: kind.into(),
        path: path.to_string_lossy().into_owned(),
        size: i64::try_from(meta.len()).unwrap_or(i64::MAX),
        mode: own.mode() & 0o7777,
        permissions: permissions(&own),
        owner: names.user(own.uid()),
        group: names.group(own.gid()),
        modified_time: modified.into(),
        symlink_target: target.map(|target| target.to_string_lossy().into_owned()),
        // Metadata belongs to a file or directory itself: a link is not followed.
        metadata: if is_link {
            HashMap::default()
        } else {
            metadata::of(path).into_iter().collect()
        },
        is_symlink: is_link,
        ..Default::default()
    })
}

/// `-rw-r--r--`, `drwxr-xr-x`, `Lrwxrwxrwx`.
fn permissions(meta: &std::fs::Metadata) -> String {
    let kind = if meta.is_dir() {
        'd'
    } else if meta.is_symlink() {
        'L'
    } else {
        '-'
    };
    let bits = (0..9)
        .rev()
        .map(|bit| match (meta.mode() >> bit & 1, bit % 3) {
            (0, _) => '-',
            (_, 2) => 'r',
            (_, 1) => 'w',
            (_, _) => 'x',
        });
    std::iter::once(kind).chain(bits).collect()
}
