//! The host agent's control calls: give the guest its identity, freeze its processes, thaw them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `POST /init`: turns a restored or freshly booted guest into a sandbox, or into a guest in standby.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitRequest {
    /// A new control key, which replaces the current one. The first `/init` after a boot sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_control_key: Option<String>,
    /// The access token that clients must send from now on. Absent while a template boots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// The 25-digit body of the sandbox's id.
    #[serde(default)]
    pub sandbox_id: String,
    #[serde(default)]
    pub template_id: String,
    #[serde(default)]
    pub hostname: String,
    #[serde(default)]
    pub env_vars: BTreeMap<String, String>,
    #[serde(default)]
    pub default_user: Option<String>,
    #[serde(default)]
    pub default_workdir: Option<String>,
    /// The host's wall clock, in nanoseconds since 1970.
    #[serde(with = "nanos_text")]
    pub timestamp_unix_nanos: i64,
    /// Random bytes in Base64. The guest credits them to the kernel's random generator and reseeds it.
    pub entropy: String,
    /// Whether to run the hooks in `/etc/locule/after-restore.d`.
    #[serde(default)]
    pub run_hooks: bool,
    /// The guest waits in the warm pool and is not a sandbox yet: the user's processes stay frozen, and new processes run in
    /// a control group of their own.
    #[serde(default, rename = "hold")]
    pub standby: bool,
}

impl std::fmt::Debug for InitRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InitRequest")
            .field("sandbox_id", &self.sandbox_id)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitResponse {
    pub guest_version: String,
    pub kernel_version: String,
    pub boot_id: String,
}

/// `POST /thaw`: sets the clock and thaws the user's processes after a freeze. Processes that are not frozen are not affected.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThawRequest {
    /// The host's wall clock, in nanoseconds since 1970.
    #[serde(with = "nanos_text")]
    pub timestamp_unix_nanos: i64,
}

/// The answer to `POST /freeze`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FreezeResponse {
    /// `false`: not every process of the user was frozen in time.
    pub frozen: bool,
}

/// Times are JSON strings: JSON numbers lose precision above 2^53.
mod nanos_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
