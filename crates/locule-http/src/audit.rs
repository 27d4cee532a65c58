//! The audit logs of a team and of the platform.

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use locule_api::{AuditEntry, AuditPage, schema};
use locule_control::{AuditEntries, AuditFilter};
use locule_ids::AuditId;

use crate::caller::{Member, PlatformAdmin};
use crate::error::ApiError;
use crate::extract::ApiPath;
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
    /// Ids of resources to include. Repeat the parameter, or separate the values by commas.
    resource_id: Option<Vec<String>>,
    /// Ids of the users and API keys to include as actors. Repeat the parameter, or separate the values by commas.
    actor_id: Option<Vec<String>>,
    /// The earliest time of an entry to include.
    from: Option<DateTime<Utc>>,
    /// The time before which an entry is included.
    to: Option<DateTime<Utc>>,
}

/// A time of the filter. A query that leaves `+` unescaped has a space in its place.
fn time(name: &str, value: &str) -> Result<DateTime<Utc>, ApiError> {
    let time = DateTime::parse_from_rfc3339(&value.replace(' ', "+"));
    let wrong = |_| {
        ApiError::invalid(format!(
            "{name} must be a time such as 2026-11-29T12:00:00Z"
        ))
    };
    time.map(|time| time.to_utc()).map_err(wrong)
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
            "resource_id" => filter.resources.extend(several().map(str::to_owned)),
            "actor_id" => filter.actors.extend(several().map(str::to_owned)),
            "from" => filter.from = Some(time("from", &value)?),
            "to" => filter.to = Some(time("to", &value)?),
            _ => {}
        }
    }
    for values in [
        &mut filter.resource_types,
        &mut filter.actions,
        &mut filter.resources,
        &mut filter.actors,
    ] {
        values.sort_unstable();
        values.dedup();
        if values.iter().any(|value| value.contains('\0')) {
            return Err(ApiError::invalid("the filter must not contain a zero byte"));
        }
    }
    Ok(filter)
}

fn entry_view(entry: locule_control::AuditEntry) -> AuditEntry {
    let metadata = match entry.metadata {
        serde_json::Value::Object(fields) => fields,
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_) => serde_json::Map::new(),
    };
    // The name of a key that was revoked is in the entries about the key only.
    let recorded = || metadata.get("name").and_then(|name| name.as_str());
    let resource_name = entry
        .resource_name
        .or_else(|| recorded().map(str::to_owned));
    AuditEntry {
        id: entry.id,
        actor_type: entry.actor_type,
        actor_id: entry.actor_id,
        actor_name: Some(entry.actor_name).filter(|name| !name.is_empty()),
        resource_type: entry.resource_type,
        resource_id: entry.resource_id,
        resource_name,
        action: entry.action,
        scope: entry.scope,
        status: entry.status,
        metadata,
        created_at: seconds(entry.created_at),
    }
}

fn page_view(page: AuditEntries) -> AuditPage {
    AuditPage {
        items: page.entries.into_iter().map(entry_view).collect(),
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

/// Get an audit log entry
///
/// An entry with the scope `admin` does not exist for members.
#[utoipa::path(get, path = "/v1/audit-logs/{id}", tag = "audit", security(("token" = [])),
    params(("id" = schema::AuditId, Path)),
    responses((status = 200, body = AuditEntry), (status = 404)))]
pub(crate) async fn get_audit_log(
    State(app): State<AppState>,
    Member(person): Member,
    ApiPath(id): ApiPath<AuditId>,
) -> Result<Json<AuditEntry>, ApiError> {
    let entry = app.accounts.audit_log_entry(&person, id).await?;
    Ok(Json(entry_view(entry)))
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

/// Get an audit log entry of the platform
#[utoipa::path(get, path = "/v1/admin/audit-logs/{id}", tag = "admin", security(("token" = [])),
    params(("id" = schema::AuditId, Path)),
    responses((status = 200, body = AuditEntry), (status = 404)))]
pub(crate) async fn get_platform_audit_log(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    ApiPath(id): ApiPath<AuditId>,
) -> Result<Json<AuditEntry>, ApiError> {
    let entry = app.accounts.platform_audit_log_entry(&admin, id).await?;
    Ok(Json(entry_view(entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_values_are_repeated_or_separated_by_commas() {
        let read = filter(Some(
            "action=a,b&action=b&resource_type=c%2Cd&limit=7&x=1&resource_id=e&actor_id=f,g",
        ))
        .unwrap();
        assert_eq!(read.actions, ["a", "b"]);
        assert_eq!(
            (read.resources, read.actors),
            (vec!["e".to_owned()], vec!["f".to_owned(), "g".to_owned()])
        );
        assert_eq!(read.resource_types, ["c", "d"]);
        assert_eq!((read.limit, read.before), (Some(7), None));
        for wrong in [
            "limit=x",
            "limit=",
            "action=%00",
            "actor_id=%00",
            "from=x",
            "to=2026-11-29",
        ] {
            filter(Some(wrong)).unwrap_err();
        }
    }

    #[test]
    fn the_times_of_a_filter_are_rfc_3339_with_any_offset() {
        let noon = DateTime::UNIX_EPOCH + chrono::Duration::hours(12);
        for from in [
            "1970-01-01T12:00:00Z",
            "1970-01-01T14:00:00%2B02:00",
            "1970-01-01T14:00:00+02:00",
        ] {
            let read = filter(Some(&format!("from={from}&to=1970-01-02T00:00:00.5z"))).unwrap();
            assert_eq!(read.from, Some(noon), "{from}");
            assert_eq!(
                read.to,
                Some(noon + chrono::Duration::milliseconds(43_200_500))
            );
        }
    }
}
