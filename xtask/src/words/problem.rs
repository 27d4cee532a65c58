//! What the gate finds.

use std::fmt;

/// A word in a file that is retired, or a text that begins badly.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) found: String,
    pub(crate) say: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            found,
            say,
        } = self;
        write!(f, "{file}:{line}: `{found}`: say {say}")
    }
}
