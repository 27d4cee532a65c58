//! Metadata of a file: sent in `X-Metadata-*` headers of an upload, stored as extended attributes of the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use axum::http::HeaderMap;
use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::attributes;

const HEADER_PREFIX: &str = "x-metadata-";
pub(super) const ATTRIBUTE_PREFIX: &str = "user.e2b.";
/// Limit of the keys and values of a file together.
const BYTES_MAX: usize = 4096;
/// The kernel's limit of an attribute's name, with the prefix.
const NAME_BYTES_MAX: usize = 255;

pub(crate) type Metadata = BTreeMap<String, String>;

/// Reads the metadata in a request. The error is a message for the client.
pub(super) fn from_headers(headers: &HeaderMap) -> Result<Metadata, String> {
    let mut metadata = Metadata::new();
    let mut bytes = 0;
    // Header names arrive in lower case.
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(HEADER_PREFIX) else {
            continue;
        };
        if key.is_empty() || ATTRIBUTE_PREFIX.len() + key.len() > NAME_BYTES_MAX {
            return Err(format!("the metadata key '{key}' is empty or too long"));
        }
        let printable = |byte: &u8| matches!(byte, b' '..=b'~');
        let Some(text) = value
            .to_str()
            .ok()
            .filter(|text| text.as_bytes().iter().all(printable))
        else {
            return Err(format!(
                "the metadata value of '{key}' is not printable ASCII"
            ));
        };
        bytes += key.len() + text.len();
        if metadata.insert(key.to_owned(), text.to_owned()).is_some() {
            return Err(format!("the metadata key '{key}' is given twice"));
        }
    }
    if bytes > BYTES_MAX {
        return Err(format!("metadata are {bytes} bytes, more than {BYTES_MAX}"));
    }
    Ok(metadata)
}

/// Replaces all metadata of a file. An attribute that has the right value is not written: watchers would get an event.
pub(super) fn replace(file: &File, metadata: &Metadata) -> io::Result<()> {
    let present = names(|buffer| rustix::fs::flistxattr(file, buffer));
    for name in present {
        let key = &name[ATTRIBUTE_PREFIX.len()..];
        if !metadata.contains_key(key) {
            rustix::fs::fremovexattr(file, name.as_str())?;
        }
    }
    for (key, value) in metadata {
        let name = format!("{ATTRIBUTE_PREFIX}{key}");
        let now = value_of(|buffer| rustix::fs::fgetxattr(file, name.as_str(), buffer));
        if now.as_deref() != Some(value) {
            rustix::fs::fsetxattr(file, name.as_str(), value.as_bytes(), XattrFlags::empty())?;
        }
    }
    Ok(())
}

/// The metadata of the file at `path`. Empty if the file system supports no attributes.
pub(crate) fn of(path: &Path) -> Metadata {
    let names = names(|buffer| rustix::fs::llistxattr(path, buffer));
    let values = names.into_iter().filter_map(|name| {
        let value = value_of(|buffer| rustix::fs::lgetxattr(path, name.as_str(), buffer))?;
        Some((name[ATTRIBUTE_PREFIX.len()..].to_owned(), value))
    });
    // Attributes that the user set by other means may exceed the limit: the rest is left out.
    let mut bytes = 0;
    values
        .take_while(|(key, value)| {
            bytes += key.len() + value.len();
            bytes <= BYTES_MAX
        })
        .collect()
}

fn names(list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Vec<String> {
    let mut names = attributes::names(list);
    names.retain(|name| name.len() > ATTRIBUTE_PREFIX.len() && name.starts_with(ATTRIBUTE_PREFIX));
    names.sort();
    names
}

fn value_of(get: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Option<String> {
    String::from_utf8(attributes::filled(get)?).ok()
}

/// Whether the file system cannot store the metadata, as opposed to an error about the file.
pub(super) fn cannot_be_stored(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        errno,
        Some(Errno::NOSPC | Errno::TOOBIG | Errno::RANGE | Errno::NOTSUP)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Metadata, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        from_headers(&headers)
    }

    #[test]
    fn only_headers_with_the_prefix_are_metadata() {
        let read = read(&[("x-metadata-a-b", "1"), ("x-other", "2")]).unwrap();
        assert_eq!(read, Metadata::from([("a-b".to_owned(), "1".to_owned())]));
    }

    #[test]
    fn metadata_that_cannot_be_stored_are_refused() {
        let long = "v".repeat(BYTES_MAX);
        read(&[("x-metadata-", "1")]).unwrap_err();
        read(&[("x-metadata-k", "tab\there")]).unwrap_err();
        read(&[("x-metadata-k", "1"), ("x-metadata-k", "2")]).unwrap_err();
        read(&[("x-metadata-k", &long)]).unwrap_err();
        read(&[("x-metadata-k", &long[1..])]).unwrap();
    }
}
