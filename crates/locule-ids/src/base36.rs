//! 128-bit values as 25 base-36 digits: the form that is legal in one DNS label.

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// 36^25 is the first power of 36 above 2^128.
pub(crate) const LENGTH: usize = 25;

pub(crate) fn encode(mut value: u128) -> String {
    let mut digits = [b'0'; LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(value % 36) as usize];
        value /= 36;
    }
    digits.iter().copied().map(char::from).collect()
}

/// `None` for a wrong length, a foreign character (upper case included) or a value above 2^128 − 1 (W-030).
pub(crate) fn decode(text: &str) -> Option<u128> {
    if text.len() != LENGTH {
        return None;
    }
    text.bytes().try_fold(0_u128, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            _ => return None,
        };
        value.checked_mul(36)?.checked_add(u128::from(digit))
    })
}
