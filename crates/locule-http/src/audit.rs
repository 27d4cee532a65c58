//! The audit trail, of a team and of the platform.

use axum::Json;
use axum::extract::{RawQuery, State};
use locule_api::{AuditEntry, AuditPage, schema};
use locule_control::{TrailFilter, TrailPage};

use crate::caller::{Member, PlatformAdmin};
use crate::error::ApiError;
use crate::state::AppState;
use crate::views::seconds;

/// Values of one filter are alternatives: repeat the parameter, or separate them by commas.
#[derive(Debug, Default, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the document's description of what `filter` reads"
)]
pub(crate) struct AuditQuery {
    /// `next_before` of the page before.
    #[param(value_type = Option<schema::PageToken>)]
    before: Option<String>,
    /// 50 unless given; more than 200 are 200.
    #[param(minimum = 1)]
    limit: Option<i64>,
    resource_type: Option<Vec<String>>,
    action: Option<Vec<String>>,
}

fn filter(query: Option<&str>) -> Result<TrailFilter, ApiError> {
    let mut filter = TrailFilter::default();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let several = || value.split(',').filter(|one| !one.is_empty());
        match name.as_ref() {
            "before" => filter.before = Some(value.into_owned()).filter(|token| !token.is_empty()),
            "limit" => {
                let limit = value.parse();
                let wrong = |_| ApiError::invalid("limit must be a number");
                filter.limit = Some(limit.map_err(wrong)?);
            }
            "resource_type" => filter.resource_types.extend(several().map(str::to_owned)),
            "action" => filter.actions.extend(several().map(str::to_owned)),
            _ => {}
        }
    }
    for words in [&mut filter.resource_types, &mut filter.actions] {
        words.sort_unstable();
        words.dedup();
    }
    let words = filter.resource_types.iter().chain(&filter.actions);
    if words.into_iter().any(|word| word.contains('\0')) {
        return Err(ApiError::invalid("a filter holds a zero byte"));
    }
    Ok(filter)
}

fn page_view(page: TrailPage) -> AuditPage {
    let view = |entry: locule_control::AuditEntry| AuditEntry {
        id: entry.id,
        actor_type: entry.actor_type,
        actor_id: entry.actor_id,
        actor_name: Some(entry.actor_name).filter(|name| !name.is_empty()),
        resource_type: entry.resource_type,
        resource_id: entry.resource_id,
        action: entry.action,
        scope: entry.scope,
        status: entry.status,
        metadata: match entry.metadata {
            serde_json::Value::Object(fields) => fields,
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_)
            | serde_json::Value::Array(_) => serde_json::Map::new(),
        },
        created_at: seconds(entry.created_at),
    };
    AuditPage {
        items: page.entries.into_iter().map(view).collect(),
        next_before: page.next,
    }
}

/// Read the team's audit trail, newest first. Members see what is about its work, the owner and admins all.
#[utoipa::path(get, path = "/v1/audit-logs", tag = "audit", security(("token" = [])), params(AuditQuery),
    responses((status = 200, body = AuditPage)))]
pub(crate) async fn list_audit_logs(
    State(app): State<AppState>,
    Member(person): Member,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditPage>, ApiError> {
    let filter = filter(query.as_deref())?;
    Ok(Json(page_view(
        app.accounts.list_trail(&person, filter).await?,
    )))
}

/// Read the platform's own audit trail.
#[utoipa::path(get, path = "/v1/admin/audit-logs", tag = "admin", security(("token" = [])), params(AuditQuery),
    responses((status = 200, body = AuditPage)))]
pub(crate) async fn list_platform_audit_logs(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditPage>, ApiError> {
    let filter = filter(query.as_deref())?;
    let page = app.accounts.list_platform_trail(&admin, filter).await?;
    Ok(Json(page_view(page)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_repeat_or_are_separated_by_commas() {
        let read = filter(Some("action=a,b&action=b&resource_type=c%2Cd&limit=7&x=1")).unwrap();
        assert_eq!(read.actions, ["a", "b"]);
        assert_eq!(read.resource_types, ["c", "d"]);
        assert_eq!((read.limit, read.before), (Some(7), None));
        for wrong in ["limit=x", "limit=", "action=%00"] {
            filter(Some(wrong)).unwrap_err();
        }
    }
}
