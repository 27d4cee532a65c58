//! Sign up: create an account, its first team, and a session.

use locule_domain::{Role, UserStatus, people};
use locule_ids::UserId;
use locule_store::PgConnection;
use locule_store::sessions::{self, Purpose};
use locule_store::users::{self, User};

use super::attempts::LoginOrigin;
use crate::accounts::Accounts;
use crate::accounts::admission::Admission;
use crate::accounts::authenticate::Session;
use crate::accounts::email_templates::{ACTIVATION_MINUTES, EmailTemplate};
use crate::accounts::error::AccountError;
use crate::audit::AuditEvent;
use crate::background::jobs::Task;
use crate::caller::Actor;
use crate::secrets::secret_hash;

/// The result of a sign-up.
#[derive(Debug, Clone)]
pub enum SignedUp {
    LoggedIn(Session),
    /// The account is inactive until the link in the e-mail is followed.
    MustActivate,
}

impl SignedUp {
    /// The session, if the account is active at once.
    pub fn session(self) -> Result<Session, AccountError> {
        match self {
            Self::LoggedIn(session) => Ok(session),
            Self::MustActivate => Err(AccountError::AccountNotActivated),
        }
    }
}

impl Accounts {
    pub async fn has_account(&self, email: &str) -> Result<bool, AccountError> {
        let mut conn = self.core.connection().await?;
        Ok(users::by_email(&mut conn, email).await?.is_some())
    }

    /// Creates an account, if the sign-up policy admits the address or the invitation. An invitation is accepted in the same
    /// transaction. With a mailer, the account stays inactive until its owner has proved to own the address; the token of an
    /// invitation that was sent to the address proves it.
    pub async fn sign_up(
        &self,
        email: &str,
        password: &str,
        name: &str,
        invitation: Option<&str>,
        from: LoginOrigin<'_>,
    ) -> Result<SignedUp, AccountError> {
        let (email, name) = (people::email(email)?, people::person_name(name)?);
        people::check_password(password)?;
        let mut conn = self.core.connection().await?;
        self.admit(&mut conn, &email, invitation).await?;
        // Hashing is slow: other requests need the connection meanwhile.
        drop(conn);
        let hash = self.inner.passwords.hash(password).await?;
        let mut tx = self.core.transaction().await?;
        let admission = self.admit(&mut tx, &email, invitation).await?;
        let mut user = User {
            id: UserId::random(),
            email,
            email_verified: admission.proves_address(),
            password_hash: Some(hash),
            name,
            is_admin: false,
            status: UserStatus::Inactive,
            created_at: self.core.now(),
        };
        self.free_address(&mut tx, &user.email).await?;
        if !users::insert(&mut tx, &user).await? {
            return Err(AccountError::EmailTaken);
        }
        if self.inner.config.mailer.is_some() && !user.email_verified {
            // An invitation stays open: the owner of the address accepts it after the activation.
            let task = Task::Email {
                to: user.id,
                template: EmailTemplate::Activation,
            };
            let job = self.inner.jobs.insert_job(&mut tx, task).await?;
            self.core.commit(tx).await?;
            self.inner.jobs.start(job);
            return Ok(SignedUp::MustActivate);
        }
        let session = self
            .activate_account(&mut tx, &mut user, &admission, from)
            .await?;
        if let Admission::Invited(invitation) = &admission {
            self.join(&mut tx, invitation, user.id).await?;
        }
        self.core.commit(tx).await?;
        Ok(SignedUp::LoggedIn(session))
    }

    /// Activates an account with the token of the activation e-mail, and sets its password. The password of the sign-up is no longer
    /// valid: the person who signed up has not proved to own the address, and may be another person than the reader of the e-mail.
    pub async fn activate(
        &self,
        token: &str,
        password: &str,
        from: LoginOrigin<'_>,
    ) -> Result<Session, AccountError> {
        people::check_password(password)?;
        let mut tx = self.core.transaction().await?;
        let hash = secret_hash(token);
        let now = self.core.now();
        let user = sessions::take_token(&mut tx, Purpose::Activation, &hash, now).await?;
        let mut user = user.ok_or(AccountError::InvalidToken)?;
        if user.status != UserStatus::Inactive {
            return Err(AccountError::AlreadyActivated);
        }
        let admission = self.admit_owner(&mut tx, &user.email).await?;
        user.password_hash = Some(self.inner.passwords.hash(password).await?);
        user.email_verified = true;
        let session = self
            .activate_account(&mut tx, &mut user, &admission, from)
            .await?;
        self.core.commit(tx).await?;
        Ok(session)
    }

    /// Frees an address whose account was not activated in time.
    async fn free_address(&self, conn: &mut PgConnection, email: &str) -> Result<(), AccountError> {
        let Some(seen) = users::by_email(conn, email).await? else {
            return Ok(());
        };
        if seen.status != UserStatus::Inactive {
            return Err(AccountError::EmailTaken);
        }
        if self.core.now() - seen.created_at < chrono::Duration::minutes(ACTIVATION_MINUTES) {
            return Err(AccountError::SignupCooldown);
        }
        Ok(users::delete_inactive(conn, seen.id).await?)
    }

    /// Activates an account: with its first team and a session. The first account that an installation ever has administers the
    /// platform; there is no other way to get an administrator.
    pub(super) async fn activate_account(
        &self,
        conn: &mut PgConnection,
        user: &mut User,
        admission: &Admission,
        from: LoginOrigin<'_>,
    ) -> Result<Session, AccountError> {
        user.is_admin = self.is_first(conn, admission).await?;
        user.status = UserStatus::Active;
        users::activate(conn, user, self.core.now()).await?;
        let event = AuditEvent::UserSignUp {
            user: user.id,
            email: &user.email,
        };
        self.write_platform_audit(conn, &Actor::user(user), &event)
            .await?;
        let team_name = format!("{}'s Team", user.name);
        self.insert_team(conn, &team_name, user.id, Role::Owner, true)
            .await?;
        self.open_session(conn, user, from).await
    }
}
