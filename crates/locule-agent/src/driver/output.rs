//! What a guest prints to its console, and its VMM to its log, has a bound: the files are shortened while the VM runs.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use locule_base::errors::chain;
use locule_base::tail::tail;

use super::Driver;
use crate::blocking::blocking;
use crate::error::HostError;

/// A file that occupies more is shortened.
const OUTPUT_BYTES_MAX: u64 = 4 << 20;
/// What stays of it. A guest that shuts down says so in its last lines.
const KEPT_BYTES: usize = 64 * 1024;

impl Driver {
    pub(super) async fn bound_output(&mut self) {
        if self.vm.is_none() {
            return;
        }
        let folder = self.host.ledger.folder(self.manifest.sandbox);
        for name in ["console.log", "vmm.log"] {
            let path = folder.join(name);
            if !is_too_long(&path) {
                continue;
            }
            tracing::info!(sandbox.id = %self.manifest.sandbox, file = name, "the output of a sandbox's VM is shortened");
            let action = "shorten the output of a VM";
            let shortened = blocking(move || shorten(&path).map_err(HostError::io(action)));
            if let Err(error) = shortened.await {
                tracing::warn!(sandbox.id = %self.manifest.sandbox, file = name, error = chain(&error), "the output of a VM cannot be shortened");
            }
        }
    }
}

/// By the blocks that the file occupies: a VMM of an earlier agent writes at the place where it was.
fn is_too_long(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.blocks() * 512 > OUTPUT_BYTES_MAX)
}

fn shorten(path: &Path) -> io::Result<()> {
    let kept = tail(path, KEPT_BYTES)?;
    let mut file = File::options().append(true).open(path)?;
    file.set_len(0)?;
    file.write_all(kept.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guest wrote 61 MiB to its console, and nothing but the size of its disk bounded it.
    #[test]
    fn long_output_is_shortened_to_its_end_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let mut vmm = File::options()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap();
        let line = [b'x'; 1023];
        for _ in 0..4 * 1024 {
            vmm.write_all(&line).unwrap();
            vmm.write_all(b"\n").unwrap();
        }
        assert!(!is_too_long(&path));
        vmm.write_all(&line).unwrap();
        vmm.write_all(b"\nreboot: Power down\n").unwrap();
        assert!(is_too_long(&path));
        shorten(&path).unwrap();
        vmm.write_all(b"more\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.len(), KEPT_BYTES + 5);
        assert!(text.ends_with("\nreboot: Power down\nmore\n"));
        assert!(!is_too_long(&path));
    }
}
