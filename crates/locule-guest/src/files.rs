//! `/files`: downloads and uploads of whole files, streamed both ways and never held in memory as a whole.

mod blocking;
mod download;
mod encoding;
mod error;
mod lingering_close;
pub(crate) mod metadata;
pub(crate) mod place;
mod request;
mod upload;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use locule_guest_api::signature::Operation;

use self::error::FileError;
use self::request::{FileQuery, Owner, authorize};
use crate::answer::refuse;
use crate::identity::SharedIdentity;
use crate::tasks;

type ParsedQuery = Result<Query<FileQuery>, QueryRejection>;

fn checked(query: ParsedQuery) -> Result<FileQuery, FileError> {
    query
        .map(|Query(query)| query)
        .map_err(|error| (StatusCode::BAD_REQUEST, error.body_text()))
}

pub(crate) async fn download(
    State(identity): State<Arc<SharedIdentity>>,
    query: ParsedQuery,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let query = checked(query)?;
        authorize(&identity, &headers, &query, Operation::Read)?;
        let owner = Owner::find(&identity, &query).await?;
        let path = owner.path(query.path.as_deref().unwrap_or_default())?;
        download::send(&path, &headers).await
    };
    answer
        .await
        .unwrap_or_else(|(status, message)| refuse(status, message))
}

pub(crate) async fn upload(
    State(identity): State<Arc<SharedIdentity>>,
    query: ParsedQuery,
    request: Request,
) -> Response {
    let answer = async {
        let query = checked(query)?;
        authorize(&identity, request.headers(), &query, Operation::Write)?;
        let owner = Owner::find(&identity, &query).await?;
        let (head, body) = request.into_parts();
        let (body, unread) = lingering_close::split(body);
        let answer = upload::receive(Request::from_parts(head, body), &query, &owner).await;
        if answer.is_err() {
            tasks::spawn(unread.discard());
        }
        answer
    };
    answer
        .await
        .unwrap_or_else(|(status, message)| refuse(status, message))
}
