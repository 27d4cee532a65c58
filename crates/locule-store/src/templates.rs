//! Table `templates`.

use locule_ids::{TeamId, TemplateId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;

/// What a sandbox is made from.
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
    let row: Option<(Uuid, String, String)> = sqlx::query_as(
        "SELECT id, name, default_user FROM templates WHERE name = $1 AND team_id IN ($2, $3)
         ORDER BY team_id = $3 LIMIT 1",
    )
    .bind(name)
    .bind(team.as_uuid())
    .bind(TeamId::PLATFORM.as_uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(id, name, default_user)| Template {
        id: TemplateId::from_uuid(id),
        name,
        default_user,
    }))
}
