//! Authority: what a caller may do is decided in the transaction of the change, on rows that stay locked until the change commits.
//!
//! A request is authenticated when its head arrives; its body may come later. Each change therefore calls [`confirm`] (or [`role`]), which reads
//! the caller's key, or session, person and membership, again. Of a removal and a change that run at the same time, one waits for
//! the other: the change commits before the removal, or is refused as a new request of the same caller would be.
//!
//! Rows are locked in the order that [`locule_store`] states for every transaction. `confirm` locks the caller's rows; a transaction
//! that locks a team, or a user for a change, does so before.
//!
//! A removal of a member or a key, a create, a resume and a pause by a client also lock the team. A new timeout and a destroy do not:
//! changes of different sandboxes of a team do not wait for each other, and what is changed while the team is being deleted is
//! destroyed by the deletion's job.

use chrono::{DateTime, Utc};
use locule_domain::{Need, Role, UserStatus};
use locule_ids::{SessionId, TeamId};
use locule_store::{PgConnection, authority, sessions};

use crate::accounts::error::AccountError;
use crate::caller::{By, may};
use crate::error::CommonError;

/// What a change needs of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// To use the sandboxes of a team.
    Sandboxes(TeamId),
    /// A valid login: the change concerns the person's own account.
    Login,
    /// To administer the platform.
    Platform,
}

/// The right to create, change and end sandboxes.
const USE: Need = Need {
    sandboxes: true,
    looks: false,
};

/// Decides, in the transaction of a change, whether the caller may make the change. The rows of the decision are locked until the
/// transaction ends. A transaction that locks a team calls this after that lock.
pub(crate) async fn confirm(
    conn: &mut PgConnection,
    by: By,
    needed: Needed,
    now: DateTime<Utc>,
) -> Result<(), AccountError> {
    match (by, needed) {
        (By::System, _) => Ok(()),
        (By::Key(key), Needed::Sandboxes(team)) => {
            let scope = authority::hold_key(conn, key, team, now).await?;
            may(scope.ok_or(AccountError::Unauthorized)?, USE)
        }
        (By::Login { .. }, Needed::Sandboxes(team)) => {
            role(conn, by, team, Role::Member, now).await.map(drop)
        }
        (By::Login { user, session }, Needed::Login | Needed::Platform) => {
            let Some(is_admin) = authority::hold_login(conn, user, session, now).await? else {
                return Err(refusal(conn, session, now).await?);
            };
            if needed == Needed::Platform && !is_admin {
                return Err(AccountError::NOT_PLATFORM_ADMIN);
            }
            Ok(())
        }
        (By::Key(_), Needed::Login | Needed::Platform) => Err(AccountError::Unauthorized),
    }
}

/// As [`confirm`], for a change of a team's settings, members or keys: the person's role, which is `least` or a higher one and stays
/// what it is until the transaction ends.
pub(crate) async fn role(
    conn: &mut PgConnection,
    by: By,
    team: TeamId,
    least: Role,
    now: DateTime<Utc>,
) -> Result<Role, AccountError> {
    let By::Login { user, session } = by else {
        return Err(AccountError::Unauthorized);
    };
    match authority::hold_membership(conn, user, session, team, now).await? {
        Some(role) if role >= least => Ok(role),
        Some(_) => Err(AccountError::Forbidden {
            why: "your role in the team does not allow this",
        }),
        None => Err(refusal(conn, session, now).await?),
    }
}

/// The error with which a new request of a login is refused that has lost its right.
async fn refusal(
    conn: &mut PgConnection,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<AccountError, AccountError> {
    Ok(match sessions::get(conn, session, now).await? {
        None => AccountError::Unauthorized,
        Some(found) if found.user.status != UserStatus::Active => AccountError::AccountDeactivated,
        // The login is valid, so the person has left the team or the team is deleted.
        Some(_) => CommonError::NoTeam.into(),
    })
}
