//! Reads which sandbox and port a request is for: from its headers, from its access token, or from a label of its host name.

use http::{HeaderMap, HeaderName};
use locule_guest_api::{ACCESS_TOKEN_HEADER, GUEST_PORT};
use locule_ids::SandboxId;

const SANDBOX_HEADER: HeaderName = HeaderName::from_static(Address::HEADER);
const PORT_HEADER: HeaderName = HeaderName::from_static("e2b-sandbox-port");
const TOKEN_HEADER: HeaderName = HeaderName::from_static(ACCESS_TOKEN_HEADER);

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
    /// The header that names the sandbox of a request.
    pub const HEADER: &str = "e2b-sandbox-id";

    /// Whether a request names a sandbox in its headers. Such a request never goes to the API.
    pub fn is_in(headers: &HeaderMap) -> bool {
        headers.contains_key(SANDBOX_HEADER)
    }

    /// Reads the address from `E2b-Sandbox-Id` and `E2b-Sandbox-Port`. `None`: the first is missing.
    pub fn of_headers(headers: &HeaderMap) -> Option<Result<Self, AddressError>> {
        Self::is_in(headers).then(|| {
            let id = only(headers, &SANDBOX_HEADER).ok_or(AddressError::Sandbox)?;
            let port = only(headers, &PORT_HEADER).ok_or(AddressError::Port)?;
            Self::parse(id, port)
        })
    }

    /// The guest agent's port of the sandbox that the access token in the headers names. Whether the token is valid is checked later.
    pub fn of_access_token(headers: &HeaderMap) -> Option<Self> {
        let id = only(headers, &TOKEN_HEADER)?.get(..SandboxId::BASE36_DIGITS)?;
        let sandbox = SandboxId::from_base36(id).ok()?;
        Some(Self {
            sandbox,
            port: GUEST_PORT,
        })
    }

    /// Reads the address from a label of a host name, `<port>-<id>`. `None`: the label does not begin with a port.
    pub fn of_label(label: &str) -> Option<Result<Self, AddressError>> {
        let (port, id) = label.split_once('-')?;
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        is_port.then(|| Self::parse(&id.to_ascii_lowercase(), port))
    }

    /// Whether the port is the guest agent's.
    pub fn is_guest_agent(self) -> bool {
        self.port == GUEST_PORT
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

/// The value of a header that a request has once. A second value could be the one that a proxy in front reads.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6dfzh5ik5uxynzmlf5cshamdk";

    #[test]
    fn an_access_token_names_the_sandbox_that_it_begins_with() {
        let named = |tokens: &[String]| {
            let mut headers = HeaderMap::new();
            for token in tokens {
                headers.append(TOKEN_HEADER, token.parse().unwrap());
            }
            Address::of_access_token(&headers)
        };
        let token = format!("{ID}{}", "a".repeat(64));
        let address = named(std::slice::from_ref(&token)).unwrap();
        assert_eq!(
            (address.sandbox.base36(), address.port),
            (ID.to_owned(), GUEST_PORT)
        );
        for other in [
            &[][..],
            &[token.clone(), token],
            &["short".to_owned()],
            &["-".repeat(89)],
        ] {
            assert_eq!(named(other), None);
        }
    }

    fn of_headers(pairs: &[(&'static str, &str)]) -> Option<Result<Address, AddressError>> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Address::of_headers(&headers)
    }

    #[test]
    fn headers_and_host_labels_name_a_sandbox_and_a_port() {
        let sandbox = SandboxId::from_base36(ID).unwrap();
        let by_header = [("e2b-sandbox-id", ID), ("e2b-sandbox-port", "80")];
        let expected = Address { sandbox, port: 80 };
        assert_eq!(of_headers(&by_header), Some(Ok(expected)));
        for label in [
            format!("80-{ID}"),
            format!("80-{ID}").to_uppercase(),
            format!("80-{sandbox}"),
        ] {
            assert_eq!(Address::of_label(&label), Some(Ok(expected)), "{label}");
        }
    }

    #[test]
    fn other_labels_and_requests_name_no_sandbox() {
        for label in ["localhost", "api", "a-b", "-x", "8080", ""] {
            assert_eq!(Address::of_label(label), None, "{label}");
        }
        assert_eq!(of_headers(&[("e2b-sandbox-port", "80")]), None);
    }

    #[test]
    fn an_incomplete_or_repeated_address_is_refused() {
        let (sandbox, port) = (
            Some(Err(AddressError::Sandbox)),
            Some(Err(AddressError::Port)),
        );
        let id = ("e2b-sandbox-id", ID);
        for (pairs, expected) in [
            (
                &[("e2b-sandbox-id", "nope"), ("e2b-sandbox-port", "80")][..],
                sandbox,
            ),
            (&[id], port),
            (&[id, ("e2b-sandbox-port", "0")], port),
            (
                &[id, ("e2b-sandbox-port", "80"), ("e2b-sandbox-port", "81")],
                port,
            ),
            (&[id, id, ("e2b-sandbox-port", "80")], sandbox),
        ] {
            assert_eq!(of_headers(pairs), expected, "{pairs:?}");
        }
        assert_eq!(Address::of_label(&format!("70000-{ID}")), port);
        assert_eq!(Address::of_label("80-nope"), sandbox);
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn arbitrary_labels_and_headers_never_panic_and_every_address_round_trips() {
        let seeds = [
            "3000-6dfzh5ik5uxynzmlf5cshamdk\n\n",
            "api\nsb-6ba7b810-9dad-11d1-80b4-00c04fd430c8\n65535",
            "localhost\n6dfzh5ik5uxynzmlf5cshamdk\n0",
        ];
        locule_fuzz::fuzz(&seeds, |input| {
            let mut parts = input.split(|byte| *byte == b'\n');
            let label = String::from_utf8_lossy(parts.next().unwrap_or_default());
            let mut headers = HeaderMap::new();
            for (name, value) in [SANDBOX_HEADER, PORT_HEADER].into_iter().zip(parts) {
                if let Ok(value) = http::HeaderValue::from_bytes(value)
                    && !value.is_empty()
                {
                    headers.insert(name, value);
                }
            }
            let found = [Address::of_label(&label), Address::of_headers(&headers)];
            for address in found.iter().flatten().flatten() {
                assert!(address.port > 0);
                let label = format!("{}-{}", address.port, address.sandbox.base36());
                assert_eq!(Address::of_label(&label), Some(Ok(*address)));
            }
            found.map(|address| address.map(|address| address.is_ok()))
        });
    }
}
