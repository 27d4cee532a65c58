//! Logging setup: one line for each event on standard error, as text or JSON.

use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The text names no log format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log format {0:?} is unknown; use text or json")]
pub struct UnknownLogFormat(String);

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, UnknownLogFormat> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownLogFormat(text.to_owned())),
        }
    }
}

/// The text is not a log filter.
#[derive(Debug, thiserror::Error)]
#[error("the log filter {filter:?} is not valid (examples: info, locule_agent=debug,info)")]
pub struct InvalidLogFilter {
    filter: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Starts logging for the process. A second call has no effect.
pub fn init(filter: &str, format: LogFormat) -> Result<(), InvalidLogFilter> {
    let subscriber = subscriber(filter, format, BoxMakeWriter::new(std::io::stderr))?;
    // Fails where a subscriber is installed already: the first one stays.
    let _ = tracing_subscriber::util::SubscriberInitExt::try_init(subscriber);
    Ok(())
}

fn subscriber(
    filter: &str,
    format: LogFormat,
    writer: BoxMakeWriter,
) -> Result<Box<dyn Subscriber + Send + Sync>, InvalidLogFilter> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| InvalidLogFilter {
        filter: filter.to_owned(),
        source,
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(writer);
    Ok(match format {
        LogFormat::Text => Box::new(
            builder
                .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
                .finish(),
        ),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn only_text_and_json_are_log_formats() {
        assert_eq!("text".parse(), Ok(LogFormat::Text));
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!(
            "JSON".parse::<LogFormat>(),
            Err(UnknownLogFormat("JSON".to_owned()))
        );
    }

    #[test]
    fn a_json_log_line_is_one_object_with_the_fields_of_the_event() {
        let mut file = tempfile::tempfile().unwrap();
        let writer = BoxMakeWriter::new(Mutex::new(file.try_clone().unwrap()));
        let subscriber = subscriber("info", LogFormat::Json, writer).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(sandbox.id = "sb-1", "sandbox paused");
        });
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "sandbox paused");
        assert_eq!(line["sandbox.id"], "sb-1");
    }

    #[test]
    fn an_invalid_filter_is_refused_with_examples() {
        let error = init("locule=loud", LogFormat::Text).unwrap_err();
        assert!(error.to_string().contains("locule=loud"), "{error}");
        assert!(error.to_string().contains("examples"), "{error}");
    }
}
