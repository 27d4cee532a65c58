//! Who may create an account, and the administrator that an installation keeps.

use locule_domain::SignupPolicy;
use locule_store::invitations::Invitation;
use locule_store::users::{self, User};
use locule_store::{PgConnection, cluster, invitations};

use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::secrets::secret_hash;

/// Why a person may create an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// The installation never had an account. Of concurrent sign-ups, one is the first.
    First,
    /// Sign-up is open.
    Open,
    /// The person has the token of this invitation.
    Invited(Invitation),
    /// The person owns an address that was invited, and has not shown a token.
    AddressInvited,
}

impl Admission {
    /// Whether the token proves that the person owns the address.
    pub(super) const fn proves_address(&self) -> bool {
        match self {
            Self::Invited(invitation) => invitation.by_mail,
            Self::First | Self::Open | Self::AddressInvited => false,
        }
    }
}

impl Accounts {
    /// Admits a person who has not proved to own the address: only the token of an invitation counts.
    pub(super) async fn admit(
        &self,
        conn: &mut PgConnection,
        email: &str,
        token: Option<&str>,
    ) -> Result<Admission, AccountError> {
        let policy = self.inner.config.signup;
        if let Some(token) = token {
            let found = invitations::by_token(conn, &secret_hash(token), self.core.now()).await?;
            let found = found.filter(|found| found.email == email);
            return match (policy, found) {
                (SignupPolicy::Closed, _) => Err(AccountError::SignupClosed),
                (_, Some(found)) => Ok(Admission::Invited(found)),
                // On an open platform too: an account outside of the team is not what the person asked for.
                (SignupPolicy::Invite | SignupPolicy::Open, None) => {
                    Err(AccountError::InvitationRequired)
                }
            };
        }
        if policy == SignupPolicy::Open {
            return Ok(Admission::Open);
        }
        if cluster::never_had_account(conn).await? {
            return Ok(Admission::First);
        }
        Err(refused(policy))
    }

    /// Admits a person who has proved to own the address: an open invitation of the address is enough.
    pub(super) async fn admit_owner(
        &self,
        conn: &mut PgConnection,
        email: &str,
    ) -> Result<Admission, AccountError> {
        let invited = self.inner.config.signup == SignupPolicy::Invite
            && invitations::any(conn, email, self.core.now()).await?;
        if invited {
            return Ok(Admission::AddressInvited);
        }
        self.admit(conn, email, None).await
    }

    /// Whether the account that is being activated is the first one. A person who was admitted as the first, and is overtaken by
    /// another, is refused.
    pub(super) async fn is_first(
        &self,
        conn: &mut PgConnection,
        admission: &Admission,
    ) -> Result<bool, AccountError> {
        let first = cluster::claim_first_account(conn, self.core.now()).await?;
        if !first && *admission == Admission::First {
            return Err(refused(self.inner.config.signup));
        }
        Ok(first)
    }

    /// Refuses to let the last administrator of the platform go.
    pub(super) async fn keep_an_administrator(
        &self,
        conn: &mut PgConnection,
        user: &User,
    ) -> Result<(), AccountError> {
        if users::is_last_administrator(conn, user).await? {
            return Err(AccountError::LastAdministrator);
        }
        Ok(())
    }
}

const fn refused(policy: SignupPolicy) -> AccountError {
    match policy {
        SignupPolicy::Closed => AccountError::SignupClosed,
        SignupPolicy::Invite | SignupPolicy::Open => AccountError::InvitationRequired,
    }
}
