//! One newtype per kind of entity, from one macro, so that no two kinds can be mixed up.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::base36;

/// Text that is not an id of the expected kind. Carries the kind only: the text may be hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id")]
pub struct ParseIdError {
    kind: &'static str,
}

/// Reads the canonical lower-case hyphenated form or 25 base-36 digits, nothing else.
fn parse_body(body: &str) -> Option<Uuid> {
    let hyphenated = || {
        let canonical = body.len() == 36
            && body
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        canonical.then(|| Uuid::try_parse(body).ok()).flatten()
    };
    hyphenated().or_else(|| base36::decode(body).map(Uuid::from_u128))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $prefix:literal $(, also $alias:literal)?;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// The beginning of the wire form.
            pub const PREFIX: &'static str = $prefix;

            /// A new random (version 4) id. The only way to create an id (B-003).
            pub fn random() -> Self {
                #[expect(clippy::disallowed_methods, reason = "this crate creates the ids")]
                Self(Uuid::new_v4())
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            /// The length of [`Self::base36`].
            pub const BASE36_DIGITS: usize = base36::LENGTH;

            /// The 25-digit body without a prefix: legal in a DNS label.
            pub fn base36(self) -> String {
                base36::encode(self.0.as_u128())
            }

            /// Reads a bare 25-digit body.
            pub fn from_base36(body: &str) -> Result<Self, ParseIdError> {
                base36::decode(body)
                    .map(|value| Self(Uuid::from_u128(value)))
                    .ok_or(ParseIdError { kind: $kind })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.hyphenated())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let body = text.strip_prefix($prefix)$(.or_else(|| text.strip_prefix($alias)))?;
                body.and_then(parse_body).map(Self).ok_or(ParseIdError { kind: $kind })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )* };
}

ids! {
    /// A sandbox. The older `cl-` prefix is read too (D-02).
    SandboxId = "sandbox", "sb-", also "cl-";
    /// A person.
    UserId = "user", "usr-";
    /// The owner of sandboxes and keys.
    TeamId = "team", "team-";
    /// A machine that runs sandboxes.
    HostId = "host", "host-";
    /// The audit row of a one-time registration token.
    HostTokenId = "host token", "htok-";
    /// The row of a host's refresh token.
    HostRefreshTokenId = "host refresh token", "hrt-";
    /// The row of an API key (not the key).
    ApiKeyId = "API key", "key-";
    /// An entry of the audit log.
    AuditId = "audit entry", "log-";
    /// A template build.
    BuildId = "build", "bld-";
    /// A notification channel.
    ChannelId = "channel", "ch-";
    /// The starting point of sandboxes. Clients address templates by name; the prefixed form is for RPC and logs.
    TemplateId = "template", "tpl-";
    /// A link that opens a port of a sandbox once.
    PortLinkId = "port link", "plink-";
    /// A login.
    SessionId = "session", "ses-";
    /// A unit of durable background work.
    JobId = "job", "job-";
    /// A granted platform permission.
    PermissionId = "permission", "perm-";
}

impl TeamId {
    /// The owner of shared resources: templates, builds, audit entries of shared hosts. It has no members (B-006).
    pub const PLATFORM: Self = Self(Uuid::nil());
}

impl TemplateId {
    /// The built-in template.
    pub const MINIMAL: Self = Self(Uuid::nil());
}
