//! The list operations of both versions, and the operation that gets one sandbox.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use locule_api::e2b::{ListedSandbox, SandboxDetail};
use locule_api::schema;
use locule_control::ListFilter;
use locule_domain::SandboxState;
use serde::Deserialize;

use super::filter::labels;
use super::known::Known;
use super::views::{PortDomain, Tokens, detail, listed, listed_unless_ended, template_name};
use crate::caller::{MayRead, Read};
use crate::error::ApiError;
use crate::extract::ApiQuery;
use crate::state::AppState;
use crate::times::four_digit_year;

const NEXT_TOKEN: HeaderName = HeaderName::from_static("x-next-token");
const LIMIT_MAX: u32 = 100;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Labels that a sandbox must have: an encoded query string whose keys and values are encoded once more.
    metadata: Option<String>,
    /// States to include: `running`, `paused`, or both separated by a comma.
    #[param(pattern = "^(running|paused)(,(running|paused))*$")]
    state: Option<String>,
    /// Order by start time: `desc` (default) or `asc`.
    #[param(pattern = "^(asc|desc)$")]
    order: Option<String>,
    started_after: Option<DateTime<Utc>>,
    #[param(value_type = Option<schema::TemplateName>)]
    template: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `x-next-token` of the previous page.
    #[param(value_type = Option<schema::PageToken>)]
    next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListV1Query {
    /// Labels that a sandbox must have, as in `/v2/sandboxes`.
    metadata: Option<String>,
}

type Listed = (HeaderMap, Json<Vec<ListedSandbox>>);

/// List sandboxes
///
/// Returns running and paused sandboxes in pages.
#[utoipa::path(get, path = "/v2/sandboxes", tag = "e2b", operation_id = "e2b_list_sandboxes", params(ListQuery),
    responses((status = 200, body = Vec<ListedSandbox>, headers(("x-next-token" = schema::PageToken, description = "The token of the next page; absent on the last page")))))]
pub(crate) async fn list_v2(
    State(app): State<AppState>,
    caller: MayRead,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Listed, ApiError> {
    list(&app, &caller, filter(query)?).await
}

/// List running sandboxes
#[utoipa::path(get, path = "/sandboxes", tag = "e2b", operation_id = "e2b_list_sandboxes_v1", params(ListV1Query),
    responses((status = 200, body = Vec<ListedSandbox>)))]
pub(crate) async fn list_v1(
    State(app): State<AppState>,
    caller: MayRead,
    ApiQuery(query): ApiQuery<ListV1Query>,
) -> Result<Listed, ApiError> {
    let query = ListQuery {
        metadata: query.metadata,
        state: Some("running".to_owned()),
        ..ListQuery::default()
    };
    // The list has no pages, so that a limit would hide sandboxes.
    let filter = ListFilter {
        limit: None,
        ..filter(query)?
    };
    list(&app, &caller, filter).await
}

/// Get a sandbox
#[utoipa::path(get, path = "/sandboxes/{id}", tag = "e2b", operation_id = "e2b_get_sandbox", params(("id" = schema::BareSandboxId, Path)),
    responses((status = 200, body = SandboxDetail)))]
pub(crate) async fn get_sandbox(
    State(app): State<AppState>,
    known: Known<Read>,
    domain: PortDomain,
) -> Result<Json<SandboxDetail>, ApiError> {
    let Known { caller, sandbox } = known;
    let listed = listed_unless_ended(&sandbox)?;
    let tokens = if caller.may_use() {
        Some(Tokens::of(&app, &caller.0, &sandbox, domain).await?)
    } else {
        None
    };
    Ok(Json(detail(listed, &sandbox, tokens)))
}

async fn list(app: &AppState, caller: &MayRead, filter: ListFilter) -> Result<Listed, ApiError> {
    let page = app.sandboxes.list_sandboxes(caller.team(), filter).await?;
    let mut headers = HeaderMap::new();
    if let Some(token) = page.next.and_then(|next| HeaderValue::try_from(next).ok()) {
        headers.insert(NEXT_TOKEN, token);
    }
    Ok((
        headers,
        Json(page.sandboxes.iter().filter_map(listed).collect()),
    ))
}

fn filter(query: ListQuery) -> Result<ListFilter, ApiError> {
    let limit = query.limit.unwrap_or(LIMIT_MAX);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(ApiError::invalid("limit must be between 1 and 100"));
    }
    let template = query.template.as_deref().map(template_name);
    if template.is_some_and(|template| !locule_domain::is_safe_name(template)) {
        return Err(ApiError::invalid(
            "template must be the name of a template, without a tag",
        ));
    }
    let ascending = match query.order.as_deref() {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err(ApiError::invalid("order must be asc or desc")),
    };
    Ok(ListFilter {
        states: states(query.state.as_deref())?,
        labels: labels(query.metadata.as_deref().unwrap_or_default())?,
        template: template.map(str::to_owned),
        started_after: query.started_after.map(four_digit_year).transpose()?,
        ascending,
        limit: Some(limit),
        cursor: query.next_token.filter(|token| !token.is_empty()),
        ..ListFilter::default()
    })
}

fn states(text: Option<&str>) -> Result<Vec<SandboxState>, ApiError> {
    text.unwrap_or("running,paused")
        .split(',')
        .map(|state| match state {
            "running" => Ok(SandboxState::Running),
            "paused" => Ok(SandboxState::Paused),
            _ => Err(ApiError::invalid("state must be running or paused")),
        })
        .collect()
}
