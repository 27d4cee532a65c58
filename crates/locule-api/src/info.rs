//! What a client learns of the platform before a login.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The people that may create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    /// Every person who reaches the API.
    Open,
    /// People with an invitation to a team.
    Invitation,
    Closed,
}

/// The platform, as a page that offers a login needs to know it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlatformInfo {
    pub version: String,
    /// The people that may create an account.
    pub sign_up: SignUp,
    /// Whether the platform sends e-mails: without them a forgotten password cannot be reset, and the inviter passes an invitation on.
    pub mail: bool,
    /// The sign-in providers that are set up, such as `github`.
    pub providers: Vec<String>,
    /// The domain under which each port of a sandbox has a host name. Absent when the operator has set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox_domain: Option<String>,
    /// The accelerator of the virtual machines: `kvm`, or `tcg` for emulation, which is for development and trusted code only.
    /// Absent while no host answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<String>,
    /// The URL of the platform. Absent when the operator has set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
