//! Who asks, for which team, and how much they may: as the database has it at this moment, never as a token says (B-155).

use locule_domain::{Need, Role, Scope};
use locule_ids::{ApiKeyId, SessionId, TeamId, UserId};

use crate::accounts::error::AccountError;
use crate::error::CommonError;

/// Recorded in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    User {
        id: UserId,
        name: String,
    },
    ApiKey {
        id: ApiKeyId,
        name: String,
    },
    /// The platform itself: idle pause, expiry, reconciliation.
    System,
}

/// What somebody is in a team that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    pub team: TeamId,
    pub role: Role,
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// Of the whole platform.
    pub is_admin: bool,
    pub(crate) session: SessionId,
    pub(crate) session_ends: chrono::DateTime<chrono::Utc>,
    /// In the team that the token is for. `None`: it is for none, or for one that is deleted or that the person is not in
    /// any more.
    pub team: Option<Membership>,
}

impl Person {
    pub(crate) fn actor(&self) -> Actor {
        Actor::User {
            id: self.id,
            name: self.name.clone(),
        }
    }

    /// What the person is in the token's team.
    pub fn membership(&self) -> Result<Membership, CommonError> {
        self.team.ok_or(CommonError::NoTeam)
    }

    pub fn platform_admin(&self) -> Result<(), AccountError> {
        if self.is_admin {
            return Ok(());
        }
        Err(AccountError::Forbidden {
            why: "only platform administrators may do this",
        })
    }
}

/// Whoever acts for a team, person or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub team: TeamId,
    pub actor: Actor,
    pub scope: Scope,
}

impl Caller {
    pub fn may(&self, need: Need) -> Result<(), AccountError> {
        if self.scope.allows(need) {
            return Ok(());
        }
        Err(AccountError::Forbidden {
            why: match self.scope {
                Scope::Read => "this key may only look",
                Scope::Full | Scope::Sandbox => "this key may only use sandboxes",
            },
        })
    }
}

/// Whoever showed a credential that is good.
#[derive(Debug, Clone)]
pub enum Identity {
    Person(Person),
    Key(Caller),
}

impl Identity {
    /// Who is logged in. A key has no account.
    pub fn person(self) -> Result<Person, AccountError> {
        match self {
            Self::Person(person) => Ok(person),
            Self::Key(_) => Err(AccountError::Unauthorized),
        }
    }

    /// Acting for a team: a key's own, or the one of a person's token.
    pub fn caller(self) -> Result<Caller, AccountError> {
        match self {
            Self::Key(caller) => Ok(caller),
            Self::Person(person) => Ok(Caller {
                team: person.membership()?.team,
                actor: person.actor(),
                scope: Scope::Full,
            }),
        }
    }
}
