//! The part of QEMU's command line that the driver uses.

use std::os::fd::RawFd;

use anyhow::{Context as _, Result};

/// What this process was handed.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) memory: RawFd,
    pub(crate) memory_bytes: usize,
    /// The image is the memory: changes go to the file.
    pub(crate) shared: bool,
    pub(crate) disk: RawFd,
    pub(crate) console: RawFd,
    pub(crate) tap: RawFd,
    pub(crate) mac: [u8; 6],
    pub(crate) control: RawFd,
    /// Wait for device state instead of booting.
    pub(crate) restore: bool,
}

/// The value of `key` in `a=b,c=d`.
fn part<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == key).then_some(value))
}

fn number<T: std::str::FromStr>(text: &str, key: &str) -> Result<T> {
    part(text, key)
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
        let one = |option: &'static str, mark: &'static str| {
            values(option)
                .find(|value| value.contains(mark))
                .with_context(|| format!("no {option} …{mark}…"))
        };
        let backend = one("-object", "memory-backend-file")?;
        let path = part(backend, "mem-path").context("mem-path")?;
        let mebibytes: usize = part(backend, "size")
            .and_then(|size| size.strip_suffix('M')?.parse().ok())
            .context("size of memory")?;
        let card = one("-device", "virtio-net-pci")?;
        Ok(Self {
            memory: path
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .parse()
                .context("mem-path")?,
            memory_bytes: mebibytes << 20,
            shared: part(backend, "share") == Some("on"),
            disk: number(one("-add-fd", "set=1")?, "fd")?,
            console: number(one("-add-fd", "set=2")?, "fd")?,
            tap: number(one("-netdev", "tap,")?, "fd")?,
            mac: mac(part(card, "mac").context("mac")?)?,
            control: number(one("-chardev", "socket,")?, "fd")?,
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
