//! Links that open a port of a private sandbox in a browser, and the cookies that they leave there (ADR 0040).
//!
//! ```text
//! caller ── link_to_port ──► token, once and for a minute ── follow_link ──► cookie, for this sandbox and port, while its caller may
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use locule_domain::Sandbox;
use locule_ids::{PortLinkId, SandboxId};
use locule_store::port_links::{self, Maker};
use subtle::ConstantTimeEq as _;

use crate::caller::{By, Caller};
use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::route::RouteError;
const LINK: TimeDelta = TimeDelta::seconds(60);
/// A cookie ends no later than the login of its caller.
const COOKIE: TimeDelta = TimeDelta::hours(8);

/// Opens a port of a sandbox once.
#[derive(Clone)]
pub struct PortLink {
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for PortLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortLink").finish_non_exhaustive()
    }
}

/// The value of a cookie that opens a port of a sandbox.
#[derive(Clone)]
pub struct PortCookie {
    pub value: String,
    pub seconds: u64,
}

impl std::fmt::Debug for PortCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortCookie").finish_non_exhaustive()
    }
}

impl Sandboxes {
    /// A link to a port of a sandbox of the caller's team.
    pub async fn link_to_port(
        &self,
        caller: &Caller,
        sandbox: &Sandbox,
        port: u16,
    ) -> Result<PortLink, SandboxError> {
        let maker = match caller.by {
            By::Key(key) => Maker::Key(key),
            By::Login { user, session } => Maker::Login { user, session },
            By::System => return Err(CommonError::NoTeam.into()),
        };
        // The cookie is accepted as long as the caller's tokens are.
        self.client_tokens(caller, sandbox).await?;
        let now = self.core.now();
        let (id, expires_at) = (PortLinkId::random(), now + LINK);
        let mut conn = self.core.connection().await?;
        port_links::insert(&mut conn, id, (sandbox.id, port), maker, expires_at, now).await?;
        let token = id.base36() + &self.link_mac(sandbox.id, port, id);
        Ok(PortLink { token, expires_at })
    }

    /// Follows a link: its token is used up, and a cookie takes its place. `None`: the token is forged or was used, its time is over,
    /// or its caller has lost the right.
    pub async fn follow_link(
        &self,
        sandbox: SandboxId,
        port: u16,
        token: &str,
    ) -> Result<Option<PortCookie>, RouteError> {
        // A token that this platform did not make costs no statement.
        let Some(id) = self.link_id(sandbox, port, token) else {
            return Ok(None);
        };
        let now = self.core.now();
        let mut conn = self.core.connection().await?;
        let link = port_links::take(&mut conn, id, (sandbox, port), now).await?;
        drop(conn);
        let Some(link) = link else {
            return Ok(None);
        };
        let access = self.read_access(sandbox).await?;
        let Some(client) = access.client_of(link.maker) else {
            return Ok(None);
        };
        let ends = link.login_ends.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let expires = ends.min(now + COOKIE).timestamp();
        Ok(Some(PortCookie {
            value: client.port_cookie(port, expires),
            seconds: u64::try_from(expires - now.timestamp()).unwrap_or_default(),
        }))
    }

    fn link_id(&self, sandbox: SandboxId, port: u16, token: &str) -> Option<PortLinkId> {
        let (id, mac) = token.split_at_checked(PortLinkId::BASE36_DIGITS)?;
        let id = PortLinkId::from_base36(id).ok()?;
        let expected = self.link_mac(sandbox, port, id);
        let is_own: bool = expected.as_bytes().ct_eq(mac.as_bytes()).into();
        is_own.then_some(id)
    }

    fn link_mac(&self, sandbox: SandboxId, port: u16, id: PortLinkId) -> String {
        self.derive(&[
            b"port-link",
            sandbox.as_uuid().as_bytes(),
            &port.to_be_bytes(),
            id.as_uuid().as_bytes(),
        ])
    }
}
