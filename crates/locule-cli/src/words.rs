//! What went wrong, as one sentence that says what to do.

use locule_client::{Client, ClientError};

use crate::environment::{self, Origin};

/// A client of the server that the environment names.
pub(crate) fn connect() -> anyhow::Result<Client> {
    let address = environment::address()?;
    Ok(Client::new(&address.url, &address.key)?)
}

/// The error with what came before it, and the way out.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let Some(client) = error.downcast_ref::<ClientError>() else {
        return format!("{error:#}");
    };
    let origin = environment::address().map(|address| address.origin).ok();
    let said = explain(client, origin.as_ref());
    // What was attached says more than the error alone.
    let outer = error.to_string();
    if outer == client.to_string() {
        said
    } else {
        format!("{outer}: {said}")
    }
}

pub(crate) fn explain(error: &ClientError, origin: Option<&Origin>) -> String {
    let local = matches!(origin, Some(Origin::File(_)));
    match error {
        ClientError::Unreachable {
            url,
            nobody_listens: true,
            ..
        } if local => format!("no server answers at {url}: start it with `locule up`"),
        ClientError::Unreachable {
            url,
            nobody_listens: true,
            ..
        } => format!(
            "no server answers at {url}: start it with `locule up` there, or correct LOCULE_URL"
        ),
        ClientError::Unreachable { url, source, .. } => {
            format!("cannot reach the server at {url} ({source}): is LOCULE_URL right?")
        }
        ClientError::TimedOut { .. } => {
            format!("{error}: look at what it does with `locule sandbox ls`, or try again")
        }
        ClientError::Address(_) => format!("{error}; correct LOCULE_URL"),
        ClientError::Key => format!("{error}: correct LOCULE_API_KEY"),
        ClientError::BrokenOff => format!("{error}: try again"),
        ClientError::Strange { .. } => error.to_string(),
        ClientError::Refused { code, message, .. } => match (code.as_str(), origin) {
            ("unauthorized", Some(Origin::File(path))) => format!(
                "the server does not know the key in {}: is another server answering at that address? ({message})",
                path.display()
            ),
            ("unauthorized", _) => {
                format!("the server does not accept this key: correct LOCULE_API_KEY ({message})")
            }
            ("invalid_state", _) if message.contains("paused, not running") => {
                format!("{message}: continue it with `locule sandbox resume`")
            }
            ("no_hosts_available", _) => {
                format!("{message}: make room with `locule sandbox pause` or `kill`")
            }
            ("not_ready", _) => format!("{message}: try again in a moment"),
            ("not_found", _) if message == "sandbox not found" => {
                format!("{message}: `locule sandbox ls` lists them")
            }
            _ => message.clone(),
        },
    }
}
