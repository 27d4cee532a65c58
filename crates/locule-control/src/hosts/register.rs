//! How a host agent gets its credentials: once with a registration token, and then again and again with a refresh token
//! (B-111, B-113, B-125, B-126).
//!
//! A refresh token is replaced when it is used. The agent may not receive the answer: then it has the replaced token and its access
//! token, and with both together it is given another answer, as long as it has never used the tokens of the lost answer.

use chrono::{DateTime, Utc};
use locule_domain::host::{HOST_REFRESH_TOKEN_LIFETIME, HOST_TOKEN_LIFETIME};
use locule_domain::{HostAddress, HostState};
use locule_ids::{HostId, HostRefreshTokenId};
use locule_store::hosts::{self, Host, Machine};
use locule_store::{PgConnection, host_tokens};

use crate::error::CommonError;
use crate::host_certificates::IssueError;
use crate::hosts::Hosts;
use crate::hosts::error::HostError;
use crate::secrets::{new_host_token, secret_hash};
use crate::tokens::{self, HostClaims, HostTokenType};

/// Characters of the name of a processor architecture.
const ARCH_CHARS_MAX: usize = 32;

/// A host agent's request to register.
#[derive(Clone)]
pub struct NewRegistration {
    pub token: String,
    /// The address at which the control plane reaches the agent.
    pub address: HostAddress,
    pub machine: Machine,
    /// A signing request in PEM. Required at a TCP address, where the host is known by its certificate.
    pub csr_pem: Option<String>,
}

impl std::fmt::Debug for NewRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewRegistration")
            .field("address", &self.address)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

/// The credentials of a host agent. They cannot be read again.
#[derive(Clone)]
pub struct HostCredentials {
    pub host: Host,
    pub token: String,
    pub refresh_token: String,
    /// For a host that sent a signing request.
    pub certified: Option<CertifiedHost>,
}

/// What a host needs to be reached through TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedHost {
    pub cert_pem: String,
    pub ca_cert_pem: String,
}

impl std::fmt::Debug for HostCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostCredentials")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// The owner of a valid access token of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostIdentity {
    pub host: HostId,
    /// The refresh token that came with the access token.
    pub(super) refresh: HostRefreshTokenId,
}

impl Hosts {
    /// The host that an access token belongs to. Whether the host still exists is decided by the use case.
    pub fn authenticate_host(&self, token: &str) -> Result<HostIdentity, HostError> {
        let claims: Option<HostClaims> = tokens::verify(&self.jwt_secret, token);
        let now = self.core.now().timestamp();
        let claims = claims.filter(|claims| claims.exp > now && claims.sub == claims.host_id);
        let claims = claims.ok_or(HostError::BadToken)?;
        Ok(HostIdentity {
            host: claims.host_id,
            refresh: claims.rid,
        })
    }

    /// Registers a host agent. The host stays pending until the control plane has reached the agent.
    pub async fn register(&self, new: NewRegistration) -> Result<HostCredentials, HostError> {
        let Machine { arch, .. } = &new.machine;
        if arch.chars().count() > ARCH_CHARS_MAX || arch.contains(char::is_control) {
            let why = format!("arch must have at most {ARCH_CHARS_MAX} printable characters");
            return Err(CommonError::Invalid(why).into());
        }
        let now = self.core.now();
        let mut tx = self.core.transaction().await?;
        let taken = host_tokens::take(&mut tx, &secret_hash(&new.token), now).await?;
        let id = taken.ok_or(HostError::BadToken)?;
        let seen = hosts::lock(&mut tx, id).await?;
        let seen = seen.ok_or_else(HostError::not_found)?;
        if seen.state != HostState::Pending {
            return Err(HostError::NotPending(seen.state));
        }
        self.check_address(id, &new.address, &seen.address)?;
        let address = new.address.to_string();
        hosts::register(&mut tx, id, &address, &new.machine, now).await?;
        // The agent of an earlier registration loses its access.
        host_tokens::forget_refresh(&mut tx, id).await?;
        let certified = self.certify(id, &new.address, new.csr_pem.as_deref())?;
        let issued = self.issue(&mut tx, id, None, now).await?;
        self.core.commit(tx).await?;
        tracing::info!(host.id = %id, address, "a host agent registered");
        Ok(HostCredentials {
            certified,
            ..issued
        })
    }

    /// Whether a host may have an address. A path on the control plane's own machine is for the host that was created with it: to
    /// other hosts the path could be any program's socket.
    pub(super) fn check_address(
        &self,
        id: HostId,
        address: &HostAddress,
        preset: &str,
    ) -> Result<(), HostError> {
        let is_local = matches!(address, HostAddress::Unix(_)) || preset.starts_with("unix:");
        if is_local && address.to_string() != preset {
            let why = "the address is not the one that the host was created with";
            return Err(CommonError::Invalid(why.to_owned()).into());
        }
        if self.links.dial(id, address).is_none() {
            let why = "this control plane cannot use an address of this kind";
            return Err(CommonError::Invalid(why.to_owned()).into());
        }
        Ok(())
    }

    /// The certificate of a host that sent a signing request (W-036). The name in the certificate is the host's id, whatever the
    /// request asks for.
    fn certify(
        &self,
        id: HostId,
        address: &HostAddress,
        csr_pem: Option<&str>,
    ) -> Result<Option<CertifiedHost>, HostError> {
        let certificates = &self.config.certificates;
        let Some(csr_pem) = csr_pem else {
            return match address {
                HostAddress::Unix(_) => Ok(None),
                HostAddress::Tcp { .. } => {
                    let why = "csr_pem is missing: the control plane reaches a host on another machine by the host's certificate";
                    Err(CommonError::Invalid(why.to_owned()).into())
                }
            };
        };
        let issued = certificates
            .issue_host(csr_pem, id)
            .map_err(|error| match error {
                IssueError::Csr(bad) => CommonError::Invalid(format!("csr_pem: {bad}")),
                IssueError::Ca(error) => CommonError::internal(error),
            })?;
        tracing::info!(
            host.id = %id,
            certificate = issued.fingerprint_sha256,
            not_after = %issued.not_after,
            "a host got a certificate"
        );
        Ok(Some(CertifiedHost {
            cert_pem: issued.pem,
            ca_cert_pem: certificates.ca_pem(),
        }))
    }

    /// New credentials for a refresh token, which is revoked. `identity`: the owner of the access token that the agent showed.
    pub async fn refresh(
        &self,
        refresh_token: &str,
        csr_pem: Option<&str>,
        identity: Option<HostIdentity>,
    ) -> Result<HostCredentials, HostError> {
        let now = self.core.now();
        let mut tx = self.core.transaction().await?;
        let seen = host_tokens::lock_refresh(&mut tx, &secret_hash(refresh_token), now).await?;
        let seen = seen.ok_or(HostError::BadToken)?;
        if seen.is_revoked {
            let is_own = identity.is_some_and(|identity| identity.host == seen.host);
            let lost = seen.replaced_by.filter(|_| is_own);
            let withdrawn = match lost {
                Some(lost) => host_tokens::withdraw_refresh(&mut tx, lost, now).await?,
                None => false,
            };
            if !withdrawn {
                tracing::warn!(host.id = %seen.host, "a refresh token of a host was used that was replaced before");
                return Err(HostError::BadToken);
            }
        }
        let issued = self.issue(&mut tx, seen.host, Some(seen.id), now).await?;
        let address = issued.host.address.parse()?;
        let certified = self.certify(seen.host, &address, csr_pem)?;
        self.core.commit(tx).await?;
        Ok(HostCredentials {
            certified,
            ..issued
        })
    }

    /// Inserts a refresh token, in place of `earlier`, and signs an access token.
    async fn issue(
        &self,
        conn: &mut PgConnection,
        id: HostId,
        earlier: Option<HostRefreshTokenId>,
        now: DateTime<Utc>,
    ) -> Result<HostCredentials, HostError> {
        let (refresh, refresh_token) = (HostRefreshTokenId::random(), new_host_token());
        let ends = now + HOST_REFRESH_TOKEN_LIFETIME;
        let hash = secret_hash(&refresh_token);
        host_tokens::insert_refresh(conn, (refresh, id), &hash, (now, ends)).await?;
        if let Some(earlier) = earlier {
            host_tokens::replace_refresh(conn, earlier, refresh, now).await?;
        }
        let claims = HostClaims {
            typ: HostTokenType::Host,
            sub: id,
            host_id: id,
            rid: refresh,
            iat: now.timestamp(),
            exp: (now + HOST_TOKEN_LIFETIME).timestamp(),
        };
        let token = tokens::sign(&self.jwt_secret, &claims).map_err(CommonError::internal)?;
        let host = hosts::get(conn, id).await?;
        Ok(HostCredentials {
            host: host.ok_or_else(HostError::not_found)?,
            token,
            refresh_token,
            certified: None,
        })
    }
}
