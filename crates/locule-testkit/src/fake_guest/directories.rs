//! `filesystem.Filesystem` of the simulated guest agent. A directory exists when a file is in it.

use std::sync::Arc;

use futures::stream;
use locule_guest_api::proto::filesystem as wire;
use locule_guest_api::rpc::{
    ConnectError, Encodable, RequestContext, Response, Router, ServiceRequest, ServiceResult,
    ServiceStream,
};

use super::{FakeGuest, is_path, lock};

struct Service(Arc<FakeGuest>);

/// Adds the service.
pub(super) fn register(router: Router, guest: Arc<FakeGuest>) -> Router {
    router.add_service(Arc::new(Service(guest)))
}

fn entry(path: &str, kind: wire::FileType, size: usize) -> wire::EntryInfo {
    wire::EntryInfo {
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        path: path.to_owned(),
        r#type: kind.into(),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        mode: 0o644,
        permissions: "-rw-r--r--".to_owned(),
        owner: "user".to_owned(),
        group: "user".to_owned(),
        ..Default::default()
    }
}

fn unsupported<T>() -> ServiceResult<T> {
    Err(ConnectError::unimplemented(
        "the simulated guest agent does not support this call",
    ))
}

impl Service {
    /// The files in a directory, or the file itself.
    fn under(&self, path: &str) -> Result<Vec<wire::EntryInfo>, ConnectError> {
        let files = lock(&self.0.files);
        let directory = format!("{}/", path.trim_end_matches('/'));
        let found: Vec<_> = files
            .iter()
            .filter(|(name, _)| name.starts_with(&directory) || *name == path)
            .map(|(name, bytes)| entry(name, wire::FileType::FILE_TYPE_FILE, bytes.len()))
            .collect();
        if found.is_empty() {
            return Err(ConnectError::not_found(format!(
                "path '{path}' does not exist"
            )));
        }
        Ok(found)
    }
}

impl wire::Filesystem for Service {
    async fn stat<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::StatRequest>,
    ) -> ServiceResult<impl Encodable<wire::StatResponse> + Send + use<'a>> {
        Response::ok(wire::StatResponse {
            entry: self.under(request.path)?.remove(0).into(),
            ..Default::default()
        })
    }

    async fn make_dir<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::MakeDirRequest>,
    ) -> ServiceResult<impl Encodable<wire::MakeDirResponse> + Send + use<'a>> {
        if !is_path(request.path) {
            return Err(ConnectError::invalid_argument("not a path"));
        }
        Response::ok(wire::MakeDirResponse {
            entry: entry(request.path, wire::FileType::FILE_TYPE_DIRECTORY, 0).into(),
            ..Default::default()
        })
    }

    async fn list_dir<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::ListDirRequest>,
    ) -> ServiceResult<impl Encodable<wire::ListDirResponse> + Send + use<'a>> {
        Response::ok(wire::ListDirResponse {
            entries: self.under(request.path)?,
            ..Default::default()
        })
    }

    async fn remove<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::RemoveRequest>,
    ) -> ServiceResult<impl Encodable<wire::RemoveResponse> + Send + use<'a>> {
        lock(&self.0.files).remove(request.path);
        Response::ok(wire::RemoveResponse::default())
    }

    async fn r#move<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::MoveRequest>,
    ) -> ServiceResult<impl Encodable<wire::MoveResponse> + Send + use<'a>> {
        let (source, destination) = (request.source, request.destination);
        let mut files = lock(&self.0.files);
        if !is_path(destination) {
            return Err(ConnectError::invalid_argument("not a path"));
        }
        if !files.contains_key(source) {
            let message = format!("path '{source}' does not exist");
            return Err(ConnectError::not_found(message));
        }
        if request.no_overwrite && files.contains_key(destination) {
            let message = format!("path '{destination}' already exists");
            return Err(ConnectError::already_exists(message));
        }
        let bytes = files.remove(source).unwrap_or_default();
        let moved = entry(destination, wire::FileType::FILE_TYPE_FILE, bytes.len());
        files.insert(destination.to_owned(), bytes);
        Response::ok(wire::MoveResponse {
            entry: moved.into(),
            ..Default::default()
        })
    }

    async fn watch_dir(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, wire::WatchDirRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::WatchDirResponse> + Send + use<>>> {
        let none = Vec::<Result<wire::WatchDirResponse, ConnectError>>::new();
        Ok(Response::stream(stream::iter(none)))
    }

    async fn create_watcher<'a>(
        &'a self,
        _: RequestContext,
        _: ServiceRequest<'_, wire::CreateWatcherRequest>,
    ) -> ServiceResult<impl Encodable<wire::CreateWatcherResponse> + Send + use<'a>> {
        unsupported::<wire::CreateWatcherResponse>()
    }

    async fn get_watcher_events<'a>(
        &'a self,
        _: RequestContext,
        _: ServiceRequest<'_, wire::GetWatcherEventsRequest>,
    ) -> ServiceResult<impl Encodable<wire::GetWatcherEventsResponse> + Send + use<'a>> {
        unsupported::<wire::GetWatcherEventsResponse>()
    }

    async fn remove_watcher<'a>(
        &'a self,
        _: RequestContext,
        _: ServiceRequest<'_, wire::RemoveWatcherRequest>,
    ) -> ServiceResult<impl Encodable<wire::RemoveWatcherResponse> + Send + use<'a>> {
        unsupported::<wire::RemoveWatcherResponse>()
    }
}
