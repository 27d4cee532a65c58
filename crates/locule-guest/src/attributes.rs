//! Extended attributes of files: names and values, and copies from one file to another.

use std::os::fd::BorrowedFd;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// The kernel's limit of a list of names, and of one value.
const KERNEL_BYTES_MAX: usize = 64 * 1024;

/// The names that `list` returns, as far as they are text.
pub(crate) fn names(list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Vec<String> {
    let bytes = filled(list).unwrap_or_default();
    bytes
        .split(|byte| *byte == 0)
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Calls `ask` with a small buffer, and with one of the kernel's limit if that is too small. `None`: there is no value.
pub(crate) fn filled(ask: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Option<Vec<u8>> {
    let mut few = [0; 1024];
    match ask(&mut few) {
        Ok(length) => Some(few[..length].to_vec()),
        Err(Errno::RANGE) => {
            let mut many = vec![0; KERNEL_BYTES_MAX];
            let length = ask(&mut many).ok()?;
            many.truncate(length);
            Some(many)
        }
        Err(_) => None,
    }
}

/// Copies attributes. Those that the other file system cannot store are left out.
pub(crate) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, wanted: impl Fn(&str) -> bool) {
    let names = names(|buffer| rustix::fs::flistxattr(from, buffer));
    for name in names.iter().filter(|name| wanted(name)) {
        let value = filled(|buffer| rustix::fs::fgetxattr(from, name.as_str(), buffer));
        if let Some(value) = value {
            let _ = rustix::fs::fsetxattr(to, name.as_str(), &value, XattrFlags::empty());
        }
    }
}
