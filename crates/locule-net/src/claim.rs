//! Claims of machine-wide numbers: each instance has one of 64 blocks of addresses and user ids for itself.
//!
//! A claim is a file per block that names the instance and its data directory. Another instance may replace the claim once that
//! directory does not exist any more and no process runs as a user of the block.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use locule_base::errors::FileError;
use locule_base::processes;

use crate::NetError;

const CLAIMS: &str = "/run/locule/claims";
const BLOCKS: u32 = 64;
const FIRST_UID: u32 = 0x7000_0000;
const UIDS: u32 = 65_536;
/// 64 blocks of 2048 addresses are 198.18.0.0/15, which is reserved for benchmarks and unused on real networks.
const FIRST_ADDRESS: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const ADDRESSES: u32 = 2048;

/// A block that this instance holds until [`Self::release`].
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) block: u32,
    path: PathBuf,
    /// The instance that held the block before and did not release it. Its leftovers on this machine use the block's numbers.
    pub(crate) previous_instance: Option<String>,
}

impl Claim {
    pub(crate) fn first_uid(&self) -> u32 {
        FIRST_UID + self.block * UIDS
    }

    pub(crate) fn uids(&self) -> Range<u32> {
        self.first_uid()..self.first_uid() + UIDS
    }

    pub(crate) fn first_address(&self) -> u32 {
        FIRST_ADDRESS + self.block * ADDRESSES
    }

    /// Finds the block that this instance holds, or claims a free one.
    pub(crate) fn take(instance: &str, data_dir: &Path) -> Result<Self, NetError> {
        fs::create_dir_all(CLAIMS).map_err(FileError::on("create", CLAIMS))?;
        let text = format!("{instance} {}\n", data_dir.display());
        let claim = |block| Self {
            block,
            path: Path::new(CLAIMS).join(block.to_string()),
            previous_instance: None,
        };
        let held = (0..BLOCKS)
            .map(claim)
            .find(|claim| fs::read_to_string(&claim.path).is_ok_and(|held| held == text));
        if let Some(held) = held {
            return Ok(held);
        }
        for mut claim in (0..BLOCKS).map(claim) {
            claim.previous_instance = claim.abandoned_by();
            if claim.previous_instance.is_some() {
                fs::remove_file(&claim.path).map_err(FileError::on("replace", &claim.path))?;
            } else if claim.has_addresses() {
                // Leftovers, or another network of this machine: a second route to an address would break the first.
                continue;
            }
            match File::options()
                .write(true)
                .create_new(true)
                .open(&claim.path)
            {
                Ok(mut file) => {
                    file.write_all(text.as_bytes())
                        .map_err(FileError::on("write", &claim.path))?;
                    return Ok(claim);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(FileError::on("create", &claim.path)(error).into()),
            }
        }
        Err(NetError::NoFreeBlock)
    }

    /// Whether this machine has an address of the block already.
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

    /// The instance that claims the block although it has no data directory and no process any more.
    fn abandoned_by(&self) -> Option<String> {
        let text = fs::read_to_string(&self.path).ok()?;
        // An empty file is a claim that another agent is writing.
        let (instance, directory) = text.trim_end().split_once(' ')?;
        let in_use = || !processes::of_users(&self.uids()).is_empty();
        (!Path::new(directory).exists() && !in_use()).then(|| instance.to_owned())
    }

    pub(crate) fn release(self) {
        // An error means that the file does not exist any more.
        let _ = fs::remove_file(&self.path);
    }
}
