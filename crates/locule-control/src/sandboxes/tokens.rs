//! The tokens of a sandbox: the guest agent's own, and two for each caller that uses the sandbox from outside.
//!
//! | token | derived from the platform key and | known to |
//! |---|---|---|
//! | the guest's own | the sandbox | the platform, the host, root in the sandbox |
//! | access, traffic | the sandbox, the caller, the caller's revocation numbers | the platform, the caller |
//!
//! A caller gets the same tokens for the life of the sandbox, until the caller's numbers change. An access token begins with the id
//! of its sandbox: older SDKs send nothing else that names the sandbox (ADR 0037).

use hmac::Mac as _;
use locule_domain::Sandbox;
use locule_ids::{SandboxId, TeamId};
use locule_store::sandbox_callers::{self, CallerId, Grant, Granted, Numbers};
use subtle::ConstantTimeEq as _;

use crate::caller::{Actor, Caller};
use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::access::Client;
use crate::sandboxes::error::SandboxError;
use crate::secrets::keyed;
use crate::turns::Asker;

/// Callers among whom the maker of a signature is searched: milliseconds of work for anybody's request.
const SIGNERS_MAX: i64 = 1024;

/// The tokens of one caller for one sandbox.
#[derive(Clone)]
pub struct ClientTokens {
    /// Opens the guest agent's port, and signs the addresses of files.
    pub access: String,
    /// Opens the other ports of a private sandbox.
    pub traffic: String,
}

impl std::fmt::Debug for ClientTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientTokens").finish_non_exhaustive()
    }
}

impl Sandboxes {
    /// The token with which the platform calls the guest agent. No client is given it.
    pub(crate) fn access_token(&self, sandbox: SandboxId) -> String {
        self.derive(&[b"access", sandbox.as_uuid().as_bytes()])
    }

    /// The caller's tokens of a sandbox of its team. From then on the edge accepts them.
    pub async fn client_tokens(
        &self,
        caller: &Caller,
        sandbox: &Sandbox,
    ) -> Result<ClientTokens, SandboxError> {
        let id = match caller.actor {
            Actor::User { id, .. } => CallerId::User(id),
            Actor::ApiKey { id, .. } => CallerId::Key(id),
            Actor::System => return Err(CommonError::NoTeam.into()),
        };
        let mut conn = self.core.connection().await?;
        let (team, now) = (sandbox.team, self.core.now());
        let admitted = sandbox_callers::admit(&mut conn, sandbox.id, team, id, now).await?;
        drop(conn);
        let admitted = admitted.ok_or(CommonError::NoTeam)?;
        if admitted.is_new {
            self.drop_access(sandbox.id);
        }
        let client = self.client(sandbox.id, team, id, admitted.numbers);
        Ok(ClientTokens {
            access: client.access,
            traffic: client.traffic,
        })
    }

    /// The sandbox whose caller made a signature with its access token, among the latest callers of all sandboxes. Every caller is
    /// compared, so that the time does not tell which one matches.
    pub async fn signed_with_token_of(
        &self,
        signature: &[u8],
        sign: impl Fn(&str) -> String,
    ) -> Result<Option<SandboxId>, SandboxError> {
        let _turn = self.core.turn(Asker::SignedAddress).await;
        let mut conn = self.core.connection().await?;
        let callers = sandbox_callers::latest(&mut conn, SIGNERS_MAX, self.core.now()).await?;
        drop(conn);
        let found = callers.iter().fold(None, |found, caller| {
            let client = self.client(caller.sandbox, caller.team, caller.caller, caller.numbers);
            let made = sign(&client.access);
            if made.as_bytes().ct_eq(signature).into() {
                Some(caller.sandbox)
            } else {
                found
            }
        });
        Ok(found)
    }

    pub(super) fn client(
        &self,
        sandbox: SandboxId,
        team: TeamId,
        caller: CallerId,
        numbers: Numbers,
    ) -> Client {
        let (kind, id, granted) = match caller {
            CallerId::User(user) => (b"user", user.as_uuid(), Granted::Numbered { user, numbers }),
            CallerId::Key(key) => (b"key_", key.as_uuid(), Granted::Key { key, uses: true }),
        };
        let token = |purpose: &[u8]| {
            self.derive(&[
                purpose,
                sandbox.as_uuid().as_bytes(),
                kind,
                id.as_bytes(),
                &numbers.person.to_be_bytes(),
                &numbers.membership.to_be_bytes(),
            ])
        };
        Client {
            grant: Grant {
                team,
                caller: granted,
            },
            access: sandbox.base36() + &token(b"client-access"),
            traffic: token(b"client-traffic"),
        }
    }

    /// All parts but the first have a fixed length, and no first part begins another one.
    pub(super) fn derive(&self, parts: &[&[u8]]) -> String {
        let mut mac = keyed(&self.inner.config.platform_key);
        for part in parts {
            mac.update(part);
        }
        hex::encode(mac.finalize().into_bytes())
    }
}
