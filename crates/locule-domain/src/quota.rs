//! The quota of a team: how much its sandboxes may use at a time.

/// The resources that count against a quota: those of sandboxes that are desired to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub sandboxes: u32,
    pub vcpus: u32,
    pub memory_mib: u32,
}

/// The limits of one team.
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

/// The limit that another sandbox would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the team's limit of {limit} {what} is reached: destroy or pause a sandbox, or ask an administrator for a higher limit"
)]
pub struct Exceeded {
    pub what: &'static str,
    pub limit: u32,
}

impl Quota {
    /// Fails if `used` and `more` together exceed the quota.
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
    fn usage_up_to_the_limit_is_allowed_and_usage_above_it_is_refused() {
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
