//! Values that the texts and numbers of the wire stand for: ids, times, timeouts.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use locule_domain::{OnTimeout, Timeouts};

use crate::AgentError;
use crate::proto::hostagent::v1 as wire;

/// Parses an id. An empty text is an error like any other malformed id, never the zero id (W-031).
pub(crate) fn parse_id<T: FromStr<Err = locule_ids::ParseIdError>>(
    text: &str,
) -> Result<T, AgentError> {
    text.parse()
        .map_err(|error: locule_ids::ParseIdError| AgentError::InvalidArgument(error.to_string()))
}

pub(super) fn time(unix_ms: i64) -> Result<Option<DateTime<Utc>>, AgentError> {
    if unix_ms == 0 {
        return Ok(None);
    }
    let time = DateTime::from_timestamp_millis(unix_ms);
    time.map(Some).ok_or_else(|| {
        AgentError::InvalidArgument("a time of the message is out of range".to_owned())
    })
}

pub(super) fn unix_ms(time: Option<DateTime<Utc>>) -> i64 {
    time.map_or(0, |time| time.timestamp_millis())
}

pub(super) fn timeouts(
    timeout_sec: u32,
    expires_at_unix_ms: i64,
    on_timeout: buffa::EnumValue<wire::OnTimeout>,
) -> Result<Timeouts, AgentError> {
    let on_timeout = match on_timeout.as_known() {
        Some(wire::OnTimeout::ON_TIMEOUT_KILL | wire::OnTimeout::ON_TIMEOUT_UNSPECIFIED) => {
            OnTimeout::Kill
        }
        Some(wire::OnTimeout::ON_TIMEOUT_PAUSE) => OnTimeout::Pause,
        None => {
            return Err(AgentError::InvalidArgument(
                "the value of on_timeout is unknown".to_owned(),
            ));
        }
    };
    Ok(Timeouts {
        timeout_sec,
        expires_at: time(expires_at_unix_ms)?,
        on_timeout,
    })
}

impl From<OnTimeout> for wire::OnTimeout {
    fn from(value: OnTimeout) -> Self {
        match value {
            OnTimeout::Kill => Self::ON_TIMEOUT_KILL,
            OnTimeout::Pause => Self::ON_TIMEOUT_PAUSE,
        }
    }
}

pub(super) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
