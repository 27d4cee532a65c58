//! The limit of file descriptors of this process.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A process with fewer descriptors serves fewer connections than its other limits allow.
pub const RECOMMENDED: u64 = 65_536;

/// Raises the soft limit to the hard limit, and returns it. The soft limit of a service or a shell is 1024 by default, for the
/// sake of programs that use `select`.
pub fn raise() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(current())
}

/// The soft limit.
pub fn current() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_soft_limit_is_raised_to_the_hard_limit() {
        let hard = getrlimit(Resource::Nofile).maximum;
        let low = Rlimit {
            current: Some(256),
            maximum: hard,
        };
        setrlimit(Resource::Nofile, low).unwrap();
        assert_eq!(current(), 256);
        assert_eq!(raise().unwrap(), hard.unwrap_or(u64::MAX));
    }
}
