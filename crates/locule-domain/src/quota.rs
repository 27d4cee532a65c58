//! How much one team may use at a time.

/// What counts against a quota: sandboxes that run, or are wanted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub sandboxes: u32,
    pub vcpus: u32,
    pub memory_mib: u32,
}

/// What an operator allows one team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub sandboxes_max: u32,
    pub vcpus_max: u32,
    pub memory_mib_max: u32,
    pub creates_per_minute_max: u32,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            sandboxes_max: 1000,
            vcpus_max: 4000,
            memory_mib_max: 4 * 1024 * 1024,
            creates_per_minute_max: 12_000,
        }
    }
}

/// Which limit one more would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the team's limit of {limit} {what} is used up")]
pub struct Exceeded {
    pub what: &'static str,
    pub limit: u32,
}

impl Quota {
    /// Whether `more` still fits beside what is used.
    pub fn check(&self, used: Usage, more: Usage) -> Result<(), Exceeded> {
        let rows = [
            (
                "running sandboxes",
                self.sandboxes_max,
                used.sandboxes,
                more.sandboxes,
            ),
            ("vCPUs", self.vcpus_max, used.vcpus, more.vcpus),
            (
                "MiB of memory",
                self.memory_mib_max,
                used.memory_mib,
                more.memory_mib,
            ),
        ];
        for (what, limit, used, more) in rows {
            if used.saturating_add(more) > limit {
                return Err(Exceeded { what, limit });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_fits_and_the_next_does_not() {
        let quota = Quota {
            sandboxes_max: 2,
            vcpus_max: 4,
            memory_mib_max: 1024,
            creates_per_minute_max: 1,
        };
        let used = |sandboxes, vcpus, memory_mib| Usage {
            sandboxes,
            vcpus,
            memory_mib,
        };
        let more = used(1, 2, 512);
        quota.check(used(1, 2, 512), more).unwrap();
        let what = |used| quota.check(used, more).unwrap_err().what;
        assert_eq!(what(used(2, 0, 0)), "running sandboxes");
        assert_eq!(what(used(1, 3, 0)), "vCPUs");
        assert_eq!(what(used(1, 2, u32::MAX)), "MiB of memory");
    }
}
