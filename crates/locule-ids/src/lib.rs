//! Typed identifiers.
//!
//! Owns every id of the platform: how it is created, printed and parsed. Text exists only at the HTTP and RPC
//! edges; inside, typed 128-bit values travel. There is no default and no implicit zero (W-031): the
//! two all-zeros ids with a meaning, [`TeamId::PLATFORM`] and [`TemplateId::MINIMAL`], are named.
//!
//! On the wire an id is `prefix` + body. Two forms of the body are read, one is written by default:
//!
//! | body | example | read | written |
//! |---|---|---|---|
//! | hyphenated UUID, lower case | `sb-6ba7b810-9dad-11d1-80b4-00c04fd430c8` | yes | by `Display` |
//! | 25 base-36 digits, big-endian, zero-padded | `sb-6dfzh5ik5uxynzmlf5cshamdk` | yes | by `base36` (E2B routes) |

mod base36;
mod typed;

pub use typed::{
    ApiKeyId, AuditId, BuildId, ChannelId, HostId, HostRefreshTokenId, HostTokenId, JobId,
    ParseIdError, PermissionId, PortLinkId, SandboxId, SessionId, TeamId, TemplateId, UserId,
};
