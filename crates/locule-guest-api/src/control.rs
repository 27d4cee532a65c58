//! What the host agent tells the guest agent about its life: who it is now, and when to hold still.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `POST /init`: makes a restored (or just booted) guest the sandbox it is to be.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitRequest {
    /// Replaces the control key in the same call. The first `/init` after a boot sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_control_key: Option<String>,
    /// What clients must show from now on; absent while a template boots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// 25-digit body of the sandbox's id.
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
    /// Wall clock of the host, nanoseconds since 1970.
    #[serde(with = "nanos_text")]
    pub timestamp_unix_nanos: i64,
    /// Base64; credited to the kernel's generator, which is then reseeded.
    pub entropy: String,
    /// Run `/etc/locule/after-restore.d/*`.
    #[serde(default)]
    pub run_hooks: bool,
    /// Nobody's sandbox yet: the user's processes stay frozen, and what is started runs beside them.
    #[serde(default)]
    pub hold: bool,
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

/// `POST /thaw`: lets the user's processes go on after a freeze, at the time it is now. Nothing happens to what is not frozen.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThawRequest {
    /// Wall clock of the host, nanoseconds since 1970.
    #[serde(with = "nanos_text")]
    pub timestamp_unix_nanos: i64,
}

/// `POST /freeze`: what became of the user's processes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FreezeResponse {
    /// `false`: they did not all stop in time.
    pub frozen: bool,
}

/// JSON numbers lose precision above 2^53; times travel as text.
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
