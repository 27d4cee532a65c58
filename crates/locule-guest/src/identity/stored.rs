//! The copy of the identity that PID 1 holds for the next guest agent.
//!
//! It is a file in memory without a name. PID 1 and the agent have it open, programs that the agent starts do not, and root
//! reads it as it reads the agent's memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::MemfdFlags;

use super::SandboxIdentity;

/// The length of the identity comes first; 0: there is none.
const LENGTH_BYTES: usize = size_of::<u64>();
/// An identity has at most the 64 KiB of variables that the API accepts, escaped, and little else.
const BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct StoredIdentity(File);

impl StoredIdentity {
    /// Holds no identity yet.
    pub(crate) fn new() -> io::Result<Self> {
        let file = rustix::fs::memfd_create("identity", MemfdFlags::CLOEXEC)?;
        Ok(Self(File::from(file)))
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// The length is written last: an agent that is killed in between leaves no half of an identity.
    pub(super) fn write(&self, identity: &SandboxIdentity) -> io::Result<()> {
        let text = serde_json::to_vec(identity)?;
        self.0.write_all_at(&[0; LENGTH_BYTES], 0)?;
        self.0.write_all_at(&text, LENGTH_BYTES as u64)?;
        self.0.write_all_at(&(text.len() as u64).to_ne_bytes(), 0)
    }

    /// The identity that was written last, if any.
    pub(super) fn read(&self) -> Option<SandboxIdentity> {
        let mut length = [0; LENGTH_BYTES];
        self.0.read_exact_at(&mut length, 0).ok()?;
        let length = u64::from_ne_bytes(length);
        let expected = 1..=BYTES_MAX;
        let mut text = vec![
            0;
            usize::try_from(length)
                .ok()
                .filter(|_| expected.contains(&length))?
        ];
        self.0.read_exact_at(&mut text, LENGTH_BYTES as u64).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_that_was_written_last_is_read() {
        let stored = StoredIdentity::new().unwrap();
        assert!(stored.read().is_none());
        for id in ["a longer id of a sandbox", "b"] {
            let identity = SandboxIdentity {
                sandbox_id: id.to_owned(),
                access_token: Some("token".to_owned()),
                ..SandboxIdentity::default()
            };
            stored.write(&identity).unwrap();
            let read = stored.try_clone().unwrap().read().unwrap();
            assert_eq!(read.sandbox_id, id);
            assert_eq!(read.access_token.as_deref(), Some("token"));
        }
    }

    #[test]
    fn a_length_without_its_identity_is_no_identity() {
        let stored = StoredIdentity::new().unwrap();
        for length in [1, BYTES_MAX, u64::MAX] {
            stored.0.write_all_at(&length.to_ne_bytes(), 0).unwrap();
            assert!(stored.read().is_none());
        }
    }
}
