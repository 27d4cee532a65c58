//! Paths as callers mean them, and small files that the user may have replaced by anything.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use nix::libc;

use crate::users::User;

/// The kernel's limits, its terminating zero not counted.
const PATH_BYTES_MAX: usize = 4095;
const NAME_BYTES_MAX: usize = 255;
/// Of a file under /etc that is read whole.
const SMALL_BYTES_MAX: u64 = 1024 * 1024;

/// A path as the caller means it: `~` and relative ones from the user's home, the empty one is `default`; `.`, `..` and
/// double slashes are worked out in the text, before any link is looked at.
pub(crate) fn resolve(path: &str, user: &User, default: &Path) -> PathBuf {
    let joined = match path {
        "" => default.to_owned(),
        "~" => user.home.clone(),
        _ => user.home.join(path.strip_prefix("~/").unwrap_or(path)),
    };
    let mut clean = PathBuf::from("/");
    for component in joined.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}

/// Refuses what the kernel would refuse, before folders are made on the way to it.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    let text = path.as_os_str();
    if text.as_encoded_bytes().contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let long = text.len() > PATH_BYTES_MAX || path.iter().any(|name| name.len() > NAME_BYTES_MAX);
    if long {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    Ok(())
}

/// Opens an ordinary file and nothing else: a pipe or a device in its place would keep its reader waiting for ever.
pub(crate) fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let not_regular = || io::Error::from(io::ErrorKind::InvalidInput);
    // Opening a device may already do something, so it is looked at first; what is then opened is looked at again.
    match path.metadata() {
        Ok(meta) if meta.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(meta) if !meta.is_file() => return Err(not_regular()),
        _ => {}
    }
    let file = options
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

/// The text of a small file; empty when there is none that could be read.
pub(crate) fn read_small(path: &str) -> String {
    let mut text = Vec::new();
    let read = open_regular(Path::new(path), OpenOptions::new().read(true))
        .and_then(|file| file.take(SMALL_BYTES_MAX).read_to_end(&mut text));
    match read {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::new(),
    }
}

/// Replaces the text of a small file, or makes it.
pub(crate) fn write_small(path: &str, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut file = open_regular(Path::new(path), &mut options)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> User {
        User {
            name: "user".to_owned(),
            uid: 1000,
            gid: 1000,
            groups: vec![1000],
            home: PathBuf::from("/home/user"),
        }
    }

    #[test]
    fn a_path_is_worked_out_from_home() {
        let cases = [
            ("", "/work"),
            ("~", "/home/user"),
            ("~/a", "/home/user/a"),
            ("a/./b//c/", "/home/user/a/b/c"),
            ("/a/../../b", "/b"),
            ("../x", "/home/x"),
            ("/with\nnewline", "/with\nnewline"),
        ];
        for (given, meant) in cases {
            let path = resolve(given, &user(), Path::new("/work"));
            assert_eq!(path, Path::new(meant), "{given}");
        }
    }

    #[test]
    fn what_the_kernel_would_refuse_is_refused_first() {
        let deep = "/d".repeat(10_000);
        check(Path::new(&deep)).unwrap_err();
        check(Path::new(&format!("/{}", "n".repeat(256)))).unwrap_err();
        check(Path::new("/a\0b")).unwrap_err();
        check(Path::new(&format!("/{}", "n".repeat(255)))).unwrap();
    }
}
