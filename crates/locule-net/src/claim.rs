//! Numbers of this machine that two instances must not share: one of 64 blocks of addresses and user ids.
//!
//! A claim is a file that exists once, naming its instance and data directory. It is taken over only when that directory
//! is gone and no process runs under a user of the block.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::NetError;

const CLAIMS: &str = "/run/locule/claims";
const BLOCKS: u32 = 64;
const FIRST_UID: u32 = 0x7000_0000;
const UIDS: u32 = 65_536;

/// A block that this instance holds until it lets go.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) block: u32,
    path: PathBuf,
}

impl Claim {
    pub(crate) fn first_uid(&self) -> u32 {
        FIRST_UID + self.block * UIDS
    }

    /// Takes back this instance's block, or claims a free one.
    pub(crate) fn take(instance: &str, data_dir: &Path) -> Result<Self, NetError> {
        fs::create_dir_all(CLAIMS).map_err(NetError::file("create", CLAIMS))?;
        let text = format!("{instance} {}\n", data_dir.display());
        let claim = |block| Self {
            block,
            path: Path::new(CLAIMS).join(block.to_string()),
        };
        let held = (0..BLOCKS)
            .map(claim)
            .find(|claim| fs::read_to_string(&claim.path).is_ok_and(|held| held == text));
        if let Some(held) = held {
            return Ok(held);
        }
        for claim in (0..BLOCKS).map(claim) {
            if claim.is_abandoned() {
                fs::remove_file(&claim.path).map_err(NetError::file("take over", &claim.path))?;
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
        Err(NetError::NoBlock)
    }

    fn is_abandoned(&self) -> bool {
        let Ok(text) = fs::read_to_string(&self.path) else {
            return false;
        };
        // An empty file is a claim in the making.
        let Some((_, directory)) = text.trim_end().split_once(' ') else {
            return false;
        };
        !Path::new(directory).exists() && !uid_is_used(self.first_uid()..self.first_uid() + UIDS)
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
