//! The list of a team's sandboxes, with filters and pages.

use axum::Json;
use axum::extract::{RawQuery, State};
use form_urlencoded::Serializer;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use locule_api::{Sandbox, schema};
use locule_control::{AuthorId, DescribedPage, ListFilter};
use locule_domain::{ErrorReason, SandboxState, StopReason};

use crate::caller::MayRead;
use crate::error::ApiError;
use crate::sandboxes::view::sandbox_view;
use crate::state::AppState;

const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
const LIMIT_MAX: u32 = 1000;
const TEXT_CHARS_MAX: usize = 256;
/// The longest name and the longest value of a label, with `=`.
const LABEL_CHARS_MAX: usize = 2 * 16 * 1024 + 1;

/// Conditions of different parameters must all hold.
#[derive(Debug, Default, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes for the OpenAPI document what `filter` reads"
)]
pub(crate) struct SandboxQuery {
    /// Statuses to include. Repeat the parameter, or separate the values by commas. `stopped` and `error` include sandboxes that ended in the last seven days.
    status: Option<Vec<locule_api::SandboxStatus>>,
    /// Whether sandboxes that ended in the last seven days are included when `status` is absent.
    ended: Option<bool>,
    /// A part of the id, of the template's name, or of a label as `name=value`, in upper or lower case.
    #[param(value_type = Option<schema::SearchText>)]
    q: Option<String>,
    #[param(value_type = Option<schema::TemplateName>)]
    template: Option<String>,
    /// A label that a sandbox must have, as `name` or as `name=value`. Repeat the parameter for several labels.
    #[param(value_type = Option<Vec<schema::LabelFilter>>)]
    label: Option<Vec<String>>,
    /// The user or API key whose request created the sandboxes.
    #[param(value_type = Option<schema::CreatorId>)]
    created_by: Option<String>,
    /// Number of sandboxes per page: 1000 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The token in the address of the next page.
    #[param(value_type = Option<schema::PageToken>)]
    cursor: Option<String>,
}

/// List sandboxes
///
/// Returns the team's sandboxes, newest first, without sandboxes in the status `stopped` or `error` unless the query asks for them. The header `Link` has the address of the next page.
#[utoipa::path(get, path = "/v1/sandboxes", tag = "sandboxes", params(SandboxQuery),
    responses((status = 200, body = Vec<Sandbox>, headers(
        ("Link" = String, description = "The address of the next page, with the relation `next`; absent on the last page"),
        ("X-Total-Count" = u64, description = "The number of sandboxes on all pages")))))]
pub(crate) async fn list_sandboxes(
    State(app): State<AppState>,
    caller: MayRead,
    RawQuery(query): RawQuery,
) -> Result<(HeaderMap, Json<Vec<Sandbox>>), ApiError> {
    let query = query.unwrap_or_default();
    let filter = filter(&query)?;
    let page = app.sandboxes.find_sandboxes(Some(caller.team()), filter);
    let page = page.await?;
    let headers = page_headers("/v1/sandboxes", &query, &page);
    let listed = page.sandboxes.into_iter().map(sandbox_view);
    Ok((headers, Json(listed.collect())))
}

/// The headers of a page: how many sandboxes there are, and where the next page is.
pub(crate) fn page_headers(path: &str, query: &str, page: &DescribedPage) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(TOTAL, HeaderValue::from(page.total))]);
    if let Some(next) = &page.next {
        let mut following = Serializer::new(String::new());
        let pairs = form_urlencoded::parse(query.as_bytes());
        following.extend_pairs(pairs.filter(|(name, _)| name != "cursor"));
        following.append_pair("cursor", next);
        let link = format!("<{path}?{}>; rel=\"next\"", following.finish());
        // A query is percent-encoded, so it is a valid header.
        if let Ok(link) = HeaderValue::try_from(link) {
            headers.insert(header::LINK, link);
        }
    }
    headers
}

/// Reads the filters that every list of sandboxes has, and ignores other parameters.
pub(crate) fn filter(query: &str) -> Result<ListFilter, ApiError> {
    let mut filter = ListFilter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "status" => {
                for word in value.split(',') {
                    filter.states.push(state(word)?);
                }
            }
            "ended" => {
                let wrong = |_| ApiError::invalid("ended must be true or false");
                filter.ended = value.parse().map_err(wrong)?;
            }
            "q" => filter.text = Some(text(&value)?).filter(|text| !text.is_empty()),
            "template" if locule_domain::is_safe_name(&value) => {
                filter.template = Some(value.into_owned());
            }
            "template" => return Err(ApiError::invalid("template must be the name of a template")),
            "label" => match label(&value)? {
                (name, None) => filter.label_names.push(name),
                (name, Some(value)) => {
                    let other = filter.labels.insert(name, value.clone());
                    if other.is_some_and(|other| other != value) {
                        // A label has one value, and no label has an empty name: no sandbox matches.
                        filter.label_names.push(String::new());
                    }
                }
            },
            "created_by" => filter.created_by = Some(creator(&value)?),
            "limit" => {
                let limit = value.parse().ok();
                let limit = limit.filter(|limit| (1..=LIMIT_MAX).contains(limit));
                let limit = limit.ok_or_else(|| {
                    ApiError::invalid(format!("limit must be between 1 and {LIMIT_MAX}"))
                });
                filter.limit = Some(limit?);
            }
            "cursor" => filter.cursor = Some(value.into_owned()).filter(|token| !token.is_empty()),
            _ => {}
        }
    }
    filter.ended |= filter.states.iter().any(|state| state.is_final());
    Ok(filter)
}

/// The reason of a final state does not matter to a filter.
fn state(word: &str) -> Result<SandboxState, ApiError> {
    Ok(match word {
        "pending" => SandboxState::Pending,
        "starting" => SandboxState::Starting,
        "running" => SandboxState::Running,
        "paused" => SandboxState::Paused,
        "missing" => SandboxState::Missing,
        "stopped" => SandboxState::Stopped {
            reason: StopReason::Destroyed,
        },
        "error" => SandboxState::Error {
            reason: ErrorReason::CreateFailed,
        },
        _ => {
            return Err(ApiError::invalid(
                "status must be pending, starting, running, paused, missing, stopped or error",
            ));
        }
    })
}

fn text(value: &str) -> Result<String, ApiError> {
    if value.chars().count() > TEXT_CHARS_MAX || value.contains('\0') {
        return Err(ApiError::invalid(format!(
            "q must have at most {TEXT_CHARS_MAX} characters, without a zero byte"
        )));
    }
    Ok(value.to_owned())
}

fn label(text: &str) -> Result<(String, Option<String>), ApiError> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if name.is_empty() || text.contains('\0') || text.chars().count() > LABEL_CHARS_MAX {
        return Err(ApiError::invalid(
            "label must be name or name=value, without a zero byte",
        ));
    }
    Ok((name.to_owned(), value.map(str::to_owned)))
}

fn creator(id: &str) -> Result<AuthorId, ApiError> {
    let user = id.parse().map(AuthorId::User);
    let key = || id.parse().map(AuthorId::ApiKey);
    user.or_else(|_| key())
        .map_err(|_| ApiError::invalid("created_by must be the id of a user or of an API key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_read_as_documented() {
        let read = filter(
            "status=running,paused&status=missing&q=x&label=a&label=b%3D1&label=c=&template=minimal&limit=7&cursor=9&unknown=1",
        )
        .unwrap();
        let named = [
            SandboxState::Running,
            SandboxState::Paused,
            SandboxState::Missing,
        ];
        assert_eq!(read.states, named);
        assert!(!read.ended);
        assert_eq!(read.label_names, ["a"]);
        let labels: Vec<_> = read.labels.into_iter().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(labels, [pair("b", "1"), pair("c", "")]);
        assert_eq!((read.text.as_deref(), read.limit), (Some("x"), Some(7)));
        assert_eq!(read.cursor.as_deref(), Some("9"));
        assert!(filter("status=stopped").unwrap().ended);
        assert!(filter("ended=true").unwrap().ended);
        let empty = filter("q=&cursor=").unwrap();
        assert_eq!((empty.text, empty.cursor), (None, None));
        let impossible = filter("label=a=1&label=a=2").unwrap();
        assert_eq!(impossible.label_names, [""]);
    }

    #[test]
    fn a_value_that_no_sandbox_can_have_is_refused() {
        for wrong in [
            "status=gone",
            "ended=yes",
            "q=%00",
            "template=a/b",
            "label=",
            "label==1",
            "label=a%00",
            "ended=",
            "status=",
            "template=",
            "limit=",
            "created_by=sb-1",
            "limit=0",
            "limit=1001",
            "limit=x",
        ] {
            filter(wrong).unwrap_err();
        }
    }

    #[test]
    fn the_next_page_has_the_filters_of_this_one() {
        let page = DescribedPage {
            sandboxes: Vec::new(),
            next: Some("12.ab".to_owned()),
            total: 3,
        };
        let headers = page_headers("/v1/sandboxes", "q=a%20b&cursor=1&limit=2", &page);
        assert_eq!(
            headers[header::LINK],
            "</v1/sandboxes?q=a+b&limit=2&cursor=12.ab>; rel=\"next\""
        );
        assert_eq!(headers[TOTAL], "3");
    }
}
