//! Values in the query of an address.

/// Percent-encodes every byte that has a meaning in a query.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
                out.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                write!(out, "%{byte:02X}").ok();
            }
            out
        })
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_path_is_encoded_for_the_query() {
        assert_eq!(
            encode("/a b/ü&=?#%+.txt"),
            "/a%20b/%C3%BC%26%3D%3F%23%25%2B.txt"
        );
    }
}
