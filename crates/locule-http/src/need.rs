//! What each operation needs of its caller, read from the types of its handler's parameters.
//!
//! A handler states its need with exactly one parameter: [`Public`], or an extractor that authenticates the caller (the table
//! in [`crate::caller`]). [`operation!`] registers a handler and records the need beside the id of its operation; a handler
//! that states no need, or two, does not compile.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::extract::{FromRequestParts, RawQuery, State};
use http::HeaderMap;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::connection::Connection;
use crate::extract::{ApiJson, ApiPath, ApiQuery, Id, IdempotencyKey, OptionalJson, Upgrade};
use crate::memory::Held;
use crate::state::AppState;

/// What an operation needs of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// No credential.
    Public,
    /// An API key that may read sandboxes, or a login; for a team.
    Read,
    /// An API key that may use sandboxes, or a login; for a team.
    Use,
    /// A login.
    Person,
    /// A login, and membership of the team that the token is for.
    Member,
    /// A login of a platform administrator.
    PlatformAdmin,
    /// The access token of a host agent.
    Host,
}

/// A type of handler parameter. Most need nothing of the caller.
pub(crate) trait Parameter {
    const NEED: Option<Need> = None;
}

/// The operation is open to every client.
#[derive(Debug)]
pub(crate) struct Public;

impl Parameter for Public {
    const NEED: Option<Need> = Some(Need::Public);
}

impl<S: Sync> FromRequestParts<S> for Public {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

impl Parameter for State<AppState> {}
impl Parameter for HeaderMap {}
impl Parameter for RawQuery {}
impl Parameter for Id {}
impl Parameter for Connection {}
impl Parameter for Held {}
impl Parameter for Upgrade {}
impl Parameter for IdempotencyKey {}
impl<T> Parameter for ApiPath<T> {}
impl<T> Parameter for ApiQuery<T> {}
impl<T> Parameter for ApiJson<T> {}
impl<T> Parameter for OptionalJson<T> {}
impl<T: Parameter, E> Parameter for Result<T, E> {
    const NEED: Option<Need> = T::NEED;
}

/// A function with parameters of the types `T`, one of which states the need of the operation.
pub(crate) trait Handler<T> {
    const NEED: Need;
}

macro_rules! handlers {
    ($(($($parameter:ident),+))+) => { $(
        impl<F, Answer, $($parameter: Parameter),+> Handler<($($parameter,)+)> for F
        where
            F: FnOnce($($parameter),+) -> Answer,
        {
            const NEED: Need = stated(&[$($parameter::NEED),+]);
        }
    )+ };
}

handlers! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, G) (A, B, C, D, E, G, H) }

const fn stated(parameters: &[Option<Need>]) -> Need {
    let mut stated = None;
    let mut rest = parameters;
    while let [parameter, tail @ ..] = rest {
        if let Some(need) = *parameter {
            assert!(stated.is_none(), "a handler states two needs");
            stated = Some(need);
        }
        rest = tail;
    }
    match stated {
        Some(need) => need,
        None => panic!("a handler has no parameter that states its need"),
    }
}

/// A handler as a route, with its need recorded in its operation.
macro_rules! operation {
    ($handler:path) => {
        crate::need::with_need(utoipa_axum::routes!($handler), &$handler)
    };
}
pub(crate) use operation;

pub(crate) fn with_need<H: Handler<T>, T>(
    (schemas, mut paths, router): UtoipaMethodRouter<AppState>,
    _: &H,
) -> UtoipaMethodRouter<AppState> {
    for operation in paths.paths.values_mut().flat_map(operations) {
        let extensions = operation.extensions.get_or_insert_default();
        extensions.insert(RECORD.to_owned(), json!(H::NEED));
    }
    (schemas, paths, router)
}

/// The extension of an operation that holds its need, until [`take_needs`].
const RECORD: &str = "x-need";

/// Takes the recorded needs out of the document: clients see no extension.
pub(crate) fn take_needs(document: &mut OpenApi) -> BTreeMap<String, Option<Need>> {
    let mut needs = BTreeMap::new();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let id = operation.operation_id.clone().unwrap_or_default();
        let record = operation.extensions.take();
        let record = record.and_then(|mut extensions| extensions.remove(RECORD));
        needs.insert(
            id,
            record.and_then(|need| serde_json::from_value(need).ok()),
        );
    }
    needs
}

pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ];
    all.into_iter().filter_map(Option::as_mut)
}
