//! The rate limits of the operations that a client can call before it is authenticated, of those that try addresses of other people,
//! and of what grows without end.

use crate::accounts::error::AccountError;
use crate::rate::Rate;

/// An operation whose calls are counted, and what they are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limited {
    /// Failed logins.
    LoginByAddress,
    /// Failed logins; above it attempts wait, and none is refused.
    LoginByAccount,
    /// Failed logins.
    LoginByAccountAndOrigin,
    /// Entries about failed logins in the audit log, by account and origin.
    RecordByAccountAndOrigin,
    /// Entries about failed logins in the audit log, of all accounts.
    Record,
    SignUpByAddress,
    ResetByAddress,
    ResetByAccount,
    /// Invitations and searches together: each of them tries addresses.
    AddressesByPerson,
    /// E-mails to one address, by the person who invites.
    InvitationsByAddress,
    CreateTeamByAccount,
    CreateKeyByAccount,
    /// Searches for the sandbox of a signed address that found none.
    SignatureByAddress,
    /// Registrations of host agents, and refreshes of their credentials.
    RegistrationByAddress,
}

/// What people may own at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeopleLimits {
    /// Teams that a person owns.
    pub teams_owned_max: u32,
    /// API keys of a team, also those that have expired.
    pub keys_per_team_max: u32,
    /// Members of a team.
    pub members_per_team_max: u32,
}

impl Default for PeopleLimits {
    fn default() -> Self {
        Self {
            teams_owned_max: 20,
            keys_per_team_max: 100,
            members_per_team_max: 200,
        }
    }
}

/// Refuses one more of something that there are `count` of already.
pub(crate) fn check_limit(count: i64, max: u32, what: &'static str) -> Result<(), AccountError> {
    if count < i64::from(max) {
        return Ok(());
    }
    Err(AccountError::LimitReached { what, max })
}

/// The rate of each limited operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    pub login_by_address: Rate,
    pub login_by_account: Rate,
    pub login_by_account_and_origin: Rate,
    pub record_by_account_and_origin: Rate,
    pub record: Rate,
    pub sign_up_by_address: Rate,
    pub reset_by_address: Rate,
    pub reset_by_account: Rate,
    pub addresses_by_person: Rate,
    pub invitations_by_address: Rate,
    pub create_team_by_account: Rate,
    pub create_key_by_account: Rate,
    pub signature_by_address: Rate,
    pub registration_by_address: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        let rate = |count, minutes| Rate {
            count,
            per: std::time::Duration::from_mins(minutes),
        };
        Self {
            login_by_address: rate(100, 5),
            login_by_account: rate(50, 5),
            login_by_account_and_origin: rate(20, 5),
            record_by_account_and_origin: rate(1, 5),
            record: rate(60, 5),
            sign_up_by_address: rate(100, 60),
            reset_by_address: rate(50, 60),
            reset_by_account: rate(5, 60),
            addresses_by_person: rate(60, 1),
            invitations_by_address: rate(5, 60),
            create_team_by_account: rate(60, 60),
            create_key_by_account: rate(120, 60),
            signature_by_address: rate(60, 1),
            registration_by_address: rate(60, 1),
        }
    }
}

impl Rates {
    pub(super) const fn of(&self, limited: Limited) -> Rate {
        match limited {
            Limited::LoginByAddress => self.login_by_address,
            Limited::LoginByAccount => self.login_by_account,
            Limited::LoginByAccountAndOrigin => self.login_by_account_and_origin,
            Limited::RecordByAccountAndOrigin => self.record_by_account_and_origin,
            Limited::Record => self.record,
            Limited::SignUpByAddress => self.sign_up_by_address,
            Limited::ResetByAddress => self.reset_by_address,
            Limited::ResetByAccount => self.reset_by_account,
            Limited::AddressesByPerson => self.addresses_by_person,
            Limited::InvitationsByAddress => self.invitations_by_address,
            Limited::CreateTeamByAccount => self.create_team_by_account,
            Limited::CreateKeyByAccount => self.create_key_by_account,
            Limited::SignatureByAddress => self.signature_by_address,
            Limited::RegistrationByAddress => self.registration_by_address,
        }
    }
}
