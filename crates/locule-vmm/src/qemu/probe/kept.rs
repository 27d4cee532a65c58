//! The result of a probe, kept for this machine until its next boot: a restarted agent adopts its sandboxes without waiting for a
//! guest to boot.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a probe showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Works,
    Fails {
        reason: String,
    },
    /// The guest did not boot within the limit. A machine that was busy may boot it within a longer one.
    TooSlow {
        limit: Duration,
    },
}

impl Outcome {
    /// Whether the result decides about a probe with this limit.
    fn decides(&self, limit: Duration) -> bool {
        match self {
            Self::Works | Self::Fails { .. } => true,
            Self::TooSlow { limit: before } => *before >= limit,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    machine: String,
    outcome: Outcome,
}

/// Everything that the result depends on: the kernel and its boot, the processor, the access to `/dev/kvm`, QEMU, and the guest.
pub(super) fn machine(program: &Path, kernel: &Path, initramfs: &Path) -> String {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy().into_owned();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor: Vec<&str> = processor
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("model name") || line.starts_with("microcode"))
        .collect();
    let files = [Path::new("/dev/kvm"), program, kernel, initramfs].map(file_identity);
    format!("{release} {} {processor:?} {files:?}", boot.trim())
}

/// A file that was replaced has another identity.
fn file_identity(path: &Path) -> Option<(u64, u64, u32, i64)> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.mode(), file.ctime()))
}

/// The kept result, if it decides about a probe of this machine with this limit.
pub(super) fn read(file: &Path, machine: &str, limit: Duration) -> Option<Outcome> {
    let kept: Kept = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    (kept.machine == machine && kept.outcome.decides(limit)).then_some(kept.outcome)
}

/// Keeps the result. Two agents that write at the same time leave one of the two results.
pub(super) fn write(file: &Path, machine: String, outcome: Outcome) -> io::Result<()> {
    let text = serde_json::to_vec(&Kept { machine, outcome })?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let new = folder.join(format!(".kvm-probe.{}", std::process::id()));
    let mut written = fs::File::create(&new)?;
    written.write_all(&text)?;
    fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(4);
    const LONG: Duration = Duration::from_secs(40);

    #[test]
    fn a_result_is_kept_for_its_machine_and_a_slow_one_for_no_longer_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("below/kvm-probe.json");
        assert_eq!(read(&file, "a", SHORT), None);
        let fails = Outcome::Fails {
            reason: "why".to_owned(),
        };
        let slow = Outcome::TooSlow { limit: SHORT };
        for (outcome, decides_long) in [(Outcome::Works, true), (fails, true), (slow, false)] {
            write(&file, "a".to_owned(), outcome.clone()).unwrap();
            assert_eq!(read(&file, "a", SHORT).as_ref(), Some(&outcome));
            assert_eq!(read(&file, "a", LONG).is_some(), decides_long);
            assert_eq!(read(&file, "b", SHORT), None);
        }
        fs::write(&file, "no JSON").unwrap();
        assert_eq!(read(&file, "a", SHORT), None);
    }

    #[test]
    fn a_replaced_program_is_another_machine() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("qemu");
        let now = || machine(&program, &program, &program);
        let before = now();
        fs::write(&program, "one").unwrap();
        let first = now();
        fs::remove_file(&program).unwrap();
        fs::write(folder.path().join("other"), "keeps the inode in use").unwrap();
        fs::write(&program, "two").unwrap();
        assert!(before != first && first != now());
        assert_eq!(now(), now());
    }
}
