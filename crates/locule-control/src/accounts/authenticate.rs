//! Authenticate a credential, and open sessions.

use chrono::{DateTime, SubsecRound as _, Utc};
use locule_domain::UserStatus;
use locule_ids::{SessionId, TeamId, UserId};
use locule_store::users::User;
use locule_store::{PgConnection, api_keys, members, sessions};

use crate::accounts::Accounts;
use crate::accounts::attempts::LoginOrigin;
use crate::accounts::error::AccountError;
use crate::caller::{Actor, By, Caller, Identity, Membership, Person};
use crate::secrets::{contains_api_key, is_api_key, secret_hash, starts_like_api_key};
use crate::tokens::{self, Claims, SESSION_HOURS};
use crate::turns::Asker;

const CLIENT_LETTERS_MAX: usize = 200;

/// The credential of a request.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    Key(&'a str),
    Token(&'a str),
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key",
            Self::Token(_) => "Token",
        })
    }
}

impl<'a> Credential<'a> {
    /// The text after `Bearer`: a login token, or an API key, which no token can be mistaken for.
    pub fn bearer(text: &'a str) -> Self {
        if starts_like_api_key(text) {
            Self::Key(text)
        } else {
            Self::Token(text)
        }
    }
}

/// A login of a person, with the token that proves it.
#[derive(Clone)]
pub struct Session {
    pub token: String,
    pub user_id: UserId,
    pub team_id: Option<TeamId>,
    pub email: String,
    pub name: String,
    /// The end of the token.
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("user_id", &self.user_id)
            .field("team_id", &self.team_id)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// The person or API key that a credential belongs to, as the database says now.
    pub async fn authenticate(&self, credential: Credential<'_>) -> Result<Identity, AccountError> {
        match credential {
            Credential::Key(key) => self.key(key).await.map(Identity::Key),
            Credential::Token(token) => self.person(token).await.map(Identity::Person),
        }
    }

    async fn key(&self, key: &str) -> Result<Caller, AccountError> {
        if !is_api_key(key) {
            return Err(AccountError::Unauthorized);
        }
        let (now, hash) = (self.core.now(), secret_hash(key));
        let _turn = self.core.turn(Asker::Key(hash.clone())).await;
        let mut conn = self.core.connection().await?;
        let found = api_keys::by_hash(&mut conn, &hash, now).await?;
        let found = found.ok_or(AccountError::Unauthorized)?;
        self.inner.used_keys.note(found.id, now);
        Ok(Caller {
            team: found.team,
            actor: Actor::ApiKey {
                id: found.id,
                name: found.name,
            },
            scope: found.scope,
            by: By::Key(found.id),
        })
    }

    async fn person(&self, token: &str) -> Result<Person, AccountError> {
        let claims = self.claims(token)?;
        let _turn = self.core.turn(Asker::User(claims.sub)).await;
        let mut conn = self.core.connection().await?;
        let now = self.core.now();
        // An earlier token of a login that was renewed ends when it says.
        let token_ends = DateTime::from_timestamp(claims.exp, 0).filter(|ends| *ends > now);
        let token_ends = token_ends.ok_or(AccountError::Unauthorized)?;
        let found = sessions::get(&mut conn, claims.sid, now).await?;
        let found = found.filter(|found| found.user.id == claims.sub);
        let sessions::Found {
            user,
            began_at,
            expires_at,
        } = found.ok_or(AccountError::Unauthorized)?;
        if user.status != UserStatus::Active {
            return Err(AccountError::AccountDeactivated);
        }
        let team = match claims.team_id {
            None => None,
            Some(team) => {
                let role = members::role(&mut conn, team, user.id).await?;
                role.map(|role| Membership { team, role })
            }
        };
        self.inner.used_sessions.note(claims.sid, now);
        Ok(Person {
            id: user.id,
            email: user.email,
            name: user.name,
            is_admin: user.is_admin,
            session: claims.sid,
            session_began: began_at,
            token_ends: token_ends.min(expires_at),
            team,
        })
    }

    /// The claims of a token that this platform signed, expired or not.
    pub(super) fn signed(&self, token: &str) -> Option<Claims> {
        tokens::verify(&self.inner.config.jwt_secret, token)
    }

    fn claims(&self, token: &str) -> Result<Claims, AccountError> {
        // A host's token is not a person's.
        let claims = self.signed(token).filter(|claims| claims.typ.is_none());
        claims.ok_or(AccountError::Unauthorized)
    }

    /// Whether a word of a request for a sandbox's port is a credential of this platform: a token of a login or a host, or an API key, valid
    /// or not. A program in a sandbox must not receive either (W-037).
    pub fn is_credential(&self, word: &str) -> bool {
        contains_api_key(word) || tokens::is_signed(&self.inner.config.jwt_secret, word)
    }

    /// Opens a session of a person for the team that a login is for.
    pub(crate) async fn open_session(
        &self,
        conn: &mut PgConnection,
        user: &User,
        from: LoginOrigin<'_>,
    ) -> Result<Session, AccountError> {
        let team = members::login_team(conn, user.id).await?;
        let (id, now) = (SessionId::random(), self.core.now());
        let ends = now + chrono::Duration::hours(SESSION_HOURS);
        let origin = sessions::Origin {
            address: from.address,
            user_agent: &shown_client(from.user_agent),
        };
        sessions::insert(conn, id, user.id, now, ends, origin).await?;
        let person = Person {
            id: user.id,
            email: user.email.clone(),
            name: user.name.clone(),
            is_admin: user.is_admin,
            session: id,
            session_began: now,
            token_ends: ends,
            team: team.map(|(team, role)| Membership { team, role }),
        };
        self.session_of(&person)
    }

    /// Issues a token for an existing session.
    pub(crate) fn session_of(&self, person: &Person) -> Result<Session, AccountError> {
        let team_id = person.team.map(|membership| membership.team);
        let claims = Claims {
            sub: person.id,
            sid: person.session,
            team_id,
            role: person.team.map(|membership| membership.role.to_string()),
            email: person.email.clone(),
            name: person.name.clone(),
            is_admin: person.is_admin,
            typ: None,
            iat: self.core.now().timestamp(),
            exp: person.token_ends.timestamp(),
        };
        let token = tokens::sign(&self.inner.config.jwt_secret, &claims);
        let token = token.map_err(AccountError::internal)?;
        Ok(Session {
            token,
            user_id: person.id,
            team_id,
            email: person.email.clone(),
            name: person.name.clone(),
            expires_at: person.token_ends.trunc_subsecs(0),
        })
    }
}

/// What a client says of itself, as people are shown it: printable ASCII, and not long.
fn shown_client(user_agent: &str) -> String {
    let printable = |letter: &char| (' '..='~').contains(letter);
    user_agent
        .chars()
        .filter(printable)
        .take(CLIENT_LETTERS_MAX)
        .collect()
}
