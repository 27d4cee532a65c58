//! The label filter of the list, which is encoded twice.

use std::collections::BTreeMap;

use crate::error::ApiError;

/// Reads the `metadata` parameter. After the decoding of the query it is a query string, whose keys and values are encoded once
/// more.
pub(super) fn labels(metadata: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let bad = || ApiError::invalid("metadata is not a query string");
    metadata
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let twice = |text: &str| decode(&decode(&text.replace('+', "%20"))?);
            Ok((twice(key).ok_or_else(bad)?, twice(value).ok_or_else(bad)?))
        })
        .collect()
}

/// Percent-decodes once. A `%` without two digits is kept. `None` when the result is not text.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = match (byte, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = code {
            bytes.push(high * 16 + low);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    // A label never holds a zero byte.
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_decoded_twice() {
        // On the wire `metadata=a%3Db%252520c`; the query's own encoding is already removed.
        let labels = labels("a=b%2520c&x%252Fy=1").unwrap();
        assert_eq!(labels["a"], "b c");
        assert_eq!(labels["x/y"], "1");
    }

    #[test]
    fn a_percent_sign_without_digits_is_kept_and_a_zero_byte_is_refused() {
        assert_eq!(labels("a=100%").unwrap()["a"], "100%");
        for wrong in ["a=%25FF", "a=\0", "a%2500=b"] {
            labels(wrong).unwrap_err();
        }
        assert!(labels("").unwrap().is_empty());
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn any_filter_is_read_as_labels_or_refused() {
        let seeds = ["a=b%2520c&x%252Fy=1", "user=%25C3%25BC&&=&a", "100%=+%+%2B"];
        locule_fuzz::fuzz(&seeds, |input| {
            let text = String::from_utf8_lossy(input);
            let found = labels(&text);
            if let Ok(found) = &found {
                assert!(found.len() <= text.split('&').count());
                let longest = found.iter().map(|(key, value)| key.len().max(value.len()));
                assert!(longest.max().unwrap_or(0) <= text.len() * 3);
            }
            found.map(|labels| labels.len()).map_err(|_| ())
        });
    }
}
