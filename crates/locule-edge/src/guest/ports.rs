//! The ports of a sandbox on which programs listen.

use axum::body::Body;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use locule_guest_api::ports::{Listener, Listeners, PORTS_MAX};
use locule_guest_api::{ACCESS_TOKEN_HEADER, GUEST_PORT, PORTS_PATH};

use super::files::require_success;
use super::{CALL_TIMEOUT, GuestClient, GuestError, MESSAGE_BYTES_MAX, header_name};
use crate::TransportError;

/// A longer name is cut: the kernel gives 15 bytes, a hostile guest agent gives more.
const NAME_CHARS_MAX: usize = 64;

impl GuestClient {
    /// The ports on which programs listen, in the order of their numbers, without the guest agent's own.
    pub async fn list_ports(&self) -> Result<Vec<Listener>, GuestError> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(PORTS_PATH)
            .header(
                header_name(ACCESS_TOKEN_HEADER),
                &self.transport.target().access_token,
            )
            .body(Body::empty())
            .map_err(TransportError::from)?;
        let exchange = async {
            let response = self.transport.send(GUEST_PORT, request).await?;
            let body = require_success(response).await?.into_body();
            let body = Limited::new(body, MESSAGE_BYTES_MAX).collect().await;
            Ok::<_, GuestError>(body.map_err(GuestError::Failed)?.to_bytes())
        };
        let body = tokio::time::timeout(CALL_TIMEOUT, exchange).await;
        let body = body.map_err(|error| GuestError::Failed(error.into()))??;
        let listed = serde_json::from_slice::<Listeners>(&body);
        let listed = listed.map_err(|error| GuestError::Failed(error.into()))?;
        Ok(presentable(listed.ports))
    }
}

/// What a guest agent said, within bounds.
fn presentable(mut listeners: Vec<Listener>) -> Vec<Listener> {
    listeners.retain(|listener| listener.port != 0 && listener.port != GUEST_PORT);
    listeners.sort();
    listeners.dedup();
    listeners.truncate(PORTS_MAX);
    for listener in &mut listeners {
        let shown = listener.process.take();
        listener.process = shown.map(|name| name.chars().take(NAME_CHARS_MAX).collect());
    }
    listeners
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(port: u16, name: &str) -> Listener {
        Listener {
            port,
            address: "127.0.0.1".parse().unwrap(),
            pid: Some(7),
            process: Some(name.to_owned()),
        }
    }

    #[test]
    fn what_a_hostile_guest_agent_lists_is_bounded() {
        let mut said: Vec<_> = (0..3000).map(|port| listener(port, "x")).collect();
        said.push(listener(1, "x"));
        assert_eq!(presentable(said).len(), PORTS_MAX);
        let said = vec![
            listener(GUEST_PORT, "agent"),
            listener(90, &"n".repeat(9000)),
            listener(80, "web"),
            listener(80, "web"),
            listener(0, "none"),
        ];
        let seen = presentable(said);
        let ports: Vec<u16> = seen.iter().map(|listener| listener.port).collect();
        assert_eq!(ports, [80, 90]);
        assert_eq!(seen[1].process.as_ref().unwrap().len(), NAME_CHARS_MAX);
    }
}
