//! Log set-up: one line per event on standard error, human or JSON.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The filter text could not be read.
#[derive(Debug, thiserror::Error)]
#[error("log filter {filter:?} is not valid (examples: info, locule_agent=debug,info)")]
pub struct BadLogFilter {
    filter: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Starts logging for the process. A second call changes nothing.
pub fn init(filter: &str, format: LogFormat) -> Result<(), BadLogFilter> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| BadLogFilter {
        filter: filter.to_owned(),
        source,
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(BoxMakeWriter::new(std::io::stderr));
    // Failing means that a subscriber is there already: the first one wins.
    let _ = match format {
        LogFormat::Text => builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
