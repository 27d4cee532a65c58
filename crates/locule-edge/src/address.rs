//! Reads from the headers which sandbox and port a request on the shared listener is for, if it is not for the API.

use http::{HeaderMap, HeaderName, Uri, header};
use locule_ids::SandboxId;

const SANDBOX_HEADER: HeaderName = HeaderName::from_static("e2b-sandbox-id");
const PORT_HEADER: HeaderName = HeaderName::from_static("e2b-sandbox-port");

/// A port of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    pub sandbox: SandboxId,
    pub port: u16,
}

/// A request is addressed to a sandbox, but its sandbox id or port cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the sandbox id is not valid")]
    Sandbox,
    #[error("the port is missing or not a number from 1 to 65535")]
    Port,
}

impl Address {
    /// Reads the address from `E2b-Sandbox-Id` and `E2b-Sandbox-Port` when the first is present, else from a host label
    /// `<port>-<id>`. `None`: the request is for the API.
    pub fn of(headers: &HeaderMap, uri: &Uri) -> Result<Option<Self>, AddressError> {
        if let Some(id) = headers.get(SANDBOX_HEADER) {
            let id = id.to_str().map_err(|_| AddressError::Sandbox)?;
            let port = headers.get(PORT_HEADER).and_then(|port| port.to_str().ok());
            return Self::parse(id, port.unwrap_or_default()).map(Some);
        }
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let Some(host) = host.or_else(|| uri.host()) else {
            return Ok(None);
        };
        Self::of_host(host)
    }

    fn of_host(host: &str) -> Result<Option<Self>, AddressError> {
        let named = host
            .split_once('.')
            .and_then(|(label, _)| label.split_once('-'));
        let Some((port, id)) = named else {
            return Ok(None);
        };
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        Self::parse(&id.to_ascii_lowercase(), port).map(Some)
    }

    /// Accepts a bare 25-digit id and an id with its prefix.
    fn parse(id: &str, port: &str) -> Result<Self, AddressError> {
        let sandbox = SandboxId::from_base36(id)
            .or_else(|_| id.parse())
            .map_err(|_| AddressError::Sandbox)?;
        let port = port.parse().ok().filter(|port| *port > 0);
        Ok(Self {
            sandbox,
            port: port.ok_or(AddressError::Port)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6dfzh5ik5uxynzmlf5cshamdk";

    fn address(pairs: &[(&'static str, &str)]) -> Result<Option<Address>, AddressError> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        Address::of(&headers, &Uri::from_static("/"))
    }

    #[test]
    fn the_address_headers_take_precedence_over_the_host_name() {
        let sandbox = SandboxId::from_base36(ID).unwrap();
        let by_header = [
            ("e2b-sandbox-id", ID),
            ("e2b-sandbox-port", "80"),
            ("host", "1-x.y"),
        ];
        assert_eq!(address(&by_header), Ok(Some(Address { sandbox, port: 80 })));
        let host = format!("3000-{ID}.sbx.test:8443");
        let by_host = Ok(Some(Address {
            sandbox,
            port: 3000,
        }));
        assert_eq!(address(&[("host", &host)]), by_host);
        assert_eq!(address(&[("host", &host.to_uppercase())]), by_host);
        let prefixed = format!("3000-{sandbox}.sbx.test");
        assert_eq!(address(&[("host", &prefixed)]), by_host);
    }

    #[test]
    fn a_host_name_without_a_port_label_addresses_the_api() {
        for host in [
            "localhost:8000",
            "127.0.0.1:8000",
            "api.sbx.test",
            "a-b.test",
            "-x.test",
        ] {
            assert_eq!(address(&[("host", host)]), Ok(None), "{host}");
        }
        assert_eq!(address(&[]), Ok(None));
    }

    #[test]
    fn an_incomplete_address_is_refused() {
        let sandbox = Err(AddressError::Sandbox);
        let port = Err(AddressError::Port);
        assert_eq!(
            address(&[("e2b-sandbox-id", "nope"), ("e2b-sandbox-port", "80")]),
            sandbox
        );
        assert_eq!(address(&[("e2b-sandbox-id", ID)]), port);
        assert_eq!(
            address(&[("e2b-sandbox-id", ID), ("e2b-sandbox-port", "0")]),
            port
        );
        assert_eq!(address(&[("host", &format!("70000-{ID}.x.y"))]), port);
        assert_eq!(address(&[("host", "80-nope.x.y")]), sandbox);
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn arbitrary_host_names_and_headers_never_panic_and_every_address_round_trips() {
        let seeds = [
            "3000-6dfzh5ik5uxynzmlf5cshamdk.sbx.test:8443\n\n",
            "api.sbx.test\nsb-6ba7b810-9dad-11d1-80b4-00c04fd430c8\n65535",
            "localhost:8000\n6dfzh5ik5uxynzmlf5cshamdk\n0",
        ];
        locule_fuzz::fuzz(&seeds, |input| {
            let mut headers = HeaderMap::new();
            let names = [header::HOST, SANDBOX_HEADER, PORT_HEADER];
            for (name, value) in names.into_iter().zip(input.split(|byte| *byte == b'\n')) {
                if let Ok(value) = http::HeaderValue::from_bytes(value)
                    && !value.is_empty()
                {
                    headers.insert(name, value);
                }
            }
            let found = Address::of(&headers, &Uri::from_static("/"));
            if let Ok(Some(address)) = found {
                assert!(address.port > 0);
                let host = format!("{}-{}.x", address.port, address.sandbox.base36());
                assert_eq!(Address::of_host(&host), Ok(Some(address)));
            }
            found.map(|address| address.is_some())
        });
    }
}
