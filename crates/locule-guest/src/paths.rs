//! Paths that callers give, and safe access to small files that the user may have replaced with anything.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use nix::libc;

/// The kernel's limits, without the terminating zero.
const PATH_BYTES_MAX: usize = 4095;
const NAME_BYTES_MAX: usize = 255;
/// Limit of a file under /etc that is read whole.
const SMALL_BYTES_MAX: u64 = 1024 * 1024;

/// Resolves a caller's path: `~` and relative paths start at `home`, the empty path is `default`. `.`, `..` and double
/// slashes are removed from the text, before any link is followed.
pub(crate) fn resolve(path: &str, home: &Path, default: &Path) -> PathBuf {
    let joined = match path {
        "" => default.to_owned(),
        "~" => home.to_owned(),
        _ => home.join(path.strip_prefix("~/").unwrap_or(path)),
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

/// Refuses a path that the kernel would refuse, before any of its parent directories are created.
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

/// Opens a regular file and nothing else: reading from a pipe or a device in its place might block for ever.
pub(crate) fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let not_regular = || io::Error::from(io::ErrorKind::InvalidInput);
    // Opening a device can have side effects, so the type is checked before. The file may be replaced in between, so the type
    // of the open file is checked again.
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

/// Reads a small file. A file that cannot be read is empty.
pub(crate) fn read_small(path: &str) -> String {
    let mut text = Vec::new();
    let read = open_regular(Path::new(path), OpenOptions::new().read(true))
        .and_then(|file| file.take(SMALL_BYTES_MAX).read_to_end(&mut text));
    match read {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::new(),
    }
}

/// Replaces the content of a small file, or creates it. The blocks of the file stay as far as the new content needs them.
pub(crate) fn write_small(path: &str, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let mut file = open_regular(Path::new(path), &mut options)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    let length = text.len() as u64;
    if file.metadata()?.len() > length {
        file.set_len(length)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_starts_at_the_home_directory() {
        let cases = [
            ("", "/work"),
            ("~", "/home/user"),
            ("~/a", "/home/user/a"),
            ("a/./b//c/", "/home/user/a/b/c"),
            ("/a/../../b", "/b"),
            ("../x", "/home/x"),
            ("/with\nnewline", "/with\nnewline"),
        ];
        for (given, expected) in cases {
            let path = resolve(given, Path::new("/home/user"), Path::new("/work"));
            assert_eq!(path, Path::new(expected), "{given}");
        }
    }

    #[test]
    fn a_small_file_has_exactly_the_content_that_was_written_last() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for text in ["longer\nthan\n", "short\n", "", "as long as the first\n"] {
            write_small(path, text).unwrap();
            assert_eq!(read_small(path), text);
        }
    }

    #[test]
    fn a_path_that_the_kernel_would_refuse_is_refused() {
        let deep = "/d".repeat(10_000);
        check(Path::new(&deep)).unwrap_err();
        check(Path::new(&format!("/{}", "n".repeat(256)))).unwrap_err();
        check(Path::new("/a\0b")).unwrap_err();
        check(Path::new(&format!("/{}", "n".repeat(255)))).unwrap();
    }
}
