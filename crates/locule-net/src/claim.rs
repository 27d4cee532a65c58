//! Numbers of this machine that two instances must not share: one of 64 blocks of addresses and user ids.
//!
//! A claim is a file that exists once, naming its instance and data directory. It is taken over only when that directory
//! is gone and no process runs under a user of the block.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::NetError;

const CLAIMS: &str = "/run/locule/claims";
const BLOCKS: u32 = 64;
const FIRST_UID: u32 = 0x7000_0000;
const UIDS: u32 = 65_536;
/// 64 blocks of 2048 addresses are 198.18.0.0/15, which nobody may use on a real network.
const FIRST_ADDRESS: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const ADDRESSES: u32 = 2048;

/// A block that this instance holds until it lets go.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) block: u32,
    path: PathBuf,
    /// The instance that had the block before and left without a word: what it left on the machine has the block's numbers.
    pub(crate) heir_of: Option<String>,
}

impl Claim {
    pub(crate) fn first_uid(&self) -> u32 {
        FIRST_UID + self.block * UIDS
    }

    pub(crate) fn first_address(&self) -> u32 {
        FIRST_ADDRESS + self.block * ADDRESSES
    }

    /// Takes back this instance's block, or claims a free one.
    pub(crate) fn take(instance: &str, data_dir: &Path) -> Result<Self, NetError> {
        fs::create_dir_all(CLAIMS).map_err(NetError::file("create", CLAIMS))?;
        let text = format!("{instance} {}\n", data_dir.display());
        let claim = |block| Self {
            block,
            path: Path::new(CLAIMS).join(block.to_string()),
            heir_of: None,
        };
        let held = (0..BLOCKS)
            .map(claim)
            .find(|claim| fs::read_to_string(&claim.path).is_ok_and(|held| held == text));
        if let Some(held) = held {
            return Ok(held);
        }
        for mut claim in (0..BLOCKS).map(claim) {
            claim.heir_of = claim.abandoned_by();
            if claim.heir_of.is_some() {
                fs::remove_file(&claim.path).map_err(NetError::file("take over", &claim.path))?;
            } else if claim.has_addresses() {
                // Somebody's leftovers, or a network of this machine: two ways to one address lead nowhere.
                continue;
            }
            match File::options()
                .write(true)
                .create_new(true)
                .open(&claim.path)
            {
                Ok(mut file) => {
                    file.write_all(text.as_bytes())
                        .map_err(NetError::file("write", &claim.path))?;
                    return Ok(claim);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(NetError::file("claim", &claim.path)(error)),
            }
        }
        Err(NetError::NoFreeBlock)
    }

    /// This machine has an address of the block already.
    fn has_addresses(&self) -> bool {
        let table = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
        let leaves = table
            .lines()
            .filter_map(|line| line.trim().strip_prefix("|-- "));
        let addresses = leaves.filter_map(|leaf| leaf.parse::<Ipv4Addr>().ok());
        let first = self.first_address();
        addresses
            .map(u32::from)
            .any(|address| (first..first + ADDRESSES).contains(&address))
    }

    /// The instance that holds the block although its data directory and its processes are gone.
    fn abandoned_by(&self) -> Option<String> {
        let text = fs::read_to_string(&self.path).ok()?;
        // An empty file is a claim in the making.
        let (instance, directory) = text.trim_end().split_once(' ')?;
        let used = || uid_is_used(self.first_uid()..self.first_uid() + UIDS);
        (!Path::new(directory).exists() && !used()).then(|| instance.to_owned())
    }

    pub(crate) fn release(self) {
        // Somebody else's clean-up is as good as ours.
        let _ = fs::remove_file(&self.path);
    }
}

fn uid_is_used(uids: std::ops::Range<u32>) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.metadata().ok())
        .any(|meta| uids.contains(&meta.uid()))
}
