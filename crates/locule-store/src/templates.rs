//! Table `templates`.

use locule_ids::{TeamId, TemplateId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::statements;

statements! {
    FIND: (&str, Uuid, Uuid) => (Uuid, String, String) =
        "SELECT id, name, default_user FROM templates WHERE name = $1 AND team_id IN ($2, $3)
         ORDER BY team_id = $3 LIMIT 1";
}

/// The part of a template that a new sandbox is created from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub id: TemplateId,
    pub name: String,
    pub default_user: String,
}

/// A template by name: the team's own first, then the platform's (W-054).
pub async fn find(
    conn: &mut PgConnection,
    team: TeamId,
    name: &str,
) -> Result<Option<Template>, StoreError> {
    let values = (name, team.as_uuid(), TeamId::PLATFORM.as_uuid());
    let row = FIND.fetch_optional(conn, values).await?;
    Ok(row.map(|(id, name, default_user)| Template {
        id: TemplateId::from_uuid(id),
        name,
        default_user,
    }))
}
