//! Parses the part of QEMU's command line that the driver uses.

use std::os::fd::RawFd;

use anyhow::{Context as _, Result};

/// The descriptors and settings from the command line.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) memory: RawFd,
    pub(crate) memory_bytes: usize,
    /// Changes of guest memory go to its file.
    pub(crate) shared: bool,
    pub(crate) disk: RawFd,
    pub(crate) console: RawFd,
    pub(crate) tap: RawFd,
    pub(crate) mac: [u8; 6],
    pub(crate) control: RawFd,
    /// Waits for device state instead of booting.
    pub(crate) restore: bool,
}

/// The value of `key` in `a=b,c=d`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == key).then_some(value))
}

fn number<T: std::str::FromStr>(text: &str, key: &str) -> Result<T> {
    value(text, key)
        .and_then(|value| value.parse().ok())
        .with_context(|| format!("{key} in {text:?}"))
}

impl Arguments {
    pub(crate) fn parse(args: &[String]) -> Result<Self> {
        let values = |option: &'static str| {
            args.windows(2)
                .filter(move |pair| pair[0] == option)
                .map(|pair| pair[1].as_str())
        };
        let find = |option: &'static str, mark: &'static str| {
            values(option)
                .find(|value| value.contains(mark))
                .with_context(|| format!("no {option} …{mark}…"))
        };
        let backend = find("-object", "memory-backend-file")?;
        let path = value(backend, "mem-path").context("mem-path")?;
        let mebibytes: usize = value(backend, "size")
            .and_then(|size| size.strip_suffix('M')?.parse().ok())
            .context("size of memory")?;
        let card = find("-device", "virtio-net-pci")?;
        Ok(Self {
            memory: path
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .parse()
                .context("mem-path")?,
            memory_bytes: mebibytes << 20,
            shared: value(backend, "share") == Some("on"),
            disk: number(find("-add-fd", "set=1")?, "fd")?,
            console: number(find("-add-fd", "set=2")?, "fd")?,
            tap: number(find("-netdev", "tap,")?, "fd")?,
            mac: mac(value(card, "mac").context("mac")?)?,
            control: number(find("-chardev", "socket,")?, "fd")?,
            restore: values("-incoming").next().is_some(),
        })
    }
}

fn mac(text: &str) -> Result<[u8; 6]> {
    let bytes = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<Vec<_>, _>>()
        .context("mac")?;
    bytes.try_into().ok().context("mac")
}
