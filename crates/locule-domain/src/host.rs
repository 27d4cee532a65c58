//! A host: its state, its address, and the rules for what a request may say about it.
//!
//! ```text
//! pending ─► online ⇄ unreachable
//! ```
//!
//! | state | `Reached` | `Heartbeat` | `Silent` | `Renewed` |
//! |---|---|---|---|---|
//! | pending | online | pending | pending | pending |
//! | online | online | online | unreachable | pending |
//! | unreachable | online | online | unreachable | pending |

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::limits::Invalid;
use crate::people::{UnknownWord, words};

/// How long a registration token can be used.
pub const REGISTRATION_TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// How long an access token of a host is valid.
pub const HOST_TOKEN_LIFETIME: Duration = Duration::from_hours(7 * 24);
/// How long a refresh token of a host is valid.
pub const HOST_REFRESH_TOKEN_LIFETIME: Duration = Duration::from_hours(60 * 24);
/// The time between two heartbeats of a host.
pub const HEARTBEAT_PERIOD: Duration = Duration::from_secs(30);
/// A host whose latest heartbeat is older than this is unreachable: three heartbeats are missing (B-117).
pub const HEARTBEAT_LIMIT: Duration = Duration::from_secs(90);

/// Characters of a provider, an availability zone or a tag.
const LABEL_CHARS_MAX: usize = 64;
/// The path of a Unix socket may have 107 bytes.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const NAME_BYTES_MAX: usize = 253;

words! {
    /// Whose sandboxes a host runs.
    HostKind {
        /// The platform's own: sandboxes of every team that does not bring its own hosts.
        Regular = "regular",
        /// A team's own ("bring your own cloud"): sandboxes of this team only.
        Byoc = "byoc",
    }

    /// The state of a host. Sandboxes are placed on `online` hosts only (B-115).
    HostState {
        /// The host agent has not registered, or the control plane has not reached the host at its address yet.
        Pending = "pending",
        Online = "online",
        /// The host agent has sent no heartbeat for longer than the limit (B-117).
        Unreachable = "unreachable",
    }

    /// What happens to the running sandboxes of a host that is drained. No sandbox is placed on the host, and none resumes there.
    Drain {
        /// The control plane pauses the sandboxes.
        Pause = "pause",
        /// The sandboxes run until they end or are paused.
        Wait = "wait",
    }
}

/// A change that a host goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostEvent {
    /// The control plane reached the host agent at its address.
    Reached,
    /// The host agent sent a heartbeat.
    Heartbeat,
    /// The host agent has sent no heartbeat for too long.
    Silent,
    /// The host got a new registration token because its agent lost its credentials.
    Renewed,
}

impl HostState {
    /// The state after an event: the only place where the state of a host changes.
    #[must_use]
    pub const fn apply(self, event: HostEvent) -> Self {
        match (self, event) {
            (_, HostEvent::Renewed) | (Self::Pending, HostEvent::Heartbeat | HostEvent::Silent) => {
                Self::Pending
            }
            (_, HostEvent::Reached) | (Self::Online | Self::Unreachable, HostEvent::Heartbeat) => {
                Self::Online
            }
            (Self::Online | Self::Unreachable, HostEvent::Silent) => Self::Unreachable,
        }
    }
}

/// The address at which the control plane reaches a host agent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostAddress {
    /// A Unix socket on the machine of the control plane: `unix:/run/locule-1a2b3c4d/agent.sock`.
    Unix(PathBuf),
    /// A name or an IP address, and a port: `10.0.0.7:50051`.
    Tcp { name: String, port: u16 },
}

impl HostAddress {
    /// The Unix socket at an absolute path.
    pub fn unix(path: &Path) -> Result<Self, Invalid> {
        format!("unix:{}", path.display()).parse()
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { name, port } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp { name, port } => write!(f, "{name}:{port}"),
        }
    }
}

impl FromStr for HostAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || {
            Invalid(
                "address must be a name or an IP address and a port, such as 10.0.0.7:50051"
                    .to_owned(),
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let is_path = path.starts_with('/')
                && path.len() <= SOCKET_PATH_BYTES_MAX
                && !path.contains(|c: char| c.is_control());
            return is_path.then(|| Self::Unix(path.into())).ok_or_else(invalid);
        }
        let (name, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        // `u16::from_str` accepts a sign.
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port: u16 = port.parse().map_err(|_| invalid())?;
        let name = match name.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']').ok_or_else(invalid)?;
                let address: std::net::Ipv6Addr = inner.parse().map_err(|_| invalid())?;
                address.to_string()
            }
            None if is_host_name(name) => name.to_ascii_lowercase(),
            None => return Err(invalid()),
        };
        if port == 0 || !is_number {
            return Err(invalid());
        }
        Ok(Self::Tcp { name, port })
    }
}

/// Whether a text is a DNS name or an IPv4 address.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

/// A provider or an availability zone, without the space around it. May be empty.
pub fn label(field: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.chars().count() > LABEL_CHARS_MAX || text.contains(char::is_control) {
        return Err(Invalid(format!(
            "{field} must have at most {LABEL_CHARS_MAX} characters and no control characters"
        )));
    }
    Ok(text.to_owned())
}

/// A tag of a host: as a [`label`], and not empty.
pub fn tag(text: &str) -> Result<String, Invalid> {
    let tag = label("tag", text)?;
    if tag.is_empty() {
        return Err(Invalid("tag must not be empty".to_owned()));
    }
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table at the top of this file.
    #[test]
    fn every_event_leads_from_every_state_where_the_table_says() {
        use HostEvent as E;
        use HostState::{Online, Pending, Unreachable};
        let table = [
            (Pending, [Online, Pending, Pending, Pending]),
            (Online, [Online, Online, Unreachable, Pending]),
            (Unreachable, [Online, Online, Unreachable, Pending]),
        ];
        for (state, row) in table {
            let events = [E::Reached, E::Heartbeat, E::Silent, E::Renewed];
            assert_eq!(events.map(|event| state.apply(event)), row, "{state}");
        }
    }

    #[test]
    fn an_address_is_written_as_it_was_read() {
        for text in [
            "unix:/run/locule-1a2b3c4d/agent.sock",
            "10.0.0.7:50051",
            "host-1.example.com:443",
            "[2001:db8::7]:50051",
        ] {
            let address: HostAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        let upper: HostAddress = "Host.Example:1".parse().unwrap();
        assert_eq!(upper.to_string(), "host.example:1");
    }

    #[test]
    fn an_address_that_names_no_port_or_more_than_a_port_is_refused() {
        let long = format!("{}:1", "a.".repeat(127));
        for text in [
            "",
            ":1",
            "host",
            "host:",
            "host:0",
            "host:+1",
            "host:65536",
            "host:1/path",
            "user@host:1",
            "http://host:1",
            "-host:1",
            "ho st:1",
            "host..example:1",
            "2001:db8::7:1",
            "[host]:1",
            "[::1:1",
            "unix:",
            "unix:agent.sock",
            "unix:/a\nb",
            &long,
        ] {
            assert!(text.parse::<HostAddress>().is_err(), "{text:?}");
        }
        let path = format!("unix:/{}", "a".repeat(SOCKET_PATH_BYTES_MAX));
        path.parse::<HostAddress>().unwrap_err();
    }

    #[test]
    fn a_tag_has_characters_and_not_too_many() {
        assert_eq!(tag(" gpu ").unwrap(), "gpu");
        assert_eq!(label("provider", "  ").unwrap(), "");
        let long = "x".repeat(LABEL_CHARS_MAX + 1);
        for text in ["", "  ", "a\u{0}b", &long] {
            assert!(tag(text).is_err(), "{text:?}");
        }
        tag(&"é".repeat(LABEL_CHARS_MAX)).unwrap();
    }
}
