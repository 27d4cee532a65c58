//! What uses a sandbox, its form on the wire, and the header in which a request says what it is for.

use chrono::{DateTime, Utc};

use super::wire_values::{some, time, unix_ms};
use crate::AgentError;
use crate::proto::hostagent::v1 as wire;

/// A longer tag is left out of a header.
const TAG_BYTES_MAX: usize = 128;

/// The kind of a use of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderKind {
    /// A client that is connected to a terminal.
    Terminal,
    /// A command that a client started and follows.
    Command,
    /// A client that follows a process which was started before.
    ProcessStream,
    /// An upload or a download.
    Transfer,
    /// A request to a program behind a port.
    Port,
    /// Another call to the guest agent.
    Call,
}

impl HolderKind {
    const ALL: [Self; 6] = [
        Self::Terminal,
        Self::Command,
        Self::ProcessStream,
        Self::Transfer,
        Self::Port,
        Self::Call,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Command => "command",
            Self::ProcessStream => "process_stream",
            Self::Transfer => "transfer",
            Self::Port => "port",
            Self::Call => "call",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a request to a sandbox is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    pub kind: HolderKind,
    pub pid: Option<u32>,
    pub tag: Option<String>,
    pub port: Option<u16>,
}

impl Purpose {
    pub const fn new(kind: HolderKind) -> Self {
        Self {
            kind,
            pid: None,
            tag: None,
            port: None,
        }
    }

    /// The value of the header [`PROXY_USE_HEADER`](crate::PROXY_USE_HEADER). A tag that does not fit into a header is left out.
    pub fn header(&self) -> String {
        let pid = self.pid.map(|pid| format!(";pid={pid}"));
        let tag = self.tag.as_deref().filter(|tag| fits(tag));
        let tag = tag.map(|tag| format!(";tag={tag}"));
        let parts = [Some(self.kind.as_str().to_owned()), pid, tag];
        parts.into_iter().flatten().collect()
    }

    /// Reads what [`Self::header`] writes.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split(';');
        let mut purpose = Self::new(HolderKind::parse(parts.next()?)?);
        for part in parts {
            match part.split_once('=')? {
                ("pid", pid) => purpose.pid = Some(pid.parse().ok()?),
                ("tag", tag) => purpose.tag = Some(tag.to_owned()).filter(|tag| fits(tag)),
                _ => {}
            }
        }
        Some(purpose)
    }
}

fn fits(tag: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b';';
    (1..=TAG_BYTES_MAX).contains(&tag.len()) && tag.bytes().all(is_plain)
}

/// Uses of a sandbox that have the same purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub purpose: Purpose,
    pub count: u32,
    /// The beginning of the oldest of them.
    pub since: DateTime<Utc>,
}

/// When a sandbox was last used, and what uses it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxActivity {
    /// The moment of the answer while something uses the sandbox.
    pub last_active_at: DateTime<Utc>,
    /// In the order of their beginnings.
    pub held_by: Vec<Holder>,
}

impl From<Holder> for wire::Holder {
    fn from(holder: Holder) -> Self {
        Self {
            kind: holder.purpose.kind.as_str().to_owned(),
            pid: holder.purpose.pid.unwrap_or_default(),
            tag: holder.purpose.tag.unwrap_or_default(),
            port: holder.purpose.port.unwrap_or_default().into(),
            count: holder.count,
            since_unix_ms: unix_ms(Some(holder.since)),
            ..Default::default()
        }
    }
}

impl TryFrom<wire::Holder> for Holder {
    type Error = AgentError;

    fn try_from(holder: wire::Holder) -> Result<Self, AgentError> {
        Ok(Self {
            purpose: Purpose {
                // A later host may know more kinds.
                kind: HolderKind::parse(&holder.kind).unwrap_or(HolderKind::Call),
                pid: Some(holder.pid).filter(|pid| *pid > 0),
                tag: some(holder.tag),
                port: u16::try_from(holder.port).ok().filter(|port| *port > 0),
            },
            count: holder.count,
            since: moment(holder.since_unix_ms)?,
        })
    }
}

impl From<SandboxActivity> for wire::GetActivityResponse {
    fn from(activity: SandboxActivity) -> Self {
        Self {
            last_active_at_unix_ms: unix_ms(Some(activity.last_active_at)),
            held_by: activity.held_by.into_iter().map(Into::into).collect(),
            ..Default::default()
        }
    }
}

impl TryFrom<wire::GetActivityResponse> for SandboxActivity {
    type Error = AgentError;

    fn try_from(answer: wire::GetActivityResponse) -> Result<Self, AgentError> {
        let holders = answer.held_by.into_iter().map(TryInto::try_into);
        Ok(Self {
            last_active_at: moment(answer.last_active_at_unix_ms)?,
            held_by: holders.collect::<Result<_, _>>()?,
        })
    }
}

fn moment(unix_ms: i64) -> Result<DateTime<Utc>, AgentError> {
    let missing = || AgentError::InvalidArgument("a time of the message is missing".to_owned());
    time(unix_ms)?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_read_from_its_header() {
        for purpose in [
            Purpose::new(HolderKind::Transfer),
            Purpose {
                pid: Some(7),
                ..Purpose::new(HolderKind::ProcessStream)
            },
            Purpose {
                tag: Some("pty-1a=".to_owned()),
                ..Purpose::new(HolderKind::Terminal)
            },
        ] {
            assert_eq!(Purpose::parse(&purpose.header()), Some(purpose));
        }
        for unknown in ["", "spy", "command;pid=x", "command;pid"] {
            assert_eq!(Purpose::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_tag_that_does_not_fit_into_a_header_is_left_out() {
        for tag in ["", "a b", "a;pid=1", "ü", "a\r\nb", &"x".repeat(129)] {
            let purpose = Purpose {
                tag: Some(tag.to_owned()),
                ..Purpose::new(HolderKind::Command)
            };
            assert_eq!(purpose.header(), "command", "{tag:?}");
        }
    }
}
