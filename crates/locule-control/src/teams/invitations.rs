//! Invitations to a team: invite, accept, revoke. An invitation grants nothing until a person accepts it with its token, from an
//! account with the invited address (ADR 0026).

use std::collections::{BTreeMap, BTreeSet};

use locule_domain::{Role, UserStatus, people};
use locule_ids::{TeamId, UserId};
use locule_store::users::User;
use locule_store::{PgConnection, invitations, members, teams, users};

use super::{Invitation, Team};
use crate::accounts::Accounts;
use crate::accounts::email_templates::{INVITATION_DAYS, invitation_link};
use crate::accounts::error::AccountError;
use crate::accounts::limit::{Limited, check_limit};
use crate::audit::{self, AuditEvent, MemberAuditEvent};
use crate::authority::Needed;
use crate::background::jobs::Task;
use crate::caller::{Actor, Person};
use crate::error::CommonError;
use crate::secrets::{new_email_token, secret_hash};

/// Open invitations of one team.
const OPEN_MAX: i64 = 200;

/// An invitation that was just made.
#[derive(Clone)]
pub struct Invited {
    pub invitation: Invitation,
    /// The link to accept it, for the inviter to pass on. `None` with a mailer, which sends the link to the address.
    pub link: Option<String>,
}

impl std::fmt::Debug for Invited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invited")
            .field("invitation", &self.invitation)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// Invites a person with the role `member`. Never looks for an account with the address, so that neither the result nor its time
    /// shows whether there is one.
    pub async fn invite(
        &self,
        person: &Person,
        team: TeamId,
        email: &str,
    ) -> Result<Invited, AccountError> {
        let email = people::email(email)?;
        self.limit(Limited::AddressesByPerson, &person.id.to_string())?;
        let by_mail = self.inner.config.mailer.is_some();
        if by_mail {
            let key = format!("{} {email}", person.id);
            self.limit(Limited::InvitationsByAddress, &key)?;
        }
        let mut tx = self.core.transaction().await?;
        self.team_to_change(&mut tx, person, team, Role::Admin)
            .await?;
        if members::has(&mut tx, team, &email).await? {
            let why = "this person is a member already".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        let now = self.core.now();
        if invitations::count(&mut tx, team, now).await? >= OPEN_MAX {
            let why = format!("the team has {OPEN_MAX} open invitations; remove invitations first");
            return Err(CommonError::Conflict { why }.into());
        }
        let invitation = Invitation {
            id: UserId::random(),
            team,
            email,
            role: Role::Member,
            by_mail,
            invited_by: person.id,
            created_at: now,
        };
        // The job that sends the e-mail replaces the token, so that no token is stored in the job.
        let token = new_email_token();
        let ends = now + chrono::Duration::days(INVITATION_DAYS);
        invitations::insert(&mut tx, &invitation, &secret_hash(&token), ends).await?;
        let event = MemberAuditEvent::Invite {
            email: &invitation.email,
            role: invitation.role,
        };
        let event = AuditEvent::Member(invitation.id, event);
        audit::write(&mut tx, &person.actor(), team, &event, now).await?;
        let mut job = None;
        if by_mail {
            let task = Task::Invitation {
                invitation: invitation.id,
            };
            job = Some(self.inner.jobs.insert_job(&mut tx, task).await?);
        }
        self.core.commit(tx).await?;
        let link = job
            .is_none()
            .then(|| invitation_link(&self.inner.config.public_url, &token));
        if let Some(job) = job {
            self.inner.jobs.start(job);
        }
        Ok(Invited { invitation, link })
    }

    /// Revokes an open invitation. `false`: the team has no such invitation.
    pub(super) async fn revoke_invitation(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        team: TeamId,
        id: UserId,
    ) -> Result<bool, AccountError> {
        let now = self.core.now();
        let Some(email) = invitations::revoke(conn, team, id, now).await? else {
            return Ok(false);
        };
        let event = AuditEvent::Member(id, MemberAuditEvent::Uninvite { email: &email });
        audit::write(conn, &person.actor(), team, &event, now).await?;
        Ok(true)
    }

    /// Accepts an invitation for a person whose account has the invited address.
    pub async fn accept_invitation(
        &self,
        person: &Person,
        token: &str,
    ) -> Result<(Team, Role), AccountError> {
        let now = self.core.now();
        let mut tx = self.core.transaction().await?;
        let found = invitations::by_token(&mut tx, &secret_hash(token), now).await?;
        let invitation = found.ok_or(AccountError::InvalidToken)?;
        if invitation.email != person.email {
            return Err(AccountError::Forbidden {
                why: "the invitation is for another e-mail address",
            });
        }
        let joined = self.join(&mut tx, &invitation, person.id).await?;
        self.confirm(&mut tx, person, Needed::Login).await?;
        self.core.commit(tx).await?;
        Ok(joined)
    }

    /// Makes a user with the invited address a member. The token was shown; a token that was sent by e-mail also proves the address.
    pub(crate) async fn join(
        &self,
        conn: &mut PgConnection,
        invitation: &Invitation,
        user: UserId,
    ) -> Result<(Team, Role), AccountError> {
        let (team, now) = (invitation.team, self.core.now());
        let locked = teams::lock(conn, team).await?;
        let locked = locked.ok_or(AccountError::InvalidToken)?;
        let mut active = lock_both(conn, invitation, user).await?;
        // Under the lock of the team: the inviter may have lost the right to invite.
        let role = members::role(conn, team, invitation.invited_by).await?;
        let inviter_left = !active.contains_key(&invitation.invited_by);
        if inviter_left || role.is_none_or(|role| role < Role::Admin) {
            return Err(AccountError::InvalidToken);
        }
        let user = active.remove(&user).ok_or(AccountError::Unauthorized)?;
        if !invitations::accept(conn, invitation.id, now).await? {
            return Err(AccountError::InvalidToken);
        }
        if invitation.by_mail {
            users::set_verified(conn, user.id, now).await?;
        }
        let max = self.inner.config.limits.members_per_team_max;
        let count = members::count(conn, team).await?;
        check_limit(count, max, "members of a team")?;
        let role = invitation.role;
        if members::insert(conn, team, user.id, role, false, now).await? {
            let event = MemberAuditEvent::Add {
                email: &user.email,
                role,
            };
            let event = AuditEvent::Member(user.id, event);
            let actor = Actor::User {
                id: user.id,
                name: user.name,
            };
            audit::write(conn, &actor, team, &event, now).await?;
        }
        Ok((locked, role))
    }
}

/// The inviter and the invited person, as far as they are active, which they stay until the transaction ends. They are locked in the
/// order of their ids: an administrator who disables the person may be the inviter, and two people may accept invitations of
/// each other.
async fn lock_both(
    conn: &mut PgConnection,
    invitation: &Invitation,
    user: UserId,
) -> Result<BTreeMap<UserId, User>, AccountError> {
    let mut active = BTreeMap::new();
    for id in BTreeSet::from([invitation.invited_by, user]) {
        // The token of an e-mail proves the address, which is written into the row.
        let row = if id == user && invitation.by_mail {
            users::lock(conn, id).await?
        } else {
            users::share(conn, id).await?
        };
        let row = row.filter(|user| user.status == UserStatus::Active);
        active.extend(row.map(|user| (id, user)));
    }
    Ok(active)
}
