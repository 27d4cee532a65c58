//! Errors as one sentence that says what happened and what to do next.

use locule_client::{Client, ClientError};

use crate::environment::{self, Origin};

/// A client of the server that the environment names.
pub(crate) fn connect() -> anyhow::Result<Client> {
    let address = environment::address()?;
    Ok(Client::new(&address.url, &address.key)?)
}

/// The error with its context and its remedy.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let Some(client) = error.downcast_ref::<ClientError>() else {
        return format!("{error:#}");
    };
    let origin = environment::address().map(|address| address.origin).ok();
    let message = explain(client, origin.as_ref());
    // The context that was attached comes first.
    let outer = error.to_string();
    if outer == client.to_string() {
        message
    } else {
        format!("{outer}: {message}")
    }
}

pub(crate) fn explain(error: &ClientError, origin: Option<&Origin>) -> String {
    let local = matches!(origin, Some(Origin::File(_)));
    match error {
        ClientError::Unreachable {
            url,
            connection_refused: true,
            ..
        } if local => format!("no server answers at {url}: start it with `locule up`"),
        ClientError::Unreachable {
            url,
            connection_refused: true,
            ..
        } => format!(
            "no server answers at {url}: start it there with `locule up`, or correct LOCULE_URL"
        ),
        ClientError::Unreachable { url, source, .. } => {
            format!("cannot reach the server at {url} ({source}): check LOCULE_URL and the network")
        }
        ClientError::TimedOut { .. } => {
            format!("{error}: check the result with `locule sandbox ls`, or try again")
        }
        ClientError::Address(_) => format!("{error}; correct LOCULE_URL"),
        ClientError::Key => format!("{error}: correct LOCULE_API_KEY"),
        ClientError::Disconnected => format!("{error}: try again"),
        ClientError::UnexpectedStatus { .. } => error.to_string(),
        ClientError::Refusal { code, message, .. } => match (code.as_str(), origin) {
            ("unauthorized", Some(Origin::File(path))) => format!(
                "the server does not know the key in {}: another server may be running at that address ({message})",
                path.display()
            ),
            ("unauthorized", _) => {
                format!("the server does not accept this key: correct LOCULE_API_KEY ({message})")
            }
            ("invalid_state", _) if message.contains("paused, not running") => {
                format!("{message}: resume it with `locule sandbox resume`")
            }
            ("no_hosts_available", _) => {
                format!(
                    "{message}: free capacity with `locule sandbox pause` or `locule sandbox kill`"
                )
            }
            ("not_ready", _) => format!("{message}: try again in a moment"),
            ("not_found", _) if message == "sandbox not found" => {
                format!("{message}: `locule sandbox ls` lists the sandboxes")
            }
            ("not_found", _) if message == "host not found" => {
                format!("{message}: `locule host ls` lists the hosts")
            }
            _ => message.clone(),
        },
    }
}
