//! Signed addresses of files, which need no credential: a browser downloads a file without reading it into a page.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta};
use locule_api::{FileOperation, SignFileRequest, SignedAddress, schema};
use locule_edge::GUEST_PORT;
use locule_edge::access::{Operation, signed_address};

use super::required;
use crate::caller::MayUse;
use crate::error::ApiError;
use crate::extract::{ApiJson, Id};
use crate::ports::Reach;
use crate::running::running_or_paused;
use crate::state::AppState;

const EXPIRES_IN_DEFAULT_SEC: i64 = 3600;
const PATH_LETTERS_MAX: usize = 4095;
const EXPIRES_IN_MAX_SEC: i64 = 7 * 24 * 60 * 60;

/// Sign the address of a file
///
/// Returns an address that reads or writes one file without a credential, until it expires. A browser saves what the address reads as a file. The address ends with the right of its caller: it is refused once the caller's API key is deleted or the caller's login has ended. A paused sandbox answers the address if it resumes automatically.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/sign", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = SignFileRequest,
    responses((status = 200, body = SignedAddress)))]
pub(crate) async fn sign_file(
    State(app): State<AppState>,
    caller: MayUse,
    Id(id): Id,
    reach: Reach,
    body: Result<ApiJson<SignFileRequest>, ApiError>,
) -> Result<Json<SignedAddress>, ApiError> {
    let sandbox = running_or_paused(&app, &caller, id).await?;
    let ApiJson(request) = body?;
    let path = required(&request.path)?;
    if path.contains('\0') || path.chars().count() > PATH_LETTERS_MAX {
        return Err(ApiError::invalid(
            "path must have at most 4095 characters, none of them NUL",
        ));
    }
    let expires_in = request.expires_in_sec.unwrap_or(EXPIRES_IN_DEFAULT_SEC);
    if !(1..=EXPIRES_IN_MAX_SEC).contains(&expires_in) {
        return Err(ApiError::invalid(
            "expires_in_sec must be between 1 and 604800",
        ));
    }
    // Without host names of ports, the platform finds the sandbox by the signature (ADR 0037).
    let origin = reach.port(id, GUEST_PORT);
    let origin = origin.or_else(|| reach.api().map(str::to_owned));
    let origin =
        origin.ok_or_else(|| ApiError::invalid("the request has no Host; send one Host header"))?;
    let operation = match request.operation {
        FileOperation::Read => Operation::Read,
        FileOperation::Write => Operation::Write,
    };
    let tokens = app.sandboxes.client_tokens(&caller.0, &sandbox).await?;
    let expires = (app.clock.now() + TimeDelta::seconds(expires_in)).timestamp();
    let address = signed_address(path, operation, &tokens.access, expires);
    Ok(Json(SignedAddress {
        url: origin + &address,
        expires_at: DateTime::from_timestamp(expires, 0).unwrap_or_default(),
    }))
}
