//! The memory of this machine, as `/proc/meminfo` reports it.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineMemory {
    pub total_bytes: u64,
    /// Memory that programs can get without swapping: free memory and reclaimable caches.
    pub available_bytes: u64,
}

impl MachineMemory {
    /// `None` where the kernel does not report both numbers.
    pub fn read() -> Option<Self> {
        parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
    }
}

fn parse(text: &str) -> Option<MachineMemory> {
    let field = |name| kibibytes(text, name)?.checked_mul(1024);
    Some(MachineMemory {
        total_bytes: field("MemTotal:")?,
        available_bytes: field("MemAvailable:")?,
    })
}

/// A field of `/proc/meminfo` or `/proc/PID/status`: lines of the form `Name:   123 kB`.
pub fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_and_available_memory_are_parsed() {
        let text = "MemTotal:       16315412 kB\nMemFree:  1 kB\nMemAvailable:   10485760 kB\n";
        let expected = MachineMemory {
            total_bytes: 16_315_412 * 1024,
            available_bytes: 10 << 30,
        };
        assert_eq!(parse(text), Some(expected));
    }

    #[test]
    fn a_report_without_a_needed_field_is_unreadable() {
        assert_eq!(parse("MemTotal:       16315412 kB\n"), None);
        assert_eq!(parse("MemTotal: lots\nMemAvailable: 1 kB\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn this_machine_has_memory() {
        let memory = MachineMemory::read().unwrap();
        assert!(memory.total_bytes >= memory.available_bytes);
    }
}
