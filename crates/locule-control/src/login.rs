//! Logging in, and what a login token is worth: every time as much as the database says, never as much as it says itself
//! (B-155).

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use chrono::Duration;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use locule_ids::{SandboxId, SessionId, TeamId, UserId};
use locule_store::identity;
use serde::{Deserialize, Serialize};

use crate::caller::{Actor, Caller, Scope, holds_key};
use crate::control::Control;
use crate::error::ControlError;

const SESSION_HOURS: i64 = 6;
/// Longer ones are refused before they are hashed.
const PASSWORD_BYTES_MAX: usize = 1024;

#[derive(Debug, Clone)]
pub struct Session {
    pub token: String,
    pub user_id: UserId,
    pub team_id: Option<TeamId>,
    pub email: String,
    pub name: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: UserId,
    sid: SessionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team_id: Option<TeamId>,
    /// Hints for a user interface; no decision reads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    email: String,
    name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_admin: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    iat: i64,
    exp: i64,
}

/// A hash that no password has: an unknown e-mail address costs as much time as a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aMlYKO8EdGpJhhaG0rcRB0o5wXGnBPGgHTNbTIKnp9M";

impl Control {
    pub async fn login(&self, email: &str, password: &str) -> Result<Session, ControlError> {
        if password.len() > PASSWORD_BYTES_MAX || email.len() > 320 {
            return Err(ControlError::Invalid(
                "the e-mail address or the password is too long".to_owned(),
            ));
        }
        let mut conn = self.connection().await?;
        let user = identity::user_by_email(&mut conn, email.trim()).await?;
        let hash = user
            .as_ref()
            .and_then(|user| user.password_hash.clone())
            .unwrap_or_else(|| NOBODY.to_owned());
        let right = verify(hash, password.to_owned()).await?;
        let user = user
            .filter(|user| right && user.status == "active")
            .ok_or(ControlError::Unauthorized)?;
        let team = identity::login_team(&mut conn, user.id).await?;
        let (session, now) = (SessionId::random(), self.now());
        let expires = now + Duration::hours(SESSION_HOURS);
        identity::insert_session(&mut conn, session, user.id, now, expires).await?;
        let (team_id, role) = team.map_or((None, None), |(team, role)| (Some(team), Some(role)));
        let claims = Claims {
            sub: user.id,
            sid: session,
            team_id,
            role,
            email: user.email.clone(),
            name: user.name.clone(),
            is_admin: user.is_admin,
            typ: None,
            iat: now.timestamp(),
            exp: expires.timestamp(),
        };
        let key = EncodingKey::from_secret(&self.0.config.jwt_secret);
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(ControlError::internal)?;
        Ok(Session {
            token,
            user_id: user.id,
            team_id,
            email: user.email,
            name: user.name,
        })
    }

    /// What a token says that we have signed, at whatever time.
    fn signed(&self, token: &str) -> Option<Claims> {
        let key = DecodingKey::from_secret(&self.0.config.jwt_secret);
        let mut validation = Validation::new(Algorithm::HS256);
        // The session's row says when it ends, by our own clock.
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode(token, &key, &validation).ok()?;
        Some(decoded.claims)
    }

    fn claims(&self, token: &str) -> Result<Claims, ControlError> {
        // A host's token is no user's (B-129).
        let claims = self.signed(token).filter(|claims| claims.typ.is_none());
        claims.ok_or(ControlError::Unauthorized)
    }

    /// Whether `word` is a credential of this platform, or of this one of its sandboxes. Also one that is not valid any more:
    /// what runs in a sandbox has no business with any (W-037).
    pub fn is_credential(&self, sandbox: SandboxId, word: &str) -> bool {
        holds_key(word)
            || self.signed(word).is_some()
            || word == self.access_token(sandbox)
            || word == self.traffic_token(sandbox)
    }

    /// Who a login token stands for, on a route that acts for a team.
    pub async fn authenticate_token(&self, token: &str) -> Result<Caller, ControlError> {
        let claims = self.claims(token)?;
        let mut conn = self.connection().await?;
        let session = identity::session(&mut conn, claims.sid, claims.team_id, self.now()).await?;
        let session = session
            .filter(|session| session.user.id == claims.sub)
            .ok_or(ControlError::Unauthorized)?;
        if session.user.status != "active" {
            return Err(ControlError::Forbidden {
                why: "this account is deactivated",
            });
        }
        let (Some(team), Some(_role)) = (claims.team_id, session.role) else {
            return Err(ControlError::NoTeam);
        };
        let actor = Actor::User {
            id: session.user.id,
            name: session.user.name,
        };
        Ok(Caller {
            team,
            actor,
            scope: Scope::Full,
        })
    }

    /// Ends the session of a token. One that has ended already is fine.
    pub async fn logout(&self, token: &str) -> Result<(), ControlError> {
        let claims = self.claims(token)?;
        let mut conn = self.connection().await?;
        Ok(identity::revoke_session(&mut conn, claims.sid, self.now()).await?)
    }
}

/// Slow on purpose: it runs beside the async workers.
async fn verify(hash: String, password: String) -> Result<bool, ControlError> {
    let work = move || {
        let parsed =
            PasswordHash::new(&hash).map_err(|error| ControlError::internal(error.to_string()))?;
        Ok(Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok())
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(ControlError::internal)?
}
