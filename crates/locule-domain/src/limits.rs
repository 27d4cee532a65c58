//! The limits of one sandbox: sizes, names, counts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::timeouts::OnTimeout;

/// The memory of a sandbox is a multiple of this: a host keeps a template snapshot for each shape, so shapes are few.
pub const MEMORY_STEP_MIB: u32 = 128;

/// The largest sandbox that the platform creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub vcpus_max: u32,
    pub memory_mib_min: u32,
    pub memory_mib_max: u32,
    /// The longest idle timeout and the longest time until expiry.
    pub timeout_max: Duration,
    /// The number of environment variables, and of labels, of one sandbox.
    pub entries_max: usize,
    /// The length of a name or a value in `env` and `labels`.
    pub text_bytes_max: usize,
    /// All names and values in `env` and `labels` of one sandbox together: a host keeps them with the sandbox.
    pub entries_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            vcpus_max: 8,
            memory_mib_min: 128,
            memory_mib_max: 8192,
            timeout_max: Duration::from_hours(720),
            entries_max: 256,
            text_bytes_max: 16 * 1024,
            entries_bytes_max: 64 * 1024,
        }
    }
}

/// A request for a new sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewSandbox {
    pub template: String,
    /// Default: 1.
    pub vcpus: Option<u32>,
    /// A multiple of [`MEMORY_STEP_MIB`]. Default: 512.
    pub memory_mib: Option<u32>,
    /// Idle seconds after which the sandbox is paused; 0 disables the idle timeout.
    pub timeout_sec: u32,
    /// The time after which the sandbox is killed or paused, idle or not.
    pub expires_in: Option<Duration>,
    pub on_timeout: OnTimeout,
    pub auto_resume: bool,
    pub env: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// Requests to the ports of the sandbox need no token.
    pub public_traffic: bool,
}

/// The reason why a request is invalid, as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl NewSandbox {
    /// The requested size with defaults applied: vCPUs and mebibytes.
    pub fn size(&self) -> (u32, u32) {
        (self.vcpus.unwrap_or(1), self.memory_mib.unwrap_or(512))
    }

    /// Checks everything that needs no database (W-047).
    pub fn check(&self, limits: &Limits) -> Result<(), Invalid> {
        let fail = |text: String| Err(Invalid(text));
        let (vcpus, memory) = self.size();
        if !is_safe_name(&self.template) {
            return fail(
                "template must be 1 to 64 letters, digits, dots, dashes or underscores".to_owned(),
            );
        }
        if vcpus == 0 || vcpus > limits.vcpus_max {
            return fail(format!("vcpus must be between 1 and {}", limits.vcpus_max));
        }
        if memory < limits.memory_mib_min || memory > limits.memory_mib_max {
            return fail(format!(
                "memory_mb must be between {} and {}",
                limits.memory_mib_min, limits.memory_mib_max
            ));
        }
        if memory % MEMORY_STEP_MIB != 0 {
            return fail(format!("memory_mb must be a multiple of {MEMORY_STEP_MIB}"));
        }
        limits.check_timeout(self.timeout_sec.into())?;
        limits.check_timeout(self.expires_in.map_or(0, |time| time.as_secs()))?;
        limits.check_entries(&self.env, &self.labels)
    }
}

impl Limits {
    /// Checks an idle timeout, or a time until expiry.
    pub(crate) fn check_timeout(&self, seconds: u64) -> Result<(), Invalid> {
        let longest = self.timeout_max.as_secs();
        if seconds > longest {
            return Err(Invalid(format!(
                "a timeout must be {longest} seconds or less"
            )));
        }
        Ok(())
    }

    /// Checks all environment variables and labels of one sandbox.
    pub(crate) fn check_entries(
        &self,
        env: &BTreeMap<String, String>,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Invalid> {
        let fail = |text: String| Err(Invalid(text));
        for (what, entries) in [("environment variables", env), ("labels", labels)] {
            if entries.len() > self.entries_max {
                return fail(format!(
                    "a sandbox can have {} {what} at most",
                    self.entries_max
                ));
            }
            let too_long = |text: &String| text.len() > self.text_bytes_max || text.contains('\0');
            let bad = entries
                .iter()
                .find(|(name, value)| name.is_empty() || too_long(name) || too_long(value));
            if let Some((name, _)) = bad {
                // Enough to find the entry by.
                let shown: String = name.chars().take(64).collect();
                return fail(format!(
                    "names and values of {what} must be {} bytes or less, without zero bytes, and no name can be empty; the entry {shown:?} is refused",
                    self.text_bytes_max
                ));
            }
        }
        if env.keys().any(|name| name.contains('=')) {
            return fail("the name of an environment variable must not contain =".to_owned());
        }
        let entries = env.iter().chain(labels);
        let bytes: usize = entries.map(|(name, value)| name.len() + value.len()).sum();
        if bytes > self.entries_bytes_max {
            return fail(format!(
                "environment variables and labels of a sandbox can have {} bytes at most, names and values together",
                self.entries_bytes_max
            ));
        }
        Ok(())
    }
}

/// The smallest memory size that a sandbox can have and that is not below `mib`. For dialects whose clients name any size.
pub const fn round_up_memory(mib: u32) -> u32 {
    mib.saturating_add(MEMORY_STEP_MIB - 1) / MEMORY_STEP_MIB * MEMORY_STEP_MIB
}

/// Whether a name matches `^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`: names of templates, snapshots and channels do.
pub fn is_safe_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric())
        && name.len() <= 64
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> NewSandbox {
        NewSandbox {
            template: "minimal".to_owned(),
            ..NewSandbox::default()
        }
    }

    #[test]
    fn defaults_are_one_vcpu_and_half_a_gigabyte() {
        assert_eq!(request().size(), (1, 512));
        request().check(&Limits::default()).unwrap();
    }

    #[test]
    fn a_request_outside_the_limits_is_refused() {
        let limits = Limits::default();
        let invalid = [
            NewSandbox {
                vcpus: Some(9),
                ..request()
            },
            NewSandbox {
                memory_mib: Some(8193),
                ..request()
            },
            NewSandbox {
                memory_mib: Some(127),
                ..request()
            },
            NewSandbox {
                memory_mib: Some(1031),
                ..request()
            },
            NewSandbox {
                timeout_sec: u32::MAX,
                ..request()
            },
            NewSandbox {
                expires_in: Some(Duration::from_secs(u64::MAX)),
                ..request()
            },
            NewSandbox {
                env: BTreeMap::from([("A=B".to_owned(), String::new())]),
                ..request()
            },
            NewSandbox {
                env: BTreeMap::from([("A".to_owned(), "\0".to_owned())]),
                ..request()
            },
            NewSandbox {
                labels: BTreeMap::from([(String::new(), String::new())]),
                ..request()
            },
            NewSandbox {
                template: "../minimal".to_owned(),
                ..request()
            },
        ];
        for request in invalid {
            request.check(&limits).unwrap_err();
        }
    }

    #[test]
    fn the_error_of_an_entry_that_is_too_long_names_the_entry() {
        let limits = Limits::default();
        let request = NewSandbox {
            env: BTreeMap::from([
                ("A".to_owned(), "short".to_owned()),
                ("B".to_owned(), "x".repeat(limits.text_bytes_max + 1)),
            ]),
            ..request()
        };
        let error = request.check(&limits).unwrap_err().to_string();
        assert!(error.ends_with(r#"the entry "B" is refused"#), "{error}");
    }

    /// Each shape costs a host a template snapshot: sizes of any mebibyte were 64,520 shapes.
    #[test]
    fn memory_is_a_multiple_of_128_mib() {
        let check = |mib| {
            let request = NewSandbox {
                memory_mib: Some(mib),
                ..request()
            };
            request.check(&Limits::default())
        };
        let accepted = (1..=8192).filter(|mib| check(*mib).is_ok());
        assert_eq!(
            accepted.collect::<Vec<_>>(),
            (1..=64).map(|step| step * 128).collect::<Vec<_>>()
        );
        assert_eq!(
            check(1031).unwrap_err().to_string(),
            "memory_mb must be a multiple of 128"
        );
    }

    proptest::proptest! {
        #[test]
        fn rounding_up_gives_the_next_size_that_is_accepted(mib in 1_u32..=8192) {
            let rounded = round_up_memory(mib);
            proptest::prop_assert!(rounded >= mib && rounded - mib < MEMORY_STEP_MIB);
            proptest::prop_assert_eq!(rounded % MEMORY_STEP_MIB, 0);
        }
    }

    /// A host keeps them with the sandbox, and reads them at each start: 859 KiB per sandbox were accepted.
    #[test]
    fn variables_and_labels_together_have_64_kib_at_most() {
        let of = |count: usize, length: usize| {
            let entry = |at| (format!("{at:04}"), "x".repeat(length - 4));
            (0..count).map(entry).collect::<BTreeMap<_, _>>()
        };
        let check = |env, labels| {
            let request = NewSandbox {
                env,
                labels,
                ..request()
            };
            request.check(&Limits::default())
        };
        check(of(32, 1024), of(32, 1024)).unwrap();
        let refused = check(of(32, 1024), of(32, 1025)).unwrap_err();
        assert!(refused.to_string().contains("65536 bytes"), "{refused}");
        check(
            of(64, 1024),
            BTreeMap::from([("a".to_owned(), String::new())]),
        )
        .unwrap_err();
    }

    #[test]
    fn safe_names_can_be_part_of_a_path_or_an_address() {
        for good in ["a", "minimal", "A.b_c-9", &"x".repeat(64)] {
            assert!(is_safe_name(good), "{good}");
        }
        for bad in ["", ".a", "-a", "a/b", "a b", "ä", &"x".repeat(65), "a\n"] {
            assert!(!is_safe_name(bad), "{bad:?}");
        }
    }
}
