//! Attempts at a password. Only failures count, and those of others do not refuse the owner of an account:
//!
//! | failures are counted by | default | above it |
//! |---|---|---|
//! | account and origin: an address, or an earlier login of the account | 20 in 5 minutes | attempts from that origin are refused |
//! | address | 100 in 5 minutes | attempts from it are refused, except for accounts that logged in from it before |
//! | account | 50 in 5 minutes | attempts from addresses that never logged in to it are verified one after the other |
//!
//! An account that does not exist is counted as one that does. Each verification costs the same time; an origin that logged in to the
//! account before does not queue behind others.

use locule_ids::UserId;

use super::limit::Limited;
use super::passwords::Lane;
use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::audit::AuditEvent;
use crate::caller::Actor;

/// Where a login, or an attempt at one, comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoginOrigin<'a> {
    /// The client's address, as a key of rate limits. Empty: not known.
    pub address: &'a str,
    /// What the client says of itself.
    pub user_agent: &'a str,
    /// A token of an earlier login, which may have ended.
    pub earlier_token: Option<&'a str>,
}

/// An attempt at the password of an account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    /// The e-mail address, whether an account has it or not.
    pub(super) account: &'a str,
    /// An address, or the id of an earlier login.
    pub(super) origin: &'a str,
    pub(super) address: &'a str,
    /// The account was logged in to from this origin before.
    pub(super) is_known: bool,
}

impl<'a> Attempt<'a> {
    /// An attempt by a person who is logged in.
    pub(super) const fn by_login(account: &'a str, session: &'a str) -> Self {
        Self {
            account,
            origin: session,
            address: "",
            is_known: true,
        }
    }
}

impl Accounts {
    /// Whether a password matches a hash. Refuses the attempt above the limits.
    pub(super) async fn attempt(
        &self,
        attempt: Attempt<'_>,
        hash: Option<&str>,
        password: &str,
    ) -> Result<bool, AccountError> {
        let Attempt {
            account, address, ..
        } = attempt;
        let mut places = vec![(
            Limited::LoginByAccountAndOrigin,
            format!("{account} {}", attempt.origin),
        )];
        if !attempt.is_known {
            places.push((Limited::LoginByAddress, address.to_owned()));
        }
        // Counted before the verification, so that attempts at the same time do not exceed the limit, and given back after it.
        let mut taken = Vec::new();
        for (limited, key) in places {
            if let Err(refused) = self.limit(limited, &key) {
                self.give_all_back(taken);
                return Err(refused);
            }
            taken.push((limited, key));
        }
        let lane = if attempt.is_known {
            Lane::Known
        } else if self.is_below(Limited::LoginByAccount, account) {
            Lane::Open
        } else {
            Lane::Crowded
        };
        let verified = self.inner.passwords.verify(lane, hash, password).await;
        if !matches!(verified, Ok(false)) {
            self.give_all_back(taken);
        } else if let Err(error) = self.limit(Limited::LoginByAccount, account) {
            tracing::debug!(%error, "an account has more failed logins than are counted");
        }
        Ok(verified?)
    }

    fn give_all_back(&self, taken: Vec<(Limited, String)>) {
        for (limited, key) in taken {
            self.give_back(limited, &key);
        }
    }

    /// Writes a failed login into the audit log of the platform, whether the account exists or not, so that neither the answer nor its
    /// time tells. Of many failures few are written: attackers do not choose how large the log gets.
    pub(super) async fn record_failure(
        &self,
        attempt: &Attempt<'_>,
        user: Option<UserId>,
    ) -> Result<(), AccountError> {
        let key = format!("{} {}", attempt.account, attempt.origin);
        let counted = self
            .limit(Limited::RecordByAccountAndOrigin, &key)
            .and_then(|()| self.limit(Limited::Record, ""));
        if counted.is_err() {
            return Ok(());
        }
        let mut conn = self.core.connection().await?;
        let event = AuditEvent::UserLoginFailed {
            user,
            address: attempt.address,
        };
        self.write_platform_audit(&mut conn, &Actor::System, &event)
            .await?;
        Ok(())
    }
}
