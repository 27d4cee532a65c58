//! Error text: the whole chain, once, where the error is handled.

use std::error::Error;
use std::fmt::Write as _;

/// `outer: middle: root cause`. Messages never repeat their source, so neither does this.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {source}");
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("open config")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn every_link_appears_once() {
        let error = Outer(std::io::Error::other("permission denied"));
        assert_eq!(chain(&error), "open config: permission denied");
    }
}
