//! The position where a page ends: opaque for clients, and at full precision, so that rows of the same microsecond stay apart (W-051).

use chrono::{DateTime, Utc};
use locule_ids::ParseIdError;

use crate::error::CommonError;

pub(crate) fn write(created_at: DateTime<Utc>, base36: &str) -> String {
    format!("{}.{base36}", created_at.timestamp_micros())
}

pub(crate) fn read<T>(
    text: &str,
    id: impl Fn(&str) -> Result<T, ParseIdError>,
) -> Result<(DateTime<Utc>, T), CommonError> {
    let parsed = text.split_once('.').and_then(|(micros, digits)| {
        // A negative time is before every row, and a far negative time does not fit into the database.
        let micros = micros.parse::<u64>().ok()?;
        let at = DateTime::from_timestamp_micros(i64::try_from(micros).ok()?)?;
        Some((at, id(digits).ok()?))
    });
    parsed.ok_or_else(|| {
        CommonError::Invalid(
            "the page token is not valid: send the token of an earlier page".to_owned(),
        )
    })
}

#[cfg(test)]
mod fuzz {
    use locule_ids::SandboxId;

    use super::*;

    #[test]
    fn any_text_is_a_page_token_that_was_written_or_is_refused() {
        let seeds = [
            "1764030000000000.6dfzh5ik5uxynzmlf5cshamdk",
            "-1.0000000000000000000000000",
            "9223372036854775807.f5lxx1zz5pnorynqglhzmsp33",
        ];
        locule_fuzz::fuzz(&seeds, |input| {
            let text = String::from_utf8_lossy(input);
            let read = read(&text, SandboxId::from_base36).ok();
            if let Some((at, id)) = read {
                let again = super::read(&write(at, &id.base36()), SandboxId::from_base36);
                assert_eq!(again.ok(), Some((at, id)));
            }
            (read.is_some(), text.len() / 8)
        });
    }
}
