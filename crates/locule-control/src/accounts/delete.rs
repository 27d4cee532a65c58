//! Delete one's own account, and the teams in which the person is the only member.

use locule_domain::{Role, UserStatus};
use locule_ids::TeamId;
use locule_store::{api_keys, members, oauth_providers, sessions, teams, users};

use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::audit::{self, AuditEvent, MemberAuditEvent};
use crate::background::jobs::Job;
use crate::caller::Person;
use crate::error::CommonError;

impl Accounts {
    /// Sessions, API keys and sign-in methods end at once; the retention job deletes the row later.
    pub async fn delete_me(&self, person: &Person, confirmation: &str) -> Result<(), AccountError> {
        if !confirmation.trim().eq_ignore_ascii_case(&person.email) {
            let why = "confirmation must be your e-mail address".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        let (actor, now) = (person.actor(), self.core.now());
        let mut tx = self.core.transaction().await?;
        let mut of: Vec<(TeamId, Role)> = teams::of_user(&mut tx, person.id)
            .await?
            .into_iter()
            .map(|(team, role)| (team.id, role))
            .collect();
        // Locks are always taken in this order, teams before people, so that no deadlock is possible.
        of.sort_unstable_by_key(|(team, _)| *team);
        let mut jobs: Vec<Job> = Vec::new();
        for (team, _) in &of {
            let Some(locked) = teams::lock(&mut tx, *team).await? else {
                continue;
            };
            match members::role(&mut tx, *team, person.id).await? {
                Some(Role::Owner) if members::list(&mut tx, *team).await?.len() > 1 => {
                    return Err(AccountError::OwnsTeamWithMembers);
                }
                Some(Role::Owner) => {
                    jobs.push(
                        self.delete_locked(&mut tx, &locked, &actor, locked.id)
                            .await?,
                    );
                }
                Some(Role::Admin | Role::Member) => {
                    members::remove(&mut tx, *team, person.id).await?;
                    let event = AuditEvent::Member(person.id, MemberAuditEvent::Leave);
                    audit::write(&mut tx, &actor, *team, &event, now).await?;
                }
                None => {}
            }
        }
        let user = users::lock(&mut tx, person.id)
            .await?
            .ok_or(AccountError::Unauthorized)?;
        self.keep_an_administrator(&mut tx, &user).await?;
        if !teams::of_user(&mut tx, person.id).await?.is_empty() {
            let why = "the account was added to a team a moment ago; try again".to_owned();
            return Err(CommonError::Conflict { why }.into());
        }
        api_keys::delete_made_by(&mut tx, person.id).await?;
        oauth_providers::remove_all(&mut tx, person.id).await?;
        sessions::revoke_all(&mut tx, person.id, now).await?;
        users::set_status(&mut tx, person.id, UserStatus::Deleted, now).await?;
        self.core.commit(tx).await?;
        self.inner.jobs.run_now(jobs).await;
        Ok(())
    }
}
