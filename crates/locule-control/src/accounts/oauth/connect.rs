//! Connect a provider to one's account, and disconnect it.

use locule_domain::UserStatus;
use locule_domain::oauth::Intent;
use locule_ids::{SessionId, TeamId, UserId};
use locule_store::{oauth_providers, sessions, users};

use super::state::State;
use super::{OauthOutcome, OauthRefusal, OauthStart, row};
use crate::accounts::Accounts;
use crate::accounts::email_templates::EmailTemplate;
use crate::accounts::error::AccountError;
use crate::accounts::github::{GITHUB, Github, OauthProfile};
use crate::audit::{self, AuditEvent};
use crate::authority::Needed;
use crate::background::jobs::Task;
use crate::caller::{Actor, Person};
use crate::error::CommonError;

impl Accounts {
    /// Begins to connect a provider to the person's account.
    pub fn begin_connect(&self, github: &Github, person: &Person) -> OauthStart {
        let states = self.states();
        let new = states.begin(Intent::Connect, self.core.now(), rand::random());
        let cookie = states.connect_cookie(&new.nonce, person.id, person.session);
        OauthStart {
            url: github.authorize_url(&new.nonce, &new.challenge),
            state_cookie: new.cookie,
            connect_cookie: Some(cookie),
        }
    }

    /// The account and session that began to connect, read from the connect cookie.
    pub(super) fn connecting_account(
        &self,
        state: &State,
        cookie: Option<&str>,
    ) -> Result<(UserId, SessionId), OauthRefusal> {
        let read = cookie.and_then(|cookie| self.states().read_connect(cookie, &state.nonce));
        read.ok_or(OauthRefusal::InvalidState)
    }

    /// Connects a profile to an account. The session that began must still be valid: after a logout nothing is connected.
    pub(super) async fn connect(
        &self,
        user: UserId,
        session: SessionId,
        profile: &OauthProfile,
    ) -> Result<OauthOutcome, OauthRefusal> {
        let (mut tx, now) = (self.core.transaction().await?, self.core.now());
        let user = users::lock(&mut tx, user).await?;
        let login = sessions::get(&mut tx, session, now).await?;
        let user = user
            .filter(|user| login.is_some_and(|login| login.user.id == user.id))
            .ok_or(OauthRefusal::InvalidState)?;
        if user.status != UserStatus::Active {
            return Err(OauthRefusal::AccountDeactivated);
        }
        if oauth_providers::owner(&mut tx, row(profile)).await? == Some(user.id) {
            return Ok(OauthOutcome::Connected);
        }
        let email = profile.email.as_deref().unwrap_or_default();
        if !oauth_providers::insert(&mut tx, row(profile), user.id, email, now).await? {
            return Err(OauthRefusal::AlreadyLinked);
        }
        let actor = Actor::User {
            id: user.id,
            name: user.name,
        };
        let event = AuditEvent::UserConnect {
            user: user.id,
            provider: GITHUB,
        };
        audit::write(&mut tx, &actor, TeamId::PLATFORM, &event, now).await?;
        let task = Task::Email {
            to: user.id,
            template: EmailTemplate::ProviderConnected,
        };
        let job = self.inner.jobs.insert_job(&mut tx, task).await?;
        self.core.commit(tx).await?;
        self.inner.jobs.start(job);
        Ok(OauthOutcome::Connected)
    }

    /// Refuses to remove the last sign-in method of an account.
    pub async fn disconnect(&self, person: &Person, provider: &str) -> Result<(), AccountError> {
        let mut tx = self.core.transaction().await?;
        let user = users::lock(&mut tx, person.id).await?;
        let user = user.ok_or(AccountError::Unauthorized)?;
        self.confirm(&mut tx, person, Needed::Login).await?;
        let connected = oauth_providers::of_user(&mut tx, user.id).await?;
        if !connected.iter().any(|connected| connected == provider) {
            return Err(CommonError::NotFound { what: "provider" }.into());
        }
        if user.password_hash.is_none() && connected.len() == 1 {
            return Err(AccountError::LastLoginMethod);
        }
        oauth_providers::remove(&mut tx, user.id, provider).await?;
        let event = AuditEvent::UserDisconnect {
            user: user.id,
            provider,
        };
        let (actor, now) = (person.actor(), self.core.now());
        audit::write(&mut tx, &actor, TeamId::PLATFORM, &event, now).await?;
        Ok(self.core.commit(tx).await?)
    }
}
