//! The audit logs of a team and of the platform.

use axum::Json;
use axum::extract::{RawQuery, State};
use locule_api::{AuditEntry, AuditPage, schema};
use locule_control::{AuditEntries, AuditFilter};

use crate::caller::{Member, PlatformAdmin};
use crate::error::ApiError;
use crate::state::AppState;
use crate::times::seconds;

/// Values of one filter are alternatives.
#[derive(Debug, Default, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes for the OpenAPI document what `filter` reads"
)]
pub(crate) struct AuditQuery {
    /// The `next_before` of the previous page.
    #[param(value_type = Option<schema::PageToken>)]
    before: Option<String>,
    /// Number of entries per page: 50 when absent. A value above 200 counts as 200.
    #[param(minimum = 1)]
    limit: Option<i64>,
    /// Resource types to include. Repeat the parameter, or separate the values by commas.
    resource_type: Option<Vec<String>>,
    /// Actions to include. Repeat the parameter, or separate the values by commas.
    action: Option<Vec<String>>,
}

fn filter(query: Option<&str>) -> Result<AuditFilter, ApiError> {
    let mut filter = AuditFilter::default();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let several = || value.split(',').filter(|item| !item.is_empty());
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
    for values in [&mut filter.resource_types, &mut filter.actions] {
        values.sort_unstable();
        values.dedup();
    }
    let values = filter.resource_types.iter().chain(&filter.actions);
    if values.into_iter().any(|value| value.contains('\0')) {
        return Err(ApiError::invalid("the filter must not contain a zero byte"));
    }
    Ok(filter)
}

fn page_view(page: AuditEntries) -> AuditPage {
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

/// List audit log entries
///
/// Returns the team's entries, newest first. Members see entries with the scope `team`, the owner and admins all entries.
#[utoipa::path(get, path = "/v1/audit-logs", tag = "audit", security(("token" = [])), params(AuditQuery),
    responses((status = 200, body = AuditPage)))]
pub(crate) async fn list_audit_logs(
    State(app): State<AppState>,
    Member(person): Member,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditPage>, ApiError> {
    let filter = filter(query.as_deref())?;
    Ok(Json(page_view(
        app.accounts.list_audit_log(&person, filter).await?,
    )))
}

/// List audit log entries of the platform
#[utoipa::path(get, path = "/v1/admin/audit-logs", tag = "admin", security(("token" = [])), params(AuditQuery),
    responses((status = 200, body = AuditPage)))]
pub(crate) async fn list_platform_audit_logs(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditPage>, ApiError> {
    let filter = filter(query.as_deref())?;
    let page = app.accounts.list_platform_audit_log(&admin, filter).await?;
    Ok(Json(page_view(page)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_values_are_repeated_or_separated_by_commas() {
        let read = filter(Some("action=a,b&action=b&resource_type=c%2Cd&limit=7&x=1")).unwrap();
        assert_eq!(read.actions, ["a", "b"]);
        assert_eq!(read.resource_types, ["c", "d"]);
        assert_eq!((read.limit, read.before), (Some(7), None));
        for wrong in ["limit=x", "limit=", "action=%00"] {
            filter(Some(wrong)).unwrap_err();
        }
    }
}
