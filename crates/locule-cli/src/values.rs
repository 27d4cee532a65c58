//! Parses the values of command-line options.

use crate::environment;

/// `NAME=VALUE`, or `NAME` alone for the value of the user's own variable, if it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    name: String,
    value: Option<String>,
}

impl Variable {
    pub(crate) fn pair(&self) -> Option<(String, String)> {
        let value = self.value.clone();
        let value = value.or_else(|| environment::variable(&self.name))?;
        Some((self.name.clone(), value))
    }
}

pub(crate) fn variable(text: &str) -> Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err("expected NAME=VALUE, or NAME to pass on your own value".to_owned());
    }
    Ok(Variable {
        name: name.to_owned(),
        value,
    })
}

pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// `NAME`, or `NAME=VALUE`.
pub(crate) fn label_filter(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('=') {
        return Err("expected NAME or NAME=VALUE".to_owned());
    }
    Ok(text.to_owned())
}

fn number_and_unit(text: &str) -> Option<(u32, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

/// MiB: `512`, `512m`, `2g`.
pub(crate) fn memory_mib(text: &str) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    let mib = match number_and_unit(&lower) {
        Some((number, "" | "m" | "mb" | "mib")) => Some(number),
        Some((number, "g" | "gb" | "gib")) => number.checked_mul(1024),
        _ => None,
    };
    mib.filter(|mib| *mib > 0)
        .ok_or_else(|| "expected MiB, such as 512, 512m or 2g".to_owned())
}

/// Seconds: `90`, `90s`, `15m`, `2h`.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    let seconds = match number_and_unit(text) {
        Some((number, "" | "s")) => Some(number),
        Some((number, "m")) => number.checked_mul(60),
        Some((number, "h")) => number.checked_mul(60 * 60),
        _ => None,
    };
    seconds.ok_or_else(|| "expected seconds, such as 90, 90s, 15m or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_needs_a_name_and_may_have_an_empty_value() {
        let pair = |text: &str| variable(text).unwrap().pair();
        assert_eq!(pair("A=b=c"), Some(("A".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("A="), Some(("A".to_owned(), String::new())));
        assert_eq!(pair("LOCULE_TEST_NEVER_SET"), None);
        variable("=b").unwrap_err();
        label("A").unwrap_err();
    }

    #[test]
    fn memory_without_a_unit_is_in_mib() {
        assert_eq!(memory_mib("512"), Ok(512));
        assert_eq!(memory_mib("2G"), Ok(2048));
        for wrong in ["", "0", "x", "5k", "-1", "4294967295g"] {
            memory_mib(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_time_without_a_unit_is_in_seconds() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("2h"), Ok(7200));
        for wrong in ["", "m", "-1", "1d", "4294967295h"] {
            seconds(wrong).unwrap_err();
        }
    }
}
