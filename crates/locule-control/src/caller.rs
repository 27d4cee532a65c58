//! The caller of a request, its team and its rights: always as the database has them at this moment, never as a token says (B-155).

use chrono::{DateTime, Utc};
use locule_domain::{Need, Role, Scope};
use locule_ids::{ApiKeyId, SessionId, TeamId, UserId};
use locule_store::sandboxes::Creator;
use locule_store::users::User;

use crate::accounts::error::AccountError;
use crate::error::CommonError;

/// The actor of an entry in the audit log.
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

impl Actor {
    pub(crate) fn user(user: &User) -> Self {
        Self::User {
            id: user.id,
            name: user.name.clone(),
        }
    }
}

/// The credential that a change is made with, which the transaction of the change confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Key(ApiKeyId),
    Login {
        user: UserId,
        session: SessionId,
    },
    /// The platform itself, which needs no right: a sweep, a job, a visitor's request that wakes a sandbox.
    System,
}

/// A person's role in a team that is not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    pub team: TeamId,
    pub role: Role,
}

/// A person with a valid session.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// Whether the person administers the platform.
    pub is_admin: bool,
    pub(crate) session: SessionId,
    /// The moment of the login.
    pub(crate) session_began: DateTime<Utc>,
    /// The end of the token, which is the end of the login unless the login was renewed after the token was issued.
    pub(crate) token_ends: DateTime<Utc>,
    /// In the team that the token is for. `None` if the token is for no team, or the team is deleted, or the person has left it.
    pub team: Option<Membership>,
}

impl Person {
    pub(crate) fn actor(&self) -> Actor {
        Actor::User {
            id: self.id,
            name: self.name.clone(),
        }
    }

    pub(crate) const fn by(&self) -> By {
        By::Login {
            user: self.id,
            session: self.session,
        }
    }

    /// The person's role in the token's team.
    pub fn membership(&self) -> Result<Membership, CommonError> {
        self.team.ok_or(CommonError::NoTeam)
    }

    pub fn platform_admin(&self) -> Result<(), AccountError> {
        if self.is_admin {
            return Ok(());
        }
        Err(AccountError::NOT_PLATFORM_ADMIN)
    }
}

/// A person or API key that acts for a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub team: TeamId,
    pub actor: Actor,
    pub scope: Scope,
    pub(crate) by: By,
}

impl Caller {
    /// The platform itself, which acts on a sandbox of a team.
    pub(crate) const fn system(team: TeamId) -> Self {
        Self {
            team,
            actor: Actor::System,
            scope: Scope::Full,
            by: By::System,
        }
    }

    /// The user or key that a new sandbox of this caller belongs to.
    pub(crate) const fn creator(&self) -> Creator {
        let (user, key) = match self.by {
            By::Key(key) => (None, Some(key)),
            By::Login { user, .. } => (Some(user), None),
            By::System => (None, None),
        };
        Creator { user, key }
    }

    pub fn may(&self, need: Need) -> Result<(), AccountError> {
        may(self.scope, need)
    }
}

/// Whether a scope allows what an operation needs.
pub(crate) fn may(scope: Scope, need: Need) -> Result<(), AccountError> {
    if scope.allows(need) {
        return Ok(());
    }
    Err(AccountError::Forbidden {
        why: match scope {
            Scope::Read => "this API key is read-only",
            Scope::Full | Scope::Sandbox => "this API key may only use sandboxes",
        },
    })
}

/// The owner of a valid credential.
#[derive(Debug, Clone)]
pub enum Identity {
    Person(Person),
    Key(Caller),
}

impl Identity {
    /// The person. An API key has no account.
    pub fn person(self) -> Result<Person, AccountError> {
        match self {
            Self::Person(person) => Ok(person),
            Self::Key(_) => Err(AccountError::Unauthorized),
        }
    }

    /// The caller for the key's team, or for the team of the person's token.
    pub fn caller(self) -> Result<Caller, AccountError> {
        match self {
            Self::Key(caller) => Ok(caller),
            Self::Person(person) => Ok(Caller {
                team: person.membership()?.team,
                actor: person.actor(),
                scope: Scope::Full,
                by: person.by(),
            }),
        }
    }
}
