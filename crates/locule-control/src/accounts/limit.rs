//! The rate limits of the operations that a client can call before it is authenticated, and of those that try
//! addresses of other people.

use crate::rate::Rate;

/// An operation whose calls are counted, and what they are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limited {
    LoginByAddress,
    LoginByAccount,
    SignUpByAddress,
    ResetByAddress,
    ResetByAccount,
    /// Invitations and searches together: each of them tries addresses.
    AddressesByPerson,
    /// E-mails to one address, by the person who invites.
    InvitationsByAddress,
}

/// The rate of each limited operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    pub login_by_address: Rate,
    pub login_by_account: Rate,
    pub sign_up_by_address: Rate,
    pub reset_by_address: Rate,
    pub reset_by_account: Rate,
    pub addresses_by_person: Rate,
    pub invitations_by_address: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        let rate = |count, minutes| Rate {
            count,
            per: std::time::Duration::from_mins(minutes),
        };
        Self {
            login_by_address: rate(100, 5),
            login_by_account: rate(20, 5),
            sign_up_by_address: rate(100, 60),
            reset_by_address: rate(50, 60),
            reset_by_account: rate(5, 60),
            addresses_by_person: rate(60, 1),
            invitations_by_address: rate(5, 60),
        }
    }
}

impl Rates {
    pub(super) const fn of(&self, limited: Limited) -> Rate {
        match limited {
            Limited::LoginByAddress => self.login_by_address,
            Limited::LoginByAccount => self.login_by_account,
            Limited::SignUpByAddress => self.sign_up_by_address,
            Limited::ResetByAddress => self.reset_by_address,
            Limited::ResetByAccount => self.reset_by_account,
            Limited::AddressesByPerson => self.addresses_by_person,
            Limited::InvitationsByAddress => self.invitations_by_address,
        }
    }
}
