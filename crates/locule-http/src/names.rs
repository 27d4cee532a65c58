//! The host names that the platform answers to, and what it answers at each of them (ADR 0025).
//!
//! | host of a request | API | `E2b-Sandbox-Id` | `<port>-<id>` in front |
//! |---|---|---|---|
//! | loopback name, address of the listener, public URL, dashboard | yes | without a sandbox domain of the operator | under `localhost` |
//! | sandbox domain of the operator, and names under it | `api.<domain>` | yes | yes |
//! | any other | 421 | 421 | 421 |
//!
//! A web page can make its own host name resolve to the address of the platform (DNS rebinding). The browser then lets the page
//! talk to the platform as if to its own server, but names the page's host in `Host`.

use std::net::{IpAddr, UdpSocket};
use std::str::FromStr;

use http::HeaderValue;

const LOCALHOST: &str = "localhost";

/// The names that an operator sets, and what follows from the listener's address. The default answers to loopback names only.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The address of the listener. An unspecified one stands for every address of the machine.
    pub listen: Option<IpAddr>,
    pub public: Option<Origin>,
    pub dashboard: Option<Origin>,
    pub sandbox_domain: Option<SandboxDomain>,
    /// The origins whose pages may call the API. `None`: the platform's own.
    pub cors_origins: Option<Vec<Origin>>,
}

/// What the platform answers at one host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answers<'a> {
    pub(crate) api: bool,
    pub(crate) routing_headers: bool,
    /// The label that may name a port of a sandbox.
    pub(crate) label: Option<&'a str>,
}

impl Names {
    /// What the platform answers at `host`. `None`: nothing.
    pub(crate) fn answers<'a>(&self, host: &'a Host) -> Option<Answers<'a>> {
        let domain = self.sandbox_domain.as_ref();
        let is_own = self.is_own(host);
        if let Some(labels) = domain.and_then(|domain| domain.labels_of(host)) {
            return Some(Answers {
                api: is_own || labels == "api",
                routing_headers: true,
                label: Some(labels),
            });
        }
        let local = host.name().and_then(|name| labels_under(name, LOCALHOST));
        is_own.then_some(Answers {
            api: true,
            routing_headers: domain.is_none(),
            label: local,
        })
    }

    /// What a request without a host name is answered, which no browser sends: it came to the listener's address.
    pub(crate) fn answers_without_host(&self) -> Answers<'static> {
        Answers {
            api: true,
            routing_headers: self.sandbox_domain.is_none(),
            label: None,
        }
    }

    /// The domain from which an SDK forms the host names of ports, for a client that reached the platform at `host`: that host
    /// itself where no such name leads to the platform, because an SDK without a domain uses another company's.
    pub(crate) fn domain_of_ports(&self, host: Option<&str>) -> Option<String> {
        let host_itself = || Authority::parse(host?).and(host).map(str::to_owned);
        self.answered_port_domain(host).or_else(host_itself)
    }

    /// The domain of host names of ports that lead to the platform, for a client that reached it at `host`. Without a domain of
    /// the operator those names are answered under `localhost`, and lead here from where `localhost` does.
    pub(crate) fn answered_port_domain(&self, host: Option<&str>) -> Option<String> {
        if let Some(domain) = &self.sandbox_domain {
            return Some(domain.as_str().to_owned());
        }
        let Authority { host, port } = Authority::parse(host?)?;
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        host.is_loopback().then(|| format!("{LOCALHOST}{port}"))
    }

    /// Whether browsers reach the host name by HTTPS, as far as the public URL tells: its own host, and names of sandboxes, which
    /// the same proxy serves.
    pub(crate) fn is_secure(&self, host: &str) -> bool {
        let (Some(public), Some(authority)) = (&self.public, Authority::parse(host)) else {
            return false;
        };
        let domain = self.sandbox_domain.as_ref();
        let is_of_sandboxes =
            domain.is_some_and(|domain| domain.labels_of(&authority.host).is_some());
        public.scheme == Scheme::Https && (is_of_sandboxes || public.host == authority.host)
    }

    fn is_own(&self, host: &Host) -> bool {
        let urls = [&self.public, &self.dashboard].into_iter().flatten();
        host.is_loopback() || self.is_bound(host) || urls.into_iter().any(|url| url.host == *host)
    }

    fn is_bound(&self, host: &Host) -> bool {
        let (Some(listen), Host::Address(address)) = (self.listen, host) else {
            return false;
        };
        let every = listen.is_unspecified() && (listen.is_ipv6() || address.is_ipv4());
        *address == listen.to_canonical() || (every && is_of_this_machine(*address))
    }

    /// Whether pages of `origin` may call the API at `host`, the `Host` of the request.
    pub(crate) fn allow_origin(&self, origin: &HeaderValue, host: Option<&Authority>) -> bool {
        let Some(origin) = origin.to_str().ok().and_then(|text| Origin::of(text, "")) else {
            return false;
        };
        if let Some(listed) = &self.cors_origins {
            return listed.contains(&origin);
        }
        let own = [&self.public, &self.dashboard].into_iter().flatten();
        let is_own = own.into_iter().any(|url| *url == origin);
        // Not a name under `localhost`: those are names of sandboxes.
        let is_local = |host: &Host| host.is_loopback() && host.label().is_none();
        let is_local_pair = host.is_some_and(|host| {
            let same_port = host.port.unwrap_or(origin.scheme.port()) == origin.port;
            same_port && is_local(&host.host) && is_local(&origin.host)
        });
        is_own || is_local_pair
    }

    /// Whether pages of sandboxes and the API share a site, as far as their last two labels tell: such pages can then set cookies
    /// that a browser sends to the API.
    pub fn share_a_site(&self) -> bool {
        let (Some(domain), Some(Host::Name(public))) = (
            self.sandbox_domain.as_ref(),
            self.public.as_ref().map(|url| &url.host),
        ) else {
            return false;
        };
        let site = |name: &str| {
            let mut labels: Vec<&str> = name.rsplit('.').take(2).collect();
            labels.reverse();
            labels.join(".")
        };
        site(&domain.name) == site(public)
    }
}

/// The kernel binds a socket to an address of the machine only.
fn is_of_this_machine(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// The labels in front of `domain`, empty for the domain itself.
fn labels_under<'a>(name: &'a str, domain: &str) -> Option<&'a str> {
    let front = name.strip_suffix(domain)?;
    if front.is_empty() {
        return Some("");
    }
    front.strip_suffix('.')
}

/// A host name in lower case without its last dot, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Address(_) => None,
        }
    }

    /// The labels in front of `localhost`.
    fn label(&self) -> Option<&str> {
        let labels = labels_under(self.name()?, LOCALHOST)?;
        (!labels.is_empty()).then_some(labels)
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => labels_under(name, LOCALHOST).is_some(),
            Self::Address(address) => address.is_loopback(),
        }
    }
}

/// The value of a `Host` header, or the authority of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) host: Host,
    pub(crate) port: Option<u16>,
}

impl Authority {
    /// `None` for a text that is no `host[:port]`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            // A zone says which interface of the client's machine leads to the address.
            let address = address.split('%').next()?.parse().ok()?;
            (Host::Address(IpAddr::V6(address).to_canonical()), port)
        } else {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (Self::name(name)?, port)
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { host, port })
    }

    fn name(text: &str) -> Option<Host> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            let mut bytes = label.bytes();
            !label.is_empty()
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if text.len() > 253 || !text.split('.').all(is_label) {
            return None;
        }
        Some(match text.parse() {
            Ok(address) => Host::Address(IpAddr::V4(address)),
            Err(_) => Host::Name(text.to_ascii_lowercase()),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port of a URL: what a browser sends as `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: Host,
    port: u16,
}

/// The text of a setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("{0:?} is not the URL of a server, such as https://locule.example.com")]
    Url(String),
    #[error("{0:?} is not an origin, such as https://app.example.com")]
    Origin(String),
    #[error("{0:?} is not a domain, such as sandboxes.example.com or sandboxes.example.com:8443")]
    Domain(String),
}

impl Origin {
    /// The origin of a URL.
    pub fn of_url(url: &str) -> Result<Self, NameError> {
        Self::of(url, "/?#").ok_or_else(|| NameError::Url(url.to_owned()))
    }

    /// Reads a scheme and an authority, which a character of `end` may end.
    fn of(text: &str, end: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let authority = rest.split(|c| end.contains(c)).next()?;
        let Authority { host, port } = Authority::parse(authority)?;
        Some(Self {
            scheme,
            host,
            port: port.unwrap_or(scheme.port()),
        })
    }
}

impl FromStr for Origin {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::of(text, "").ok_or_else(|| NameError::Origin(text.to_owned()))
    }
}

/// The domain whose names are those of sandboxes. Its text may have a port, which clients add to the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxDomain {
    name: String,
    text: String,
}

impl SandboxDomain {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn labels_of<'a>(&self, host: &'a Host) -> Option<&'a str> {
        labels_under(host.name()?, &self.name)
    }
}

impl FromStr for SandboxDomain {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match Authority::parse(text) {
            Some(Authority {
                host: Host::Name(name),
                port,
            }) => Ok(Self {
                text: port.map_or(name.clone(), |port| format!("{name}:{port}")),
                name,
            }),
            _ => Err(NameError::Domain(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn arbitrary_hosts_and_origins_never_panic_and_no_foreign_host_is_answered() {
        let seeds = [
            "localhost:8000",
            "[::ffff:127.0.0.1%eth0]:8000",
            "80-6dfzh5ik5uxynzmlf5cshamdk.sbx.test.",
            "https://api.sbx.test:8443/x",
        ];
        let names = Names {
            sandbox_domain: "sbx.test".parse().ok(),
            ..Names::default()
        };
        locule_fuzz::fuzz(&seeds, |input| {
            let text = String::from_utf8_lossy(input);
            let url = Origin::of_url(&text).is_ok();
            let Some(Authority { host, .. }) = Authority::parse(&text) else {
                return (url, None);
            };
            let answered = names.answers(&host);
            if let (Some(_), Host::Name(name)) = (answered, &host) {
                assert!(
                    name.ends_with("localhost") || name.ends_with("sbx.test"),
                    "{name}"
                );
            }
            (url, answered.map(|answers| answers.api))
        });
    }
}
