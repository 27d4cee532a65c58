//! Times of requests and responses.

use chrono::{DateTime, Datelike as _, SubsecRound as _, Utc};

use crate::error::ApiError;

/// A time in whole seconds, as responses show times.
pub(crate) fn seconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(0)
}

/// Accepts a time whose year has four digits. Other times fit neither RFC 3339 nor the database.
pub(crate) fn four_digit_year(time: DateTime<Utc>) -> Result<DateTime<Utc>, ApiError> {
    if (0..=9999).contains(&time.year()) {
        return Ok(time);
    }
    Err(ApiError::invalid(
        "the year of a time must be between 0 and 9999",
    ))
}
